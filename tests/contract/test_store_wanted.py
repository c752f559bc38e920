"""What is still to be asked for, and kept credentials; the same on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from syncd.clock import FixedClock
from syncd.model import NOT_FETCHED, NOT_THERE, Lane, Page, RecordRef, Reject, Wanted
from syncd.ports import WantedRow
from syncd.store import SqlStore, open_store

NOW = datetime(2026, 11, 24, 9, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A fresh store on either engine."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    yield opened
    opened.close()


def keys(rows: list[WantedRow]) -> list[str]:
    return [one.ref.key for one in rows]


def test_what_is_wanted_is_given_when_it_is_due_until_it_is_ended(store: SqlStore) -> None:
    wanted = Wanted("321", b'{"form": "456"}', NOW - HOUR, "lead 321")
    store.put_wanted("ads", "leads", [wanted], NOW)
    store.put_wanted("ads", "leads", [Wanted("322", b"{}")], NOW + HOUR)
    store.put_wanted("other", "leads", [Wanted("321", b"{}")], NOW)
    row = WantedRow(RecordRef("ads", "leads", "321"), wanted, NOW, 0)
    assert store.take_wanted(NOW, 10, ["ads"]) == [row]
    assert store.take_wanted(NOW - HOUR, 10, ["ads"]) == []
    assert keys(store.take_wanted(NOW + HOUR, 10, ["ads"])) == ["321", "322"]
    assert keys(store.take_wanted(NOW + HOUR, 1, ["ads"])) == ["321"]
    assert store.take_wanted(NOW + HOUR, 10, []) == []
    assert store.wanted_counts() == {"ads": 2, "other": 1}
    store.end_wanted([row])
    assert keys(store.take_wanted(NOW + HOUR, 10, ["ads", "other"])) == ["321", "322"]
    assert store.wanted_counts() == {"ads": 1, "other": 1}


def test_what_is_postponed_waits_and_remembers_how_often_it_was_tried(store: SqlStore) -> None:
    store.put_wanted("ads", "leads", [Wanted("1", b"{}"), Wanted("2", b"{}")], NOW)
    store.postpone_wanted(store.take_wanted(NOW, 1, ["ads"])[0], NOW + HOUR)
    assert keys(store.take_wanted(NOW, 10, ["ads"])) == ["2"]
    later = store.take_wanted(NOW + HOUR, 10, ["ads"])
    assert [(one.ref.key, one.attempts, one.received_at) for one in later] == [("2", 0, NOW), ("1", 1, NOW)]


def test_who_is_wanted_again_is_due_at_once_and_keeps_when_it_came_first(store: SqlStore) -> None:
    store.put_wanted("ads", "leads", [Wanted("1", b'{"try": 1}')], NOW)
    store.postpone_wanted(store.take_wanted(NOW, 1, ["ads"])[0], NOW + 5 * HOUR)
    store.put_wanted("ads", "leads", [Wanted("1", b'{"try": 2}'), Wanted("1", b'{"try": 3}')], NOW + HOUR)
    (row,) = store.take_wanted(NOW + HOUR, 10, ["ads"])
    assert (row.wanted.payload, row.received_at, row.attempts) == (b'{"try": 3}', NOW, 1)


def test_what_is_said_again_while_it_is_asked_for_stays_wanted(store: SqlStore) -> None:
    """The answer may be older than what was said: whoever asked ends, and postpones, only what he was told of."""
    store.put_wanted("ads", "leads", [Wanted("1", b"{}")], NOW)
    (before,) = store.take_wanted(NOW, 10, ["ads"])
    store.put_wanted("ads", "leads", [Wanted("1", b"{}")], NOW)
    store.end_wanted([before])
    store.postpone_wanted(before, NOW + HOUR)
    (after,) = store.take_wanted(NOW, 10, ["ads"])
    assert (after.said, after.attempts) == (2, 0)
    store.end_wanted([after])
    assert store.wanted_counts() == {}


def test_a_source_that_is_held_is_due_when_its_time_has_come_and_others_are_as_before(store: SqlStore) -> None:
    store.put_wanted("ads", "leads", [Wanted("1", b"{}"), Wanted("2", b"{}")], NOW)
    store.postpone_wanted(store.take_wanted(NOW, 1, ["ads"])[0], NOW + 2 * HOUR)
    store.put_wanted("other", "leads", [Wanted("3", b"{}")], NOW)
    store.hold_wanted("ads", NOW + HOUR)
    assert keys(store.take_wanted(NOW, 10, ["ads", "other"])) == ["3"]
    assert [(one.ref.key, one.attempts) for one in store.take_wanted(NOW + HOUR, 10, ["ads"])] == [("2", 0)]
    assert keys(store.take_wanted(NOW + 2 * HOUR, 10, ["ads"])) == ["2", "1"]


@pytest.mark.parametrize("reason", [NOT_THERE, NOT_FETCHED])
def test_a_dead_letter_of_what_was_announced_is_asked_for_again(store: SqlStore, reason: str) -> None:
    """Its payload is what the source said of the record, never the record."""
    store.start_run("r1", NOW, ["ads"])
    reject = Reject("1", reason, "It is not there.", b'{"form": "456"}', "lead 1")
    store.put_page("r1", "ads", "leads", Page((), {}, (reject,), partition="hook"), Lane.HOT, NOW)
    (letter,) = store.dead_letters()
    assert store.replay_dead_letters([letter.dead_letter_id], NOW + HOUR) == 1
    assert store.take_inbox(10) == []
    (row,) = store.take_wanted(NOW + HOUR, 10, ["ads"])
    assert row == WantedRow(RecordRef("ads", "leads", "1"), Wanted("1", b'{"form": "456"}', None, "lead 1"), NOW + HOUR)


def test_many_are_put_and_ended_at_once(store: SqlStore) -> None:
    many = [Wanted(f"{number:05d}", b"{}") for number in range(2_345)]
    store.put_wanted("ads", "leads", many, NOW)
    assert store.wanted_counts() == {"ads": 2_345}
    assert store.queues()["wanted"] == {"ads": 2_345}
    store.end_wanted([one for one in store.take_wanted(NOW, 3_000, ["ads"]) if one.ref.key != "02344"])
    assert keys(store.take_wanted(NOW, 10, ["ads"])) == ["02344"]


def test_a_credential_replaces_the_one_before(store: SqlStore) -> None:
    assert store.credential("refresh:forms") is None
    store.put_credential("refresh:forms", "one", NOW)
    store.put_credential("refresh:forms", "two", NOW + HOUR)
    store.put_credential("refresh:other", "three", NOW)
    assert store.credential("refresh:forms") == "two"
