"""`syncd lead export --for-deletion` as an admin meets it: what is due, a file, and the pass that deletes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.clock import FixedClock, SystemClock
from syncd.sandbox.server import SandboxServer
from tests.integration.test_retention import archived, policy, ready
from tests.world import LOGIN_URL, MAPPING, World

LONG_AGO = timedelta(days=200)


class Aged:
    """Leads that were archived 200 days ago in process, and the real program of today on the same store and org."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, mapping=MAPPING, policy=policy(), clock=FixedClock(SystemClock().now() - LONG_AGO))
        archived(ready(self.world), 1, 2)
        self.server = SandboxServer(self.world.org, folder=folder / "ca")
        self.server.__enter__()
        path = folder / "syncd.yaml"
        ca = f"{self.server.url}\n  ca_file: {self.server.ca_file}"
        path.write_text(path.read_text(encoding="utf-8").replace(LOGIN_URL, ca), encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "syncd", *arguments],
            cwd=self.world.folder, capture_output=True, text=True, check=False, timeout=120, env=dict(os.environ),
        )  # fmt: skip


@pytest.fixture
def aged(tmp_path: Path) -> Iterator[Aged]:
    made = Aged(tmp_path)
    yield made
    made.server.__exit__(None, None, None)


def test_an_admin_exports_what_is_due_and_the_next_pass_deletes_it(aged: Aged) -> None:
    waiting = aged.run("run", "--once")
    assert (waiting.returncode, "syncd lead export --for-deletion FILE" in waiting.stdout) == (0, True), waiting.stderr
    assert len(aged.world.leads()) == 2
    done = aged.run("lead", "export", "--for-deletion", "gone.jsonl", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["count"], found["file"]) == (0, 2, "gone.jsonl"), done.stderr
    deleted = json.loads(aged.run("run", "--once", "--json").stdout)
    assert (deleted["status"], deleted["operations"]["deleted"]) == ("ok", 2)
    assert aged.world.leads() == []
    empty = aged.run("lead", "export", "--for-deletion", "none.jsonl")
    assert (empty.returncode, "No lead is due" in empty.stdout, (aged.world.folder / "none.jsonl").exists()) == (0, True, False)
    status = json.loads(aged.run("status", "--json").stdout)
    assert (status["last_deletion_export"]["export_id"], status["last_deletion_export"]["count"]) == (found["export_id"], 2)
    shown = aged.run("lead", "show", "person1@example.com").stdout
    assert "expire done" in shown
    assert f"export: - -> {found['export_id']}" in shown
    assert "IsDeleted: no -> yes   <- policy acme" in shown
