"""google_ads under the contract suite."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.google_ads import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret
from syncd.sandbox.vendors.google import GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GOOGLE_REFRESH_TOKEN
from syncd.sandbox.vendors.google_ads import ADS_CUSTOMER, ADS_MANAGER, DEVELOPER_TOKEN, WEBHOOK_KEY, SandboxGoogleAds
from tests.contract.connectors.kit import NOW, Case, PushCase, Vendor, lent

OPTIONS: dict[str, Any] = {
    "base_url": "https://ads.test",
    "token_url": "https://login.test/token",
    "refresh_token": Secret(GOOGLE_REFRESH_TOKEN, "test"),
    "client_id": GOOGLE_CLIENT_ID,
    "client_secret": Secret(GOOGLE_CLIENT_SECRET, "test"),
    "developer_token": Secret(DEVELOPER_TOKEN, "test"),
    "customer_ids": [ADS_CUSTOMER],
    "login_customer_id": ADS_MANAGER,
    "google_key": Secret(WEBHOOK_KEY, "test"),
}
KINDS = sorted(SandboxGoogleAds.kinds)


def fields(number: int) -> dict[str, str]:
    """What a form asks for."""
    return {"WORK_EMAIL": f"person{number}@example.com", "FULL_NAME": f"Name {number}"}


def case(folder: Path) -> Case:
    """An account in which three leads share each second, asked through a manager."""
    clock = FixedClock(NOW)
    model = SandboxGoogleAds(clock=clock)
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.leads[ADS_CUSTOMER]), count):
            at = begin + timedelta(seconds=number // 3)
            model.submit(fields(number), at=at, gclid=f"Cj0{number}" if number % 2 else "", questions={"Team size?": "11-50"})

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
            ":searchStream$",
            (GOOGLE_CLIENT_SECRET, GOOGLE_REFRESH_TOKEN, DEVELOPER_TOKEN, WEBHOOK_KEY, "ya29."),
            secret_option="refresh_token",
            private=("submission_date_time", "SELECT"),
            spoil=lambda: model.submit_odd(clock.now() - timedelta(seconds=600)),
        ),
    )


def sent(case: Case, number: int) -> bytes:
    """The webhook of lead `number`."""
    assert case.vendor is not None
    body: bytes = case.vendor.model.webhook_body(number)
    return body


def push_case(folder: Path) -> PushCase:
    """One lead; the key is in the body."""
    clock = FixedClock(NOW)
    model = SandboxGoogleAds(clock=clock)
    model.submit({"EMAIL": "ada@example.com"}, at=NOW - timedelta(seconds=60))

    def send(body: bytes, at: datetime) -> HttpRequest:
        del at
        return HttpRequest("POST", {"content-type": "application/json"}, {}, body)

    return PushCase(
        CONNECTOR,
        OPTIONS,
        send,
        model.webhook_body(0),
        1,
        (WEBHOOK_KEY, DEVELOPER_TOKEN, GOOGLE_CLIENT_SECRET),
        is_bound=False,
        is_dated=False,
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
