"""Every benchmark that writes to a store still runs to its end, on next to nothing: a schema it does not know would stop it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("csv_drop", ["200"], "rows 200 (floor 200)"),
        ("pipeline", ["200"], "first fill: 200 leads"),
        ("simulate", ["200", "2026-10-28"], "since 2026-10-28:"),
        ("mailchimp", ["200", "--latency", "0"], "Leads in the org: 183; in the floor's: 183"),
    ],
)
def test_a_benchmark_runs_to_its_end(name: str, arguments: list[str], told: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "bench" / f"{name}.py"), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert "Traceback" not in ended.stderr  # the exit code tells of a missed aim, too, which so few cannot meet
    assert told in ended.stdout
