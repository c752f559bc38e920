"""What the org has beyond Lead and Contact, and how much of it may be hidden."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from syncd.errors import ContractError
from syncd.salesforce import SalesforceOrg
from tests.unit.salesforce.conftest import FakeOrg, body_of, field_of

MASTER = {"recordTypeId": "012000000000000AAA", "developerName": "Master", "master": True, "active": True}
RETAIL = {"recordTypeId": "0125f0000004CAR", "developerName": "Retail", "master": False, "active": True}
OLD = {"recordTypeId": "0125f0000004CAS", "developerName": "Old", "master": False, "active": False}
EUROS = field_of(
    "CurrencyIsoCode", "picklist", picklistValues=[{"value": "EUR", "active": True}, {"value": "USD", "active": True}]
)
REFUSED = [{"errorCode": "INVALID_TYPE", "message": "sObject type 'OpportunityStage' is not supported."}]


@pytest.fixture
def grown(with_schema: dict[str, Any]) -> dict[str, Any]:
    """An org whose integration user may see everything."""
    stages = [
        {"ApiName": "Prospecting", "IsActive": True, "IsClosed": False, "IsWon": False},
        {"ApiName": "Gone", "IsActive": False, "IsClosed": False, "IsWon": False},
        {"ApiName": "Closed Won", "IsActive": True, "IsClosed": True, "IsWon": True},
        {"ApiName": "Closed Lost", "IsActive": True, "IsClosed": True, "IsWon": False},
    ]
    with_schema["stages"] = {"totalSize": len(stages), "done": True, "records": stages}
    with_schema["statuses"]["records"][0]["IsDefault"] = True
    for name in ("Account", "Opportunity", "Event", "User", "Campaign"):
        with_schema[f"describe{name}"] = {"fields": [field_of("Name")], "createable": True, "updateable": True}
    with_schema["describeLead"]["recordTypeInfos"] = [MASTER, RETAIL, OLD]
    return with_schema


def test_all_of_it_costs_one_call(org: SalesforceOrg, grown: dict[str, Any]) -> None:
    schema = org.schema()
    assert set(schema.objects) == {"Lead", "Contact", "Task", "Account", "Opportunity", "Event", "User", "Campaign"}
    assert schema.default_status == "New"
    assert list(schema.opportunity_stages.items()) == [
        ("Prospecting", (False, False)),
        ("Closed Won", (True, True)),
        ("Closed Lost", (True, False)),
    ]
    assert org.api_calls == 1


def test_no_call_asks_more_queries_than_composite_takes(org: SalesforceOrg, fake: FakeOrg, grown: dict[str, Any]) -> None:
    org.schema()
    asked = [one["url"] for one in body_of(fake.calls[0])["compositeRequest"]]
    assert len(asked) <= 25
    assert sum("/query" in url for url in asked) <= 5


def test_record_types_are_the_active_ones_without_the_master(org: SalesforceOrg, grown: dict[str, Any]) -> None:
    types = org.schema().record_types
    assert types["Lead"] == {"Retail": "0125f0000004CARAA2"}
    assert types["Account"] == {}


def test_an_org_with_one_currency_has_no_currency_to_name(org: SalesforceOrg, grown: dict[str, Any]) -> None:
    schema = org.schema()
    assert (schema.is_multi_currency, schema.currencies) == (False, ())


def test_an_org_with_several_currencies_names_the_active_ones(org: SalesforceOrg, grown: dict[str, Any]) -> None:
    grown["describeOpportunity"]["fields"].append(EUROS)
    schema = org.schema()
    assert (schema.is_multi_currency, schema.currencies) == (True, ("EUR", "USD"))


def test_rights_on_an_object_are_known(org: SalesforceOrg, grown: dict[str, Any]) -> None:
    grown["describeOpportunity"]["createable"] = False
    objects = org.schema().objects
    assert (objects["Opportunity"].is_createable, objects["Opportunity"].is_updateable) == (False, True)
    assert objects["Account"].is_createable


@pytest.mark.parametrize("name", ["Account", "Opportunity", "Event", "User", "Campaign"])
@pytest.mark.parametrize(
    "refusal", [(404, []), (403, REFUSED), (400, REFUSED), (400, [{"errorCode": "FUNCTIONALITY_NOT_ENABLED"}])], ids=str
)
def test_a_hidden_object_is_missing_and_breaks_nothing(
    org: SalesforceOrg, fake: FakeOrg, grown: dict[str, Any], name: str, refusal: tuple[int, Any]
) -> None:
    grown[f"describe{name}"] = refusal
    fake.on("GET", f"sobjects/{name}/describe", fake.json(refusal[1], refusal[0]))
    schema = org.schema()
    assert name not in schema.objects
    assert name not in schema.record_types
    assert len(schema.objects) == 7


def test_a_describe_that_composite_refuses_is_asked_for_alone(org: SalesforceOrg, fake: FakeOrg, grown: dict[str, Any]) -> None:
    body = grown["describeAccount"]
    grown["describeAccount"] = (400, [{"errorCode": "NOT_SUPPORTED", "message": "not in composite"}])
    fake.on("GET", "sobjects/Account/describe", fake.json(body))
    assert "Account" in org.schema().objects


def test_stages_that_are_hidden_are_none(org: SalesforceOrg, grown: dict[str, Any]) -> None:
    grown["stages"] = (400, REFUSED)
    assert org.schema().opportunity_stages == {}
    assert org.api_calls == 1


PICKLIST = "ui-api/object-info/Lead/picklist-values/0125f0000004CARAA2/Status"


def test_a_lead_process_is_read_by_record_type(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("GET", PICKLIST, fake.json({"values": [{"value": "New", "label": "Neu"}, {"value": "Nurture", "label": "Pflege"}]}))
    assert org.statuses_of_record_type("0125f0000004CARAA2") == ("New", "Nurture")
    assert org.api_calls == 1


@pytest.mark.parametrize(
    "answer", [(403, "API_DISABLED_FOR_ORG"), (404, "NOT_FOUND"), (400, "INVALID_TYPE"), (200, ""), (200, None)], ids=str
)
def test_a_lead_process_that_cannot_be_told_is_none(org: SalesforceOrg, fake: FakeOrg, answer: tuple[int, Any]) -> None:
    status, code = answer
    fake.on("GET", PICKLIST, fake.fault(code, status) if code else fake.json({"values": code} if code is None else []))
    assert org.statuses_of_record_type("0125f0000004CARAA2") is None


def test_what_is_no_record_type_is_not_asked_for(org: SalesforceOrg, fake: FakeOrg) -> None:
    assert org.statuses_of_record_type("../../Lead") is None
    assert fake.calls == []


def test_users_are_asked_for_in_hundreds(org: SalesforceOrg, fake: FakeOrg) -> None:
    """One call per 200, queues without a call, whoever is gone is not active."""
    users = [f"005000000000{number:03d}AAA" for number in range(250)]

    def reply(request: Any) -> Any:
        soql = parse_qs(urlsplit(str(request.url)).query)["q"][0]
        asked = [one for one in users if f"'{one}'" in soql]
        assert len(str(request.url)) < 12_000
        found = [{"Id": one, "IsActive": one != users[3]} for one in asked if one != users[4]]
        return fake.json({"totalSize": len(found), "done": True, "records": found})

    fake.on("GET", "query/", reply)
    active = org.active_users([*users, "00G000000000001AAA", "", users[0]])
    assert {one for one, is_active in active.items() if not is_active} == {users[3], users[4], "00G000000000001AAA", ""}
    assert list(active) == [*users, "00G000000000001AAA", ""]
    assert org.api_calls == 2


def test_nobody_to_ask_for_costs_nothing(org: SalesforceOrg, fake: FakeOrg) -> None:
    assert org.active_users(["00G000000000001AAA"]) == {"00G000000000001AAA": False}
    assert fake.logins == 0


def test_an_active_user_given_by_a_short_id_is_found(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on(
        "GET", "query/", fake.json({"totalSize": 1, "done": True, "records": [{"Id": "0055f00000AbCdEAAV", "IsActive": True}]})
    )
    assert org.active_users(["0055f00000AbCdE"]) == {"0055f00000AbCdE": True}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"totalSize": 1, "done": True, "records": [{"PermissionsConvertLeads": True}]}, True),
        ({"totalSize": 1, "done": True, "records": [{"PermissionsConvertLeads": False}]}, False),
        ({"totalSize": 0, "done": True, "records": []}, None),
        ({"totalSize": 1, "done": True, "records": [{}]}, None),
    ],
)
def test_a_permission_is_known_or_not(org: SalesforceOrg, fake: FakeOrg, answer: dict[str, Any], expected: bool | None) -> None:
    fake.on("GET", "query/", fake.json(answer))
    assert org.may("PermissionsConvertLeads") is expected


def test_a_permission_that_may_not_be_asked_for_is_not_known(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("GET", "query/", fake.fault("INVALID_FIELD"))
    assert org.may("PermissionsConvertLeads") is None


def test_an_object_that_the_schema_lacks_is_refused_without_a_call(org: SalesforceOrg, grown: dict[str, Any]) -> None:
    grown["describeEvent"] = (404, [])
    org.schema()
    with pytest.raises(ContractError, match="Event"):
        org.retrieve("Event", ["00U000000000001AAA"], ["Subject"])
    with pytest.raises(ContractError, match="Event"):
        list(org.changes({"Event": ["Subject"]}, {}))
    assert org.api_calls == 1
