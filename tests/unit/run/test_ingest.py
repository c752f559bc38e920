"""What becomes of pages, errors and wishes of a source, on a real store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd import events, log
from syncd.clock import FixedClock
from syncd.connector import Health, Options, Page, Record, Reject, Session
from syncd.errors import ContractError, GuardError, RateLimitedError, StoreError
from syncd.run.context import Company, PassContext, Scope, Source
from syncd.run.ingest import Ingest, notice_of
from syncd.store import SqlStore, open_store

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class Vendor:
    """A connector that gives what it is told: pages, or errors."""

    name = "vendor"
    Options = Options

    def __init__(self) -> None:
        self.script: list[Page | Exception] = []
        self.has_given_all = threading.Event()
        self.asked = 0

    def check(self, session: Any, options: Any) -> Health:
        return Health(True)

    def streams(self, options: Any) -> tuple[str, ...]:
        return ("rows",)

    def cursor_at(self, options: Any, stream: str, at: datetime) -> dict[str, Any]:
        return {}

    def pull(self, session: Any, options: Any, stream: str, cursor: Any, until: datetime) -> Iterator[Page]:
        self.asked += 1
        for one in self.script:
            if isinstance(one, Exception):
                raise one
            yield one
        self.has_given_all.set()


class Bench:
    """One source, one store, one clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(START)
        self.store: SqlStore = open_store(f"sqlite:///{folder / 'syncd.db'}", clock=self.clock)
        self.vendor = Vendor()
        self.runs = 0

    def begin(self) -> tuple[Ingest, PassContext]:
        """The extract stage of one pass, with nothing stored yet."""
        self.runs += 1
        nothing: Any = None
        mapping: Any = None
        source = Source("site", self.vendor, None, Session(Path()), mapping)
        run = f"run{self.runs}"
        ctx = PassContext(
            run,
            self.store,
            nothing,
            self.clock,
            {"site": source},
            nothing,
            b"",
            log.get_log(run_id=run),
            company=Company(self.clock),
        )
        self.store.start_run(run, self.clock.now(), ["site"])
        return Ingest(ctx, [source]), ctx

    def read(self) -> PassContext:
        """One pass of the extract stage; gives its context."""
        ingest, ctx = self.begin()
        with ingest:
            while not ingest.is_over:
                ingest.step(None)
        return ctx

    @property
    def stored(self) -> list[str]:
        """Keys of what waits, in the order of coming."""
        return [row.ref.key for row in self.store.take_inbox(10)]

    def refuse(self, key: str) -> None:
        """Have the database refuse a record with that key."""
        with self.store.db.write() as connection:
            connection.exec_driver_sql(
                f"CREATE TRIGGER full BEFORE INSERT ON inbox WHEN NEW.key = '{key}' BEGIN SELECT RAISE(ABORT, 'full'); END"
            )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def page(number: int, *, is_last: bool = False) -> Page:
    return Page((Record(f"k{number}", b'{"n": 1}'),), {"at": number}, is_last=is_last)


def test_a_source_that_asks_for_an_hour_is_left_alone_for_an_hour(bench: Bench) -> None:
    bench.vendor.script = [page(1), RateLimitedError("slow down", retry_after_seconds=3600.0)]
    assert bench.read().unfinished
    bench.vendor.script = [page(2, is_last=True)]
    bench.clock.advance(3000)
    ctx = bench.read()
    assert bench.vendor.asked == 1, "it was asked before its time"
    assert "until" in ctx.unfinished[0]
    bench.clock.advance(700)
    assert bench.read().unfinished == []
    assert bench.store.cursor("site", "rows") == {"at": 2}


def test_what_a_source_had_to_say_is_kept_for_whoever_looks_until_it_says_nothing(bench: Bench) -> None:
    noted = Page((), {"at": 3}, is_last=True, notice="2 webinars cannot be read.")
    bench.vendor.script = [page(1), noted]
    assert bench.read().unfinished == [], "a notice is no failure"
    assert bench.store.setting(notice_of("site")) == "2 webinars cannot be read."
    bench.vendor.script = [ContractError("another shape")]
    bench.read()
    assert bench.store.setting(notice_of("site")) == "2 webinars cannot be read.", "it has said nothing new"
    bench.vendor.script = [page(2, is_last=True)]
    bench.read()
    assert bench.store.setting(notice_of("site")) == ""


def test_what_was_given_before_the_error_is_kept_with_its_cursor(bench: Bench) -> None:
    bench.vendor.script = [page(1), page(2), ContractError("another shape", page=b"<html>")]
    ctx = bench.read()
    assert ctx.unfinished
    assert bench.store.cursor("site", "rows") == {"at": 2}
    assert [row.ref.key for row in bench.store.take_inbox(10)] == ["k1", "k2"]
    (letter,) = bench.store.dead_letters()
    assert (letter.kind, letter.reason) == ("page", "unreadable_page")


def test_the_page_behind_is_stored_while_the_pass_does_something_else(bench: Bench) -> None:
    """And a pass that ends in between lets it through, page and cursor, and says so as of any other."""
    rejected = Reject("", "not_an_object", "It is no object.", b"")
    bench.vendor.script = [page(1), msgspec.structs.replace(page(2), rejects=(rejected,)), page(3, is_last=True)]
    ingest, _ = bench.begin()
    told = log.counts().get(events.RECORD_DEAD_LETTERED, 0)
    with ingest:
        assert bench.vendor.has_given_all.wait(10)
        assert ingest.step(None) == 1
    assert bench.stored == ["k1", "k2"]
    assert bench.store.cursor("site", "rows") == {"at": 2}
    assert log.counts()[events.RECORD_DEAD_LETTERED] == told + 1


def _one_step(bench: Bench, error: Exception | None = None) -> None:
    """A pass that stores a page, has the one behind it begun, and ends; with `error` because of it."""
    bench.vendor.has_given_all.clear()
    ingest, _ = bench.begin()
    with ingest:
        assert bench.vendor.has_given_all.wait(10)
        assert ingest.step(None) == 1
        if error is not None:
            raise error


def test_a_page_that_cannot_be_stored_ends_the_pass(bench: Bench) -> None:
    bench.vendor.script = [page(1), page(2), page(3, is_last=True)]
    bench.refuse("k2")
    with pytest.raises(StoreError):
        bench.read()
    assert bench.stored == ["k1"]
    assert bench.store.cursor("site", "rows") == {"at": 1}


def test_the_page_behind_that_cannot_be_stored_is_no_secret_at_the_end(bench: Bench) -> None:
    """But of two things that went wrong the first one is told."""
    bench.vendor.script = [page(1), page(2, is_last=True)]
    bench.refuse("k2")
    with pytest.raises(StoreError):
        _one_step(bench)
    bench.vendor.script = [page(3), page(2, is_last=True)]
    with pytest.raises(GuardError, match="first"):
        _one_step(bench, GuardError("The first."))
    assert bench.store.cursor("site", "rows") == {"at": 3}


@pytest.mark.parametrize("is_told", [True, False], ids=["told to stop", "slice is over"])
def test_pages_that_have_come_already_do_not_make_a_pass_go_on(bench: Bench, is_told: bool) -> None:
    """One that is being stored when it is to stop, or its slice is over, is the last one."""
    bench.vendor.script = [page(1), page(2), page(3), page(4, is_last=True)]
    ingest, ctx = bench.begin()
    ctx.scope = Scope(slice_seconds=60.0)
    with ingest:
        assert bench.vendor.has_given_all.wait(10)
        assert ingest.step(None) == 1
        if is_told:
            ctx.company.is_stopping.set()
        bench.clock.advance(0 if is_told else 60)
        while not ingest.is_over:
            ingest.step(None)
    assert bench.stored == ["k1", "k2"]
    assert bench.store.cursor("site", "rows") == {"at": 2}
    assert ctx.unread == {"site"}
    assert ctx.sliced == (set() if is_told else {"site"})


def test_the_same_unreadable_page_is_kept_once(bench: Bench) -> None:
    bench.vendor.script = [ContractError("another shape", page=b"<html>")]
    bench.read()
    bench.read()
    assert len(bench.store.dead_letters()) == 1


def test_a_bug_of_a_connector_stops_its_stream_and_says_nothing_of_its_values(bench: Bench) -> None:
    bench.vendor.script = [page(1), ValueError("ada@example.com")]
    ctx = bench.read()
    assert ctx.unfinished == ["site: The connector of site failed unexpectedly."]
    assert bench.store.cursor("site", "rows") == {"at": 1}


def test_a_stream_without_a_last_page_is_not_at_its_end(bench: Bench) -> None:
    bench.vendor.script = [page(1)]
    assert bench.read().unfinished
    bench.vendor.script = []
    assert bench.read().unfinished


def test_a_page_that_could_be_read_at_last_is_no_dead_letter_any_more(bench: Bench) -> None:
    bench.vendor.script = [ContractError("another shape", page=b"<html>")]
    bench.read()
    bench.vendor.script = [page(1, is_last=True)]
    bench.read()
    assert bench.store.dead_letters() == []
    assert len(bench.store.dead_letters("replayed")) == 1


def test_no_wish_keeps_a_source_away_for_more_than_a_day(bench: Bench) -> None:
    bench.vendor.script = [RateLimitedError("slow down", retry_after_seconds=999_999_999.0)]
    bench.read()
    bench.vendor.script = [page(1, is_last=True)]
    bench.clock.advance(86_000)
    assert bench.read().unfinished
    bench.clock.advance(500)
    assert bench.read().unfinished == []


def test_a_wish_noted_by_a_wrong_clock_counts_for_nothing(bench: Bench) -> None:
    bench.clock.advance(365 * 86_400)
    bench.vendor.script = [RateLimitedError("slow down", retry_after_seconds=60.0)]
    bench.read()
    bench.clock.advance(-365 * 86_400)
    bench.vendor.script = [page(1, is_last=True)]
    assert bench.read().unfinished == []
