"""A company that pays by Xactly: an org with deals and payees, a template, and what lies in its folder afterwards."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from syncd.app.xactly import XactlyReport
from tests.world import World

MARCH = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)

TEMPLATE = """\
version: 1
start_on: 2026-01-01
currency: {value: EUR}
calendar: {time_zone: Europe/Berlin}
orders:
  batch_name: {is: batch}
  period_name: {is: period}
  order_code: {is: order_code}
  item_code: {is: item_code}
  incentive_date: {is: incentive_date}
  amount: {is: amount}
  currency: {is: currency}
  customer_name: {from: Account.Name, compare: false}
  source_id: {from: Opportunity.Id}
  related_order_code: {is: related_order_code}
assignments:
  order_code: {is: order_code}
  item_code: {is: item_code}
  employee_id: {is: employee_id}
  split_percent: {is: split_percent}
"""
Row = dict[str, str]


@dataclass
class Payroll(World):
    """A world with a template; reps 1 to 3 have employee numbers E1 to E3, "new" has none. It is 20 March 2026."""

    template: str = TEMPLATE
    extra_settings: str = "xactly: {template: mappings/exports/xactly.yaml, folder: out}\n"

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.folder / "mappings" / "exports").mkdir()
        self.write("mappings/exports/xactly.yaml", self.template)
        self.clock.advance((MARCH - self.clock.now()).total_seconds())
        self.org.admin.add_user("new")
        for number in (1, 2, 3):
            self.employee(f"rep{number}", f"E{number}")

    @property
    def out(self) -> Path:
        """Where the files of a batch go."""
        return self.folder / "out"

    def employee(self, user: str, number: str | None) -> None:
        """A payee gets an employee number, or loses it."""
        self.org.note("User", self.org.users[user], {"EmployeeNumber": number})

    def deal(self, amount: Any = 1000, on: str = "2026-03-10", user: str = "rep1", stage: str = "Closed Won", **more: Any) -> str:
        """An opportunity of a rep; gives its id."""
        values = {"Name": "Deal", "StageName": stage, "CloseDate": on, "Amount": amount, **more}
        return self.org.create("Opportunity", {**values, "OwnerId": self.org.users[user]}, user=user)

    def report(
        self, period: str = "", *, force: bool = False, dry_run: bool = False, wrap: Callable[[Any, str], Any] | None = None
    ) -> XactlyReport:
        """One export by a fresh process."""
        self.clock.advance(60)
        house = self.open(wrap)
        try:
            return house.report_xactly(period, force=force, dry_run=dry_run)
        finally:
            house.close()

    def again(self, batch: str) -> None:
        """A batch once more."""
        house = self.open()
        try:
            house.xactly_again(batch)
        finally:
            house.close()

    def at(self, day: str) -> None:
        """Wait until the morning of a day."""
        self.clock.advance((datetime.fromisoformat(f"{day}T09:00:00+00:00") - self.clock.now()).total_seconds())

    # ------------------------------------------------------------------ what lies there

    def files(self) -> dict[str, bytes]:
        """Every file of the folder that a consumer would see."""
        return {path.name: path.read_bytes() for path in sorted(self.out.glob("[!.]*"))} if self.out.is_dir() else {}

    def manifests(self) -> dict[str, dict[str, Any]]:
        """By batch, each proved against the files that it names."""
        found = {}
        for name, content in self.files().items():
            if name.startswith("manifest_"):
                told = json.loads(content)
                for file, digest in told["sha256"].items():
                    assert hashlib.sha256((self.out / file).read_bytes()).hexdigest() == digest, file
                found[told["batch"]] = told
        return found

    def orders(self, batch: str = "") -> list[Row]:
        """The rows of a batch, or of all whose manifest is there."""
        return self._rows("orders", batch)

    def assignments(self, batch: str = "") -> list[Row]:
        """The assignments of a batch, or of all."""
        return self._rows("assignments", batch)

    def _rows(self, kind: str, batch: str) -> list[Row]:
        told = sorted(self.manifests().values(), key=lambda one: (one["generated_at"], len(one["batch"]), one["batch"]))
        names = [batch] if batch else [one["batch"] for one in told]
        texts = [(self.out / f"{kind}_{name}.csv").read_bytes().decode() for name in names]
        return [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""))]

    def sums(self) -> dict[str, Decimal]:
        """What all batches together say of each opportunity, without those that come to nothing."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.orders():
            found[row["source_id"]] += Decimal(row["amount"])
        return {deal: total for deal, total in found.items() if total}

    def paid(self) -> dict[tuple[str, str], Decimal]:
        """What each employee gets of each opportunity by all batches together, without those that come to nothing."""
        orders = {(row["order_code"], row["item_code"]): row for row in self.orders()}
        found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for share in self.assignments():
            order = orders[share["order_code"], share["item_code"]]
            part = Decimal(order["amount"]) * Decimal(share["split_percent"]) / 100
            found[order["source_id"], share["employee_id"]] += part
        return {key: total for key, total in found.items() if total}
