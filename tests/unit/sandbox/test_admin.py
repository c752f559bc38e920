"""Admins change the set-up: statuses, users, queues, record types, currencies; and all of it is kept, shown and switched over HTTP."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import FixedClock
from syncd.sandbox import SandboxOrg
from syncd.sandbox.message import Response
from syncd.sandbox.org import Refusal
from tests.unit.sandbox.conftest import Api, codes
from tests.unit.sandbox.test_around import ask, page


def picklist(api: Api, name: str, field: str) -> list[str]:
    fields = {one["name"]: one for one in api.json("GET", f"sobjects/{name}/describe")["fields"]}
    return [one["value"] for one in fields[field]["picklistValues"]]


def held(org: SandboxOrg, sf_id: str) -> dict[str, Any]:
    row = org.row(sf_id)
    assert row is not None
    return row


def test_a_status_is_deleted_overnight(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    kept = org.create("Lead", {"LastName": "x", "Company": "c", "Status": "Working - Contacted"})
    clock.advance(3600)
    org.admin.delete_status("Working - Contacted")
    left = ["Open - Not Contacted", "Closed - Converted", "Closed - Not Converted"]
    assert [row["ApiName"] for row in api.query("SELECT ApiName FROM LeadStatus ORDER BY SortOrder")] == left
    assert picklist(api, "Lead", "Status") == left
    assert (held(org, kept)["Status"], held(org, kept)["SystemModstamp"]) == (
        "Working - Contacted",
        held(org, kept)["CreatedDate"],
    )
    for wrong in ("Working - Contacted", "Open - Not Contacted"):
        with pytest.raises(Refusal):
            org.admin.delete_status(wrong)


def test_leads_can_be_moved_out_of_a_status_that_goes(org: SandboxOrg, clock: FixedClock) -> None:
    lead = org.create("Lead", {"LastName": "x", "Company": "c", "Status": "Working - Contacted"})
    clock.advance(3600)
    org.admin.add_status("Nurture")
    org.admin.delete_status("Working - Contacted", moved_to="nurture")
    row = held(org, lead)
    assert (row["Status"], row["SystemModstamp"]) == ("Nurture", clock.now()), "a mirror sees it"
    assert row["LastModifiedDate"] == row["CreatedDate"], "nobody edited it"


def test_a_new_default_is_what_new_leads_get(api: Api, org: SandboxOrg) -> None:
    org.admin.add_status("New")
    org.admin.set_default_status("New")
    (made,) = api.upsert({"Syncd_Id__c": "1"})
    assert held(org, made["id"])["Status"] == "New"
    defaults = api.query("SELECT ApiName FROM LeadStatus WHERE IsDefault = true")
    assert [row["ApiName"] for row in defaults] == ["New"]


def test_a_stage_can_be_switched_off(api: Api, org: SandboxOrg) -> None:
    org.admin.set_stage_active("Prospecting", is_active=False)
    assert "Prospecting" not in picklist(api, "Opportunity", "StageName")
    assert [row["ApiName"] for row in api.query("SELECT ApiName FROM OpportunityStage WHERE IsActive = false")] == ["Prospecting"]
    lead = org.create("Lead", {"LastName": "x", "Company": "c"})
    org.convert(lead, opportunity_name="Deal")
    (deal,) = org.rows("Opportunity")
    assert deal["StageName"] == "Qualification"


def test_a_user_leaves_and_comes_back(api: Api, org: SandboxOrg) -> None:
    lead = org.create("Lead", {"LastName": "x", "Company": "c"}, user="rep1")
    org.admin.set_user_active("rep1", is_active=False)
    assert not api.query("SELECT IsActive FROM User WHERE Name = 'Rep1'")[0]["IsActive"]
    assert held(org, lead)["OwnerId"] == org.users["rep1"]
    given = {"Sforce-Auto-Assign": "FALSE"}
    owned = {"Syncd_Id__c": "1", "OwnerId": org.users["rep1"]}
    assert codes(api.upsert(owned, headers=given)) == ["INACTIVE_OWNER_OR_USER"]
    org.admin.set_user_active("rep1", is_active=True)
    assert codes(api.upsert(owned, headers=given)) == ["ok"]
    assert org.admin.add_user("rep9") == org.users["rep9"]
    assert api.query("SELECT UserType FROM User WHERE Name = 'Rep9'")[0]["UserType"] == "Standard"


def test_a_queue_changes_its_name_its_members_and_what_it_takes(api: Api, org: SandboxOrg) -> None:
    org.admin.rename_queue(org.queue_id, "Fresh Leads")
    names = [row["DeveloperName"] for row in api.query("SELECT DeveloperName FROM Group WHERE Type = 'Queue' ORDER BY Id")]
    assert names == ["Fresh_Leads", "Partner_Leads"]
    for users in (["rep1", "rep2"], ["rep3"]):
        org.admin.set_members(org.queue_id, users)
        members = api.query("SELECT UserOrGroupId, GroupId FROM GroupMember ORDER BY Id")
        assert [row["UserOrGroupId"] for row in members] == [org.users[one] for one in users]
    lead = org.create("Lead", {"LastName": "x", "Company": "c", "OwnerId": org.queue_id})
    org.admin.stop_queue(org.queue_id)
    assert [row["QueueId"] for row in api.query("SELECT QueueId FROM QueueSobject")] != [org.queue_id]
    assert held(org, lead)["OwnerId"] == org.queue_id
    given = {"Sforce-Auto-Assign": "FALSE"}
    assert codes(api.upsert({"Syncd_Id__c": "1", "OwnerId": org.queue_id}, headers=given)) == ["INVALID_OPERATION"]


def test_record_types_are_described_and_belong_to_one_object(api: Api, org: SandboxOrg) -> None:
    for_leads = org.admin.add_record_type("Lead", "Event_Team", label="Event team")
    for_deals = org.admin.add_record_type("Opportunity", "Renewal")
    infos = api.json("GET", "sobjects/Lead/describe")["recordTypeInfos"]
    assert [(one["recordTypeId"], one["developerName"], one["name"]) for one in infos] == [
        (for_leads, "Event_Team", "Event team"), ("012000000000000AAA", "Master", "Master"),
    ]  # fmt: skip
    answers = api.upsert({"Syncd_Id__c": "1", "RecordTypeId": for_leads}, {"Syncd_Id__c": "2", "RecordTypeId": for_deals})
    assert codes(answers) == ["ok", "INVALID_CROSS_REFERENCE_KEY"]
    found = api.query("SELECT DeveloperName FROM RecordType WHERE SobjectType = 'Opportunity' AND IsActive = true")
    assert [row["DeveloperName"] for row in found] == ["Renewal"]


def test_what_the_integration_user_may_do_with_a_record_type(api: Api, org: SandboxOrg) -> None:
    """Described for that user alone; people go on as before."""
    closed = org.admin.add_record_type("Lead", "Partners")
    default = org.admin.add_record_type("Lead", "Inbound")
    org.admin.allow_record_type(closed, is_allowed=False)
    org.admin.allow_record_type(default, is_default=True)
    infos = {one["developerName"]: one for one in api.json("GET", "sobjects/Lead/describe")["recordTypeInfos"]}
    assert {name: one["available"] for name, one in infos.items()} == {"Partners": False, "Inbound": True, "Master": True}
    assert [name for name, one in infos.items() if one["defaultRecordTypeMapping"]] == ["Inbound"]
    assert codes(api.upsert({"Syncd_Id__c": "1", "RecordTypeId": closed})) == ["INVALID_CROSS_REFERENCE_KEY"]
    org.create("Lead", {"LastName": "x", "Company": "c", "RecordTypeId": closed})
    org.admin.allow_record_type(closed)
    assert codes(api.upsert({"Syncd_Id__c": "1", "RecordTypeId": closed})) == ["ok"]


def test_whether_the_integration_user_may_convert_leads(api: Api, org: SandboxOrg) -> None:
    asked = "SELECT PermissionsConvertLeads FROM UserPermissionAccess"
    assert [row["PermissionsConvertLeads"] for row in api.query(asked)] == [True]
    org.admin.allow_converting(is_allowed=False)
    assert [row["PermissionsConvertLeads"] for row in api.query(asked)] == [False]


def test_a_record_type_offers_the_statuses_of_its_process(api: Api, org: SandboxOrg) -> None:
    process = ("Open - Not Contacted", "Working - Contacted", "Nowhere")
    narrow = org.admin.add_record_type("Lead", "Event_Team", process=process)
    path = "ui-api/object-info/Lead/picklist-values"

    def offered(record_type: str) -> list[str]:
        return [one["value"] for one in api.json("GET", f"{path}/{record_type}/Status")["values"]]

    assert offered(narrow) == ["Open - Not Contacted", "Working - Contacted"]
    assert len(offered("012000000000000AAA")) == 4
    every = api.json("GET", f"{path}/{narrow}")["picklistFieldValues"]
    assert every["Status"]["defaultValue"]["value"] == "Open - Not Contacted"
    assert [one["value"] for one in every["Rating"]["values"]] == ["Hot", "Warm", "Cold"]
    org.admin.delete_status("Working - Contacted")
    assert offered(narrow) == ["Open - Not Contacted"]
    org.admin.set_process(narrow, ())
    assert len(offered(narrow)) == 3
    for wrong in (f"{path}/{narrow}/Email", f"{path}/00Q", path, f"ui-api/object-info/Nope/picklist-values/{narrow}/Status"):
        assert api.call("GET", wrong).status_code == 404
    foreign = org.admin.add_record_type("Opportunity", "Renewal")
    assert api.call("GET", f"{path}/{foreign}/Status").status_code == 404
    wanted = {"method": "GET", "url": f"/services/data/v62.0/{path}/{narrow}/Status", "referenceId": "p"}
    (inner,) = api.json("POST", "composite", json={"compositeRequest": [wanted]})["compositeResponse"]
    assert inner["body"][0]["errorCode"] == "INVALID_BATCH_REQUEST"


def test_an_org_with_several_currencies_names_one_on_every_amount(api: Api, org: SandboxOrg) -> None:
    old = org.create("Account", {"Name": "old"})
    org.admin.use_currencies("EUR", "USD")
    assert held(org, old)["CurrencyIsoCode"] == "EUR"
    codes_ = [
        (row["IsoCode"], row["IsCorporate"]) for row in api.query("SELECT IsoCode, IsCorporate FROM CurrencyType ORDER BY Id")
    ]
    assert codes_ == [("EUR", True), ("USD", False)]
    deal = {"Name": "d", "StageName": "Prospecting", "CloseDate": "2026-06-30"}
    rows = [
        {"attributes": {"type": "Opportunity"}, **deal, **one}
        for one in ({}, {"CurrencyIsoCode": "USD"}, {"CurrencyIsoCode": "XXX"})
    ]
    assert codes(api.json("POST", "composite/sobjects", json={"records": rows})) == ["ok", "ok", "INVALID_CURRENCY_ISO"]
    assert [row["CurrencyIsoCode"] for row in api.query("SELECT CurrencyIsoCode FROM Opportunity ORDER BY Id")] == ["EUR", "USD"]
    lead = org.create("Lead", {"LastName": "x", "Company": "c"})
    assert held(org, org.convert(lead))["CurrencyIsoCode"] == "EUR"


def changed_org(org: SandboxOrg) -> SandboxOrg:
    """An org with everything in it that is not there on the first day."""
    org.admin.use_currencies("EUR", "USD")
    org.admin.add_status("Nurture")
    org.admin.set_default_status("Nurture")
    org.admin.delete_status("Working - Contacted")
    org.admin.set_stage_active("Prospecting", is_active=False)
    org.admin.set_user_active("rep3", is_active=False)
    org.admin.set_members(org.queue_id, ["rep1"])
    org.admin.add_record_type("Lead", "Event_Team", process=["Nurture"])
    org.admin.map_lead_field("Syncd_Reason__c", "Contact.Description")
    lead = org.create("Lead", {"LastName": "Roe", "Company": "Acme", "Syncd_Reason__c": "kept"})
    with org.as_user("rep1") as rep:
        rep.complete_task(rep.create("Task", {"WhoId": lead, "Subject": "Call"}))
        rep.schedule_event(lead, "Demo", starts_at=org.clock.now())
        rep.convert(lead, opportunity_name="Deal")
    return org


def test_everything_survives_in_a_file(org: SandboxOrg, clock: FixedClock, tmp_path: Path) -> None:
    changed_org(org).save_to(tmp_path / "org.json")
    back = SandboxOrg.load(tmp_path / "org.json", seed=5, clock=clock)
    assert list(back.objects) == list(org.objects)
    for name in org.objects:
        assert back.rows(name) == org.rows(name), name
        assert back.objects[name].describe() == org.objects[name].describe()
        assert back.objects[name].blank() == org.objects[name].blank()
    assert (back.audit, back.numbers, back.processes) == (org.audit, org.numbers, org.processes)
    lead = back.create("Lead", {"LastName": "Doe", "Company": "New", "Syncd_Reason__c": "copied"})
    assert (held(back, lead)["Status"], held(back, lead)["CurrencyIsoCode"]) == ("Nurture", "EUR")
    contact = held(back, back.convert(lead, opportunity_name="Two"))
    assert contact["Description"] == "copied"
    assert back.rows("Opportunity")[-1]["StageName"] == "Qualification"


def test_a_file_of_before_is_read_all_the_same(org: SandboxOrg, clock: FixedClock, tmp_path: Path) -> None:
    import json

    path = tmp_path / "org.json"
    org.create("Lead", {"LastName": "Roe", "Company": "Acme"})
    org.save_to(path)
    document = json.loads(path.read_text())
    for name in ("lead_mapping", "currencies", "processes"):
        del document[name]
    for part in ("rows", "purged", "fields"):
        for name in ("Event", "OpportunityContactRole", "OpportunityStage", "GroupMember"):
            del document[part][name]
    document["numbers"]["01J"] = 4
    path.write_text(json.dumps(document))
    back = SandboxOrg.load(path, seed=5, clock=clock)
    assert len(back.rows("OpportunityStage")) == 10
    back.admin.add_status("Nurture")
    ids = [row["Id"] for name in ("LeadStatus", "OpportunityStage") for row in back.rows(name)]
    assert len(ids) == len(set(ids))


def test_people_and_admins_can_be_played_over_http(org: SandboxOrg) -> None:
    lead = ask(org, "create", {"fields": {"LastName": "Roe", "Company": "c"}})["id"]
    task = ask(org, "create", {"object": "Task", "fields": {"WhoId": lead}})["id"]
    deal = {"Name": "d", "StageName": "Prospecting", "CloseDate": "2026-06-30"}
    opportunity = ask(org, "create", {"object": "Opportunity", "fields": deal})["id"]
    event = ask(org, "schedule_event", {"who": lead, "subject": "Demo", "starts_at": "2026-03-09T10:00:00+00:00"})["id"]
    for verb, body in (
        ("complete_task", {"id": task, "on": "2026-02-27", "user": "rep2"}),
        ("move_stage", {"id": opportunity, "stage": "Closed Won"}),
        ("hold", {"id": lead, "until": "2026-04-01"}),
    ):
        assert not isinstance(ask(org, verb, body), Response), verb
    assert (held(org, task)["IsClosed"], held(org, task)["ActivityDate"]) == (True, date(2026, 2, 27))
    assert held(org, opportunity)["IsWon"]
    assert held(org, lead)["Syncd_Hold_Until__c"] == date(2026, 4, 1)
    assert held(org, event)["DurationInMinutes"] == 30
    for body in (
        {"do": "add_status", "name": "Nurture"},
        {"do": "set_default_status", "name": "Nurture"},
        {"do": "delete_status", "name": "Open - Not Contacted"},
        {"do": "set_stage_active", "name": "Prospecting", "is_active": False},
        {"do": "add_user", "user": "rep9"},
        {"do": "set_user_active", "user": "rep1", "is_active": False},
        {"do": "rename_queue", "id": org.queue_id, "name": "New"},
        {"do": "set_members", "id": org.queue_id, "users": ["rep2"]},
        {"do": "stop_queue", "id": org.queue_id},
        {"do": "add_queue", "name": "Third"},
        {"do": "add_record_type", "object": "Lead", "name": "Event_Team"},
        {"do": "set_process", "id": "012", "process": ["Nurture"]},
        {"do": "allow_record_type", "id": "012", "is_allowed": False},
        {"do": "allow_converting", "is_allowed": False},
        {"do": "use_currencies", "codes": ["EUR", "USD"]},
        {"do": "map_lead_field", "field": "Syncd_Reason__c", "targets": ["Contact.Description"]},
    ):
        assert ask(org, "admin", body)["ok"], body
    assert [row["ApiName"] for row in org.rows("LeadStatus") if row["IsDefault"]] == ["Nurture"]
    assert (org.currencies, list(org.lead_mapping)) == (["EUR", "USD"], ["Syncd_Reason__c"])
    refused = ask(org, "admin", {"do": "nonsense"})
    assert isinstance(refused, Response)
    assert refused.status == 400


def test_duplicate_rules_of_other_objects_over_http(org: SandboxOrg) -> None:
    ask(org, "rule", {"object": "Contact", "duplicate": ["Email"], "action": "block"})
    contact = {"object": "Contact", "fields": {"LastName": "x", "Email": "x@example.com"}}
    assert "id" in ask(org, "create", contact)
    assert ask(org, "create", contact).body["error"] == "DUPLICATES_DETECTED"
    assert "id" in ask(org, "create", {"fields": {"LastName": "x", "Company": "c", "Email": "x@example.com"}})
    ask(org, "rule", {"clear": True})
    assert "id" in ask(org, "create", contact)


def test_the_page_lists_what_hangs_on_the_leads(org: SandboxOrg) -> None:
    assert b"<h2>" not in page(org).payload
    changed_org(org)
    shown = page(org).payload.decode()
    for title in ("Contacts", "Accounts", "Opportunities", "Tasks", "Events"):
        assert f"<h2>{title}</h2><p>1</p>" in shown
    assert shown.count("Acme") == 4, "company, account, and the account of contact and opportunity, by name"
    assert "edit</a>" in shown
