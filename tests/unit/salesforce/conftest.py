"""An org that exists only as registered answers; each test says what it answers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses

from syncd.clock import FixedClock
from syncd.salesforce import ClientCredentials, OrgSettings, SalesforceOrg

ORIGIN = "https://acme.my.salesforce.com"
BASE = f"{ORIGIN}/services/data/v62.0/"
ORG_ID = "00D000000000001EAA"
USER_ID = "005000000000001AAA"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"

Reply = tuple[int, dict[str, str], str | bytes | Exception]


@dataclass
class FakeOrg:
    """Registered answers and what was asked."""

    mock: responses.RequestsMock
    clock: FixedClock
    usage: str = "api-usage=10/100000"
    logins: int = 0
    calls: list[requests.PreparedRequest] = field(default_factory=list)

    def on_login(self, answer: Callable[[requests.PreparedRequest], Reply] | None = None) -> None:
        def grant(request: requests.PreparedRequest) -> Reply:
            self.logins += 1
            if answer is not None:
                return answer(request)
            return self.json(
                {
                    "access_token": f"token-{self.logins}",
                    "instance_url": ORIGIN,
                    "id": f"https://login.salesforce.com/id/{ORG_ID}/{USER_ID}",
                    "token_type": "Bearer",
                }
            )

        self.mock.remove(responses.POST, f"{ORIGIN}/services/oauth2/token")
        self.mock.add_callback(responses.POST, f"{ORIGIN}/services/oauth2/token", grant)

    def on(self, method: str, path: str, *answers: Any) -> None:
        """Answer calls of `path` below the version, or with a leading slash of the whole path, in turn, the last answer for ever. An answer is a Reply, an error, or a function to a Reply."""
        waiting = list(answers)

        def reply(request: requests.PreparedRequest) -> Reply:
            self.calls.append(request)
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if callable(answer) and not isinstance(answer, type):
                answer = answer(request)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.mock.add_callback(method, ORIGIN + path if path.startswith("/") else BASE + path, reply)

    def json(self, body: Any, status: int = 200, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (
            status,
            {"Sforce-Limit-Info": self.usage, "Date": DATE, "Content-Type": "application/json", **named},
            json.dumps(body),
        )

    def text(self, body: str, status: int = 200, **headers: str) -> Reply:
        return status, {"Content-Type": "text/html", **{n.replace("_", "-"): v for n, v in headers.items()}}, body

    def fault(self, code: str, status: int = 400, message: str = "no", **headers: str) -> Reply:
        return self.json([{"errorCode": code, "message": message}], status, **headers)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def fake(clock: FixedClock) -> Iterator[FakeOrg]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        org = FakeOrg(mock, clock)
        org.on_login()
        yield org


@pytest.fixture
def settings() -> OrgSettings:
    return OrgSettings(ORIGIN, ClientCredentials("key", "top-secret"))


@pytest.fixture
def org(fake: FakeOrg, settings: OrgSettings, clock: FixedClock) -> SalesforceOrg:
    return SalesforceOrg(settings, clock, chance=random.Random(7))


def lead_id(number: int) -> str:
    return f"00Q{number:012d}AAA"


def body_of(request: requests.PreparedRequest) -> Any:
    return json.loads(request.body or "null")


@pytest.fixture
def saves() -> Callable[[requests.PreparedRequest], list[dict[str, Any]]]:
    """Results of a collections call in which every row is saved."""

    def results(request: requests.PreparedRequest) -> list[dict[str, Any]]:
        return [
            {"id": record.get("Id") or lead_id(index), "success": True, "errors": [], "created": "Id" not in record}
            for index, record in enumerate(body_of(request)["records"])
        ]

    return results


def field_of(name: str, type: str = "string", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "type": type,
        "length": 80 if type == "string" else 0,
        "createable": True,
        "updateable": True,
        "nillable": True,
        "defaultedOnCreate": False,
        "unique": False,
        "externalId": False,
        "idLookup": False,
        "restrictedPicklist": False,
        "picklistValues": [],
        **changes,
    }


@pytest.fixture
def lead_fields() -> list[dict[str, Any]]:
    values = [{"value": "Web", "active": True}, {"value": "Fax", "active": False}]
    return [
        field_of("Id", "id", createable=False, updateable=False),
        field_of("LastName", nillable=False),
        field_of("Company", nillable=False, length=255),
        field_of("City", length=40),
        field_of("LeadSource", "picklist", picklistValues=values, length=255),
        field_of("Rating", "picklist", picklistValues=[{"value": "Hot", "active": True}], restrictedPicklist=True, length=255),
        field_of("Score__c", "double"),
        field_of("Met__c", "datetime"),
        field_of("Name", createable=False, updateable=False),
        field_of("HasOptedOutOfEmail", "boolean"),
        field_of("Syncd_Id__c", unique=True, externalId=True, idLookup=True),
    ]


def task_fields() -> list[dict[str, Any]]:
    names = ("Subject", "WhoId", "OwnerId", "ActivityDate", "Priority", "Status", "Description")
    return [field_of(name) for name in names]


@pytest.fixture
def parts(fake: FakeOrg, lead_fields: list[dict[str, Any]]) -> dict[str, Any]:
    """Bodies of the schema call, to be changed by tests before they call it."""
    page = {"totalSize": 1, "done": True}
    statuses = [{"ApiName": "New", "IsConverted": False}, {"ApiName": "Converted", "IsConverted": True}]
    return {
        "describeLead": {"fields": lead_fields},
        "describeContact": {"fields": [field_of("LastName"), field_of("HasOptedOutOfEmail", "boolean")]},
        "describeTask": {"fields": [*task_fields(), field_of("Syncd_Id__c", unique=True, externalId=True)]},
        "organization": {**page, "records": [{"Id": ORG_ID, "IsSandbox": True, "OrganizationType": "Developer Edition"}]},
        "statuses": {"totalSize": 2, "done": True, "records": statuses},
    }


def composite_reply(fake: FakeOrg, parts: dict[str, Any]) -> Callable[[requests.PreparedRequest], Reply]:
    """Answers a composite call from bodies by reference id; a tuple is (status, body). What is not there is hidden from the user."""
    hidden = (404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])

    def reply(request: requests.PreparedRequest) -> Reply:
        listed = []
        for one in body_of(request)["compositeRequest"]:
            found = parts.get(one["referenceId"], hidden)
            status, body = found if isinstance(found, tuple) else (200, found)
            listed.append({"referenceId": one["referenceId"], "httpStatusCode": status, "httpHeaders": {}, "body": body})
        return fake.json({"compositeResponse": listed})

    return reply


@pytest.fixture
def with_schema(fake: FakeOrg, parts: dict[str, Any]) -> dict[str, Any]:
    """The org answers composite calls from `parts`."""
    fake.on("POST", "composite", composite_reply(fake, parts))
    return parts


@pytest.fixture
def make_row() -> Callable[..., dict[str, Any]]:
    def make(number: int, stamp: str = "2026-03-01T11:00:00.000+0000", **changes: Any) -> dict[str, Any]:
        return {
            "attributes": {"type": "Lead"},
            "Id": lead_id(number),
            "SystemModstamp": stamp,
            "LastModifiedById": "005000000000009AAA",
            "OwnerId": "005000000000009AAA",
            "IsDeleted": False,
            "MasterRecordId": None,
            "Syncd_Id__c": None,
            "IsConverted": False,
            "ConvertedContactId": None,
            "City": "Bonn",
            **changes,
        }

    return make
