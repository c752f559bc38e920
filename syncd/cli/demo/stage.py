"""The demo's stage: a sandbox org and a sandbox Mailchimp with people in them, folders for files, and `syncd` as a child process."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from syncd.cli.demo.people import PRODUCT_NEWS, fill_audiences, fill_org
from syncd.config import write_template
from syncd.errors import ConfigError
from syncd.ports import DeadLetter, Review
from syncd.sandbox import (
    AUDIENCE,
    CONSUMER_KEY,
    CONSUMER_SECRET,
    MAILCHIMP_KEY,
    MailchimpServer,
    SandboxMailchimp,
    SandboxOrg,
    SandboxServer,
)

_MARKER = ".syncd-demo"
SITE_SECRET = "whsec_c3luY2QtZGVtby13ZWItc2l0ZS1rZXktMDAwMQ=="  # noqa: S105 - the demo's, public on purpose

_HEAD = """\
# Written by "syncd demo": a sandbox, so the secrets may stand here in plain text.
version: 1
allow_literal_secrets: true
store: {{url: "sqlite:///syncd.db"}}
salesforce:
  login_url: {url}
  auth: {{type: client_credentials, consumer_key: {key}, consumer_secret: {secret}}}
  ca_file: {ca_file}
  request_timeout_seconds: 3
mappings_dir: mappings
policy: {policy}
"""
_SOURCES = """\
sources:
  badge_scanner: {{type: csv_drop, folder: drop/scanner1, mapping: csv_drop, settle_seconds: 0}}
  second_scanner: {{type: csv_drop, folder: drop/scanner2, mapping: csv_drop, settle_seconds: 0}}
  newsletter:
    type: mailchimp
    base_url: {mailchimp_url}/3.0
    api_key: {mailchimp_key}
    audiences: [{audiences}]
    mapping: mailchimp
    # The demo does not wait for half a minute before it believes what has just changed.
    settle_seconds: 0
    overlap_seconds: 2
  # What the web site sends: signed, and plain forms with a trap for robots.
  site: {{type: webhook, secret: {site_secret}, mapping: webhook, forms: {{honeypot: website_2}}}}
http: {{port: 0}}
log: {{format: json}}
"""


@dataclass(frozen=True)
class Ledger:
    """What syncd's store holds at the end: sums of all runs by source, `lead export`, open questions and dead letters."""

    totals: dict[str, dict[str, int]]
    people: list[dict[str, Any]]
    reviews: list[Review]
    letters: list[DeadLetter]


@dataclass
class Stage:
    """Everything the story plays on."""

    folder: Path
    org: SandboxOrg
    server: SandboxServer
    mailchimp: SandboxMailchimp
    newsletter: MailchimpServer

    def syncd(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `syncd` as a user would, in a process of its own; stdout is its data, stderr goes to a log file."""
        return start(self.folder, *arguments)

    def result(self, process: subprocess.Popen[str]) -> Any:
        """Wait for a `--json` command and give its document; exit codes 0 and 3 are both results.

        Raises:
            ConfigError: It ended in another way; the log file says why.
        """
        out, _ = process.communicate()
        if process.returncode not in (0, 3) or not out.strip():
            raise ConfigError(
                f"A step of the demo ended with exit code {process.returncode}.", advice=f"See {self.folder}/syncd.log."
            )
        return json.loads(out.strip().splitlines()[-1])

    def ledger(self) -> Ledger:
        """Read the store, when no process of syncd works on it any more."""
        # Imported here, so that the first picture comes at once.
        from syncd.app.leads import export_leads
        from syncd.app.status import status
        from syncd.wiring import open_house

        with closing(open_house(self.folder / "syncd.yaml")) as house:
            totals = {name: one["totals"] for name, one in status(house.store, house.settings.sources)["sources"].items()}
            return Ledger(totals, list(export_leads(house.store)), house.store.reviews(), house.store.dead_letters())

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The org's living records of an object as the org itself sees them; a converted lead is its contact."""
        return [row for row in self.org.rows(name) if not row.get("IsDeleted") and not row.get("IsConverted")]

    def lead_count(self) -> int:
        """How many leads the org has or had; cheap, for a picture that is drawn all the time."""
        return len(self.org.table("Lead").rows)

    def leads(self) -> list[dict[str, Any]]:
        """The org's living leads."""
        return self.rows("Lead")

    def members(self) -> list[dict[str, Any]]:
        """Members of every audience as Mailchimp itself sees them."""
        return [one for list_id in (AUDIENCE, PRODUCT_NEWS) for one in self.mailchimp.members(list_id)]

    def drop(self, name: str, text: str | None = None, *, scanner: int = 1) -> None:
        """Put a file into a scanner's folder: a bundled sample, or `text`."""
        target = self.folder / "drop" / f"scanner{scanner}" / name
        if text is None:
            target.write_bytes(files("syncd").joinpath("demo_data", name).read_bytes())
        else:
            target.write_text(text, encoding="utf-8")

    def close(self) -> None:
        """Stop serving."""
        self.server.stop()
        self.newsletter.stop()


def write_settings(folder: Path, server: SandboxServer, policy: str, sources: str) -> None:
    """What `syncd init` writes, with a syncd.yaml for this org; `sources` is the rest of it."""
    write_template(folder)
    head = _HEAD.format(url=server.url, key=CONSUMER_KEY, secret=CONSUMER_SECRET, ca_file=server.ca_file, policy=policy)
    (folder / "syncd.yaml").write_text(head + sources, encoding="utf-8")


def set_stage(folder: Path) -> Stage:
    """Make a fresh folder, start the sandboxes and write the configuration.

    Raises:
        ConfigError: `folder` holds something that is not an earlier demo.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise ConfigError(f"{folder} is not empty and not from a demo.", advice="Name another folder with --keep.")
    shutil.rmtree(folder, ignore_errors=True)
    for scanner in (1, 2):
        (folder / "drop" / f"scanner{scanner}").mkdir(parents=True)
    (folder / _MARKER).touch()
    org, mailchimp = SandboxOrg(seed=7), SandboxMailchimp(seed=7)
    fill_org(org)
    fill_audiences(mailchimp)
    server, newsletter = SandboxServer(org, folder=folder / "sandbox"), MailchimpServer(mailchimp)
    server.start()
    newsletter.start()
    sources = _SOURCES.format(
        mailchimp_url=newsletter.url,
        mailchimp_key=MAILCHIMP_KEY,
        site_secret=SITE_SECRET,
        audiences=f"{AUDIENCE}, {PRODUCT_NEWS}",
    )
    write_settings(folder, server, "mappings/policies/default.yaml", sources)
    return Stage(folder, org, server, mailchimp, newsletter)


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[str], tick: Callable[[], None], limit_seconds: float = 30.0
) -> bool:
    """Wait until `condition`, or until `process` ended; gives whether the condition came true. Calls `tick` all the while."""
    end = time.monotonic() + limit_seconds
    while time.monotonic() < end:
        tick()
        if condition():
            return True
        if process.poll() is not None:
            return condition()
        time.sleep(0.08)  # noqa: TID251 - the demo watches another process in real time
    return False


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`syncd` with the configuration in `folder`, in a process of its own; stdout is its data, stderr goes to a log file there."""
    with (folder / "syncd.log").open("a", encoding="utf-8") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-m", "syncd", "--config", str(folder / "syncd.yaml"), *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"},
        )


class Daemon:
    """`syncd run` while an act is played; `tick` is called whenever it is waited for."""

    def __init__(self, folder: Path, tick: Callable[[], None], patience_seconds: float) -> None:
        """Start it."""
        self._folder = folder
        self._tick = tick
        self._patience_seconds = patience_seconds
        self.process = start(folder, "run")

    def port(self) -> int:
        """Where it listens, once it is ready.

        Raises:
            ConfigError: It did not come up.
        """
        found: list[int] = []

        def look() -> bool:
            for line in (self._folder / "syncd.log").read_text(encoding="utf-8").splitlines():
                if '"process_ready"' in line and '"supervisor"' in line:
                    found[:] = [int(json.loads(line)["count"])]
            return bool(found)

        self.until(look, "it is ready")
        return found[-1]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait.

        Raises:
            ConfigError: The condition did not come true; the log says why.
        """
        if not wait_until(condition, self.process, self._tick, limit_seconds=self._patience_seconds):
            raise ConfigError(f"The daemon of the demo: {what} did not happen.", advice=f"See {self._folder}/syncd.log.")

    def stop(self) -> int:
        """End it as `systemctl stop` does; gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate()
        return self.process.returncode


def post(port: int, source: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Deliver to the daemon as a vendor does; gives the status."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", f"/hooks/{source}", body, dict(headers))
        return connection.getresponse().status
