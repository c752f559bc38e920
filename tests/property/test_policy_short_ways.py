"""The short ways of evaluating a policy give what the long one gives, for every policy and every person."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from syncd.app.tally import Counting
from syncd.policy import evaluate
from syncd.policy.alike import Beside
from syncd.policy.compiled import ready
from syncd.policy.evaluate import evaluate_ready
from syncd.policy.reads import reads_of
from tests import histories
from tests.policies import full_policy
from tests.property.test_policy import checked, persons, policy_values, rules

UNKNOWN = frozenset({"lead.Budget__c", "status", "days_in_status", "activity.open_tasks", "person.has_opted_out"})
knowledge = st.tuples(st.booleans(), st.sampled_from([frozenset(), frozenset(), UNKNOWN]))
BRIEF = {"criteria": (), "score": 0, "points": (), "is_qualified": None}


def as_known(known, how):
    """Half of the people without hold periods, where most rules are never asked; some with values that cannot be told."""
    is_quiet, unknown = how
    return msgspec.structs.replace(known, waiting={} if is_quiet else known.waiting, unknown=unknown)


def written(verdict):
    return msgspec.json.encode(verdict)


@checked(400)
@given(policy_values(), persons(), knowledge)
def test_what_is_out_of_place_need_not_be_asked(policy, known, how):
    known = as_known(known, how)
    made = ready(policy)
    whole = evaluate_ready(made, known, is_whole=True)
    assert written(evaluate(policy, known)) == written(whole)
    brief = msgspec.structs.replace(whole, **BRIEF)
    assert written(evaluate_ready(made, known, is_brief=True)) == written(brief)
    blind = msgspec.structs.replace(brief, look_at=None)
    assert written(evaluate_ready(made, known, is_brief=True, looks=False)) == written(blind)


@checked(300)
@given(policy_values(), persons(), knowledge, st.data())
def test_a_policy_beside_another_counts_as_if_it_had_been_asked(policy, known, how, data):
    """One rule is another one, one is gone, or nothing has changed; the rules that are alike stand in other lines."""
    known = as_known(known, how)
    place = data.draw(st.integers(0, len(policy.rules) - 1))
    change = data.draw(st.sampled_from(["another", "gone", "lines", "standards"]))
    others = list(policy.rules)
    if change == "another":
        others[place] = data.draw(rules(place, policy.rules[place].section))
    elif change == "gone":
        del others[place]
    other = msgspec.structs.replace(policy, rules=tuple(msgspec.structs.replace(one, line=one.line + 7) for one in others))
    if change == "standards":
        other = msgspec.structs.replace(other, min_days_in_status=policy.min_days_in_status + 30)
    first = evaluate_ready(ready(policy), known, is_brief=True, looks=False)
    told, asked = Counting(policy, reads_of(policy)), Counting(policy, reads_of(policy))
    assert told.note(known, first, Beside(policy, other).verdict(first, known)) == asked.note(
        known, evaluate(policy, known), evaluate(other, known)
    )
    assert told.tally == asked.tally


def test_lives_of_leads_are_decided_alike():
    """The full policy, thousands of moments in the lives of leads: every verdict to the last byte."""
    policy = full_policy()
    made = ready(policy)
    seen = []
    for seed in range(60):
        histories.live(policy, seed, seen.append)
    assert len(seen) > 1_000
    for known in seen:
        assert written(evaluate(policy, known)) == written(evaluate_ready(made, known, is_whole=True))


def test_a_policy_whose_status_is_as_it_was_is_not_asked_again():
    """Else the second policy would cost as much as the first; and where a rule is another one it is asked."""
    policy = full_policy()
    changed = msgspec.structs.replace(
        policy,
        rules=tuple(
            msgspec.structs.replace(one, reason="Changed.") if one.rule_id == policy.rules[0].rule_id else one
            for one in policy.rules
        ),
    )
    beside = Beside(changed, policy)
    same = set()
    seen = []
    for seed in range(40):
        histories.live(policy, seed, seen.append)
    for known in seen:
        first = evaluate(changed, known)
        same.add((first.from_status in policy.rules[0].from_statuses, beside.verdict(first, known) is first))
    assert {(False, True), (True, False)} <= same
    assert (True, True) not in same
