"""What a pass asks of the store is found by an index: its cost follows what changed, not what is known (SQLite's own plans)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from syncd.clock import FixedClock
from syncd.model import (
    OPT_OUT_FIELD,
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
    RunStatus,
)
from syncd.ports import DecisionRow, OperationResult, PersonPlan, ResolvedRecord
from syncd.store import SqlStore, open_store
from tests.contract.planned import seen

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
OPEN = (OperationState.PLANNED, OperationState.HELD, OperationState.SENT, OperationState.UNKNOWN)
_READ_WHOLE = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?$")
_SMALL = {"wanted", "meta", "lease", "run", "run_source", "cursor", "tombstone", "arrival", "schedule"}
"""Tables that do not grow with people, and what a statement brings along."""
_PARTIAL = {"inbox_waiting", "inbox_waiting_key", "operation_open", "operation_echo", "person_dirty", "review_open"}
"""Indexes of what is under way only."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'syncd.db'}", clock=FixedClock(NOW))
    opened.start_run("run", NOW, ["booth"])
    yield opened
    opened.close()


@pytest.fixture
def plans(store: SqlStore) -> Iterator[dict[str, list[str]]]:
    """The plan of each statement that is run, by its text."""
    found: dict[str, list[str]] = {}

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        del cursor, context
        if statement.lstrip().startswith(("SELECT", "UPDATE", "INSERT", "WITH", "DELETE")):
            driver = connection.connection.driver_connection
            given = parameters[0] if many else parameters
            found[statement] = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", given)]

    event.listen(store.db.engine, "before_cursor_execute", explain)
    yield found
    event.remove(store.db.engine, "before_cursor_execute", explain)


def whole(plans: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Steps that read all of a table that grows with people, each with its statement."""
    found = []
    for statement, steps in plans.items():
        for step in steps:
            read = _READ_WHOLE.match(step)
            if read and read[1] not in _SMALL and read[2] not in _PARTIAL and not read[1].isdecimal():
                found.append((step, statement))
    return found


def test_a_pass_without_news_reads_no_table_whole(store: SqlStore, plans: dict[str, list[str]]) -> None:
    store.operations(OPEN, 1_000)
    store.operations((OperationState.HELD,), 10)
    store.operations_needing_echo(2_000)
    store.held_persons("r1")
    store.dirty_persons(1_000)
    store.take_inbox(200, ["booth"], [1, 2])
    store.put_page("run", "booth", "rows", Page((), {}), Lane.INCREMENT, NOW)
    store.put_stale("run", "booth", "digest", 1_000, NOW)
    store.source_counts("run")
    store.operation_counts("run")
    assert len(plans) > 10
    assert whole(plans) == []


def test_the_hot_lane_does_not_walk_through_what_waits_of_others(store: SqlStore, plans: dict[str, list[str]]) -> None:
    store.take_inbox(200, ["site"], (), (Lane.HOT, Lane.INCREMENT))
    (steps,) = plans.values()
    assert any("inbox_waiting_key (source=?" in step for step in steps), steps


def test_what_changed_is_found_by_its_keys(store: SqlStore, plans: dict[str, list[str]]) -> None:
    refs = [RecordRef("booth", "rows", "a")]
    store.put_page("run", "booth", "rows", Page((Record("a", b"{}", NOW),), {}), Lane.INCREMENT, NOW)
    store.known_records(refs)
    store.claims([("email", "a@example.com")])
    store.candidates([("phone", "+4930"), ("external_id", "p")])
    store.person_candidates(["p"])
    store.person_views(["p"])
    store.org_records([("Lead", "00Q1")])
    store.put_org_rows([OrgRow("Lead", "00Q1", {}, NOW, "005", external_id="p")], {"00Q1": [("phone", "+4930")]}, NOW)
    store.mark_sent(["o"], NOW)
    store.commit_results("run", [OperationResult("o", OperationState.DONE, "00Q1")], NOW)
    store.take_back(["o"], NOW)
    store.set_operation_states(["o"], OperationState.FAILED, dirty=True, at=NOW)
    store.operations_of("p")
    store.operations_of_run("run")
    assert len(plans) > 20
    assert whole(plans) == []


def test_an_opt_out_is_found_by_its_keys(store: SqlStore, plans: dict[str, list[str]]) -> None:
    """Also in the transaction that stores the records of a batch, where everybody else waits for it."""
    lead = Lead({OPT_OUT_FIELD: FieldValue(True)})
    refs = [RecordRef("booth", "rows", key) for key in "ab"]
    rows = [
        ResolvedRecord(0, ref, InboxOutcome.APPLIED, lead=lead, payload=b"{}", person_id="p", is_new_person=True) for ref in refs
    ]
    store.commit_resolved("run", rows, NOW)
    later = NOW + timedelta(days=1)
    store.commit_resolved("run", [msgspec.structs.replace(row, is_new_person=False, source_at=later) for row in rows], NOW)
    (view,) = store.person_views(["p"])
    assert [record.withdrawn_at for record in view.records] == [NOW, NOW], "as old as it was"
    store.put_org_rows([OrgRow("Lead", "00Q1", {OPT_OUT_FIELD: True}, NOW, "005", external_id="p")], {}, NOW)
    assert store.payloads(refs) == dict.fromkeys(refs, b"{}")
    assert len(store.opt_out_turns(timedelta(hours=1))) == 1
    store.judge_opt_outs([("Lead", "00Q1")], [("Contact", "003A")], [])
    assert store.opt_out_turns(timedelta(hours=1)) == []
    assert store.mark_opted_out("", 10) == "1"
    assert store.held_opt_outs("005") == 0
    ((step, statement),) = whole(plans)
    assert step == "SCAN org_record USING INDEX org_record_opted_out"
    assert "opted_out_at >= ?" in statement, (
        "asked only when somebody in the org has opted a person out: those who are, and nobody else"
    )


def test_forgetting_walks_by_keys(store: SqlStore, plans: dict[str, list[str]]) -> None:
    """What stays is not read again and again: the cost follows what grows old."""
    store.put_page("run", "booth", "rows", Page((Record("a", b"{}", NOW),), {}), Lane.INCREMENT, NOW)
    store.commit_resolved(
        "run", [ResolvedRecord(row.sequence, row.ref, InboxOutcome.SKIPPED) for row in store.take_inbox(9)], NOW
    )
    person = ResolvedRecord(0, RecordRef("booth", "rows", "b"), InboxOutcome.APPLIED, person_id="p", is_new_person=True)
    store.commit_resolved("run", [person], NOW)
    done = Operation(
        "1", "p", "Lead", "00Q1", OperationKind.UPDATE, {}, {}, state=OperationState.SUPERSEDED, planned_at=NOW, finished_at=NOW
    )
    store.put_operations([done])
    store.finish_run("run", NOW, RunStatus.OK, {})
    plans.clear()
    assert sum(store.prune(NOW + timedelta(days=1), 500)) == 3
    store.pruned_before()
    assert any(statement.startswith("DELETE FROM operation_document") for statement in plans)
    assert whole(plans) == []


def test_a_policy_finds_what_it_needs_by_its_keys(store: SqlStore, plans: dict[str, list[str]]) -> None:
    """Facts of some people, dates that have come, and the first page of everybody cost in proportion to what is found."""
    store.note_statuses(True)
    person = ResolvedRecord(0, RecordRef("booth", "rows", "b"), InboxOutcome.APPLIED, person_id="p", is_new_person=True)
    store.commit_resolved("run", [person], NOW)
    lead = OrgRow("Lead", "00Q1", {"Status": "Open"}, NOW, "005", "005", external_id="p", contact_id="003B", is_converted=True)
    contact = OrgRow("Contact", "003A", {"AccountId": "001A"}, NOW, external_id="p")
    others = [
        OrgRow(name, "x", {"WhoId": "00Q1", "AccountId": "001A"}, NOW) for name in ("Task", "Opportunity", "User", "Account")
    ]
    for stamp in (NOW, NOW + timedelta(days=1)):
        moved = [msgspec.structs.replace(one, stamp=stamp, fields=one.fields | {"Status": str(stamp)}) for one in (lead, *others)]
        store.put_org_rows([*moved, contact], {"x": [("account_domain", "x")]}, NOW)
    assert store.person_facts(["p"], ["005"])["p"].statuses
    store.accounts_by("account_domain", ["x"])
    decided = DecisionRow("a", "rules", "observed")
    for due in ({"": NOW, "a": NOW}, {"": NOW}):
        store.commit_plans("run", seen(store, [PersonPlan("p", decisions=(decided, decided), due=due)]), NOW)
    assert store.next_due() == NOW
    assert store.mark_due(NOW, 10) == 1
    assert store.mark_everybody("", 10) == "1"
    assert len(store.decisions_of("p")) == len(list(store.decisions(NOW, NOW + timedelta(days=1)))) == 4
    assert list(store.decisions(NOW, rule_id="b")) == list(store.status_changes(NOW + timedelta(days=9))) == []
    assert store.policy_days(NOW, NOW) == []
    assert sum(len(page) for page in store.facts_stream(["005"], "", 10)) == 1
    assert store.deals(["x"]).keys() == {"x"}
    assert not store.holds_wins(NOW)
    store.forget_decisions("q")
    assert sum(store.prune(NOW + timedelta(days=2), 500)) > 0
    assert len(plans) > 40
    ((step, statement),) = whole(plans)
    assert step == "SCAN due USING INDEX due_look"
    assert "LIMIT" in statement, "the next date is the first of the index"
    of_deals = [steps for statement, steps in plans.items() if "due.rule <> ''" in statement and "is_dirty" in statement]
    assert of_deals, "whom a changed opportunity was told for"
    assert all(any("USING COVERING INDEX due_rule (rule=?" in step for step in steps) for steps in of_deals)


def test_a_scan_would_be_seen(store: SqlStore, plans: dict[str, list[str]]) -> None:
    """Searching by a part of a name reads everybody, as it says."""
    store.find_persons([], "byron", 5)
    assert [step for step, _ in whole(plans) if step.startswith("SCAN person")]
