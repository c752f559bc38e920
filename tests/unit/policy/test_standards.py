"""Program, score, criteria and the values that conditions read."""

from __future__ import annotations

import msgspec
import pytest

from syncd.policy import evaluate, values_of
from syncd.policy.model import Criterion, Points, ScoreRule, Standards
from tests.policies import NOW, NURTURE, ago, contact, facts, full_policy, lead, program, small_policy, touch, when  # fmt: skip


def test_the_first_program_that_applies_is_taken():
    site = program(applies_to=when('"site" in person.sources'))
    rest = msgspec.structs.replace(program(), name="rest")
    policy = small_policy(programs=(site, rest))
    assert evaluate(policy, facts(lead(), sources=("site",))).program == "inbound"
    assert evaluate(policy, facts(lead(), sources=("booth",))).program == "rest"


def test_nobody_is_decided_about_without_a_program():
    policy = full_policy(programs=(program(applies_to=when('lead.Country == "FR"')),))
    verdict = evaluate(policy, facts(lead(), golden={"Country": "DE"}))
    assert verdict == type(verdict)("p1")


def test_a_program_that_will_apply_is_looked_at_then():
    policy = full_policy(programs=(program(applies_to=when("days_since(person.first_at) >= 3")),))
    verdict = evaluate(policy, facts(lead(), first_at=ago(days=1)))
    assert (verdict.program, verdict.look_at) == ("", ago(days=-2))


@pytest.mark.parametrize(("days", "points"), [(0, 15), (29.9, 15), (30, 7), (60, 3), (90, 1), (120, 0), (-5, 15)])
def test_the_points_of_a_touch_halve_in_whole_steps(days, points):
    scoring = (ScoreRule("webinar", 15, channel="webinar", halves_after_days=30),)
    verdict = evaluate(
        small_policy(standards=Standards(scoring=scoring)), facts(lead(), touches=(touch("webinar", ago(days=days)),))
    )
    assert verdict.score == points
    assert verdict.points == ((Points("webinar", points),) if points else ())


@pytest.mark.parametrize(
    ("points", "at_most", "total"), [(15, 45, 45), (15, None, 75), (-5, -20, -20), (-5, 20, -20), (9, 100, 45)]
)
def test_all_touches_of_a_rule_give_at_most_so_much(points, at_most, total):
    scoring = (ScoreRule("webinar", points, channel="webinar", at_most=at_most),)
    touches = tuple(touch("webinar", ago(days=day)) for day in range(5))
    assert evaluate(small_policy(standards=Standards(scoring=scoring)), facts(lead(), touches=touches)).score == total


def test_a_condition_and_a_touch_are_broken_down():
    golden = {"Title": "Head of Sales", "Country": "DE"}
    verdict = evaluate(full_policy(), facts(lead(), golden=golden, touches=(touch("reply", ago(days=40)),)))
    assert verdict.points == (Points("leader", 20), Points("in_core", 5), Points("reply", 5))
    assert verdict.score == 30


@pytest.mark.parametrize(("budget", "value"), [(20_000, True), (500, False), (5_000, None), (None, None)])
def test_a_criterion_is_met_unmet_or_unknown(budget, value):
    verdict = evaluate(full_policy(), facts(lead(), golden={"Budget__c": budget}))
    assert {one.name: one.value for one in verdict.criteria}["budget"] is value


def test_met_wins_over_unmet():
    standards = Standards(criteria=(Criterion("both", met=when("lead.N__c > 1"), unmet=when("lead.N__c > 0")),))
    assert evaluate(small_policy(standards=standards), facts(lead(), golden={"N__c": 5})).criteria[0].value is True


def test_a_criterion_may_name_those_above_it_and_the_score():
    standards = Standards(
        criteria=(Criterion("first", met=when("score > 0")), Criterion("second", met=when("criteria.first"))),
        scoring=(ScoreRule("any", 1, when("true")),),
        qualified=when("criteria.second"),
    )
    verdict = evaluate(small_policy(standards=standards), facts(lead()))
    assert [one.value for one in verdict.criteria] == [True, True]
    assert verdict.is_qualified is True


def test_an_unknown_criterion_does_not_qualify():
    verdict = evaluate(full_policy(), facts(lead(), golden={"Title": "VP", "Need__c": "Speed"}))
    assert verdict.is_qualified is False


def test_who_is_qualified_is_not_said_without_a_rule():
    assert evaluate(small_policy(standards=Standards()), facts(lead())).is_qualified is None


def test_evaluate_leaves_evidence_to_explain():
    assert all(one.evidence == () for one in evaluate(full_policy(), facts(lead())).criteria)


def test_a_field_of_the_org_goes_before_the_sources_unless_it_is_blank():
    known = facts(
        lead(fields={"Title": "CEO", "City": "", "State": None, "Flag__c": False}),
        golden={"Title": "x", "City": "Bonn", "State": "NW", "Flag__c": True},
    )
    values = values_of(full_policy(), known)
    assert values["lead"] == {
        "Status": "Open - Not Contacted",
        "Company": "Acme GmbH",
        "Title": "CEO",
        "City": "Bonn",
        "State": "NW",
        "Flag__c": False,
    }
    assert values["org"]["City"] == ""


def test_values_of_the_person_the_owner_and_the_activities():
    known = facts(
        lead(NURTURE, (NURTURE, ago(days=3, hours=1)), owner_id="00G000000000001", is_owner_active=True, edited_at=ago(days=2)),
        touches=(touch("form", ago(days=9), campaign="May"), touch("reply", ago(days=1)), touch("form", ago(days=8), campaign="June")),
        sources=("booth", "site"), has_opted_out=True, first_at=ago(days=9), open_tasks=2, open_opportunities=1, account={"Type": "Customer"},
    )  # fmt: skip
    for text in (
        "count(person.sources) == 2", "not person.is_contact", "not person.is_new", "person.has_opted_out",
        "days_since(person.first_at) == 9", "days_since(person.last_touch_at) == 1", 'person.last_channel == "reply"',
        'person.campaign == "June"', "days_since(person.edited_at) == 2", "activity.open_tasks == 2", "activity.open_opportunities == 1",
        "not is_known(activity.next_event_at)", "owner.is_queue", "owner.is_active", 'status == "Nurture"', "days_in_status == 3",
        "days_since(status_at) == 3", 'account.Type == "Customer"', 'today == "2026-05-20"', 'count_touches("form", 10) == 2',
    ):  # fmt: skip
        assert when(text)(values_of(full_policy(), known)) is True, text


@pytest.mark.parametrize("turned", [False, True])
def test_of_touches_at_one_instant_the_newest_is_always_the_same(turned):
    touches = [touch("demo", NOW, campaign="a"), touch("form", NOW), touch("form", NOW, campaign="b")]
    known = facts(lead(), touches=tuple(reversed(touches) if turned else touches))
    person = values_of(full_policy(), known)["person"]
    assert (person["last_channel"], person["campaign"]) == ("form", "b")


def test_a_contact_has_no_status():
    values = values_of(full_policy(), facts(contact()))
    assert (values["status"], values["status_at"], values["days_in_status"]) == (None, None, None)
    assert values["person"]["is_contact"] is True


def test_without_a_change_the_status_is_as_old_as_the_record():
    standing = msgspec.structs.replace(lead(), statuses=(), created_at=ago(days=7))
    assert values_of(full_policy(), facts(standing))["days_in_status"] == 7


def test_what_cannot_be_told_is_unknown():
    known = facts(lead(fields={"Budget__c": 20_000}), unknown=frozenset({"lead.Budget__c", "activity.open_tasks", "status"}))
    values = values_of(full_policy(), known)
    assert "Budget__c" not in values["lead"]
    assert "open_tasks" not in values["activity"]
    assert values["status"] is None
    assert known.standing.fields["Budget__c"] == 20_000
    assert {one.name: one.value for one in evaluate(full_policy(), known).criteria}["budget"] is None


def test_the_day_is_the_one_of_the_policys_zone():
    late = NOW.replace(hour=23)  # already the 21st in Berlin
    assert when('today == "2026-05-21"')(values_of(full_policy(), facts(lead(), now=late)))
