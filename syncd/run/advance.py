"""Map and resolve: inbox rows become persons, in one transaction per batch; new people are planned with it.

While one batch is stored by a thread, the next one is resolved: storing is mostly waiting for the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import msgspec

from syncd import events
from syncd.errors import ClaimConflictError
from syncd.identity.keys import Key
from syncd.model import InboxOutcome, Operation, OperationState, RecordRef
from syncd.ports import PersonPlan, ResolvedRecord
from syncd.run.context import LEADS_PER_ROUND, PassContext
from syncd.run.mapper import Batch, Batches
from syncd.run.planning import Planning
from syncd.run.resolving import Resolving
from syncd.run.send import Sender

_CONFLICT_ATTEMPTS = 8


class _Advanced(msgspec.Struct):
    """A batch that is resolved and planned: `counted` is what the pass had counted before it, to be put back if it is resolved anew."""

    taken: Batch
    resolving: Resolving
    resolved: list[ResolvedRecord]
    planned: bool
    plans: list[PersonPlan]
    counted: tuple[int, int]


class Advance:
    """Moves waiting records on, round by round; a context manager.

    Two batches are under way at most. The second one is not looked up before the first is stored where they are about the same
    record, mailbox or phone; otherwise neither can change what the other finds.
    """

    def __init__(self, ctx: PassContext, batches: Batches, planning: Planning, sender: Sender) -> None:
        """Nothing is under way."""
        self._ctx = ctx
        self._batches = batches
        self._planning = planning
        self._sender = sender
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="resolved")
        self._storing: tuple[_Advanced, Future[None]] | None = None
        self._was_redone = False
        self._creates: list[Operation] = []
        self._met_again: set[str] = set()

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the batch that is being stored end; begin none."""
        self._pool.shutdown(wait=True)

    def round(self) -> int:
        """Move up to LEADS_PER_ROUND records one stage on; the new people who are stored leave for the org. Gives how many records.

        One batch may still be on its way to the store at the end; when nothing waits any more, none is.
        """
        moved = 0
        while moved < LEADS_PER_ROUND:
            taken = self._batches.take(self._storing[0].taken.rows if self._storing else ())
            if not taken.rows:
                self.finish()
                break
            moved += len(taken.rows)
            advanced = self._advance(taken)
            self._was_redone = False
            self.settle()
            if self._was_redone:
                # What was stored is not what this batch was resolved beside.
                advanced = self._again(advanced)
            self._storing = advanced, self._pool.submit(self._store, advanced)
        self._send()
        return moved

    def finish(self) -> None:
        """Have everything stored, and what is new there on its way to the org."""
        self.settle()
        self._send()

    def settle(self) -> None:
        """Wait until the batch that is being stored is stored.

        Raises:
            ClaimConflictError: Somebody else took its claims again and again.
        """
        if self._storing is None:
            return
        (advanced, task), self._storing = self._storing, None
        try:
            task.result()
        except ClaimConflictError:
            # Another worker was first: its person is known by now.
            advanced = self._redo(advanced)
            self._was_redone = True
        self._note(advanced)

    def _advance(self, taken: Batch) -> _Advanced:
        """Resolve and plan a batch; with the org at hand, people who are new in this very batch are planned with it.

        The keys that resolving has just looked up say all there is to know of them.
        """
        ctx = self._ctx
        resolving = Resolving(ctx, taken, self._meet)
        resolved = resolving.resolve()
        counted = ctx.creates_sent, ctx.notes.get("held_by_guard", 0)
        is_planned = not ctx.pushing_stopped
        plans: list[PersonPlan] = []
        if is_planned:
            with ctx.watch.stage("plan"):
                plans = resolving.plan_new(self._planning, resolved)
        return _Advanced(taken, resolving, resolved, is_planned, plans, counted)

    def _meet(self, refs: Iterable[RecordRef], keys: Iterable[Key]) -> None:
        """Have the batch that is being stored finished before anything it is about is looked up."""
        if self._storing is not None:
            before = self._storing[0].resolving
            if not (before.refs.isdisjoint(refs) and before.keys.isdisjoint(keys)):
                self.settle()

    def _store(self, advanced: _Advanced) -> None:
        """Write a batch with all its consequences, or nothing. Runs in the thread."""
        with self._ctx.watch.stage("store"):
            self._ctx.store.commit_resolved(self._ctx.run_id, advanced.resolved, self._ctx.clock.now(), advanced.plans)

    def _again(self, advanced: _Advanced) -> _Advanced:
        """Resolve a batch anew: nothing of it was stored."""
        self._ctx.creates_sent = advanced.counted[0]
        if advanced.counted[1] != self._ctx.notes.get("held_by_guard", 0):
            self._ctx.notes["held_by_guard"] = advanced.counted[1]
        return self._advance(advanced.taken)

    def _redo(self, advanced: _Advanced) -> _Advanced:
        """Resolve and store a batch, now with what others have taken meanwhile."""
        for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
            advanced = self._again(advanced)
            try:
                self._store(advanced)
                break
            except ClaimConflictError:
                if attempt == _CONFLICT_ATTEMPTS:
                    raise
        return advanced

    def _note(self, advanced: _Advanced) -> None:
        """Count and log what is stored; creates wait for `_send`."""
        _log_outcomes(self._ctx, advanced.resolved)
        self._ctx.progress("resolved", {"records": len(advanced.resolved)})
        if not advanced.planned:
            return
        self._planning.note(advanced.plans)
        planned = {plan.person_id for plan in advanced.plans}
        self._creates += [one for plan in advanced.plans for one in plan.operations if one.state is OperationState.PLANNED]
        self._met_again |= {row.person_id for row in advanced.resolved if row.person_id} - planned

    def _send(self) -> None:
        """Hand the creates over. Who came twice meanwhile is planned once more with all that is known: one create, no update."""
        if not self._creates:
            self._met_again = set()
            return
        creates, met_again = self._creates, self._met_again
        self._creates, self._met_again = [], set()
        again = [one.operation_id for one in creates if one.person_id in met_again]
        if again:
            self._ctx.store.take_back(again, self._ctx.clock.now())
            self._ctx.creates_sent -= len(again)
        self._sender.add([one for one in creates if one.person_id not in met_again])


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
        for problem in one.lead.problems if one.lead and one.outcome is not InboxOutcome.SKIPPED else ():
            ctx.count_note(f"value:{problem.reason}")
            adapted[one.ref.source, problem.reason] += 1
        if one.person_id:
            rules[one.ref.source, one.link_evidence] += 1
    for (source, reason), count in adapted.items():
        ctx.log.debug(events.VALUE_ADAPTED, source=source, reason=reason, count=count)
    for (source, rule), count in rules.items():
        ctx.log.debug(events.LEAD_RESOLVED, source=source, reason=rule, count=count)
