"""What `policy explain` is made of: reasons in the policy's own words, and no value of the person."""

from __future__ import annotations

from syncd.policy import evaluate, explain
from syncd.policy.explain import explain_verdict
from tests.policies import NURTURE, OPEN, QUALIFIED, UNQUALIFIED, WORKING, ago, facts, full_policy, lead, touch

KNOWN = facts(
    lead(OPEN, fields={"Title": "Zahnarzt Secret"}),
    golden={"NumberOfEmployees": 4, "Country": "DE"},
    touches=(touch("webinar", ago(days=40)),),
)


def explained(known=KNOWN):
    policy = full_policy()
    return explain(policy, known, evaluate(policy, known))


def test_it_says_what_the_status_means():
    found = explained()
    assert (found.program, found.status, found.meaning, found.next_action) == ("inbound", OPEN, f"Means {OPEN}.", f"Do {OPEN}.")


def test_each_rule_has_its_answer_and_its_clauses():
    found = {one.rule_id: one for one in explained().rules}
    assert (found["replied"].outcome, found["replied"].blocked) == ("blocked", "condition")
    assert [(one.text, one.holds, one.why) for one in found["replied"].clauses] == [('any_touch("reply", 30)', False, "no")]
    assert found["drip"].blocked == "status"
    assert found["outside_icp"].to_status == "Archived"


def test_criteria_have_their_evidence():
    found = {one.name: one for one in explained().criteria}
    assert (found["budget"].value, found["budget"].evidence) == (
        None,
        ("lead.Budget__c >= 10000: no, lead.Budget__c is empty", "lead.Budget__c < 1000: no, lead.Budget__c is empty"),
    )
    assert (found["fit"].value, found["fit"].evidence) == (False, ("lead.NumberOfEmployees < 10: yes",))


def test_the_score_is_broken_down():
    found = explained()
    assert {one.rule_id: one.points for one in found.points} == {"in_core": 5, "small": -10, "webinar": 7}
    assert found.score == 2


def test_it_says_what_would_change_the_status():
    changes = {one.rule_id: one for one in explained().changes}
    assert set(changes) == {"replied", "is_qualified", "no_authority", "never_answered", "too_small", "lost_need", "outside_icp"}
    assert changes["outside_icp"].blocked == "active"
    assert changes["replied"].to_status == WORKING
    assert [one.text for one in changes["too_small"].missing] == ["score < 0"]


def test_it_says_when_it_looks_again():
    assert explained().look_at == evaluate(full_policy(), KNOWN).look_at != None  # noqa: E711 - both, and not never


def test_it_never_shows_a_value_of_the_person():
    for status in (OPEN, WORKING, NURTURE, QUALIFIED, UNQUALIFIED):
        shown = repr(
            explained(facts(lead(status, fields={"Title": "Zahnarzt Secret"}), golden={"Budget__c": 987654, "Country": "ZZ"}))
        )
        assert not [secret for secret in ("Zahnarzt", "987654", "ZZ") if secret in shown]


def test_nobody_without_a_program_has_reasons():
    policy = full_policy(programs=())
    found = explain(policy, KNOWN, evaluate(policy, KNOWN))
    assert (found.program, found.rules, found.criteria, found.changes) == ("", (), (), ())


def test_the_verdict_can_be_given_with_its_evidence():
    policy = full_policy()
    verdict = evaluate(policy, KNOWN)
    assert [one.name for one in explain_verdict(policy, KNOWN, verdict).criteria if one.evidence] == [
        "need",
        "authority",
        "budget",
        "timing",
        "fit",
    ]
