"""The contract of the store, the same on both engines: durability of pages, claims, stamps, leases, sums."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import FixedClock
from syncd.errors import ClaimConflictError, LeaseLostError, StoreError
from syncd.model import (
    FieldValue,
    InboxOutcome,
    Lane,
    Lead,
    Operation,
    OperationKind,
    OperationState,
    OrgRow,
    Page,
    Record,
    RecordRef,
    Reject,
)
from syncd.ports import DeadLetter, OperationResult, PersonPlan, ResolvedRecord, Review
from syncd.store import SqlStore, open_store
from tests.contract.planned import seen
from tests.stores import empty_store_url

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def records(count: int, start: int = 0) -> tuple[Record, ...]:
    """Plain records."""
    return tuple(Record(f"key{n}", b'{"n": %d}' % n, NOW, n, f"file row {n}") for n in range(start, start + count))


def put(store: SqlStore, page: Page) -> int:
    """Store a page."""
    return store.put_page("run", "booth", "rows", page, Lane.INCREMENT, NOW).held


def resolved(number: int, person: str, **more: Any) -> ResolvedRecord:
    """An applied record of a new person."""
    defaults: dict[str, Any] = {
        "person_id": person,
        "is_new_person": True,
        "lead": Lead({"LastName": FieldValue(f"Name{number}"), "Email": FieldValue(f"p{number}@example.com")}),
        "digest": b"d" * 16,
        "payload": b"{}",
        "source_at": NOW,
        "dirty": True,
    }
    home = {"sequence": number, "ref": RecordRef("booth", "rows", f"key{number}"), "outcome": InboxOutcome.APPLIED}
    return ResolvedRecord(**(home | defaults | more))


def org_row(sf_id: str, stamp: datetime, **more: Any) -> OrgRow:
    """A lead as the org shows it."""
    fields = more.pop("fields", {"Title": "x"})
    return OrgRow("Lead", sf_id, fields, stamp, **more)


def operation(number: int, person: str, **more: Any) -> Operation:
    """An update of one lead."""
    defaults: dict[str, Any] = {
        "object": "Lead",
        "sf_id": "00Q1",
        "kind": OperationKind.UPDATE,
        "fields": {"Title": "new"},
        "before": {"Title": "x"},
    }
    return Operation(operation_id=f"{number:06d}", person_id=person, run_id="run", planned_at=NOW, **(defaults | more))


def test_a_page_and_its_cursor_are_stored_together(store: SqlStore) -> None:
    assert store.cursor("booth", "rows") is None
    assert put(store, Page(records(450), {"at": 450})) == 450
    assert store.cursor("booth", "rows") == {"at": 450}
    assert [one.ref.key for one in store.take_inbox(3)] == ["key0", "key1", "key2"]


def test_the_cursor_does_not_move_when_the_end_of_a_page_cannot_be_stored(store: SqlStore) -> None:
    broken = Record("key", "no bytes", NOW)  # type: ignore[arg-type]
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever breaks
        put(store, Page((*records(1_050), broken), {"at": 1_051}))
    assert store.cursor("booth", "rows") is None
    assert len(store.take_inbox(2_000)) == 1_000, "the part that was stored is there"
    put(store, Page(records(1_051), {"at": 1_051}))
    assert len(store.take_inbox(2_000)) == 1_051, "and comes again without doubling"
    counts = store.source_counts("run")["booth"]
    assert counts.waiting_before + counts.pulled == counts.unchanged + counts.waiting


def test_rejects_become_dead_letters_once(store: SqlStore) -> None:
    page = Page((), {"at": 1}, (Reject("r1", "ragged_row", "The row has 3 cells.", b"a,b,c", "file row 2"),))
    put(store, page)
    put(store, page)
    letters = store.dead_letters()
    assert [(one.reason, one.locator, one.stage) for one in letters] == [("ragged_row", "file row 2", "extract")]
    found = store.dead_letter(letters[0].dead_letter_id)
    assert found is not None
    assert found.payload == b"a,b,c"
    counts = store.source_counts("run")["booth"]
    assert (counts.pulled, counts.dead, counts.unchanged) == (2, 1, 1)


def test_a_batch_is_written_with_all_its_consequences(store: SqlStore) -> None:
    put(store, Page(records(2), {}))
    rows = store.take_inbox(10)
    batch = [
        resolved(n, f"p{n}", sequence=rows[n].sequence, claims=(("email", f"p{n}@example.com"),), evidence=(("phone", "+1"),))
        for n in range(2)
    ]  # fmt: skip
    store.commit_resolved("run", batch, NOW)
    assert store.take_inbox(10) == []
    assert store.claims([("email", "p0@example.com"), ("email", "nobody")]) == {("email", "p0@example.com"): "p0"}
    assert [one.person_id for one in store.candidates([("phone", "+1")])[("phone", "+1")]] == ["p0", "p1"]
    assert store.dirty_persons(10) == ["p0", "p1"]
    counts = store.source_counts("run")["booth"]
    assert (counts.applied, counts.waiting) == (2, 0)
    assert store.known_records([rows[0].ref])[rows[0].ref].person_id == "p0"


def test_a_claim_belongs_to_one_person_and_a_conflict_writes_nothing(store: SqlStore) -> None:
    store.commit_resolved("run", [resolved(1, "p1", claims=(("email", "x@example.com"),))], NOW)
    with pytest.raises(ClaimConflictError):
        store.commit_resolved("run", [resolved(2, "p2", claims=(("email", "x@example.com"),))], NOW)
    assert store.claims([("email", "x@example.com")]) == {("email", "x@example.com"): "p1"}
    assert store.person_views(["p2"]) == []


def test_of_two_threads_claiming_one_mailbox_exactly_one_wins(store: SqlStore) -> None:
    results: list[str] = []
    barrier = threading.Barrier(2)

    def claim(number: int) -> None:
        barrier.wait()
        try:
            store.commit_resolved("run", [resolved(number, f"p{number}", claims=(("email", "x@example.com"),))], NOW)
            results.append("won")
        except ClaimConflictError:
            results.append("lost")

    threads = [threading.Thread(target=claim, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["lost", "won"]


def test_a_mirror_row_is_replaced_by_a_higher_or_equal_stamp_only(store: SqlStore) -> None:
    later = NOW + timedelta(seconds=5)
    store.put_org_rows([org_row("00Q1", later, fields={"Title": "new"})], {}, NOW)
    assert store.put_org_rows([org_row("00Q1", NOW, fields={"Title": "old"})], {}, NOW) == 0
    assert store.org_records([("Lead", "00Q1")])[0].row.fields == {"Title": "new"}
    assert store.put_org_rows([org_row("00Q1", later, fields={"Title": "newer"})], {}, NOW) == 1


def test_reading_never_moves_base_and_an_echo_does(store: SqlStore) -> None:
    store.put_org_rows([org_row("00Q1", NOW)], {}, NOW)
    store.commit_resolved("run", [resolved(1, "p1", org_links=(("Lead", "00Q1"),))], NOW)
    store.commit_plans("run", seen(store, [PersonPlan("p1", (operation(1, "p1"),))]), NOW)
    assert store.dirty_persons(10) == []
    store.mark_sent(["000001"], NOW)
    store.commit_results("run", [OperationResult("000001", OperationState.DONE)], NOW)
    assert [one.operation_id for one in store.operations_needing_echo(10)] == ["000001"]
    echo = org_row("00Q1", NOW + timedelta(seconds=1), fields={"Title": "NEW"})
    store.commit_results("run", [OperationResult("000001", OperationState.DONE, echo=echo, base={"Title": "NEW"})], NOW)
    assert store.operations_needing_echo(10) == []
    store.put_org_rows([org_row("00Q1", NOW + timedelta(seconds=9), fields={"Title": "a person's"})], {}, NOW)
    record = store.org_records([("Lead", "00Q1")])[0]
    assert (record.base, record.row.fields) == ({"Title": "NEW"}, {"Title": "a person's"})
    assert store.operation_counts("run")["updated"] == 1


def test_one_open_operation_per_target(store: SqlStore) -> None:
    store.put_org_rows([org_row("00Q1", NOW)], {}, NOW)
    store.commit_resolved("run", [resolved(1, "p1", org_links=(("Lead", "00Q1"),)), resolved(2, "p2")], NOW)
    store.commit_plans("run", seen(store, [PersonPlan("p1", (operation(1, "p1"),))]), NOW)
    store.commit_plans("run", seen(store, [PersonPlan("p2", (operation(2, "p2"),))]), NOW)
    assert len(store.operations((OperationState.PLANNED,), 10)) == 1
    assert store.dirty_persons(10) == ["p2"], "left dirty, planned after the outcome"


def test_a_mirror_change_of_a_known_person_asks_for_a_plan(store: SqlStore) -> None:
    store.put_org_rows([org_row("00Q1", NOW)], {}, NOW)
    store.commit_resolved("run", [resolved(1, "p1", org_links=(("Lead", "00Q1"),), dirty=False)], NOW)
    store.commit_plans("run", seen(store, [PersonPlan("p1")]), NOW)
    store.put_org_rows([org_row("00Q1", NOW + timedelta(seconds=1), fields={"Title": "y"})], {}, NOW)
    assert store.dirty_persons(10) == ["p1"]


def test_a_merge_moves_the_person_to_the_survivor(store: SqlStore) -> None:
    store.put_org_rows([org_row("00Q1", NOW), org_row("00Q2", NOW)], {}, NOW)
    store.commit_resolved("run", [resolved(1, "p1", org_links=(("Lead", "00Q1"),))], NOW)
    later = NOW + timedelta(seconds=1)
    store.put_org_rows([org_row("00Q1", later, is_deleted=True, merged_into="00Q2")], {}, NOW)
    assert store.org_records([("Lead", "00Q2")])[0].person_id == "p1"


def test_accepting_a_review_merges_or_keeps_apart(store: SqlStore) -> None:
    from syncd.model import Candidate, PersonState

    store.commit_resolved("run", [resolved(1, "p1", claims=(("email", "x@example.com"),))], NOW)
    candidate = Candidate("person", "p1", "p1")
    for number, person in ((2, "p2"), (3, "p3")):
        review = Review("clashing_names", person, (candidate,), "two names", "booth", at=NOW)
        store.commit_resolved("run", [resolved(number, person, person_state=PersonState.REVIEW, review=review)], NOW)
    first, second = store.reviews()
    store.accept_review(first.review_id, candidate, NOW)
    store.accept_review(second.review_id, None, NOW)
    assert len(store.person_views(["p1"])[0].records) == 2
    assert str(store.person_views(["p3"])[0].state) == "active"
    assert store.reviews() == []
    with pytest.raises(StoreError):
        store.accept_review(first.review_id, None, NOW)


def test_what_was_resolved_before_a_merge_is_resolved_again(store: SqlStore) -> None:
    """Stored under the merged person it would never be planned: nobody asks for plans of who is no more."""
    from syncd.model import Candidate

    store.commit_resolved("run", [resolved(1, "p1"), resolved(2, "p2")], NOW)
    review = Review("weak_match", "p2", (Candidate("person", "p1", "p1"),), "same phone", "booth", at=NOW)
    store.commit_resolved("run", [resolved(3, "p2", is_new_person=False, review=review)], NOW)
    late = resolved(2, "p2", is_new_person=False, digest=b"e" * 16)
    (question,) = store.reviews()
    store.accept_review(question.review_id, Candidate("person", "p1", "p1"), NOW)
    with pytest.raises(ClaimConflictError, match="merged"):
        store.commit_resolved("run", [late], NOW)
    known = store.known_records([late.ref])[late.ref]
    assert (known.person_id, known.digest) == ("p1", b"d" * 16)
    assert len(store.person_views(["p1"])[0].records) == 3


def test_a_replayed_record_goes_back_to_the_inbox_once(store: SqlStore) -> None:
    put(store, Page(records(1), {}))
    row = store.take_inbox(1)[0]
    letter = DeadLetter(
        "record", "map", "unknown_value", "no", "booth", "rows", "key0", payload=row.payload, run_id="run", at=NOW
    )
    dead = ResolvedRecord(row.sequence, row.ref, InboxOutcome.DEAD, "unknown_value", dead_letter=letter)
    store.commit_resolved("run", [dead], NOW)
    ids = [one.dead_letter_id for one in store.dead_letters()]
    assert store.replay_dead_letters(ids, NOW) == 1
    assert store.replay_dead_letters(ids, NOW) == 0
    again = store.take_inbox(10)
    assert [(one.payload, one.is_replay, one.source_at) for one in again] == [(row.payload, True, NOW)]


def test_only_one_engine_at_a_time_and_a_lost_lease_sends_nothing(store: SqlStore, store_url: str) -> None:
    store.acquire_lease("engine", "one")
    other = open_store(store_url, clock=FixedClock(NOW))
    with pytest.raises(StoreError, match="Another syncd"):
        other.acquire_lease("engine", "two")
    store.db.unlock()  # as when the first process loses its connection without noticing
    other.acquire_lease("engine", "two")
    with pytest.raises(LeaseLostError):
        store.mark_sent(["000001"], NOW)
    other.close()


def test_a_scratch_copy_has_everything_and_leaves_no_trace(store: SqlStore) -> None:
    store.commit_resolved("run", [resolved(1, "p1", claims=(("email", "x@example.com"),))], NOW)
    copy = store.copy_to_scratch()
    assert copy.claims([("email", "x@example.com")]) == {("email", "x@example.com"): "p1"}
    copy.commit_resolved("run", [resolved(2, "p2")], NOW)
    folder = copy._scratch
    copy.close()
    assert folder is not None
    assert not folder.exists()
    assert store.person_views(["p2"]) == []


def test_the_store_is_bound_to_its_first_org(store: SqlStore) -> None:
    assert store.bind_org("00D1") == "00D1"
    assert store.bind_org("00D2") == "00D1"


def test_a_store_of_a_newer_program_is_refused(store: SqlStore, store_url: str) -> None:
    store.put_setting("schema", "9999")
    with pytest.raises(StoreError, match="9999"):
        open_store(store_url, clock=FixedClock(NOW))


def test_check_finds_nothing_in_a_sound_store(store: SqlStore) -> None:
    put(store, Page(records(3), {}))
    assert store.check() == []
    assert store.migrate() == "0011"


def test_where_nothing_is_yet_a_store_is_made(engine: str, tmp_path: Path) -> None:
    """Without tables or without a file; all other tests begin with a copy of what this makes."""
    url = empty_store_url(engine, tmp_path)
    for _ in range(2):
        with closing(open_store(url, clock=FixedClock(NOW))) as opened:
            assert (opened.setting("schema"), opened.check(), opened.runs(1)) == ("0011", [], [])


def test_a_sqlite_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 26, 0))
    with pytest.raises(StoreError, match=r"needs 3\.35") as refused:
        open_store(f"sqlite:///{tmp_path / 'new.db'}", clock=FixedClock(NOW))
    assert "PostgreSQL" in str(refused.value)
    assert not (tmp_path / "new.db").exists()


def test_a_new_sqlite_file_is_private_and_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    opened = open_store(f"sqlite:///{tmp_path / 'new.db'}", clock=FixedClock(NOW))
    opened.close()
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
    (tmp_path / "text.db").write_text("not a database at all, just some text" * 100)
    with pytest.raises(StoreError, match="not a syncd store"):
        open_store(f"sqlite:///{tmp_path / 'text.db'}", clock=FixedClock(NOW))
    with pytest.raises(StoreError, match="cannot be made"):
        open_store(f"sqlite:///{tmp_path / 'missing' / 'new.db'}", clock=FixedClock(NOW))
