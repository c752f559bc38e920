"""The daemon beside a first fill: how long a webhook waits for its answer, and how old its lead is when it is in the org.

    python bench/live.py             30,000 members, 2 hot leads a second for 10 s, then 100 webhooks a second for 10 s
    python bench/live.py 60000       more members, so that the fill lasts longer

The real `syncd run` between two servers in processes of their own that answer 50 ms late. Ages are the daemon's own histogram
(`syncd_lead_age_seconds`: from the receipt to the org's confirmation); the sender is the open loop of bench/webhook.py. The floor of an age is
the three calls that a hot lead takes: a look at the org, the create, and 50 ms each way in between.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import requests
import webhook
from lib.ground import ROOT, Audience, Course
from lib.processes import Service

from syncd.clock import SystemClock

_LATENCY = 0.05
_BEGUN = 1_000
_SITE = """\
  site: {{type: webhook, secret: {key}, mapping: webhook, per_second: 1000, burst: 2000}}
http: {{port: 0}}
log: {{format: json}}
"""


class Daemon:
    """A running `syncd run` in the folder of a course."""

    def __init__(self, course: Course) -> None:
        """Start it and wait until it is ready."""
        text = (course.folder / "syncd.yaml").read_text(encoding="utf-8")
        key = webhook.KEY.decode()
        (course.folder / "syncd.yaml").write_text(text + _SITE.format(key=key), encoding="utf-8")
        mapping = (ROOT / "mappings" / "webhook.yaml").read_text(encoding="utf-8")
        (course.folder / "mappings" / "webhook.yaml").write_text(mapping, encoding="utf-8")
        self._course = course
        with course.log.open("w", encoding="utf-8") as log:
            command = [sys.executable, "-m", "syncd", "-c", "syncd.yaml", "run"]
            self._process = subprocess.Popen(command, cwd=course.folder, stderr=log)
        self.port = self._wait_for_port()

    def _wait_for_port(self) -> int:
        for _ in range(600):
            for line in self._course.log.read_text(encoding="utf-8").splitlines():
                if '"process_ready"' in line and '"supervisor"' in line:
                    return int(json.loads(line)["count"])
            SystemClock().sleep(0.1)
        raise RuntimeError(f"The daemon is not ready:\n{self._course.last_words()}")

    def ages(self) -> tuple[dict[float, int], int, float]:
        """Hot leads that were in the org within so many seconds, all of them, and the sum of their ages."""
        text = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=30).text
        within = {
            float(edge): int(float(count))
            for edge, count in re.findall(r'age_seconds_bucket{le="([\d.]+)",[^}]*} ([\d.]+)', text)
        }
        count = sum(int(float(one)) for one in re.findall(r"lead_age_seconds_count{[^}]*} ([\d.]+)", text))
        total = sum(float(one) for one in re.findall(r"lead_age_seconds_sum{[^}]*} ([\d.e+]+)", text))
        return within, count, total

    def stop(self) -> int:
        """Let it drain; gives its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait()


def measure(daemon: Daemon, course: Course, rate: float, seconds: float) -> int:
    """Send at one rate while the fill goes on, and print; gives how many were not answered 2xx."""
    before, filled = daemon.ages(), course.leads()
    this = [sys.executable, str(Path(webhook.__file__).resolve())]
    first = "0" if rate < 50 else "100000"
    sent = subprocess.run(
        [*this, "--send", str(daemon.port), str(rate), str(seconds), first, "2"], stdout=subprocess.PIPE, check=True
    )
    told = json.loads(sent.stdout)
    waits = sorted(wait * 1000 for wait in told["waits"])
    refused = sum(not 200 <= code < 300 for code in told["codes"])
    for _ in range(300):
        if daemon.ages()[1] - before[1] >= len(waits) - refused:
            break
        SystemClock().sleep(0.2)
    after, rows = daemon.ages(), course.leads() - filled
    count = after[1] - before[1]
    print(
        f"{rate:.0f}/s for {seconds:.0f} s: {len(waits):,} sent, {refused:,} not answered 2xx; {rows - count:,} leads filled in meanwhile"
    )
    print(f"  answer ms: p50 {webhook.at(waits, 0.5):.1f}   p99 {webhook.at(waits, 0.99):.1f}   max {waits[-1]:.1f}")
    shares = "   ".join(
        f"{(after[0][edge] - before[0].get(edge, 0)) / count:.0%} within {edge:g} s"
        for edge in (0.5, 1.0, 2.0, 3.0, 5.0)
        if edge in after[0]
    )
    print(f"  in the org: {shares}   mean {(after[2] - before[2]) / count:.2f} s", flush=True)
    return refused


def main() -> int:
    """The command line; 1 when a webhook was refused or the daemon did not drain."""
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mailchimp = stack.enter_context(Service(folder / "mailchimp"))
        audience = Audience(mailchimp)
        audience.populate(members)
        mailchimp.act(audience.url, "faults", kind="latency", times=-1, seconds=_LATENCY)
        course = Course(audience, stack.enter_context(Service(folder / "org")), folder / "syncd", _LATENCY)
        daemon = Daemon(course)
        while course.leads() < _BEGUN:
            SystemClock().sleep(0.1)
        refused = measure(daemon, course, 2, 10) + measure(daemon, course, 100, 10)
        print(f"Leads in the org at the end: {course.leads():,} of {members:,} members and what was sent")
        code = daemon.stop()
    return int(bool(refused or code))


if __name__ == "__main__":
    sys.exit(main())
