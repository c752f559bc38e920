"""eventbrite beyond the contract suite: tickets of nobody, statuses, cursor traps, addresses that are not the API's."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.eventbrite import CONNECTOR, EventbriteOptions
from syncd.connector import Delivery, HttpRequest, Page, Record, Reject, Secret, Unwanted, Wanted
from syncd.errors import ContractError
from syncd.sandbox.vendors.eventbrite import EVENTBRITE_PATH, FAIR, ORGANIZATION
from tests.contract.connectors.cases.eventbrite import OPTIONS, case
from tests.contract.connectors.kit import NOW, Case

KNOWN = EventbriteOptions(**OPTIONS)
TICKET = "https://eventbrite.test/v3/events/555/attendees/777/"


def pages(made: Case, cursor: Any = None, **more: Any) -> list[Page]:
    options = EventbriteOptions(**{**OPTIONS, **more})
    cursor = json.loads(json.dumps(cursor))
    return list(CONNECTOR.pull(made.session, options, "attendees", cursor, made.clock.now()))


def rows(found: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for page in found for one in page.records]


def parsed(address: Any) -> Any:
    body = json.dumps({"api_url": address, "config": {"action": "attendee.updated"}}).encode()
    (one,) = CONNECTOR.parse(Delivery("events", NOW, body, sequence=3), KNOWN)
    return one


def test_a_ticket_of_nobody_is_left_out_by_both_ways_and_comes_when_somebody_says_who_it_is(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    made.fill(3)
    ticket = model.buy(FAIR, " Info requested ", at=NOW - timedelta(hours=1))
    (wanted,) = CONNECTOR.parse(Delivery("events", NOW, model.webhook_body(ticket)), KNOWN)
    assert isinstance(wanted, Wanted)
    first = pages(made)
    assert len(rows(first)) == 3
    assert CONNECTOR.fetch(made.session, KNOWN, wanted) == Unwanted("info_requested")
    made.clock.advance(600)
    model.change(ticket, at=made.clock.now() - timedelta(seconds=60), profile={"email": "ada@example.com"})
    (one,) = rows(pages(made, first[-1].cursor))
    assert (one["id"], one["profile"]["email"]) == (ticket, "ada@example.com")
    found = CONNECTOR.fetch(made.session, KNOWN, wanted)
    assert isinstance(found, Record)
    assert json.loads(found.payload) == one


def test_a_refund_and_a_scan_are_the_same_record_again(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    made.fill(4)
    first = pages(made)
    keys = {one["id"] for one in rows(first)}
    made.clock.advance(600)
    at = made.clock.now() - timedelta(seconds=60)
    made.vendor.model.change(made.vendor.model.tickets[0]["id"], at=at, refunded=True, status="Not Attending")
    made.vendor.model.change(made.vendor.model.tickets[1]["id"], at=at, checked_in=True, status="Checked In")
    again = rows(pages(made, first[-1].cursor))
    assert sorted(one["status"] for one in again) == ["Checked In", "Not Attending"]
    assert {one["id"] for one in again} < keys


def test_what_is_personal_and_nobodys_business_is_not_kept(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(1)
    (one,) = rows(pages(made))
    assert {"barcodes", "costs"}.isdisjoint(one)
    assert {"gender", "birth_date"}.isdisjoint(one["profile"])
    assert set(one["event"]) == {"id", "name", "url", "start", "end"}


def test_the_cursor_moves_only_when_an_organization_was_read_to_its_end(tmp_path: Path) -> None:
    """The newest come first: whoever believes the first page loses the rest."""
    made = case(tmp_path)
    made.fill(30)
    found = pages(made)
    assert [page.cursor for page in found[:4]] == [{}] * 4
    bound = found[-1].cursor["organizations"][ORGANIZATION]
    assert NOW - timedelta(minutes=2) < msgspec.convert(bound, type=type(NOW)) <= NOW - timedelta(seconds=30)


def test_somebody_who_changes_during_the_walk_is_found_at_the_latest_by_the_next(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(30)
    assert made.vendor is not None
    model = made.vendor.model
    moved = []

    def buy_one(vendor: Any, name: str) -> None:
        if name == "attendees" and len(moved) < 3:
            moved.append(vendor.buy(FAIR, f"meanwhile{len(moved)}@example.com"))

    model.page_served = buy_one
    first = pages(made)
    model.page_served = None
    made.clock.advance(300)
    found = {one["id"] for one in rows(first) + rows(pages(made, first[-1].cursor))}
    assert found == {one["id"] for one in model.tickets}


def test_overlap_and_bound_are_asked_for_in_utc_with_whole_seconds(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    made.session = msgspec.structs.replace(made.session, overlap_seconds=300.0)
    pages(made, {"from": None, "organizations": {ORGANIZATION: "2026-11-24T09:30:00+01:00"}})
    asked = [one.query for one in made.vendor.model.calls if one.path.endswith("/attendees/")]
    assert asked == [{"expand": "event", "changed_since": "2026-11-24T08:25:00Z"}]


def test_an_organization_that_is_not_there_stops_no_other(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(3)
    found: list[Page] = []
    options = EventbriteOptions(**{**OPTIONS, "organizations": ["99", ORGANIZATION]})
    walk = CONNECTOR.pull(made.session, options, "attendees", None, NOW)
    with pytest.raises(ContractError, match="organizations/99"):
        found.extend(iter(lambda: next(walk), None))
    assert len(rows(found)) == 3
    assert not found[-1].is_last
    assert set(found[-1].cursor["organizations"]) == {ORGANIZATION}


def test_a_webhook_of_an_organization_that_is_not_chosen_is_forgotten(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    made.fill(1)
    (wanted,) = CONNECTOR.parse(Delivery("events", NOW, made.vendor.model.webhook_body("2360000001")), KNOWN)
    options = EventbriteOptions(**{**OPTIONS, "organizations": ["99"]})
    assert CONNECTOR.fetch(made.session, options, wanted) == Unwanted("other_organization")  # type: ignore[arg-type]


def test_an_attendee_who_is_not_there_may_still_come(tmp_path: Path) -> None:
    assert CONNECTOR.fetch(case(tmp_path).session, KNOWN, parsed(TICKET)) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.test/v3/events/555/attendees/777/",
        "https://eventbrite.test.evil.test/v3/events/555/attendees/777/",
        "https://eventbrite.test@evil.test/v3/events/555/attendees/777/",
        "https://user:pass@eventbrite.test/v3/events/555/attendees/777/",
        "https://eventbrite.test:8443/v3/events/555/attendees/777/",
        "http://eventbrite.test/v3/events/555/attendees/777/",
        "file:///etc/passwd",
        "https://[::1/v3/events/555/attendees/777/",
        "//eventbrite.test/v3/events/555/attendees/777/",
        "https://eventbrite.test/v3/events/555/attendees/777/../../../users/me/",
        "https://eventbrite.test/v3/events/555/attendees/7%2e%2e/",
        "https://eventbrite.test/v3/events/555/attendees/777/?x=1",
        "https://eventbrite.test/v3/events/٥٥٥/attendees/777/",
        "https://eventbrite.test/v3/orders/777/",
        "{api-endpoint-to-fetch-object-details}",
        "",
    ],
)
def test_an_address_that_is_no_attendee_of_the_api_is_set_aside_and_never_called(address: str) -> None:
    one = parsed(address)
    assert isinstance(one, Reject)
    assert one.reason == "foreign_address"
    assert "evil" not in one.message


def test_the_address_of_an_attendee_gives_ids_only() -> None:
    one = parsed(TICKET)
    assert one == Wanted("777", one.payload, None, "event 555 attendee 777")
    assert json.loads(one.payload) == {"event": "555", "attendee": "777", "action": "attendee.updated"}


def test_webhooks_without_an_attendee_are_thanked_for_and_not_kept() -> None:
    for action, is_kept in (("attendee.checked_in", True), ("order.placed", False), ("test", False), (None, True)):
        body = json.dumps({"api_url": TICKET, "config": {"action": action}}).encode()
        verdict = CONNECTOR.verify(HttpRequest("POST", {}, {}, body, EVENTBRITE_PATH), KNOWN, NOW)
        assert (verdict.refusal, verdict.status, verdict.is_stored) == ("", 200, is_kept)


@pytest.mark.parametrize("tail", ["", "x", EVENTBRITE_PATH[:-1], f"{EVENTBRITE_PATH}/", "é"])
def test_a_wrong_end_of_the_address_is_as_if_nobody_were_there(tail: str) -> None:
    verdict = CONNECTOR.verify(HttpRequest("POST", {}, {}, b"{}", tail), KNOWN, NOW)
    assert (verdict.refusal, verdict.status) == ("unknown_source", 404)


def test_both_secrets_count_while_one_is_rotated_and_none_without() -> None:
    both = EventbriteOptions(**{**OPTIONS, "webhook_path_secret": (Secret("new", "test"), Secret("old", "test"))})
    for tail in ("new", "old"):
        assert not CONNECTOR.verify(HttpRequest("POST", {}, {}, b"{}", tail), both, NOW).refusal
    none = EventbriteOptions(token=Secret("t", "test"))
    assert CONNECTOR.reception(none) is None
    assert CONNECTOR.verify(HttpRequest("POST", {}, {}, b"{}", ""), none, NOW).status == 404


def test_ids_of_organizations_are_numbers() -> None:
    with pytest.raises(ValueError, match="is no id of an organization"):
        EventbriteOptions(**{**OPTIONS, "organizations": ["Pumps Ltd"]})


@pytest.mark.parametrize(
    ("odd", "field"), [(None, "organizations[0]"), ({"id": 7}, "organizations[0].id"), ({}, "organizations[0].id")]
)
def test_another_shape_of_an_organization_is_told_with_its_field_and_the_page_is_kept(
    tmp_path: Path, odd: Any, field: str
) -> None:
    made = case(tmp_path)
    made.fill(3)
    assert made.vendor is not None

    def distort(request: Any, body: bytes) -> bytes:
        is_asked = "/users/me/organizations/" in request.url
        return json.dumps({**json.loads(body), "organizations": [odd]}).encode() if is_asked else body

    made.vendor.line.distort = distort
    with pytest.raises(ContractError, match=r"/users/me/organizations/ answered with JSON of another shape") as changed:
        pages(made)
    assert f", at {field}." in str(changed.value)
    assert b"organizations" in changed.value.page
