"""Months of the compensation calendar."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from syncd.errors import ConfigError

_PERIOD = re.compile(r"(\d{4})-(\d\d)")
_MONTHS = 12


class Period(NamedTuple):
    """A month."""

    year: int
    month: int

    def __str__(self) -> str:
        """`2026-03`, which sorts by time."""
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        following = Period(self.year + self.month // _MONTHS, self.month % _MONTHS + 1)
        return following.first - timedelta(days=1)


def period_of(text: str, now: datetime, zone: ZoneInfo) -> Period:
    """The month that `text` names, or the one of `now` for "".

    Raises:
        ConfigError: It names none, or one that has not begun.
    """
    today = now.astimezone(zone).date()
    current = Period(today.year, today.month)
    if not text:
        return current
    found = _PERIOD.fullmatch(text.strip())
    if found is None or not 1 <= int(found[2]) <= _MONTHS or not 1 <= int(found[1]) <= current.year:
        raise ConfigError(f'--period "{text}" is no month.', advice=f"Write {current}.")
    period = Period(int(found[1]), int(found[2]))
    if period > current:
        raise ConfigError(f"The period {period} has not begun.", advice=f"{current} is the current one.")
    return period
