"""Undo a run while the org still holds our values (G7, DESIGN 5.3).

Newest first; a field that somebody has changed since, or that a later run wrote again, stays as it is and is reported.
An opt-out is never cleared. A lead that the run created is deleted only if nobody has touched it or its task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from syncd.app.undo_tasks import MADE, leads_to_keep, made_kept
from syncd.errors import ConfigError
from syncd.model import (
    CONSENT_FIELDS,
    FieldSchema,
    Hold,
    Operation,
    OperationKind,
    OperationState,
    OrgRecord,
    Provenance,
    Value,
)
from syncd.plan import canonical
from syncd.ports import ERASED, Store
from syncd.run.context import OrgSession, PassContext
from syncd.run.mirror import re_read
from syncd.run.send import Sender

_WRITES = (OperationKind.UPDATE, OperationKind.STATUS, OperationKind.RESTORE)


class Kept(msgspec.Struct, frozen=True):
    """A field (or a whole record, field `""`) that the undo leaves alone, and why."""

    operation_id: str
    sf_id: str
    field: str
    reason: str


class UndoPlan(msgspec.Struct, frozen=True):
    """What an undo would do: operations to send, and what it leaves alone."""

    operations: tuple[Operation, ...]
    kept: tuple[Kept, ...]


def plan_undo(ctx: PassContext, session: OrgSession, run_id: str, make_id: Callable[[], str]) -> UndoPlan:
    """Work out the reverse of a run against the org as it is now. Re-reads the targets; writes only the mirror.

    Raises:
        ConfigError: Some of its writes may be kept no longer: half of an undo is none.
    """
    run, pruned = ctx.store.run(run_id), ctx.store.pruned_before()
    if run is not None and pruned is not None and run.started_at < pruned:
        raise ConfigError(
            f'The run "{run_id}" cannot be undone: what ended before {pruned:%Y-%m-%d} is kept no longer.',
            advice="Change the leads in Salesforce; store.retention_days says how long writes are kept.",
        )
    done = [one for one in ctx.store.operations_of_run(run_id) if one.state is OperationState.DONE]
    done.sort(
        key=lambda one: one.finished_at or one.planned_at or datetime.min.replace(tzinfo=ctx.clock.now().tzinfo), reverse=True
    )
    records = _current(ctx, session, done)
    machines = ctx.settings.machine_users | {session.identity.user_id}
    operations: list[Operation] = []
    kept: list[Kept] = []
    made = made_kept(session, done, machines)
    worked_on = leads_to_keep(done, made)
    for one in done:
        if reason := _why_never(one):
            kept.append(Kept(one.operation_id, one.sf_id, "", reason))
            continue
        if one.kind in MADE:
            if made[one.operation_id]:
                kept.append(Kept(one.operation_id, one.sf_id, "", made[one.operation_id]))
            else:
                operations.append(_reverse(ctx, one, OperationKind.DELETE, {}, {}, make_id()))
            continue
        record = records.get((one.object, one.sf_id))
        if record is None or record.row.is_deleted:
            kept.append(Kept(one.operation_id, one.sf_id, "", "gone"))
        elif one.kind is OperationKind.CREATE:
            reason = _why_not_deletable(one, record, session, machines)
            reason = reason or ("its_task_changed_since" if one.sf_id in worked_on else "")
            if reason:
                kept.append(Kept(one.operation_id, one.sf_id, "", reason))
            else:
                operations.append(_reverse(ctx, one, OperationKind.DELETE, {}, {}, make_id()))
        else:
            restored = _restorable(ctx.store, session, one, record, kept)
            if restored:
                held = {name: record.row.fields.get(name) for name in restored}
                operations.append(_reverse(ctx, one, OperationKind.RESTORE, restored, held, make_id()))
    return UndoPlan(_one_per_target(operations), tuple(kept))


def _why_never(one: Operation) -> str:
    """Why a write can never be undone (G7): the org takes no conversion back, nor what was set on its opportunity, nor a deletion; no source an action."""
    if any(why.rule == ERASED for why in one.provenance.values()):
        return "person_erased"
    if one.kind is OperationKind.ACTION:
        return "cannot_be_undone"
    if one.kind is OperationKind.EXPIRE:
        # REST knows no undelete (reference salesforce.md 9.4): a person takes it out of the recycle bin.
        return "in_recycle_bin_15_days"
    is_of_conversion = one.kind is OperationKind.CONVERT or (one.object == "Opportunity" and one.kind not in MADE)
    return "conversion_stays" if is_of_conversion else ""


def carry_out(ctx: PassContext, session: OrgSession, plan: UndoPlan) -> dict[str, int]:
    """Send an undo: holds first, so that no later pass writes the same values again. Gives operations by state."""
    for one in plan.operations:
        if one.kind is OperationKind.DELETE:
            continue
        # What is undone now is what syncd would write again: leave it alone until a source sends something else.
        holds = [Hold(name, value, f"undo of run {one.run_id}") for name, value in one.before.items()]
        ctx.store.put_holds(one.person_id, holds, {})
    ctx.store.put_operations(plan.operations)
    with Sender(ctx, session) as sender:
        # A lead may take its tasks along: they go first.
        sender.send([one for one in plan.operations if one.object not in session.fields])
        sender.send([one for one in plan.operations if one.object in session.fields])
        sender.drain()
    states = [one.state for one in ctx.store.operations_of_run(ctx.run_id)]
    return {str(state): states.count(state) for state in sorted(set(states))}


def _current(ctx: PassContext, session: OrgSession, done: Sequence[Operation]) -> dict[tuple[str, str], OrgRecord]:
    targets = sorted({(one.object, one.sf_id) for one in done if one.sf_id and one.object in session.fields})
    re_read(ctx, session, targets)
    return {(record.row.object, record.row.sf_id): record for record in ctx.store.org_records(targets)}


def _restorable(store: Store, session: OrgSession, one: Operation, record: OrgRecord, kept: list[Kept]) -> dict[str, Value]:
    """Fields of `one` that still hold our value, with what they held before."""
    schema = session.schema.objects.get(one.object)
    later = [
        other
        for other in store.operations_of(one.person_id)
        if other.state is OperationState.DONE
        and other.sf_id == one.sf_id
        and other.run_id != one.run_id
        and (other.finished_at or other.planned_at or _never(one)) > (one.finished_at or one.planned_at or _never(one))
    ]
    restored: dict[str, Value] = {}
    for name in one.fields:
        field = schema.fields.get(name) if schema else None
        reason = _why_kept(name, one, record, field, later)
        if reason:
            kept.append(Kept(one.operation_id, one.sf_id, name, reason))
        else:
            restored[name] = one.before.get(name)
    return restored


def _never(one: Operation) -> datetime:
    return datetime.min.replace(tzinfo=one.planned_at.tzinfo if one.planned_at else None)


def _why_kept(name: str, one: Operation, record: OrgRecord, field: FieldSchema | None, later: Sequence[Operation]) -> str:
    if name in CONSENT_FIELDS and one.fields[name] is True:
        return "opt_out_is_never_cleared"
    if any(name in other.fields for other in later):
        return "written_again_later"
    ours = record.base.get(name, one.fields[name])
    if canonical(record.row.fields.get(name), field) != canonical(ours, field):
        return "changed_since"
    return ""


def _why_not_deletable(one: Operation, record: OrgRecord, session: OrgSession, machines: frozenset[str]) -> str:
    if record.row.is_converted:
        return "converted"
    if record.row.modified_by not in machines:
        return "changed_since"
    if any(one.fields.get(name) is True for name in CONSENT_FIELDS):
        return "opt_out_is_never_cleared"
    schema = session.schema.objects.get(one.object)
    for name, sent in one.fields.items():
        field = schema.fields.get(name) if schema else None
        ours = record.base.get(name, sent)
        if name in record.row.fields and canonical(record.row.fields[name], field) != canonical(ours, field):
            return "changed_since"
    return ""


def _reverse(
    ctx: PassContext, one: Operation, kind: OperationKind, fields: dict[str, Value], before: dict[str, Value], operation_id: str
) -> Operation:
    why = Provenance(rule=f"undo {one.run_id}")
    return Operation(
        operation_id=operation_id,
        person_id=one.person_id,
        object=one.object,
        sf_id=one.sf_id,
        kind=kind,
        fields=fields,
        before=before,
        provenance=dict.fromkeys(fields, why) or {"": why},
        source=one.source,
        run_id=ctx.run_id,
        planned_at=ctx.clock.now(),
    )


def _one_per_target(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """A deletion makes restores of the same record pointless; several restores become one, the oldest before-image winning."""
    deleted = {one.sf_id for one in operations if one.kind is OperationKind.DELETE}
    merged: dict[str, Operation] = {}
    for one in operations:
        if one.kind is OperationKind.DELETE:
            merged[one.sf_id] = one
        elif one.sf_id not in deleted:
            before = merged.get(one.sf_id)
            if before is None:
                merged[one.sf_id] = one
            else:
                # `operations` runs from the newest write to the oldest, so the later one restores further back.
                merged[one.sf_id] = msgspec.structs.replace(
                    before,
                    fields={**before.fields, **one.fields},
                    before={**one.before, **before.before},
                    provenance={**before.provenance, **one.provenance},
                )
    return tuple(merged.values())
