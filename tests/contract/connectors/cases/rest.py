"""rest under the contract suite: pages by number, sorted, with a count; the other styles are in rest_*.py."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.rest import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import Secret
from syncd.sandbox.faults import Kind
from syncd.sandbox.vendors.rest import REST_TOKEN, SandboxRest
from tests.contract.connectors.kit import NOW, Case, Vendor, lent

KINDS = sorted(SandboxRest.kinds)
WITHOUT_COUNT = sorted(SandboxRest.kinds - {Kind.EMPTY_PAGE})
"""An empty page is only known to be wrong where the service counts."""
UPDATED_AT = {"path": "updated_at"}
SORTED = {"since": "updated_since", "sort": {"sort": "updated_at"}}
BEARER = {"type": "bearer", "token": Secret(REST_TOKEN, "test")}
OPTIONS: dict[str, Any] = {
    "base_url": "https://rest.test/v1",
    "path": "/leads",
    "records": "data.items",
    "key": "id",
    "auth": BEARER,
    "updated_at": UPDATED_AT,
}


def made(folder: Path, style: str, options: dict[str, Any], *, is_ordered: bool, crowd: int = 3, **given: Any) -> Case:
    """A list in which `crowd` leads share each second, and ten times as many every thirtieth; `given` as in Vendor."""
    clock = FixedClock(NOW)
    model = SandboxRest(style=style, clock=clock)
    whole = {**OPTIONS, **options}
    session, line = lent(model, CONNECTOR, folder, clock, limits=CONNECTOR.limits(CONNECTOR.Options(**whole)))

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.leads), count):
            second = number // crowd if number % 60 < 40 else number // 60 * 20 + 15
            model.put(f"person{number}@example.com", at=begin + timedelta(seconds=second), last_name=f"Name {number}")

    def circle() -> None:
        model.goes_in_circles = True

    known: dict[str, Any] = {
        "private": ("updated_since=", "%3A"),
        "circle": circle,
        "secret_option": "auth",
        "secrets": (REST_TOKEN,),
    }
    return Case(
        CONNECTOR,
        whole,
        fill,
        lambda: model.faults.add("unavailable", times=-1),
        session,
        clock,
        Vendor(
            model,
            line,
            "/leads(/search)?$",
            spoil=lambda: model.put_odd(clock.now() - timedelta(seconds=600)),
            **{**known, **given},
        ),
        repeated=2 * 3 + 20,  # a bound may exclude: two seconds are read again, and one of them may be a crowded one
        is_ordered=is_ordered,
    )


def case(folder: Path) -> Case:
    """Pages by number."""
    paging = {"type": "page", "size": 7, "end": "total", "end_path": "meta.total"}
    return made(folder, "page", {"paging": paging, "cursor": SORTED}, is_ordered=True)
