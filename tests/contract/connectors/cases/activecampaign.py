"""activecampaign under the contract suite: contacts, and the forms that announce them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.activecampaign import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Secret, Wanted
from syncd.sandbox.vendors.activecampaign import ACTIVECAMPAIGN_KEY, ACTIVECAMPAIGN_PATH, NEWSLETTER, SandboxActiveCampaign
from tests.contract.connectors.kit import NOW, Case, PushCase, Vendor, lent

OPTIONS: dict[str, Any] = {
    "api_key": Secret(ACTIVECAMPAIGN_KEY, "test"),
    "base_url": "https://activecampaign.test",
    "webhook_path_secret": Secret(ACTIVECAMPAIGN_PATH, "test"),
}
KINDS = sorted(SandboxActiveCampaign.kinds)


def case(folder: Path) -> Case:
    """Contacts of whom three change in each second, in no order of time; each with a field, a list and a tag."""
    clock = FixedClock(NOW)
    model = SandboxActiveCampaign(clock=clock)
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.contacts), count):
            at = begin + timedelta(seconds=number * 7 % count // 3)
            who = model.put(f"person{number}@example.com", at=at, firstName="Ada", lastName=f"Name {number}")
            model.set_value(who, "2", "Engines", at=at)
            model.set_list(who, NEWSLETTER, "0123"[number % 4], at=at)
            model.add_tag(who, "20", at=at)

    def spoil() -> int:
        at = clock.now() - timedelta(seconds=60)
        nothing = model.put("null@example.com", at=at)
        blank = dict.fromkeys(set(model.contacts[nothing].fields) - {"id", "email"})
        model.contacts[nothing].fields |= blank
        unknown = model.put("näïve-\u202e-😀@example.com", at=at, lastName="x" * 10_000, unknown={"new": [1, {"x": None}]})
        model.contacts[unknown].values |= {"5": "||a||b||", "77": "0000-00-00"}
        model.contacts[unknown].lists["9"] = {"contact": unknown, "list": "9", "status": "7", "new": None}
        model.put("naive@example.com", udate="2026-11-24T08:59:00")
        nobody = model.put("nobody@example.com", at=at)
        model.contacts[nobody].fields["id"] = None
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
            "/contacts$",
            (ACTIVECAMPAIGN_KEY, ACTIVECAMPAIGN_PATH),
            secret_option="api_key",
            private=("updated_after", "id_greater"),
            spoil=spoil,
            circle=circle,
        ),
    )


def sent(case: Case, number: int) -> bytes:
    """The event of contact `number`."""
    assert case.vendor is not None
    model: SandboxActiveCampaign = case.vendor.model
    return model.webhook_body(str(number + 1), "update")


def push_case(folder: Path) -> PushCase:
    """One subscription, announced at an address that ends in the secret."""
    clock = FixedClock(NOW)
    model = SandboxActiveCampaign(clock=clock)
    who = model.put("ada@example.com", at=NOW - timedelta(seconds=60))

    def send(body: bytes, at: datetime) -> HttpRequest:
        del at
        return HttpRequest("POST", {"content-type": "application/x-www-form-urlencoded"}, {}, body, ACTIVECAMPAIGN_PATH)

    return PushCase(
        CONNECTOR,
        OPTIONS,
        send,
        model.webhook_body(who),
        1,
        (ACTIVECAMPAIGN_KEY, ACTIVECAMPAIGN_PATH),
        is_bound=False,
        is_dated=False,
        kind=Wanted,
        session=lent(model, CONNECTOR, folder, clock)[0],
    )
