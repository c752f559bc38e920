"""When an archived lead is deleted after retention, everything that keeps it, and what brings the person back."""

from __future__ import annotations

import msgspec
import pytest

from syncd.policy import evaluate, is_wanted_again
from syncd.policy.model import ArchiveMeans, Enforcement, Rule, Section
from tests.policies import (
    ARCHIVED,
    NURTURE,
    OPEN,
    ago,
    answer,
    contact,
    facts,
    lead,
    small_policy,
    touch,
    when,
)  # fmt: skip

SHUT = Rule("shut", Section.ARCHIVE, from_statuses=(OPEN,), when=when('lead.Title == "Nobody"'), means=ArchiveMeans(ARCHIVED))
GONE = Rule("gone", Section.DELETE, when=SHUT.when, after_days=90, of_rule="shut")
BACK = Rule("back", Section.REVIVE, from_statuses=(ARCHIVED,), to_status=OPEN, intent=("demo",), overrides_rep=True)


def put_away(days=100, fields=None, **more):
    """A lead that `shut` has archived so many days ago."""
    return lead(
        ARCHIVED, (OPEN, ago(days=days + 1)), (ARCHIVED, ago(days=days)), fields={"Title": "Nobody", **(fields or {})}, **more
    )


def decide(*rules, days=100, **known):
    standing = known.pop("standing", None) or put_away(days)
    known = {"archived": {"shut": ago(days=days)}} | known
    return evaluate(small_policy(*(rules or (SHUT, GONE))), facts(standing, **known))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "fired"),
        ({"days": 90}, "fired"),
        ({"days": 89}, "waiting"),
        ({"archived": {}}, "status"),
        ({"archived": {"other": ago(days=100)}}, "status"),
        ({"standing": put_away(fields={"Status": NURTURE})}, "status"),
        ({"standing": put_away(fields={"Title": "Boss"})}, "condition"),
        ({"open_tasks": 1}, "open_work"),
        ({"next_event_at": ago(days=-1)}, "open_work"),
        ({"next_event_at": ago(days=30)}, "fired"),
        ({"last_activity_at": ago(days=89)}, "waiting"),
        ({"touches": (touch("open", ago(days=89), is_news=False),)}, "waiting"),
        ({"standing": put_away(edited_at=ago(days=99))}, "rep_edit"),
        ({"standing": put_away(edited_at=ago(days=100, seconds=30))}, "rep_edit"),
        ({"standing": put_away(edited_at=ago(days=100, minutes=2))}, "fired"),
        ({"standing": lead(ARCHIVED, (ARCHIVED, ago(days=100), True), fields={"Title": "Nobody"})}, "rep_edit"),
        ({"standing": put_away(fields={"Syncd_Hold_Until__c": "2026-06-01"})}, "held"),
        ({"standing": contact()}, "no_target"),
        ({"standing": msgspec.structs.replace(put_away(), is_converted=True)}, "no_target"),
    ],
)  # fmt: skip
def test_nothing_is_deleted_unless_everything_holds(known, expected):
    verdict = decide(**known)
    assert answer(verdict, "gone") == expected
    assert verdict.deletes == ("gone" if expected == "fired" else "")


@pytest.mark.parametrize(("known", "date"), [({}, -10), ({"last_activity_at": ago(days=70)}, -20)])
def test_the_day_is_known_beforehand_and_looked_at(known, date):
    """It is kept as a date of the person, so that nobody is asked before."""
    verdict = decide(days=80, **known)
    assert (verdict.deletes, verdict.keeps, verdict.look_at) == ("", {"gone": ago(days=date)}, ago(days=date))
    due = decide()
    assert (due.deletes, due.keeps, due.look_at) == ("gone", {"gone": ago(days=10)}, None)


def test_what_waits_for_something_else_than_time_has_no_date():
    for known in ({"open_tasks": 1}, {"archived": {}}, {"standing": put_away(edited_at=ago(days=9))}):
        assert decide(**known).keeps == {}


def test_a_flag_that_was_taken_away_keeps_the_lead():
    shut = msgspec.structs.replace(SHUT, means=ArchiveMeans(flag="Old__c"))
    flagged = lead(OPEN, (OPEN, ago(days=200)), fields={"Title": "Nobody", "Old__c": True})
    assert decide(shut, GONE, standing=flagged).deletes == "gone"
    bare = lead(OPEN, (OPEN, ago(days=200)), fields={"Title": "Nobody", "Old__c": False})
    assert answer(decide(shut, GONE, standing=bare), "gone") == "status"


def test_who_is_revived_in_the_same_breath_stays():
    verdict = decide(SHUT, GONE, BACK, touches=(touch("demo", ago(days=95)),))
    assert (verdict.rule_id, verdict.deletes, answer(verdict, "gone")) == ("back", "", "earlier_rule")


def test_a_rule_that_only_watches_deletes_nobody():
    verdict = decide(SHUT, msgspec.structs.replace(GONE, enforcement=Enforcement.OBSERVE))
    assert (answer(verdict, "gone"), verdict.deletes, verdict.keeps) == ("observed", "", {})


def wanted(*rules, status=ARCHIVED, **known):
    """Whether somebody is wanted again whose lead was deleted 50 days ago."""
    policy, known = small_policy(*(rules or (BACK,))), facts(**known)
    return is_wanted_again(policy, known, evaluate(policy, known), status, ago(days=50))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"touches": (touch("demo", ago(days=49)),)}, True),
        ({"touches": (touch("demo", ago(days=79)),)}, True),  # it came too late to be heard of
        ({"touches": (touch("demo", ago(days=81)),)}, False),
        ({"touches": (touch("demo", ago(days=-1)),)}, False),
        ({"touches": (touch("demo", ago(days=49), is_news=False),)}, False),
        ({"touches": (touch("open", ago(days=49)),)}, False),
        ({"touches": (touch("demo", ago(days=49)),), "status": NURTURE}, False),
        ({"news_at": ago(days=1)}, False),
    ],
)
def test_only_what_revives_brings_somebody_back(given, expected):
    assert wanted(**given) is expected


def test_a_criterion_that_is_met_by_something_newer_brings_somebody_back():
    rule = msgspec.structs.replace(BACK, intent=(), intent_criteria=("budget",))
    rich = {"golden": {"Budget__c": 20_000}}
    assert wanted(rule, news_at=ago(days=1), **rich)
    assert not wanted(rule, news_at=ago(days=60), **rich)
    assert not wanted(rule, news_at=ago(days=1), golden={"Budget__c": 5})


def test_a_revival_that_is_only_watched_or_asks_for_more_brings_nobody_back():
    shown = {"touches": (touch("demo", ago(days=49)),)}
    assert not wanted(msgspec.structs.replace(BACK, enforcement=Enforcement.OBSERVE), **shown)
    asking = msgspec.structs.replace(BACK, when=when('lead.Title == "Boss"'))
    assert not wanted(asking, **shown)
    assert wanted(asking, golden={"Title": "Boss"}, **shown)
