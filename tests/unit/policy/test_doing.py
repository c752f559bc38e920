"""Conversion, opportunities, nurture, recycling and SLAs, their actions, and when to look again."""

from __future__ import annotations

import msgspec
import pytest

from syncd.policy import evaluate
from syncd.policy.model import Action, ActionKind, Converting, Enforcement, Opening, Rule, Section, Target
from tests.policies import (
    CONVERTED,
    NURTURE,
    OPEN,
    QUALIFIED,
    UNQUALIFIED,
    WORKING,
    ago,
    answer,
    contact,
    enrol,
    ex,
    facts,
    full_policy,
    lead,
    program,
    small_policy,
    task,
    touch,
    when,
)  # fmt: skip

READY = Rule(
    "ready",
    Section.CONVERT,
    from_statuses=(QUALIFIED,),
    when=when("qualified"),
    converting=Converting(CONVERTED, opportunity="intent"),
    reason="Ready.",
)
INTENT = Rule(
    "intent", Section.OPPORTUNITY, when=when('any_touch("demo", 30)'), opening=Opening(ex("lead.Company"), "Prospecting", 60)
)
UPSELL = Rule("upsell", Section.OPPORTUNITY, target=Target.CONTACT, when=when('any_touch("demo", 30)'), opening=INTENT.opening)
DRIP = Rule("drip", Section.NURTURE, from_statuses=(NURTURE,), actions=(enrol("L1"),))
LATE = Rule("late", Section.SLA, from_statuses=(OPEN,), within_minutes=240, actions=(task("Overdue"),))
FINE = {"golden": {"Title": "VP Sales", "Budget__c": 20_000, "Need__c": "Speed"}}
DEMO = (touch("demo", ago(days=1)),)


def but(rule, **changes):
    return msgspec.structs.replace(rule, **changes)


def decide(*rules, standing=None, **known):
    return evaluate(small_policy(*rules), facts(standing or lead(NURTURE), **known))


# --- conversion and opportunity


def test_a_qualified_lead_is_converted_and_an_opportunity_is_opened_on_its_own_condition():
    verdict = decide(READY, INTENT, standing=lead(QUALIFIED), touches=DEMO, **FINE)
    assert (verdict.converts, verdict.opens, verdict.rule_id, verdict.reason, verdict.to_status) == (
        "ready",
        "intent",
        "ready",
        "Ready.",
        "",
    )
    without = decide(READY, INTENT, standing=lead(QUALIFIED), **FINE)
    assert (without.converts, without.opens, answer(without, "intent")) == ("ready", "", "condition")


def test_who_is_not_qualified_is_not_converted():
    verdict = decide(READY, INTENT, standing=lead(QUALIFIED), touches=DEMO)
    assert (verdict.converts, verdict.opens) == ("", "")
    assert (answer(verdict, "ready"), answer(verdict, "intent")) == ("condition", "no_target")


def test_a_lead_in_another_status_is_not_converted():
    assert answer(decide(READY, standing=lead(WORKING), **FINE), "ready") == "status"


def test_nothing_is_converted_in_the_pass_that_moves_the_status():
    away = Rule("away", Section.STATUS, from_statuses=(QUALIFIED,), to_status=NURTURE)
    policy = small_policy(
        away, READY, programs=(but(program(), transitions=tuple(but(one, by="both") for one in program().transitions)),)
    )
    verdict = evaluate(policy, facts(lead(QUALIFIED), **FINE))
    assert (verdict.to_status, verdict.converts, answer(verdict, "ready")) == (NURTURE, "", "earlier_rule")


@pytest.mark.parametrize("company", ["[not provided]", " [Not Provided] ", "", None])
def test_a_placeholder_company_is_never_converted(company):
    verdict = decide(READY, standing=lead(QUALIFIED, fields={"Company": company}), **FINE)
    assert (verdict.converts, answer(verdict, "ready")) == ("", "no_target")


def test_a_conversion_that_only_reps_may_make_is_left_to_them():
    reps = but(program(), transitions=tuple(but(one, by="rep") for one in program().transitions))
    verdict = evaluate(small_policy(READY, programs=(reps,)), facts(lead(QUALIFIED), **FINE))
    assert answer(verdict, "ready") == "not_allowed"


def test_a_conversion_that_is_observed_opens_nothing():
    verdict = decide(but(READY, enforcement=Enforcement.OBSERVE), INTENT, standing=lead(QUALIFIED), touches=DEMO, **FINE)
    assert (verdict.converts, verdict.opens, answer(verdict, "ready"), answer(verdict, "intent")) == (
        "",
        "",
        "observed",
        "no_target",
    )


def test_the_first_conversion_is_the_one():
    verdict = decide(READY, but(READY, rule_id="second"), standing=lead(QUALIFIED), **FINE)
    assert (verdict.converts, answer(verdict, "second")) == ("ready", "earlier_rule")


@pytest.mark.parametrize("standing", [contact(), lead(is_converted=True)])
@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"touches": DEMO}, "fired"),
        ({}, "condition"),
        ({"touches": DEMO, "open_opportunities": 1}, "done_before"),
        ({"touches": DEMO, "fired": {"upsell": ago(days=300)}}, "done_before"),
    ],
)
def test_a_contact_gets_an_opportunity_once_and_only_without_an_open_one(standing, known, expected):
    verdict = decide(UPSELL, standing=standing, **known)
    assert answer(verdict, "upsell") == expected
    assert (verdict.opens, verdict.converts) == ("upsell" if expected == "fired" else "", "")


def test_an_open_lead_gets_no_opportunity_of_contacts():
    assert answer(decide(UPSELL, standing=lead(QUALIFIED), touches=DEMO), "upsell") == "no_target"


def test_an_opportunity_without_a_condition_of_its_own_is_never_opened():
    assert answer(decide(but(UPSELL, when=None), standing=contact(), touches=DEMO), "upsell") == "condition"


def test_a_rule_about_the_account_needs_one():
    rule = but(UPSELL, target=Target.ACCOUNT)
    assert answer(decide(rule, standing=contact(), touches=DEMO), "upsell") == "no_target"
    assert answer(decide(rule, standing=contact(), touches=DEMO, account={"Name": "Acme"}), "upsell") == "fired"


# --- nurture and recycling


@pytest.mark.parametrize(
    ("fired_at", "again", "expected"),
    [
        (None, None, "fired"),
        (ago(days=21), None, "fired"),
        (ago(days=20), None, "done_before"),
        (ago(days=10), 10, "fired"),
        (ago(days=9), 10, "done_before"),
        (ago(days=9), 0, "done_before"),
    ],
)
def test_nurture_starts_once_per_stay_or_again_after_days(fired_at, again, expected):
    known = {"fired": {"drip": fired_at}} if fired_at else {}
    verdict = decide(but(DRIP, again_after_days=again), **known)
    assert answer(verdict, "drip") == expected
    assert len(verdict.actions) == (expected == "fired")


def test_an_action_carries_its_values_and_what_makes_it_once():
    wanted = decide(DRIP, golden={"FirstName": "Ada"}).actions[0]
    assert (wanted.rule_id, wanted.kind, wanted.source) == ("drip", ActionKind.ENROL, "newsletter")
    assert (wanted.options, wanted.values, wanted.occasion) == ({"audience": "L1"}, {"FNAME": "Ada"}, "2026-04-30T12:00:00Z")
    again = decide(but(DRIP, again_after_days=10), fired={"drip": ago(days=12)}).actions[0]
    assert again.occasion == "2026-05-18T12:00:00Z"


def test_values_of_actions_are_scalars():
    fields = {"day": ex("today"), "at": ex("status_at"), "list": ex("person.sources"), "none": ex("lead.X"), "n": ex("1 + 1")}
    rule = but(DRIP, actions=(Action(ActionKind.SEND, source="site", fields=fields),))
    values = decide(rule, sources=("booth", "site")).actions[0].values
    assert values == {"day": "2026-05-20", "at": "2026-04-30T12:00:00Z", "list": "booth;site", "none": None, "n": 2}


def test_nurture_acts_on_the_status_that_is_in_the_org_not_on_the_one_just_decided():
    to_nurture = Rule("go", Section.STATUS, from_statuses=(OPEN,), to_status=NURTURE)
    verdict = decide(to_nurture, DRIP, standing=lead(OPEN))
    assert (verdict.to_status, verdict.actions, answer(verdict, "drip")) == (NURTURE, (), "status")


def test_nobody_is_enrolled_on_leaving_the_status():
    back = Rule("back", Section.REVIVE, from_statuses=(NURTURE,), to_status=OPEN, intent=("demo",))
    verdict = decide(back, DRIP, touches=DEMO)
    assert (verdict.to_status, verdict.actions, answer(verdict, "drip")) == (OPEN, (), "earlier_rule")


def test_a_contact_is_nurtured_once_ever():
    rule = but(DRIP, target=Target.CONTACT, from_statuses=(), when=when('any_touch("demo")'))
    assert answer(decide(rule, standing=contact(), touches=DEMO), "drip") == "fired"
    assert answer(decide(rule, standing=contact(), touches=DEMO, fired={"drip": ago(days=900)}), "drip") == "done_before"
    assert answer(decide(rule, touches=DEMO), "drip") == "no_target"


def test_recycling_acts_once_per_stay_and_moves_later():
    rule = Rule("old", Section.RECYCLE, from_statuses=(UNQUALIFIED,), actions=(enrol("L1"),), after_days=90, to_status=NURTURE)
    first = decide(rule, standing=lead(UNQUALIFIED))
    assert (answer(first, "old"), len(first.actions), first.to_status) == ("fired", 1, "")
    second = decide(rule, standing=lead(UNQUALIFIED), fired={"old": ago(days=1)})
    assert (answer(second, "old"), second.actions) == ("waiting", ())
    long_ago = lead(UNQUALIFIED, (UNQUALIFIED, ago(days=90)))
    third = decide(rule, standing=long_ago, fired={"old": ago(days=89)})
    assert (answer(third, "old"), third.actions, third.to_status) == ("fired", (), NURTURE)
    both = decide(rule, standing=long_ago)
    assert (answer(both, "old"), len(both.actions), both.to_status) == ("fired", 1, NURTURE)


# --- SLAs


@pytest.mark.parametrize(
    ("minutes", "fired_at", "expected"),
    [(239, None, "waiting"), (240, None, "fired"), (300, ago(minutes=1), "done_before"), (300, ago(days=3), "fired")],
)
def test_a_deadline_that_has_passed_is_answered_once_per_stay(minutes, fired_at, expected):
    verdict = decide(LATE, standing=lead(OPEN, (OPEN, ago(minutes=minutes))), fired={"late": fired_at} if fired_at else {})
    assert answer(verdict, "late") == expected
    assert verdict.look_at == (ago(minutes=-1) if expected == "waiting" else None)
    assert len(verdict.actions) == (expected == "fired")


def test_a_breach_counts_though_the_status_is_moved_in_the_same_pass():
    go = Rule("go", Section.STATUS, from_statuses=(OPEN,), to_status=WORKING)
    verdict = decide(go, LATE, standing=lead(OPEN))
    assert (verdict.to_status, answer(verdict, "late")) == (WORKING, "fired")
    assert verdict.actions[0].occasion == "2026-04-30T16:00:00Z"


def test_a_deadline_may_count_from_the_arrival():
    rule = but(LATE, clock="arrival")
    standing = lead(OPEN, (OPEN, ago(days=3)))
    assert answer(decide(rule, standing=standing), "late") == "no_target"
    assert answer(decide(rule, standing=standing, news_at=ago(minutes=200)), "late") == "waiting"
    assert answer(decide(rule, standing=standing, news_at=ago(minutes=300)), "late") == "fired"
    assert answer(decide(but(rule, when=when("score > 100")), standing=standing, news_at=ago(minutes=300)), "late") == "condition"


# --- consent, observe


@pytest.mark.parametrize("kind", [ActionKind.ENROL, ActionKind.TAG, ActionKind.TRIGGER])
def test_who_has_opted_out_is_never_mailed(kind):
    verdict = decide(but(DRIP, actions=(Action(kind, source="newsletter"),)), has_opted_out=True)
    assert (verdict.actions, answer(verdict, "drip")) == ((), "consent")


def test_limits_take_single_actions_away():
    rule = but(DRIP, actions=(enrol("L1"), task("Call")))
    policy = small_policy(rule, limits={ActionKind.TASK: when("not lead.DoNotCall")})
    verdict = evaluate(policy, facts(lead(NURTURE), golden={"DoNotCall": True}))
    assert ([one.kind for one in verdict.actions], answer(verdict, "drip")) == ([ActionKind.ENROL], "fired")
    both = evaluate(policy, facts(lead(NURTURE), golden={"DoNotCall": True}, has_opted_out=True))
    assert (both.actions, answer(both, "drip")) == ((), "consent")


def test_consent_takes_the_actions_of_a_move_and_not_the_move():
    go = Rule("go", Section.STATUS, from_statuses=(OPEN,), to_status=WORKING, actions=(enrol("L1"), task("Call")))
    verdict = decide(go, standing=lead(OPEN), has_opted_out=True)
    assert (verdict.to_status, [one.kind for one in verdict.actions]) == (WORKING, [ActionKind.TASK])


@pytest.mark.parametrize("rule", [DRIP, but(LATE, from_statuses=(NURTURE,)), but(UPSELL, target=Target.CONTACT)])
def test_a_rule_that_is_observed_does_nothing(rule):
    standing = contact() if rule.section is Section.OPPORTUNITY else lead(NURTURE)
    verdict = decide(but(rule, enforcement=Enforcement.OBSERVE), standing=standing, touches=DEMO)
    assert (answer(verdict, rule.rule_id), verdict.actions, verdict.opens) == ("observed", (), "")


# --- when to look again


def test_a_condition_names_the_next_look():
    rule = but(DRIP, when=when('days_in_status >= 25 or any_touch("form", 3)'))
    assert decide(rule).look_at == ago(days=-5)
    assert decide(rule, touches=(touch("form", ago(days=1)),)).look_at == ago(days=-3)
    assert decide(rule, standing=lead(OPEN)).look_at is None


def test_a_criterion_names_the_next_look():
    assert decide(touches=(touch("demo", ago(days=179)),)).look_at == ago(days=-2)


def test_halving_counts_only_while_a_condition_reads_the_score():
    touches = (touch("webinar", ago(days=10)),)
    assert decide(DRIP, touches=touches, fired={"drip": ago(days=1)}).look_at is None
    assert decide(but(DRIP, when=when("score > 40")), touches=touches).look_at == ago(days=-20)


def test_a_repetition_names_the_next_look():
    assert decide(but(DRIP, again_after_days=10), fired={"drip": ago(days=9)}).look_at == ago(days=-1)


def test_a_limit_that_ends_names_the_next_look():
    policy = small_policy(DRIP, limits={ActionKind.ENROL: when("days_since(person.first_at) >= 30")})
    verdict = evaluate(policy, facts(lead(NURTURE), first_at=ago(days=20)))
    assert (answer(verdict, "drip"), verdict.look_at) == ("consent", ago(days=-10))


def test_a_policy_without_programs_decides_nothing():
    verdict = evaluate(full_policy(programs=()), facts(lead()))
    assert verdict == type(verdict)("p1")
