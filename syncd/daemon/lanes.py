"""The lanes of the engine: each decides what its next pass is, runs it, and remembers when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from syncd import metrics
from syncd.daemon.agenda import Agenda
from syncd.daemon.worked import Worked
from syncd.log import Log
from syncd.model import ORG_KINDS, Lane, OperationState, RunStatus
from syncd.run.context import PassContext, Scope
from syncd.run.one_pass import Summary
from syncd.schedule import Plan
from syncd.wiring import House

_LOOK_SECONDS = 1.0
"""How often a lane looks for work that nobody told it of."""
_SLICE_SECONDS = 120.0
"""How long one pass reads before others may read the same source."""
_SWEEP_SECONDS = 15.0
"""How often people who wait to be planned, and writes without an answer, are looked for beside the passes."""
_STRAINED_SECONDS = 900.0
"""How often sources are read at most when the org's calls run short."""
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_REST_SECONDS = 600.0

_UNHURRIED = (Lane.INCREMENT, Lane.REMAP)
"""What was sent to a source that is read as well is the hot lane's."""
_LIVE = Scope(reads_ranges=False, remaps=False, lanes=_UNHURRIED, slice_seconds=_SLICE_SECONDS)
_SLOW = Scope(lanes=_UNHURRIED, slice_seconds=_SLICE_SECONDS)
_REMAP = Scope(reads_live=False, reads_ranges=False, lanes=(Lane.BACKFILL, Lane.REMAP))
_OPEN = (OperationState.PLANNED, OperationState.SENT, OperationState.UNKNOWN)


class _PassLane:
    """What lanes have in common that run whole passes."""

    name = ""
    lane = Lane.INCREMENT

    def __init__(self, house: House, agenda: Agenda, log: Log) -> None:
        """Idle."""
        self._house = house
        self._agenda = agenda
        self._log = log
        self._worked = Worked(house.clock)
        self._carried: dict[str, int] = {}

    def is_stalled(self, now: float, limit_seconds: float) -> bool:
        """See Worked."""
        return self._worked.is_stalled(now, limit_seconds)

    def _pass(self, names: Sequence[str], scope: Scope, *, force: bool = False) -> tuple[Summary, PassContext]:
        """One pass, noted in the schedule if it reads. A slice carries what the guard has let through to the next over the same source."""
        house, store = self._house, self._house.store
        ctx = house.lane_context(names, self.lane, scope, force=force, progress=self._worked.progress)
        ctx.guarded_before = sum(self._carried.pop(name, 0) for name in names)
        started_at = house.clock.now()
        for name in names if scope.reads_live else ():
            store.note_start(name, ctx.run_id, started_at)
        self._worked.begin()
        try:
            summary = house.run_lane(ctx)
        finally:
            self._worked.end()
        is_sound = summary.status in (RunStatus.OK, RunStatus.PARTIAL)
        for name in names if scope.reads_live else ():
            has_all = is_sound and name not in ctx.unread
            store.note_end(name, ctx.run_id, house.clock.now(), str(summary.status), succeeded=has_all)
            if name in ctx.sliced:
                self._carried[name] = ctx.guarded_before
        metrics.count_run(self.lane, summary.api_calls, summary.operations)
        return summary, ctx


@dataclass
class Errand:
    """A pass that somebody asked for; `done` is called with its outcome."""

    names: Sequence[str]
    run: Callable[[], None]


class LiveLane(_PassLane):
    """Sources that are due, errands, and sweeps."""

    name = "live"

    def __init__(self, house: House, agenda: Agenda, log: Log, plans: Mapping[str, Plan]) -> None:
        """Idle."""
        super().__init__(house, agenda, log)
        self._plans = plans
        self._errands: deque[Errand] = deque()
        self._swept_at = self._read_at = -_STRAINED_SECONDS
        self._sweep_pause = _SWEEP_SECONDS

    def ask(self, errand: Errand) -> None:
        """Have something done between two passes, when its sources are free."""
        self._errands.append(errand)
        self._agenda.wake()

    def work(self) -> None:
        """Until the company stops."""
        stop = self._house.company.is_stopping
        while not stop.is_set():
            if self._run_errand():
                continue
            if not self._read_due():
                self._sweep()
                self._agenda.wait(_LOOK_SECONDS)

    def _read_due(self) -> bool:
        """One pass over everything that is due; False if nothing is, or if the org's calls run short and it was read lately."""
        now = self._house.clock.monotonic()
        if self._house.is_strained and now - self._read_at < _STRAINED_SECONDS:
            return False
        with self._agenda.due(but_for=self._house.first_fills()) as names:
            if not names:
                return False
            self._read_at = now
            _, ctx = self._pass(names, _LIVE)
        for name in ctx.sliced:
            self._agenda.mark_due(name)
        return True

    def run(self, names: Sequence[str], *, force: bool) -> Summary:
        """One whole pass over sources, as `syncd run --once` asks for it."""
        return self._pass(names, Scope(lanes=_UNHURRIED), force=force)[0]

    def _run_errand(self) -> bool:
        if not self._errands:
            return False
        errand = self._errands[0]
        with self._agenda.claim(errand.names, _LOOK_SECONDS) as is_free:
            if not is_free:
                return False
            self._errands.popleft()
            self._worked.begin()
            try:
                errand.run()
            finally:
                self._worked.end()
        return True

    def _sweep(self) -> None:
        """A pass over nothing but what is open: people who wait, writes without an answer, a mirror that was never filled.

        What stays open (a guard holds it, a record is locked) is tried less and less often: a write that fails for a passing
        reason becomes a dead letter after five tries, and they must not be over within a minute.
        """
        now = self._house.clock.monotonic()
        if now - self._swept_at < self._sweep_pause:
            return
        self._swept_at = now
        if not self._is_open():
            self._sweep_pause = _SWEEP_SECONDS
            return
        self._pass((), _LIVE)
        self._sweep_pause = min(self._sweep_pause * 2, _STRAINED_SECONDS) if self._is_open() else _SWEEP_SECONDS

    def _is_open(self) -> bool:
        """Whether something waits that no source will bring up."""
        house = self._house
        others = house.company.others("")
        is_waiting = house.store.dirty_persons(1) or house.store.operations(_OPEN, 1, other_than=others, kinds=ORG_KINDS)
        return (
            bool(is_waiting) or house.has_actions() or house.is_policy_waiting() or not house.is_mirrored() or house.is_org_lost()
        )


class SlowLane(_PassLane):
    """First fills, ranges and re-mapping: one source at a time, in turn."""

    name = "slow"
    lane = Lane.BACKFILL

    def __init__(self, house: House, agenda: Agenda, log: Log, names: Sequence[str]) -> None:
        """Idle."""
        super().__init__(house, agenda, log)
        self._names = deque(names)
        self._stale = deque(sorted(house.settings.sources))
        self._later: dict[str, tuple[float, float]] = {}

    def work(self) -> None:
        """Until the company stops."""
        stop = self._house.company.is_stopping
        while not stop.is_set():
            may_begin = self._house.is_mirrored() and not self._house.is_strained and not self._house.is_org_lost()
            if not (may_begin and (self._fill() or self._remap())):
                self._agenda.wait(_LOOK_SECONDS * 2)

    def _fill(self) -> bool:
        """One slice of the next source that has something to be read in this lane; False if none has."""
        now = self._house.clock.monotonic()
        resting = {name for name, (until, _) in self._later.items() if now < until}
        wanted = self._house.slow_sources() - self._agenda.paused - resting
        for _ in range(len(self._names)):
            self._names.rotate(-1)
            name = self._names[-1]
            if name not in wanted:
                continue
            with self._agenda.claim((name,), _LOOK_SECONDS) as is_free:
                if is_free:
                    _, ctx = self._pass((name,), _SLOW)
                    self._rest(name, is_tired=name in ctx.unread and name not in ctx.sliced)
                    return True
        return False

    def _rest(self, name: str, *, is_tired: bool) -> None:
        """Leave a source alone for a while that could not be read to its end, longer each time."""
        if not is_tired:
            self._later.pop(name, None)
            return
        _, pause = self._later.get(name, (0.0, _FIRST_PAUSE_SECONDS))
        pause = min(pause * 2, _LONGEST_REST_SECONDS)
        self._later[name] = (self._house.clock.monotonic() + pause, pause)

    def _remap(self) -> bool:
        """Map one source anew whose mapping has changed since the process began; False if there is none left."""
        while self._stale:
            name = self._stale[0]
            if name in self._agenda.paused or not self._house.is_stale(name):
                self._stale.popleft()
                continue
            is_read = name in self._house.pulled_sources()
            with self._agenda.claim((name,) if is_read else (), _LOOK_SECONDS) as is_free:
                if not is_free:
                    return False
                summary, _ = self._pass((name,), _REMAP)
            if not self._house.is_stale(name) or summary.status is RunStatus.STOPPED:
                self._stale.popleft()
            return summary.status in (RunStatus.OK, RunStatus.PARTIAL)
        return False
