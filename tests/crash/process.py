"""The real program in a process of its own, as the SIGKILL tests start it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SETTINGS = """\
version: 1
allow_literal_secrets: true
store: {{url: "{store_url}"}}
salesforce:
  login_url: {url}
  auth: {{type: client_credentials, consumer_key: {key}, consumer_secret: {secret}}}
  ca_file: {ca_file}
  request_timeout_seconds: 1
sources:
"""
"""syncd.yaml up to its sources."""


def start_pass(folder: Path) -> subprocess.Popen[str]:
    """Begin a pass; its log is added to the file `log`."""
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "syncd", "-c", str(folder / "syncd.yaml"), "run", "--once", "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
