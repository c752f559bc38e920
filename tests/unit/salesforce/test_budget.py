from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from syncd.errors import BudgetExhausted
from syncd.model import Lane
from syncd.salesforce import SalesforceOrg
from syncd.salesforce.budget import Budget, parse_usage

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)
NEXT_DAY = datetime(2026, 3, 2, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "usage"),
    [
        ("api-usage=18/5000", (18, 5000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample)", (25, 5000)),
        ("per-app-api-usage=17/250(appName=sample)", None),
        ("", None),
        (None, None),
    ],
)
def test_the_usage_header_is_read(header: str | None, usage: tuple[int, int] | None) -> None:
    assert parse_usage(header) == usage


def test_the_share_of_the_day_ends_calls_until_midnight_utc() -> None:
    budget = Budget(0.5, 0.1)
    budget.note_usage((0, 100), NOON)
    for _ in range(45):
        budget.check(NOON)
        budget.count(NOON)
    with pytest.raises(BudgetExhausted) as caught:
        budget.check(NOON)
    assert caught.value.until == datetime(2026, 3, 2, tzinfo=UTC)
    budget.check(NEXT_DAY)


def test_the_count_of_the_process_before_goes_on() -> None:
    budget = Budget(0.5, 0.0, (date(2026, 3, 1), 50))
    budget.note_usage((60, 100), NOON)
    with pytest.raises(BudgetExhausted):
        budget.check(NOON)
    assert budget.used == (date(2026, 3, 1), 50)
    assert budget.total == 0


def test_the_count_of_another_day_does_not() -> None:
    budget = Budget(0.5, 0.0, (date(2026, 2, 28), 50))
    budget.note_usage((60, 100), NOON)
    budget.check(NOON)
    budget.count(NOON)
    assert budget.used == (date(2026, 3, 1), 1)


def test_an_org_that_is_nearly_out_of_calls_is_left_alone_and_looked_at_now_and_then() -> None:
    budget = Budget(1.0, 0.0)
    budget.note_usage((96, 100), NOON)
    with pytest.raises(BudgetExhausted) as caught:
        budget.check(NOON)
    assert caught.value.until == datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    budget.check(LATER)  # one call looks
    with pytest.raises(BudgetExhausted):
        budget.check(LATER)


def test_work_goes_on_only_well_below_the_stop() -> None:
    budget = Budget(1.0, 0.0)
    budget.note_usage((96, 100), NOON)
    budget.check(LATER)
    budget.note_usage((92, 100), LATER)
    with pytest.raises(BudgetExhausted):
        budget.check(LATER)
    budget.note_usage((89, 100), LATER)
    budget.check(LATER)


def test_before_the_first_answer_nothing_is_known_and_calls_pass() -> None:
    Budget(0.0, 0.0).check(NOON)


def test_a_full_org_is_not_asked_anything(org: SalesforceOrg, fake, make_row) -> None:
    fake.usage = "api-usage=97/100"
    fake.on("POST", "composite/sobjects/Lead", fake.json([make_row(1)]))
    org.retrieve("Lead", ["00Q000000000001AAA"], ["City"])
    assert org.api_usage == (97, 100)
    with pytest.raises(BudgetExhausted):
        org.retrieve("Lead", ["00Q000000000001AAA"], ["City"])
    assert org.api_calls == 1
    assert org.budget_used == (date(2026, 3, 1), 1)


def test_hot_leads_may_use_what_increments_must_leave() -> None:
    budget = Budget(0.5, 0.2, (NOON.date(), 40))
    budget.note_usage((40, 100), NOON)
    with pytest.raises(BudgetExhausted):
        budget.check(NOON, Lane.INCREMENT)
    budget.check(NOON, Lane.HOT)
    for _ in range(10):
        budget.count(NOON)
    with pytest.raises(BudgetExhausted):
        budget.check(NOON, Lane.HOT)


def test_back_fills_end_while_increments_still_have_some() -> None:
    budget = Budget(1.0, 0.0, (NOON.date(), 85))
    budget.note_usage((80, 100), NOON)
    with pytest.raises(BudgetExhausted):
        budget.check(NOON, Lane.BACKFILL)
    budget.check(NOON, Lane.INCREMENT)


def test_back_fills_wait_when_others_use_much_of_the_org() -> None:
    budget = Budget(1.0, 0.0)
    budget.note_usage((86, 100), NOON)
    with pytest.raises(BudgetExhausted) as caught:
        budget.check(NOON, Lane.REMAP)
    assert caught.value.until == datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    budget.check(NOON, Lane.INCREMENT)


def test_hot_leads_go_on_in_a_full_org_until_it_refuses_them() -> None:
    budget = Budget(1.0, 0.0)
    budget.note_usage((97, 100), NOON)
    budget.check(NOON, Lane.HOT)
    budget.close(NOON)
    with pytest.raises(BudgetExhausted):
        budget.check(NOON, Lane.HOT)
    budget.check(LATER, Lane.HOT)


def test_the_pressure_is_the_higher_of_ours_and_the_orgs() -> None:
    budget = Budget(0.5, 0.2)
    assert budget.pressure == 0.0
    budget.note_usage((38, 100), NOON)
    assert budget.pressure == pytest.approx(0.4)
    for _ in range(36):
        budget.count(NOON)
    assert budget.pressure == pytest.approx(0.9)
