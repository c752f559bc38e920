"""Pages of one list asked for before their turn, each by a thread of its own, taken in their order.

The threads only ask; how many calls are really under way at once is the vendor's limit, which the way to the vendor keeps. Whoever
takes a page judges whether it goes on where the one before ended (`walk`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Answers by offset that nobody has looked at yet. Used by one thread."""

    def __init__(self, ask: Callable[[int], T], *, size: int, overlap: int, at_most: int) -> None:
        """Nothing is asked yet. The page at 0 is there; each further one begins `overlap` rows early. `at_most` wait to be taken."""
        self._ask = ask
        self._overlap, self._step, self._at_most = overlap, size - overlap, at_most
        self._next = self._step
        self._waiting: deque[tuple[int, Future[T]]] = deque()

    def fill(self, total: int) -> None:
        """Ask for what may be asked for of a list that has `total` rows."""
        while len(self._waiting) < self._at_most and self._next + self._overlap < total:
            future: Future[T] = Future()
            # A daemon: one in the middle of a vendor's long wait is left to itself when nobody reads on; it holds nothing.
            threading.Thread(target=self._answer, args=(self._next, future), name="page-ahead", daemon=True).start()
            self._waiting.append((self._next, future))
            self._next += self._step

    def first(self) -> tuple[int, T] | None:
        """The offset and answer of the first page, waited for, None if none was asked for; raises what asking for it raised."""
        if not self._waiting:
            return None
        offset, future = self._waiting[0]
        return offset, future.result()

    def drop(self) -> None:
        """The first page is done with."""
        self._waiting.popleft()

    def _answer(self, offset: int, future: Future[T]) -> None:
        try:
            future.set_result(self._ask(offset))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that takes the page
            future.set_exception(error)
