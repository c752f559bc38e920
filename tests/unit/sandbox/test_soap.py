"""The SOAP endpoint itself: what is no call at all is refused as a fault, and every fault of the network strikes here as well."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests

from syncd.clock import FixedClock
from syncd.sandbox import Kind, SandboxOrg
from syncd.sandbox.ids import long_id
from tests.unit.sandbox import soap_client
from tests.unit.sandbox.conftest import Api
from tests.unit.sandbox.soap_client import envelope, lead_convert

HOST = "https://org.test"
SOAP = "/services/Soap"
CLIENT = (500, "soapenv:Client")


@pytest.fixture
def lead(org: SandboxOrg) -> str:
    return org.create("Lead", {"LastName": "Roe", "Company": "Acme"})


def token(api: Api) -> str:
    return str(api.session.headers["Authorization"]).removeprefix("Bearer ")


def send(api: Api, lead_id: str, **options: Any) -> requests.Response:
    """A good call for one lead, unless `options` spoil it."""
    content = options.pop("content", None)
    path = options.pop("path", soap_client.PATH)
    body = envelope(options.pop("token", token(api)), lead_convert(leadId=lead_id) if content is None else content, **options)
    return soap_client.post(api.session, HOST, body, path=path)


def is_converted(org: SandboxOrg, sf_id: str) -> bool:
    row = org.row(sf_id)
    assert row is not None
    return bool(row["IsConverted"])


def test_a_call_is_one_api_call_told_in_the_answers_header(api: Api, org: SandboxOrg, lead: str) -> None:
    before = org.api_calls
    answer = send(api, lead)
    assert (answer.headers["Content-Type"], org.api_calls) == ("text/xml; charset=utf-8", before + 1)
    assert "Sforce-Limit-Info" not in answer.headers, "that is REST's"
    told = ET.fromstring(answer.content).find(f".//{{{soap_client.PARTNER}}}limitInfo")  # noqa: S314 - our own
    assert told is not None
    assert [child.text for child in told] == [str(before + 1), str(org.daily_limit), "API REQUESTS"]


def test_the_order_of_a_result_is_the_wsdls(api: Api, org: SandboxOrg, lead: str) -> None:
    answer = send(api, lead, content=lead_convert(leadId=lead) + lead_convert(leadId=lead))
    orders = [
        [child.tag.partition("}")[2] for child in one]
        for one in ET.fromstring(answer.content).iter(f"{{{soap_client.PARTNER}}}result")  # noqa: S314 - our own
    ]
    good = ["accountId", "contactId", "leadId", "opportunityId", "relatedPersonAccountId", "success"]
    assert orders == [good, [*good[:2], "errors", *good[2:]]]
    assert '<opportunityId xsi:nil="true"/>' in answer.text


def test_a_hundred_leads_are_taken_and_one_more_is_a_fault(api: Api, org: SandboxOrg) -> None:
    made = [org.create("Lead", {"LastName": f"n{n}", "Company": "c"}) for n in range(101)]
    refused = send(api, "", content="".join(lead_convert(leadId=one) for one in made))
    assert soap_client.fault(refused) == (500, "sf:EXCEEDED_LEAD_CONVERT_LIMIT")
    assert "<sf:exceptionCode>EXCEEDED_LEAD_CONVERT_LIMIT</sf:exceptionCode>" in refused.text
    assert not any(is_converted(org, one) for one in made)
    answers = soap_client.results(send(api, "", content="".join(lead_convert(leadId=one) for one in made[:100])))
    assert [one["leadId"] for one in answers] == made[:100]
    assert soap_client.results(send(api, "", content="")) == []


@pytest.mark.parametrize("wrong", ["", "nonsense"])
def test_a_session_is_needed_and_dies(api: Api, org: SandboxOrg, lead: str, wrong: str) -> None:
    assert soap_client.fault(send(api, lead, token=wrong)) == (500, "sf:INVALID_SESSION_ID")
    org.expire_tokens()
    assert soap_client.fault(send(api, lead)) == (500, "sf:INVALID_SESSION_ID")
    api.log_in()
    assert send(api, lead).status_code == 200


SPOILT = {
    "wrong order": lambda one: one.replace("<urn:convertedStatus>Closed - Converted</urn:convertedStatus>", "").replace(
        "</urn:leadConverts>", "<urn:convertedStatus>Closed - Converted</urn:convertedStatus></urn:leadConverts>"
    ),
    "twice": lambda one: one.replace("</urn:leadId>", "</urn:leadId><urn:leadId>x</urn:leadId>"),
    "unknown": lambda one: one.replace("</urn:leadId>", "</urn:leadId><urn:nonsense/>"),
    "no namespace": lambda one: one.replace("urn:leadId", "leadId"),
    "no status": lambda one: one.replace("<urn:convertedStatus>Closed - Converted</urn:convertedStatus>", ""),
    "nil status": lambda one: one.replace(
        "<urn:convertedStatus>Closed - Converted</urn:convertedStatus>", '<urn:convertedStatus xsi:nil="true"/>'
    ),
    "no choice about the opportunity": lambda one: one.replace(
        "<urn:doNotCreateOpportunity>true</urn:doNotCreateOpportunity>", ""
    ),
    "no boolean": lambda one: one.replace("<urn:overwriteLeadSource>false", "<urn:overwriteLeadSource>no"),
    "no mail": lambda one: one.replace("<urn:sendNotificationEmail>false</urn:sendNotificationEmail>", ""),
    "other child": lambda one: one.replace("urn:leadConverts", "urn:leads"),
    "a record": lambda one: one.replace("<urn:convertedStatus>", "<urn:accountRecord>x</urn:accountRecord><urn:convertedStatus>"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_the_wsdl_does_not_have_is_a_fault_for_the_whole_call(api: Api, org: SandboxOrg, lead: str, name: str) -> None:
    good = org.create("Lead", {"LastName": "Good", "Company": "c"})
    spoilt = SPOILT[name](lead_convert(leadId=lead))
    assert spoilt != lead_convert(leadId=lead)
    answer = send(api, lead, content=lead_convert(leadId=good) + spoilt)
    assert soap_client.fault(answer) == CLIENT
    assert not is_converted(org, good)


def test_nil_elements_count_as_absent(api: Api, lead: str) -> None:
    content = lead_convert(leadId=lead).replace("<urn:leadConverts>", '<urn:leadConverts><urn:accountId xsi:nil="true"/>')
    assert soap_client.results(send(api, lead, content=content))[0]["success"]


@pytest.mark.parametrize(
    ("headers", "is_taken"),
    [
        (soap_client.CALL_OPTIONS + soap_client.ALLOW_SAVE + soap_client.TRUNCATE, True),
        ("<urn:DebuggingHeader><urn:debugLevel>None</urn:debugLevel></urn:DebuggingHeader>", True),
        ("<urn:AssignmentRuleHeader><urn:useDefaultRule>false</urn:useDefaultRule></urn:AssignmentRuleHeader>", False),
        ("<urn:DuplicateRuleHeader><urn:allowSave>true</urn:allowSave></urn:DuplicateRuleHeader>", False),
        ("<urn:AllowFieldTruncationHeader/>", False),
    ],
)
def test_the_headers_are_those_of_the_operation(api: Api, lead: str, headers: str, is_taken: bool) -> None:
    answer = send(api, lead, headers=headers)
    if is_taken:
        assert answer.status_code == 200
    else:
        assert soap_client.fault(answer) == CLIENT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<a>",
        b"<a/>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"/>',
        b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body/></e:Envelope>',
    ],
)
def test_what_is_no_envelope_is_a_fault(api: Api, body: bytes) -> None:
    assert soap_client.fault(soap_client.post(api.session, HOST, body)) == CLIENT


def test_entities_are_never_expanded(api: Api, org: SandboxOrg, lead: str) -> None:
    good = envelope(token(api), lead_convert(leadId=lead, opportunityName="&a;"))
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    answer = soap_client.post(api.session, HOST, good.replace("?>", f"?>{laughs}", 1))
    assert soap_client.fault(answer) == CLIENT
    assert not is_converted(org, lead)


def test_only_convert_lead_is_known_and_only_where_it_lives(api: Api, lead: str) -> None:
    assert soap_client.fault(send(api, lead, operation="undelete")) == CLIENT
    wrong = [send(api, lead, path=f"{SOAP}/{path}") for path in ("u/20.0", "c/62.0", "u/62.0/sobjects")]
    assert [soap_client.fault(one) for one in wrong] == [(500, "sf:UNSUPPORTED_API_VERSION")] * 3
    body = envelope(token(api), lead_convert(leadId=lead))
    got = api.session.get(f"{HOST}{soap_client.PATH}", data=body, headers={"SOAPAction": ""}, timeout=5)
    assert soap_client.fault(got)[0] == 405
    url = f"{HOST}{soap_client.PATH}"
    assert api.session.post(url, data=body, headers={"Content-Type": "text/xml"}, timeout=5).status_code == 500
    as_json = {"Content-Type": "application/json", "SOAPAction": ""}
    assert api.session.post(url, data=body, headers=as_json, timeout=5).status_code == 415
    assert send(api, lead, path=f"{soap_client.PATH}/00D5g0000000001EAA").status_code == 200


def test_the_daily_limit_is_a_fault(api: Api, org: SandboxOrg, lead: str) -> None:
    org.daily_limit = org.api_calls
    assert soap_client.fault(send(api, lead)) == (500, "sf:REQUEST_LIMIT_EXCEEDED")
    assert not is_converted(org, lead)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.UNAVAILABLE, (503, "sf:SERVER_UNAVAILABLE")),
        (Kind.LIMIT, (500, "sf:REQUEST_LIMIT_EXCEEDED")),
        (Kind.EXPIRED, (500, "sf:INVALID_SESSION_ID")),
        (Kind.ERROR, (500, "sf:UNKNOWN_EXCEPTION")),
        (Kind.POISON, (500, "sf:UNKNOWN_EXCEPTION")),
    ],
)
def test_a_fault_that_refuses_the_call_does_nothing(
    api: Api, org: SandboxOrg, lead: str, kind: Kind, expected: tuple[int, str]
) -> None:
    org.faults.add(kind, SOAP, rows=lead)
    assert soap_client.fault(send(api, lead)) == expected
    assert not is_converted(org, lead)


@pytest.mark.parametrize("kind", [Kind.HTML_503, Kind.THROTTLED])
def test_a_page_in_between_does_nothing(api: Api, org: SandboxOrg, lead: str, kind: Kind) -> None:
    org.faults.add(kind, SOAP)
    answer = send(api, lead)
    assert (answer.headers["Content-Type"], is_converted(org, lead)) == ("text/html", False)


def test_a_connection_cut_before_does_nothing_and_after_leaves_it_done(api: Api, org: SandboxOrg) -> None:
    first, second = (org.create("Lead", {"LastName": "x", "Company": "c"}) for _ in range(2))
    org.faults.add(Kind.CUT_BEFORE, SOAP)
    with pytest.raises(requests.ConnectionError):
        send(api, first)
    assert not is_converted(org, first)
    org.faults.add(Kind.CUT_AFTER, SOAP)
    with pytest.raises(requests.ConnectionError):
        send(api, second)
    assert is_converted(org, second)
    assert soap_client.results(send(api, second))[0]["code"] == "CANNOT_UPDATE_CONVERTED_LEAD", "a retry makes no second contact"
    assert len(org.rows("Contact")) == 1


@pytest.mark.parametrize("kind", [Kind.CUT_BODY, Kind.HTML])
def test_an_answer_that_cannot_be_read_leaves_it_done(api: Api, org: SandboxOrg, lead: str, kind: Kind) -> None:
    org.faults.add(kind, SOAP)
    answer = send(api, lead)
    assert answer.status_code == 200
    assert "</soapenv:Envelope>" not in answer.text
    assert is_converted(org, lead)


def test_work_is_done_after_the_client_gave_up(api: Api, org: SandboxOrg, lead: str, clock: FixedClock) -> None:
    org.faults.add(Kind.LATE, SOAP, seconds=30)
    with pytest.raises(requests.ReadTimeout):
        send(api, lead)
    assert not is_converted(org, lead)
    clock.advance(31)
    found = api.query("SELECT IsConverted FROM Lead")
    assert [one["IsConverted"] for one in found] == [True]


def test_latency_passes(api: Api, org: SandboxOrg, lead: str, clock: FixedClock) -> None:
    before = clock.monotonic()
    org.faults.add(Kind.LATENCY, SOAP, seconds=2.5)
    send(api, lead)
    assert clock.monotonic() - before == 2.5


def test_row_faults_strike_single_leads(api: Api, org: SandboxOrg) -> None:
    made = [org.create("Lead", {"LastName": f"n{n}", "Company": "c"}) for n in range(3)]
    content = "".join(lead_convert(leadId=one) for one in made)
    org.faults.add(Kind.ROW_LOCK, SOAP, rows=made[1])
    answers = soap_client.results(send(api, "", content=content))
    assert [one["code"] for one in answers] == ["ok", "UNABLE_TO_LOCK_ROW", "ok"]
    org.faults.add(Kind.GOVERNOR, SOAP, after=2)
    answers = soap_client.results(send(api, "", content=content))
    assert {one["code"] for one in answers} == {"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"}
    assert not is_converted(org, made[1])


def test_messages_survive_characters_that_xml_does_not_have(api: Api, org: SandboxOrg, lead: str) -> None:
    org.rules_of["Contact"] = [lambda org, row: "odd \x0b \ud800 <b> & more"]
    (answer,) = soap_client.results(send(api, lead))
    assert answer["message"] == "odd \ufffd \ufffd <b> & more"


def test_an_id_of_another_org_is_simply_not_there(api: Api) -> None:
    assert soap_client.results(send(api, long_id("00Q", 4711)))[0]["code"] == "INVALID_CROSS_REFERENCE_KEY"
