"""Mailchimp beyond the contract suite: the window, the walk, several audiences, the archive, tags, odd members."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.mailchimp import CONNECTOR, MailchimpOptions
from syncd.clock import FixedClock
from syncd.connector import Page, Record, Secret, Session
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http import Caller, make_session
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from tests.contract.connectors.cases import Line

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SETTLE = 30


class Newsletter:
    """A Mailchimp account, a clock of our own, and pulls that go on where the last one ended."""

    def __init__(self, *audiences: str, page_size: int = 6, overlap: float = 300.0, **options: Any) -> None:
        self.clock = FixedClock(NOW)
        self.model = SandboxMailchimp(clock=self.clock)
        for list_id in audiences or ("L1",):
            self.model.add_audience(list_id, merge_fields=("FNAME", "LNAME"))
        self.page_size, self.overlap = page_size, overlap
        self.options = MailchimpOptions(
            api_key=Secret(MAILCHIMP_KEY, "test"), base_url="https://mailchimp.test/3.0", **{"audiences": ["L1"], **options}
        )
        self.session = self.connect()
        self.cursor: Any = None
        self.delivered: list[Record] = []

    def connect(self, model: SandboxMailchimp | None = None) -> Session:
        """A session to the account; `model` may be one whose clock differs from ours."""
        session = make_session()
        self.line = Line(model or self.model)
        session.mount("https://", self.line)
        caller = Caller(session, self.clock)
        return Session(Path(), settle_seconds=SETTLE, page_size_records=self.page_size, overlap_seconds=self.overlap, http=caller)

    def put(self, name: str, *, ago: float = 1000, list_id: str = "L1", **more: Any) -> str:
        """A member whose last change was some seconds ago."""
        return self.model.put(list_id, f"{name}@example.com", at=self.clock.now() - timedelta(seconds=ago), **more)

    def pages(self, cursor: Any = None) -> list[Page]:
        """A pull from a cursor, without moving ours."""
        return list(CONNECTOR.pull(self.session, self.options, "members", cursor, self.clock.now()))

    def pull(self) -> tuple[list[Page], SyncdError | None]:
        """A pull from our cursor, which moves with every page, as the inbox would."""
        found: list[Page] = []
        try:
            for page in CONNECTOR.pull(self.session, self.options, "members", self.cursor, self.clock.now()):
                found.append(page)
                self.cursor = json.loads(json.dumps(page.cursor))
                self.delivered += page.records
        except SyncdError as error:
            return found, error
        return found, None

    def calls(self, path: str = "") -> list[dict[str, str]]:
        """Queries of the calls so far to paths that end so."""
        return [one.query for one in self.model.calls if one.path.endswith(path)]


def names(pages: list[Page]) -> list[str]:
    """Whose records came, by the part before the @."""
    return [json.loads(record.payload)["email_address"].split("@")[0] for page in pages for record in page.records]


# ---------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("key", "root"),
    [("0123456789abcdef-us21", "https://us21.api.mailchimp.com/3.0"), ("x-y-eu1", "https://eu1.api.mailchimp.com/3.0")],
)
def test_the_keys_end_names_the_host(key: str, root: str) -> None:
    assert MailchimpOptions(api_key=Secret(key, "test")).root == root


@pytest.mark.parametrize("key", ["0123456789abcdef", "0123456789abcdef-", "key-US21", "key-us21 ", "key-evil.example.com/"])
def test_a_key_without_a_data_centre_is_a_mistake_of_configuration(key: str) -> None:
    with pytest.raises(ValidationError, match="data centre") as refused:
        MailchimpOptions(api_key=Secret(key, "test"))
    assert key not in "".join(str(one["msg"]) for one in refused.value.errors())
    assert MailchimpOptions(api_key=Secret(key, "test"), base_url="https://mc.test/3.0").root == "https://mc.test/3.0"


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://us1.api.mailchimp.com/3.0/", "https://us1.api.mailchimp.com/3.0"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/3.0"),
        ("http://localhost:8080/3.0", "http://localhost:8080/3.0"),
        ("http://[::1]:8080/", "http://[::1]:8080/3.0"),
    ],
)
def test_another_root_is_taken_as_meant(url: str, root: str) -> None:
    assert MailchimpOptions(api_key=Secret("key", "test"), base_url=url).root == root


@pytest.mark.parametrize(
    "url",
    ["http://example.com/3.0", "ftp://127.0.0.1/", "example.com", "https://a:b@example.com/", "http://127.0.0.1.example.com/"],
)
def test_a_key_is_never_sent_in_the_clear_to_another_machine(url: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        MailchimpOptions(api_key=Secret("key-us1", "test"), base_url=url)


def test_an_audience_is_named_by_its_id() -> None:
    with pytest.raises(ValidationError, match="Audience ID"):
        MailchimpOptions(api_key=Secret("key-us1", "test"), audiences=["My Newsletter"])


# ---------------------------------------------------------------------- what is asked


def test_every_question_is_sorted_bounded_and_without_empty_filters() -> None:
    news = Newsletter(page_size=3)
    for number in range(20):
        news.put(f"p{number}", ago=1000 - number)
    news.pull()
    news.clock.advance(600)
    news.pull()
    asked = news.calls("/members")
    assert len(asked) > 7
    for query in asked:
        assert (query["sort_field"], query["sort_dir"], query["count"]) == ("last_changed", "ASC", "3")
        assert "" not in query.values()
        for bound in {"since_last_changed", "before_last_changed"} & set(query):
            assert datetime.fromisoformat(query[bound]).utcoffset() == timedelta()
            assert query[bound].endswith("+00:00")
        assert "members.tags_count" in query["fields"]
        assert "before_last_changed" in query
    assert "since_last_changed" not in asked[0]


def test_a_record_is_the_members_own_bytes() -> None:
    news = Newsletter(reconcile_hours=0)
    contact_id = news.put("ada", ago=100, merge_fields={"FNAME": "Ada \U0001f600"})
    (page,) = news.pages()
    (record,) = page.records
    assert record.key == contact_id
    assert record.locator == f"audience L1 member {contact_id}"
    assert record.source_at == NOW - timedelta(seconds=100)
    answer = news.session.http.get(
        "https://mailchimp.test/3.0/lists/L1/members",
        dict[str, Any],  # type: ignore[arg-type]
        params={"fields": news.calls("/members")[0]["fields"]},
        headers={"Authorization": f"Bearer {MAILCHIMP_KEY}"},
    )
    assert record.payload in answer.body


# ---------------------------------------------------------------------- the window


def test_the_window_ends_before_the_runs_start_and_the_cursor_with_it() -> None:
    news = Newsletter(reconcile_hours=0)
    news.put("old", ago=SETTLE + 1)
    news.put("edge", ago=SETTLE)
    news.put("fresh", ago=SETTLE - 1)
    (page,) = news.pages()
    assert names([page]) == ["old", "edge"]
    assert page.cursor["audiences"]["L1"]["at"] == (NOW - timedelta(seconds=SETTLE)).isoformat()


@pytest.mark.parametrize("skew", [-600, 600])
def test_the_window_ends_by_the_earlier_of_two_clocks_and_a_difference_is_told(skew: int) -> None:
    news = Newsletter(reconcile_hours=0)
    theirs = SandboxMailchimp(clock=FixedClock(NOW + timedelta(seconds=skew)))
    theirs.add_audience("L1")
    news.session = news.connect(theirs)
    end = NOW + timedelta(seconds=min(skew, 0) - SETTLE)
    theirs.put("L1", "in@example.com", at=end)
    theirs.put("L1", "beyond@example.com", at=end + timedelta(seconds=1))
    (page,) = news.pages()
    assert names([page]) == ["in"]
    assert page.is_last
    assert page.cursor["audiences"]["L1"]["at"] == end.isoformat()
    assert "600 s" in page.notice


def test_clocks_that_agree_are_not_worth_a_word() -> None:
    assert [page.notice for page in Newsletter().pages()] == [""]


def test_a_vendors_clock_that_is_a_day_behind_never_reads_as_nothing_new() -> None:
    news = Newsletter()
    theirs = SandboxMailchimp(clock=FixedClock(NOW - timedelta(days=2)))
    theirs.add_audience("L1")
    news.session = news.connect(theirs)
    with pytest.raises(ContractError, match="clock"):
        news.pages()


def test_the_cursor_never_goes_back_when_our_clock_does() -> None:
    news = Newsletter()
    news.pull()
    before = news.cursor["audiences"]["L1"]["at"]
    news.clock.advance(-3600)
    found, error = news.pull()
    assert error is None
    assert found[-1].cursor["audiences"]["L1"]["at"] == before


def test_a_pull_looks_again_behind_its_cursor() -> None:
    news = Newsletter(overlap=300)
    news.pull()
    news.clock.advance(600)
    news.model.put_late("L1", "late@example.com", at=NOW - timedelta(seconds=SETTLE + 295))
    found, _ = news.pull()
    assert names(found) == ["late"]


# ---------------------------------------------------------------------- the cost of nothing


@pytest.mark.parametrize("options", [{"audiences": ["L1", "L2", "L3"]}, {"audiences": []}], ids=["chosen", "all"])
def test_a_pull_without_news_is_one_call_per_audience_and_one_empty_page(options: dict[str, Any]) -> None:
    news = Newsletter("L1", "L2", "L3", **options)
    for list_id in ("L1", "L2", "L3"):
        news.put("somebody", list_id=list_id)
    news.pull()
    news.clock.advance(900)
    before = news.model.call_count
    found, error = news.pull()
    assert error is None
    assert news.model.call_count == before + 3
    assert [(page.records, page.is_last) for page in found] == [((), True)]


def test_a_new_audience_is_found_within_the_hour() -> None:
    news = Newsletter("L1", audiences=[])
    news.pull()
    news.model.add_audience("L2")
    news.put("new", list_id="L2")
    news.clock.advance(3600)
    assert names(news.pull()[0]) == ["new"]


# ---------------------------------------------------------------------- the walk


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("count", [5, 6, 7, 12, 40])
def test_equal_seconds_across_pages_lose_nobody_and_double_nobody(count: int, *, inclusive: bool) -> None:
    news = Newsletter(page_size=6)
    news.model.bounds_are_inclusive = inclusive
    for number in range(count):
        news.put(f"before{number}", ago=2000)
        news.put(f"same{number}", ago=1000)
        news.put(f"after{number}", ago=999)
    found = names(news.pages())
    assert len(found) == len(set(found)) == 3 * count


def test_a_long_run_of_equal_seconds_survives_people_who_leave_it() -> None:
    """Offsets move by more than the overlap: the walk steps back."""
    news = Newsletter(page_size=10)
    for number in range(60):
        news.put(f"p{number:02d}", ago=1000)
    left: list[str] = []

    def leave(model: SandboxMailchimp, list_id: str, offset: int) -> None:
        for _ in range(4 if offset > 0 and len(left) < 20 else 0):
            name = f"p{len(left):02d}@example.com"
            left.append(name)
            model.unsubscribe(list_id, name)

    news.model.between_pages(leave)
    found, error = news.pull()
    assert error is None
    assert len(left) == 20
    assert {f"p{number:02d}" for number in range(20, 60)} <= set(names(found))


def test_a_long_run_of_equal_seconds_costs_little_more_than_its_pages() -> None:
    news = Newsletter(page_size=10, reconcile_hours=0)
    for number in range(60):
        news.put(f"p{number:02d}", ago=1000)
    news.pull()
    assert len(news.calls("/members")) <= 8


def test_somebody_who_joins_a_run_before_the_place_of_reading_is_not_passed_over() -> None:
    """Old members are dated into the very second that is being read; the vendor sorts some of them before the place."""
    news = Newsletter(page_size=6)
    joiners = [f"joiner{number}" for number in range(8)]
    for joiner in joiners:
        news.put(joiner, ago=5000)
    for number in range(30):
        news.put(f"p{number:02d}", ago=1000)

    def join(model: SandboxMailchimp, list_id: str, offset: int) -> None:
        if offset == 10:
            model.between_pages(None)
            for joiner in joiners:
                model.put(list_id, f"{joiner}@example.com", merge_fields={"FNAME": "again"}, at=NOW - timedelta(seconds=1000))

    news.model.between_pages(join)
    found, error = news.pull()
    assert error is None
    assert news.model.page_served is None
    assert {joiner: names(found).count(joiner) for joiner in joiners} == dict.fromkeys(joiners, 2)


def test_somebody_edited_within_the_second_that_is_read_again_is_given_again() -> None:
    news = Newsletter(page_size=4)
    for number in range(8):
        news.put(f"p{number}", ago=1000)
    last = names(news.pages())[3]

    def edit(model: SandboxMailchimp, list_id: str, offset: int) -> None:
        model.between_pages(None)
        model.put(list_id, f"{last}@example.com", merge_fields={"FNAME": "again"}, at=NOW - timedelta(seconds=1000))

    news.model.between_pages(edit)
    found, _ = news.pull()
    assert names(found).count(last) == 2
    assert len(names(found)) == 9


def test_the_cursor_of_a_page_stays_a_second_behind_its_last_row() -> None:
    """More rows of that second may follow on the next page."""
    news = Newsletter(page_size=4)
    for number in range(20):
        news.put(f"p{number}", ago=1000 - number // 3)
    pages = [page for page in news.pages() if page.records]
    for page in pages[:-1]:
        last = page.records[-1].source_at
        assert last is not None
        assert datetime.fromisoformat(page.cursor["audiences"]["L1"]["at"]) == last - timedelta(seconds=1)


def test_a_run_that_never_comes_to_rest_is_left_for_the_next_run() -> None:
    """Behind the first page there are other people each time: nothing says that nobody was passed over."""
    news = Newsletter(page_size=4)
    for number in range(20):
        news.put(f"p{number:02d}", ago=1000)
    numbers = itertools.count()

    def others(request: Any, body: bytes) -> bytes:
        page = json.loads(body)
        if "offset=" in request.url:
            page["members"] = [{**one, "contact_id": f"other{next(numbers)}"} for one in page["members"]]
        return json.dumps(page).encode()

    news.line.distort = others
    found, error = news.pull()
    assert isinstance(error, SourceUnavailableError)
    assert "faster" in str(error)
    assert len(names(found)) == 4
    assert len(news.calls("/members")) < 50


def test_a_whole_audience_instead_of_a_window_is_an_alarm() -> None:
    """The documented trap: a bound that is not understood is not refused (MailChimp.Net issue 525)."""
    news = Newsletter()
    news.put("old", ago=90_000)
    news.put("newer", ago=80_000)
    news.pull()
    news.clock.advance(900)

    def without_since(url: str) -> str:
        parts = urlsplit(url)
        query = "&".join(one for one in parts.query.split("&") if not one.startswith("since_last_changed"))
        return urlunsplit(parts._replace(query=query))

    news.line.bend = without_since
    before = news.cursor
    found, error = news.pull()
    assert isinstance(error, ContractError)
    assert b"old@example.com" in error.page
    assert not names(found)
    assert news.cursor["audiences"] == before["audiences"]


def test_members_out_of_order_are_an_alarm() -> None:
    news = Newsletter()
    for number in range(5):
        news.put(f"p{number}", ago=1000 - number)

    def shuffled(request: Any, body: bytes) -> bytes:
        page = json.loads(body)
        return json.dumps({**page, "members": page["members"][::-1]}).encode()

    news.line.distort = shuffled
    found, error = news.pull()
    assert isinstance(error, ContractError)
    assert "order" in str(error)
    assert not names(found)


def test_a_short_page_is_asked_for_again_and_is_never_the_end() -> None:
    news = Newsletter(page_size=6)
    for number in range(20):
        news.put(f"p{number}", ago=1000 - number)

    def short(request: Any, body: bytes) -> bytes:
        page = json.loads(body)
        return json.dumps({**page, "members": page["members"][:4]}).encode()

    news.line.distort = short
    found, error = news.pull()
    assert isinstance(error, SourceUnavailableError)
    assert not any(page.is_last for page in found)
    news.line.distort = None
    found, error = news.pull()
    assert error is None
    assert len(names(found)) == 20


# ---------------------------------------------------------------------- several audiences


def test_one_audience_that_is_not_there_does_not_stop_the_others() -> None:
    news = Newsletter("L1", "L3", audiences=["L1", "L2", "L3"])
    news.put("one", list_id="L1")
    news.put("three", list_id="L3")
    found, error = news.pull()
    assert names(found) == ["one", "three"]
    assert isinstance(error, ContractError)
    assert '"L2"' in str(error)
    assert not any(page.is_last for page in found)


def test_one_audience_that_fails_keeps_its_place_and_the_others_move() -> None:
    news = Newsletter("L1", "L2", audiences=["L1", "L2"])
    news.pull()
    news.clock.advance(900)
    news.put("one", list_id="L1", ago=100)
    news.model.faults.add("unavailable", "/lists/L1/", times=-1)
    before = news.cursor
    _, error = news.pull()
    assert isinstance(error, SourceUnavailableError)
    assert news.cursor["audiences"]["L1"] == before["audiences"]["L1"]
    assert news.cursor["audiences"]["L2"]["at"] > before["audiences"]["L2"]["at"]
    news.model.faults.clear()
    assert names(news.pull()[0]) == ["one"]


def test_each_audience_has_its_own_place() -> None:
    news = Newsletter("L1", "L2", audiences=["L1"])
    news.put("two", list_id="L2", ago=80_000)
    news.pull()
    news.options = news.options.model_copy(update={"audiences": ["L1", "L2"]})
    news.clock.advance(900)
    assert names(news.pull()[0]) == ["two"]


def test_a_throttle_concerns_the_account_and_is_not_repeated_for_every_audience() -> None:
    news = Newsletter("L1", "L2", "L3", audiences=["L1", "L2", "L3"])
    news.model.faults.add("limit", times=-1)
    _, error = news.pull()
    assert isinstance(error, RateLimitedError)
    assert {one.path for one in news.model.calls} == {"/3.0/lists/L1/members"}


# ---------------------------------------------------------------------- the archive


def test_archived_members_are_found_once_a_day() -> None:
    news = Newsletter()
    contact_id = news.put("ada")
    news.pull()
    news.clock.advance(3600)
    news.model.archive("L1", "ada@example.com")
    news.clock.advance(3600)
    assert names(news.pull()[0]) == []
    assert "status" not in news.calls("/members")[-1]
    news.clock.advance(86_400)
    found, _ = news.pull()
    assert [(one.key, json.loads(one.payload)["status"]) for page in found for one in page.records] == [(contact_id, "archived")]
    assert found[-1].is_last
    news.clock.advance(86_400)
    assert names(news.pull()[0]) == [], "its own cursor has moved"


def test_the_archive_can_be_left_alone() -> None:
    news = Newsletter(reconcile_hours=0)
    news.put("gone", status="archived")
    assert names(news.pages()) == []
    assert len(news.calls("/members")) == 1


def test_an_archive_that_fails_is_asked_for_again_by_the_next_pull() -> None:
    news = Newsletter()
    news.put("here")
    news.put("gone", status="archived")
    news.line.bend = lambda url: url.replace("/lists/L1/", "/lists/nowhere/") if "status=archived" in url else url
    found, error = news.pull()
    assert names(found) == ["here"]
    assert isinstance(error, ContractError)
    news.line.bend = str
    assert "gone" in names(news.pull()[0])


# ---------------------------------------------------------------------- odd members


def test_all_tags_are_fetched_when_a_page_does_not_hold_them() -> None:
    news = Newsletter(reconcile_hours=0)
    news.put("few", tags=[f"t{number}" for number in range(50)], ago=1000)
    news.put("many", tags=[f"t{number:04d}" for number in range(1100)], ago=999)
    (page,) = news.pages()
    few, many = (json.loads(record.payload) for record in page.records)
    assert len(few["tags"]) == 50
    assert sorted(tag["name"] for tag in many["tags"]) == [f"t{number:04d}" for number in range(1100)]
    assert list(many) == list(few), "everything else is untouched"
    assert [query.get("offset") for query in news.calls("/tags")] == [None, "1000"]


def test_a_member_who_is_deleted_before_the_tags_are_asked_for_keeps_those_of_the_page() -> None:
    news = Newsletter()
    news.put("many", tags=[f"t{number}" for number in range(60)])

    def erase(model: SandboxMailchimp, list_id: str, offset: int) -> None:
        if model.members(list_id):
            model.delete_permanently(list_id, "many@example.com")

    news.model.between_pages(erase)
    found, error = news.pull()
    assert error is None
    assert [len(json.loads(one.payload)["tags"]) for page in found for one in page.records] == [50]


def test_tags_that_cannot_be_read_are_not_half_read() -> None:
    news = Newsletter()
    news.put("many", tags=[f"t{number}" for number in range(60)])
    news.model.faults.add("html", "/tags$", times=-1)
    found, error = news.pull()
    assert isinstance(error, SourceUnavailableError)
    assert names(found) == []
    assert "at" not in (news.cursor or {}).get("audiences", {}).get("L1", {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"contact_id": None, "id": None}, "no_id"),
        ({"contact_id": "", "id": ""}, "no_id"),
        ({"last_changed": ""}, "bad_last_changed"),
        ({"last_changed": "yesterday"}, "bad_last_changed"),
        ({"last_changed": "2026-11-24T08:00:00"}, "bad_last_changed"),
        ({"last_changed": 17}, "unreadable_member"),
        ({"tags": "none"}, "unreadable_member"),
    ],
)
def test_one_bad_member_is_set_aside_and_its_neighbours_go_on(change: dict[str, Any], reason: str) -> None:
    news = Newsletter(page_size=4)
    for number in range(10):
        news.put(f"p{number}", ago=1000 - number)

    def spoiled(request: Any, body: bytes) -> bytes:
        page = json.loads(body)
        for member in page.get("members", ()):
            if member["email_address"] == "p5@example.com":
                member.update(change)
        return json.dumps(page).encode()

    news.line.distort = spoiled
    found = news.pages()
    assert sorted(names(found)) == [f"p{number}" for number in range(10) if number != 5]
    (reject,) = {one.key: one for page in found for one in page.rejects}.values()
    assert reject.reason == reason
    assert b"p5@example.com" in reject.payload
    assert "@" not in reject.message + reject.locator + reject.key
    assert sum(len(page.rejects) for page in found) == 1


def test_a_member_without_contact_id_is_known_by_list_and_hash() -> None:
    news = Newsletter(reconcile_hours=0)
    news.put("ada")
    news.line.distort = lambda _, body: json.dumps(
        {**(page := json.loads(body)), "members": [{**one, "contact_id": ""} for one in page.get("members", ())]}
    ).encode()
    (page,) = news.pages()
    assert page.records[0].key == "L1/3e3417d7ef77d5932a6734b916515ed5"


# ---------------------------------------------------------------------- check


def test_a_green_check_has_read_every_chosen_audience() -> None:
    news = Newsletter("L1", "L2", audiences=["L1", "L2"])
    news.put("one")
    health = CONNECTOR.check(news.session, news.options)
    assert health.ok
    assert "L1" in " ".join(health.findings)
    assert "L2" in " ".join(health.findings)
    assert [query["count"] for query in news.calls("/members")] == ["1", "1"]


def test_a_missing_audience_is_never_green_and_the_others_are_named() -> None:
    news = Newsletter("L1", audiences=["L1", "L9"])
    health = CONNECTOR.check(news.session, news.options)
    assert not health.ok
    assert '"L9"' in " ".join(health.findings)
    assert health.findings[-1] == "Audiences of the account: L1."


def test_a_wrong_key_comes_with_advice() -> None:
    news = Newsletter()
    news.options = news.options.model_copy(update={"api_key": Secret("wrong-us1", "test")})
    health = CONNECTOR.check(news.session, news.options)
    assert not health.ok
    assert "data centre" in " ".join(health.findings)
    with pytest.raises(AuthError):
        news.pages()


# ---------------------------------------------------------------------- whatever happens between pages

NAMES = [f"p{number}" for number in range(24)]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["edit", "unsubscribe", "clean", "archive", "delete", "new", "late", "tag"]),
        st.integers(0, 23),
        st.integers(0, 3),
    ),
    max_size=4,
)


def apply(model: SandboxMailchimp, moves: list[tuple[str, int, int]], *, late: bool) -> None:
    """Things that people do, all of them now, but for late arrivals, which are dated into the overlap."""
    now = model.clock.now()
    for kind, number, second in moves:
        email = f"{NAMES[number]}@example.com"
        known = {one["email_address"]: one["status"] for one in model.members("L1")}
        if kind == "new":
            model.put("L1", f"new{number}@example.com", merge_fields={"FNAME": f"{second}"})
        elif kind == "late" and late:
            model.put_late("L1", f"late{number}@example.com", at=now - timedelta(seconds=SETTLE + 100 + second))
        elif email in known:
            if kind == "edit":
                model.put("L1", email, status=known[email], merge_fields={"FNAME": f"edited {second}"})
            elif kind == "unsubscribe":
                model.unsubscribe("L1", email)
            elif kind == "clean":
                model.clean("L1", email)
            elif kind == "archive":
                model.archive("L1", email)
            elif kind == "delete":
                model.delete_permanently("L1", email)
            elif kind == "tag":
                model.put("L1", email, status=known[email], tags=[f"tag{second}"])


@settings(max_examples=120, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 6), min_size=1, max_size=24),
    during=st.lists(MOVES, max_size=14),
    between=MOVES,
    later=st.lists(MOVES, max_size=14),
    inclusive=st.booleans(),
    page_size=st.integers(2, 7),
)
def test_whatever_is_edited_between_pages_nobody_is_lost_over_two_pulls(
    seconds: list[int], during: list[Any], between: Any, later: list[Any], page_size: int, *, inclusive: bool
) -> None:
    """Every living member whose last change lies in the second window was delivered in its latest version by its end."""
    news = Newsletter(page_size=page_size, reconcile_hours=0.001)
    news.model.bounds_are_inclusive = inclusive
    for name, second in zip(NAMES, seconds, strict=False):
        # Two thirds share seconds long ago, the others lie where late arrivals will.
        news.put(name, ago=1000 - second if second < 4 else SETTLE + 100 + second)
    for moves_of_pages, in_between in ((during, between), (later, [])):
        waiting = list(moves_of_pages)
        is_late_allowed = moves_of_pages is during

        def edit(
            model: SandboxMailchimp, list_id: str, offset: int, waiting: list[Any] = waiting, late: bool = is_late_allowed
        ) -> None:
            if waiting:
                apply(model, waiting.pop(0), late=late)

        news.model.between_pages(edit)
        _, error = news.pull()
        assert error is None
        news.model.between_pages(None)
        end = datetime.fromisoformat(news.cursor["audiences"]["L1"]["at"])
        if moves_of_pages is during:
            news.clock.advance(200)
            apply(news.model, in_between, late=True)
            news.clock.advance(200)
    latest: dict[str, Any] = {}
    for record in news.delivered:
        latest[record.key] = json.loads(record.payload)
    for member in news.model.members("L1"):
        if datetime.fromisoformat(member["last_changed"]) <= end:
            found = latest.get(member["contact_id"])
            assert found is not None, "somebody is lost"
            for name in ("status", "last_changed", "merge_fields", "tags", "email_address"):
                assert found[name] == member[name]
