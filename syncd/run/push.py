"""Plan and push: dirty persons become operations, operations become calls, answers become base.

One round takes at most 1,000 persons: plan against the mirror; re-read what would be written; plan again; store;
mark as sent; call; store the outcome; read the echo. No transaction spans a call (STYLE 1.6).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from syncd import events
from syncd.errors import GuardError
from syncd.model import (
    Assignment,
    Operation,
    OperationKind,
    OperationState,
    OrgRow,
    PersonView,
)
from syncd.plan import PlanSettings, guard_reason, plan_person
from syncd.policy import decide
from syncd.ports import PersonPlan
from syncd.run.context import IDS_PER_READ, LEADS_PER_ROUND, OrgSession, PassContext
from syncd.run.late import settle_late_matches
from syncd.run.mirror import put_rows, refresh_mirror
from syncd.run.send import Sender

MakeId = Callable[[], str]


class Pusher:
    """Plans and pushes for one pass. Holds only sums; everything else is in the store."""

    def __init__(self, ctx: PassContext, session: OrgSession, make_id: MakeId) -> None:
        """Start with nothing sent."""
        self._ctx = ctx
        self._session = session
        self._make_id = make_id
        self._sender = Sender(ctx, session)
        self.unchanged = 0

    def push_dirty(self) -> None:
        """Plan and push every person that may be planned now; guarded operations are only collected (state held)."""
        after = ""
        while not self._ctx.pushing_stopped:
            ids = self._ctx.store.dirty_persons(LEADS_PER_ROUND, after)
            if not ids:
                return
            after = ids[-1]
            self._round([one for one in ids if one not in self._sender.failed])

    def push_until_clean(self) -> None:
        """Repeat `push_dirty` while rounds leave more to plan (consent goes first, the rest follows).

        Bounded: a person whose operations never settle waits for the next pass.
        """
        for _ in range(6):
            waiting = self._ctx.store.dirty_persons(len(self._sender.failed) + 1)
            if self._ctx.pushing_stopped or not set(waiting) - self._sender.failed:
                return
            self.push_dirty()

    def release_held(self) -> None:
        """Judge the operations held in this pass and send them, or stop.

        Raises:
            GuardError: They would change more than the configured share; they stay held for `--force`.
        """
        held = self._ctx.store.operations((OperationState.HELD,), 1_000_000)
        if not held or self._ctx.pushing_stopped:
            return
        stats = self._ctx.store.stats()
        reason = guard_reason(
            guarded=len({operation.person_id for operation in held}),
            known=int(stats.get("persons", 0)),
            max_changed_share=self._ctx.settings.max_changed_share,
        )
        if reason and not self._ctx.settings.force:
            self._ctx.log.error(events.GUARD_STOPPED, stage="push", count=len(held))
            raise GuardError(reason, advice='Look at them with "syncd plan"; "syncd run --once --force" carries them out.')
        for start in range(0, len(held), LEADS_PER_ROUND):
            part = held[start : start + LEADS_PER_ROUND]
            fresh = self._fresh_only(part)
            self._sender.send(fresh)

    def _fresh_only(self, held: Sequence[Operation]) -> list[Operation]:
        """Those of `held` whose targets still hold what they held at planning time; the others are planned anew."""
        self._reread(held)
        records = {
            (record.row.object, record.row.sf_id): record.row
            for record in self._ctx.store.org_records([(operation.object, operation.sf_id) for operation in held])
        }
        fresh: list[Operation] = []
        stale: list[Operation] = []
        for operation in held:
            row = records.get((operation.object, operation.sf_id))
            same = row is not None and all(row.fields.get(name) == value for name, value in operation.before.items())
            (fresh if same else stale).append(operation)
        if stale:
            ids = [operation.operation_id for operation in stale]
            self._ctx.store.set_operation_states(ids, OperationState.SUPERSEDED, dirty=True, at=self._ctx.clock.now())
        return fresh

    def _round(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        views = self._ctx.store.person_views(ids)
        plans = [self._plan(view) for view in views]
        if any(operation.kind is OperationKind.CREATE for plan in plans for operation in plan.operations):
            settled = settle_late_matches(self._ctx, views, plans)
            plans = [plan for plan in plans if plan.person_id not in settled]
        targets = [operation for plan in plans for operation in plan.operations if operation.sf_id]
        if targets:
            # The last look before the write: a rep's edit since the mirror was read must be seen (G4).
            self._reread(targets)
            touched = {operation.person_id for operation in targets}
            again = {view.person_id: self._plan(view) for view in self._ctx.store.person_views(sorted(touched))}
            plans = [again.get(plan.person_id, plan) for plan in plans]
        plans = [self._within_limits(plan) for plan in plans]
        self._ctx.store.commit_plans(self._ctx.run_id, plans, self._ctx.clock.now())
        self._note(plans)
        self._report_contested(views, plans)
        now = [operation for plan in plans for operation in plan.operations if operation.state is OperationState.PLANNED]
        self._sender.send(now)

    def _plan(self, view: PersonView) -> PersonPlan:
        settings = PlanSettings(
            external_id_field=self._ctx.settings.external_id_field,
            assignments={name: source.assignment for name, source in self._ctx.sources.items()},
        )
        plan = plan_person(
            view,
            decide(self._ctx.policy, view),
            self._session.schema,
            settings,
            make_id=self._make_id,
            at=self._ctx.clock.now(),
            run_id=self._ctx.run_id,
        )
        operations = tuple(self._adapt(view, operation) for operation in plan.operations)
        return msgspec.structs.replace(plan, operations=operations)

    def _adapt(self, view: PersonView, operation: Operation) -> Operation:
        """Hold what is guarded until the pass is counted; leave assignment off where it must not run (DESIGN 5.3)."""
        operation = msgspec.structs.replace(operation, attempt=view.failures)
        if operation.is_guarded:
            return msgspec.structs.replace(operation, state=OperationState.HELD)
        if operation.kind is OperationKind.CREATE and operation.assignment and operation.assignment.use_rule:
            starts = {name: source.start_from for name, source in self._ctx.sources.items()}
            is_old = all(
                (start := starts.get(record.ref.source)) is not None and record.source_at < start for record in view.records
            )
            if is_old or view.was_create_sent:
                return msgspec.structs.replace(operation, assignment=Assignment(use_rule=False))
        return operation

    def _reread(self, operations: Sequence[Operation]) -> None:
        """Read the targets of `operations` anew into the mirror; 2,000 ids a call."""
        for name in sorted({operation.object for operation in operations}):
            ids = sorted({operation.sf_id for operation in operations if operation.object == name and operation.sf_id})
            missing: list[str] = []
            for start in range(0, len(ids), IDS_PER_READ):
                part = ids[start : start + IDS_PER_READ]
                rows = self._session.org.retrieve(name, part, self._session.fields[name])
                put_rows(self._ctx, [row for row in rows.values() if row is not None])
                missing.extend(sf_id for sf_id in part if rows.get(sf_id) is None)
            if missing:
                self._settle_missing(name, missing)

    def _settle_missing(self, name: str, missing: Sequence[str]) -> None:
        """Records that cannot be read: deleted, merged (the mirror knows the survivor), or hidden from us."""
        refresh_mirror(self._ctx, self._session, force=True)
        known = self._ctx.store.org_records([(name, sf_id) for sf_id in missing])
        gone: list[OrgRow] = [
            msgspec.structs.replace(record.row, is_deleted=True) for record in known if not record.row.is_deleted
        ]
        put_rows(self._ctx, gone)

    def _within_limits(self, plan: PersonPlan) -> PersonPlan:
        """Refuse creates beyond `max_creates_per_pass`; the person stays dirty.

        Raises nothing here: the stop is raised when the pass is counted, so that updates still go out.
        """
        limit = self._ctx.settings.max_creates_per_pass
        creates = [operation for operation in plan.operations if operation.kind is OperationKind.CREATE]
        if not creates or limit is None or self._ctx.settings.force or self._ctx.creates_sent + len(creates) <= limit:
            self._ctx.creates_sent += len(creates)
            return plan
        self._ctx.count_note("held_by_guard", len(creates))
        kept = tuple(operation for operation in plan.operations if operation.kind is not OperationKind.CREATE)
        return msgspec.structs.replace(plan, operations=kept, stays_dirty=True)

    def _report_contested(self, views: Sequence[PersonView], plans: Sequence[PersonPlan]) -> None:
        """A field that is rewritten against us again and again is reported once (DESIGN 5.1)."""
        before = {view.person_id: view.notes for view in views}
        for plan in plans:
            for name, note in plan.notes.items():
                if note == "field_contested" and before.get(plan.person_id, {}).get(name) != note:
                    self._ctx.log.warning(events.FIELD_CONTESTED, person_id=plan.person_id, field=name, stage="plan")

    def _note(self, plans: Sequence[PersonPlan]) -> None:
        reasons: Counter[str] = Counter()
        for plan in plans:
            self.unchanged += not plan.operations and not plan.stays_dirty
            reasons.update(set(plan.notes.values()) - {"unchanged"})
        for reason, count in reasons.items():
            self._ctx.count_note(reason, count)
        self._ctx.progress("planned", {"persons": len(plans), "operations": sum(len(plan.operations) for plan in plans)})
