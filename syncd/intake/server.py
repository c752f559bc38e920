"""The server: uvicorn on sockets that are listening already, without its signals and its log."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from syncd.clock import Clock
from syncd.intake.app import Intake
from syncd.intake.limits import IntakeLimits
from syncd.intake.patience import patient_protocol
from syncd.intake.receiver import Probes, Receiver
from syncd.intake.refusals import Refusals
from syncd.intake.writer import Writer
from syncd.log import Log
from syncd.ports import Journal

_STILL_SECONDS = 30.0
"""An event loop that did not come by for so long hangs."""


def _nobody() -> None:
    """Wakes nobody."""


class _Uvicorn(uvicorn.Server):
    """A server whose process is somebody else's: signals are not its business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the handlers as they are."""
        yield


class IntakeServer:
    """One intake in this process. `run` blocks; `stop` may be called by any thread and by a signal handler."""

    def __init__(
        self,
        receivers: Sequence[Receiver],
        journal: Journal,
        clock: Clock,
        log: Log,
        *,
        wake: Callable[[], None] = _nobody,
        probes: Probes | None = None,
        limits: IntakeLimits | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            receivers: The push sources.
            journal: Where deliveries become durable; closed by the caller, after `run`.
            clock: Time of arrival, rate limits.
            log: Where refusals and losses are told.
            wake: Called in the writer's thread after each commit; must be cheap and must not raise.
            probes: What `/readyz`, `/healthz` and `/metrics` ask.
            limits: Other bounds than the usual ones, for tests.
        """
        limits = limits or IntakeLimits()
        self._writer = Writer(journal, log, limits, wake, self.stop)
        intake = Intake(receivers, self._writer, clock, Refusals(log, clock, limits.summary_seconds), probes or Probes(), limits)
        self._intake, self._clock = intake, clock
        # What uvicorn would log names clients and paths; what matters of it is counted here.
        logging.getLogger("uvicorn").propagate = False
        config = uvicorn.Config(
            intake.app(),
            http=patient_protocol(limits, intake.bodies.give_up_oldest),
            loop="uvloop",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level=logging.CRITICAL,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=2_048,
            timeout_keep_alive=max(1, int(limits.head_seconds)),
            timeout_graceful_shutdown=max(1, int(limits.drain_seconds)),
        )
        self._server = _Uvicorn(config)

    @property
    def is_started(self) -> bool:
        """Whether it answers."""
        return self._server.started

    @property
    def is_moving(self) -> bool:
        """Whether its event loop came by lately."""
        return self._clock.monotonic() - self._intake.ticked_at < _STILL_SECONDS

    def run(self, sockets: Sequence[socket.socket]) -> None:
        """Receive on listening sockets until `stop`, then finish what is under way.

        Raises:
            BaseException: Whatever ended the writer, if that is why it stopped.
        """
        self._writer.start()
        try:
            self._server.run(list(sockets))
        finally:
            self._writer.close()
        if self._writer.death is not None:
            raise self._writer.death

    def stop(self) -> None:
        """Take no more connections, finish what is under way within the drain time, and let `run` return."""
        self._server.should_exit = True
