from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from simple_salesforce.format import quote_soql_value

from syncd.errors import AuthError, ConfigError, ContractError, SalesforceUnavailableError
from syncd.salesforce.ids import quoted, to_18

RETRIEVE = "composite/sobjects/Lead"


def test_the_schema_and_the_identity_cost_one_call(org, fake, with_schema) -> None:
    schema = org.schema()
    identity = org.identity()
    assert org.api_calls == 1
    assert identity.org_id == "00D000000000001EAA"
    assert identity.user_id == "005000000000001AAA"
    assert identity.is_sandbox
    assert schema.lead_statuses == {"New": False, "Converted": True}
    lead = schema.objects["Lead"].fields
    assert lead["LastName"].is_required
    assert lead["LeadSource"].picklist == ("Web",)
    assert lead["Syncd_Id__c"].is_unique
    assert "DoNotCall" not in lead
    assert org.api_usage == (10, 100000)


def test_the_schema_is_read_again_after_an_hour(org, with_schema, clock) -> None:
    org.schema()
    clock.advance(3000)
    org.schema()
    assert org.api_calls == 1
    clock.advance(700)
    org.schema()
    assert org.api_calls == 2


def test_a_describe_that_composite_refuses_is_asked_for_alone(org, fake, with_schema) -> None:
    body = with_schema["describeLead"]
    with_schema["describeLead"] = (400, [{"errorCode": "NOT_SUPPORTED", "message": "not in composite"}])
    fake.on("GET", "sobjects/Lead/describe", fake.json(body))
    assert "LastName" in org.schema().objects["Lead"].fields
    assert org.api_calls == 2


def test_an_object_that_is_hidden_names_the_right_to_give(org, fake, with_schema) -> None:
    refusal = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    with_schema["describeContact"] = (404, refusal)
    fake.on("GET", "sobjects/Contact/describe", fake.json(refusal, 404))
    with pytest.raises(AuthError) as caught:
        org.schema()
    assert "Contact" in caught.value.advice


@pytest.mark.parametrize("status", [403, 404])
def test_an_org_that_hides_its_tasks_is_an_org_without_them(org, with_schema, status) -> None:
    """Nobody asks for Task alone: it is wanted only where a mapping asks for tasks."""
    with_schema["describeTask"] = (status, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])
    assert set(org.schema().objects) == {"Lead", "Contact"}
    assert org.api_calls == 1


def test_tasks_are_asked_for_what_they_have(org, fake, with_schema) -> None:
    assert "Subject" in org.schema().objects["Task"].fields
    fake.on("GET", "query/", fake.json({"totalSize": 0, "done": True, "records": []}))
    org.find_by_external_id("Task", ["t1"], ())
    soql = soql_of(fake.calls[-1])
    assert soql.startswith("SELECT Id, SystemModstamp, LastModifiedById, OwnerId, IsDeleted, Syncd_Id__c FROM Task"), soql


@pytest.mark.parametrize(
    "change",
    [
        {"describeLead": {"fields": []}},
        {"describeLead": {"fields": [{"label": "x"}]}},
        {"describeLead": "text"},
        {"organization": {"totalSize": 0, "done": True, "records": []}},
        {"statuses": {"records": []}},
        {"statuses": {"totalSize": 3, "done": True, "records": []}},
    ],
    ids=str,
)
def test_a_schema_of_another_shape_is_refused(org, with_schema, change) -> None:
    with_schema.update(change)
    with pytest.raises(ContractError):
        org.schema()


@pytest.mark.parametrize(
    "fault",
    [
        (200, {"Content-Type": "text/html"}, "<html>maintenance</html>"),
        (200, {"Content-Type": "application/json"}, '[{"Id": '),
        (500, {}, '[{"errorCode":"UNKNOWN_EXCEPTION","message":"x"}]'),
        (503, {"Content-Type": "text/html"}, "<html>"),
        (400, {}, '[{"errorCode":"QUERY_TIMEOUT","message":"x"}]'),
        requests.exceptions.ReadTimeout("late"),
        requests.exceptions.ConnectionError("reset"),
    ],
    ids=lambda fault: str(fault)[:50],
)
def test_a_read_is_tried_again_a_few_times(org, fake, make_row, fault) -> None:
    fake.on("POST", RETRIEVE, fault, fault, fake.json([make_row(1)]))
    assert org.retrieve("Lead", ["00Q000000000001AAA"], ["City"])["00Q000000000001AAA"].fields == {"City": "Bonn"}
    assert len(fake.calls) == 3


def test_a_read_that_never_gets_an_answer_ends_as_unavailable(org, fake) -> None:
    fake.on("POST", RETRIEVE, fake.text("<html>maintenance</html>"))
    with pytest.raises(SalesforceUnavailableError):
        org.retrieve("Lead", ["00Q000000000001AAA"], ["City"])
    assert len(fake.calls) == 4


def test_a_field_that_is_gone_is_named_without_record_values(org, fake) -> None:
    fake.on(
        "POST", RETRIEVE, fake.fault("INVALID_FIELD", message="No such column 'Gone__c' on entity 'Lead' near secret@example.com")
    )
    with pytest.raises(ContractError) as caught:
        org.retrieve("Lead", ["00Q000000000001AAA"], ["City"])
    assert "Gone__c" in str(caught.value)
    assert "example.com" not in f"{caught.value}{caught.value.detail}"
    assert len(fake.calls) == 1


def test_a_thousand_records_are_retrieved_in_one_call(org, fake, make_row) -> None:
    wanted = [make_row(number)["Id"] for number in range(1000)]
    rows = [None if number % 10 == 0 else make_row(number) for number in range(1000)]
    fake.on("POST", RETRIEVE, fake.json(rows))
    found = org.retrieve("Lead", wanted, ["City"])
    assert org.api_calls == 1
    assert list(found) == wanted
    assert sum(row is None for row in found.values()) == 100
    asked = json.loads(fake.calls[0].body or "")
    assert asked["fields"][:3] == ["Id", "SystemModstamp", "LastModifiedById"]
    assert "City" in asked["fields"]


def test_more_than_two_thousand_records_take_another_call(org, fake, make_row) -> None:
    fake.on("POST", RETRIEVE, lambda request: fake.json([None] * len(json.loads(request.body or "")["ids"])))
    assert len(org.retrieve("Lead", [make_row(number)["Id"] for number in range(2001)], ["City"])) == 2001
    assert org.api_calls == 2


def test_retrieving_nothing_costs_nothing(org, fake) -> None:
    assert org.retrieve("Lead", [], ["City"]) == {}
    assert fake.logins == 0


@pytest.mark.parametrize("body", [[], [None, None], {"x": 1}, [{"Id": "00Q000000000001AAA"}], [{"no": "id"}]], ids=str)
def test_a_retrieve_of_another_shape_is_refused(org, fake, body) -> None:
    fake.on("POST", RETRIEVE, fake.json(body))
    with pytest.raises(ContractError):
        org.retrieve("Lead", ["00Q000000000001AAA"], ["City"])


def test_a_retrieve_in_another_order_is_refused(org, fake, make_row) -> None:
    fake.on("POST", RETRIEVE, fake.json([make_row(2), make_row(1)]))
    with pytest.raises(ContractError):
        org.retrieve("Lead", [make_row(1)["Id"], make_row(2)["Id"]], ["City"])


def test_values_come_in_canonical_form(org, fake, make_row, with_schema) -> None:
    org.schema()
    stamped = "2026-01-31T09:30:00.000+0000"
    row = make_row(
        1, Met__c=stamped, City=stamped, Score__c=2.5, HasOptedOutOfEmail=True, ConvertedContactId="003000000000001AAA"
    )
    row["IsConverted"] = True
    fake.on("POST", RETRIEVE, fake.json([row]))
    found = org.retrieve("Lead", [row["Id"]], ["Met__c", "City", "Score__c", "HasOptedOutOfEmail", "Company"])[row["Id"]]
    assert found.fields == {
        "Met__c": "2026-01-31T09:30:00Z",
        "City": stamped,  # a text that looks like an instant stays text
        "Score__c": 2.5,
        "HasOptedOutOfEmail": True,
        "Company": None,
    }
    assert found.is_converted
    assert found.contact_id == "003000000000001AAA"
    assert found.stamp == datetime(2026, 3, 1, 11, tzinfo=UTC)


def test_a_compound_value_is_refused(org, fake, make_row) -> None:
    fake.on("POST", RETRIEVE, fake.json([make_row(1, Address={"city": "Bonn"})]))
    with pytest.raises(ContractError, match="Address"):
        org.retrieve("Lead", [make_row(1)["Id"]], ["Address"])


def soql_of(request: requests.PreparedRequest) -> str:
    return parse_qs(urlsplit(str(request.url)).query)["q"][0]


def test_a_few_external_ids_are_found_with_one_get(org, fake, make_row) -> None:
    page = {"totalSize": 2, "done": True, "records": [make_row(1, Syncd_Id__c="ab'c"), make_row(2, Syncd_Id__c="DEF")]}
    fake.on("GET", "query/", fake.json(page))
    found = org.find_by_external_id("Lead", ["ab'c", "def", "nobody"], ["City"])
    assert {key: [row.sf_id for row in rows] for key, rows in found.items()} == {
        "ab'c": [make_row(1)["Id"]],
        "def": [make_row(2)["Id"]],
        "nobody": [],
    }
    assert "Syncd_Id__c IN ('ab\\'c','def','nobody')" in soql_of(fake.calls[0])


def test_many_external_ids_are_found_with_one_composite_call(org, fake) -> None:
    values = [f"{number:032x}" for number in range(2000)]

    def reply(request: requests.PreparedRequest) -> Any:
        asked = json.loads(request.body or "")["compositeRequest"]
        assert len(asked) <= 5
        empty = {"totalSize": 0, "done": True, "records": []}
        return fake.json(
            {"compositeResponse": [{"referenceId": o["referenceId"], "httpStatusCode": 200, "body": empty} for o in asked]}
        )

    fake.on("POST", "composite", reply)
    assert org.find_by_external_id("Lead", values, ["City"]) == {value: [] for value in values}
    assert org.api_calls == 1
    asked = json.loads(fake.calls[0].body or "")["compositeRequest"]
    text = " ".join(parse_qs(urlsplit(one["url"]).query)["q"][0] for one in asked)
    assert all(value in text for value in values)
    assert all(len(parse_qs(urlsplit(one["url"]).query)["q"][0]) < 100_000 for one in asked)


@pytest.mark.parametrize("count", [1, 150, 300, 5000])
def test_a_url_never_overruns(org, fake, count) -> None:
    def reply(request: requests.PreparedRequest) -> Any:
        assert len(str(request.url)) < 14_000
        if request.method == "GET":
            return fake.json({"totalSize": 0, "done": True, "records": []})
        asked = json.loads(request.body or "")["compositeRequest"]
        empty = {"totalSize": 0, "done": True, "records": []}
        return fake.json(
            {"compositeResponse": [{"referenceId": o["referenceId"], "httpStatusCode": 200, "body": empty} for o in asked]}
        )

    fake.on("GET", "query/", reply)
    fake.on("POST", "composite", reply)
    org.find_by_external_id("Lead", [f"ü-{number}-{'x' * 28}" for number in range(count)], ["City"])


def test_a_record_nobody_asked_for_is_refused(org, fake, make_row) -> None:
    fake.on("GET", "query/", fake.json({"totalSize": 1, "done": True, "records": [make_row(1, Syncd_Id__c="other")]}))
    with pytest.raises(ContractError):
        org.find_by_external_id("Lead", ["one"], ["City"])


@pytest.mark.parametrize(
    "text", ["plain", "O'Brien", 'a"b', "back\\slash", "line\nbreak\r\t\b\f", "ünïcode 🎈", "' OR Name != '"]
)
def test_literals_are_quoted_like_the_library_does(text) -> None:
    assert quoted(text) == quote_soql_value(text)


def test_short_ids_are_made_long() -> None:
    assert to_18("00Q5f00000AbCdE") == "00Q5f00000AbCdEEAV"
    assert to_18("00D000000000001") == "00D000000000001EAA"
    assert to_18("00Q5f00000AbCdEEAV") == "00Q5f00000AbCdEEAV"
    assert to_18("") == ""


def owners(fake: Any, *records: dict[str, Any]) -> None:
    fake.on("GET", "query/", fake.json({"totalSize": len(records), "done": True, "records": list(records)}))


def test_a_queue_is_found_once_by_its_developer_name(org, fake) -> None:
    owners(
        fake,
        {"Id": "00G000000000001AAA", "Name": "Inbound", "DeveloperName": "Other"},
        {"Id": "00G000000000002AAA", "Name": "In", "DeveloperName": "inbound"},
    )
    assert org.owner_id("queue", "Inbound") == "00G000000000002AAA"
    assert org.owner_id("queue", "Inbound") == "00G000000000002AAA"
    assert org.api_calls == 1


def test_an_active_user_is_found_by_username(org, fake) -> None:
    owners(fake, {"Id": "005000000000002AAA", "Username": "rep@example.com", "Name": "Rep", "IsActive": True})
    assert org.owner_id("user", "rep@example.com") == "005000000000002AAA"


@pytest.mark.parametrize(
    "records",
    [
        [],
        [{"Id": "005000000000002AAA", "Username": "a", "Name": "Rep", "IsActive": False}],
        [{"Id": f"00500000000000{n}AAA", "Username": f"{n}", "Name": "Rep", "IsActive": True} for n in (2, 3)],
    ],
    ids=["none", "inactive", "several"],
)
def test_an_owner_that_cannot_be_used_is_configuration(org, fake, records) -> None:
    owners(fake, *records)
    with pytest.raises(ConfigError):
        org.owner_id("user", "Rep")


def test_an_inactive_user_is_named_with_what_to_do(org, fake) -> None:
    owners(fake, {"Id": "005000000000002AAA", "Username": "rep@example.com", "Name": "Rep", "IsActive": False})
    with pytest.raises(ConfigError) as caught:
        org.owner_id("user", "rep@example.com")
    assert "inactive" in str(caught.value)
    assert "active user or a queue" in str(caught.value)


def test_a_field_name_cannot_carry_soql(org) -> None:
    with pytest.raises(ConfigError):
        org.find_by_external_id("Lead", ["x"], ["Id FROM User"])


def test_eight_threads_share_one_log_in(org, fake, make_row) -> None:
    fake.on("POST", RETRIEVE, fake.json([make_row(1)]))
    threads = [threading.Thread(target=org.retrieve, args=("Lead", ["00Q000000000001AAA"], ["City"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fake.logins == 1
    assert org.api_calls == 8
