"""csv_drop under the contract suite."""

from __future__ import annotations

import os
from pathlib import Path

from connectors.csv_drop import CONNECTOR
from syncd.connector import Session
from tests.contract.connectors.kit import NOW, Case

IS_HTTP = False


def case(folder: Path) -> Case:
    """A folder of files of 40 rows each."""
    drop = folder / "drop"
    drop.mkdir()

    def fill(count: int) -> None:
        for start in range(0, count, 40):
            path = drop / f"file{start:05d}.csv"
            rows = [f"person{n}@example.com,Name {n}" for n in range(start, min(start + 40, count))]
            path.write_text("\n".join(["email,name", *rows]) + "\n", encoding="utf-8")
            os.utime(path, (NOW.timestamp() - 3600 + start,) * 2)

    return Case(CONNECTOR, {"folder": "drop"}, fill, drop.rmdir, Session(folder, settle_seconds=5.0, page_size_records=7))
