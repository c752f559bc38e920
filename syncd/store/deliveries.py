"""The journal: deliveries of push sources between their 2xx and the inbox (docs/adr/0014-intake.md).

On SQLite a file of its own beside the store, because the engine holds the store's write lock for most of a first fill and a
webhook is answered within milliseconds; on PostgreSQL a table of the store's database. Its schema has a number of its own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url

from syncd import __version__
from syncd.clock import Clock, SystemClock
from syncd.errors import StoreError
from syncd.model import Delivery
from syncd.ports import Backlog
from syncd.store.bulk import insert_rows, micros
from syncd.store.engine import Database, chunks
from syncd.store.tables import Instant, Serial

SCHEMA = 1
"""Of the journal's tables; a release that changes them raises it and brings an older file up to it in `_prepare`."""

MAX_TAKEN_BYTES = 32 * 1024 * 1024
"""Bodies that `take` gives at once (DESIGN 7: queues are bounded in bytes); one body is given whatever its size."""

_SPARE_PAGES = 4_096
"""Empty pages (16 MB) that the file may keep for the next deliveries; beyond that it shrinks."""
_PAGES_FREED = 1_024
"""Pages that one `remove` gives back at most: 4 MB, so that no put waits for long."""

_PRAGMAS = {
    # Pages can be given back one by one. Only a file that is still empty takes it, so it comes before the others.
    "auto_vacuum": "2",
    # Whoever sends a webhook waits 15 s; after 5 s it is better told to come again.
    "busy_timeout": "5000",
    # A commit now and then also copies the log back: 4 MB take milliseconds, the store's own 128 MB would be felt.
    "wal_autocheckpoint": "1000",
    "journal_size_limit": str(16 * 1024 * 1024),
}
_PREPARED = 0x73796E64
"""Number of PostgreSQL's lock while the tables are made."""

metadata = MetaData()

# One row: the schema of the tables beside it.
journal_schema = Table("journal_schema", metadata, Column("number", Integer, primary_key=True, autoincrement=False))

# One delivery that is not in the inbox yet.
delivery = Table(
    "delivery",
    metadata,
    Column("sequence", Serial, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("delivery_id", String, nullable=False),  # the sender's own; "" if it has none
    Column("sent_at", Instant),
    Column("content_type", String, nullable=False),
    Column("kept", Text, nullable=False),  # JSON: what the connector wanted of the headers
    Column("size", Integer, nullable=False),  # of the body, in bytes
    Column("body", LargeBinary, nullable=False),
    # A number is never given twice: a removal that is repeated must not meet a newer delivery.
    sqlite_autoincrement=True,
)
# The backlog is read from this alone, however many bodies wait.
Index("delivery_backlog", delivery.c.source, delivery.c.received_at, delivery.c.size)


class DeliveryJournal:
    """`syncd.ports.Journal` on SQLAlchemy Core. Safe for threads and for several processes on one machine or database."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Open the journal that belongs to the store at `url`; its tables are made if they are not there.

        Raises:
            StoreError: It cannot be used.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            parsed = parsed.set(database=f"{parsed.database}-intake")
        self.db = Database(parsed.render_as_string(hide_password=False), clock, _PRAGMAS)
        try:
            with _alone(self.db.path):
                self._prepare()
        except BaseException:
            self.db.close()
            raise

    def _prepare(self) -> None:
        with self.db.write() as connection:
            if not self.db.is_sqlite:
                # Two that start at once would both find no table; the lock goes with the transaction.
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _PREPARED})
            metadata.create_all(connection)
            found = connection.execute(select(journal_schema.c.number)).scalar()
            if found is None:
                connection.execute(insert(journal_schema).values(number=SCHEMA))
            elif found > SCHEMA:
                raise StoreError(
                    f"The journal of deliveries has schema {found}, but syncd {__version__} knows {SCHEMA} at most.",
                    advice="Use the newer syncd that wrote it.",
                )

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Store them in one transaction; durable when it returns.

        Raises:
            StoreError: Nothing of it was stored. The next call opens the file anew, so that it may succeed.
        """
        rows = [_row(one) for one in deliveries]
        if not rows:
            return
        try:
            with self.db.write() as connection:
                insert_rows(connection, delivery, rows)
        except StoreError:
            self.db.reopen()
            raise

    def take(self, limit: int, sources: Sequence[str] | None = None) -> list[Delivery]:
        """The oldest that wait, at most `limit` and at most MAX_TAKEN_BYTES (but one); of `sources` only if they are named."""
        c = delivery.c
        waits = select(c.sequence, c.size).order_by(c.sequence).limit(limit)
        if sources is not None:
            # Written so that no index on the source is chosen: they come in order of sequence, without sorting.
            waits = waits.where((c.source + "").in_(list(sources)))
        with self.db.read() as connection:
            chosen: list[int] = []
            room = MAX_TAKEN_BYTES
            for sequence, size in connection.execute(waits):
                room -= size
                if chosen and room < 0:
                    break
                chosen.append(sequence)
            found: list[Delivery] = []
            for part in chunks(chosen):
                rows = connection.execute(select(delivery).where(c.sequence.in_(part)).order_by(c.sequence))
                found.extend(_delivery(row) for row in rows)
            return found

    def remove(self, sequences: Sequence[int]) -> None:
        """Forget what is in the inbox now; unknown ones are nothing to it. The file gives its room back by and by."""
        if not sequences:
            return
        with self.db.write() as connection:
            for part in chunks(sequences):
                connection.execute(delete(delivery).where(delivery.c.sequence.in_(part)))
        if self.db.is_sqlite:
            self._shrink()

    def _shrink(self) -> None:
        with self.db.write() as connection:
            spare = int(connection.exec_driver_sql("PRAGMA freelist_count").scalar() or 0) - _SPARE_PAGES
            driver: Any = connection.connection.driver_connection
            # Python's driver takes one step of a statement without columns, and each step frees one page.
            for _ in range(min(spare, _PAGES_FREED)):
                driver.execute("PRAGMA incremental_vacuum(1)")

    def backlog(self) -> dict[str, Backlog]:
        """What waits, by source; read from an index."""
        c = delivery.c
        statement = select(c.source, func.count(), func.sum(c.size), func.min(c.received_at)).group_by(c.source)
        with self.db.read() as connection:
            return {row[0]: Backlog(int(row[1]), int(row[2]), row[3]) for row in connection.execute(statement)}

    def probe(self) -> None:
        """Write something that changes nothing.

        Raises:
            StoreError: Deliveries could not be stored now.
        """
        try:
            with self.db.write() as connection:
                connection.execute(update(journal_schema).values(number=journal_schema.c.number))
        except StoreError:
            self.db.reopen()
            raise

    def scrub(self) -> tuple[str, ...]:
        """Overwrite what was removed; what stood in the way, as the store names it."""
        return self.db.scrub()

    def close(self) -> None:
        """Close its connections."""
        self.db.close()


def open_journal(store_url: str, *, clock: Clock | None = None) -> DeliveryJournal:
    """Open the journal of the store at `store_url` (`sqlite:///path` or `postgresql://user@host/name`), made if need be.

    Raises:
        StoreError: It cannot be used; the message says why and what to do.
    """
    return DeliveryJournal(store_url, clock or SystemClock())


@contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    """One at a time opens the file: while it becomes a write-ahead one SQLite refuses others at once, whatever their time-out."""
    if path is None:
        yield
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _row(one: Delivery) -> tuple[Any, ...]:
    """In the order of the table's columns, as they are stored."""
    sent_at = None if one.sent_at is None else micros(one.sent_at)
    kept = msgspec.json.encode(one.kept).decode()
    return (one.source, micros(one.received_at), one.delivery_id, sent_at, one.content_type, kept, len(one.body), one.body)


def _delivery(row: Any) -> Delivery:
    return Delivery(
        source=row.source,
        received_at=row.received_at,
        body=bytes(row.body),
        delivery_id=row.delivery_id,
        sent_at=row.sent_at,
        content_type=row.content_type,
        kept=msgspec.json.decode(row.kept, type=dict[str, str]),
        sequence=row.sequence,
    )


__all__ = ["MAX_TAKEN_BYTES", "DeliveryJournal", "open_journal"]
