"""Whether a lane moves: what the engine's beat, and with it the watchdog, is tied to."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.clock import Clock


class Worked:
    """Whether a lane is at work, and when it last moved something."""

    def __init__(self, clock: Clock) -> None:
        """Idle."""
        self._clock = clock
        self._since: float | None = None

    def begin(self) -> None:
        """At work from now on."""
        self._since = self._clock.monotonic()

    def end(self) -> None:
        """Idle."""
        self._since = None

    def progress(self, stage: str, counts: Mapping[str, int]) -> None:
        """Something moved."""
        del stage, counts
        self._since = self._clock.monotonic()

    def is_stalled(self, now: float, limit_seconds: float) -> bool:
        """Whether it has been at work for longer than that without moving anything."""
        since = self._since
        return since is not None and now - since > limit_seconds
