"""The real program between Mailchimp and an org: first fill, a pass with 1 % changed, a pass without news, beside a bare loop.

    python bench/mailchimp.py [MEMBERS] [--latency 0.05] [--quick]      three passes and the floor
    python bench/mailchimp.py --known 1000000                           the same beside that many known persons, without the floor
    python bench/mailchimp.py [MEMBERS] --flat                          peak memory of a first fill of MEMBERS and of three times as many

Both servers are processes of their own that answer `--latency` seconds late. Members were read once before, so that no pass
pays for the servers' first rendering (beyond 150,000 the sandbox forgets the oldest). syncd runs as `python -m syncd run --once
--json` with the bundled mapping; of its settings two are not the defaults: settle 0 s and overlap 1 s, so that the pass without
news finds none. A lead is a member that was read: one in ten is pending, bounced or archived, and makes no Lead in the org.
The floor (lib/floor.py) reads the same pages by offset and posts the same leads, four calls in flight on either side.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from lib.ground import OVERLAP_SECONDS, Audience, Course, Measured
from lib.processes import Service

from syncd.clock import SystemClock

_DEFAULT, _QUICK = 100_000, 2_000
_CHANGED_ONE_IN = 100
_MEGABYTE = 1024 * 1024
_BUDGET = (
    (("fetch", "push"), 19, "fetch+post 14, decode+hash 5"),
    (("inbox", "take"), 40, "inbox 40"),
    (("map",), 66, "normalise 26 (163 cold), map 40"),
    (("look up", "resolve"), 10, "keys 10"),
    (("plan",), 15, "plan 15"),
    (("store",), 53, "person+keys+touch 30, operation 23"),
    (("outcome", "echo"), 30, "outcome+base 30"),
)
"""Stages of the stopwatch, and what DESIGN 7 allows them for a new lead, in microseconds."""


class Bench:
    """One Mailchimp and its orgs, in a folder that goes away; servers stop with the stack."""

    def __init__(self, stack: ExitStack, members: int, latency: float) -> None:
        """Start Mailchimp and fill it."""
        self._stack, self._latency = stack, latency
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(Service(self._folder / "mailchimp"))
        self.audience = Audience(service)
        self.addresses = self.audience.populate(members)
        say(f"{members:,} members are there.")
        service.act(service.mailchimp_url, "faults", kind="latency", times=-1, seconds=latency)

    def course(self, name: str) -> Course:
        """A fresh org and a set-up."""
        service = self._stack.enter_context(Service(self._folder / f"org-{name}"))
        return Course(self.audience, service, self._folder / name, self._latency)

    def change(self) -> tuple[str, int]:
        """Edit one member in a hundred; gives an instant before, and how many. Waits until the edits are older than the overlap."""
        changed = self.addresses[::_CHANGED_ONE_IN]
        before = self.audience.edit(changed)
        SystemClock().sleep(OVERLAP_SECONDS + 2)
        return before, len(changed)


def three_passes(members: int, latency: float, *, with_floor: bool) -> bool:
    """Measure and print; gives whether every pass ended as `ok`."""
    with ExitStack() as stack:
        bench = Bench(stack, members, latency)
        floor = bench.course("floor") if with_floor else None
        floors = [floor.copy() if floor else None]
        course = bench.course("syncd")
        passes = [course.sync()]
        say(f"The first fill took {passes[0].ran.wall_seconds:.0f} s.")
        leads = course.leads(), floor.leads() if floor else None
        since, changed = bench.change()
        floors += [floor.copy(since) if floor else None, None]
        passes += [course.sync(), course.sync()]
        columns = ("first fill", f"{changed:,} changed", "without news")
        table("pass", columns, rows_of(passes, floors))
        print(f"Leads in the org: {leads[0]:,}" + (f"; in the floor's: {leads[1]:,}" if floor else ""))
        stages(columns, passes)
        ends = [report_end(name, one, course) for name, one in zip(columns, passes, strict=True)]
    return all(ends)


def rows_of(passes: Sequence[Measured], floors: Sequence[Measured | None]) -> list[tuple[str, list[str]]]:
    """The figures, a row each, a text per pass."""
    rows: list[tuple[str, list[str]]] = []

    def row(title: str, texts: Sequence[str]) -> None:
        rows.append((title, list(texts)))

    both = list(zip(passes, floors, strict=True))
    row("leads read", [f"{pulled(one):,}" for one in passes])
    for name in ("created", "updated", "unchanged", "refused", "failed"):
        row(f"  {name}", [f"{one.told['operations'].get(name, 0):,}" for one in passes])
    row("wall s, whole process", [f"{one.ran.wall_seconds:.1f}" for one in passes])
    row("  without start-up", [f"{one.seconds:.1f}" for one in passes])
    row("leads/s, whole process", [rate(pulled(one), one.ran.wall_seconds) for one in passes])
    row("  without start-up", [rate(pulled(one), one.seconds) for one in passes])
    row("  floor, without start-up", [rate(low.told["fetched"], low.seconds) if low else "-" for low in floors])
    row("  times the floor's time", [f"{one.seconds / low.seconds:.1f}" if low else "-" for one, low in both])
    row("CPU us/lead, syncd", [micros(one.ran.cpu_seconds, pulled(one)) for one in passes])
    row("  floor", [micros(low.ran.cpu_seconds, int(low.told["fetched"])) if low else "-" for low in floors])
    row("  org's server", [micros(one.org_cpu, pulled(one)) for one in passes])
    row("  Mailchimp's server", [micros(one.mailchimp_cpu, pulled(one)) for one in passes])
    row("CPU s, syncd", [f"{one.ran.cpu_seconds:.2f}" for one in passes])
    row("peak MB, RSS of the tree", [megabytes(max(one.ran.rss, one.ran.hwm)) for one in passes])
    row("  PSS of the tree", [megabytes(one.ran.pss) for one in passes])
    row("  floor, RSS", [megabytes(max(low.ran.rss, low.ran.hwm)) if low else "-" for low in floors])
    row("API calls", [f"{one.told['api_calls']:,}" for one in passes])
    row("  per 1,000 written", [per_thousand(one) for one in passes])
    row("Mailchimp calls", [f"{one.calls:,}" for one in passes])
    row("  floor", [f"{low.calls:,}" if low else "-" for low in floors])
    return rows


def stages(columns: Sequence[str], passes: Sequence[Measured]) -> None:
    """Print where the CPU of syncd goes, beside the budget of DESIGN 7; nothing if the summary does not say it."""
    found = [dict(one.told.get("stages") or {}) for one in passes]
    if not any(found):
        print("CPU per stage: the summary has no stages.")
        return
    rows = []
    for names, budget, words in _BUDGET:
        spent = [sum(seconds.pop(name, 0.0) for name in names) for seconds in found]
        rows.append((f"{', '.join(names)} ({words})", [*each(spent, passes), f"{budget}"]))
    others = sorted({name for seconds in found for name in seconds})
    rows += [(name, [*each([seconds.get(name, 0.0) for seconds in found], passes), "-"]) for name in others]
    rest = [one.ran.cpu_seconds - sum((one.told.get("stages") or {}).values()) for one in passes]
    rows.append(("in no stage, start-up too", [*each(rest, passes), "-"]))
    table("CPU us/lead by stage", (*columns, "budget"), rows)


def each(seconds: Sequence[float], passes: Sequence[Measured]) -> list[str]:
    """Microseconds per lead of each pass."""
    return [micros(spent, pulled(one)) for spent, one in zip(seconds, passes, strict=True)]


def flat(members: int, latency: float) -> bool:
    """Print the peak memory of a first fill of `members` and of three times as many; gives whether both ended as `ok`."""
    rows, is_ok = [], True
    for count in (members, 3 * members):
        with ExitStack() as stack:
            course = Bench(stack, count, latency).course("syncd")
            done = course.sync()
            say(f"The first fill took {done.ran.wall_seconds:.0f} s.")
            peaks = [megabytes(max(done.ran.rss, done.ran.hwm)), megabytes(done.ran.pss)]
            rows.append((f"{count:,} members", [*peaks, rate(pulled(done), done.seconds)]))
            is_ok &= report_end(f"{count:,} members", done, course)
    table("first fill", ("peak RSS MB", "peak PSS MB", "leads/s"), rows)
    return is_ok


def say(text: str) -> None:
    """Tell a patient reader how far it is; figures go to stdout."""
    print(text, file=sys.stderr, flush=True)


def table(title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Print a table, numbers to the right."""
    width = max(len(title), *(len(name) for name, _ in rows))
    for name, texts in ((title, columns), *rows):
        print(f"{name:{width}}" + "".join(f"{text:>16}" for text in texts))
    print()


def report_end(name: str, one: Measured, course: Course) -> bool:
    """Say so when a pass did not end as `ok`; gives whether it did."""
    if one.told["status"] == "ok":
        return True
    print(f"{name}: {one.told['status']}. {one.told.get('error', '')} {one.told.get('missed', '')} {one.told['sources']}")
    print(course.last_words())
    return False


def pulled(one: Measured) -> int:
    """Leads that a pass of syncd read."""
    return sum(int(counts["pulled"]) for counts in one.told["sources"].values())


def rate(count: float, seconds: float) -> str:
    """Per second; `-` of nothing."""
    return f"{count / seconds:,.0f}" if count else "-"


def micros(seconds: float, count: int) -> str:
    """Microseconds each; `-` of nothing."""
    return f"{seconds / count * 1e6:,.0f}" if count else "-"


def megabytes(count: int) -> str:
    """Of bytes."""
    return f"{count / _MEGABYTE:.0f}"


def per_thousand(one: Measured) -> str:
    """API calls per 1,000 leads written; `-` of nothing."""
    written = sum(one.told["operations"].get(name, 0) for name in ("created", "updated"))
    return f"{one.told['api_calls'] / written * 1000:.1f}" if written else "-"


def main() -> int:
    """The command line; 1 when a pass did not end as `ok`, 130 when interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("members", nargs="?", type=int, help=f"how many; {_DEFAULT:,} if not given")
    size.add_argument("--known", type=int, metavar="N", help="so many, without the floor")
    size.add_argument("--quick", action="store_true", help=f"{_QUICK:,}, to see that it works")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds by which either server is late")
    parser.add_argument("--flat", action="store_true", help="only the peak memory, at two sizes")
    options = parser.parse_args()
    members = options.known or options.members or (_QUICK if options.quick else _DEFAULT)
    print(
        f"{members:,} members, {options.latency * 1000:.0f} ms at both servers, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    # Whoever ends this by SIGTERM wants the servers gone as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.flat:
            return int(not flat(members, options.latency))
        return int(not three_passes(members, options.latency, with_floor=options.known is None))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
