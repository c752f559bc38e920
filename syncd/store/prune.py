"""Forgetting what is over, in slices: what came and ended, what was written and is read by nothing any more (ADR 16).

Everything is walked in the order in which it came, by its key, so that no table is read whole. What stays: whatever waits or is
open, the latest version of every record, people with their keys and touches, the mirror, links (one per record), a person's word,
and of a person's writes those that planning looks back at (`syncd.store.needed`). Of what policies decided see `prune_policy`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, exists, select, text

from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database, chunks
from syncd.store.needed import unneeded
from syncd.store.outbox import operation_of
from syncd.store.prune_policy import prune_policy
from syncd.store.runs import note_pruned, pruned_until

_ARRIVALS_KEPT = timedelta(days=60)
"""`syncd.app.quiet` looks back 14 days; the rest is for people who wonder what was usual."""

_PRUNED_OPERATION = "pruned_operation"
"""The last operation that was judged. Those behind it are judged again when another one of their person is."""

_RUNS_PER_SLICE = 100


class PruneStore:
    """Retention."""

    db: Database

    def _prune_runs(self, before: datetime, limit: int) -> int:
        raise NotImplementedError

    def prune(self, before: datetime, limit: int) -> Iterator[int]:
        """Forget what ended before, a slice of up to `limit` rows in each short transaction.

        Nothing is done beyond the slices that are taken; what is left comes the next time.

        Yields:
            How many rows a slice removed; 0 where all of them are still needed.
        """
        is_answered = exists().where(
            and_(
                text("dead_letter.state = 'open'"),
                t.dead_letter.c.source == t.inbox.c.source,
                t.dead_letter.c.stream == t.inbox.c.stream,
                t.dead_letter.c.key == t.inbox.c.key,
            )
        )
        # A replay takes the time of the version it came as from there, or it would overtake what came since (DESIGN 5.2).
        came = and_(t.inbox.c.state != "waiting", t.inbox.c.received_at < before, ~is_answered)
        yield from self._walk(t.inbox, t.inbox.c.received_at, came, before, limit)
        yield from self._prune_operations(before, limit)
        yield from prune_policy(self.db, before, limit)
        for table in (t.dead_letter, t.review):
            # What was settled may be asked again, and nothing else knows it.
            is_over = and_(table.c.state.not_in(("open", "settled")), table.c.at < before)
            yield from self._walk(table, table.c.at, is_over, before, limit)
        asked = and_(t.request.c.state.in_(("done", "failed")), t.request.c.ended_at < before)
        yield from self._walk(t.request, t.request.c.at, asked, before, limit)
        yield self._prune_arrivals()
        while removed := self._prune_runs(before, min(limit, _RUNS_PER_SLICE)):
            yield removed

    def pruned_before(self) -> datetime | None:
        """Of what ended before this instant some is kept no longer; None while everything is."""
        with self.db.read() as connection:
            return pruned_until(connection)

    def checkpoint(self) -> bool:
        """Make SQLite's log empty, at a quiet moment; False if a reader was in the way."""
        return self.db.checkpoint()

    def _walk(self, table: Table, at: Any, is_over: Any, before: datetime, limit: int) -> Iterator[int]:
        """Remove rows that are over, oldest first, up to where rows are young."""
        (key,) = table.primary_key.columns
        after = 0
        while True:
            statement = select(key, at, is_over.label("is_over")).where(key > after).order_by(key).limit(limit)
            with self.db.read() as connection:
                rows = connection.execute(statement).all()
            if not rows:
                return
            over = [row[0] for row in rows if row.is_over]
            if over:
                with self.db.write() as connection:
                    connection.execute(delete(table).where(among(connection, key, over)))
            yield len(over)
            after = rows[-1][0]
            if rows[-1][1] >= before:
                return

    def _prune_operations(self, before: datetime, limit: int) -> Iterator[int]:
        """Judge operations that are old, oldest first, each with all others of its person."""
        while True:
            with self.db.read() as connection:
                rows = self._old_operations(connection, before, limit)
                gone = self._unneeded(connection, {row.person_number for row in rows}, before)
            if not rows:
                return
            # In their order: whatever is left when the process dies is what a later time would have left.
            *parts, last = list(chunks(gone, limit)) or [()]
            for part in parts:
                with self.db.write() as connection:
                    self._forget(connection, part, before)
                yield len(part)
            with self.db.write() as connection:
                self._forget(connection, last, before)
                mark = {"name": _PRUNED_OPERATION, "value": rows[-1].operation_id}
                self.db.upsert(connection, t.meta, [mark], ("name",))
            yield len(last)

    def _forget(self, connection: Connection, operation_ids: Sequence[str], before: datetime) -> None:
        if operation_ids:
            note_pruned(self.db, connection, before)
            for table in (t.operation, t.operation_document):
                connection.execute(delete(table).where(among(connection, table.c.operation_id, operation_ids)))

    @staticmethod
    def _old_operations(connection: Connection, before: datetime, limit: int) -> Sequence[Any]:
        """The next ones that nobody has judged yet, up to the first that ended too lately. What is open is passed by."""
        o = t.operation.c
        after = connection.execute(select(t.meta.c.value).where(t.meta.c.name == _PRUNED_OPERATION)).scalar() or ""
        statement = select(o.operation_id, o.person_number, o.planned_at, o.finished_at).where(o.operation_id > after)
        rows = connection.execute(statement.order_by(o.operation_id).limit(limit)).all()
        young = (n for n, row in enumerate(rows) if max(row.planned_at, row.finished_at or row.planned_at) >= before)
        return rows[: next(young, len(rows))]

    @staticmethod
    def _unneeded(connection: Connection, person_numbers: set[int], before: datetime) -> list[str]:
        if not person_numbers:
            return []
        people: dict[int, list[Any]] = {}
        statement = t.OPERATIONS.where(among(connection, t.operation.c.person_number, person_numbers))
        for row in connection.execute(statement.order_by(t.operation.c.operation_id)):
            people.setdefault(row.person_number, []).append(row)
        gone: list[str] = []
        for rows in people.values():
            old = {row.operation_id for row in rows if row.finished_at and row.finished_at < before and not row.needs_echo}
            answered = {row.operation_id for row in rows if row.is_answered}
            gone.extend(unneeded([operation_of(row) for row in rows], old, answered))
        return sorted(gone)

    def _prune_arrivals(self) -> int:
        a = t.arrival.c
        until = self.db.clock.now() - _ARRIVALS_KEPT
        with self.db.read() as connection:
            if connection.execute(select(a.hour).where(a.hour < until).limit(1)).first() is None:
                return 0
        with self.db.write() as connection:
            return connection.execute(delete(t.arrival).where(a.hour < until)).rowcount
