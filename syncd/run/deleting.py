"""Deletions after retention inside one pass: what exports hold, the last look before the call, and who waits for an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncd import events
from syncd.model import Operation, OperationKind, OperationState, OrgRecord, OrgRow, PersonState, PersonView
from syncd.plan import (
    MAY_NOT,
    NEEDS_EXPORT,
    carry_deletion,
    exported_digest,
    exported_fields,
    may_delete,
    standing_record,
    why_kept,
)
from syncd.plan.standards import Carried
from syncd.policy import Enforcement, Policy, Section, Verdict
from syncd.ports import ExportedLead
from syncd.run.context import ROWS_PER_CALL, OrgSession, PassContext
from syncd.run.mirror import refresh_mirror

LEAD = "Lead"
COUNTED = 10_000
"""Leads that wait for an export are counted up to here."""

Judge = Callable[[Sequence[PersonView]], dict[str, Verdict]]
"""What the policy says of people now, by person."""


def deletion_rules(policy: Policy) -> tuple[str, ...]:
    """Ids of the rules that delete."""
    return tuple(one.rule_id for one in policy.rules if one.section is Section.DELETE and one.enforcement is Enforcement.ENFORCE)


class Deletions:
    """What `ctx.policy` deletes in this pass."""

    def __init__(self, ctx: PassContext, session: OrgSession) -> None:
        """Nothing is looked up yet."""
        self._ctx = ctx
        self._session = session
        self._is_asked = bool(deletion_rules(ctx.policy))
        self._exported: dict[str, ExportedLead] = {}

    def look(self, views: Sequence[PersonView]) -> None:
        """Look up what exports hold of the leads of `views`."""
        if self._is_asked:
            ids = [
                one.row.sf_id for view in views for one in view.org_records if one.row.object == LEAD and not one.row.is_deleted
            ]
            self._exported = self._ctx.store.exported(ids)

    def carry(self, verdict: Verdict, view: PersonView, record: OrgRecord, carried: Carried) -> Carried:
        """`carried` with the deletion that the verdict wants, if nothing else is to be written."""
        if not verdict.deletes or carried.writes:
            return carried
        exported = self._exported.get(record.row.sf_id)
        return carry_deletion(self._ctx.policy, verdict, view, record, self._session.schema, exported, carried)


def last_look(ctx: PassContext, session: OrgSession, held: Sequence[Operation], judge: Judge) -> list[Operation]:
    """Those of at most 200 deletions that may be carried out this very moment; the people of the others are planned anew.

    The mirror is refreshed, tasks and events with it; the policy is asked once more, and every field is compared with what the export
    holds. The leads themselves are in the mirror as they were read a moment ago.
    """
    expiring = [one for one in held if one.kind is OperationKind.EXPIRE]
    if not expiring:
        return []
    refresh_mirror(ctx, session)
    views = {view.person_id: view for view in ctx.store.person_views(sorted({one.person_id for one in expiring}))}
    verdicts = judge(list(views.values()))
    exported = ctx.store.exported([one.sf_id for one in expiring])
    rows = read_whole(session, [one.sf_id for one in expiring])
    may, outdated = [], []
    for one in expiring:
        lead, row = exported.get(one.sf_id), rows.get(one.sf_id)
        if not _is_due(one, views.get(one.person_id), verdicts.get(one.person_id)):
            continue
        if lead is None or row is None or lead.export_id != one.fields["export"]:
            continue
        if lead.stamp == row.stamp and lead.digest == exported_digest(row, session.schema):
            may.append(one)
        elif lead.stamp == row.stamp:
            # The same record with other content, as after a field was added: nothing but a new export helps.
            outdated.append(one.sf_id)
    if outdated:
        ctx.store.forget_exported(outdated)
    others = {one.operation_id for one in expiring} - {one.operation_id for one in may}
    if others:
        ctx.store.set_operation_states(sorted(others), OperationState.SUPERSEDED, dirty=True, at=ctx.clock.now())
    return may


def read_whole(session: OrgSession, sf_ids: Sequence[str]) -> dict[str, OrgRow]:
    """Leads with every field that syncd may see, as the org has them now; those that are gone are left out."""
    fields = exported_fields(session.schema)
    found: dict[str, OrgRow] = {}
    for start in range(0, len(sf_ids), ROWS_PER_CALL):
        rows = session.org.retrieve(LEAD, sf_ids[start : start + ROWS_PER_CALL], fields)
        found |= {sf_id: row for sf_id, row in rows.items() if row is not None and not row.is_deleted}
    return found


def tell_waiting(ctx: PassContext, session: OrgSession) -> None:
    """Count who waits for an export, and log it once when it begins. Writes the store if that is news."""
    rules = deletion_rules(ctx.policy)
    if not rules:
        return
    count = ctx.store.waiting_for_export(rules, ctx.clock.now(), COUNTED)
    ctx.notes.pop(NEEDS_EXPORT, None)
    if not count:
        ctx.regain(NEEDS_EXPORT)
        return
    if not may_delete(session.schema):
        ctx.notes[MAY_NOT] = count
        return
    ctx.count_note(NEEDS_EXPORT, count)
    if ctx.lose(NEEDS_EXPORT):
        ctx.log.warning(events.EXPORT_NEEDED, stage="plan", count=count)


def _is_due(one: Operation, view: PersonView | None, verdict: Verdict | None) -> bool:
    """Whether the policy still wants the deletion, and nothing else forbids it."""
    record = standing_record(view.org_records) if view is not None else None
    if view is None or verdict is None or record is None or view.state is not PersonState.ACTIVE:
        return False
    is_alone = all(other.operation_id == one.operation_id or other.is_beside for other in view.open_operations)
    return bool(verdict.deletes) and is_alone and record.row.sf_id == one.sf_id and not why_kept(view, record)


__all__ = ["Deletions", "deletion_rules", "last_look", "read_whole", "tell_waiting"]
