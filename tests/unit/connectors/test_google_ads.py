"""google_ads beyond the contract suite: windows and zones, late leads, quotas of one account, clicks by day, the webhook's key."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from connectors.google_ads import CONNECTOR, GoogleAdsOptions
from syncd.connector import Delivery, HttpRequest, Page, Record, Reject, Secret
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.sandbox.vendors.google_ads import ADS_CUSTOMER, WEBHOOK_KEY
from tests.contract.connectors.cases.google_ads import OPTIONS, case, fields
from tests.contract.connectors.kit import NOW, Case

OTHER = "2222222222"


def options(**more: Any) -> GoogleAdsOptions:
    return GoogleAdsOptions(**{**OPTIONS, **more})


def pages(made: Case, cursor: Any = None, until: Any = None, **more: Any) -> list[Page]:
    typed = options(**more)
    return list(CONNECTOR.pull(made.session, typed, "leads", cursor, until or made.clock.now()))


def ids(found: list[Page]) -> list[str]:
    return [one.key for page in found for one in page.records]


def payloads(found: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for page in found for one in page.records]


def notices(found: list[Page]) -> str:
    return " ".join(page.notice for page in found if page.notice)


@pytest.fixture
def made(tmp_path: Path) -> Case:
    return case(tmp_path)


@pytest.fixture
def model(made: Case) -> Any:
    assert made.vendor is not None
    return made.vendor.model


@pytest.mark.parametrize("zone", [-12.0, -8.0, 0.0, 5.75, 14.0])
def test_no_lead_is_missed_whatever_the_accounts_zone_is(made: Case, model: Any, zone: float) -> None:
    """A literal is taken in the account's time; syncd does not know it, and asks wider."""
    model.zones[ADS_CUSTOMER] = zone
    given: list[str] = []
    sent: list[str] = []
    cursor = None
    for step in range(30):
        sent.append(model.submit(fields(step), at=made.clock.now() - timedelta(seconds=60)))
        found = pages(made, cursor)
        given += ids(found)
        cursor = json.loads(json.dumps(found[-1].cursor))
        made.clock.advance(3_600 * 5)
    assert given == sent
    assert len(cursor["customers"][ADS_CUSTOMER]["seen"]) < 10, "what is not asked for again is forgotten"


@pytest.mark.parametrize("zone", [-12.0, 14.0])
def test_a_lead_that_is_listed_hours_late_is_found(made: Case, model: Any, zone: float) -> None:
    model.zones[ADS_CUSTOMER] = zone
    made.session = msgspec.structs.replace(made.session, overlap_seconds=CONNECTOR.overlap_seconds)
    model.delay_seconds = 3_600 * 19
    late = model.submit(fields(0), at=made.clock.now() - timedelta(seconds=100))
    model.delay_seconds = 0.0
    early = model.submit(fields(1), at=made.clock.now() - timedelta(seconds=80))
    found = pages(made)
    assert ids(found) == [early]
    for _ in range(20):
        made.clock.advance(3_600)
        found = pages(made, found[-1].cursor)
        if ids(found):
            break
    assert ids(found) == [late]


def test_the_first_walk_goes_in_steps_and_says_how_far_back_it_can(made: Case, model: Any) -> None:
    old = [model.submit(fields(day), at=made.clock.now() - timedelta(days=day)) for day in (59, 40, 21, 3)]
    model.submit(fields(99), at=made.clock.now() - timedelta(days=61))
    found = pages(made)
    assert ids(found) == old
    assert len(model.queries) == 9
    assert "keeps leads for 60 days" in notices(found)
    model.queries.clear()
    again = pages(made, found[-1].cursor)
    assert (ids(again), notices(again), len(model.queries)) == ([], "", 1), "one operation when there is no news"


def test_a_back_fill_from_longer_ago_says_what_is_lost(made: Case) -> None:
    at = made.clock.now()
    found = pages(made, CONNECTOR.cursor_at(options(), "leads", at - timedelta(days=90)))
    assert "cannot be read" in notices(found)
    assert not found[-1].is_last, "a run that has missed something does not end well"
    assert pages(made, found[-1].cursor)[-1].is_last
    assert not notices(pages(made, CONNECTOR.cursor_at(options(), "leads", at - timedelta(days=50))))


def test_a_source_that_was_off_for_long_says_what_is_lost(made: Case) -> None:
    first = pages(made)
    made.clock.advance(86_400 * 70)
    assert "cannot be read" in notices(pages(made, first[-1].cursor))


def test_eleven_hours_are_not_waited_for_and_leave_with_the_error(made: Case, model: Any) -> None:
    """Real figures: Pipedream issue 21554."""
    model.exhausted["*"] = ("DEVELOPER", 40_591.0)
    with pytest.raises(RateLimitedError) as caught:
        pages(made)
    assert caught.value.retry_after_seconds == 40_591.0
    assert len(model.queries) == 1


def test_one_account_that_is_to_be_left_alone_does_not_stop_the_others(made: Case, model: Any) -> None:
    model.leads[OTHER] = []
    both = {"customer_ids": [ADS_CUSTOMER, OTHER]}
    model.exhausted[ADS_CUSTOMER] = ("ACCOUNT", 40_591.0)
    model.submit(fields(1), at=made.clock.now() - timedelta(seconds=100), customer=ADS_CUSTOMER)
    mine = model.submit(fields(2), at=made.clock.now() - timedelta(seconds=100), customer=OTHER)
    found = pages(made, **both)
    assert ids(found) == [mine]
    assert not found[-1].is_last
    assert ADS_CUSTOMER in found[-1].notice
    model.queries.clear()
    made.clock.advance(600)
    found = pages(made, json.loads(json.dumps(found[-1].cursor)), **both)
    assert {customer for customer, _ in model.queries} == {OTHER}, "its wish is kept in the cursor"
    model.exhausted.clear()
    made.clock.advance(40_591)
    found = pages(made, found[-1].cursor, **both)
    assert len(ids(found)) == 1
    assert found[-1].is_last


def test_a_back_fill_asks_an_account_again_that_wanted_to_be_left_alone(made: Case, model: Any) -> None:
    """Its `until` stands still: by it the wish would never end."""
    model.leads[OTHER] = []
    both = {"customer_ids": [ADS_CUSTOMER, OTHER]}
    model.submit(fields(1), at=made.clock.now() - timedelta(days=5))
    model.exhausted[ADS_CUSTOMER] = ("ACCOUNT", 40_591.0)
    until = made.clock.now() - timedelta(days=2)
    begin = CONNECTOR.cursor_at(options(), "leads", until - timedelta(days=10))
    found = pages(made, begin, until, **both)
    model.exhausted.clear()
    found = pages(made, found[-1].cursor, until, **both)
    assert len(ids(found)) == 1
    assert found[-1].is_last


def test_when_every_account_is_to_be_left_alone_the_source_is(made: Case, model: Any) -> None:
    model.exhausted["*"] = ("ACCOUNT", 700.0)
    with pytest.raises(RateLimitedError) as caught:
        pages(made)
    assert caught.value.retry_after_seconds == 700.0


def test_an_account_that_may_not_be_read_does_not_stop_the_others(made: Case, model: Any) -> None:
    model.direct.add(ADS_CUSTOMER)
    mine = model.submit(fields(2), at=made.clock.now() - timedelta(seconds=100))
    found: list[Page] = []
    typed = options(customer_ids=[OTHER, ADS_CUSTOMER], login_customer_id=None)
    with pytest.raises(AuthError, match=f"account {OTHER} with CUSTOMER_NOT_FOUND"):  # noqa: PT012 - what came before it counts
        for page in CONNECTOR.pull(made.session, typed, "leads", None, made.clock.now()):
            found.append(page)  # noqa: PERF402 - what came before the error counts
    assert ids(found) == [mine]
    assert not any(page.is_last for page in found)


@pytest.mark.parametrize(
    ("more", "kind", "advice"),
    [
        ({"login_customer_id": None}, AuthError, "login_customer_id"),
        ({"developer_token": Secret("other", "test")}, AuthError, "API Center"),
        ({"api_version": 22}, ContractError, "Raise api_version"),
        ({"client_secret": Secret("other", "test")}, AuthError, "client_secret"),
        ({"refresh_token": Secret("old", "test")}, AuthError, "refresh_token"),
    ],
)
def test_a_refusal_names_what_to_change(made: Case, more: dict[str, Any], kind: type[SyncdError], advice: str) -> None:
    with pytest.raises(kind) as caught:
        pages(made, **more)
    assert advice in str(caught.value)
    assert "@" not in f"{caught.value} {caught.value.detail}"


def test_an_error_behind_status_200_is_no_end(made: Case, model: Any) -> None:
    made.fill(30)
    model.breaks_off = True
    with pytest.raises(SourceUnavailableError) as caught:
        pages(made)
    assert caught.value.page


def test_a_token_that_ends_in_mid_walk_is_renewed_once(made: Case, model: Any) -> None:
    made.fill(30)

    def end_it(vendor: Any, name: str) -> None:
        if vendor.tokens.count == 1:
            vendor.tokens.end_all()
            made.clock.advance(60)

    model.page_served = end_it
    assert len(ids(pages(made))) == 30
    assert model.tokens.count == 2


def test_names_and_clicks_are_added_by_day_never_by_lead(made: Case, model: Any) -> None:
    for number in range(20):
        at = made.clock.now() - timedelta(days=1 + number % 2, seconds=number)
        model.submit(fields(number), at=at, gclid=f"Cj0{number}", keyword=f"engine {number}")
    model.submit(fields(20), at=made.clock.now() - timedelta(days=1), gclid="x' OR 1=1")
    model.submit(fields(21), at=made.clock.now() - timedelta(days=1))
    made.session = msgspec.structs.replace(made.session, page_size_records=1_000)
    found = payloads(pages(made, click_details=True))
    asked = [query for _, query in model.queries if "click_view" in query]
    assert len(asked) == 2
    assert not any("OR 1=1" in query for query in asked)
    clicks = [one["click"]["keyword"] for one in found if "click" in one]
    assert sorted(clicks) == sorted(f"engine {number}" for number in range(20))
    assert {one["campaign_name"] for one in found} == {"Spring"}
    assert not any("campaign_name" in one or "click" in one for one in payloads(pages(made)))


def test_questions_of_ones_own_and_unknown_types_pass_through_and_documents_of_identity_do_not(made: Case, model: Any) -> None:
    known = {"EMAIL": "ada@example.com", "HOVERCRAFT": "eels", "GOVERNMENT_ISSUED_ID_CPF": "1", "OVER_18_AGE": "yes"}
    model.submit(known, at=made.clock.now() - timedelta(seconds=100), questions={"Team size?": "1"})
    (lead,) = payloads(pages(made))
    assert lead["fields"] == {"EMAIL": "ada@example.com", "HOVERCRAFT": "eels"}
    assert lead["questions"] == {"Team size?": "1"}
    (sent,) = CONNECTOR.parse(Delivery("ads", NOW, model.webhook_body(0)), options())
    assert isinstance(sent, Record)
    assert json.loads(sent.payload) == lead


@pytest.mark.parametrize(
    ("key", "refusal", "status"),
    [(WEBHOOK_KEY, "", 200), ("wrong", "bad_key", 401), ("", "bad_key", 401), (None, "missing_key", 401)],
)
def test_the_key_in_the_body_decides(key: str | None, refusal: str, status: int) -> None:
    body = json.dumps({"lead_id": "a", "google_key": key}).encode()
    verdict = CONNECTOR.verify(HttpRequest("POST", {}, {}, body), options(), NOW)
    assert (verdict.refusal, verdict.status) == (refusal, status)
    assert verdict.answer == (b"{}" if not refusal else b"")


def test_both_keys_count_while_one_is_changed_and_without_one_nothing_is_let_in() -> None:
    body = json.dumps({"lead_id": "a", "google_key": "new"}).encode()
    both = options(google_key=(Secret("new", "test"), Secret(WEBHOOK_KEY, "test")))
    assert not CONNECTOR.verify(HttpRequest("POST", {}, {}, body), both, NOW).refusal
    assert CONNECTOR.reception(options(google_key=None)) is None


def test_a_test_lead_is_answered_well_and_not_kept(model: Any) -> None:
    model.submit({"EMAIL": "test@example.com"}, at=NOW)
    request = HttpRequest("POST", {}, {}, model.webhook_body(0, is_test=True))
    verdict = CONNECTOR.verify(request, options(), NOW)
    assert (verdict.refusal, verdict.status) == ("test_lead", 200)
    forged = HttpRequest("POST", {}, {}, model.webhook_body(0, is_test=True, key="guessed"))
    assert CONNECTOR.verify(forged, options(), NOW).status == 401, "whoever has no key learns nothing"


def test_a_webhook_without_a_lead_is_kept_without_its_key() -> None:
    body = json.dumps({"google_key": WEBHOOK_KEY, "user_column_data": None}).encode()
    (one,) = CONNECTOR.parse(Delivery("ads", NOW, body), options())
    assert isinstance(one, Reject)
    assert one.reason == "no_id"
    assert WEBHOOK_KEY.encode() not in one.payload


def test_a_time_from_the_future_is_cut_to_the_receipt() -> None:
    body = b'{"lead_id": "t", "lead_submit_time": "2036-01-01T00:00:00Z"}'
    (one,) = CONNECTOR.parse(Delivery("ads", NOW, body), options())
    assert isinstance(one, Record)
    assert one.source_at == NOW


def test_ids_of_accounts_are_digits() -> None:
    assert options(customer_ids=["123-456-7890", "1234567890"]).customer_ids == ["1234567890"]
    assert options(customer_ids=[1234567890], login_customer_id=9876543210).login_customer_id == "9876543210"
    with pytest.raises(ValidationError, match="no id of an account"):
        options(customer_ids=["acme"])
    with pytest.raises(ValidationError, match="refresh_token"):
        options(client_secret=None)
