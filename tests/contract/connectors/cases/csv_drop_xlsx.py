"""csv_drop under the contract suite: workbooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import openpyxl

from connectors.csv_drop import CONNECTOR
from syncd.connector import Session
from tests.contract.connectors.cases.csv_drop import filled, troubles
from tests.contract.connectors.kit import Case

IS_HTTP = False


def _workbook(path: Path, numbers: Sequence[int]) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["email", "name", "at"])
    for number in numbers:
        book.active.append([f"person{number}@example.com", f"Name {number}", datetime(2026, 11, 14, 9, 45)])
    book.save(path)


def case(folder: Path) -> Case:
    """A folder of workbooks of 40 rows each."""
    drop = folder / "drop"
    fill = filled(drop, ".xlsx", _workbook)
    session = Session(folder, settle_seconds=5.0, page_size_records=7)
    return Case(CONNECTOR, {"folder": "drop"}, fill, drop.rmdir, session, troubles=troubles(drop))
