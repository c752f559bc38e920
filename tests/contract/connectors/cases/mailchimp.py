"""mailchimp under the contract suite."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.mailchimp import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret, Wanted
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from syncd.sandbox.mailchimp.webhooks import MAILCHIMP_SECRET, event_of, signed
from tests.contract.connectors.kit import NOW, Case, PushCase, Vendor, lent

OPTIONS: dict[str, Any] = {"api_key": Secret(MAILCHIMP_KEY, "test"), "base_url": "https://mailchimp.test/3.0"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


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
        OPTIONS,
        fill,
        lambda: model.faults.add("unavailable", times=-1),
        session,
        clock,
        Vendor(model, line, "/members$", (MAILCHIMP_KEY,), private=("last_changed",)),
        repeated=2 * 3 + 20,  # a bound may exclude: two seconds are read again, and one of them may be a crowded one
    )


def sent(case: Case, number: int) -> bytes:
    """The event of a member whose profile changed."""
    assert case.vendor is not None
    return event_of(case.vendor.model, "L1", f"person{number}@example.com")


def push_case(folder: Path) -> PushCase:
    """One signed event; asking whether anybody is there is answered."""
    clock = FixedClock(NOW)
    model = SandboxMailchimp(clock=clock)
    model.add_audience("L1")
    model.put("L1", "ada@example.com", at=NOW - timedelta(seconds=60))

    def send(body: bytes, at: datetime) -> HttpRequest:
        return HttpRequest("POST", {**FORM, **signed(body, at)}, {}, body)

    return PushCase(
        CONNECTOR,
        {**OPTIONS, "webhook_secret": Secret(MAILCHIMP_SECRET, "test")},
        send,
        event_of(model, "L1", "ada@example.com", "subscribe"),
        1,
        (MAILCHIMP_KEY, MAILCHIMP_SECRET),
        ("x-mailchimp-signature",),
        kind=Wanted,
        is_keyed=False,
        handshakes=tuple((HttpRequest(method, {}, {}, b""), b"") for method in ("GET", "HEAD")),
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
