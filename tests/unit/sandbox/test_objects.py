"""Accounts, opportunities, roles, tasks and events: what the org computes, and that every way to read and write knows them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pytest

from syncd.clock import FixedClock
from syncd.sandbox import SandboxOrg
from syncd.sandbox.ids import long_id
from syncd.sandbox.objects import STAGES
from syncd.sandbox.org import Refusal
from tests.unit.sandbox.conftest import Api, codes

DEAL = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-06-30"}


def held(org: SandboxOrg, sf_id: str) -> dict[str, Any]:
    row = org.row(sf_id)
    assert row is not None
    return row


def typed(name: str, *records: dict[str, Any]) -> dict[str, Any]:
    return {"records": [{"attributes": {"type": name}, **one} for one in records]}


def add_lead(org: SandboxOrg, **fields: Any) -> str:
    return org.create("Lead", {"LastName": "Roe", "Company": "Acme", **fields})


# ---------------------------------------------------------------------- opportunities


@pytest.mark.parametrize(
    ("stage", "is_closed", "is_won", "probability"),
    [("Prospecting", False, False, 10), ("closed won", True, True, 100), ("Closed Lost", True, False, 0)],
)
def test_the_stage_closes_and_wins_an_opportunity(
    org: SandboxOrg, stage: str, is_closed: bool, is_won: bool, probability: int
) -> None:
    row = held(org, org.create("Opportunity", {**DEAL, "StageName": stage}))
    assert (row["IsClosed"], row["IsWon"], row["Probability"]) == (is_closed, is_won, probability)


def test_a_stage_that_moves_takes_its_probability_along_unless_one_is_given(org: SandboxOrg) -> None:
    sf_id = org.create("Opportunity", {**DEAL, "Probability": 33})
    assert held(org, sf_id)["Probability"] == 33
    org.edit(sf_id, {"Amount": 5})
    assert held(org, sf_id)["Probability"] == 33, "the stage did not move"
    with org.as_user("rep2") as rep:
        rep.move_stage(sf_id, "Value Proposition")
    assert held(org, sf_id)["Probability"] == STAGES["Value Proposition"][0]
    org.edit(sf_id, {"StageName": "Somewhere", "Probability": 1})
    row = held(org, sf_id)
    assert (row["StageName"], row["IsClosed"], row["Probability"]) == ("Somewhere", False, 1), "any text is taken"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Name": None}, "REQUIRED_FIELD_MISSING"),
        ({"StageName": None}, "REQUIRED_FIELD_MISSING"),
        ({"CloseDate": None}, "REQUIRED_FIELD_MISSING"),
        ({"Name": "x" * 121}, "STRING_TOO_LONG"),
        ({"IsWon": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"AccountId": long_id("001", 99)}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"ContactId": long_id("001", 1)}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"RecordTypeId": long_id("012", 99)}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"Probability": 1000}, "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_an_opportunity_that_is_wrong_is_refused(api: Api, fields: dict[str, Any], code: str) -> None:
    answer = api.json("POST", "composite/sobjects", json=typed("Opportunity", {**DEAL, **fields}, DEAL))
    assert codes(answer) == [code, "ok"]


def test_a_currency_is_unknown_where_there_is_one_only(api: Api) -> None:
    refused = api.json("POST", "composite/sobjects", status=400, json=typed("Opportunity", {**DEAL, "CurrencyIsoCode": "EUR"}))
    assert refused[0]["errorCode"] == "INVALID_FIELD"
    assert api.json("GET", "query/", status=400, params={"q": "SELECT Id FROM CurrencyType"})[0]["errorCode"] == "INVALID_TYPE"


def test_the_contact_of_a_new_opportunity_gets_the_primary_role(api: Api, org: SandboxOrg) -> None:
    first, second = (org.create("Contact", {"LastName": name}) for name in "ab")
    (made,) = api.json("POST", "composite/sobjects", json=typed("Opportunity", {**DEAL, "ContactId": first}))
    role = {"OpportunityId": made["id"], "ContactId": second, "IsPrimary": True, "Role": "Decision Maker"}
    assert api.json("POST", "sobjects/OpportunityContactRole", status=201, json=role)["success"]
    found = api.query("SELECT ContactId, IsPrimary, Role FROM OpportunityContactRole ORDER BY Id")
    assert [(one["ContactId"], one["IsPrimary"]) for one in found] == [(first, False), (second, True)]
    assert held(org, made["id"])["ContactId"] == second
    moved = typed("Opportunity", {"Id": made["id"], "ContactId": first})
    assert codes(api.json("PATCH", "composite/sobjects", json=moved)) == ["INVALID_FIELD_FOR_INSERT_UPDATE"], "create only"
    lacking = api.call("POST", "sobjects/OpportunityContactRole", json={"OpportunityId": made["id"]})
    assert lacking.json()[0]["errorCode"] == "REQUIRED_FIELD_MISSING"


def test_an_opportunity_is_upserted_by_its_own_id(api: Api, org: SandboxOrg) -> None:
    path = "composite/sobjects/Opportunity/Syncd_Id__c"
    (first,) = api.json("PATCH", path, json=typed("Opportunity", {**DEAL, "Syncd_Id__c": "o1"}))
    (second,) = api.json("PATCH", path, json=typed("Opportunity", {"Syncd_Id__c": "O1", "Amount": 12.345}))
    assert (first["created"], second["created"], first["id"]) == (True, False, second["id"])
    assert held(org, first["id"])["Amount"] == 12.35
    assert api.call("PATCH", "composite/sobjects/Event/Syncd_Id__c", json=typed("Event", {})).status_code == 404


# ---------------------------------------------------------------------- tasks, events, the last activity


def test_a_task_is_closed_by_its_status_alone(org: SandboxOrg) -> None:
    sf_id = org.create("Task", {"Subject": "Call"})
    assert not held(org, sf_id)["IsClosed"]
    with org.as_user("rep2") as rep:
        rep.complete_task(sf_id)
    row = held(org, sf_id)
    assert (row["IsClosed"], row["Status"], row["ActivityDate"]) == (True, "Completed", date(2026, 3, 1))
    assert row["LastModifiedById"] == org.users["rep2"]
    org.edit(sf_id, {"Status": "In Progress"})
    assert not held(org, sf_id)["IsClosed"]
    with pytest.raises(Refusal) as refused:
        org.edit(sf_id, {"IsClosed": True})
    assert refused.value.code == "INVALID_FIELD_FOR_INSERT_UPDATE"


@pytest.mark.parametrize(
    ("fields", "start", "minutes"),
    [
        ({"StartDateTime": "2026-03-02T10:00:00Z", "EndDateTime": "2026-03-02T11:30:00Z"}, (2, 10), 90),
        ({"StartDateTime": "2026-03-02T10:00:00+02:00", "DurationInMinutes": 15}, (2, 8), 15),
        ({"ActivityDateTime": "2026-03-02T10:00:00Z", "DurationInMinutes": 15}, (2, 10), 15),
        ({"IsAllDayEvent": True, "ActivityDate": "2026-03-05"}, (5, 0), 1440),
    ],
)
def test_the_times_of_an_event_agree(org: SandboxOrg, fields: dict[str, Any], start: tuple[int, int], minutes: int) -> None:
    row = held(org, org.create("Event", {"Subject": "Demo", **fields}))
    at = datetime(2026, 3, *start, tzinfo=UTC)
    assert (row["StartDateTime"], row["ActivityDateTime"], row["ActivityDate"]) == (at, at, at.date())
    assert (row["DurationInMinutes"], (row["EndDateTime"] - at).total_seconds()) == (minutes, minutes * 60)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "REQUIRED_FIELD_MISSING"),
        ({"StartDateTime": "2026-03-02T10:00:00Z"}, "REQUIRED_FIELD_MISSING"),
        ({"DurationInMinutes": 5}, "REQUIRED_FIELD_MISSING"),
        ({"IsAllDayEvent": True}, "REQUIRED_FIELD_MISSING"),
        ({"StartDateTime": "2026-03-02T10:00:00Z", "EndDateTime": "2026-03-02T09:00:00Z"}, "FIELD_INTEGRITY_EXCEPTION"),
    ],
)
def test_an_event_needs_a_start_and_an_end_after_it(org: SandboxOrg, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        org.create("Event", {"Subject": "Demo", **fields})
    assert refused.value.code == code


def test_an_event_that_is_moved_keeps_its_length(org: SandboxOrg) -> None:
    with org.as_user("rep1") as rep:
        sf_id = rep.schedule_event(add_lead(org), "Demo", starts_at=datetime(2026, 3, 2, 10, tzinfo=UTC), minutes=45)
        rep.edit(sf_id, {"StartDateTime": "2026-03-03T10:00:00Z"})
    row = held(org, sf_id)
    assert (row["EndDateTime"], row["ActivityDate"]) == (datetime(2026, 3, 3, 10, 45, tzinfo=UTC), date(2026, 3, 3))


def test_the_last_activity_is_that_of_closed_tasks_and_of_any_event(org: SandboxOrg, clock: FixedClock) -> None:
    lead, other = add_lead(org), add_lead(org)

    def last() -> date | None:
        found: date | None = held(org, lead)["LastActivityDate"]
        return found

    with org.as_user("rep1") as rep:
        task = rep.create("Task", {"WhoId": lead, "ActivityDate": "2026-03-20"})
        assert last() is None, "open"
        rep.complete_task(task)
        assert last() == date(2026, 3, 20)
        event = rep.schedule_event(lead, "Demo", starts_at=datetime(2026, 4, 2, 10, tzinfo=UTC))
        assert last() == date(2026, 4, 2), "in the future"
        rep.delete(event)
        assert last() == date(2026, 3, 20)
        rep.undelete(event)
        rep.edit(event, {"WhoId": other})
        assert (last(), held(org, other)["LastActivityDate"]) == (date(2026, 3, 20), date(2026, 4, 2))
        rep.edit(task, {"Status": "In Progress"})
        assert last() is None


@pytest.mark.parametrize("name", ["Lead", "Contact"])
def test_merging_takes_the_activities_along(org: SandboxOrg, name: str) -> None:
    master, loser = (org.create(name, {"LastName": "x", **({"Company": "c"} if name == "Lead" else {})}) for _ in range(2))
    task = org.create("Task", {"WhoId": loser, "Status": "Completed", "ActivityDate": "2026-02-01"})
    org.merge(master, [loser])
    assert (held(org, task)["WhoId"], held(org, task)["WhatId"]) == (master, None)
    assert held(org, master)["LastActivityDate"] == date(2026, 2, 1)


def test_a_new_last_activity_moves_the_stamp_and_nothing_else(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    lead = add_lead(org)
    edited_at = clock.now()
    clock.advance(3600)
    org.create("Task", {"WhoId": lead, "Status": "Completed", "ActivityDate": "2026-03-01"}, user="rep3")
    row = held(org, lead)
    assert (row["SystemModstamp"], row["LastModifiedDate"]) == (clock.now(), edited_at)
    assert row["LastModifiedById"] == org.users["rep1"]
    assert [one.action for one in org.history(lead)] == ["create"]
    found = api.query("SELECT Id, LastActivityDate FROM Lead WHERE SystemModstamp >= 2026-03-01T10:00:00Z")
    assert [one["LastActivityDate"] for one in found] == ["2026-03-01"]


def test_contacts_accounts_and_opportunities_have_a_last_activity_too(org: SandboxOrg) -> None:
    account = org.create("Account", {"Name": "a"})
    contact = org.create("Contact", {"LastName": "c", "AccountId": account})
    deal = org.create("Opportunity", {**DEAL, "AccountId": account})
    org.create("Task", {"WhoId": contact, "WhatId": deal, "Status": "Completed", "ActivityDate": "2026-03-01"})
    org.create("Task", {"WhatId": account, "Status": "Completed", "ActivityDate": "2026-02-01"})
    days = [held(org, one)["LastActivityDate"] for one in (contact, deal, account)]
    assert days == [date(2026, 3, 1), date(2026, 3, 1), date(2026, 2, 1)]


# ---------------------------------------------------------------------- the same ways in and out for all of them

MADE = {
    "Account": ({"Name": "Acme", "BillingCity": "Bonn", "Type": "Prospect", "AnnualRevenue": 5}, {"Phone": "1"}),
    "Opportunity": (DEAL, {"NextStep": "Call"}),
    "Task": ({"Subject": "Call"}, {"Priority": "High"}),
    "Event": ({"StartDateTime": "2026-03-02T10:00:00Z", "DurationInMinutes": 5}, {"Location": "Bonn"}),
}


@pytest.mark.parametrize("name", MADE)
def test_every_way_to_read_and_write_knows_it(api: Api, org: SandboxOrg, clock: FixedClock, name: str) -> None:
    fields, change = MADE[name]
    described = {one["name"]: one for one in api.json("GET", f"sobjects/{name}/describe")["fields"]}
    assert {*fields, *change, "SystemModstamp", "OwnerId"} <= set(described)
    single = api.json("POST", f"sobjects/{name}", status=201, json=fields)["id"]
    (batch,) = api.json("POST", "composite/sobjects", json=typed(name, fields))
    clock.advance(100)
    assert api.call("PATCH", f"sobjects/{name}/{single}", json=change).status_code == 204
    found = api.query(f"SELECT Id, {', '.join(change)} FROM {name} WHERE SystemModstamp >= 2026-03-01T09:01:00Z")  # noqa: S608
    assert [(one["Id"], one[next(iter(change))]) for one in found] == [(single, next(iter(change.values())))]
    body = {"ids": [single, batch["id"], long_id("00Q", 1)], "fields": ["Id", "OwnerId"]}
    retrieved = api.json("POST", f"composite/sobjects/{name}", json=body)
    assert [one and one["OwnerId"] for one in retrieved] == [org.integration_user_id] * 2 + [None]
    (gone,) = api.json("DELETE", "composite/sobjects", params={"ids": batch["id"], "allOrNone": "false"})
    assert gone["success"]
    rows = api.query(f"SELECT Id FROM {name} WHERE IsDeleted = true", all_rows=True)  # noqa: S608
    assert [one["Id"] for one in rows] == [batch["id"]]
    window = {"start": "2026-03-01T09:00:00+00:00", "end": "2026-03-01T10:00:00+00:00"}
    assert [one["id"] for one in api.json("GET", f"sobjects/{name}/deleted/", params=window)["deletedRecords"]] == [batch["id"]]
    assert api.json("GET", f"sobjects/{name}/updated/", params=window)["ids"] == [single]


@pytest.mark.parametrize("name", [*MADE, "OpportunityStage", "User", "GroupMember", "RecordType"])
def test_bulk_queries_know_it(api: Api, org: SandboxOrg, name: str) -> None:
    if name in MADE:
        org.create(name, MADE[name][0])
    org.admin.add_record_type("Lead", "Event_Team")
    org.admin.set_members(org.queue_id, ["rep1"])
    job = api.json("POST", "jobs/query", json={"operation": "query", "query": f"SELECT Id, SystemModstamp FROM {name}"})["id"]  # noqa: S608
    while api.json("GET", f"jobs/query/{job}")["state"] != "JobComplete":
        pass
    text = api.call("GET", f"jobs/query/{job}/results", params={"maxRecords": 50}).text
    assert {row["Id"] for row in csv.DictReader(io.StringIO(text))} == {row["Id"] for row in org.rows(name)}


@pytest.mark.parametrize("name", ["LeadStatus", "OpportunityStage", "RecordType", "Organization"])
def test_set_up_is_read_only(api: Api, org: SandboxOrg, name: str) -> None:
    before = org.rows(name)
    answer = api.call("POST", f"sobjects/{name}", json={})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_TYPE_FOR_OPERATION")
    assert not api.json("GET", f"sobjects/{name}/describe")["createable"]
    assert org.rows(name) == before


def test_a_stage_tells_what_it_means(api: Api) -> None:
    columns = "ApiName, MasterLabel, IsActive, IsClosed, IsWon, DefaultProbability, ForecastCategoryName, SortOrder"
    rows = api.query(f"SELECT {columns} FROM OpportunityStage ORDER BY SortOrder")  # noqa: S608 - our own columns
    assert [row["ApiName"] for row in rows] == list(STAGES)
    assert [row["ApiName"] for row in rows if row["IsWon"]] == ["Closed Won"]
    assert [row["ApiName"] for row in rows if row["IsClosed"]] == ["Closed Won", "Closed Lost"]


def test_a_lead_has_the_fields_that_policies_write(api: Api) -> None:
    values = {
        "Syncd_Hold_Until__c": "2026-04-01", "Syncd_Next_Action__c": "Call", "Syncd_Reason__c": "no budget",
        "Syncd_Policy__c": "b2b_nurture 3", "Syncd_Score__c": 41.5, "Syncd_Archived__c": True,
        "Syncd_Previous_Owner__c": long_id("005", 1),
    }  # fmt: skip
    (made,) = api.upsert({"Syncd_Id__c": "1", **values})
    assert {key: api.json("GET", f"sobjects/Lead/{made['id']}")[key] for key in values} == values
    too_long = {"Syncd_Next_Action__c": "x" * 256, "Syncd_Policy__c": "x" * 81, "Syncd_Previous_Owner__c": "x" * 19}
    answers = api.upsert(*({"Syncd_Id__c": name, name: value} for name, value in too_long.items()))
    assert codes(answers) == ["STRING_TOO_LONG"] * 3


def test_a_rep_asks_to_be_left_alone(org: SandboxOrg) -> None:
    lead = add_lead(org)
    with org.as_user("rep2") as rep:
        rep.hold(lead, date(2026, 5, 1))
        assert held(org, lead)["Syncd_Hold_Until__c"] == date(2026, 5, 1)
        rep.hold(lead, None)
    assert held(org, lead)["Syncd_Hold_Until__c"] is None
    assert held(org, lead)["LastModifiedById"] == org.users["rep2"]


def test_what_is_taken_back_takes_its_consequences_back(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    lead = add_lead(org)
    contact = org.create("Contact", {"LastName": "c"})
    before = held(org, lead)
    clock.advance(60)
    done = {"WhoId": lead, "Status": "Completed", "ActivityDate": "2026-02-01"}
    body = {"allOrNone": True, **typed("Task", done, {"Subject": "x" * 256})}
    body["records"] += typed("Opportunity", {**DEAL, "ContactId": contact})["records"]
    assert codes(api.json("POST", "composite/sobjects", json=body)) == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK", "STRING_TOO_LONG", "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]  # fmt: skip
    assert held(org, lead) == before
    assert [org.rows(name) for name in ("Task", "Opportunity", "OpportunityContactRole")] == [[], [], []]
