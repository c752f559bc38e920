"""G6 over any order of sources: the same records and edits leave the same opt-out, whichever came first; copies come once and stop at a newer yes."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.model import (
    OPEN_STATES,
    FieldSchema,
    FieldValue,
    Lead,
    MailStop,
    ObjectSchema,
    Operation,
    OperationKind,
    OperationState,
    OptOutHold,
    OrgRecord,
    OrgRow,
    OrgSchema,
    PersonRecord,
    PersonState,
    PersonView,
    RecordRef,
    Touch,
    Value,
)
from syncd.plan import OptOutSettings, PlanSettings, plan_person
from syncd.plan.opt_outs import copies, place_of
from syncd.policy import Policy, decide

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
FIELD = "HasOptedOutOfEmail"
FIELDS = {name: FieldSchema(name, "string", length=80) for name in ("FirstName", "LastName", "Email", "Title")}
FIELDS[FIELD] = FieldSchema(FIELD, "boolean")
SCHEMA = OrgSchema({"Lead": ObjectSchema("Lead", FIELDS), "Contact": ObjectSchema("Contact", FIELDS)})

# What the shipped mappings make of them: only an explicit withdrawal is True, only an explicit yes to this purpose is False.
SAYS: dict[str, bool | None] = {
    "mailchimp subscribed": None,
    "mailchimp unsubscribed": True,
    "mailchimp cleaned": None,
    "mailchimp archived": None,
    "activecampaign left one of two lists": True,
    "activecampaign bounced": None,
    "form without a word": None,
    "form yes": False,
    "form no": True,
    "webhook consent.revoked": True,
    "webhook bounce": None,
    "ticked in the org": True,
    "edited in the org": None,
}
WORDS = [kind for kind, said in SAYS.items() if said is not None]
EVENTS = st.lists(
    st.tuples(st.one_of(st.sampled_from(WORDS), st.sampled_from(sorted(SAYS))), st.integers(0, 9)), min_size=1, max_size=7
)
"""What was said, in the order of its own time, each with a rank by which it comes."""
NO_THEN_YES = [("form no", 0), ("form yes", 1)]


def as_it_comes(events: list[tuple[int, str, int]]) -> list[tuple[int, str]]:
    return [(number, kind) for number, kind, _ in sorted(events, key=lambda one: one[2])]


def record_of(kind: str, number: int) -> PersonRecord:
    """One source's record, said at its own minute; skipped ones keep nothing but a withdrawal."""
    said = SAYS[kind]
    fields = {"LastName": FieldValue("Last"), "Email": FieldValue("ada@example.com")}
    fields |= {} if said is None else {FIELD: FieldValue(said)}
    is_skipped = kind.endswith(("cleaned", "archived"))
    lead = Lead(fields, skipped="skip_when" if is_skipped else "")
    return PersonRecord(RecordRef(kind.partition(" ")[0], "rows", str(number)), lead, NOW + timedelta(minutes=number))


def after(order: list[tuple[int, str]], *, allow_clear: bool) -> tuple[bool, bool]:
    """The opt-outs of the person's Contact and Lead when everything has come in this order and every plan was carried out."""
    ids = itertools.count()
    told: list[PersonRecord] = []
    org = [OrgRecord(OrgRow(name, f"{name}1", {"LastName": "Last", FIELD: False}, NOW), "p") for name in ("Contact", "Lead")]
    for step, (number, kind) in enumerate(order):
        at = NOW + timedelta(hours=1, minutes=step)
        if kind.endswith("in the org"):
            changed: dict[str, Value] = {FIELD: True} if SAYS[kind] else {"Title": str(number)}
            row = org[0].row
            row = msgspec.structs.replace(row, fields={**row.fields, **changed}, stamp=at, modified_by="005rep")
            org[0] = msgspec.structs.replace(org[0], row=row)
        else:
            told.append(record_of(kind, number))
        for _ in range(3):
            view = PersonView("p", PersonState.ACTIVE, tuple(told), tuple(org))
            policy = Policy(allow_clear=allow_clear)
            made = plan_person(
                view, decide(policy, view), SCHEMA, PlanSettings(), make_id=lambda: str(next(ids)), at=at, run_id="r"
            )
            consent = [one for one in made.operations if one.kind is OperationKind.CONSENT]
            for one in consent:
                index = next(n for n, record in enumerate(org) if record.row.sf_id == one.sf_id)
                row = org[index].row
                row = msgspec.structs.replace(row, fields={**row.fields, **one.fields}, stamp=at, modified_by="005own")
                org[index] = msgspec.structs.replace(org[index], row=row, base={**org[index].base, **one.fields})
            if not consent:
                break
        else:
            raise AssertionError("it goes to and fro")
    return org[0].row.fields[FIELD] is True, org[1].row.fields[FIELD] is True


@settings(deadline=None, max_examples=150)
@given(EVENTS)
@example(NO_THEN_YES)
@example(NO_THEN_YES[::-1])
def test_without_leave_to_clear_any_withdrawal_opts_out_in_any_order(events: list[tuple[str, int]]) -> None:
    kinds = [kind for kind, _ in events]
    order = as_it_comes([(number, *one) for number, one in enumerate(events)])
    in_contact, in_lead = after(order, allow_clear=False)
    assert in_contact is any(SAYS[kind] for kind in kinds)
    # A rep's tick on the contact is no word of a source: syncd writes what sources say.
    assert in_lead is any(SAYS[kind] for kind in kinds if not kind.endswith("in the org"))


@settings(deadline=None, max_examples=150)
@given(EVENTS)
@example(NO_THEN_YES)
@example([("form no", 1), ("form yes", 0)])
@example([("form yes", 0), ("form no", 1)])
def test_with_leave_to_clear_only_a_newer_explicit_yes_beats_a_withdrawal_in_any_order(events: list[tuple[str, int]]) -> None:
    told = [(number, kind, rank) for number, (kind, rank) in enumerate(events) if kind != "ticked in the org"]
    order = as_it_comes(told)
    last_no = max((number for number, kind in order if SAYS[kind] is True), default=-1)
    last_yes = max((number for number, kind in order if SAYS[kind] is False), default=-1)
    assert after(order, allow_clear=True) == ((last_no > last_yes,) * 2)


@settings(deadline=None, max_examples=100)
@given(EVENTS)
@example(NO_THEN_YES)
def test_what_a_rep_has_ticked_no_source_clears(events: list[tuple[str, int]]) -> None:
    """Ticked where it was not ticked yet, before any source has said a word."""
    told = [(number, *one) for number, one in enumerate(events, start=1)]
    order = [(0, "ticked in the org"), *as_it_comes(told)]
    assert after(order, allow_clear=True)[0] is True


# ---------------------------------------------------------------- copies

SOURCES = ("news", "other")
STEPS = st.one_of(
    st.tuples(st.just("box"), st.booleans()),
    st.tuples(st.just("member"), st.sampled_from(SOURCES), st.sampled_from(["silent", "yes", "no", "half"])),
    st.tuples(st.just("revoked"), st.just("")),
    st.tuples(st.just("held"), st.sampled_from(list(OptOutHold))),
    st.tuples(st.just("became"), st.integers(0, 20), st.sampled_from(list(OperationState))),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(STEPS, max_size=25))
def test_a_copy_comes_once_for_a_withdrawal_never_beside_another_and_never_for_nothing(steps: list[tuple[object, ...]]) -> None:
    outbox: list[Operation] = []
    members = {name: PersonRecord(RecordRef(name, "members", "1"), Lead({}), NOW) for name in SOURCES}
    revoked: list[PersonRecord] = []
    still_on: set[str] = set()  # whoever has left one of several lists
    box = OrgRecord(OrgRow("Lead", "00Q1", {FIELD: False}, NOW), "p")
    for number, step in enumerate(steps):
        at = NOW + timedelta(hours=number + 1)
        if step[0] == "box":
            is_new = bool(step[1]) and box.row.fields[FIELD] is not True
            row = msgspec.structs.replace(box.row, fields={FIELD: bool(step[1])}, stamp=at)
            kept = (box.opted_out_at, box.opt_out_hold) if step[1] else (None, "")
            opted_out_at, hold = (at, "calm") if is_new else kept
            box = msgspec.structs.replace(box, row=row, opted_out_at=opted_out_at, opt_out_hold=hold)
        elif step[0] == "held" and box.row.fields[FIELD] is True:
            box = msgspec.structs.replace(box, opt_out_hold=str(step[1]))
        elif step[0] == "member":
            name, said = str(step[1]), str(step[2])
            consent = f"subscribed; {at.isoformat()}" if said == "yes" else "subscribed"
            is_out = said in ("no", "half")
            lead = Lead({FIELD: FieldValue(True)} if is_out else {}, Touch(consent=consent))
            (still_on.add if said == "half" else still_on.discard)(name)
            since = members[name].withdrawn_at or at
            members[name] = PersonRecord(members[name].ref, lead, at, withdrawn_at=since if is_out else None)
        elif step[0] == "revoked":
            lead = Lead({FIELD: FieldValue(True)})
            revoked.append(PersonRecord(RecordRef("site", "rows", str(number)), lead, at, withdrawn_at=at))
        elif step[0] == "became" and outbox:
            index = int(str(step[1])) % len(outbox)
            if outbox[index].state in OPEN_STATES:
                became = OperationState(str(step[2]))
                outbox[index] = msgspec.structs.replace(outbox[index], state=became, sent_at=at, finished_at=at)
        refused = tuple(one for one in outbox if one.state is OperationState.REFUSED)
        records = (*members.values(), *revoked)
        view = PersonView("p", PersonState.ACTIVE, records, (box,), refused_operations=refused, actions=tuple(outbox))
        stop = MailStop("ada@example.com", {"audience": "L1"})
        has_left = {name for name, one in members.items() if FIELD in one.lead.opt_outs and name not in still_on}
        stops = {one.ref: () if name in has_left else (stop,) for name, one in members.items()}
        found = copies(view, OptOutSettings(frozenset(SOURCES), stops), at, f"run{number}")
        for write in found.writes:
            assert write.source not in has_left, "who has left there needs no copy"
            travels = box.row.fields[FIELD] is True and box.opt_out_hold in ("calm", "let")
            assert travels or any(FIELD in one.lead.opt_outs for one in records), "nobody has withdrawn anything that travels"
            outbox.append(
                Operation(
                    f"{len(outbox):06}", "p", f"source:{write.source}", "", OperationKind.ACTION, write.fields, {}, write.provenance,
                    source=write.source, own_id=write.action_id, run_id=f"run{number}",
                )
            )  # fmt: skip
        open_places = [place_of(one) for one in outbox if one.state in OPEN_STATES]
        assert len(open_places) == len(set(open_places)), "two for one place at the same time"
        for own_id in {one.own_id for one in outbox}:
            mine = [one.state for one in outbox if one.own_id == own_id]
            assert mine.count(OperationState.DONE) + sum(state in OPEN_STATES for state in mine) <= 1, "twice for one withdrawal"
        newest = max(
            [*(one.source_at for one in revoked), *([box.opted_out_at] if box.opt_out_hold in ("calm", "let") else [])],
            default=None,
        )  # type: ignore[type-var]
        for name in SOURCES:
            if newest is None or name in has_left:
                continue
            tries = [one for one in outbox if one.source == name]
            is_in_hand = any(one.state in OPEN_STATES or one in refused for one in tries)
            is_done = any(one.state is OperationState.DONE and one.sent_at is not None and one.sent_at >= newest for one in tries)
            has_come_back = "; " in members[name].lead.touch.consent and members[name].source_at > newest
            was_tried_now = any(one.run_id == f"run{number}" for one in tries)
            assert is_in_hand or is_done or has_come_back or was_tried_now, "a withdrawal that never arrives"
