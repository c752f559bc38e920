"""Time as parameters tell it, and lists in its order. Belongs to rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.rest.options import Cursor
from connectors.rest.reading import Answer
from syncd.errors import ContractError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Grain:
    """Time as a parameter can tell it: in whole units, a second or as coarse as the pattern is."""

    def __init__(self, pattern: str, zone: ZoneInfo) -> None:
        """Of a format of parameters, and the zone it is written in."""
        self._pattern = pattern
        self._zone = zone
        self._seconds = _grain(pattern)
        # A day begins when it does in the zone; smaller units are counted through, whatever the clocks do in autumn.
        self._counts_days = self._seconds == 86_400

    def unit(self, at: datetime) -> int:
        """The unit that an instant is in."""
        if self._counts_days:
            return at.astimezone(self._zone).date().toordinal()
        return (at - _EPOCH) // timedelta(seconds=self._seconds)

    def begin_of(self, at: datetime | None) -> datetime | None:
        """The beginning of the unit that an instant is in."""
        if at is None or not self._counts_days:
            return None if at is None else _EPOCH + timedelta(seconds=self.unit(at) * self._seconds)
        return at.astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)

    def text(self, unit: int) -> str | int:
        """The beginning of a unit as a parameter."""
        if self._counts_days:
            day = datetime.fromordinal(max(unit, 1))
            return day.strftime(self._pattern)
        at = _EPOCH + timedelta(seconds=unit * self._seconds)
        if self._pattern == "unix":
            return int(at.timestamp())
        if self._pattern == "unix_ms":
            return int(at.timestamp()) * 1000
        if self._pattern == "iso":
            return at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return at.astimezone(self._zone).strftime(self._pattern)


def _grain(pattern: str) -> int:
    if "%" not in pattern or any(one in pattern for one in ("%S", "%s", "%T", "%X", "%c", "%f")):
        return 1
    if "%M" in pattern:
        return 60
    return 3_600 if "%H" in pattern or "%I" in pattern else 86_400


def grain_of(cursor: Cursor) -> Grain:
    """The units of a cursor."""
    return Grain(cursor.format, ZoneInfo(cursor.zone))


def fields_of(cursor: Cursor, grain: Grain, first: int | None, last: int) -> dict[str, Any]:
    """Parameters for the window from the unit `first` (None: from the beginning) up to `last`."""
    found: dict[str, Any] = dict(cursor.sort)
    if first is not None:
        found[cursor.since] = grain.text(first)
    if cursor.until is not None:
        found[cursor.until] = grain.text(last)
    return found


def in_order(name: str, grain: Grain, answer: Answer, before: datetime | None) -> datetime | None:
    """The newest time up to and with a page of a list that is sorted by it; `before` is that of the page before.

    Raises:
        ContractError: It is not sorted.
    """
    for row in answer.rows:
        if row.at is None:
            continue
        if before is not None and grain.unit(row.at) < grain.unit(before):
            raise ContractError(
                f"{name} gave records out of the order that was asked for.",
                advice="Correct cursor.sort: in the source, or leave it out where pages come by token or link; the page is kept.",
                page=answer.reply.body,
            )
        before = row.at
    return before
