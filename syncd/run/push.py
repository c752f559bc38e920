"""Plan and push people who are known: dirty persons become operations, operations become calls, answers become base.

One round takes at most 1,000 persons: plan against the mirror; re-read what would be written; plan again; store; send.
New people of a batch are planned where they are resolved (`syncd.run.advance`). No transaction spans a call (STYLE 1.6).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from syncd.errors import GuardError
from syncd.model import Lane, Operation, OperationKind, OperationState, OrgRow, PersonView
from syncd.plan import GUARD_FLOOR, guard_reason
from syncd.ports import PersonPlan
from syncd.run.context import IDS_PER_READ, LEADS_PER_ROUND, ROWS_PER_CALL, OrgSession, PassContext
from syncd.run.converting import with_contacts
from syncd.run.deleting import last_look
from syncd.run.late import settle_late_matches
from syncd.run.mirror import put_rows, refresh_mirror
from syncd.run.outage import note_guard
from syncd.run.planning import Planning
from syncd.run.reach import with_reach
from syncd.run.send import Sender


class Pusher:
    """Plans and pushes known people for one pass. Holds nothing that is not in the store too."""

    def __init__(self, ctx: PassContext, session: OrgSession, planning: Planning, sender: Sender) -> None:
        """Start with nothing sent."""
        self._ctx = ctx
        self._session = session
        self._planning = planning
        self._sender = sender
        self.among: Sequence[str] | None = None
        """Only these people are planned; None: everybody."""
        self._idle: set[str] = set()

    def push_dirty(self) -> None:
        """Plan and push every person that may be planned now; guarded operations are only collected (state held)."""
        after = ""
        while not self._ctx.pushing_stopped and not self._ctx.is_stopping:
            ids = self._ctx.store.dirty_persons(LEADS_PER_ROUND, after, self.among)
            if not ids:
                return
            after = ids[-1]
            self._round([one for one in ids if one not in self._sender.failed])

    def push_until_clean(self) -> None:
        """Repeat `push_dirty` while rounds leave more to plan (consent goes first, the rest follows).

        Bounded: a person whose operations never settle waits for the next pass.
        """
        self._idle = set()
        for _ in range(6):
            with self._ctx.turn.aside():
                self._sender.drain()
            done_with = self._sender.failed | self._idle
            waiting = self._ctx.store.dirty_persons(len(done_with) + 1, among=self.among)
            if self._ctx.pushing_stopped or not set(waiting) - done_with:
                return
            self.push_dirty()
        with self._ctx.turn.aside():
            self._sender.drain()

    def release_held(self) -> bool:
        """Judge the operations held in this pass and send them, or stop; gives whether there were any.

        Raises:
            GuardError: They would change more than the configured share; they stay held for `--force`.
        """
        store = self._ctx.store
        guarded = store.held_persons(self._ctx.run_id)
        if not guarded or self._ctx.pushing_stopped:
            return False
        reason = None if self._ctx.settings.force else self._why_stopped(guarded + self._ctx.guarded_before)
        if reason:
            note_guard(self._ctx, guarded)
            raise GuardError(reason, advice='Look at them with "syncd plan"; "syncd run --once --force" carries them out.')
        # A re-mapping may hold one for everybody: a round at a time, each leaves the state of being held.
        while not self._ctx.pushing_stopped:
            part = store.operations((OperationState.HELD,), LEADS_PER_ROUND, self._ctx.run_id)
            if not part:
                break
            fresh = self._fresh_only([one for one in part if one.kind not in (OperationKind.ACTION, OperationKind.EXPIRE)])
            self._send(fresh)
            expiring = [one for one in part if one.kind is OperationKind.EXPIRE]
            for start in range(0, len(expiring), ROWS_PER_CALL):
                if not self._ctx.pushing_stopped:
                    # A call at a time: little may happen between the last look and the deletion.
                    self._send(self._still_due(expiring[start : start + ROWS_PER_CALL]))
            actions = [one.operation_id for one in part if one.kind is OperationKind.ACTION]
            store.set_operation_states(actions, OperationState.PLANNED, dirty=False, at=self._ctx.clock.now())
            self._ctx.turn.breathe()
        self._ctx.guarded_before += guarded
        return True

    def _why_stopped(self, guarded: int) -> str | None:
        """Why so many guarded writes are not carried out, None if they may be; a handful is not worth counting everybody."""
        if guarded < GUARD_FLOOR:
            return None
        known = int(self._ctx.store.stats().get("persons", 0))
        return guard_reason(guarded=guarded, known=known, max_changed_share=self._ctx.settings.max_changed_share)

    def _send(self, operations: Sequence[Operation]) -> None:
        """Send, and wait for the outcomes; meanwhile a hot lead may have the turn, as whoever is written to has an open operation."""
        with self._ctx.turn.aside(Lane.HOT):
            self._sender.send(operations)

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
            same = (
                row is not None
                and not row.is_converted
                and all(row.fields.get(name) == value for name, value in operation.before.items())
            )
            (fresh if same or not operation.sf_id else stale).append(operation)
        if stale:
            ids = [operation.operation_id for operation in stale]
            self._ctx.store.set_operation_states(ids, OperationState.SUPERSEDED, dirty=True, at=self._ctx.clock.now())
        return fresh

    def _still_due(self, held: Sequence[Operation]) -> list[Operation]:
        """Those of the deletions `held` that may be carried out now; the others are planned anew."""
        if not held:
            return []
        self._reread(held)
        standards = self._planning.standards
        return last_look(self._ctx, self._session, held, standards.verdicts if standards is not None else lambda _: {})

    def _round(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        views, plans = self._planned(ids)
        targets = [operation for plan in plans for operation in plan.operations if operation.sf_id]
        if targets and self._sender.is_busy:
            # The last look before the write: a rep's edit since the mirror was read must be seen (G4). Nothing may stand
            # in the way between the look and the write, so what is under way is finished first; a hot lead may change who is dirty.
            with self._ctx.turn.aside(Lane.HOT):
                self._sender.wait()
            ids = self._ctx.store.dirty_persons(len(ids), among=ids)
            views, plans = self._planned(ids)
            targets = [operation for plan in plans for operation in plan.operations if operation.sf_id]
        if targets:
            self._reread(targets)
            touched = {operation.person_id for operation in targets}
            fresh = with_reach(self._ctx, self._ctx.store.person_views(sorted(touched)))
            again = {plan.person_id: plan for plan in self._plans(fresh)}
            plans = [again.get(plan.person_id, plan) for plan in plans]
        plans = [self._planning.within_limits(plan) for plan in plans]
        self._ctx.store.commit_plans(self._ctx.run_id, plans, self._ctx.clock.now())
        self._planning.note(plans, views)
        # Whose wish stays although nothing came of it (a task that has just failed) is not asked again and again.
        self._idle |= {plan.person_id for plan in plans if plan.stays_dirty and not plan.operations}
        now = [one for plan in plans for one in plan.operations if one.state is OperationState.PLANNED]
        if targets:
            self._send(now)
        else:
            self._sender.add(now)
            with self._ctx.turn.aside(Lane.HOT):
                self._sender.make_room()

    def _planned(self, ids: Sequence[str]) -> tuple[list[PersonView], list[PersonPlan]]:
        """People and their plans; who has appeared in the org meanwhile is linked and planned another time."""
        with self._ctx.watch.stage("plan"):
            views = self._ctx.store.person_views(ids)
            if self._planning.standards is not None:
                views = with_contacts(self._ctx, views)
            views = with_reach(self._ctx, views)
            plans = self._plans(views)
        if any(operation.kind is OperationKind.CREATE for plan in plans for operation in plan.operations):
            settled = settle_late_matches(self._ctx, views, plans)
            plans = [plan for plan in plans if plan.person_id not in settled]
        return views, plans

    def _plans(self, views: Sequence[PersonView]) -> list[PersonPlan]:
        """A plan each; what a policy asks of people is read for all of them at once."""
        standards = self._planning.standards
        stored = standards.facts(views) if standards is not None else {}
        self._planning.opt_outs.look(views)
        return [self._planning.plan(view, stored.get(view.person_id)) for view in views]

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
        refresh_mirror(self._ctx, self._session)
        known = self._ctx.store.org_records([(name, sf_id) for sf_id in missing])
        gone: list[OrgRow] = [
            msgspec.structs.replace(record.row, is_deleted=True) for record in known if not record.row.is_deleted
        ]
        put_rows(self._ctx, gone)
