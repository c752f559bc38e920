"""meta beyond the contract suite: known answers, the proof, budgets, versions, test leads, several forms, thin notifications."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.meta import CONNECTOR, MetaOptions
from syncd.connector import Delivery, HttpRequest, Page, Record, Reject, Secret, Wanted
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError
from syncd.sandbox.vendors.meta import META_TOKEN, PAGE_ID, SandboxMeta
from tests.contract.connectors.cases.meta import FORM, OPTIONS, case
from tests.contract.connectors.kit import NOW, Case

SECRET = Secret("meta-app-secret", "test")
OTHER = "456000000002"


@pytest.fixture
def made(tmp_path: Path) -> Case:
    """A page with one form."""
    return case(tmp_path)


@pytest.fixture
def model(made: Case) -> SandboxMeta:
    assert made.vendor is not None
    found: SandboxMeta = made.vendor.model
    return found


def options(**more: Any) -> MetaOptions:
    return MetaOptions(**{**OPTIONS, **more})


def pages(made: Case, cursor: Any = None, **more: Any) -> list[Page]:
    return list(CONNECTOR.pull(made.session, options(**more), "leads", cursor, made.clock.now()))


def keys(found: list[Page]) -> list[str]:
    return [one.key for page in found for one in page.records]


def notices(found: list[Page]) -> str:
    return " ".join(page.notice for page in found if page.notice)


# ---------------------------------------------------------------------- known answers


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (b'{"object":"page","entry":[]}', "5dcb51eb590634700c8d9cc1fde4d2d5981ca7bb83f250eb3fb71bfd849057ed"),
        (b'{"object":"page","note":"\\u00e4"}', "2ae1bfe5900a952fac13152379dcddc046d0511ddf7f75df37aa6de3534ea7af"),
    ],
)
def test_the_known_answers_of_the_signature(body: bytes, signature: str) -> None:
    """Reference, sources.md 5: over the raw bytes, in which a letter stays escaped."""
    known = options(app_secret=SECRET)
    headers = {"x-hub-signature-256": f"sha256={signature}"}
    assert not CONNECTOR.verify(HttpRequest("POST", headers, {}, body), known, NOW).refusal
    for wrong, refusal in (
        ("", "missing_signature"),
        ("sha256=zz", "bad_header"),
        (f"sha1={signature}", "bad_signature"),
        (f"sha256={signature[::-1]}", "bad_signature"),
    ):
        request = HttpRequest("POST", {"x-hub-signature-256": wrong}, {}, body)
        assert CONNECTOR.verify(request, known, NOW).refusal == refusal


def test_both_secrets_count_while_one_is_rotated() -> None:
    headers = {"x-hub-signature-256": "sha256=5dcb51eb590634700c8d9cc1fde4d2d5981ca7bb83f250eb3fb71bfd849057ed"}
    request = HttpRequest("POST", headers, {}, b'{"object":"page","entry":[]}')
    assert not CONNECTOR.verify(request, options(app_secret=(Secret("new", "test"), SECRET)), NOW).refusal
    assert CONNECTOR.verify(request, options(app_secret=Secret("new", "test")), NOW).refusal


def test_calls_are_proved_by_the_apps_secret_and_the_token_is_in_no_address(made: Case) -> None:
    """The known answer of the reference; the sandbox checks the proof of its own token in every other test."""
    assert made.vendor is not None
    asked: list[str] = []
    made.vendor.line.bend = lambda url: asked.append(url) or url  # type: ignore[func-returns-value]
    with pytest.raises(AuthError):
        pages(made, token=Secret("PAGE-TOKEN", "test"), app_secret=SECRET)
    (url,) = asked
    assert "appsecret_proof=4cb07f7e7a25aeab114d5202b670c69760ffc413020f0be5307ab2ef5d7cbc29" in url
    assert "PAGE-TOKEN" not in url


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"hub.verify_token": "wrong"}, "bad_verify_token"),
        ({"hub.verify_token": ""}, "bad_verify_token"),
        ({"hub.mode": "unsubscribe"}, "bad_handshake"),
        ({"hub.challenge": "<script> "}, "bad_handshake"),
        ({"hub.challenge": ""}, "bad_handshake"),
    ],
)
def test_a_handshake_of_anybody_else_is_refused(more: dict[str, str], refusal: str) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": OPTIONS["verify_token"].reveal()}
    assert CONNECTOR.verify(HttpRequest("GET", {}, {**query, **more}, b""), options(), NOW).refusal == refusal
    without = options(verify_token=None)
    assert CONNECTOR.verify(HttpRequest("GET", {}, {**query, "hub.verify_token": ""}, b""), without, NOW).refusal


def test_without_a_secret_nothing_is_let_in() -> None:
    assert CONNECTOR.reception(options(app_secret=None)) is None


def test_options_say_what_is_read() -> None:
    for wrong in ({"pages": []}, {"pages": ["../me"]}, {"forms": ["a"]}, {"api_version": "26"}):
        with pytest.raises(ValidationError):
            options(**wrong)


# ---------------------------------------------------------------------- what a pull asks for


def test_the_next_page_is_asked_for_by_its_cursor_and_the_bound_excludes(made: Case, model: SandboxMeta) -> None:
    made.fill(20)
    first = pages(made)
    pages(made, first[-1].cursor)
    asked = [one.query for one in model.calls if one.path.endswith("/leads")]
    assert ["after" in one for one in asked] == [False, True, True, False]
    assert "filtering" not in asked[0]
    newest = int(max(one.at for one in model.leads).timestamp())
    bound = {"field": "time_created", "operator": "GREATER_THAN", "value": newest - 1}
    assert json.loads(asked[-1]["filtering"]) == [bound]
    assert all(one.path.startswith("/v26.0/") for one in model.calls)


def test_a_cursor_moves_when_the_walk_of_its_form_is_whole(made: Case) -> None:
    """Newest come first: whoever kept the newest of a first page would skip the rest after a crash."""
    made.fill(20)
    found = pages(made)
    assert [page.cursor["forms"] for page in found[:-1]] == [{}] * (len(found) - 1)
    assert set(found[-1].cursor["forms"]) == {FORM}


def test_a_lead_that_comes_while_the_list_is_read_is_found_by_the_next_pull(made: Case, model: SandboxMeta) -> None:
    made.fill(20)
    late: list[str] = []

    def submit(vendor: SandboxMeta, name: str) -> None:
        del name
        if not late:
            late.append(vendor.submit(FORM, {"email": "late@example.com"}, at=made.clock.now() - timedelta(seconds=60)))

    model.page_served = submit
    first = pages(made)
    assert not set(late) & set(keys(first))
    assert len(keys(first)) == len(set(keys(first))) == 20
    assert set(late) <= set(keys(pages(made, first[-1].cursor)))


def test_what_is_too_fresh_waits_for_the_next_pull(made: Case, model: SandboxMeta) -> None:
    fresh = model.submit(FORM, {"email": "ada@example.com"}, at=made.clock.now() - timedelta(seconds=5))
    old = model.submit(FORM, {"email": "bob@example.com"}, at=made.clock.now() - timedelta(seconds=500))
    first = pages(made)
    assert keys(first) == [old]
    made.clock.advance(60)
    assert keys(pages(made, first[-1].cursor)) == [fresh]


def test_archived_forms_are_read_and_each_has_a_cursor(made: Case, model: SandboxMeta) -> None:
    """The form of the case is an archived one."""
    made.fill(9)
    model.add_form(OTHER)
    model.submit(OTHER, {"email": "ada@example.com"}, at=made.clock.now() - timedelta(seconds=300))
    found = pages(made)
    assert len(keys(found)) == 10
    assert set(found[-1].cursor["forms"]) == {FORM, OTHER}
    assert keys(pages(made, found[-1].cursor)) == []


def test_one_form_that_is_gone_does_not_stop_the_others(made: Case) -> None:
    made.fill(3)
    found: list[Page] = []
    with pytest.raises(ContractError, match='no form "999"') as error:  # noqa: PT012 - what came before it counts
        for page in CONNECTOR.pull(made.session, options(forms=["999", FORM]), "leads", None, made.clock.now()):
            found.append(page)  # noqa: PERF402 - what came before the error counts
    assert error.value.page
    assert len(keys(found)) == 3
    assert not any(page.is_last for page in found)


def test_a_page_of_somebody_else_is_told(made: Case) -> None:
    with pytest.raises(ContractError, match='no page "5"'):
        pages(made, pages=["5"])


# ---------------------------------------------------------------------- budgets and errors


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 80_005, RateLimitedError),
        (400, 32, RateLimitedError),
        (400, 17, RateLimitedError),
        (403, 4, RateLimitedError),
        (400, 613, RateLimitedError),
        (400, 2, SourceUnavailableError),
        (400, 190, AuthError),
        (401, 190, AuthError),
        (400, 10, AuthError),
        (400, 200, AuthError),
        (400, 298, AuthError),
        (400, 100, ContractError),
        (400, 12_345, ContractError),
    ],
)
def test_an_error_is_what_its_code_says_whatever_the_status(
    made: Case, model: SandboxMeta, monkeypatch: pytest.MonkeyPatch, status: int, code: int, expected: type[Exception]
) -> None:
    """Everything is an OAuthException (airbyte issue 8773)."""
    monkeypatch.setitem(__import__("syncd.sandbox.vendors.meta", fromlist=["_CODES"])._CODES, "unavailable", (status, code))
    model.faults.add("unavailable", "/leads$", times=-1)
    with pytest.raises(expected):
        pages(made)


def test_at_95_percent_nothing_more_is_asked_and_the_wait_is_metas_own(made: Case, model: SandboxMeta) -> None:
    made.fill(20)
    model.used_percent, model.regain_minutes = 95.0, 7
    before = model.call_count
    with pytest.raises(RateLimitedError) as error:
        pages(made)
    assert model.call_count == before + 1
    assert error.value.retry_after_seconds == 420.0
    model.regain_minutes = 0
    with pytest.raises(RateLimitedError) as error:
        pages(made)
    assert error.value.retry_after_seconds == 3_600.0


def test_at_80_percent_the_other_forms_wait_and_come_first_the_next_time(made: Case, model: SandboxMeta) -> None:
    made.fill(9)
    model.add_form(OTHER)
    second = model.submit(OTHER, {"email": "ada@example.com"}, at=made.clock.now() - timedelta(seconds=300))
    model.used_percent = 83.0
    first = pages(made)
    assert len(keys(first)) == 9
    assert not first[-1].is_last
    assert first[-1].recheck_seconds == 900.0
    assert "83 %" in first[-1].notice
    again = pages(made, first[-1].cursor)
    assert keys(again) == [second]
    model.used_percent = 20.0
    assert pages(made, again[-1].cursor)[-1].is_last


def test_a_header_that_cannot_be_read_says_nothing(made: Case, model: SandboxMeta) -> None:
    made.fill(3)
    model.used_percent, model.regain_minutes = 99.0, "soon"  # type: ignore[assignment]
    assert len(keys(pages(made))) == 3


# ---------------------------------------------------------------------- versions, test leads, lock-outs


def test_another_version_than_the_asked_one_is_told_once(made: Case) -> None:
    made.fill(20)
    told = notices(pages(made, api_version="v9.0"))
    assert told.count("Meta answered as v25.0, not as v9.0: raise api_version.") == 1
    assert "answered as" not in notices(pages(made))


def test_test_leads_are_left_out_and_counted(made: Case, model: SandboxMeta) -> None:
    made.fill(20)
    for _ in range(2):
        model.submit_test(FORM)
    made.clock.advance(120)
    found = pages(made)
    assert len(keys(found)) == 20
    assert notices(found) == f"2 test leads of form {FORM} were left out."


def test_a_test_lead_by_webhook_is_set_aside_where_whoever_tests_sees_it(made: Case, model: SandboxMeta) -> None:
    key = model.submit_test(FORM)
    found = CONNECTOR.fetch(made.session, options(), Wanted(key, b"{}"))
    assert isinstance(found, Reject)
    assert (found.key, found.reason) == (key, "test_lead")


def test_a_list_that_is_empty_though_meta_counts_leads_is_no_end(made: Case, model: SandboxMeta) -> None:
    """The Leads Access Manager of a page locks an app out without a word."""
    made.fill(3)
    model.is_locked_out = True
    with pytest.raises(SourceUnavailableError, match="counts 3 leads") as error:
        pages(made)
    assert "Leads Access Manager" in error.value.advice
    health = CONNECTOR.check(made.session, options())
    assert not health.ok
    assert any("Leads Access Manager" in one for one in health.findings)


def test_what_is_gone_after_90_days_is_told_and_no_error(made: Case, model: SandboxMeta) -> None:
    model.submit(FORM, {"email": "ada@example.com"}, at=made.clock.now() - timedelta(days=91))
    found = pages(made)
    assert found[-1].is_last
    assert "1 leads of form" in notices(found)
    assert "gone" in notices(found)


def test_check_says_whether_the_pages_send(made: Case, model: SandboxMeta) -> None:
    made.fill(1)
    assert f"Page {PAGE_ID} sends its leads." in CONNECTOR.check(made.session, options()).findings
    model.subscribed = []
    health = CONNECTOR.check(made.session, options())
    assert health.ok
    assert any("subscribed_apps" in one for one in health.findings)


# ---------------------------------------------------------------------- notifications


def delivered(body: Any) -> Delivery:
    return Delivery("ads", NOW, json.dumps(body).encode(), sequence=7)


def change(**value: Any) -> dict[str, Any]:
    return {"field": "leadgen", "value": {"leadgen_id": "1", "form_id": FORM, "page_id": PAGE_ID, **value}}


def test_every_entry_and_every_change_counts_and_ids_may_be_numbers() -> None:
    entries = [
        {"id": PAGE_ID, "changes": [change(), change(leadgen_id=2), {"field": "feed", "value": {"item": "post"}}]},
        {"id": PAGE_ID, "changes": [change(leadgen_id="3", form_id=int(FORM), page_id=int(PAGE_ID)), change()]},
    ]
    found = CONNECTOR.parse(delivered({"object": "page", "entry": entries}), options())
    assert [one.key for one in found] == ["1", "2", "3"]
    assert all(isinstance(one, Wanted) for one in found)


def test_other_pages_and_forms_are_left_alone_and_a_change_without_an_id_is_kept() -> None:
    entries = [{"changes": [change(page_id="5"), change(leadgen_id=None), change(leadgen_id="9", created_time=4_102_444_800)]}]
    odd, wanted = CONNECTOR.parse(delivered({"object": "page", "entry": entries}), options())
    assert isinstance(odd, Reject)
    assert odd.reason == "no_id"
    assert json.loads(odd.payload)["form_id"] == FORM
    assert isinstance(wanted, Wanted)
    assert wanted.at == NOW, "a time from the future is cut to the receipt"
    assert CONNECTOR.parse(delivered({"object": "page", "entry": entries}), options(forms=["1"])) == (odd,)


@pytest.mark.parametrize("body", [{"object": "user", "entry": []}, [], "x", {"object": "page", "entry": {}}])
def test_a_delivery_of_another_kind_is_kept_as_it_came(body: Any) -> None:
    (one,) = CONNECTOR.parse(delivered(body), options())
    assert isinstance(one, Reject)
    assert (one.key, one.reason, one.payload) == ("delivery-7", "no_leads", json.dumps(body).encode())


def test_a_lead_that_meta_does_not_have_yet_is_asked_for_again(made: Case, model: SandboxMeta) -> None:
    model.delay_seconds = 5.0
    key = model.submit(FORM, {"email": "ada@example.com"})
    assert CONNECTOR.fetch(made.session, options(), Wanted(key, b"{}")) is None
    made.clock.advance(10)
    found = CONNECTOR.fetch(made.session, options(), Wanted(key, b"{}"))
    assert isinstance(found, Record)
    assert found.key == key
    assert model.calls[-1].query["fields"].startswith("id,created_time,")


def test_the_token_in_the_next_address_gets_into_no_error_and_no_kept_page(made: Case, model: SandboxMeta) -> None:
    """`paging.next` holds the token."""
    made.fill(20)
    model.goes_in_circles = True
    with pytest.raises(SourceUnavailableError) as error:
        pages(made)
    assert META_TOKEN not in f"{error.value} {error.value!r} {error.value.detail}"
    assert b"access_token=***&after=" in error.value.page
    assert META_TOKEN.encode() not in error.value.page


@pytest.mark.parametrize("path", ["/leads", "/leadgen_forms"])
def test_a_page_that_cannot_be_read_is_kept_without_the_token(made: Case, path: str) -> None:
    assert made.vendor is not None
    body = f'{{"data": [], "paging": {{"next": "https://x.test?access_token={META_TOKEN}&a'.encode()
    made.vendor.line.distort = lambda request, whole: body if path in str(request.url) else whole
    with pytest.raises(SourceUnavailableError) as error:
        pages(made)
    assert error.value.page == body.replace(META_TOKEN.encode(), b"***")


def test_a_next_page_without_a_cursor_is_no_end(made: Case) -> None:
    assert made.vendor is not None
    made.fill(1)
    made.vendor.line.distort = lambda request, body: (
        b'{"data": [], "paging": {"next": "https://x.test"}}' if "/leads" in str(request.url) else body
    )
    with pytest.raises(ContractError, match="without a cursor"):
        pages(made)


def test_a_session_without_news_costs_two_calls_and_one_where_forms_are_named(made: Case, model: SandboxMeta) -> None:
    made.fill(1)
    cursor = pages(made)[-1].cursor
    before = model.call_count
    pages(made, cursor)
    assert model.call_count == before + 2
    pages(made, cursor, forms=[FORM])
    assert model.call_count == before + 3
