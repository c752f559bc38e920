"""What is counted of histories of leads, case by case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.app.kpi_leads import Counts, arrival, percentile, stages_of, stays_of
from syncd.app.kpi_words import A_PERSON, NO_RULE, STILL_THERE
from syncd.ports import LeadHistory, StatusMove, StatusRow
from tests.policies import ARCHIVED, CONVERTED, NURTURE, OPEN, QUALIFIED, UNQUALIFIED, WORKING, full_policy

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
BEGIN, END = NOW - 10 * DAY, NOW + 10 * DAY
MACHINE, REP = "005machine", "005rep"
STAGES = stages_of(full_policy(), {"gone": "archive"}, frozenset({MACHINE}))


def rule(name: str) -> str:
    return f"policy full 12345678: {name}"


def history(*statuses: tuple[str, datetime, str], **more: Any) -> LeadHistory:
    rows = tuple(StatusRow("00Q1", at, status, by) for status, at, by in statuses)
    defaults = {"source": "site", "created_at": rows[0].at, "first_at": rows[0].at}
    return LeadHistory("00Q1", rows, **{**defaults, **more})


def counted(*found: LeadHistory, since: datetime = BEGIN, until: datetime = END, noted: datetime = BEGIN) -> Counts:
    counts = Counts(STAGES, since, until, noted)
    for one in found:
        counts.add(one)
    return counts


def move(name: str, to: str, at: datetime, before: str = "") -> StatusMove:
    return StatusMove("00Q1", at, rule(name), before, to)


# ---------------------------------------------------------------- who moved it


def test_what_syncd_moved_is_its_rule_even_if_somebody_edited_since() -> None:
    found = history(
        (OPEN, NOW, MACHINE), (WORKING, NOW + HOUR, REP), (NURTURE, NOW + 2 * HOUR, MACHINE), (WORKING, NOW + 3 * HOUR, REP),
        moves=(move("replied", WORKING, NOW + HOUR - MINUTE),),
    )  # fmt: skip
    assert [one.by for one in stays_of(found, STAGES, BEGIN)] == [NO_RULE, "replied", NO_RULE, A_PERSON]


def test_a_move_explains_one_stay_and_none_long_before_or_after() -> None:
    found = history(
        (OPEN, NOW, REP), (WORKING, NOW + MINUTE, REP), (OPEN, NOW + 2 * MINUTE, REP), (WORKING, NOW + DAY, REP),
        moves=(move("replied", WORKING, NOW + MINUTE), move("replied", WORKING, NOW + DAY + 20 * MINUTE)),
    )  # fmt: skip
    assert [one.by for one in stays_of(found, STAGES, BEGIN)] == [A_PERSON, "replied", A_PERSON, A_PERSON]


def test_where_an_older_lead_stood_when_it_was_first_seen_is_no_entry() -> None:
    old = history((OPEN, NOW, REP), (WORKING, NOW + HOUR, REP), created_at=BEGIN - DAY)
    unknown = history((UNQUALIFIED, NOW, REP), created_at=None)
    counts = counted(old, unknown)
    assert counts.entered == {(WORKING, "site"): 1}
    assert (counts.arrived, counts.clocks, counts.unqualified) == ({}, {}, {})


# ---------------------------------------------------------------- stages


def test_the_next_status_counts_if_it_came_before_the_end() -> None:
    found = history((OPEN, NOW, REP), (WORKING, END, REP))
    assert counted(found).moved_on == {(OPEN, STILL_THERE): 1}
    assert counted(found, until=END + MINUTE).moved_on == {(OPEN, WORKING): 1, (WORKING, STILL_THERE): 1}


def test_a_conversion_counts_when_the_converted_status_was_first_seen() -> None:
    found = history((OPEN, NOW, REP), (CONVERTED, NOW + DAY, REP), is_converted=True)
    counts = counted(found)
    assert (counts.converted, counts.arrived_converted) == ({("site",): 1}, {("site",): 1})
    before = counted(found, until=NOW + DAY)
    assert (before.converted, before.arrived, +before.arrived_converted) == ({}, {("site",): 1}, {})
    later = counted(found, since=NOW + HOUR)
    assert (later.converted, later.arrived) == ({("site",): 1}, {})
    seen_as_such = history((CONVERTED, NOW, REP), is_converted=True, created_at=BEGIN - DAY)
    assert counted(seen_as_such).converted == {}


# ---------------------------------------------------------------- speed to lead


def minutes(*found: LeadHistory, **more: Any) -> list[float]:
    return counted(*found, **more).minutes.get(("site",), [])


def test_the_clock_ends_with_the_first_change_by_a_person_or_the_first_completed_task() -> None:
    entered = (OPEN, NOW, MACHINE)
    assert minutes(history(entered, (WORKING, NOW + 90 * MINUTE, REP))) == [90]
    assert minutes(history(entered, (WORKING, NOW + 90 * MINUTE, REP), tasks=(NOW + HOUR,))) == [60]
    assert minutes(history(entered, (QUALIFIED, NOW + HOUR, MACHINE), (WORKING, NOW + 2 * HOUR, REP))) == [120]
    assert minutes(history(entered, (NURTURE, NOW + HOUR, MACHINE))) == [], "a rule is no contact"
    assert minutes(history(entered, tasks=(NOW - DAY,))) == [], "nor is a task from before"
    assert minutes(history(entered, (WORKING, END, REP))) == []
    moved = history(entered, (WORKING, NOW + HOUR, REP), moves=(move("replied", WORKING, NOW + HOUR),))
    assert minutes(moved) == []


def test_the_clock_of_a_new_lead_starts_when_the_person_was_heard_of_or_did_something_last() -> None:
    contact = (WORKING, NOW + HOUR, REP)
    assert minutes(history((OPEN, NOW, MACHINE), contact, first_at=NOW - 5 * MINUTE)) == [65]
    touched = {"touches": (NOW - DAY, NOW - 2 * MINUTE, NOW + MINUTE)}
    assert minutes(history((OPEN, NOW, MACHINE), contact, first_at=NOW - 5 * MINUTE, **touched)) == [62]
    assert minutes(history((OPEN, NOW, MACHINE), contact, first_at=NOW + 9 * MINUTE)) == [60]


def test_the_clock_starts_anew_for_a_lead_that_comes_back() -> None:
    """From the touch that brought it, if there was one since the status before; a contact of the second time is none of the first."""
    back = (
        (OPEN, NOW, MACHINE),
        (NURTURE, NOW + HOUR, MACHINE),
        (OPEN, NOW + 2 * DAY, MACHINE),
        (WORKING, NOW + 2 * DAY + HOUR, REP),
    )
    silent = history(*back, touches=(NOW - DAY,))
    assert minutes(silent) == [60]
    assert counted(silent).clocks["site",] == 2
    assert minutes(history(*back, touches=(NOW + HOUR, NOW + 2 * DAY - 30 * MINUTE))) == [90]
    stays = stays_of(silent, STAGES, BEGIN)
    assert arrival(silent, stays, 2) == NOW + 2 * DAY


def test_leads_of_nobody_and_new_ones_of_back_fills_have_no_clock() -> None:
    rows = ((OPEN, NOW, MACHINE), (WORKING, NOW + HOUR, REP))
    assert counted(history(*rows, first_at=None)).clocks == {}
    assert counted(history(*rows, is_news=False)).clocks == {}
    again = history(*rows, (OPEN, NOW + DAY, REP), is_news=False)
    assert counted(again).clocks == {("(all)",): 1, ("site",): 1}


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([], 50, None),
        ([3], 50, 3),
        ([3], 95, 3),
        ([4, 1, 3, 2], 50, 2),
        ([5, 4, 1, 3, 2], 50, 3),
        (range(1, 101), 95, 95),
        (range(1, 21), 95, 19),
    ],
)
def test_percentiles_are_values_that_were_there(values: Any, share: float, wanted: float | None) -> None:
    assert percentile(list(values), share) == wanted


# ---------------------------------------------------------------- where they went


def test_unqualified_by_reason_and_where_they_went() -> None:
    left = (UNQUALIFIED, NOW, MACHINE)
    by_rule = move("lost_need", UNQUALIFIED, NOW)
    found = [
        history(
            (OPEN, NOW - DAY, REP), left, (NURTURE, NOW + DAY, MACHINE), moves=(by_rule, move("no_budget", NURTURE, NOW + DAY))
        ),
        history((OPEN, NOW - DAY, REP), left, (OPEN, NOW + DAY, MACHINE), moves=(by_rule, move("came_back", OPEN, NOW + DAY))),
        history((OPEN, NOW - DAY, REP), left, (ARCHIVED, NOW + DAY, MACHINE), moves=(move("gone", ARCHIVED, NOW + DAY),)),
        history((OPEN, NOW - DAY, REP), (UNQUALIFIED, NOW, REP), (WORKING, NOW + DAY, REP)),
        history((OPEN, NOW - DAY, REP), (UNQUALIFIED, NOW, REP)),
    ]
    counts = counted(*found)
    assert counts.unqualified == {(UNQUALIFIED, "lost_need"): 2, (UNQUALIFIED, NO_RULE): 1, (UNQUALIFIED, A_PERSON): 2}
    assert counts.unqualified_went == {
        (UNQUALIFIED, "recycle: no_budget", NURTURE): 1,
        (UNQUALIFIED, "revive: came_back", OPEN): 1,
        (UNQUALIFIED, "archive: gone", ARCHIVED): 1,
        (UNQUALIFIED, A_PERSON, WORKING): 1,
        (UNQUALIFIED, STILL_THERE, ""): 1,
    }


def test_archived_and_revived_by_rules_and_by_people() -> None:
    counts = counted(
        history((OPEN, NOW - DAY, REP), (ARCHIVED, NOW, REP), (OPEN, NOW + DAY, REP)),
        history((OPEN, NOW - DAY, REP), (ARCHIVED, NOW, MACHINE), moves=(move("silent", ARCHIVED, NOW),)),
        history((WORKING, NOW - DAY, REP), (OPEN, NOW, REP)),
    )
    assert (counts.archived, counts.revived) == ({(A_PERSON,): 1}, {(A_PERSON,): 1})
    for name in ("silent", "outside_icp", "gone", "came_back", "cools_off", "illegal_status", "forgotten"):
        counts.add_move(move(name, ARCHIVED, NOW))
    counts.add_move(StatusMove("00Q1", NOW, "mapping", OPEN, WORKING))
    counts.add_move(move("words_only", "", NOW))
    assert counts.archived == {(A_PERSON,): 1, ("silent",): 1, ("outside_icp",): 1, ("gone",): 1}
    assert counts.revived == {(A_PERSON,): 1, ("came_back",): 1}
    assert counts.of_no_rule == {"forgotten": 1}
