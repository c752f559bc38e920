"""linkedin beyond the contract suite: known answers, exact queries, versions, quotas, logins, walks of an unsteady list, joins."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from pydantic import ValidationError

from connectors.linkedin import CONNECTOR, LinkedInOptions
from syncd.connector import Delivery, HttpRequest, Page, Record, Reject, Secret, Wanted
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError
from syncd.http import TokenCache
from syncd.sandbox.vendors.linkedin import ACCOUNT, LINKEDIN_REFRESH, LINKEDIN_TOKEN, ORGANIZATION, SandboxLinkedIn, place_of
from tests.contract.connectors.cases.linkedin import CODE, OPTIONS, case
from tests.contract.connectors.kit import NOW, Case, Nowhere

SECRET = Secret("li-client-secret", "test")
BODY = b'{"type":"LEAD_ACTION","leadAction":"CREATED"}'
SIGNATURE = "9195cceca3c953c98f9ae54f5eaab33c4dbc73510467dd2ce5cc81ac9da9e0d2"


@pytest.fixture
def made(tmp_path: Path) -> Case:
    """An account without leads."""
    return case(tmp_path)


@pytest.fixture
def model(made: Case) -> SandboxLinkedIn:
    assert made.vendor is not None
    found: SandboxLinkedIn = made.vendor.model
    return found


def options(**more: Any) -> LinkedInOptions:
    return LinkedInOptions(**{**OPTIONS, **more})


def pages(made: Case, cursor: Any = None, **more: Any) -> list[Page]:
    return list(CONNECTOR.pull(made.session, options(**more), "leads", cursor, made.clock.now()))


def keys(found: list[Page]) -> list[str]:
    return [one.key for page in found for one in page.records]


def notices(found: list[Page]) -> str:
    return " ".join(page.notice for page in found if page.notice)


def asked(model: SandboxLinkedIn) -> list[dict[str, str]]:
    return [one.query for one in model.calls if one.path == "/rest/leadFormResponses"]


# ---------------------------------------------------------------------- known answers


def test_the_known_answer_of_the_signature() -> None:
    """Reference, sources.md 4: the prefix is part of what is signed, not of the header."""
    known = options(client_secret=SECRET)
    assert not CONNECTOR.verify(HttpRequest("POST", {"x-li-signature": SIGNATURE}, {}, BODY), known, NOW).refusal
    for wrong, refusal in (
        ("", "missing_signature"),
        (f"hmacsha256={SIGNATURE}", "bad_header"),
        (SIGNATURE[::-1], "bad_signature"),
    ):
        assert CONNECTOR.verify(HttpRequest("POST", {"x-li-signature": wrong}, {}, BODY), known, NOW).refusal == refusal


def test_the_known_answer_of_the_challenge() -> None:
    verdict = CONNECTOR.verify(HttpRequest("GET", {}, {"challengeCode": CODE}, b""), options(client_secret=SECRET), NOW)
    response = "c6fe7833cf777fdfb023d61035bc7eb19fac44d91390537941cd3051885e1d39"
    assert json.loads(verdict.answer) == {"challengeCode": CODE, "challengeResponse": response}
    assert (verdict.status, verdict.answer_type, verdict.is_stored) == (200, "application/json", False)


@pytest.mark.parametrize("code", ["", "x", "hmacsha256=" + BODY.decode(), CODE + "\n", f"{CODE}{CODE}"])
def test_nothing_but_a_uuid_is_signed(code: str) -> None:
    """Whoever may choose the text has notifications signed: both are made by the same secret."""
    verdict = CONNECTOR.verify(HttpRequest("GET", {}, {"challengeCode": code}, b""), options(client_secret=SECRET), NOW)
    assert (verdict.refusal, verdict.status, verdict.answer) == ("bad_challenge", 400, b"")


def test_both_secrets_count_while_one_is_rotated_and_the_new_one_answers() -> None:
    rotating = options(client_secret=(SECRET, Secret("old", "test")))
    assert not CONNECTOR.verify(HttpRequest("POST", {"x-li-signature": SIGNATURE}, {}, BODY), rotating, NOW).refusal
    turned = options(client_secret=(Secret("newer", "test"), SECRET))
    assert not CONNECTOR.verify(HttpRequest("POST", {"x-li-signature": SIGNATURE}, {}, BODY), turned, NOW).refusal
    assert b"c6fe7833cf77" in CONNECTOR.verify(HttpRequest("GET", {}, {"challengeCode": CODE}, b""), rotating, NOW).answer


def test_without_a_secret_nothing_is_let_in() -> None:
    plain = LinkedInOptions(owners=[ACCOUNT], access_token=Secret("t", "test"))
    assert CONNECTOR.reception(plain) is None
    assert CONNECTOR.verify(HttpRequest("GET", {}, {"challengeCode": CODE}, b""), plain, NOW).refusal
    assert CONNECTOR.verify(HttpRequest("POST", {"x-li-signature": SIGNATURE}, {}, BODY), plain, NOW).refusal


@pytest.mark.parametrize(
    "wrong",
    [
        {"owners": []},
        {"owners": ["123"]},
        {"owners": ["person:1"]},
        {"lead_types": ["EVENT"]},
        {"lead_types": ["WEB"]},
        {"refresh_token": None},
        {"client_id": None},
        {"api_version": "202613"},
    ],
)
def test_options_say_what_is_read_and_how_one_logs_in(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options(**wrong)


# ---------------------------------------------------------------------- what is asked


def test_the_query_is_sent_exactly_so(made: Case) -> None:
    """Parentheses, commas and outer colons literal, colons of the URN encoded once; matchers that decode would hide a fault."""
    assert made.vendor is not None
    seen: list[str] = []
    made.vendor.line.bend = lambda url: seen.append(url) or url  # type: ignore[func-returns-value]
    made.fill(1)
    pages(made)
    url = next(one for one in seen if "leadFormResponses" in one)
    end = int((NOW - timedelta(seconds=30)).timestamp() * 1000)
    start = end - 365 * 86_400_000 - 1
    begin = (
        "https://linkedin.test/rest/leadFormResponses?q=owner&owner=(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A508123456)"
        f"&leadType=(leadType:SPONSORED)&limitedToTestLeads=false&submittedAtTimeRange=(start:{start},end:{end})&fields=id,submittedAt,"
    )
    assert url.startswith(begin)
    assert url.endswith(",form:(id,name,creationLocale,hiddenFields,content)&count=7&start=0")


def test_every_owner_and_type_is_asked_and_each_record_says_its_own(made: Case, model: SandboxLinkedIn) -> None:
    for lead_type in ("SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT"):
        model.submit({"email": "ada@example.com"}, lead_type=lead_type, at=NOW - timedelta(seconds=600))
    found = pages(made, owners=[ACCOUNT, ORGANIZATION])
    payloads = [json.loads(one.payload) for page in found for one in page.records]
    assert [one["leadType"] for one in payloads] == ["SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT"]
    assert payloads[1]["owner"] == {"organization": "urn:li:organization:5509810"}
    assert found[-1].is_last
    assert len(found[-1].cursor["read"]) == 4
    assert len(pages(made, owners=[ORGANIZATION], lead_types=["COMPANY"])) == 1


def test_the_cursor_is_the_windows_end_once_the_walk_is_whole(made: Case, model: SandboxLinkedIn) -> None:
    made.fill(20)
    found = pages(made)
    assert [page.cursor["read"] for page in found] == [{}, {}, {f"{ACCOUNT} SPONSORED": "2026-11-24T08:59:30+00:00"}]
    made.session = msgspec.structs.replace(made.session, overlap_seconds=3_600.0)
    made.clock.advance(900)
    pages(made, found[-1].cursor)
    start = int(datetime(2026, 11, 24, 7, 59, 30, tzinfo=UTC).timestamp() * 1000) - 1
    end = int((NOW + timedelta(seconds=870)).timestamp() * 1000)
    assert asked(model)[-1]["submittedAtTimeRange"] == f"(start:{start},end:{end})"


def test_a_lead_that_is_listed_late_is_found_within_the_overlap(made: Case, model: SandboxLinkedIn) -> None:
    made.fill(3)
    model.delay_seconds = 1_200.0
    late = model.submit({"email": "late@example.com"}, at=NOW - timedelta(seconds=60))
    first = pages(made)
    assert late not in keys(first)
    made.clock.advance(1_300)
    made.session = msgspec.structs.replace(made.session, overlap_seconds=3_600.0)
    assert late in keys(pages(made, first[-1].cursor))


def test_a_long_pause_is_told_because_leads_are_gone_after_90_days(made: Case) -> None:
    cursor = CONNECTOR.cursor_at(options(), "leads", NOW - timedelta(days=100))
    assert f"Leads of {ACCOUNT} SPONSORED were not read for 99 days" in notices(pages(made, cursor))
    assert notices(pages(made, CONNECTOR.cursor_at(options(), "leads", NOW - timedelta(days=80)))) == ""


# ---------------------------------------------------------------------- lists that do not keep still


def test_without_a_total_only_an_empty_page_is_the_end(made: Case, model: SandboxLinkedIn) -> None:
    made.fill(14)
    model.tells_total = False
    assert len(keys(pages(made))) == 14
    assert [one["start"] for one in asked(model)] == ["0", "7", "14"]


def test_a_short_page_is_not_the_end_and_the_next_one_begins_after_what_came(made: Case, model: SandboxLinkedIn) -> None:
    made.fill(20)
    assert made.vendor is not None

    def shorten(request: Any, body: bytes) -> bytes:
        found = json.loads(body)
        if "elements" in found and found["paging"]["start"] == 0:
            found["elements"] = found["elements"][:3]
        return json.dumps(found).encode()

    made.vendor.line.distort = shorten
    assert len(set(keys(pages(made)))) == 20
    assert [one["start"] for one in asked(model)] == ["0", "3", "10", "17"]


def test_a_list_that_loses_leads_while_it_is_read_is_read_anew_and_gives_each_once(made: Case, model: SandboxLinkedIn) -> None:
    """The later ones move forward, past the place where the walk stands."""
    made.fill(30)
    whole = set(keys(pages(made)))
    gone: list[str] = []

    def withdraw(vendor: SandboxLinkedIn, name: str) -> None:
        del name
        if not gone:
            gone.append(min((one.id for one in vendor.leads), key=place_of))
            vendor.withdraw(gone[0])

    model.page_served = withdraw
    found = keys(pages(made))
    assert set(found) == whole
    assert len(found) == len(whole)


def test_a_list_that_never_keeps_still_is_no_end(made: Case, model: SandboxLinkedIn) -> None:
    made.fill(60)
    model.page_served = lambda vendor, _: vendor.withdraw(vendor.leads[0].id)
    with pytest.raises(SourceUnavailableError, match="lost leads while they were read"):
        pages(made)


def test_test_leads_are_left_out_and_counted(made: Case, model: SandboxLinkedIn) -> None:
    made.fill(3)
    key = model.submit({"email": "test@example.com"}, at=NOW - timedelta(seconds=600), is_test=True)
    found = pages(made)
    assert len(keys(found)) == 3
    assert notices(found) == f"1 test leads of {ACCOUNT} SPONSORED were left out."
    one = CONNECTOR.fetch(made.session, options(), Wanted(key, b"{}"))
    assert isinstance(one, Reject)
    assert one.reason == "test_lead"


def test_a_type_without_a_role_does_not_stop_the_others(made: Case, model: SandboxLinkedIn) -> None:
    model.closed = {"EVENT"}
    key = model.submit({"email": "ada@example.com"}, lead_type="COMPANY", at=NOW - timedelta(seconds=600))
    found: list[Page] = []
    with pytest.raises(AuthError, match=f"leads of {ORGANIZATION} EVENT") as error:  # noqa: PT012 - what came before it counts
        for page in CONNECTOR.pull(made.session, options(owners=[ORGANIZATION]), "leads", None, NOW):
            found.append(page)  # noqa: PERF402 - what came before the error counts
    assert "r_marketing_leadgen_automation" in error.value.advice
    assert keys(found) == [key]
    assert not any(page.is_last for page in found)
    health = CONNECTOR.check(made.session, options(owners=[ORGANIZATION]))
    assert not health.ok
    assert sum("can be read" in one for one in health.findings) == 2


# ---------------------------------------------------------------------- versions, quotas, logins


def test_a_version_that_has_ended_names_the_option(made: Case) -> None:
    with pytest.raises(ContractError, match='version "202501"') as error:
        pages(made, api_version="202501")
    assert "api_version:" in error.value.advice


@pytest.mark.parametrize(("version", "is_told"), [("202602", False), ("202601", True), ("202512", True), ("202611", False)])
def test_a_version_of_ten_months_is_told(made: Case, version: str, is_told: bool) -> None:
    """The run is in 2026-11."""
    assert ("raise api_version" in notices(pages(made, api_version=version))) is is_told
    health = CONNECTOR.check(made.session, options(api_version=version))
    assert any("raise api_version" in one for one in health.findings) is is_told


def test_a_used_up_quota_waits_until_midnight(made: Case, model: SandboxLinkedIn) -> None:
    model.faults.add("throttled", "/leadFormResponses$", times=-1)
    with pytest.raises(RateLimitedError) as error:
        pages(made)
    assert error.value.retry_after_seconds == 15 * 3_600 + 300.0
    model.faults.clear()


def test_a_throttle_that_tells_its_wait_is_believed(made: Case, model: SandboxLinkedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = model.error

    def with_header(status: int, message: str, kind: Any = None) -> Any:
        answer = whole(status, message, kind)
        answer.headers["Retry-After"] = "120"
        return answer

    monkeypatch.setattr(model, "error", with_header)
    model.faults.add("throttled", "/leadFormResponses$", times=-1)
    with pytest.raises(RateLimitedError) as error:
        pages(made)
    assert error.value.retry_after_seconds == 120.0


def test_a_plain_access_token_is_told_to_have_ended(made: Case) -> None:
    plain = {"refresh_token": None, "client_id": None, "client_secret": None}
    made.fill(3)
    half = {"refresh_token": OPTIONS["refresh_token"], "client_id": None}
    assert len(keys(pages(made, **half, access_token=Secret(LINKEDIN_TOKEN, "test")))) == 3, "half a login is none"
    assert len(keys(pages(made, **plain, access_token=Secret(LINKEDIN_TOKEN, "test")))) == 3
    with pytest.raises(AuthError) as error:
        pages(made, **plain, access_token=Secret("ended", "test"))
    assert "access_token:" in error.value.advice


def test_an_access_token_that_ends_in_mid_walk_is_renewed_once(made: Case, model: SandboxLinkedIn) -> None:
    made.fill(20)
    served: list[str] = []

    def end(vendor: SandboxLinkedIn, name: str) -> None:
        served.append(name)
        if len(served) == 2:
            made.clock.advance(60)
            vendor.tokens.end_all()

    model.page_served = end
    assert len(set(keys(pages(made)))) == 20
    assert model.tokens.count == 2


def test_a_refresh_token_that_is_given_in_exchange_is_kept_and_used(made: Case, model: SandboxLinkedIn) -> None:
    model.rotates = True
    keeper = Nowhere()
    made.session = msgspec.structs.replace(made.session, tokens=TokenCache(made.clock, keeper))
    pages(made)
    assert keeper.refresh.reveal() == f"{LINKEDIN_REFRESH}2"
    made.session = msgspec.structs.replace(made.session, tokens=TokenCache(made.clock, keeper))
    pages(made)
    assert keeper.refresh.reveal() == f"{LINKEDIN_REFRESH}3"


def test_a_kept_refresh_token_that_is_dead_gives_way_to_a_new_configured_one(made: Case, model: SandboxLinkedIn) -> None:
    """Somebody consented anew and put the new one into the configuration."""
    keeper = Nowhere()
    keeper.refresh = Secret(f"{LINKEDIN_REFRESH}0", "test")
    made.session = msgspec.structs.replace(made.session, tokens=TokenCache(made.clock, keeper))
    assert pages(made)[-1].is_last
    assert keeper.refresh.reveal() == model.refresh
    model.refresh = "another"
    made.session = msgspec.structs.replace(made.session, tokens=TokenCache(made.clock, keeper))
    with pytest.raises(AuthError) as error:
        pages(made)
    assert "refresh_token:" in error.value.advice


# ---------------------------------------------------------------------- joins


def payload_of(model: SandboxLinkedIn, made: Case, answers: dict[str, str], **more: Any) -> dict[str, Any]:
    model.submit(answers, at=NOW - timedelta(seconds=600), agrees=True)
    model.leads[-1].more = more
    (record,) = [one for page in pages(made) for one in page.records]
    found: dict[str, Any] = json.loads(record.payload)
    return found


def test_answers_are_joined_with_their_questions_and_kept_as_they_came(made: Case, model: SandboxLinkedIn) -> None:
    found = payload_of(model, made, {"email": "ada@example.com", "size": "11-50"})
    email, size = found["answers"]
    assert email == {
        "questionId": 1,
        "field": "WORK_EMAIL",
        "name": "Work email",
        "question": "Work email",
        "value": "ada@example.com",
        "values": ["ada@example.com"],
    }
    assert (size["field"], size["name"], size["values"]) == (None, "Team size", ["11-50"])
    assert found["formResponse"]["answers"][1]["answerDetails"] == {"multipleChoiceAnswer": {"options": [1]}}
    assert found["consents"] == [{"id": 7, "accepted": True, "text": "I agree to receive the newsletter."}]
    assert found["hidden"] == {"utm_campaign": "spring"}
    assert set(found["form"]) == {"id", "name", "creationLocale", "hiddenFields"}, "questions are not kept with each lead"


def test_texts_are_those_of_the_forms_own_language(made: Case, model: SandboxLinkedIn) -> None:
    questions = [{"questionId": 1, "question": {"localized": {"en_US": "Mail", "de_DE": "Post"}}}]
    form = {"creationLocale": {"language": "de", "country": "DE"}, "content": {"questions": questions}}
    assert payload_of(model, made, {"email": "a@example.com"}, form=form)["answers"][0]["question"] == "Post"


@pytest.mark.parametrize("options_of", [[3], ["3"], [{"id": 3}], "3", None])
def test_choices_that_the_form_does_not_know_keep_their_number_or_are_left_out(
    made: Case, model: SandboxLinkedIn, options_of: Any
) -> None:
    """Their exact shape is not known (reference, sources.md 12)."""
    response = {"answers": [{"questionId": 8, "answerDetails": {"multipleChoiceAnswer": {"options": options_of}}}]}
    (answer,) = payload_of(model, made, {}, formResponse=response)["answers"]
    assert answer["values"] == (["3"] if options_of in ([3], ["3"]) else [])


# ---------------------------------------------------------------------- notifications


def delivered(body: bytes) -> Delivery:
    return Delivery("ads", NOW, body, sequence=7)


def told(**more: Any) -> bytes:
    event = {
        "type": "LEAD_ACTION",
        "leadAction": "CREATED",
        "leadGenFormResponse": "urn:li:leadGenFormResponse:lead-100",
        "owner": {"sponsoredAccount": "urn:li:sponsoredAccount:508123456"},
        "leadType": "SPONSORED",
        "occurredAt": 1_772_359_200_000,
    }
    return json.dumps({**event, **more}).encode()


def test_a_created_lead_is_wanted_by_its_id() -> None:
    (one,) = CONNECTOR.parse(delivered(told()), options())
    assert isinstance(one, Wanted)
    assert (one.key, one.at) == ("lead-100", datetime(2026, 3, 1, 10, tzinfo=UTC))
    (late,) = CONNECTOR.parse(delivered(told(occurredAt=4_102_444_800_000)), options())
    assert isinstance(late, Wanted)
    assert late.at == NOW, "a time from the future is cut to the receipt"


def test_other_owners_and_types_are_left_alone() -> None:
    assert CONNECTOR.parse(delivered(told(owner={"sponsoredAccount": "urn:li:sponsoredAccount:1"})), options()) == ()
    assert CONNECTOR.parse(delivered(told(leadType="EVENT")), options()) == ()
    assert len(CONNECTOR.parse(delivered(told(owner={}, leadType="")), options())) == 1


@pytest.mark.parametrize("more", [{}, {"owner": {"sponsoredAccount": "urn:li:sponsoredAccount:1"}}, {"leadType": "EVENT"}])
def test_a_withdrawal_is_set_aside_for_a_person_whoever_it_is_of(more: dict[str, Any]) -> None:
    """It asks for erasure, and must not vanish."""
    body = told(leadAction="DELETED", **more)
    (one,) = CONNECTOR.parse(delivered(body), options())
    assert isinstance(one, Reject)
    assert (one.key, one.reason, one.payload) == ("withdrawn-lead-100", "erasure_asked", body)
    assert "erase" in one.message
    assert '"syncd lead erase SOURCE:lead-100 --yes"'.replace("SOURCE", delivered(body).source) in one.message


@pytest.mark.parametrize("body", [told(type="X"), told(leadAction="EDITED"), told(leadGenFormResponse=""), b"[]"])
def test_what_announces_no_lead_is_kept_as_it_came(body: bytes) -> None:
    (one,) = CONNECTOR.parse(delivered(body), options())
    assert isinstance(one, Reject)
    assert (one.key, one.reason, one.payload) == ("delivery-7", "no_lead", body)


def test_a_lead_that_is_not_there_yet_is_asked_for_again(made: Case, model: SandboxLinkedIn) -> None:
    model.delay_seconds = 5.0
    key = model.submit({"email": "ada@example.com"}, at=NOW - timedelta(seconds=60))
    assert CONNECTOR.fetch(made.session, options(), Wanted(key, b"{}")) is None
    made.clock.advance(10)
    found = CONNECTOR.fetch(made.session, options(), Wanted(key, b"{}"))
    assert isinstance(found, Record)
    assert found.key == key


def test_an_odd_id_stays_within_its_place_in_the_address(made: Case) -> None:
    assert made.vendor is not None
    seen: list[str] = []
    made.vendor.line.bend = lambda url: seen.append(url) or url  # type: ignore[func-returns-value]
    assert CONNECTOR.fetch(made.session, options(), Wanted("a/../b?c", b"{}")) is None
    assert unquote(urlsplit(seen[-1]).path) == "/rest/leadFormResponses/a/../b?c"
    assert "a%2F..%2Fb%3Fc" in seen[-1]
