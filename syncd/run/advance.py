"""Map and resolve: inbox rows become persons, in one transaction per batch; new people are planned with it.

While one batch is stored by a thread, the next one is resolved: SQLite works and waits outside the interpreter.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from typing import Self

import msgspec

from syncd import events
from syncd.errors import ClaimConflictError
from syncd.identity.keys import Key
from syncd.model import InboxOutcome, Lane, Operation, OperationState, RecordRef
from syncd.ports import Adopted, PersonPlan, ResolvedRecord
from syncd.run.context import LEADS_PER_ROUND, PassContext
from syncd.run.mapper import Batch, Batches
from syncd.run.planning import Planning
from syncd.run.resolving import Resolving
from syncd.run.send import Sender
from syncd.run.storing import Storing

_CONFLICT_ATTEMPTS = 8

_NAP_SECONDS = 0.02
"""Who waits for the second process looks as often whether a hot lead waits."""

_MOST_UNDER_WAY = 8
"""Batches on their way to the store: enough to keep the thread busy while pages are stored."""


class _Advanced(msgspec.Struct):
    """A batch that is resolved and planned. `creates` is what planning has added to the sum of the pass."""

    taken: Batch
    resolving: Resolving
    resolved: list[ResolvedRecord]
    is_planned: bool
    plans: list[PersonPlan]
    creates: int

    @property
    def adopted(self) -> list[Adopted]:
        """Records of newcomers, which are in neither of the others."""
        return self.resolving.adopted


class Advance:
    """Moves waiting records on, round by round; a context manager.

    Some batches are on their way to the store while the next one is resolved. Where it is about the same record, mailbox or phone
    as one of them, that one is stored first; otherwise neither can change what the other finds.
    """

    def __init__(self, ctx: PassContext, batches: Batches, planning: Planning, sender: Sender) -> None:
        """Nothing is under way."""
        self._ctx = ctx
        self._batches = batches
        self._planning = planning
        self._sender = sender
        self._store = Storing(self._write)
        self._storing: deque[tuple[_Advanced, Future[None]]] = deque()
        self._creates: list[Operation] = []
        self._met_again: set[str] = set()

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let what is under way end; begin none. What went wrong with it is raised, unless something else did already."""
        try:
            if kind is None:
                self.finish()
        finally:
            self._store.close()

    def round(self) -> int:
        """Move up to LEADS_PER_ROUND records one stage on; the new people who are stored leave for the org. Gives how many records.

        Some may still be on their way to the store at the end; when nothing waits any more, none is.
        """
        moved = 0
        while moved < LEADS_PER_ROUND and not self._ctx.is_stopping:
            self._breathe()
            while not self._batches.wait(_NAP_SECONDS):
                self._breathe()
            taken = self._batches.take([row for one, _ in self._storing for row in one.taken.rows])
            if not taken.rows:
                self.finish()
                break
            moved += len(taken.rows)
            advanced = self._advance(taken)
            while self._storing and (len(self._storing) >= _MOST_UNDER_WAY or self._storing[0][1].done()):
                self._settle_oldest()
            self._storing.append((advanced, self._store.submit(advanced)))
        self._send()
        if self._sender.is_crowded:
            # The org is waited for, and a hot lead need not wait as long.
            self.settle()
            with self._ctx.turn.aside(Lane.HOT):
                self._sender.make_room()
        return moved

    def _breathe(self) -> None:
        """Let a hot lead go between two batches. What is on its way to the store comes first: it could be about the same people."""
        if self._ctx.turn.is_wanted(Lane.HOT):
            self.settle()
            self._ctx.turn.breathe(Lane.HOT)

    def finish(self) -> None:
        """Have everything stored, and what is new there on its way to the org."""
        self.settle()
        self._send()

    def settle(self) -> None:
        """Wait until everything under way is stored.

        Raises:
            ClaimConflictError: Somebody else took the claims of a batch again and again.
        """
        while self._storing:
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        advanced, task = self._storing.popleft()
        try:
            task.result()
        except ClaimConflictError:
            # Another worker was first: its person is known by now. What was resolved beside is about other people.
            advanced = self._redo(advanced)
        self._note(advanced)

    def _advance(self, taken: Batch) -> _Advanced:
        """Resolve and plan a batch; with the org at hand, people who are new in this very batch are planned with it.

        The keys that resolving has just looked up say all there is to know of them.
        """
        ctx = self._ctx
        resolving = Resolving(ctx, taken, self._meet)
        is_planned = not ctx.pushing_stopped
        creates = ctx.creates_sent
        resolved = resolving.resolve(may_adopt=is_planned and self._planning.has_room_for(len(taken.rows)))
        ctx.creates_sent += sum(one.operation is not None for one in resolving.adopted)
        plans: list[PersonPlan] = []
        if is_planned:
            with ctx.watch.stage("plan"):
                plans = resolving.plan_new(self._planning, resolved)
        return _Advanced(taken, resolving, resolved, is_planned, plans, ctx.creates_sent - creates)

    def _meet(self, refs: AbstractSet[RecordRef], keys: AbstractSet[Key]) -> None:
        """Have batches stored that are about the same records or keys, before anything of these is looked up."""
        last = 0
        for count, (before, _) in enumerate(self._storing, start=1):
            if not (before.resolving.refs.isdisjoint(refs) and before.resolving.keys.isdisjoint(keys)):
                last = count
        for _ in range(last):
            self._settle_oldest()

    def _write(self, batches: Sequence[_Advanced]) -> None:
        """Write batches with all their consequences, or nothing. Runs in the thread."""
        resolved = [row for one in batches for row in one.resolved]
        plans = [plan for one in batches for plan in one.plans]
        adopted = [record for one in batches for record in one.adopted]
        with self._ctx.watch.stage("store"):
            self._ctx.store.commit_resolved(self._ctx.run_id, resolved, self._ctx.clock.now(), plans, adopted)

    def _redo(self, advanced: _Advanced) -> _Advanced:
        """Resolve and store a batch, now with what others have taken meanwhile."""
        for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
            self._ctx.creates_sent -= advanced.creates
            self._planning.let_go(plan.person_id for plan in advanced.plans)
            advanced = self._advance(advanced.taken)
            try:
                self._write([advanced])
                break
            except ClaimConflictError:
                if attempt == _CONFLICT_ATTEMPTS:
                    raise
        return advanced

    def _note(self, advanced: _Advanced) -> None:
        """Count and log what is stored; creates wait for `_send`."""
        log_outcomes(self._ctx, advanced.resolved, advanced.adopted)
        self._ctx.progress("resolved", {"records": len(advanced.taken.rows)})
        if not advanced.is_planned:
            return
        self._planning.note(advanced.plans)
        planned = {plan.person_id for plan in advanced.plans}
        self._creates += [one for plan in advanced.plans for one in plan.operations if one.state is OperationState.PLANNED]
        if advanced.adopted:
            self._planning.note_newcomers([one.newcomer for one in advanced.adopted])
            self._creates += [one.operation for one in advanced.adopted if one.operation is not None]
        self._met_again |= {row.person_id for row in advanced.resolved if row.person_id} - planned

    def _send(self) -> None:
        """Hand the creates over. Who came twice meanwhile is planned once more with all that is known: one create, no update."""
        if not self._creates:
            self._met_again = set()
            return
        creates, met_again = self._creates, self._met_again
        self._creates, self._met_again = [], set()
        met_again |= {row.person_id for one, _ in self._storing for row in one.resolved}
        again = [one.operation_id for one in creates if one.person_id in met_again]
        if again:
            self._ctx.store.take_back(again, self._ctx.clock.now())
            self._ctx.creates_sent -= len(again)
        self._sender.add([one for one in creates if one.person_id not in met_again])


def log_outcomes(ctx: PassContext, resolved: Sequence[ResolvedRecord], adopted: Sequence[Adopted] = ()) -> None:
    """Count and log what became of records that are stored now."""
    adapted: Counter[tuple[str, str]] = Counter()
    rules: Counter[tuple[str, str]] = Counter((one.row.ref.source, "new") for one in adopted)
    adapted.update((one.row.ref.source, reason) for one in adopted for reason in one.newcomer.problems)
    for (_, reason), count in adapted.items():
        ctx.count_note(f"value:{reason}", count)
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
        for problem in one.lead.problems if one.lead and one.outcome is not InboxOutcome.SKIPPED else ():
            ctx.count_note(f"value:{problem.reason}")
            adapted[one.ref.source, problem.reason] += 1
        if one.person_id:
            rules[one.ref.source, one.link_evidence] += 1
    for (source, reason), count in adapted.items():
        ctx.log.debug(events.VALUE_ADAPTED, source=source, reason=reason, count=count)
    for (source, rule), count in rules.items():
        ctx.log.debug(events.LEAD_RESOLVED, source=source, reason=rule, count=count)
