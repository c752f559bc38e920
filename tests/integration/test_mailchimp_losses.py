"""The loss experiments of issue 3: what makes other tools lose between 9 and 7,000 of 10,000 members loses nobody here.

The oracle reads the org, the ledger and the population of the account. SQLite gets 10,000 members in pages of 1,000; PostgreSQL
1,000 in pages of 100: the same number of pages, at a fifth of the time, and what differs between the stores is not the count.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from syncd.http.caller import ATTEMPTS
from syncd.model import RunStatus
from syncd.sandbox import Kind, SandboxMailchimp
from tests.newsletter import EDITED, IMPORTABLE, MEMBERS, Newsletter, check_population, check_sums, lost
from tests.world import START, World

SIZES = {"sqlite": (10_000, 1_000), "postgres": (1_000, 100)}


@pytest.fixture
def news(engine: str, make_world: Callable[..., World]) -> Newsletter:
    """An audience of ten pages that nobody has read yet."""
    count, page_size = SIZES[engine]
    world: Any = make_world(Newsletter, has_booth=False, page_size=page_size)
    world.mailchimp.populate("L1", count)
    world.settle()
    return world  # type: ignore[no-any-return]


# ---------------------------------------------------------------------- changes in the middle of a crawl


class Meanwhile:
    """What people do to an audience while it is read: edited, archived, erased, moved to another address, sorted to the end."""

    def __init__(self, world: Newsletter, seed: int = 7) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.alive = [one["email_address"] for one in world.people("L1", *IMPORTABLE)]
        self.number = 0
        self.left: set[str] = set()
        self.changed: set[str] = set()
        self.former: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def page_served(self, mailchimp: SandboxMailchimp, list_id: str, offset: int) -> None:
        """Between two pages, at the front of the list as well as behind the place of reading; several pages may be under way."""
        with self._lock:
            self._live(mailchimp, list_id)

    def _live(self, mailchimp: SandboxMailchimp, list_id: str) -> None:
        now = self.world.clock.now()
        for one in self._some(20):
            self._edit(one, None)
        for one in self._some(10):
            # Told late, but a member's own time never runs backwards: an older version would rightly be left out.
            if one not in self.changed:
                self._edit(one, now - timedelta(seconds=self.chance.randint(31, 50)))
        for one in self._gone(5):
            mailchimp.archive(list_id, one)
        for one in self._gone(5):
            mailchimp.delete_permanently(list_id, one)
        for one in self._some(5):
            self.number += 1
            new = f"moved{self.number}@example.com"
            mailchimp.change_email(list_id, one, new)
            self.alive[self.alive.index(one)] = new
            self.changed.add(new)
            self.former[new] = {one.lower(), *self.former.pop(one, ())}

    def _edit(self, address: str, at: Any) -> None:
        self.number += 1
        self.changed.add(address)
        fields = {"COMPANY": f"{EDITED} {self.number}"}
        self.world.mailchimp.put("L1", address, status="subscribed", merge_fields=fields, at=at)

    def _some(self, count: int) -> list[str]:
        return self.chance.sample(self.alive, count)

    def _gone(self, count: int) -> list[str]:
        """People who stop being members; as leads they may or may not have come before, maybe by an address of before."""
        gone = self._some(count)
        self.alive = [one for one in self.alive if one not in gone]
        self.left |= {address for one in gone for address in (one.lower(), *self.former.get(one, ()))}
        return gone


def test_members_edited_and_deleted_between_two_pages_are_all_there(news: Newsletter) -> None:
    """Everything that makes offset paging jump over somebody, at every page edge of the first crawl."""
    meanwhile = Meanwhile(news)
    news.mailchimp.between_pages(meanwhile.page_served)
    first = news.run()
    check_sums(first)
    assert first.status is RunStatus.OK, first.missed
    untouched = {one for one in lost(news) if not one.startswith("moved")} - _changed_since(news, START)
    assert untouched == set(), "nobody who kept still may be missed by the crawl itself"
    news.mailchimp.between_pages(None)
    news.settle()
    second = news.run()
    check_sums(second)
    assert second.status is RunStatus.OK, second.missed
    came = {str(lead["Email"]) for lead in news.leads()}
    check_population(news, meanwhile.left & came)


def _changed_since(news: Newsletter, at: Any) -> set[str]:
    stamp = at.isoformat()
    return {one["email_address"].lower() for one in news.people("L1", *IMPORTABLE) if one["last_changed"] >= stamp}


# ---------------------------------------------------------------------- pages that cannot be read

BROKEN = {Kind.CUT_BODY: b'{"members":[{"', Kind.HTML: b"<html><body>Please wait", Kind.EMPTY_PAGE: b'{"members":[],'}
"""How the body of each begins. The cut one ends in the middle; the empty one states the true count."""


@pytest.mark.parametrize("kind", BROKEN)
def test_one_unreadable_page_with_status_200_costs_nothing(news: Newsletter, kind: Kind) -> None:
    """The fifth page is broken once: it is asked for again, and the pass is whole by itself."""
    news.mailchimp.faults.add(kind, MEMBERS, skip=4, times=1)
    only = news.run()
    check_sums(only)
    assert news.mailchimp.faults.hits[kind] == 1
    assert only.status is RunStatus.OK, only.missed
    check_population(news)
    assert letters_of(news) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_a_page_that_stays_unreadable_is_never_the_end(news: Newsletter, kind: Kind) -> None:
    """The fifth page is broken at every try of two passes: partial, exit code 3, the page kept, and nobody lost afterwards."""
    news.mailchimp.faults.add(kind, MEMBERS, skip=4, times=-1)
    for _ in range(2):
        short = news.run()
        check_sums(short)
        assert (short.status, short.exit_code) == (RunStatus.PARTIAL, 3)
        assert any("newsletter" in one for one in short.missed)
        assert len(lost(news)) > 0, "the experiment needs somebody behind the broken page"
    assert news.mailchimp.faults.hits[kind] >= 2 * ATTEMPTS
    pages = letters_of(news)
    assert {(one.kind, one.stage, one.source, one.stream) for one in pages} == {("page", "extract", "newsletter", "members")}
    assert all(one.payload.startswith(BROKEN[kind]) for one in pages), "the page is kept as it came"
    assert len({one.payload for one in pages}) == len(pages), "the same page is set aside once"
    news.mailchimp.faults.clear()
    news.settle()
    whole = news.run()
    check_sums(whole)
    assert (whole.status, whole.exit_code) == (RunStatus.OK, 0)
    check_population(news)


def letters_of(news: Newsletter) -> list[Any]:
    """Open dead letters with their payloads."""
    house = news.open()
    try:
        return [house.store.dead_letter(one.dead_letter_id) for one in house.store.dead_letters()]
    finally:
        house.close()


# ---------------------------------------------------------------------- everything at once

MIX = (Kind.UNAVAILABLE, Kind.CUT_BEFORE, Kind.CUT_AFTER, Kind.THROTTLED, Kind.LIMIT, Kind.CUT_BODY, Kind.CUT_STREAM, Kind.HTML)
"""503, two kinds of reset, 429, a bare 403, cut JSON, a connection that dies in the body, HTML."""


def test_a_mix_of_faults_over_a_first_fill_and_two_passes_loses_nobody(news: Newsletter) -> None:
    """Two of three calls fail in some way; whatever a pass missed it says so, and when the storm is over everybody is there."""
    chance = random.Random(20261124)
    short = 0
    for number in range(3):
        for kind in MIX:
            news.mailchimp.faults.add(kind, MEMBERS, times=-1, probability=0.13)
        summary = news.run()
        check_sums(summary)
        assert summary.exit_code == 3 or lost(news) == set(), "a pass that missed somebody ended as ok"
        short += summary.exit_code == 3
        for one in chance.sample(news.people("L1", *IMPORTABLE), 50):
            fields = {"COMPANY": f"{EDITED} {number}"}
            news.mailchimp.put("L1", one["email_address"], status="subscribed", merge_fields=fields)
        news.settle()
    assert set(news.mailchimp.faults.hits) == set(MIX), "every fault must have struck"
    assert short >= 1, "the storm must be too much for at least one pass"
    news.mailchimp.faults.clear()
    assert news.run().status is RunStatus.OK
    check_population(news)


# ---------------------------------------------------------------------- late records


def test_late_records_with_the_newest_second_already_read_are_found(news: Newsletter) -> None:
    """20 members appear with a stamp that a cursor of "highest seen" has passed, beside 50 new and 50 edited ones."""
    newest = news.clock.now() - timedelta(seconds=45)
    for number in range(5):
        news.put(number, at=newest)
    news.run()
    assert lost(news) == set(), "the newest second was read"
    news.settle()
    for number in range(100, 120):
        news.put(number, at=newest, merge_fields={"COMPANY": f"{EDITED} late"})
    for number in range(200, 250):
        news.put(number)
    for one in random.Random(3).sample(news.people("L1", *IMPORTABLE), 50):
        news.mailchimp.put("L1", one["email_address"], status="subscribed", merge_fields={"COMPANY": f"{EDITED} now"})
    news.settle()
    calls = news.mailchimp.call_count
    second = news.run()
    check_sums(second)
    assert second.status is RunStatus.OK
    assert second.operations["created"] == 70
    assert len(news.member_calls(calls)) <= 2, "found without reading everybody again"
    check_population(news)


@pytest.mark.parametrize(
    ("quiet_hours", "late_seconds"), [(0, 20), (2, 0)], ids=["older than the newest", "of a newest second of long ago"]
)
def test_late_records_of_a_quiet_audience_are_found(
    make_world: Callable[..., World], quiet_hours: int, late_seconds: int
) -> None:
    """Seconds that the overlap reaches, though newer ones were read; and the newest one, be it hours behind the cursor."""
    news: Any = make_world(Newsletter, has_booth=False)
    newest = news.clock.now() - timedelta(hours=quiet_hours)
    for number in range(5):
        news.put(number, at=newest)
    news.settle()
    news.run()
    assert lost(news) == set()
    for number in range(100, 120):
        news.put(number, at=newest - timedelta(seconds=late_seconds))
    news.settle()
    news.run()
    check_population(news)
