"""What the contract suite needs of each connector: options, and a vendor that can be filled and changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.csv_drop import CONNECTOR as CSV_DROP
from syncd.connector import PullConnector, Session

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@dataclass
class Case:
    """One connector under the suite. `fill(count)` makes the vendor hold that many records; `break_` makes it unreadable."""

    connector: PullConnector
    options: dict[str, Any]
    fill: Callable[[int], None]
    break_: Callable[[], None]
    session: Session


def csv_drop(folder: Path) -> Case:
    """A folder of files of 40 rows each."""
    drop = folder / "drop"
    drop.mkdir()

    def fill(count: int) -> None:
        for start in range(0, count, 40):
            path = drop / f"file{start:05d}.csv"
            rows = [f"person{n}@example.com,Name {n}" for n in range(start, min(start + 40, count))]
            path.write_text("\n".join(["email,name", *rows]) + "\n", encoding="utf-8")
            os.utime(path, (NOW.timestamp() - 3600 + start,) * 2)

    return Case(CSV_DROP, {"folder": "drop"}, fill, drop.rmdir, Session(folder, settle_seconds=5.0, page_size_records=7))


CASES: dict[str, Callable[[Path], Case]] = {"csv_drop": csv_drop}
"""Every connector of the `connectors` package; a test fails for one that is missing here."""
