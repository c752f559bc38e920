"""When sources are read: triggers from the configuration, and what is due at once after a pause of the whole daemon.

Triggers are APScheduler's (3.x). It runs in memory and only marks sources as due; when each was last read stands in the store, so
that a restart catches up (reference stack.md 4: a persistent job store ran every tick twice, and the default grace drops ticks).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from syncd import events
from syncd.log import Log
from syncd.ports import ScheduleRow

DEFAULT_INTERVAL_SECONDS = 300.0
_JITTER_SHARE = 0.1
_MOST_JITTER_SECONDS = 30.0
_GRACE = timedelta(minutes=10)


class Plan(msgspec.Struct, frozen=True):
    """When one source is read: every `interval_seconds`, or by `cron` in the zone `timezone`. `jitter_seconds` spreads its beginnings."""

    interval_seconds: float = DEFAULT_INTERVAL_SECONDS
    cron: str = ""
    timezone: str = "UTC"
    jitter_seconds: float | None = None

    @property
    def jitter(self) -> int:
        """Whole seconds; a tenth of the interval, half a minute at most, unless it is given."""
        if self.jitter_seconds is not None:
            return int(self.jitter_seconds)
        return 0 if self.cron else int(min(self.interval_seconds * _JITTER_SHARE, _MOST_JITTER_SECONDS))


def trigger_of(plan: Plan, start_at: datetime) -> Any:
    """APScheduler's trigger for a plan; an interval counts from `start_at`."""
    if plan.cron:
        zone = ZoneInfo(plan.timezone)
        trigger = CronTrigger.from_crontab(plan.cron, timezone=zone)
        trigger.jitter = plan.jitter or None
        return trigger
    return IntervalTrigger(seconds=plan.interval_seconds, start_date=start_at, timezone=UTC, jitter=plan.jitter or None)


def why_wrong(cron: str) -> str:
    """What is wrong with a cron expression, "" if nothing is. Pure."""
    try:
        CronTrigger.from_crontab(cron, timezone=UTC)
    except ValueError as error:
        return str(error)
    return ""


def next_time(plan: Plan, after: datetime) -> datetime:
    """The next regular time after an instant, without jitter. Pure."""
    if not plan.cron:
        return after + timedelta(seconds=plan.interval_seconds)
    trigger = CronTrigger.from_crontab(plan.cron, timezone=ZoneInfo(plan.timezone))
    found: datetime | None = trigger.get_next_fire_time(None, after + timedelta(microseconds=1))
    # A cron expression may name days that never come (30 February).
    return datetime.max.replace(tzinfo=UTC) if found is None else found.astimezone(UTC)


def is_due(plan: Plan, row: ScheduleRow | None, now: datetime) -> bool:
    """Whether a source should have been read by now. Pure.

    One that was never read is due, and so is one that was read in the future: then the clock was wrong.
    """
    if row is None or row.started_at is None or row.started_at > now:
        return True
    return next_time(plan, row.started_at) <= now


def is_missed(plan: Plan, row: ScheduleRow | None, since: datetime, now: datetime) -> bool:
    """Whether a source was not read to its end for so long that somebody should know: three times, and ten minutes on top. Pure.

    Counted from its last success, but not from before `since` (the start of this process, or the end of a pause).
    """
    done = row.succeeded_at if row is not None and row.succeeded_at is not None and row.succeeded_at <= now else since
    expected = max(done, since)
    for _ in range(3):
        expected = next_time(plan, expected)
        if expected > now:
            return False
    return now > expected + _GRACE


class Timetable:
    """Calls `due(source)` when a source is to be read; holds no state that matters."""

    def __init__(self, plans: Mapping[str, Plan], due: Callable[[str], None], log: Log) -> None:
        """Nothing is scheduled before `start`."""
        self._plans = plans
        self._due = due
        self._log = log
        self._scheduler: BackgroundScheduler | None = None

    def start(self, rows: Mapping[str, ScheduleRow], now: datetime) -> None:
        """Begin; what should have been read by now is due at once."""
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        scheduler.add_listener(self._note, EVENT_JOB_MISSED | EVENT_JOB_ERROR | EVENT_JOB_MAX_INSTANCES)
        for name, plan in self._plans.items():
            row = rows.get(name)
            if is_due(plan, row, now):
                self._due(name)
                start_at = now
            else:
                start_at = row.started_at if row is not None and row.started_at is not None else now
            scheduler.add_job(self._due, trigger_of(plan, start_at), args=(name,), id=name)
        scheduler.start()
        self._scheduler = scheduler

    def restart(self, rows: Mapping[str, ScheduleRow], now: datetime) -> None:
        """Begin anew: the machine's clock was set, and every time that was worked out from it is wrong."""
        self.stop()
        self.start(rows, now)

    def stop(self) -> None:
        """Call nobody any more."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    def next_times(self) -> dict[str, datetime]:
        """When each source comes next."""
        jobs = self._scheduler.get_jobs() if self._scheduler is not None else []
        return {job.id: job.next_run_time.astimezone(UTC) for job in jobs if job.next_run_time is not None}

    def _note(self, event: JobExecutionEvent) -> None:
        self._log.error(events.SCHEDULE_FAULTY, source=str(event.job_id), code=str(event.code))
