"""The crash machine: processes that die at a named point, and an oracle that looks at the org and the ledger afterwards.

Every write to the store is one transaction and every call of the org one request, so the points "before" and "after" each
of them are all the places where a death can make a difference. They are named by port and method: `before:store.mark_sent`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.world import World

_READS = frozenset(
    {
        "cursor", "cursors", "take_inbox", "known_records", "claims", "candidates", "person_candidates", "tombstones", "dirty_persons",
        "person_views", "operations", "held_persons", "operations_of", "operations_of_run", "operations_needing_echo", "mirror_cursor", "org_records",
        "setting", "source_counts", "operation_counts", "runs", "run", "stats", "close", "copy_to_scratch", "release_lease", "check",
        "migrate", "identity", "find_by_email", "in_lane", "api_calls", "api_usage", "backfills", "stale_count",
        "schedules", "request", "open_requests", "arrivals", "pruned_before", "checkpoint",
        "note_statuses", "accounts_by", "accounts_of_domains", "with_open_opportunities", "open_conversions", "queue_members", "active_users", "person_facts", "deals", "holds_wins", "facts_stream", "stream_parts", "next_due", "decisions_of", "decisions",
        "status_changes", "policy_days", "statuses_noted_since", "lead_histories", "status_moves", "standing_leads", "rule_counts",
        "actions", "acting_sources", "exports", "exported", "due_for_deletion", "waiting_for_export", "take_wanted", "wanted_counts", "credential",
        "xactly_batches", "xactly_batch", "xactly_heads", "xactly_documents", "holds", "describe", "won", "related",
        "opt_out_turns", "held_opt_outs", "payloads", "traces_of", "traces_of_mailbox", "mailbox_of", "kept_of_erased",
    }
)  # fmt: skip
"""Methods that change nothing outside the process: dying around them is dying at the next point."""


class Death(BaseException):
    """kill -9: no handler of ours may see it as an ordinary error."""


@dataclass
class Reaper:
    """Counts the points a process passes and kills it at the chosen one."""

    kill_at: tuple[str, int] | None = None
    passed: Counter[str] = field(default_factory=Counter)

    def at(self, point: str) -> None:
        """Pass a point, or die."""
        self.passed[point] += 1
        if self.kill_at == (point, self.passed[point]):
            raise Death(point)

    def wrap(self, port: Any, name: str) -> Any:
        """Stand between the stages and a port."""
        return Watched(port, name, self)


class Watched:
    """A port whose every writing method has a point before and after it."""

    def __init__(self, port: Any, name: str, reaper: Reaper) -> None:
        """Watch `port` under `name`."""
        self._port = port
        self._name = name
        self._reaper = reaper

    def __getattr__(self, method: str) -> Any:
        """The port's own attribute, with a point before and after calls that write."""
        found = getattr(self._port, method)
        if method in _READS or not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._reaper.at(f"before:{self._name}.{method}")
            answer = found(*arguments, **options)
            self._reaper.at(f"after:{self._name}.{method}")
            return answer

        return call


def run_to_the_end(world: World, kill_at: tuple[str, int] | None, again_at: tuple[str, int] | None = None) -> Reaper:
    """Run a pass that dies at `kill_at`, a recovery that dies at `again_at`, and passes until one is whole."""
    reaper = Reaper(kill_at)
    for attempt in range(5):
        try:
            world.run(wrap=reaper.wrap)
        except Death:
            reaper = Reaper(again_at if attempt == 0 else None)
            continue
        return reaper
    raise AssertionError("five passes in a row died")


Scenario = Callable[[World, Callable[[], None]], None]


def points_of(make_world: Callable[[str], World], scenario: Scenario) -> list[tuple[str, int]]:
    """Every (point, occurrence) that a scenario passes when nothing dies."""
    world = make_world("rehearsal")
    passed: list[Counter[str]] = []

    def run() -> None:
        reaper = Reaper()
        world.run(wrap=reaper.wrap)
        passed.append(reaper.passed)

    scenario(world, run)
    return [(point, number) for counts in passed for point, count in sorted(counts.items()) for number in range(1, count + 1)]


def deaths(points: list[tuple[str, int]], engine: str) -> list[tuple[int, tuple[str, int], tuple[str, int]]]:
    """Where to die: (number, first death, second death in the recovery). After each call; a death after one is a death before the next."""
    after = [point for point in points if point[0].startswith("after:")]
    before = [point for point in points if point[0].startswith("before:")]
    return [(index, after[index], before[(index * 7 + 3) % len(before)]) for index in shared_out(after, engine)]


def shared_out(points: list[tuple[str, int]], engine: str) -> list[int]:
    """Numbers of the points to die at: all of them with `make chaos`.

    Else the first and the last time that each call is made, where what comes before it or after it differs, and of the times between,
    which repeat it in the same state, every fourth. The stores differ in how they commit, which other scenarios try at every point: the
    second one gets the first time of each call, and every sixth.
    """
    if os.environ.get("SYNCD_CHAOS"):
        return list(range(len(points)))
    is_first = engine == "sqlite"
    firsts: dict[str, int] = {}
    lasts: dict[str, int] = {}
    for index, (name, _) in enumerate(points):
        firsts.setdefault(name, index)
        lasts[name] = index
    kept = {*firsts.values(), *(lasts.values() if is_first else ()), *range(0, len(points), 4 if is_first else 6)}
    return sorted(kept)
