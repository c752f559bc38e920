"""What is to be done next, and by which lane: sources that are due, and which are busy. Safe for threads; nothing here does any work."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Agenda:
    """Sources that are due, busy or paused; a source is in one pass at a time (G3: its pages come in order)."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._changed = threading.Condition()
        self._due: set[str] = set()
        self._busy: set[str] = set()
        self._paused: frozenset[str] = frozenset()

    def mark_due(self, name: str) -> None:
        """It is time to read a source."""
        with self._changed:
            self._due.add(name)
            self._changed.notify_all()

    def set_paused(self, names: Iterable[str]) -> None:
        """Leave these sources alone from now on, and no others. What is due of them stays due."""
        with self._changed:
            self._paused = frozenset(names)
            self._changed.notify_all()

    @property
    def paused(self) -> frozenset[str]:
        """Sources that are left alone."""
        return self._paused

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until something may have changed."""
        with self._changed:
            self._changed.wait(seconds)

    @contextmanager
    def due(self, but_for: Iterable[str] = ()) -> Iterator[list[str]]:
        """Everything that is due and free, busy until the end of the block; may be empty. `but_for` is another lane's business."""
        with self._changed:
            taken = sorted(self._due - self._busy - self._paused - set(but_for))
            self._due -= set(taken)
            self._busy |= set(taken)
        try:
            yield taken
        finally:
            self._free(taken)

    @contextmanager
    def claim(self, names: Iterable[str], seconds: float) -> Iterator[bool]:
        """These sources, busy until the end of the block; False if they were not free in time."""
        wanted = set(names)
        with self._changed:
            is_free = self._changed.wait_for(lambda: not (wanted & self._busy), seconds)
            if is_free:
                self._busy |= wanted
        try:
            yield is_free
        finally:
            if is_free:
                self._free(wanted)

    def _free(self, names: Iterable[str]) -> None:
        with self._changed:
            self._busy -= set(names)
            self._changed.notify_all()
