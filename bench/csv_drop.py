"""Reading a large dropped file: rows a second, peak memory, beside the floor of csv.reader alone.

python bench/csv_drop.py [ROWS]
"""

from __future__ import annotations

import csv
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from connectors.csv_drop import CONNECTOR, CsvDropOptions
from syncd.connector import Session


def main(rows: int) -> None:
    """Write the file, read it both ways, print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "large.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write("email,first,last,company,title\n")
            file.writelines(f"person{n}@example.com,First{n},Last{n},Company {n % 997},Engineer\n" for n in range(rows))
        start = time.perf_counter()
        with path.open(encoding="utf-8", newline="") as file:
            floor_count = sum(1 for _ in csv.reader(file)) - 1
        floor = time.perf_counter() - start
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        until = datetime.fromtimestamp(path.stat().st_mtime + 60, UTC)
        pages = CONNECTOR.pull(Session(folder), CsvDropOptions(folder=folder), "rows", None, until)
        count = sum(len(page.records) for page in pages)
        ours = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"rows {count} (floor {floor_count})")
    print(f"rows/s {count / ours:,.0f}; floor csv.reader {floor_count / floor:,.0f}; ratio {ours / floor:.1f}")
    print(f"peak memory {peak / 1024:.0f} MB, of which reading added {(peak - before) / 1024:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
