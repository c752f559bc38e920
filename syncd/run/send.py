"""Carry out planned operations: mark as sent, call, store the outcome, read the echo.

An answer that does not come makes the operations unknown; `syncd.run.recover` looks before anything is repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from syncd import events
from syncd.errors import (
    AuthError,
    BudgetExhausted,
    ContractError,
    RateLimitedError,
    SalesforceUnavailableError,
    UnknownOutcomeError,
)
from syncd.model import Candidate, Operation, OperationKind, OperationState, OrgFault, Recovery, RowOutcome, Value
from syncd.ports import DeadLetter, OperationResult, Review
from syncd.run.context import ROWS_PER_CALL, OrgSession, PassContext
from syncd.run.echo import read_echoes

_MAX_ATTEMPTS = 5
"""Passes in a row in which a write may fail for a passing reason before it becomes a dead letter."""

_SPIKE_COUNT = 20
_SPIKE_SHARE = 0.2
"""reference/salesforce.md 8.3: the same refusal of more than a fifth of 20 or more is configuration, not data."""

_DONE_EVENTS = {
    OperationState.DONE: events.OPERATION_DONE,
    OperationState.REFUSED: events.OPERATION_REFUSED,
    OperationState.FAILED: events.OPERATION_FAILED,
    OperationState.UNKNOWN: events.OPERATION_UNKNOWN,
    OperationState.SUPERSEDED: events.OPERATION_SUPERSEDED,
}


class Sender:
    """Sends batches for one pass."""

    def __init__(self, ctx: PassContext, session: OrgSession) -> None:
        """Nothing is sent yet."""
        self._ctx = ctx
        self._session = session
        self._spikes: Counter[tuple[str, str]] = Counter()
        self._answers = 0
        self.failed: set[str] = set()
        """People with a write that failed in this pass: the next pass tries again, not this one."""

    def send(self, operations: Sequence[Operation]) -> None:
        """Send `operations` in calls of 200, creates and updates apart, and read the echo of those that were done.

        What cannot be sent now (org down, budget, wrong credentials) goes back to planning and stops pushing for this pass.
        """
        waiting = list(_batches(operations))
        done: list[str] = []
        for index, batch in enumerate(waiting):
            if self._ctx.pushing_stopped:
                self._unsend([operation for later in waiting[index:] for operation in later])
                break
            done.extend(self._send_batch(batch))
        if done:
            read_echoes(self._ctx, self._session)

    def _send_batch(self, batch: Sequence[Operation]) -> list[str]:
        """One call; gives the ids of operations that were done."""
        ids = [operation.operation_id for operation in batch]
        self._ctx.store.mark_sent(ids, self._ctx.clock.now())
        try:
            answers = self._call(batch)
        except UnknownOutcomeError:
            now = self._ctx.clock.now()
            self._ctx.store.set_operation_states(ids, OperationState.UNKNOWN, dirty=False, at=now)
            self._ctx.log.warning(events.OPERATION_UNKNOWN, stage="push", count=len(ids))
            return []
        except (SalesforceUnavailableError, RateLimitedError, AuthError, BudgetExhausted, ContractError) as error:
            self._stop(str(error), type(error).__name__)
            self._unsend(batch)
            return []
        results = [self._judge(operation, answer) for operation, answer in zip(batch, answers, strict=True)]
        self._watch_spike(batch, results)
        self.failed |= {
            operation.person_id for operation, result in zip(batch, results, strict=True) if result.state is OperationState.FAILED
        }
        self._ctx.store.commit_results(self._ctx.run_id, results, self._ctx.clock.now())
        self._report(results)
        return [result.operation_id for result in results if result.state is OperationState.DONE]

    def _call(self, batch: Sequence[Operation]) -> list[RowOutcome]:
        first = batch[0]
        if first.kind is OperationKind.CREATE:
            rows = [(operation.person_id, operation.fields) for operation in batch]
            return self._session.org.create(first.object, rows, first.assignment)
        if first.kind is OperationKind.DELETE:
            return self._session.org.delete([operation.sf_id for operation in batch])
        stamps = self._stamps(batch)
        return self._session.org.update(
            first.object, [(operation.sf_id, {**operation.fields, **stamps.get(operation.sf_id, {})}) for operation in batch]
        )

    def _stamps(self, batch: Sequence[Operation]) -> dict[str, dict[str, Value]]:
        """External ids to write along with field updates of Leads that have none yet.

        The stamp ties a record to its person, so that a lost store can be rebuilt (DESIGN 5.3). A value that is there already
        is somebody's; and consent, which also goes to records that are only candidates, stamps nothing.
        """
        external = self._ctx.settings.external_id_field
        wanted = [one for one in batch if one.kind is OperationKind.UPDATE and one.object == "Lead"]
        if external is None or not wanted:
            return {}
        known = self._ctx.store.org_records([(one.object, one.sf_id) for one in wanted])
        blank = {record.row.sf_id for record in known if not record.row.external_id and record.is_survivor}
        return {one.sf_id: {external: one.person_id} for one in wanted if one.sf_id in blank}

    def _judge(self, operation: Operation, answer: RowOutcome) -> OperationResult:
        """Turn one answer into the end of one operation."""
        fault = answer.fault
        if fault is None:
            return OperationResult(operation.operation_id, OperationState.DONE, sf_id=answer.sf_id or operation.sf_id)
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
            self._stop(f"Salesforce answered {fault.code}.", fault.code)
            return self._result(operation, OperationState.FAILED, fault, dirty=True)
        return self._result(operation, OperationState.REFUSED, fault, dead=True)

    def _duplicate(self, operation: Operation, fault: OrgFault) -> OperationResult:
        """The org's duplicate rule knows somebody like this: a person decides, the admins' rule stays on."""
        kinds = {"00Q": "Lead", "003": "Contact"}
        review = Review(
            kind="duplicate_rule",
            person_id=operation.person_id,
            candidates=tuple(Candidate(kinds[one[:3]], one) for one in fault.matches if one[:3] in kinds),
            reason="A duplicate rule of the org refused this lead: it may be somebody who is there already.",
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
        for (code, kind), count in self._spikes.items():
            if count < _SPIKE_COUNT or count <= _SPIKE_SHARE * self._answers:
                continue
            self._ctx.log.error(events.CONFIG_SPIKE_DETECTED, stage="push", reason=code, count=count)
            self._stop(
                f"Salesforce refused {count} of {self._answers} writes with {code} ({kind}): this looks like configuration.", code
            )
            for index, result in enumerate(results):
                if result.code == code and result.state is OperationState.REFUSED:
                    results[index] = OperationResult(
                        result.operation_id, OperationState.FAILED, code=code, message=result.message, dirty=True
                    )
            return

    def _stop(self, message: str, error_type: str) -> None:
        if not self._ctx.pushing_stopped:
            self._ctx.pushing_stopped = message
            self._ctx.miss(message)
            self._ctx.log.error(events.ORG_LOST, stage="push", error_type=error_type)

    def _unsend(self, batch: Sequence[Operation]) -> None:
        """Nothing of `batch` reached the org: plan those persons again in the next pass."""
        ids = [operation.operation_id for operation in batch]
        self._ctx.store.set_operation_states(ids, OperationState.SUPERSEDED, dirty=True, at=self._ctx.clock.now())

    def _report(self, results: Sequence[OperationResult]) -> None:
        states = Counter(result.state for result in results)
        for state, count in states.items():
            level = self._ctx.log.debug if state is OperationState.DONE else self._ctx.log.warning
            level(_DONE_EVENTS[state], stage="push", count=count)
        self._ctx.progress("pushed", {str(state): count for state, count in states.items()})


def _batches(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """Calls of at most 200: consent first, then one object, one kind of call and one assignment each (DESIGN 5.3)."""
    order = {OperationKind.CONSENT: 0, OperationKind.CREATE: 1}
    groups: dict[tuple[object, ...], list[Operation]] = {}
    for operation in operations:
        call = {OperationKind.CREATE: "create", OperationKind.DELETE: "delete"}.get(operation.kind, "update")
        rank = order.get(operation.kind, 2)
        groups.setdefault((rank, operation.object, call, repr(operation.assignment)), []).append(operation)
    for key in sorted(groups, key=repr):
        group = groups[key]
        for start in range(0, len(group), ROWS_PER_CALL):
            yield group[start : start + ROWS_PER_CALL]


def refused_record(ctx: PassContext, operation: Operation, code: str, message: str) -> DeadLetter:
    """The dead letter of a write that the org refused, or that never got through."""
    first = next(iter(operation.provenance.values()), None)
    return DeadLetter(
        kind="operation",
        stage="push",
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
