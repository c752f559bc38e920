"""csv_drop under the contract suite: workbooks."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import openpyxl

from connectors.csv_drop import CONNECTOR
from syncd.connector import Session
from tests.contract.connectors.kit import NOW, Case

IS_HTTP = False


def case(folder: Path) -> Case:
    """A folder of workbooks of 40 rows each."""
    drop = folder / "drop"
    drop.mkdir()

    def fill(count: int) -> None:
        for start in range(0, count, 40):
            path = drop / f"file{start:05d}.xlsx"
            book = openpyxl.Workbook()
            sheet = book.active
            assert sheet is not None
            sheet.append(["email", "name", "at"])
            for number in range(start, min(start + 40, count)):
                sheet.append([f"person{number}@example.com", f"Name {number}", datetime(2026, 11, 14, 9, 45)])
            book.properties.created = datetime(2026, 11, 14, tzinfo=UTC).replace(tzinfo=None)
            book.save(path)
            os.utime(path, (NOW.timestamp() - 3600 + start,) * 2)

    return Case(CONNECTOR, {"folder": "drop"}, fill, drop.rmdir, Session(folder, settle_seconds=5.0, page_size_records=7))
