"""zoom under the contract suite: who attended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from connectors.zoom import CONNECTOR
from syncd.clock import FixedClock
from syncd.sandbox.vendors.zoom import ZOOM_CLIENT_SECRET, ZOOM_SECRET, SandboxZoom
from tests.contract.connectors.cases.zoom import OPTIONS
from tests.contract.connectors.kit import NOW, Case, Vendor, lent

KINDS = sorted(SandboxZoom.kinds)
_PER_WEBINAR = 20


def case(folder: Path) -> Case:
    """Webinars of 20 people each, over for some hours."""
    clock = FixedClock(NOW)
    model = SandboxZoom(clock=clock)
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        have = sum(len(one.registrants) for one in model.webinars.values())
        for number in range(have, count):
            webinar = f"9876543{number // _PER_WEBINAR:04d}"
            if webinar not in model.webinars:
                model.add_webinar(webinar, "Pumps", NOW - timedelta(hours=9) + timedelta(hours=number // _PER_WEBINAR))
            who = model.register(webinar, f"person{number}@example.com", at=NOW - timedelta(days=2))
            if number % 4:
                model.attend(webinar, who, minutes=30)

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
            "/report/webinars/.*/participants$",
            (ZOOM_CLIENT_SECRET, ZOOM_SECRET),
            secret_option="client_secret",
            private=("next_page_token",),
            circle=circle,
        ),
        stream="participants",
        is_ordered=False,
    )
