"""The how-to for a new connector is followed to the letter in a copy of the checkout, and the contract suite judges the outcome."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.mapping import load_mapping

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "how-to" / "add-a-connector.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^## \d\. [^\n]*`([\w/.]+)`\n.*?^```(?:python|yaml)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the suites need of a checkout, with the files of the page."""
    for name in ("connectors", "mappings", "syncd", "tests", "pyproject.toml"):
        source, target = ROOT / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_the_page_holds_all_its_files() -> None:
    assert set(FILES) == {
        "connectors/notes.py",
        "syncd/sandbox/vendors/notes.py",
        "tests/contract/connectors/cases/notes.py",
        "mappings/notes.yaml",
    }
    assert 60 <= FILES["connectors/notes.py"].count("\n") <= 250


def test_who_follows_it_has_a_green_suite(checkout: Path) -> None:
    silver = "tests/integration/test_lost_and_back.py"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:randomly",
        "-k",
        "notes",
        "tests/contract/connectors",
        silver,
    ]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3_000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 53
    assert "skipped" not in done.stdout


def test_who_forgets_the_case_is_told(checkout: Path) -> None:
    (checkout / "tests/contract/connectors/cases/notes.py").unlink()
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-k", "escapes", "tests/contract/connectors"]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "notes" in done.stdout


def test_its_mapping_works() -> None:
    mapping = load_mapping(FILES["mappings/notes.yaml"], "notes.yaml", name="notes")
    assert mapping.run_tests() == []
    assert mapping.test_count
