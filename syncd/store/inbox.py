"""Cursors and the inbox: what came in, and what waits (G1)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, insert, select, text

from syncd.as_stored import dumps
from syncd.model import InboxOutcome, Lane, Page, Record, RecordRef
from syncd.ports import Cursor, InboxRow, KnownRecord, StoredPage
from syncd.store import tables as t
from syncd.store.bulk import Rows, insert_rows, instant, micros
from syncd.store.engine import Database, chunks, pack, unpack
from syncd.store.prepared import listed
from syncd.store.waiting import KNOWN_RECORDS, SETTLED_VERSIONS, WAITING_VERSIONS, waiting_rows

_ROWS_PER_UNIT = 1_000
"""Records of a page per write unit: they fit into 20 ms (DESIGN 4)."""
_ARRIVED = """\
INSERT INTO arrival (source, hour, count) VALUES ({mark}, {mark}, {mark})
ON CONFLICT (source, hour) DO UPDATE SET count = arrival.count + excluded.count"""
"""Given to the driver as it is: building it anew for each page would cost 1 ms."""

RANGE_PREFIX = "backfill:"
"""What the partition of a range begins with that is read once more."""
_LANES = {int(lane): lane for lane in Lane}


def digest_of(payload: bytes) -> bytes:
    """blake2b-16 of a payload."""
    return hashlib.blake2b(payload, digest_size=16).digest()


class InboxStore:
    """Cursors, inbox, arrivals."""

    db: Database

    def _count(self, connection: Connection, run_id: str, source: str, counts: Mapping[str, int]) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------------ extract

    def cursor(self, source: str, stream: str, partition: str = "") -> dict[str, Any] | None:
        """Where a stream goes on; None at the beginning."""
        c = t.cursor.c
        with self.db.read() as connection:
            found = connection.execute(
                select(c.cursor).where(and_(c.source == source, c.stream == stream, c.partition == partition))
            ).scalar()
            return None if found is None else msgspec.json.decode(found)

    def cursors(self) -> list[Cursor]:
        """Every stored cursor."""
        with self.db.read() as connection:
            rows = connection.execute(select(t.cursor).order_by(t.cursor.c.source, t.cursor.c.stream, t.cursor.c.partition))
            return [Cursor(row.source, row.stream, row.partition, msgspec.json.decode(row.cursor), row.moved_at) for row in rows]

    def put_page(
        self, run_id: str, source: str, stream: str, page: Page, lane: Lane, at: datetime, news_from: datetime | None = None
    ) -> StoredPage:
        """Store a page; its cursor moves in the transaction of its last records.

        A page that was half stored when the process died comes again: versions that still wait are recognised, and so are
        those that are known already, which a source sends again by its overlap. Records from before `news_from` take the
        back-fill lane. What waits now is counted as arrived in the hour of `at`, unless the page is of a range read once more.
        """
        waiting = 0
        is_live = lane <= Lane.INCREMENT and not page.partition.startswith(RANGE_PREFIX)
        parts = list(chunks(page.records, _ROWS_PER_UNIT)) or [()]
        for index, part in enumerate(parts):
            came = [(record, digest_of(record.payload), pack(record.payload)) for record in part]
            with self.db.write() as connection:
                counts = self._put_records(connection, run_id, (source, stream), came, lane, at, news_from)
                news = counts["pulled"] - counts["unchanged"]
                waiting += news
                if news and is_live:
                    self._count_arrivals(connection, source, news, at)
                if index == len(parts) - 1:
                    counts += self._put_rejects(connection, run_id, (source, stream), page, at)
                    row = {
                        "source": source,
                        "stream": stream,
                        "partition": page.partition,
                        "cursor": dumps(page.cursor),
                        "moved_at": at,
                    }
                    self.db.upsert(connection, t.cursor, [row], ("source", "stream", "partition"))
                if counts:
                    self._count(connection, run_id, source, counts)
        return StoredPage(len(page.records) + len(page.rejects), waiting)

    def _count_arrivals(self, connection: Connection, source: str, count: int, at: datetime) -> None:
        """Add to the hour of `at`, in the caller's transaction."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        mark = "?" if self.db.is_sqlite else "%s"
        connection.exec_driver_sql(_ARRIVED.format(mark=mark), (source, micros(hour), count))

    def _put_records(
        self,
        connection: Connection,
        run_id: str,
        home: tuple[str, str],
        records: Sequence[tuple[Record, bytes, tuple[bytes, bool]]],
        lane: Lane,
        at: datetime,
        news_from: datetime | None,
    ) -> Counter[str]:
        """Records, each with its digest and as it is kept."""
        if not records:
            return Counter()
        keys = {record.key for record, _, _ in records}
        place_of = {"source": home[0], "stream": home[1]}
        waiting = {(key, bytes(digest)) for key, digest in WAITING_VERSIONS.rows(connection, **place_of, keys=listed(keys))}
        open_keys = {key for key, _ in waiting}
        # What waits is newer than what is known: only without it an equal digest means that nothing has happened.
        closed = listed(keys - open_keys)
        settled = {(key, bytes(digest)) for key, digest in SETTLED_VERSIONS.rows(connection, **place_of, keys=closed)}
        rows: Rows = []
        known = 0
        received_at = micros(at)
        for record, digest, packed in records:
            version = (record.key, digest)
            if version in waiting or (version in settled and record.key not in open_keys):
                known += 1
                continue
            waiting.add(version)
            open_keys.add(record.key)
            source_at = None if record.source_at is None else micros(record.source_at)
            is_old = news_from is not None and record.source_at is not None and record.source_at < news_from
            place = int(max(lane, Lane.BACKFILL)) if is_old else int(lane)
            came = (record.key, digest, *packed, source_at, received_at, record.position, record.locator, place)
            rows.append((*home, *came, "waiting", "", run_id, False))
        insert_rows(connection, t.inbox, rows)
        return Counter({"pulled": len(records), "unchanged": known})

    def _put_rejects(self, connection: Connection, run_id: str, home: tuple[str, str], page: Page, at: datetime) -> Counter[str]:
        """What cannot be a record becomes a dead letter at once; one that is open already is not set aside twice."""
        if not page.rejects:
            return Counter()
        c = t.dead_letter.c
        keys = sorted({reject.key for reject in page.rejects})
        open_now = {
            (row.key, row.reason, bytes(row.digest))
            for part in chunks(keys)
            for row in connection.execute(
                select(c.key, c.reason, c.digest).where(
                    and_(text("dead_letter.state = 'open'"), c.source == home[0], c.stream == home[1], c.key.in_(part))
                )
            )
        }
        rows = []
        for reject in page.rejects:
            digest = digest_of(reject.payload)
            if (reject.key, reject.reason, digest) in open_now:
                continue
            open_now.add((reject.key, reject.reason, digest))
            rows.append(
                {
                    "kind": "record",
                    "stage": "extract",
                    "reason": reject.reason,
                    "message": reject.message,
                    "source": home[0],
                    "stream": home[1],
                    "key": reject.key,
                    "locator": reject.locator,
                    "payload": reject.payload,
                    "digest": digest,
                    "person_id": "",
                    "operation_id": "",
                    "run_id": run_id,
                    "at": at,
                    "state": "open",
                }
            )
        if rows:
            connection.execute(insert(t.dead_letter), rows)
        return Counter({"pulled": len(page.rejects), "dead": len(rows), "unchanged": len(page.rejects) - len(rows)})

    # ------------------------------------------------------------------ map and resolve: reading

    def take_inbox(
        self,
        limit: int,
        sources: Sequence[str] | None = None,
        held: Sequence[int] = (),
        lanes: tuple[Lane, Lane] = (Lane.HOT, Lane.REMAP),
    ) -> list[InboxRow]:
        """Waiting records of `lanes`, hot ones first, then in order of arrival, without those `held` already (their sequence).

        Reads only; `commit_resolved` ends them.
        """
        is_part = lanes != (Lane.HOT, Lane.REMAP)
        statement = waiting_rows(is_part=is_part, sources_count=None if sources is None else len(sources), has_held=bool(held))
        values: dict[str, Any] = {"most": limit, "first": int(lanes[0]), "last": int(lanes[1]), "held": listed(held)}
        values |= {f"wanted_{number}": name for number, name in enumerate(sources or ())}
        with self.db.read() as connection:
            return [
                InboxRow(
                    sequence,
                    RecordRef(source, stream, key),
                    unpack(payload, is_compressed),
                    bytes(digest),
                    None if source_at is None else instant(source_at),
                    instant(received_at),
                    position,
                    locator,
                    _LANES[lane],
                    bool(is_replay),
                    (bytes(payload), bool(is_compressed)),
                )
                for (
                    sequence, source, stream, key, payload, is_compressed, digest, source_at, received_at,
                    position, locator, lane, is_replay,
                ) in statement.rows(connection, **values)
            ]  # fmt: skip

    def known_records(self, refs: Iterable[RecordRef]) -> dict[RecordRef, KnownRecord]:
        """The latest stored version of each record that is known."""
        homes: dict[tuple[str, str], set[str]] = {}
        for ref in refs:
            homes.setdefault((ref.source, ref.stream), set()).add(ref.key)
        found: dict[RecordRef, KnownRecord] = {}
        with self.db.read() as connection:
            for (source, stream), keys in homes.items():
                rows = KNOWN_RECORDS.rows(connection, source=source, stream=stream, keys=listed(keys))
                for key, digest, person_id, mapping_digest, source_at, position in rows:
                    ref = RecordRef(source, stream, key)
                    found[ref] = KnownRecord(bytes(digest), person_id, mapping_digest, instant(source_at), position)
        return found


OUTCOME_COUNTS = {
    InboxOutcome.APPLIED: "applied",
    InboxOutcome.UNCHANGED: "unchanged",
    InboxOutcome.SKIPPED: "skipped",
    InboxOutcome.DEAD: "dead",
}
