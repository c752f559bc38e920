"""The sandbox org is a Salesforce org as far as simple-salesforce can tell: unmodified, apart from the CA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from simple_salesforce import Salesforce, SalesforceResourceNotFound, format_external_id
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest

from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg, SandboxServer, populate


@pytest.fixture
def org() -> SandboxOrg:
    """An org with a few people."""
    made = SandboxOrg(seed=3)
    populate(made)
    return made


@pytest.fixture
def salesforce(org: SandboxOrg, tmp_path: Path) -> Iterator[Salesforce]:
    """simple-salesforce with a token of the client-credentials flow."""
    with SandboxServer(org, folder=tmp_path) as server, requests.Session() as session:
        session.verify = str(server.ca_file)
        session.trust_env = False
        token = session.post(
            f"{server.url}/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(CONSUMER_KEY, CONSUMER_SECRET),
            timeout=10,
        ).json()
        yield Salesforce(session_id=token["access_token"], instance_url=token["instance_url"], version="62.0", session=session)


def test_describe_query_and_limits(salesforce: Salesforce, org: SandboxOrg) -> None:
    fields = {field["name"]: field for field in salesforce.Lead.describe()["fields"]}
    assert fields["Syncd_Id__c"]["externalId"]
    assert fields["Email"]["length"] == 80
    found = salesforce.query("SELECT Id, Email FROM Lead WHERE Email = 'ADA.LOVELACE@example.com'")
    assert found["totalSize"] == 1
    assert salesforce.limits()["DailyApiRequests"]["Max"] == org.daily_limit
    assert org.api_calls == 3


def test_queries_page_over_two_thousand_rows(salesforce: Salesforce, org: SandboxOrg) -> None:
    org.page_size = 50
    for number in range(120):
        org.create("Lead", {"LastName": f"n{number:03d}", "Company": "c"})
    rows = list(salesforce.query_all_iter("SELECT LastName FROM Lead WHERE LastName LIKE 'n%' ORDER BY LastName DESC"))
    assert [row["LastName"] for row in rows] == [f"n{number:03d}" for number in reversed(range(120))]


def test_single_rows_by_id_and_by_external_id(salesforce: Salesforce) -> None:
    made = salesforce.Lead.create({"LastName": "One", "Company": "c"})
    assert made["success"]
    assert salesforce.Lead.update(made["id"], {"Title": "t"}) == 204
    assert salesforce.Lead.get(made["id"])["Title"] == "t"
    key = format_external_id("Syncd_Id__c", "key/1 &")
    assert salesforce.Lead.upsert(key, {"LastName": "Two", "Company": "c"}) == 201
    assert salesforce.Lead.upsert(key, {"Title": "again"}) == 200
    assert salesforce.Lead.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound):
        salesforce.Lead.get(made["id"])


def test_collections_answer_row_by_row(salesforce: Salesforce, org: SandboxOrg) -> None:
    rows = [
        {"attributes": {"type": "Lead"}, "LastName": "a", "Company": "c", "Syncd_Id__c": "1"},
        {"attributes": {"type": "Lead"}, "LastName": "b", "Company": "c", "Syncd_Id__c": "2", "Email": "no address"},
        {"attributes": {"type": "Lead"}, "LastName": "x" * 81, "Company": "c", "Syncd_Id__c": "3"},
        {"attributes": {"type": "Lead"}, "Company": "c", "Syncd_Id__c": "4"},
        {"attributes": {"type": "Lead"}, "LastName": "e", "Company": "c", "Syncd_Id__c": "1"},
    ]
    answer = salesforce.restful("composite/sobjects/Lead/Syncd_Id__c", method="PATCH", json={"allOrNone": False, "records": rows})
    codes = [one["errors"][0]["statusCode"] if one["errors"] else "ok" for one in answer]
    assert codes == ["ok", "INVALID_EMAIL_ADDRESS", "STRING_TOO_LONG", "REQUIRED_FIELD_MISSING", "DUPLICATE_VALUE"]
    found = salesforce.restful(
        "composite/sobjects/Lead", method="POST", json={"ids": [answer[0]["id"], "00Q000000000000AAA"], "fields": ["LastName"]}
    )
    assert [one and one["LastName"] for one in found] == ["a", None]
    assert org.row(answer[0]["id"][:15]) is not None, "ids of 15 characters are the same"


def test_an_unknown_field_refuses_the_whole_call(salesforce: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        salesforce.restful(
            "composite/sobjects", method="POST", json={"records": [{"attributes": {"type": "Lead"}, "No_Such__c": 1}]}
        )
    assert refused.value.content[0]["errorCode"] == "INVALID_FIELD"


def test_bulk_queries_give_csv_by_locator(salesforce: Salesforce, org: SandboxOrg) -> None:
    for number in range(25):
        org.create("Contact", {"LastName": f"bulk {number}, with comma"})
    parts = list(
        salesforce.bulk2.Contact.query("SELECT Id, LastName FROM Contact WHERE LastName LIKE 'bulk%'", max_records=10, wait=0)
    )
    assert [len(part.strip().splitlines()) - 1 for part in parts] == [10, 10, 5]


def test_an_expired_session_is_told(salesforce: Salesforce, org: SandboxOrg) -> None:
    org.tokens.clear()
    with pytest.raises(SalesforceExpiredSession):
        salesforce.limits()


def test_composite_counts_as_one_call(salesforce: Salesforce, org: SandboxOrg) -> None:
    base = "/services/data/v62.0"
    wanted = [
        {"method": "GET", "url": f"{base}/sobjects/Lead/describe", "referenceId": "d"},
        {"method": "GET", "url": f"{base}/queryAll/?q=SELECT+Id+FROM+Lead", "referenceId": "q"},
    ]
    before = org.api_calls
    answer = salesforce.restful("composite", method="POST", json={"compositeRequest": wanted})["compositeResponse"]
    assert [one["httpStatusCode"] for one in answer] == [200, 200]
    assert org.api_calls == before + 1


def test_people_merge_convert_delete_and_undelete(org: SandboxOrg) -> None:
    master = org.create("Lead", {"LastName": "M", "Company": "c"})
    loser = org.create("Lead", {"LastName": "L", "Company": "c", "Phone": "1"})
    org.merge(master, [loser])
    gone, kept = org.row(loser), org.row(master)
    assert gone is not None
    assert kept is not None
    assert (gone["IsDeleted"], gone["MasterRecordId"], kept["Phone"]) == (True, master, "1")
    contact = org.convert(master)
    converted = org.row(master)
    assert converted is not None
    assert (converted["IsConverted"], converted["ConvertedContactId"]) == (True, contact)
    third = org.create("Lead", {"LastName": "T", "Company": "c"})
    org.delete(third)
    org.undelete(third)
    back = org.row(third)
    assert back is not None
    assert not back["IsDeleted"]


def test_a_page_for_people_shows_and_edits_leads(org: SandboxOrg, tmp_path: Path) -> None:
    with SandboxServer(org, folder=tmp_path) as server, requests.Session() as session:
        session.verify, session.trust_env = str(server.ca_file), False
        page = session.get(server.url, timeout=10).text
        assert "Lovelace" in page
        sf_id = next(row["Id"] for row in org.rows("Lead") if row["LastName"] == "Lovelace")
        session.post(f"{server.url}/sandbox/lead/{sf_id}", data={"Title": "Edited <b>"}, timeout=10)
        assert "Edited &lt;b&gt;" in session.get(server.url, timeout=10).text
    assert org.api_calls == 0
    assert [one.action for one in org.history(sf_id)][-1] == "update"
