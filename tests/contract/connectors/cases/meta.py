"""meta under the contract suite."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.meta import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret, Wanted
from syncd.sandbox.vendors.meta import META_APP_SECRET, META_TOKEN, META_VERIFY_TOKEN, PAGE_ID, SandboxMeta
from tests.contract.connectors.kit import NOW, Case, PushCase, Vendor, lent

FORM = "456000000001"
OPTIONS: dict[str, Any] = {
    "token": Secret(META_TOKEN, "test"),
    "app_secret": Secret(META_APP_SECRET, "test"),
    "verify_token": Secret(META_VERIFY_TOKEN, "test"),
    "pages": [PAGE_ID],
    "base_url": "https://graph.test",
}
KINDS = sorted(SandboxMeta.kinds)


def case(folder: Path) -> Case:
    """A page with an archived form that three people submit each second."""
    clock = FixedClock(NOW)
    model = SandboxMeta(clock=clock)
    model.add_form(FORM, "ARCHIVED")
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.leads), count):
            answers = {"email": f"person{number}@example.com", "full_name": f"Name {number}"}
            model.submit(FORM, answers, at=begin + timedelta(seconds=number // 3), boxes={"news": "1"})

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
            "/leads$",
            (META_TOKEN, META_APP_SECRET, META_VERIFY_TOKEN),
            secret_option="token",
            private=("time_created", "appsecret_proof"),
            spoil=lambda: model.submit_odd(FORM, clock.now() - timedelta(seconds=600)),
            circle=circle,
        ),
        is_ordered=False,
    )


def sent(case: Case, number: int) -> bytes:
    """The webhook of lead `number`."""
    assert case.vendor is not None
    body: bytes = case.vendor.model.webhook_body(number)
    return body


def push_case(folder: Path) -> PushCase:
    """Two leads in two entries, signed."""
    clock = FixedClock(NOW)
    model = SandboxMeta(clock=clock)
    model.add_form(FORM)
    for name in ("ada", "bob"):
        model.submit(FORM, {"email": f"{name}@example.com"})

    def send(body: bytes, at: datetime) -> HttpRequest:
        del at
        headers = {"content-type": "application/json", "x-hub-signature-256": model.signature(body)}
        return HttpRequest("POST", headers, {}, body)

    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": META_VERIFY_TOKEN}
    return PushCase(
        CONNECTOR,
        OPTIONS,
        send,
        model.webhook_body(0, 1),
        2,
        (META_APP_SECRET, META_VERIFY_TOKEN),
        ("x-hub-signature-256",),
        is_dated=False,
        kind=Wanted,
        handshakes=((HttpRequest("GET", {}, query, b""), b"1158201444"),),
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
