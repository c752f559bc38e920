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
        self._given_up: set[asyncio.Timeout] = set()

    async def read(self, receive: Receive, most: int) -> bytes:
        """A whole body.

        Raises:
            RefusedError: `too_large`, `slow_body` (also when others need the room it takes), `broken_off`.
        """
        body = bytearray()
        mark = object()
        try:
            async with asyncio.timeout(self._limits.body_seconds) as self._patience[mark]:
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
                    if self._bytes > self._limits.reading_bytes:
                        self.give_up_oldest()
        except TimeoutError as error:
            raise RefusedError("slow_body", 408, CLOSE) from error
        finally:
            self._bytes -= len(body)
            self._given_up.discard(self._patience.pop(mark))

    def give_up_oldest(self) -> bool:
        """Lose patience with the body that has come in for longest; False when none comes in.

        Whoever needs the room of everybody is the one who takes his time with it.
        """
        for patience in self._patience.values():
            # One that was given up already is gone with the loop's next step.
            if not patience.expired() and patience not in self._given_up:
                self._given_up.add(patience)
                patience.reschedule(asyncio.get_running_loop().time())
                return True
        return False
