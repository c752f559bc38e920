"""mailchimp under the contract suite: webhooks without a signature, which are let in by the end of their address."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from connectors.mailchimp import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret, Wanted
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from syncd.sandbox.mailchimp.webhooks import MAILCHIMP_PATH, event_of
from tests.contract.connectors.cases.mailchimp import FORM, OPTIONS
from tests.contract.connectors.kit import NOW, PushCase, lent


def push_case(folder: Path) -> PushCase:
    """One event of an audience that is chosen."""
    clock = FixedClock(NOW)
    model = SandboxMailchimp(clock=clock)
    model.add_audience("L1")
    model.put("L1", "ada@example.com")

    def send(body: bytes, at: datetime) -> HttpRequest:
        del at
        return HttpRequest("POST", dict(FORM), {}, body, MAILCHIMP_PATH)

    return PushCase(
        CONNECTOR,
        {**OPTIONS, "audiences": ["L1"], "webhook_path_secret": Secret(MAILCHIMP_PATH, "test")},
        send,
        event_of(model, "L1", "ada@example.com", "unsubscribe", action="unsub", reason="abuse"),
        1,
        (MAILCHIMP_KEY, MAILCHIMP_PATH),
        is_bound=False,
        is_dated=False,
        kind=Wanted,
        is_keyed=False,
        handshakes=tuple((HttpRequest(method, {}, {}, b"", MAILCHIMP_PATH), b"") for method in ("GET", "HEAD")),
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
