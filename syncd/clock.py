"""The one place that tells the time; everything else is given a `Clock`.

Ground floor: imports nothing of syncd. Wall-clock instants are aware UTC datetimes.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the house may ask about time."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; a zero or negative duration returns at once."""
        ...

    def thread_seconds(self) -> float:
        """CPU seconds that the calling thread has used."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; a zero or negative duration returns at once."""
        if seconds > 0:
            time.sleep(seconds)

    def thread_seconds(self) -> float:
        """CPU seconds that the calling thread has used."""
        return time.thread_time()


class FixedClock:
    """A clock that moves only when told; `sleep` moves it, so waiting costs no time in tests."""

    def __init__(self, at: datetime) -> None:
        """Start at `at` (aware)."""
        self._at = at
        self._start = at

    def now(self) -> datetime:
        """The instant it was set to."""
        return self._at

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return (self._at - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Move forward by `seconds`."""
        self.advance(max(seconds, 0.0))

    def thread_seconds(self) -> float:
        """0: in a world whose clock stands still, work takes no time."""
        return 0.0

    def advance(self, seconds: float) -> None:
        """Move by `seconds`; negative values model a clock that was set back."""
        self._at += timedelta(seconds=seconds)
