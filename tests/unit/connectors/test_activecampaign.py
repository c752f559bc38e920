"""activecampaign beyond the contract suite: cursor and count traps, side-loading, odd dates, consent, erasure, forms."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.activecampaign import CONNECTOR, ActiveCampaignOptions
from syncd.connector import Delivery, HttpRequest, Page, Record, Reject, Secret, Wanted
from syncd.errors import ContractError, SourceUnavailableError
from syncd.sandbox.vendors.activecampaign import ACTIVECAMPAIGN_PATH
from tests.contract.connectors.cases.activecampaign import OPTIONS, case
from tests.contract.connectors.kit import NOW, Case

KNOWN = ActiveCampaignOptions(**OPTIONS)


def pages(made: Case, cursor: Any = None) -> list[Page]:
    cursor = json.loads(json.dumps(cursor))
    return list(CONNECTOR.pull(made.session, KNOWN, "contacts", cursor, made.clock.now()))


def rows(found: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for page in found for one in page.records]


def asked(made: Case) -> list[dict[str, str]]:
    assert made.vendor is not None
    return [one.query for one in made.vendor.model.calls if one.path.endswith("/contacts")]


def fetched(made: Case, who: str) -> Any:
    return CONNECTOR.fetch(made.session, KNOWN, Wanted(who, b"{}"))


# ---------------------------------------------------------------------- the walk


def test_a_walk_is_in_order_of_ids_and_asks_for_contacts_of_any_status(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(20)
    pages(made, {"at": "2026-11-24T05:00:00-02:00"})
    first, second, *_ = asked(made)
    assert first == {
        "limit": "7",
        "orders[id]": "ASC",
        "status": "-1",
        "include": "fieldValues,contactLists,contactTags",
        "filters[updated_after]": "2026-11-24T06:59:59+00:00",
    }
    assert second == {**first, "id_greater": "7"}


def test_the_cursor_moves_at_the_end_of_the_walk_to_the_bound_from_before_it(tmp_path: Path) -> None:
    """Who changes behind the walk is read by the next one."""
    made = case(tmp_path)
    made.fill(30)
    assert made.vendor is not None
    model = made.vendor.model
    moved: list[str] = []

    def edit_the_first(vendor: Any, name: str) -> None:
        if name == "contacts" and len(moved) < 4:
            moved.append(vendor.put(f"person{len(moved)}@example.com", lastName="Moved"))

    model.page_served = edit_the_first
    made.clock.advance(60)
    found = pages(made)
    model.page_served = None
    assert all("at" not in page.cursor for page in found[:-1])
    bound = msgspec.convert(found[-1].cursor["at"], type=type(NOW))
    assert bound <= NOW + timedelta(seconds=30)
    made.clock.advance(120)
    again = rows(pages(made, found[-1].cursor))
    assert {one["id"] for one in again if one["lastName"] == "Moved"} == set(moved)


def test_a_walk_that_broke_off_goes_on_behind_its_last_page_and_keeps_its_bound(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(30)
    whole = pages(made)
    before = len(asked(made))
    made.clock.advance(3_600)
    rest = pages(made, whole[1].cursor)
    assert asked(made)[before]["id_greater"] == "14"
    assert len(rows(rest)) == 16
    assert rest[-1].cursor == {"at": whole[1].cursor["bound"]}


@pytest.mark.parametrize("counts_window", [False, True])
def test_both_meanings_of_the_total_end_and_neither_takes_an_empty_page_for_the_end(tmp_path: Path, counts_window: bool) -> None:
    made = case(tmp_path)
    made.fill(30)
    assert made.vendor is not None
    made.vendor.model.counts_window = counts_window
    whole = pages(made)
    assert len(rows(whole)) == 30
    assert len(rows(pages(made, whole[1].cursor))) == 16
    for skip in range(5):
        made.vendor.model.faults.clear()
        made.vendor.model.faults.add("empty_page", "/contacts$", skip=skip, times=-1)
        with pytest.raises(SourceUnavailableError, match="counts more"):
            pages(made)


def test_a_page_that_is_exactly_full_is_followed_by_an_empty_one_or_not(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(14)
    found = pages(made)
    assert [len(page.records) for page in found] == [7, 7, 0]
    assert len(asked(made)) == 2


def test_contacts_out_of_order_stop_the_walk(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(10)
    assert made.vendor is not None
    held = made.vendor.model.contacts
    made.vendor.model.contacts = dict(reversed(held.items()))
    with pytest.raises(ContractError, match="out of the order"):
        pages(made)


# ---------------------------------------------------------------------- what belongs to a contact


def test_what_is_not_side_loaded_is_asked_for_and_gives_the_same_payload(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(5)
    with_include = rows(pages(made))
    assert made.vendor is not None
    assert len(made.vendor.model.calls) == 1
    made.vendor.model.side_loads = False
    assert rows(pages(made)) == with_include
    assert len(made.vendor.model.calls) == 1 + 1 + 3 * 5
    one = fetched(made, "3")
    assert json.loads(one.payload) == with_include[2]


def test_fields_lists_and_tags_are_in_order_with_states_and_dates_that_are_dates(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model, at = made.vendor.model, NOW - timedelta(hours=1)
    who = model.put("ada@example.com", at=at)
    for name, value in (("11", "0000-00-00"), ("2", "Engines"), ("5", "||a||b||")):
        model.set_value(who, name, value, at=at)
    for number, status in (("11", "0"), ("2", "2"), ("1", "3")):
        model.set_list(who, number, status, at=at)
    model.add_tag(who, "21", at=at)
    model.add_tag(who, "20", at=at)
    (one,) = rows(pages(made))
    assert list(one["fields"].items()) == [("2", "Engines"), ("5", ["a", "b"]), ("11", None)]
    assert [(row["audience"], row["state"], row["sdate"]) for row in one["lists"]] == [
        ("list-1", "bounced", None),
        ("list-2", "unsubscribed", None),
        ("list-11", "pending", None),
    ]
    assert [row["tag"] for row in one["tags"]] == ["20", "21"]
    assert (one["bounced_date"], one["deleted_at"]) == (None, None)
    assert {"ip", "hash", "links", "updated_utc_timestamp"}.isdisjoint(one)
    assert "ip4Sub" not in json.dumps(one)


def test_leaving_a_list_after_the_contacts_own_change_is_the_records_time(tmp_path: Path) -> None:
    """Otherwise an older yes could count for newer than this no."""
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    who = model.put("ada@example.com", at=NOW - timedelta(hours=2))
    model.set_list(who, "1", "2", at=NOW - timedelta(hours=1))
    model.contacts[who].fields["udate"] = model.text(NOW - timedelta(hours=2))
    assert pages(made)[0].records[0].source_at == NOW - timedelta(hours=1)


def test_a_tag_that_is_taken_off_again_does_not_make_the_contact_older(tmp_path: Path) -> None:
    """What is older than what is known is not taken over: the tag would stay for ever."""
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    who = model.put("ada@example.com", at=NOW - timedelta(hours=2))
    before = fetched(made, who).source_at
    model.add_tag(who, "20", at=NOW - timedelta(hours=1))
    model.contacts[who].fields["udate"] = model.text(NOW - timedelta(hours=2))
    assert fetched(made, who).source_at == before == NOW - timedelta(hours=2)


def test_somebody_erased_is_set_aside_for_a_person_and_nothing_of_them_is_kept(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(3)
    assert made.vendor is not None
    made.vendor.model.erase("2", at=NOW - timedelta(minutes=5))
    found = pages(made)
    (reject,) = [one for page in found for one in page.rejects]
    assert (reject.key, reject.reason, reject.locator) == ("2", "erasure_asked", "contact 2")
    assert '"syncd lead erase SOURCE:2 --yes"' in reject.message
    assert json.loads(reject.payload) == {"id": "2", "anonymized": "1", "udate": "2026-11-24T02:55:00-06:00"}
    assert [one["id"] for one in rows(found)] == ["1", "3"]
    assert fetched(made, "2") == reject


def test_a_contact_that_is_not_there_may_still_come(tmp_path: Path) -> None:
    assert fetched(case(tmp_path), "99") is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"contactLists": [{"contact": "1", "list": "1", "status": "1"}], "meta": {"total": "2"}}', SourceUnavailableError),
        (b'{"contactLists": [], "meta": {"total": "1"}}', SourceUnavailableError),
        (b'{"contactLists": ["what"]}', ContractError),
        (b'{"lists": []}', ContractError),
    ],
)
def test_memberships_that_are_not_all_there_are_not_taken_for_all(tmp_path: Path, answer: bytes, error: type[Exception]) -> None:
    """A withdrawal could be among those that are missing."""
    made = case(tmp_path)
    made.fill(1)
    assert made.vendor is not None
    made.vendor.model.side_loads = False
    made.vendor.line.distort = lambda request, body: answer if "/contactLists" in request.url else body
    with pytest.raises(error):
        pages(made)
    with pytest.raises(error):
        fetched(made, "1")


@pytest.mark.parametrize("number", ["1" * 30, "٣", True, [1], {}])
def test_a_contact_whose_id_is_none_stops_no_other(tmp_path: Path, number: Any) -> None:
    made = case(tmp_path)
    made.fill(3)
    assert made.vendor is not None
    made.vendor.model.contacts["2"].fields["id"] = number
    found = pages(made)
    assert {"1", "3"} <= {one["id"] for one in rows(found)}
    assert sum(len(page.records) + len(page.rejects) for page in found) == 3


# ---------------------------------------------------------------------- events


def delivery(body: bytes) -> Delivery:
    return Delivery("campaigns", NOW, body, content_type="application/x-www-form-urlencoded", sequence=3)


def test_an_event_names_the_contact_whatever_else_it_says() -> None:
    body = b"type=unsubscribe&date_time=2026-11-24T02:50:00-06:00&initiated_from=public&contact%5Bid%5D=10&contact%5Bemail%5D=ada%40example.com"
    (one,) = CONNECTOR.parse(delivery(body), KNOWN)
    assert isinstance(one, Wanted)
    assert (one.key, one.at, one.locator) == ("10", NOW - timedelta(minutes=10), "contact 10")
    assert "ada" not in one.payload.decode()


@pytest.mark.parametrize(
    "body", [b"", b"type=update", b"contact[id]=", b"contact[id]=x/../y", b"contact[id]=%d9%a1", b"contact[id]=-1", b"\xff=1"]
)
def test_an_event_without_a_contact_is_kept_as_it_came(body: bytes) -> None:
    (one,) = CONNECTOR.parse(delivery(body), KNOWN)
    assert isinstance(one, Reject)
    assert (one.key, one.reason, one.payload) == ("delivery-3", "no_contact", body)


def test_what_changes_no_contact_is_thanked_for_and_not_kept() -> None:
    """Opens come by the thousand: each would be a call of five in a second."""
    for kind, is_kept in (
        ("subscribe", True),
        ("unsubscribe", True),
        ("contact_tag_added", True),
        ("bounce", True),
        ("something_new", True),
        ("open", False),
        ("click", False),
        ("deal_update", False),
    ):
        body = f"type={kind}&contact[id]=1".encode()
        verdict = CONNECTOR.verify(HttpRequest("POST", {}, {}, body, ACTIVECAMPAIGN_PATH), KNOWN, NOW)
        assert (verdict.refusal, verdict.status, verdict.is_stored) == ("", 200, is_kept), kind


@pytest.mark.parametrize("tail", ["", "x", f"{ACTIVECAMPAIGN_PATH}/x"])
def test_a_wrong_end_of_the_address_is_404_and_never_410(tail: str) -> None:
    """410 would switch the webhook off for good."""
    verdict = CONNECTOR.verify(HttpRequest("POST", {}, {}, b"type=update", tail), KNOWN, NOW)
    assert (verdict.refusal, verdict.status) == ("unknown_source", 404)


# ---------------------------------------------------------------------- options


def test_the_address_is_the_accounts_own_with_or_without_the_root_of_the_api() -> None:
    for given in ("https://acme.api-us1.com", "https://acme.api-us1.com/", "https://acme.api-us1.com/api/3"):
        assert ActiveCampaignOptions(api_key=Secret("k", "t"), base_url=given).base_url == "https://acme.api-us1.com/api/3"
    with pytest.raises(ValueError, match="list-7"):
        ActiveCampaignOptions(**{**OPTIONS, "audiences": ["7"]})


def test_the_check_names_fields_and_lists_with_their_numbers(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(2)
    health = CONNECTOR.check(made.session, KNOWN)
    assert health.ok
    assert "The key is accepted; 2 contacts." in health.findings
    assert "Fields: 2 COMPANY, 5 TOPICS." in health.findings
    assert "Lists: 1 Newsletter, 2 Events." in health.findings
    assert made.vendor is not None
    made.vendor.model.side_loads = False
    assert any("three more calls" in one for one in CONNECTOR.check(made.session, KNOWN).findings)
    assert isinstance(pages(made)[0].records[0], Record)
