"""What the store does with actions at sources: no part of the mirror, no hindrance to their person, kept until they are over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from syncd.clock import FixedClock
from syncd.errors import StoreError
from syncd.model import ORG_KINDS, Candidate, Lane, Operation, OperationKind, OperationState
from syncd.ports import OperationResult, PersonPlan, Review
from syncd.store import SqlStore, open_store
from tests.contract.planned import seen
from tests.contract.test_store import NOW, operation, org_row, resolved

S = OperationState


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A store on either engine that knows one person with a lead."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    opened.start_run("run", NOW, ["booth"])
    opened.put_org_rows([org_row("00Q1", NOW)], {}, NOW)
    opened.commit_resolved("run", [resolved(1, "p1", org_links=(("Lead", "00Q1"),), lane=Lane.HOT)], NOW)
    opened.commit_plans("run", seen(opened, [PersonPlan("p1")]), NOW)
    yield opened
    opened.close()


def action(number: int, own_id: str = "a1", source: str = "news", **more: Any) -> Operation:
    values = {
        "object": f"source:{source}", "sf_id": "", "kind": OperationKind.ACTION, "fields": {"action": "tag"}, "before": {},
        "own_id": own_id, "source": source,
    }  # fmt: skip
    return operation(number, "p1", **(values | more))


def test_it_holds_up_nobody_and_only_itself(store: SqlStore) -> None:
    store.commit_plans("run", seen(store, [PersonPlan("p1", (action(1), action(2, "a2")), stays_dirty=True)]), NOW)
    assert store.dirty_persons(10) == ["p1"]
    with pytest.raises(StoreError):
        store.put_operations([action(3)])
    (view,) = store.person_views(["p1"])
    assert [one.own_id for one in view.actions] == ["a1", "a2"]
    assert (view.tasks, view.failures) == ((), 0)


def test_actions_are_found_by_source_and_state_in_order(store: SqlStore) -> None:
    held = action(4, "a4", "hook", state=S.HELD)
    store.commit_plans("run", seen(store, [PersonPlan("p1", (action(1), action(2, "a2", "hook"), action(3, "a3"), held))]), NOW)
    assert store.acting_sources() == {"news", "hook"}
    assert [one.own_id for one in store.actions((S.PLANNED,), ("news",), 10)] == ["a1", "a3"]
    assert [one.own_id for one in store.actions((S.PLANNED,), ("news", "hook"), 1, after="000001")] == ["a2"]
    assert store.operations((S.PLANNED, S.HELD), 10, kinds=ORG_KINDS) == []
    assert [one.own_id for one in store.operations((S.HELD,), 10, kinds=(OperationKind.ACTION,))] == ["a4"]


def test_what_was_put_off_is_planned_again_with_one_more_try(store: SqlStore) -> None:
    store.commit_plans("run", seen(store, [PersonPlan("p1", (action(1),))]), NOW)
    store.mark_sent(["000001"], NOW, "run2")
    (sent,) = store.operations_of_run("run2")
    assert (sent.state, sent.sent_at) == (S.SENT, NOW)
    store.put_off(["000001"], "throttled")
    (again,) = store.actions((S.PLANNED,), ("news",), 10)
    assert (again.attempt, again.code, again.sent_at, again.run_id) == (1, "throttled", None, "run2")


def test_it_is_counted_apart_and_not_mirrored(store: SqlStore) -> None:
    store.commit_plans("run", seen(store, [PersonPlan("p1", (action(1), action(2, "a2")))]), NOW)
    results = [OperationResult("000001", S.DONE), OperationResult("000002", S.REFUSED, code="no_such_step")]
    store.commit_results("run", results, NOW + timedelta(seconds=1))
    counts = store.operation_counts("run")
    assert (counts["acted"], counts["updated"], counts["refused"]) == (1, 0, 1)
    assert store.operations_needing_echo(10) == []
    assert store.acting_sources() == set()
    (view,) = store.person_views(["p1"])
    assert [one.own_id for one in view.refused_operations] == ["a2"]


def test_of_two_people_who_are_one_the_survivor_has_the_actions(store: SqlStore) -> None:
    """What was done once is not done again."""
    store.commit_resolved(
        "run", [resolved(2, "p2", review=Review("weak_match", "p2", (Candidate("person", "p1", "p1"),), "?"))], NOW
    )
    store.put_operations([msgspec.structs.replace(action(1), person_id="p2")])
    (review,) = store.reviews()
    store.accept_review(review.review_id, Candidate("person", "p1", "p1"), NOW)
    (view,) = store.person_views(["p1"])
    assert [one.own_id for one in view.actions] == ["a1"]
