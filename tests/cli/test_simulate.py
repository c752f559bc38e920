"""`syncd policy simulate` as an admin meets it: a real process on the store of a set-up that has run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.cli.test_policy import drop, shell
from tests.integration.test_standards import PROGRAM

__all__ = ["shell"]

CHANGED = PROGRAM.replace("days_in_status >= 30", "days_in_status >= 0")
UNREACHED = CHANGED.replace("      Nurture: {", "      Lost: {meaning: Gone.}\n      Nurture: {")


@pytest.fixture
def ran(shell: Shell) -> Shell:
    """One lead with a boss is in the org, and a changed policy lies beside."""
    drop(shell, title="Boss")
    assert shell.run("run", "--once").returncode == 0
    (shell.folder / "changed.yaml").write_text(CHANGED, encoding="utf-8")
    return shell


def test_it_tells_what_would_change_and_names_nobody(ran: Shell) -> None:
    """Only ids of people are shown."""
    ended = ran.run("policy", "simulate", "--with", "changed.yaml")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "changed.yaml: version" in ended.stdout
    assert "1 of 1 people (100.0%) would be moved or converted" in ended.stdout
    assert "Working - Contacted  Nurture      1       0" in ended.stdout
    assert "Nothing was written." in ended.stdout
    assert "Unknown values: 0 of 1 verdicts depended on them." in ended.stdout
    assert "00Q" in ended.stdout
    for secret in ("example.com", "Boss"):
        assert secret not in ended.stdout


def test_a_replay_is_told_as_json_and_with_a_chart(ran: Shell) -> None:
    """A day after the other until now; the first is today here."""
    today = ran.json("policy", "simulate", "--with", "changed.yaml")["until"][:10]
    told = ran.json("policy", "simulate", "--with", "changed.yaml", "--since", today)
    assert (told["since"], told["people"], told["guard"], told["time_zone"]) == (today, 1, None, "UTC")
    # Open with a boss: moved at once, and on to Nurture on the same day.
    assert told["sums"]["moves"]["count"] == sum(one["count"] for one in told["days"]) == 2
    assert sum(sum(one["kinds"].values()) for one in told["chart"]) == 2
    assert told["real_moves"] == [{"from": "Open - Not Contacted", "to": "Working - Contacted", "count": 1}]
    rule = next(one for one in told["rules"] if one["rule_id"] == "cools_off")
    assert (rule["fired"], set(rule["samples"][0])) == (1, {"person_id", "sf_id", "on"})
    shown = ran.run("policy", "simulate", "--with", "changed.yaml", "--since", today).stdout
    assert "What syncd really moved in this time" in shown
    assert "█" in shown
    assert "Each day was judged at its end." in shown


def test_a_wrong_file_is_refused_with_its_place(shell: Shell) -> None:
    wrong = shell.folder / "changed.yaml"
    wrong.write_text(CHANGED.replace("days_in_status", "days_in_statsu"), encoding="utf-8")
    refused = shell.run("policy", "simulate", "--with", "changed.yaml")
    assert refused.returncode == 2
    assert 'changed.yaml:28:69: There is no variable "days_in_statsu". Did you mean "days_in_status"?' in refused.stderr
    missing = shell.run("policy", "simulate", "--with", "missing.yaml")
    assert missing.returncode == 2
    assert "The policy missing.yaml cannot be read. Name an existing file after --with." in missing.stderr


def test_warnings_of_the_check_are_shown_and_a_store_is_not_made(shell: Shell) -> None:
    """What is simulated here is an installation that never ran."""
    Path(shell.folder / "changed.yaml").write_text(UNREACHED, encoding="utf-8")
    ended = shell.run("policy", "simulate", "--with", "changed.yaml")
    assert ended.returncode == 1
    assert "There is no store" in ended.stderr
    assert not (shell.folder / "syncd.db").exists()
    drop(shell)
    assert shell.run("run", "--once").returncode == 0
    ended = shell.run("policy", "simulate", "--with", "changed.yaml")
    assert ended.returncode == 0
    assert "warning  changed.yaml:" in ended.stderr
    assert '"Lost"' in ended.stderr
