"""google_sheets under the contract suite."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from connectors.google_sheets import CONNECTOR
from syncd.clock import FixedClock
from syncd.connector import Secret
from syncd.sandbox.vendors.google import service_account_key
from syncd.sandbox.vendors.google_sheets import SPREADSHEET, SandboxGoogleSheets
from tests.contract.connectors.kit import NOW, Case, Vendor, lent

TAB = "Leads"
KEY_TEXT: str = json.loads(service_account_key())["private_key"]
OPTIONS: dict[str, Any] = {
    "base_url": "https://sheets.test",
    "drive_url": "https://drive.test/drive/v3",
    "token_url": "https://login.test/token",
    "service_account": Secret(service_account_key(), "test"),
    "spreadsheet": SPREADSHEET,
    "tabs": [TAB],
    "key": ["E-mail"],
    "at_column": "Timestamp",
    "at_format": "%d/%m/%Y %H:%M:%S",
}
KINDS = sorted(SandboxGoogleSheets.kinds)


def case(folder: Path) -> Case:
    """A tab into which three rows are written each second, with a time in the spreadsheet's own zone."""
    clock = FixedClock(NOW)
    model = SandboxGoogleSheets(clock=clock)
    model.add_tab(TAB, "E-mail", "Name", "Timestamp")
    session, line = lent(model, CONNECTOR, folder, clock)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.tab(TAB).rows) - 1, count):
            at = begin.astimezone(ZoneInfo(model.zone)).replace(tzinfo=None) + timedelta(seconds=number // 3)
            model.write(TAB, [f"person{number}@example.com", f"Name {number}", at])

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
            "/values/",
            (KEY_TEXT.splitlines()[1], "ya29."),
            secret_option="service_account",
            private=("RenderOption",),
            spoil=lambda: model.write_odd(TAB),
        ),
        is_ordered=False,
    )
