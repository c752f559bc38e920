"""Golden cases: a file and a mapping in, the leads and rejects out, reviewed as code.

`python -m tests.golden.test_golden` writes the outputs that are missing; with `--force` it writes all of them anew.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.csv_drop import CONNECTOR, CsvDropOptions
from syncd.connector import Session
from syncd.mapping import load_mapping
from tests.contract.connectors.cases import NOW

HERE = Path(__file__).parent / "csv_drop"
MAPPING = Path(__file__).parents[2] / "mappings" / "csv_drop.yaml"
INPUTS = sorted(HERE.glob("*/*.csv"))


def leads(path: Path) -> list[dict[str, Any]]:
    """What the shipped mapping makes of each row of a file, rejects last."""
    os.utime(path, (NOW.timestamp() - 3600,) * 2)
    mapping = load_mapping(MAPPING.read_text(encoding="utf-8"), "csv_drop.yaml", name="csv_drop")
    options = CsvDropOptions(folder=path.parent)
    found = list(CONNECTOR.pull(Session(path.parent), options, "rows", None, NOW))
    made = []
    for record in (record for page in found for record in page.records):
        lead = mapping.map(record.payload, source="booth")
        made.append(
            {
                "row": record.locator,
                "fields": {name: one.value for name, one in lead.fields.items()},
                "touch_at": lead.touch.at,
                "problems": [f"{problem.field}: {problem.reason}" for problem in lead.problems],
            }
        )
    made.extend({"row": one.locator, "reject": one.reason} for page in found for one in page.rejects)
    return made


@pytest.mark.parametrize("path", INPUTS, ids=[path.parent.name for path in INPUTS])
def test_a_golden_case_is_as_it_was(path: Path) -> None:
    """A change here is a change of behaviour: review it."""
    expected = json.loads((path.parent / "expected.json").read_text(encoding="utf-8"))
    assert leads(path) == expected


def test_there_are_at_least_three_cases() -> None:
    """Bronze asks for three (STYLE 1a)."""
    assert len(INPUTS) >= 3


if __name__ == "__main__":
    for case in INPUTS:
        target = case.parent / "expected.json"
        if not target.exists() or "--force" in sys.argv:
            target.write_text(json.dumps(leads(case), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
