"""Short writes that wait for their turn at the same time share one transaction: bringing it to the disk costs more than the writes.

Each of them returns when that transaction is committed, so what it has written is as durable as if it had been alone. Only on
SQLite, where one writes at a time: PostgreSQL brings the commits of several connections to the disk together by itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from sqlalchemy import Connection

from syncd.store.engine import Database

_MOST_ROWS = 1_000
"""In one transaction: they fit into 20 ms (DESIGN 4)."""


class _Wish:
    """One write that waits; `error` is why its transaction was not committed."""

    def __init__(self, work: Callable[[Connection], None], rows: int) -> None:
        self.work = work
        self.rows = rows
        self.is_over = threading.Event()
        self.error: BaseException | None = None


class Together:
    """Carries out writes of several threads. Safe for threads.

    What one of them raises undoes the whole transaction, and everybody who shares it hears of it: for writes that fail only where
    the store is lost as a whole.
    """

    def __init__(self, db: Database) -> None:
        """Nobody waits."""
        self._db = db
        self._lock = threading.Lock()
        self._waiting: deque[_Wish] = deque()

    def write(self, work: Callable[[Connection], None], rows: int) -> None:
        """Have `work` done, which writes so many rows, and wait until it is committed."""
        if not self._db.is_sqlite:
            with self._db.write() as connection:
                work(connection)
            return
        mine = _Wish(work, rows)
        with self._lock:
            self._waiting.append(mine)
        # Whoever has the turn first takes the others along, perhaps this one.
        while not mine.is_over.is_set():
            self._carry_out(mine)
        if mine.error is not None:
            raise mine.error

    def _carry_out(self, mine: _Wish) -> None:
        """One transaction for what waits; where that is nothing, somebody else has just done `mine`, or failed to."""
        taken: list[_Wish] = []
        try:
            with self._db.write() as connection:
                taken = self._take()
                for one in taken:
                    one.work(connection)
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits for it
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    taken.append(mine)
            _end(taken, error)
            return
        _end(taken, None)
        if not taken:
            mine.is_over.wait()

    def _take(self) -> list[_Wish]:
        """The next wishes, as many as fit."""
        taken: list[_Wish] = []
        with self._lock:
            room = _MOST_ROWS
            while self._waiting and (not taken or self._waiting[0].rows <= room):
                one = self._waiting.popleft()
                room -= one.rows
                taken.append(one)
        return taken


def _end(wishes: list[_Wish], error: BaseException | None) -> None:
    for one in wishes:
        one.error = error
        one.is_over.set()
