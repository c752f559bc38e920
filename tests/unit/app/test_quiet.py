"""When a silence is unusual: longer than twice what the source is known for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.app.quiet import LEAST_ARRIVALS, LOOK_BACK, Silence, unusual_silence

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
"""A Wednesday."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
Arrivals = list[tuple[datetime, int]]


def hours(until: datetime, days: int = 14) -> list[datetime]:
    """Every hour of the days before `until`."""
    return [until - n * HOUR for n in range(1, days * 24 + 1)]


def all_day(until: datetime, days: int = 14) -> Arrivals:
    return [(hour, 3) for hour in hours(until, days)]


def office(until: datetime, days: int = 14) -> Arrivals:
    """Working days from 9 to 17."""
    return [(hour, 5) for hour in hours(until, days) if hour.weekday() < 5 and 9 <= hour.hour < 17]


def mondays(until: datetime) -> Arrivals:
    """A batch on Mondays at 6."""
    return [(hour, 200) for hour in hours(until) if hour.weekday() == 0 and hour.hour == 6]


MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)

CASES: list[tuple[str, Arrivals, datetime, bool]] = [
    ("round the clock, now", all_day(NOW), NOW, False),
    ("round the clock, silent for an hour", all_day(NOW), NOW + HOUR, False),
    ("round the clock, silent for longer", all_day(NOW), NOW + HOUR * 1.5, True),
    ("office hours, in the evening", office(FRIDAY), FRIDAY + 5 * HOUR, False),
    ("office hours, on Sunday", office(FRIDAY), FRIDAY + 2 * DAY, False),
    ("office hours, on a Monday that is a holiday", office(FRIDAY), FRIDAY + 3 * DAY, False),
    ("office hours, the whole week after", office(FRIDAY), FRIDAY + 6 * DAY, True),
    ("office hours, a first weekend", office(FRIDAY, days=4), FRIDAY + 2 * DAY, True),
    ("batches on Mondays, on the next Sunday", mondays(NOW), NOW + 4 * DAY, False),
    ("batches on Mondays, one is missing", mondays(MONDAY), MONDAY + 8 * DAY, False),
    ("one burst of a thousand", [(NOW - 5 * HOUR, 1000)], NOW, False),
    ("two bursts, days apart", [(NOW - 6 * DAY, 500), (NOW - 2 * DAY, 500)], NOW, False),
    ("bursts each day, silent for two", [(NOW - n * DAY, 50) for n in range(2, 9)], NOW, True),
    ("new yesterday", all_day(NOW, days=1), NOW + 12 * HOUR, False),
    ("never busy", [(NOW - n * DAY, 1) for n in range(4, 14)], NOW, False),
    ("never anything", [], NOW, False),
    ("silent for longer than anybody looks back", all_day(NOW - 20 * DAY), NOW, False),
    ("a clock that ran ahead", [*all_day(NOW), (NOW + 3 * DAY, 7)], NOW + 5 * HOUR, True),
]


@pytest.mark.parametrize(("arrivals", "now", "is_unusual"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_case(arrivals: Arrivals, now: datetime, is_unusual: bool) -> None:
    assert (unusual_silence(arrivals, now) is not None) == is_unusual


def test_it_tells_since_when_and_what_is_usual() -> None:
    found = unusual_silence(office(FRIDAY), FRIDAY + 6 * DAY)
    assert found == Silence(FRIDAY, timedelta(hours=64)), "from Friday 17:00 to Monday 9:00"


arrivals = st.lists(
    st.tuples(st.integers(-48, 24 * 16).map(lambda n: NOW - n * HOUR), st.integers(0, 30)), max_size=60
)  # fmt: skip


@given(arrivals, st.integers(0, 60 * 24 * 3).map(lambda n: NOW + timedelta(minutes=n)))
def test_the_order_of_what_is_given_and_the_future_do_not_matter(found: Arrivals, now: datetime) -> None:
    wanted = unusual_silence(found, now)
    assert unusual_silence(list(reversed(found)), now) == wanted
    assert unusual_silence([one for one in found if one[0] <= now], now) == wanted


@given(arrivals, st.integers(0, 60 * 24 * 3).map(lambda n: NOW + timedelta(minutes=n)))
def test_what_is_suspected_is_longer_than_twice_anything_before(found: Arrivals, now: datetime) -> None:
    silence = unusual_silence(found, now)
    if silence is None:
        return
    assert now - silence.since > max(2 * silence.usual, HOUR)
    seen = [(hour, count) for hour, count in found if now - LOOK_BACK <= hour <= now and count]
    assert sum(count for _, count in seen) >= LEAST_ARRIVALS
    assert silence.since == max(hour for hour, _ in seen) + HOUR


@given(arrivals)
def test_news_ends_it(found: Arrivals) -> None:
    assert unusual_silence([*found, (NOW.replace(minute=0), 1)], NOW + HOUR) is None
