"""What stands beside Salesforce's own API: the control calls, the page for people, the file of the state, the people already there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.clock import FixedClock
from syncd.errors import ConfigError
from syncd.sandbox import Field, SandboxOrg, control, populate
from syncd.sandbox.message import Request, Response
from tests.unit.sandbox.conftest import Api, codes


def ask(org: SandboxOrg, verb: str, body: Any = None, **query: str) -> Any:
    import json

    payload = b"" if body is None else json.dumps(body).encode()
    request = Request("GET" if body is None else "POST", f"/sandbox/{verb}", query, {}, payload)
    answer = control.handle(org, request)
    return answer.body if answer.status == 200 else answer


def test_people_can_be_played_over_http(org: SandboxOrg) -> None:
    sf_id = ask(org, "create", {"fields": {"LastName": "Roe", "Company": "c"}})["id"]
    other = ask(org, "create", {"object": "Lead", "fields": {"LastName": "Doe", "Company": "c"}, "user": "rep2"})["id"]
    for verb, body in (
        ("edit", {"id": sf_id, "fields": {"Title": "t"}}),
        ("merge", {"master": sf_id, "victims": [other]}),
        ("delete", {"id": sf_id}),
        ("undelete", {"id": sf_id}),
        ("convert", {"id": sf_id, "opportunity_name": "Deal"}),
        ("purge", {"id": other}),
    ):
        assert not isinstance(ask(org, verb, body), Response), verb
    (row,) = ask(org, "records", object="Lead")
    assert (row["Title"], row["IsConverted"]) == ("t", True)
    assert len(ask(org, "records", object="Opportunity")) == 1
    state = ask(org, "state")
    made = {"Lead": 1, "Contact": 1, "Account": 1, "Opportunity": 1, "OpportunityContactRole": 1, "Task": 0, "Event": 0}
    assert (state["api_calls"], state["records"]) == (0, made)
    actions = [one["action"] for one in ask(org, "audit") if one["object"] == "Lead"]
    assert actions == ["create", "create", "update", "merge", "merge", "delete", "undelete", "convert", "purge"]


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("edit", {"id": "00Q", "fields": {}}),
        ("edit", {}),
        ("nonsense", {}),
        ("create", {"fields": {"Nope": 1}}),
        ("create", {"fields": {"LastName": "x", "Company": "c"}, "user": "nobody"}),
        ("faults", {"kind": "no such"}),
        ("rule", {"where": "City ="}),
        ("records", {}),
    ],
)
def test_a_wrong_control_call_is_refused_with_its_reason(org: SandboxOrg, verb: str, body: Any) -> None:
    answer = ask(org, verb, body, object="Nope")
    assert isinstance(answer, Response)
    assert (answer.status, set(answer.body)) == (400, {"error", "message"})


def test_rules_and_faults_are_switched_over_http(api: Api, org: SandboxOrg) -> None:
    ask(org, "rule", {"where": "City = 'Atlantis' AND Country = null", "message": "no such city"})
    ask(org, "rule", {"duplicate": ["Email"], "action": "block"})
    ask(org, "rule", {"hide": ["DoNotCall"]})
    org.create("Lead", {"LastName": "Known", "Company": "c", "Email": "known@example.com"})
    org.create("Contact", {"LastName": "Free"})
    rows = ({"Syncd_Id__c": "1", "City": "Atlantis"}, {"Syncd_Id__c": "2", "Email": "KNOWN@example.com"}, {"Syncd_Id__c": "3"})
    assert codes(api.upsert(*rows)) == ["FIELD_CUSTOM_VALIDATION_EXCEPTION", "DUPLICATES_DETECTED", "ok"]
    assert api.upsert({"Syncd_Id__c": "1", "DoNotCall": True}, status=400)[0]["errorCode"] == "INVALID_FIELD"
    ask(org, "rule", {"clear": True})
    ask(org, "faults", {"kind": "unavailable", "path": "limits", "times": -1})
    assert codes(api.upsert(*rows)) == ["ok", "ok", "ok"]
    assert api.call("GET", "limits").status_code == 503
    ask(org, "faults", {"clear": True})
    ask(org, "expire", {})
    assert api.call("GET", "limits").status_code == 401


def page(org: SandboxOrg, path: str = "/", form: str = "") -> Response:
    request = Request("POST" if form else "GET", path, {}, {}, form.encode())
    assert control.is_mine(request)
    return control.handle(org, request)


def test_a_person_edits_a_lead_on_the_page(org: SandboxOrg) -> None:
    sf_id = org.create("Lead", {"LastName": "<Roe>", "Company": "c", "HasOptedOutOfEmail": True})
    assert b"&lt;Roe&gt;" in page(org).payload
    path = f"/sandbox/lead/{sf_id}"
    assert b"checked" in page(org, path).payload
    assert page(org, path, "form=1&LastName=Doe&Title=a%26b").status == 303
    held = org.row(sf_id)
    assert held is not None
    assert (held["LastName"], held["Title"], held["HasOptedOutOfEmail"]) == ("Doe", "a&b", False)
    assert held["LastModifiedById"] == org.users["rep1"]
    refused = page(org, path, "form=1&LastName=")
    assert (refused.status, b"Required fields are missing" in refused.payload) == (200, True)
    assert page(org, "/sandbox/lead/00Q5g0000000099AAA").status == 404
    assert not control.is_mine(Request("GET", "/sandboxes"))


def test_the_state_survives_in_a_file(api: Api, org: SandboxOrg, clock: FixedClock, tmp_path: Path) -> None:
    populate(org, crowd=3)
    org.add_field("Lead", Field("Score__c", "double", precision=5, scale=2))
    org.hidden.add("DoNotCall")
    (made,) = api.upsert({"Syncd_Id__c": "1", "Score__c": 1.5, "Email": "kept@example.com"})
    org.delete(org.rows("Lead")[0]["Id"])
    path = tmp_path / "deep" / "org.json"
    org.save_to(path)
    clock.advance(60)
    back = SandboxOrg.load(path, seed=5, clock=clock)
    for name in org.objects:
        assert back.rows(name) == org.rows(name)
    assert (back.audit, back.assignment_runs, back.hidden) == (org.audit, org.assignment_runs, org.hidden)
    client = Api(back)
    assert [row["Id"] for row in client.query("SELECT Id FROM Lead WHERE Email = 'KEPT@example.com'")] == [made["id"]]
    (again,) = client.upsert({"Syncd_Id__c": "1"})
    assert (again["created"], again["id"]) == (False, made["id"])
    assert back.create("Lead", {"LastName": "x", "Company": "c"}) not in {row["Id"] for row in org.rows("Lead")}


@pytest.mark.parametrize("text", ["", "[]", '{"version": 99}', '{"version": 1}'])
def test_a_file_that_is_no_state_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "org.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a file of the sandbox"):
        SandboxOrg.load(path)


def test_the_people_already_there_are_always_the_same(clock: FixedClock) -> None:
    def made(seed: int) -> list[dict[str, Any]]:
        org = SandboxOrg(seed=seed, clock=clock)
        populate(org, crowd=10)
        return org.rows("Lead") + org.rows("Contact")

    rows = made(1)
    assert rows == made(2)
    converted = [row for row in rows if row.get("IsConverted")]
    assert [row["ConvertedContactId"] for row in converted] == [
        row["Id"] for row in rows if row["Email"] == converted[0]["Email"]
    ][1:]
    assert all(row["Email"].rsplit("@", 1)[1].endswith(("example.com", "example.org")) for row in rows)


def test_a_new_org_has_users_queues_and_statuses(api: Api) -> None:
    users = api.query("SELECT Username, IsActive FROM User ORDER BY Username")
    assert [row["IsActive"] for row in users].count(False) == 1
    queues = api.query("SELECT QueueId FROM QueueSobject WHERE SobjectType = 'Lead'")
    names = api.query("SELECT Id, DeveloperName FROM Group WHERE Type = 'Queue'")
    assert {row["QueueId"] for row in queues} == {row["Id"] for row in names}
    statuses = api.query("SELECT ApiName, IsConverted, IsDefault, SortOrder FROM LeadStatus ORDER BY SortOrder")
    assert [row["ApiName"] for row in statuses if row["IsDefault"]] == ["Open - Not Contacted"]
    assert [row["SortOrder"] for row in statuses] == [1, 2, 3, 4]
    assert len(api.query("SELECT Id, IsSandbox, OrganizationType FROM Organization")) == 1
