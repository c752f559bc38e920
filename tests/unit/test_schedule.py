"""When sources are read: intervals, cron in time zones, summer time, restarts, clocks that were set."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from syncd.log import get_log
from syncd.ports import ScheduleRow
from syncd.schedule import Plan, Timetable, is_due, is_missed, next_time, trigger_of

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def fires(plan: Plan, since: datetime, count: int) -> list[datetime]:
    """The first times of a plan as its trigger gives them."""
    trigger, found, before = trigger_of(plan, since), [], None
    now = since
    for _ in range(count):
        before = trigger.get_next_fire_time(before, now)
        now = before.astimezone(UTC)
        found.append(now)
        now += timedelta(milliseconds=5)
    return found


def test_an_interval_counts_from_its_start() -> None:
    assert next_time(Plan(300.0), NOON) == NOON + timedelta(seconds=300)


def test_cron_is_meant_in_its_zone() -> None:
    plan = Plan(cron="30 8 * * *", timezone=BERLIN)
    assert next_time(plan, at("2026-01-10T00:00:00+00:00")) == at("2026-01-10T07:30:00+00:00")
    assert next_time(plan, at("2026-07-10T00:00:00+00:00")) == at("2026-07-10T06:30:00+00:00")


def test_a_time_that_the_change_to_summer_time_leaves_out_is_not_dropped() -> None:
    """On 2026-03-29 there is no 02:30 in Berlin: the day has its reading all the same, and one only."""
    found = fires(Plan(cron="30 2 * * *", timezone=BERLIN), at("2026-03-28T00:00:00+00:00"), 3)
    days = [one.date().isoformat() for one in found]
    assert days == ["2026-03-28", "2026-03-29", "2026-03-30"]


def test_a_time_that_comes_twice_in_autumn_costs_one_reading_more_at_most() -> None:
    found = fires(Plan(cron="30 2 * * *", timezone=BERLIN), at("2026-10-24T12:00:00+00:00"), 3)
    assert {one.date().isoformat() for one in found} >= {"2026-10-25", "2026-10-26"}
    assert all(later - earlier >= timedelta(hours=1) for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (None, True),
        (ScheduleRow("s"), True),
        (ScheduleRow("s", started_at=NOON - timedelta(seconds=299)), False),
        (ScheduleRow("s", started_at=NOON - timedelta(seconds=300)), True),
        (ScheduleRow("s", started_at=NOON + timedelta(days=400)), True),
    ],
    ids=["never heard of", "never read", "read lately", "its time has come", "read in the future: the clock was wrong"],
)
def test_a_restart_catches_up(row: ScheduleRow | None, wanted: bool) -> None:
    assert is_due(Plan(300.0), row, NOON) is wanted


def test_a_cron_time_that_passed_while_nobody_ran_is_due() -> None:
    plan = Plan(cron="0 6 * * *")
    assert is_due(plan, ScheduleRow("s", started_at=at("2026-02-28T06:00:01+00:00")), NOON)
    assert not is_due(plan, ScheduleRow("s", started_at=at("2026-03-01T06:00:01+00:00")), NOON)


def test_a_schedule_is_missed_after_three_times_and_ten_minutes() -> None:
    plan, since = Plan(300.0), NOON - timedelta(days=1)
    done = ScheduleRow("s", succeeded_at=NOON)
    assert not is_missed(plan, done, since, NOON + timedelta(minutes=24))
    assert is_missed(plan, done, since, NOON + timedelta(minutes=26))


def test_nothing_is_missed_that_could_not_have_happened_yet() -> None:
    """Not right after a start, a resume, or with a success from the future."""
    long_ago = ScheduleRow("s", succeeded_at=NOON - timedelta(days=9))
    assert not is_missed(Plan(300.0), long_ago, NOON, NOON + timedelta(minutes=5))
    assert is_missed(Plan(300.0), long_ago, NOON, NOON + timedelta(minutes=26))
    assert not is_missed(Plan(300.0), ScheduleRow("s", succeeded_at=NOON + timedelta(days=9)), NOON, NOON)


def test_a_day_that_never_comes_is_never_due_twice() -> None:
    plan = Plan(cron="0 0 30 2 *")
    assert not is_due(plan, ScheduleRow("s", started_at=NOON), NOON + timedelta(days=900))


def test_the_timetable_marks_what_is_due_at_once_and_only_that() -> None:
    due: list[str] = []
    table = Timetable({"late": Plan(300.0), "fresh": Plan(300.0)}, due.append, get_log())
    now = datetime.now(UTC)  # noqa: TID251 - APScheduler looks at the machine's clock itself
    table.start(
        {"fresh": ScheduleRow("fresh", started_at=now), "late": ScheduleRow("late", started_at=now - timedelta(hours=1))}, now
    )
    try:
        assert due == ["late"]
        assert now < table.next_times()["fresh"] <= now + timedelta(seconds=331)
    finally:
        table.stop()
