"""What moves a status, and every guard that keeps it from moving."""

from __future__ import annotations

import msgspec
import pytest

from syncd.policy import evaluate
from syncd.policy.model import ArchiveMeans, Enforcement, IllegalDo, Rule, Section
from tests.policies import (
    ARCHIVED,
    CONVERTED,
    NURTURE,
    OPEN,
    QUALIFIED,
    UNQUALIFIED,
    WORKING,
    ago,
    answer,
    contact,
    facts,
    full_policy,
    lead,
    program,
    small_policy,
    task,
    touch,
    when,
)  # fmt: skip

GO = Rule("go", Section.STATUS, from_statuses=(OPEN,), to_status=WORKING, reason="Because.")
BACK = Rule(
    "back",
    Section.REVIVE,
    from_statuses=(NURTURE, ARCHIVED),
    to_status=OPEN,
    intent=("demo",),
    intent_criteria=("budget",),
    owner="previous",
    actions=(task("Call"),),
)
OLD = Rule("old", Section.RECYCLE, from_statuses=(UNQUALIFIED,), to_status=NURTURE, after_days=90)
SHUT = Rule(
    "shut", Section.ARCHIVE, from_statuses=(OPEN,), inactive_days=10, means=ArchiveMeans(ARCHIVED, "Old__c", "queue:Archive")
)


def but(rule, **changes):
    return msgspec.structs.replace(rule, **changes)


def decide(*rules, **known):
    standing = known.pop("standing", None) or lead()
    return evaluate(small_policy(*rules), facts(standing, **known))


def test_a_rule_moves_the_status_with_its_reason_and_next_action():
    verdict = decide(GO)
    assert (verdict.rule_id, verdict.from_status, verdict.to_status, verdict.reason) == ("go", OPEN, WORKING, "Because.")
    assert verdict.next_action == f"Do {WORKING}."
    assert verdict.is_backward is False
    assert answer(verdict, "go") == "fired"


def test_the_first_rule_that_fires_wins_and_later_ones_say_so_only_if_their_condition_holds():
    later = but(GO, rule_id="later", to_status=NURTURE)
    never = but(GO, rule_id="never", to_status=NURTURE, when=when("lead.X == 1"))
    verdict = decide(GO, later, never)
    assert verdict.to_status == WORKING
    assert (answer(verdict, "later"), answer(verdict, "never")) == ("earlier_rule", "condition")


def test_sections_are_asked_in_their_order_whatever_the_file_says():
    verdict = decide(
        but(GO, from_statuses=(NURTURE,), to_status=ARCHIVED), BACK, standing=lead(NURTURE), touches=(touch("demo", ago(days=1)),)
    )
    assert verdict.rule_id == "back"
    assert answer(verdict, "go") == "earlier_rule"


def test_a_rule_is_asked_in_its_statuses_only():
    assert answer(decide(but(GO, from_statuses=(NURTURE,))), "go") == "status"


def test_a_rule_does_not_move_to_where_the_lead_is():
    assert answer(decide(but(GO, to_status=OPEN)), "go") == "status"


def test_a_rule_of_another_program_is_not_asked():
    assert decide(but(GO, program="other")).asked == ()


@pytest.mark.parametrize("standing", [contact(), lead(is_converted=True), None])
def test_contacts_converted_leads_and_the_unborn_have_no_status_to_move(standing):
    verdict = evaluate(small_policy(GO), facts(standing))
    assert (verdict.to_status, answer(verdict, "go")) == ("", "no_target")


def test_only_transitions_that_syncd_may_take_are_taken():
    assert answer(decide(but(GO, from_statuses=(QUALIFIED,), to_status=NURTURE), standing=lead(QUALIFIED)), "go") == "not_allowed"


def test_a_terminal_status_is_left_by_revive_only():
    rule = but(GO, from_statuses=(ARCHIVED,), to_status=OPEN)
    touches = (touch("demo", ago(days=1)),)
    assert answer(decide(rule, standing=lead(ARCHIVED)), "go") == "not_allowed"
    assert decide(BACK, standing=lead(ARCHIVED), touches=touches).to_status == OPEN


# --- a person's status


@pytest.mark.parametrize(
    ("overrides", "known", "expected"),
    [
        (False, {"touches": (touch("demo", ago(days=1)),)}, "rep_edit"),
        (True, {"touches": (touch("demo", ago(days=21)),)}, "rep_edit"),
        (True, {"touches": (touch("demo", ago(days=20)),)}, "rep_edit"),
        (True, {"touches": (touch("demo", ago(days=1)),)}, "fired"),
        (True, {"news_at": ago(days=1)}, "fired"),
        (True, {"news_at": ago(days=30)}, "rep_edit"),
        (True, {}, "rep_edit"),
    ],
)
def test_a_persons_status_yields_to_an_overriding_rule_with_newer_evidence_only(overrides, known, expected):
    standing = lead(OPEN, (NURTURE, ago(days=30)), (OPEN, ago(days=20), True))
    policy = small_policy(but(GO, overrides_rep=overrides), programs=(program_for_reps(),))
    assert answer(evaluate(policy, facts(standing, **known)), "go") == expected


def program_for_reps():
    """The stock program, in which reps may also take leads back from Nurture."""
    stock = program()
    transitions = tuple(but(one, by="both") for one in stock.transitions)
    return but(stock, transitions=transitions)


def test_the_clock_of_the_condition_is_evidence_too():
    rule = but(GO, overrides_rep=True, when=when("days_in_status >= 5"))
    standing = lead(OPEN, (OPEN, ago(days=5), True))
    assert answer(decide(rule, standing=standing), "go") == "fired"


def test_the_clock_of_a_criterion_that_the_condition_names_is_evidence():
    rule = but(GO, overrides_rep=True, when=when("not criteria.need"))
    standing = lead(OPEN, (OPEN, ago(days=5), True))
    gone, there = ago(days=182), ago(days=190)
    assert answer(decide(rule, standing=standing, touches=(touch("demo", gone),)), "go") == "fired"
    assert answer(decide(rule, standing=standing, touches=(touch("demo", there),)), "go") == "rep_edit"


def test_a_status_that_the_history_does_not_know_counts_as_a_persons():
    assert answer(decide(GO, standing=lead(OPEN, (NURTURE, ago(days=9)))), "go") == "rep_edit"


def test_a_status_without_any_history_counts_as_nobodys():
    assert answer(decide(GO, standing=but(lead(), statuses=())), "go") == "fired"


# --- min_days_in_status


@pytest.mark.parametrize(("days", "expected"), [(6.9, "too_soon"), (7, "fired")])
def test_the_reverse_of_a_change_by_syncd_waits(days, expected):
    standing = lead(NURTURE, (OPEN, ago(days=30)), (NURTURE, ago(days=days)))
    verdict = decide(but(BACK), standing=standing, touches=(touch("demo", ago(days=1)),))
    assert answer(verdict, "back") == expected
    assert verdict.look_at == (ago(days=days - 7) if expected == "too_soon" else verdict.look_at)


def test_a_way_round_is_the_reverse_change_as_well():
    standing = lead(NURTURE, (OPEN, ago(days=9)), (WORKING, ago(days=3)), (NURTURE, ago(days=2)))
    assert answer(decide(BACK, standing=standing, touches=(touch("demo", ago(days=1)),)), "back") == "too_soon"


def test_a_persons_change_is_not_waited_for():
    standing = lead(NURTURE, (OPEN, ago(days=30)), (NURTURE, ago(days=2), True))
    assert decide(but(BACK, overrides_rep=True), standing=standing, touches=(touch("demo", ago(days=1)),)).to_status == OPEN


# --- revive


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"touches": (touch("demo", ago(days=1)),)}, "fired"),
        ({"touches": (touch("demo", ago(days=1), is_news=False),)}, "condition"),
        ({"touches": (touch("open", ago(days=1)), touch("bounce", ago(days=1)))}, "condition"),
        ({"touches": (touch("demo", ago(days=21)),)}, "condition"),
        ({"touches": (touch("demo", ago(days=-1)),)}, "condition"),
        ({"news_at": ago(days=1), "golden": {"Title": "CEO"}}, "condition"),
        ({"news_at": ago(days=1), "golden": {"Budget__c": 20_000}}, "fired"),
        ({"news_at": ago(days=21), "golden": {"Budget__c": 20_000}}, "condition"),
        ({"golden": {"Budget__c": 20_000}}, "condition"),
    ],
)
def test_only_intent_that_is_newer_than_the_status_revives(known, expected):
    assert answer(decide(BACK, standing=lead(NURTURE), **known), "back") == expected


def test_revive_names_the_owner_and_acts_once_per_touch():
    verdict = decide(BACK, standing=lead(NURTURE), touches=(touch("demo", ago(days=1)), touch("demo", ago(days=2))))
    assert (verdict.owner, verdict.is_backward) == ("previous", True)
    assert [(one.options["subject"], one.occasion) for one in verdict.actions] == [("Call", "2026-05-19T12:00:00Z")]


def test_revive_asks_its_own_condition_too():
    rule = but(BACK, when=when("owner.is_active"))
    touches = (touch("demo", ago(days=1)),)
    assert answer(decide(rule, standing=lead(NURTURE, is_owner_active=False), touches=touches), "back") == "condition"
    assert answer(decide(rule, standing=lead(NURTURE, is_owner_active=True), touches=touches), "back") == "fired"


def test_without_a_change_intent_is_compared_with_the_creation():
    standing = but(lead(NURTURE), statuses=(), created_at=ago(days=2))
    assert answer(decide(BACK, standing=standing, touches=(touch("demo", ago(days=1)),)), "back") == "fired"
    assert answer(decide(BACK, standing=standing, touches=(touch("demo", ago(days=3)),)), "back") == "condition"


@pytest.mark.parametrize(("status", "fields"), [(ARCHIVED, {}), (NURTURE, {"Old__c": True})])
def test_revive_says_what_archiving_has_to_be_taken_back(status, fields):
    verdict = decide(BACK, SHUT, standing=lead(status, fields=fields), touches=(touch("demo", ago(days=1)),))
    assert verdict.is_unarchived is True
    assert verdict.means == SHUT.means
    assert decide(BACK, SHUT, standing=lead(NURTURE), touches=(touch("demo", ago(days=1)),)).is_unarchived is False


# --- recycle


@pytest.mark.parametrize(("days", "expected"), [(89.9, "waiting"), (90, "fired")])
def test_recycle_moves_on_after_its_days(days, expected):
    verdict = decide(OLD, standing=lead(UNQUALIFIED, (UNQUALIFIED, ago(days=days))))
    assert answer(verdict, "old") == expected
    assert verdict.to_status == (NURTURE if expected == "fired" else "")
    if expected == "waiting":
        assert verdict.look_at == ago(days=days - 90)


# --- archive


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "fired"),
        ({"open_tasks": 1}, "open_work"),
        ({"next_event_at": ago(days=-1)}, "open_work"),
        ({"next_event_at": ago(days=30)}, "fired"),
        ({"last_activity_at": ago(days=9)}, "active"),
        ({"touches": (touch("open", ago(days=9), is_news=False),)}, "active"),
        ({"standing": lead(OPEN, (OPEN, ago(days=9)))}, "active"),
        ({"standing": lead(edited_at=ago(days=9))}, "active"),
        ({"standing": but(lead(), statuses=(), created_at=ago(days=9))}, "active"),
        ({"standing": but(lead(), statuses=(), created_at=None)}, "active"),
    ],
)
def test_archiving_waits_for_silence_of_everybody(known, expected):
    assert answer(decide(SHUT, **known), "shut") == expected


def test_archiving_says_how():
    verdict = decide(SHUT)
    assert (verdict.to_status, verdict.means, verdict.is_backward) == (ARCHIVED, SHUT.means, True)


@pytest.mark.parametrize(("days", "expected"), [(29, "rep_edit"), (30, "fired")])
def test_a_record_that_a_person_edited_lately_is_not_archived(days, expected):
    verdict = decide(but(SHUT, unedited_days=30), standing=lead(edited_at=ago(days=days)))
    assert answer(verdict, "shut") == expected


def test_archiving_waits_until_its_condition_has_held():
    rule = but(SHUT, hold_days=14)
    first = decide(rule)
    assert (answer(first, "shut"), first.starts, first.look_at) == ("waiting", {"shut": ago(days=-14)}, ago(days=-14))
    second = decide(rule, waiting={"shut": ago(days=-3)})
    assert (answer(second, "shut"), second.starts, second.look_at) == ("waiting", {}, ago(days=-3))
    third = decide(rule, waiting={"shut": ago(days=0)})
    assert (answer(third, "shut"), third.stops) == ("fired", ("shut",))


def test_a_hold_period_is_forgotten_with_its_condition():
    rule = but(SHUT, hold_days=14, when=when("criteria.fit == false"))
    assert decide(rule, waiting={"shut": ago(days=3)}).stops == ("shut",)
    assert decide(rule, waiting={"shut": ago(days=3)}, standing=lead(NURTURE)).stops == ("shut",)
    assert decide(GO, waiting={"shut": ago(days=3)}).stops == ("shut",)  # the policy has no such rule any more


def test_a_hold_period_goes_on_while_a_rep_holds_the_record():
    standing = lead(fields={"Syncd_Hold_Until__c": "2026-06-01"})
    assert decide(but(SHUT, hold_days=14), standing=standing, waiting={"shut": ago(days=3)}).stops == ()


def test_the_ends_of_an_archives_guards_are_looked_at():
    assert decide(SHUT, last_activity_at=ago(days=9)).look_at == ago(days=-1)
    assert decide(SHUT, next_event_at=ago(days=-2)).look_at == ago(days=-2)
    assert decide(but(SHUT, unedited_days=30), standing=lead(edited_at=ago(days=29))).look_at == ago(days=-1)


def test_archiving_that_is_no_status_is_done_once():
    flag = but(SHUT, means=ArchiveMeans(flag="Old__c"))
    verdict = decide(flag)
    assert (verdict.rule_id, verdict.to_status, verdict.is_backward) == ("shut", "", True)
    assert answer(decide(flag, standing=lead(fields={"Old__c": True})), "shut") == "done_before"
    assert decide(but(flag, hold_days=14), standing=lead(fields={"Old__c": True})).starts == {}
    owner = but(SHUT, means=ArchiveMeans(owner="queue:Archive"))
    assert answer(decide(owner), "shut") == "fired"
    assert answer(decide(owner, fired={"shut": ago(days=1)}), "shut") == "done_before"


# --- held, observed, illegal


@pytest.mark.parametrize(
    ("until", "held"), [("2026-05-19", False), ("2026-05-20", True), ("2026-06-01", True), ("", False), (None, False)]
)
def test_a_hold_stops_every_rule_until_its_day_is_over(until, held):
    verdict = evaluate(
        full_policy(), facts(lead(NURTURE, fields={"Syncd_Hold_Until__c": until}), touches=(touch("demo", ago(days=1)),))
    )
    assert (verdict.to_status == "") is held
    assert all(one.blocked == "held" for one in verdict.asked) is held
    if held:
        assert (verdict.actions, verdict.converts, verdict.opens) == ((), "", "")
        day = 20 if until == "2026-05-20" else 32
        assert verdict.look_at == ago(days=20 - day, hours=-10)  # midnight in Berlin


def test_a_rule_that_is_observed_neither_moves_nor_blocks_others():
    watch = but(GO, rule_id="watch", enforcement=Enforcement.OBSERVE, to_status=NURTURE, actions=(task("x"),))
    verdict = decide(watch, GO)
    assert (answer(verdict, "watch"), answer(verdict, "go"), verdict.to_status, verdict.actions) == (
        "observed",
        "fired",
        WORKING,
        (),
    )


def illegal(do, status, *changes, enforcement=Enforcement.ENFORCE, mapped=None, rules=()):
    policy = small_policy(*rules, programs=(program(illegal=do, illegal_map=mapped or {}),), enforcement=enforcement)
    return evaluate(policy, facts(lead(status, *changes)))


def test_a_status_outside_the_program_is_reported():
    verdict = illegal(IllegalDo.REPORT, "Old")
    assert (answer(verdict, "illegal_status"), verdict.to_status) == ("fired", "")


def test_a_move_that_reps_may_not_make_is_reported_and_rules_go_on():
    verdict = illegal(IllegalDo.REPORT, OPEN, (NURTURE, ago(days=30)), (OPEN, ago(days=20), True), rules=(but(GO, rule_id="go"),))
    assert answer(verdict, "illegal_move") == "fired"
    assert answer(verdict, "go") == "rep_edit"


def test_a_rep_may_always_leave_a_status_outside_the_program():
    assert illegal(IllegalDo.REPORT, OPEN, ("Old", ago(days=30)), (OPEN, ago(days=20), True)).asked == ()


@pytest.mark.parametrize("by_syncd", [True, False])
def test_a_move_by_syncd_is_never_illegal(by_syncd):
    verdict = illegal(IllegalDo.REVERT, OPEN, (NURTURE, ago(days=30)), (OPEN, ago(days=20), not by_syncd))
    assert verdict.to_status == ("" if by_syncd else NURTURE)


def test_an_illegal_status_is_reverted_to_a_legal_one_only():
    assert illegal(IllegalDo.REVERT, "Old", (OPEN, ago(days=30)), ("Old", ago(days=20), True)).to_status == OPEN
    nowhere = illegal(IllegalDo.REVERT, "Old", ("Older", ago(days=30)), ("Old", ago(days=20), True))
    assert (nowhere.to_status, answer(nowhere, "illegal_status")) == ("", "not_allowed")
    assert answer(illegal(IllegalDo.REVERT, "Old"), "illegal_status") == "not_allowed"
    assert illegal(IllegalDo.REVERT, "Old", (CONVERTED, ago(days=30)), ("Old", ago(days=20), True)).to_status == ""


def test_an_illegal_status_is_mapped():
    verdict = illegal(IllegalDo.MAP, "Old", mapped={"Old": NURTURE}, rules=(but(GO, from_statuses=()),))
    assert (verdict.rule_id, verdict.to_status) == ("illegal_status", NURTURE)
    assert answer(verdict, "go") == "earlier_rule"
    assert answer(illegal(IllegalDo.MAP, "Old", mapped={"Other": NURTURE}), "illegal_status") == "not_allowed"


def test_an_observed_policy_only_says_what_it_would_put_right():
    verdict = illegal(IllegalDo.MAP, "Old", mapped={"Old": NURTURE}, enforcement=Enforcement.OBSERVE)
    assert (answer(verdict, "illegal_status"), verdict.to_status) == ("observed", "")
