"""Exports of leads that are due for deletion, the same on both engines: what counts, whose plan it changes, and who still waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from syncd.model import Candidate, OperationKind, OperationState, PersonState
from syncd.ports import ExportedLead, LeadExport, OperationResult, PersonPlan, Review
from syncd.store import SqlStore, tables
from tests.contract.planned import seen
from tests.contract.test_store import operation
from tests.contract.test_store_policy import MACHINE, REP, count, people, put, row

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def export(number: int = 1, **more: Any) -> LeadExport:
    values = {"at": NOW, "org_id": "00D1", "file": "/x/leads.jsonl", "sha256": f"{number:064}", "count": 1}
    return LeadExport(f"export-{number}", **{**values, **more})


def lead(sf_id: str, person: str = "p", stamp: datetime = NOW, digest: str = "d") -> ExportedLead:
    return ExportedLead(sf_id, person, stamp, digest)


def due(store: SqlStore, person: str, at: datetime, rule: str = "gone") -> None:
    store.commit_plans("run", seen(store, [PersonPlan(person, due={rule: at})]), NOW)


def test_the_newest_export_of_a_lead_counts(store: SqlStore) -> None:
    people(store, "p", "q")
    store.put_export(export(1), [lead("00Q1", digest="old"), lead("00Q2", "q")])
    store.put_export(export(2), [lead("00Q1", digest="new", stamp=NOW + DAY)])
    assert store.exported(["00Q1", "00Q2", "00Q3"]) == {
        "00Q1": ExportedLead("00Q1", "p", NOW + DAY, "new", "export-2"),
        "00Q2": ExportedLead("00Q2", "q", NOW, "d", "export-1"),
    }
    assert [one.export_id for one in store.exports(5)] == ["export-2", "export-1"]
    assert store.exports(1) == [export(2)]


def test_half_an_export_counts_for_nothing(store: SqlStore) -> None:
    """A command that died before its last write."""
    people(store, "p")
    put(store, row("Lead", "00Q1", external_id="p"))
    due(store, "p", NOW)
    store.put_export(export(), [lead("00Q1")])
    with store.db.write() as connection:
        connection.execute(update(tables.lead_export).values(is_verified=False))
    assert (store.exported(["00Q1"]), store.exports(5), store.mark_exported()) == ({}, [], 0)
    assert store.waiting_for_export(["gone"], NOW, 10) == 1
    store.put_export(export(2, at=NOW + 2 * DAY), [])
    assert (count(store, "exported_lead"), count(store, "lead_export")) == (0, 1), "what died goes with the next one"


def test_an_export_has_its_people_planned_once(store: SqlStore) -> None:
    """More than fit into one write unit."""
    names = [f"p{n:03}" for n in range(450)]
    people(store, *names)
    assert store.dirty_persons(1_000) == []
    store.put_export(export(count=450), [lead(f"00Q{name}", name) for name in names])
    assert store.dirty_persons(1_000) == [], "a command leaves what the engine plans alone"
    assert (store.mark_exported(), store.dirty_persons(1_000)) == (450, names)
    store.commit_plans("run", seen(store, [PersonPlan(name) for name in names]), NOW)
    assert (store.mark_exported(), store.dirty_persons(1_000)) == (0, [])


def test_what_an_export_holds_no_longer_is_forgotten(store: SqlStore) -> None:
    people(store, "p")
    for number in (1, 2):
        store.put_export(export(number), [lead("00Q1"), lead("00Q2")])
    store.forget_exported(["00Q1"])
    assert set(store.exported(["00Q1", "00Q2"])) == {"00Q2"}
    store.forget_exported([])


def test_who_is_due_is_found_by_the_date_those_first_who_wait_longest(store: SqlStore) -> None:
    people(store, "a", "b", "c", "d", "e")
    for person, at, rule in (("a", NOW, "gone"), ("b", NOW - DAY, "gone"), ("c", NOW + DAY, "gone"), ("d", NOW - DAY, "other")):
        due(store, person, at, rule)
    store.commit_plans("run", seen(store, [PersonPlan("e", due={"": NOW - DAY})]), NOW)
    assert [one for page in store.due_for_deletion(["gone"], NOW) for one in page] == ["b", "a"]
    assert sorted(one for page in store.due_for_deletion(["gone", "other"], NOW) for one in page) == ["a", "b", "d"]
    assert list(store.due_for_deletion([], NOW)) == []


def test_many_who_are_due_come_in_pages_each_once(store: SqlStore) -> None:
    """Most of them since the same instant."""
    names = [f"p{n:04}" for n in range(2_100)]
    people(store, *names)
    store.commit_plans(
        "run", seen(store, [PersonPlan(one, due={"gone": NOW if n else NOW - DAY}) for n, one in enumerate(names)]), NOW
    )
    pages = list(store.due_for_deletion(["gone"], NOW))
    assert [len(one) for one in pages] == [1_000, 1_000, 100]
    assert [one for page in pages for one in page] == names


def test_who_waits_for_an_export_is_counted_by_what_the_mirror_says(store: SqlStore) -> None:
    people(store, "p", "q", "r")
    for name, sf_id in (("p", "00Q1"), ("q", "00Q2"), ("r", "00Q3")):
        put(store, row("Lead", sf_id, external_id=name))
        due(store, name, NOW)
    due(store, "r", NOW + DAY)
    assert [store.waiting_for_export(rules, NOW, 10) for rules in (["gone"], ["other"], [])] == [2, 0, 0]
    assert store.waiting_for_export(["gone"], NOW, 1) == 1
    store.put_export(export(), [lead("00Q1"), lead("00Q2", "q", NOW - DAY)])
    assert store.waiting_for_export(["gone"], NOW, 10) == 1, "what has changed since waits for another one"
    put(store, row("Lead", "00Q1", NOW + DAY, external_id="p", Title="x"))
    assert store.waiting_for_export(["gone"], NOW, 10) == 2


def test_dates_of_deletions_are_found_by_an_index(store: SqlStore) -> None:
    """Nothing walks through everybody, or through all dates."""
    if not store.db.is_sqlite:
        pytest.skip("PostgreSQL reads small tables whole, whatever indexes there are")
    told: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        del connection, context, many
        if statement.lstrip().upper().startswith("SELECT"):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            told.extend(str(line[-1]) for line in cursor.fetchall())

    event.listen(store.db.engine, "before_cursor_execute", explain)
    try:
        list(store.due_for_deletion(["gone"], NOW))
        store.waiting_for_export(["gone"], NOW, 10)
        store.exported(["00Q1"])
        store.mark_exported()
    finally:
        event.remove(store.db.engine, "before_cursor_execute", explain)
    assert any("due_rule" in one for one in told)
    scanned = [one for one in told if one.startswith("SCAN") and not any(word in one for word in ("json_each", "anon_", "INDEX"))]
    assert scanned == [], told


def test_a_lead_that_expired_is_gone_by_our_own_hand(store: SqlStore) -> None:
    """What the mirror reads of it afterwards changes nothing; a person who takes it back out does."""
    people(store, "p")
    put(store, row("Lead", "00Q1", external_id="p", Status="Archived"))
    one = operation(1, "p", kind=OperationKind.EXPIRE, sf_id="00Q1", fields={"IsDeleted": True}, before={"IsDeleted": False})
    store.put_operations([one])
    store.mark_sent([one.operation_id], NOW)
    store.commit_results("run", [OperationResult(one.operation_id, OperationState.DONE, "00Q1", dirty=True)], NOW)
    assert store.operations_needing_echo(5) == []
    assert store.operation_counts("run")["deleted"] == 1
    put(store, row("Lead", "00Q1", NOW + DAY, is_deleted=True, external_id="p", Status="Archived"))
    (view,) = store.person_views(["p"])
    (record,) = view.org_records
    assert (record.row.is_deleted, record.deleted_by_us, record.row.fields) == (True, True, {"Status": "Archived"})
    assert ([each.sf_id for each in view.expirations], view.was_create_sent, view.failures) == (["00Q1"], False, 0)
    put(store, row("Lead", "00Q1", NOW + 2 * DAY, external_id="p", Status="Archived"))
    assert store.org_records([("Lead", "00Q1")])[0].deleted_by_us is False


def test_a_deletion_that_failed_does_not_count_against_the_lead(store: SqlStore) -> None:
    people(store, "p")
    one = operation(1, "p", kind=OperationKind.EXPIRE, sf_id="00Q1", fields={"IsDeleted": True}, before={})
    store.put_operations([one])
    store.commit_results("run", [OperationResult(one.operation_id, OperationState.FAILED, code="UNABLE_TO_LOCK_ROW")], NOW)
    (view,) = store.person_views(["p"])
    assert (view.failures, [each.state for each in view.expirations]) == (0, [OperationState.FAILED])


def test_deletions_go_with_the_survivor_and_are_never_forgotten(store: SqlStore) -> None:
    people(store, "p", "q")
    one = operation(1, "p", kind=OperationKind.EXPIRE, sf_id="00Q1", fields={"IsDeleted": True}, before={})
    store.put_operations([one])
    store.mark_sent([one.operation_id], NOW)
    store.commit_results("run", [OperationResult(one.operation_id, OperationState.DONE, "00Q1")], NOW)
    assert sum(store.prune(NOW + 400 * DAY, 100)) >= 0
    candidates = (Candidate("person", "q", "q"),)
    store.commit_plans("run", seen(store, [PersonPlan("p", review=Review("merge", "p", candidates, "?", at=NOW))]), NOW)
    (asked,) = store.reviews()
    store.accept_review(asked.review_id, candidates[0], NOW)
    views = {view.person_id: view for view in store.person_views(["p", "q"])}
    assert views["p"].state is PersonState.MERGED
    assert [each.sf_id for each in views["q"].expirations] == ["00Q1"]


@pytest.mark.parametrize("by", ["a read", "an echo"])
def test_who_changed_a_record_before_the_last_one_is_known(store: SqlStore, by: str) -> None:
    """Our own write must not hide that a person was there."""
    people(store, "p")
    put(store, row("Lead", "00Q1", external_id="p", modified_by=MACHINE, Title="a"))
    put(store, row("Lead", "00Q1", NOW + DAY, external_id="p", modified_by=REP, Title="b"))
    ours = row("Lead", "00Q1", NOW + 2 * DAY, external_id="p", modified_by=MACHINE, Title="c")
    if by == "a read":
        put(store, ours)
    else:
        one = operation(1, "p", sf_id="00Q1", fields={"Title": "c"}, before={"Title": "b"})
        store.put_operations([one])
        store.commit_results("run", [OperationResult(one.operation_id, OperationState.DONE, "00Q1", echo=ours)], NOW + 2 * DAY)
    put(store, row("Lead", "00Q1", NOW + 3 * DAY, external_id="p", modified_by=MACHINE, Title="d"))
    (record,) = store.org_records([("Lead", "00Q1")])
    assert (record.row.modified_by, record.other_by, record.other_at) == (MACHINE, REP, NOW + DAY)
    assert count(store, "org_record") == 1


@pytest.mark.parametrize("by", ["a read", "an echo"])
def test_two_machines_in_turn_do_not_hide_a_person(store: SqlStore, by: str) -> None:
    """An edit of a person keeps a lead from the archive, whoever has written to it since."""
    other = "005000000000009AAA"
    store.note_machines(frozenset({MACHINE, other}))
    people(store, "p")
    put(store, row("Lead", "00Q1", external_id="p", modified_by=MACHINE, Title="a"))
    put(store, row("Lead", "00Q1", NOW + DAY, external_id="p", modified_by=REP, Title="b"))
    put(store, row("Lead", "00Q1", NOW + 2 * DAY, external_id="p", modified_by=other, Title="c"))
    ours = row("Lead", "00Q1", NOW + 3 * DAY, external_id="p", modified_by=MACHINE, Title="d")
    if by == "a read":
        put(store, ours)
    else:
        one = operation(1, "p", sf_id="00Q1", fields={"Title": "d"}, before={"Title": "c"})
        store.put_operations([one])
        store.commit_results("run", [OperationResult(one.operation_id, OperationState.DONE, "00Q1", echo=ours)], NOW + 3 * DAY)
    put(store, row("Lead", "00Q1", NOW + 4 * DAY, external_id="p", modified_by=other, Title="e"))
    (record,) = store.org_records([("Lead", "00Q1")])
    assert (record.row.modified_by, record.other_by, record.other_at) == (other, REP, NOW + DAY)
    put(store, row("Lead", "00Q1", NOW + 5 * DAY, external_id="p", modified_by="005000000000008AAA", Title="f"))
    put(store, row("Lead", "00Q1", NOW + 6 * DAY, external_id="p", modified_by=MACHINE, Title="g"))
    (record,) = store.org_records([("Lead", "00Q1")])
    assert (record.other_by, record.other_at) == ("005000000000008AAA", NOW + 5 * DAY)
