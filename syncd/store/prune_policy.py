"""Forgetting what policies decided and which statuses leads had, but for what rules still read; the rest is summed up by the day (ADR 18).

Both logs are walked in the order in which they grew, and where the walk stands is remembered: what stays is as much as there are
people. What was kept is judged again when something newer of the same person or lead grows old.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, select

from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database, chunks

_STAYS_KEPT = 3
"""Statuses of a lead: the present one and the two before."""


class _Log(NamedTuple):
    """A table that only grows: whose its rows are, what they are summed up by, and where the walk through it stands."""

    table: Table
    owner: str
    kind: str
    mark: str
    sums: Mapping[str, str]


_DECISIONS = _Log(
    t.decision,
    "person_number",
    "decision",
    "pruned_decision",
    {"status": "to_status", "rule_id": "rule_id", "outcome": "outcome"},
)
_STATUSES = _Log(t.status_change, "sf_id", "status_change", "pruned_status_change", {"status": "status"})


def prune_policy(db: Database, before: datetime, limit: int) -> Iterator[int]:
    """Forget in slices of up to `limit` rows, each summed up in the transaction that removes it; yields how many went."""
    for log in (_DECISIONS, _STATUSES):
        yield from _prune(db, log, before, limit)


def _prune(db: Database, log: _Log, before: datetime, limit: int) -> Iterator[int]:
    c = log.table.c
    owner = c[log.owner]
    while True:
        with db.read() as connection:
            after = int(connection.execute(select(t.meta.c.value).where(t.meta.c.name == log.mark)).scalar() or 0)
            walked = select(c.number, owner.label("owner"), c.at).where(c.number > after).order_by(c.number).limit(limit)
            rows = connection.execute(walked).all()
            young = next((n for n, row in enumerate(rows) if row.at >= before), len(rows))
            rows = rows[:young]
            if not rows:
                return
            last = rows[-1].number
            columns = (c[name] for name in ("number", "at", *log.sums.values()))
            theirs = select(owner.label("owner"), *columns).where(among(connection, owner, {row.owner for row in rows}))
            whole = connection.execute(theirs.order_by(c.at, c.number)).all()
        kept = _newest_fired(whole) if log is _DECISIONS else _last_stays(whole)
        gone = [row for row in whole if row.at < before and row.number not in kept]
        *parts, rest = list(chunks(gone, limit)) or [()]
        for part in parts:
            with db.write() as connection:
                _forget(db, connection, log, part)
            yield len(part)
        with db.write() as connection:
            _forget(db, connection, log, rest)
            db.upsert(connection, t.meta, [{"name": log.mark, "value": str(last)}], ("name",))
        yield len(rest)


def _newest_fired(rows: Sequence[Any]) -> set[int]:
    """Of each person and rule the last time it fired: what was done once is not done again."""
    return set({(row.owner, row.rule_id): row.number for row in rows if row.outcome == "fired"}.values())


def _last_stays(rows: Sequence[Any]) -> set[int]:
    """The last statuses of each lead."""
    by_lead: dict[str, list[int]] = {}
    for row in rows:
        by_lead.setdefault(row.owner, []).append(row.number)
    return {number for numbers in by_lead.values() for number in numbers[-_STAYS_KEPT:]}


def forget_decided(db: Database, connection: Connection, numbers: Collection[int]) -> None:
    """Forget everything that was decided about these people, by their numbers, but for the sums."""
    c = t.decision.c
    columns = select(c.number, c.at, *(c[name] for name in _DECISIONS.sums.values()))
    _forget(db, connection, _DECISIONS, connection.execute(columns.where(among(connection, c.person_number, numbers))).all())


def _forget(db: Database, connection: Connection, log: _Log, rows: Sequence[Any]) -> None:
    """Remove rows and add them to the sums of their days."""
    if not rows:
        return
    connection.execute(delete(log.table).where(among(connection, log.table.c.number, [row.number for row in rows])))
    sums: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        said = (getattr(row, log.sums[name]) if name in log.sums else "" for name in ("status", "rule_id", "outcome"))
        sums[datetime.combine(row.at.date(), time(), UTC), log.kind, *said] += 1
    names = ("day", "kind", "status", "rule_id", "outcome")
    statement = db.insert(t.policy_day)
    added = {"count": t.policy_day.c["count"] + statement.excluded["count"]}
    statement = statement.on_conflict_do_update(index_elements=list(names), set_=added)
    connection.execute(statement, [dict(zip(names, key, strict=True)) | {"count": count} for key, count in sorted(sums.items())])
