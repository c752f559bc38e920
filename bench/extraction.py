"""Reading a whole Mailchimp audience: the connector's own pull beside a bare parallel loop over the same pages.

    python bench/extraction.py [MEMBERS] [--latency 0.05] [--rounds 3]

The server is a process of its own that answers `--latency` seconds late; members were read once before. Each round runs, one after
the other and each in a process of its own: the floor (lib/bare.py: four threads, the same pages and fields, only the number of rows
is decoded), the pull as the pipeline drives it with its records thrown away, and the pull with every page stored in a fresh inbox.
Ratios are of one round, the best of which stands for a machine that does something else besides. The aim is 0.8.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.ground import ROOT, Audience
from lib.processes import Ran, Service, run

from connectors.mailchimp.members import FIELDS
from syncd.sandbox import AUDIENCE, MAILCHIMP_KEY

_DEFAULT = 100_000
_NAMES = ("floor", "pull", "pull and store")
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Extracted:
    """One program that read the audience. `told` is what it printed: members, seconds (without its start-up), waiting_cpu."""

    ran: Ran
    told: dict[str, Any]
    calls: int

    @property
    def rate(self) -> float:
        """Members a second."""
        return float(self.told["members"] / self.told["seconds"])


class Ground:
    """A full Mailchimp, and what is read from it."""

    def __init__(self, service: Service, folder: Path, members: int, latency: float) -> None:
        """Fill it."""
        self._audience, self._folder = Audience(service), folder
        self._audience.populate(members)
        service.act(service.mailchimp_url, "faults", kind="latency", times=-1, seconds=latency)

    def extract(self, name: str, number: int) -> Extracted:
        """Read everything once."""
        program = "bare.py" if name == "floor" else "pulling.py"
        job = {"root": f"{self._audience.url}/3.0", "audience": AUDIENCE, "api_key": MAILCHIMP_KEY, "fields": FIELDS}
        if name == "pull and store":
            job["store"] = f"sqlite:///{self._folder / f'inbox-{number}.db'}"
        before = self._audience.calls()
        command = [sys.executable, str(ROOT / "bench" / "lib" / program), json.dumps(job)]
        ran = run(command, folder=ROOT, log=self._folder / "log")
        if ran.exit_code:
            raise RuntimeError(f"{program} failed:\n{(self._folder / 'log').read_text(encoding='utf-8')}")
        return Extracted(ran, json.loads(ran.stdout), self._audience.calls() - before)


def report(rounds: Sequence[Sequence[Extracted]]) -> None:
    """Print every round, and the best ratio."""
    print(f"{'':16}{'members/s':>12}{'ratio':>8}{'CPU us/member':>15}{'calls':>8}{'peak MB':>9}{'members':>10}")
    for one in rounds:
        for name, found in zip(_NAMES, one, strict=True):
            members = found.told["members"]
            micros, peak = found.told["cpu_seconds"] / members * 1e6, max(found.ran.rss, found.ran.hwm) / _MEGABYTE
            ratio = found.rate / one[0].rate
            print(f"{name:16}{found.rate:>12,.0f}{ratio:>8.2f}{micros:>15.1f}{found.calls:>8}{peak:>9.0f}{members:>10,}")
    best = max(one[1].rate / one[0].rate for one in rounds)
    print(f"best ratio of pull to floor: {best:.2f} (aim 0.8)")


def main() -> int:
    """The command line; 130 when interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("members", nargs="?", type=int, default=_DEFAULT, help=f"how many; {_DEFAULT:,} if not given")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds by which the server is late")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    options = parser.parse_args()
    print(
        f"{options.members:,} members, {options.latency * 1000:.0f} ms, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    # Whoever ends this by SIGTERM wants the server gone as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with Service(folder / "mailchimp") as service:
                ground = Ground(service, folder, options.members, options.latency)
                report([[ground.extract(one, number) for one in _NAMES] for number in range(options.rounds)])
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
