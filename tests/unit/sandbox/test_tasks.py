"""Tasks of the org: upserted by their own id, about a living Lead or Contact, for an active user."""

from __future__ import annotations

from datetime import date
from typing import Any

from syncd.sandbox import SandboxOrg
from tests.unit.sandbox.conftest import Api, codes

PATH = "composite/sobjects/Task/Syncd_Id__c"


def upsert(api: Api, *tasks: dict[str, Any]) -> Any:
    records = [{"attributes": {"type": "Task"}, **one} for one in tasks]
    return api.json("PATCH", PATH, json={"allOrNone": False, "records": records})


def test_the_same_id_is_the_same_task(api: Api, org: SandboxOrg) -> None:
    lead = org.create("Lead", {"LastName": "Roe", "Company": "Acme"})
    task = {"Syncd_Id__c": "t1", "Subject": "Call", "WhoId": lead, "OwnerId": org.users["rep1"], "ActivityDate": "2026-03-02"}
    (first,) = upsert(api, task)
    (second,) = upsert(api, {**task, "Priority": "High"})
    assert (first["created"], second["created"], first["id"]) == (True, False, second["id"])
    assert first["id"].startswith("00T")
    (row,) = org.rows("Task")
    assert (row["Status"], row["Priority"], row["ActivityDate"]) == ("Not Started", "High", date(2026, 3, 2))
    assert org.rows("Lead")[0]["LastActivityDate"] is None
    found = api.query("SELECT Id, Subject, WhoId FROM Task WHERE Syncd_Id__c IN ('t1', 't2')")
    assert [(one["Id"], one["WhoId"]) for one in found] == [(first["id"], lead)]
    body = {"ids": [first["id"]], "fields": ["Id", "OwnerId"]}
    assert api.json("POST", "composite/sobjects/Task", json=body)[0]["OwnerId"] == org.users["rep1"]


def test_who_and_owner_must_be_there(api: Api, org: SandboxOrg) -> None:
    lead, gone, converted = (org.create("Lead", {"LastName": "Roe", "Company": "Acme"}) for _ in range(3))
    org.delete(gone)
    contact = org.convert(converted)
    answers = upsert(
        api,
        {"Syncd_Id__c": "1", "WhoId": lead},
        {"Syncd_Id__c": "2", "WhoId": contact},
        {"Syncd_Id__c": "3", "WhoId": gone},
        {"Syncd_Id__c": "4", "WhoId": converted},
        {"Syncd_Id__c": "5", "WhoId": org.users["rep1"]},
        {"Syncd_Id__c": "6", "WhoId": lead, "OwnerId": org.queue_id},
        {"Syncd_Id__c": "7", "WhoId": lead, "OwnerId": org.users["gone"]},
        {"Syncd_Id__c": "8", "Subject": "x" * 256},
    )
    assert codes(answers) == [
        "ok", "ok", "INVALID_CROSS_REFERENCE_KEY", "CANNOT_UPDATE_CONVERTED_LEAD", "INVALID_CROSS_REFERENCE_KEY",
        "INVALID_CROSS_REFERENCE_KEY", "INACTIVE_OWNER_OR_USER", "STRING_TOO_LONG",
    ]  # fmt: skip


def test_tasks_are_never_merged_and_have_no_field_that_says_so(api: Api) -> None:
    assert "MasterRecordId" not in [one["name"] for one in api.json("GET", "sobjects/Task/describe")["fields"]]
    refused = api.json("GET", "query/", status=400, params={"q": "SELECT Id, MasterRecordId FROM Task"})
    assert refused[0]["errorCode"] == "INVALID_FIELD"
