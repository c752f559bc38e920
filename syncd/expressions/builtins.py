"""What the functions of the language do. None of them raises; unknown in mostly gives unknown out (see each).

Pure. The catalogue with kinds and documentation is `functions.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from syncd.expressions import operators, reading
from syncd.expressions.reading import as_day, as_instant, as_list, as_number, as_text, as_time

MAX_SEARCHED_CHARACTERS = 100_000
"""Text longer than this is not searched by `matches`: RE2 is linear, a cell of 10 MB would still hold up the rest."""

_MAX_REMEMBERED_CHARACTERS = 128
_REMEMBERED = 8_192
"""Answers of `matches` on short texts: some 2 MB at most."""

_ROUNDED_BELOW = 1e15  # beyond it a float has no places after the point
_DAY = timedelta(days=1)


def lower(value: Any) -> str | None:
    """The text in lower case."""
    text = as_text(value)
    return None if text is None else text.lower()


def upper(value: Any) -> str | None:
    """The text in upper case."""
    text = as_text(value)
    return None if text is None else text.upper()


def trim(value: Any) -> str | None:
    """The text without white space at its ends."""
    text = as_text(value)
    return None if text is None else text.strip()


def length(value: Any) -> int | None:
    """The number of characters of a text or of elements of a list."""
    if isinstance(value, list | tuple):
        return len(value)
    text = as_text(value)
    return None if text is None else len(text)


def count(value: Any) -> int | None:
    """The number of elements of a list; nothing counts 0, what is no list is unknown."""
    if value is None:
        return 0
    return len(value) if isinstance(value, list | tuple) else None


def contains(holder: Any, part: Any) -> bool:
    """Whether a list has the element, or a text the part."""
    return operators.member(part, holder if isinstance(holder, list | tuple) else as_text(holder))


def any_of(holder: Any, *parts: Any) -> bool:
    """Whether a list has at least one of the elements, or a text one of the parts."""
    return any(contains(holder, part) for part in parts)


def starts_with(value: Any, start: Any) -> bool:
    """Whether the text begins with `start`; empty text begins nothing."""
    text, begin = as_text(value), as_text(start)
    return bool(text and begin) and str(text).startswith(str(begin))


def ends_with(value: Any, end: Any) -> bool:
    """Whether the text ends with `end`; empty text ends nothing."""
    text, finish = as_text(value), as_text(end)
    return bool(text and finish) and str(text).endswith(str(finish))


def matches(pattern: Any, value: Any) -> bool:
    """Whether the compiled RE2 `pattern` is found anywhere in the text."""
    text = value if value.__class__ is str else as_text(value)
    if text is None or len(text) > MAX_SEARCHED_CHARACTERS:
        return False
    return _is_found(pattern, text) if len(text) <= _MAX_REMEMBERED_CHARACTERS else _search(pattern, text)


def _search(pattern: Any, text: str) -> bool:
    return pattern.search(text.encode("utf-8", "replace")) is not None


_is_found = lru_cache(maxsize=_REMEMBERED)(_search)
"""The same, remembered: titles and countries are few, and each is searched for every rule on each pass."""


def domain(value: Any) -> str | None:
    """The part of an e-mail address after the last @, in lower case; unknown if there is none."""
    text = as_text(value)
    if text is None:
        return None
    name, _, found = text.strip().rpartition("@")
    return found.lower() if name and found and not any(letter.isspace() for letter in found) else None


def coalesce(*values: Any) -> Any:
    """The first value that is known, else null."""
    for value in values:
        if reading.is_known(value):
            return value
    return None


def minimum(*values: Any) -> Any:
    """The smallest of numbers or the earliest of times; unknown if one of them is."""
    return operators.least(values, operators.less)


def maximum(*values: Any) -> Any:
    """The largest of numbers or the latest of times; unknown if one of them is."""
    return operators.least(values, operators.more)


def absolute(value: Any) -> int | float | None:
    """The number without its sign."""
    number = as_number(value)
    return None if number is None else abs(number)


def rounded(value: Any, digits: Any = 0) -> int | float | None:
    """The number rounded half away from zero, to `digits` places."""
    number = as_number(value)
    if number is None or isinstance(number, int) or abs(number) >= _ROUNDED_BELOW:
        return number
    try:
        exact = Decimal(repr(number)).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    except (InvalidOperation, TypeError):
        return None
    return float(exact) if digits else int(exact)


def days_since(now: Any, today: Any, value: Any) -> int | None:
    """Whole days from `value` until now; negative when it lies ahead.

    Two instants are compared to the second, everything else by days.
    """
    if value.__class__ is now.__class__ is datetime and value.tzinfo is now.tzinfo is UTC:  # as stored touches have it
        return (now - value) // _DAY
    then = as_time(value)
    if then is None:
        return None
    instant = as_instant(now)
    if isinstance(then, datetime) and instant is not None:
        return (instant - then) // _DAY
    day, start = as_day(now) if as_day(today) is None else as_day(today), as_day(then)
    return None if day is None or start is None else (day - start).days


def count_touches(touches: Any, now: Any, today: Any, channel: Any = None, days: Any = None) -> int:
    """How many touches there were, on one channel or on all, ever or in the last `days`."""
    return _count_touches(touches, now, today, channel, days)


def any_touch(touches: Any, now: Any, today: Any, channel: Any = None, days: Any = None) -> bool:
    """Whether there was a touch, on one channel or on any, ever or in the last `days`."""
    return _count_touches(touches, now, today, channel, days, most=1) > 0


def _count_touches(touches: Any, now: Any, today: Any, channel: Any, days: Any, most: int | None = None) -> int:
    """The touches that fit, up to `most`; with `days` those without a time do not."""
    found = 0
    for touch in touches if touches.__class__ is list else as_list(touches) or ():
        if not isinstance(touch, dict):
            continue
        if channel is not None:
            said = touch.get("channel")
            if not (said == channel if said.__class__ is channel.__class__ is str else operators.equal(said, channel)):
                continue
        if days is None or operators.at_most(days_since(now, today, touch.get("at")), days):
            found += 1
            if found == most:
                break
    return found
