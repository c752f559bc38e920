"""Connections with an end: uvicorn's protocol waits for ever for a request's head, and for a body that was answered early.

A subclass of what uvicorn documents as `http=`; it adds a clock to the connection and changes nothing of the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from syncd.intake.limits import IntakeLimits


class PatientProtocol(HttpToolsProtocol):
    """A connection that ends when it does not bring a whole head in time, or too large a one.

    What is left of a body after an early answer (413, 429) is read and dropped for as long, so that its sender sees the answer.
    When there are too many connections, the one goes that has waited longest without asking for anything, or whose body has
    come in for longest: whoever holds connections open takes them from himself, not from those who ask.
    """

    limits: ClassVar[IntakeLimits]
    give_up_body: ClassVar[tuple[Callable[[], bool]]]
    """Ends the request whose body has come in for longest; False if there is none. (In a tuple, or it would be a method.)"""
    idle: ClassVar[dict[HttpToolsProtocol, None]]
    """Those of this server that ask for nothing now, oldest first."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """As uvicorn makes it."""
        super().__init__(*args, **options)
        self._alarm: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._is_in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait; make room for it if there are too many."""
        super().connection_made(transport)
        self._wait_for_head()
        if len(self.connections) > self.limits.connections:
            oldest = next(iter(self.idle))
            if oldest is not self or not self.give_up_body[0]():
                oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._end_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on, and count what is no whole head yet."""
        was_in_body = self._is_in_body
        super().data_received(data)
        if self._alarm is None or was_in_body or self._is_in_body:
            return
        self._head_bytes += len(data)
        if self._head_bytes > self.limits.head_bytes:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """A whole head: from now on the body has its own time."""
        self._end_waiting()
        self._is_in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is complete, whether anybody wanted it or not."""
        self._is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next head, unless one is here already."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._wait_for_head()

    def _wait_for_head(self) -> None:
        self._end_waiting()
        self._head_bytes = 0
        self.idle[self] = None
        self._alarm = self.loop.call_later(self.limits.head_seconds, self._give_up)

    def _end_waiting(self) -> None:
        self.idle.pop(self, None)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _give_up(self) -> None:
        self._end_waiting()
        self.transport.close()


def patient_protocol(given: IntakeLimits, give_up: Callable[[], bool]) -> type[PatientProtocol]:
    """The protocol of one server, with its limits and its own list of those that wait."""

    class OfOneServer(PatientProtocol):
        limits = given
        give_up_body = (give_up,)
        idle: ClassVar[dict[HttpToolsProtocol, None]] = {}

    return OfOneServer
