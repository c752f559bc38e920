"""Where the refresh token of a source is kept: in the store, because the vendor takes the configured one once only.

Whoever can read the store can use it; it is as secret as the configuration. Part of the house that wiring builds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from syncd.clock import Clock
from syncd.model.secret import Secret
from syncd.ports import Store


class _Kept(msgspec.Struct):
    refresh: str
    made_of: str = ""
    expires_at: datetime | None = None


class KeptToken:
    """`syncd.http.tokens.Keeper` of one source. Opens the store only when there is something to be read or kept."""

    def __init__(self, store: Callable[[], Store], source: str, clock: Clock, configured: Secret | None = None) -> None:
        """Nothing is read yet. What was kept in exchange for another token than `configured` is worth nothing: somebody has logged in anew."""
        self._store = store
        self._name = f"refresh:{source}"
        self._clock = clock
        self._made_of = sha256(configured.reveal().encode()).hexdigest() if configured is not None else ""

    def kept(self) -> Secret | None:
        """What was kept last, None for nothing."""
        found = self._found()
        return None if found is None else Secret(found.refresh, "kept in the store")

    @property
    def expires_at(self) -> datetime | None:
        """When it ends, None if the vendor did not say."""
        found = self._found()
        return None if found is None else found.expires_at

    def keep(self, refresh: Secret, expires_in_seconds: float | None) -> None:
        """Keep it in place of the one before. Writes the store."""
        now = self._clock.now()
        ends = None if expires_in_seconds is None else now + timedelta(seconds=expires_in_seconds)
        document = msgspec.json.encode(_Kept(refresh.reveal(), self._made_of, ends)).decode()
        self._store().put_credential(self._name, document, now)

    def _found(self) -> _Kept | None:
        text = self._store().credential(self._name)
        found = None if text is None else msgspec.json.decode(text, type=_Kept)
        return found if found is not None and found.made_of == self._made_of else None
