"""What the store does with tasks: no part of the mirror, no hindrance to their person, and never two under way for one record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from syncd.clock import FixedClock
from syncd.errors import StoreError
from syncd.model import Candidate, Lane, Operation, OperationKind, OperationState
from syncd.ports import OperationResult, PersonPlan, Review
from syncd.store import SqlStore, open_store
from tests.contract.planned import seen
from tests.contract.test_store import NOW, operation, org_row, resolved

REP, QUEUE = "005000000000002AAA", "00G000000000001AAA"


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A store on either engine that knows one person with a lead."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    opened.start_run("run", NOW, ["booth"])
    opened.put_org_rows([org_row("00Q1", NOW, owner_id=QUEUE)], {}, NOW)
    opened.commit_resolved("run", [resolved(1, "p1", org_links=(("Lead", "00Q1"),), lane=Lane.HOT)], NOW)
    opened.commit_plans("run", seen(opened, [PersonPlan("p1")]), NOW)
    yield opened
    opened.close()


def task(number: int, person: str = "p1", **more: Any) -> Operation:
    values = {
        "object": "Task",
        "sf_id": "",
        "kind": OperationKind.TASK,
        "fields": {"Subject": "Call"},
        "before": {},
        "own_id": "t1",
    }
    return operation(number, person, **(values | more))


def test_a_task_keeps_its_own_id(store: SqlStore) -> None:
    store.commit_plans("run", seen(store, [PersonPlan("p1", (task(1),))]), NOW)
    (one,) = store.operations((OperationState.PLANNED,), 10)
    assert (one.own_id, one.external_id, one.target) == ("t1", "t1", "Task:new:t1")
    store.put_operations([operation(2, "p1")])
    assert store.operations((OperationState.PLANNED,), 10)[1].external_id == "p1"


def test_one_open_task_per_record_and_any_number_per_person(store: SqlStore) -> None:
    store.commit_plans("run", seen(store, [PersonPlan("p1", (task(1), task(2, own_id="t2")))]), NOW)
    store.commit_plans("run", seen(store, [PersonPlan("p1", (task(3),))]), NOW)
    assert [one.operation_id for one in store.operations_of("p1")] == ["000001", "000002"]
    with pytest.raises(StoreError):
        store.put_operations([task(4)])


@pytest.mark.parametrize("state", [OperationState.PLANNED, OperationState.SENT, OperationState.UNKNOWN])
def test_an_open_task_does_not_hold_its_person(store: SqlStore, state: OperationState) -> None:
    store.put_operations([task(1, state=state)])
    assert store.dirty_persons(10) == []
    store.commit_resolved("run", [resolved(1, "p1", is_new_person=False)], NOW)
    assert store.dirty_persons(10) == ["p1"]
    (view,) = store.person_views(["p1"])
    assert [one.external_id for one in view.tasks] == ["t1"]
    assert [one.external_id for one in view.open_operations] == ["t1"]


def test_a_task_that_was_made_is_not_mirrored_and_not_read_back(store: SqlStore) -> None:
    store.put_operations([task(1)])
    store.commit_results("run", [OperationResult("000001", OperationState.DONE, "00T1")], NOW)
    assert store.operations_needing_echo(10) == []
    assert store.org_records([("Task", "00T1")]) == []
    assert store.dirty_persons(10) == []
    (view,) = store.person_views(["p1"])
    assert [(one.state, one.sf_id, one.external_id) for one in view.tasks] == [(OperationState.DONE, "00T1", "t1")]
    assert [one.row.object for one in view.org_records] == ["Lead"]


def test_counts_tell_tasks_from_leads(store: SqlStore) -> None:
    assert "tasks" not in store.operation_counts("run")
    store.put_operations([task(1), task(2, own_id="t2"), operation(3, "p1", sf_id="", kind=OperationKind.CREATE)])
    results = [OperationResult(f"{n:06d}", OperationState.DONE, f"00T{n}") for n in (1, 3)]
    store.commit_results("run", [*results, OperationResult("000002", OperationState.REFUSED)], NOW)
    counts = store.operation_counts("run")
    assert (counts["tasks"], counts["created"], counts["updated"], counts["refused"]) == (1, 1, 0, 1)


def test_how_tasks_fare_says_nothing_of_the_lead(store: SqlStore) -> None:
    store.put_operations([task(1), operation(2, "p1")])
    failed = [OperationResult(f"{n:06d}", OperationState.FAILED, code="X", dirty=True) for n in (1, 2)]
    store.commit_results("run", failed, NOW)
    (view,) = store.person_views(["p1"])
    assert (view.failures, len(view.tasks)) == (1, 1)


def test_a_lead_that_goes_to_a_user_asks_for_a_plan_if_its_record_came_hot(store: SqlStore) -> None:
    def hand(owner: str, minutes: int) -> list[str]:
        store.commit_plans("run", seen(store, [PersonPlan("p1")]), NOW)
        store.put_org_rows([org_row("00Q1", NOW + timedelta(minutes=minutes), owner_id=owner)], {}, NOW)
        return store.dirty_persons(10)

    assert hand("00G000000000002AAA", 1) == [], "another queue"
    assert hand(REP, 2) == ["p1"]
    assert hand(REP, 3) == [], "the same user"
    store.commit_resolved("run", [resolved(1, "p1", is_new_person=False, lane=Lane.INCREMENT)], NOW)
    assert hand("005000000000003AAA", 4) == [], "no record came hot"


def test_who_takes_a_record_over_takes_its_task_along(store: SqlStore) -> None:
    store.put_operations([task(1)])
    store.commit_results("run", [OperationResult("000001", OperationState.DONE, "00T1")], NOW)
    store.commit_resolved("run", [resolved(2, "p2")], NOW)
    store.link_person("p1", (), Review("merge", "p1", (Candidate("person", "p2", "p2"),), "the same"), NOW)
    (question,) = store.reviews()
    store.accept_review(question.review_id, question.candidates[0], NOW)
    (view,) = store.person_views(["p2"])
    assert [one.external_id for one in view.tasks] == ["t1"]
    assert len(view.records) == 2
