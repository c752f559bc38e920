"""When a question about a conversion stands no longer, and when it does again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncd.model import (
    ObjectSchema,
    Operation,
    OperationKind,
    OperationState,
    OrgRecord,
    OrgRow,
    OrgSchema,
    PersonState,
    PersonView,
    Provenance,
    Value,
)
from syncd.plan import PlanSettings, plan_person
from syncd.plan.standards import CONVERT, Carried, PolicyWrite
from syncd.policy import Decision
from syncd.ports import PersonPlan

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LEAD = "00Q000000000001AAA"
RULE = {"AccountId": Provenance(rule="policy acme 0123abcd: ready")}
QUESTION = ("conversion",)


def refused(why: dict[str, Provenance]) -> Operation:
    fields: dict[str, Value] = {"AccountId": ""}
    return Operation("1", "p", "Lead", LEAD, OperationKind.CONVERT, fields, {}, why, OperationState.REFUSED)


def plan(
    carried: Carried, *, notes: dict[str, str], tries: tuple[Operation, ...] = (), state: PersonState = PersonState.ACTIVE
) -> PersonPlan:
    record = OrgRecord(OrgRow("Lead", LEAD, {}, AT), "p", base={})
    view = PersonView("p", state, (), (record,), refused_operations=tries, notes=notes)
    schema = OrgSchema({"Lead": ObjectSchema("Lead", {})})
    return plan_person(
        view, Decision("p", "rule"), schema, PlanSettings(), make_id=lambda: "2", at=AT, run_id="now", carry_out=lambda _: carried
    )


NOTHING = Carried()
ASKS = Carried(notes={CONVERT: "ask_no_owner"})
CONVERTS = Carried(writes=(PolicyWrite(OperationKind.CONVERT, "Lead", LEAD, {"AccountId": ""}, {}, RULE),))


@pytest.mark.parametrize(
    ("carried", "note", "tries", "settled", "again"),
    [
        (ASKS, "ask_no_owner", (), (), ()),
        (ASKS, "ask_several_accounts", (), QUESTION, ()),
        (NOTHING, "ask_no_owner", (), QUESTION, ()),
        (NOTHING, "", (), (), ()),
        (NOTHING, "", (refused(RULE),), QUESTION, ()),
        (NOTHING, "", (refused({"AccountId": Provenance(rule="lead convert")}),), (), ()),
        (CONVERTS, "", (refused(RULE),), (), QUESTION),
        (CONVERTS, "", (), (), ()),
    ],
    ids=["asked", "another", "not wanted", "never asked", "refused", "by hand", "wanted again", "not tried"],
)  # fmt: skip
def test_a_question_stands_as_long_as_the_policy_asks_it(
    carried: Carried, note: str, tries: tuple[Operation, ...], settled: tuple[str, ...], again: tuple[str, ...]
) -> None:
    made = plan(carried, notes={CONVERT: note} if note else {}, tries=tries)
    assert (made.settled, made.asked_again) == (settled, again)


@pytest.mark.parametrize("note", ["ask_no_owner", ""], ids=["asked", "refused"])
def test_whoever_the_policy_was_not_asked_about_keeps_the_question(note: str) -> None:
    """Who it is must be said first: nothing was decided about the conversion."""
    notes, tries = ({CONVERT: note}, ()) if note else ({}, (refused(RULE),))
    made = plan(NOTHING, notes=notes, tries=tries, state=PersonState.REVIEW)
    assert (made.settled, made.asked_again, made.notes.get(CONVERT, "")) == ((), (), note)
