"""How far the leads of an account were read, and in which steps. Pure. Belongs to google_ads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.connector import Record, Reject
from syncd.connector.tools import instant

WEST, EAST = timedelta(hours=12), timedelta(hours=14)
"""A time in a query is taken in the account's zone, UTC-12 to UTC+14: 26 hours in all."""
_STEP = timedelta(days=7)
"""So much is asked for at once: an answer comes in one piece."""


def slices(begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The window in steps, oldest first; at least one."""
    low = begin
    while True:
        high = min(low + _STEP, end)
        yield low, high
        if high >= end:
            return
        low = high


def lost(wanted: datetime | None, oldest: datetime, customer: str, days: int) -> str:
    """A sentence where what is wanted is more than Google has still, `""` otherwise."""
    if wanted is not None and wanted >= oldest:
        return ""
    since = "older ones" if wanted is None else f"those between {wanted:%Y-%m-%d} and {oldest:%Y-%m-%d}"
    return f"Google keeps leads for {days} days: of account {customer} {since} cannot be read."


class Edge:
    """Where one account stands: everything before `at` was read; of what is asked for again, the leads that were given.

    As a cursor: `{"at": ISO text, "seen": {digest of the key: Unix seconds}}`.
    """

    def __init__(self, state: Mapping[str, Any] | None, begin_at: str | None) -> None:
        """From a cursor; `begin_at`: nothing before that instant was asked for at all."""
        given = state or {}
        self._begin_at = instant(begin_at)
        self._at = instant(given.get("at"))
        self._seen: dict[str, int] = dict(given.get("seen") or {})

    @property
    def wanted_at(self) -> datetime | None:
        """The instant from which leads are missing here; None: from the beginning."""
        return self._at or self._begin_at

    def begin(self, overlap_seconds: float, oldest: datetime) -> datetime:
        """The instant to read from: what may have come late is looked for again, and Google's oldest is the oldest."""
        if self._at is None:
            return oldest if self._begin_at is None else max(oldest, self._begin_at - timedelta(seconds=overlap_seconds))
        begin = self._at - timedelta(seconds=overlap_seconds) - EAST
        if self._begin_at is not None:
            begin = max(begin, self._begin_at - timedelta(seconds=overlap_seconds))
        return max(oldest, begin)

    def news(self, found: Sequence[Record | Reject], low: datetime, high: datetime) -> list[Record | Reject]:
        """What was not given before, in order of time. What is dated outside of the slice comes with another one."""
        fresh: dict[str, Record | Reject] = {}
        for one in found:
            at = one.source_at if isinstance(one, Record) else None
            if (at is None or low <= at < high) and _digest(one) not in self._seen:
                fresh[one.key] = one
        return sorted(fresh.values(), key=lambda one: (_at(one) or high, one.key))

    def give(self, page: Sequence[Record | Reject], high: datetime) -> None:
        """Note a page as given. What has no time is remembered until no query can bring it any more."""
        for one in page:
            at = _at(one)
            self._seen[_digest(one)] = int((at or high + WEST + EAST).timestamp())
            if at is not None and (self._at is None or at > self._at):
                self._at = at

    def pass_over(self, high: datetime, overlap_seconds: float) -> None:
        """A step was read to its end; what lies too far back to be asked for again is forgotten."""
        self._at = high if self._at is None else max(self._at, high)
        oldest = (self._at - timedelta(seconds=overlap_seconds) - EAST).timestamp() - 1
        self._seen = {digest: at for digest, at in self._seen.items() if at >= oldest}

    def state(self) -> dict[str, Any]:
        """As a cursor."""
        return {"at": self._at.astimezone(UTC).isoformat() if self._at else None, "seen": dict(self._seen)}


def _at(one: Record | Reject) -> datetime | None:
    return one.source_at if isinstance(one, Record) else None


def _digest(one: Record | Reject) -> str:
    return hashlib.blake2b(one.key.encode(), digest_size=8).hexdigest()
