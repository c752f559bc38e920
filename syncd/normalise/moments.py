"""Days and instants from text in declared formats; a day or a month is never guessed. Pure: zones come from the system's tz data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_NANOSECONDS = re.compile(r"(\.\d{6})\d+")


def instant_of(text: str, formats: Sequence[str], zone: str) -> str:
    """`2026-01-31T09:30:00Z`, or `""` if no format fits or the zone is not known.

    A wall-clock time that happens twice (autumn) is the earlier one; one that does not exist (spring) is moved forward.
    """
    for form in formats or ("iso",):
        found = _read(text.strip(), form)
        if found is None:
            continue
        if found.tzinfo is None:
            if not zone:
                continue
            found = found.replace(tzinfo=ZoneInfo(zone), fold=0)
        found = found if found.tzinfo is UTC else found.astimezone(UTC)
        return f"{found.isoformat(timespec='seconds')[:19]}Z"
    return ""


def day_of(text: str, formats: Sequence[str]) -> str:
    """`2026-01-31`, or `""` if no format fits. An instant's day is the day on its own wall clock."""
    for form in formats or ("iso",):
        if form == "iso" and re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()):
            try:
                return date.fromisoformat(text.strip()).isoformat()
            except ValueError:
                return ""
        found = _read(text.strip(), form)
        if found is not None:
            return found.date().isoformat()
    return ""


def _read(text: str, form: str) -> datetime | None:
    try:
        if form == "iso":
            # 3.11 reads at most six fraction digits; some vendors send nine.
            found = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", text) if "." in text else text)
            return found if "T" in text or " " in text else None
        return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is declared beside the format and added by the caller
    except ValueError:
        return None


def is_format(form: str) -> bool:
    """Whether `form` is `iso` or a format that names a year, a month and a day."""
    if form == "iso":
        return True
    has_day = all(
        any(mark in form for mark in marks)
        for marks in (("%Y", "%y", "%c", "%x"), ("%m", "%b", "%B", "%c", "%x", "%j"), ("%d", "%j", "%c", "%x"))
    )
    if not has_day:
        return False
    try:
        datetime.strptime(datetime(2026, 1, 31, 9, 30, tzinfo=UTC).strftime(form), form)  # noqa: DTZ007
    except ValueError:
        return False
    return True


def is_zone(name: str) -> bool:
    """Whether `name` is a time zone of the tz database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
