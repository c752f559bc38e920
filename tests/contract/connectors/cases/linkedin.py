"""linkedin under the contract suite."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.linkedin import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret, Wanted
from syncd.sandbox.vendors.linkedin import ACCOUNT, LINKEDIN_CLIENT_ID, LINKEDIN_REFRESH, LINKEDIN_SECRET, SandboxLinkedIn
from tests.contract.connectors.kit import NOW, Case, PushCase, Vendor, lent

OPTIONS: dict[str, Any] = {
    "owners": [ACCOUNT],
    "client_id": LINKEDIN_CLIENT_ID,
    "client_secret": Secret(LINKEDIN_SECRET, "test"),
    "refresh_token": Secret(f"{LINKEDIN_REFRESH}1", "test"),
    "base_url": "https://linkedin.test/rest",
    "token_url": "https://linkedin.test/oauth/v2/accessToken",
}
KINDS = sorted(SandboxLinkedIn.kinds)
CODE = "0f8fad5b-d9cb-469f-a165-70867728950e"


def case(folder: Path) -> Case:
    """An ad account with three leads each second, in no order."""
    clock = FixedClock(NOW)
    model = SandboxLinkedIn(clock=clock)
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.leads), count):
            answers = {"email": f"person{number}@example.com", "last": f"Name {number}", "size": "11-50"}
            model.submit(answers, at=begin + timedelta(seconds=number // 3), agrees=True)

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
            "/leadFormResponses$",
            (LINKEDIN_SECRET, LINKEDIN_REFRESH, "AQXsandbox-access"),
            secret_option="refresh_token",
            private=("submittedAtTimeRange", "grant_type"),
            spoil=lambda: model.submit_odd(clock.now() - timedelta(seconds=600)),
            circle=circle,
        ),
        is_ordered=False,
    )


def sent(case: Case, number: int) -> bytes:
    """The notification of lead `number`."""
    assert case.vendor is not None
    body: bytes = case.vendor.model.webhook_body(number)
    return body


def push_case(folder: Path) -> PushCase:
    """One notification, signed."""
    clock = FixedClock(NOW)
    model = SandboxLinkedIn(clock=clock)
    model.submit({"email": "ada@example.com"})

    def send(body: bytes, at: datetime) -> HttpRequest:
        del at
        headers = {"content-type": "application/json", "x-li-signature": model.signature(body)}
        return HttpRequest("POST", headers, {}, body)

    response = hmac.new(LINKEDIN_SECRET.encode(), CODE.encode(), hashlib.sha256).hexdigest()
    answer = json.dumps({"challengeCode": CODE, "challengeResponse": response}, separators=(",", ":")).encode()
    return PushCase(
        CONNECTOR,
        OPTIONS,
        send,
        model.webhook_body(0),
        1,
        (LINKEDIN_SECRET, LINKEDIN_REFRESH),
        ("x-li-signature",),
        is_dated=False,
        kind=Wanted,
        handshakes=((HttpRequest("GET", {}, {"challengeCode": CODE}, b""), answer),),
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
