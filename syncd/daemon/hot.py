"""The hot lane on its thread: woken by the intake, it opens a run when something was sent and ends it when nothing comes any more."""

from __future__ import annotations

import threading

from syncd import metrics
from syncd.daemon.agenda import Agenda
from syncd.daemon.worked import Worked
from syncd.model import Lane
from syncd.run.fetch import Fetcher
from syncd.run.hot import HotRun
from syncd.wiring import House

_LOOK_SECONDS = 1.0
"""How often it looks for work that nobody told it of."""
_IDLE_SECONDS = 30.0
_RUN_SECONDS = 600.0
"""A run ends when nothing came for half a minute, and after ten minutes all the same."""
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 60.0


class HotLane:
    """Leads that were sent to us."""

    name = "hot"

    def __init__(self, house: House, agenda: Agenda) -> None:
        """Idle."""
        self._house = house
        self._agenda = agenda
        self._worked = Worked(house.clock)
        self._woken = threading.Event()
        self._fetcher = Fetcher(self.wake)
        self._run: HotRun | None = None
        self._pause_seconds = 0.0

    def is_stalled(self, now: float, limit_seconds: float) -> bool:
        """See Worked."""
        return self._worked.is_stalled(now, limit_seconds)

    def wake(self) -> None:
        """Something was stored."""
        self._woken.set()

    def work(self) -> None:
        """Until the company stops."""
        stop = self._house.company.is_stopping
        try:
            while not stop.is_set():
                self._woken.wait(_LOOK_SECONDS)
                self._woken.clear()
                while self._step() and not stop.is_set():
                    pass
                if self._pause_seconds:
                    stop.wait(self._pause_seconds)
        finally:
            self._end()

    def _step(self) -> bool:
        """One step of a run, which is begun and ended as needed; gives whether there may be more to do at once."""
        names = [name for name in self._house.pushed_sources() if name not in self._agenda.paused]
        if self._run is None and not self._house.has_hot(names):
            return False
        if self._run is None:
            self._run = self._house.hot_run(self._house.pushed_sources(), metrics.note_arrival, self._fetcher)
        run, now = self._run, self._house.clock.monotonic()
        self._worked.begin()
        try:
            has_more = run.step(names)
        except BaseException:
            self._run = None
            run.abandon()
            raise
        finally:
            self._worked.end()
        if run.is_lost:
            self._end()
            self._pause_seconds = min(max(self._pause_seconds * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
            return False
        self._pause_seconds = 0.0
        if now - run.busy_at > _IDLE_SECONDS or now - run.began_at > _RUN_SECONDS:
            self._end()
        return has_more

    def _end(self) -> None:
        if self._run is not None:
            run, self._run = self._run, None
            summary = run.end()
            metrics.count_run(Lane.HOT, summary.api_calls, summary.operations)
