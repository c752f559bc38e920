"""Actions at sources in the outbox: which wait, and what was put off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, select, text, update

from syncd.model import Operation, OperationState
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database
from syncd.store.outbox import operation_of


class ActionStore:
    """Actions that wait for their source."""

    db: Database

    def actions(self, states: Sequence[OperationState], sources: Sequence[str], limit: int, after: str = "") -> list[Operation]:
        """Open actions at these sources, oldest first, those after one of them."""
        o = t.operation.c
        here = and_(text(t.OPEN_STATES_SQL), o.kind == "action", o.source.in_(list(sources)), o.operation_id > after)
        statement = t.OPERATIONS.where(and_(here, o.state.in_([str(state) for state in states])))
        with self.db.read() as connection:
            return [operation_of(row) for row in connection.execute(statement.order_by(o.operation_id + "").limit(limit))]

    def acting_sources(self) -> set[str]:
        """Names of the sources at which an action waits, is under way or in doubt."""
        o = t.operation.c
        is_open = and_(text(t.OPEN_STATES_SQL), o.kind == "action", o.state != "held")
        with self.db.read() as connection:
            return set(connection.execute(select(o.source).where(is_open).distinct()).scalars())

    def put_off(self, operation_ids: Sequence[str], code: str) -> None:
        """What was tried and not carried out, for the reason `code`, waits for another try; the tries are counted."""
        o = t.operation.c
        with self.db.write() as connection:
            here = among(connection, o.operation_id, operation_ids)
            values: dict[str, Any] = {"state": "planned", "attempt": o.attempt + 1, "code": code, "sent_at": None}
            connection.execute(update(t.operation).where(here).values(**values))
