"""The daemon and what is sent to it: every 2xx is a lead, whatever is killed, full, locked or down meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from tests.daemon import BOOTH, SITE, Daemon, Outside, until
from tests.integration.test_standards import PROGRAM, ready_org
from tests.stores import store_url_for


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """A world with a web site and a drop folder."""
    made = Outside(tmp_path)
    made.configure(BOOTH + SITE)
    yield made
    made.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_is_sent_is_in_the_org_by_itself(tmp_path: Path, engine: str) -> None:
    outside = Outside(tmp_path, store_url_for(engine, tmp_path))
    outside.configure(SITE)
    try:
        with Daemon(outside) as daemon:
            assert daemon.send("ada@example.com") == 202
            assert daemon.send("ada@example.com") == 202, "a repetition is no error"
            until(lambda: outside.emails() == ["ada@example.com"], "the lead")
    finally:
        outside.close()


def test_a_policy_that_is_loaded_by_a_reload_does_not_keep_what_is_sent_waiting(outside: Outside) -> None:
    """Nothing is polled here, and the mirror lacks what the policy asks for: a pass of its own reads it before the next lead."""
    outside.configure(SITE)
    ready_org(outside.org)
    with Daemon(outside) as daemon:
        assert daemon.send("ada@example.com") == 202
        until(lambda: outside.emails() == ["ada@example.com"], "the first lead")
        (outside.folder / "mappings" / "policy.yaml").write_text(
            PROGRAM.replace('lead.Title == "Boss"', 'lead.LastName == "Hopper"'), encoding="utf-8"
        )
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: daemon.seen("config_reloaded"), "the reload")
        assert daemon.send("grace@example.com", last_name="Hopper") == 202
        until(lambda: "grace@example.com" in outside.emails(), "the lead after the reload")
        until(lambda: any(one.get("Status") == "Working - Contacted" for one in outside.org.rows("Lead")), "its status")


@pytest.mark.parametrize("victim", ["engine", "intake"])
def test_every_2xx_is_one_lead_though_a_process_is_killed(outside: Outside, victim: str) -> None:
    answered: list[str] = []
    with Daemon(outside) as daemon:

        def send() -> None:
            for number in range(120):
                email = f"person{number}@example.com"
                if daemon.send(email, last_name=f"Byron{chr(97 + number % 26)}") == 202:
                    answered.append(email)

        sender = threading.Thread(target=send)
        sender.start()
        for share in (15, 50):
            until(lambda share=share: len(answered) > share or not sender.is_alive(), "the sending goes on")
            daemon.kill(victim)
        sender.join()
        assert len(answered) > 100
        until(lambda: set(answered) <= set(outside.emails()), "everybody who was let in")
    emails = outside.emails()
    assert len(emails) == len(set(emails)), "somebody is doubled"


def test_health_readiness_and_metrics_are_there_for_ops(outside: Outside) -> None:
    with Daemon(outside) as daemon:
        assert daemon.send("ada@example.com") == 202
        until(lambda: outside.emails(), "the lead")
        assert requests.get(f"{daemon.url}/readyz", timeout=10).status_code == 200
        health = until(
            lambda: [one for one in [requests.get(f"{daemon.url}/healthz", timeout=10).json()] if one["engine"] == "running"],
            "health",
        )
        assert health[0]["status"] == "ok"

        def measured() -> str:
            text = requests.get(f"{daemon.url}/metrics", timeout=10).text
            wanted = (
                'syncd_lead_age_seconds_count{source="site"} 1.0',
                'outcome="stored",source="site"} 1.0',
                "syncd_store_bytes",
            )
            return text if all(one in text for one in wanted) else ""

        text = until(measured, "both processes' metrics")
        assert "ada" not in text


def test_a_paused_site_is_still_received(outside: Outside) -> None:
    with Daemon(outside) as daemon:
        assert daemon.command("source", "pause", "site").returncode == 0
        until(lambda: daemon.seen("source_paused", source="site"), "the pause")
        assert daemon.send("ada@example.com") == 202
        outside.drop("one.csv", "bob@example.com")
        until(lambda: outside.emails() == ["bob@example.com"], "the other source goes on")
        daemon.command("source", "resume", "site")
        until(lambda: sorted(outside.emails()) == ["ada@example.com", "bob@example.com"], "the lead")


def test_a_flood_of_forgeries_changes_nothing_for_the_others(outside: Outside) -> None:
    with Daemon(outside) as daemon:
        headers = {
            "content-type": "application/json",
            "webhook-id": "m",
            "webhook-timestamp": "1",
            "webhook-signature": "v1,AAAA",
        }
        for _ in range(300):
            assert requests.post(f"{daemon.url}/hooks/site", data=b"{}", headers=headers, timeout=10).status_code == 401
        assert daemon.send("ada@example.com") == 202
        until(lambda: outside.emails() == ["ada@example.com"], "the lead")
        assert len(daemon.seen("delivery_refused")) < 10, "the log is not flooded"
        assert not daemon.odd_lines


def test_an_org_that_is_down_is_said_once_and_everything_arrives_afterwards(outside: Outside) -> None:
    with Daemon(outside) as daemon:
        outside.drop("zero.csv", "zoe@example.com")
        until(lambda: outside.emails() == ["zoe@example.com"], "the mirror is filled")
        outside.org.faults.add("unavailable", "/services/data", times=-1)
        assert daemon.send("ada@example.com") == 202
        outside.drop("one.csv", "bob@example.com")
        until(lambda: daemon.seen("org_lost", level="error"), "the loss is said")
        assert daemon.send("cyd@example.com") == 202, "what is sent is received all the same"
        outside.org.faults.clear()
        until(lambda: len(outside.emails()) == 4, "all leads")
        until(lambda: daemon.seen("org_recovered"), "the recovery is said")
        assert len(daemon.seen("org_lost", level="error")) == 1
    assert sorted(outside.emails()) == ["ada@example.com", "bob@example.com", "cyd@example.com", "zoe@example.com"]


def test_a_store_that_somebody_locks_is_waited_for(outside: Outside) -> None:
    """A backup program holds the store for some seconds: what is sent is received, and nothing is restarted."""
    with Daemon(outside) as daemon:
        outside.drop("zero.csv", "zoe@example.com")
        until(lambda: outside.emails() == ["zoe@example.com"], "the mirror is filled")
        with closing(sqlite3.connect(outside.folder / "syncd.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert daemon.send("ada@example.com") == 202
            assert "ada@example.com" not in outside.emails()
            other.execute("ROLLBACK")
        until(lambda: "ada@example.com" in outside.emails(), "the lead")
        assert not daemon.seen("process_failed")


def _mount(*arguments: str) -> bool:
    """Run mount(8); False where this machine lets nobody."""
    program = shutil.which("mount")
    return program is not None and subprocess.run([program, *arguments], check=False, capture_output=True).returncode == 0


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own that can be filled and made read-only."""
    folder.mkdir()
    if not _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)):
        pytest.skip("This machine lets nobody mount a disk.")
    try:
        yield folder
    finally:
        subprocess.run([str(shutil.which("umount")), "-l", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")
def test_a_full_disk_refuses_what_it_cannot_keep_and_goes_on_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        outside = Outside(tmp_path, f"sqlite:///{disk}/syncd.db")
        outside.configure(SITE)
        try:
            with Daemon(outside) as daemon:
                assert daemon.send("ada@example.com") == 202
                until(lambda: outside.emails() == ["ada@example.com"], "the lead")
                ballast = disk / "ballast"
                with ballast.open("wb") as file, contextlib.suppress(OSError):
                    while file.write(b"\0" * 65_536):
                        file.flush()
                answers = {f"full{number}@example.com": daemon.send(f"full{number}@example.com") for number in range(30)}
                assert 503 in answers.values(), "what cannot be kept is not answered with 2xx"
                ballast.unlink()
                until(lambda: daemon.send("bob@example.com") == 202, "there is room again")
                kept = {email for email, status in answers.items() if status == 202} | {"ada@example.com", "bob@example.com"}
                until(lambda: kept <= set(outside.emails()), "everybody who was let in")
                assert not daemon.odd_lines
        finally:
            outside.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")
def test_a_store_that_can_only_be_read_is_said_and_mended_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        outside = Outside(tmp_path, f"sqlite:///{disk}/syncd.db")
        outside.configure(BOOTH + SITE)
        try:
            with Daemon(outside) as daemon:
                assert daemon.send("ada@example.com") == 202
                until(lambda: outside.emails() == ["ada@example.com"], "the lead")
            assert _mount("-o", "remount,ro", str(disk))
            daemon = Daemon(outside)
            with daemon.whatever_comes():
                (failed, *_) = until(
                    lambda: daemon.seen("process_failed", process="engine", reason="read_only"), "the reason is said"
                )
                assert failed["level"] == "error"
                assert _mount("-o", "remount,rw", str(disk))
                until(lambda: daemon.seen("process_ready", process="supervisor"), "it comes up by itself")
                assert daemon.send("bob@example.com") == 202
                until(lambda: "bob@example.com" in outside.emails(), "the lead")
        finally:
            outside.close()
