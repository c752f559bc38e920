from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import requests
import urllib3

from syncd.errors import AuthError, BudgetExhausted, SalesforceUnavailableError, UnknownOutcomeError
from syncd.model import Conversion, ConversionOutcome, Lane, Recovery
from syncd.salesforce import OrgSettings, SalesforceOrg
from syncd.salesforce.line import MAX_SOAP_BYTES
from tests.unit.salesforce.conftest import FakeOrg, Reply, lead_id

SOAP = "/services/Soap/u/62.0"
NAMES = "{urn:partner.soap.sforce.com}"
ACCOUNT, CONTACT, OPPORTUNITY = "001000000000001AAA", "003000000000001AAA", "006000000000001AAA"
OWNER = "005000000000002AAA"
USAGE = (
    "<LimitInfoHeader><limitInfo><current>7</current><limit>90000</limit><type>API REQUESTS</type></limitInfo></LimitInfoHeader>"
)


def envelope(inner: str, header: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:sobject.partner.soap.sforce.com" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Header>{header}</soapenv:Header><soapenv:Body>{inner}</soapenv:Body></soapenv:Envelope>"
    )


def done(lead: str, opportunity: str = "") -> str:
    made = f"<opportunityId>{opportunity}</opportunityId>" if opportunity else '<opportunityId xsi:nil="true"/>'
    return (
        f"<result><accountId>{ACCOUNT}</accountId><contactId>{CONTACT}</contactId><leadId>{lead}</leadId>{made}"
        '<relatedPersonAccountId xsi:nil="true"/><success>true</success></result>'
    )


def failed(lead: str, code: str, *fields: str, extra: str = "", kind: str = "Error") -> str:
    named = "".join(f"<fields>{field}</fields>" for field in fields)
    identity = f"<leadId>{lead}</leadId>" if lead else '<leadId xsi:nil="true"/>'
    return (
        f'<result><accountId xsi:nil="true"/><contactId xsi:nil="true"/><errors xsi:type="{kind}">{named}<message>Ask &amp; wait</message>'
        f'<statusCode>{code}</statusCode>{extra}</errors>{identity}<opportunityId xsi:nil="true"/><success>false</success></result>'
    )


def soap(*results: str, header: str = "", status: int = 200) -> Reply:
    text = envelope(f"<convertLeadResponse>{''.join(results)}</convertLeadResponse>", header)
    return status, {"Content-Type": "text/xml; charset=UTF-8"}, text


def fault(code: str, message: str = "no", status: int = 500) -> Reply:
    inner = f"<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{message}</faultstring></soapenv:Fault>"
    return status, {"Content-Type": "text/xml; charset=UTF-8"}, envelope(inner)


def row(number: int, **changes: str) -> Conversion:
    return Conversion(lead_id(number), changes.pop("converted_status", "Closed - Converted"), **changes)


def sent(request: requests.PreparedRequest) -> ET.Element:
    return ET.fromstring(request.body or "")  # noqa: S314 - our own envelope


def leads_of(request: requests.PreparedRequest) -> list[str]:
    return [str(one.text) for one in sent(request).iter(f"{NAMES}leadId")]


def converts(request: requests.PreparedRequest) -> Reply:
    """An org that converts whatever it is asked to."""
    return soap(*(done(lead) for lead in leads_of(request)))


def test_a_hundred_leads_cost_one_call(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, converts)
    outcomes = org.convert([row(number) for number in range(100)])
    assert outcomes == [ConversionOutcome(lead_id(number), ACCOUNT, CONTACT) for number in range(100)]
    assert org.api_calls == 1


def test_the_envelope_is_what_the_wsdl_wants(org: SalesforceOrg, fake: FakeOrg) -> None:
    """Elements in the order of the sequence, no e-mail, no overwritten source, no save over a duplicate rule, no assignment rule."""
    fake.on("POST", SOAP, soap(done(lead_id(1), OPPORTUNITY)))
    (outcome,) = org.convert([row(1, account_id=ACCOUNT, contact_id=CONTACT, owner_id=OWNER, opportunity_name="Acme - inbound")])
    assert outcome.opportunity_id == OPPORTUNITY
    (asked,) = sent(fake.calls[0]).iter(f"{NAMES}leadConverts")
    assert [(one.tag.removeprefix(NAMES), one.text) for one in asked] == [
        ("accountId", ACCOUNT),
        ("contactId", CONTACT),
        ("convertedStatus", "Closed - Converted"),
        ("doNotCreateOpportunity", "false"),
        ("leadId", lead_id(1)),
        ("opportunityName", "Acme - inbound"),
        ("overwriteLeadSource", "false"),
        ("ownerId", OWNER),
        ("sendNotificationEmail", "false"),
    ]
    header = {one.tag.removeprefix(NAMES): [inner.text for inner in one] for one in sent(fake.calls[0])[0]}
    assert header == {"SessionHeader": ["token-1"], "CallOptions": ["syncd"], "DuplicateRuleHeader": ["false", "false", "true"]}
    assert fake.calls[0].headers["SOAPAction"] == '""'
    assert fake.calls[0].headers["Content-Type"] == "text/xml; charset=UTF-8"


def test_without_a_name_no_opportunity_is_made_and_what_is_not_given_is_not_sent(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, converts)
    org.convert([row(1)])
    (asked,) = sent(fake.calls[0]).iter(f"{NAMES}leadConverts")
    assert [one.tag.removeprefix(NAMES) for one in asked] == [
        "convertedStatus",
        "doNotCreateOpportunity",
        "leadId",
        "overwriteLeadSource",
        "sendNotificationEmail",
    ]
    assert asked[1].text == "true"


def test_every_value_is_escaped(org: SalesforceOrg, fake: FakeOrg) -> None:
    name = '</urn:opportunityName><urn:ownerId>005</urn:ownerId> & "Söhne" ]]> <!-- \''
    fake.on("POST", SOAP, converts)
    org.convert([row(1, converted_status="Won & <over>", opportunity_name=name)])
    (asked,) = sent(fake.calls[0]).iter(f"{NAMES}leadConverts")
    assert [one.text for one in asked.iter(f"{NAMES}opportunityName")] == [name]
    assert [one.text for one in asked.iter(f"{NAMES}convertedStatus")] == ["Won & <over>"]
    assert list(asked.iter(f"{NAMES}ownerId")) == []


def test_outcomes_follow_the_rows_and_not_the_answer(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, soap(done(lead_id(2)), failed(lead_id(1), "STRING_TOO_LONG", "Name")))
    first, second = org.convert([row(1), row(2)])
    assert (first.lead_id, first.fault and first.fault.code) == (lead_id(1), "STRING_TOO_LONG")
    assert (second.lead_id, second.contact_id) == (lead_id(2), CONTACT)


def test_a_short_id_in_the_answer_is_the_same_lead(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, soap(done("00Q5f00000AbCdE")))
    assert org.convert([Conversion("00Q5f00000AbCdEEAV", "Won")]) == [ConversionOutcome("00Q5f00000AbCdEEAV", ACCOUNT, CONTACT)]


@pytest.mark.parametrize(
    ("code", "fields", "recovery"),
    [
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", ("LeadSource", "Phone"), Recovery.REFUSED),
        ("REQUIRED_FIELD_MISSING", ("Region__c",), Recovery.REFUSED),
        ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", (), Recovery.REFUSED),
        ("INVALID_STATUS", (), Recovery.CONFIG),
        ("UNAVAILABLE_RECORDTYPE_EXCEPTION", (), Recovery.CONFIG),
        ("CANNOT_UPDATE_CONVERTED_LEAD", (), Recovery.RERESOLVE),
        ("ENTITY_IS_DELETED", (), Recovery.RERESOLVE),
    ],
)
def test_a_refused_lead_is_judged_by_the_table_and_hinders_no_other(
    org: SalesforceOrg, fake: FakeOrg, code: str, fields: tuple[str, ...], recovery: Recovery
) -> None:
    fake.on("POST", SOAP, soap(failed(lead_id(1), code, *fields), done(lead_id(2))))
    first, second = org.convert([row(1), row(2)])
    assert first.fault is not None
    assert (first.fault.code, first.fault.fields, first.fault.recovery) == (code, fields, recovery)
    assert first.fault.message == "Ask & wait"
    assert (first.account_id, first.contact_id) == ("", "")
    assert second.fault is None
    assert len(fake.calls) == 1


@pytest.mark.parametrize("matches", [0, 2])
def test_a_duplicate_answer_names_what_it_found_if_it_does(org: SalesforceOrg, fake: FakeOrg, matches: int) -> None:
    found = [f"00300000000000{number}AAA" for number in range(1, matches + 1)]
    records = "".join(
        f"<matchRecords><matchConfidence>100.0</matchConfidence><record xsi:type='sf:sObject'><sf:type>Contact</sf:type><sf:Id>{one}</sf:Id>"
        "</record></matchRecords>"
        for one in found
    )
    extra = (
        "<duplicateResult><allowSave>true</allowSave><duplicateRule>Standard</duplicateRule><matchResults><entityType>Contact</entityType>"
        f"{records}<rule>R</rule><size>{matches}</size><success>true</success></matchResults></duplicateResult>"
    )
    fake.on("POST", SOAP, soap(failed(lead_id(1), "DUPLICATES_DETECTED", extra=extra if matches else "", kind="DuplicateError")))
    (outcome,) = org.convert([row(1)])
    assert outcome.fault is not None
    assert (outcome.fault.recovery, outcome.fault.matches) == (Recovery.DUPLICATE, tuple(found))


def test_a_failed_result_without_its_lead_is_known_by_its_place(org: SalesforceOrg, fake: FakeOrg) -> None:
    """The WSDL lets leadId be nil; there is one result per lead, in order."""
    fake.on("POST", SOAP, soap(done(lead_id(1)), failed("", "CANNOT_UPDATE_CONVERTED_LEAD"), done(lead_id(3))))
    outcomes = org.convert([row(1), row(2), row(3)])
    assert [outcome.fault.code if outcome.fault else "" for outcome in outcomes] == ["", "CANNOT_UPDATE_CONVERTED_LEAD", ""]


@pytest.mark.parametrize(
    "results",
    [
        (done(lead_id(2)), done(lead_id(3))),
        (failed("", "STRING_TOO_LONG"), done(lead_id(2))),
        (f"<result><leadId>{lead_id(1)}</leadId><success>true</success></result>", done(lead_id(2)), done(lead_id(3))),
    ],
    ids=["fewer results", "a nameless one among fewer", "a success without account"],
)
def test_a_lead_of_which_the_answer_says_nothing_is_in_doubt_alone(
    org: SalesforceOrg, fake: FakeOrg, results: tuple[str, ...]
) -> None:
    fake.on("POST", SOAP, soap(*results))
    first, second, _ = org.convert([row(1), row(2), row(3)])
    assert first.fault is not None
    assert (first.fault.code, first.fault.recovery) == ("NOT_ANSWERED", Recovery.UNKNOWN)
    assert second.fault is None
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    "loss",
    [
        requests.exceptions.ReadTimeout("late"),
        requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("aborted", ConnectionResetError())),
        requests.exceptions.ChunkedEncodingError("cut"),
        (200, {"Content-Type": "text/html"}, "<!DOCTYPE html><html><body>busy</body></html>"),
        (200, {"Content-Type": "text/html"}, "<html><body>busy</body></html>"),
        (200, {"Content-Type": "text/xml"}, soap(done(lead_id(1)))[2][:-40]),
        (200, {"Content-Type": "text/xml", "Content-Length": "100000"}, soap(done(lead_id(1)))[2]),
        (200, {"Content-Type": "text/xml"}, ""),
        (200, {"Content-Type": "text/xml"}, b"\xff\xfe<"),
        (200, {"Content-Type": "application/json"}, '[{"success": true}]'),
        (200, {"Content-Type": "text/xml"}, envelope("<loginResponse/>")),
        (200, {"Content-Type": "text/xml"}, "<Envelope/>"),
        (200, {"Content-Type": "text/xml"}, soap(done(lead_id(1)))[2] + " " * MAX_SOAP_BYTES),
        soap(done(lead_id(9))),
        soap(done(lead_id(1)), done(lead_id(1))),
        (500, {"Content-Type": "text/html"}, "<html>oops</html>"),
        (502, {}, ""),
        (503, {"Content-Type": "text/html"}, "<html>maintenance</html>"),
        soap(done(lead_id(1)), status=504),
        fault("sf:UNKNOWN_EXCEPTION"),
        fault("UNKNOWN_EXCEPTION"),
        fault("sf:REQUEST_RUNNING_TOO_LONG"),
        fault("sf:SOMETHING_NEW"),
        fault("soapenv:Server"),
        fault(""),
    ],
    ids=lambda loss: str(loss)[-70:],
)
def test_a_lost_or_unexplained_answer_is_unknown_and_never_repeated(org: SalesforceOrg, fake: FakeOrg, loss: Any) -> None:
    fake.on("POST", SOAP, loss)
    with pytest.raises(UnknownOutcomeError):
        org.convert([row(1)])
    assert len(fake.calls) == 1


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
    '<!ENTITY f SYSTEM "file:///etc/passwd">]>'
)


@pytest.mark.parametrize("used", ["&c;", "&f;", ""])
def test_an_answer_that_declares_entities_is_not_read(org: SalesforceOrg, fake: FakeOrg, used: str) -> None:
    text = soap(done(lead_id(1)))[2].replace('UTF-8"?>', f'UTF-8"?>{BOMB}').replace("<success>", f"<note>{used}</note><success>")
    fake.on("POST", SOAP, (200, {"Content-Type": "text/xml"}, text))
    with pytest.raises(UnknownOutcomeError):
        org.convert([row(1)])


@pytest.mark.parametrize("text", ["<a>" * 1_000_000, "<a>" * 500_000 + "</a>" * 500_000], ids=["open", "closed"])
def test_an_answer_of_endless_depth_is_not_read(org: SalesforceOrg, fake: FakeOrg, text: str) -> None:
    fake.on("POST", SOAP, (200, {"Content-Type": "text/xml"}, text))
    with pytest.raises(UnknownOutcomeError):
        org.convert([row(1)])


@pytest.mark.parametrize("expired", [fault("sf:INVALID_SESSION_ID"), fault("sf:INVALID_SESSION_ID", status=200), (401, {}, "")])
def test_an_expired_session_is_renewed_once(org: SalesforceOrg, fake: FakeOrg, expired: Reply) -> None:
    fake.on("POST", SOAP, expired, converts)
    (outcome,) = org.convert([row(1)])
    assert outcome.fault is None
    assert fake.logins == 2
    tokens = [one.text for call in fake.calls for one in sent(call).iter(f"{NAMES}sessionId")]
    assert tokens == ["token-1", "token-2"]


def test_a_session_that_is_never_taken_is_an_auth_error(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, fault("sf:INVALID_SESSION_ID", "Illegal session 00D!secret"))
    with pytest.raises(AuthError) as caught:
        org.convert([row(1)])
    assert fake.logins == 2
    assert "secret" not in f"{caught.value}{caught.value.detail}"


def test_a_right_that_is_missing_is_told_of_each_lead_in_one_call(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, fault("sf:INSUFFICIENT_ACCESS", "not allowed"))
    outcomes = org.convert([row(number) for number in range(100)])
    assert {outcome.fault.code for outcome in outcomes if outcome.fault} == {"INSUFFICIENT_ACCESS"}
    assert all(outcome.fault and outcome.fault.recovery is Recovery.REFUSED for outcome in outcomes)
    assert len(fake.calls) == 1


@pytest.mark.parametrize("code", ["soapenv:Client", "sf:EXCEEDED_LEAD_CONVERT_LIMIT"])
def test_a_lead_that_spoils_the_call_is_isolated(org: SalesforceOrg, fake: FakeOrg, code: str) -> None:
    def reply(request: requests.PreparedRequest) -> Reply:
        return fault(code) if lead_id(3) in leads_of(request) else converts(request)

    fake.on("POST", SOAP, reply)
    outcomes = org.convert([row(number) for number in range(8)])
    assert [bool(outcome.fault) for outcome in outcomes] == [number == 3 for number in range(8)]
    assert len(fake.calls) == 7


@pytest.mark.parametrize("code", ["API_DISABLED_FOR_ORG", "UNSUPPORTED_API_VERSION"])
def test_an_org_that_lets_nobody_in_stops(org: SalesforceOrg, fake: FakeOrg, code: str) -> None:
    fake.on("POST", SOAP, fault(f"sf:{code}"))
    with pytest.raises(AuthError):
        org.convert([row(1)])


def test_locked_leads_are_sent_again_alone_after_a_pause(org: SalesforceOrg, fake: FakeOrg, clock: Any) -> None:
    fake.on("POST", SOAP, soap(done(lead_id(1)), failed(lead_id(2), "UNABLE_TO_LOCK_ROW")), converts)
    before = clock.monotonic()
    outcomes = org.convert([row(1), row(2)])
    assert [outcome.fault for outcome in outcomes] == [None, None]
    assert [leads_of(call) for call in fake.calls] == [[lead_id(1), lead_id(2)], [lead_id(2)]]
    assert clock.monotonic() > before


def test_a_lead_that_stays_locked_is_given_back_for_a_later_try(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, soap(failed(lead_id(1), "UNABLE_TO_LOCK_ROW")))
    (outcome,) = org.convert([row(1)])
    assert outcome.fault is not None
    assert outcome.fault.recovery is Recovery.RETRY_ALONE


@pytest.mark.parametrize("busy", [requests.exceptions.ConnectTimeout("no route"), fault("sf:SERVER_UNAVAILABLE", status=503)])
def test_a_conversion_that_surely_was_not_carried_out_is_tried_again(org: SalesforceOrg, fake: FakeOrg, busy: Any) -> None:
    fake.on("POST", SOAP, busy, converts)
    (outcome,) = org.convert([row(1)])
    assert outcome.fault is None
    assert len(fake.calls) == 2


def test_an_org_that_stays_away_is_unavailable_and_not_unknown(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, requests.exceptions.ConnectTimeout("no route"))
    with pytest.raises(SalesforceUnavailableError) as caught:
        org.convert([row(1)])
    assert not isinstance(caught.value, UnknownOutcomeError)
    assert org.api_calls == 0


def test_a_certificate_nobody_trusts_says_what_to_do(org: SalesforceOrg, fake: FakeOrg) -> None:
    import ssl

    fake.on("POST", SOAP, requests.exceptions.SSLError(ssl.SSLCertVerificationError(1, "self-signed")))
    with pytest.raises(SalesforceUnavailableError) as caught:
        org.convert([row(1)])
    assert "ca_file" in caught.value.advice


@pytest.mark.parametrize(
    ("conversion", "code"),
    [
        (Conversion("nonsense", "Converted"), "MALFORMED_ID"),
        (Conversion("", "Converted"), "MALFORMED_ID"),
        (row(1, account_id="nonsense"), "MALFORMED_ID"),
        (row(1, contact_id=CONTACT), "REQUIRED_FIELD_MISSING"),
        (row(1, opportunity_name="bell \a"), "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET"),
        (row(1, opportunity_name="half \ud800"), "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET"),
        (row(2), "DUPLICATE_VALUE"),
    ],
)
def test_a_row_that_cannot_be_sent_hinders_no_other(org: SalesforceOrg, fake: FakeOrg, conversion: Conversion, code: str) -> None:
    fake.on("POST", SOAP, converts)
    first, second = org.convert([row(2), conversion])
    assert first.fault is None
    assert second.fault is not None
    assert second.fault.code == code
    assert leads_of(fake.calls[0]) == [lead_id(2)]


def test_nothing_to_convert_costs_nothing(org: SalesforceOrg, fake: FakeOrg) -> None:
    assert org.convert([]) == []
    assert fake.logins == 0


def test_more_than_a_hundred_leads_are_a_mistake_of_the_caller(org: SalesforceOrg) -> None:
    with pytest.raises(ValueError, match="100"):
        org.convert([row(number) for number in range(101)])


def test_a_conversion_counts_in_its_lane_and_tells_the_orgs_usage(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, soap(done(lead_id(1)), header=USAGE))
    hot = org.in_lane(Lane.HOT)
    hot.convert([row(1)])
    assert hot.api_calls == 1
    assert org.in_lane(Lane.BACKFILL).api_calls == 0
    assert org.api_usage == (7, 90000)


def test_an_org_without_allocation_left_is_left_alone(org: SalesforceOrg, fake: FakeOrg) -> None:
    fake.on("POST", SOAP, fault("sf:REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
    with pytest.raises(BudgetExhausted):
        org.convert([row(1)])
    with pytest.raises(BudgetExhausted):
        org.convert([row(1)])
    assert len(fake.calls) == 1


def test_a_share_that_is_used_up_sends_nothing(fake: FakeOrg, settings: OrgSettings, clock: Any) -> None:
    org = SalesforceOrg(settings, clock, budget_used=(clock.now().date(), 50_000), chance=random.Random(7))
    fake.on("POST", SOAP, soap(done(lead_id(1)), header=USAGE.replace("90000", "100000")))
    org.convert([row(1)])
    with pytest.raises(BudgetExhausted):
        org.convert([row(1)])
    assert len(fake.calls) == 1
