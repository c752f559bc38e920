"""How much of one source may be asked at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from syncd.clock import Clock


class Limiter:
    """Lets at most `connections` calls be under way at once, and begins no more than `calls_per_second`. Safe for threads."""

    def __init__(self, clock: Clock, *, connections: int, calls_per_second: float = 0.0) -> None:
        """`calls_per_second` 0 means that only `connections` counts."""
        self._clock = clock
        self._free = threading.BoundedSemaphore(connections)
        self._interval = 1.0 / calls_per_second if calls_per_second > 0 else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and keep it. Hold it for one request and its body only, never through a pause before a retry."""
        self._wait_for_slot()
        with self._free:
            yield

    def _wait_for_slot(self) -> None:
        """Take the next instant at which a call may begin, and sleep until then (outside the lock, without a connection)."""
        if not self._interval:
            return
        with self._lock:
            now = self._clock.monotonic()
            at = max(now, self._next)
            self._next = at + self._interval
        self._clock.sleep(at - now)
