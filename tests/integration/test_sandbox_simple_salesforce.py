"""One contract, two ways to the org: in process through the adapter, and over HTTPS; simple-salesforce is unmodified on both.

The client's own log-in can only go to *.salesforce.com, so the token is fetched with requests and handed over (direct-token mode).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce, format_external_id, format_soql
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, Kind, SandboxOrg, SandboxServer, populate
from syncd.sandbox.adapter import SandboxAdapter

UPSERT = "composite/sobjects/Lead/Syncd_Id__c"


@pytest.fixture
def org() -> SandboxOrg:
    made = SandboxOrg(seed=3)
    populate(made)
    return made


def log_in(session: requests.Session, url: str) -> Salesforce:
    """simple-salesforce with a fresh token of the client-credentials flow."""
    session.trust_env = False
    token = session.post(
        f"{url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(CONSUMER_KEY, CONSUMER_SECRET),
        timeout=10,
    ).json()
    return Salesforce(session_id=token["access_token"], instance_url=token["instance_url"], version="62.0", session=session)


@pytest.fixture(params=["adapter", "server"])
def salesforce(request: pytest.FixtureRequest, org: SandboxOrg, tmp_path: Path) -> Iterator[Salesforce]:
    """The org, reached in both ways."""
    with requests.Session() as session:
        if request.param == "adapter":
            session.mount("https://", SandboxAdapter(org))
            yield log_in(session, "https://sandbox.test")
            return
        with SandboxServer(org, folder=tmp_path) as server:
            session.verify = str(server.ca_file)
            yield log_in(session, server.url)
            assert server.crashes == []


def records(*fields: dict[str, Any]) -> dict[str, Any]:
    """The body of a collection call."""
    rows = [{"attributes": {"type": "Lead"}, "LastName": "Roe", "Company": "c", **one} for one in fields]
    return {"allOrNone": False, "records": rows}


def test_describes_and_limits(salesforce: Salesforce, org: SandboxOrg) -> None:
    fields = {one["name"]: one for one in salesforce.Lead.describe()["fields"]}
    assert fields["Syncd_Id__c"]["unique"]
    assert {one["name"] for one in salesforce.describe()["sobjects"]} >= {"Lead", "Contact", "User", "Group", "LeadStatus"}
    assert salesforce.Lead.metadata()["objectDescribe"]["keyPrefix"] == "00Q"
    assert salesforce.limits()["DailyApiRequests"]["Max"] == org.daily_limit
    assert salesforce.api_usage["api-usage"].used == org.api_calls


def test_queries_with_pages_and_escaped_values(salesforce: Salesforce, org: SandboxOrg) -> None:
    org.page_size = 50
    odd = 'O\'Brien \\ 100% "Ünal"\n'
    for number in range(120):
        org.create("Lead", {"LastName": f"n{number:03d}", "Company": "paged", "Title": odd})
    rows = salesforce.query_all_iter(
        format_soql("SELECT LastName FROM Lead WHERE Title = {} ORDER BY LastName DESC", odd.strip())
    )
    assert [row["LastName"] for row in rows] == [f"n{number:03d}" for number in reversed(range(120))]
    assert salesforce.query_all("SELECT Id FROM Lead WHERE Company = 'paged'")["totalSize"] == 120
    org.delete(org.rows("Lead")[0]["Id"])
    assert salesforce.query("SELECT Id FROM Lead WHERE IsDeleted = true")["totalSize"] == 0
    assert salesforce.query("SELECT Id FROM Lead WHERE IsDeleted = true", include_deleted=True)["totalSize"] == 1


def test_single_records(salesforce: Salesforce, org: SandboxOrg) -> None:
    made = salesforce.Lead.create({"LastName": "One", "Company": "c"})["id"]
    assert salesforce.Lead.update(made, {"Title": "t"}) == 204
    assert salesforce.Lead.get(made)["Title"] == "t"
    key = format_external_id("Syncd_Id__c", "key/1 &")
    assert salesforce.Lead.upsert(key, {"LastName": "Two", "Company": "c"}) == 201
    answer = salesforce.Lead.upsert(key, {"Title": "again"}, raw_response=True)
    assert (answer.status_code, answer.json()["created"]) == (200, False)
    assert salesforce.restful(f"sobjects/Lead/{key}")["Title"] == "again"
    assert salesforce.Lead.delete(made) == 204
    with pytest.raises(SalesforceResourceNotFound):
        salesforce.Lead.get(made)


def test_collections(salesforce: Salesforce, org: SandboxOrg) -> None:
    body = records({"Syncd_Id__c": "1"}, {"Syncd_Id__c": "2", "Email": "none"}, {"Syncd_Id__c": "3"})
    answer = salesforce.restful(UPSERT, method="PATCH", json=body, headers={"Sforce-Auto-Assign": "FALSE"})
    assert [one["success"] for one in answer] == [True, False, True]
    ids = [answer[0]["id"], answer[2]["id"]]
    assert not org.assignment_runs
    changed = {"records": [{"attributes": {"type": "Lead"}, "Id": one, "Title": "t"} for one in ids]}
    assert all(one["success"] for one in salesforce.restful("composite/sobjects", method="PATCH", json=changed))
    found = salesforce.restful("composite/sobjects/Lead", method="POST", json={"ids": [*ids, ids[0][:3]], "fields": ["Title"]})
    assert [one and one["Title"] for one in found] == ["t", "t", None]
    gone = salesforce.restful("composite/sobjects", params={"ids": ",".join(ids), "allOrNone": "false"}, method="DELETE")
    assert all(one["success"] for one in gone)
    assert org.api_calls == 4
    assert org.assignment_runs == dict.fromkeys(ids, 1), "the update did not say no"


def test_composite_is_one_call(salesforce: Salesforce, org: SandboxOrg) -> None:
    base = "/services/data/v62.0"
    wanted = [
        {"method": "GET", "url": f"{base}/sobjects/Lead/describe", "referenceId": "d"},
        {"method": "GET", "url": f"{base}/queryAll/?q=SELECT+Id+FROM+Lead", "referenceId": "q"},
    ]
    answer = salesforce.restful("composite", method="POST", json={"compositeRequest": wanted})["compositeResponse"]
    assert [one["httpStatusCode"] for one in answer] == [200, 200]
    assert org.api_calls == 1


def test_bulk_query(salesforce: Salesforce, org: SandboxOrg) -> None:
    for number in range(25):
        org.create("Contact", {"LastName": f"bulk {number:02d}, with comma"})
    statement = "SELECT Id, LastName FROM Contact WHERE LastName LIKE 'bulk%' ORDER BY LastName"
    parts = list(salesforce.bulk2.Contact.query(statement, max_records=10, wait=0))
    rows = [row for part in parts for row in list(csv.DictReader(io.StringIO(part, newline="")))]
    assert (len(parts), [row["LastName"] for row in rows]) == (3, [f"bulk {number:02d}, with comma" for number in range(25)])


def test_changes_since(salesforce: Salesforce, org: SandboxOrg) -> None:
    gone = org.rows("Lead")[0]["Id"]
    org.delete(gone)
    now = datetime.now(UTC)  # noqa: TID251 - this org lives in real time
    window = (now - timedelta(hours=1), now + timedelta(minutes=2))
    assert gone not in salesforce.Lead.updated(*window)["ids"]
    assert [one["id"] for one in salesforce.Lead.deleted(*window)["deletedRecords"]] == [gone]


def test_every_status_is_the_exception_that_the_client_has_for_it(salesforce: Salesforce, org: SandboxOrg) -> None:
    for name in "ab":
        org.create("Lead", {"LastName": name, "Company": "c", "Email": "same@example.com"})
    with pytest.raises(SalesforceMoreThanOneRecord) as several:
        salesforce.Lead.upsert("Email/same@example.com", {"Title": "t"})
    assert len(several.value.content) == 2
    with pytest.raises(SalesforceMalformedRequest) as wrong:
        salesforce.query("SELECT Nope__c FROM Lead")
    assert wrong.value.content[0]["errorCode"] == "INVALID_FIELD"
    with pytest.raises(SalesforceGeneralError) as long:
        salesforce.query(f"SELECT Id FROM Lead WHERE Title = '{'x' * 20_000}'")  # noqa: S608 - the sandbox's own query language
    assert long.value.status == 414
    with pytest.raises(SalesforceGeneralError) as unchanged:
        salesforce.Lead.describe(headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
    assert unchanged.value.status == 304
    org.faults.add(Kind.UNAVAILABLE, "limits")
    with pytest.raises(SalesforceGeneralError):
        salesforce.limits()
    org.daily_limit = 1
    with pytest.raises(SalesforceRefusedRequest):
        salesforce.limits()
    org.daily_limit = 1000
    org.expire_tokens()
    with pytest.raises(SalesforceExpiredSession):
        salesforce.limits()


@pytest.mark.parametrize(
    ("kind", "written"),
    [(Kind.CUT_BEFORE, 0), (Kind.CUT_AFTER, 1), (Kind.CUT_STREAM, 1), (Kind.CUT_BODY, 1), (Kind.HTML, 1), (Kind.LATE, 0)],
)
def test_faults_break_the_answer_alike_on_both_ways(salesforce: Salesforce, org: SandboxOrg, kind: Kind, written: int) -> None:
    """Each is some error of requests, and the same thing was done; afterwards the connection works again."""
    org.faults.add(kind, UPSERT, after=1 if kind is Kind.LATE else 0, seconds=0.01)
    before = len(org.rows("Lead"))
    with pytest.raises(requests.RequestException):
        salesforce.restful(UPSERT, method="PATCH", json=records({"Syncd_Id__c": "1"}), timeout=(5, 5))
    assert len(org.rows("Lead")) - before == written
    found = salesforce.query("SELECT Id FROM Lead WHERE Syncd_Id__c = '1'")["totalSize"]
    assert found == (0 if kind is Kind.CUT_BEFORE else 1)


def test_a_client_that_gave_up_is_followed_by_its_commit(org: SandboxOrg, tmp_path: Path) -> None:
    """Over a real socket: the client's patience ends first, the work is done all the same, with nobody asking for it."""
    org.faults.add(Kind.LATE, UPSERT, seconds=0.5)
    with SandboxServer(org, folder=tmp_path) as server, requests.Session() as session:
        session.verify = str(server.ca_file)
        client = log_in(session, server.url)
        with pytest.raises(requests.ReadTimeout):
            client.restful(UPSERT, method="PATCH", json=records({"Syncd_Id__c": "late"}), timeout=(5, 0.1))
        assert org.by_external_id("Lead", "Syncd_Id__c", "late") is None
        end = org.clock.monotonic() + 10
        while org.by_external_id("Lead", "Syncd_Id__c", "late") is None and org.clock.monotonic() < end:
            org.clock.sleep(0.02)
    assert org.by_external_id("Lead", "Syncd_Id__c", "late") is not None


def test_a_stopped_server_hangs_up_and_its_port_is_free(org: SandboxOrg, tmp_path: Path) -> None:
    with requests.Session() as session:
        with SandboxServer(org, folder=tmp_path) as server:
            session.verify = str(server.ca_file)
            client = log_in(session, server.url)
            assert client.limits()
        with pytest.raises(requests.ConnectionError):
            client.limits()
        with SandboxServer(org, folder=tmp_path, port=server.port) as again:
            assert again.url == server.url


def test_the_control_calls_are_not_counted_and_need_no_token(org: SandboxOrg, tmp_path: Path) -> None:
    with SandboxServer(org, folder=tmp_path) as server, requests.Session() as session:
        session.verify, session.trust_env = str(server.ca_file), False
        made = session.post(f"{server.url}/sandbox/create", json={"fields": {"LastName": "Roe", "Company": "c"}}, timeout=5)
        session.post(f"{server.url}/sandbox/edit", json={"id": made.json()["id"], "fields": {"Title": "t"}}, timeout=5)
        audit = session.get(f"{server.url}/sandbox/audit", timeout=5).json()
        assert audit[-1]["after"] == {"Title": "t"}
        assert session.head(server.url, timeout=5).content == b""
        parts = iter([b'{"id": "', made.json()["id"].encode(), b'"}'])
        assert session.post(f"{server.url}/sandbox/delete", data=parts, timeout=5).json() == {"ok": True}
        assert server.crashes == []
    assert org.api_calls == 0
