"""The one retry policy (tenacity)."""

from __future__ import annotations

import math
import random

from tenacity import RetryCallState, Retrying

from syncd.clock import Clock


def retrying(
    clock: Clock,
    *,
    retry_on: tuple[type[BaseException], ...],
    never: tuple[type[BaseException], ...] = (),
    attempts: int = 4,
    total_seconds: float = 120.0,
    first_wait_seconds: float = 1.0,
    max_wait_seconds: float = 30.0,
    max_wish_seconds: float = math.inf,
    chance: random.Random | None = None,
) -> Retrying:
    """The one retry policy: call it with a function, or use it as an iterator of attempts; the last error leaves as it is.

    Waits grow twofold with jitter (between half and all of the step); an error's `retry_after_seconds` goes before.

    Args:
        clock: Tells the time and sleeps.
        retry_on: Classes worth another try.
        never: Subclasses of those that are not.
        attempts: Tries in all.
        total_seconds: Gives up when the next wait would pass this.
        first_wait_seconds: First step.
        max_wait_seconds: Longest step.
        max_wish_seconds: A longer wish of the other side is not waited for: the error leaves at once and carries it.
        chance: Source of jitter; seed it in tests.
    """
    started = clock.monotonic()
    chance = chance or random.Random()  # noqa: S311 - jitter

    def wait(state: RetryCallState) -> float:
        wish = _wish(state)
        if wish:
            return wish
        # Also for a wish of no time at all: an overloaded server that says 0 is not helped by a burst.
        step = min(first_wait_seconds * 2.0 ** (state.attempt_number - 1), max_wait_seconds)
        return step * (0.5 + chance.random() / 2)

    def stop(state: RetryCallState) -> bool:
        spent = clock.monotonic() - started
        return state.attempt_number >= attempts or spent + state.upcoming_sleep > total_seconds

    def is_worth_another(state: RetryCallState) -> bool:
        error = _error(state)
        return isinstance(error, retry_on) and not isinstance(error, never) and (_wish(state) or 0.0) <= max_wish_seconds

    return Retrying(sleep=clock.sleep, stop=stop, wait=wait, retry=is_worth_another, reraise=True)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _wish(state: RetryCallState) -> float | None:
    wish: float | None = getattr(_error(state), "retry_after_seconds", None)
    return wish
