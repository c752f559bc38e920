"""A full `syncd policy simulate` over a million people: wall clock and CPU seconds, memory, and a bare read of the same rows.

    python bench/simulate.py [PEOPLE] [SINCE] [STORE]

PEOPLE are made first, with a year of history (b2b_nurture.yaml as the policy, one of its numbers changed). With SINCE, as 2026-08-28, the
days since then are replayed as well; the clock of this world stands at 2026-11-28. STORE is the file to keep the people in.
The floor reads the tables from front to back by the bare driver in one process and makes nothing of the rows.
Aim: without SINCE under 180 seconds for a million on two cores.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from datetime import date
from functools import partial
from pathlib import Path

from lib.history import NOW, OWN_USER, bare_rows, build
from lib.processes import run

from syncd.app.simulate import Job, Written, simulate
from syncd.store import open_reader

ROOT = Path(__file__).resolve().parents[1]
AIM_SECONDS = 180.0
_MEGABYTE = 2**20


def judge(path: Path, since: date | None) -> None:
    """One simulation, in a process of its own; prints its figures."""
    text = (ROOT / "mappings" / "policies" / "b2b_nurture.yaml").read_text(encoding="utf-8")
    sources = {"newsletter": "mailchimp"}
    changed = Written("changed.yaml", text.replace("days_in_status >= 45", "days_in_status >= 30"), sources)
    in_force = Written("b2b_nurture.yaml", text, sources)
    ours = frozenset({OWN_USER})
    job = Job(partial(open_reader, f"sqlite:///{path}"), changed, in_force, since, NOW, ours, ours, {})
    tally = simulate(job)
    print(json.dumps({"people": tally.people, "evaluations": tally.evaluations, "moves": sum(tally.moves.values())}))


def floor(path: Path) -> tuple[float, int]:
    """CPU seconds and rows of the bare read."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    rows = sum(bare_rows(path))
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, rows


def main(people: int, since: str, path: Path) -> int:
    """Build, measure, print; 1 if the aim is missed."""
    start = time.perf_counter()
    build(path, people)
    print(
        f"{people:,} people, {path.stat().st_size / _MEGABYTE:,.0f} MB, built in {time.perf_counter() - start:.0f} s", flush=True
    )
    least, rows = floor(path)
    print(f"floor: {rows:,} rows in {least:.1f} s CPU", flush=True)
    is_missed = False
    for first in ("", since) if since else ("",):
        load = os.getloadavg()[0]
        ran = run([sys.executable, __file__, "judge", str(path), first], folder=ROOT, log=path.with_suffix(".log"))
        told = json.loads(ran.stdout)
        print(
            f"{'since ' + first if first else 'as known now'}: {ran.wall_seconds:.1f} s, {ran.cpu_seconds:.1f} s CPU "
            f"({ran.cpu_seconds / people * 1e6:.0f} us a person, ratio {ran.cpu_seconds / least:.1f}), "
            f"{told['evaluations']:,} verdicts, {told['moves']:,} moves, {ran.pss / _MEGABYTE:.0f} MB; load was {load:.1f}",
            flush=True,
        )
        is_missed = is_missed or (not first and ran.wall_seconds > AIM_SECONDS * people / 1_000_000)
    return int(is_missed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["judge"]:
        judge(Path(sys.argv[2]), date.fromisoformat(sys.argv[3]) if sys.argv[3] else None)
    else:
        given = [*sys.argv[1:], "", "", ""]
        with tempfile.TemporaryDirectory() as name:
            sys.exit(main(int(given[0] or 20_000), given[1], Path(given[2] or Path(name) / "syncd.db")))
