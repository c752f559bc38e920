"""Refusals: what is answered, counted always and logged within bounds, so that a flood of forgeries is not a flood of lines."""

from __future__ import annotations

from collections.abc import Mapping

from syncd import events
from syncd.clock import Clock
from syncd.log import Log
from syncd.metrics import WEBHOOK_REQUESTS


class RefusedError(Exception):
    """A request that is not let in.

    `reason` is a constant word; `headers` go with the answer; `error_type` is logged where a bug of ours is behind it.
    """

    def __init__(self, reason: str, status: int, headers: Mapping[str, str] | None = None, error_type: str = "") -> None:
        """Keep what the answer is made of."""
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.headers = dict(headers or {})
        self.error_type = error_type


class Refusals:
    """Counts refusals by (source, reason); logs the first at once, then a sum every `every_seconds`. For one thread."""

    def __init__(self, log: Log, clock: Clock, every_seconds: float) -> None:
        """Nothing was refused yet."""
        self._log = log
        self._clock = clock
        self._every = every_seconds
        self._told_at: dict[tuple[str, str, int], float] = {}
        self._untold: dict[tuple[str, str, int], int] = {}

    def note(self, source: str, refused: RefusedError) -> None:
        """Count one refusal; `source` is a configured name or NO_SOURCE, never what came in a request."""
        WEBHOOK_REQUESTS.labels(source, refused.reason).inc()
        kind = (source, refused.reason, refused.status)
        self._untold[kind] = self._untold.get(kind, 0) + 1
        told_at = self._told_at.get(kind)
        if told_at is None or self._clock.monotonic() - told_at >= self._every:
            self._tell(kind, refused.error_type)

    def flush(self, *, is_last: bool = False) -> None:
        """Log the sums that are due; all of them when the intake stops."""
        now = self._clock.monotonic()
        for kind in list(self._untold):
            if is_last or now - self._told_at.get(kind, 0.0) >= self._every:
                self._tell(kind)

    def _tell(self, kind: tuple[str, str, int], error_type: str = "") -> None:
        source, reason, status = kind
        self._told_at[kind] = self._clock.monotonic()
        count = self._untold.pop(kind)
        more = {"error_type": error_type} if error_type else {}
        self._log.warning(events.DELIVERY_REFUSED, source=source, reason=reason, http_status=status, count=count, **more)
