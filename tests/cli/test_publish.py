"""`syncd policy publish` as an admin meets it: a page, and the fact that this version is the published one."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path

import pytest

from syncd.clock import SystemClock
from syncd.run.standards import PUBLISHED
from syncd.store import open_store
from tests.cli.shell import Shell
from tests.cli.test_policy import shell
from tests.daemon import BOOTH, Daemon, Outside, until
from tests.integration.test_standards import PROGRAM, ready_org

__all__ = ["shell"]


def noted(folder: Path) -> str | None:
    """The version that the store knows as published."""
    with closing(open_store(f"sqlite:///{folder / 'syncd.db'}", clock=SystemClock())) as store:
        return store.setting(PUBLISHED)


def test_the_page_is_written_and_the_version_remembered(shell: Shell) -> None:
    """A rehearsal remembers nothing; Markdown goes to stdout; the file is replaced as a whole."""
    digest = shell.json("policy", "check")["digest"]
    rehearsed = shell.run("policy", "publish", "--dry-run")
    assert rehearsed.stdout.startswith("# acme: lead standards\n\nVersion " + digest[:8])
    assert noted(shell.folder) is None
    assert shell.json("policy", "publish", "--to", "page.html") == {
        "policy": "acme",
        "digest": digest,
        "published": True,
        "to": "page.html",
    }
    page = shell.folder / "page.html"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert noted(shell.folder) == digest
    assert shell.run("policy", "publish").stdout == rehearsed.stdout
    assert shell.json("policy", "publish", "--dry-run")["page"] == rehearsed.stdout
    assert [path.name for path in shell.folder.iterdir() if path.name.startswith(".page")] == []


def test_what_cannot_be_published_changes_nothing(shell: Shell) -> None:
    for arguments, said in ((("--to", "page.pdf"), "ends in .html or .md"), (("--to", "none/page.md"), "cannot be written")):
        refused = shell.run("policy", "publish", *arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr
    (shell.folder / "mappings" / "policy.yaml").write_text("version: 1\n", encoding="utf-8")
    assert "no programs" in shell.run("policy", "publish").stderr
    assert noted(shell.folder) is None


@pytest.mark.slow
def test_a_running_daemon_is_asked_and_publishes_only_what_it_works_by(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    try:
        outside.configure(BOOTH)
        ready_org(outside.org)
        outside.write("mappings/policy.yaml", PROGRAM)
        with Daemon(outside) as daemon:
            done = daemon.command("policy", "publish", "--to", str(tmp_path / "page.md"))
            assert (done.returncode, "asking it" in done.stderr) == (0, True), done.stderr
            before = noted(tmp_path)
            assert before
            outside.write("mappings/policy.yaml", PROGRAM.replace("days_in_status >= 30", "days_in_status >= 60"))
            page = (tmp_path / "page.md").read_text(encoding="utf-8")
            refused = daemon.command("policy", "publish", "--to", str(tmp_path / "page.md"))
            assert (refused.returncode, "have the daemon load" in refused.stderr.lower()) == (2, True), refused.stderr
            assert (noted(tmp_path), (tmp_path / "page.md").read_text(encoding="utf-8")) == (before, page)
            daemon.process.send_signal(signal.SIGHUP)
            until(lambda: daemon.seen("config_reloaded"), "the reload")
            assert daemon.command("policy", "publish", "--to", str(tmp_path / "page.md")).returncode == 0
            assert noted(tmp_path) != before
    finally:
        outside.close()
