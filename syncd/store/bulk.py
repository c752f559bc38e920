"""Many rows at once: statements compiled once and handed to the driver as tuples; many keys as one JSON parameter.

SQLAlchemy's own way costs 3-5 us a row for its parameter dictionaries, more than SQLite needs to store it (bench/pipeline.py).
Values are given as they are stored: instants as `micros`, documents as JSON text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Executable, String, Table, and_, bindparam, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB

from syncd.store.tables import number_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Rows = list[tuple[Any, ...]]


def micros(at: datetime) -> int:
    """An aware instant as stored: whole microseconds since 1970 UTC."""
    return (at - EPOCH) // _MICROSECOND


ALL = ("*",)
"""Every column that is no key, for `replacing`."""

_inserts: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], tuple[str, Any]] = {}
_compiled: dict[tuple[str, int], tuple[Executable, str, tuple[str, ...]]] = {}


def insert_rows(
    connection: Connection, table: Table, rows: Rows, *, keys: tuple[str, ...] = (), replacing: tuple[str, ...] = ()
) -> int:
    """Insert rows, values in the order of the table's columns (without a serial number); gives how many were written.

    Where a table has a `person_number`, the value given is the person's id ("" for nobody). With `keys` a row that is there already stays as it is, or takes the columns named in `replacing` (ALL of them). Rows are sorted by key so that two
    writers cannot deadlock; of rows with the same key the last one counts when replacing, the first one otherwise.
    """
    if not rows:
        return 0
    sql, sort_key = _insert(connection, table, keys, replacing)
    if sort_key is not None:
        rows.sort(key=sort_key)
    return int(connection.exec_driver_sql(sql, rows).rowcount)


def _insert(connection: Connection, table: Table, keys: tuple[str, ...], replacing: tuple[str, ...]) -> tuple[str, Any]:
    name = connection.dialect.name
    known = _inserts.get((name, table.name, keys, replacing))
    if known is None:
        names = [column.name for column in table.columns if not (column.primary_key and column.autoincrement is True)]
        statement: Any = (sqlite.insert(table) if name == "sqlite" else postgresql.insert(table)).inline()
        if "person_number" in names:
            statement = statement.values(person_number=number_of(bindparam("its_person", type_=String)))
        if keys and replacing:
            changed = {
                one: statement.excluded[one] for one in names if one not in keys and (replacing == ALL or one in replacing)
            }
            statement = statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
        elif keys:
            statement = statement.on_conflict_do_nothing(index_elements=list(keys))
        compiled: Any = statement.compile(dialect=connection.dialect, column_keys=names)
        sql = str(compiled)
        if [one.replace("its_person", "person_number") for one in compiled.positiontup] != names:
            raise AssertionError(f"an INSERT into {table.name} takes {compiled.positiontup}, not {names}")
        sort_key = itemgetter(*(names.index(one) for one in keys)) if keys else None
        known = _inserts[name, table.name, keys, replacing] = (sql, sort_key)
    return known


def run_rows(connection: Connection, statement: Executable, names: tuple[str, ...], rows: Rows) -> int:
    """Run an update or delete once per row; gives how many rows it met.

    Args:
        connection: Inside a write unit.
        statement: A constant of its module: it is compiled once.
        names: Its parameters in the order of the values, which is their order in the statement.
        rows: The values.
    """
    if not rows:
        return 0
    key = (connection.dialect.name, id(statement))
    known = _compiled.get(key)
    if known is None:
        compiled: Any = statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
        known = _compiled[key] = (statement, str(compiled), tuple(compiled.positiontup))
    _, sql, order = known
    if order != names:
        raise AssertionError(f"the statement takes {order}, not {names}")
    return int(connection.exec_driver_sql(sql, rows).rowcount)


def among(connection: Connection, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """`column IN values`, any number of texts or integers, as one parameter."""
    document = msgspec.json.encode(list(values)).decode()
    if connection.dialect.name == "sqlite":
        listed = func.json_each(bindparam(None, document)).table_valued("value")
        return column.in_(select(listed.c.value))
    listed = func.jsonb_array_elements_text(cast(bindparam(None, document), JSONB)).table_valued("value")
    return column.in_(select(cast(listed.c.value, column.type)))


def pairs(
    connection: Connection, left: ColumnElement[Any], right: ColumnElement[Any], wanted: Iterable[Sequence[str]]
) -> tuple[Any, ColumnElement[bool]]:
    """What to select from, and where, for the rows whose two columns are one of the `wanted` pairs; one parameter."""
    document = msgspec.json.encode(list(wanted)).decode()
    if connection.dialect.name == "sqlite":
        listed: Any = func.json_each(bindparam(None, document)).table_valued("value", name="wanted")
        first, second = (func.json_extract(listed.c.value, f"$[{n}]") for n in (0, 1))
    else:
        listed = func.jsonb_array_elements(cast(bindparam(None, document), JSONB)).table_valued("value", name="wanted")
        first, second = (listed.c.value.op("->>")(n) for n in (0, 1))
    return listed, and_(left == first, right == second)
