"""Access tokens of one source: fetched by one thread at a time, kept until shortly before they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from syncd.clock import Clock
from syncd.model.secret import Secret

_EARLY_SECONDS = 60.0
"""A token that ends within this is not begun with: the call may take as long."""
_FRESH_SECONDS = 10.0
"""A token this young is not what was refused: another thread has fetched it meanwhile, and some vendors let a newer one end it."""


class _Token(Protocol):
    """`syncd.connector.Token`, which this floor does not know."""

    @property
    def value(self) -> Secret: ...

    @property
    def expires_in_seconds(self) -> float | None: ...

    @property
    def refresh(self) -> Secret | None: ...

    @property
    def refresh_expires_in_seconds(self) -> float | None: ...


class Keeper(Protocol):
    """Where a refresh token is kept over restarts."""

    def kept(self) -> Secret | None:
        """What was kept last, None for nothing."""
        ...

    def keep(self, refresh: Secret, expires_in_seconds: float | None) -> None:
        """Durable when it returns: the one before is worth nothing any more."""
        ...


class TokenCache:
    """`syncd.connector.Tokens`. Safe for threads."""

    def __init__(self, clock: Clock, keeper: Keeper) -> None:
        """Nothing is fetched yet."""
        self._clock = clock
        self._keeper = keeper
        self._fetching = threading.Lock()
        self._token: Secret | None = None
        self._ends_at: float | None = None
        self._fetched_at = 0.0

    def __repr__(self) -> str:
        """Without a token."""
        return "<TokenCache>"

    def get(self, make: Callable[[Secret | None], _Token], *, is_refused: bool = False) -> Secret:
        """The current access token; see `syncd.connector.Tokens`."""
        with self._fetching:
            is_fresh = self._clock.monotonic() - self._fetched_at < _FRESH_SECONDS
            if self._token is not None and not self._is_ending() and (is_fresh or not is_refused):
                return self._token
            made = make(self._keeper.kept())
            if made.refresh is not None:
                self._keeper.keep(made.refresh, made.refresh_expires_in_seconds)
            lasts = made.expires_in_seconds
            self._fetched_at = self._clock.monotonic()
            self._ends_at = None if lasts is None else self._fetched_at + lasts
            self._token = made.value
            return made.value

    def _is_ending(self) -> bool:
        return self._ends_at is not None and self._clock.monotonic() >= self._ends_at - _EARLY_SECONDS
