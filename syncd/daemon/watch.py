"""Watches over the daemon: what somebody should know is said once when it begins and once when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from syncd import events, metrics
from syncd.app.endings import SOON_DAYS
from syncd.app.quiet import LOOK_BACK, unusual_silence
from syncd.daemon.agenda import Agenda
from syncd.log import Log
from syncd.ports import ScheduleRow
from syncd.schedule import Plan, Timetable, is_missed
from syncd.wiring import House

_JUMP_SECONDS = 10.0
"""Between two ticks of a second: a wall clock that is further off was set, or the machine has slept."""
_MEASURE_SECONDS = 10.0
_ALERT_SECONDS = 60.0
_TIDY_SECONDS = 600.0
_TIDY_BUDGET_SECONDS = 5.0
_LATELY = timedelta(hours=2)


class Watch:
    """Called every second by the engine's main thread."""

    def __init__(self, house: House, agenda: Agenda, timetable: Timetable, plans: Mapping[str, Plan], log: Log) -> None:
        """Everything is as it should be."""
        self._house = house
        self._agenda = agenda
        self._timetable = timetable
        self._plans = plans
        self._log = log
        self._wall, self._steady = house.clock.now(), house.clock.monotonic()
        self._since = self._wall
        self._alerted_at = self._measured_at = self._tidied_at = self._steady
        self._resumed_at: dict[str, datetime] = {}
        self._was_strained = False

    def paused(self) -> frozenset[str]:
        """Sources that somebody has paused."""
        return frozenset(name for name, row in self._house.store.schedules().items() if row.is_paused)

    def tick(self) -> None:
        """Look at the clock, at what is paused, and from time to time at everything else."""
        self._look_at_clock()
        self._look_at_pauses()
        if self._steady - self._measured_at >= _MEASURE_SECONDS:
            self._measured_at = self._steady
            self._measure()
        if self._steady - self._alerted_at >= _ALERT_SECONDS:
            self._alerted_at = self._steady
            rows = self._house.store.schedules()
            self._look_at_schedules(rows)
            self._look_for_silence()
            self._look_at_budget()
            self._look_at_credentials()
            self._house.keep_budget()
        if self._steady - self._tidied_at >= _TIDY_SECONDS:
            self._tidied_at = self._steady
            self._house.prune(_TIDY_BUDGET_SECONDS)

    def _measure(self) -> None:
        """Bring the gauges up to date."""
        store = self._house.store
        queues, nothing = store.queues(), dict.fromkeys(self._house.settings.sources, 0)
        metrics.note_queues(**{**queues, **{name: {**nothing, **queues[name]} for name in ("waiting", "wanted")}})
        metrics.note_files(store.file_sizes())
        metrics.note_schedules({name: row.succeeded_at for name, row in store.schedules().items()})
        metrics.note_budget(self._house.salesforce.api_usage, self._house.salesforce.budget_used[1])
        if self._house.pushed_sources():
            waiting = self._house.journal.backlog()
            empty = dict.fromkeys(self._house.pushed_sources(), (0, None))
            metrics.note_journal({**empty, **{name: (one.bytes, one.oldest_at) for name, one in waiting.items()}})

    def _look_at_clock(self) -> None:
        wall, steady = self._house.clock.now(), self._house.clock.monotonic()
        jump = (wall - self._wall).total_seconds() - (steady - self._steady)
        self._wall, self._steady = wall, steady
        if abs(jump) >= _JUMP_SECONDS:
            self._log.warning(events.CLOCK_JUMPED, duration_seconds=round(jump, 1))
            self._since = wall
            self._timetable.restart(self._house.store.schedules(), wall)

    def _look_at_pauses(self) -> None:
        paused = self.paused()
        for name in paused - self._agenda.paused:
            self._log.info(events.SOURCE_PAUSED, source=name)
        for name in self._agenda.paused - paused:
            self._resumed_at[name] = self._wall
            self._log.info(events.SOURCE_RESUMED, source=name)
        if paused != self._agenda.paused:
            self._agenda.set_paused(paused)

    def _look_at_schedules(self, rows: Mapping[str, ScheduleRow]) -> None:
        for name, plan in self._plans.items():
            since = max(self._since, self._resumed_at.get(name, self._since))
            row = rows.get(name)
            is_late = name not in self._agenda.paused and is_missed(plan, row, since, self._wall)
            if is_late and self._house.lose(f"schedule {name}"):
                done = row.succeeded_at if row is not None else None
                lag = round((self._wall - done).total_seconds()) if done is not None else None
                self._log.error(events.SCHEDULE_MISSED, source=name, lag_seconds=lag)
            elif not is_late and self._house.regain(f"schedule {name}"):
                self._log.info(events.SCHEDULE_KEPT, source=name)

    def _look_for_silence(self) -> None:
        for name in self._house.settings.sources:
            if name in self._agenda.paused:
                continue
            arrivals = self._house.store.arrivals(name, self._wall - LOOK_BACK)
            silence = unusual_silence(arrivals, self._wall)
            if silence is not None:
                if self._house.lose(f"sound {name}"):
                    lag = round((self._wall - silence.since).total_seconds())
                    self._log.warning(events.SOURCE_QUIETED, source=name, lag_seconds=lag)
            elif arrivals and arrivals[-1][0] >= self._wall - _LATELY and self._house.regain(f"sound {name}"):
                # Silence that lasts beyond the history looks like a source that never was busy: only news ends the alert.
                self._log.info(events.SOURCE_HEARD, source=name)

    def _look_at_credentials(self) -> None:
        for name, one in self._house.endings().items():
            is_soon = one.at - self._wall <= timedelta(days=SOON_DAYS)
            if is_soon and self._house.lose(f"credentials {name}"):
                until = one.at.isoformat(timespec="seconds")
                self._log.warning(events.CREDENTIALS_ENDING, source=name, reason=one.what, until=until)
            elif not is_soon and self._house.regain(f"credentials {name}"):
                self._log.info(events.CREDENTIALS_RENEWED, source=name)

    def _look_at_budget(self) -> None:
        is_strained = self._house.is_strained
        if is_strained != self._was_strained:
            self._was_strained = is_strained
            self._log.warning(events.BUDGET_STRAINED) if is_strained else self._log.info(events.BUDGET_RELIEVED)
        metrics.note_budget(self._house.salesforce.api_usage, self._house.salesforce.budget_used[1])
