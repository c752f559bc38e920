"""Mapping in a second process: while one batch is resolved and stored here, the next one is mapped there (DESIGN 7).

Only long passes use it: the process is started once a pass has enough before it to earn its start. It sees payloads and gives leads,
those that may be newcomers with all that storing them takes (`syncd.run.newcomers`); the store, the org and the log are none of its
business, and when it is gone the work is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from datetime import datetime
from typing import NamedTuple, Self

import msgspec

from syncd import events
from syncd.ports import InboxRow
from syncd.run.context import LEADS_PER_COMMIT, PassContext
from syncd.run.mapping_process import Mapped, Origin, serve
from syncd.run.newcomers import Terms, Told
from syncd.run.second_process import LostProcessError, SecondProcess

WORTH_A_PROCESS = 2_000
"""Records of one pass after which the second process is started: before, its start costs more than it saves."""

_PATIENCE_SECONDS = 15.0
"""A batch takes some 20 ms to map there, and starting the process a second or two: after this it hangs."""
_MAPPED = msgspec.msgpack.Decoder(list[Mapped])


class Batch(NamedTuple):
    """Waiting records and, where the second process has mapped them, what it made of each, planned as of `at`."""

    rows: list[InboxRow]
    mapped: Sequence[Mapped] = ()
    at: datetime | None = None


class _Ahead(NamedTuple):
    """A batch in the second process."""

    rows: list[InboxRow]
    task: Future[bytes]
    at: datetime
    since: float


class Batches:
    """The waiting records of a pass, batch by batch, each mapped ahead where that is worth it; a context manager."""

    def __init__(self, ctx: PassContext, terms: Terms | None = None) -> None:
        """Nothing is taken yet. With `terms` newcomers are made ready."""
        self._ctx = ctx
        self._names = sorted(ctx.sources)
        self._taken = 0
        self._is_usable = all(source.mapping.text for source in ctx.sources.values())
        self._second: SecondProcess | None = None
        self._next: _Ahead | None = None
        self._clock = ctx.clock
        self._terms = terms

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the second process."""
        if self._second is not None:
            self._second.close()

    def wait(self, seconds: float) -> bool:
        """Whether `take` would give at once, after waiting so long for the second process at most."""
        if self._next is None:
            return True
        if self._clock.monotonic() - self._next.since > _PATIENCE_SECONDS:
            return True  # `take` gives it up
        return bool(wait([self._next.task], seconds).done)

    def take(self, held: Sequence[InboxRow] = ()) -> Batch:
        """The next batch in the order of the lanes, without `held`, which are being stored; empty when nothing else waits.

        Nothing is marked: `commit_resolved` ends rows.
        """
        ahead, self._next = self._next, None
        rows = ahead.rows if ahead is not None else self._rows(held)
        self._taken += len(rows)
        if self._is_usable and self._taken >= WORTH_A_PROCESS and len(rows) == LEADS_PER_COMMIT:
            self._begin_next([*held, *rows])
        if ahead is None:
            return Batch(rows)
        return Batch(rows, self._mapped(ahead), ahead.at)

    def _rows(self, held: Sequence[InboxRow]) -> list[InboxRow]:
        with self._ctx.watch.stage("take"):
            held_numbers = [row.sequence for row in held]
            return self._ctx.store.take_inbox(LEADS_PER_COMMIT, self._names, held_numbers, self._ctx.scope.lanes)

    def _begin_next(self, held: Sequence[InboxRow]) -> None:
        """Have the batch that comes beside `held` mapped."""
        rows = self._rows(held)
        if not rows:
            return
        told = [Told(*row.ref, row.source_at or row.received_at, row.position, row.locator, int(row.lane)) for row in rows]
        at = self._clock.now()
        try:
            if self._second is None:
                self._second = self._start()
            task = self._second.ask(told, [row.payload for row in rows], at)
        except (OSError, RuntimeError) as error:  # a thread that cannot be started is a RuntimeError
            self._give_up(error)
            return
        self._next = _Ahead(rows, task, at, self._clock.monotonic())

    def _start(self) -> SecondProcess:
        mappings = [self._ctx.sources[name].mapping for name in self._names]
        origins = [
            Origin(name, one.name, one.file, one.text, one.digest) for name, one in zip(self._names, mappings, strict=True)
        ]
        return SecondProcess(serve, origins, self._terms)

    def _mapped(self, ahead: _Ahead) -> Sequence[Mapped]:
        """What the second process made of a batch; empty if it is lost."""
        try:
            found = ahead.task.result(max(0.0, ahead.since + _PATIENCE_SECONDS - self._clock.monotonic()))
        except Exception as error:  # noqa: BLE001 - whatever went wrong there, the same batch is mapped here, record by record
            self._give_up(error)
            return ()
        with self._ctx.watch.stage("map"):
            return _MAPPED.decode(found)

    def _give_up(self, error: Exception) -> None:
        if not self._is_usable:
            return  # the batch that was begun meanwhile
        self._is_usable = False
        met = str(error) if isinstance(error, LostProcessError) else type(error).__name__
        self._ctx.log.warning(events.MAPPER_LOST, stage="map", error_type=met)
