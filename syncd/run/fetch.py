"""What a source said is there is asked for: notifications that name a record become that record (G1).

The calls are made by threads; what they bring is stored by whoever asks `step`. A notification is forgotten only when its record is
in the inbox, or set aside: after a crash it is asked for again, and the inbox knows what it has.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from syncd import events
from syncd.connector import FetchingConnector, Page, Record, Reject, Unwanted
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, StoreError, SyncdError
from syncd.model import NOT_FETCHED, NOT_THERE, Lane, RecordRef
from syncd.ports import WantedRow
from syncd.run.context import PassContext, Source
from syncd.run.erased import without_answered
from syncd.run.outage import FETCH, lose_source, regain_source
from syncd.run.rest import leave_alone, left_alone_until

HOOK = "hook"
"""Partition of what was sent: the cursor of what is pulled is none of its business."""
CALLS_PER_SOURCE = 4
"""Under way at once, so that one source that does not answer holds up no other; each source's own limits hold besides."""

_WAITS_SECONDS = (5, 15, 60, 300, 900, 3600)
"""Between two tries for a record that its source does not have, or that cannot be read."""
_PATIENCE = timedelta(days=1)
"""After this nobody believes any more that it will come; the source's next poll may still bring it."""
_RESTS_SECONDS = (15, 60, 300)
"""How long a source is left alone that cannot be asked at all."""
_LOOK_SECONDS = 0.5


class _Brought(NamedTuple):
    row: WantedRow
    found: Record | Reject | Unwanted | None
    error: BaseException | None


class _Rest(NamedTuple):
    times: int
    until: datetime


def _nobody() -> None:
    """Whoever is not asleep need not be woken."""


class Fetcher:
    """Asks for what is wanted. Used by one thread; outlives the runs that store what comes, so that nothing is asked for twice at once."""

    def __init__(self, wake: Callable[[], None] = _nobody) -> None:
        """Nothing is asked for yet; `wake` is called from other threads when something has come."""
        self._wake = wake
        self._under_way: set[RecordRef] = set()
        self._brought: queue.Queue[_Brought] = queue.Queue()
        self._has_come = threading.Event()
        self._rests: dict[str, _Rest] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    def wait(self, seconds: float) -> None:
        """Wait until something has come, or nothing in time."""
        if self._under_way:
            self._has_come.wait(seconds)

    def step(self, ctx: PassContext, names: Sequence[str]) -> int:
        """Store what has come, and ask for what is due of these sources of the pass; gives how many were settled. Writes the store.

        Raises:
            StoreError: Without state nothing is safe.
        """
        settled = self._store_brought(ctx)
        for name in names if not ctx.is_stopping else ():
            self._ask_for(ctx, ctx.sources[name])
        return settled

    def finish(self, ctx: PassContext, names: Sequence[str]) -> None:
        """Until nothing of these sources is due or under way; what stays wanted was missed. Writes the store."""
        self.step(ctx, names)
        while self._under_way and not ctx.is_stopping:
            with ctx.turn.aside():
                self.wait(_LOOK_SECONDS)
            self.step(ctx, names)
        counts = ctx.store.wanted_counts()
        for name in names:
            if counts.get(name):
                ctx.miss(f"{name}: {counts[name]} announced records are still to be asked for")

    # ------------------------------------------------------------------ asking

    def _ask_for(self, ctx: PassContext, source: Source) -> None:
        if not isinstance(source.connector, FetchingConnector):
            return
        busy = {ref for ref in self._under_way if ref.source == source.name}
        # Whether a source that did not answer does so again, one call finds out.
        room = (1 if source.name in self._rests else CALLS_PER_SOURCE) - len(busy)
        if room <= 0:
            return
        now = ctx.clock.now()
        # Whoever is under way is still due: with as many rows as calls there is one for each that is free.
        rows = [one for one in ctx.store.take_wanted(now, CALLS_PER_SOURCE, [source.name]) if one.ref not in busy][:room]
        if not rows:
            return
        until = self._rest_of(ctx, source.name, now)
        if until is not None:
            ctx.store.hold_wanted(source.name, until)
            return
        for row in rows:
            self._under_way.add(row.ref)
            threading.Thread(target=self._ask, args=(source, row), name=f"fetch-{source.name}", daemon=True).start()

    def _ask(self, source: Source, row: WantedRow) -> None:
        found: Record | Reject | Unwanted | None = None
        failed: BaseException | None = None
        try:
            found = _fetched(source, row)
        except BaseException as error:  # noqa: BLE001 - the record boundary of STYLE 4; what is no Exception is handed over
            failed = error
        self._brought.put(_Brought(row, found, failed))
        self._has_come.set()
        self._wake()

    # ------------------------------------------------------------------ storing

    def _store_brought(self, ctx: PassContext) -> int:
        self._has_come.clear()
        settled = 0
        while True:
            try:
                one = self._brought.get_nowait()
            except queue.Empty:
                return settled
            self._under_way.discard(one.row.ref)
            settled += self._store(ctx, one)

    def _store(self, ctx: PassContext, one: _Brought) -> int:
        ref, error = one.row.ref, one.error
        if error is not None and (isinstance(error, StoreError) or not isinstance(error, Exception)):
            raise error
        if isinstance(error, AuthError | RateLimitedError | SourceUnavailableError):
            self._lose(ctx, one.row, error)
            return 0
        if error is None or isinstance(error, ContractError):
            self._regain(ctx, ref)
        found = one.found
        if isinstance(found, Unwanted):
            ctx.store.end_wanted([one.row])
            return 1
        if found is None:
            if self._is_patient(ctx, one.row):
                wait = _WAITS_SECONDS[min(one.row.attempts, len(_WAITS_SECONDS) - 1)]
                ctx.store.postpone_wanted(one.row, ctx.clock.now() + timedelta(seconds=wait))
                if error is not None and not one.row.attempts:
                    kind = type(error).__name__
                    ctx.log.warning(events.FETCH_FAILED, source=ref.source, stream=ref.stream, stage="extract", error_type=kind)
                return 0
            found = _given_up(one)
        page = Page((found,), {}, partition=HOOK) if isinstance(found, Record) else Page((), {}, (found,), partition=HOOK)
        page = without_answered(ctx, ref.source, ref.stream, page)
        at = one.row.received_at if isinstance(found, Record) else ctx.clock.now()
        ctx.store.put_page(ctx.run_id, ref.source, ref.stream, page, Lane.HOT, at, ctx.sources[ref.source].start_from)
        ctx.store.end_wanted([one.row])
        if isinstance(found, Reject) and page.rejects:
            ctx.log.warning(events.RECORD_DEAD_LETTERED, source=ref.source, stage="extract", reason=found.reason, count=1)
        return 1

    @staticmethod
    def _is_patient(ctx: PassContext, row: WantedRow) -> bool:
        """Whether it may still come: also after a day that was spent otherwise, such as one of a vendor that was down."""
        return ctx.clock.now() - row.received_at < _PATIENCE or row.attempts < len(_WAITS_SECONDS)

    # ------------------------------------------------------------------ sources that cannot be asked

    def _rest_of(self, ctx: PassContext, name: str, now: datetime) -> datetime | None:
        """Until when a source is left alone: because it did not answer, or has asked for it. None: it may be asked."""
        asked, rest = left_alone_until(ctx.store, name, now), self._rests.get(name)
        ends = [one for one in (asked, rest.until if rest else None) if one is not None and one > now]
        return max(ends, default=None)

    def _lose(self, ctx: PassContext, row: WantedRow, error: SyncdError) -> None:
        """What concerns the whole source: nothing of it is asked for, longer each time. Its records are not to blame."""
        name, now = row.ref.source, ctx.clock.now()
        rest = self._rests.get(name)
        if rest is None or rest.until <= now:
            # Calls that were under way together fail together: that is one time.
            times = 0 if rest is None else rest.times + 1
            wait = _RESTS_SECONDS[min(times, len(_RESTS_SECONDS) - 1)]
            self._rests[name] = _Rest(times, now + timedelta(seconds=wait))
        leave_alone(ctx, name, getattr(error, "retry_after_seconds", None))
        ctx.store.hold_wanted(name, self._rest_of(ctx, name, now) or now)
        # Not what is polled, which may work all the same, and has pages to close when it comes back.
        lose_source(ctx, name, row.ref.stream, error, str(error), way=FETCH)

    def _regain(self, ctx: PassContext, ref: RecordRef) -> None:
        self._rests.pop(ref.source, None)
        regain_source(ctx, ref.source, way=FETCH, stream=ref.stream)


def _fetched(source: Source, row: WantedRow) -> Record | Reject | Unwanted | None:
    assert isinstance(source.connector, FetchingConnector)  # noqa: S101 - others are not asked
    found = source.connector.fetch(source.session, source.options, row.wanted)
    if not isinstance(found, Record | Reject | Unwanted | None):
        raise TypeError(type(found).__name__)  # somebody else's connector with a bug
    return found


def _given_up(one: _Brought) -> Reject:
    wanted = one.row.wanted
    if one.error is None:
        message = "The source announced this record and does not have it, after a day of asking."
        return Reject(wanted.key, NOT_THERE, message, wanted.payload, wanted.locator)
    kind = "answered what cannot be read" if isinstance(one.error, ContractError) else "failed"
    message = f"The source announced this record, and asking for it {kind}, for a day."
    return Reject(wanted.key, NOT_FETCHED, message, wanted.payload, wanted.locator)
