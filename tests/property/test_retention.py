"""What a person's plan looks back at is the same before and after old operations are forgotten, and stays so whatever follows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model import Operation, OperationKind, OperationState, OrgRecord, OrgRow
from syncd.plan.fields import MAX_REPEATS
from syncd.store.needed import unneeded
from syncd.store.views import PersonRow, _view

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ROW = PersonRow(1, "p", "active", "{}", 0)
TARGETS = [("Lead", "00Q1"), ("Lead", "00Q2"), ("Contact", "0031")]
RECORDS = [OrgRecord(OrgRow(name, sf_id, {}, NOW)) for name, sf_id in TARGETS]
K, S = OperationKind, OperationState
OPEN = (S.PLANNED, S.HELD, S.SENT, S.UNKNOWN)
CLOSED = (S.DONE, S.REFUSED, S.FAILED, S.SUPERSEDED)

fields = st.dictionaries(st.sampled_from(["Title", "City"]), st.sampled_from(["a", "b", None]), min_size=1)
ends = st.tuples(st.sampled_from(CLOSED), st.sampled_from(["", "ROW_LOCK"]))


@st.composite
def writes(draw: Any) -> Operation:
    """One write of the person; its id is given by where it stands."""
    kind = draw(st.sampled_from([K.CREATE, K.UPDATE, K.UPDATE, K.CONSENT, K.DELETE, K.TASK]))
    state, code = draw(ends)
    name, sf_id = draw(st.sampled_from(TARGETS))
    if kind is K.TASK:
        name, sf_id = "Task", draw(st.sampled_from(["00T1", ""]))
    if kind is K.CREATE:
        name, sf_id = "Lead", sf_id if state is S.DONE and name == "Lead" else ""
    sent_at = NOW if state is S.DONE or draw(st.booleans()) else None
    return Operation(
        "", "p", name, sf_id, kind, draw(fields) if kind is not K.DELETE else {}, {}, state=state, code=code, sent_at=sent_at
    )


def numbered(history: list[Operation]) -> list[Operation]:
    return [msgspec.structs.replace(one, operation_id=f"{n:04d}") for n, one in enumerate(history)]


def seen(history: list[Operation], answered: set[str]) -> Any:
    """Everything that planning reads of a history; a row of writes longer than MAX_REPEATS is as good as one of that length."""
    view = _view(ROW, [], list(RECORDS), [], history, answered, ())
    return (
        {one.operation_id for one in view.refused_operations},
        {one.operation_id for one in view.open_operations},
        view.tasks,
        view.was_create_sent,
        view.failures,
        [one.sent for one in view.org_records],
        [{name: min(count, MAX_REPEATS) for name, count in one.repeats.items()} for one in view.org_records],
    )


@st.composite
def lives(draw: Any) -> tuple[list[Operation], set[str], set[str]]:
    """A history, what of it is old, and what was answered."""
    history = numbered(draw(st.lists(writes(), max_size=12)))
    for n, one in enumerate(history):
        # Of a target nothing else is planned while something is open.
        if all(one.target != other.target for other in history[n + 1 :]) and draw(st.integers(0, 5)) == 0:
            history[n] = msgspec.structs.replace(one, state=draw(st.sampled_from(OPEN)), code="")
    ids = [one.operation_id for one in history]
    some = st.sets(st.sampled_from(ids)) if ids else st.just(set())
    refused = {one.operation_id for one in history if one.state is S.REFUSED}
    return history, draw(some) if draw(st.booleans()) else set(ids), draw(some) & refused


@settings(max_examples=600, deadline=None)
@given(lives(), st.lists(writes(), max_size=6), st.data())
def test_planning_sees_the_same_before_and_after(life: Any, later: list[Operation], data: st.DataObject) -> None:
    history, old, answered = life
    gone = unneeded(history, old, answered)
    kept = [one for one in history if one.operation_id not in gone]
    assert seen(kept, answered) == seen(history, answered)
    for some in range(1, len(gone)):
        # The process may die in the middle; they go in their order.
        forgotten = sorted(gone)[:some]
        assert seen([one for one in history if one.operation_id not in forgotten], answered) == seen(history, answered)
    assert {one.operation_id for one in kept} >= {one.operation_id for one in history if one.state in OPEN}
    # What was open ends, what was refused is answered, more is written, and some of that grows old too.
    end = {one.operation_id: data.draw(ends) for one in history if one.state in OPEN}
    answered = answered | data.draw(st.sets(st.sampled_from(sorted(one.operation_id for one in history)))) if history else set()
    answered &= {one.operation_id for one in history if one.state is S.REFUSED}

    def moved_on(part: list[Operation]) -> list[Operation]:
        ended = [
            msgspec.structs.replace(one, state=end[one.operation_id][0], code=end[one.operation_id][1])
            if one.operation_id in end
            else one
            for one in part
        ]
        return ended + numbered([*history, *later])[len(history) :]

    whole, rest = moved_on(history), moved_on(kept)
    assert seen(rest, answered) == seen(whole, answered)
    again = unneeded(rest, {one.operation_id for one in rest}, answered)
    assert seen([one for one in rest if one.operation_id not in again], answered) == seen(whole, answered)


def write(number: int, **more: Any) -> Operation:
    usual: dict[str, Any] = {"fields": {"Title": "a"}, "before": {}, "state": S.DONE, "sent_at": NOW}
    return Operation(f"{number:04d}", "p", "Lead", "00Q1", more.pop("kind", K.UPDATE), **(usual | more))


def left(*history: Operation, young: int = -1, answered: set[str] = set()) -> list[int]:  # noqa: B006 - not changed
    gone = unneeded(history, {one.operation_id for one in history} - {f"{young:04d}"}, answered)
    return [int(one.operation_id) for one in history if one.operation_id not in gone]


def test_of_many_writes_of_one_field_the_last_row_stays() -> None:
    assert left(*(write(n, fields={"Title": value}) for n, value in enumerate("abcdefgg"))) == [6, 7]
    assert left(*(write(n, fields={"Title": value}) for n, value in enumerate("abcdefgh"))) == [7]
    assert left(*(write(n) for n in range(8))) == [5, 6, 7]


def test_a_row_ends_where_it_ended() -> None:
    """Two equal writes that were never in a row do not become one, when what was between them could go."""
    create = write(0, kind=K.CREATE, fields={"Title": "a", "City": "x"})
    assert left(create, write(1, fields={"Title": "b"}), write(2, fields={"Title": "a"})) == [0, 1, 2]
    assert left(create, write(1, fields={"Title": "b"}), write(2, fields={"Title": "c"})) == [0, 2]
    assert left(create, write(1, fields={"Title": "b"}), write(2, fields={"Title": "a"}), young=1) == [0, 1, 2]


def test_a_create_stays_while_its_fields_are_the_last_word() -> None:
    create = write(0, kind=K.CREATE, fields={"Title": "a", "City": "x"})
    both = [write(n, fields={"Title": str(n), "City": str(n)}) for n in (1, 2)]
    assert left(create, *both) == [0, 2], "that one create went out is remembered"
    assert left(create, *both, write(3, kind=K.CREATE, state=S.SUPERSEDED)) == [2, 3]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([write(0, state=S.REFUSED)], [0]),
        ([write(0, state=S.REFUSED), write(1, state=S.REFUSED, fields={"Title": "b"})], [1]),
        ([write(0, state=S.REFUSED), write(1)], [1]),
        ([write(0, state=S.SUPERSEDED)], []),
        ([write(0, state=S.FAILED), write(1, state=S.FAILED)], [0, 1]),
        ([write(0, state=S.FAILED), write(1)], [1]),
        ([write(0, state=S.SUPERSEDED, code="ENTITY_IS_DELETED")], [0]),
    ],
    ids=["refused", "refused twice", "refused, then done", "superseded", "failing", "failed, then done", "sent and gone"],
)
def test_what_stays(history: list[Operation], expected: list[int]) -> None:
    assert left(*history) == expected


def test_a_refusal_that_was_answered_is_no_reason() -> None:
    assert left(write(0, state=S.REFUSED), answered={"0000"}) == []


def test_an_end_stays_where_what_it_ends_stays() -> None:
    """In whatever order things grow old: without its end an earlier failure or refusal would count again."""
    deleted = write(1, kind=K.DELETE, fields={})
    assert left(write(0, state=S.FAILED), deleted, young=0) == [0, 1]
    assert left(write(0, state=S.SENT), deleted) == [0, 1], "it may still fail"
    assert left(write(0, state=S.FAILED), deleted) == []
    assert left(write(0, state=S.REFUSED), write(1, state=S.REFUSED), young=0, answered={"0001"}) == [0, 1]


def test_kinds_and_objects_that_nobody_has_thought_of_stay() -> None:
    """A kind that is added later is kept until somebody adds it to the list."""
    new = write(0, kind="party", state=S.SUPERSEDED)
    task = msgspec.structs.replace(write(1, state=S.SUPERSEDED), object="Task")
    assert left(new, task) == [0, 1]
    done = msgspec.structs.replace(write(1), object="Task")
    assert left(write(0, state=S.FAILED), done) == [0, 1], "a task that was made ends no failures of the lead"
