"""eventbrite under the contract suite: attendees, and the thin webhooks that announce them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.eventbrite import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret, Wanted
from syncd.sandbox.vendors.eventbrite import EVENTBRITE_PATH, EVENTBRITE_TOKEN, FAIR, SandboxEventbrite
from tests.contract.connectors.kit import NOW, Case, PushCase, Vendor, lent

OPTIONS: dict[str, Any] = {
    "token": Secret(EVENTBRITE_TOKEN, "test"),
    "base_url": "https://eventbrite.test/v3",
    "webhook_path_secret": Secret(EVENTBRITE_PATH, "test"),
}
KINDS = sorted(SandboxEventbrite.kinds)


def case(folder: Path) -> Case:
    """A fair for which three people buy a ticket each second."""
    clock = FixedClock(NOW)
    model = SandboxEventbrite(clock=clock)
    model.add_event(FAIR, "Fair", NOW + timedelta(days=3))
    model.page = 7
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.tickets), count):
            names = {"first_name": "Ada", "last_name": f"Name {number}"}
            model.buy(FAIR, f"person{number}@example.com", at=begin + timedelta(seconds=number // 3), **names)

    def spoil() -> int:
        at = clock.now() - timedelta(seconds=90)
        nothing = model.buy(FAIR, None, at=at)
        model.change(nothing, at=at, profile=None, answers=None, affiliate=None, checked_in=None, order_id=None)
        unknown = model.buy(FAIR, "näïve-\u202e-😀@example.com", at=at, name="x" * 10_000, new={"x": [None]})
        model.change(unknown, at=at, unknown={"new": [1, {"x": None}]}, status="Teleported")
        naive = model.buy(FAIR, "naive@example.com", at=at)
        model.tickets[-1] |= {"changed": "2026-11-24T08:59:00", "created": None, "id": naive}
        model.buy(FAIR, "nobody@example.com", at=at)
        model.tickets[-1]["id"] = None
        model.buy(FAIR, "Info Requested", at=at)  # nobody yet: neither a record nor set aside
        return 4

    def circle() -> None:
        model.goes_in_circles = True

    return Case(
        CONNECTOR,
        OPTIONS,
        fill,
        lambda: model.faults.add("unavailable", times=-1),
        session,
        clock,
        Vendor(
            model,
            line,
            "/organizations/[0-9]+/attendees/$",
            (EVENTBRITE_TOKEN, EVENTBRITE_PATH),
            secret_option="token",
            private=("continuation", "changed_since"),
            spoil=spoil,
            circle=circle,
        ),
        is_ordered=False,
    )


def sent(case: Case, number: int) -> bytes:
    """The webhook of ticket `number`."""
    assert case.vendor is not None
    model: SandboxEventbrite = case.vendor.model
    return model.webhook_body(model.tickets[number]["id"])


def push_case(folder: Path) -> PushCase:
    """One ticket, announced at an address that ends in the secret."""
    clock = FixedClock(NOW)
    model = SandboxEventbrite(clock=clock)
    model.add_event(FAIR, "Fair", NOW + timedelta(days=3))
    ticket = model.buy(FAIR, "ada@example.com", at=NOW - timedelta(seconds=60))

    def send(body: bytes, at: datetime) -> HttpRequest:
        del at
        return HttpRequest("POST", {"content-type": "application/json"}, {}, body, EVENTBRITE_PATH)

    return PushCase(
        CONNECTOR,
        OPTIONS,
        send,
        model.webhook_body(ticket),
        1,
        (EVENTBRITE_TOKEN, EVENTBRITE_PATH),
        is_bound=False,
        is_dated=False,
        kind=Wanted,
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
