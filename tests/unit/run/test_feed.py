"""Pages are read ahead by a thread per source; what a thread meets reaches the one that stores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from syncd.clock import SystemClock
from syncd.connector import Health, Options, Page, Record, Session
from syncd.errors import SourceUnavailableError
from syncd.run.context import Source
from syncd.run.feed import PAGES_AHEAD, Arrival, Feed, Task
from syncd.run.stopwatch import Stopwatch

NOW = datetime(2026, 11, 25, tzinfo=UTC)


class Scripted:
    """A connector that yields numbered pages and does what it is told between them."""

    name = "scripted"
    Options = Options

    def __init__(self, pages: int, *, fail_after: BaseException | None = None, gate: threading.Event | None = None) -> None:
        self._pages, self._fail, self._gate = pages, fail_after, gate
        self.given = 0

    def check(self, session: Any, options: Any) -> Health:
        return Health(True)

    def streams(self, options: Any) -> tuple[str, ...]:
        return ("rows",)

    def cursor_at(self, options: Any, stream: str, at: datetime) -> dict[str, Any]:
        return {}

    def pull(self, session: Any, options: Any, stream: str, cursor: Any, until: datetime) -> Iterator[Page]:
        for number in range(self._pages):
            if self._gate is not None:
                self._gate.wait(10)
            self.given += 1
            yield Page((Record(f"{stream}{number}", b"{}"),), {"at": number})
        if self._fail is not None:
            raise self._fail


def task(connector: Scripted, name: str = "one", stream: str = "rows") -> Task:
    mapping: Any = None
    source = Source(name, connector, None, Session(Path()), mapping)
    return Task(source, stream, None, NOW)


def feed(*tasks: Task) -> Feed:
    ctx: Any = SimpleNamespace(watch=Stopwatch(SystemClock()), clock=SystemClock())
    return Feed(ctx, tasks)


def all_of(opened: Feed) -> list[Arrival]:
    found = []
    while (arrival := opened.next(10)) is not None:
        found.append(arrival)
    return found


def test_the_pages_of_a_source_come_in_its_order_and_then_its_end() -> None:
    with feed(task(Scripted(9))) as opened:
        found = all_of(opened)
    assert [one.page.cursor["at"] for one in found if one.page] == list(range(9))
    assert [one.is_over for one in found] == [False] * 9 + [True]


def test_streams_of_one_source_are_read_one_after_the_other() -> None:
    connector = Scripted(3)
    with feed(task(connector, stream="a"), task(connector, stream="b")) as opened:
        keys = [one.page.records[0].key for one in all_of(opened) if one.page]
    assert keys == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_no_source_reads_further_ahead_than_is_stored() -> None:
    """Memory is bounded: pages wait for their turn, not in a list without end."""
    connector = Scripted(100)
    with feed(task(connector)) as opened:
        for stored in range(20):
            assert opened.next(10) is not None
            assert connector.given <= stored + PAGES_AHEAD + 3
    assert connector.given < 100


def test_a_slow_source_holds_up_nobody() -> None:
    gate = threading.Event()
    with feed(task(Scripted(1, gate=gate), "slow"), task(Scripted(3), "fast")) as opened:
        names = [arrival.task.source.name for _ in range(4) if (arrival := opened.next(10)) is not None]
        assert names == ["fast"] * 4
        assert opened.next(0.01) is None
        gate.set()
        assert {one.task.source.name for one in all_of(opened)} == {"slow"}


def test_an_error_of_a_source_ends_its_stream_and_keeps_its_pages() -> None:
    failing, well = Scripted(2, fail_after=SourceUnavailableError("away")), Scripted(2)
    with feed(task(failing, "failing"), task(well, "well")) as opened:
        found = all_of(opened)
    ends = {one.task.source.name: one.error for one in found if one.is_over}
    assert isinstance(ends["failing"], SourceUnavailableError)
    assert ends["well"] is None
    assert sum(one.page is not None for one in found) == 4


def test_what_is_no_error_of_a_source_reaches_the_thread_that_waits() -> None:
    """A thread that dies must not leave the pass waiting for ever."""
    with feed(task(Scripted(1, fail_after=KeyboardInterrupt()))) as opened:
        assert opened.next(10) is not None
        with pytest.raises(KeyboardInterrupt):
            opened.next(10)
