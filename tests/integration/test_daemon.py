"""`syncd run` as ops know it: what it does at a kill, a reload, a stop, and what commands may ask of it."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox import SandboxMailchimp
from syncd.wiring import open_house
from tests.daemon import BOOTH, Daemon, Outside, is_alive, until
from tests.stores import store_url_for
from tests.world import MAPPING, POLICY


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """A world around a daemon on SQLite."""
    made = Outside(tmp_path)
    yield made
    made.close()


def fill(mailchimp: SandboxMailchimp, count: int) -> list[str]:
    """Put members into the newsletter; gives their addresses."""
    emails = [f"member{number}@example.com" for number in range(count)]
    for number, email in enumerate(emails):
        mailchimp.put("L1", email, merge_fields={"FNAME": "Member", "LNAME": f"Number{number}"})
    return emails


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_dropped_file_is_in_the_org_by_itself(tmp_path: Path, engine: str) -> None:
    outside = Outside(tmp_path, store_url_for(engine, tmp_path))
    try:
        with Daemon(outside) as daemon:
            outside.drop("one.csv", "ada@example.com", "bob@example.com")
            until(lambda: sorted(outside.emails()) == ["ada@example.com", "bob@example.com"], "both leads")
        assert daemon.process.returncode == 0
        assert not daemon.odd_lines, "everything on stderr is a log line"
    finally:
        outside.close()


@pytest.mark.parametrize("victim", ["engine", "intake"])
def test_either_process_is_started_again_alone(outside: Outside, victim: str) -> None:
    other = {"engine": "intake", "intake": "engine"}[victim]
    with Daemon(outside) as daemon:
        pid = daemon.pid(other)
        daemon.kill(victim)
        assert daemon.pid(other) == pid
        assert is_alive(pid)
        outside.drop("one.csv", "ada@example.com")
        until(lambda: outside.emails() == ["ada@example.com"], "the lead")
        assert daemon.seen("process_failed", process=victim)


def test_sigkill_of_the_engine_in_the_middle_loses_and_doubles_nobody(outside: Outside) -> None:
    outside.configure(outside.newsletter())
    wanted = fill(outside.mailchimp, 1_500)
    outside.org.faults.add_latency(0.05)
    with Daemon(outside) as daemon:
        for share in (200, 700):
            until(lambda share=share: len(outside.emails()) > share, "the fill is in its middle")
            daemon.kill("engine")
        until(lambda: len(set(outside.emails())) >= len(wanted), "all members")
        daemon.command("run", "--once", "newsletter")
    assert sorted(outside.emails()) == sorted(wanted)


def test_a_killed_supervisor_leaves_nobody_behind(outside: Outside) -> None:
    with Daemon(outside) as daemon:
        pids = [daemon.pid(name) for name in ("engine", "intake")]
        daemon.process.kill()
        until(lambda: not any(is_alive(pid) for pid in pids), "both processes are gone")
    with Daemon(outside):
        outside.drop("one.csv", "ada@example.com")
        until(lambda: outside.emails(), "the lead")
    assert outside.emails() == ["ada@example.com"]


def test_a_second_sigterm_ends_at_once_and_loses_nobody(outside: Outside) -> None:
    outside.configure(outside.newsletter())
    wanted = fill(outside.mailchimp, 600)
    outside.org.faults.add_latency(3.0)
    with Daemon(outside) as daemon:
        until(lambda: len(outside.emails()) > 0, "the first answer of the org is on its way")
        for _ in range(2):
            daemon.process.send_signal(signal.SIGTERM)
        daemon.gone()
    outside.org.faults.clear()
    with Daemon(outside):
        until(lambda: len(outside.emails()) >= len(wanted), "all members")
    assert sorted(outside.emails()) == sorted(wanted)


def test_a_stop_in_a_first_fill_finishes_what_is_under_way(outside: Outside) -> None:
    outside.configure(outside.newsletter())
    wanted = fill(outside.mailchimp, 3_000)
    outside.org.faults.add_latency(0.05)
    with Daemon(outside) as daemon:
        until(lambda: len(outside.emails()) > 200, "the fill is in its middle")
    assert daemon.process.returncode == 0
    assert not daemon.seen("process_stalled"), "it drained by itself"
    # Nothing is left without an outcome: what a fresh engine recovers was never sent.
    with Daemon(outside):
        until(lambda: len(set(outside.emails())) >= len(wanted), "all members")
    assert sorted(outside.emails()) == sorted(wanted)


def test_a_reload_is_all_or_nothing(outside: Outside) -> None:
    with Daemon(outside) as daemon:
        before = daemon.pid("engine")
        outside.configure(BOOTH.replace("mapping: csv", "mapping: cvs"))
        daemon.process.send_signal(signal.SIGHUP)
        (refused,) = until(lambda: daemon.seen("config_refused", process="engine"), "the refusal")
        assert 'There is no mapping "cvs"' in refused["problem"]
        until(lambda: daemon.seen("config_refused", process="supervisor"), "the word that the old one goes on")
        assert is_alive(before)
        outside.drop("one.csv", "ada@example.com")
        until(lambda: outside.emails() == ["ada@example.com"], "the old configuration goes on")

        (outside.folder / "drop2").mkdir()
        outside.configure(BOOTH.replace("folder: drop,", "folder: drop2,"))
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: daemon.seen("config_reloaded"), "the reload")
        until(lambda: not is_alive(before), "the engine before is gone")
        (outside.folder / "drop2" / "two.csv").write_text("email,last\nbob@example.com,Bob\n")
        until(lambda: "bob@example.com" in outside.emails(), "the new configuration is at work")


QUICK = "reload: {watch_seconds: 0.5}\n"


def test_a_changed_file_is_loaded_by_itself_and_a_wrong_one_is_said_once(outside: Outside) -> None:
    """One line for the mistake with its place, whatever it is in and how long it lies there; the version before goes on."""
    policy = outside.folder / "mappings" / "policy.yaml"
    right = policy.read_text(encoding="utf-8")
    outside.configure(BOOTH + QUICK)
    with Daemon(outside) as daemon:
        before = daemon.pid("engine")
        outside.write("mappings/policy.yaml", right + "programms: {}\n")
        until(lambda: daemon.seen("config_refused", process="supervisor"), "the refusal")
        outside.drop("one.csv", "ada@example.com")
        until(lambda: outside.emails() == ["ada@example.com"], "the version before is at work")
        (refused,) = daemon.seen("config_refused", process="engine")
        assert (refused["file"], refused["line"], refused["column"]) == ("mappings/policy.yaml", right.count("\n") + 1, 1)
        assert is_alive(before)

        outside.write("mappings/policy.yaml", right)
        outside.write("mappings/csv.yaml", MAPPING.replace("value: Trade Show", "value: Web"))
        until(lambda: daemon.seen("config_reloaded"), "the reload")
        until(lambda: not is_alive(before), "the engine before is gone")
        outside.drop("two.csv", "bob@example.com")
        until(lambda: "bob@example.com" in outside.emails(), "the lead after the reload")
        sources = {row["Email"]: row["LeadSource"] for row in outside.org.rows("Lead")}
        assert sources == {"ada@example.com": "Trade Show", "bob@example.com": "Web"}
        assert len(daemon.seen("config_refused")) == 2, "what was wrong, and that the one before goes on"
        assert len(daemon.seen("config_changed")) == 2


def test_a_syncd_yaml_that_is_wrong_is_said_by_one_process(outside: Outside) -> None:
    outside.configure(BOOTH + QUICK)
    with Daemon(outside) as daemon:
        outside.configure(BOOTH + QUICK + "nonsense: 1\n")
        until(lambda: daemon.seen("config_refused", process="supervisor"), "the refusal")
        assert len(daemon.seen("config_refused")) == 2
        outside.configure(BOOTH.replace("poll_interval_seconds: 1", "poll_interval_seconds: 2") + QUICK)
        until(lambda: daemon.seen("config_reloaded"), "the reload")


def test_the_status_names_the_policy_at_work(outside: Outside) -> None:
    """Its version and since when; and that the file is another one, or wrong, beside a daemon that was not told."""
    outside.configure(BOOTH + "reload: {watch_seconds: null}\n")
    outside.write("mappings/policy.yaml", POLICY + "name: first\n")

    def told() -> dict[str, Any]:
        with closing(open_house(outside.folder / "syncd.yaml")) as house:
            found: dict[str, Any] = house.status()["policy"]
        return found

    with Daemon(outside) as daemon:
        first = told()
        assert (first["name"], first["on_disk"], first["is_settled"]) == ("first", first["version"], True)
        outside.write("mappings/policy.yaml", POLICY.replace("Open - Not Contacted", "Working - Contacted") + "name: second\n")
        second = told()
        assert (second["name"], second["version"], second["since_at"]) == ("first", first["version"], first["since_at"])
        assert second["on_disk"] != first["version"]
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: told()["name"] == "second", "the policy after the reload")
        assert (told()["version"], told()["since_at"] > first["since_at"]) == (second["on_disk"], True)
        outside.write("mappings/policy.yaml", "version: 2\n")
        assert (told()["name"], told()["on_disk"]) == ("second", "")


def test_a_mapping_that_is_broken_on_disk_does_not_matter_until_a_reload(outside: Outside) -> None:
    with Daemon(outside):
        outside.write("mappings/csv.yaml", "version: 1\nlead: nonsense\n")
        outside.drop("one.csv", "ada@example.com")
        until(lambda: outside.emails(), "the lead")
    assert outside.emails() == ["ada@example.com"]


def test_a_configuration_that_is_wrong_is_refused_at_the_start(outside: Outside) -> None:
    outside.configure(BOOTH.replace("mapping: csv", "mapping: cvs"))
    daemon = Daemon(outside)
    assert daemon.gone() == 2
    assert daemon.seen("config_refused")


def test_a_second_daemon_is_refused(outside: Outside) -> None:
    with Daemon(outside) as first:
        second = Daemon(outside)
        assert second.gone() == 1
        assert "Another syncd" in "".join(second.odd_lines)
        assert first.process.poll() is None


def test_commands_ask_the_running_daemon(outside: Outside) -> None:
    with Daemon(outside) as daemon:
        outside.drop("one.csv", "ada@example.com")
        until(lambda: outside.emails() == ["ada@example.com"], "the lead")
        done = daemon.command("run", "--once", "booth", "--json")
        assert done.returncode == 0, done.stderr
        assert set(json.loads(done.stdout)["sources"]) == {"booth"}
        wrong = daemon.command("run", "--once", "boooth")
        assert (wrong.returncode, 'Did you mean "booth"' in wrong.stderr) == (2, True), wrong.stderr
        pulled = daemon.command("source", "pull", "booth", "--json")
        assert json.loads(pulled.stdout)["sources"]["booth"]["pulled"] == 0
        (created,) = [one["run_id"] for one in daemon.seen("run_finished", created=1)]
        undone = daemon.command("runs", "undo", created, "--yes", "--json")
        assert json.loads(undone.stdout)["result"] == {"done": 1}, undone.stderr
        until(lambda: outside.emails() == [], "the lead is gone")


def test_a_paused_source_loses_nothing(outside: Outside) -> None:
    def is_at_rest() -> bool:
        with closing(open_house(outside.folder / "syncd.yaml")) as house:
            row = house.store.schedules().get("booth")
        return row is None or row.started_at is None or (row.ended_at is not None and row.ended_at >= row.started_at)

    with Daemon(outside) as daemon:
        assert daemon.command("source", "pause", "booth").returncode == 0
        until(lambda: daemon.seen("source_paused"), "the pause")
        # A pause lets the pass that is under way come to its end.
        until(is_at_rest, "the end of the pass")
        outside.drop("one.csv", "ada@example.com")
        assert daemon.command("run", "--once", "booth").returncode == 2
        assert outside.emails() == []
        assert daemon.command("source", "resume", "booth").returncode == 0
        until(lambda: outside.emails() == ["ada@example.com"], "the lead")


def test_an_increment_overtakes_a_first_fill(outside: Outside) -> None:
    """A file that is dropped while thousands of members are filled in does not wait for the last of them."""
    outside.configure(BOOTH + outside.newsletter())
    wanted = fill(outside.mailchimp, 12_000)
    # 60 calls, four at once: however fast the machine, it takes 3 s, and a file is seen within one.
    outside.org.faults.add_latency(0.2)
    with Daemon(outside):
        until(lambda: len(outside.emails()) > 100, "the fill has begun")
        outside.drop("one.csv", "ada@example.com")
        until(lambda: "ada@example.com" in outside.emails(), "the lead")
        assert len(outside.emails()) < len(wanted), "it came in the middle"
        until(lambda: len(set(outside.emails())) > len(wanted), "all members")


def test_a_service_manager_hears_of_readiness_and_gets_its_watchdog_fed(outside: Outside) -> None:
    path = str(outside.folder / "notify")
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)

        def listen() -> None:
            while (word := manager.recv(4096)) != b"end":
                heard.append(word)

        listener = threading.Thread(target=listen)
        listener.start()
        with Daemon(outside, NOTIFY_SOCKET=path, WATCHDOG_USEC="1500000", WATCHDOG_PID=""):
            until(lambda: any(b"READY=1" in one for one in heard), "readiness")
            until(lambda: heard.count(b"WATCHDOG=1") > 2, "the watchdog")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", path)
        listener.join()
    assert any(b"STOPPING=1" in one for one in heard)
