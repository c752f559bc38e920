"""A clock that was set back, and a history that contradicts itself: no crash, the same answer each time, and nobody is moved for it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from syncd.policy import evaluate
from syncd.policy.model import Action, ActionKind, ArchiveMeans, Mover, Rule, Section, StatusChange
from tests import policies
from tests.policies import ARCHIVED, LIVE, NOW, NURTURE, OPEN, UNQUALIFIED, WORKING, ago, at, full_policy, lead, touch
from tests.property.test_policy import CHANNELS, checked, moments_ago, persons, policy_values

back = st.one_of(st.timedeltas(timedelta(0), timedelta(days=800)), st.integers(0, 800).map(lambda count: timedelta(days=count)))
AGEING = (
    "days_in_status >= {}", "not any_touch(null, {})", 'not any_touch("demo", {})', "days_since(person.first_at) >= {}",
    "person.edited_at < now - {}", "days_since(lead.Due__c) >= {}", "days_in_status >= {} and not any_touch(null, 7)",
)  # fmt: skip
task = Action(ActionKind.TASK, options={"subject": "x"}, due_in_days=0)


@st.composite
def ageing(draw, number):
    """A rule of any section that only time makes fire: once it does, it goes on doing so."""
    section = draw(
        st.sampled_from((Section.STATUS, Section.RECYCLE, Section.ARCHIVE, Section.SLA, Section.NURTURE, Section.REVIVE))
    )
    days = draw(st.integers(1, 90))
    when = policies.when(draw(st.sampled_from(AGEING)).format(days))
    common = {"rule_id": f"r{number}", "section": section, "from_statuses": (draw(st.sampled_from(LIVE)),), "when": when}
    to_status = draw(st.sampled_from((OPEN, WORKING, NURTURE, UNQUALIFIED)))
    if section is Section.SLA:
        return Rule(**common, within_minutes=days * 1_440, actions=(task,), clock=draw(st.sampled_from(("status", "arrival"))))
    if section is Section.NURTURE:
        return Rule(**common, actions=(task,), again_after_days=days)
    common["overrides_rep"] = draw(st.booleans())
    if section is Section.ARCHIVE:
        return Rule(**common, means=ArchiveMeans(ARCHIVED), inactive_days=days, unedited_days=draw(st.integers(0, 90)))
    if section is Section.RECYCLE:
        return Rule(**common, to_status=to_status, after_days=days)
    if section is Section.REVIVE:
        return Rule(**common, to_status=to_status, intent=("demo", "reply"))
    return Rule(**common, to_status=to_status)


def broken(policy, known, verdict):
    """What a verdict may never do, whatever is known and whenever it is."""
    found = [] if verdict.look_at is None or verdict.look_at > known.now else ["the next look lies in the past"]
    if not verdict.to_status:
        return found
    standing, program = known.standing, policy.programs[0]
    rule = policy.rule(verdict.rule_id)
    target = program.statuses.get(verdict.to_status)
    if verdict.from_status != standing.status or target is None or target.is_converted:
        found.append("from where nobody is, or to where nobody may be sent")
    if rule is None:
        return found  # a status or move that the program does not know was put right
    if not program.may_move(standing.status, verdict.to_status, Mover.SYNCD):
        found.append("a transition that syncd may not take")
    last = standing.statuses[-1] if standing.statuses else None
    if last is not None and (last.by_person or last.status != standing.status) and not rule.overrides_rep:
        found.append("against what a person has set")
    if rule.section is Section.REVIVE and not any(one.at <= known.now for one in known.touches) and known.news_at is None:
        found.append("revived by what has not been yet")
    return found


@checked(250)
@given(policy_values(), persons(), back)
def test_a_clock_that_was_set_back_breaks_nothing(policy, known, span):
    """Everything that is known may lie ahead: touches, changes, edits, what fired."""
    earlier = at(known, NOW - span)
    verdict = evaluate(policy, earlier)
    assert verdict == evaluate(policy, earlier)
    assert broken(policy, earlier, verdict) == []
    assert all(one > earlier.now for one in verdict.starts.values())


@checked(250)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True).flatmap(lambda ids: st.tuples(*map(ageing, ids))),
    persons(),
    back,
)
def test_a_clock_that_was_set_back_makes_nothing_fire_that_would_not_fire_anyway(rules, known, span):
    """What time alone does comes later, never sooner: a rule that fires under the earlier clock fires under the right one, too."""
    policy = full_policy(rules=rules, limits={})
    before = {one.rule_id for one in evaluate(policy, at(known, NOW - span)).asked if one.outcome == "fired"}
    now = {one.rule_id: one.blocked or one.outcome for one in evaluate(policy, known).asked}
    # Another one may go first now, or the lead may be put right first.
    assert {rule_id for rule_id in before if now.get(rule_id) not in ("fired", "earlier_rule")} - {
        "illegal_status",
        "illegal_move",
    } == set()


@st.composite
def contradictory(draw):
    """A lead whose changes come in any order, several in one instant, twice the same, and end elsewhere than where it is."""
    instants = draw(st.lists(moments_ago, min_size=1, max_size=3))
    changes = draw(
        st.lists(st.builds(StatusChange, st.sampled_from((*LIVE, "Old")), st.sampled_from(instants), st.booleans()), max_size=6)
    )
    edges = {name: draw(st.one_of(st.none(), moments_ago)) for name in ("created_at", "edited_at")}
    standing = msgspec.structs.replace(lead(draw(st.sampled_from((*LIVE, "Old", "")))), statuses=tuple(changes), **edges)
    touches = draw(st.lists(st.builds(touch, st.sampled_from(CHANNELS), st.sampled_from(instants)), max_size=3))
    fired = draw(st.dictionaries(st.sampled_from(("r0", "r1", "r2")), moments_ago, max_size=3))
    return policies.facts(standing, touches=tuple(touches), fired=fired, first_at=draw(st.one_of(st.none(), moments_ago)))


@checked(300)
@given(policy_values(), contradictory())
def test_a_history_that_contradicts_itself_has_one_answer(policy, known):
    verdict = evaluate(policy, known)
    assert verdict == evaluate(policy, msgspec.structs.replace(known, touches=known.touches[::-1]))
    assert broken(policy, known, verdict) == []


def test_who_moved_is_read_from_the_last_change_that_was_seen_though_another_has_the_same_instant():
    """Two changes in one instant are taken in the order in which they were seen."""
    rule = Rule("r", Section.STATUS, from_statuses=(WORKING,), to_status=NURTURE, when=policies.when("true"))
    policy = full_policy(rules=(rule,), limits={})
    same = ago(days=9)
    mine, theirs = StatusChange(WORKING, same), StatusChange(WORKING, same, by_person=True)
    answers = [
        policies.answer(evaluate(policy, policies.facts(msgspec.structs.replace(lead(WORKING), statuses=order))), "r")
        for order in ((mine, theirs), (theirs, mine))
    ]
    assert answers == ["rep_edit", "fired"]
