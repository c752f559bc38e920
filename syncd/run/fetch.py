"""What a source said is there is asked for: notifications that name a record become that record (G1).

The calls are made by threads; what they bring is stored by whoever asks `step`. A notification is forgotten only when its record is
in the inbox, or set aside: after a crash it is asked for again, and the inbox knows what it has.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from syncd import events
from syncd.connector import FetchingConnector, Page, Record, Reject
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.model import Lane, RecordRef
from syncd.ports import WantedRow
from syncd.run.context import PassContext

HOOK = "hook"
"""Partition of what was sent: the cursor of what is pulled is none of its business."""
IN_FLIGHT = 4
"""Calls at once, over all sources; each source's own limits hold besides."""

_WAITS_SECONDS = (5, 15, 60, 300, 900, 3600)
_PATIENCE = timedelta(days=1)
"""After this nobody believes any more that it will come; the source's next poll may still bring it."""
_LONGEST_WISH_SECONDS = 86_400.0


class _Brought(NamedTuple):
    row: WantedRow
    found: Record | Reject | None
    error: Exception | None


class Fetcher:
    """Asks for what is wanted of the sources of one pass. Used by one thread."""

    def __init__(self, ctx: PassContext, wake: Callable[[], None]) -> None:
        """Nothing is asked for yet; `wake` is called from other threads when something has come."""
        self._ctx = ctx
        self._wake = wake
        self._able = {name for name, one in ctx.sources.items() if isinstance(one.connector, FetchingConnector)}
        self._under_way: set[RecordRef] = set()
        self._brought: queue.Queue[_Brought] = queue.Queue()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    def step(self, names: Sequence[str]) -> int:
        """Store what has come, and ask for what is due of these sources; gives how many were settled. Writes the store."""
        able = [name for name in names if name in self._able]
        settled = self._store_brought()
        room = IN_FLIGHT - len(self._under_way)
        if not able or room <= 0:
            return settled
        due = self._ctx.store.take_wanted(self._ctx.clock.now(), room + len(self._under_way), able)
        for row in [one for one in due if one.ref not in self._under_way][:room]:
            self._under_way.add(row.ref)
            threading.Thread(target=self._ask, args=(row,), name=f"fetch-{row.ref.source}", daemon=True).start()
        return settled

    def finish(self, names: Sequence[str]) -> None:
        """Until nothing of these sources is due or under way. Writes the store."""
        self.step(names)
        while self._under_way:
            with self._ctx.turn.aside():
                one = self._brought.get()
            self._brought.put(one)
            self.step(names)

    def _ask(self, row: WantedRow) -> None:
        source = self._ctx.sources[row.ref.source]
        found: Record | Reject | None = None
        failed: Exception | None = None
        try:
            assert isinstance(source.connector, FetchingConnector)  # noqa: S101 - others are not among the able
            found = source.connector.fetch(source.session, source.options, row.wanted)
        except Exception as error:  # noqa: BLE001 - the record boundary of STYLE 4: a connector's bug must not stop the others
            failed = error
        self._brought.put(_Brought(row, found, failed))
        self._wake()

    def _store_brought(self) -> int:
        settled = 0
        while True:
            try:
                one = self._brought.get_nowait()
            except queue.Empty:
                return settled
            settled += self._store(one)
            self._under_way.discard(one.row.ref)

    def _store(self, one: _Brought) -> int:
        ctx, ref = self._ctx, one.row.ref
        if isinstance(one.error, AuthError | RateLimitedError | SourceUnavailableError):
            self._postpone_source(one.row, one.error)
            return 0
        if one.error is None:
            ctx.regain(f"source {ref.source}")
        found = one.found
        if found is None:
            if ctx.clock.now() - one.row.received_at < _PATIENCE:
                self._postpone([one.row], _WAITS_SECONDS[min(one.row.attempts, len(_WAITS_SECONDS) - 1)])
                return 0
            found = _given_up(one)
        page = Page((found,), {}, partition=HOOK) if isinstance(found, Record) else Page((), {}, (found,), partition=HOOK)
        ctx.store.put_page(
            ctx.run_id, ref.source, ref.stream, page, Lane.HOT, one.row.received_at, ctx.sources[ref.source].start_from
        )
        ctx.store.end_wanted([ref])
        if isinstance(found, Reject):
            ctx.log.warning(events.RECORD_DEAD_LETTERED, source=ref.source, stage="extract", reason=found.reason, count=1)
        return 1

    def _postpone_source(self, row: WantedRow, error: SyncdError) -> None:
        """What concerns the whole source: everything of it waits."""
        ctx, name = self._ctx, row.ref.source
        wish = min(getattr(error, "retry_after_seconds", None) or 0.0, _LONGEST_WISH_SECONDS)
        wait = max(wish, float(_WAITS_SECONDS[min(row.attempts + 1, len(_WAITS_SECONDS) - 1)]))
        due = ctx.store.take_wanted(ctx.clock.now(), 1_000, [name])
        self._postpone([one for one in due if one.ref == row.ref or one.ref not in self._under_way], wait)
        if ctx.lose(f"source {name}"):
            ctx.log.error(
                events.SOURCE_LOST, source=name, stream=row.ref.stream, stage="extract", error_type=type(error).__name__
            )

    def _postpone(self, rows: Sequence[WantedRow], seconds: float) -> None:
        due_at = self._ctx.clock.now() + timedelta(seconds=seconds)
        self._ctx.store.postpone_wanted([one.ref for one in rows], due_at)


def _given_up(one: _Brought) -> Reject:
    wanted = one.row.wanted
    if one.error is None:
        message = "The source announced this record and does not have it, after a day of asking."
        return Reject(wanted.key, "not_there", message, wanted.payload, wanted.locator)
    kind = "answered what cannot be read" if isinstance(one.error, ContractError) else "failed"
    message = f"The source announced this record, and asking for it {kind}, for a day."
    return Reject(wanted.key, "fetch_failed", message, wanted.payload, wanted.locator)
