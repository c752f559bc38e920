"""Extract: pages from the sources into the inbox, page and cursor in one step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple, Self

import msgspec

from syncd import events
from syncd.connector import Page
from syncd.errors import ContractError, SourceUnavailableError, SyncdError
from syncd.ports import DeadLetter, StoredPage
from syncd.run.context import PassContext, Source
from syncd.run.erased import without_answered
from syncd.run.feed import Arrival, Feed, Task, tasks_of
from syncd.run.outage import lose_source, regain_source
from syncd.run.rest import leave_alone, left_alone_until

PATIENCE_SECONDS = 0.05
"""How long to wait for another page when there is something to do already, but less than a round of it."""

_LOOK_SECONDS = 0.5
"""Who waits for a page looks as often whether the pass is to end."""


class _Storing(NamedTuple):
    """A page that is being stored."""

    task: Task
    page: Page
    under_way: Future[StoredPage]


class Ingested(msgspec.Struct):
    """How far one source was read in this pass. `reached_end` is False if any stream has more, or could not be read."""

    records: int = 0
    reached_end: bool = True
    recheck_seconds: float | None = None
    notices: list[str] = []
    error: str = ""


class Ingest:
    """Reads every source of a pass once; `step` stores one page. A thread stores them, one after the other in the order of coming.

    A stream's failure never stops the others: it is noted, and the pass will not end as ok. A source that asked for a little
    patience (a file still being written) is read again after it, at most `max_settle_wait_seconds` in all. A context manager.
    """

    def __init__(self, ctx: PassContext, sources: Iterable[Source]) -> None:
        """Nothing is read yet."""
        self._ctx = ctx
        self._sources = {source.name: source for source in sources}
        self._done = {name: Ingested() for name in self._sources}
        self._waited = 0.0
        self._began = ctx.clock.monotonic()
        self._last: dict[tuple[str, str, str], Page] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._storing: _Storing | None = None
        self._ahead: Arrival | None = None
        self.before_pause: Callable[[], None] = _nothing
        """Called before a pause of the pass, in which others may have their turn."""
        self._feed: Feed | None = self._begin(self._sources.values())

    @property
    def is_over(self) -> bool:
        """Whether every source was read as far as it can be in this pass."""
        return self._feed is None

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop reading. What went wrong with the page that is being stored is raised, unless something else did already."""
        try:
            if kind is None:
                self._finish_page()
        finally:
            self._close()

    def step(self, patience_seconds: float | None) -> int | None:
        """Store the next page; gives how many records wait because of it, None when nothing came in time (None: wait for it).

        The page behind it, if it has come already, is being stored from here on: the pass may do something else meanwhile.

        Raises:
            StoreError: Without state nothing is safe.
        """
        if self._storing is None:
            arrival = self._next(patience_seconds)
            if arrival is None or self._feed is None:
                return None
            if arrival.page is not None:
                self._begin_page(arrival.task, arrival.page)
            else:
                self._end_task(arrival)
                if self._feed.is_over:
                    self._feed.close()
                    self._feed = self._again()
                return 0
        waiting = self._finish_page()
        self._look_ahead()
        return waiting

    def _look_ahead(self) -> None:
        """Begin with what has come already; how a stream ended is noted by the next step, for it may pause the pass."""
        if self._feed is None or self._is_late or self._ctx.is_stopping:
            return
        arrival = self._feed.next(0.0)
        if arrival is not None and arrival.page is not None:
            self._begin_page(arrival.task, arrival.page)
        else:
            self._ahead = arrival

    @property
    def _is_late(self) -> bool:
        limit = self._ctx.scope.slice_seconds
        return limit is not None and self._ctx.clock.monotonic() - self._began >= limit

    def _next(self, patience_seconds: float | None) -> Arrival | None:
        """The next arrival; None when nothing came in time, or nothing more is to be read in this pass."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead
        while self._feed is not None:
            if (is_late := self._is_late) or self._ctx.is_stopping:
                self._break_off(is_late=is_late)
                return None
            arrival = self._feed.next(_LOOK_SECONDS if patience_seconds is None else patience_seconds)
            if arrival is not None or patience_seconds is not None:
                return arrival
        return None

    def _break_off(self, *, is_late: bool) -> None:
        """Read no further; the cursors say where it goes on. Who has given nothing in all that time is lost, and not only slow."""
        unread = list(self._feed.unread) if self._feed is not None else []
        heard = {name for name, _, _ in self._last}
        self._close()
        for task in unread:
            name = task.source.name
            self._done[name].reached_end = False
            if not is_late:
                continue
            if name in heard:
                self._ctx.sliced.add(name)
            else:
                slow = f"It gave nothing within {self._ctx.scope.slice_seconds:.0f} s."
                self._lose(task, SourceUnavailableError(slow, advice="It is tried again with the next run."))
        for name, done in self._done.items():
            self._finish(name, done)

    def _close(self) -> None:
        """Stop reading; the page that is being stored is let through."""
        self._pool.shutdown(wait=True)
        if self._feed is not None:
            self._feed.close()
            self._feed = None

    def _begin(self, sources: Iterable[Source]) -> Feed | None:
        until = self._ctx.clock.now()
        due = [source for source in sources if self._is_due(source, until)]
        tasks = [task for source in due for task in tasks_of(self._ctx, source, until)]
        self._last = {}
        if tasks:
            return Feed(self._ctx, tasks)
        for name, done in self._done.items():
            self._finish(name, done)
        return None

    def _is_due(self, source: Source, now: datetime) -> bool:
        """Whether the vendor has not asked to be left alone for longer than a pass waits."""
        asked = left_alone_until(self._ctx.store, source.name, now)
        if asked is None:
            return True
        done = self._done[source.name]
        done.reached_end = False
        done.error = f"It asked to be left alone until {asked.isoformat()}."
        return False

    def _begin_page(self, task: Task, page: Page) -> None:
        """Have a page stored by the thread, if there is anything to store: most of that is waiting for the disk and other writers."""
        ctx, name = self._ctx, task.source.name
        done = self._done[name]
        place = (name, task.stream, task.partition)
        before = self._last[place].cursor if place in self._last else task.cursor
        self._last[place] = page
        done.notices.extend([page.notice] if page.notice else [])
        if page.records or page.rejects or page.cursor != before:
            kept = without_answered(ctx, name, task.stream, page)
            kept = msgspec.structs.replace(kept, partition=task.partition) if task.partition else kept
            self._storing = _Storing(task, kept, self._pool.submit(self._put, task, kept, ctx.clock.now()))

    def _put(self, task: Task, page: Page, at: datetime) -> StoredPage:
        """Runs in the thread."""
        ctx, source = self._ctx, task.source
        with ctx.watch.stage("inbox"):
            return ctx.store.put_page(ctx.run_id, source.name, task.stream, page, task.lane, at, source.start_from)

    def _finish_page(self) -> int:
        """Wait for the page that is being stored; gives how many records wait because of it, 0 if there is none."""
        if self._storing is None:
            return 0
        task, page, under_way = self._storing
        self._storing = None
        stored = under_way.result()
        ctx, name = self._ctx, task.source.name
        done = self._done[name]
        done.records += stored.held
        ctx.log.debug(events.PAGE_STORED, source=name, stream=task.stream, count=len(page.records))
        for reason, count in Counter(reject.reason for reject in page.rejects).items():
            ctx.log.warning(events.RECORD_DEAD_LETTERED, source=name, stage="extract", reason=reason, count=count)
        ctx.progress("pulled", {name: done.records})
        return stored.waiting

    def _end_task(self, arrival: Arrival) -> None:
        """The stream counts as read only when its last page says so."""
        task, error = arrival.task, arrival.error
        done = self._done[task.source.name]
        last = self._last.get((task.source.name, task.stream, task.partition))
        if error is not None:
            self._lose(task, error)
        elif task.partition and last is not None and (last.is_last or last.recheck_seconds is not None):
            # What is still being written came after the range.
            self._ctx.store.end_backfill(task.source.name, task.stream, task.partition)
        elif last is None or not last.is_last:
            done.reached_end = False
            if last is not None and last.recheck_seconds is not None:
                done.recheck_seconds = max(last.recheck_seconds, done.recheck_seconds or 0.0)

    def _lose(self, task: Task, error: Exception) -> None:
        ctx, name = self._ctx, task.source.name
        is_expected = isinstance(error, SyncdError)
        done = self._done[name]
        done.reached_end = False
        done.error = str(error) if is_expected else f"The connector of {name} failed unexpectedly."
        if isinstance(error, ContractError | SourceUnavailableError) and error.page:
            ctx.store.put_dead_letters([_unread_page(ctx, task, error)])
        leave_alone(ctx, name, getattr(error, "retry_after_seconds", None))
        lose_source(ctx, name, task.stream, error, done.error)

    def _again(self) -> Feed | None:
        """Whoever asked for patience is read once more, while there is patience left; the others are finished here."""
        ctx = self._ctx
        asking = {name: done for name, done in self._done.items() if done.recheck_seconds is not None and not done.error}
        pause = max([0.2, *(done.recheck_seconds or 0.0 for done in asking.values())])
        if asking and self._waited + pause <= ctx.settings.max_settle_wait_seconds:
            ctx.progress("waiting", {name: round(pause) for name in asking})
            self.before_pause()
            ctx.pause(pause)
            self._waited += pause
            for name in asking:
                self._done[name] = Ingested(records=self._done[name].records)
            return self._begin([self._sources[name] for name in asking])
        for name, done in self._done.items():
            self._finish(name, done)
        return None

    def _finish(self, name: str, done: Ingested) -> None:
        ctx = self._ctx
        has_answered = done.reached_end or done.records > 0
        if not done.error and has_answered and regain_source(ctx, name):
            ctx.store.close_page_letters(name)
        # What a source had to say is for whoever looks, also when everything was read.
        said = "; ".join(dict.fromkeys(done.notices))
        if has_answered and said != (ctx.store.setting(notice_of(name)) or ""):
            ctx.store.put_setting(notice_of(name), said)
        if not done.reached_end:
            ctx.unread.add(name)
            ctx.miss(f"{name}: {done.error or '; '.join(dict.fromkeys(done.notices)) or 'not read to its end'}")
            # What is lost was said once, however long it stays so; a slice, or a stop, breaks off on purpose.
            is_meant = ctx.scope.slice_seconds or ctx.is_stopping
            say = ctx.log.debug if done.error else ctx.log.info if is_meant else ctx.log.warning
            say(events.STREAM_UNFINISHED, source=name, stage="extract")


def _nothing() -> None: ...


def notice_of(name: str) -> str:
    """The setting that holds what a source had to say when it was last read."""
    return f"notice:{name}"


def _unread_page(ctx: PassContext, task: Task, error: ContractError | SourceUnavailableError) -> DeadLetter:
    """The page that could not be read, kept as it came; the cursor has not moved, so it is asked for again."""
    return DeadLetter(
        kind="page",
        stage="extract",
        reason="unreadable_page",
        message=str(error),
        source=task.source.name,
        stream=task.stream,
        payload=error.page,
        run_id=ctx.run_id,
        at=ctx.clock.now(),
    )
