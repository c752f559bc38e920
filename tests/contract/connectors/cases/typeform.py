"""typeform under the contract suite."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.typeform import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret
from syncd.sandbox.vendors.typeform import TYPEFORM_SECRET, TYPEFORM_TOKEN, SandboxTypeform
from tests.contract.connectors.kit import NOW, Case, PushCase, Vendor, lent

FORM = "a1B2c3"
OPTIONS: dict[str, Any] = {
    "token": Secret(TYPEFORM_TOKEN, "test"),
    "base_url": "https://typeform.test",
    "webhook_secret": Secret(TYPEFORM_SECRET, "test"),
}


KINDS = sorted(SandboxTypeform.kinds)


def case(folder: Path) -> Case:
    """A form that three people submit each second."""
    clock = FixedClock(NOW)
    model = SandboxTypeform(clock=clock)
    model.add_form(FORM)
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.forms[FORM]), count):
            answers = {"email": f"person{number}@example.com", "last_name": f"Name {number}", "consent": True}
            model.submit(FORM, answers, at=begin + timedelta(seconds=number // 3))

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
            (TYPEFORM_TOKEN, TYPEFORM_SECRET),
            secret_option="token",
            private=("submitted_at",),
            spoil=lambda: model.submit_odd(FORM, clock.now() - timedelta(seconds=600)),
            circle=circle,
        ),
    )


def sent(case: Case, number: int) -> bytes:
    """The webhook of response `number`."""
    assert case.vendor is not None
    body: bytes = case.vendor.model.webhook_body(FORM, number)
    return body


def push_case(folder: Path) -> PushCase:
    """One response, signed."""
    clock = FixedClock(NOW)
    model = SandboxTypeform(clock=clock)
    model.add_form(FORM)
    model.submit(FORM, {"email": "ada@example.com"})

    def send(body: bytes, at: datetime) -> HttpRequest:
        del at
        headers = {"content-type": "application/json", "typeform-signature": model.signature(body)}
        return HttpRequest("POST", headers, {}, body)

    body = model.webhook_body(FORM, 0)
    return PushCase(
        CONNECTOR,
        OPTIONS,
        send,
        body,
        1,
        (TYPEFORM_SECRET,),
        ("typeform-signature",),
        is_dated=False,
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
