"""Carry out planned operations: mark as sent, call, store the outcome, read the echo.

An answer that does not come makes the operations unknown; `syncd.run.recover` looks before anything is repeated.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

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
from syncd.model import CREATING, DELETING, Operation, OperationKind, OperationState, RowOutcome, Value
from syncd.ports import OperationResult
from syncd.run.context import CALLS_IN_FLIGHT, ROWS_PER_CALL, OrgSession, PassContext
from syncd.run.converting import LEADS_PER_CALL, send_conversions
from syncd.run.echo import EchoReader
from syncd.run.judge import Judge
from syncd.run.outage import lose_org

_MAX_UNDER_WAY = 10
"""Batches of 200 that may have been begun without an outcome: two rounds."""

_DONE_EVENTS = {
    OperationState.DONE: events.OPERATION_DONE,
    OperationState.REFUSED: events.OPERATION_REFUSED,
    OperationState.FAILED: events.OPERATION_FAILED,
    OperationState.UNKNOWN: events.OPERATION_UNKNOWN,
    OperationState.SUPERSEDED: events.OPERATION_SUPERSEDED,
}


class Sender:
    """Sends batches for one pass, up to CALLS_IN_FLIGHT of them at the same time; a context manager.

    A batch is marked as sent, called and its outcomes are stored by one thread of the pool, so that the others go on. What
    stopped one batch (org down, budget, wrong credentials) stops those that have not begun; they are planned anew.
    """

    def __init__(
        self,
        ctx: PassContext,
        session: OrgSession,
        calls_in_flight: int = CALLS_IN_FLIGHT,
        on_done: Callable[[Sequence[Operation]], None] | None = None,
    ) -> None:
        """Nothing is sent yet. `on_done` is told what the org has confirmed, in the thread that waits for it."""
        self._ctx = ctx
        self._on_done = on_done
        self._session = session
        self._judge = Judge(ctx, session)
        self._echoes = EchoReader(ctx, session)
        self._waiting: list[Operation] = []
        self._under_way: deque[Future[list[Operation]]] = deque()
        self._pool = ThreadPoolExecutor(calls_in_flight, thread_name_prefix="push")
        self._is_over = False

    @property
    def failed(self) -> set[str]:
        """People with a write that failed in this pass: the next pass tries again, not this one."""
        return self._judge.failed

    @property
    def is_busy(self) -> bool:
        """Whether something waits or is under way."""
        return bool(self._waiting or self._under_way)

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the calls that are under way end; begin none."""
        self._is_over = True
        self._pool.shutdown(wait=True)
        self._echoes.close()

    def add(self, creates: Sequence[Operation]) -> None:
        """Take creates; every full call of 200 leaves at once, the rest with the next ones or with `wait`."""
        self._waiting.extend(creates)
        groups = list(_batches(self._waiting))
        self._waiting = []
        for batch in groups:
            if len(batch) == ROWS_PER_CALL:
                self._begin(batch)
            else:
                self._waiting.extend(batch)
        while self._under_way and self._under_way[0].done():
            self._finish_oldest()

    @property
    def is_crowded(self) -> bool:
        """Whether more than two rounds are under way: the org is slower than we are."""
        return len(self._under_way) > _MAX_UNDER_WAY

    def make_room(self) -> None:
        """Wait until it is no longer crowded, so that memory stays bounded."""
        while self.is_crowded:
            self._finish_oldest()

    def send(self, operations: Sequence[Operation]) -> None:
        """Send `operations` in calls of 200, creates and updates apart, and wait for their outcomes."""
        for batch in _batches(operations):
            self._begin(batch)
        self.wait()

    def flush(self) -> None:
        """Let also calls that are not full leave."""
        for batch in _batches(self._waiting):
            self._begin(batch)
        self._waiting = []

    def wait(self) -> None:
        """Send what waits, and wait for the outcomes of everything under way."""
        self.flush()
        while self._under_way:
            self._finish_oldest()

    def drain(self) -> None:
        """`wait`, and read every echo that is still outstanding."""
        self.wait()
        self._echoes.read_rest()

    def _begin(self, batch: Sequence[Operation]) -> None:
        self._under_way.append(self._pool.submit(self._send_batch, batch))

    def _finish_oldest(self) -> None:
        """Wait for the oldest batch; what its thread raised leaves here."""
        done = self._under_way.popleft().result()
        if self._on_done is not None:
            self._on_done(done)
        self._echoes.add(done)

    def _send_batch(self, batch: Sequence[Operation]) -> list[Operation]:
        """One call; gives the operations whose echo is to be read, with the ids of their records. Runs in a thread of the pool."""
        if self._is_over:
            return []
        with self._ctx.watch.stage("push"):
            if self._ctx.pushing_stopped:
                self._unsend(batch)
                return []
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
                if isinstance(error, ContractError):
                    self._judge.stop(str(error), type(error).__name__)
                else:
                    lose_org(self._ctx, error)
                self._unsend(batch)
                return []
        with self._ctx.watch.stage("outcome"):
            results = self._judge.results(batch, answers)
            self._ctx.store.commit_results(self._ctx.run_id, results, self._ctx.clock.now())
            self._report(results)
        now = self._ctx.clock.now()
        return [
            msgspec.structs.replace(operation, sf_id=result.sf_id, state=OperationState.DONE, finished_at=now)
            for operation, result in zip(batch, results, strict=True)
            # What is not mirrored is not read back.
            if result.state is OperationState.DONE
            and operation.object in self._session.fields
            # Nor what is gone.
            and operation.kind is not OperationKind.EXPIRE
        ]

    def _call(self, batch: Sequence[Operation]) -> list[RowOutcome]:
        first = batch[0]
        if first.kind is OperationKind.CONVERT:
            return send_conversions(self._ctx, self._session, batch)
        if first.kind in CREATING:
            rows = [(operation.external_id, operation.fields) for operation in batch]
            return self._session.org.create(first.object, rows, first.assignment)
        if first.kind in DELETING:
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

    def _unsend(self, batch: Sequence[Operation]) -> None:
        """Nothing of `batch` reached the org: plan those persons again in the next pass."""
        self._ctx.store.take_back([operation.operation_id for operation in batch], self._ctx.clock.now())

    def _report(self, results: Sequence[OperationResult]) -> None:
        states = Counter(result.state for result in results)
        for state, count in states.items():
            level = self._ctx.log.debug if state is OperationState.DONE else self._ctx.log.warning
            level(_DONE_EVENTS[state], stage="push", count=count)
        self._ctx.progress("pushed", {str(state): count for state, count in states.items()})


def _batches(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """Calls of at most 200: consent first, tasks and deletions last, one object, one kind of call and one assignment each (DESIGN 5.3).

    Conversions go by 100.
    """
    order = {OperationKind.CONSENT: 0, OperationKind.CREATE: 1, OperationKind.CONVERT: 3, OperationKind.OPPORTUNITY: 4}
    order |= {OperationKind.TASK: 5, OperationKind.EXPIRE: 6}
    groups: dict[tuple[object, ...], list[Operation]] = {}
    for operation in operations:
        if operation.kind is OperationKind.ACTION:
            continue  # its source carries it out (`syncd.run.acting`)
        is_create, is_delete = operation.kind in CREATING, operation.kind in DELETING
        call = "create" if is_create else "delete" if is_delete else "update"
        call = "convert" if operation.kind is OperationKind.CONVERT else call
        rank = order.get(operation.kind, 2)
        groups.setdefault((rank, operation.object, call, operation.assignment), []).append(operation)
    for key in sorted(groups, key=repr):
        group = groups[key]
        size = LEADS_PER_CALL if key[2] == "convert" else ROWS_PER_CALL
        for start in range(0, len(group), size):
            yield group[start : start + size]
