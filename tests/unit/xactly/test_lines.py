"""Values as they are written, periods as months, batches as they are cut."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncd.errors import ConfigError
from syncd.xactly import Change, Group, Line, Period, batches_of, load_template, period_of, render
from syncd.xactly.files import negative
from syncd.xactly.lines import Share, day_of, digest_of, is_changed, money, plain
from tests.xactly import TEMPLATE

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1500, "1500.00"),
        (0.1, "0.10"),
        (1.005, "1.01"),
        (2.675, "2.68"),
        (-0.005, "-0.01"),
        (1e15, "1000000000000000.00"),
        (0, "0.00"),
    ],
)
def test_money_has_two_digits_of_the_number_that_the_org_shows(value: Any, text: str) -> None:
    """Of the shortest text that means the float, never of its binary fraction."""
    assert str(money(value)) == text


@pytest.mark.parametrize("value", [None, True, "", "12 EUR", float("nan"), float("inf")])
def test_what_is_no_number_is_no_money(value: Any) -> None:
    assert money(value) is None


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-03-31", date(2026, 3, 31)),
        ("2026-03-31T22:30:00Z", date(2026, 4, 1)),
        ("2026-01-31T22:30:00Z", date(2026, 1, 31)),
        ("soon", None),
        (None, None),
        (5, None),
    ],
)
def test_an_instant_is_a_day_of_the_compensation_calendar(value: Any, day: date | None) -> None:
    """And a day is that day, wherever it is looked at from."""
    assert day_of(value, BERLIN) == day


def test_numbers_are_written_without_exponent_and_needless_zeros() -> None:
    assert [plain(Decimal(one)) for one in ("100.00", "33.340", "1E+2", "0", "12.5")] == ["100", "33.34", "100", "0", "12.5"]


@pytest.mark.parametrize(("text", "opposite"), [("1.00", "-1.00"), ("-2", "2"), ("0.00", "0.00"), ("", ""), ("n/a", "n/a")])
def test_the_opposite_of_a_number(text: str, opposite: str) -> None:
    assert negative(text) == opposite


def test_periods() -> None:
    assert str(period_of("", datetime(2026, 3, 31, 22, 30, tzinfo=UTC), BERLIN)) == "2026-04"
    assert period_of("2026-02", AT, BERLIN) == Period(2026, 2)
    assert [Period(2024, 2).last, Period(2026, 12).last] == [date(2024, 2, 29), date(2026, 12, 31)]
    for text in ("2026-04", "2026-3", "2026-00", "0000-01", "March", "2026-03-01"):
        with pytest.raises(ConfigError):
            period_of(text, AT, BERLIN)


def line(deal: str = "006A", part: str = "1", amount: str = "10.00", **more: Any) -> Line:
    return Line(deal, part, deal, amount, "EUR", date(2026, 3, 1), shares=(Share("E1", "100"),), **more)


def test_opportunities_stay_together_unless_one_alone_is_more_than_a_batch() -> None:
    def group(deal: str, count: int) -> Group:
        return Group(deal, tuple(Change(line(deal, str(number)), 1) for number in range(count)))

    def sizes(*counts: int) -> list[int]:
        return [len(part) for part in batches_of([group(f"d{n}", count) for n, count in enumerate(counts)], 5)]

    assert sizes() == []
    assert sizes(5, 1) == [5, 1]
    assert sizes(3, 3, 2) == [3, 5]
    assert sizes(1, 12, 1) == [1, 5, 5, 3]


def test_the_order_of_shares_is_no_change_and_the_share_is() -> None:
    template = load_template(TEMPLATE, "x.yaml")
    one = line().__class__(**{**_fields(line()), "shares": (Share("E1", "60"), Share("E2", "40"))})
    other = line().__class__(**{**_fields(line()), "shares": (Share("E2", "40"), Share("E1", "60"))})
    third = line().__class__(**{**_fields(line()), "shares": (Share("E2", "60"), Share("E1", "40"))})
    assert digest_of(template, one) == digest_of(template, other)
    assert not is_changed(template, one, other)
    assert digest_of(template, one) != digest_of(template, third)
    assert is_changed(template, one, third)


def _fields(one: Line) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_cells_with_separators_quotes_and_line_ends_are_one_cell() -> None:
    template = load_template(TEMPLATE, "x.yaml")
    made = line(cells={"customer_name": 'Acme, "Inc."\nBerlin ü', "source_id": "006A"})
    batch, rows = render(template, Period(2026, 3), 1, [Change(made, 1)], AT)
    assert batch.files["orders_syncd-closedwon-2026-03.csv"].endswith(
        'syncd-closedwon-2026-03,2026-03,006A,1,2026-03-01,10.00,EUR,"Acme, ""Inc.""\nBerlin ü",006A,\r\n'
    )
    assert [(one.deal, one.version, one.is_standing) for one in rows] == [("006A", 1, True)]
    assert list(batch.files)[-1] == "manifest_syncd-closedwon-2026-03.json"


def test_the_same_changes_give_the_same_bytes() -> None:
    template = load_template(TEMPLATE + "batch: {name: 'b{number}.{period}'}\n", "x.yaml")
    one = render(template, Period(2026, 3), 2, [Change(line(), 1), Change(line(), 1, is_reversal=True)], AT)
    assert one == render(template, Period(2026, 3), 2, [Change(line(), 1), Change(line(), 1, is_reversal=True)], AT)
    assert one[0].name == "b2.2026-03"


def test_codes_may_stay_the_same_where_the_template_says_so() -> None:
    template = load_template(TEMPLATE + "codes: {again: ''}\n", "x.yaml")
    changes = [Change(line(), 1, is_reversal=True), Change(line(), 2)]
    batch, _ = render(template, Period(2026, 3), 1, changes, AT)
    rows = batch.files["orders_syncd-closedwon-2026-03.csv"].splitlines()[1:]
    assert [(row.split(",")[2], row.split(",")[-1]) for row in rows] == [("006A-R1", "006A"), ("006A", "")]
