"""Third parties' connectors: found by their entry point, in a process that has their package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = """
from connectors.csv_drop import CsvDrop

class AcmeNotes(CsvDrop):
    name = "acme_notes"

class Impostor(CsvDrop):
    name = "impostor"

CONNECTOR, WRONG = AcmeNotes(), Impostor()
"""
PROGRAM = """
from syncd.installed import connector_types, load_connector
print("acme_notes" in connector_types(), load_connector("acme_notes").name, load_connector("csv_drop").name)
"""


def test_a_package_of_somebody_else_joins_by_its_entry_point(tmp_path: Path) -> None:
    (tmp_path / "acme_notes.py").write_text(PACKAGE, encoding="utf-8")
    about = tmp_path / "acme_notes-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-notes\nVersion: 1.0\n", encoding="utf-8")
    # What ships with syncd goes before a third party's of the same name.
    points = "[syncd.connectors]\nacme_notes = acme_notes:CONNECTOR\ncsv_drop = acme_notes:WRONG\n"
    (about / "entry_points.txt").write_text(points, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["True", "acme_notes", "csv_drop"]
