"""A policy over the days of one person: what it moved goes on, what people did later goes before it."""

from __future__ import annotations

from datetime import date
from typing import Any

from syncd.app.replay import Days, replay
from syncd.app.simulate import periods
from syncd.app.tally import Counting, RuleCount, Sample, Tally
from syncd.policy import Policy, evaluate
from syncd.policy.model import Action, ActionKind, ArchiveMeans, Enforcement, Rule, Section, Verdict
from syncd.policy.reads import NEWS, reads_of
from tests.pasts import LEAD, OWN, REP, Somebody, org_lead, record
from tests.policies import (
    ARCHIVED,
    CONVERTED,
    NOW,
    NURTURE,
    OPEN,
    QUALIFIED,
    RULES,
    WORKING,
    ago,
    enrol,
    ex,
    full_policy,
    small_policy,
    task,
    when,
)

FIRST = ago(days=60).date()


def rule(rule_id: str, before: str, after: str, condition: str, **more: Any) -> Rule:
    return Rule(rule_id, Section.STATUS, from_statuses=(before,), to_status=after, when=when(condition), **more)


def over(policy: Policy, somebody: Somebody, first: date = FIRST) -> Tally:
    """The sums of a replay of the last sixty days."""
    counting, days = Counting(policy, reads_of(policy)), Days(first, NOW, policy.time_zone)
    replay(policy, somebody.past(policy, days.start), days, counting)
    return counting.tally


def opened(status: str = OPEN, *changes: tuple[Any, str, str], stamp: float = 300, **more: Any) -> Somebody:
    """A lead that is older than the replay, whose fields are known all the time."""
    row = org_lead(ago(days=stamp), ago(days=300), changes[-1][1] if changes else status)
    return Somebody(rows=[row], statuses=[(ago(days=300), status, OWN), *changes], **more)


def test_a_move_happens_on_the_day_of_the_touch_and_goes_on() -> None:
    """The second rule starts from where the first one has led."""
    policy = small_policy(
        rule("replied", OPEN, WORKING, 'any_touch("reply", 30)'), rule("cools_off", WORKING, NURTURE, "days_in_status >= 20")
    )
    found = over(policy, opened(touches=[("reply", ago(days=40))]))
    assert found.moves == {(OPEN, WORKING): 1, (WORKING, NURTURE): 1}
    assert found.days == {("2026-04-10", "rules"): 1, ("2026-04-30", "rules"): 1}
    assert (found.people, found.moved_people, found.sums["moves"]) == (1, 1, 2)
    assert found.rules["replied"] == RuleCount(fired=1, samples=[Sample("p1", LEAD, date(2026, 4, 10))])


def test_a_day_is_one_of_the_policys_time_zone() -> None:
    """Half past eleven at night in UTC is the next day in Berlin."""
    policy = small_policy(rule("replied", OPEN, WORKING, 'any_touch("reply", 30)'))
    at = ago(days=40).replace(hour=22, minute=30)
    assert set(over(policy, opened(touches=[("reply", at)])).days) == {("2026-04-11", "rules")}


def test_only_days_on_which_something_can_change_are_judged() -> None:
    policy = small_policy(rule("replied", OPEN, WORKING, 'any_touch("reply", 5)'))
    assert over(policy, opened()).evaluations == 1
    assert over(policy, opened(WORKING, touches=[("demo", ago(days=40))])).evaluations == 2


def test_a_person_who_moves_the_lead_later_goes_before_the_replay() -> None:
    policy = small_policy(rule("replied", OPEN, WORKING, 'any_touch("reply", 30)', overrides_rep=True))
    changes = [(ago(days=20), QUALIFIED, REP), (ago(days=10), OPEN, REP)]
    found = over(policy, opened(OPEN, *changes, touches=[("reply", ago(days=40)), ("reply", ago(days=5))], stamp=10))
    assert found.moves == {(OPEN, WORKING): 2}
    assert set(found.days) == {("2026-04-10", "rules"), ("2026-05-15", "rules")}


def test_what_syncd_really_did_is_counted_beside_and_not_replayed() -> None:
    policy = small_policy(rule("replied", OPEN, WORKING, 'any_touch("reply", 30)'))
    found = over(policy, opened(OPEN, (ago(days=39), NURTURE, OWN), touches=[("reply", ago(days=30))], stamp=39))
    assert found.moves == {(OPEN, WORKING): 1}
    assert found.real_moves == {(OPEN, NURTURE): 1}


def test_what_is_done_once_per_stay_is_done_once() -> None:
    """Also if it fired before the replay began; entering the status anew is another stay."""
    drip = Rule("drip", Section.NURTURE, from_statuses=(OPEN,), actions=(enrol("L1"),))
    back = (rule("away", OPEN, NURTURE, 'any_touch("demo", 3)'), rule("back", NURTURE, OPEN, "days_in_status >= 10"))
    touches = [("demo", ago(days=40)), ("form", ago(days=30)), ("form", ago(days=10))]
    assert over(small_policy(drip), opened(touches=touches)).actions == {"enrol": 1}
    assert over(small_policy(drip), opened(touches=touches, fired={"drip": ago(days=100)})).actions == {}
    assert over(small_policy(drip, *back), opened(touches=touches)).actions == {"enrol": 2}


def test_a_hold_period_begins_in_the_replay_and_ends_in_it() -> None:
    flag = ArchiveMeans(flag="Old__c")
    away = Rule("away", Section.ARCHIVE, when=when("days_in_status >= 1"), hold_days=14, means=flag, reason="r")
    found = over(small_policy(away), opened())
    assert (found.sums, found.moves) == ({"holding": 1, "archived": 1}, {})
    # Fourteen times 24 hours from the end of 21 March, over the night in which summer time begins.
    assert set(found.days) == {("2026-04-05", "archive")}, "and once: the flag says so from then on"


def test_an_archived_lead_is_revived_by_intent() -> None:
    found = over(full_policy(), opened(ARCHIVED, touches=[("demo", ago(days=40))]))
    assert found.sums["revived"] == 1
    assert found.moves[ARCHIVED, OPEN] == 1
    assert found.actions["task"] >= 1


def test_a_conversion_makes_a_contact_of_whom_no_lead_rule_is_asked() -> None:
    later = Rule("later", Section.NURTURE, target=RULES[-1].target, when=when('any_touch("form", 5)'), actions=(task("Ask"),))
    policy = full_policy(rules=(*RULES, later))
    fields = {"Title": "VP Sales", "Budget__c": 20_000}
    row = org_lead(ago(days=300), ago(days=300), QUALIFIED, **fields)
    touches = [("demo", ago(days=40)), ("demo", ago(days=39)), ("form", ago(days=10))]
    found = over(policy, Somebody(rows=[row], statuses=[(ago(days=300), QUALIFIED, OWN)], touches=touches))
    assert (found.sums["converted"], found.sums["opportunities"]) == (1, 1)
    assert found.days["2026-04-10", "convert"] == 1
    assert found.rules["later"].fired == 1
    assert CONVERTED not in {way[1] for way in found.moves}


def test_what_rests_on_unknown_values_is_counted() -> None:
    """The title of then is unknown: no rule that asks for it moves anybody, and that it was asked is counted."""
    policy = small_policy(rule("boss", OPEN, WORKING, 'lead.Title == "Boss"'), rule("any", WORKING, NURTURE, 'lead.Title == "x"'))
    row = org_lead(ago(days=20), ago(days=300), OPEN, Title="Boss")
    found = over(policy, Somebody(rows=[row], statuses=[(ago(days=300), OPEN, OWN)], touches=[("email", ago(days=40))]))
    assert found.days == {("2026-04-30", "rules"): 1}, "on the day from which it is known"
    assert (found.unsure, found.unknown["lead.Title"]) == (2, 2)
    assert (found.rules["boss"].unsure, found.rules["boss"].unsure_fired) == (2, 0)
    assert "any" not in found.rules, "it was not asked in this status"


def test_whoever_came_later_is_judged_from_that_day_on() -> None:
    policy = small_policy(Rule("hello", Section.SLA, within_minutes=60, actions=(task("Call"),)))
    row = org_lead(ago(days=10), ago(days=10), OPEN)
    somebody = Somebody(
        rows=[row], records=[record("a", ago(days=10))], first_at=ago(days=10), statuses=[(ago(days=10), OPEN, OWN)]
    )
    found = over(policy, somebody)
    assert found.rules["hello"].samples[0].on == date(2026, 5, 10)
    assert found.evaluations == 1


def test_who_cannot_be_told_is_counted() -> None:
    row = org_lead(ago(days=10), ago(days=300), OPEN, is_deleted=True)
    found = over(full_policy(), Somebody(rows=[row]))
    assert (found.untold, found.people) == (1, 1)


def test_a_verdict_is_compared_with_the_policy_in_force() -> None:
    """The same move by both, one by the changed policy alone, one by the other alone."""
    changed = small_policy(rule("a", OPEN, WORKING, 'any_touch("reply", 30)'), rule("b", NURTURE, OPEN, "days_in_status > 5"))
    in_force = small_policy(rule("a", OPEN, WORKING, 'any_touch("reply", 30)'), rule("c", WORKING, NURTURE, "days_in_status > 5"))
    counting = Counting(changed, reads_of(changed))
    for status in (OPEN, NURTURE, WORKING):
        known = opened(status, touches=[("reply", ago(days=3))]).today(changed)
        counting.note(known, evaluate(changed, known), evaluate(in_force, known))
    tally = counting.tally
    assert tally.moves == {(OPEN, WORKING): 1, (NURTURE, OPEN): 1}
    assert tally.moves_anyway == {(OPEN, WORKING): 1}
    assert tally.moves_lost == {(WORKING, NURTURE): 1}
    assert (tally.sums["moves"], tally.sums_anyway["moves"]) == (2, 1)
    assert (tally.rules["a"].anyway, tally.rules["b"].anyway) == (1, 0)


def test_actions_are_compared_by_what_they_do() -> None:
    drip, other = (Rule("drip", Section.NURTURE, actions=(enrol(one),)) for one in ("L1", "L2"))
    known = opened().today(full_policy())
    for beside, anyway in ((drip, {"enrol": 1}), (other, {})):
        policy, in_force = small_policy(drip), small_policy(beside)
        counting = Counting(policy, reads_of(policy))
        counting.note(known, evaluate(policy, known), evaluate(in_force, known))
        assert counting.tally.actions == {"enrol": 1}
        assert counting.tally.actions_anyway == anyway


def test_a_rule_that_is_observed_moves_nobody_and_is_counted_apart() -> None:
    policy = small_policy(rule("a", OPEN, WORKING, "true", enforcement=Enforcement.OBSERVE))
    found = over(policy, opened())
    assert (found.moves, found.rules["a"].fired, found.rules["a"].observed) == ({}, 0, 1)


def test_sums_of_parts_add_up_in_order() -> None:
    policy = small_policy(rule("a", OPEN, WORKING, "true"))
    whole, parts = Counting(policy, reads_of(policy)), [Tally(), over(policy, opened()), over(policy, opened())]
    for part in parts:
        whole.tally.add(part)
    assert (whole.tally.people, whole.tally.moves) == (2, {(OPEN, WORKING): 2})
    assert len(whole.tally.rules["a"].samples) == 2
    assert parts[0] == Tally()


def test_a_policy_reads_through_criteria_and_the_score() -> None:
    reads = reads_of(full_policy())
    assert reads.rules["ready"] >= {"lead.Title", "lead.Budget__c", "lead.Company", "touches"}
    assert reads.rules["outside_icp"] >= {"activity.open_tasks", "person.edited_at", "org.Syncd_Archived__c"}
    assert reads.rules["drip"] >= {"person.has_opted_out", "lead.Country"}
    assert reads.rules["answer"] >= {NEWS}
    assert not {"score", "qualified", "criteria.fit"} & reads.names
    assert "org.Syncd_Hold_Until__c" in reads.names
    sends = Rule("sends", Section.SLA, actions=(Action(ActionKind.SEND, fields={"x": ex("lead.FirstName")}),))
    assert "lead.FirstName" not in reads_of(small_policy(sends)).names, "what is sent decides nothing"


def test_weeks_become_months_when_the_time_is_long() -> None:
    days = {("2026-03-01", "rules"): 1, ("2026-03-02", "rules"): 2, ("2026-03-02", "archive"): 3}
    weeks = periods(days, date(2026, 2, 27), date(2026, 3, 9))
    assert weeks == [
        (date(2026, 2, 23), {"rules": 1}),
        (date(2026, 3, 2), {"rules": 2, "archive": 3}),
        (date(2026, 3, 9), {}),
    ]
    months = periods(days, date(2026, 1, 31), date(2026, 9, 1))
    assert [begin for begin, _ in months] == [date(2026, month, 1) for month in range(1, 10)]
    assert months[2][1] == {"rules": 3, "archive": 3}


def test_a_verdict_without_a_program_counts_nothing_but_itself() -> None:
    policy = small_policy()
    counting = Counting(policy, reads_of(policy))
    assert not counting.note(opened().today(policy), Verdict("p1"))
    assert (counting.tally.evaluations, counting.tally.rules) == (1, {})


def test_an_archived_lead_is_deleted_once_and_its_story_ends() -> None:
    """Ninety days after the replay itself has archived it; what would come later is another lead's."""
    away = Rule("away", Section.ARCHIVE, from_statuses=(OPEN,), when=when("days_in_status >= 1"), means=ArchiveMeans(ARCHIVED))
    gone = Rule("gone", Section.DELETE, after_days=90, of_rule="away")
    back = Rule("back", Section.REVIVE, from_statuses=(ARCHIVED,), to_status=OPEN, intent=("demo",), overrides_rep=True)
    policy, first = small_policy(back, away, gone), ago(days=150).date()
    found = over(policy, opened(), first)
    assert (found.sums, found.rules["gone"].fired) == ({"moves": 1, "archived": 1, "deleted": 1}, 1)
    assert over(policy, opened(touches=[("demo", ago(days=5))]), first).sums["deleted"] == 1
    revived = over(policy, opened(touches=[("demo", ago(days=100))]), first).sums
    assert (revived["revived"], revived["archived"], revived.get("deleted", 0)) == (1, 2, 1)
    assert "deleted" not in over(policy, opened(touches=[("demo", ago(days=80))]), first).sums
