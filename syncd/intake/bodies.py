"""Reads the bodies of requests: bounded each, bounded all together, and bounded in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from syncd.intake.limits import IntakeLimits
from syncd.intake.refusals import RefusedError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

CLOSE = {"connection": "close"}
"""For an answer after which nothing more is wanted from this connection."""


class Bodies:
    """All bodies that are coming in now. For one event loop."""

    def __init__(self, limits: IntakeLimits) -> None:
        """None comes in."""
        self._limits = limits
        self._bytes = 0
        self._patience: dict[object, asyncio.Timeout] = {}  # oldest first

    async def read(self, receive: Receive, most: int) -> bytes:
        """A whole body.

        Raises:
            RefusedError: `too_large`, `slow_body` (also when others need the room it takes), `broken_off`.
        """
        body = bytearray()
        mark = object()
        try:
            async with asyncio.timeout(self._limits.body_seconds) as patience:
                self._patience[mark] = patience
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RefusedError("broken_off", 400)
                    part = message.get("body", b"")
                    body += part
                    self._bytes += len(part)
                    if len(body) > most:
                        raise RefusedError("too_large", 413)
                    if not message.get("more_body", False):
                        return bytes(body)
                    self._make_room()
        except TimeoutError as error:
            raise RefusedError("slow_body", 408, CLOSE) from error
        finally:
            self._bytes -= len(body)
            self._patience.pop(mark, None)

    def _make_room(self) -> None:
        """Lose patience with the oldest: a sender of that many bytes in that time is the one that others wait for."""
        if self._bytes > self._limits.reading_bytes:
            _, oldest = next(iter(self._patience.items()))
            if not oldest.expired():
                oldest.reschedule(asyncio.get_running_loop().time())
