"""Comparison, membership and arithmetic that never raise.

Pure. A comparison with something unknown, or of two values that have nothing in common, is false - `!=` and `not in` too.
Arithmetic with something unknown is unknown (None), as is a division by zero and a result that is out of range.

When one side is text and the other is not, the text is read as the other side's kind.
A day and an instant compare by their UTC days.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from syncd.expressions.reading import MAX_TEXT_CHARACTERS, as_boolean, as_instant, as_number, as_text, as_time

_MAX_INTEGER_BITS = 1024
"""Integers beyond this (308 digits, a float's range) do not take part in arithmetic."""

_SECONDS_PER_DAY = 86_400


def pair(left: Any, right: Any) -> tuple[Any, Any] | None:
    """Both values in one kind, so that Python may compare them; None if they cannot be compared."""
    left_sort, left = _sorted_out(left)
    right_sort, right = _sorted_out(right)
    if not left_sort or not right_sort:
        return None
    if left_sort == "text" != right_sort:
        left_sort, left = _read_as(right_sort, left)
    elif right_sort == "text" != left_sort:
        right_sort, right = _read_as(left_sort, right)
    if left_sort == right_sort:
        return left, right
    if {left_sort, right_sort} == {"day", "instant"}:
        return _day(left), _day(right)
    return None


def equal(left: Any, right: Any) -> bool:
    """`left == right`."""
    kind = left.__class__
    if kind is right.__class__ and (kind is str or kind is bool):  # what most channels, statuses and criteria are
        return bool(left == right)
    if left is None or right is None:
        return False
    both = pair(left, right)
    return both is not None and bool(both[0] == both[1])


def unequal(left: Any, right: Any) -> bool:
    """`left != right`; false when either is unknown."""
    both = pair(left, right)
    return both is not None and bool(both[0] != both[1])


def less(left: Any, right: Any) -> bool:
    """`left < right`."""
    return _ordered(operator.lt, left, right)


def at_most(left: Any, right: Any) -> bool:
    """`left <= right`."""
    return _ordered(operator.le, left, right)


def more(left: Any, right: Any) -> bool:
    """`left > right`."""
    return _ordered(operator.gt, left, right)


def at_least(left: Any, right: Any) -> bool:
    """`left >= right`."""
    return _ordered(operator.ge, left, right)


def member(value: Any, holder: Any) -> bool:
    """`value in holder`: an element of a list, or a part of a text. Empty text is a part of no text."""
    if isinstance(holder, str):
        part = as_text(value)
        return bool(part) and str(part) in holder
    return any(equal(value, element) for element in holder) if isinstance(holder, list | tuple) else False


def not_member(value: Any, holder: Any) -> bool:
    """`value not in holder`; false when either is unknown."""
    if not isinstance(holder, list | tuple | str) or not _sorted_out(value)[0]:
        return False
    return not member(value, holder)


def add(left: Any, right: Any) -> Any:
    """`left + right`: two texts are joined, days move a time, all else is read as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return left + right if len(left) + len(right) <= MAX_TEXT_CHARACTERS else None
    if isinstance(left, date):
        return _moved(left, as_number(right))
    if isinstance(right, date):
        return _moved(right, as_number(left))
    return _calculated(operator.add, left, right)


def subtract(left: Any, right: Any) -> Any:
    """`left - right`: days between two times, a time some days earlier, or a difference of numbers."""
    if isinstance(left, date) or isinstance(right, date):
        start, end = as_time(right), as_time(left)
        if start is not None and end is not None:
            return _days_between(start, end)
        days = as_number(right)
        return None if days is None or end is None else _moved(end, -days)
    return _calculated(operator.sub, left, right)


def multiply(left: Any, right: Any) -> int | float | None:
    """`left * right`; text is read as a number and never repeated."""
    return _calculated(operator.mul, left, right)


def divide(left: Any, right: Any) -> int | float | None:
    """`left / right`; by zero it is unknown."""
    return _calculated(operator.truediv, left, right)


def negate(value: Any) -> int | float | None:
    """`-value`."""
    return subtract(0, value) if not isinstance(value, date) else None


def least(values: Iterable[Any], better: Callable[[Any, Any], bool]) -> Any:
    """The value that is `better` than all others, each a number or a time; None if one is neither or they do not compare."""
    best: Any = None
    for index, value in enumerate(values):
        number = as_number(value)
        candidate = as_time(value) if number is None else number
        if candidate is None or (index and pair(best, candidate) is None):
            return None
        if index == 0 or better(candidate, best):
            best = candidate
    return best


def _sorted_out(value: Any) -> tuple[str, Any]:
    """What sort of scalar `value` is, and the value ready to compare; `""` for everything else."""
    if isinstance(value, str):
        return "text", value
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, datetime):
        instant = as_instant(value)
        return ("", None) if instant is None else ("instant", instant)
    if isinstance(value, date):
        return "day", value
    number = as_number(value)
    return ("", None) if number is None else ("number", number)


def _read_as(sort: str, text: str) -> tuple[str, Any]:
    """`text` as a value that can be compared with one of `sort`."""
    if sort == "number":
        return _sorted_out(as_number(text))
    if sort == "boolean":
        return _sorted_out(as_boolean(text))
    return _sorted_out(as_time(text))


def _ordered(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if left.__class__ is right.__class__ is int:  # counts of days
        return compare(left, right)
    both = pair(left, right)
    return both is not None and not isinstance(both[0], bool) and compare(both[0], both[1])


def _day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def _calculated(calculate: Callable[[Any, Any], Any], left: Any, right: Any) -> int | float | None:
    x, y = as_number(left), as_number(right)
    if x is None or y is None or _is_too_big(x) or _is_too_big(y):
        return None
    try:
        result = calculate(x, y)
    except (ArithmeticError, ValueError):
        return None
    if _is_too_big(result) or (isinstance(result, float) and not math.isfinite(result)):
        return None
    return result  # type: ignore[no-any-return]


def _is_too_big(number: float) -> bool:
    return isinstance(number, int) and number.bit_length() > _MAX_INTEGER_BITS


def _moved(start: date | datetime, days: float | None) -> date | datetime | None:
    """`start` moved by `days`; a day moves by whole days only."""
    found = as_time(start)
    if days is None or found is None:
        return None
    try:
        return found + timedelta(days=days)
    except (OverflowError, ValueError):
        return None


def _days_between(start: date | datetime, end: date | datetime) -> int | float:
    """Days from `start` to `end`: whole ones when either is a day, with fractions between instants."""
    if isinstance(start, datetime) and isinstance(end, datetime):
        return (end - start).total_seconds() / _SECONDS_PER_DAY
    return (_day(end) - _day(start)).days
