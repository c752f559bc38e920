"""The tests of a policy file: facts are made from what is given, and each expectation can fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd.policy import Policy, load_policy, run_tests
from syncd.policy.model import Facts, StatusChange, TouchFact
from tests.unit.policy.mistakes import PROGRAM, STANDARDS

RULES = """\
rules:
  - {id: good, from: New, to: Qualified, when: 'qualified', reason: Good.}
  - {id: watched, from: Working, to: Qualified, when: qualified, enforcement: observe}
convert:
  - {id: ready, from: Qualified, when: qualified, status: Converted, opportunity: strong}
opportunity:
  - {id: strong, when: 'criteria.budget', name: lead.Company, stage: X, close_in_days: 3}
revive:
  - {id: back, from: Lost, on: form, to: New, owner: previous, do: [{task: {subject: Call, due_in_days: 0, priority: High}}]}
archive:
  - {id: away, from: Working, when: 'lead.NumberOfEmployees < 3', hold_days: 14, means: {status: Lost}}
tests:
"""
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def policy_with(test: str) -> Policy:
    return load_policy(PROGRAM + STANDARDS + RULES + f"  - {{name: it, today: '2026-05-01', {test}}}\n", "p.yaml")


def facts(given: str) -> Facts:
    return policy_with(f"given: {{{given}}}, expect: {{score: 0}}").tests[0].facts


def test_days_ago_are_full_days_before_noon() -> None:
    found = facts("status: Working, days_in_status: 2, set_by: rep, previous_status: New, touches: [{channel: web, days_ago: 9, campaign: c, source: s, news: false}, {channel: demo, days_ago: 3}], sources: [b, a], opted_out: true")  # fmt: skip
    assert (found.now, found.day, found.sources, found.has_opted_out) == (NOON, "2026-05-01", ("a", "b"), True)
    assert found.touches == (
        TouchFact("web", NOON - timedelta(days=9), "c", "s", is_news=False),
        TouchFact("demo", NOON - timedelta(days=3)),
    )
    assert found.standing is not None
    assert found.standing.statuses == (
        StatusChange("New", NOON - timedelta(days=3)),
        StatusChange("Working", NOON - timedelta(days=2), by_person=True),
    )
    assert (found.standing.status, found.standing.edited_at) == ("Working", NOON - timedelta(days=2))
    assert (found.first_at, found.standing.created_at) == (NOON - timedelta(days=9),) * 2
    assert found.news_at == NOON - timedelta(days=3)


def test_what_is_given_lands_where_conditions_look() -> None:
    found = facts("lead: {Title: CEO}, org: {LeadSource: Web}, account: {Industry: x}, open_tasks: 2, next_event_in_days: 3, last_activity_days_ago: 4, open_opportunities: 1, fired: {good: 5}, held_for_days: {away: 4}, owner_active: false, edited_days_ago: 6, created_days_ago: 7, news_days_ago: 8")  # fmt: skip
    assert (found.golden, found.account, found.open_tasks, found.open_opportunities) == (
        {"Title": "CEO"},
        {"Industry": "x"},
        2,
        1,
    )
    assert (found.next_event_at, found.last_activity_at) == (NOON + timedelta(days=3), NOON - timedelta(days=4))
    assert (found.fired, found.waiting) == ({"good": NOON - timedelta(days=5)}, {"away": NOON + timedelta(days=10)})
    assert found.news_at == NOON - timedelta(days=8)
    assert found.standing is not None
    assert (found.standing.fields, found.standing.is_owner_active, found.standing.statuses) == ({"LeadSource": "Web"}, False, ())
    assert (found.standing.edited_at, found.standing.created_at) == (NOON - timedelta(days=6), NOON - timedelta(days=7))


def test_who_is_not_in_the_org_has_no_standing() -> None:
    assert facts("lead: {Title: CEO}").standing is None
    contact = facts("object: Contact").standing
    assert contact is not None
    assert (contact.object, contact.status) == ("Contact", "")


DEMO = "given: {status: New, touches: [{channel: demo, days_ago: 1}], lead: {AnnualRevenue: 9, NumberOfEmployees: 500}}"
FORM = "given: {status: Lost, days_in_status: 30, touches: [{channel: form, days_ago: 1}]}"
READY = "given: {status: Qualified, lead: {AnnualRevenue: 9, Company: Acme}, touches: [{channel: demo, days_ago: 1}]}"
HOLDS = {
    "status and rule": DEMO + ", expect: {program: sales, status: Qualified, rule: good, fired: good}",
    "score and criteria": DEMO + ", expect: {score: 5, qualified: true, criteria: {need: true, budget: true}}",
    "unknown": "given: {status: New}, expect: {qualified: false, criteria: {need: null}, rule: '', status: New}",
    "nothing moves": "given: {status: New}, expect: {status: '', blocked: {good: condition}}",
    "observed": DEMO.replace("New", "Working") + ", expect: {observed: [watched], status: Working}",
    "actions by kind": FORM + ", expect: {status: New, owner: previous, actions: [task]}",
    "actions by values": FORM + ", expect: {actions: [{task: {priority: High, due_in_days: 0, rule: back}}]}",
    "conversion": READY + ", expect: {converts: ready, opens: strong}",
}
FAILS = {
    "program": (DEMO + ", expect: {program: ''}", 'program is "sales", expected ""'),
    "status": (DEMO + ", expect: {status: Working}", 'status is "Qualified", expected "Working"'),
    "no status": (DEMO + ", expect: {status: ''}", 'status is "Qualified", expected "New"'),
    "rule": (DEMO + ", expect: {rule: watched}", 'rule is "good", expected "watched"'),
    "score": (DEMO + ", expect: {score: 4}", "score is 5, expected 4"),
    "qualified": (DEMO + ", expect: {qualified: null}", "qualified is true, expected unknown"),
    "criterion": (DEMO + ", expect: {criteria: {need: false}}", "criteria.need is true, expected false"),
    "fired": (DEMO + ", expect: {fired: [ready]}", "ready is"),
    "observed": (DEMO + ", expect: {observed: [good]}", "good is fired, expected observed"),
    "blocked": (DEMO + ", expect: {blocked: {good: condition}}", "good is fired, expected condition"),
    "blocked otherwise": ("given: {status: New}, expect: {blocked: {good: consent}}", "good is condition, expected consent"),
    "an action is missing": (FORM + ", expect: {actions: [task, enrol]}", "there is no action enrol as expected"),
    "an action too many": (FORM + ", expect: {actions: []}", "there is an action task of back that is not expected"),
    "an action of other values": (FORM + ", expect: {actions: [{task: {priority: Low}}]}", "there is no action task as expected"),
    "owner": (FORM + ", expect: {owner: account}", 'owner is "previous", expected "account"'),
    "converts": (READY + ", expect: {converts: ''}", 'converts is "ready", expected ""'),
    "opens": (READY + ", expect: {opens: ''}", 'opens is "strong", expected ""'),
}


@pytest.mark.parametrize("name", HOLDS)
def test_an_expectation_that_holds_is_no_problem(name: str) -> None:
    assert run_tests(policy_with(HOLDS[name])) == []


@pytest.mark.parametrize("name", FAILS)
def test_an_expectation_that_fails_is_told_with_its_line(name: str) -> None:
    test, words = FAILS[name]
    (problem,) = run_tests(policy_with(test))
    assert (problem.file, problem.line) == ("p.yaml", (PROGRAM + STANDARDS + RULES).count("\n") + 1)
    assert words in problem.message
    assert problem.message.startswith('The test "it" does not hold: ')
