"""What of a period is kept no longer, or was decided by a policy that is gone, is said beside the number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.app.kpi import KpiReport, kpi
from syncd.app.kpi_words import MEANINGS, Measure
from syncd.clock import FixedClock
from syncd.model import OperationKind, OperationState, Provenance
from syncd.ports import DecisionRow
from syncd.store import SqlStore, open_store
from tests.contract.test_store import operation
from tests.contract.test_store_decisions import plan
from tests.contract.test_store_policy import people, put, row
from tests.policies import NURTURE, OPEN, UNQUALIFIED, WORKING, full_policy

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONG_AGO = NOW - 100 * DAY
MACHINE = "005machine"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A store that has noted changes of status for four months."""
    clock = FixedClock(NOW - 120 * DAY)
    opened = open_store(f"sqlite:///{tmp_path / 'syncd.db'}", clock=clock)
    opened.start_run("run", clock.now(), ["booth"])
    opened.note_statuses(True)
    clock.advance(120 * 86_400)
    people(opened, "p", "q")
    opened.set_mirror_cursor("Lead", NOW)
    yield opened
    opened.close()


def reported(store: SqlStore, since: datetime = NOW - 110 * DAY, **changes: Any) -> KpiReport:
    policy = full_policy(**changes)
    return kpi(store, policy, since=since.date().isoformat(), until="", now=NOW + HOUR, machine_users={MACHINE})


def breach(at: datetime, outcome: str = "fired") -> DecisionRow:
    return DecisionRow("first_touch", "sla", outcome, at=at)


def measure(found: KpiReport, name: str) -> Measure:
    return next(one for one in found.measures if one.meaning.name == name)


def figures(found: KpiReport, name: str) -> dict[tuple[str, ...], float | None]:
    return {one.labels: one.value for one in measure(found, name).figures}


def test_changes_of_which_only_sums_are_kept_make_numbers_too_low_and_that_is_said(store: SqlStore) -> None:
    made = (LONG_AGO - HOUR).isoformat()
    for n, status in enumerate((OPEN, WORKING, UNQUALIFIED, NURTURE, OPEN, WORKING)):
        put(store, row("Lead", "00Q1", LONG_AGO + n * HOUR, Status=status, CreatedDate=made, external_id="p"))
    whole = reported(store)
    assert sum(value or 0 for value in figures(whole, "entered").values()) == 6
    assert measure(whole, "entered").note == ""
    assert sum(store.prune(NOW - 90 * DAY, 100)) == 3
    less = reported(store)
    for name in ("arrived", "entered", "moved_on", "speed_p50", "unqualified", "archived"):
        assert "of 3 changes of status in the period only the sums of their days are kept" in measure(less, name).note
    later = reported(store, NOW - 50 * DAY)
    assert measure(later, "entered").note == ""


def test_breaches_of_which_only_sums_are_kept_still_count(store: SqlStore) -> None:
    plan(store, "p", *(breach(LONG_AGO + n * DAY) for n in range(4)))
    plan(store, "q", breach(LONG_AGO))
    plan(store, "q", breach(LONG_AGO, "observed"))
    before = figures(reported(store), "sla_breaches")
    assert before == {("answer",): 0, ("first_touch",): 5, ("hand_over",): 0, ("next_step",): 0}
    assert sum(store.prune(NOW - 90 * DAY, 100)) == 4
    after = reported(store)
    assert figures(after, "sla_breaches") == before
    assert measure(after, "sla_breaches").note.startswith("3 of them are known by sums of days (UTC) only")


def test_moves_by_rules_that_are_gone_are_named(store: SqlStore) -> None:
    """The log still knows the section of some of them."""
    for number, rule in enumerate(("forgotten", "known_to_the_log", "silent")):
        why = {"Status": Provenance(rule=f"policy full 12345678: {rule}")}
        made = operation(
            number, "p", kind=OperationKind.STATUS, fields={"Status": NURTURE}, before={"Status": OPEN}, provenance=why,
            state=OperationState.DONE, finished_at=NOW - DAY,
        )  # fmt: skip
        store.put_operations([made])
    plan(store, "p", DecisionRow("known_to_the_log", "archive", "fired", at=NOW - DAY))
    found = reported(store)
    assert figures(found, "archived") == {("known_to_the_log",): 1, ("outside_icp",): 0, ("silent",): 1}
    assert "rules that the policy no longer has: forgotten (1)" in measure(found, "archived").note


def test_statuses_stand_in_the_order_of_the_policy(store: SqlStore) -> None:
    made = (NOW - DAY).isoformat()
    for n, status in enumerate((NURTURE, "Ancient", OPEN, UNQUALIFIED)):
        put(store, row("Lead", f"00Q{n}", NOW - HOUR, Status=status, CreatedDate=made))
    found = reported(store)
    names = [OPEN, NURTURE, UNQUALIFIED, "Ancient"]
    assert [status for status, _ in figures(found, "entered")] == [status for status, _ in figures(found, "standing")] == names


def test_tasks_that_are_not_mirrored_are_said(store: SqlStore) -> None:
    assert "Tasks are not counted" in measure(reported(store), "speed_p50").note
    store.set_mirror_cursor("Task", NOW)
    assert measure(reported(store), "speed_p50").note == ""


def test_every_number_is_there_whatever_happened(store: SqlStore) -> None:
    assert [one.meaning for one in reported(store).measures] == list(MEANINGS)
    assert [one.meaning for one in reported(store, programs=(), rules=()).measures] == list(MEANINGS)
