"""A batch from rows to resolved records: map, look up, decide who each record is about, plan who is new. Writes nothing.

What was made ready for the case that nobody knows a record's keys (`syncd.run.newcomers`) is taken if nobody does: no other record of
the batch, nobody in the store, nobody in the org, and nobody who was erased. Everything else goes the whole way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from syncd.identity import RECORD_CLAIM, Facts, LeadKeys, Resolution, lead_keys, record_claim, resolve, tombstone_digest
from syncd.identity.keys import Key
from syncd.model import InboxOutcome, Lead, PersonRecord, PersonView, RecordRef, Touch
from syncd.ports import ERASED, Adopted, DeadLetter, InboxRow, KnownRecord, Newcomer, PersonPlan, ResolvedRecord, Review
from syncd.run.context import PassContext
from syncd.run.mapped_rows import MappedRow, consent_only, is_resolvable
from syncd.run.mapper import Batch
from syncd.run.mapping_process import Mapped
from syncd.run.newcomers import create_of
from syncd.run.planning import Planning

_LEAD = msgspec.json.Decoder(Lead)

Meet = Callable[[AbstractSet[RecordRef], AbstractSet[Key]], None]
"""Called before anything is looked up that concerns these records and keys: what is still being stored of them comes first."""


class Resolving:
    """One batch on its way to the store; `refs` and `keys` are what it is about."""

    def __init__(self, ctx: PassContext, taken: Batch, meet: Meet, look: Callable[[Sequence[Lead]], None] | None = None) -> None:
        """Nothing is looked up yet; `look` is shown the leads of the batch before anybody is looked for in the mirror."""
        self._ctx = ctx
        self._look = look
        self._rows = taken.rows
        self._meet = meet
        self.refs = {row.ref for row in taken.rows}
        self.keys: set[Key] = set()
        self._ready = dict(enumerate(taken.mapped))
        self._planned_at = taken.at
        self.adopted: list[Adopted] = []
        """Records of people whom nobody knew, as they had been made ready."""

    def resolve(self, *, may_adopt: bool = False) -> list[ResolvedRecord]:
        """What each record became, in order; with `may_adopt` without those that are `adopted`."""
        watch = self._ctx.watch
        self._meet(self.refs, frozenset())
        with watch.stage("look up"):
            known = dict(self._ctx.store.known_records(self.refs))
            owners = {ref: one.person_id for ref, one in known.items() if one.person_id}
        with watch.stage("map"):
            likely = self._likely(known) if may_adopt else {}
            mapped = {place: self._map(place, known) for place in range(len(self._rows)) if place not in likely}
            keys = Counter(key for one in mapped.values() if one.keys for key in _keys_of(one.keys))
            keys.update(key for one in likely.values() for key in _keys_of(one))
            self.keys = set(keys)
        self._meet(frozenset(), self.keys)
        if self._look is not None:
            self._look([one.lead for one in mapped.values() if one.lead is not None and is_resolvable(one)])
        with watch.stage("look up"):
            # Who is met twice within the batch, or was erased, is no newcomer.
            known_digests = self._ctx.store.tombstones([digest for one in likely.values() for digest in one.digests])
            for place, one in list(likely.items()):
                if any(keys[key] > 1 for key in _keys_of(one)) or not known_digests.isdisjoint(one.digests):
                    mapped[place] = self._map(place, known)
                    del likely[place]
            self._drop_erased(mapped.values(), owners)
            facts = self._facts(mapped.values(), owners, likely.values())
        with watch.stage("resolve"):
            for place, one in likely.items():
                if facts.knows(_keys_of(one)) or ("external_id", _ready(one).person_id) in facts.candidates:
                    mapped[place] = self._map(place, known)
                else:
                    self.adopted.append(self._adopt(place, one))
            return [self._finish(mapped[place], facts) for place in sorted(mapped)]

    def _likely(self, known: Mapping[RecordRef, KnownRecord]) -> dict[int, Mapped]:
        """Places of records that are new, and made ready for the case that so are their people."""
        times = Counter(row.ref for row in self._rows)
        return {
            place: one
            for place, one in self._ready.items()
            if one.newcomer is not None and (ref := self._rows[place].ref) not in known and times[ref] == 1
        }

    def _adopt(self, place: int, one: Mapped) -> Adopted:
        row, ready = self._rows[place], _ready(one)
        mapping = self._ctx.sources[row.ref.source].mapping
        create = create_of(ready, self._ctx.run_id, self._planned_at or self._ctx.clock.now())
        return Adopted(row, ready, mapping.name, mapping.digest, one.claims, one.evidence, create)

    def plan_new(self, planning: Planning, resolved: Sequence[ResolvedRecord]) -> list[PersonPlan]:
        """Plans of the people whom nobody knew before this batch, and who stand nowhere in the org."""
        records: dict[str, list[ResolvedRecord]] = {}
        for row in resolved:
            if row.person_id:
                records.setdefault(row.person_id, []).append(row)
        new = {
            one: rows
            for one, rows in records.items()
            if rows[0].is_new_person and not any(row.org_links or row.review for row in rows)
        }
        # After a lost store the org may hold the lead of this very record: its external id says so (DESIGN 4).
        with self._ctx.watch.stage("look up"):
            known = self._ctx.store.candidates({("external_id", one) for one in new}) if new else {}
        views = [_view(one, rows) for one, rows in new.items() if ("external_id", one) not in known]
        planning.opt_outs.look_at_new(views, {row.ref: row.payload for row in resolved if _counts(row)})
        return [planning.within_limits(planning.plan(view)) for view in views]

    def _map(self, place: int, known: dict[RecordRef, KnownRecord]) -> MappedRow:
        row, ready = self._rows[place], self._ready.get(place)
        source = self._ctx.sources[row.ref.source]
        one = MappedRow(row, source)
        before = known.get(row.ref)
        at = row.source_at or row.received_at
        if before and not row.is_replay:
            if before.digest == row.digest and before.mapping_digest == source.mapping.digest:
                one.outcome, one.reason = InboxOutcome.UNCHANGED, "same_content"
                return one
            if (at, row.position) < (before.source_at, before.position):
                # A late arrival of an old version: the newer one stays, whatever came first (DESIGN 5.2).
                one.outcome, one.reason = InboxOutcome.SKIPPED, "older_version"
        if ready is None:
            lead = source.mapping.map(row.payload, source=source.name)
            one.keys = lead_keys(row.ref, lead)
        else:
            lead = _LEAD.decode(ready.lead or _ready(ready).lead)
            one.keys = LeadKeys(ready.claims, ready.evidence)
        if not one.reason:
            if lead.is_fatal:
                one.outcome = InboxOutcome.DEAD
                one.reason = next(problem.reason for problem in lead.problems if problem.is_fatal)
            elif lead.skipped:
                one.outcome, one.reason = InboxOutcome.SKIPPED, "skip_when"
        if one.outcome is InboxOutcome.APPLIED:
            one.lead = lead
            known[row.ref] = KnownRecord(row.digest, "", source.mapping.digest, at, row.position)
        elif lead.opt_outs and one.reason != "older_version":
            one.lead = consent_only(lead)
        elif one.reason != "older_version":
            # Without fields: nothing of it counts, but it is known that the record was here.
            one.lead = msgspec.structs.replace(lead, fields={}, may_create=False)
        return one

    def _drop_erased(self, mapped: Collection[MappedRow], owners: Mapping[RecordRef, str]) -> None:
        """People who were erased are not imported again (G9): their mailboxes and records are compared by keyed hash."""
        by_digest: dict[str, list[MappedRow]] = {}

        def digests() -> Iterator[str]:
            for one in mapped:
                for key in one.keys.claims if one.keys else (record_claim(one.row.ref),):
                    digest = tombstone_digest(self._ctx.secret, key)
                    by_digest.setdefault(digest, []).append(one)
                    yield digest

        withdrawn: dict[RecordRef, MappedRow] = {}
        for digest in self._ctx.store.tombstones(digests()):
            for one in by_digest[digest]:
                if one.lead is not None and one.lead.opt_outs:
                    withdrawn[one.row.ref] = one
                one.outcome, one.reason = InboxOutcome.SKIPPED, ERASED
        for one in mapped:
            if one.reason == ERASED and withdrawn.get(one.row.ref) is not one:
                one.lead = None
        self._keep_withdrawals(withdrawn, owners)

    def _keep_withdrawals(self, withdrawn: Mapping[RecordRef, MappedRow], owners: Mapping[RecordRef, str]) -> None:
        """Where the record is somebody else's and only the mailbox is the erased one's, their opt-out counts (G6); what was there stays."""
        owners = {ref: owners[ref] for ref in withdrawn if ref in owners}
        views = self._ctx.store.person_views(sorted(set(owners.values()))) if owners else []
        before = {record.ref: record.lead for view in views for record in view.records}
        payloads = self._ctx.store.payloads(list(owners)) if owners else {}
        for ref, one in withdrawn.items():
            lead, old, keys = one.lead, before.get(ref), one.keys
            one.lead = None
            if lead is None or old is None or keys is None:
                continue
            one.lead = msgspec.structs.replace(old, fields=old.fields | consent_only(lead).fields, touch=Touch())
            one.keys, one.kept = LeadKeys(keys.claims[:1], ()), payloads[ref]

    def _facts(
        self, mapped: Iterable[MappedRow], owners_by_ref: Mapping[RecordRef, str], likely: Collection[Mapped] = ()
    ) -> Facts:
        wanted = [one for one in mapped if one.keys and one.lead and is_resolvable(one)]
        looked_for: list[LeadKeys | Mapped] = [*(one.keys for one in wanted if one.keys), *likely]
        claims = {key for one in looked_for for key in one.claims if key[0] != RECORD_CLAIM}
        every = claims | {key for one in looked_for for key in one.evidence}
        # After a lost store the org may hold the lead of a newcomer: its external id says so (DESIGN 4).
        every |= {("external_id", _ready(one).person_id) for one in likely}
        owners = dict(self._ctx.store.claims(claims))
        # A record that is known is a claim of its person.
        owners |= {one.keys.claims[0]: owner for one in wanted if one.keys and (owner := owners_by_ref.get(one.row.ref))}
        return Facts(owners, self._ctx.store.candidates(every), self._ctx.store.person_candidates(set(owners.values())))

    def _finish(self, one: MappedRow, facts: Facts) -> ResolvedRecord:
        row = one.row
        lead = one.lead if is_resolvable(one) else None
        found: Resolution | None = None
        if lead is not None and one.keys is not None:
            found = resolve(row.ref, lead, one.keys, facts, self._ctx.secret)
            facts.learn(lead, found)
        mapping = one.source.mapping
        return ResolvedRecord(
            sequence=row.sequence,
            ref=row.ref,
            outcome=one.outcome,
            reason=one.reason,
            lead=one.lead,
            digest=row.digest if one.kept is None else b"",
            payload=row.payload if one.kept is None else one.kept,
            packed=row.packed if one.kept is None else None,
            lane=row.lane,
            mapping=mapping.name,
            mapping_digest=mapping.digest,
            source_at=row.source_at or row.received_at,
            position=row.position,
            locator=row.locator,
            dead_letter=self._dead_letter(one) if one.outcome is InboxOutcome.DEAD else None,
            **({} if found is None else self._answer(row, found)),
        )

    def _answer(self, row: InboxRow, found: Resolution) -> dict[str, Any]:
        """Who it is, as fields of a resolved record."""
        return {
            "person_id": found.person_id,
            "is_new_person": found.is_new,
            "person_state": found.state,
            "claims": found.claims,
            "evidence": found.evidence,
            "org_links": found.org_links,
            "link_evidence": found.rule,
            "dirty": True,
            "review": self._review(row, found),
        }

    def _dead_letter(self, one: MappedRow) -> DeadLetter:
        lead = one.lead
        fatal = [problem for problem in lead.problems if problem.is_fatal] if lead else []
        place = f"{one.source.mapping.file} line {fatal[0].line}: " if fatal and fatal[0].line else ""
        return DeadLetter(
            kind="record",
            stage="map",
            reason=one.reason,
            message=place + " ".join(problem.message for problem in fatal),
            source=one.row.ref.source,
            stream=one.row.ref.stream,
            key=one.row.ref.key,
            locator=one.row.locator,
            payload=one.row.payload,
            run_id=self._ctx.run_id,
            at=self._ctx.clock.now(),
        )

    def _review(self, row: InboxRow, resolution: Resolution) -> Review | None:
        if resolution.review is None:
            return None
        return Review(
            kind=resolution.review.kind,
            person_id=resolution.person_id,
            candidates=resolution.review.candidates,
            reason=resolution.review.reason,
            source=row.ref.source,
            stream=row.ref.stream,
            key=row.ref.key,
            run_id=self._ctx.run_id,
            at=self._ctx.clock.now(),
        )


def _ready(one: Mapped) -> Newcomer:
    """What was made ready; asked for only where something was."""
    assert one.newcomer is not None  # noqa: S101 - as said
    return one.newcomer


def _keys_of(one: LeadKeys | Mapped) -> tuple[Key, ...]:
    """The strong ones and the shared ones."""
    return one.claims + one.evidence


def _view(person_id: str, rows: Sequence[ResolvedRecord]) -> PersonView:
    """A new person as planning sees them: of each record its latest version, and nothing in the org."""
    latest = {row.ref: row for row in rows if _counts(row)}
    records = tuple(
        PersonRecord(row.ref, row.lead, row.source_at, row.position, row.locator, row.mapping, row.lane)
        for row in latest.values()
        if row.lead is not None and row.source_at is not None
    )
    return PersonView(person_id, rows[0].person_state, records)


def _counts(row: ResolvedRecord) -> bool:
    """Whether a row is a version of its record that is kept."""
    return row.lead is not None and row.source_at is not None
