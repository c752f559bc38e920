"""The echo: what the org made of our writes becomes base (DESIGN 5.1); a person's edit never does."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from syncd import events
from syncd.errors import SyncdError
from syncd.model import ObjectSchema, Operation, OperationKind, OperationState, OrgRow, Value
from syncd.plan import same
from syncd.ports import OperationResult
from syncd.run.context import IDS_PER_READ, OrgSession, PassContext

_ROWS_PER_COMMIT = 1_000
"""Echoes per write unit: they fit into 20 ms (DESIGN 4)."""


def echo_base(operation: Operation, row: OrgRow, schema: ObjectSchema | None, machine_users: frozenset[str]) -> dict[str, Value]:
    """Base of the written fields after reading `row` back. Pure.

    While the row was last modified by us (or another machine), its values are ours as the org keeps them: trimmed, rounded,
    rewritten by a trigger. Once a person has modified it, a value that differs from what we sent may be theirs, so base
    stays at what we sent and the difference counts as an edit.
    """
    is_machine = row.modified_by in machine_users
    base: dict[str, Value] = {}
    described = schema.fields if schema and not is_machine else {}
    for name, sent in operation.written.items():
        held = row.fields.get(name)
        field = described.get(name)
        base[name] = held if is_machine or same(held, sent, field) else sent
    return base


def read_echoes(ctx: PassContext, session: OrgSession) -> None:
    """Re-read what was written and not read back yet, 2,000 ids a call, and make it base. Writes the store.

    A failed read leaves the operations waiting for their echo; the next pass begins with them.
    """
    while True:
        operations = ctx.store.operations_needing_echo(IDS_PER_READ, other_than=ctx.others())
        if not operations or not _settle(ctx, session, operations):
            return


class EchoReader:
    """Reads the echoes of one pass beside its writes: one call for every 2,000 operations that were done."""

    def __init__(self, ctx: PassContext, session: OrgSession) -> None:
        """Nothing was written yet."""
        self._ctx = ctx
        self._session = session
        self._done: list[Operation] = []
        self._under_way: deque[Future[bool]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="echo")

    def add(self, done: Sequence[Operation]) -> None:
        """Take operations that were done; a full call leaves at once."""
        self._done.extend(done)
        while len(self._done) >= IDS_PER_READ:
            self._begin(self._done[:IDS_PER_READ])
            del self._done[:IDS_PER_READ]
        while len(self._under_way) > 1:
            self._under_way.popleft().result()

    def read_rest(self) -> None:
        """Read what is outstanding, and wait for it."""
        if self._done:
            self._begin(self._done)
            self._done = []
        while self._under_way:
            self._under_way.popleft().result()

    def close(self) -> None:
        """Let the call that is under way end."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, operations: Sequence[Operation]) -> None:
        self._under_way.append(self._pool.submit(_settle, self._ctx, self._session, tuple(operations)))


def _settle(ctx: PassContext, session: OrgSession, operations: Sequence[Operation]) -> bool:
    """One call; gives whether the org answered."""
    with ctx.watch.stage("echo"):
        try:
            rows = _read(session, operations)
        except SyncdError as error:
            ctx.miss("What Salesforce made of the last writes could not be read back")
            ctx.log.warning(events.ECHO_MISSED, stage="echo", error_type=type(error).__name__)
            return False
        machines = ctx.settings.machine_users | {session.identity.user_id}
        results = [_result(session, operation, rows, machines) for operation in operations]
        _note_unassigned(ctx, session, operations, rows)
        for start in range(0, len(results), _ROWS_PER_COMMIT):
            ctx.store.commit_results(ctx.run_id, results[start : start + _ROWS_PER_COMMIT], ctx.clock.now())
    return True


def _note_unassigned(
    ctx: PassContext, session: OrgSession, operations: Sequence[Operation], rows: dict[tuple[str, str], OrgRow]
) -> None:
    """Tell of leads that nobody got: no assignment rule is active, it has no entry for them (DESIGN 6), or it was left off on purpose."""
    mine = session.identity.user_id
    found = [rows.get((one.object, one.sf_id)) for one in operations if one.kind is OperationKind.CREATE]
    count = sum(row is not None and row.owner_id == mine for row in found)
    if count:
        ctx.count_note("lead_unassigned", count)
        ctx.log.warning(events.LEAD_UNASSIGNED, stage="echo", count=count)


def _read(session: OrgSession, operations: Sequence[Operation]) -> dict[tuple[str, str], OrgRow]:
    found: dict[tuple[str, str], OrgRow] = {}
    for name in sorted({operation.object for operation in operations}):
        ids = sorted({operation.sf_id for operation in operations if operation.object == name and operation.sf_id})
        for start in range(0, len(ids), IDS_PER_READ):
            rows = session.org.retrieve(name, ids[start : start + IDS_PER_READ], session.fields[name])
            found.update({(name, sf_id): row for sf_id, row in rows.items() if row is not None})
    return found


def _result(
    session: OrgSession,
    operation: Operation,
    rows: dict[tuple[str, str], OrgRow],
    machines: frozenset[str],
) -> OperationResult:
    row = rows.get((operation.object, operation.sf_id))
    if row is None:
        # Gone again before we could look (or deleted by our own undo): the mirror will tell; what we sent is the best base.
        base = dict(operation.written)
        return OperationResult(operation.operation_id, OperationState.DONE, operation.sf_id, base=base, operation=operation)
    base = echo_base(operation, row, session.schema.objects.get(operation.object), machines)
    is_own = row.modified_by == session.identity.user_id
    return OperationResult(
        operation.operation_id, OperationState.DONE, row.sf_id, echo=row, is_own_echo=is_own, base=base, operation=operation
    )
