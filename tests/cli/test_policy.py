"""`syncd policy` as an admin meets it: a real process, a real sandbox over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.sandbox import SandboxOrg, SandboxServer
from tests.cli.shell import Shell
from tests.integration.test_standards import PROGRAM, ready_org
from tests.world import COLUMNS, row


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A set-up with a policy, beside a sandbox that has its statuses."""
    org = SandboxOrg(seed=1)
    ready_org(org)
    org.assignment_rule = lambda org, lead: org.users["rep1"]
    home = tmp_path / "home"
    home.mkdir()
    with SandboxServer(org, folder=tmp_path / "sandbox") as server:
        made = Shell(home, server)
        (made.folder / "mappings" / "policy.yaml").write_text(PROGRAM, encoding="utf-8")
        yield made


def test_a_lead_process_without_a_status_makes_the_check_fail_with_words_and_a_code(tmp_path: Path) -> None:
    """The check of the policy alone says it, too, and tells machines by its exit code."""
    org = SandboxOrg(seed=1)
    ready_org(org)
    org.admin.add_record_type("Lead", "Inbound", process=["Open - Not Contacted", "Working - Contacted", "Archived"])
    home = tmp_path / "home"
    home.mkdir()
    with SandboxServer(org, folder=tmp_path / "sandbox") as server:
        shell = Shell(home, server)
        text = PROGRAM.replace("    statuses:", "    record_type: Inbound\n    statuses:", 1)
        (shell.folder / "mappings" / "policy.yaml").write_text(text, encoding="utf-8")
        told = shell.run("policy", "check", "--live")
        offline = shell.run("policy", "check")
    assert told.returncode == 1
    assert 'record type Inbound: Its lead process has no status "Nurture". Add it under Setup, Lead Processes' in told.stdout
    assert "is right" not in told.stdout
    assert offline.returncode == 0


def drop(shell: Shell, **changes: str) -> None:
    values = row(1, **changes)
    lines = [",".join(COLUMNS), ",".join(values.get(name, "") for name in COLUMNS)]
    names = {"email": "Email", "first": "First name", "last": "Last name", "company": "Company", "title": "Job title"}
    lines[0] = ",".join(names.get(name, name) for name in COLUMNS)
    (shell.folder / "drop" / "leads.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_policy_is_checked_against_the_org_and_explained_for_a_lead(shell: Shell) -> None:
    """What moved, what would move next, and when; never a value of the person."""
    checked = shell.json("policy", "check", "--live")
    assert (checked["ok"], checked["policy"]) == (True, "acme")
    drop(shell, title="Boss")
    assert shell.run("run", "--once").returncode == 0
    found = shell.json("policy", "explain", "person1@example.com")
    assert (found["program"], found["status"], found["next_action"]) == (
        "inbound",
        "Working - Contacted",
        "Find out what they need.",
    )
    assert found["score"] == 20
    assert [(one["rule_id"], one["to_status"]) for one in found["changes"]] == [("cools_off", "Nurture")]
    assert found["look_at"] is not None
    at_work = shell.run("status").stdout
    assert f"Policy: acme {checked['digest'][:8]}, at work since " in at_work
    assert "The file on disk" not in at_work
    told = shell.run("policy", "explain", "person1@example.com").stdout
    assert "cools_off would move them to Nurture: its condition does not hold." in told
    assert "days_in_status >= 30: no" in told
    assert "example.com" not in told
    assert "Boss" not in told.replace('lead.Title == "Boss"', "")


def test_a_wrong_policy_is_refused_with_its_place_and_nothing_runs(shell: Shell) -> None:
    path = shell.folder / "mappings" / "policy.yaml"
    path.write_text(PROGRAM.replace("days_in_status >= 30", "days_in_statsu >= 30"), encoding="utf-8")
    for command in (("policy", "check"), ("check",), ("run", "--once")):
        refused = shell.run(*command)
        assert refused.returncode == 2
        assert (
            'mappings/policy.yaml:28:69: There is no variable "days_in_statsu". Did you mean "days_in_status"?' in refused.stderr
        )
