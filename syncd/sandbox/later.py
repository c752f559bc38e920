"""Work that the org took over and carries out only later, when its client has given up waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass
class _Due:
    run: Callable[[], object]
    at: datetime | None
    requests: int  # 0: not by count


class Later:
    """Postponed work, in order; safe for threads. Each piece runs once."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._waiting: list[_Due] = []
        self._lock = threading.Lock()

    def add(self, run: Callable[[], object], *, at: datetime | None, requests: int) -> None:
        """Postpone `run` until the instant `at`, or until that many more requests came; else only `settle` carries it out."""
        with self._lock:
            self._waiting.append(_Due(run, at, requests))

    def count_request(self, now: datetime) -> None:
        """One more request comes in: carry out what is due before it is answered."""
        with self._lock:
            if not self._waiting:
                return
            due = []
            for one in list(self._waiting):
                is_last = one.requests == 1
                one.requests -= one.requests > 0
                if is_last or (one.at is not None and one.at <= now):
                    due.append(one)
                    self._waiting.remove(one)
        for one in due:
            one.run()

    def settle(self, until: datetime | None = None) -> None:
        """Carry out everything now, or what is due at `until`."""
        with self._lock:
            due = [one for one in self._waiting if until is None or (one.at is not None and one.at <= until)]
            self._waiting = [one for one in self._waiting if one not in due]
        for one in due:
            one.run()
