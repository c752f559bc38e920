"""The slow lanes: ranges that were asked for once more, and records that an older mapping made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, exists, func, insert, literal, select, text

from syncd.as_stored import dumps
from syncd.model import Lane
from syncd.ports import Backfill
from syncd.store import tables as t
from syncd.store.engine import Database
from syncd.store.inbox import RANGE_PREFIX


class LaneStore:
    """Back-fills and re-mapping."""

    db: Database

    def _count(self, connection: Connection, run_id: str, source: str, counts: Any) -> None:
        raise NotImplementedError

    def put_backfill(self, backfill: Backfill, at: datetime) -> bool:
        """Ask for a range; False if the very same one is under way already, which then goes on where it is."""
        row = {
            "source": backfill.source,
            "stream": backfill.stream,
            "partition": backfill.partition,
            "cursor": dumps(backfill.cursor),
            "moved_at": at,
        }
        with self.db.write() as connection:
            statement = self.db.insert(t.cursor).values(**row).on_conflict_do_nothing().returning(t.cursor.c.partition)
            return connection.execute(statement).first() is not None

    def backfills(self, source: str, stream: str) -> list[Backfill]:
        """Ranges that are not read to their end yet, in the order of their names."""
        c = t.cursor.c
        here = and_(c.source == source, c.stream == stream, c.partition.like(f"{RANGE_PREFIX}%"))
        with self.db.read() as connection:
            rows = connection.execute(select(c.partition, c.cursor).where(here).order_by(c.partition))
            return [Backfill(source, stream, row.partition, msgspec.json.decode(row.cursor)) for row in rows]

    def end_backfill(self, source: str, stream: str, partition: str) -> None:
        """A range was read to its end."""
        c = t.cursor.c
        with self.db.write() as connection:
            connection.execute(delete(t.cursor).where(and_(c.source == source, c.stream == stream, c.partition == partition)))

    def put_stale(self, run_id: str, source: str, mapping_digest: str, limit: int, at: datetime) -> int:
        """Let up to `limit` records that another mapping made wait once more, in the slowest lane; gives how many.

        They are counted as pulled, so that the sums of the run match (G2).
        """
        r, i = t.record.c, t.inbox.c
        waits = exists().where(and_(text("inbox.state = 'waiting'"), i.source == r.source, i.stream == r.stream, i.key == r.key))
        taken = ("source", "stream", "key", "digest", "payload", "is_compressed", "source_at", "position", "locator")
        made = {
            "received_at": literal(at, t.inbox.c.received_at.type),
            "lane": literal(int(Lane.REMAP)),
            "state": literal("waiting"),
            "reason": literal(""),
            "run_id": literal(run_id),
            "is_replay": literal(False),
        }
        columns = [*(r[name] for name in taken), *made.values()]
        with self.db.write() as connection:
            count = 0
            # Two ranges of the index instead of "differs", which would read every record of the source.
            for other in (r.mapping_digest < mapping_digest, r.mapping_digest > mapping_digest):
                stale = select(*columns).where(and_(r.source == source, other, ~waits)).limit(limit - count)
                if limit > count:
                    copied = insert(t.inbox).from_select([*taken, *made], stale).execution_options(preserve_rowcount=True)
                    count += connection.execute(copied).rowcount
            if count:
                self._count(connection, run_id, source, {"pulled": count})
            return count

    def stale_count(self, source: str, mapping_digest: str) -> int:
        """How many records of a source another mapping made."""
        r = t.record.c
        with self.db.read() as connection:
            return sum(
                int(
                    connection.execute(select(func.count()).select_from(t.record).where(and_(r.source == source, other))).scalar()
                    or 0
                )
                for other in (r.mapping_digest < mapping_digest, r.mapping_digest > mapping_digest)
            )
