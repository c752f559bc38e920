"""Runs and their sums: how every record ended (G2), also of runs that are kept no longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from syncd.as_stored import dumps
from syncd.model import RunStatus, SourceCounts
from syncd.ports import RunRow
from syncd.store import tables as t
from syncd.store.engine import Database
from syncd.store.prepared import Prepared

PRUNED_RUN = "(pruned)"
"""Under this id stand the sums of all runs that are kept no longer, one row per source; no run is called so."""

_COUNTS = ("waiting_before", "pulled", "applied", "unchanged", "skipped", "dead", "review")
_SUMS = _COUNTS[1:]
_NOTHING = dict.fromkeys(_COUNTS, 0)
_RUNNING = "running"
_PRUNED_BEFORE = "pruned_before"


def _adding(connection: Connection) -> Any:
    statement: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(t.run_source)
    statement = statement.values({column.name: bindparam(column.name, type_=column.type) for column in t.run_source.columns})
    added = {name: t.run_source.c[name] + statement.excluded[name] for name in _COUNTS}
    return statement.on_conflict_do_update(index_elements=["run_id", "source"], set_=added)


_ADD = Prepared(_adding)


class RunStore:
    """Runs and their sums."""

    db: Database

    def start_run(self, run_id: str, at: datetime, sources: Sequence[str]) -> None:
        """Begin a run over some sources; remembers what of them waited before it."""
        with self.db.write() as connection:
            connection.execute(insert(t.run).values(run_id=run_id, started_at=at, status=_RUNNING, summary="{}"))
            waiting = self._waiting(connection)
            for name in sorted(set(sources)):
                self._count(connection, run_id, name, {"waiting_before": waiting.get(name, 0)})

    def finish_run(self, run_id: str, at: datetime, status: RunStatus, summary: Mapping[str, Any]) -> None:
        """End a run with its summary."""
        with self.db.write() as connection:
            values = {"finished_at": at, "status": str(status), "summary": dumps(summary)}
            connection.execute(update(t.run).where(t.run.c.run_id == run_id).values(**values))

    def end_dead_runs(self, at: datetime) -> int:
        """What still says that it is running, though there is no engine, died on the way; gives how many."""
        with self.db.write() as connection:
            died = update(t.run).where(t.run.c.status == _RUNNING).values(status="failed", finished_at=at)
            return connection.execute(died).rowcount

    def runs(self, limit: int) -> list[RunRow]:
        """The last runs, newest first."""
        with self.db.read() as connection:
            statement = select(t.run).order_by(t.run.c.started_at.desc(), t.run.c.run_id.desc()).limit(limit)
            return [_run_row(row) for row in connection.execute(statement)]

    def run(self, run_id: str) -> RunRow | None:
        """One run, None if there is none of that id."""
        with self.db.read() as connection:
            row = connection.execute(select(t.run).where(t.run.c.run_id == run_id)).first()
            return None if row is None else _run_row(row)

    def source_counts(self, run_id: str) -> dict[str, SourceCounts]:
        """The sums of a run, per source that it covers; `waiting` is what waits now."""
        if run_id == PRUNED_RUN:
            return {}
        with self.db.read() as connection:
            waiting = self._waiting(connection)
            rows = connection.execute(select(t.run_source).where(t.run_source.c.run_id == run_id)).mappings()
            return {
                row["source"]: SourceCounts(**{name: row[name] for name in _COUNTS}, waiting=waiting.get(row["source"], 0))
                for row in rows
            }

    @staticmethod
    def _waiting(connection: Connection) -> dict[str, int]:
        statement = select(t.inbox.c.source, func.count()).where(text("inbox.state = 'waiting'")).group_by(t.inbox.c.source)
        return {row[0]: row[1] for row in connection.execute(statement)}

    def _count(self, connection: Connection, run_id: str, source: str, counts: Mapping[str, int]) -> None:
        """Add to the sums of (run, source) in the caller's transaction."""
        _ADD.run(connection, run_id=run_id, source=source, **(_NOTHING | dict(counts)))

    def _run_at_work(self, connection: Connection, source: str) -> str:
        """The run that covers a source at this moment, "" if there is none; of several the one that began first."""
        r, c = t.run.c, t.run_source.c
        statement = (
            select(r.run_id).join(t.run_source, c.run_id == r.run_id).where(and_(r.status == _RUNNING, c.source == source))
        )
        return str(connection.execute(statement.order_by(r.started_at, r.run_id).limit(1)).scalar() or "")

    @staticmethod
    def _totals(connection: Connection) -> dict[str, dict[str, int]]:
        """The sums of all runs that ever were, per source."""
        c = t.run_source.c
        statement = select(c.source, *(func.sum(c[name]) for name in _SUMS)).group_by(c.source)
        return {
            row[0]: {name: int(value) for name, value in zip(_SUMS, row[1:], strict=True)}
            for row in connection.execute(statement)
        }

    # ------------------------------------------------------------------ the check of the sums

    def _wrong_sums(self, connection: Connection) -> list[str]:
        """Per source the sums of its newest runs against what waits (G2); a source with a run under way is left out.

        Runs that were under way at the same time are judged together: what one had pulled the other may have ended.
        """
        r, c = t.run.c, t.run_source.c
        statement = (
            select(t.run_source, r.started_at, r.finished_at)
            .join(t.run, r.run_id == c.run_id)
            .order_by(c.source, r.started_at, r.finished_at, r.run_id)
        )
        newest: dict[str, list[Any]] = {}
        for row in connection.execute(statement):
            together = newest.setdefault(row.source, [])
            if any(one.finished_at is None or row.started_at < one.finished_at for one in together):
                together.append(row)
            else:
                newest[row.source] = [row]
        pruned_before = pruned_until(connection)
        wrong = []
        for source, together in newest.items():
            # Of runs from before that instant some may be gone.
            is_whole = pruned_before is None or together[0].started_at >= pruned_before
            if is_whole and all(one.finished_at is not None for one in together):
                came = together[0].waiting_before + sum(one.pulled for one in together)
                ended = sum(one.applied + one.unchanged + one.skipped + one.dead for one in together)
                if came != ended + _waiting_of(connection, source, together[0].started_at):
                    wrong.append(f"The sums of run {together[-1].run_id} do not match for source {source}.")
        return wrong

    # ------------------------------------------------------------------ runs that are kept no longer

    def _prune_runs(self, before: datetime, limit: int) -> int:
        """Forget up to `limit` runs that ended before; their sums stay, in the same transaction. Gives how many."""
        r, c = t.run.c, t.run_source.c
        old = and_(r.started_at < before, r.finished_at < before)
        with self.db.write() as connection:
            over = [row.run_id for row in connection.execute(select(r.run_id).where(old).order_by(r.started_at).limit(limit))]
            if not over:
                return 0
            note_pruned(self.db, connection, before)
            statement = select(c.source, *(func.sum(c[name]) for name in _SUMS)).where(c.run_id.in_(over)).group_by(c.source)
            for source, *sums in connection.execute(statement).all():
                counts = {name: int(value) for name, value in zip(_SUMS, sums, strict=True)}
                self._count(connection, PRUNED_RUN, source, counts)
            connection.execute(delete(t.run_source).where(c.run_id.in_(over)))
            connection.execute(delete(t.run).where(r.run_id.in_(over)))
        return len(over)


def pruned_until(connection: Connection) -> datetime | None:
    """Of what ended before this instant some is kept no longer; None while everything is."""
    found = connection.execute(select(t.meta.c.value).where(t.meta.c.name == _PRUNED_BEFORE)).scalar()
    return None if found is None else datetime.fromisoformat(found)


def note_pruned(db: Database, connection: Connection, before: datetime) -> None:
    """Remember that what ended before is being forgotten, in the transaction that begins it."""
    known = pruned_until(connection)
    if known is None or known < before:
        db.upsert(connection, t.meta, [{"name": _PRUNED_BEFORE, "value": before.isoformat()}], ("name",))


def _waiting_of(connection: Connection, source: str, begin: datetime) -> int:
    """How many records of a source wait, but for those replayed since its last runs: no run has counted them yet."""
    i = t.inbox.c
    is_counted = or_(i.run_id != "", i.received_at < begin)
    statement = (
        select(func.count()).select_from(t.inbox).where(and_(text("inbox.state = 'waiting'"), i.source == source, is_counted))
    )
    return int(connection.execute(statement).scalar() or 0)


def _run_row(row: Any) -> RunRow:
    return RunRow(row.run_id, row.started_at, row.finished_at, row.status, msgspec.json.decode(row.summary))
