"""The slow lanes over Mailchimp: what an older mapping made is mapped again, what was missed is filled in; neither is news."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from syncd.model import RunStatus
from syncd.sandbox import Kind
from tests.crash.machine import Death, Reaper
from tests.newsletter import MEMBERS, SHORT_MAPPING, WITH_TITLE, Newsletter, check_population, check_sums, mail
from tests.world import START, World

NOT_PENDING = SHORT_MAPPING.replace('"pending", ', "")
NOBODY = SHORT_MAPPING.replace('"pending", ', '"pending", "subscribed", ')
OTHER_MAILBOX = SHORT_MAPPING.replace("{from: email_address, as: email}", "{from: merge_fields.PHONE, as: email}")


@pytest.fixture
def make_news(make_world: Callable[..., World]) -> Callable[..., Newsletter]:
    """Makes newsletters by the short mapping; no other source."""

    def make(**options: Any) -> Newsletter:
        world: Any = make_world(Newsletter, **{"has_booth": False, "news_mapping": SHORT_MAPPING, **options})
        return world  # type: ignore[no-any-return]

    return make


@pytest.fixture
def news(make_news: Callable[..., Newsletter]) -> Newsletter:
    """One of them."""
    return make_news()


def filled(news: Newsletter, count: int, **changes: Any) -> None:
    """So many members, read, and so long ago that the overlap does not bring them again."""
    for number in range(count):
        news.put(number, **changes)
    rest(news)


def rest(news: Newsletter) -> None:
    """Two quiet passes, far apart: the next one asks from behind everything that was done."""
    for _ in range(2):
        news.clock.advance(900)
        assert news.run().status is RunStatus.OK


def remap(news: Newsletter, mapping: str, *, force: bool = False) -> Any:
    """A pass with another mapping; Mailchimp is asked what it would be asked without."""
    news.write("mappings/mailchimp.yaml", mapping)
    asked = news.mailchimp.call_count
    summary = news.run(force=force)
    check_sums(summary)
    calls = news.member_calls(asked)
    assert len(calls) == 1
    assert "since_last_changed" in calls[0], "nobody is read again because of a mapping"
    return summary


def dead_reasons(news: Newsletter) -> list[str]:
    """Reasons of the open dead letters."""
    house = news.open()
    try:
        return [one.reason for one in house.store.dead_letters()]
    finally:
        house.close()


# ---------------------------------------------------------------------- re-mapping


def test_a_new_line_of_the_mapping_reaches_those_who_are_known(news: Newsletter) -> None:
    """From what was stored when they were read; a person's edit stays, and the next pass has nothing to do."""
    filled(news, 12, merge_fields={"TITLE": "Engineer"})
    news.org.edit(news.lead(mail(1))["Id"], {"Title": "set by a rep", "Company": "set by a rep"})
    summary = remap(news, WITH_TITLE)
    assert summary.status is RunStatus.OK
    counts = summary.sources["newsletter"]
    assert (counts.pulled, counts.applied, summary.notes["remapped"]) == (12, 12, 12)
    assert summary.operations["updated"] == 11
    titles = {lead["Email"]: lead["Title"] for lead in news.leads()}
    assert titles == {mail(n): "Engineer" for n in range(12)} | {mail(1): "set by a rep"}
    assert news.lead(mail(1))["Company"] == "set by a rep"
    quiet = remap(news, WITH_TITLE)
    assert (quiet.sources["newsletter"].pulled, set(quiet.operations.values())) == (0, {0})
    check_population(news)


@pytest.mark.parametrize(("known", "changed", "stops"), [(30, 19, False), (105, 21, False), (99, 20, True), (60, 60, True)])
def test_a_re_mapping_of_more_than_the_share_waits_for_a_person(
    news: Newsletter, *, known: int, changed: int, stops: bool
) -> None:
    """Less than the floor of 20 people, or at most a fifth of all, goes through; more stops the pass with nothing changed."""
    for number in range(changed):
        news.put(number, merge_fields={"TITLE": "Engineer"})
    filled(news, known)
    written = len(news.org.audit)
    summary = remap(news, WITH_TITLE)
    if not stops:
        assert (summary.status, summary.operations["updated"]) == (RunStatus.OK, changed)
        return
    for _ in range(2):
        assert (summary.status, summary.exit_code) == (RunStatus.STOPPED, 4)
        assert "syncd run --once --force" in summary.error
        assert len(news.org.audit) == written, "what is held was not written"
        summary = remap(news, WITH_TITLE)
    forced = remap(news, WITH_TITLE, force=True)
    assert (forced.status, forced.operations["updated"]) == (RunStatus.OK, changed)
    assert len(news.leads(Title="Engineer")) == changed
    assert set(remap(news, WITH_TITLE).operations.values()) == {0}
    check_population(news)


def test_news_is_not_held_up_by_a_re_mapping_that_waits(news: Newsletter) -> None:
    """Who is new, and who changed, comes while the guard holds what only the mapping has changed."""
    filled(news, 40, merge_fields={"TITLE": "Engineer"})
    news.put(100)
    news.put(1, merge_fields={"COMPANY": "Edited Ltd"})
    news.settle()
    assert remap(news, WITH_TITLE).status is RunStatus.STOPPED
    assert news.lead(mail(100))["Title"] is None
    assert news.lead(mail(1))["Company"] == "Edited Ltd"
    assert len(news.leads(Title="Engineer")) <= 1, "only of somebody who changed"


def test_a_loosened_skip_when_brings_those_in_who_were_skipped(news: Newsletter) -> None:
    """Without reading them again, and without an assignment: they are no news."""
    filled(news, 3)
    for number in range(10, 13):
        news.put(number, status="pending")
    rest(news)
    assert len(news.leads()) == 3
    summary = remap(news, NOT_PENDING)
    assert (summary.status, summary.operations["created"]) == (RunStatus.OK, 3)
    ours = {news.lead(mail(number))["Id"] for number in range(10, 13)}
    assert not ours & set(news.org.assignment_runs)


def test_a_tightened_skip_when_changes_nothing_in_the_org(news: Newsletter) -> None:
    """Whoever came in stays as they are; they are only no longer written."""
    filled(news, 5)
    before = news.leads()
    summary = remap(news, NOBODY)
    assert summary.status is RunStatus.OK
    assert (summary.sources["newsletter"].skipped, set(summary.operations.values())) == (5, {0})
    assert news.leads() == before
    assert remap(news, NOBODY).sources["newsletter"].pulled == 0


def test_a_record_that_a_new_mapping_refuses_is_set_aside_once_and_the_lane_ends(news: Newsletter) -> None:
    """Otherwise it would be stale, mapped and refused in every pass without end."""
    news.mailchimp.put("L1", "nameless@example.com", merge_fields={"FNAME": "", "LNAME": ""})
    filled(news, 3, merge_fields={"PHONE": "someone@example.com"})
    before = {lead["Id"]: lead for lead in news.leads(Email="nameless@example.com")}
    first = remap(news, OTHER_MAILBOX)
    assert (first.status, first.sources["newsletter"].dead) == (RunStatus.PARTIAL, 1)
    assert dead_reasons(news) == ["no_identity"]
    assert {lead["Id"]: lead for lead in news.leads(Email="nameless@example.com")} == before
    second = remap(news, OTHER_MAILBOX)
    assert (second.status, second.sources["newsletter"].pulled) == (RunStatus.OK, 0)
    assert dead_reasons(news) == ["no_identity"]


# ---------------------------------------------------------------------- back-fill

FROM = START - timedelta(days=40)
UNTIL = START - timedelta(days=10)
MISSED = range(200, 216)


def missed(news: Newsletter, numbers: range = MISSED) -> None:
    """Members who show up with stamps that the live cursor passed long ago; it never finds them."""
    for number in numbers:
        news.put(number, at=START - timedelta(days=30, seconds=number))
    news.settle()
    assert news.run().sources["newsletter"].pulled == 0


def cursors(news: Newsletter) -> dict[str, Any]:
    """Cursors of the stream by partition."""
    house = news.open()
    try:
        return {one.partition: one.cursor for one in house.store.cursors() if one.source == "newsletter"}
    finally:
        house.close()


def check_filled(news: Newsletter) -> None:
    """Everybody is there, without an assignment for those who were missed, and the back-fill is over."""
    check_population(news)
    assert set(cursors(news)) == {""}
    for number in MISSED:
        lead = news.lead(mail(number))["Id"]
        made = [one for one in news.org.history(lead) if one.action == "create"]
        assert [one.headers["Sforce-Auto-Assign"] for one in made] == ["FALSE"]
        assert lead not in news.org.assignment_runs
    rest(news)
    asked = news.mailchimp.call_count
    assert news.run().status is RunStatus.OK
    assert len(news.member_calls(asked)) == 1, "the back-fill is not read again"


def test_a_back_fill_brings_who_was_missed_beside_the_live_cursor(news: Newsletter) -> None:
    """In the next pass, without an assignment; the live cursor goes its own way, and who is new is assigned as ever."""
    filled(news, 5)
    missed(news)
    news.ask_for(FROM, UNTIL)
    news.put(300)
    news.settle()
    asked = news.mailchimp.call_count
    summary = news.run()
    check_sums(summary)
    assert (summary.status, summary.operations["created"]) == (RunStatus.OK, len(MISSED) + 1)
    bounds = [datetime.fromisoformat(one["since_last_changed"]) for one in news.member_calls(asked)]
    assert min(bounds) >= FROM - timedelta(seconds=301), "only the range is read"
    assert cursors(news)[""]["audiences"]["L1"]["at"] == (news.clock.now() - timedelta(seconds=30)).isoformat(timespec="seconds")
    assert news.org.assignment_runs[news.lead(mail(300))["Id"]] == 1
    check_filled(news)


@pytest.mark.parametrize("page", [2, 3, 4])
def test_a_back_fill_survives_a_death_half_way(make_news: Callable[..., Newsletter], page: int) -> None:
    """Killed after some of its pages; it goes on where it was, once."""
    news = make_news(page_size=6)
    filled(news, 5)
    missed(news)
    partition = news.ask_for(FROM, UNTIL)
    begun = cursors(news)[partition]
    with pytest.raises(Death):
        news.run(wrap=Reaper(("after:store.put_page", page)).wrap)
    assert cursors(news)[partition] != begun, "the back-fill must have been under way"
    assert cursors(news)[""]["audiences"]["L1"]["at"] > START.isoformat()
    news.clock.advance(900)
    assert news.run().status is RunStatus.OK
    check_filled(news)


def test_a_back_fill_that_cannot_be_read_is_asked_for_again(make_news: Callable[..., Newsletter]) -> None:
    """The pass is partial, and the range stays until it was read to its end."""
    news = make_news(page_size=6)
    filled(news, 5)
    missed(news)
    partition = news.ask_for(FROM, UNTIL)
    news.mailchimp.faults.add(Kind.HTML, MEMBERS, skip=3, times=-1)
    short = news.run()
    check_sums(short)
    assert (short.status, short.exit_code) == (RunStatus.PARTIAL, 3)
    assert partition in cursors(news)
    news.mailchimp.faults.clear()
    news.clock.advance(900)
    assert news.run().status is RunStatus.OK
    check_filled(news)


@pytest.mark.parametrize("start_from", ["now", "2026-11-24"])
def test_who_is_older_than_start_from_comes_without_an_assignment(make_news: Callable[..., Newsletter], start_from: str) -> None:
    """They are in the org all the same; whoever comes afterwards is assigned."""
    news = make_news(options=f"start_from: {start_from}")
    for number in range(3):
        news.put(number, at=START - timedelta(days=2, seconds=number))
    assert news.run().operations["created"] == 3
    news.put(3)
    news.settle()
    assert news.run().operations["created"] == 1
    assigned = {news.org.row(sf_id)["Email"] for sf_id in news.org.assignment_runs}  # type: ignore[index]
    assert assigned == {mail(3)}
    check_population(news)
