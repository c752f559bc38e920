"""The newest second is looked at again with each pull, however long ago it was, and costs one call."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from syncd.clock import FixedClock
from syncd.sandbox import SandboxMailchimp
from tests.unit.connectors.test_mailchimp import Newsletter, names

LONG_AGO = 90_000.0


def quiet(count: int, *, page_size: int = 6, is_inclusive: bool = False) -> Newsletter:
    """An audience whose last change lies a day back: some members before it, `count` in its second."""
    news = Newsletter(page_size=page_size, reconcile_hours=0)
    news.model.bounds_are_inclusive = is_inclusive
    for number in range(3):
        news.put(f"before{number}", ago=LONG_AGO + 1 + number)
    for number in range(count):
        news.put(f"newest{number}", ago=LONG_AGO)
    news.pull()
    assert len(news.delivered) == count + 3
    news.clock.advance(600)
    return news


@pytest.mark.parametrize("is_inclusive", [False, True])
@pytest.mark.parametrize("count", [1, 5, 6, 7, 30])
def test_a_pull_without_news_is_one_call_and_gives_nothing(count: int, is_inclusive: bool) -> None:
    news = quiet(count)
    news.model.bounds_are_inclusive = is_inclusive and count < 5
    for _ in range(2):
        calls = len(news.calls())
        found, error = news.pull()
        assert (names(found), error, found[-1].is_last) == ([], None, True)
        assert len(news.calls()) == calls + 1
        news.clock.advance(600)


@pytest.mark.parametrize("count", [1, 5, 6, 7, 30])
def test_a_late_row_of_the_newest_second_is_found(count: int) -> None:
    news = quiet(count)
    news.put("late", ago=LONG_AGO + 600)
    found, error = news.pull()
    assert error is None
    assert "late" in names(found)
    news.clock.advance(600)
    assert names(news.pull()[0]) == []


@pytest.mark.parametrize("count", [1, 30])
def test_what_changed_in_the_newest_second_is_found(count: int) -> None:
    """Changed without a newer stamp, as an import within the same second does."""
    news = quiet(count)
    news.put("newest0", ago=LONG_AGO + 600, merge_fields={"FNAME": "Other"})
    news.put("late", ago=LONG_AGO + 600)
    assert {"newest0", "late"} <= set(names(news.pull()[0]))


@pytest.mark.parametrize("count", [1, 30])
def test_what_is_newer_comes_without_the_old(count: int) -> None:
    news = quiet(count)
    news.put("news", ago=100)
    found = names(news.pull()[0])
    assert "news" in found
    if count == 1:
        assert found == ["news"]
    news.clock.advance(600)
    news.pull()  # the overlap may bring it once more
    news.clock.advance(600)
    assert names(news.pull()[0]) == []


def test_a_row_that_is_gone_from_the_newest_second_harms_nobody() -> None:
    news = quiet(30)
    news.model.delete_permanently("L1", "newest3@example.com")
    news.put("late", ago=LONG_AGO + 600)
    news.put("later", ago=LONG_AGO + 600)
    assert {"late", "later"} <= set(names(news.pull()[0]))


@pytest.mark.parametrize("count", [1, 30])
def test_a_vendor_whose_clock_is_behind_is_never_read_ahead_of_itself(count: int) -> None:
    """What it has not lived through yet was not read, however the newest second was looked at."""
    news = quiet(count)
    slow = FixedClock(news.clock.now() - timedelta(hours=1))
    behind = SandboxMailchimp(clock=slow)
    behind.add_audience("L1", merge_fields=("FNAME", "LNAME"))
    for one in news.model.members("L1"):
        behind.put("L1", one["email_address"], at=datetime.fromisoformat(one["last_changed"]))
    news.session = news.connect(behind)
    news.cursor = None
    news.pull()
    slow.advance(600)
    news.clock.advance(600)
    news.pull()
    read_until = datetime.fromisoformat(news.cursor["audiences"]["L1"]["at"])
    assert read_until <= slow.now()
