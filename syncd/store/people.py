"""People: what planning reads of them, and what a plan leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, exists, or_, select, text, update

from syncd.model import (
    Candidate,
    Hold,
    Lane,
    Operation,
    OperationKind,
    OperationState,
    OrgRecord,
    OrgRow,
    PersonRecord,
    PersonState,
    PersonView,
    RecordRef,
    Value,
)
from syncd.ports import PersonPlan
from syncd.store import tables as t
from syncd.store.bulk import Rows, among, update_rows
from syncd.store.decisions import decision_rows, put_decisions, replace_due
from syncd.store.documents import golden_text
from syncd.store.engine import Database, chunks
from syncd.store.inbox import dumps
from syncd.store.outbox import insert_operations, operation_of, operation_rows
from syncd.store.shared import LEAD, mark_dirty, put_dead_letter, put_review

_CANDIDATES = msgspec.json.Decoder(tuple[Candidate, ...])
_OPEN = ("planned", "held", "sent", "unknown")
_SLICE = 500
_PLANNED = ("golden", "notes", "is_dirty")


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
                found.extend(self._views(connection, part))
        return found

    def _views(self, connection: Connection, ids: Sequence[str]) -> list[PersonView]:
        found = connection.execute(select(t.person).where(among(connection, t.person.c.person_id, ids))).all()
        people = {row.person_id: row for row in found}
        # By their numbers from here on: ids are spread over their index.
        numbers = [row.number for row in found]
        records: dict[str, list[PersonRecord]] = {}
        its_records = among(connection, t.record.c.person_number, numbers)
        for row in connection.execute(t.of_people(t.record).where(its_records)).all():
            ref = RecordRef(row.source, row.stream, row.key)
            one = PersonRecord(ref, LEAD.decode(row.lead), row.source_at, row.position, row.locator, row.mapping, Lane(row.lane))
            records.setdefault(row.person_id, []).append(one)
        org: dict[str, list[OrgRecord]] = {}
        in_org = among(connection, t.org_record.c.person_number, numbers)
        for row in connection.execute(t.of_people(t.org_record).where(in_org)).all():
            org.setdefault(row.person_id, []).append(org_record_of(row))
        holds: dict[str, list[Hold]] = {}
        for row in connection.execute(select(t.hold).where(among(connection, t.hold.c.person_id, ids))):
            holds.setdefault(row.person_id, []).append(Hold(row.field, msgspec.json.decode(row.value), row.reason))
        operations: dict[str, list[Operation]] = {}
        answered: set[str] = set()
        statement = t.OPERATIONS.where(among(connection, t.operation.c.person_number, numbers))
        for row in connection.execute(statement.order_by(t.operation.c.operation_id)).all():
            operations.setdefault(row.person_id, []).append(operation_of(row))
            if row.is_answered:
                answered.add(row.operation_id)
        candidates = self._review_records(connection, ids)
        return [
            _view(
                people[one],
                records.get(one, []),
                org.get(one, []),
                holds.get(one, []),
                operations.get(one, []),
                answered,
                candidates.get(one, ()),
            )
            for one in ids
            if one in people
        ]

    @staticmethod
    def _review_records(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[OrgRecord, ...]]:
        """Org records that open reviews are about: those named, and those of the people named."""
        r, o = t.review.c, t.org_record.c
        found: dict[str, tuple[OrgRecord, ...]] = {}
        for row in connection.execute(
            select(r.person_id, r.candidates).where(and_(r.person_id.in_(ids), text("review.state = 'open'")))
        ):
            named = _CANDIDATES.decode(row.candidates)
            ids_of_records = [one.subject_id for one in named if one.kind in ("Lead", "Contact")] + [
                one.contact_id for one in named if one.contact_id
            ]
            owners = [one.person_id for one in named if one.person_id]
            if not ids_of_records and not owners:
                continue
            numbers = select(t.person.c.number).where(t.person.c.person_id.in_(owners))
            here = or_(o.sf_id.in_(ids_of_records), o.person_number.in_(numbers))
            rows = connection.execute(t.with_person(t.org_record).where(here))
            found[row.person_id] = (*found.get(row.person_id, ()), *(org_record_of(one) for one in rows))
        return found

    def commit_plans(self, run_id: str, plans: Sequence[PersonPlan], at: datetime) -> None:
        """Store plans: operations into the outbox, golden documents, adopted bases, decisions, dates; the people are clean but for `stays_dirty`.

        A person whose target got an open operation meanwhile is left dirty and planned again after its outcome.
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
            planned: Rows = [(golden_text(plan.golden), dumps(plan.notes), plan.stays_dirty, plan.person_id) for plan in free]
            update_rows(connection, t.person, _PLANNED, planned, keys=("person_id",))
            put_decisions(connection, decision_rows(free, run_id, at))
            replace_due(connection, free)
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


def _view(
    row: Any,
    records: list[PersonRecord],
    org: list[OrgRecord],
    holds: list[Hold],
    operations: list[Operation],
    answered: set[str],
    candidates: tuple[OrgRecord, ...],
) -> PersonView:
    latest: dict[tuple[str, str], Operation] = {}
    failures = 0
    for one in operations:
        if one.is_beside or one.object == "Opportunity" or one.kind is OperationKind.EXPIRE:
            pass  # how it fares says nothing of the lead
        elif one.state is OperationState.FAILED or (one.state is OperationState.SUPERSEDED and one.code):
            failures += 1
        elif one.state is OperationState.DONE:
            failures = 0
        if one.state in (OperationState.DONE, OperationState.REFUSED):
            latest[one.target, str(one.kind)] = one
    # A lead that comes after a deletion is a new one: it may be assigned.
    expired = {one.sf_id for one in operations if one.kind is OperationKind.EXPIRE and one.sent_at is not None}
    refused = tuple(one for one in latest.values() if one.state is OperationState.REFUSED and one.operation_id not in answered)
    return PersonView(
        person_id=row.person_id,
        state=PersonState(row.state),
        records=tuple(records),
        org_records=tuple(_with_history(record, operations) for record in org),
        holds=tuple(holds),
        open_operations=tuple(one for one in operations if str(one.state) in _OPEN),
        refused_operations=refused,
        candidates=candidates,
        was_create_sent=any(
            one.kind is OperationKind.CREATE and one.sent_at is not None and one.sf_id not in expired for one in operations
        ),
        failures=failures,
        tasks=tuple(one for one in operations if one.kind is OperationKind.TASK),
        actions=tuple(one for one in operations if one.kind is OperationKind.ACTION),
        moves=tuple(one for one in operations if one.kind is OperationKind.STATUS and one.state is OperationState.DONE),
        conversions=tuple(one for one in operations if one.kind is OperationKind.CONVERT or one.object == "Opportunity"),
        expirations=tuple(one for one in operations if one.kind is OperationKind.EXPIRE),
        notes=msgspec.json.decode(row.notes),
    )


def _with_history(record: OrgRecord, operations: list[Operation]) -> OrgRecord:
    """A mirror record with what we last sent per field, and how often in a row."""
    sent: dict[str, Value] = {}
    repeats: dict[str, int] = {}
    for one in operations:
        if one.state is OperationState.DONE and (one.object, one.sf_id) == (record.row.object, record.row.sf_id):
            for name, value in one.written.items():
                repeats[name] = repeats.get(name, 0) + 1 if name in sent and sent[name] == value else 1
                sent[name] = value
    return msgspec.structs.replace(record, sent=sent, repeats=repeats)


def org_record_of(row: Any) -> OrgRecord:
    """A mirror row as a value."""
    return OrgRecord(
        row=org_row_of(row),
        person_id=row.person_id,
        base=msgspec.json.decode(row.base),
        is_survivor=row.is_survivor,
        deleted_by_us=row.deleted_by_us,
        other_by=row.other_by,
        other_at=row.other_at,
    )


def org_row_of(row: Any) -> OrgRow:
    """The org's part of a mirror row."""
    return OrgRow(
        object=row.object,
        sf_id=row.sf_id,
        fields=msgspec.json.decode(row.fields),
        stamp=row.stamp,
        modified_by=row.modified_by,
        owner_id=row.owner_id,
        external_id=row.external_id,
        is_deleted=row.is_deleted,
        merged_into=row.merged_into,
        is_converted=row.is_converted,
        contact_id=row.contact_id,
    )


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


__all__ = ["PeopleStore", "mark_dirty", "merge_base", "org_record_of", "org_row_of"]
