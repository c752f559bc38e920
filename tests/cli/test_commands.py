"""The commands as a user or a script meets them: a real process, a real sandbox over HTTPS, exit codes and documents of DESIGN 3.2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.sandbox import CONSUMER_SECRET, SandboxOrg, SandboxServer, populate
from tests.cli.shell import Shell

SAMPLE = Path(__file__).parents[2] / "syncd" / "demo_data" / "trade_show.csv"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A set-up beside a sandbox with a few people in it."""
    org = SandboxOrg(seed=1)
    populate(org)
    home = tmp_path / "home"
    home.mkdir()
    with SandboxServer(org, folder=tmp_path / "sandbox") as server:
        yield Shell(home, server)


def test_a_new_user_comes_from_init_to_undo(shell: Shell) -> None:
    """The way of the tutorial, in one go."""
    assert shell.run("check").returncode == 0
    live = shell.json("check", "--live")
    assert live["ok"]
    assert {one["severity"] for one in live["findings"]} <= {"ok", "warning"}
    (shell.folder / "drop" / "trade_show.csv").write_bytes(SAMPLE.read_bytes())
    planned = shell.json("plan")
    before = len(shell.org.rows("Lead"))
    assert len(planned["operations"]) > 400
    done = shell.run("run", "--once", "--json")
    assert done.returncode == 3, "three rows cannot be read"
    summary = json.loads(done.stdout)
    assert {"run_id", "status", "sources", "operations", "api_calls", "duration_seconds"} <= set(summary)
    counts = summary["sources"]["booth"]
    assert set(counts) >= {"pulled", "applied", "unchanged", "skipped", "dead", "waiting", "review"}
    assert counts["waiting_before"] + counts["pulled"] == sum(
        counts[n] for n in ("applied", "unchanged", "skipped", "dead", "waiting")
    )
    assert set(summary["operations"]) == {"created", "updated", "converted", "archived", "unchanged", "refused", "failed"}
    assert summary["operations"]["created"] == len(shell.org.rows("Lead")) - before
    assert summary["api_calls"] <= 8
    people = [json.loads(line) for line in shell.run("lead", "export", "--json").stdout.splitlines()]
    assert set(people[0]) == {"person_id", "sf_object", "sf_id", "fields", "keys", "sources"}
    lead = next(one for one in people if one["sf_object"] == "Lead" and one["fields"].get("Title"))
    shell.org.edit(lead["sf_id"], {"Title": "set by a rep"})
    newer = SAMPLE.read_text(encoding="utf-8-sig").replace("VP, Sales & Marketing", "Chief").replace("buyer", "Buyer in chief")
    (shell.folder / "drop" / "newer.csv").write_text(
        newer.replace("CEO", "Chairwoman").replace("Head of Procurement", "Head").replace("Student", "Graduate")
    )
    assert shell.json("plan")["operations"]
    second = shell.json("run", "--once")
    held = shell.org.row(lead["sf_id"])
    assert held is not None
    assert held["Title"] == "set by a rep"
    card = shell.json("lead", "show", lead["person_id"])
    assert card["notes"]["Title"] == "kept_persons_edit"
    assert card["operations"][0]["fields"][0]["because"]
    letters = shell.json("deadletter", "list")
    assert {one["reason"] for one in letters} == {"ragged_row"}
    assert "payload" in shell.json("deadletter", "show", letters[0]["dead_letter_id"])
    undone = shell.json("runs", "undo", second["run_id"], "--yes")
    assert set(undone["result"]) == {"done"}
    assert shell.json("status")["sources"]["booth"]["waiting"] == 0
    assert shell.run("store", "check").returncode == 0


def test_a_lost_source_stands_in_the_status_with_its_reason(shell: Shell) -> None:
    """Until it is back: for people and for machines, and the exit code of the pass says that something was missed."""
    (shell.folder / "drop").rename(shell.folder / "gone")
    assert shell.run("run", "--once").returncode == 3
    assert shell.json("status")["sources"]["booth"]["lost"].startswith("The folder drop is not there. Make it,")
    assert "booth is lost: The folder drop is not there. Make it," in shell.run("status").stdout
    assert [one["lost"] != "" for one in shell.json("source", "list")] == [True]
    (shell.folder / "gone").rename(shell.folder / "drop")
    assert shell.run("run", "--once").returncode == 0
    assert shell.json("status")["sources"]["booth"]["lost"] == ""


def test_no_personal_data_and_no_secret_reaches_the_log(shell: Shell) -> None:
    """At any level: keys, counts and words only (G9)."""
    (shell.folder / "drop" / "trade_show.csv").write_bytes(SAMPLE.read_bytes())
    log = shell.run("--debug", "run", "--once").stderr
    assert "run_finished" in log
    for secret in ("@", "example.org", "Fernández", "Nordic Pumps", "+62 812", CONSUMER_SECRET, "00D5g0000000001!"):
        assert secret not in log, secret


def test_configuration_mistakes_are_told_together_with_line_and_advice(shell: Shell) -> None:
    path = shell.folder / "syncd.yaml"
    path.write_text(path.read_text().replace("mappings_dir", "mapings_dir").replace("folder: drop/", "foldr: drop/"))
    failed = shell.run("check")
    assert failed.returncode == 2
    assert 'Did you mean "mappings_dir"?' in failed.stderr
    path.write_text(path.read_text().replace("mapings_dir", "mappings_dir"))
    failed = shell.run("check")
    assert 'Did you mean "folder"?' in failed.stderr
    assert failed.stderr.count("syncd.yaml:") >= 1
    assert "Traceback" not in failed.stderr


def test_a_bad_mapping_is_refused_as_a_whole_with_its_place(shell: Shell) -> None:
    path = shell.folder / "mappings" / "csv_drop.yaml"
    path.write_text(path.read_text().replace("as: email}", "as: emial}", 1))
    failed = shell.run("run", "--once")
    assert failed.returncode == 2
    assert "mappings/csv_drop.yaml:" in failed.stderr
    assert 'Did you mean "email"?' in failed.stderr


def test_a_mapping_can_be_tried_on_a_record(shell: Shell) -> None:
    tried = shell.run("mapping", "try", "csv_drop", "-", "--json", stdin='{"E-mail": " ADA@Example.com", "First name": "ADA"}')
    assert json.loads(tried.stdout)["fields"]["Email"]["value"] == "ada@example.com"
    assert shell.run("mapping", "try", "csv_drop", "-", stdin="no json").returncode == 1
    path = shell.folder / "mappings" / "csv_drop.yaml"
    path.write_text(path.read_text() + "task: {subject: Call back, due_in_days: 1}\n")
    tried = shell.run("mapping", "try", "csv_drop", "-", stdin='{"E-mail": "ada@example.com"}')
    assert "Task if it is hot: subject Call back, due_in_days 1, priority Normal" in tried.stdout
    assert shell.run("mapping", "check").returncode == 0
    assert shell.json("source", "check")["booth"]["ok"]


def test_a_dry_run_writes_nothing_anywhere(shell: Shell) -> None:
    (shell.folder / "drop" / "trade_show.csv").write_bytes(SAMPLE.read_bytes())
    before = len(shell.org.audit)
    shell.run("run", "--once", "--dry-run")
    assert len(shell.org.audit) == before
    assert shell.json("status")["runs"] == []


def test_pulling_only_leaves_records_waiting(shell: Shell) -> None:
    (shell.folder / "drop" / "trade_show.csv").write_bytes(SAMPLE.read_bytes())
    pulled = shell.json("source", "pull")
    assert pulled["sources"]["booth"]["waiting"] > 400
    summary = shell.json("run", "--once")
    assert summary["sources"]["booth"]["waiting_before"] == pulled["sources"]["booth"]["waiting"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("run", "booth"), 2), (("run", "--once", "nobody"), 2), (("no-such-command",), 2), (("runs", "show", "x"), 2), (("review", "show", "9"), 2),
     (("deadletter", "show", "x"), 2), (("help", "E999"), 2), (("help", "E500"), 0), (("--version",), 0)],
)  # fmt: skip
def test_exit_codes_say_what_kind_of_ending_it_was(shell: Shell, arguments: tuple[str, ...], code: int) -> None:
    done = shell.run(*arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_wrong_and_missing_credentials_end_without_a_traceback(shell: Shell) -> None:
    wrong = shell.run("run", "--once", SF_SECRET="not the secret")
    assert wrong.returncode == 1
    assert "Traceback" not in wrong.stderr
    assert "not the secret" not in wrong.stderr
    missing = shell.run("check", SF_SECRET="")
    assert missing.returncode == 2
    assert "SF_SECRET" in missing.stderr


def test_a_second_syncd_on_the_same_store_is_refused(shell: Shell) -> None:
    import fcntl

    shell.run("run", "--once")
    with (shell.folder / "syncd.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = shell.run("run", "--once")
    assert refused.returncode == 1
    assert "Another syncd" in refused.stderr


def test_a_cron_expression_that_is_none_is_refused_with_its_place(shell: Shell) -> None:
    path = shell.folder / "syncd.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("    mapping: csv_drop\n", '    mapping: csv_drop\n    cron: "every morning"\n', 1), encoding="utf-8"
    )
    done = shell.run("check")
    assert done.returncode == 2
    assert '"every morning" is no cron expression' in done.stderr
    assert "syncd.yaml:" in done.stderr
