"""What a daemon remembers, what begins and ends a run, and the check of its sums; the same on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from syncd.clock import FixedClock
from syncd.model import InboxOutcome, Lane, Page, Record, RunStatus
from syncd.ports import DeadLetter, ResolvedRecord, ScheduleRow
from syncd.store import SqlStore, open_store

NOW = datetime(2026, 11, 24, 9, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A fresh store on either engine."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    yield opened
    opened.close()


def put(
    store: SqlStore, run: str, source: str, *keys: str, at: datetime = NOW, lane: Lane = Lane.INCREMENT, range_: str = ""
) -> None:
    page = Page(tuple(Record(key, key.encode(), NOW) for key in keys), {}, partition=range_)
    store.put_page(run, source, "rows", page, lane, at)


def end(store: SqlStore, run: str, outcome: InboxOutcome, *sources: str, limit: int = 1_000) -> None:
    """End what waits of some sources, as a pass would."""
    rows = store.take_inbox(limit, sources)
    letters = {
        row.sequence: DeadLetter("record", "map", "bad", "no", *row.ref, payload=row.payload, run_id=run, at=NOW)
        for row in rows
        if outcome is InboxOutcome.DEAD
    }
    store.commit_resolved(
        run, [ResolvedRecord(row.sequence, row.ref, outcome, dead_letter=letters.get(row.sequence)) for row in rows], NOW
    )


def finish(store: SqlStore, run: str, at: datetime = NOW + HOUR) -> None:
    store.finish_run(run, at, RunStatus.OK, {})


# ---------------------------------------------------------------- schedules and requests


def test_a_schedule_remembers_starts_ends_and_pauses(store: SqlStore) -> None:
    assert store.schedules() == {}
    store.note_start("booth", "r1", NOW)
    store.note_end("booth", "r1", NOW + HOUR, "ok", succeeded=True)
    store.note_start("booth", "r2", NOW + 2 * HOUR)
    store.note_end("booth", "r2", NOW + 3 * HOUR, "partial", succeeded=False)
    expected = ScheduleRow("booth", False, NOW + 2 * HOUR, NOW + 3 * HOUR, NOW, "r2", "partial")
    assert store.schedules() == {"booth": expected}, "a success counts from its beginning"
    assert store.set_paused("booth", True, NOW)
    assert not store.set_paused("booth", True, NOW)
    assert not store.set_paused("site", False, NOW)
    assert {name: row.is_paused for name, row in store.schedules().items()} == {"booth": True}


def test_a_request_is_taken_once_and_answered(store: SqlStore) -> None:
    first = store.put_request("run", {"names": ["booth"]}, NOW)
    second = store.put_request("pull", {}, NOW)
    assert [one.request_id for one in store.open_requests()] == [first, second]
    assert store.take_request(first)
    assert not store.take_request(first)
    assert [one.request_id for one in store.open_requests()] == [second]
    store.end_request(first, True, {"run_id": "r"}, NOW + HOUR)
    found = store.request(first)
    assert found is not None
    assert (found.kind, found.document, found.state, found.answer) == ("run", {"names": ["booth"]}, "done", {"run_id": "r"})
    assert found.ended_at == NOW + HOUR
    assert store.request("999") is None
    assert store.take_request(second)
    assert store.reopen_requests() == 1
    assert [one.request_id for one in store.open_requests()] == [second]


# ---------------------------------------------------------------- arrivals


def test_news_is_counted_by_the_hour(store: SqlStore) -> None:
    store.start_run("r", NOW, ["booth"])
    put(store, "r", "booth", "a", "b")
    put(store, "r", "booth", "b", "c", at=NOW + timedelta(minutes=10))
    put(store, "r", "booth", "c", at=NOW + HOUR)
    put(store, "r", "booth", "d", at=NOW + 2 * HOUR, lane=Lane.HOT)
    put(store, "r", "site", "a")
    put(store, "r", "booth", "old", lane=Lane.BACKFILL)
    put(store, "r", "booth", "older", range_="backfill:2026-01-01T00:00:00+00:00..2026-02-01T00:00:00+00:00")
    hour = NOW.replace(minute=0)
    assert store.arrivals("booth", NOW - HOUR) == [(hour, 3), (hour + 2 * HOUR, 1)]
    assert store.arrivals("booth", NOW + HOUR) == [(hour + 2 * HOUR, 1)]
    assert store.arrivals("site", hour) == [(hour, 1)]


# ---------------------------------------------------------------- runs


def test_only_who_takes_the_store_over_ends_what_died(store: SqlStore, store_url: str) -> None:
    """Several runs may be under way in one engine; a second engine finds none alive."""
    store.acquire_lease("engine", "one")
    fence = store.db.fences["engine"]
    store.start_run("r1", NOW, ["booth"])
    store.acquire_lease("engine", "one")
    store.start_run("r2", NOW, ["site"])
    assert {one.run_id: one.status for one in store.runs(9)} == {"r1": "running", "r2": "running"}
    assert store.db.fences["engine"] == fence, "again does nothing, or a write under way would be refused"
    store.release_lease("engine", "one")
    other = open_store(store_url, clock=FixedClock(NOW + HOUR))
    other.acquire_lease("engine", "two")
    assert {(one.status, one.finished_at) for one in other.runs(9)} == {("failed", NOW + HOUR)}
    assert other.end_dead_runs(NOW) == 0
    other.close()


def test_a_run_counts_only_what_it_covers(store: SqlStore) -> None:
    store.start_run("r1", NOW, ["booth"])
    put(store, "r1", "booth", "a")
    store.start_run("r2", NOW, ["site"])
    assert set(store.source_counts("r1")) == {"booth"}
    assert set(store.source_counts("r2")) == {"site"}
    assert store.source_counts("r1")["booth"].waiting == 1


# ---------------------------------------------------------------- the check


def break_sums(store: SqlStore, run: str, source: str) -> None:
    with store.db.write() as connection:
        store._count(connection, run, source, {"pulled": 1})


def test_the_check_can_fail(store: SqlStore) -> None:
    store.start_run("r1", NOW, ["booth"])
    put(store, "r1", "booth", "a", "b")
    end(store, "r1", InboxOutcome.SKIPPED, "booth", limit=1)
    finish(store, "r1")
    assert store.check() == []
    break_sums(store, "r1", "booth")
    assert store.check() == ["The sums of run r1 do not match for source booth."]


def test_the_check_judges_each_source_by_its_own_newest_run(store: SqlStore) -> None:
    """A later run over another source hides nothing, and a source with a run under way is left out."""
    store.start_run("r1", NOW, ["booth"])
    put(store, "r1", "booth", "a")
    break_sums(store, "r1", "booth")
    finish(store, "r1")
    store.start_run("r2", NOW + 2 * HOUR, ["site"])
    put(store, "r2", "site", "a")
    assert store.check() == ["The sums of run r1 do not match for source booth."]
    store.start_run("r3", NOW + 3 * HOUR, ["booth"])
    put(store, "r3", "booth", "b")
    assert store.check() == [], "both are under way"
    finish(store, "r3", NOW + 4 * HOUR)
    finish(store, "r2", NOW + 4 * HOUR)
    assert store.check() == [], "what waited before r3 is what waits"


def test_runs_that_shared_a_source_are_judged_together(store: SqlStore) -> None:
    """The hot lane and a re-mapping of the same source: one ends what the other has pulled."""
    store.start_run("hot", NOW, ["site"])
    put(store, "hot", "site", "a")
    store.start_run("slow", NOW + HOUR, ["site"])
    put(store, "slow", "site", "b", "c")
    end(store, "hot", InboxOutcome.SKIPPED, "site", limit=2)
    finish(store, "hot", NOW + 2 * HOUR)
    assert store.check() == [], "the other one is under way"
    end(store, "slow", InboxOutcome.SKIPPED, "site", limit=1)
    finish(store, "slow", NOW + 3 * HOUR)
    assert store.check() == []
    break_sums(store, "hot", "site")
    assert store.check() == ["The sums of run slow do not match for source site."]


@pytest.mark.parametrize("during", [False, True], ids=["between runs", "during a run"])
def test_a_replay_breaks_no_sum(store: SqlStore, during: bool) -> None:
    """Between two runs it is what waits before the next; during one it came in it."""
    store.start_run("r1", NOW, ["booth"])
    put(store, "r1", "booth", "a")
    end(store, "r1", InboxOutcome.DEAD, "booth")
    if not during:
        finish(store, "r1")
    ids = [one.dead_letter_id for one in store.dead_letters()]
    assert store.replay_dead_letters(ids, NOW + 2 * HOUR) == 1
    if during:
        end(store, "r1", InboxOutcome.SKIPPED, "booth")
        finish(store, "r1", NOW + 3 * HOUR)
        counts = store.source_counts("r1")["booth"]
        assert counts.waiting_before + counts.pulled == counts.dead + counts.skipped + counts.waiting
    assert store.check() == []
    store.start_run("r2", NOW + 4 * HOUR, ["booth"])
    end(store, "r2", InboxOutcome.SKIPPED, "booth")
    finish(store, "r2", NOW + 5 * HOUR)
    assert store.check() == []
