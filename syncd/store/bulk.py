"""Many rows at once: statements compiled once and handed to the driver as tuples; many keys as one JSON parameter.

SQLAlchemy's own way costs 3-5 us a row for its parameter dictionaries, more than SQLite needs to store it (bench/pipeline.py).
Values are given as they are stored: instants as `micros`, documents as JSON text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, String, Table, and_, bindparam, cast, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB

from syncd.store.prepared import listed
from syncd.store.tables import number_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Rows = list[tuple[Any, ...]]


def micros(at: datetime) -> int:
    """An aware instant as stored: whole microseconds since 1970 UTC."""
    return (at - EPOCH) // _MICROSECOND


def instant(stored: int) -> datetime:
    """The aware UTC instant of what `micros` gave."""
    return EPOCH + stored * _MICROSECOND


ALL = ("*",)
"""Every column that is no key, for `replacing`."""

_MOST_PER_STATEMENT = 128
"""Rows: 2,304 parameters with the widest table, of the 32,766 that SQLite takes."""

_MOST_REPEATS = 4
"""One row in so many may be given once more to save a statement; a row repeated is stored once more."""

_inserts: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], tuple[str, Any]] = {}
_updates: dict[tuple[str, str, tuple[str, ...], tuple[str, ...], str], str] = {}
_lengthened: dict[tuple[str, int], str] = {}


def insert_rows(
    connection: Connection, table: Table, rows: Rows, *, keys: tuple[str, ...] = (), replacing: tuple[str, ...] = ()
) -> int:
    """Insert rows, values in the order of the table's columns (without a serial number); gives how many were written.

    Where a table has a `person_number`, the value given is the person's id ("" for nobody). With `keys` a row that is there
    already stays as it is, or takes the columns named in `replacing` (ALL of them; every row counts as written then). Rows are
    sorted by key so that two writers cannot deadlock; of rows with the same key the last one counts when replacing, the first
    one otherwise.
    """
    if not rows:
        return 0
    sql, sort_key = _insert(connection, table, keys, replacing)
    if sort_key is not None:
        rows.sort(key=sort_key)
    written = _run(connection, sql, rows, may_repeat=sort_key is not None)
    return len(rows) if replacing else written


def update_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows, *, keys: tuple[str, ...], where: str = ""
) -> int:
    """Set `columns` of the rows found by `keys` (and `where`, SQL); values in this order, columns first. Gives how many it met."""
    if not rows:
        return 0
    known = (connection.dialect.name, table.name, columns, keys, where)
    sql = _updates.get(known)
    if sql is None:
        sql = _updates[known] = _update(connection, table, columns, keys, where)
    return _run(connection, sql, rows, may_repeat=False)


def _run(connection: Connection, sql: str, rows: Rows, *, may_repeat: bool) -> int:
    """Run a statement for all rows; with `may_repeat` the last row may be given more than once.

    SQLite's driver gives the interpreter's lock away around every step, and gets it back when the threads that compute let it:
    one step per row made a commit of 200 rows wait 1,600 times. So it takes many rows in one step: `<<...>>` in `sql` is
    repeated for each of them. PostgreSQL's pipelines what it is given.
    """
    head, repeated, tail = _parts(sql)
    if connection.dialect.name != "sqlite":
        return int(connection.exec_driver_sql(head + repeated + tail, rows).rowcount)
    # The driver itself: SQLAlchemy's way round a statement costs more than most of the statements.
    driver: Any = connection.connection.driver_connection
    count = start = 0
    while start < len(rows):
        length = _length(len(rows) - start, may_repeat=may_repeat)
        statement = _lengthened.get((sql, length))
        if statement is None:
            statement = _lengthened[sql, length] = head + ", ".join([repeated] * length) + tail
        part = rows[start : start + length]
        part += [part[-1]] * (length - len(part))
        count += int(driver.execute(statement, tuple(chain.from_iterable(part))).rowcount)
        start += length
    return count


def _length(left: int, *, may_repeat: bool) -> int:
    """A power of two of rows, so that the driver keeps each statement compiled: up to `left`, or a little above it."""
    if left >= _MOST_PER_STATEMENT:
        return _MOST_PER_STATEMENT
    whole = 1 << (left.bit_length() - 1)
    repeats = 2 * whole - left
    return 2 * whole if may_repeat and repeats <= left // _MOST_REPEATS else whole


def _parts(sql: str) -> tuple[str, str, str]:
    head, _, rest = sql.partition("<<")
    repeated, _, tail = rest.partition(">>")
    return head, repeated, tail


def _insert(connection: Connection, table: Table, keys: tuple[str, ...], replacing: tuple[str, ...]) -> tuple[str, Any]:
    name = connection.dialect.name
    known = _inserts.get((name, table.name, keys, replacing))
    if known is None:
        names = [column.name for column in table.columns if not (column.primary_key and column.autoincrement is True)]
        statement: Any = (sqlite.insert(table) if name == "sqlite" else postgresql.insert(table)).inline()
        if "person_number" in names:
            statement = statement.values(person_number=number_of(bindparam("its_person", type_=String)))
        tail: Any = statement
        if keys and replacing:
            changed = {
                one: statement.excluded[one] for one in names if one not in keys and (replacing == ALL or one in replacing)
            }
            tail = statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
        elif keys:
            tail = statement.on_conflict_do_nothing(index_elements=list(keys))
        compiled: Any = statement.compile(dialect=connection.dialect, column_keys=names)
        if [one.replace("its_person", "person_number") for one in compiled.positiontup] != names:
            raise AssertionError(f"an INSERT into {table.name} takes {compiled.positiontup}, not {names}")
        head, _, values = str(compiled).partition(" VALUES ")
        whole = str(tail.compile(dialect=connection.dialect, column_keys=names))
        sort_key = itemgetter(*(names.index(one) for one in keys)) if keys else None
        known = _inserts[name, table.name, keys, replacing] = (
            f"{head} VALUES <<{values}>>{whole.removeprefix(str(compiled))}",
            sort_key,
        )
    return known


def _update(connection: Connection, table: Table, columns: tuple[str, ...], keys: tuple[str, ...], where: str) -> str:
    names = [*columns, *keys]
    if connection.dialect.name != "sqlite":
        found = and_(*(table.c[one] == bindparam(f"its_{one}") for one in keys), *([text(where)] if where else []))
        statement = update(table).where(found).values({one: bindparam(f"to_{one}") for one in columns})
        compiled: Any = statement.compile(dialect=connection.dialect)
        if [one.partition("_")[2] for one in compiled.positiontup] != names:
            raise AssertionError(f"an UPDATE of {table.name} takes {compiled.positiontup}, not {names}")
        return f"{compiled}<<>>"
    # Names of our own tables and columns; values are parameters.
    given = ", ".join(f"to_{one}" for one in names)
    changed = ", ".join(f"{one} = wanted.to_{one}" for one in columns)
    found_by = " AND ".join([*(f'{table.name}."{one}" = wanted.to_{one}' for one in keys), *([where] if where else [])])
    marks = ", ".join("?" for _ in names)
    return f"WITH wanted({given}) AS (VALUES <<({marks})>>) UPDATE {table.name} SET {changed} FROM wanted WHERE {found_by}"  # noqa: S608


def among(connection: Connection, column: ColumnElement[Any], values: Iterable[Any] | BindParameter[str]) -> ColumnElement[bool]:
    """`column IN values`, any number of texts or integers, as one parameter: now, or each time a `Prepared` is run."""
    document = values if isinstance(values, BindParameter) else bindparam(None, listed(values))
    if connection.dialect.name == "sqlite":
        wanted = func.json_each(document).table_valued("value")
        return column.in_(select(wanted.c.value))
    wanted = func.jsonb_array_elements_text(cast(document, JSONB)).table_valued("value")
    return column.in_(select(cast(wanted.c.value, column.type)))


def pairs(
    connection: Connection, left: ColumnElement[Any], right: ColumnElement[Any], wanted: Iterable[Sequence[str]]
) -> tuple[Any, ColumnElement[bool]]:
    """What to select from, and where, for the rows whose two columns are one of the `wanted` pairs; one parameter."""
    document: BindParameter[str] = bindparam(None, listed(wanted))
    if connection.dialect.name == "sqlite":
        rows: Any = func.json_each(document).table_valued("value", name="wanted")
        first, second = (func.json_extract(rows.c.value, f"$[{n}]") for n in (0, 1))
    else:
        rows = func.jsonb_array_elements(cast(document, JSONB)).table_valued("value", name="wanted")
        first, second = (rows.c.value.op("->>")(n) for n in (0, 1))
    return rows, and_(left == first, right == second)
