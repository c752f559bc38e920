"""What the store keeps of opt-outs: since when a record states one, who made one in the org, and which of them wait for a person."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import text

from syncd.clock import FixedClock
from syncd.errors import StoreError
from syncd.model import FIRST_LOOK, FieldValue, Lead, OperationKind, OperationState, OptOutHold, OrgRow
from syncd.ports import OperationResult, PersonPlan, Review
from syncd.store import SqlStore, open_store
from syncd.store.migrations.versions import __name__ as versions
from tests.contract.planned import seen
from tests.contract.test_store import NOW, operation, resolved

FIELD = "HasOptedOutOfEmail"
HOUR = timedelta(hours=1)
OUT = Lead({FIELD: FieldValue(True)})


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A store on either engine that knows one person with a lead."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    opened.start_run("run", NOW, ["booth"])
    opened.put_org_rows([box("00Q1", NOW, is_out=False), box("00Q2", NOW, is_out=True)], {}, NOW, is_fill=True)
    opened.judge_opt_outs([("Lead", "00Q2")], [], [])
    opened.commit_resolved("run", [resolved(1, "p1", org_links=(("Lead", "00Q1"),))], NOW)
    opened.commit_plans("run", seen(opened, [PersonPlan("p1")]), NOW)
    yield opened
    opened.close()


def box(sf_id: str, at: datetime, *, is_out: bool, by: str = "005rep") -> OrgRow:
    return OrgRow("Lead", sf_id, {"Email": "ada@example.com", FIELD: is_out}, at, modified_by=by)


def tick(store: SqlStore, minutes: int, *, is_out: bool = True, sf_id: str = "00Q1", by: str = "005rep") -> None:
    at = NOW + timedelta(minutes=minutes)
    store.put_org_rows([box(sf_id, at, is_out=is_out, by=by)], {}, at)


def noted(store: SqlStore, sf_id: str = "00Q1") -> tuple[datetime | None, str, str]:
    (found,) = store.org_records([("Lead", sf_id)])
    return found.opted_out_at, found.opted_out_by, found.opt_out_hold


def test_the_mirror_notes_who_ticked_the_box_and_forgets_it_when_the_tick_goes(store: SqlStore) -> None:
    assert noted(store) == (None, "", "")
    assert noted(store, "00Q2") == (NOW, FIRST_LOOK, "calm"), "ticked before anybody looked"
    tick(store, 5)
    assert noted(store) == (NOW + timedelta(minutes=5), "005rep", "new")
    tick(store, 9, by="005other")
    assert noted(store)[:2] == (NOW + timedelta(minutes=5), "005rep"), "an edit of something else"
    tick(store, 12, is_out=False)
    assert noted(store) == (None, "", "")
    tick(store, 15, sf_id="00Q9")
    assert noted(store, "00Q9") == (NOW + timedelta(minutes=15), "005rep", "new"), "made with the tick"


def test_a_tick_that_is_seen_twice_is_one_and_keeps_what_became_of_it(store: SqlStore) -> None:
    tick(store, 5)
    store.judge_opt_outs([("Lead", "00Q1")], [], [])
    for is_fill in (False, True):
        at = NOW + timedelta(minutes=5)
        store.put_org_rows([box("00Q1", at, is_out=True)], {}, at, is_fill=is_fill)
        assert noted(store) == (at, "005rep", "calm")
    assert store.opt_out_turns(HOUR) == []


def test_what_a_fill_has_found_has_no_hour(store: SqlStore) -> None:
    """However long ago: they are counted together, also with those that were let by before."""
    long_ago = NOW - timedelta(days=900)
    store.put_org_rows([box("00Q5", long_ago, is_out=True)], {}, NOW, is_fill=True)
    assert {one.sf_id for one in store.opt_out_turns(HOUR)} == {"00Q2", "00Q5"}
    store.judge_opt_outs([], [("Lead", "00Q5")], [question()])
    tick(store, 30)
    assert {one.sf_id for one in store.opt_out_turns(HOUR)} == {"00Q1", "00Q2"}, "what is held waits without being counted"


def test_who_is_counted_is_planned_again(store: SqlStore) -> None:
    """They may have been planned between being seen and being counted, when nothing travels."""
    tick(store, 30)
    store.commit_plans("run", seen(store, [PersonPlan("p1")]), NOW)
    assert store.dirty_persons(10) == []
    store.judge_opt_outs([("Lead", "00Q1")], [], [])
    assert store.dirty_persons(10) == ["p1"]


@pytest.mark.parametrize(("is_own", "hold"), [(True, "calm"), (False, "new")], ids=["ours", "somebody else's since"])
def test_the_echo_of_our_own_write_is_noted_too(store: SqlStore, is_own: bool, hold: str) -> None:
    """What we wrote is no storm: it need not be counted first, and nobody is planned again because of it."""
    write = operation(1, "p1", kind=OperationKind.CONSENT, fields={FIELD: True}, sf_id="00Q1")
    store.commit_plans("run", seen(store, [PersonPlan("p1", (write,))]), NOW)
    store.mark_sent(["000001"], NOW)
    at = NOW + timedelta(seconds=2)
    echo = box("00Q1", at, is_out=True, by="005own")
    done = OperationResult("000001", OperationState.DONE, "00Q1", echo=echo, is_own_echo=is_own, base={FIELD: True})
    store.commit_results("run", [done], at)
    assert noted(store) == (at, "005own", hold)
    assert bool(store.opt_out_turns(HOUR)) is not is_own


def test_what_nobody_has_counted_comes_with_its_neighbours_and_only_once(store: SqlStore) -> None:
    assert store.opt_out_turns(HOUR) == []
    tick(store, 30)
    found = store.opt_out_turns(HOUR)
    assert {(one.sf_id, one.hold) for one in found} == {("00Q1", OptOutHold.NEW), ("00Q2", OptOutHold.CALM)}
    tick(store, 31, is_out=False, sf_id="00Q2")
    tick(store, 32, sf_id="00Q2")
    store.judge_opt_outs([("Lead", "00Q1"), ("Lead", "00Q2")], [], [])
    assert store.opt_out_turns(HOUR) == []
    tick(store, 300, sf_id="00Q3")
    tick(store, 301, is_out=False, sf_id="00Q3")
    tick(store, 302, sf_id="00Q3")
    assert [one.sf_id for one in store.opt_out_turns(HOUR)] == ["00Q3"], "the others are too long ago"


def question() -> Review:
    return Review("opt_out_storm", "005rep", (), "Too many.", key="005rep")


@pytest.mark.parametrize(("is_let", "hold", "state"), [(True, "let", "accepted"), (False, "kept", "rejected")])
def test_what_is_held_is_asked_about_once_and_goes_as_it_is_answered(
    store: SqlStore, is_let: bool, hold: str, state: str
) -> None:
    for minutes in (28, 29):
        tick(store, minutes, sf_id="00Q2", is_out=minutes == 29)
    tick(store, 30)
    assert store.judge_opt_outs([], [("Lead", "00Q1")], [question()]) == [question()]
    assert store.judge_opt_outs([], [("Lead", "00Q1"), ("Lead", "00Q2")], [question()]) == []
    assert store.held_opt_outs("005rep") == 2
    store.judge_opt_outs([("Lead", "00Q1")], [], [])
    assert noted(store)[2] == "held", "only what is new is calm"
    store.commit_plans("run", seen(store, [PersonPlan("p1")]), NOW)
    (review,) = store.reviews()
    assert store.answer_opt_outs(review.review_id, is_let=is_let) == 2
    assert (noted(store)[2], store.dirty_persons(10), store.held_opt_outs("005rep")) == (hold, ["p1"], 0)
    answered = store.review(review.review_id)
    assert answered is not None
    assert answered.state == state
    store.commit_plans("run", seen(store, [PersonPlan("p1")]), NOW)
    assert store.answer_opt_outs(review.review_id, is_let=is_let) == 0, "once more"
    assert (noted(store)[2], store.dirty_persons(10)) == (hold, [])
    assert store.judge_opt_outs([], [("Lead", "00Q1")], [question()]) == [], "counted by another thread before the answer"
    with pytest.raises(StoreError, match="not open"):
        store.answer_opt_outs(review.review_id, is_let=not is_let)


def withdrawn_at(store: SqlStore) -> datetime | None:
    (view,) = store.person_views(["p1"])
    return view.records[0].withdrawn_at


def said(store: SqlStore, minutes: int, lead: Lead) -> None:
    """The record of p1 once more, in a later version."""
    before: Any = resolved(1, "p1")
    again = msgspec.structs.replace(before, lead=lead, source_at=NOW + timedelta(minutes=minutes), is_new_person=False)
    store.commit_resolved("run", [again], NOW)


def test_a_withdrawal_is_as_old_as_it_was_whatever_else_of_its_record_changes(store: SqlStore) -> None:
    assert withdrawn_at(store) is None
    for minutes in (10, 20):
        said(store, minutes, OUT)
        assert withdrawn_at(store) == NOW + timedelta(minutes=10)
    said(store, 30, Lead({}))
    assert withdrawn_at(store) is None
    said(store, 40, OUT)
    assert withdrawn_at(store) == NOW + timedelta(minutes=40)


def test_the_opted_out_are_looked_at_once_more_and_nobody_else(store: SqlStore) -> None:
    assert store.mark_opted_out("", 10) == "1"
    assert (store.mark_opted_out("1", 10), store.dirty_persons(10)) == ("", [])
    said(store, 10, OUT)
    store.commit_plans("run", seen(store, [PersonPlan("p1")]), NOW)
    store.mark_opted_out("", 10)
    assert store.dirty_persons(10) == ["p1"]
    said(store, 20, Lead({}))
    tick(store, 30)
    store.commit_plans("run", seen(store, [PersonPlan("p1")]), NOW)
    store.mark_opted_out("", 10)
    assert store.dirty_persons(10) == ["p1"]


def test_payloads_are_given_as_they_came(store: SqlStore) -> None:
    one: Any = resolved(1, "p1")
    assert store.payloads([one.ref]) == {one.ref: one.payload}
    assert store.payloads([]) == {}


def test_a_store_of_the_version_before_notes_what_it_knows(store: SqlStore) -> None:
    """The last change stands for the instant, or each later one would be a new withdrawal; who made it nobody knows, unless syncd did."""
    store.put_org_rows([box("00Q7", NOW, is_out=True)], {}, NOW)
    said(store, 10, OUT)
    step = importlib.import_module(f"{versions}.0009_opt_outs")
    with store.db.write() as connection:
        ours = text("UPDATE org_record SET base = :base WHERE sf_id = '00Q7'")
        connection.execute(ours, {"base": '{"HasOptedOutOfEmail":true}'})
        with Operations.context(MigrationContext.configure(connection)):
            step.downgrade()
            step.upgrade()
    assert noted(store) == (None, "", "")
    assert noted(store, "00Q2") == (NOW, FIRST_LOOK, "new")
    assert noted(store, "00Q7") == (NOW, "", "calm")
    assert withdrawn_at(store) == NOW + timedelta(minutes=10)
    at = NOW + timedelta(minutes=40)
    store.put_org_rows(
        [msgspec.structs.replace(box("00Q2", at, is_out=True), fields={"Email": "b@example.com", FIELD: True})], {}, at
    )
    assert noted(store, "00Q2")[0] == NOW, "an edit of something else"
