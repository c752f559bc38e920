"""When a person's record makes a task, whom it is about, and when it waits."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from syncd.model import (
    FieldSchema,
    FieldValue,
    Lane,
    Lead,
    LeadTask,
    ObjectSchema,
    Operation,
    OperationKind,
    OperationState,
    OrgRecord,
    OrgRow,
    OrgSchema,
    PersonRecord,
    PersonState,
    PersonView,
    RecordRef,
)
from syncd.plan import PlanSettings, TaskSettings, plan_person, task_id
from syncd.policy import Decision
from syncd.ports import PersonPlan

AT = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
REF = RecordRef("site", "forms", "1")
ME, REP, QUEUE = "005000000000001AAA", "005000000000002AAA", "00G000000000001AAA"
LEAD, CONTACT = "00Q000000000001AAA", "003000000000001AAA"
SECRET = b"key"
CALL = LeadTask("Call", 1, line=9)
EXTERNAL = task_id(REF, SECRET)


def schema(**without: str) -> OrgSchema:
    lead = {name: FieldSchema(name, "string", length=80) for name in ("LastName", "Company", "Title")}
    names = ("Subject", "Status", "Priority", "Description", "WhoId", "OwnerId")
    task = {name: FieldSchema(name, "string", length=255) for name in names}
    task["ActivityDate"] = FieldSchema("ActivityDate", "date")
    task["Syncd_Id__c"] = FieldSchema("Syncd_Id__c", "string", length=64, is_external_id=True, is_unique=True)
    for name in without.values():
        del task[name]
    objects = {"Lead": ObjectSchema("Lead", lead), "Contact": ObjectSchema("Contact", lead), "Task": ObjectSchema("Task", task)}
    return OrgSchema(objects)


def record(lane: Lane = Lane.HOT, task: LeadTask | None = CALL, ref: RecordRef = REF, **changes: Any) -> PersonRecord:
    lead = Lead({"LastName": FieldValue("Lovelace"), "Company": FieldValue("Engines")}, task=task)
    return PersonRecord(ref, lead, changes.pop("source_at", AT), lane=lane, **changes)


def known(sf_id: str = LEAD, owner: str = REP, **changes: Any) -> OrgRecord:
    name = {"00Q": "Lead", "003": "Contact"}[sf_id[:3]]
    fields = {"LastName": "Lovelace", "Company": "Engines", "Title": None}
    return OrgRecord(OrgRow(name, sf_id, fields, AT, owner_id=owner, **changes), "p", base=dict(fields))


def made(state: OperationState, **changes: Any) -> Operation:
    values = {"operation_id": "1", "run_id": "before", **changes}
    return Operation(
        person_id="p",
        object="Task",
        sf_id="",
        kind=OperationKind.TASK,
        fields={},
        before={},
        state=state,
        own_id=EXTERNAL,
        **values,
    )


def plan(
    records: tuple[PersonRecord, ...] = (record(),),
    org: tuple[OrgRecord, ...] = (known(),),
    *,
    described: OrgSchema | None = None,
    starts: datetime | None = None,
    **view: Any,
) -> PersonPlan:
    ids = itertools.count()
    tasks = TaskSettings("Syncd_Id__c", ME, lambda ref: task_id(ref, SECRET), {"site": starts})
    state = view.pop("state", PersonState.ACTIVE)
    return plan_person(
        PersonView("p", state, records, org, **view),
        Decision("p", "rule"),
        described or schema(),
        PlanSettings(tasks=tasks),
        make_id=lambda: str(next(ids)),
        at=AT,
        run_id="now",
    )


def tasks(planned: PersonPlan) -> list[Operation]:
    return [one for one in planned.operations if one.kind is OperationKind.TASK]


def test_a_task_says_what_the_mapping_says_and_belongs_to_the_leads_owner() -> None:
    (one,) = plan((record(task=LeadTask("Call", 1, "High", "Open", "Please", 9)),)).operations
    assert one.fields == {
        "Subject": "Call", "Status": "Open", "Priority": "High", "Description": "Please", "WhoId": LEAD, "OwnerId": REP,
        "ActivityDate": "2026-11-25",
    }  # fmt: skip
    assert (one.object, one.sf_id, one.external_id, one.target) == ("Task", "", EXTERNAL, f"Task:new:{EXTERNAL}")
    why = one.provenance["Subject"]
    assert (why.source, why.key, why.line, why.rule) == ("site", "1", 9, "task")
    assert (one.source, one.is_guarded, one.assignment) == ("site", False, None)


@pytest.mark.parametrize(("lane", "is_made"), [(lane, lane <= Lane.POLICY) for lane in Lane])
def test_only_what_comes_hot_makes_a_task(lane: Lane, is_made: bool) -> None:
    assert bool(tasks(plan((record(lane),)))) is is_made


def test_a_lead_whose_mapping_wants_none_makes_none() -> None:
    assert plan((record(task=None),)).operations == ()


@pytest.mark.parametrize(("starts", "is_made"), [(AT + timedelta(seconds=1), False), (AT, True), (None, True)])
def test_what_is_older_than_start_from_makes_none(starts: datetime | None, is_made: bool) -> None:
    assert bool(tasks(plan(starts=starts))) is is_made


@pytest.mark.parametrize("state", [PersonState.REVIEW, PersonState.MERGED, PersonState.ERASED])
def test_only_somebody_active_gets_a_task(state: PersonState) -> None:
    assert tasks(plan(state=state)) == []


@pytest.mark.parametrize(
    ("state", "is_made"),
    [
        (OperationState.DONE, False),
        (OperationState.PLANNED, False),
        (OperationState.SENT, False),
        (OperationState.UNKNOWN, False),
        (OperationState.SUPERSEDED, True),
        (OperationState.FAILED, True),
    ],
)
def test_one_task_for_ever_whatever_became_of_it(state: OperationState, is_made: bool) -> None:
    one = made(state)
    planned = plan((record(source_at=AT + timedelta(days=9)),), tasks=(one,), open_operations=(one,) if not is_made else ())
    assert (bool(tasks(planned)), planned.stays_dirty) == (is_made, False)


def test_each_record_has_its_own() -> None:
    other = record(ref=RecordRef("site", "forms", "2"), source_at=AT - timedelta(days=1))
    planned = tasks(plan((record(), other), tasks=(made(OperationState.DONE),)))
    assert [one.external_id for one in planned] == [task_id(other.ref, SECRET)]
    assert len(tasks(plan((record(), other)))) == 2


def test_a_refusal_that_nobody_answered_is_not_tried_again() -> None:
    refused = made(OperationState.REFUSED)
    planned = plan(tasks=(refused,), refused_operations=(refused,))
    assert (tasks(planned), planned.notes["task"], planned.stays_dirty) == ([], "refused_before", False)
    assert len(tasks(plan(tasks=(refused,)))) == 1, "its dead letter was replayed"


def test_what_failed_in_this_run_waits_for_the_next_and_counts() -> None:
    failed = [made(OperationState.FAILED, operation_id=str(n), code="UNABLE_TO_LOCK_ROW") for n in range(2)]
    (again,) = tasks(plan(tasks=tuple(failed)))
    assert again.attempt == 2
    just_now = made(OperationState.FAILED, operation_id="9", run_id="now", code="UNABLE_TO_LOCK_ROW")
    planned = plan(tasks=(*failed, just_now))
    assert (tasks(planned), planned.stays_dirty) == ([], True)


@pytest.mark.parametrize("owner", [QUEUE, ME, ""])
def test_a_task_waits_until_a_person_owns_the_lead(owner: str) -> None:
    planned = plan(org=(known(owner=owner),))
    assert (tasks(planned), planned.notes["task"], planned.stays_dirty) == ([], "task_waits_for_owner", False)


def test_a_new_lead_comes_first_and_asks_to_be_planned_again() -> None:
    planned = plan(org=())
    assert ([one.kind for one in planned.operations], planned.stays_dirty) == ([OperationKind.CREATE], True)
    refused = msgspec.structs.replace(planned.operations[0], state=OperationState.REFUSED)
    after = plan(org=(), refused_operations=(refused,))
    assert (after.operations, after.stays_dirty) == ((), False)


def test_who_is_not_in_the_org_and_may_not_be_created_gets_none() -> None:
    bare = record()
    lead = msgspec.structs.replace(bare.lead, may_create=False)
    planned = plan((msgspec.structs.replace(bare, lead=lead),), org=())
    assert (planned.operations, planned.stays_dirty) == ((), False)


def test_the_open_lead_goes_before_the_contact() -> None:
    (one,) = tasks(plan(org=(known(CONTACT), known())))
    assert one.fields["WhoId"] == LEAD
    (one,) = tasks(plan(org=(known(CONTACT, owner="005000000000003AAA"), known(is_deleted=True))))
    assert (one.fields["WhoId"], one.fields["OwnerId"]) == (CONTACT, "005000000000003AAA")


def test_a_converted_leads_task_is_about_the_contact_it_became() -> None:
    converted = known(is_converted=True, contact_id=CONTACT)
    (one,) = tasks(plan(org=(converted,), candidates=(known(CONTACT), known("003000000000009AAA"))))
    assert one.fields["WhoId"] == CONTACT
    assert tasks(plan(org=(converted,))) == []


def test_somebody_deleted_gets_none() -> None:
    planned = plan(org=(known(is_deleted=True),))
    assert (planned.operations, planned.stays_dirty) == ((), False)


@pytest.mark.parametrize("described", [OrgSchema({"Lead": schema().objects["Lead"]}), schema(a="Syncd_Id__c")])
def test_without_an_external_id_there_is_no_task_and_no_waiting(described: OrgSchema) -> None:
    planned = plan(described=described)
    assert (planned.operations, planned.notes["task"], planned.stays_dirty) == ((), "no_task_external_id", False)


def test_a_field_that_may_not_be_written_is_left_out() -> None:
    (one,) = tasks(plan(described=schema(a="ActivityDate", b="Priority")))
    assert set(one.fields) == {"Subject", "Status", "WhoId", "OwnerId"}


def test_consent_goes_its_way_beside_a_task() -> None:
    fields = {**schema().objects["Lead"].fields, "DoNotCall": FieldSchema("DoNotCall", "boolean")}
    described = OrgSchema({**schema().objects, "Lead": ObjectSchema("Lead", fields)})
    asked = record()
    lead = msgspec.structs.replace(asked.lead, fields={**asked.lead.fields, "DoNotCall": FieldValue(True)})
    planned = plan((msgspec.structs.replace(asked, lead=lead),), described=described)
    assert [one.kind for one in planned.operations] == [OperationKind.CONSENT, OperationKind.TASK]


def test_ids_of_tasks_are_keyed_short_and_nobodys_person_id() -> None:
    assert len(EXTERNAL) == 32
    assert len({EXTERNAL, task_id(REF, b"other"), task_id(RecordRef("site", "forms", "2"), SECRET)}) == 3
