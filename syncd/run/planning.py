"""From a person to a plan, inside one pass: policy, planner, and the limits of the pass. Reads and writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from syncd import events
from syncd.model import Lane, Operation, OperationKind, OperationState, PersonView
from syncd.plan import plan_person
from syncd.policy import Policy, decide
from syncd.ports import Newcomer, PersonPlan, StoredFacts
from syncd.run.context import OrgSession, PassContext
from syncd.run.newcomers import Terms, reasons_of, unassigned_if_old
from syncd.run.opt_outs import OptOuts
from syncd.run.standards import Standards

MakeId = Callable[[], str]


class Planning:
    """Plans people for one pass; remembers only sums."""

    def __init__(self, ctx: PassContext, session: OrgSession, make_id: MakeId) -> None:
        """Nothing is planned yet."""
        self._ctx = ctx
        self._session = session
        self._make_id = make_id
        policy = ctx.policy
        self._terms = Terms(
            run_id=ctx.run_id,
            secret=ctx.secret,
            schema=session.schema,
            policy=Policy(policy.status_on_create, policy.on_deleted, policy.allow_clear, policy.digest),
            external_id_field=ctx.settings.external_id_field,
            own_user_id=session.identity.user_id,
            assignments={name: source.assignment for name, source in ctx.sources.items()},
            starts={name: source.start_from for name, source in ctx.sources.items()},
            takers=frozenset(ctx.takers),
        )
        self._starts = self._terms.starts
        self._settings = self._terms.settings()
        self.standards = Standards(ctx, session, self._starts) if ctx.policy.programs else None
        """The company's policy at work; None where it has no programs."""
        self.opt_outs = OptOuts(ctx, session)
        """Who must be looked at (`look`) before they are planned."""
        self.unchanged = 0
        self._held: set[str] = set()

    def plan(self, view: PersonView, stored: StoredFacts | None = None) -> PersonPlan:
        """The plan of one person, ready to be stored: guarded operations held, assignment off where it must not run.

        `stored` is what `Standards.facts` gave of the person; None for somebody who is new.
        """
        ctx = self._ctx
        decision = decide(ctx.policy, view)
        carry_out = None
        if self.standards is not None:
            decision, carry_out = self.standards.decide(view, stored, decision)
        plan = plan_person(
            view,
            decision,
            self._session.schema,
            self._settings,
            make_id=self._make_id,
            at=ctx.clock.now(),
            run_id=ctx.run_id,
            carry_out=carry_out,
            opt_outs=self.opt_outs.settings(),
        )
        if not plan.operations:
            return plan
        adapted = tuple([self._adapted(view, one) for one in plan.operations])
        if all(one is before for one, before in zip(adapted, plan.operations, strict=True)):
            return plan
        return msgspec.structs.replace(plan, operations=adapted)

    def _adapted(self, view: PersonView, operation: Operation) -> Operation:
        """Hold what is guarded until the pass is counted; leave assignment off where it must not run (DESIGN 5.3)."""
        # Of a policy that was changed nobody knows yet how many it moves, or mails.
        is_unsettled = self.standards is not None and self.standards.is_new
        if operation.kind in (OperationKind.OPPORTUNITY, OperationKind.ACTION) and operation.state is OperationState.PLANNED:
            # An opt-out that travels is counted like any other.
            if operation.is_guarded and operation.kind is OperationKind.ACTION:
                return msgspec.structs.replace(operation, state=OperationState.HELD)
            return msgspec.structs.replace(operation, state=OperationState.HELD) if is_unsettled else operation
        if operation.is_beside or operation.object == "Opportunity":
            return operation
        if view.failures and operation.kind is not OperationKind.EXPIRE:
            operation = msgspec.structs.replace(operation, attempt=view.failures)
        if operation.is_guarded or self._is_of_remapping(view, operation):
            return msgspec.structs.replace(operation, state=OperationState.HELD)
        if operation.kind is OperationKind.STATUS and is_unsettled:
            return msgspec.structs.replace(operation, state=OperationState.HELD)
        return unassigned_if_old(operation, view, self._starts)

    @staticmethod
    def _is_of_remapping(view: PersonView, operation: Operation) -> bool:
        """Whether a known record would change because a mapping has changed, not because anybody did anything."""
        if operation.kind is not OperationKind.UPDATE:
            return False
        remapped = {record.ref for record in view.records if record.lane is Lane.REMAP}
        return bool(remapped) and any((why.source, why.stream, why.key) in remapped for why in operation.provenance.values())

    def terms_of_newcomers(self) -> Terms | None:
        """What making newcomers ready beside the engine depends on; None where a policy has programs, which are asked here."""
        return self._terms if self.standards is None else None

    def has_room_for(self, creates: int) -> bool:
        """Whether so many creates are within the limits, whatever else comes."""
        ctx = self._ctx
        limit = ctx.settings.max_creates_per_pass
        return limit is None or ctx.settings.force or ctx.creates_sent + creates <= limit

    def within_limits(self, plan: PersonPlan) -> PersonPlan:
        """Refuse creates beyond `max_creates_per_pass`; the person stays dirty, and is counted once, however often they are planned.

        Raises nothing here: the stop is raised when the pass is counted, so that updates still go out.
        """
        ctx = self._ctx
        creates = sum(operation.kind is OperationKind.CREATE for operation in plan.operations)
        if not creates:
            return plan
        if self.has_room_for(creates):
            self.let_go([plan.person_id])
            ctx.creates_sent += creates
            return plan
        if plan.person_id not in self._held:
            self._held.add(plan.person_id)
            ctx.count_note("held_by_guard")
        kept = tuple(operation for operation in plan.operations if operation.kind is not OperationKind.CREATE)
        return msgspec.structs.replace(plan, operations=kept, stays_dirty=True)

    def let_go(self, person_ids: Iterable[str]) -> None:
        """These people are held back no longer."""
        found = self._held.intersection(person_ids)
        if found:
            self._held -= found
            self._ctx.count_note("held_by_guard", -len(found))

    def note(self, plans: Iterable[PersonPlan], views: Sequence[PersonView] = ()) -> None:
        """Add plans to the sums of the pass. A field that is rewritten against us again and again is reported once (DESIGN 5.1)."""
        before = {view.person_id: view.notes for view in views}
        reasons: Counter[str] = Counter()
        people = operations = 0
        for plan in plans:
            people += 1
            operations += len(plan.operations)
            self.unchanged += not plan.operations and not plan.stays_dirty
            reasons.update(reasons_of(plan))
            for name, note in plan.notes.items():
                if note == "field_contested" and before.get(plan.person_id, {}).get(name) != note:
                    self._ctx.log.warning(events.FIELD_CONTESTED, person_id=plan.person_id, field=name, stage="plan")
        self._count(reasons, people, operations)

    def note_newcomers(self, newcomers: Iterable[Newcomer]) -> None:
        """The same of people who were made ready beside."""
        reasons: Counter[str] = Counter()
        people = operations = 0
        for one in newcomers:
            people += 1
            operations += bool(one.operation_id)
            self.unchanged += not one.operation_id and not one.stays_dirty
            reasons.update(one.reasons)
        self._count(reasons, people, operations)

    def _count(self, reasons: Counter[str], people: int, operations: int) -> None:
        for reason, count in reasons.items():
            self._ctx.count_note(reason, count)
        self._ctx.progress("planned", {"persons": people, "operations": operations})
