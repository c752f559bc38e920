"""Tasks and events of a lead or contact as they were on a day in the past. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from syncd.policy.reads import Names
from syncd.ports import PastActivity

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_OF_EVENTS = frozenset({"activity.next_event_at", "activity.last_at"})
_OF_TASKS = frozenset({"activity.open_tasks", "activity.last_at"})


class Activity(NamedTuple):
    """Open tasks, the next event, the last task or event that is over, and the variables that cannot be told."""

    open_tasks: int = 0
    next_event_at: datetime | None = None
    last_at: datetime | None = None
    unknown: Names = frozenset()


def activity_at(known: Iterable[PastActivity], at: datetime) -> Activity:
    """What there was at an instant, by when things were made, done and begun; what was changed since may have been another."""
    open_tasks = 0
    soon: list[datetime] = []
    over: list[datetime] = []
    unknown: Names = frozenset()
    for one in known:
        if not _was_there(one, at):
            continue
        if one.is_task:
            is_open = _was_open(one, at)
            if is_open is None:
                unknown |= _OF_TASKS
            elif is_open:
                open_tasks += 1
            elif one.at is not None and one.at <= at:
                over.append(one.at)
        elif one.stamp > at:
            unknown |= _OF_EVENTS
        elif one.at is not None:
            (soon if one.at > at else over).append(one.at)
    return Activity(open_tasks, min(soon, default=None), max(over, default=None), unknown)


def _was_there(one: PastActivity, at: datetime) -> bool:
    """Whether a task or event was made already, or may have been; one that is deleted was there until then."""
    return (one.created_at or _LONG_AGO) <= at and not (one.is_deleted and one.stamp <= at)


def _was_open(one: PastActivity, at: datetime) -> bool | None:
    """Whether a task was open; None where that cannot be told."""
    if one.stamp <= at:
        return one.is_open
    if one.is_deleted or one.created_at is None:
        return None
    if one.done_at is not None:
        return one.done_at > at
    return True if one.is_open else None
