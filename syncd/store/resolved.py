"""Map and resolve, writing: the consequences of a batch in one transaction, and the look-ups that come before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, or_, select, text, update

from syncd.as_stored import dumps, golden_text
from syncd.errors import ClaimConflictError
from syncd.identity import RECORD_CLAIM
from syncd.model import OPT_OUT_FIELD, InboxOutcome, Lane, PersonState
from syncd.ports import ERASED, Adopted, PersonPlan, ResolvedRecord, Review
from syncd.store import tables as t
from syncd.store.bulk import ALL, Rows, among, insert_rows, micros, pairs, update_rows
from syncd.store.decisions import decision_rows, due_rows, put_decisions
from syncd.store.engine import Database, pack
from syncd.store.inbox import OUTCOME_COUNTS, digest_of
from syncd.store.outbox import insert_operations, operation_row, operation_rows
from syncd.store.prepared import Prepared, given, listed
from syncd.store.shared import empty_inbox, instant_of, mark_dirty, put_dead_letter, put_review, survivors
from syncd.store.waiting import WITHDRAWALS, by_stream

_SEEN = ("digest", "payload", "is_compressed", "mapping_digest")
_REF = ("source", "stream", "key")
# The time, place and lane of a record go with the lead that counts: only where none does they are the last version's.
_OF_NOBODY = ("source_at", "position", "locator", "lane")
_ENDED = Prepared(
    lambda connection: (
        update(t.inbox)
        .where(among(connection, t.inbox.c.sequence, given("sequences")))
        .values(state=given("to_state"), reason=given("to_reason"), run_id=given("to_run"))
    )
)


def _ended_already(connection: Connection, sequences: Collection[int]) -> list[int]:
    """Those that wait no longer; not even looked for where nobody was erased."""
    i = t.inbox.c
    if not sequences:
        return []
    here = and_(among(connection, i.sequence, sequences), i.state != "waiting")
    return [int(one) for one in connection.execute(select(i.sequence).where(here)).scalars()]


class ResolvedStore:
    """Claims, candidates, and what a batch became."""

    db: Database

    def _count(self, connection: Connection, run_id: str, source: str, counts: Any) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------------ writing

    def commit_resolved(
        self,
        run_id: str,
        rows: Sequence[ResolvedRecord],
        at: datetime,
        plans: Sequence[PersonPlan] = (),
        adopted: Sequence[Adopted] = (),
    ) -> None:
        """Write a batch with all its consequences, or nothing; `plans` are those of people who are new in this very batch.

        `adopted` are records of further new people, one each, with everything made ready.

        Raises:
            ClaimConflictError: Somebody else owns one of the claims or org records by now, or a planned person is known.
        """
        batch = _Prepared(rows, plans, adopted, at, run_id)
        with self.db.overwriting() if batch.erased else self.db.write() as connection:
            if insert_rows(connection, t.person, batch.planned, keys=("person_id",)) != len(batch.planned):
                raise ClaimConflictError("A person who was new is known by now.", advice="The batch is resolved again.")
            insert_rows(connection, t.person, batch.unplanned, keys=("person_id",))
            if survivors(connection, batch.dirty):
                raise ClaimConflictError("A person was merged meanwhile.", advice="The batch is resolved again.")
            mark_dirty(connection, batch.dirty)
            if insert_rows(connection, t.claim, batch.claims, keys=("kind", "value")) != len(batch.claims):
                self._check_claims(connection, batch.wanted)
            insert_rows(connection, t.block_key, batch.shared_keys, keys=("kind", "value", "subject_kind", "subject_id"))
            self._link_org_records(connection, batch.org_links)
            _keep_withdrawals(connection, batch.records)
            insert_rows(connection, t.record, batch.records, keys=_REF, replacing=ALL)
            insert_rows(connection, t.link, batch.links)
            insert_rows(connection, t.touch, batch.touches, keys=("person_number", "source", "stream", "key", "at"))
            insert_rows(connection, t.record, batch.seen, keys=_REF, replacing=_SEEN)
            update_rows(connection, t.record, _OF_NOBODY, batch.seen_again, keys=_REF, where="record.person_number IS NULL")
            update_rows(connection, t.record, ("mapping_digest",), batch.refused, keys=_REF)
            self._drop_held(connection, batch.mapped_anew, at)
            insert_operations(connection, *batch.operations)
            put_decisions(connection, batch.decisions)
            insert_rows(connection, t.due, batch.due, keys=("person_id", "rule"), replacing=ALL)
            for letter in batch.dead_letters:
                put_dead_letter(connection, letter)
            for review in batch.plan_reviews:
                put_review(self.db, connection, review)
            reviews = Counter(review.source for review in batch.reviews if put_review(self.db, connection, review))
            batch.leave_out(_ended_already(connection, batch.erased))
            for (outcome, reason), sequences in batch.ended.items():
                _ENDED.run(connection, to_state=outcome, to_reason=reason, to_run=run_id, sequences=listed(sequences))
            empty_inbox(connection, batch.erased)
            for source, counts in sorted(batch.counts.items()):
                self._count(connection, run_id, source, {**counts, "review": reviews.get(source, 0)})

    def _check_claims(self, connection: Connection, wanted: Mapping[tuple[str, str], str]) -> None:
        """Some claims were there before: they must be owned by whom we think."""
        c = t.claim.c
        listed, match = pairs(connection, c.kind, c.value, wanted)
        statement = select(c.kind, c.value, c.person_id).select_from(listed).where(match)
        found = {(row.kind, row.value): row.person_id for row in connection.execute(statement)}
        redirects = survivors(connection, set(found.values()))
        if any(redirects.get(owner, owner) != wanted[key] for key, owner in found.items()):
            raise ClaimConflictError("Another worker took the same person first.", advice="The batch is resolved again.")

    def _link_org_records(self, connection: Connection, wanted: Iterable[tuple[str, Iterable[tuple[str, str]]]]) -> None:
        o = t.org_record.c
        for person_id, links in wanted:
            for name, sf_id in links:
                number = t.number_of(person_id)
                done = connection.execute(
                    update(t.org_record)
                    .where(and_(o.object == name, o.sf_id == sf_id, or_(o.person_number.is_(None), o.person_number == number)))
                    .values(person_number=number)
                )
                if done.rowcount == 0:
                    raise ClaimConflictError(
                        "Another worker linked the same record first.", advice="The batch is resolved again."
                    )

    @staticmethod
    def _drop_held(connection: Connection, person_ids: set[str], at: datetime) -> None:
        """What was held for people who are mapped anew came of a mapping that is no longer in force."""
        if person_ids:
            o = t.operation.c
            numbers = select(t.person.c.number).where(among(connection, t.person.c.person_id, person_ids))
            here = and_(o.state == "held", text(t.OPEN_STATES_SQL), o.person_number.in_(numbers))
            connection.execute(update(t.operation).where(here).values(state="superseded", finished_at=at))

    def link_person(self, person_id: str, org_links: Sequence[tuple[str, str]], review: Review | None, at: datetime) -> None:
        """Link org records found late, or open a question about them; the person is planned again (or waits in review)."""
        del at
        with self.db.write() as connection:
            self._link_org_records(connection, [(person_id, org_links)])
            if review is not None:
                put_review(self.db, connection, review)
                connection.execute(update(t.person).where(t.person.c.person_id == person_id).values(state="review"))
            mark_dirty(connection, {person_id})


def _keep_withdrawals(connection: Connection, records: Rows) -> None:
    """A withdrawal that a record has stated before is as old as it was, whatever else of the record has changed since."""
    places = {(row[0], row[1], row[2]): index for index, row in enumerate(records) if row[-1] is not None}
    if not places:
        return
    for (source, stream), keys in by_stream(places).items():
        for key, at in WITHDRAWALS.rows(connection, source=source, stream=stream, keys=listed(keys)):
            index = places[source, stream, key]
            records[index] = (*records[index][:-1], at)


class _Prepared:
    """A batch as rows of the tables. Made before the transaction begins: nobody else writes while one is open."""

    def __init__(
        self, rows: Sequence[ResolvedRecord], plans: Sequence[PersonPlan], adopted: Sequence[Adopted], at: datetime, run_id: str
    ) -> None:
        with_person = [row for row in rows if row.person_id]
        self._people(with_person, {plan.person_id: plan for plan in plans}, at)
        self._records_of(with_person, at, run_id)
        self._seen(rows)
        self.wanted = {key: row.person_id for row in with_person for key in row.claims if key[0] != RECORD_CLAIM}
        self.claims: Rows = [(kind, value, owner) for (kind, value), owner in self.wanted.items()]
        shared = {(kind, value, "person", row.person_id) for row in with_person for kind, value in row.evidence}
        self.shared_keys: Rows = list(shared)
        self.org_links = [(row.person_id, row.org_links) for row in with_person if row.org_links]
        self.mapped_anew = {row.person_id for row in with_person if row.lane is Lane.REMAP}
        self.operations = operation_rows([one for plan in plans for one in plan.operations], at)
        self.decisions = decision_rows(plans, run_id, at)
        self.due = due_rows(plans)
        letters = [*(plan.dead_letter for plan in plans), *(row.dead_letter for row in rows)]
        self.dead_letters = [letter for letter in letters if letter is not None]
        self.plan_reviews = [plan.review for plan in plans if plan.review is not None]
        self.reviews = [row.review for row in rows if row.review is not None]
        self.ended: dict[tuple[str, str], list[int]] = {}
        self.erased = {row.sequence: row.ref.source for row in rows if row.reason == ERASED}
        self.counts: dict[str, Counter[str]] = {}
        for row in rows:
            self.ended.setdefault((row.outcome.value, row.reason), []).append(row.sequence)
            self.counts.setdefault(row.ref.source, Counter())[OUTCOME_COUNTS[row.outcome]] += 1
        if adopted:
            self._newcomers(adopted, at, run_id)

    def _newcomers(self, adopted: Sequence[Adopted], at: datetime, run_id: str) -> None:
        """Add the rows of people who were made ready; no two of these records have a key in common, nor with any other of the batch."""
        now, active = micros(at), PersonState.ACTIVE.value
        operations, documents = self.operations
        ended = self.ended.setdefault((InboxOutcome.APPLIED.value, ""), [])
        for one in adopted:
            row, ready, person_id = one.row, one.newcomer, one.newcomer.person_id
            ref, lane = row.ref, int(row.lane)
            source_at = micros(row.source_at or row.received_at)
            self.planned.append((person_id, active, ready.golden, ready.notes, ready.stays_dirty, None, now, 0))
            content = (row.digest, *(row.packed or pack(row.payload)))
            withdrawn_at = source_at if ready.withdraws else None
            self.records.append(
                (*ref, *content, one.mapping, one.mapping_digest, ready.lead, person_id, source_at, row.position, row.locator, lane, withdrawn_at)
            )  # fmt: skip
            self.links.append((*ref, person_id, "new", run_id, now))
            if ready.touch:
                moment = instant_of(ready.touched_at)
                self.touches.append((person_id, *ref, source_at if moment is None else micros(moment), ready.touch, lane))
            self.claims += [(kind, value, person_id) for kind, value in one.claims if kind != RECORD_CLAIM]
            self.wanted.update((key, person_id) for key in one.claims if key[0] != RECORD_CLAIM)
            self.shared_keys += [(kind, value, "person", person_id) for kind, value in one.evidence]
            if one.operation is not None:
                operations.append(operation_row(one.operation, at))
                documents.append((one.operation.operation_id, ready.document))
            ended.append(row.sequence)
            self.counts.setdefault(ref.source, Counter())[OUTCOME_COUNTS[InboxOutcome.APPLIED]] += 1

    def leave_out(self, sequences: Iterable[int]) -> None:
        """Neither end nor count these versions of people who were erased: the erasure did, after they had been taken."""
        for sequence in sequences:
            self.ended[InboxOutcome.SKIPPED.value, ERASED].remove(sequence)
            self.counts[self.erased[sequence]][OUTCOME_COUNTS[InboxOutcome.SKIPPED]] -= 1

    def _people(self, rows: Sequence[ResolvedRecord], plans: Mapping[str, PersonPlan], at: datetime) -> None:
        new = {row.person_id: row for row in reversed(rows) if row.is_new_person}
        created_at = micros(at)
        self.planned: Rows = []
        self.unplanned: Rows = []
        for one, row in new.items():
            plan = plans.get(one)
            if plan is None:
                self.unplanned.append((one, row.person_state.value, "{}", "{}", True, None, created_at, 0))
            else:
                documents = golden_text(plan.golden), dumps(plan.notes)
                self.planned.append((one, row.person_state.value, *documents, plan.stays_dirty, None, created_at, 0))
        self.dirty = {row.person_id for row in rows if row.dirty and row.person_id not in plans}

    def _records_of(self, rows: Sequence[ResolvedRecord], at: datetime, run_id: str) -> None:
        latest = {row.ref: row for row in rows if row.lead is not None}
        now = micros(at)
        self.records: Rows = []
        self.links: Rows = []
        self.touches: Rows = []
        for ref, row in latest.items():
            source_at = now if row.source_at is None else micros(row.source_at)
            content = (row.digest or digest_of(row.payload), *(row.packed or pack(row.payload)))
            mapped = (row.mapping, row.mapping_digest, dumps(row.lead))
            withdrawn_at = source_at if row.lead is not None and OPT_OUT_FIELD in row.lead.opt_outs else None
            place = (row.position, row.locator, int(row.lane))
            self.records.append((*ref, *content, *mapped, row.person_id, source_at, *place, withdrawn_at))
            if row.is_new_person or row.link_evidence != "record":
                self.links.append((*ref, row.person_id, row.link_evidence, run_id, now))
            touch = row.lead.touch if row.lead else None
            if touch is not None and (touch.channel or touch.at):
                moment = instant_of(touch.at)
                self.touches.append(
                    (row.person_id, *ref, source_at if moment is None else micros(moment), dumps(touch), int(row.lane))
                )

    def _seen(self, rows: Sequence[ResolvedRecord]) -> None:
        """Remember records that were left alone, so that they are not news again, but are mapped anew when the mapping changes.

        Of a record that counted before, the lead, its time and the person stay as they are. A refused one is only no longer stale.
        """
        self.seen: Rows = []
        self.seen_again: Rows = []
        self.refused: Rows = []
        latest = {row.ref: row for row in rows if row.lead is not None}
        for row in rows:
            if row.person_id or latest.get(row.ref) is not row:
                continue
            if row.outcome is InboxOutcome.SKIPPED and row.lead is not None and row.source_at is not None:
                content = (row.digest, *(row.packed or pack(row.payload)))
                mapped = (row.mapping, row.mapping_digest, dumps(row.lead))
                place = (micros(row.source_at), row.position, row.locator, int(row.lane))
                self.seen.append((*row.ref, *content, *mapped, "", *place, None))
                self.seen_again.append((*place, *row.ref))
            elif row.outcome is InboxOutcome.DEAD and row.lane is Lane.REMAP:
                self.refused.append((row.mapping_digest, *row.ref))
