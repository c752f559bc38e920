"""Map and resolve, writing: the consequences of a batch in one transaction, and the look-ups that come before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, insert, or_, select, tuple_, update

from syncd.errors import ClaimConflictError
from syncd.model import Lead
from syncd.ports import ResolvedRecord, Review
from syncd.store import tables as t
from syncd.store.engine import Database, chunks, pack
from syncd.store.inbox import OUTCOME_COUNTS, digest_of, dumps
from syncd.store.shared import instant_of, mark_dirty, put_dead_letter, put_review, survivors, unique_rows

_MAX_HOLDERS = 60
_MAX_HOPS = 8
_LEAD = msgspec.json.Decoder(Lead)


class ResolvedStore:
    """Claims, candidates, and what a batch became."""

    db: Database

    def _count(self, connection: Connection, run_id: str, source: str, counts: Any) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------------ writing

    def commit_resolved(self, run_id: str, rows: Sequence[ResolvedRecord], at: datetime) -> None:
        """Write a batch with all its consequences, or nothing.

        Raises:
            ClaimConflictError: Somebody else owns one of the claims or org records by now.
        """
        with self.db.write() as connection:
            with_person = [row for row in rows if row.person_id]
            self._add_people(connection, with_person, at)
            self._take_claims(connection, with_person)
            self._link_org_records(connection, [(row.person_id, row.org_links) for row in with_person])
            self._put_records_of(connection, with_person, at, run_id)
            for row in rows:
                if row.dead_letter:
                    put_dead_letter(connection, row.dead_letter)
            reviews = Counter(row.ref.source for row in rows if row.review and put_review(self.db, connection, row.review))
            self._end_inbox_rows(connection, run_id, rows)
            for source in sorted({row.ref.source for row in rows}):
                counts = Counter(OUTCOME_COUNTS[row.outcome] for row in rows if row.ref.source == source)
                self._count(connection, run_id, source, {**counts, "review": reviews.get(source, 0)})

    def _add_people(self, connection: Connection, rows: Sequence[ResolvedRecord], at: datetime) -> None:
        new = {row.person_id: row for row in reversed(rows) if row.is_new_person}
        self.db.add_missing(
            connection,
            t.person,
            [
                {
                    "person_id": one,
                    "state": str(row.person_state),
                    "golden": "{}",
                    "notes": "{}",
                    "is_dirty": True,
                    "redirect": None,
                    "created_at": at,
                }
                for one, row in new.items()
            ],
            ("person_id",),
        )
        mark_dirty(connection, {row.person_id for row in rows if row.dirty})

    def _take_claims(self, connection: Connection, rows: Sequence[ResolvedRecord]) -> None:
        wanted = {key: row.person_id for row in rows for key in row.claims}
        self.db.add_missing(
            connection,
            t.claim,
            [{"kind": kind, "value": value, "person_id": owner} for (kind, value), owner in wanted.items()],
            ("kind", "value"),
        )
        c = t.claim.c
        for part in chunks(sorted(wanted)):
            found = {
                (row.kind, row.value): row.person_id
                for row in connection.execute(select(t.claim).where(tuple_(c.kind, c.value).in_(part)))
            }
            redirects = survivors(connection, set(found.values()))
            if any(redirects.get(found[key], found[key]) != wanted[key] for key in part):
                raise ClaimConflictError("Another worker took the same person first.", advice="The batch is resolved again.")
        keys = [
            {"kind": kind, "value": value, "subject_kind": "person", "subject_id": row.person_id}
            for row in rows
            for kind, value in row.evidence
        ]
        self.db.add_missing(connection, t.block_key, unique_rows(keys), ("kind", "value", "subject_kind", "subject_id"))

    def _link_org_records(self, connection: Connection, wanted: Iterable[tuple[str, Iterable[tuple[str, str]]]]) -> None:
        o = t.org_record.c
        for person_id, links in wanted:
            for name, sf_id in links:
                done = connection.execute(
                    update(t.org_record)
                    .where(and_(o.object == name, o.sf_id == sf_id, or_(o.person_id == "", o.person_id == person_id)))
                    .values(person_id=person_id)
                )
                if done.rowcount == 0:
                    raise ClaimConflictError(
                        "Another worker linked the same record first.", advice="The batch is resolved again."
                    )

    def _put_records_of(self, connection: Connection, rows: Sequence[ResolvedRecord], at: datetime, run_id: str) -> None:
        latest = {row.ref: row for row in rows if row.lead is not None}
        records, links, touches = [], [], []
        for ref, row in latest.items():
            payload, is_compressed = pack(row.payload)
            home = {"source": ref.source, "stream": ref.stream, "key": ref.key}
            records.append(
                {
                    **home,
                    "digest": row.digest or digest_of(row.payload),
                    "payload": payload,
                    "is_compressed": is_compressed,
                    "mapping": row.mapping,
                    "mapping_digest": row.mapping_digest,
                    "lead": dumps(row.lead),
                    "person_id": row.person_id,
                    "source_at": row.source_at or at,
                    "position": row.position,
                    "locator": row.locator,
                }
            )
            if row.is_new_person or row.link_evidence != "record":
                links.append({**home, "person_id": row.person_id, "evidence": row.link_evidence, "run_id": run_id, "at": at})
            touch = row.lead.touch if row.lead else None
            if touch is not None and (touch.channel or touch.at):
                moment = instant_of(touch.at) or row.source_at or at
                touches.append({**home, "at": moment, "person_id": row.person_id, "document": dumps(touch)})
        self.db.upsert(connection, t.record, records, ("source", "stream", "key"))
        if links:
            connection.execute(insert(t.link), links)
        self.db.add_missing(connection, t.touch, touches, ("source", "stream", "key", "at"))

    @staticmethod
    def _end_inbox_rows(connection: Connection, run_id: str, rows: Sequence[ResolvedRecord]) -> None:
        groups: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            groups.setdefault((str(row.outcome), row.reason), []).append(row.sequence)
        for (outcome, reason), sequences in groups.items():
            for part in chunks(sequences):
                connection.execute(
                    update(t.inbox).where(t.inbox.c.sequence.in_(part)).values(state=outcome, reason=reason, run_id=run_id)
                )

    def link_person(self, person_id: str, org_links: Sequence[tuple[str, str]], review: Review | None, at: datetime) -> None:
        """Link org records found late, or open a question about them; the person is planned again (or waits in review)."""
        del at
        with self.db.write() as connection:
            self._link_org_records(connection, [(person_id, org_links)])
            if review is not None:
                put_review(self.db, connection, review)
                connection.execute(update(t.person).where(t.person.c.person_id == person_id).values(state="review"))
            mark_dirty(connection, {person_id})
