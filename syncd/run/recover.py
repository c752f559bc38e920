"""Start-up and the end of a pass: settle what an earlier process, or a lost answer, left open.

Planned and held operations never reached the org: they are planned anew. Sent ones may have: the org is asked before
anything is repeated (DESIGN 5.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from syncd import events
from syncd.model import CREATING, DELETING, ORG_KINDS, Operation, OperationKind, OperationState, OrgRow, OrgSchema
from syncd.plan import canonical
from syncd.ports import OperationResult
from syncd.run.context import IDS_PER_READ, OrgSession, PassContext
from syncd.run.converting import adopt, close_questions
from syncd.run.echo import echo_base
from syncd.run.mirror import put_rows

_MANY = 1_000_000
_FIRST_LOOK_SECONDS = 0.5


def recover(ctx: PassContext) -> None:
    """Take over from the process, or the pass, before: nothing is sent here, so it needs no org. Writes the store.

    What other passes of this process have under way is left to them. Actions wait for their source (`syncd.run.acting`) unless a guard
    held them.
    """
    held = (OperationState.HELD,)
    count = _move(ctx, (OperationState.PLANNED, *held), OperationState.SUPERSEDED, dirty=True)
    count += _move(ctx, held, OperationState.SUPERSEDED, dirty=True, kinds=(OperationKind.ACTION,))
    count += _move(ctx, (OperationState.SENT,), OperationState.UNKNOWN, dirty=False)
    if count:
        ctx.log.warning(events.RUN_RECOVERED, stage="recover", count=count)


def _move(
    ctx: PassContext,
    states: Sequence[OperationState],
    to: OperationState,
    *,
    dirty: bool,
    kinds: Sequence[OperationKind] = ORG_KINDS,
) -> int:
    """Move all operations of `states`, a slice at a time: a guard that stopped a re-mapping may have left one for everybody."""
    count = 0
    while operations := ctx.store.operations(states, IDS_PER_READ, other_than=ctx.others(), kinds=kinds):
        ids = [operation.operation_id for operation in operations]
        ctx.store.set_operation_states(ids, to, dirty=dirty, at=ctx.clock.now())
        count += len(ids)
    return count


def settle_unknown(ctx: PassContext, session: OrgSession, *, wait: bool) -> int:
    """Ask the org what became of operations without an answer; gives how many are still unknown.

    A write that is there counts as done at once. One that is not there is planned anew only when the request time-out
    since it was sent has passed: until then the org may still be at it. With `wait`, waits for that; else leaves them.
    """
    pause = _FIRST_LOOK_SECONDS
    while True:
        unknown = ctx.store.operations((OperationState.UNKNOWN,), _MANY, other_than=ctx.others(), kinds=ORG_KINDS)
        if not unknown:
            return 0
        left = 0
        for start in range(0, len(unknown), IDS_PER_READ):
            left += _settle(ctx, session, unknown[start : start + IDS_PER_READ])
        if not left or not wait or ctx.is_stopping:
            return left
        ctx.pause(pause)
        pause = min(pause * 2, 5.0)


def _settle(ctx: PassContext, session: OrgSession, unknown: Sequence[Operation]) -> int:
    """One look; gives how many of `unknown` must be looked at again later."""
    now = ctx.clock.now()
    limit = timedelta(seconds=ctx.settings.request_timeout_seconds)
    rows = _look_up(session, unknown)
    put_rows(ctx, [row for row in rows.values() if row is not None and row.object in session.fields])
    converted = {one.person_id: row for one in unknown if _is_conversion(one, row := rows.get(one.operation_id))}
    adopt(ctx, session, {person_id: _made_by(row) for person_id, row in converted.items()})
    close_questions(ctx, {person_id: row.sf_id for person_id, row in converted.items() if row is not None})
    results: list[OperationResult] = []
    for operation in unknown:
        row = rows.get(operation.operation_id)
        if is_intended(operation, row, session.schema):
            results.append(_done(ctx, session, operation, row))
        elif operation.sent_at is None or now - operation.sent_at >= limit:
            # Not carried out, or someone has changed the record since: theirs stays and the person is planned anew.
            results.append(OperationResult(operation.operation_id, OperationState.SUPERSEDED, operation.sf_id, dirty=True))
    if results:
        ctx.store.commit_results(ctx.run_id, results, now)
    return len(unknown) - len(results)


def _look_up(session: OrgSession, unknown: Sequence[Operation]) -> dict[str, OrgRow | None]:
    """The org's record for each operation id: by external id for what creates, by id for the others."""
    found: dict[str, OrgRow | None] = {}
    for name in sorted({operation.object for operation in unknown}):
        mine = [operation for operation in unknown if operation.object == name]
        fields = session.fields.get(name, ())
        creates = [operation for operation in mine if operation.kind in CREATING]
        if creates:
            rows = session.org.find_by_external_id(name, [one.external_id for one in creates], fields)
            found.update({one.operation_id: next(iter(rows.get(one.external_id, [])), None) for one in creates})
        others = [operation for operation in mine if operation.kind not in CREATING]
        if others:
            by_id = session.org.retrieve(name, sorted({one.sf_id for one in others}), fields)
            found.update({one.operation_id: by_id.get(one.sf_id) for one in others})
    return found


def _is_conversion(operation: Operation, row: OrgRow | None) -> bool:
    return operation.kind is OperationKind.CONVERT and row is not None and row.is_converted


def _made_by(lead: OrgRow | None) -> dict[str, str]:
    """What a converted lead became."""
    return {"Account": str(lead.fields.get("ConvertedAccountId") or ""), "Contact": lead.contact_id} if lead is not None else {}


def is_intended(operation: Operation, row: OrgRow | None, schema: OrgSchema) -> bool:
    """Whether the org holds what `operation` meant to write. Pure.

    A create is done when its external id exists: what else differs is the org's or a person's doing. So is a conversion when the
    lead is converted: that happens once, by whomever.
    """
    if operation.kind in DELETING:
        # Gone is gone, by whomever: it is never sent again.
        return row is None or row.is_deleted
    if row is None or row.is_deleted:
        return False
    if operation.kind in CREATING:
        return True
    if operation.kind is OperationKind.CONVERT:
        return row.is_converted
    described = schema.objects.get(operation.object)
    fields = described.fields if described else {}
    return all(
        canonical(row.fields.get(name), fields.get(name)) == canonical(value, fields.get(name))
        for name, value in operation.fields.items()
    )


def _done(ctx: PassContext, session: OrgSession, operation: Operation, row: OrgRow | None) -> OperationResult:
    if row is None or row.object not in session.fields:
        return OperationResult(operation.operation_id, OperationState.DONE, row.sf_id if row else operation.sf_id, dirty=True)
    machines = ctx.settings.machine_users | {session.identity.user_id}
    base = echo_base(operation, row, session.schema.objects.get(operation.object), machines)
    return OperationResult(operation.operation_id, OperationState.DONE, row.sf_id, echo=row, base=base, dirty=True)
