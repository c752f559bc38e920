"""google_forms under the contract suite."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.google_forms import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import Secret
from syncd.sandbox.vendors.google import service_account_key
from syncd.sandbox.vendors.google_forms import SandboxGoogleForms
from tests.contract.connectors.kit import NOW, Case, Vendor, lent

FORM = "1FormSandbox"
KEY_TEXT: str = json.loads(service_account_key())["private_key"]
OPTIONS: dict[str, Any] = {
    "base_url": "https://forms.test",
    "token_url": "https://login.test/token",
    "service_account": Secret(service_account_key(), "test"),
    "forms": [FORM],
}
KINDS = sorted(SandboxGoogleForms.kinds)


def case(folder: Path) -> Case:
    """A form that three people submit in each second, two of them in the same nanosecond, and all within one microsecond."""
    clock = FixedClock(NOW)
    model = SandboxGoogleForms(clock=clock)
    model.add_form(FORM, "E-mail", "Name")
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.forms[FORM].responses), count):
            answers = {"E-mail": f"person{number}@example.com", "Name": f"Name {number}", "Interests": ["Engines", "Looms"]}
            at = begin + timedelta(seconds=number // 3)
            model.submit(FORM, answers, at=at, nanoseconds=123_456_700 + (number % 3 == 2) * 89)

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
            "/responses$",
            (KEY_TEXT.splitlines()[1], "ya29."),
            secret_option="service_account",
            private=("timestamp",),
            spoil=lambda: model.submit_odd(FORM, clock.now() - timedelta(seconds=600)),
            circle=circle,
        ),
        is_ordered=False,
    )
