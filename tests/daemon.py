"""The daemon as its users run it: real processes over loopback, against a sandbox org and a sandbox Mailchimp in this process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import requests

from syncd.sandbox import (
    CONSUMER_KEY,
    CONSUMER_SECRET,
    MAILCHIMP_KEY,
    MailchimpServer,
    SandboxMailchimp,
    SandboxOrg,
    SandboxServer,
)
from tests.newsletter import SHORT_MAPPING
from tests.site import SECRET, SITE, STOCK_MAPPING
from tests.world import MAPPING, POLICY

__all__ = ["BOOTH", "SITE", "Daemon", "Outside", "is_alive", "until"]

PATIENCE_SECONDS = 60.0
"""How long anything may take on a busy machine before a test gives up."""

SETTINGS = """\
version: 1
allow_literal_secrets: true
store: {{url: "{store_url}"}}
salesforce:
  login_url: {org}
  auth: {{type: client_credentials, consumer_key: {key}, consumer_secret: {secret}}}
  ca_file: {ca_file}
  request_timeout_seconds: 3
http: {{port: 0}}
log: {{format: json}}
mappings_dir: mappings
policy: mappings/policy.yaml
sources:
"""
BOOTH = "  booth: {type: csv_drop, folder: drop, mapping: csv, settle_seconds: 0, poll_interval_seconds: 1, jitter_seconds: 0}\n"
NEWSLETTER = (
    '  newsletter: {{type: mailchimp, base_url: "{url}/3.0", api_key: {key}, mapping: mailchimp, settle_seconds: 0, '
    "overlap_seconds: 2, poll_interval_seconds: 2, jitter_seconds: 0}}\n"
)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until something is true, and give it; a test fails with `what` when it does not come."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)  # noqa: TID251 - another process is waited for in real time
    raise AssertionError(f"{what}: not within {PATIENCE_SECONDS:.0f} s")


class Outside:
    """The org, the newsletter and the configuration; they outlive every daemon."""

    def __init__(self, folder: Path, store_url: str = "sqlite:///syncd.db") -> None:
        """Open for business."""
        self.folder = folder
        self.org = SandboxOrg(seed=1)
        self.mailchimp = SandboxMailchimp(seed=1)
        self.mailchimp.add_audience("L1", "News")
        self._server = SandboxServer(self.org, folder=folder / "sandbox")
        self._newsletter = MailchimpServer(self.mailchimp)
        self._server.start()
        self._newsletter.start()
        for name in ("drop", "mappings"):
            (folder / name).mkdir()
        self.write("mappings/csv.yaml", MAPPING)
        self.write("mappings/mailchimp.yaml", SHORT_MAPPING)
        self.write("mappings/webhook.yaml", STOCK_MAPPING)
        self.write("mappings/policy.yaml", POLICY)
        self._head = SETTINGS.format(
            store_url=store_url, org=self._server.url, key=CONSUMER_KEY, secret=CONSUMER_SECRET, ca_file=self._server.ca_file
        )
        self.configure(BOOTH)

    def newsletter(self) -> str:
        """The newsletter as a source of syncd.yaml."""
        return NEWSLETTER.format(url=self._newsletter.url, key=MAILCHIMP_KEY)

    def configure(self, sources: str) -> None:
        """Write syncd.yaml."""
        self.write("syncd.yaml", self._head + sources)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the configuration."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def drop(self, name: str, *emails: str) -> None:
        """Drop a file with these people."""
        rows = [f"{email},First,Last{number},Company" for number, email in enumerate(emails)]
        part = self.write(f"drop/{name}.part", "\n".join(["email,first,last,company", *rows]) + "\n")
        part.rename(self.folder / "drop" / name)

    def emails(self) -> list[str]:
        """Addresses of the org's living leads, doubled ones as often as they are there."""
        return [str(row["Email"]) for row in self.org.rows("Lead") if not row.get("IsDeleted") and row.get("Email")]

    def close(self) -> None:
        """Close."""
        self._server.stop()
        self._newsletter.stop()


class Daemon:
    """A running `syncd run`; a context manager that makes sure that nothing of it is left."""

    def __init__(self, outside: Outside, **environment: str) -> None:
        """Start it."""
        self._outside = outside
        self.lines: list[dict[str, Any]] = []
        self.odd_lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "syncd", "--config", str(outside.folder / "syncd.yaml"), "run"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **environment},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    self.odd_lines.append(line)

    def __enter__(self) -> Self:
        """Wait until it is ready."""
        until(lambda: self.seen("process_ready", process="supervisor") or self.process.poll() is not None, "the daemon is ready")
        assert self.process.poll() is None, self.odd_lines
        return self

    @contextmanager
    def whatever_comes(self) -> Iterator[Self]:
        """Without waiting until it is ready."""
        try:
            yield self
        finally:
            self.__exit__()

    def __exit__(self, *_: object) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.gone()

    def gone(self) -> int:
        """Wait until it has ended by itself; gives its exit code."""
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def seen(self, event: str, **keys: Any) -> list[dict[str, Any]]:
        """Log lines of an event with these keys."""
        return [
            one
            for one in list(self.lines)
            if one["event"] == event and all(one.get(name) == value for name, value in keys.items())
        ]

    def pid(self, name: str) -> int:
        """The process id of the newest `intake` or `engine`."""
        return int(self.seen("process_started", process=name)[-1]["count"])

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.seen('process_ready', process='supervisor')[0]['count']}"

    def kill(self, name: str) -> None:
        """SIGKILL one process, and wait until another one is at work in its place."""
        before = len(self.seen("process_ready", process=name))
        os.kill(self.pid(name), signal.SIGKILL)
        until(lambda: len(self.seen("process_ready", process=name)) > before, f"{name} is back")

    def send(self, email: str, *, name: str = "", last_name: str = "Byron") -> int:
        """Send a signed lead to the source `site`; gives the status, 0 where there was no answer."""
        body = json.dumps(
            {"type": "lead.created", "data": {"email": email, "last_name": last_name, "company": "Engines"}}
        ).encode()
        name, stamp = name or f"msg_{email.partition('@')[0]}", str(int(time.time()))  # noqa: TID251 - the receiver looks at the machine's clock
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        mark = base64.b64encode(hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{mark}",
        }
        try:
            return requests.post(f"{self.url}/hooks/site", data=body, headers=headers, timeout=10).status_code
        except requests.RequestException:
            return 0

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `syncd` beside it."""
        return subprocess.run(
            [sys.executable, "-m", "syncd", "--config", str(self._outside.folder / "syncd.yaml"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )


def is_alive(pid: int) -> bool:
    """Whether a process exists (and is no zombie)."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[:1]
    except OSError:
        return False
