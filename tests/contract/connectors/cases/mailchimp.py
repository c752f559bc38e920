"""mailchimp under the contract suite."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from connectors.mailchimp import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import Secret
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from tests.contract.connectors.kit import NOW, Case, Vendor, lent


def case(folder: Path) -> Case:
    """An audience in which three members share each second, but for every thirtieth second, which twenty share."""
    clock = FixedClock(NOW)
    model = SandboxMailchimp(clock=clock)
    model.add_audience("L1")
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.members("L1")), count):
            second = number // 3 if number % 60 < 40 else number // 60 * 20 + 15
            at = begin + timedelta(seconds=second)
            model.put("L1", f"person{number}@example.com", merge_fields={"FNAME": f"Name {number}"}, at=at)

    return Case(
        CONNECTOR,
        {"api_key": Secret(MAILCHIMP_KEY, "test"), "base_url": "https://mailchimp.test/3.0"},
        fill,
        lambda: model.faults.add("unavailable", times=-1),
        session,
        clock,
        Vendor(model, line, "/members$", (MAILCHIMP_KEY,), private=("last_changed",)),
        repeated=2 * 3 + 20,  # a bound may exclude: two seconds are read again, and one of them may be a crowded one
    )
