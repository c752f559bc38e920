"""Pages from several sources at once: each source is read by a thread of its own, a few pages ahead of who stores them.

The threads only wait for vendors and take their answers apart; the store is none of their business. So a slow source never
holds up another, and the cursor moves with the page that is stored, in the order in which its source gave it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec

from syncd.connector import Page
from syncd.model import Lane
from syncd.run.context import PassContext, Source

PAGES_AHEAD = 4
"""Raw pages that wait to be stored, over all sources (DESIGN 7); each source's thread holds at most one more."""

_POLL_SECONDS = 0.1
_GOODBYE_SECONDS = 2.0


class Task(msgspec.Struct, frozen=True):
    """One stream to read: from `cursor`, up to `until`. A back-fill has a cursor of its own, under the name `partition`."""

    source: Source
    stream: str
    cursor: Mapping[str, Any] | None
    until: datetime
    partition: str = ""
    lane: Lane = Lane.INCREMENT


class Arrival(msgspec.Struct, frozen=True):
    """What a thread hands over: a page of a task, or with `is_over` how the task ended (`error` None: as it should)."""

    task: Task
    page: Page | None = None
    is_over: bool = False
    error: Exception | None = None


class Feed:
    """Reads tasks, one thread per source; a context manager."""

    def __init__(self, ctx: PassContext, tasks: Sequence[Task]) -> None:
        """Begin to read."""
        self._ctx = ctx
        self._arrivals: queue.Queue[Arrival | BaseException] = queue.Queue()
        self._room = threading.Semaphore(PAGES_AHEAD)
        self._is_closed = threading.Event()
        self._open = list(tasks)
        by_source: dict[str, list[Task]] = {}
        for task in tasks:
            by_source.setdefault(task.source.name, []).append(task)
        self._threads = [
            threading.Thread(target=self._read, args=(mine,), name=f"pull-{name}", daemon=True)
            for name, mine in by_source.items()
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Read no further; pages that nobody stored come again, their cursor has not moved."""
        self._is_closed.set()
        end = self._ctx.clock.monotonic() + _GOODBYE_SECONDS
        for thread in self._threads:
            # A thread in the middle of a vendor's long wait is left to itself: it holds nothing.
            thread.join(max(0.0, end - self._ctx.clock.monotonic()))

    @property
    def is_over(self) -> bool:
        """Whether every task has ended and everything was handed over."""
        return not self._open

    @property
    def unread(self) -> Sequence[Task]:
        """Tasks that have not ended."""
        return self._open

    def next(self, patience_seconds: float | None) -> Arrival | None:
        """The next arrival in the order of coming; None when all is over, or nothing came in time (None: wait for it).

        Raises whatever a thread died of that is no error of its source.
        """
        if self.is_over:
            return None
        try:
            found = self._arrivals.get(timeout=patience_seconds)
        except queue.Empty:
            return None
        if isinstance(found, BaseException):
            raise found
        if found.is_over:
            self._open.remove(found.task)
        else:
            self._room.release()
        return found

    def _read(self, tasks: Sequence[Task]) -> None:
        try:
            for task in tasks:
                if not self._read_task(task):
                    return
        except BaseException as died:  # noqa: BLE001 - handed over to the thread that waits for this one
            self._arrivals.put(died)

    def _read_task(self, task: Task) -> bool:
        """Read one stream to its end or to its error; False when the feed was closed meanwhile."""
        error: Exception | None = None
        source = task.source
        try:
            reader = source.reader
            pages = iter(reader.pull(source.session, source.options, task.stream, task.cursor, task.until) if reader else ())
            while True:
                with self._ctx.watch.stage("fetch"):
                    page = next(pages, None)
                if page is None:
                    break
                if not self._has_room():
                    return False
                self._arrivals.put(Arrival(task, page))
        except Exception as failed:  # noqa: BLE001 - the stream boundary of STYLE 4: a connector's bug stops its stream only
            error = failed
        self._arrivals.put(Arrival(task, is_over=True, error=error))
        return True

    def _has_room(self) -> bool:
        while not self._room.acquire(timeout=_POLL_SECONDS):
            if self._is_closed.is_set():
                return False
        if self._is_closed.is_set():
            self._room.release()
            return False
        return True


def tasks_of(ctx: PassContext, source: Source, until: datetime) -> list[Task]:
    """What is to be read of a source: every stream from its cursor, and the back-fills that were asked for and are not done.

    As far as the pass takes them on; a source that sends by itself is not read at all.
    """
    tasks: list[Task] = []
    if source.reader is None:
        return tasks
    for stream in source.reader.streams(source.options):
        if ctx.scope.reads_live:
            tasks.append(Task(source, stream, ctx.store.cursor(source.name, stream), until))
        if not ctx.scope.reads_ranges:
            continue
        tasks.extend(
            # A connector leaves out what is younger than its settling time: the range means what lay in it, settled since.
            Task(
                source,
                stream,
                one.cursor,
                min(one.until + timedelta(seconds=source.session.settle_seconds), until),
                one.partition,
                Lane.BACKFILL,
            )
            for one in ctx.store.backfills(source.name, stream)
        )
    return tasks
