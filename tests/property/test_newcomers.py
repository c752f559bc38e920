"""Newcomers over random records: what is made ready says what resolving and planning say, or nothing at all."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.as_stored import golden_text
from syncd.identity import Facts, lead_keys, resolve
from syncd.model import (
    Assignment,
    FieldSchema,
    FieldValue,
    Lane,
    Lead,
    LeadTask,
    ObjectSchema,
    OrgSchema,
    Overwrite,
    PersonRecord,
    PersonView,
    Problem,
    RecordRef,
    Touch,
)
from syncd.plan import plan_person
from syncd.policy import Policy, decide
from syncd.run.newcomers import Terms, Told, create_of, newcomer, unassigned_if_old

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SECRET = b"a secret of the store"
TEXTS = ("FirstName", "LastName", "Company", "Email", "Phone", "Title")
FIELDS = {name: FieldSchema(name, "string", length=80, is_nillable=name not in ("LastName", "Company")) for name in TEXTS} | {
    "HasOptedOutOfEmail": FieldSchema("HasOptedOutOfEmail", "boolean"),
    "Status": FieldSchema("Status", "picklist", length=40),
}
TERMS = Terms(
    "run", SECRET, OrgSchema({"Lead": ObjectSchema("Lead", FIELDS)}), Policy("Open", digest="0123456789"), "Syncd_Id__c", "005U"
)
VALUES = st.builds(
    FieldValue,
    st.sampled_from(["ada@example.com", "info@example.com", "+14155550101", "Byron", 10**40]),
    st.sampled_from(Overwrite),
    st.booleans(),
    st.integers(0, 9),
)
OPT_OUT = st.sampled_from([{}, {"HasOptedOutOfEmail": FieldValue(True)}, {"HasOptedOutOfEmail": FieldValue(False)}])
PROBLEMS = st.sampled_from([(), (Problem("Phone", "invalid_phone", "no"),), (Problem("Email", "missing", "no", is_fatal=True),)])
LEADS = st.builds(
    lambda fields, consent, **rest: Lead({**fields, **consent}, **rest),
    st.dictionaries(st.sampled_from(TEXTS), VALUES),
    OPT_OUT,
    touch=st.sampled_from([Touch(), Touch("event", "2026-11-01T10:00:00Z"), Touch("web")]),
    problems=PROBLEMS,
    skipped=st.sampled_from(["", "", "", "skip_when"]),
    may_create=st.booleans(),
    task=st.sampled_from([None, LeadTask("Call")]),
)
WAYS = st.fixed_dictionaries(
    {
        "assignments": st.sampled_from([{}, {"s": None}, {"s": Assignment(owner_id="005Q")}]),
        "starts": st.sampled_from([{}, {"s": NOW - timedelta(days=9)}, {"s": NOW + timedelta(days=9)}]),
        "takers": st.sampled_from([frozenset(), frozenset({"s"}), frozenset({"other"})]),
        "external_id_field": st.sampled_from(["Syncd_Id__c", None]),
    }
)


def made(terms: Terms, lead: Lead, lane: Lane) -> Any:
    told = Told("s", "rows", "7", NOW, 3, "file line 7", int(lane))
    ids = itertools.count()
    keys = lead_keys(told.ref, lead)
    return newcomer(terms, terms.settings(), told, "csv", lead, keys, lambda: f"id{next(ids)}", NOW)


@settings(deadline=None, max_examples=400)
@given(LEADS, WAYS, st.sampled_from(Lane))
def test_what_is_made_ready_is_what_the_whole_way_comes_to(lead: Lead, ways: dict[str, Any], lane: Lane) -> None:
    terms = msgspec.structs.replace(TERMS, **ways)
    ready = made(terms, lead, lane)
    if lead.is_fatal or lead.skipped or lane is Lane.REMAP or ("s" in terms.takers and lead.opt_outs):
        assert ready is None
        return
    ref = RecordRef("s", "rows", "7")
    found = resolve(ref, lead, lead_keys(ref, lead), Facts({}, {}), SECRET)
    view = PersonView(found.person_id, found.state, (PersonRecord(ref, lead, NOW, 3, "file line 7", "csv", lane),))
    plan = plan_person(
        view, decide(terms.policy, view), terms.schema, terms.settings(), make_id=lambda: "id0", at=NOW, run_id="run"
    )  # fmt: skip
    if ready is None:
        # A question or a dead letter is nobody's to make ready.
        assert plan.dead_letter is not None or plan.review is not None
        return
    assert (ready.person_id, ready.stays_dirty) == (found.person_id, plan.stays_dirty)
    assert (ready.golden, msgspec.json.decode(ready.notes)) == (golden_text(plan.golden), plan.notes)
    assert msgspec.json.decode(ready.lead, type=Lead) == lead
    assert ready.withdraws == ("HasOptedOutOfEmail" in lead.opt_outs)
    assert ready.problems == tuple(one.reason for one in lead.problems)
    assert bool(ready.touch) == bool(lead.touch.channel)
    create = create_of(ready, "run", NOW)
    assert [one for one in (create,) if one] == [unassigned_if_old(one, view, terms.starts) for one in plan.operations]


def test_most_people_can_be_made_ready() -> None:
    """Else the property above would hold of nothing."""
    lead = Lead({"LastName": FieldValue("Byron"), "Company": FieldValue("Analytical"), "Email": FieldValue("ada@example.com")})
    ready = made(TERMS, lead, Lane.BACKFILL)
    assert ready is not None
    create = create_of(ready, "run", NOW)
    assert create is not None
    assert create.fields == {"LastName": "Byron", "Company": "Analytical", "Email": "ada@example.com", "Status": "Open"}


def test_the_key_of_ids_is_in_no_repr() -> None:
    assert SECRET.decode() not in repr(TERMS)
