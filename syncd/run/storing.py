"""Resolved batches on their way to the store, in a thread of their own and in the order of coming.

Those that wait at the same time share one transaction: a commit writes every page that any of its leads has touched, most of them pages
of indexes on random keys, and the more leads share it the fewer pages there are for each.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from syncd.errors import ClaimConflictError

_MOST_TOGETHER = 4
"""Batches of one transaction: whoever waits for the store meanwhile waits some 0.2 s."""

_Batch = TypeVar("_Batch")


class Storing(Generic[_Batch]):
    """Stores batches that are about different people, and tells of each by its future."""

    def __init__(self, write: Callable[[Sequence[_Batch]], None]) -> None:
        """`write` stores all it is given, or raises and stores nothing."""
        self._write = write
        self._lock = threading.Lock()
        self._waiting: deque[tuple[_Batch, Future[None]]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="resolved")

    def submit(self, batch: _Batch) -> Future[None]:
        """Have a batch stored; the future ends when it is on the disk, or with what went wrong."""
        told: Future[None] = Future()
        with self._lock:
            self._waiting.append((batch, told))
        self._pool.submit(self._store_next)
        return told

    def close(self) -> None:
        """Let what was submitted end."""
        self._pool.shutdown(wait=True)

    def _store_next(self) -> None:
        """What waits; nothing if an earlier turn has taken it along."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]
        if not taken:
            return
        try:
            self._write([batch for batch, _ in taken])
        except ClaimConflictError as error:
            if len(taken) == 1:
                taken[0][1].set_exception(error)
                return
            # One of them concerns somebody who is known by now. The others are about other people.
            for one in taken:
                self._store_alone(*one)
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits for it
            for _, told in taken:
                told.set_exception(error)
        else:
            for _, told in taken:
                told.set_result(None)

    def _store_alone(self, batch: _Batch, told: Future[None]) -> None:
        try:
            self._write([batch])
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits for it
            told.set_exception(error)
        else:
            told.set_result(None)
