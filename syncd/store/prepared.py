"""Statements of every batch: put together and compiled once for each engine, then run with nothing but their values.

Building a statement, finding it in SQLAlchemy's cache and turning its rows into Python's types costs 250 us and more each time,
most of it with the interpreter's lock held: more than SQLite needs to look 200 keys up. So values are given and come back as they
are stored: instants as `micros`, many keys as one JSON parameter (`listed`), truth as the engine has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, CursorResult, String, bindparam


def given(name: str) -> BindParameter[str]:
    """The place of a text, or of the document of `listed`, that is given by `name` each time."""
    return bindparam(name, type_=String)


def listed(values: Iterable[Any]) -> str:
    """Any number of texts or integers as the document that `among` takes."""
    return msgspec.json.encode(list(values)).decode()


class Prepared:
    """One statement; `make` puts it together, with a named `bindparam` (such as `given`) for each value that changes."""

    def __init__(self, make: Callable[[Connection], Any]) -> None:
        """Nothing is compiled yet."""
        self._make = make
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def rows(self, connection: Connection, **values: Any) -> Sequence[Any]:
        """The rows of a SELECT, as stored."""
        return self._run(connection, values).fetchall()

    def run(self, connection: Connection, **values: Any) -> int:
        """Carry out an UPDATE; gives how many rows it met."""
        return self._run(connection, values).rowcount

    def _run(self, connection: Connection, values: dict[str, Any]) -> CursorResult[Any]:
        name = connection.dialect.name
        if name not in self._compiled:
            compiled: Any = self._make(connection).compile(dialect=connection.dialect)
            self._compiled[name] = str(compiled), tuple(compiled.positiontup), dict(compiled.params)
        sql, names, constants = self._compiled[name]
        # A constant of the statement keeps its value; what is missing from `values` would be None.
        known = {**constants, **values}
        return connection.exec_driver_sql(sql, tuple(known[one] for one in names))
