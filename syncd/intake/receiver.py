"""What the intake is given: the push sources it receives for, and the questions it passes on to its caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.connector import PushConnector, Reception


@dataclass(frozen=True)
class Receiver:
    """One configured push source: its name in the path, its connector, and the connector's typed options."""

    name: str
    connector: PushConnector
    options: Any
    reception: Reception = field(init=False)

    def __post_init__(self) -> None:
        """Ask the connector once what it lets in; whoever makes a receiver knows that it does."""
        reception = self.connector.reception(self.options)
        if reception is None:
            raise ValueError(f"{self.name} lets nothing in")
        object.__setattr__(self, "reception", reception)


def _nothing() -> tuple[str, ...]:
    return ()


def _no_facts() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Probes:
    """What `/readyz`, `/healthz` and `/metrics` ask the caller; called in a thread, so they may read a store.

    Attributes:
        unready: Sentences on why nothing should be sent here now; empty when ready.
        facts: More for the JSON of `/healthz`; no record values.
        metrics: The text of `/metrics`; None for the metrics of this process.
    """

    unready: Callable[[], Sequence[str]] = _nothing
    facts: Callable[[], Mapping[str, Any]] = _no_facts
    metrics: Callable[[], bytes] | None = None


class Bucket:
    """Tokens for requests: `burst` at first, `per_second` more each second. For one thread."""

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        """A full bucket at `now` (monotonic seconds); `per_second` 0 lets everything in."""
        self._per_second = per_second
        self._burst = float(max(burst, 1))
        self._tokens = self._burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token: 0.0, or the seconds until there is one."""
        if not self._per_second:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self._per_second
        self._tokens -= 1.0
        return 0.0
