"""The real process, over real HTTPS, killed with SIGKILL at random moments until the work is done (G1, G3)."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg, SandboxServer
from tests.crash.process import SETTINGS, start_pass
from tests.stores import store_url_for
from tests.world import COLUMNS, MAPPING, POLICY, row

KILLS = 400 if os.environ.get("SYNCD_CHAOS") else 50
"""On each store; 100 in all."""

_SETTINGS = SETTINGS + "  booth: {{type: csv_drop, folder: drop, mapping: csv, settle_seconds: 0}}\n"


def _drop(folder: Path, number: int, titles: str) -> set[str]:
    people = range(number * 40, number * 40 + 60)
    lines = [",".join(COLUMNS)]
    lines += [",".join(f'"{row(n, title=titles).get(column, "")}"' for column in COLUMNS) for n in people]
    (folder / "drop" / f"file{number}.csv").write_text("\n".join(lines) + "\n")
    return {f"person{n}@example.com" for n in people}


def _wait_for_a_call(org: SandboxOrg, calls: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 20
    while org.api_calls == calls and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)  # noqa: TID251 - another process runs in real time


@pytest.mark.timeout(900)
def test_a_process_killed_at_random_moments_loses_and_doubles_nothing(engine: str, tmp_path: Path) -> None:
    """Files keep arriving while the process is killed again and again; at the end everybody is in the org exactly once."""
    seed = 20261124
    chance = random.Random(seed)
    (tmp_path / "drop").mkdir()
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "csv.yaml").write_text(MAPPING)
    (tmp_path / "mappings" / "policy.yaml").write_text(POLICY)
    org = SandboxOrg(seed=seed)
    with SandboxServer(org, folder=tmp_path / "sandbox") as server:
        settings = _SETTINGS.format(
            store_url=store_url_for(engine, tmp_path),
            url=server.url,
            key=CONSUMER_KEY,
            secret=CONSUMER_SECRET,
            ca_file=server.ca_file,
        )
        (tmp_path / "syncd.yaml").write_text(settings)
        org.faults.add_latency(0.02)
        expected: set[str] = set()
        killed = 0
        # Most of a start is imports: half of the kills wait for the first call, so that they strike where it hurts. How long a pass
        # takes is for the machine to say: the seconds within which it is struck follow, until most kills are in time.
        seconds = [1.0, 0.2]
        for number in range(KILLS):
            if number % 5 == 0:
                expected |= _drop(tmp_path, number // 5, f"title {number}")
            calls = org.api_calls
            process = start_pass(tmp_path)
            if number % 2:
                _wait_for_a_call(org, calls, process)
            time.sleep(chance.random() * seconds[number % 2])  # noqa: TID251 - another process runs in real time
            is_alive = process.poll() is None
            killed += is_alive
            seconds[number % 2] *= 1.05 if is_alive else 0.75
            process.send_signal(signal.SIGKILL)
            process.communicate()
        org.faults.clear()
        for _ in range(3):
            last = start_pass(tmp_path)
            out, _ = last.communicate(timeout=120)
        assert killed >= KILLS * 0.6, "most kills must strike a living process"
        assert last.returncode == 0, (tmp_path / "log").read_text()[-2000:]
        summary = json.loads(out)
    assert not any(count for name, count in summary["operations"].items() if name != "unchanged")
    leads = [lead for lead in org.rows("Lead") if not lead["IsDeleted"]]
    mails = Counter(lead["Email"] for lead in leads)
    assert set(mails) == expected, "lost or invented"
    assert max(mails.values()) == 1, "doubled"
    assert max(org.assignment_runs.values()) == 1, "assigned twice"
    log = (tmp_path / "log").read_text()
    assert "@example.com" not in log, "personal data in the log"
    assert "Traceback" not in log
