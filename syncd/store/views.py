"""Everything planning needs of some people, as one value each. Set-based; every pass and every simulation comes through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, or_, select, text

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
from syncd.store import tables as t
from syncd.store.bulk import among, instant
from syncd.store.outbox import operation_of
from syncd.store.prepared import Prepared, given, listed
from syncd.store.shared import LEAD

_CANDIDATES = msgspec.json.Decoder(tuple[Candidate, ...])
LANES = {int(lane): lane for lane in Lane}
_STATES = {state.value: state for state in PersonState}
_OPEN = ("planned", "held", "sent", "unknown")

_p, _r, _o = t.person.c, t.record.c, t.org_record.c
_PEOPLE = Prepared(
    lambda connection: select(_p.number, _p.person_id, _p.state, _p.notes, _p.marks).where(
        among(connection, _p.person_id, given("ids"))
    )
)
# By their numbers from here on: ids are spread over their index.
_RECORDS = Prepared(
    lambda connection: select(
        _r.person_number, _r.source, _r.stream, _r.key, _r.lead, _r.source_at, _r.position, _r.locator, _r.mapping, _r.lane,
        _r.withdrawn_at,
    ).where(among(connection, _r.person_number, given("numbers")))
)  # fmt: skip
_ORG_RECORDS = Prepared(
    lambda connection: select(
        _o.person_number, _o.base, _o.is_survivor, _o.deleted_by_us, _o.object, _o.sf_id, _o.fields, _o.stamp, _o.modified_by,
        _o.owner_id, _o.external_id, _o.is_deleted, _o.merged_into, _o.is_converted, _o.contact_id, _o.other_by, _o.other_at,
        _o.opted_out_at, _o.opted_out_by, _o.opt_out_hold,
    ).where(among(connection, _o.person_number, given("numbers")))
)  # fmt: skip
_HOLDS = Prepared(
    lambda connection: select(t.hold.c.person_id, t.hold.c.field, t.hold.c.value, t.hold.c.reason).where(
        among(connection, t.hold.c.person_id, given("ids"))
    )
)


class PersonRow(NamedTuple):
    """What of a person's own row a view needs."""

    number: int
    person_id: str
    state: str
    notes: str
    marks: int


def views_of(connection: Connection, ids: Sequence[str]) -> list[PersonView]:
    """Views in the order of `ids`; unknown ids are left out."""
    people = {row[1]: PersonRow(*row) for row in _PEOPLE.rows(connection, ids=listed(ids))}
    return views_of_rows(connection, [people[one] for one in ids if one in people])


def views_of_rows(connection: Connection, people: Sequence[PersonRow]) -> list[PersonView]:
    """Views of people whose own rows were read already, in their order."""
    numbers = {one.number: one.person_id for one in people}
    ids, given_numbers = [one.person_id for one in people], listed(numbers)
    records = _records(connection, numbers, given_numbers)
    org = _org_records(connection, numbers, given_numbers)
    holds: dict[str, list[Hold]] = {}
    for person_id, field, value, reason in _HOLDS.rows(connection, ids=listed(ids)):
        holds.setdefault(person_id, []).append(Hold(field, msgspec.json.decode(value), reason))
    operations: dict[str, list[Operation]] = {}
    answered: set[str] = set()
    statement = t.OPERATIONS.where(among(connection, t.operation.c.person_number, numbers))
    for row in connection.execute(statement.order_by(t.operation.c.operation_id)).all():
        operations.setdefault(row.person_id, []).append(operation_of(row))
        if row.is_answered:
            answered.add(row.operation_id)
    candidates = _review_records(connection, ids)
    return [
        _view(
            row,
            records.get(row.person_id, ()),
            org.get(row.person_id, ()),
            holds.get(row.person_id, ()),
            operations.get(row.person_id, ()),
            answered,
            candidates.get(row.person_id, ()),
        )
        for row in people
    ]


def _records(connection: Connection, people: Mapping[int, str], numbers: str) -> dict[str, list[PersonRecord]]:
    """Records by person id; `people` are ids by number."""
    found: dict[str, list[PersonRecord]] = {}
    for number, source, stream, key, lead, source_at, position, locator, mapping, lane, withdrawn_at in _RECORDS.rows(
        connection, numbers=numbers
    ):
        ref, told = RecordRef(source, stream, key), (instant(source_at), position, locator, mapping, LANES[lane])
        one = PersonRecord(ref, LEAD.decode(lead), *told, None if withdrawn_at is None else instant(withdrawn_at))
        found.setdefault(people[number], []).append(one)
    return found


def _org_records(connection: Connection, people: Mapping[int, str], numbers: str) -> dict[str, list[OrgRecord]]:
    """The same of records in the org."""
    found: dict[str, list[OrgRecord]] = {}
    for (
        number, base, is_survivor, deleted_by_us, name, sf_id, fields, stamp, modified_by,
        owner_id, external_id, is_deleted, merged_into, is_converted, contact_id, other_by, other_at,
        opted_out_at, opted_out_by, opt_out_hold,
    ) in _ORG_RECORDS.rows(connection, numbers=numbers):  # fmt: skip
        row = OrgRow(
            name, sf_id, _decoded(fields), instant(stamp), modified_by, owner_id, external_id, bool(is_deleted), merged_into,
            bool(is_converted), contact_id,
        )  # fmt: skip
        one = OrgRecord(
            row,
            people[number],
            _decoded(base),
            bool(is_survivor),
            bool(deleted_by_us),
            other_by=other_by,
            other_at=None if other_at is None else instant(other_at),
            opted_out_at=None if opted_out_at is None else instant(opted_out_at),
            opted_out_by=opted_out_by,
            opt_out_hold=opt_out_hold,
        )
        found.setdefault(one.person_id, []).append(one)
    return found


def _decoded(text: str) -> dict[str, Any]:
    return {} if text == "{}" else msgspec.json.decode(text)


def _review_records(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[OrgRecord, ...]]:
    """Org records that open reviews are about: those named, and those of the people named."""
    r, o = t.review.c, t.org_record.c
    found: dict[str, tuple[OrgRecord, ...]] = {}
    for row in connection.execute(
        select(r.person_id, r.candidates).where(and_(among(connection, r.person_id, ids), text("review.state = 'open'")))
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


def _view(
    row: PersonRow,
    records: Sequence[PersonRecord],
    org: Sequence[OrgRecord],
    holds: Sequence[Hold],
    operations: Sequence[Operation],
    answered: set[str],
    candidates: tuple[OrgRecord, ...],
) -> PersonView:
    if not operations:
        return PersonView(
            person_id=row.person_id,
            state=_STATES[row.state],
            records=tuple(records),
            org_records=tuple(org),
            holds=tuple(holds),
            candidates=candidates,
            notes=_decoded(row.notes),
            marks=row.marks,
        )
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
        state=_STATES[row.state],
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
        notes=_decoded(row.notes),
        marks=row.marks,
    )


def _with_history(record: OrgRecord, operations: Sequence[Operation]) -> OrgRecord:
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
        base=_decoded(row.base),
        is_survivor=row.is_survivor,
        deleted_by_us=row.deleted_by_us,
        other_by=row.other_by,
        other_at=row.other_at,
        opted_out_at=row.opted_out_at,
        opted_out_by=row.opted_out_by,
        opt_out_hold=row.opt_out_hold,
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
