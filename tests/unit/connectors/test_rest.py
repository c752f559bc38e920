"""rest beyond the contract suite: lists that move, what a description may say, where it is wrong, what services do that nobody described."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from connectors.rest import CONNECTOR, RestOptions
from connectors.rest.ends import next_of
from connectors.rest.options import UpdatedAt
from connectors.rest.reading import time_of
from connectors.rest.window import Grain
from syncd.connector import Page, Secret
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http import TokenCache
from syncd.sandbox.vendors.rest import REST_CLIENT_SECRET, REST_REFRESH_TOKEN
from tests.contract.connectors.cases import rest, rest_link, rest_offset, rest_plain, rest_post, rest_token, rest_whole
from tests.contract.connectors.cases.rest import OPTIONS, SORTED, made
from tests.contract.connectors.kit import NOW, Case, Nowhere


def pages(case: Case, cursor: Any = None) -> list[Page]:
    options = RestOptions(**case.options)
    return list(CONNECTOR.pull(case.session, options, "records", cursor, case.clock.now()))


def keys(found: list[Page]) -> list[str]:
    return [one.key for page in found for one in page.records]


def error_of(case: Case, cursor: Any = None) -> SyncdError:
    with pytest.raises(SyncdError) as caught:
        pages(case, cursor)
    return caught.value


def answers(case: Case, *bodies: Any) -> None:
    """The service gives these, the last one for ever."""
    left = list(bodies)

    def distort(request: Any, body: bytes) -> bytes:
        del request, body
        return json.dumps(left.pop(0) if len(left) > 1 else left[0]).encode()

    assert case.vendor is not None
    case.vendor.line.distort = distort


def model_of(case: Case) -> Any:
    assert case.vendor is not None
    return case.vendor.model


def page_of(*records: Mapping[str, Any], **meta: Any) -> dict[str, Any]:
    return {"data": {"items": list(records)}, "meta": {"total": len(records), **meta}}


def with_options(case: Case, **more: Any) -> Case:
    case.options = {**case.options, **more}
    return case


# ---------------------------------------------------------------- lists that move


@pytest.mark.parametrize("style", [rest, rest_offset, rest_token, rest_link, rest_post, rest_whole])
def test_nothing_is_passed_over_while_records_leave_their_place(style: Any, tmp_path: Path) -> None:
    """After every page a record that was read is edited: those behind it move up by one."""
    case = style.case(tmp_path)
    case.fill(100)
    model = model_of(case)
    before = set(model.leads)

    def edit(model: Any, _: str) -> None:
        model.put(f"person{len(model.calls)}@example.com", at=case.clock.now(), title="edited")

    model.page_served = edit
    found = pages(case)
    model.page_served = None
    case.clock.advance(3600)
    assert set(keys(found)) | set(keys(pages(case, found[-1].cursor))) == before


@pytest.mark.parametrize("style", ["page", "offset"])
def test_a_crowd_in_one_second_is_read_through_while_it_thins_out(style: str, tmp_path: Path) -> None:
    """Forty records of one second, pages of seven: only numbers lead through, and each page three leave."""
    paging = {"type": style, "size": 7, "end": "total", "end_path": "meta.total"}
    case = made(tmp_path, style, {"paging": paging, "cursor": SORTED}, is_ordered=True)
    model = model_of(case)
    for number in range(40):
        model.put(f"crowd{number}@example.com", at=NOW - timedelta(seconds=900))
    leaving = iter(range(30))

    def leave(model: Any, _: str) -> None:
        for _turn in range(3):
            number = next(leaving, None)
            if number is not None:
                model.put(f"crowd{number}@example.com", at=case.clock.now())

    model.page_served = leave
    found = pages(case)
    assert found[-1].is_last
    case.clock.advance(3600)
    assert set(keys(found)) | set(keys(pages(case, found[-1].cursor))) == set(model.leads)


def test_a_record_that_is_listed_late_is_found_within_the_overlap(tmp_path: Path) -> None:
    case = rest.case(tmp_path)
    case.session = type(case.session)(tmp_path, overlap_seconds=300.0, http=case.session.http)
    model = model_of(case)
    model.put("first@example.com", at=NOW - timedelta(seconds=120))
    model.delay_seconds = 300.0
    late = model.put("late@example.com", at=NOW - timedelta(seconds=100))
    model.delay_seconds = 0.0
    model.put("second@example.com", at=NOW - timedelta(seconds=80))
    first = pages(case)
    assert late not in keys(first)
    case.clock.advance(400)
    assert late in keys(pages(case, first[-1].cursor))


def test_a_whole_list_is_given_from_where_it_differs(tmp_path: Path) -> None:
    case = rest_whole.case(tmp_path)
    case.fill(30)
    first = pages(case)
    model_of(case).put("person0@example.com", at=NOW - timedelta(seconds=5400), title="edited")  # the oldest: on the last page
    again = pages(case, first[-1].cursor)
    assert "L1" in keys(again)
    assert len(keys(again)) < 10
    assert keys(pages(case, again[-1].cursor)) == []


def test_what_went_back_to_how_it_was_is_given_again(tmp_path: Path) -> None:
    """B A, then a walk that breaks off behind a newer A, then B A again: the newer A must not stand."""
    case = with_options(
        rest.case(tmp_path), cursor=None, paging={"type": "page", "size": 1, "end": "total", "end_path": "meta.total"}
    )
    a1, a2, b1 = ({"id": one[0], "v": one[1]} for one in ("a1", "a2", "b1"))
    two = {"total": 2}
    answers(case, page_of(b1, **two), page_of(a1, **two))
    first = pages(case)
    answers(case, page_of(a2, **two))
    options = RestOptions(**case.options)
    second = next(iter(CONNECTOR.pull(case.session, options, "records", first[-1].cursor, NOW)))
    assert [json.loads(one.payload)["v"] for one in second.records] == ["2"]
    answers(case, page_of(b1, **two), page_of(a1, **two))
    assert keys(pages(case, second.cursor)) == ["b", "a"]


# ---------------------------------------------------------------- services that are not as described


def test_a_service_that_does_not_heed_since_is_found_out(tmp_path: Path) -> None:
    case = rest.case(tmp_path)
    case.fill(100)
    model_of(case).heeds_since = False
    error = error_of(case)
    assert isinstance(error, ContractError)
    assert error.page
    health = CONNECTOR.check(case.session, RestOptions(**case.options))
    assert not health.ok
    assert any("updated_since" in one for one in health.findings)


def test_pages_smaller_than_described_are_an_error_that_says_the_size(tmp_path: Path) -> None:
    """A service that gives at most five where seven were asked for: numbers would lead past records."""
    paging = {"type": "page", "size": 7, "end": "total", "end_path": "meta.total"}
    case = with_options(rest.case(tmp_path), paging=paging)
    rows = [{"id": n, "updated_at": "2026-11-24T08:00:00Z"} for n in range(5)]
    answers(case, page_of(*rows, total=50))
    error = error_of(case)
    assert isinstance(error, ContractError)
    assert "5 records in a page where 7" in str(error)
    assert "paging.size" in error.advice


def test_a_service_that_does_not_know_the_number_of_a_page_is_found_out(tmp_path: Path) -> None:
    case = with_options(rest.case(tmp_path), cursor=None, paging={"type": "page", "size": 2, "end": "empty_page"})
    answers(case, page_of({"id": 1}, {"id": 2}))
    assert isinstance(error_of(case), SourceUnavailableError)
    crowd = [{"id": n, "updated_at": "2026-11-24T08:00:00Z"} for n in range(7)]
    ordered = rest.case(tmp_path)
    answers(ordered, page_of(*crowd, total=50))
    assert isinstance(error_of(ordered), SourceUnavailableError)


def test_a_list_out_of_order_is_an_error_where_order_was_described(tmp_path: Path) -> None:
    case = rest_token.case(tmp_path)
    case.fill(20)
    case.options["cursor"] = {"since": "updated_since", "is_sorted": True}  # it is newest first
    error = error_of(case)
    assert isinstance(error, ContractError)
    assert "cursor.sort" in error.advice


@pytest.mark.parametrize(
    "link",
    ["https://evil.test/v1/leads?cursor=x", "http://rest.test/v1/leads", "//evil.test/leads", "https://rest.test:8443/v1/leads"],
)
def test_a_link_to_another_host_is_not_followed(link: str, tmp_path: Path) -> None:
    case = with_options(rest_link.case(tmp_path), records="data.items", paging={"type": "link", "path": "meta.next"})
    answers(case, page_of({"id": 1}, next=link))
    error = error_of(case)
    assert isinstance(error, ContractError)
    assert "another host" in str(error)
    assert model_of(case).call_count == 1
    assert "evil" not in str(error)


def test_a_link_may_be_relative(tmp_path: Path) -> None:
    case = with_options(rest_link.case(tmp_path), records="data.items", paging={"type": "link", "path": "meta.next"})
    answers(case, page_of({"id": 1}, next="leads?page=2"), page_of({"id": 2}))
    assert keys(pages(case)) == ["1", "2"]
    assert model_of(case).calls[-1].query == {"page": "2"}
    assert model_of(case).calls[-1].path == "/v1/leads"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ('<https://a.test/x?page=2>; rel="next"', "https://a.test/x?page=2"),
        ('<https://a.test/?p=1,2>; rel="prev", </x?p=3>; rel=next', "/x?p=3"),
        ('<https://a.test/1>; title="a, b"; rel="last next"', "https://a.test/1"),
        ('<https://a.test/1>; rel="nextish"', None),
        ("<https://a.test/1", None),
    ],
)
def test_links_of_the_header(header: str, expected: str | None) -> None:
    """RFC 8288, 3."""
    assert next_of(header) == expected


def test_a_short_page_is_the_end_only_where_it_is_described_so(tmp_path: Path) -> None:
    short = with_options(rest.case(tmp_path), cursor=None, paging={"type": "page", "size": 2, "end": "short_page"})
    answers(short, page_of({"id": 1}, {"id": 2}), page_of({"id": 3}))
    assert keys(pages(short)) == ["1", "2", "3"]
    assert model_of(short).call_count == 2
    filtered = with_options(rest.case(tmp_path), cursor=None, paging={"type": "page", "size": 2, "end": "empty_page"})
    answers(filtered, page_of({"id": 1}), page_of({"id": 2}, {"id": 3}), page_of())
    assert keys(pages(filtered)) == ["1", "2", "3"]


@pytest.mark.parametrize("style", ["page", "offset"])
@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 21])
def test_an_empty_page_is_the_end_of_a_sorted_list_where_it_is_described_so(style: str, count: int, tmp_path: Path) -> None:
    case = made(tmp_path, style, {"paging": {"type": style, "size": 7, "end": "empty_page"}, "cursor": SORTED}, is_ordered=True)
    case.fill(count)
    assert len(keys(pages(case))) == count


def test_the_number_of_pages_says_the_end(tmp_path: Path) -> None:
    paging = {"type": "page", "size": 7, "end": "pages", "end_path": "meta.pages"}
    case = with_options(rest.case(tmp_path), paging=paging)
    case.fill(50)
    assert len(keys(pages(case))) == 50


def test_a_count_that_is_none_stops_the_stream(tmp_path: Path) -> None:
    case = rest.case(tmp_path)
    answers(case, page_of({"id": 1}, total="many"))
    error = error_of(case)
    assert isinstance(error, ContractError)
    assert "end_path: meta.total" in str(error)


def test_the_next_page_is_asked_for_by_the_last_record_where_it_is_described_so(tmp_path: Path) -> None:
    paging = {"type": "token", "param": "starting_after", "last_record": "id", "end": "has_more", "end_path": "meta.has_more"}
    case = with_options(rest.case(tmp_path), cursor=None, paging=paging)
    answers(case, page_of({"id": 1}, {"id": 2}, has_more=True), page_of({"id": 3}, has_more=False))
    assert keys(pages(case)) == ["1", "2", "3"]
    assert model_of(case).calls[-1].query["starting_after"] == "2"


def test_more_without_a_token_is_no_end(tmp_path: Path) -> None:
    case = rest_post.case(tmp_path)
    answers(case, page_of({"id": 1}, has_more=True, next_cursor=None))
    error = error_of(case)
    assert isinstance(error, SourceUnavailableError)
    assert error.page


def test_a_search_sends_its_parameters_at_their_paths(tmp_path: Path) -> None:
    case = rest_post.case(tmp_path)
    case.fill(10)
    sent: list[Any] = []

    def keep(request: Any, body: bytes) -> bytes:
        sent.append(json.loads(request.body))
        return body

    assert case.vendor is not None
    case.vendor.line.distort = keep
    first = pages(case)
    assert sent[0] == {"filter": {"status": "open"}, "page": {"limit": 7}}
    assert set(sent[1]["page"]) == {"limit", "after"}
    pages(case, first[-1].cursor)
    assert sent[-1]["filter"]["status"] == "open"
    assert sent[-1]["filter"]["since"].endswith("Z")


# ---------------------------------------------------------------- records


def test_keys_are_joined_and_what_could_be_an_address_is_hashed(tmp_path: Path) -> None:
    case = with_options(rest_plain.case(tmp_path), key=["account.id", "email"])
    answers(
        case,
        page_of({"account": {"id": 7}, "email": "ada@example.com"}, {"account": {"id": 7}, "email": "ada"}, {"account": None}),
    )
    (found,) = pages(case)
    first, second = found.records
    assert "@" not in first.key
    assert first.key.startswith("h")
    assert second.key == "7/ada"
    (reject,) = found.rejects
    assert (reject.reason, reject.message) == ("no_key", "A record has no usable value at key: account.id, email.")


def test_joined_keys_cannot_be_mistaken_for_each_other(tmp_path: Path) -> None:
    case = with_options(rest_plain.case(tmp_path), key=["a", "b"])
    answers(case, page_of({"a": "1/2", "b": "3"}, {"a": "1", "b": "2/3"}))
    assert len(set(keys(pages(case)))) == 2


def test_a_payload_is_as_it_came(tmp_path: Path) -> None:
    case = with_options(rest_plain.case(tmp_path), records="")
    assert case.vendor is not None
    case.vendor.line.distort = lambda request, body: b'[ {"id": 1.0e0, "id": 7 , "big": 123456789012345678901234567890} ]'
    (found,) = pages(case)
    assert found.records[0].payload == b'{"id": 1.0e0, "id": 7 , "big": 123456789012345678901234567890}'


def test_what_is_left_out_is_not_stored_and_no_change(tmp_path: Path) -> None:
    case = with_options(rest_plain.case(tmp_path), leave_out=["_links", "ip"])
    answers(
        case,
        page_of({"id": 7, "ip": "10.1.2.3", "_links": {"self": "1"}, "email": "ada@example.com"}, {"id": None, "ip": "10.1.2.3"}),
    )
    (found,) = pages(case)
    assert found.records[0].payload == b'{"id":7,"email":"ada@example.com"}'
    assert found.rejects[0].payload == b'{"id":null}'
    answers(case, page_of({"id": 7, "ip": "10.9.9.9", "_links": {"self": "2"}, "email": "ada@example.com"}, {"id": None}))
    assert keys(pages(case, found.cursor)) == []


def test_null_for_the_list_is_an_empty_one_and_no_list_is_an_error(tmp_path: Path) -> None:
    case = rest_plain.case(tmp_path)
    answers(case, {"data": {"items": None}})
    assert [page.is_last for page in pages(case)] == [True]
    for wrong in ({"data": []}, {"data": {"items": {}}}, {"data": {"items": "x"}}, [], None, 7):
        answers(case, wrong)
        assert isinstance(error_of(case), ContractError)


@pytest.mark.parametrize(
    ("value", "described", "expected"),
    [
        ("2026-03-01T10:00:00Z", {}, "2026-03-01T10:00:00+00:00"),
        ("2026-03-01T10:00:00+0100", {}, "2026-03-01T09:00:00+00:00"),
        ("2026-03-01T10:00:00.123456789Z", {}, "2026-03-01T10:00:00.123456+00:00"),
        ("2026-03-01T10:00:00", {}, None),
        ("2026-03-01T10:00:00", {"zone": "Asia/Jakarta"}, "2026-03-01T03:00:00+00:00"),
        (1772359200, {}, None),
        (1772359200, {"format": "unix"}, "2026-03-01T10:00:00+00:00"),
        ("1772359200000", {"format": "unix_ms"}, "2026-03-01T10:00:00+00:00"),
        (True, {"format": "unix"}, None),
        ("nan", {"format": "unix"}, None),
        ("01.03.2026 10:00", {"format": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin"}, "2026-03-01T09:00:00+00:00"),
        ("0000-00-00", {}, None),
        (None, {"format": "%d.%m.%Y", "zone": "UTC"}, None),
    ],
)
def test_times_of_records(value: Any, described: dict[str, Any], expected: str | None) -> None:
    found = time_of(value, UpdatedAt(path="at", **described))
    assert (found.isoformat() if found else None) == expected


@pytest.mark.parametrize(
    ("pattern", "zone", "text", "next_text"),
    [
        ("iso", "UTC", "2026-03-01T22:30:15Z", "2026-03-01T22:30:16Z"),
        ("unix", "UTC", 1772404215, 1772404216),
        ("unix_ms", "UTC", 1772404215000, 1772404216000),
        ("%Y-%m-%d %H:%M", "Asia/Jakarta", "2026-03-02 05:30", "2026-03-02 05:31"),
        ("%Y-%m-%d", "Asia/Jakarta", "2026-03-02", "2026-03-03"),
        ("%m/%d/%Y", "America/New_York", "03/01/2026", "03/02/2026"),
    ],
)
def test_times_as_parameters_tell_them(pattern: str, zone: str, text: Any, next_text: Any) -> None:
    grain = Grain(pattern, ZoneInfo(zone))
    at = datetime(2026, 3, 1, 22, 30, 15, 700_000, tzinfo=UTC)
    unit = grain.unit(at)
    assert (grain.text(unit), grain.text(unit + 1)) == (text, next_text)
    begin = grain.begin_of(at)
    assert begin is not None
    assert begin <= at
    assert grain.unit(begin) == unit
    assert grain.unit(begin - timedelta(microseconds=1)) == unit - 1


@pytest.mark.parametrize("style", ["page", "token"])
def test_a_service_that_knows_only_days_loses_nothing(style: str, tmp_path: Path) -> None:
    """Three hundred records of one day: since cannot lead through them."""
    paging = {"type": style, "size": 20, "end": "has_more", "end_path": "meta.has_more"}
    paging |= {"param": "cursor", "path": "meta.next_cursor"} if style == "token" else {}
    case = made(tmp_path, style, {"paging": paging, "cursor": {**SORTED, "format": "%Y-%m-%d"}}, is_ordered=True)
    case.fill(300)
    found = pages(case)
    assert len(set(keys(found))) == len(keys(found)) == 300
    case.clock.advance(86_400)
    case.fill(310)
    assert set(keys(pages(case, found[-1].cursor))) >= {f"L{number}" for number in range(301, 311)}


def test_a_time_far_in_the_future_counts_as_none(tmp_path: Path) -> None:
    """Else the record would be kept back until then."""
    for style in (rest_plain, rest, rest_token):
        case = style.case(tmp_path)
        model_of(case).put("ada@example.com", at=NOW + timedelta(days=4_000))
        (record,) = (one for page in pages(case) for one in page.records)
        assert record.source_at is None


def test_what_is_too_fresh_is_given_the_next_time(tmp_path: Path) -> None:
    for style in (rest_plain, rest, rest_offset, rest_token, rest_link, rest_post, rest_whole):
        case = style.case(tmp_path)
        model_of(case).put("old@example.com", at=NOW - timedelta(seconds=600))
        model_of(case).put("fresh@example.com", at=NOW - timedelta(seconds=10))
        first = pages(case)
        assert keys(first) == ["L1"]
        case.clock.advance(60)
        assert "L2" in keys(pages(case, json.loads(json.dumps(first[-1].cursor))))


# ---------------------------------------------------------------- logins, limits, check


def test_a_token_that_ends_in_mid_walk_is_renewed_once(tmp_path: Path) -> None:
    case = rest_token.case(tmp_path)
    case.fill(100)
    model = model_of(case)
    served = iter(range(1000))

    def end(model: Any, _: str) -> None:
        if next(served) == 4:
            case.clock.advance(30)
            model.tokens.end_all()

    model.page_served = end
    assert len(set(keys(pages(case)))) == 100
    assert model.tokens.count == 2


def test_a_refresh_token_is_sent_until_another_one_is_given(tmp_path: Path) -> None:
    auth = {
        **rest_token.OAUTH2,
        "grant": "refresh_token",
        "refresh_token": Secret(REST_REFRESH_TOKEN, "test"),
        "client_in": "header",
    }
    case = with_options(rest_token.case(tmp_path), auth=auth)
    sent: list[str] = []

    def rotate(request: Any, body: bytes) -> bytes:
        if not request.url.endswith("/oauth/token"):
            return body
        sent.append(request.body.decode() if isinstance(request.body, bytes) else request.body)
        assert request.headers["Authorization"].startswith("Basic ")
        return json.dumps({**json.loads(body), "refresh_token": "newer"}).encode()

    assert case.vendor is not None
    case.vendor.line.distort = rotate
    # The sandbox knows clients by their body alone; this one stands there as well.
    case.vendor.line.bend = str
    keeper = Nowhere()
    case.session = replace_tokens(case, keeper)
    error = error_of(case)
    assert isinstance(error, AuthError)
    assert "client_in" in error.advice
    body = with_options(case, auth={**auth, "client_in": "body"})
    case.vendor.line.distort = lambda request, answer: (
        json.dumps({**json.loads(answer), "refresh_token": "newer"}).encode() if request.url.endswith("/oauth/token") else answer
    )
    pages(body)
    assert keeper.refresh.reveal() == "newer"
    assert "newer" not in repr(keeper.refresh)


def test_the_house_is_told_which_refresh_token_is_configured() -> None:
    auth = {**rest_token.OAUTH2, "grant": "refresh_token", "refresh_token": Secret(REST_REFRESH_TOKEN, "test")}
    assert RestOptions(**{**OPTIONS, "auth": auth}).refresh_token == Secret(REST_REFRESH_TOKEN, "test")
    assert RestOptions(**OPTIONS).refresh_token is None


def replace_tokens(case: Case, keeper: Nowhere) -> Any:
    one = case.session
    return type(one)(
        one.folder, one.settle_seconds, one.page_size_records, one.overlap_seconds, one.http, TokenCache(case.clock, keeper)
    )


def test_a_status_of_the_services_own_means_too_many_calls(tmp_path: Path) -> None:
    case = rest.case(tmp_path)
    case.fill(10)
    model_of(case).faults.add("forbidden", "/leads$", times=-1)
    assert isinstance(error_of(case), AuthError)
    assert isinstance(error_of(with_options(case, throttle=[403])), RateLimitedError)


def test_limits_are_what_the_options_say() -> None:
    limits = CONNECTOR.limits(RestOptions(**OPTIONS, limits={"calls_per_second": 0.5, "connections": 1}))
    assert (limits.calls_per_second, limits.connections) == (0.5, 1)


def test_a_check_says_what_it_found(tmp_path: Path) -> None:
    case = rest.case(tmp_path)
    case.fill(40)
    health = CONNECTOR.check(case.session, RestOptions(**case.options))
    assert health.ok
    said = " ".join(health.findings)
    assert "7 records on the first page, and there are more" in said
    assert "key: id was found and is different in each." in said
    assert "updated_at: updated_at was found in 7 of 7 records" in said
    assert "Fields of a record: email, id, last_name, updated_at." in said
    assert "updated_since is heeded: " in said


def test_a_path_to_the_token_that_leads_nowhere_is_suspected(tmp_path: Path) -> None:
    """To a pull it looks like the end."""
    case = rest_token.case(tmp_path)
    case.fill(40)
    wrong = {**case.options["paging"], "path": "meta.cursor"}
    health = CONNECTOR.check(case.session, RestOptions(**{**case.options, "paging": wrong}))
    assert any("full and names no next one at meta.cursor" in one for one in health.findings)
    right = CONNECTOR.check(case.session, RestOptions(**case.options))
    assert not any("names no next one" in one for one in right.findings)


@pytest.mark.parametrize(
    ("more", "finding"),
    [
        ({"records": "data.rows"}, 'no list of records at records: "data.rows"'),
        ({"key": "uuid"}, "7 of 7 records have nothing usable at key: uuid."),
        ({"key": "company"}, "but is not different in each."),
        ({"updated_at": {"path": "changed"}}, "updated_at: changed was found in 0 of 7 records: correct"),
        ({"path": "/people"}, "has nothing at /v1/people"),
        ({"auth": {"type": "bearer", "token": Secret("wrong", "test")}}, "refuses the login"),
    ],
)
def test_a_check_says_what_is_missing(more: dict[str, Any], finding: str, tmp_path: Path) -> None:
    case = with_options(rest.case(tmp_path), **more)
    model = model_of(case)
    for number in range(20):
        model.put(f"p{number}@example.com", at=NOW - timedelta(seconds=900 - number), company="Acme")
    health = CONNECTOR.check(case.session, RestOptions(**case.options))
    assert not health.ok
    assert any(finding in one for one in health.findings), health.findings
    assert not any("Acme" in one or "@" in one for one in health.findings)


# ---------------------------------------------------------------- descriptions


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"base_url": "http://api.example.com"}, "begins with https"),
        ({"path": "leads"}, "begins with /"),
        ({"path": "/leads?key=1"}, "holds no query"),
        ({"path": "/../admin"}, "holds no query"),
        ({"params": {"api_key": "x"}}, "never stands in an address"),
        ({"headers": {"X-Api-Key": "x"}}, "looks like a secret"),
        ({"headers": {"Host": "x"}}, "no header that can be set"),
        ({"headers": {"X-A": "a\r\nb"}}, "cannot be sent"),
        ({"key": []}, "path of what identifies"),
        ({"body": {}}, "body is for method: POST"),
        ({"parameters_in": "body"}, "is for method: POST"),
        ({"updated_at": None, "cursor": {"since": "s"}}, "needs updated_at"),
        ({"updated_at": {"path": "a", "format": "%d.%m.%Y"}}, "needs zone"),
        ({"updated_at": {"path": "a", "format": "rfc"}}, "format is iso, unix"),
        ({"updated_at": {"path": "a", "zone": "Berlin"}}, 'no time zone "Berlin"'),
        ({"paging": {"type": "page", "end": "total"}}, "needs end_path"),
        ({"paging": {"type": "page"}}, "end"),
        ({"paging": {"type": "offset", "end": "pages", "end_path": "x"}}, "end"),
        ({"paging": {"type": "token", "param": "c"}}, "path or last_record"),
        ({"paging": {"type": "token", "param": "c", "last_record": "id"}}, "with last_record the end is"),
        ({"paging": {"type": "page", "end": "empty_page"}, "cursor": {"since": "s"}}, "needs cursor.sort"),
        ({"auth": {**rest_token.OAUTH2, "grant": "refresh_token"}}, "needs refresh_token"),
        ({"throttle": [200]}, "greater than or equal to 400"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RestOptions(**{**OPTIONS, **more})


def test_no_secret_of_a_description_is_shown() -> None:
    auth = {**rest_token.OAUTH2, "grant": "refresh_token", "refresh_token": Secret(REST_REFRESH_TOKEN, "test")}
    one = RestOptions(**{**OPTIONS, "auth": auth, "headers": {"X-Key": Secret("hidden-key", "test")}})
    shown = f"{one} {one!r} {one.model_dump_json(fallback=str)}"
    assert not any(secret in shown for secret in (REST_CLIENT_SECRET, REST_REFRESH_TOKEN, "hidden-key"))
