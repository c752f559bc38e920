"""The outbox: operations from plan to outcome, and base from their echo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, bindparam, false, func, select, text, update

from syncd.as_stored import document_text, operation_document
from syncd.errors import LeaseLostError
from syncd.model import Operation, OperationKind, OperationState
from syncd.ports import OperationResult
from syncd.store import tables as t
from syncd.store.bulk import Rows, among, insert_rows, micros, update_rows
from syncd.store.echoes import made_of, settle_records
from syncd.store.engine import Database
from syncd.store.prepared import Prepared, given, listed
from syncd.store.shared import mark_dirty, put_dead_letter, put_review
from syncd.store.together import Together

_FENCE = "engine"
_COUNTED_BY_OBJECT = {"Task": "tasks", "Opportunity": "opportunities"}
_COUNTED_BY_KIND = {"create": "created", "delete": "archived", "expire": "deleted", "convert": "converted", "action": "acted"}
_NOT_ECHOED = ("delete", "expire", "task", "opportunity", "action")
"""Kinds of writes to what is not mirrored, or is gone."""
_ENDED = ("sf_id", "target", "state", "code", "message", "finished_at", "needs_echo")
_HELD_FENCE = Prepared(lambda _: select(t.lease.c.fence).where(t.lease.c.name == _FENCE))
_SENT = Prepared(
    lambda connection: (
        update(t.operation)
        .where(among(connection, t.operation.c.operation_id, given("operations")))
        .values(state="sent", sent_at=bindparam("at", type_=BigInteger))
    )
)
_ECHOED = Prepared(
    lambda connection: (
        update(t.operation).where(among(connection, t.operation.c.operation_id, given("operations"))).values(needs_echo=false())
    )
)


def operation_rows(operations: Sequence[Operation], at: datetime) -> tuple[Rows, Rows]:
    """Operations and their documents as stored; made before the transaction that inserts them."""
    documents: Rows = [(one.operation_id, document_text(one)) for one in operations]
    return [operation_row(one, at) for one in operations], documents


def insert_operations(connection: Connection, rows: Rows, documents: Rows) -> None:
    """Add operations to the outbox."""
    insert_rows(connection, t.operation, rows)
    insert_rows(connection, t.operation_document, documents)


def operation_row(one: Operation, at: datetime) -> tuple[Any, ...]:
    """An operation as stored, in the order of the columns."""
    return (
        one.operation_id,
        one.person_id,
        one.object,
        one.sf_id,
        one.target,
        one.kind.value,
        one.state.value,
        one.source,
        one.run_id,
        one.attempt,
        one.code,
        one.message,
        micros(one.planned_at or at),
        None if one.sent_at is None else micros(one.sent_at),
        None if one.finished_at is None else micros(one.finished_at),
        False,
        False,
    )


def operation_of(row: Any) -> Operation:
    """A stored operation as a value."""
    document = operation_document(row.document)
    return Operation(
        operation_id=row.operation_id,
        person_id=row.person_id,
        object=row.object,
        sf_id=row.sf_id,
        kind=OperationKind(row.kind),
        fields=document.fields,
        before=document.before,
        provenance=document.provenance,
        state=OperationState(row.state),
        is_guarded=document.is_guarded,
        assignment=document.assignment,
        source=row.source,
        run_id=row.run_id,
        attempt=row.attempt,
        code=row.code,
        message=row.message,
        planned_at=row.planned_at,
        sent_at=row.sent_at,
        finished_at=row.finished_at,
        own_id=document.own_id,
    )


class OutboxStore:
    """Operations and their outcomes."""

    db: Database
    together: Together

    def operations(
        self,
        states: Sequence[OperationState],
        limit: int,
        run_id: str | None = None,
        other_than: Sequence[str] = (),
        kinds: Sequence[OperationKind] = (),
    ) -> list[Operation]:
        """Operations in `states`, oldest first: of one run, or of all but the runs `other_than`; of some kinds, or of all for none."""
        o = t.operation.c
        wanted = [str(state) for state in states]
        # By an expression, so that no engine walks through everything that was ever done in the order of its ids.
        statement = t.OPERATIONS.where(o.state.in_(wanted)).order_by(o.operation_id + "").limit(limit)
        if all(state in ("planned", "held", "sent", "unknown") for state in wanted):
            statement = statement.where(text(t.OPEN_STATES_SQL))
        if run_id is not None:
            # By an expression: the open ones of a run are few, and all of its operations are not.
            statement = statement.where(o.run_id + "" == run_id)
        if other_than:
            statement = statement.where(o.run_id.not_in(other_than))
        if kinds:
            statement = statement.where(o.kind.in_([str(kind) for kind in kinds]))
        return self._read(statement)

    def open_conversions(self) -> list[Operation]:
        """Conversions that are planned, held, sent or without an answer: what accounts they make is not in the mirror yet."""
        o = t.operation.c
        return self._read(
            t.OPERATIONS.where(and_(text(t.OPEN_STATES_SQL), o.kind + "" == "convert")).order_by(o.operation_id + "")
        )

    def operations_of(self, person_id: str) -> list[Operation]:
        """Every operation of a person, oldest first."""
        return self._read(t.OPERATIONS.where(t.person.c.person_id == person_id).order_by(t.operation.c.operation_id))

    def operations_of_run(self, run_id: str) -> list[Operation]:
        """Every operation that a run planned, oldest first."""
        return self._read(t.OPERATIONS.where(t.operation.c.run_id == run_id).order_by(t.operation.c.operation_id))

    def held_persons(self, run_id: str) -> int:
        """For how many people a run holds something."""
        o = t.operation.c
        is_held = and_(o.state == "held", text(t.OPEN_STATES_SQL), o.run_id + "" == run_id)
        statement = select(func.count(func.distinct(o.person_number))).where(is_held)
        with self.db.read() as connection:
            return int(connection.execute(statement).scalar() or 0)

    def operations_needing_echo(self, limit: int, other_than: Sequence[str] = ()) -> list[Operation]:
        """Done, but not read back yet; of all runs but `other_than`."""
        statement = t.OPERATIONS.where(text("operation.needs_echo")).order_by(t.operation.c.operation_id).limit(limit)
        if other_than:
            statement = statement.where(t.operation.c.run_id.not_in(other_than))
        return self._read(statement)

    def _read(self, statement: Any) -> list[Operation]:
        with self.db.read() as connection:
            return [operation_of(row) for row in connection.execute(statement)]

    def operation_counts(self, run_id: str) -> dict[str, int]:
        """What a run wrote: created, updated (with consent, status and restores), converted, archived, refused, failed.

        `tasks` and `opportunities` (made, or deleted by an undo), `acted` (actions at sources) and `deleted` (after retention) are there only
        if there are any.
        """
        o = t.operation.c
        statement = select(o.kind, o.state, o.object, func.count()).where(o.run_id == run_id).group_by(o.kind, o.state, o.object)
        counts = dict.fromkeys(("created", "updated", "converted", "archived", "unchanged", "refused", "failed"), 0)
        with self.db.read() as connection:
            for kind, state, name, count in connection.execute(statement):
                if state == "done":
                    what = _COUNTED_BY_OBJECT.get(name) or _COUNTED_BY_KIND.get(kind, "updated")
                    counts[what] = counts.get(what, 0) + count
                elif state in ("refused", "failed"):
                    counts[state] += count
        return counts

    def put_operations(self, operations: Sequence[Operation]) -> None:
        """Add operations that no plan made (an undo)."""
        if operations:
            made = operation_rows(operations, self.db.clock.now())
            with self.db.write() as connection:
                insert_operations(connection, *made)

    def mark_sent(self, operation_ids: Sequence[str], at: datetime, run_id: str = "") -> int:
        """The intent is durable before the call; gives how many may be sent.

        With `run_id` they count for that run: it carries out what an earlier one planned, unless that was ended meanwhile by an erasure.

        Raises:
            LeaseLostError: Another engine took this store over.
        """

        def mark(connection: Connection) -> None:
            fence = self.db.fences.get(_FENCE)
            if fence is not None and [held for (held,) in _HELD_FENCE.rows(connection)] != [fence]:
                raise LeaseLostError("Another engine has taken over this store.", advice="This one stops; nothing was sent.")
            if run_id:
                here = and_(among(connection, t.operation.c.operation_id, operation_ids), t.operation.c.state == "planned")
                marked = update(t.operation).where(here).values(state="sent", sent_at=at, run_id=run_id)
                counts.append(connection.execute(marked).rowcount)
            else:
                _SENT.run(connection, operations=listed(operation_ids), at=micros(at))
                counts.append(len(operation_ids))

        counts: list[int] = []
        self.together.write(mark, len(operation_ids))
        return counts[-1]

    def take_back(self, operation_ids: Sequence[str], at: datetime) -> None:
        """What was marked as sent never left: as if it had not been tried, so that the next create may still be assigned."""
        o = t.operation.c
        with self.db.write() as connection:
            here = among(connection, o.operation_id, operation_ids)
            values: dict[str, Any] = {"state": "superseded", "finished_at": at, "sent_at": None}
            connection.execute(update(t.operation).where(here).values(**values))
            _ask_to_plan(connection, here)

    def set_operation_states(self, operation_ids: Sequence[str], state: OperationState, *, dirty: bool, at: datetime) -> None:
        """Move operations to `state`; with `dirty` their people are planned again."""
        o = t.operation.c
        is_over = str(state) in ("superseded", "failed", "refused", "done")
        with self.db.write() as connection:
            here = among(connection, o.operation_id, operation_ids)
            values: dict[str, Any] = {"state": str(state)} | ({"finished_at": at} if is_over else {})
            connection.execute(update(t.operation).where(here).values(**values))
            if dirty:
                _ask_to_plan(connection, here)

    def commit_results(self, run_id: str, results: Sequence[OperationResult], at: datetime) -> None:
        """Store the outcomes of sent operations, or the echo of done ones, in one transaction."""
        del run_id
        made = made_of(results)

        def settle(connection: Connection) -> None:
            known = self._known(connection, results)
            pairs = [(known[one.operation_id], one) for one in results if one.operation_id in known]
            self._end_operations(connection, pairs, at)
            done = [pair for pair in pairs if pair[1].state is OperationState.DONE]
            settle_records(connection, done, made, at, notes_statuses=self.db.notes_statuses, machines=self.db.machines)
            for _, one in pairs:
                if one.dead_letter is not None:
                    put_dead_letter(connection, one.dead_letter)
                if one.review is not None:
                    put_review(self.db, connection, one.review)
            mark_dirty(connection, {row.person_id for row, one in pairs if one.dirty})

        self.together.write(settle, len(results))

    @staticmethod
    def _known(connection: Connection, results: Sequence[OperationResult]) -> dict[str, Any]:
        """The operations that results are about: those they bring along, and the others as they are stored."""
        known: dict[str, Any] = {one.operation_id: one.operation for one in results if one.operation is not None}
        unknown = [one.operation_id for one in results if one.operation is None]
        if unknown:
            o = t.operation.c
            columns = (
                o.operation_id, t.person.c.person_id, o.object, o.sf_id, o.target, o.kind, o.state, o.planned_at, o.finished_at,
            )  # fmt: skip
            here, owned = among(connection, o.operation_id, unknown), o.person_number == t.person.c.number
            rows = connection.execute(select(*columns).join_from(t.operation, t.person, owned).where(here))
            known |= {row.operation_id: row for row in rows}
        return known

    @staticmethod
    def _end_operations(connection: Connection, pairs: Sequence[tuple[Any, OperationResult]], at: datetime) -> None:
        """The outcome of each operation; one that was done before has only waited for its echo."""
        ended: Rows = []
        echoed: list[str] = []
        for row, one in pairs:
            is_done = one.state is OperationState.DONE
            needs_echo = is_done and one.echo is None and not one.base and row.kind not in _NOT_ECHOED
            if is_done and row.state == "done" and not needs_echo:
                echoed.append(row.operation_id)
                continue
            sf_id = one.sf_id or row.sf_id
            # A create's target becomes the record, so that nothing else is planned for it until its echo is read.
            target = f"{row.object}:{sf_id}" if is_done and sf_id else row.target
            finished_at = None if one.state is OperationState.UNKNOWN else micros(row.finished_at or at)
            ended.append((sf_id, target, one.state.value, one.code, one.message, finished_at, needs_echo, row.operation_id))
        update_rows(connection, t.operation, _ENDED, ended, keys=("operation_id",))
        if echoed:
            _ECHOED.run(connection, operations=listed(echoed))


def _ask_to_plan(connection: Connection, here: Any) -> None:
    """The people of these operations are planned again."""
    numbers = select(t.operation.c.person_number).where(here)
    connection.execute(update(t.person).where(t.person.c.number.in_(numbers)).values(**t.TO_PLAN))
