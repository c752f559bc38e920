"""What a daemon remembers: when each source was last read, what commands asked for, and what came in by the hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, insert, select, text, update

from syncd.as_stored import dumps
from syncd.ports import RequestRow, ScheduleRow
from syncd.store import tables as t
from syncd.store.engine import Database
from syncd.store.wanted import wanted_counts

_IS_OPEN = text("request.state IN ('open', 'taken')")


class DaemonStore:
    """Schedules, requests, arrivals."""

    db: Database

    @staticmethod
    def _waiting(connection: Connection) -> dict[str, int]:
        raise NotImplementedError

    # ------------------------------------------------------------------ schedules

    def schedules(self) -> dict[str, ScheduleRow]:
        """Every source that was ever read by the daemon, or paused."""
        with self.db.read() as connection:
            return {row.source: ScheduleRow(**row._mapping) for row in connection.execute(select(t.schedule))}  # noqa: SLF001 - its API

    def note_start(self, source: str, run_id: str, at: datetime) -> None:
        """A pass over a source begins."""
        self._note(source, {"started_at": at, "run_id": run_id, "status": "running"})

    def note_end(self, source: str, run_id: str, at: datetime, status: str, *, succeeded: bool) -> None:
        """It has ended; a success counts from its beginning, as nothing later was seen for sure."""
        values: dict[str, Any] = {"ended_at": at, "run_id": run_id, "status": status}
        self._note(source, values | ({"succeeded_at": t.schedule.c.started_at} if succeeded else {}))

    def set_paused(self, source: str, paused: bool, at: datetime) -> bool:
        """Pause a source or let it go on; gives whether it was not so before."""
        del at
        known = self.schedules().get(source)
        if (known is not None and known.is_paused) == paused:
            return False
        self._note(source, {"is_paused": paused})
        return True

    def _note(self, source: str, values: Mapping[str, Any]) -> None:
        fresh = {"is_paused": False, "run_id": "", "status": ""}
        plain = {name: value for name, value in values.items() if not hasattr(value, "compile")}
        with self.db.write() as connection:
            statement = self.db.insert(t.schedule).values(source=source, **{**fresh, **plain})
            connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=dict(values)))

    # ------------------------------------------------------------------ requests

    def put_request(self, kind: str, document: Mapping[str, Any], at: datetime) -> str:
        """Ask the daemon for something; gives the request's id."""
        with self.db.write() as connection:
            made = insert(t.request).values(kind=kind, document=dumps(document), state="open", at=at, answer="{}")
            return str(connection.execute(made.returning(t.request.c.request_id)).scalar_one())

    def request(self, request_id: str) -> RequestRow | None:
        """One request, None if there is none of that id."""
        with self.db.read() as connection:
            row = connection.execute(select(t.request).where(t.request.c.request_id == int(request_id))).first()
            return None if row is None else _request(row)

    def open_requests(self) -> list[RequestRow]:
        """Those that nobody has taken, oldest first."""
        r = t.request.c
        statement = select(t.request).where(and_(_IS_OPEN, r.state == "open")).order_by(r.request_id)
        with self.db.read() as connection:
            return [_request(row) for row in connection.execute(statement)]

    def take_request(self, request_id: str) -> bool:
        """Take one; False if somebody else has."""
        r = t.request.c
        with self.db.write() as connection:
            here = and_(r.request_id == int(request_id), r.state == "open")
            return bool(connection.execute(update(t.request).where(here).values(state="taken")).rowcount)

    def end_request(self, request_id: str, ok: bool, answer: Mapping[str, Any], at: datetime) -> None:
        """Answer it."""
        values = {"state": "done" if ok else "failed", "answer": dumps(answer), "ended_at": at}
        with self.db.write() as connection:
            connection.execute(update(t.request).where(t.request.c.request_id == int(request_id)).values(**values))

    def reopen_requests(self) -> int:
        """What a daemon had taken that died is open once more; gives how many."""
        with self.db.write() as connection:
            statement = update(t.request).where(and_(_IS_OPEN, t.request.c.state == "taken")).values(state="open")
            return connection.execute(statement).rowcount

    # ------------------------------------------------------------------ queues

    def queues(self) -> dict[str, Any]:
        """What waits, each by an index of what is open: records and announced records by source, dead letters, reviews, operations."""

        def count(connection: Any, table: Any, where: str) -> int:
            return int(connection.execute(select(func.count()).select_from(table).where(text(where))).scalar() or 0)

        with self.db.read() as connection:
            return {
                "waiting": self._waiting(connection),
                "wanted": wanted_counts(connection),
                "dead_letters": count(connection, t.dead_letter, "dead_letter.state = 'open'"),
                "reviews": count(connection, t.review, "review.state = 'open'"),
                "open_operations": count(connection, t.operation, t.OPEN_STATES_SQL),
            }

    def file_sizes(self) -> dict[str, int]:
        """Bytes of the files of a SQLite store; empty on a server."""
        if self.db.path is None:
            return {}
        found = {"store": self.db.path, "wal": Path(f"{self.db.path}-wal"), "journal": Path(f"{self.db.path}-intake")}
        return {name: path.stat().st_size for name, path in found.items() if path.exists()}

    # ------------------------------------------------------------------ arrivals

    def arrivals(self, source: str, since: datetime) -> list[tuple[datetime, int]]:
        """News of a source by the hour, oldest first; hours without any are left out."""
        a = t.arrival.c
        statement = select(a.hour, a.count).where(and_(a.source == source, a.hour >= since)).order_by(a.hour)
        with self.db.read() as connection:
            return [(hour, int(count)) for hour, count in connection.execute(statement)]


def _request(row: Any) -> RequestRow:
    document, answer = msgspec.json.decode(row.document), msgspec.json.decode(row.answer)
    return RequestRow(str(row.request_id), row.kind, document, row.state, row.at, answer, row.ended_at)
