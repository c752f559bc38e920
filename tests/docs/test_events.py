"""docs/reference/events.md names every event and every key of the log, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd import events
from syncd.log import KEYS, REFUSED_EVENT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
LEVELS = {"debug", "info", "warning", "error"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under `heading`, without its head."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_event_is_documented_once():
    named = [words(row[0])[0] for row in rows("Events")]
    assert sorted(named) == sorted(events.ALL_EVENTS)


def test_events_stand_in_the_order_of_the_program():
    constants = [value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)]
    assert [words(row[0])[0] for row in rows("Events")] == constants


@pytest.mark.parametrize("row", rows("Events"), ids=lambda row: row[0].strip("`"))
def test_an_event_has_level_meaning_and_advice(row):
    _, level, meaning, advice = row
    assert set(words(level)) <= LEVELS
    assert words(level)
    assert meaning.endswith(".")
    assert advice.endswith(".")


@pytest.mark.parametrize("row", rows("Events"), ids=lambda row: row[0].strip("`"))
def test_a_meaning_names_only_keys_that_exist(row):
    """Lower-case words in backticks are keys, or words of the configuration."""
    others = {"ok", "partial", "assignment", "retention_days", "api_budget.daily_share"}
    named = {word for cell in row[2:] for word in words(cell) if re.fullmatch(r"[a-z_.]+", word)}
    assert named <= KEYS | others


def test_every_key_is_documented_once():
    named = [word for row in rows("Keys") for word in words(row[0])]
    assert sorted(named) == sorted(KEYS | {"refused_keys"})


def test_the_counter_of_refused_events_is_documented():
    assert f"`{REFUSED_EVENT}`" in PAGE


def test_the_program_logs_an_event_at_a_documented_level():
    """Every `log.LEVEL(events.NAME` of the program stands in the table with that level."""
    documented = {words(row[0])[0]: set(words(row[1])) for row in rows("Events")}
    used = [
        (getattr(events, name), level)
        for path in sorted((ROOT / "syncd").rglob("*.py"))
        for level, name in re.findall(r"log\.(debug|info|warning|error)\(\s*events\.([A-Z_]+)", path.read_text(encoding="utf-8"))
    ]
    assert [(event, level) for event, level in used if level not in documented[event]] == []
