"""Every number of the KPI report is explained where admins look it up, in the words of the report."""

from __future__ import annotations

from pathlib import Path

from syncd.app.kpi_words import MEANINGS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "admin" / "read-the-kpi-report.md"


def test_every_number_is_on_the_page_with_its_definition() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [f"| `{one.name}` | {', '.join(one.labels)} | {one.unit} | {one.definition} |" for one in MEANINGS]
