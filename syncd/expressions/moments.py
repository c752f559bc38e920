"""When an expression may change by the clock alone: the instants at which syncd has to look again.

Pure. Values hold `now` (aware UTC), `today` (its day in the zone that is given) and, where they are asked for, `touches`.

What may read the clock is a short list, so that every answer has an end that can be written into an index:
`days_since(x)` or `days_in_status` compared with a written number, `any_touch` and `count_touches` with written days,
and a time compared with `now` or `today`, plus or minus a written number of days.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from syncd.expressions import operators, reading
from syncd.expressions.expression import Expression
from syncd.expressions.kinds import Kind, Path
from syncd.expressions.tree import Arithmetic, Call, Compare, Literal, Place, Term, Variable, children

COUNTED: Mapping[Path, Path] = {("days_in_status",): ("status_at",)}
"""Variables that hold the whole days since another one."""

_CLOCK: tuple[Path, ...] = (("now",), ("today",))
_TOUCHES = ("any_touch", "count_touches")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_TICK = timedelta(microseconds=1)
_REFUSAL = "syncd cannot tell when this changes; write days_since(x) >= N."
_REFUSED_DAYS = "syncd cannot tell when this changes; write the number of days out."


@dataclass(frozen=True, slots=True)
class _Read:
    """A variable or a written value, read as a time."""

    path: Path
    kind: Kind
    written: date | None

    def time(self, values: Mapping[str, Any]) -> date | datetime | None:
        """The day or the instant in UTC; None if there is none."""
        if self.written is not None:
            return reading.as_time(self.written)
        name = self.path[0]
        found = values.get(name) if len(self.path) == 1 and isinstance(name, str) else reading.follow(values, self.path)
        if found is None:
            return None
        if self.kind is Kind.INSTANT:
            return reading.as_instant(found)
        return reading.as_day(found) if self.kind is Kind.DAY else reading.as_time(found)


@dataclass(frozen=True, slots=True)
class _Counted:
    """`days_since(x) >= 30`: it changes when the days reach one of `bounds`."""

    since: _Read
    bounds: tuple[int, ...]
    is_by_day: bool

    def moments(self, values: Mapping[str, Any], zone: tzinfo) -> Iterator[datetime]:
        """When the count reaches a bound; days of an instant are full 24 hours, those of a day are calendar days."""
        then = self.since.time(values)
        if then is None:
            return
        for bound in self.bounds:
            if isinstance(then, datetime) and not self.is_by_day:
                yield then + days_long(bound)
            else:
                yield begin(reading.as_day(then) or then, bound, zone)


@dataclass(frozen=True, slots=True)
class _Touched:
    """`any_touch("demo", 30)`: it changes when a touch on the channel grows too old; `channel` None stands for all."""

    channel: str | None
    bound: int

    def moments(self, values: Mapping[str, Any], zone: tzinfo) -> Iterator[datetime]:
        """When each touch leaves the days that are asked for."""
        channel, age = self.channel, days_long(self.bound)
        for touch in reading.as_list(values.get("touches")) or ():
            if not isinstance(touch, dict):
                continue
            said = touch.get("channel")
            if channel is not None and not (said == channel if said.__class__ is str else operators.equal(said, channel)):
                continue
            at = reading.as_time(touch.get("at"))
            if isinstance(at, datetime):
                yield at + age
            elif at is not None:
                yield begin(at, self.bound, zone)


@dataclass(frozen=True, slots=True)
class _Passed:
    """`lead.Due__c < today + 7`: it changes when the clock, moved by `days`, reaches the time (`is_at`) or passes it."""

    other: _Read
    is_today: bool
    days: float
    is_at: bool
    is_after: bool

    def moments(self, values: Mapping[str, Any], zone: tzinfo) -> Iterator[datetime]:
        """The instants; a day and an instant are compared by their UTC days, as `operators` does."""
        then = self.other.time(values)
        if then is None:
            return
        moved = timedelta(days=self.days)
        if isinstance(then, datetime) and not self.is_today:
            found = ((self.is_at, then - moved), (self.is_after, then - moved + _TICK))
        elif self.is_today:
            day = reading.as_day(then) or then
            found = ((self.is_at, begin(day, -moved.days, zone)), (self.is_after, begin(day, 1 - moved.days, zone)))
        else:
            found = ((self.is_at, begin(then, 0, UTC) - moved), (self.is_after, begin(then, 1, UTC) - moved))
        yield from (instant for is_asked, instant in found if is_asked)


Step = _Counted | _Touched | _Passed
"""One term that reads the clock."""


days_long = lru_cache(maxsize=1_024)(lambda days: timedelta(days=days))
"""So many days; few numbers of them are written in policies, and each is asked for with everybody."""


def begin(day: date, days: int, zone: tzinfo) -> datetime:
    """The instant in UTC at which the day `days` after `day` begins in the zone.

    Raises:
        OverflowError: Outside of the calendar.
    """
    return datetime.combine(day + timedelta(days=days), time(), zone).astimezone(UTC)


def clock_problem(expression: Expression) -> tuple[Place, str] | None:
    """Where and why it cannot be told when the expression changes by the clock alone; None if it can."""
    return next((found for found in _walk(expression.term) if isinstance(found, tuple)), None)


def steps(expression: Expression) -> tuple[Step, ...]:
    """The terms of the expression that read the clock; empty if it does not. To be asked once and kept."""
    found = (step for step in _walk(expression.term) if not isinstance(step, tuple))
    return tuple(dict.fromkeys(found))


def step_moments(asked: tuple[Step, ...], values: Mapping[str, Any], zone: tzinfo = UTC) -> list[datetime]:
    """What `moments` gives, for steps that were kept; in no order, and repeated."""
    found: list[datetime] = []
    for step in asked:
        try:
            found.extend(step.moments(values, zone))
        except (OverflowError, ValueError):  # beyond the calendar: never
            continue
    return found


def moments(expression: Expression, values: Mapping[str, Any], zone: tzinfo = UTC) -> tuple[datetime, ...]:
    """The instants at which the result may change by the clock alone, given these values: past and future, sorted.

    From one of them (included) to the next (excluded) the result stays the same, as long as `now` and `today` alone move.

    Args:
        expression: One that `clock_problem` has nothing against; what it objects to is left out here.
        values: As for calling the expression; `now` and `today` are not read.
        zone: Where a day begins, the zone of `today`.
    """
    return tuple(sorted(set(step_moments(steps(expression), values, zone))))


def _walk(term: Term) -> Iterator[Step | tuple[Place, str]]:
    """The clocked terms below `term`, and what is wrong with those that no moment can be given for."""
    match term:
        case Variable() if term.path in _CLOCK or term.path in COUNTED:
            yield term.place, _REFUSAL
        case Call() if term.function == "days_since":
            yield term.place, _REFUSAL
        case Call() if term.function in _TOUCHES:
            yield from _touched(term)
        case Compare():
            yield from _compared(term)
        case _:
            for child in children(term):
                yield from _walk(child)


def _touched(term: Call) -> Iterator[Step | tuple[Place, str]]:
    channel = term.arguments[0] if term.arguments else None
    days = term.arguments[1] if len(term.arguments) > 1 else None
    if channel is not None:
        yield from _walk(channel)
    if days is None or (isinstance(days, Literal) and days.value is None):
        return
    number = _number(days)
    if number is None:
        yield days.place, _REFUSED_DAYS
        return
    is_written = isinstance(channel, Literal) and isinstance(channel.value, str)
    yield _Touched(channel.value if isinstance(channel, Literal) and is_written else None, math.floor(number) + 1)


def _compared(term: Compare) -> Iterator[Step | tuple[Place, str]]:
    """Each pair of the chain; an operand that reads no clock may still hold one inside (a choice, a count of touches)."""
    for index, op in enumerate(term.ops):
        left, right = term.operands[index : index + 2]
        if _is_clocked(left) and not _is_clocked(right):
            yield from _pair(op, left, right)
        elif _is_clocked(right) and not _is_clocked(left) and op in _MIRRORED:
            yield from _pair(_MIRRORED[op], right, left)
        elif _is_clocked(left) or _is_clocked(right):
            yield term.place, _REFUSAL
    for operand in term.operands:
        if not _is_clocked(operand):
            yield from _walk(operand)


def _pair(op: str, clock: Term, other: Term) -> Iterator[Step | tuple[Place, str]]:
    """`clock op other`, one of them being what the clock moves."""
    others = [other]
    if op in ("in", "not in"):
        listed = other.value if isinstance(other, Literal) and isinstance(other.value, tuple) else None
        if listed is None:
            yield clock.place, _REFUSAL
            return
        others = [Literal(kind=Kind.ANY, place=other.place, value=value) for value in listed]
        op = "=="
    for one in others:
        step = _step(op, clock, one)
        yield step if step is not None else (clock.place, _REFUSAL)


def _step(op: str, clock: Term, other: Term) -> Step | None:
    counted = COUNTED.get(clock.path) if isinstance(clock, Variable) else None
    if counted is not None or isinstance(clock, Call):
        number = _number(other)
        since = (
            _Read(counted, Kind.INSTANT, None)
            if counted is not None
            else _read(clock.arguments[0])
            if isinstance(clock, Call)
            else None
        )
        if number is None or since is None:
            return None
        is_by_day = isinstance(clock, Call) and isinstance(clock.context[0], Literal)  # a schema without `now`
        return _Counted(since, _bounds(op, number), is_by_day)
    moved = _moved(clock)
    read = _read(other)
    if moved is None or read is None:
        return None
    is_both = op in ("==", "!=")
    return _Passed(read, moved[0] == ("today",), moved[1], is_both or op in ("<", ">="), is_both or op in ("<=", ">"))


def _is_clocked(term: Term) -> bool:
    """Whether the clock moves the value of the term itself: a count of days, `now`, `today + 3`."""
    if isinstance(term, Variable):
        return term.path in COUNTED or term.path in _CLOCK
    return (isinstance(term, Call) and term.function == "days_since") or _moved(term) is not None


def _moved(term: Term) -> tuple[Path, float] | None:
    """`now` or `today` and the days that are added to it; None for anything else."""
    if isinstance(term, Variable):
        return (term.path, 0) if term.path in _CLOCK else None
    if not isinstance(term, Arithmetic) or term.op not in "+-":
        return None
    clock, number = term.left, _number(term.right)
    if number is None and term.op == "+":
        clock, number = term.right, _number(term.left)
    if number is None or not isinstance(clock, Variable) or clock.path not in _CLOCK:
        return None
    return clock.path, -number if term.op == "-" else number


def _bounds(op: str, number: float) -> tuple[int, ...]:
    """The counts of whole days at which `count op number` changes."""
    if op in ("<", ">="):
        return (math.ceil(number),)
    if op in ("<=", ">"):
        return (math.floor(number) + 1,)
    return (int(number), int(number) + 1) if number == int(number) else ()


def _number(term: Term) -> int | float | None:
    """The number that is written there."""
    value = term.value if isinstance(term, Literal) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read(term: Term) -> _Read | None:
    """A term that is a variable (which the clock does not move) or a written time."""
    if isinstance(term, Variable):
        is_moved = term.path in COUNTED or term.path in _CLOCK
        return None if is_moved else _Read(term.path, term.kind, None)
    return _Read((), term.kind, term.value) if isinstance(term, Literal) and isinstance(term.value, date) else None
