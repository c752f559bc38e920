"""Opportunities of a person as the store tells of them, the same on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from syncd.clock import FixedClock
from syncd.model import Deal, DealState
from syncd.store import SqlStore, open_store
from tests.contract.test_store_policy import NOW, facts, people, put, row


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
