"""What a replay reads of the store, the same on both engines, and a reader that cannot write."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from syncd.errors import StoreError
from syncd.model import RecordRef
from syncd.ports import DecisionRow, PastActivity, PersonPlan, StatusRow, StoredHistory
from syncd.store import SqlStore, open_reader, tables
from tests.contract.planned import seen
from tests.contract.test_store import resolved
from tests.contract.test_store_policy import DAY, MACHINE, NOW, REP, people, put, row


def history(store: SqlStore, since: datetime, person: str = "p") -> StoredHistory:
    """What is known of one person's past; views and facts come as in `facts_stream`."""
    pages = list(store.history_stream([MACHINE], since))
    assert [[pair[:2] for pair in page] for page in pages] == list(store.facts_stream([MACHINE]))
    return next(known for page in pages for view, _, known in page if view.person_id == person)


def test_every_status_is_told_with_its_editor_also_of_a_lead_that_was_deleted(store: SqlStore) -> None:
    store.note_statuses(True)
    people(store, "p")
    put(store, row("Lead", "00Q1", Status="Open", external_id="p", modified_by=MACHINE))
    put(store, row("Lead", "00Q1", NOW + DAY, Status="Working", external_id="p", modified_by=REP))
    put(store, row("Lead", "00Q1", NOW + 2 * DAY, Status="Working", external_id="p", modified_by=REP, is_deleted=True))
    changes = (StatusRow("00Q1", NOW, "Open", MACHINE), StatusRow("00Q1", NOW + DAY, "Working", REP))
    assert history(store, NOW).statuses == {"00Q1": changes}


def test_tasks_and_events_are_told_one_by_one(store: SqlStore) -> None:
    people(store, "p")
    put(store, row("Lead", "00Q1", external_id="p", contact_id="003A"))
    put(
        store,
        row(
            "Task",
            "00T1",
            WhoId="00Q1",
            IsClosed=True,
            CompletedDateTime="2026-11-20T08:00:00Z",
            CreatedDate="2026-11-01T08:00:00Z",
        ),
        row("Task", "00T2", WhoId="003A", ActivityDate="2026-11-30", CreatedDate="odd"),
        row("Event", "00U1", WhoId="00Q1", StartDateTime="2026-11-25T08:00:00Z", is_deleted=True),
        row("Task", "00T3", WhoId="00Q9"),
    )
    done_at, made_at = NOW.replace(day=20, hour=8), NOW.replace(day=1, hour=8)
    found = history(store, NOW).activities
    assert set(found) == {"00Q1", "003A"}
    assert set(found["00Q1"]) == {
        PastActivity(True, False, False, NOW, made_at, done_at, done_at),
        PastActivity(False, False, True, NOW, None, NOW.replace(day=25, hour=8)),
    }
    assert found["003A"] == (PastActivity(True, True, False, NOW, None, NOW.replace(day=30, hour=0)),)


def test_records_that_came_since_are_told_apart_from_those_that_were_there(store: SqlStore) -> None:
    people(store, "p")
    store.commit_resolved(
        "run", [resolved(2, "p", ref=RecordRef("booth", "rows", "late"), is_new_person=False, link_evidence="email")], NOW + DAY
    )
    late = RecordRef("booth", "rows", "late")
    assert late in [record.ref for record in store.person_views(["p"])[0].records]
    assert history(store, NOW).arrived == {late: NOW + DAY}
    assert history(store, NOW + DAY).arrived == {}
    assert set(history(store, NOW - DAY).arrived.values()) == {NOW, NOW + DAY}


def test_of_each_rule_only_what_fired_before_is_told(store: SqlStore) -> None:
    people(store, "p")
    for days, outcome in ((1, "fired"), (2, "fired"), (2, "observed"), (5, "fired")):
        decided = DecisionRow("a" if outcome == "fired" else "b", "rules", outcome, at=NOW + days * DAY)
        store.commit_plans("run", seen(store, [PersonPlan("p", decisions=(decided,))]), NOW)
    assert history(store, NOW + 3 * DAY).fired == {"a": NOW + 2 * DAY}
    assert history(store, NOW).fired == {}


def test_a_reader_sees_everything_and_writes_nothing(store: SqlStore, store_url: str) -> None:
    people(store, "p")
    reader = open_reader(store_url)
    try:
        assert reader.stream_parts(2) == store.stream_parts(2)
        with pytest.raises(StoreError):
            reader.put_setting("x", "y")
        with reader.db.engine.connect() as connection, pytest.raises(DBAPIError):
            connection.execute(update(tables.person).values(state="merged"))
    finally:
        reader.close()
    assert store.setting("x") is None


def test_a_reader_makes_no_store_and_brings_none_up_to_date(store: SqlStore, store_url: str, tmp_path: Path) -> None:
    store.put_setting("schema", "0001")
    with pytest.raises(StoreError, match="schema 0001"):
        open_reader(store_url)
    assert store.setting("schema") == "0001"
    missing = tmp_path / "missing.db"
    with pytest.raises(StoreError, match="no store"):
        open_reader(f"sqlite:///{missing}")
    assert not missing.exists()
