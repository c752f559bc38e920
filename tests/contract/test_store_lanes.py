"""The slow lanes of the store, and what is dropped, remembered or taken back; the same on both engines."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import inspect, text

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
    Touch,
)
from syncd.ports import Backfill, DeadLetter, OperationResult, PersonPlan, ResolvedRecord, StoredPage
from syncd.store import SqlStore, tables
from syncd.store.migrations.versions import __name__ as versions

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(days=400)


def record(key: str, version: int = 1, at: datetime = NOW) -> Record:
    return Record(key, b'{"version": %d}' % version, at)


def put(store: SqlStore, *records: Record, **more: Any) -> StoredPage:
    return store.put_page("run", "booth", "rows", Page(records, {}), more.pop("lane", Lane.INCREMENT), NOW, **more)


def settle(store: SqlStore, outcome: InboxOutcome = InboxOutcome.APPLIED, *, mapping: str = "m1", **more: Any) -> int:
    """End everything that waits as a pass would; gives how many."""
    rows = store.take_inbox(1_000)
    applied = outcome is InboxOutcome.APPLIED
    made = [
        ResolvedRecord(
            sequence=row.sequence,
            ref=row.ref,
            outcome=outcome,
            reason="" if applied else "skip_when",
            person_id=f"person of {row.ref.key}" if applied else "",
            is_new_person=applied and row.ref not in store.known_records([row.ref]),
            lead=Lead({"LastName": FieldValue(row.ref.key)} if applied else {}),
            digest=row.digest,
            payload=row.payload,
            mapping_digest=mapping,
            source_at=row.source_at or NOW,
            lane=row.lane,
            **more,
        )
        for row in rows
    ]
    store.commit_resolved("run", made, NOW)
    return len(rows)


def sums_match(store: SqlStore) -> bool:
    counts = store.source_counts("run")["booth"]
    ended = counts.applied + counts.unchanged + counts.skipped + counts.dead + counts.waiting
    return counts.waiting_before + counts.pulled == ended


def test_a_version_that_is_known_does_not_wait_again(store: SqlStore) -> None:
    """An overlap sends much again; that must cost nothing but the look."""
    put(store, record("a"), record("b"))
    settle(store)
    assert put(store, record("a"), record("b", 2), record("c")) == StoredPage(held=3, waiting=2)
    assert sorted(row.ref.key for row in store.take_inbox(10)) == ["b", "c"]
    assert store.source_counts("run")["booth"].unchanged == 1
    assert sums_match(store)


def test_a_known_version_waits_while_another_one_of_its_record_does(store: SqlStore) -> None:
    """Back to the old value: dropping it would leave the one in between as the last word."""
    put(store, record("a", 1))
    settle(store)
    put(store, record("a", 2))
    put(store, record("a", 1))
    assert [row.payload for row in store.take_inbox(10)] == [b'{"version": 2}', b'{"version": 1}']


def test_what_is_older_than_the_start_takes_the_slow_lane(store: SqlStore) -> None:
    put(store, record("old", at=BEFORE), record("new"), news_from=NOW - timedelta(days=1))
    assert [(row.ref.key, row.lane) for row in store.take_inbox(10)] == [("new", Lane.INCREMENT), ("old", Lane.BACKFILL)]


def test_a_hot_record_goes_before_a_back_fill_that_came_first(store: SqlStore) -> None:
    put(store, record("slow"), lane=Lane.BACKFILL)
    put(store, record("hot"), lane=Lane.HOT)
    assert [row.ref.key for row in store.take_inbox(10)] == ["hot", "slow"]


def test_a_skipped_record_is_remembered_without_a_person(store: SqlStore) -> None:
    put(store, record("a"))
    settle(store, InboxOutcome.SKIPPED)
    assert put(store, record("a")).waiting == 0
    assert store.known_records([RecordRef("booth", "rows", "a")])[RecordRef("booth", "rows", "a")].person_id == ""
    assert store.check() == []


@pytest.mark.parametrize("lanes", [(Lane.HOT, Lane.REMAP), (Lane.INCREMENT, Lane.INCREMENT)])
def test_what_waits_is_taken_of_any_number_of_sources_and_without_what_is_held(store: SqlStore, lanes: tuple[Lane, Lane]) -> None:
    names = ("booth", "letter", "site")
    for name in names:
        store.put_page("run", name, "rows", Page((record("a"), record("b")), {}), Lane.INCREMENT, NOW)
    (first, *_) = store.take_inbox(10, names, (), lanes)

    def taken(sources: tuple[str, ...] | None, held: tuple[int, ...] = ()) -> list[tuple[str, str]]:
        return [(row.ref.source, row.ref.key) for row in store.take_inbox(10, sources, held, lanes)]

    every = [(name, key) for name in names for key in ("a", "b")]
    assert taken(None) == every
    assert taken(()) == []
    for count in range(1, len(names) + 1):
        assert taken(names[:count]) == every[: 2 * count]
        assert taken(names[:count], (first.sequence,)) == every[1 : 2 * count]


def test_a_skipped_version_of_a_known_record_leaves_its_lead_and_person(store: SqlStore) -> None:
    put(store, record("a", 1))
    settle(store)
    put(store, record("a", 2))
    settle(store, InboxOutcome.SKIPPED)
    (view,) = store.person_views(["person of a"])
    assert view.records[0].lead.fields["LastName"].value == "a"
    assert put(store, record("a", 2)).waiting == 0


def test_a_skipped_version_lends_its_time_to_no_value_that_came_before(store: SqlStore) -> None:
    """Otherwise an old value would win over what another source has said since (DESIGN 5.2), or be taken for a re-mapping's."""
    put(store, record("a", 1))
    settle(store)
    put(store, record("a", 2, NOW + timedelta(days=3)), lane=Lane.REMAP)
    settle(store, InboxOutcome.SKIPPED, mapping="m2")
    (view,) = store.person_views(["person of a"])
    assert (view.records[0].source_at, view.records[0].lane) == (NOW, Lane.INCREMENT)
    assert store.stale_count("booth", "m2") == 0


def test_a_skipped_version_is_not_remembered_over_a_later_one_of_the_same_batch(store: SqlStore) -> None:
    put(store, record("a", 1), record("a", 2))
    first, second = store.take_inbox(2)
    lead = Lead({"LastName": FieldValue("a")})
    common = {"mapping_digest": "m1", "source_at": NOW}
    skipped = ResolvedRecord(
        first.sequence, first.ref, InboxOutcome.SKIPPED, lead=Lead({}), digest=first.digest, payload=first.payload, **common
    )
    applied = ResolvedRecord(
        second.sequence, second.ref, InboxOutcome.APPLIED, person_id="p", is_new_person=True, lead=lead, digest=second.digest,
        payload=second.payload, **common,
    )  # fmt: skip
    store.commit_resolved("run", [skipped, applied], NOW)
    assert store.known_records([first.ref])[first.ref].digest == second.digest


def test_records_of_another_mapping_wait_once_more_and_only_those(store: SqlStore) -> None:
    put(store, *(record(f"k{n}") for n in range(5)))
    settle(store, mapping="m1")
    assert store.put_stale("run", "booth", "m1", 100, NOW) == 0
    assert store.stale_count("booth", "m2") == 5
    assert store.put_stale("run", "booth", "m2", 3, NOW) == 3
    assert {row.lane for row in store.take_inbox(10)} == {Lane.REMAP}
    assert sums_match(store)
    # Those that wait already are not put again, the others are.
    assert store.put_stale("run", "booth", "m2", 100, NOW) == 2
    assert store.put_stale("run", "booth", "m2", 100, NOW) == 0
    assert settle(store, mapping="m2") == 5
    assert store.stale_count("booth", "m2") == 0
    assert sums_match(store)


def test_a_refused_record_of_a_re_mapping_is_stale_no_longer(store: SqlStore) -> None:
    """Otherwise the lane would never end."""
    put(store, record("a"))
    settle(store, mapping="m1")
    assert store.put_stale("run", "booth", "m2", 10, NOW) == 1
    settle(store, InboxOutcome.DEAD, mapping="m2")
    assert store.stale_count("booth", "m2") == 0
    (view,) = store.person_views(["person of a"])
    assert view.records[0].lead.fields["LastName"].value == "a", "what it said before still counts"


def test_a_record_says_by_which_lane_it_came(store: SqlStore) -> None:
    put(store, record("a"), lane=Lane.BACKFILL)
    settle(store)
    (view,) = store.person_views(["person of a"])
    assert view.records[0].lane is Lane.BACKFILL


def test_a_back_fill_has_a_cursor_of_its_own_until_it_ends(store: SqlStore) -> None:
    name = f"backfill:{BEFORE.isoformat()}..{NOW.isoformat()}"
    asked = Backfill("booth", "rows", name, {"at": 1})
    store.put_page("run", "booth", "rows", Page((), {"live": 7}), Lane.INCREMENT, NOW)
    assert store.put_backfill(asked, NOW)
    store.put_page("run", "booth", "rows", Page((), {"at": 5}, partition=name), Lane.BACKFILL, NOW)
    assert not store.put_backfill(asked, NOW), "the same one goes on where it is"
    (found,) = store.backfills("booth", "rows")
    assert (found.cursor, found.until) == ({"at": 5}, NOW)
    assert store.cursor("booth", "rows") == {"live": 7}
    store.end_backfill("booth", "rows", name)
    assert store.backfills("booth", "rows") == []
    assert store.cursor("booth", "rows") == {"live": 7}


def test_a_page_that_nobody_could_read_is_kept_once(store: SqlStore) -> None:
    letter = DeadLetter("page", "extract", "unreadable_page", "not JSON", "booth", "rows", payload=b"<html>", at=NOW)
    store.put_dead_letters([letter])
    store.put_dead_letters([letter])
    (kept,) = store.dead_letters()
    whole = store.dead_letter(kept.dead_letter_id)
    assert whole is not None
    assert (whole.kind, whole.payload) == ("page", b"<html>")


def create(person: str, state: OperationState) -> Operation:
    return Operation(f"op {person}", person, "Lead", "", OperationKind.CREATE, {"LastName": "x"}, {}, state=state, run_id="run")


def resolve_new(
    store: SqlStore, state: OperationState, lead: Lead | None = None, *, key: str = "a", person_id: str = "p"
) -> None:
    put(store, record(key))
    (row,) = store.take_inbox(1)
    made = ResolvedRecord(
        row.sequence,
        row.ref,
        InboxOutcome.APPLIED,
        person_id=person_id,
        is_new_person=True,
        lead=lead or Lead({}),
        digest=row.digest,
        source_at=NOW,
    )
    store.commit_resolved("run", [made], NOW, [PersonPlan(person_id, (create(person_id, state),))])


def test_what_was_marked_as_sent_and_never_left_may_be_assigned_later(store: SqlStore) -> None:
    resolve_new(store, OperationState.PLANNED)
    store.mark_sent(["op p"], NOW)
    (view,) = store.person_views(["p"])
    assert view.was_create_sent
    store.take_back(["op p"], NOW)
    (view,) = store.person_views(["p"])
    assert not view.was_create_sent
    assert store.dirty_persons(10) == ["p"]


def test_what_the_schema_before_spelled_out_is_still_explained(store: SqlStore) -> None:
    """A store that was written before origins were kept apart: nobody loses why something was written (G7)."""
    resolve_new(store, OperationState.PLANNED)
    why = '{"source": "booth", "stream": "rows", "key": "a", "locator": "file row 1", "mapping": "csv", "line": 4, "rule": ""}'
    golden = f'{{"LastName": {{"value": "Old", "overwrite": "if_unchanged", "is_default": false, "provenance": {why}}}}}'
    document = f'{{"fields": {{"LastName": "Old"}}, "before": {{}}, "provenance": {{"LastName": {why}}}, "assignment": null, "is_guarded": false}}'
    with store.db.write() as connection:
        connection.execute(text("UPDATE person SET golden = :golden"), {"golden": golden})
        connection.execute(text("UPDATE operation_document SET document = :document"), {"document": document})
    assert store.person_documents(["p"])["p"]["golden"]["LastName"]["provenance"]["locator"] == "file row 1"
    assert store.find_persons([], "old", 5) == ["p"]
    (operation,) = store.operations_of("p")
    assert (operation.fields, operation.provenance["LastName"].line) == ({"LastName": "Old"}, 4)


def test_the_schema_goes_up_and_down_with_what_is_in_it(store: SqlStore) -> None:
    """The newest revisions, down and up again, on a store that holds a person from record to echo, and a record of nobody."""
    resolve_new(store, OperationState.PLANNED, Lead({"LastName": FieldValue("Byron")}, touch=Touch("form", at=NOW.isoformat())))
    store.mark_sent(["op p"], NOW)
    echo = OrgRow("Lead", "00Q1", {"LastName": "Byron"}, NOW, "005", external_id="p")
    store.commit_results(
        "run", [OperationResult("op p", OperationState.DONE, "00Q1", echo=echo, base={"LastName": "Byron"})], NOW
    )
    put(store, record("b"))
    settle(store, InboxOutcome.SKIPPED)
    before = everything(store)
    steps: list[Any] = [
        importlib.import_module(f"{versions}.{name}")
        for name in (
            "0011_marks",
            "0010_feedback",
            "0009_opt_outs",
            "0008_xactly",
            "0007_retention",
            "0006_wanted",
            "0005_policy",
            "0004_live",
            "0003_numbers",
            "0002_lanes",
        )
    ]
    with store.db.write() as connection, Operations.context(MigrationContext.configure(connection)):
        steps[0].downgrade()
        assert "marks" not in {column["name"] for column in inspect(connection).get_columns("person")}
        steps[1].downgrade()
        assert "related_deal" not in {index["name"] for index in inspect(connection).get_indexes("related")}
        steps[2].downgrade()
        assert "opt_out_hold" not in {column["name"] for column in inspect(connection).get_columns("org_record")}
        steps[3].downgrade()
        assert not {"xactly_batch", "xactly_row"} & set(inspect(connection).get_table_names())
        steps[4].downgrade()
        assert not {"lead_export", "exported_lead"} & set(inspect(connection).get_table_names())
        assert "other_by" not in {column["name"] for column in inspect(connection).get_columns("org_record")}
        steps[5].downgrade()
        assert "wanted" not in inspect(connection).get_table_names()
        steps[6].downgrade()
        assert not {"decision", "status_change", "related"} & set(inspect(connection).get_table_names())
        steps[7].downgrade()
        assert not {"schedule", "arrival"} & set(inspect(connection).get_table_names())
        steps[8].downgrade()
        assert connection.execute(text("SELECT person_id, document FROM operation")).one().person_id == "p"
        assert [row[0] for row in connection.execute(text("SELECT person_id FROM record ORDER BY key"))] == ["p", ""]
        assert connection.execute(text("SELECT person_id FROM org_record")).scalars().all() == ["p"]
        assert connection.execute(text("SELECT person_id FROM touch")).scalars().all() == ["p"]
        steps[9].downgrade()
        assert "lane" not in {column["name"] for column in inspect(connection).get_columns("record")}
        for step in reversed(steps):
            step.upgrade()
    assert everything(store) == before
    assert store.check() == []
    assert settle(store) == 0
    resolve_new(store, OperationState.PLANNED, key="c", person_id="q")
    assert [one.operation_id for one in store.operations_of("q")] == ["op q"]


def everything(store: SqlStore) -> tuple[Any, ...]:
    """What planning, resolving and explaining read of a store."""
    with store.db.read() as connection:
        touches = connection.execute(tables.with_person(tables.touch)).all()
    known = store.known_records([RecordRef("booth", "rows", key) for key in ("a", "b")])
    return store.person_views(["p"]), known, store.operations_of("p"), store.org_records([("Lead", "00Q1")]), touches


@pytest.mark.parametrize("stays_dirty", [False, True])
def test_a_mark_that_comes_while_a_plan_is_made_outlives_it(store: SqlStore, stays_dirty: bool) -> None:
    """The mirror is read beside the planning: a plan of older facts must not say that the person is done with."""
    resolve_new(store, OperationState.PLANNED)
    store.mark_sent(["op p"], NOW)
    echo = OrgRow("Lead", "00Q1", {"LastName": "Byron"}, NOW, "005", external_id="p")
    store.commit_results("run", [OperationResult("op p", OperationState.DONE, "00Q1", echo=echo)], NOW)
    (before,) = store.person_views(["p"])
    later = OrgRow("Lead", "00Q1", {"LastName": "King"}, NOW + timedelta(seconds=1), "rep", external_id="p")
    store.put_org_rows([later], {}, NOW)
    store.commit_plans("run", [PersonPlan("p", stays_dirty=stays_dirty, marks=before.marks)], NOW)
    assert store.dirty_persons(9) == ["p"]
    (after,) = store.person_views(["p"])
    assert after.marks == before.marks + 1
    store.commit_plans("run", [PersonPlan("p", stays_dirty=stays_dirty, marks=after.marks)], NOW)
    assert store.dirty_persons(9) == (["p"] if stays_dirty else [])
