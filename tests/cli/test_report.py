"""`syncd report` as an admin meets it: a real process, a real sandbox over HTTPS."""

from __future__ import annotations

import csv
import io

from syncd.app.kpi_words import MEANINGS
from tests.cli.shell import Shell
from tests.cli.test_policy import drop, shell

__all__ = ["shell"]


def test_every_number_says_its_period_and_what_it_is(shell: Shell) -> None:
    """As a table with footnotes, as JSON and as CSV: the same numbers; never anything about a person."""
    drop(shell, title="Boss")
    assert shell.run("run", "--once").returncode == 0
    found = shell.json("report", "kpi")
    by_name = {one["name"]: one for one in found["measures"]}
    assert list(by_name) == [one.name for one in MEANINGS]
    assert all(one["definition"] and one["table"] and one["period"]["until"] for one in by_name.values())
    assert by_name["entered"]["numbers"] == [
        {"status": "Open - Not Contacted", "source": "booth", "value": 1},
        {"status": "Working - Contacted", "source": "booth", "value": 1},
    ]
    told = shell.run("report", "kpi").stdout
    for meaning in MEANINGS:
        assert meaning.definition in told.replace("\n", " "), meaning.name
    assert "Changes of status are noted since" in told
    rows = list(csv.DictReader(io.StringIO(shell.run("report", "kpi", "--csv").stdout)))
    assert {one["number"] for one in rows} == set(by_name)
    assert all(one["definition"] and one["until"] for one in rows)
    (moved,) = (one for one in rows if one["number"] == "conversion_rate" and one["to"] == "Working - Contacted")
    assert (moved["status"], moved["value"], moved["unit"]) == ("Open - Not Contacted", "100.0", "%")
    assert "example.com" not in told


def test_a_period_that_is_none_is_refused(shell: Shell) -> None:
    for arguments in (
        ("--since", "yesterday"),
        ("--since", "2026-02-30"),
        ("--until", "2026-01-01", "--since", "2026-01-01"),
        ("--csv", "--json"),
    ):
        refused = shell.run("report", "kpi", *arguments)
        assert (refused.returncode, refused.stdout) == (2, ""), arguments
        assert refused.stderr.startswith("syncd: ")


def test_before_the_first_pass_nothing_is_told_and_nothing_is_zero(shell: Shell) -> None:
    rows = list(csv.DictReader(io.StringIO(shell.run("report", "kpi", "--csv").stdout)))
    assert {one["value"] for one in rows} == {""}
    assert all(one["note"].startswith("Cannot be told") for one in rows)
