"""Ids of operations."""

from __future__ import annotations

import secrets
from collections import deque

from syncd.clock import Clock

_DRAWN = 500
_DIGITS = 8


class OperationIds:
    """Gives ids that sort by time: 14 hex digits of microseconds and 8 of chance. Safe for threads.

    Chance is drawn for many at once: asking the system for it gives the interpreter's lock away each time.
    """

    def __init__(self, clock: Clock) -> None:
        """Draw nothing yet."""
        self._clock = clock
        self._chance: deque[str] = deque()

    def __call__(self) -> str:
        """The next one."""
        while True:
            try:
                chance = self._chance.popleft()
            except IndexError:
                drawn = secrets.token_hex(_DRAWN * _DIGITS // 2)
                self._chance.extend(drawn[start : start + _DIGITS] for start in range(0, len(drawn), _DIGITS))
            else:
                return f"{int(self._clock.now().timestamp() * 1_000_000):014x}{chance}"
