"""What a policy decided and when it must look again, the same on both engines; and what of it is forgotten."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from syncd.errors import StoreError
from syncd.model import Candidate, OrgRow, PersonState
from syncd.ports import DecisionRow, PersonPlan, PolicyDay, Review
from syncd.store import SqlStore
from tests.contract.planned import seen
from tests.contract.test_store import operation, resolved
from tests.contract.test_store_policy import count, facts, people, put, row

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO = NOW - 100 * DAY
BEFORE = NOW - 90 * DAY


def decided(rule: str, outcome: str = "fired", at: datetime | None = None, **more: Any) -> DecisionRow:
    return DecisionRow(rule, "rules", outcome, "nurture 1a2b", at=at, **more)


def plan(store: SqlStore, person: str, *decisions: DecisionRow, due: dict[str, datetime] | None = None) -> None:
    store.commit_plans("run", seen(store, [PersonPlan(person, decisions=decisions, due=due)]), NOW)


# ---------------------------------------------------------------- dates


def test_a_plan_replaces_all_dates_or_leaves_them(store: SqlStore) -> None:
    people(store, "p", "q")
    plan(store, "p", due={"": NOW + DAY, "archive": NOW + 2 * DAY})
    plan(store, "q", due={"": NOW + 3 * DAY})
    plan(store, "p")
    assert facts(store).waiting == {"archive": NOW + 2 * DAY}
    assert store.next_due() == NOW + DAY
    plan(store, "p", due={"other": NOW + 4 * DAY})
    assert facts(store).waiting == {"other": NOW + 4 * DAY}
    assert store.next_due() == NOW + 3 * DAY
    plan(store, "p", due={})
    plan(store, "q", due={})
    assert (facts(store).waiting, store.next_due()) == ({}, None)


def test_new_people_bring_their_dates_and_decisions(store: SqlStore) -> None:
    made = PersonPlan("p", decisions=(decided("entry", to_status="Open"),), due={"": NOW + DAY, "x": NOW})
    store.commit_resolved("run", [resolved(1, "p"), resolved(2, "q")], NOW, [made])
    assert store.next_due() == NOW + DAY
    assert facts(store).waiting == {"x": NOW}
    (found,) = store.decisions_of("p")
    assert (found.person_id, found.run_id, found.at, found.to_status, found.policy) == ("p", "run", NOW, "Open", "nurture 1a2b")
    assert store.decisions_of("q") == []


def test_a_plan_that_came_too_late_leaves_no_decision(store: SqlStore) -> None:
    """Its target has an open operation: the person is planned again, and decided again."""
    people(store, "p")
    store.put_operations([operation(1, "p")])
    late = PersonPlan("p", (operation(2, "p"),), decisions=(decided("a"),), due={"": NOW})
    store.commit_plans("run", seen(store, [late]), NOW)
    assert (store.decisions_of("p"), store.next_due()) == ([], None)


def test_people_whose_date_has_come_are_planned_again_oldest_first(store: SqlStore) -> None:
    names = [f"p{n:03d}" for n in range(700)]
    people(store, *names)
    plans = [PersonPlan(name, due={"": NOW - timedelta(minutes=n), "hold": NOW - DAY}) for n, name in enumerate(names)]
    store.commit_plans("run", seen(store, [*plans[:690], *(PersonPlan(name, due={"": NOW + DAY}) for name in names[690:])]), NOW)
    assert store.mark_due(NOW, 3) == 3
    assert store.dirty_persons(9) == ["p687", "p688", "p689"]
    assert store.next_due() == NOW - timedelta(minutes=686)
    assert store.mark_due(NOW, 10_000) == 687
    assert store.mark_due(NOW, 10_000) == 0, "each date counts once"
    assert store.dirty_persons(9_999) == names[:690]
    assert store.next_due() == NOW + DAY
    assert facts(store, "p000").waiting == {"hold": NOW - DAY}, "the end of a hold period is for the policy to see"


def test_everybody_is_marked_in_slices(store: SqlStore) -> None:
    names = [f"p{n}" for n in range(7)]
    people(store, *names, "r", person_state=PersonState.ACTIVE)
    after, rounds = "", 0
    while after := store.mark_everybody(after, 3):
        rounds += 1
        assert len(store.dirty_persons(99)) == min(3 * rounds, 8)
    assert rounds == 3
    assert store.dirty_persons(99) == [*names, "r"]


def test_of_two_people_who_are_one_dates_and_decisions_are_the_survivors(store: SqlStore) -> None:
    store.commit_resolved("run", [resolved(1, "p")], NOW)
    question = Review("clashing_names", "l", (Candidate("person", "p", "p"),), "two names", "booth", at=NOW)
    store.commit_resolved("run", [resolved(2, "l", person_state=PersonState.REVIEW, review=question)], NOW)
    plan(store, "p", decided("a", at=NOW - DAY), decided("b", at=NOW - DAY), due={"": NOW + 2 * DAY, "x": NOW + DAY})
    plan(store, "l", decided("a", at=NOW), due={"": NOW + DAY, "x": NOW + 3 * DAY, "y": NOW})
    store.accept_review(store.reviews()[0].review_id, Candidate("person", "p", "p"), NOW)
    found = facts(store)
    assert found.fired == {"a": NOW, "b": NOW - DAY}
    assert found.waiting == {"x": NOW + 3 * DAY, "y": NOW}, "nothing is done too early"
    assert store.next_due() == NOW + DAY, "but it is looked at as early"
    assert store.decisions_of("l") == store.decisions_of("p")
    assert len(store.decisions_of("l")) == 3
    assert store.check() == []


# ---------------------------------------------------------------- the log


def test_the_log_is_read_by_time_and_by_rule(store: SqlStore) -> None:
    people(store, "p", "q")
    for n in range(1_005):
        plan(store, "p", decided("a" if n % 5 else "b", at=NOW - timedelta(minutes=n)))
    plan(store, "q", decided("a", "observed", at=NOW, document={"reason": "r", "score": 4}))
    assert len(list(store.decisions())) == 1_006
    times = [one.at for one in store.decisions()]
    assert times == sorted(times)  # type: ignore[type-var]
    numbers = [one.number for one in store.decisions()]
    assert len(set(numbers)) == 1_006
    since = list(store.decisions(NOW - timedelta(minutes=9), NOW))
    assert [one.at for one in since] == [NOW - timedelta(minutes=n) for n in range(9, 0, -1)]
    assert [one.at for one in store.decisions(NOW - timedelta(minutes=9), rule_id="b")] == [NOW - timedelta(minutes=5), NOW]
    (last,) = (one for one in store.decisions(NOW) if one.person_id == "q")
    assert (last.document, last.outcome) == ({"reason": "r", "score": 4}, "observed")


def test_only_what_fired_counts_as_done(store: SqlStore) -> None:
    people(store, "p")
    plan(store, "p", decided("a", at=NOW - 2 * DAY), decided("a", at=NOW - DAY), decided("b", "observed"))
    assert facts(store).fired == {"a": NOW - DAY}


def test_of_the_erased_neither_decisions_nor_dates_stay(store: SqlStore) -> None:
    people(store, "p", "q")
    for name in ("p", "q"):
        plan(store, name, decided("a"), due={"": NOW, "x": NOW})
    store.forget_decisions("p")
    assert [len(store.decisions_of(name)) for name in ("p", "q")] == [0, 1]
    assert (facts(store).waiting, facts(store, "q").waiting) == ({}, {"x": NOW})


# ---------------------------------------------------------------- what is forgotten


@pytest.mark.parametrize("limit", [1, 4, 500])
def test_old_decisions_go_and_the_newest_of_each_rule_stays(store: SqlStore, limit: int) -> None:
    people(store, "p", "q")
    for n in range(6):
        plan(store, "p", decided("a", at=LONG_AGO + n * DAY, to_status="Open"), decided("a", "observed", at=LONG_AGO + n * DAY))
    plan(store, "q", decided("a", at=LONG_AGO), decided("b", at=LONG_AGO))
    before = facts(store), facts(store, "q")
    slices = list(store.prune(BEFORE, limit))
    assert max(slices) <= limit
    assert sum(slices) == 11
    assert (facts(store), facts(store, "q")) == before
    assert [len(store.decisions_of(name)) for name in ("p", "q")] == [1, 2]
    days = store.policy_days(LONG_AGO - DAY, NOW)
    first = datetime(LONG_AGO.year, LONG_AGO.month, LONG_AGO.day, tzinfo=UTC)
    assert days[:2] == [
        PolicyDay(first, "decision", "", "a", "observed", 1),
        PolicyDay(first, "decision", "Open", "a", "fired", 1),
    ]
    assert sum(one.count for one in days) == 11
    assert set(store.prune(BEFORE, limit)) == {0}, "once is enough"
    plan(store, "p", decided("a", at=NOW - 80 * DAY))
    assert sum(store.prune(NOW - 10 * DAY, limit)) == 1, "what was kept goes when another one is as old"
    assert facts(store).fired == {"a": NOW - 80 * DAY}


@pytest.mark.parametrize("limit", [2, 500])
def test_of_old_statuses_the_present_stay_and_two_before_are_kept(store: SqlStore, limit: int) -> None:
    store.note_statuses(True)
    people(store, "p")
    for n, status in enumerate(("Open", "Working", "Open", "Nurture", "Open")):
        put(store, row("Lead", "00Q1", LONG_AGO + timedelta(hours=n), Status=status, external_id="p"))
    put(store, row("Lead", "00Q2", LONG_AGO, Status="Open"))
    put(store, row("Lead", "00Q3", NOW, Status="Open"))
    assert sum(store.prune(BEFORE, limit)) == 2
    assert [one.status for one in facts(store).statuses["00Q1"]] == ["Open", "Nurture", "Open"]
    assert count(store, "status_change") == 5
    found = {(one.kind, one.status): one.count for one in store.policy_days(LONG_AGO - DAY, NOW)}
    assert found == {("status_change", "Open"): 1, ("status_change", "Working"): 1}


def test_young_decisions_stay(store: SqlStore) -> None:
    people(store, "p")
    plan(store, "p", *(decided("a", at=BEFORE + n * DAY) for n in range(3)), decided("b", "observed", at=BEFORE))
    assert sum(store.prune(BEFORE, 500)) == 0
    assert len(store.decisions_of("p")) == 4
    assert store.policy_days(LONG_AGO, NOW) == []


def test_a_death_while_decisions_are_summed_up_changes_no_sum(store: SqlStore) -> None:
    """One transaction: at whatever statement it breaks, what is there and what is summed up are as many as before."""
    people(store, "p")
    plan(store, "p", *(decided("a", "observed", at=LONG_AGO + n * DAY) for n in range(5)))
    deaths = 0
    for dying in itertools.count(1):
        seen = itertools.count(1)

        def fail(*arguments: Any, seen: Iterator[int] = seen, dying: int = dying) -> None:
            is_it = any(name in arguments[2] for name in ("decision", "policy_day", "meta"))
            if is_it and arguments[2].lstrip().startswith(("DELETE", "INSERT")) and next(seen) == dying:
                raise StoreError("dead")

        event.listen(store.db.engine, "before_cursor_execute", fail)
        try:
            list(store.prune(BEFORE, 2))
            break
        except StoreError:
            deaths += 1
        finally:
            event.remove(store.db.engine, "before_cursor_execute", fail)
        sums = sum(one.count for one in store.policy_days(LONG_AGO - DAY, NOW))
        assert len(store.decisions_of("p")) + sums == 5
    assert deaths > 3
    assert sum(one.count for one in store.policy_days(LONG_AGO - DAY, NOW)) == 5


def test_a_plan_without_a_policy_writes_nothing_more(store: SqlStore) -> None:
    """What a first fill without programs costs: not one statement."""
    made: list[str] = []

    def note(*arguments: Any) -> None:
        made.append(arguments[2])

    event.listen(store.db.engine, "before_cursor_execute", note)
    try:
        people(store, "p")
        store.commit_plans("run", seen(store, [PersonPlan("p")]), NOW)
        put(store, OrgRow("Lead", "00Q1", {"Status": "Open"}, NOW, external_id="p"))
    finally:
        event.remove(store.db.engine, "before_cursor_execute", note)
    tables_of_policies = ("decision", "due", "status_change", "related", "org_user", "policy_day")
    assert made
    assert [count(store, name) for name in tables_of_policies] == [0] * 6
    assert [one for one in made if any(f" {name} " in one or f" {name}(" in one for name in tables_of_policies)] == []
