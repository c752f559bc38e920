"""From the org's answers to the ends of operations: done, refused, failed, a question, a dead letter, or a stop of the pass."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import msgspec

from syncd import events
from syncd.model import Candidate, Operation, OperationKind, OperationState, OrgFault, Recovery, RowOutcome
from syncd.ports import DeadLetter, OperationResult, Review
from syncd.run.context import OrgSession, PassContext
from syncd.run.outage import note_refusing

_MAX_ATTEMPTS = 5
"""Passes in a row in which a write may fail for a passing reason before it becomes a dead letter."""

_SPIKE_COUNT = 20
_SPIKE_SHARE = 0.2
"""reference/salesforce.md 8.3: the same refusal of more than a fifth of 20 or more is configuration, not data."""


_WORDS = {"Task": "make some tasks", "Opportunity": "save some opportunities"}
_WORDS_OF_KINDS = {OperationKind.CONVERT: "convert some leads", OperationKind.EXPIRE: "delete some leads"}
_ASIDE = tuple(_WORDS_OF_KINDS)


def _what(operation: Operation) -> str:
    return _WORDS_OF_KINDS.get(operation.kind) or _WORDS[operation.object]


def _is_aside(operation: Operation) -> bool:
    """Whether how a write fares says nothing of the others: it must not stop a pass."""
    return operation.kind in _ASIDE or operation.object in ("Task", "Opportunity")


class Judge:
    """Judges the answers of one pass; safe for threads."""

    def __init__(self, ctx: PassContext, session: OrgSession) -> None:
        """Nothing is answered yet."""
        self._ctx = ctx
        self._session = session
        self._lock = threading.Lock()
        self._spikes: Counter[tuple[str, str]] = Counter()
        self._answers = 0
        self.failed: set[str] = set()
        """People with a write that failed in this pass."""

    def results(self, batch: Sequence[Operation], answers: Sequence[RowOutcome]) -> list[OperationResult]:
        """The end of each operation of a batch, in order."""
        with self._lock:
            results = [self._result_of(operation, answer) for operation, answer in zip(batch, answers, strict=True)]
            self._watch_spike(batch, results)
            self.failed |= {
                operation.person_id
                for operation, result in zip(batch, results, strict=True)
                if result.state is OperationState.FAILED and operation.object not in ("Task", "Opportunity")
            }
        return results

    def _result_of(self, operation: Operation, answer: RowOutcome) -> OperationResult:
        """Turn one answer into the end of one operation."""
        fault = answer.fault
        if fault is None:
            sf_id = answer.sf_id or operation.sf_id
            # Whoever was converted goes on as a contact, and of whom was deleted no date stays: planned once more.
            dirty = operation.kind in _ASIDE
            return OperationResult(operation.operation_id, OperationState.DONE, sf_id=sf_id, dirty=dirty, operation=operation)
        if _is_aside(operation) and fault.recovery is not Recovery.PAUSE:
            return self._aside_result(operation, fault)
        if fault.recovery is Recovery.RERESOLVE and operation.attempt + 1 < _MAX_ATTEMPTS:
            self._session.mirrored_at = None
            return self._result(operation, OperationState.SUPERSEDED, fault, dirty=True)
        if fault.recovery is Recovery.DUPLICATE:
            return self._duplicate(operation, fault)
        if fault.recovery in (Recovery.RETRY, Recovery.RETRY_ALONE, Recovery.RETRY_SMALLER, Recovery.UNKNOWN):
            if operation.attempt + 1 < _MAX_ATTEMPTS:
                self._ctx.miss(f"Salesforce could not save some records for a passing reason ({fault.code})")
                return self._result(operation, OperationState.FAILED, fault, dirty=True)
        elif fault.recovery in (Recovery.PAUSE, Recovery.CONFIG):
            self.stop(f"Salesforce answered {fault.code}.", fault.code)
            return self._result(operation, OperationState.FAILED, fault, dirty=True)
        return self._result(operation, OperationState.REFUSED, fault, dead=True)

    def _aside_result(self, operation: Operation, fault: OrgFault) -> OperationResult:
        """A task, opportunity, conversion or deletion that was not made never stops or holds anything else; it is tried again, asked about, or set aside."""
        if operation.kind is OperationKind.CONVERT and fault.recovery is Recovery.DUPLICATE:
            return self._duplicate(operation, fault)
        if operation.kind in _ASIDE and fault.recovery is Recovery.UNKNOWN:
            # The lead is looked at before anything is repeated.
            return self._result(operation, OperationState.UNKNOWN, fault)
        if operation.kind is OperationKind.EXPIRE and fault.code == "ENTITY_IS_DELETED" and self._was_tried(operation):
            # An earlier call of ours got through after all, long after its answer was lost.
            return OperationResult(operation.operation_id, OperationState.DONE, operation.sf_id, dirty=True, operation=operation)
        if operation.attempt + 1 < _MAX_ATTEMPTS:
            if fault.recovery is Recovery.RERESOLVE or fault.code == "INVALID_CROSS_REFERENCE_KEY":
                # Whom it is about was deleted, converted or merged meanwhile: the next look at the org tells.
                if operation.kind in _ASIDE:
                    self._session.mirrored_at = None
                return self._result(operation, OperationState.SUPERSEDED, fault, dirty=True)
            if fault.recovery not in (Recovery.REFUSED, Recovery.DUPLICATE):
                self._ctx.miss(f"Salesforce could not {_what(operation)} ({fault.code})")
                return self._result(operation, OperationState.FAILED, fault, dirty=True)
        if operation.object != "Task":
            # One notice for each cause; the dead letters say whom it met.
            self._ctx.miss(f"Salesforce refused to {_what(operation)} ({fault.code}): see syncd deadletter list")
        return self._result(operation, OperationState.REFUSED, fault, dead=True)

    def _was_tried(self, operation: Operation) -> bool:
        """Whether an earlier deletion of the same record may have left."""
        return any(
            one.kind is operation.kind and one.sf_id == operation.sf_id and one.sent_at is not None
            for one in self._ctx.store.operations_of(operation.person_id)
            if one.operation_id != operation.operation_id
        )

    def _duplicate(self, operation: Operation, fault: OrgFault) -> OperationResult:
        """The org's duplicate rule knows somebody like this: a person decides, the admins' rule stays on."""
        is_conversion = operation.kind is OperationKind.CONVERT
        kinds = {"00Q": "Lead", "003": "Contact"} | ({"001": "Account"} if is_conversion else {})
        review = Review(
            kind="conversion" if is_conversion else "duplicate_rule",
            person_id=operation.person_id,
            candidates=tuple(Candidate(kinds[one[:3]], one) for one in fault.matches if one[:3] in kinds),
            reason="A duplicate rule of the org refused to convert this lead: it would make an account or contact that is there already."
            if is_conversion
            else "A duplicate rule of the org refused this lead: it may be somebody who is there already.",
            source=operation.source,
            run_id=self._ctx.run_id,
            at=self._ctx.clock.now(),
        )
        result = self._result(operation, OperationState.REFUSED, fault)
        return msgspec.structs.replace(result, review=review)

    def _result(
        self, operation: Operation, state: OperationState, fault: OrgFault, *, dirty: bool = False, dead: bool = False
    ) -> OperationResult:
        letter = refused_record(self._ctx, operation, fault.code, fault.message) if dead else None
        return OperationResult(
            operation.operation_id, state, code=fault.code, message=fault.message, dirty=dirty, dead_letter=letter
        )

    def _watch_spike(self, batch: Sequence[Operation], results: list[OperationResult]) -> None:
        """Keep records queued instead of dead-lettering thousands when one refusal hits many (salesforce.md 8.3)."""
        self._answers += len(batch)
        for index, result in enumerate(results):
            if result.state is OperationState.REFUSED and not result.review:
                self._spikes[result.code, str(batch[index].kind)] += 1
        is_aside = _is_aside(batch[0])
        for (code, kind), count in self._spikes.items():
            if kind not in {str(one.kind) for one in batch} or count < _SPIKE_COUNT or count <= _SPIKE_SHARE * self._answers:
                continue
            self._ctx.log.error(events.CONFIG_SPIKE_DETECTED, stage="push", reason=code, count=count)
            message = f"Salesforce refused {count} of {self._answers} writes with {code} ({kind}): this looks like configuration."
            if is_aside:
                self._ctx.miss(message)
            else:
                self.stop(message, code)
            for index, result in enumerate(results):
                if result.code == code and result.state is OperationState.REFUSED:
                    results[index] = OperationResult(
                        result.operation_id, OperationState.FAILED, code=code, message=result.message, dirty=True
                    )
            return

    def stop(self, message: str, error_type: str) -> None:
        """Send nothing more in this pass; said once."""
        if not self._ctx.pushing_stopped:
            self._ctx.pushing_stopped = message
            self._ctx.miss(message)
            note_refusing(self._ctx, error_type)


def refused_record(ctx: PassContext, operation: Operation, code: str, message: str, stage: str = "push") -> DeadLetter:
    """The dead letter of a write that the org (or of an action that its source) refused, or that never got through."""
    first = next(iter(operation.provenance.values()), None)
    return DeadLetter(
        kind="operation",
        stage=stage,
        reason=code,
        message=message,
        source=operation.source or (first.source if first else ""),
        stream=first.stream if first else "",
        key=first.key if first else "",
        locator=first.locator if first else "",
        person_id=operation.person_id,
        operation_id=operation.operation_id,
        run_id=ctx.run_id,
        at=ctx.clock.now(),
    )
