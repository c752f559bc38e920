"""zoom under the contract suite: registrants, and the events of registrations."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.zoom import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret, Wanted
from syncd.sandbox.vendors.zoom import ZOOM_ACCOUNT, ZOOM_CLIENT, ZOOM_CLIENT_SECRET, ZOOM_SECRET, SandboxZoom
from tests.contract.connectors.kit import NOW, Case, PushCase, Vendor, lent

ID = "98765432101"
OPTIONS: dict[str, Any] = {
    "account_id": ZOOM_ACCOUNT,
    "client_id": ZOOM_CLIENT,
    "client_secret": Secret(ZOOM_CLIENT_SECRET, "test"),
    "base_url": "https://zoom.test/v2",
    "token_url": "https://zoom.test/oauth/token",
    "webhook_secret": Secret(ZOOM_SECRET, "test"),
}
KINDS = sorted(SandboxZoom.kinds)
CHALLENGE = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}'
PROOF = (
    b'{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"'
    + hmac.new(ZOOM_SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest().encode()
    + b'"}'
)


def case(folder: Path) -> Case:
    """A webinar for which three people register each second."""
    clock = FixedClock(NOW)
    model = SandboxZoom(clock=clock)
    session, line = lent(model, CONNECTOR, folder, clock)
    model.add_webinar(ID, "Pumps", NOW + timedelta(days=3))

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.webinars[ID].registrants), count):
            names = {"first_name": "Ada", "last_name": f"Name {number}"}
            model.register(ID, f"person{number}@example.com", at=begin + timedelta(seconds=number // 3), **names)

    def spoil() -> int:
        at = clock.now() - timedelta(seconds=60)
        nothing = dict.fromkeys(("first_name", "last_name", "org", "phone", "custom_questions"))
        model.register(ID, "null@example.com", at=at, **nothing)
        model.register(ID, "näïve-😀@example.com", at=at, comments="x" * 10_000, unknown={"new": [None]})
        model.register(ID, "naive@example.com", create_time="2026-11-24T08:59:00")
        model.register(ID, "nobody@example.com", at=at, id=None)
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
            "/webinars/[0-9]+/registrants$",
            (ZOOM_CLIENT_SECRET, ZOOM_SECRET),
            secret_option="client_secret",
            calls_when_refused=1,
            private=("next_page_token", "approved"),
            spoil=spoil,
            circle=circle,
        ),
        is_ordered=False,
    )


def sent(case: Case, number: int) -> bytes:
    """The event of registrant `number`."""
    assert case.vendor is not None
    model: SandboxZoom = case.vendor.model
    return model.event(ID, model.webinars[ID].registrants[number]["id"])


def push_case(folder: Path) -> PushCase:
    """One registration, signed."""
    clock = FixedClock(NOW)
    model = SandboxZoom(clock=clock)
    model.add_webinar(ID, "Pumps", NOW + timedelta(days=3))
    who = model.register(ID, "ada@example.com", at=NOW - timedelta(seconds=60))

    def send(body: bytes, at: datetime) -> HttpRequest:
        return HttpRequest("POST", {"content-type": "application/json", **model.signed(body, at)}, {}, body)

    return PushCase(
        CONNECTOR,
        OPTIONS,
        send,
        model.event(ID, who),
        1,
        (ZOOM_SECRET, ZOOM_CLIENT_SECRET),
        ("x-zm-signature", "x-zm-request-timestamp"),
        kind=Wanted,
        handshakes=((send(CHALLENGE, NOW), PROOF),),
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
