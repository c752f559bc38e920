"""Whatever happens to deals, in any order and with exports at any time: Xactly holds of each what it is worth now, paid to whom it is due."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.xactly import Payroll

AMOUNTS = [None, 0, 0.1, 1000, 333.33, -50]
DAYS = ["2026-02-27", "2026-03-10", "2026-03-31", "2026-04-01", "2026-05-05"]
STAGES = ["Closed Won", "Closed Won", "Closed Lost", "Prospecting"]
REPS = ["rep1", "rep2", "new"]
DEALS = 3

numbers = st.integers(0, DEALS - 1)
steps = st.one_of(
    st.tuples(st.just("amount"), numbers, st.sampled_from(AMOUNTS)),
    st.tuples(st.just("day"), numbers, st.sampled_from(DAYS)),
    st.tuples(st.just("stage"), numbers, st.sampled_from(STAGES)),
    st.tuples(st.just("owner"), numbers, st.sampled_from(REPS)),
    st.tuples(st.just("deleted"), numbers, st.booleans()),
    st.tuples(st.just("employee"), st.just(0), st.sampled_from(["E9", None])),
    st.tuples(st.just("export"), st.just(0), st.none()),
    st.tuples(st.just("month"), st.just(0), st.none()),
)


class Course:
    """A company, three deals, and what they should be worth."""

    def __init__(self, folder: Path) -> None:
        self.payroll = Payroll(folder)
        self.deals = [self.payroll.deal(100 * (number + 1)) for number in range(DEALS)]
        self.months = iter(("2026-04-02", "2026-05-06"))

    def step(self, what: str, number: int, value: Any) -> None:
        org, deal = self.payroll.org, self.deals[number]
        fields = {"amount": "Amount", "day": "CloseDate", "stage": "StageName"}
        is_deleted = org.row(deal)["IsDeleted"]
        if what == "deleted" and value != is_deleted:
            (org.delete if value else org.undelete)(deal)
        elif what == "owner" and not is_deleted:
            org.edit(deal, {"OwnerId": org.users[value]})
        elif what in fields and not is_deleted:
            org.edit(deal, {fields[what]: value})
        elif what == "employee":
            self.payroll.employee("new", value)
        elif what == "export":
            self.export()
        elif what == "month":
            month = next(self.months, None)
            if month is not None:
                self.payroll.at(month)

    def export(self) -> None:
        """Export, and compare: all but what was refused is as it is in the org."""
        refused = {one.deal for one in self.payroll.report().refusals}
        held = {deal: total for deal, total in self.payroll.sums().items() if deal not in refused}
        worth = {deal: total for deal in self.deals if deal not in refused and (total := self.worth(deal))}
        assert held == worth
        paid = {key: total for key, total in self.payroll.paid().items() if key[0] not in refused}
        assert paid == {(deal, self.payee(deal)): total for deal, total in worth.items()}
        self.check_rows()

    def worth(self, deal: str) -> Decimal:
        row = self.payroll.org.row(deal)
        today = self.payroll.clock.now().date()
        is_due = (row["CloseDate"].year, row["CloseDate"].month) <= (today.year, today.month)
        is_won = row["IsWon"] and not row["IsDeleted"] and is_due
        return Decimal(str(row["Amount"])).quantize(Decimal("0.01")) if is_won and row["Amount"] is not None else Decimal(0)

    def payee(self, deal: str) -> str:
        org = self.payroll.org
        return str(org.row(str(org.row(deal)["OwnerId"]))["EmployeeNumber"])

    def check_rows(self) -> None:
        """No code twice; each reversal takes back exactly one order that was told before it."""
        rows = self.payroll.orders()
        codes = [row["order_code"] for row in rows]
        assert len(codes) == len(set(codes))
        before: dict[str, str] = {}
        for row in rows:
            if "-R" in row["order_code"]:
                assert Decimal(row["amount"]) == -Decimal(before.pop(row["related_order_code"]))
            else:
                before[row["order_code"]] = row["amount"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=14))
def test_the_sum_of_all_rows_is_what_each_deal_is_worth(course: list[tuple[str, int, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Course(Path(folder))
        for step in course:
            made.step(*step)
        made.payroll.employee("new", "E9")
        made.export()
        assert made.payroll.report().batches == ()
