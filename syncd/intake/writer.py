"""Group commit: one thread stores whatever waits with one `put`, and only then the answers go out (docs/adr/0014-intake.md)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from syncd import events
from syncd.errors import StoreError
from syncd.intake.limits import IntakeLimits
from syncd.intake.refusals import RefusedError
from syncd.log import Log
from syncd.model import Delivery
from syncd.ports import Journal

_MOST_PER_COMMIT = 500
"""Deliveries: a transaction of that many takes some 10 ms, so nobody behind it waits for long."""

_Waiting = tuple[Delivery, "asyncio.Future[None]"]


class Writer:
    """Stores deliveries for one event loop. `store` is for the loop, everything else for any thread."""

    def __init__(
        self,
        journal: Journal,
        log: Log,
        limits: IntakeLimits,
        wake: Callable[[], None],
        on_death: Callable[[], None],
    ) -> None:
        """`wake` is called after each commit; `on_death` when the thread ends by a bug, which `death` then holds."""
        self._journal = journal
        self._log = log
        self._limits = limits
        self._wake = wake
        self._on_death = on_death
        self._came = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._count = 0
        self._bytes = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="intake-writer", daemon=True)
        self.is_storing = True
        self.death: BaseException | None = None

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def close(self) -> None:
        """Store what waits, then end."""
        with self._came:
            self._is_closed = True
            self._came.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def waiting(self) -> tuple[int, int]:
        """Deliveries that are not committed yet, and their bytes."""
        with self._came:
            return self._count, self._bytes

    async def store(self, delivery: Delivery) -> None:
        """Wait until it is durable.

        Raises:
            RefusedError: Too much waits (`overloaded`), or it could not be stored (`not_stored`).
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        size = len(delivery.body)
        with self._came:
            is_full = self._count >= self._limits.waiting_count or self._bytes + size > self._limits.waiting_bytes
            if self._is_closed or self.death is not None or (is_full and self._count):
                raise self._refusal("overloaded")
            self._waiting.append((delivery, future))
            self._count += 1
            self._bytes += size
            self._came.notify()
        await future

    def _refusal(self, reason: str) -> RefusedError:
        return RefusedError(reason, 503, {"retry-after": str(self._limits.retry_seconds)})

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                if batch:
                    self._answer(batch, self._put(batch))
                else:
                    self._probe()
        except BaseException as error:  # noqa: BLE001 - whatever it was: nobody may wait for ever, and the process must end
            with self._came:
                self.death = error
                left, self._waiting = self._waiting, []
            self._answer(left, self._refusal("not_stored"))
            self._on_death()

    def _next(self) -> list[_Waiting] | None:
        """What is to be stored now: empty when it is time to look whether storing works again, None at the end."""
        with self._came:
            while not self._waiting:
                if self._is_closed:
                    return None
                # The first of a quiet time is stored at once; whoever comes during its commit shares the next one.
                if not self._came.wait(None if self.is_storing else self._limits.probe_seconds):
                    return []
            batch, self._waiting = self._waiting[:_MOST_PER_COMMIT], self._waiting[_MOST_PER_COMMIT:]
            return batch

    def _put(self, batch: Sequence[_Waiting]) -> RefusedError | None:
        try:
            self._journal.put([delivery for delivery, _ in batch])
        except StoreError as error:
            self._note(error)
            return self._refusal("not_stored")
        except BaseException:
            self._answer(batch, self._refusal("not_stored"))
            raise
        self._note(None)
        self._wake()
        return None

    def _probe(self) -> None:
        # Nobody may come while /readyz says no, so it is found out without anybody.
        try:
            self._journal.probe()
        except StoreError as error:
            self._note(error)
        else:
            self._note(None)

    def _note(self, error: StoreError | None) -> None:
        if (error is None) == self.is_storing:
            return
        self.is_storing = error is None
        if error is None:
            self._log.info(events.INTAKE_RECOVERED)
        else:
            self._log.error(events.INTAKE_LOST, error_type=type(error).__name__, reason=error.reason)

    def _answer(self, batch: Sequence[_Waiting], refused: RefusedError | None) -> None:
        if not batch:
            return
        with self._came:
            self._count -= len(batch)
            self._bytes -= sum(len(delivery.body) for delivery, _ in batch)
        futures = [future for _, future in batch]
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            futures[0].get_loop().call_soon_threadsafe(_settle, futures, refused)


def _settle(futures: Sequence[asyncio.Future[None]], refused: RefusedError | None) -> None:
    for future in futures:
        if future.done():  # its request was cancelled at the end of the drain
            continue
        if refused is None:
            future.set_result(None)
        else:
            future.set_exception(RefusedError(refused.reason, refused.status, refused.headers))
