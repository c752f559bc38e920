"""The share of the org's daily API calls that syncd allows itself (G8), by lane. No I/O; times are given.

Hot leads may use all of the share, increments leave the reserve of hot leads alone, and back-fills end while there is still something
left for increments. The thresholds are those of reference salesforce.md 12.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta

from syncd.errors import BudgetExhausted
from syncd.model import Lane

_USAGE = re.compile(r"(?:^|[;,\s])api-usage=(\d+)/(\d+)")
_ORG_STOP_SHARE = 0.95
_ORG_RESUME_SHARE = 0.90
_SLOW_SHARE = 0.85
"""Of the org's calls, or of what increments may use: from here on back-fills wait, and sources are read less often."""
SLOW_FROM = _SLOW_SHARE
"""The pressure from which on everything that can wait should."""

PROBE_MINUTES = 15
"""How long to leave an org alone that has no calls left; then one call looks again (reference salesforce.md 8.2, 12)."""


def parse_usage(header: str | None) -> tuple[int, int] | None:
    """(used, allowed) of a `Sforce-Limit-Info` header, None when it has none. Pure."""
    found = _USAGE.search(header or "")
    return (int(found[1]), int(found[2])) if found else None


class Budget:
    """Counts own calls per UTC day and watches what the org says of all its callers together."""

    def __init__(self, daily_share: float, hot_reserve: float, used: tuple[date, int] | None = None) -> None:
        """Start.

        Args:
            daily_share: Of the org's daily allocation, 0 to 1.
            hot_reserve: Of that share, what everything but hot leads leaves alone, 0 to 1.
            used: Day and count of an earlier process, as `used` gave it.
        """
        self._share = daily_share
        self._ordinary = daily_share * (1.0 - hot_reserve)
        self._lock = threading.Lock()
        self._day, self._used = used or (date.min, 0)
        self._totals: Counter[Lane] = Counter()
        self._org: tuple[int, int] | None = None
        self._is_org_full = self._is_refused = False
        self._closed_until: datetime | None = None

    @property
    def used(self) -> tuple[date, int]:
        """The UTC day and the calls counted on it: store it, and give it to the next process."""
        return (self._day, self._used)

    @property
    def total(self) -> int:
        """Calls counted since this process began."""
        return sum(self._totals.values())

    def total_of(self, lane: Lane) -> int:
        """Those of one lane."""
        return self._totals[lane]

    @property
    def org_usage(self) -> tuple[int, int] | None:
        """(used, allowed) of the whole org in the last 24 h as it last said, None before the first answer."""
        return self._org

    @property
    def pressure(self) -> float:
        """How much of what increments may use is used, 0 to 1 and beyond; from `SLOW_FROM` on everything that can wait should."""
        with self._lock:
            if self._org is None or not self._org[1]:
                return 0.0
            org = self._org[0] / self._org[1] / _ORG_STOP_SHARE
            return max(org, self._used / (self._org[1] * self._ordinary)) if self._ordinary else 1.0

    def check(self, now: datetime, lane: Lane = Lane.INCREMENT) -> None:
        """Let a call pass, or say from when on.

        Raises:
            BudgetExhausted: This lane's share of the day is used up, or the org has nearly none left.
        """
        with self._lock:
            self._check_org(now, lane)
            allowed = int(self._org[1] * self._share_of(lane)) if self._org else None
            if allowed is not None and self._day == now.astimezone(UTC).date() and self._used >= allowed:
                kept = "" if lane is Lane.HOT else " The rest is kept for what is more urgent."
                raise BudgetExhausted(
                    f"syncd has used its share of the org's API calls for today ({self._used} of {allowed}).{kept}",
                    until=_next_day(now),
                    advice="Raise salesforce.api_budget.daily_share if the org can spare more.",
                )

    def _check_org(self, now: datetime, lane: Lane) -> None:
        """What the org itself has left; hot leads go on until it refuses them."""
        used, allowed = self._org or (0, 0)
        if lane >= Lane.BACKFILL and allowed and used / allowed >= _SLOW_SHARE and self._closed_until is None:
            raise BudgetExhausted(
                "Much of the org's daily API calls is used up, so back-fills wait.", until=now + timedelta(minutes=PROBE_MINUTES)
            )
        if self._closed_until is None or (lane is Lane.HOT and not self._is_refused):
            return
        if now < self._closed_until:
            raise BudgetExhausted(
                "The org's daily API calls are nearly used up.",
                until=self._closed_until,
                advice="syncd looks again by itself; see Company Information in Setup for the callers.",
            )
        # One call may look; if nothing has changed its answer closes the door again.
        self._closed_until = now + timedelta(minutes=PROBE_MINUTES) if self._is_org_full else None
        self._is_refused = False

    def _share_of(self, lane: Lane) -> float:
        if lane is Lane.HOT:
            return self._share
        return self._ordinary * (_SLOW_SHARE if lane >= Lane.BACKFILL else 1.0)

    def count(self, now: datetime, lane: Lane = Lane.INCREMENT) -> None:
        """Note one call that was sent."""
        with self._lock:
            day = now.astimezone(UTC).date()
            if day != self._day:
                self._day, self._used = day, 0
            self._used += 1
            self._totals[lane] += 1

    def note_usage(self, usage: tuple[int, int], now: datetime) -> None:
        """Take what an answer's header said of the org."""
        with self._lock:
            self._org = usage
            used_share = usage[0] / usage[1] if usage[1] else 0.0
            if used_share >= _ORG_STOP_SHARE or (self._is_org_full and used_share >= _ORG_RESUME_SHARE):
                self._is_org_full = True
                self._closed_until = now + timedelta(minutes=PROBE_MINUTES)
            else:
                self._is_org_full = self._is_refused = False
                self._closed_until = None

    def close(self, now: datetime) -> datetime:
        """The org refused a call for want of allocation: gives the instant from which to look again."""
        with self._lock:
            self._closed_until = now + timedelta(minutes=PROBE_MINUTES)
            self._is_refused = True
            return self._closed_until


def _next_day(now: datetime) -> datetime:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)
