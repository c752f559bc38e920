"""Where the time of a pass goes: CPU seconds per stage, over all threads. The bench prints it, `run_finished` does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from syncd.clock import Clock


class Stopwatch:
    """Adds up the CPU time that threads spend in named stages. Safe for threads; stages may nest, the inner one counts."""

    def __init__(self, clock: Clock) -> None:
        """Nothing has run yet."""
        self._clock = clock
        self._lock = threading.Lock()
        self._local = threading.local()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what this thread does inside as `name`."""
        started = self._clock.thread_seconds()
        inner_before: float = getattr(self._local, "inner", 0.0)
        self._local.inner = 0.0
        try:
            yield
        finally:
            spent = self._clock.thread_seconds() - started
            own = spent - self._local.inner
            self._local.inner = inner_before + spent
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + own
