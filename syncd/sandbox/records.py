"""The records of an org: tables, ids, stamps, history, and a way to take writes back. What saving means is in `saving.py`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec

from syncd.clock import Clock
from syncd.sandbox.ids import canonical, long_id
from syncd.sandbox.objects import stock_objects
from syncd.sandbox.schema import Object
from syncd.sandbox.table import Row, Table

_SYSTEM = frozenset(
    {"Id", "IsDeleted", "MasterRecordId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)


class Audit(msgspec.Struct, frozen=True, gc=False):  # one for every write, and none in a cycle
    """One write as the org's history shows it; `before` and `after` hold the changed fields.

    `at` is exact, unlike the stamps of records, which have the precision of a second: ages are measured by it.
    """

    at: datetime
    user: str
    object: str
    sf_id: str
    action: str  # create, update, delete, undelete, merge, convert, purge
    before: dict[str, Any]
    after: dict[str, Any]
    headers: dict[str, str] = {}


class Records:
    """Rows by object, safe for threads; see `SandboxOrg`."""

    def __init__(self, clock: Clock) -> None:
        """Every stock object, and no record of any."""
        self.clock = clock
        self.lock = threading.RLock()
        self.objects: dict[str, Object] = stock_objects()
        self.visibility_delay = timedelta(0)
        self.audit: list[Audit] = []
        self.numbers: Counter[str] = Counter()
        self._journal: list[tuple[str, str, Row | None]] | None = None
        self._effects: list[tuple[Counter[str], str]] = []
        self._tables: dict[str, Table] = {name: Table(one) for name, one in self.objects.items()}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Every record of an object, deleted ones too, as plain dicts (copies)."""
        with self.lock:
            return [dict(row) for row in self._tables[name].rows.values()]

    def row(self, sf_id: str) -> dict[str, Any] | None:
        """One record by id of 15 or 18 characters; also a deleted one."""
        with self.lock:
            found = self.find(sf_id)
            return dict(found[1]) if found else None

    def find(self, sf_id: str) -> tuple[str, Row] | None:
        """Object and stored row of an id, also a deleted one; the row is not to be changed."""
        return self._find(sf_id) or self._find(canonical(sf_id) or "")

    def _find(self, sf_id: str) -> tuple[str, Row] | None:
        prefix = sf_id[:3]
        for name, described in self.objects.items():
            if prefix == described.prefix and (row := self._tables[name].rows.get(sf_id)) is not None:
                return name, row
        return None

    def table(self, name: str) -> Table:
        """The rows of an object, for the modules of the sandbox."""
        return self._tables[name]

    def by_external_id(self, name: str, field_name: str, value: str) -> dict[str, Any] | None:
        """The living record with a unique value."""
        with self.lock:
            holder = self._tables[name].holder(field_name, value)
            return self._tables[name].rows[holder] if holder else None

    def history(self, sf_id: str) -> Iterator[Audit]:
        """What happened to one record, oldest first."""
        with self.lock:
            return iter([one for one in self.audit if one.sf_id == sf_id])

    def put(self, name: str, sf_id: str, row: Row, *, user: str, action: str, headers: dict[str, str]) -> None:
        """Store a row with fresh stamps and write it into the history."""
        table = self._tables[name]
        old = table.rows.get(sf_id)
        at = self.clock.now()
        now = at.replace(microsecond=0)
        new = row | {"Id": sf_id, "LastModifiedById": user, "LastModifiedDate": now, "SystemModstamp": now}
        if old is None:
            new |= {"CreatedById": user, "CreatedDate": now, "IsDeleted": False, "MasterRecordId": None}
        self._store(name, old, new)
        before = old or {}
        if old is None:
            after = {key: value for key, value in new.items() if value is not None and key not in _SYSTEM}
        else:
            after = {key: value for key, value in new.items() if old.get(key) != value and key not in _SYSTEM}
        if action in ("delete", "undelete", "merge"):
            after |= {key: new.get(key) for key in ("IsDeleted", "MasterRecordId")}
        was = {key: before.get(key) for key in after}
        self.audit.append(Audit(at, user, name, sf_id, action, was, after, headers))
        self.stored(name, old, new)

    def stored(self, name: str, old: Row | None, new: Row) -> None:
        """What follows from a stored row; nothing here."""

    def note(self, name: str, sf_id: str, changes: Row) -> None:
        """A change by the org itself: SystemModstamp moves, when and by whom the record was edited does not; no history."""
        old = self._tables[name].rows[sf_id]
        self._store(name, old, {**old, **changes, "SystemModstamp": self._second()})

    def _store(self, name: str, old: Row | None, new: Row) -> None:
        if self._journal is not None:
            self._journal.append((name, new["Id"], old))
        self._tables[name].put(new, keep_older=self.visibility_delay > timedelta(0))

    @contextmanager
    def all_or_none(self) -> Iterator[Callable[[], None]]:
        """Writes inside can be taken back by calling what this gives: rows, history and side effects alike."""
        outer = self._journal
        mine: list[tuple[str, str, Row | None]] = []
        self._journal = mine
        kept = len(self.audit), len(self._effects)

        def take_back() -> None:
            for name, sf_id, old in reversed(mine):
                if old is None:
                    self._tables[name].drop(sf_id)
                else:
                    self._tables[name].put(old)
            mine.clear()
            del self.audit[kept[0] :]
            for counter, key in self._effects[kept[1] :]:
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]
            del self._effects[kept[1] :]

        try:
            yield take_back
        finally:
            self._journal = outer
            if outer is not None:
                outer += mine
            else:
                self._effects.clear()

    def happened(self, counter: Counter[str], key: str) -> None:
        """Count a run of the assignment rule or a side effect, such that it can be taken back."""
        counter[key] = counter.get(key, 0) + 1
        if self._journal is not None:
            self._effects.append((counter, key))

    def add_object(self, one: Object) -> None:
        """Give the org one more object."""
        self.objects[one.name] = one
        self._tables[one.name] = Table(one)

    def forget(self, name: str) -> None:
        """Drop every record of an object, as if there had never been one."""
        self._tables[name] = Table(self.objects[name])

    def new_id(self, name: str) -> str:
        """The next id of an object."""
        prefix = self.objects[name].prefix
        self.numbers[prefix] += 1
        return long_id(prefix, self.numbers[prefix])

    def _second(self) -> datetime:
        """Now, with the precision of the org's stamps."""
        return self.clock.now().replace(microsecond=0)

    def set_up(self, name: str, **values: Any) -> str:
        """A record that comes with the org or its set-up, without author or history; gives its id."""
        sf_id = str(values.get("Id") or self.new_id(name))
        now = self._second()
        stamps = {"CreatedDate": now, "LastModifiedDate": now, "SystemModstamp": now, "IsDeleted": False}
        self._tables[name].put({**self.objects[name].blank(), **stamps, **values, "Id": sf_id})
        return sf_id
