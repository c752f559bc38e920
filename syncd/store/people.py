"""People: what planning reads of them, and what a plan leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, exists, or_, select, text, update

from syncd.as_stored import dumps, golden_text
from syncd.model import (
    Hold,
    PersonView,
    Value,
)
from syncd.ports import PersonPlan
from syncd.store import tables as t
from syncd.store.bulk import Rows, update_rows
from syncd.store.decisions import decision_rows, put_decisions, replace_due
from syncd.store.engine import Database, chunks
from syncd.store.outbox import insert_operations, operation_rows
from syncd.store.shared import close_open, mark_dirty, put_dead_letter, put_review, reopen
from syncd.store.views import views_of

_OPEN = ("planned", "held", "sent", "unknown")
_SLICE = 500
_PLANNED = ("golden", "notes")


class PeopleStore:
    """Person views, plans, exports."""

    db: Database

    def dirty_persons(self, limit: int, after: str = "", among: Sequence[str] | None = None) -> list[str]:
        """People to plan, by id after `after`: dirty, not merged or erased, with no open operation and no echo outstanding.

        A task or an action under way holds up nothing: it is no part of the lead. With `among` only these (a few hundred at most).
        """
        p, o = t.person.c, t.operation.c
        is_under_way = and_(o.person_number == p.number, or_(o.state.in_(_OPEN), o.needs_echo), o.kind != "action")
        busy = exists().where(and_(is_under_way, o.object != "Task"))
        statement = (
            select(p.person_id)
            .where(and_(text("person.is_dirty"), p.person_id > after, p.state.in_(("active", "review")), ~busy))
            .order_by(p.person_id)
            .limit(limit)
        )
        if among is not None:
            statement = statement.where(p.person_id.in_(list(among)))
        with self.db.read() as connection:
            return [row.person_id for row in connection.execute(statement)]

    def person_views(self, person_ids: Sequence[str]) -> list[PersonView]:
        """Everything planning needs, in the order of `person_ids`; unknown ids are left out."""
        found: list[PersonView] = []
        with self.db.read() as connection:
            for part in chunks(list(person_ids)):
                found.extend(views_of(connection, part))
        return found

    def commit_plans(self, run_id: str, plans: Sequence[PersonPlan], at: datetime) -> None:
        """Store plans: operations into the outbox, golden documents, adopted bases, decisions, dates; the people are clean but for `stays_dirty`.

        A person whose target got an open operation meanwhile is left dirty and planned again after its outcome; so is one who was
        marked since the view of the plan was read.
        """
        with self.db.write() as connection:
            targets = sorted({one.target for plan in plans for one in plan.operations})
            taken = {
                row.target
                for part in chunks(targets)
                for row in connection.execute(
                    select(t.operation.c.target).where(and_(t.operation.c.target.in_(part), t.operation.c.state.in_(_OPEN)))
                )
            }
            free = [plan for plan in plans if not any(one.target in taken for one in plan.operations)]
            insert_operations(connection, *operation_rows([one for plan in free for one in plan.operations], at))
            planned: Rows = [(golden_text(plan.golden), dumps(plan.notes), plan.person_id) for plan in free]
            update_rows(connection, t.person, _PLANNED, planned, keys=("person_id",))
            seen: Rows = [(plan.stays_dirty, plan.person_id, plan.marks) for plan in free]
            update_rows(connection, t.person, ("is_dirty",), seen, keys=("person_id", "marks"))
            put_decisions(connection, decision_rows(free, run_id, at))
            replace_due(connection, free)
            for kind in sorted({kind for plan in free for kind in plan.settled}):
                close_open(connection, [plan.person_id for plan in free if kind in plan.settled], kind, state="settled")
            for kind in sorted({kind for plan in free for kind in plan.asked_again}):
                reopen(connection, [plan.person_id for plan in free if kind in plan.asked_again], kind)
            for plan in free:
                for name, sf_id, base in plan.bases:
                    merge_base(connection, name, sf_id, base)
                if plan.dead_letter is not None:
                    put_dead_letter(connection, plan.dead_letter)
                if plan.review is not None:
                    put_review(self.db, connection, plan.review)

    def put_holds(self, person_id: str, holds: Sequence[Hold], bases: Any) -> None:
        """Leave these values alone until a source sends others; `bases` sets base per (object, id)."""
        with self.db.write() as connection:
            rows = [
                {"person_id": person_id, "field": one.field, "value": dumps(one.value), "reason": one.reason} for one in holds
            ]
            self.db.upsert(connection, t.hold, rows, ("person_id", "field"))
            for (name, sf_id), base in bases.items():
                merge_base(connection, name, sf_id, dict(base))


def merge_base(connection: Connection, name: str, sf_id: str, base: dict[str, Value]) -> None:
    """Set base of some fields of one org record; the others keep theirs."""
    o = t.org_record.c
    row = connection.execute(select(o.base).where(and_(o.object == name, o.sf_id == sf_id))).first()
    if row is not None and base:
        merged = msgspec.json.decode(row.base) | base
        connection.execute(update(t.org_record).where(and_(o.object == name, o.sf_id == sf_id)).values(base=dumps(merged)))


def drop_holds(connection: Connection, person_id: str, fields: Sequence[str]) -> None:
    """Forget holds."""
    connection.execute(delete(t.hold).where(and_(t.hold.c.person_id == person_id, t.hold.c.field.in_(list(fields)))))


__all__ = ["PeopleStore", "mark_dirty", "merge_base"]
