"""What is asked of sources over any history: once for each occasion, one at a time, never a mail to somebody who has opted out.

The outbox is played by a list; what becomes of each action, consent, addresses and stays in the status come in any order.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model import (
    OPEN_STATES,
    FieldValue,
    Lead,
    Operation,
    OperationKind,
    OperationState,
    OrgRecord,
    OrgRow,
    PersonRecord,
    PersonState,
    PersonView,
    RecordRef,
    Touch,
)
from syncd.plan.own_echo import SETTLE, own_echoes
from syncd.plan.proof import opted_in_at
from syncd.plan.source_actions import ask_sources
from syncd.policy import FOR_MAILING, Policy, Wanted
from syncd.policy.model import Action, ActionKind, Program, Rule, Section

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
K = ActionKind
DOES = (
    Action(K.ENROL, source="news", options={"audience": "L1"}),
    Action(K.TRIGGER, source="news"),
    Action(K.SEND, source="hook"),
)
RULES = tuple(Rule(name, Section.NURTURE, from_statuses=("Nurture",), actions=DOES) for name in ("drip", "other"))
POLICY = Policy(digest="d" * 16, programs=(Program("p", {}, ()),), rules=RULES)
STATES = (*OPEN_STATES, OperationState.DONE, OperationState.REFUSED, OperationState.SUPERSEDED)
STEPS = st.one_of(
    st.tuples(st.just("wanted"), st.sampled_from(["drip", "other"]), st.integers(0, 3)),
    st.tuples(st.just("became"), st.integers(0, 20), st.sampled_from(STATES), st.sampled_from(["", "opted_out"])),
    st.tuples(st.just("opted_out"), st.booleans()),
    st.tuples(st.just("email"), st.sampled_from(["", "ada@example.com"])),
    st.tuples(st.just("status"), st.sampled_from(["Nurture", "Open"])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_each_action_comes_once_and_none_that_mails_to_who_has_opted_out(steps: list[tuple[object, ...]]) -> None:
    outbox: list[Operation] = []
    is_out, email, status = False, "ada@example.com", "Nurture"
    for number, step in enumerate(steps):
        wanted: list[Wanted] = []
        if step[0] == "wanted":
            wanted = [
                Wanted(
                    str(step[1]),
                    one.kind,
                    1,
                    one.source,
                    one.options,
                    occasion=f"2026-01-0{int(str(step[2])) + 1}T00:00:00Z",
                    number=place,
                )
                for place, one in enumerate(DOES)
                if not (is_out and one.kind in FOR_MAILING)  # what evaluation leaves out
            ]
        elif step[0] == "became" and outbox:
            index = int(str(step[1])) % len(outbox)
            if outbox[index].state in OPEN_STATES:
                code = str(step[3]) if step[2] is OperationState.SUPERSEDED else ""
                outbox[index] = msgspec.structs.replace(outbox[index], state=OperationState(str(step[2])), code=code)
        elif step[0] == "opted_out":
            is_out = bool(step[1])
        elif step[0] == "email":
            email = str(step[1])
        elif step[0] == "status":
            status = str(step[1])
        record = OrgRecord(OrgRow("Lead", "00Q1", {"Email": email, "Status": status, "HasOptedOutOfEmail": is_out}, NOW), "p")
        refused = tuple(one for one in outbox if one.state is OperationState.REFUSED)
        view = PersonView("p", PersonState.ACTIVE, org_records=(record,), refused_operations=refused, actions=tuple(outbox))
        asked = ask_sources(POLICY, wanted, view, record, b"key", NOW, f"run{number}", may_act=True)
        assert set(asked.rules) == {one.rule_id for one in wanted}
        for write in asked.writes:
            assert not (is_out and write.fields["action"] in FOR_MAILING)
            assert bool(write.fields.get("email")) or write.is_postponed or write.fields["action"] == K.SEND
            state = OperationState.SUPERSEDED if write.is_postponed else OperationState.PLANNED
            outbox.append(
                Operation(
                    f"{len(outbox):06}", "p", f"source:{write.source}", "", OperationKind.ACTION, write.fields, {}, write.provenance,
                    state=state, source=write.source, own_id=write.action_id,
                )
            )  # fmt: skip
        for own_id in {one.own_id for one in outbox}:
            mine = [one.state for one in outbox if one.own_id == own_id]
            assert mine.count(OperationState.DONE) + sum(state in OPEN_STATES for state in mine) <= 1
        slots = [(next(iter(one.provenance.values())).rule, one.fields["number"]) for one in outbox if one.state in OPEN_STATES]
        assert len(slots) == len(set(slots)), "two of one rule at the same time"


def done(**changes: object) -> Operation:
    made = Operation(
        "1", "p", "source:news", "", OperationKind.ACTION, {"action": "tag"}, {}, state=OperationState.DONE, source="news",
        sent_at=NOW, finished_at=NOW + timedelta(seconds=2),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)  # type: ignore[arg-type]


@given(st.integers(-600, 600), st.sampled_from(["", "email", "form", "reply"]), st.sampled_from(["news", "site"]))
def test_only_a_change_of_the_same_source_right_after_our_action_is_our_echo(offset: int, channel: str, source: str) -> None:
    (echo,) = own_echoes([done()])
    at = NOW + timedelta(seconds=offset)
    near = -SETTLE.total_seconds() <= offset <= 2 + SETTLE.total_seconds()
    assert echo.made(source, channel, at, "") is (near and channel in ("", "email") and source == "news")
    confirmed = f"subscribed; {(NOW + timedelta(seconds=1)).isoformat()}; 192.0.2.7"
    assert not echo.made(source, channel, at, confirmed), "who confirms in these seconds has done something"


@given(st.integers(-600, 600), st.sampled_from(["", "email", "registration", "webinar"]))
def test_the_echo_of_a_registration_is_a_registration(offset: int, channel: str) -> None:
    (echo,) = own_echoes([done(fields={"action": "register"})])
    near = -SETTLE.total_seconds() <= offset <= 2 + SETTLE.total_seconds()
    assert echo.made("news", channel, NOW + timedelta(seconds=offset), "") is (near and channel in ("", "registration"))


def test_what_changed_nothing_has_no_echo() -> None:
    assert own_echoes([done(code="already_subscribed"), done(state=OperationState.REFUSED), done(sent_at=None)]) == ()


def test_proof_of_an_opt_in_names_the_list_and_says_nothing_else() -> None:
    said = {
        "Yes to L1": True, "subscribed; 2026-01-01T00:00:00Z; L1": True, "Yes to L10": False, "Yes, please": False,
        "pending; L1": False, "L1; no": False, "": False,
    }  # fmt: skip
    for words, is_proof in said.items():
        lead = Lead({"Email": FieldValue("ada@example.com")}, Touch(consent=words))
        view = PersonView("p", PersonState.ACTIVE, (PersonRecord(RecordRef("s", "rows", "1"), lead, NOW),))
        assert (opted_in_at(view, "L1") is not None) is is_proof, words
    lead = Lead({"HasOptedOutOfEmail": FieldValue(True)}, Touch(consent="Yes to L1"))
    view = PersonView("p", PersonState.ACTIVE, (PersonRecord(RecordRef("s", "rows", "1"), lead, NOW),))
    assert opted_in_at(view, "L1") is None
