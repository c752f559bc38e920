"""What holds for every policy and every person: order, repetition, hands of people, consent, observation, the next look."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from syncd.policy import evaluate
from syncd.policy.model import (
    FOR_MAILING,
    Action,
    ActionKind,
    ArchiveMeans,
    Converting,
    Criterion,
    Enforcement,
    IllegalDo,
    Mover,
    Opening,
    Rule,
    ScoreRule,
    Section,
    Standards,
    StatusChange,
    Target,
    Transition,
)  # fmt: skip
from tests import policies
from tests.carrying import carry_out
from tests.policies import CONVERTED, LIVE, NOW, ago, at, contact, facts, full_policy, lead, program, touch

BASIC = (
    'any_touch("demo", 30)', 'any_touch(null, 7)', 'count_touches("form", 60) >= 2', "days_in_status >= 14", "days_in_status < 3",
    "days_since(lead.Due__c) >= 10", "lead.Due__c > today", "person.edited_at < now - 5", "person.has_opted_out", 'lead.Country == "DE"',
    "lead.Budget__c >= 10000", "activity.open_tasks == 0", "is_known(lead.Title)", 'not any_touch("demo", 90)', "activity.next_event_at > now + 2",
    "days_since(person.first_at) in [5, 40]", 'person.last_channel == "demo"', 'person.campaign == "a"', "true",
)  # fmt: skip
JUDGED = (
    *BASIC,
    "criteria.need",
    "criteria.budget == false",
    "qualified",
    "score >= 20",
    "qualified and score > 5",
    "not criteria.need",
)
CHANNELS = ("demo", "form", "open", "reply")
KINDS = (ActionKind.TASK, ActionKind.ENROL, ActionKind.TAG, ActionKind.TRIGGER, ActionKind.SEND)

when = lru_cache(policies.when)
ex = lru_cache(policies.ex)
statuses = st.sampled_from(LIVE)
some_statuses = st.lists(statuses, max_size=3, unique=True).map(tuple)
conditions = st.one_of(st.none(), st.sampled_from(JUDGED).map(when))
actions = st.lists(
    st.builds(Action, st.sampled_from(KINDS), source=st.just("x"), fields=st.just({"F": ex("lead.Title")})), max_size=2
).map(tuple)
days = st.integers(0, 60)
moments_ago = st.one_of(
    st.integers(-20 * 86_400, 200 * 86_400).map(lambda seconds: ago(seconds=seconds)),
    st.integers(-20, 200).map(lambda count: ago(days=count)),
)


@st.composite
def rules(draw, number, section):
    common = {
        "rule_id": f"r{number}", "section": section, "from_statuses": draw(some_statuses), "when": draw(conditions),
        "enforcement": draw(st.sampled_from([Enforcement.ENFORCE] * 3 + [Enforcement.OBSERVE])), "overrides_rep": draw(st.booleans()),
        "actions": draw(actions),
    }  # fmt: skip
    to_status = draw(statuses)
    if section is Section.REVIVE:
        common |= {
            "to_status": to_status,
            "intent": ("demo", "reply"),
            "intent_criteria": draw(st.sampled_from(((), ("budget",)))),
        }
    elif section is Section.STATUS:
        common |= {"to_status": to_status}
    elif section is Section.RECYCLE:
        common |= {"to_status": draw(st.sampled_from(("", to_status))), "after_days": draw(st.one_of(st.none(), days))}
    elif section is Section.ARCHIVE:
        means = draw(
            st.sampled_from((ArchiveMeans("Archived", "Old__c"), ArchiveMeans(flag="Old__c"), ArchiveMeans(owner="queue:Old")))
        )
        common |= {"means": means, "inactive_days": draw(days), "hold_days": draw(days), "unedited_days": draw(days)}
    elif section is Section.CONVERT:
        text = draw(st.sampled_from(JUDGED))
        common |= {"when": when(f"qualified and ({text})"), "converting": Converting(CONVERTED, opportunity="r0")}
    elif section is Section.OPPORTUNITY:
        common |= {
            "opening": Opening(ex("lead.Company"), "New", 30),
            "target": draw(st.sampled_from((Target.LEAD, Target.CONTACT))),
        }
    else:
        common |= {"target": draw(st.sampled_from((Target.LEAD, Target.LEAD, Target.CONTACT)))}
    if section is Section.NURTURE:
        common |= {"again_after_days": draw(st.one_of(st.none(), days))}
    if section is Section.SLA:
        common |= {"within_minutes": draw(st.integers(1, 30_000)), "clock": draw(st.sampled_from(("status", "arrival")))}
    return Rule(**common)


@st.composite
def policy_values(draw):
    sections = draw(
        st.lists(st.sampled_from([section for section in Section if section is not Section.ILLEGAL]), min_size=1, max_size=8)
    )
    made = [draw(rules(number, section)) for number, section in enumerate(sections)]
    pairs = [(one, other) for one in (*LIVE, "Old") for other in (*LIVE, CONVERTED) if one != other]
    movers = draw(
        st.lists(st.sampled_from((Mover.BOTH, Mover.BOTH, Mover.SYNCD, Mover.REP)), min_size=len(pairs), max_size=len(pairs))
    )
    transitions = tuple(Transition(one, other, by) for (one, other), by in zip(pairs, movers, strict=True))
    stock = program(illegal=draw(st.sampled_from(IllegalDo)), illegal_map={"Old": draw(statuses)})
    standards = Standards(
        criteria=(
            Criterion("need", met=when(draw(st.sampled_from(BASIC)))),
            Criterion("budget", met=when("lead.Budget__c >= 10000"), unmet=when("lead.Budget__c < 1000 or score > 50")),
        ),
        scoring=(
            ScoreRule("one", 20, when(draw(st.sampled_from(BASIC)))),
            ScoreRule(
                "two", draw(st.sampled_from((15, -7, 64))), channel="demo", halves_after_days=draw(st.integers(1, 40)), at_most=40
            ),
        ),
        qualified=when(draw(st.sampled_from(("criteria.need", "criteria.budget and score > 10", "score >= 20")))),
    )
    limits = {ActionKind.ENROL: when(draw(st.sampled_from(BASIC)))} if draw(st.booleans()) else {}
    return full_policy(
        rules=tuple(made), programs=(msgspec.structs.replace(stock, transitions=transitions),), standards=standards, limits=limits,
        enforcement=draw(st.sampled_from(Enforcement)), min_days_in_status=draw(st.integers(1, 20)),
    )  # fmt: skip


@st.composite
def persons(draw):
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "Title": st.sampled_from(("VP", "x")), "Country": st.sampled_from(("DE", "FR")), "Budget__c": st.sampled_from((0, 5_000, 50_000)),
                "Due__c": st.sampled_from(("2026-05-01", "2026-05-25")), "Old__c": st.booleans(),
                "Syncd_Hold_Until__c": st.sampled_from(("2026-05-19", "2026-05-24")), "Company": st.sampled_from(("", "[not provided]")),
            },
        )
    )  # fmt: skip
    more = {"edited_at": draw(st.one_of(st.none(), moments_ago.filter(lambda one: one <= NOW))), "created_at": ago(days=300)}
    sort = draw(st.sampled_from(("lead",) * 6 + ("contact", "converted", "none")))
    path = draw(st.lists(st.tuples(st.sampled_from((*LIVE, "Old")), st.booleans()), min_size=1, max_size=4))
    times = sorted(draw(st.lists(moments_ago.filter(lambda one: one <= NOW), min_size=len(path), max_size=len(path))))
    changes = tuple(StatusChange(status, time, by) for (status, by), time in zip(path, times, strict=True))
    standing = (
        contact(fields, **more)
        if sort == "contact"
        else lead(path[-1][0], fields=fields, is_converted=sort == "converted", **more)
    )
    if sort in ("lead", "converted") and draw(st.integers(0, 9)):
        standing = msgspec.structs.replace(standing, statuses=changes)
    return facts(
        None if sort == "none" else standing,
        touches=tuple(draw(st.lists(st.builds(touch, st.sampled_from(CHANNELS), moments_ago, is_news=st.booleans(), campaign=st.sampled_from(("", "a", "b"))), max_size=4))),
        first_at=draw(st.one_of(st.none(), moments_ago)), news_at=draw(st.one_of(st.none(), moments_ago)),
        has_opted_out=draw(st.booleans()), open_tasks=draw(st.sampled_from((0, 0, 1))),
        next_event_at=draw(st.one_of(st.none(), moments_ago)), last_activity_at=draw(st.one_of(st.none(), moments_ago)),
        fired=draw(st.dictionaries(st.sampled_from(("r0", "r1", "r2", "r3")), moments_ago.filter(lambda one: one <= NOW), max_size=3)),
        waiting=draw(st.dictionaries(st.sampled_from(("r0", "r1", "r2", "r3")), moments_ago, max_size=3)),
    )  # fmt: skip


def checked(examples):
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
    )


@checked(150)
@given(policy_values(), persons(), st.randoms(use_true_random=False))
def test_the_order_in_which_touches_came_does_not_matter_and_nothing_else_is_hidden(policy, known, random):
    shuffled = list(known.touches)
    random.shuffle(shuffled)
    verdict = evaluate(policy, known)
    assert evaluate(policy, msgspec.structs.replace(known, touches=tuple(shuffled))) == verdict
    assert evaluate(msgspec.structs.replace(policy), known) == verdict


@checked(250)
@given(policy_values(), persons())
def test_enforcing_again_moves_nothing_back_and_repeats_no_action(policy, known):
    """In one instant a lead may go on from status to status, each by another rule, and never to one that it left."""
    left, movers, acted = [], [], []
    for _ in range(len(LIVE) + 2):
        verdict = evaluate(policy, known)
        acted += [(one.rule_id, one.line, one.occasion) for one in verdict.actions if one.occasion]
        if verdict.to_status:
            assert verdict.to_status not in left
            assert verdict.rule_id not in movers or verdict.rule_id in {
                one.rule_id for one in policy.rules if len(one.from_statuses) != 1
            }
            left.append(verdict.from_status)
            movers.append(verdict.rule_id)
        known = carry_out(known, verdict)
        if verdict.converts:
            break
    assert evaluate(policy, known).to_status == ""
    once = [(rule_id, occasion) for rule_id, _, occasion in acted]
    most = {rule.rule_id: len(rule.actions) for rule in policy.rules}
    assert all(once.count(one) <= most[one[0]] for one in once)


@checked(150)
@given(policy_values(), persons(), st.lists(st.integers(0, 5 * 86_400), min_size=10, max_size=10))
def test_a_reps_status_survives_ten_passes_where_no_rule_overrides(policy, known, waits):
    assume(known.standing is not None and known.standing.status in LIVE and known.standing.statuses)
    free = tuple(Transition(one, other, Mover.BOTH) for one in LIVE for other in (*LIVE, CONVERTED) if one != other)
    policy = msgspec.structs.replace(
        policy,
        rules=tuple(msgspec.structs.replace(rule, overrides_rep=False) for rule in policy.rules),
        programs=(msgspec.structs.replace(policy.programs[0], transitions=free),),
    )
    standing = known.standing
    edited = (*standing.statuses[:-1], StatusChange(standing.status, known.now, by_person=True))
    known = msgspec.structs.replace(known, standing=msgspec.structs.replace(standing, statuses=edited))
    for wait in waits:
        verdict = evaluate(policy, known)
        assert verdict.to_status == ""
        assert not [
            one
            for one in verdict.asked
            if one.outcome == "fired" and one.section in (Section.REVIVE, Section.STATUS, Section.ARCHIVE)
        ]
        known = at(carry_out(known, verdict), known.now + timedelta(seconds=wait))


@checked(150)
@given(policy_values(), persons())
def test_who_has_opted_out_is_never_enrolled_tagged_or_triggered(policy, known):
    verdict = evaluate(policy, msgspec.structs.replace(known, has_opted_out=True))
    assert not [one for one in verdict.actions if one.kind in FOR_MAILING]


@checked(250)
@given(policy_values(), persons())
def test_nothing_converts_or_opens_outside_of_its_criteria(policy, known):
    verdict = evaluate(policy, known)
    by_id = {rule.rule_id: rule for rule in policy.rules}
    if verdict.converts:
        assert verdict.is_qualified is True
        assert not verdict.to_status
        assert known.standing.status in (by_id[verdict.converts].from_statuses or LIVE)
        assert known.standing.fields["Company"] not in ("", "[not provided]")
    if verdict.opens:
        assert known.open_opportunities == 0
        assert by_id[verdict.opens].when is not None
        assert verdict.converts or by_id[verdict.opens].target is Target.CONTACT


@checked(150)
@given(policy_values(), persons())
def test_a_policy_that_is_observed_never_acts(policy, known):
    observed = tuple(msgspec.structs.replace(rule, enforcement=Enforcement.OBSERVE) for rule in policy.rules)
    verdict = evaluate(msgspec.structs.replace(policy, rules=observed, enforcement=Enforcement.OBSERVE), known)
    assert (verdict.rule_id, verdict.to_status, verdict.actions, verdict.converts, verdict.opens, verdict.means) == (
        "",
        "",
        (),
        "",
        "",
        None,
    )
    assert not [
        one
        for one in verdict.asked
        if (one.outcome == "fired" and one.section is not Section.ILLEGAL) or one.blocked == "earlier_rule"
    ]


@checked(500)
@given(policy_values(), persons(), st.lists(st.floats(0, 0.9999), min_size=4, max_size=4))
def test_nothing_changes_before_the_next_look(policy, known, parts):
    verdict = evaluate(policy, known)
    assert verdict.look_at is None or verdict.look_at > known.now
    until = verdict.look_at or NOW + timedelta(days=1_000)
    span = until - known.now
    for part in (*parts, 1.0):
        instant = known.now + span * part - (timedelta(microseconds=1) if part == 1.0 else timedelta())
        assert essence(evaluate(policy, at(known, instant))) == essence(verdict), (known.now, instant, verdict.look_at)


def essence(verdict):
    """The verdict but for what may change unseen: points that no condition reads, the standards while held, ends of new holds."""
    held = any(one.blocked == "held" for one in verdict.asked)
    criteria = () if held else (verdict.criteria, verdict.is_qualified)
    rest = msgspec.structs.replace(verdict, look_at=None, score=0, points=(), starts={}, criteria=(), is_qualified=None)
    return rest, criteria, sorted(verdict.starts)
