"""Faults on demand strike the requests they were meant for, as they were meant to."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from syncd.clock import FixedClock
from syncd.sandbox import Kind, SandboxOrg
from tests.unit.sandbox.conftest import Api, codes

UPSERT = "composite/sobjects/Lead/Syncd_Id__c"


def living(org: SandboxOrg) -> int:
    return sum(not row["IsDeleted"] for row in org.rows("Lead"))


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (Kind.UNAVAILABLE, 503, "SERVER_UNAVAILABLE"),
        (Kind.LIMIT, 403, "REQUEST_LIMIT_EXCEEDED"),
        (Kind.EXPIRED, 401, "INVALID_SESSION_ID"),
        (Kind.ERROR, 500, "UNKNOWN_EXCEPTION"),
    ],
)
def test_a_refused_call_does_nothing(api: Api, org: SandboxOrg, kind: Kind, status: int, code: str) -> None:
    org.faults.add(kind, UPSERT)
    assert api.upsert({"Syncd_Id__c": "1"}, status=status)[0]["errorCode"] == code
    assert living(org) == 0
    api.log_in()
    assert codes(api.upsert({"Syncd_Id__c": "1"})) == ["ok"]


@pytest.mark.parametrize(("kind", "status"), [(Kind.THROTTLED, 429), (Kind.HTML_503, 503)])
def test_an_edge_answers_in_html_and_may_say_when_to_come_back(api: Api, org: SandboxOrg, kind: Kind, status: int) -> None:
    org.faults.add(kind, "limits", seconds=7 if kind is Kind.THROTTLED else 0)
    answer = api.call("GET", "limits")
    assert (answer.status_code, answer.text.startswith("<html>")) == (status, True)
    assert answer.headers.get("Retry-After") == ("7" if kind is Kind.THROTTLED else None)


@pytest.mark.parametrize(
    ("kind", "error", "written"),
    [
        (Kind.CUT_BEFORE, requests.ConnectionError, 0),
        (Kind.CUT_AFTER, requests.ConnectionError, 1),
        (Kind.CUT_STREAM, requests.exceptions.ChunkedEncodingError, 1),
        (Kind.LATE, requests.ReadTimeout, 0),
    ],
)
def test_no_answer_tells_nothing_about_what_was_done(
    api: Api, org: SandboxOrg, kind: Kind, error: type[Exception], written: int
) -> None:
    org.faults.add(kind, UPSERT, seconds=60)
    with pytest.raises(error):
        api.upsert({"Syncd_Id__c": "1"})
    assert living(org) == written


@pytest.mark.parametrize("kind", [Kind.CUT_BODY, Kind.HTML])
def test_a_broken_body_comes_with_status_200_after_the_commit(api: Api, org: SandboxOrg, kind: Kind) -> None:
    org.faults.add(kind, UPSERT)
    with pytest.raises(requests.JSONDecodeError):
        api.upsert({"Syncd_Id__c": "1"})
    assert living(org) == 1


def late(api: Api, org: SandboxOrg, **options: Any) -> None:
    org.faults.add(Kind.LATE, UPSERT, **options)
    with pytest.raises(requests.ReadTimeout):
        api.upsert({"Syncd_Id__c": "1"})


def test_a_late_commit_comes_when_its_time_has_come(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    late(api, org, seconds=30)
    clock.advance(29)
    assert api.query("SELECT Id FROM Lead") == []
    clock.advance(1)
    assert len(api.query("SELECT Id FROM Lead")) == 1


def test_a_late_commit_comes_before_the_nth_later_request(api: Api, org: SandboxOrg) -> None:
    late(api, org, after=2)
    assert [len(api.query("SELECT Id FROM Lead")) for _ in range(3)] == [0, 1, 1]


def test_a_late_commit_comes_when_asked_and_only_once(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    """A repeated upsert meanwhile made the lead; the late one updates it and runs assignment by its own header."""
    late(api, org, seconds=600)
    api.upsert({"Syncd_Id__c": "1"}, headers={"Sforce-Auto-Assign": "FALSE"})
    for _ in range(2):
        org.settle()
        clock.advance(600)
    assert [one.action for one in org.audit] == ["create", "update"]
    assert sum(org.assignment_runs.values()) == 1


def test_faults_choose_by_path_method_and_number(api: Api, org: SandboxOrg) -> None:
    org.faults.add("unavailable", "limits$", method="GET", skip=1, times=2)
    statuses = [api.call("GET", "limits").status_code for _ in range(4)]
    assert statuses == [200, 503, 503, 200]
    assert api.call("GET", "sobjects").status_code == 200
    assert org.faults.hits == {"unavailable": 2}
    org.faults.add("unavailable", times=-1)
    org.faults.clear()
    assert api.call("GET", "limits").status_code == 200


def test_a_share_of_calls_fails_by_the_seed(api: Api, org: SandboxOrg) -> None:
    org.faults.add(Kind.UNAVAILABLE, "limits", times=-1, probability=0.3)
    failed = sum(api.call("GET", "limits").status_code == 503 for _ in range(200))
    assert 40 <= failed <= 80


def test_locked_rows_fail_alone_and_a_share_of_them_only_sometimes(api: Api, org: SandboxOrg) -> None:
    org.faults.add(Kind.ROW_LOCK, UPSERT, rows='"2"')
    assert codes(api.upsert(*({"Syncd_Id__c": str(n)} for n in range(4)))) == ["ok", "ok", "UNABLE_TO_LOCK_ROW", "ok"]
    org.faults.add(Kind.ROW_LOCK, UPSERT, share=0.5)
    locked = codes(api.upsert(*({"Syncd_Id__c": str(n)} for n in range(200)))).count("UNABLE_TO_LOCK_ROW")
    assert 70 <= locked <= 130


def test_a_lock_strikes_single_records_too(api: Api, org: SandboxOrg) -> None:
    org.faults.add(Kind.ROW_LOCK, "sobjects/Lead", rows="Roe")
    refused = api.json("POST", "sobjects/Lead", status=400, json={"LastName": "Roe", "Company": "c"})
    assert refused[0]["errorCode"] == "UNABLE_TO_LOCK_ROW"


def test_a_poisonous_row_fails_its_whole_call(api: Api, org: SandboxOrg) -> None:
    org.faults.add(Kind.POISON, UPSERT, times=-1, rows="poison")
    assert api.upsert({"Syncd_Id__c": "1"}, {"Syncd_Id__c": "poison"}, status=500)[0]["errorCode"] == "UNKNOWN_EXCEPTION"
    assert living(org) == 0
    assert codes(api.upsert({"Syncd_Id__c": "1"})) == ["ok"]


def test_a_governor_limit_fails_every_row_of_a_large_call(api: Api, org: SandboxOrg) -> None:
    org.faults.add(Kind.GOVERNOR, UPSERT, times=-1, after=2)
    answer = api.upsert(*({"Syncd_Id__c": str(n)} for n in range(3)))
    assert codes(answer) == ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"] * 3
    assert "Too many SOQL queries" in answer[0]["errors"][0]["message"]
    assert codes(api.upsert({"Syncd_Id__c": "1"}, {"Syncd_Id__c": "2"})) == ["ok", "ok"]


def test_the_session_can_be_dead_for_ever(api: Api, org: SandboxOrg) -> None:
    org.faults.add(Kind.EXPIRED, "/services/data", times=-1)
    for _ in range(3):
        api.log_in()
        assert api.call("GET", "limits").status_code == 401


def test_logins_can_fail_too(api: Api, org: SandboxOrg) -> None:
    org.faults.add(Kind.UNAVAILABLE, "oauth2/token")
    assert api.call("POST", "/services/oauth2/token", data={"grant_type": "client_credentials"}).status_code == 503


def test_latency_passes_on_the_orgs_clock(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    before = clock.monotonic()
    org.faults.add_latency(1.5)
    api.call("GET", "limits")
    assert clock.monotonic() - before == 1.5
