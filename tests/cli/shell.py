"""A folder made by `syncd init`, sandboxes to reach over sockets, and the real program in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, MAILCHIMP_KEY, SandboxServer

NEWSLETTER = """\
  newsletter:
    type: mailchimp
    base_url: {url}/3.0
    api_key: {{env: MAILCHIMP_API_KEY}}
    mapping: mailchimp
    settle_seconds: 0
"""


class Shell:
    """The program in a folder of its own."""

    def __init__(self, folder: Path, server: SandboxServer, mailchimp_url: str = "") -> None:
        """Make the set-up point at the sandbox; with `mailchimp_url` it has a source `newsletter`, too."""
        self.folder = folder
        self.org = server.org
        self.run("init")
        path = folder / "syncd.yaml"
        text = path.read_text().replace("https://127.0.0.1:8443", server.url).replace("sandbox/ca.pem", str(server.ca_file))
        source = NEWSLETTER.format(url=mailchimp_url) if mailchimp_url else ""
        path.write_text(text.replace("settle_seconds: 2", "settle_seconds: 0") + source)

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        secrets = {"SF_KEY": CONSUMER_KEY, "SF_SECRET": CONSUMER_SECRET, "MAILCHIMP_API_KEY": MAILCHIMP_KEY}
        env = {**os.environ, **secrets, **environment}
        return subprocess.run(
            [sys.executable, "-m", "syncd", *arguments],
            cwd=self.folder, input=stdin, capture_output=True, text=True, check=False, timeout=120, env=env,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        """The document a command prints with --json."""
        return json.loads(self.run(*arguments, "--json").stdout)
