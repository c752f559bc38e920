"""The engine of the daemon: three lanes on threads of their own, and one that watches over them (DESIGN 7).

    hot     what was sent to us, as it comes
    live    sources that are due, and people who wait to be planned
    slow    first fills, ranges read once more, records to be mapped anew: one source at a time, in slices

Each lane runs passes; `syncd.run.turns` gives them turns. Nothing here is state: whatever stops, start-up is the recovery path.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from syncd import events
from syncd.daemon.agenda import Agenda
from syncd.daemon.hot import HotLane
from syncd.daemon.lanes import LiveLane, SlowLane
from syncd.daemon.requests import Requests
from syncd.daemon.watch import Watch
from syncd.errors import StoreError
from syncd.log import Log
from syncd.schedule import Timetable
from syncd.wiring import House

_TICK_SECONDS = 1.0
_STALL_SECONDS = 900.0
"""A lane that is at work and has moved nothing for so long hangs: a vendor's call with all its tries may take ten minutes."""


class Lane(Protocol):
    """A lane as the engine sees it."""

    name: str

    def work(self) -> None:
        """Do what there is to do until the company stops."""
        ...

    def is_stalled(self, now: float, limit_seconds: float) -> bool:
        """Whether it has been at work for longer than that without moving anything."""
        ...


class Engine:
    """All of it; `run` returns when it was told to stop, or raises what a lane died of."""

    def __init__(self, house: House, log: Log, beat: Callable[[], None], ready: Callable[[], None]) -> None:
        """Nothing is begun. `beat` is called while everything moves, `ready` once."""
        self._house = house
        self._log = log
        self._beat = beat
        self._ready = ready
        self._agenda = Agenda()
        self._died: BaseException | None = None
        self._stop = house.company.is_stopping
        self._hot = HotLane(house, self._agenda)

    def stop(self) -> None:
        """Finish what is under way and begin nothing. Safe from any thread."""
        self._stop.set()
        self._agenda.wake()
        self._hot.wake()

    def wake(self) -> None:
        """A delivery was stored."""
        self._hot.wake()

    def run(self) -> None:
        """Take the store over and work until told to stop.

        Raises:
            StoreError: Without state nothing is safe; also when another engine has the store.
        """
        house, agenda = self._house, self._agenda
        house.take_over()
        plans = house.plans()
        timetable = Timetable(plans, agenda.mark_due, self._log)
        live = LiveLane(house, agenda, self._log, plans)
        slow = SlowLane(house, agenda, self._log, list(plans))
        watch = Watch(house, agenda, timetable, plans, self._log)
        requests = Requests(house, agenda, live, self._log)
        requests.take_back()
        agenda.set_paused(watch.paused())
        lanes: list[Lane] = [self._hot, live, slow]
        threads = [threading.Thread(target=self._guarded, args=(lane,), name=lane.name, daemon=True) for lane in lanes]
        timetable.start(house.store.schedules(), house.clock.now())
        for thread in threads:
            thread.start()
        self._ready()
        try:
            while not self._stop.wait(_TICK_SECONDS):
                requests.take()
                watch.tick()
                if not any(lane.is_stalled(house.clock.monotonic(), _STALL_SECONDS) for lane in lanes):
                    self._beat()
        finally:
            self.stop()
            timetable.stop()
            for thread in threads:
                thread.join()
            house.keep_budget()
        if self._died is not None:
            raise self._died

    def _guarded(self, lane: Lane) -> None:
        """A lane that dies takes the engine with it: the supervisor starts another one, and start-up is the recovery path."""
        try:
            lane.work()
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            if self._died is None:
                self._died = error
            reason = error.reason if isinstance(error, StoreError) else ""
            self._log.error(events.LANE_FAILED, stage=lane.name, error_type=type(error).__name__, reason=reason)
            self.stop()
