"""A source that is sent to, as a user meets it before anything is sent: checked, listed, left out of a pass."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connectors.webhook import CONNECTOR, WebhookOptions
from syncd.clock import SystemClock
from syncd.connector import HttpRequest, Secret, Wanted
from syncd.sandbox import SandboxOrg, SandboxServer
from syncd.store import open_store
from tests.cli.shell import Shell

PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "webhook.md"
SOURCE = """\
  site:
    type: webhook
    secret: [{env: SITE_NEW}, {env: SITE_OLD}]
    forms: {honeypot: website_2}
    mapping: webhook
"""
SECRETS = {"SITE_NEW": "whsec_bmV3LXNlY3JldC1vZi1zaXRl", "SITE_OLD": "old-secret-of-site"}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A set-up of `syncd init` with a webhook source."""
    home = tmp_path / "home"
    home.mkdir()
    with SandboxServer(SandboxOrg(seed=1), folder=tmp_path / "sandbox") as server:
        made = Shell(home, server)
        path = home / "syncd.yaml"
        path.write_text(path.read_text() + SOURCE)
        yield made


def test_it_is_checked_listed_and_left_out_of_a_pass(shell: Shell) -> None:
    assert shell.run("check", **SECRETS).returncode == 0
    assert shell.run("mapping", "check", "webhook", **SECRETS).returncode == 0
    listed = shell.run("source", "list", **SECRETS)
    assert re.search(r"site\s+webhook\s+webhook\s+0\s+0", listed.stdout), listed
    checked = shell.run("source", "check", "site", **SECRETS)
    assert checked.returncode == 0
    for words in ("/hooks/site", "127.0.0.1:8080", "Standard Webhooks", "Take the old one out", "Unsigned form"):
        assert words in checked.stdout.replace("\n", " "), words
    done = shell.run("run", "--once", "--json", **SECRETS)
    assert done.returncode == 0, done.stderr
    assert shell.run("run", "--once", "site", **SECRETS).returncode == 0
    refused = shell.run("source", "backfill", "site", "--from", "2026-01-01", "--yes", **SECRETS)
    assert refused.returncode == 2
    assert "Ask the sender to send it again" in refused.stderr
    shown = shell.run("check", "--show", **SECRETS)
    assert "env SITE_NEW, env SITE_OLD" in shown.stdout
    everything = listed.stdout + checked.stdout + done.stdout + done.stderr + shown.stdout + shown.stderr
    assert not any(secret in everything for secret in SECRETS.values())


def test_what_is_still_to_be_asked_for_is_shown(shell: Shell) -> None:
    with closing(open_store(f"sqlite:///{shell.folder / 'syncd.db'}", clock=SystemClock())) as store:
        store.put_wanted("site", "events", [Wanted("1", b"{}"), Wanted("2", b"{}")], SystemClock().now())
    listed, shown = (shell.run(*words, **SECRETS).stdout for words in (["source", "list"], ["status"]))
    assert re.search(r"site\s+webhook\s+webhook\s+0\s+2\s+0", listed), listed
    assert re.search(r"site\s+0\s+2", shown), shown
    assert all("to fetch" in text for text in (listed, shown))
    counts = json.loads(shell.run("status", "--json", **SECRETS).stdout)["sources"]
    assert {name: one["wanted"] for name, one in counts.items()} == {name: 2 * (name == "site") for name in counts}


def test_a_missing_secret_is_told_with_its_place(shell: Shell) -> None:
    failed = shell.run("check", SITE_NEW=SECRETS["SITE_NEW"])
    assert failed.returncode == 2
    assert re.search(r"syncd.yaml:\d+:\d+: sources.site.secret.1: the environment variable SITE_OLD is not set", failed.stderr)


# ---------------------------------------------------------------- the examples of the page


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_shell_example_of_the_page_signs_rightly(tmp_path: Path) -> None:
    """It is run with a curl that writes down what it was asked to send."""
    fake = tmp_path / "curl"
    fake.write_text('#!/bin/sh\nfor one in "$@"; do printf "%s\\0" "$one"; done > "$SENT"\n')
    fake.chmod(0o755)
    sent = tmp_path / "sent"
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SECRET": "bmV3LXNlY3JldC1vZi1zaXRl", "SENT": str(sent)}
    example = next(one for one in examples("sh") if "curl" in one)
    subprocess.run(["/bin/sh", "-ec", example], env=env, check=True)
    words = sent.read_text().split("\0")
    headers = dict(words[index + 1].split(": ", 1) for index, word in enumerate(words) if word == "-H")
    body = words[words.index("--data-binary") + 1].encode()
    options = WebhookOptions(secret=Secret(SECRETS["SITE_NEW"], "test"))
    assert CONNECTOR.verify(HttpRequest("POST", headers, {}, body), options, SystemClock().now()).refusal == ""


def test_the_python_example_of_the_page_is_let_in(tmp_path: Path) -> None:
    from syncd.intake import Receiver
    from tests.intake import Running

    place: dict[str, object] = {}
    exec(next(one for one in examples("python") if "def send" in one), place)  # noqa: S102 - our own page
    secret = SECRETS["SITE_NEW"]
    with Running(tmp_path, Receiver("site", CONNECTOR, WebhookOptions(secret=Secret(secret, "test")))) as intake:
        assert place["send"](intake.url("/hooks/site"), secret, {"email": "ada@example.com"}) == 202  # type: ignore[operator]
        assert intake.stored()[0].body == b'{"email": "ada@example.com"}'
