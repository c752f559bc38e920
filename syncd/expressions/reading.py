"""Lenient reading of values at run time: what counts as a number, a text, a day, or as nothing at all.

Pure. Nothing here raises for any value: what cannot be read is None ("unknown", "null", "empty").
A NaN is unknown. Objects of other classes than JSON's, days, instants and decimals are unknown too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_TEXT_CHARACTERS = 1_000_000
"""Longest text that an expression makes; a longer result is unknown."""

_LONGEST_NUMBER = 40
_NUMBER = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9]{2}:?[0-9]{2})?)?", re.ASCII)


def as_number(value: Any) -> int | float | None:
    """A number, or text that holds one in plain notation (`12`, `-3.5`, `1e6`); a boolean is no number."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        try:
            return as_number(float(value))
        except (ValueError, OverflowError, InvalidOperation):  # a signalling NaN
            return None
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and (found := _NUMBER.fullmatch(value)):
        if found[1] is None and found[2] is None:
            return int(value)
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def as_text(value: Any) -> str | None:
    """Text as it is; numbers, booleans, days and instants as they are written in rules; lists and objects are unknown."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        instant = as_instant(value)
        return None if instant is None else instant.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    number = as_number(value)
    if number is None:
        return None
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e15:
        number = int(number)
    try:
        return str(number)
    except ValueError:  # an integer of more than 4,300 digits
        return None


def as_boolean(value: Any) -> bool | None:
    """A boolean, or the text `true` or `false` in any case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def truth(value: Any) -> bool:
    """Whether `value` holds as a condition: only true and the text `true` do; unknown is false."""
    if value is None or value is True or value is False:
        return value is True
    return as_boolean(value) is True


def as_time(value: Any) -> date | datetime | None:
    """A day, or an instant in UTC; text counts in ISO form (`2026-01-31`, `2026-01-31T09:30:00Z`).

    Without an offset an instant is taken as UTC.
    """
    if value.__class__ is datetime and value.tzinfo is UTC:
        return value
    if isinstance(value, str):
        if len(value) > _LONGEST_NUMBER or not (found := _TIME.fullmatch(value.strip())):
            return None
        try:
            if found[1] is None:
                return date.fromisoformat(value.strip())
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        try:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except (OverflowError, ValueError):  # the first or last day of the calendar
            return None
    return value if isinstance(value, date) else None


def as_day(value: Any) -> date | None:
    """The day of a time; an instant's day is its UTC day."""
    if value.__class__ is date:  # what `today` is
        return value
    found = as_time(value)
    return found.date() if isinstance(found, datetime) else found


def as_instant(value: Any) -> datetime | None:
    """The instant of a time; a day's instant is its start in UTC."""
    if value.__class__ is datetime and value.tzinfo is UTC:  # what `now` and stored instants are
        return value
    found = as_time(value)
    return datetime.combine(found, time(), UTC) if found is not None and not isinstance(found, datetime) else found


def as_list(value: Any) -> list[Any] | None:
    """A list; the text of a multi-select field (`A;B`) as the list of its parts, empty text as the empty list."""
    if isinstance(value, list):
        return value
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    if isinstance(value, str):
        return [part.strip() for part in value.split(";") if part.strip()]
    return None


def as_group(value: Any) -> dict[Any, Any]:
    """An object with keys; anything else reads as one without any."""
    if isinstance(value, dict):
        return value
    return dict(value) if isinstance(value, Mapping) else {}


def is_known(value: Any) -> bool:
    """Whether there is something: null, NaN, blank text, the empty list and the empty object are not known."""
    if value is None:
        return False
    if isinstance(value, str):
        return bool(value) and not value.isspace()
    if isinstance(value, list | tuple | set | frozenset | dict):
        return len(value) > 0
    return isinstance(value, bool | date) or as_number(value) is not None


def follow(values: Any, path: tuple[str | int, ...]) -> Any:
    """The value at `path`: text steps are keys of objects, numbers are indexes of lists; None if it leads nowhere."""
    found = values
    for step in path:
        if isinstance(step, str):
            found = as_group(found).get(step)
        elif isinstance(found, list | tuple) and -len(found) <= step < len(found):
            found = found[step]
        else:
            return None
    return found
