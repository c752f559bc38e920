"""Conversion over real HTTPS: raw SOAP by requests beside an unmodified simple-salesforce, on one token of the client-credentials flow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce, SalesforceResourceNotFound, format_external_id
from simple_salesforce.exceptions import SalesforceMalformedRequest

from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, Kind, SandboxOrg, SandboxServer
from tests.unit.sandbox import soap_client
from tests.unit.sandbox.soap_client import CALL_OPTIONS, envelope, lead_convert


class Site:
    """A server with its org, and both clients of it."""

    def __init__(self, server: SandboxServer, session: requests.Session) -> None:
        self.org, self.url, self._session = server.org, server.url, session
        told = session.post(
            f"{server.url}/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(CONSUMER_KEY, CONSUMER_SECRET),
            timeout=10,
        ).json()
        self.token = told["access_token"]
        self.rest = Salesforce(session_id=self.token, instance_url=told["instance_url"], version="62.0", session=session)

    def soap(self, content: str, *, token: str = "", headers: str = CALL_OPTIONS) -> requests.Response:
        return soap_client.post(self._session, self.url, envelope(token or self.token, content, headers=headers))

    def convert(self, *leads: dict[str, str]) -> list[dict[str, Any]]:
        return soap_client.results(self.soap("".join(lead_convert(**one) for one in leads)))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with SandboxServer(SandboxOrg(seed=3), folder=tmp_path) as server, requests.Session() as session:
        session.verify, session.trust_env = str(server.ca_file), False
        yield Site(server, session)
        assert server.crashes == []


def test_the_objects_are_an_orgs_as_far_as_simple_salesforce_can_tell(site: Site) -> None:
    rest = site.rest
    account = rest.Account.create({"Name": "Acme", "Industry": "Technology"})["id"]
    key = format_external_id("Syncd_Id__c", "o1")
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-06-30", "AccountId": account}
    assert rest.Opportunity.upsert(key, deal) == 201
    assert rest.Opportunity.upsert(key, {"StageName": "Closed Won"}) == 200
    (found,) = rest.query("SELECT Id, IsWon, Probability FROM Opportunity")["records"]
    assert (found["IsWon"], found["Probability"]) == (True, 100)
    event = rest.Event.create({"Subject": "Demo", "StartDateTime": "2026-03-02T10:00:00Z", "DurationInMinutes": 30})["id"]
    assert rest.Event.get(event)["ActivityDate"] == "2026-03-02"
    with pytest.raises(SalesforceResourceNotFound):
        rest.Event.upsert(key, {"Subject": "x"})
    with pytest.raises(SalesforceMalformedRequest):
        rest.OpportunityStage.create({"ApiName": "x"})
    names = {one["name"] for one in rest.describe()["sobjects"]}
    assert {"Account", "Opportunity", "OpportunityContactRole", "Event", "OpportunityStage", "GroupMember"} <= names
    rows = list(rest.bulk2.Opportunity.query("SELECT Id, StageName FROM Opportunity", max_records=10, wait=0))
    assert "Closed Won" in rows[0]
    rest.Opportunity.delete(found["Id"])
    gone = rest.query("SELECT Id FROM Opportunity WHERE IsDeleted = true", include_deleted=True)["records"]
    assert [one["Id"] for one in gone] == [found["Id"]]


def test_a_lead_goes_the_whole_way(site: Site) -> None:
    lead = site.rest.Lead.create(
        {"LastName": "Čapek", "Company": "Acme & Söhne", "Email": "c@example.com", "OwnerId": site.org.users["rep1"]},
        headers={"Sforce-Auto-Assign": "FALSE"},
    )["id"]
    with site.org.as_user("rep1") as rep:
        task = rep.create("Task", {"WhoId": lead, "Subject": "Call"})
        rep.complete_task(task)
        rep.schedule_event(lead, "Demo", starts_at=datetime(2027, 3, 9, 10, tzinfo=UTC))
    assert site.rest.Lead.get(lead)["LastActivityDate"] == "2027-03-09"
    (made,) = site.convert({"leadId": lead, "doNotCreateOpportunity": "false", "opportunityName": "Acme – inbound"})
    assert made["success"]
    converted = site.rest.Lead.get(lead)
    assert (converted["IsConverted"], converted["Status"]) == (True, "Closed - Converted")
    assert site.rest.Account.get(made["accountId"])["Name"] == "Acme & Söhne"
    assert site.rest.Opportunity.get(made["opportunityId"])["Name"] == "Acme – inbound"
    assert site.rest.Task.get(task)["WhoId"] == made["contactId"]
    (role,) = site.rest.query("SELECT ContactId, IsPrimary FROM OpportunityContactRole")["records"]
    assert (role["ContactId"], role["IsPrimary"]) == (made["contactId"], True)
    with pytest.raises(SalesforceMalformedRequest) as refused:
        site.rest.Lead.update(lead, {"Title": "x"})
    assert refused.value.content[0]["errorCode"] == "CANNOT_UPDATE_CONVERTED_LEAD"
    (entry,) = [one for one in site.org.history(lead) if one.action == "convert"]
    assert entry.headers == {"Sforce-Call-Options": "client=syncd"}


def test_partial_success_and_a_dead_session(site: Site) -> None:
    queue = site.rest.Lead.create({"LastName": "Q", "Company": "c"})["id"]
    owned = site.org.create("Lead", {"LastName": "O", "Company": "c"})
    answers = site.convert({"leadId": queue}, {"leadId": owned}, {"leadId": queue, "ownerId": site.org.users["rep2"]})
    assert [one["code"] for one in answers] == ["INVALID_OWNER", "ok", "ok"]
    dead = site.soap(lead_convert(leadId=owned), token="00Dxx!dead")
    assert soap_client.fault(dead) == (500, "sf:INVALID_SESSION_ID")
    late = lead_convert(leadId=owned).replace("<urn:leadId>", "<urn:ownerId>x</urn:ownerId><urn:leadId>")
    assert soap_client.fault(site.soap(late)) == (500, "soapenv:Client")


def test_an_answer_lost_on_the_wire_leaves_the_lead_converted_once(site: Site) -> None:
    lead = site.org.create("Lead", {"LastName": "O", "Company": "c"})
    site.org.faults.add(Kind.CUT_AFTER, "/services/Soap")
    with pytest.raises(requests.ConnectionError):
        site.convert({"leadId": lead})
    (found,) = site.rest.query("SELECT IsConverted, ConvertedContactId FROM Lead")["records"]
    assert found["IsConverted"]
    assert [one["code"] for one in site.convert({"leadId": lead})] == ["CANNOT_UPDATE_CONVERTED_LEAD"]
    assert [row["Id"] for row in site.org.rows("Contact")] == [found["ConvertedContactId"]]


def test_work_that_outlives_the_clients_patience_is_done_once(site: Site) -> None:
    lead = site.org.create("Lead", {"LastName": "O", "Company": "c"})
    site.org.faults.add(Kind.LATE, "/services/Soap", after=1, seconds=0.1)
    with pytest.raises(requests.ConnectionError):
        site.convert({"leadId": lead})
    (found,) = site.rest.query("SELECT IsConverted FROM Lead")["records"]
    assert found["IsConverted"], "carried out when the next request came"
    assert len(site.org.rows("Contact")) == 1
