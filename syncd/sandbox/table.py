"""The rows of one object with what makes 100,000 of them quick to find: values, unique values, stamps, and late visibility."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from syncd.sandbox.schema import Object, is_indexed

Row = dict[str, Any]


def folded(value: Any) -> str:
    """Text as the org compares it: without case."""
    return str(value).casefold()


class Table:
    """Rows by id. A stored row is never changed in place: every write stores a new one."""

    def __init__(self, described: Object) -> None:
        """No rows."""
        self.described = described
        self.rows: dict[str, Row] = {}
        self.purged: dict[str, datetime] = {}
        # Only living rows hold a unique value: the recycle bin does not count (salesforce.md 9.4).
        self._unique: dict[tuple[str, str], str] = {}
        # Dicts instead of sets: iteration must not depend on the interpreter's hash seed.
        self._values: dict[str, dict[str, dict[str, None]]] = {}
        # Grows with every write; an entry counts only while it is its row's present stamp.
        self._stamps: list[tuple[datetime, str]] = []
        self._older: dict[str, list[Row]] = {}

    def put(self, row: Row, *, keep_older: bool = False) -> None:
        """Store a row; with `keep_older` readers can go on seeing what it replaces (see `visible`)."""
        sf_id = row["Id"]
        old = self.rows.get(sf_id)
        if old is not None:
            self._forget(old)
        if keep_older:
            self._older.setdefault(sf_id, []).extend([old] if old is not None else [])
        self.rows[sf_id] = row
        for one in self.described.indexed():
            value = row.get(one.name)
            if value is not None:
                text = folded(value)
                self._values.setdefault(one.name, {}).setdefault(text, {})[sf_id] = None
                if one.unique and not row["IsDeleted"]:
                    self._unique[one.name, text] = sf_id
        self._stamp(row["SystemModstamp"], sf_id)

    def _stamp(self, at: datetime, sf_id: str) -> None:
        stamp = (at, sf_id)
        # Time goes on: nearly every stamp is the latest.
        if not self._stamps or self._stamps[-1] <= stamp:
            self._stamps.append(stamp)
        else:
            bisect.insort(self._stamps, stamp)

    def drop(self, sf_id: str, at: datetime | None = None) -> None:
        """Forget a row; `at` tells that it was purged then, None that it has never been."""
        self._forget(self.rows.pop(sf_id))
        self._older.pop(sf_id, None)
        if at is not None:
            self.purged[sf_id] = at

    def _forget(self, row: Row) -> None:
        for name, ids_by_value in self._values.items():
            value = row.get(name)
            if value is not None:
                ids = ids_by_value.get(folded(value))
                if ids is not None:
                    ids.pop(row["Id"], None)
                    if not ids:
                        del ids_by_value[folded(value)]
                if self._unique.get((name, folded(value))) == row["Id"]:
                    del self._unique[name, folded(value)]

    def holder(self, field_name: str, value: Any) -> str | None:
        """The id of the living row with a unique value."""
        return self._unique.get((field_name, folded(value)))

    def is_indexed(self, field_name: str) -> bool:
        """Whether `with_value` answers without looking at every row."""
        return field_name == "Id" or is_indexed(self.described.fields[field_name])

    def with_value(self, field_name: str, values: Iterable[str]) -> Iterator[Row]:
        """Rows, also deleted ones, whose indexed field holds one of `values` (folded, or ids), and all that are visible late."""
        found: dict[str, None] = {}
        for value in values:
            if field_name == "Id":
                found[value] = None
            else:
                found |= self._values.get(field_name, {}).get(value, {})
        found |= dict.fromkeys(self._older)
        return (self.rows[sf_id] for sf_id in found if sf_id in self.rows)

    def since(self, stamp: datetime) -> Iterator[Row]:
        """Rows with a SystemModstamp of at least `stamp`, oldest first, and all that are visible late."""
        start = bisect.bisect_left(self._stamps, (stamp, ""))
        seen = set()
        for at, sf_id in self._stamps[start:]:
            row = self.rows.get(sf_id)
            if row is not None and row["SystemModstamp"] == at and sf_id not in seen:
                seen.add(sf_id)
                yield row
        for sf_id in self._older:
            if sf_id not in seen:
                yield self.rows[sf_id]

    def settle(self, now: datetime, delay: timedelta) -> None:
        """Forget replaced rows that nobody can see any more."""
        for sf_id in [one for one in self._older if self.rows[one]["SystemModstamp"] <= now - delay]:
            del self._older[sf_id]

    def visible(self, row: Row, at: datetime) -> Row | None:
        """What readers see of a row when commits up to `at` have become visible: it, what it replaced, or nothing yet."""
        versions = self._older.get(row["Id"])
        if versions is None or row["SystemModstamp"] <= at:
            return row
        return next((one for one in reversed(versions) if one["SystemModstamp"] <= at), None)
