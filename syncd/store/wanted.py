"""What sources said is there and is still to be asked for, and the credentials that they gave in exchange for others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, tuple_, update

from syncd.model import RecordRef, Wanted
from syncd.ports import WantedRow
from syncd.store import tables as t
from syncd.store.engine import Database, chunks

_ROWS_PER_STATEMENT = 200


class WantedStore:
    """Wanted records, and credentials."""

    db: Database

    def put_wanted(self, source: str, stream: str, wanted: Sequence[Wanted], at: datetime) -> None:
        """Store what is to be asked for, from `at` on; what is wanted already keeps its place, with the latest word of its source."""
        if not wanted:
            return
        with self.db.write() as connection:
            put_wanted(self.db, connection, source, stream, wanted, at)

    def take_wanted(self, at: datetime, limit: int, sources: Sequence[str]) -> list[WantedRow]:
        """What of these sources is due at `at`, longest due first. Reads only: `end_wanted` or `postpone_wanted` ends it."""
        c = t.wanted.c
        statement = select(t.wanted).where(and_(c.due_at <= at, c.source.in_(sources))).order_by(c.due_at).limit(limit)
        with self.db.read() as connection:
            return [
                WantedRow(
                    RecordRef(row.source, row.stream, row.key),
                    Wanted(row.key, bytes(row.payload), row.source_at, row.locator),
                    row.received_at,
                    row.attempts,
                    row.said,
                )
                for row in connection.execute(statement)
            ]

    def postpone_wanted(self, row: WantedRow, due_at: datetime) -> None:
        """Ask for it again at `due_at`, it was tried once more; unless the source has said so again meanwhile."""
        changed = {"due_at": due_at, "attempts": t.wanted.c.attempts + 1}
        with self.db.write() as connection:
            connection.execute(update(t.wanted).where(_among([row])).values(changed))

    def hold_wanted(self, source: str, until: datetime) -> None:
        """Ask for nothing of a source before `until`."""
        c = t.wanted.c
        with self.db.write() as connection:
            connection.execute(update(t.wanted).where(and_(c.source == source, c.due_at < until)).values(due_at=until))

    def end_wanted(self, rows: Sequence[WantedRow]) -> None:
        """They are in the inbox, or set aside; what the source has said again meanwhile stays wanted."""
        with self.db.write() as connection:
            for part in chunks(rows, _ROWS_PER_STATEMENT):
                connection.execute(delete(t.wanted).where(_among(part)))

    def wanted_counts(self) -> dict[str, int]:
        """How many are still to be asked for, by source."""
        with self.db.read() as connection:
            return wanted_counts(connection)

    def credential(self, name: str) -> str | None:
        """What was kept under a name, None for nothing."""
        with self.db.read() as connection:
            found = connection.execute(select(t.credential.c.document).where(t.credential.c.name == name)).scalar()
            return None if found is None else str(found)

    def put_credential(self, name: str, document: str, at: datetime) -> None:
        """Keep it in place of what was there; durable when it returns."""
        with self.db.write() as connection:
            self.db.upsert(connection, t.credential, [{"name": name, "document": document, "at": at}], ("name",))


def put_wanted(db: Database, connection: Connection, source: str, stream: str, wanted: Sequence[Wanted], at: datetime) -> None:
    """As `WantedStore.put_wanted`, in the caller's transaction."""
    rows = {
        one.key: {
            "source": source,
            "stream": stream,
            "key": one.key,
            "payload": one.payload,
            "source_at": one.at,
            "locator": one.locator,
            "received_at": at,
            "due_at": at,
            "attempts": 0,
            "said": 1,
        }
        for one in wanted
    }
    for part in chunks(list(rows.values())):
        statement = db.insert(t.wanted).values(part)
        new = statement.excluded
        changed = {"payload": new.payload, "source_at": new.source_at, "due_at": new.due_at, "said": t.wanted.c.said + 1}
        connection.execute(statement.on_conflict_do_update(index_elements=["source", "stream", "key"], set_=changed))


def wanted_counts(connection: Connection) -> dict[str, int]:
    """As `WantedStore.wanted_counts`, on the caller's connection."""
    c = t.wanted.c
    rows = connection.execute(select(c.source, func.count()).group_by(c.source))
    return {str(source): int(count) for source, count in rows}


def _among(rows: Sequence[WantedRow]) -> ColumnElement[bool]:
    """These rows, as they were when they were taken."""
    c = t.wanted.c
    return tuple_(c.source, c.stream, c.key, c.said).in_([(*row.ref, row.said) for row in rows])
