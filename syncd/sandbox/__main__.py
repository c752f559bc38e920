"""`python -m syncd.sandbox` and `syncd sandbox`: the org on its own."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from syncd.errors import ConfigError
from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg, SandboxServer, populate


def run_sandbox(
    folder: Path,
    *,
    port: int = 0,
    empty: bool = False,
    seed: int = 0,
    port_file: Path | None = None,
    state: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; prints what to put into syncd.yaml.

    With `state` the org of that file is served, and kept there when the sandbox stops.

    Raises:
        ConfigError: The port is taken, or `state` cannot be read.
    """
    if state is not None and state.exists():
        org = SandboxOrg.load(state, seed=seed)
    else:
        org = SandboxOrg(seed=seed)
        if not empty:
            populate(org)
    try:
        server = SandboxServer(org, folder=folder, port=port)
    except OSError as error:
        raise ConfigError(f"Port {port} cannot be used: {error.strerror}.", advice="Name another with --port.") from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with server:
        if port_file is not None:
            port_file.write_text(str(server.port), encoding="ascii")
        lines = (
            f"A sandbox org is at {server.url} (open it in a browser to edit leads as a rep).",
            "For syncd.yaml:",
            f"  login_url: {server.url}",
            f"  auth: {{type: client_credentials, consumer_key: {CONSUMER_KEY}, consumer_secret: {CONSUMER_SECRET}}}",
            f"  ca_file: {server.ca_file}",
            f"Everything is {'kept in ' + str(state) if state else 'in memory and gone'} when it stops. Stop it with Ctrl-C.",
        )
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        stop.wait()
    if state is not None:
        org.save_to(state)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m syncd.sandbox", description="A Salesforce org on this machine.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("sandbox"))
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    parser.add_argument("--state", type=Path)
    options = parser.parse_args()
    try:
        run_sandbox(**vars(options))
    except ConfigError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
