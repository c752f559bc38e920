"""Opportunities of a person as the store tells of them, the same on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from syncd.clock import FixedClock
from syncd.model import TOLD_WON, Deal, DealState
from syncd.ports import PersonPlan
from syncd.store import SqlStore, open_store
from tests.contract.planned import seen
from tests.contract.test_store_policy import DAY, NOW, facts, people, put, row


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A fresh store with a converted person, and somebody else's opportunity."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    opened.start_run("run", NOW, ["booth"])
    people(opened, "p")
    put(
        opened,
        row("Lead", "00Q1", external_id="p", is_converted=True, contact_id="003A"),
        row("Opportunity", "006X", ContactId="003Z", IsClosed=True, IsWon=True),
    )
    yield opened
    opened.close()


def test_deals_are_told_by_their_primary_contact_with_how_they_ended(store: SqlStore) -> None:
    put(
        store,
        row("Opportunity", "006A", ContactId="003A", IsClosed=True, IsWon=True, Amount=10.5, CurrencyIsoCode="EUR"),
        row("Opportunity", "006B", ContactId="003A", IsClosed=True, IsWon=False),
        row("Opportunity", "006C", ContactId="003A", IsClosed=False, IsWon=False, Amount=None),
        row("Opportunity", "006D", ContactId="003A", is_deleted=True),
    )
    assert facts(store).deals == (
        Deal("006A", DealState.WON, NOW, 10.5, "EUR"),
        Deal("006B", DealState.LOST, NOW),
        Deal("006C", DealState.OPEN, NOW),
        Deal("006D", DealState.DELETED, NOW),
    )


def test_a_deal_that_is_changed_after_it_was_closed_was_closed_by_the_end_of_that_day(store: SqlStore) -> None:
    put(store, row("Opportunity", "006A", ContactId="003A", IsClosed=True, IsWon=True, CloseDate="2026-11-20"))
    (deal,) = facts(store).deals
    assert NOW - timedelta(days=4) < deal.at <= datetime(2026, 11, 21, tzinfo=UTC)


def test_of_a_deal_that_was_read_before_anybody_asked_how_it_ended_nobody_knows(store: SqlStore) -> None:
    put(store, row("Opportunity", "006A", ContactId="003A", IsClosed=True))
    assert facts(store).deals == ()


def test_deals_are_found_by_id_whoever_is_their_contact(store: SqlStore) -> None:
    put(
        store,
        row("Opportunity", "006A", IsClosed=True, IsWon=True, Amount=10.5),
        row("Opportunity", "006B", ContactId="003Z", is_deleted=True),
        row("Task", "006C", WhoId="003A"),
    )
    wanted = ["006A", "006B", "006C", "006D"]
    assert store.deals(wanted) == {"006A": Deal("006A", DealState.WON, NOW, 10.5), "006B": Deal("006B", DealState.DELETED, NOW)}
    assert facts(store).deals == ()


def test_for_whom_a_win_was_told_is_planned_again_when_that_deal_changes_and_for_no_other(store: SqlStore) -> None:
    people(store, "q")
    store.commit_plans("run", seen(store, [PersonPlan("q", due={f"{TOLD_WON}:006B": NOW + DAY})]), NOW)
    store.commit_plans("run", seen(store, [PersonPlan("p", due={f"{TOLD_WON}:006A": NOW + DAY, "hold": NOW})]), NOW)
    deals = [row("Opportunity", one, IsClosed=True, IsWon=True) for one in ("006A", "006B", "006C")]
    put(store, *deals)
    assert store.dirty_persons(9) == ["p", "q"]
    store.commit_plans("run", seen(store, [PersonPlan("p"), PersonPlan("q")]), NOW)
    put(store, *deals)
    assert store.dirty_persons(9) == [], "nothing has changed"
    put(store, row("Opportunity", "006A", IsClosed=True, IsWon=False), row("Opportunity", "006C", IsClosed=True, IsWon=False))
    assert store.dirty_persons(9) == ["p"]
    assert facts(store).waiting == {"hold": NOW}, "it is no hold period"


def test_wins_are_held_until_the_last_can_be_taken_back_no_longer(store: SqlStore) -> None:
    assert not store.holds_wins(NOW)
    store.commit_plans("run", seen(store, [PersonPlan("p", due={"": NOW + DAY, "hold": NOW + DAY})]), NOW)
    assert not store.holds_wins(NOW)
    store.commit_plans("run", seen(store, [PersonPlan("p", due={TOLD_WON: NOW + DAY, f"{TOLD_WON}:006A": NOW + DAY})]), NOW)
    assert store.holds_wins(NOW)
    assert not store.holds_wins(NOW + DAY)


def test_a_page_of_deals_asks_once_whom_they_were_told_for(store: SqlStore) -> None:
    statements: list[str] = []
    event.listen(store.db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    put(store, *(row("Opportunity", f"006{n:03d}", ContactId="003A") for n in range(300)))
    assert sum("due" in one for one in statements) == 1, "one question for all of them"
