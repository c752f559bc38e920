"""Map and resolve: inbox rows become persons, in one transaction per batch."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence

import msgspec

from syncd import events
from syncd.errors import ClaimConflictError
from syncd.identity import Facts, LeadKeys, Resolution, lead_keys, resolve
from syncd.model import CONSENT_FIELDS, InboxOutcome, Lead, RecordRef
from syncd.ports import DeadLetter, InboxRow, KnownRecord, ResolvedRecord, Review
from syncd.run.context import LEADS_PER_COMMIT, PassContext, Source

_CONFLICT_ATTEMPTS = 8


def advance_batch(ctx: PassContext, limit: int = LEADS_PER_COMMIT) -> int:
    """Move up to `limit` waiting records one stage on; gives how many. Writes the store.

    Another worker that takes a claim first makes the whole batch be resolved anew, with its person known.
    """
    rows = ctx.store.take_inbox(limit, list(ctx.sources))
    if not rows:
        return 0
    for attempt in range(_CONFLICT_ATTEMPTS):
        try:
            resolved = _Batch(ctx, rows).resolve()
            ctx.store.commit_resolved(ctx.run_id, resolved, ctx.clock.now())
        except ClaimConflictError:
            if attempt == _CONFLICT_ATTEMPTS - 1:
                raise
            continue
        _log_outcomes(ctx, resolved)
        break
    return len(rows)


class _Mapped(msgspec.Struct):
    """A row with what mapping made of it; `outcome` set when nothing more is to be resolved."""

    row: InboxRow
    source: Source
    lead: Lead | None = None
    keys: LeadKeys | None = None
    outcome: InboxOutcome = InboxOutcome.APPLIED
    reason: str = ""


class _Batch:
    """One batch from rows to resolved records; pure but for two look-ups in the store."""

    def __init__(self, ctx: PassContext, rows: Sequence[InboxRow]) -> None:
        self._ctx = ctx
        self._rows = rows

    def resolve(self) -> list[ResolvedRecord]:
        known = dict(self._ctx.store.known_records({row.ref for row in self._rows}))
        mapped = [self._map(row, known) for row in self._rows]
        self._drop_erased(mapped)
        facts = self._facts(mapped)
        return [self._finish(one, facts) for one in mapped]

    def _map(self, row: InboxRow, known: dict[RecordRef, KnownRecord]) -> _Mapped:
        source = self._ctx.sources[row.ref.source]
        one = _Mapped(row, source)
        before = known.get(row.ref)
        at = row.source_at or row.received_at
        if before and not row.is_replay:
            if before.digest == row.digest and before.mapping_digest == source.mapping.digest:
                one.outcome, one.reason = InboxOutcome.UNCHANGED, "same_content"
                return one
            if (at, row.position) < (before.source_at, before.position):
                # A late arrival of an old version: the newer one stays, whatever came first (DESIGN 5.2).
                one.outcome, one.reason = InboxOutcome.SKIPPED, "older_version"
        lead = source.mapping.map(row.payload, source=source.name)
        one.keys = lead_keys(row.ref, lead)
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
            one.lead = _consent_only(lead)
        else:
            one.lead = None if one.outcome is not InboxOutcome.DEAD else msgspec.structs.replace(lead, fields={})
        return one

    def _drop_erased(self, mapped: Sequence[_Mapped]) -> None:
        """People who were erased are not imported again (G9): compared by keyed hash."""
        digests = {
            tombstone_digest(self._ctx.secret, value): one
            for one in mapped
            if one.keys
            for kind, value in one.keys.claims
            if kind == "email"
        }
        for digest in self._ctx.store.tombstones(digests):
            one = digests[digest]
            one.outcome, one.reason, one.lead = InboxOutcome.SKIPPED, "erased", None

    def _facts(self, mapped: Sequence[_Mapped]) -> Facts:
        wanted = [one.keys for one in mapped if one.keys and one.lead and _is_resolvable(one)]
        claims = {key for keys in wanted for key in keys.claims}
        every = claims | {key for keys in wanted for key in keys.evidence}
        owners = self._ctx.store.claims(claims)
        return Facts(owners, self._ctx.store.candidates(every), self._ctx.store.person_candidates(set(owners.values())))

    def _finish(self, one: _Mapped, facts: Facts) -> ResolvedRecord:
        row = one.row
        base = ResolvedRecord(sequence=row.sequence, ref=row.ref, outcome=one.outcome, reason=one.reason)
        if one.outcome is InboxOutcome.DEAD:
            base = msgspec.structs.replace(base, dead_letter=self._dead_letter(one))
        if not _is_resolvable(one) or one.lead is None or one.keys is None:
            return base
        resolution = resolve(row.ref, one.lead, one.keys, facts, self._ctx.secret)
        facts.learn(one.lead, resolution)
        return msgspec.structs.replace(
            base,
            person_id=resolution.person_id,
            is_new_person=resolution.is_new,
            person_state=resolution.state,
            lead=one.lead,
            digest=row.digest,
            payload=row.payload,
            mapping=one.source.mapping.name,
            mapping_digest=one.source.mapping.digest,
            source_at=row.source_at or row.received_at,
            position=row.position,
            locator=row.locator,
            claims=resolution.claims,
            evidence=resolution.evidence,
            org_links=resolution.org_links,
            link_evidence=resolution.rule,
            dirty=True,
            review=self._review(row, resolution),
        )

    def _dead_letter(self, one: _Mapped) -> DeadLetter:
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


def _is_resolvable(one: _Mapped) -> bool:
    """Applied rows, and refused or skipped ones that withdraw consent (G6)."""
    return one.outcome is InboxOutcome.APPLIED or (one.lead is not None and bool(one.lead.opt_outs))


def _consent_only(lead: Lead) -> Lead:
    """What is left of a skipped or dead record: its withdrawals of consent, and nothing that could make a Lead."""
    kept = {name: value for name, value in lead.fields.items() if name in CONSENT_FIELDS and value.value is True}
    return msgspec.structs.replace(lead, fields=kept, may_create=False)


def tombstone_digest(secret: bytes, email_key: str) -> str:
    """The keyed hash under which an erased person's mailbox is remembered (hex, 64 characters)."""
    return hmac.new(secret, b"tombstone\0" + email_key.encode(), hashlib.sha256).hexdigest()


def _log_outcomes(ctx: PassContext, resolved: Sequence[ResolvedRecord]) -> None:
    adapted: Counter[tuple[str, str]] = Counter()
    rules: Counter[tuple[str, str]] = Counter()
    for one in resolved:
        if one.dead_letter:
            ctx.log.warning(
                events.RECORD_DEAD_LETTERED, source=one.ref.source, stream=one.ref.stream, stage="map", reason=one.reason
            )
        if one.review:
            ctx.log.info(events.REVIEW_OPENED, source=one.ref.source, person_id=one.person_id, reason=one.review.kind)
        if one.outcome is InboxOutcome.SKIPPED:
            ctx.log.debug(events.RECORD_SKIPPED, source=one.ref.source, stream=one.ref.stream, reason=one.reason)
            ctx.count_note(one.reason)
        for problem in one.lead.problems if one.lead else ():
            ctx.count_note(f"value:{problem.reason}")
            adapted[one.ref.source, problem.reason] += 1
        if one.person_id:
            rules[one.ref.source, one.link_evidence] += 1
    for (source, reason), count in adapted.items():
        ctx.log.debug(events.VALUE_ADAPTED, source=source, reason=reason, count=count)
    for (source, rule), count in rules.items():
        ctx.log.debug(events.LEAD_RESOLVED, source=source, reason=rule, count=count)
