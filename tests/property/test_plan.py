"""Planning over random people: idempotent, minimal, blind to the order of records, and never over a person's edit."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model import (
    FieldSchema,
    FieldValue,
    Lead,
    ObjectSchema,
    OrgRecord,
    OrgRow,
    OrgSchema,
    Overwrite,
    PersonRecord,
    PersonState,
    PersonView,
    RecordRef,
)
from syncd.plan import PlanSettings, golden, plan_person
from syncd.policy import Policy, decide

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
NAMES = ("Title", "Description", "Website", "Industry")
FIELDS = {name: FieldSchema(name, "string", length=80) for name in ("FirstName", "LastName", "Company", *NAMES)}
SCHEMA = OrgSchema({"Lead": ObjectSchema("Lead", FIELDS), "Contact": ObjectSchema("Contact", FIELDS)})
VALUES = st.sampled_from(["a", "b", "c", "d"])
DOCUMENTS = st.dictionaries(st.sampled_from(NAMES), VALUES)
MODES = st.sampled_from([one for one in Overwrite if one is not Overwrite.ALWAYS])


def record(number: int, document: dict[str, str], mode: Overwrite) -> PersonRecord:
    """A record of the person, a minute newer than the one before."""
    fields = {"LastName": FieldValue("Last"), "Company": FieldValue("C")}
    fields |= {name: FieldValue(value, mode) for name, value in document.items()}
    return PersonRecord(RecordRef("s", "rows", str(number)), Lead(fields), NOW + timedelta(minutes=number), number)


def plan(records: list[PersonRecord], org: OrgRecord | None) -> Any:
    """Plan one person."""
    ids = itertools.count()
    view = PersonView("p", PersonState.ACTIVE, tuple(records), (org,) if org else ())
    return plan_person(view, decide(Policy(), view), SCHEMA, PlanSettings(), make_id=lambda: str(next(ids)), at=NOW, run_id="r")


def applied(org: OrgRecord | None, made: Any) -> OrgRecord:
    """The org record after a plan: written fields are theirs and base."""
    before = org or OrgRecord(OrgRow("Lead", "00Q1", dict.fromkeys(FIELDS), NOW), "p")
    written = {name: value for one in made.operations for name, value in one.fields.items()}
    adopted = {name: value for _, _, base in made.bases for name, value in base.items()}
    row = OrgRow("Lead", "00Q1", {**before.row.fields, **written}, NOW)
    return OrgRecord(row, "p", {**before.base, **adopted, **written})


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(DOCUMENTS, MODES), min_size=1, max_size=4))
def test_after_a_push_the_plan_is_empty(parts: list[tuple[dict[str, str], Overwrite]]) -> None:
    records = [record(number, document, mode) for number, (document, mode) in enumerate(parts)]
    org = applied(None, plan(records, None))
    again = plan(records, org)
    assert again.operations == ()


@settings(deadline=None, max_examples=100)
@given(DOCUMENTS.filter(bool), st.data())
def test_one_changed_field_makes_exactly_one_operation_with_that_field(document: dict[str, str], data: st.DataObject) -> None:
    first = record(0, document, Overwrite.IF_UNCHANGED)
    org = applied(None, plan([first], None))
    name = data.draw(st.sampled_from(sorted(document)))
    newer = record(1, {**document, name: "changed"}, Overwrite.IF_UNCHANGED)
    made = plan([first, newer], org)
    assert [(str(one.kind), one.fields) for one in made.operations] == [("update", {name: "changed"})]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(DOCUMENTS, MODES, st.booleans()), min_size=2, max_size=5), st.sampled_from(NAMES), VALUES)
def test_a_persons_edit_survives_whatever_the_sources_say(
    passes: list[tuple[dict[str, str], Overwrite, bool]], edited: str, value: str
) -> None:
    records: list[PersonRecord] = []
    org: OrgRecord | None = None
    theirs: str | None = None
    for number, (document, mode, edits) in enumerate(passes):
        records.append(record(number, document, mode))
        org = applied(org, plan(records, org))
        if theirs is not None:
            assert org.row.fields[edited] == theirs
        if edits and theirs is None and org.row.fields[edited] != f"rep {value}":
            theirs = f"rep {value}"
            org = OrgRecord(OrgRow("Lead", "00Q1", {**org.row.fields, edited: theirs}, NOW), "p", org.base)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(DOCUMENTS, MODES), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_survivorship_does_not_see_the_order_of_arrival(parts: list[tuple[dict[str, str], Overwrite]], chance: Any) -> None:
    records = [record(number, document, mode) for number, (document, mode) in enumerate(parts)]
    shuffled = list(records)
    chance.shuffle(shuffled)
    assert golden(records) == golden(shuffled)


@settings(deadline=None, max_examples=100)
@given(DOCUMENTS, MODES, st.booleans())
def test_one_record_survives_as_it_would_among_its_own_copies(
    document: dict[str, str], mode: Overwrite, is_skipped: bool
) -> None:
    """The short way for a single record gives what the general one gives."""
    alone = record(0, document, mode)
    alone = msgspec.structs.replace(alone, lead=msgspec.structs.replace(alone.lead, skipped="skip_when" if is_skipped else ""))
    assert golden([alone]) == golden([alone, alone])
