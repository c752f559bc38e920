from __future__ import annotations

import json
import math
from typing import Any

import pytest
import requests
import urllib3

from syncd.errors import AuthError, BudgetExhausted, SalesforceUnavailableError, UnknownOutcomeError
from syncd.model import Assignment, Recovery

UPSERT = "composite/sobjects/Lead/Syncd_Id__c"


def rows(count: int) -> list[tuple[str, dict[str, Any]]]:
    return [(f"person-{number}", {"LastName": f"Roe {number}", "Company": "Acme"}) for number in range(count)]


def records(request: requests.PreparedRequest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(request.body or "")["records"]
    return found


def test_a_thousand_new_leads_cost_five_calls(org, fake, saves) -> None:
    fake.on("PATCH", UPSERT, lambda request: fake.json(saves(request)))
    for start in range(0, 1000, 200):
        outcomes = org.create("Lead", rows(1000)[start : start + 200], None)
        assert len(outcomes) == 200
        assert all(outcome.sf_id and outcome.is_created for outcome in outcomes)
    assert org.api_calls == 5
    assert fake.logins == 1


def test_a_create_without_rule_switches_assignment_off_and_names_the_client(org, fake, saves) -> None:
    fake.on("PATCH", UPSERT, lambda request: fake.json(saves(request)))
    org.create("Lead", rows(1), None)
    headers = fake.calls[0].headers
    assert headers["Sforce-Auto-Assign"] == "FALSE"
    assert headers["Sforce-Call-Options"] == "client=syncd"
    assert headers["X-PrettyPrint"] == "0"
    assert "Sforce-Duplicate-Rule-Header" not in headers


def test_a_create_by_rule_switches_assignment_on_for_that_call_only(org, fake, saves) -> None:
    fake.on("PATCH", UPSERT, lambda request: fake.json(saves(request)))
    fake.on("PATCH", "composite/sobjects", lambda request: fake.json(saves(request)))
    org.create("Lead", rows(1), Assignment(use_rule=True))
    org.update("Lead", [("00Q000000000001AAA", {"City": "Bonn"})])
    assert [call.headers["Sforce-Auto-Assign"] for call in fake.calls] == ["TRUE", "FALSE"]


def test_the_assignment_rule_is_for_leads_only(org, fake, saves) -> None:
    """The header would also work on accounts and cases, and on what triggers save beside a task or an opportunity."""
    fake.on("PATCH", "composite/sobjects/Opportunity/Syncd_Id__c", lambda request: fake.json(saves(request)))
    deal = {"Name": "Acme - inbound", "StageName": "Prospecting", "CloseDate": "2026-04-01", "ContactId": "003000000000001AAA"}
    (outcome,) = org.create("Opportunity", [("o1", deal)], Assignment(use_rule=True))
    assert outcome.is_created
    assert fake.calls[0].headers["Sforce-Auto-Assign"] == "FALSE"
    assert records(fake.calls[0]) == [{"attributes": {"type": "Opportunity"}, **deal, "Syncd_Id__c": "o1"}]


def test_any_object_is_updated_with_the_rule_off(org, fake, saves) -> None:
    fake.on("PATCH", "composite/sobjects", lambda request: fake.json(saves(request)))
    (outcome,) = org.update("Opportunity", [("006000000000001AAA", {"Amount": 1200.0, "StageName": "Qualification"})])
    assert outcome.sf_id == "006000000000001AAA"
    assert records(fake.calls[0])[0]["attributes"] == {"type": "Opportunity"}
    assert fake.calls[0].headers["Sforce-Auto-Assign"] == "FALSE"


def test_a_fixed_owner_goes_into_the_rows_with_the_rule_off(org, fake, saves) -> None:
    fake.on("PATCH", UPSERT, lambda request: fake.json(saves(request)))
    org.create("Lead", rows(1), Assignment(use_rule=False, owner_id="00G000000000001AAA"))
    assert records(fake.calls[0])[0]["OwnerId"] == "00G000000000001AAA"
    assert fake.calls[0].headers["Sforce-Auto-Assign"] == "FALSE"


def test_an_expired_session_is_renewed_once_and_headers_survive(org, fake, saves) -> None:
    fake.on("PATCH", UPSERT, fake.fault("INVALID_SESSION_ID", 401), lambda request: fake.json(saves(request)))
    org.create("Lead", rows(2), Assignment(use_rule=True))
    assert fake.logins == 2
    assert [call.headers["Authorization"] for call in fake.calls] == ["Bearer token-1", "Bearer token-2"]
    assert [call.headers["Sforce-Auto-Assign"] for call in fake.calls] == ["TRUE", "TRUE"]
    assert fake.calls[1].headers["Sforce-Call-Options"] == "client=syncd"


def test_401_for_ever_is_an_auth_error_after_one_log_in(org, fake) -> None:
    fake.on("PATCH", UPSERT, fake.fault("INVALID_SESSION_ID", 401))
    with pytest.raises(AuthError):
        org.create("Lead", rows(1), None)
    assert fake.logins == 2
    assert len(fake.calls) == 2


@pytest.mark.parametrize(
    "loss",
    [
        requests.exceptions.ReadTimeout("late"),
        requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("aborted", ConnectionResetError())),
        requests.exceptions.ChunkedEncodingError("cut"),
        (200, {"Content-Type": "text/html"}, "<html>busy</html>"),
        (200, {"Content-Type": "application/json"}, '[{"id": "00Q0000'),
        (200, {"Content-Type": "application/json"}, '{"something": "else"}'),
        (200, {"Content-Type": "application/json"}, "[]"),
        (200, {"Content-Type": "application/json"}, '[{"success": true}]'),
        (204, {}, ""),
        (500, {"Content-Type": "text/html"}, "<html>oops</html>"),
        (502, {}, ""),
        (503, {"Content-Type": "text/html"}, "<html>maintenance</html>"),
        (504, {}, ""),
    ],
    ids=lambda loss: str(loss)[:60],
)
def test_a_lost_answer_of_a_write_is_never_repeated(org, fake, loss) -> None:
    fake.on("PATCH", UPSERT, loss)
    with pytest.raises(UnknownOutcomeError):
        org.create("Lead", rows(1), None)
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        requests.exceptions.ConnectTimeout("no route"),
        requests.exceptions.ConnectionError(
            urllib3.exceptions.MaxRetryError(
                urllib3.connectionpool.HTTPSConnectionPool("acme.my.salesforce.com"),
                "/",
                urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPSConnection("acme.my.salesforce.com"), "refused"),
            )
        ),
        (503, {"Content-Type": "application/json"}, '[{"errorCode":"SERVER_UNAVAILABLE","message":"busy"}]'),
        (429, {"Content-Type": "text/html"}, "<html>slow down</html>"),
    ],
    ids=["connect_timeout", "refused", "unavailable", "429"],
)
def test_a_write_that_surely_was_not_carried_out_is_tried_again(org, fake, saves, refusal) -> None:
    fake.on("PATCH", UPSERT, refusal, refusal, lambda request: fake.json(saves(request)))
    (outcome,) = org.create("Lead", rows(1), None)
    assert outcome.is_created
    assert len(fake.calls) == 3


def test_an_org_that_stays_away_is_unavailable_and_not_unknown(org, fake) -> None:
    fake.on("PATCH", UPSERT, requests.exceptions.ConnectTimeout("no route"))
    with pytest.raises(SalesforceUnavailableError) as caught:
        org.create("Lead", rows(1), None)
    assert not isinstance(caught.value, UnknownOutcomeError)
    assert org.api_calls == 0


def test_retry_after_is_honoured(org, fake, saves, clock) -> None:
    fake.on("PATCH", UPSERT, fake.fault("SERVER_UNAVAILABLE", 503, Retry_After="17"), lambda request: fake.json(saves(request)))
    before = clock.monotonic()
    org.create("Lead", rows(1), None)
    assert clock.monotonic() - before == 17


def poison(fake, saves, bad: set[str], answer: Any) -> Any:
    """Refuses every call that holds one of `bad`."""

    def reply(request: requests.PreparedRequest) -> Any:
        if any(record["Syncd_Id__c"] in bad for record in records(request)):
            return answer
        return fake.json(saves(request))

    return reply


@pytest.mark.parametrize("code", ["JSON_PARSER_ERROR", "UNKNOWN_EXCEPTION", "SOMETHING_NEW"])
@pytest.mark.parametrize("place", [0, 77, 199])
def test_a_poison_row_is_isolated_exactly(org, fake, saves, code, place) -> None:
    status = 500 if code == "UNKNOWN_EXCEPTION" else 400
    fake.on("PATCH", UPSERT, poison(fake, saves, {f"person-{place}"}, fake.fault(code, status)))
    outcomes = org.create("Lead", rows(200), None)
    assert [index for index, outcome in enumerate(outcomes) if outcome.fault] == [place]
    assert outcomes[place].fault.code == code
    # An error without a cause may pass, so later passes try it again; a cause that was named is final.
    expected = Recovery.RETRY if code == "UNKNOWN_EXCEPTION" else Recovery.REFUSED
    assert outcomes[place].fault.recovery is expected
    assert len(fake.calls) - 1 <= 2 * math.log2(200) + 2


def test_two_poison_rows_are_isolated_within_the_extra_calls(org, fake, saves) -> None:
    fake.on("PATCH", UPSERT, poison(fake, saves, {"person-3", "person-170"}, fake.fault("JSON_PARSER_ERROR")))
    outcomes = org.create("Lead", rows(200), None)
    assert [index for index, outcome in enumerate(outcomes) if outcome.fault] == [3, 170]


def test_a_call_that_is_refused_in_every_part_costs_a_bounded_number_of_calls(org, fake) -> None:
    fake.on("PATCH", UPSERT, fake.fault("JSON_PARSER_ERROR"))
    outcomes = org.create("Lead", rows(200), None)
    assert all(outcome.fault for outcome in outcomes)
    assert len(fake.calls) <= 41


def test_a_limit_hit_by_each_row_of_a_call_is_met_with_smaller_calls(org, fake, saves) -> None:
    def reply(request: requests.PreparedRequest) -> Any:
        found = records(request)
        if len(found) <= 50:
            return fake.json(saves(request))
        errors = [
            {"statusCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": "T: Too many SOQL queries: 101", "fields": []}
        ]
        return fake.json([{"success": False, "errors": errors} for _ in found])

    fake.on("PATCH", UPSERT, reply)
    outcomes = org.create("Lead", rows(200), None)
    assert not any(outcome.fault for outcome in outcomes)
    assert len(fake.calls) == 7


def test_a_hidden_field_refuses_only_the_rows_that_name_it(org, fake, saves) -> None:
    def reply(request: requests.PreparedRequest) -> Any:
        if any("Gone__c" in record for record in records(request)):
            return fake.fault("INVALID_FIELD", message="No such column 'Gone__c' on sobject of type Lead")
        return fake.json(saves(request))

    fake.on("PATCH", UPSERT, reply)
    mixed = [(key, {**fields, "Gone__c": 1} if number % 2 else fields) for number, (key, fields) in enumerate(rows(200))]
    outcomes = org.create("Lead", mixed, None)
    assert [bool(outcome.fault) for outcome in outcomes] == [False, True] * 100
    assert outcomes[1].fault.recovery is Recovery.CONFIG
    assert len(fake.calls) == 2


def test_a_wrong_external_id_field_is_configuration_and_costs_one_call(org, fake) -> None:
    fake.on("PATCH", UPSERT, fake.fault("NOT_FOUND", 404, "Provided external ID field does not exist"))
    outcomes = org.create("Lead", rows(200), None)
    assert {outcome.fault.recovery for outcome in outcomes} == {Recovery.CONFIG}
    assert len(fake.calls) == 1


def test_locked_rows_are_sent_again_alone_after_a_pause(org, fake, saves, clock) -> None:
    sent: list[int] = []

    def reply(request: requests.PreparedRequest) -> Any:
        found = records(request)
        sent.append(len(found))
        results = saves(request)
        if len(sent) <= 2:
            results[0] = {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy", "fields": []}]}
        return fake.json(results)

    fake.on("PATCH", UPSERT, reply)
    before = clock.monotonic()
    outcomes = org.create("Lead", rows(200), None)
    assert not any(outcome.fault for outcome in outcomes)
    assert sent == [200, 1, 1]
    assert clock.monotonic() - before > 2


def test_a_row_that_stays_locked_is_given_back_for_a_later_try(org, fake) -> None:
    errors = [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy", "fields": []}]
    fake.on("PATCH", UPSERT, fake.json([{"success": False, "errors": errors}]))
    (outcome,) = org.create("Lead", rows(1), None)
    assert outcome.fault.recovery is Recovery.RETRY_ALONE
    assert len(fake.calls) == 4


def test_an_unknown_row_code_is_tried_once_more_and_then_refused(org, fake) -> None:
    fake.on(
        "PATCH", UPSERT, fake.json([{"success": False, "errors": [{"statusCode": "BRAND_NEW", "message": "?", "fields": []}]}])
    )
    (outcome,) = org.create("Lead", rows(1), None)
    assert outcome.fault.recovery is Recovery.REFUSED
    assert len(fake.calls) == 2


def test_mixed_answers_keep_the_order_of_the_rows(org, fake, saves) -> None:
    def reply(request: requests.PreparedRequest) -> Any:
        results = saves(request)
        results[1] = {"success": False, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "x", "fields": ["Title"]}]}
        return fake.json(results)

    fake.on("PATCH", UPSERT, reply)
    outcomes = org.create("Lead", rows(3), None)
    assert [bool(outcome.fault) for outcome in outcomes] == [False, True, False]
    assert outcomes[1].fault.fields == ("Title",)


def test_after_something_was_written_an_outage_is_told_per_row(org, fake, saves) -> None:
    state = {"calls": 0}

    def reply(request: requests.PreparedRequest) -> Any:
        state["calls"] += 1
        if len(records(request)) == 4:
            return fake.fault("UNKNOWN_EXCEPTION", 500)
        if state["calls"] == 2:
            return fake.json(saves(request))
        return requests.exceptions.ConnectTimeout("gone")

    fake.on("PATCH", UPSERT, lambda request: reply(request))
    outcomes = org.create("Lead", rows(4), None)
    assert [bool(outcome.fault) for outcome in outcomes] == [False, False, True, True]


def test_an_answer_lost_while_isolating_makes_the_whole_write_unknown(org, fake, saves) -> None:
    fake.on(
        "PATCH",
        UPSERT,
        fake.fault("UNKNOWN_EXCEPTION", 500),
        lambda request: fake.json(saves(request)),
        requests.exceptions.ReadTimeout("late"),
    )
    with pytest.raises(UnknownOutcomeError):
        org.create("Lead", rows(4), None)


def test_without_external_id_field_nothing_is_created_and_nothing_sent(fake, clock) -> None:
    from syncd.salesforce import ClientCredentials, OrgSettings, SalesforceOrg

    org = SalesforceOrg(OrgSettings("https://acme.my.salesforce.com", ClientCredentials("k", "s"), external_id_field=None), clock)
    (outcome,) = org.create("Lead", rows(1), None)
    assert outcome.fault.code == "CREATE_NOT_POSSIBLE"
    assert outcome.fault.recovery is Recovery.CONFIG
    assert fake.logins == 0


def test_the_same_external_id_twice_is_refused_before_sending(org, fake, saves) -> None:
    fake.on("PATCH", UPSERT, lambda request: fake.json(saves(request)))
    outcomes = org.create("Lead", [*rows(2), ("PERSON-0", {"LastName": "Again"})], None)
    assert [bool(outcome.fault) for outcome in outcomes] == [False, False, True]
    assert len(records(fake.calls[0])) == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "lone \ud800 surrogate"])
def test_a_value_that_json_cannot_carry_refuses_its_row_only(org, fake, saves, value) -> None:
    fake.on("PATCH", UPSERT, lambda request: fake.json(saves(request)))
    outcomes = org.create("Lead", [("a", {"Score__c": value}), ("b", {"Score__c": 1})], None)
    assert [bool(outcome.fault) for outcome in outcomes] == [True, False]


def test_null_clears_and_ids_travel_in_the_row(org, fake, saves) -> None:
    fake.on("PATCH", "composite/sobjects", lambda request: fake.json(saves(request)))
    (outcome,) = org.update("Lead", [("00Q000000000001AAA", {"City": None})])
    assert outcome.sf_id == "00Q000000000001AAA"
    assert records(fake.calls[0]) == [{"attributes": {"type": "Lead"}, "City": None, "Id": "00Q000000000001AAA"}]


def test_a_malformed_id_does_not_reach_the_org(org, fake, saves) -> None:
    fake.on("PATCH", "composite/sobjects", lambda request: fake.json(saves(request)))
    outcomes = org.update("Lead", [("nonsense", {"City": "Bonn"}), ("00Q000000000001AAA", {"City": "Bonn"})])
    assert [bool(outcome.fault) for outcome in outcomes] == [True, False]


def test_deletion_names_ids_in_the_address(org, fake) -> None:
    fake.on("DELETE", "composite/sobjects", fake.json([{"id": "00Q000000000001AAA", "success": True, "errors": []}]))
    (outcome,) = org.delete(["00Q000000000001AAA"])
    assert outcome.sf_id == "00Q000000000001AAA"
    assert "ids=00Q000000000001AAA" in str(fake.calls[0].url)
    assert "allOrNone=false" in str(fake.calls[0].url)


def test_more_than_two_hundred_rows_are_a_mistake_of_the_caller(org) -> None:
    with pytest.raises(ValueError, match="200"):
        org.update("Lead", [("00Q000000000001AAA", {})] * 201)


def test_an_org_without_allocation_left_stops_calls_until_later(org, fake, clock) -> None:
    fake.on("PATCH", UPSERT, fake.fault("REQUEST_LIMIT_EXCEEDED", 403, "TotalRequests Limit exceeded."))
    with pytest.raises(BudgetExhausted) as caught:
        org.create("Lead", rows(1), None)
    assert (caught.value.until - clock.now()).total_seconds() == 900
    with pytest.raises(BudgetExhausted):
        org.create("Lead", rows(1), None)
    assert len(fake.calls) == 1


def test_too_many_long_calls_at_once_are_only_waited_for(org, fake, saves) -> None:
    busy = fake.fault("REQUEST_LIMIT_EXCEEDED", 403, "ConcurrentPerOrgLongTxn Limit exceeded.")
    fake.on("PATCH", UPSERT, busy, lambda request: fake.json(saves(request)))
    (outcome,) = org.create("Lead", rows(1), None)
    assert outcome.is_created
    assert len(fake.calls) == 2


@pytest.mark.parametrize("code", ["API_DISABLED_FOR_ORG", "CLIENT_NOT_ACCESSIBLE_FOR_USER", "TXN_SECURITY_NO_ACCESS"])
def test_rights_that_are_gone_stop_the_org(org, fake, code) -> None:
    fake.on("PATCH", UPSERT, fake.fault(code, 403))
    with pytest.raises(AuthError):
        org.create("Lead", rows(1), None)
