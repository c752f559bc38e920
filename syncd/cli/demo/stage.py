"""The demo's stage: a sandbox org with people in it, a folder with two messy files, and `syncd` as a child process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from syncd.config import write_template
from syncd.errors import ConfigError
from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg, SandboxServer, populate

_MARKER = ".syncd-demo"

_SETTINGS = """\
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
policy: mappings/policy.yaml
sources:
  badge_scanner: {{type: csv_drop, folder: drop/scanner1, mapping: csv_drop, settle_seconds: 0}}
  second_scanner: {{type: csv_drop, folder: drop/scanner2, mapping: csv_drop, settle_seconds: 0}}
"""


@dataclass
class Stage:
    """Everything the story plays on."""

    folder: Path
    org: SandboxOrg
    server: SandboxServer

    def syncd(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `syncd` as a user would, in a process of its own; stdout is its data, stderr goes to a log file."""
        log = (self.folder / "syncd.log").open("a", encoding="utf-8")
        environment = {**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}
        with log:
            return subprocess.Popen(  # noqa: S603 - our own interpreter and program
                [sys.executable, "-m", "syncd", "--config", str(self.folder / "syncd.yaml"), *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )

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

    def leads(self) -> list[dict[str, Any]]:
        """The org's living leads as the org itself sees them."""
        return [row for row in self.org.rows("Lead") if not row.get("IsDeleted")]

    def drop(self, name: str, text: str | None = None, *, scanner: int = 1) -> None:
        """Put a file into a scanner's folder: a bundled sample, or `text`."""
        target = self.folder / "drop" / f"scanner{scanner}" / name
        if text is None:
            target.write_bytes(files("syncd").joinpath("demo_data", name).read_bytes())
        else:
            target.write_text(text, encoding="utf-8")


def set_stage(folder: Path) -> Stage:
    """Make a fresh folder, start the sandbox and write the configuration.

    Raises:
        ConfigError: `folder` holds something that is not an earlier demo.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise ConfigError(f"{folder} is not empty and not from a demo.", advice="Name another folder with --keep.")
    shutil.rmtree(folder, ignore_errors=True)
    for scanner in (1, 2):
        (folder / "drop" / f"scanner{scanner}").mkdir(parents=True)
    (folder / _MARKER).touch()
    org = SandboxOrg(seed=7)
    populate(org)
    server = SandboxServer(org, folder=folder / "sandbox")
    server.start()
    write_template(folder)
    settings = _SETTINGS.format(url=server.url, key=CONSUMER_KEY, secret=CONSUMER_SECRET, ca_file=server.ca_file)
    (folder / "syncd.yaml").write_text(settings, encoding="utf-8")
    return Stage(folder, org, server)


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
        time.sleep(0.02)  # noqa: TID251 - the demo watches another process in real time
    return False
