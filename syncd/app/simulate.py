"""`syncd policy simulate`: a changed policy over what the store holds, beside the one in force, or over the days since a date.

Reads alone; nothing is asked of the org. Everybody is shared out among processes, each with a reader of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date, datetime
from multiprocessing.process import BaseProcess
from zoneinfo import ZoneInfo

import msgspec

from syncd.app.horizon import Horizon, Lacking
from syncd.app.past import Past
from syncd.app.replay import Days, replay
from syncd.app.tally import Counting, Tally
from syncd.errors import ConfigError
from syncd.plan import facts_of, stated
from syncd.policy import Policy, load_policy
from syncd.policy.alike import Beside
from syncd.policy.compiled import ready
from syncd.policy.evaluate import evaluate_ready
from syncd.policy.reads import reads_of
from syncd.ports import Store
from syncd.run.collector import calm_collector

_WORKERS = 2
_PARTS_PER_WORKER = 16
ALONE = 5_000
"""Fewer people than this are not worth a second process."""

Progress = Callable[[int], None]


class Written(msgspec.Struct, frozen=True):
    """A policy as its file says it, to be read again in another process."""

    file: str
    text: str
    sources: dict[str, str]

    def load(self) -> Policy:
        """The policy.

        Raises:
            ConfigError: Everything that is wrong with it.
        """
        return load_policy(self.text, self.file, None, self.sources)


class Job(msgspec.Struct, frozen=True):
    """One simulation.

    Attributes:
        open_store: Opens a reader in whatever process it is called.
        policy, in_force: The changed policy and the one that the daemon runs.
        since: The first day; None for a single look at everybody as they are known now.
        now: Until when; aware UTC.
        machines, own: Whose changes are no person's, and syncd's own user among them.
        starts: Source to the instant before which nothing is news.
        lacking: Variables whose values the mirror does not hold.
    """

    open_store: Callable[[], Store]
    policy: Written
    in_force: Written
    since: date | None
    now: datetime
    machines: frozenset[str]
    own: frozenset[str]
    starts: dict[str, datetime | None]
    lacking: Lacking = Lacking()


def first_day(text: str, now: datetime, zone: str) -> date:
    """The day of `--since`.

    Raises:
        ConfigError: It is none, or has not begun.
    """
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(f'--since "{text}" is no day.', advice="Write it as 2026-01-31.") from None
    if found > now.astimezone(ZoneInfo(zone)).date():
        raise ConfigError(f'--since "{text}" has not come yet.', advice="Leave it out to judge everybody as they are known now.")
    return found


def simulate(job: Job, progress: Progress | None = None, *, alone: int = ALONE) -> Tally:
    """Judge everybody and count; `progress` is told how many people each step looked at. Writes nothing.

    Fewer people than `alone` are judged in this process.

    Raises:
        ConfigError: A policy is wrong.
        StoreError: The store cannot be read.
    """
    store = job.open_store()
    try:
        parts = store.stream_parts(_WORKERS * _PARTS_PER_WORKER)
    finally:
        store.close()
    whole = Tally()
    if sum(size for _, size in parts) < alone:
        parts = parts and [("", sum(size for _, size in parts))]
        found: Iterable[Tally] = (_Bench(job).judge(*part) for part in parts)
    else:
        found = _in_processes(job, parts)
    for one in found:
        whole.add(one)
        if progress is not None:
            progress(one.people)
    return whole


def _in_processes(job: Job, parts: Iterable[tuple[str, int]]) -> Iterator[Tally]:
    """The sums of each part, in order."""
    workers = min(_WORKERS, os.cpu_count() or 1)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(job,))
    try:
        yield from pool.map(_judge, *zip(*parts, strict=True))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_bench: list[_Bench] = []


def _start(job: Job) -> None:
    """Set a process up; it ends with the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    calm_collector()
    _bench.append(_Bench(job))


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(0)


def _judge(after: str, limit: int) -> Tally:
    return _bench[0].judge(after, limit)


class _Bench:
    """A process at work: both policies and a reader."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._policy, self._in_force = job.policy.load(), job.in_force.load()
        self._reads = reads_of(self._policy)
        self._beside = Beside(self._policy, self._in_force)
        self._store = job.open_store()
        self._days: Days | None = None
        if job.since is not None:
            self._days = Days(job.since, job.now, self._policy.time_zone)
            self._horizon = Horizon(self._days.start, job.now, self._reads.names, job.machines, job.own, job.starts, job.lacking)

    def judge(self, after: str, limit: int) -> Tally:
        """The sums of one part of everybody."""
        counting = Counting(self._policy, self._reads)
        try:
            if self._days is None:
                self._judge_today(counting, after, limit)
            else:
                self._judge_past(self._days, counting, after, limit)
        finally:
            self._store.close()  # connections alone: the next part opens them again
        return counting.tally

    def _judge_today(self, counting: Counting, after: str, limit: int) -> None:
        job, tally = self._job, counting.tally
        changed, in_force = ready(self._policy), ready(self._in_force)
        day = job.now.astimezone(ZoneInfo(self._in_force.time_zone)).date().isoformat()
        for page in self._store.facts_stream(job.machines, after, limit, job.now):
            for view, stored in page:
                facts = facts_of(
                    view, stated(view.records), stored, self._policy, now=job.now, machine_users=job.machines, starts=job.starts
                )
                present = facts if facts.day == day else msgspec.structs.replace(facts, day=day)
                unknown = job.lacking.of(facts.standing)
                if unknown:
                    facts = msgspec.structs.replace(facts, unknown=unknown)
                tally.people += 1
                verdict = evaluate_ready(changed, facts, is_brief=True, looks=False)
                beside = (
                    self._beside.verdict(verdict, facts)
                    if facts is present
                    else evaluate_ready(in_force, present, is_brief=True, looks=False)
                )
                tally.moved_people += counting.note(facts, verdict, beside)

    def _judge_past(self, days: Days, counting: Counting, after: str, limit: int) -> None:
        job, horizon = self._job, self._horizon
        for page in self._store.history_stream(job.machines, days.start, after, limit, job.now):
            for view, stored, history in page:
                facts = facts_of(
                    view, stated(view.records), stored, self._policy, now=job.now, machine_users=job.machines, starts=job.starts
                )
                replay(self._policy, Past(view, facts, history, stored.account, horizon), days, counting)


def periods(days: Mapping[tuple[str, str], int], first: date, last: date) -> list[tuple[date, dict[str, int]]]:
    """Moves by week (from Monday), or by month where the time is longer than half a year; every period is there, empty ones too."""
    is_long = (last - first).days > 183
    starts: list[date] = []
    day = first
    while day <= last:
        begin = day.replace(day=1) if is_long else date.fromordinal(day.toordinal() - day.weekday())
        starts.append(begin)
        day = (begin.replace(day=28) + date.resolution * 4).replace(day=1) if is_long else begin + date.resolution * 7
    found: list[tuple[date, dict[str, int]]] = [(begin, {}) for begin in starts]
    for (name, kind), count in sorted(days.items()):
        place = sum(begin <= date.fromisoformat(name) for begin in starts) - 1
        sums = found[place][1]
        sums[kind] = sums.get(kind, 0) + count
    return found
