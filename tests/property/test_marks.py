"""Owner and flag on leads and contacts over any history: once for each occasion, never against a hold, never on a converted lead.

The outbox is played by a list, the org by a dict; reps change what they like in between.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model import (
    FieldSchema,
    Hold,
    ObjectSchema,
    Operation,
    OperationKind,
    OperationState,
    OrgRecord,
    OrgRow,
    PersonState,
    PersonView,
)
from syncd.plan.field_actions import field_actions
from syncd.policy import Policy, Wanted
from syncd.policy.model import Action, ActionKind, Program, Rule, Section, Target

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SF_IDS = {"Lead": "00Q1", "Contact": "0031"}
DOES = (
    Action(ActionKind.OWNER, options={"to": "user:Rep3"}),
    Action(ActionKind.FLAG, options={"field": "Fan__c", "value": "true"}),
    Action(ActionKind.FLAG, options={"field": "Level__c", "value": "3"}),
)
RULES = tuple(Rule(name, Section.NURTURE, target=Target.CONTACT, actions=DOES) for name in ("fans", "others"))
POLICY = Policy(digest="d" * 16, programs=(Program("p", {}, ()),), rules=RULES)
DESCRIBED = {
    "OwnerId": FieldSchema("OwnerId", "reference", is_updateable=True),
    "Fan__c": FieldSchema("Fan__c", "boolean", is_updateable=True),
    "Level__c": FieldSchema("Level__c", "double", is_updateable=True),
}
OURS = {"OwnerId": "0053", "Fan__c": True, "Level__c": 3}
THEIRS = {"OwnerId": "0051", "Fan__c": False, "Level__c": 1}
STEPS = st.one_of(
    st.tuples(st.just("wanted"), st.sampled_from(["fans", "others"]), st.booleans()),
    st.tuples(st.just("edited"), st.sampled_from(sorted(OURS)), st.booleans()),
    st.tuples(st.just("held"), st.sampled_from(sorted(OURS)), st.booleans()),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["Lead", "Contact"]), st.booleans(), st.lists(STEPS, max_size=25))
def test_each_mark_comes_once_for_each_occasion(name: str, is_converted: bool, steps: list[tuple[str, str, bool]]) -> None:
    is_converted = is_converted and name == "Lead"
    org = dict(THEIRS)
    holds: dict[str, Hold] = {}
    moves: list[Operation] = []
    occasions = dict.fromkeys(("fans", "others"), NOW)
    written: set[tuple[str, datetime, str]] = set()
    for number, (step, which, is_so) in enumerate(steps, start=1):
        now = NOW + timedelta(days=number)
        if step == "edited":
            org[which] = (OURS if is_so else THEIRS)[which]
        elif step == "held":
            holds.pop(which, None)
            if is_so:
                holds[which] = Hold(which, OURS[which])
        else:
            if is_so:
                occasions[which] = now
            said = occasions[which].isoformat()
            wanted = [
                Wanted(which, one.kind, 1, options=one.options, occasion=said, number=place) for place, one in enumerate(DOES)
            ]
            row = OrgRow(name, SF_IDS[name], dict(org), now, owner_id=str(org["OwnerId"]), is_converted=is_converted)
            record = OrgRecord(row, "p")
            view = PersonView("p", PersonState.ACTIVE, org_records=(record,), moves=tuple(moves), holds=tuple(holds.values()))
            found = field_actions(POLICY, wanted, view, record, ObjectSchema(name, DESCRIBED), lambda to: f"005{to[-1]}")
            for field, value in found.fields.items():
                assert not is_converted
                assert value == OURS[field] != org[field]
                assert field not in holds
                assert (which, occasions[which], field) not in written, "once for each occasion"
                written.add((which, occasions[which], field))
            assert (which in found.done) is not (bool(found.fields) or is_converted)
            if found.fields:
                org |= found.fields
                moves.append(
                    Operation(
                        f"{number:06}", "p", name, SF_IDS[name], OperationKind.STATUS, found.fields, {}, found.why,
                        state=OperationState.DONE, planned_at=now,
                    )
                )  # fmt: skip
