"""Policies and persons built from values, for tests of what a policy decides. What a file says is the loader's matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from syncd.expressions import Expression, Kind, Schema, compile_expression
from syncd.policy import Policy
from syncd.policy.model import (
    Action,
    ActionKind,
    ArchiveMeans,
    Asked,
    Converting,
    Criterion,
    Facts,
    Mover,
    Opening,
    PolicyFields,
    Program,
    Rule,
    ScoreRule,
    Section,
    Standards,
    Standing,
    Status,
    StatusChange,
    Target,
    TouchFact,
    Transition,
    Verdict,
)  # fmt: skip

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
SCHEMA = Schema(
    {
        "person.sources": Kind.LIST, "person.is_contact": Kind.BOOLEAN, "person.is_new": Kind.BOOLEAN,
        "person.has_opted_out": Kind.BOOLEAN, "person.first_at": Kind.INSTANT, "person.last_touch_at": Kind.INSTANT,
        "person.edited_at": Kind.INSTANT, "person.last_channel": Kind.TEXT, "person.campaign": Kind.TEXT,
        "activity.open_tasks": Kind.NUMBER, "activity.next_event_at": Kind.INSTANT, "activity.last_at": Kind.INSTANT,
        "activity.open_opportunities": Kind.NUMBER, "owner.is_active": Kind.BOOLEAN, "owner.is_queue": Kind.BOOLEAN,
        "status": Kind.TEXT, "status_at": Kind.INSTANT, "days_in_status": Kind.NUMBER, "touches": Kind.LIST, "now": Kind.INSTANT,
        "today": Kind.DAY, "score": Kind.NUMBER, "qualified": Kind.BOOLEAN, "lead.Title": Kind.TEXT, "lead.Company": Kind.TEXT,
        "lead.Country": Kind.TEXT, "lead.FirstName": Kind.TEXT, "lead.NumberOfEmployees": Kind.NUMBER, "lead.DoNotCall": Kind.BOOLEAN,
        "lead.Due__c": Kind.DAY,
    },
    ("lead", "org", "account", "criteria"),
)  # fmt: skip

OPEN, WORKING, QUALIFIED, NURTURE, UNQUALIFIED, ARCHIVED, CONVERTED = (
    "Open - Not Contacted", "Working - Contacted", "Qualified", "Nurture", "Unqualified", "Archived", "Closed - Converted",
)  # fmt: skip
LIVE = (OPEN, WORKING, QUALIFIED, NURTURE, UNQUALIFIED, ARCHIVED)


def ex(text: str) -> Expression:
    """The expression over all variables."""
    return compile_expression(text, SCHEMA)


def when(text: str) -> Expression:
    """The condition over all variables."""
    return compile_expression(text, SCHEMA, expects=Kind.BOOLEAN)


def task(subject: str) -> Action:
    return Action(ActionKind.TASK, options={"subject": subject}, due_in_days=0)


def enrol(audience: str) -> Action:
    options = {"audience": audience}
    return Action(ActionKind.ENROL, source="newsletter", options=options, fields={"FNAME": ex("lead.FirstName")})


def pairs(*moves: tuple[Any, Any, Mover]) -> tuple[Transition, ...]:
    """Transitions from lists of statuses; "any" is every status but the target."""
    found = []
    for before, after, by in moves:
        sources = LIVE if before == "any" else before if isinstance(before, tuple) else (before,)
        targets = after if isinstance(after, tuple) else (after,)
        found += [Transition(source, target, by) for target in targets for source in sources if source != target]
    return tuple(found)


def program(**changes: Any) -> Program:
    """The stock program of the tests."""
    names = (*LIVE, CONVERTED)
    statuses = {
        name: Status(
            name, f"Means {name}.", f"Do {name}.", is_entry=name == OPEN, is_terminal=name in (ARCHIVED, CONVERTED),
            is_unqualified=name == UNQUALIFIED, is_converted=name == CONVERTED, place=place,
        )
        for place, name in enumerate(names)
    }  # fmt: skip
    transitions = pairs(
        (OPEN, (WORKING, NURTURE, UNQUALIFIED, QUALIFIED), Mover.BOTH),
        (WORKING, (QUALIFIED, NURTURE, UNQUALIFIED), Mover.BOTH),
        (QUALIFIED, (NURTURE, UNQUALIFIED), Mover.REP),
        ((NURTURE, UNQUALIFIED, ARCHIVED), OPEN, Mover.SYNCD),
        (UNQUALIFIED, NURTURE, Mover.SYNCD),
        (QUALIFIED, CONVERTED, Mover.BOTH),
        ("any", ARCHIVED, Mover.BOTH),
    )
    return Program("inbound", statuses, transitions, **changes)


STANDARDS = Standards(
    criteria=(
        Criterion(
            "need",
            met=when('any_touch("demo", 180) or (is_known(lead.Need__c) and lead.Need__c != "None")'),
            unmet=when('lead.Need__c == "None"'),
        ),
        Criterion("authority", met=when(r'matches(lead.Title, "(?i)\b(head|vp|chief|director)\b")')),
        Criterion("budget", met=when("lead.Budget__c >= 10000"), unmet=when("lead.Budget__c < 1000")),
        Criterion("timing", met=when("lead.Due__c < today + 90"), unmet=when("lead.Due__c > today + 365")),
        Criterion("fit", met=when("lead.NumberOfEmployees >= 50"), unmet=when("lead.NumberOfEmployees < 10")),
    ),
    scoring=(
        ScoreRule("leader", 20, when(r'matches(lead.Title, "(?i)chief|vp|head")')),
        ScoreRule("in_core", 5, when('lead.Country in ["DE", "AT", "CH"]')),
        ScoreRule("large", 10, when("lead.NumberOfEmployees > 500")),
        ScoreRule("small", -10, when("lead.NumberOfEmployees < 10")),
        ScoreRule("fresh", 5, when("days_since(person.first_at) < 30")),
        ScoreRule("site", 5, when('"site" in person.sources')),
        ScoreRule("webinar", 15, channel="webinar", halves_after_days=30, at_most=45),
        ScoreRule("demo", 30, channel="demo", halves_after_days=60, at_most=60),
        ScoreRule("reply", 10, channel="reply", halves_after_days=30),
        ScoreRule("bounce", -5, channel="bounce", at_most=-20),
    ),
    qualified=when("criteria.need and criteria.authority and criteria.budget"),
)

RULES: tuple[Rule, ...] = (
    Rule(
        "came_back",
        Section.REVIVE,
        from_statuses=(NURTURE, UNQUALIFIED, ARCHIVED),
        to_status=OPEN,
        overrides_rep=True,
        intent=("form", "demo", "reply", "webinar_attended"),
        intent_criteria=("budget",),
        owner="previous",
        actions=(task("Call back today"),),
        reason="They came back.",
    ),
    Rule(
        "replied",
        Section.STATUS,
        from_statuses=(OPEN,),
        to_status=WORKING,
        when=when('any_touch("reply", 30)'),
        reason="They answered.",
        overrides_rep=True,
    ),
    Rule(
        "is_qualified",
        Section.STATUS,
        from_statuses=(OPEN, WORKING),
        to_status=QUALIFIED,
        when=when("qualified"),
        overrides_rep=True,
        reason="All criteria are met.",
    ),
    Rule(
        "no_authority",
        Section.STATUS,
        from_statuses=(OPEN,),
        to_status=NURTURE,
        when=when('contains(lower(lead.Title), "student")'),
    ),
    Rule(
        "cools_off",
        Section.STATUS,
        from_statuses=(WORKING,),
        to_status=NURTURE,
        when=when("days_in_status >= 45 and not any_touch(null, 45)"),
        overrides_rep=True,
    ),
    Rule(
        "never_answered",
        Section.STATUS,
        from_statuses=(OPEN,),
        to_status=NURTURE,
        when=when('days_in_status >= 60 and not any_touch("reply")'),
        overrides_rep=True,
    ),
    Rule(
        "too_small",
        Section.STATUS,
        from_statuses=(OPEN, WORKING),
        to_status=UNQUALIFIED,
        when=when("criteria.fit == false and score < 0"),
        overrides_rep=True,
    ),
    Rule(
        "lost_need",
        Section.STATUS,
        from_statuses=(OPEN,),
        to_status=UNQUALIFIED,
        when=when('lead.Need__c == "None" and days_in_status > 10'),
        overrides_rep=True,
    ),
    Rule(
        "no_budget",
        Section.RECYCLE,
        from_statuses=(UNQUALIFIED,),
        when=when("criteria.budget == false"),
        actions=(enrol("L1"),),
        after_days=90,
        to_status=NURTURE,
        overrides_rep=True,
    ),
    Rule("no_need", Section.RECYCLE, from_statuses=(UNQUALIFIED,), when=when("criteria.need == false"), actions=(enrol("L2"),)),
    Rule(
        "any_other",
        Section.RECYCLE,
        from_statuses=(UNQUALIFIED,),
        actions=(Action(ActionKind.TRIGGER, source="newsletter", options={"journey": "12"}),),
        after_days=180,
        to_status=NURTURE,
        overrides_rep=True,
    ),
    Rule(
        "outside_icp",
        Section.ARCHIVE,
        from_statuses=(OPEN, NURTURE, UNQUALIFIED),
        when=when("criteria.fit == false"),
        inactive_days=90,
        hold_days=14,
        unedited_days=30,
        overrides_rep=True,
        means=ArchiveMeans(ARCHIVED, "Syncd_Archived__c", "queue:Archive", "Syncd_Previous_Owner__c"),
        reason="Outside the ideal customer profile.",
    ),
    Rule(
        "silent",
        Section.ARCHIVE,
        from_statuses=(NURTURE,),
        when=when("days_in_status > 120 and not any_touch(null, 120)"),
        inactive_days=120,
        overrides_rep=True,
        means=ArchiveMeans(ARCHIVED),
    ),
    Rule(
        "ready",
        Section.CONVERT,
        from_statuses=(QUALIFIED,),
        when=when("qualified and score >= 40"),
        converting=Converting(CONVERTED, opportunity="strong_intent"),
        reason="Ready.",
    ),
    Rule(
        "big",
        Section.CONVERT,
        from_statuses=(QUALIFIED,),
        when=when("qualified and criteria.fit and lead.Budget__c >= 100000"),
        converting=Converting(CONVERTED),
    ),
    Rule(
        "strong_intent",
        Section.OPPORTUNITY,
        when=when('any_touch("demo", 30) and criteria.budget'),
        opening=Opening(ex('lead.Company + " - inbound"'), "Prospecting", 60),
    ),
    Rule(
        "upsell",
        Section.OPPORTUNITY,
        target=Target.CONTACT,
        when=when('any_touch("demo", 30) and criteria.budget and not any_touch("bounce", 10)'),
        opening=Opening(ex("lead.Company"), "Prospecting", 60),
    ),
    Rule("drip", Section.NURTURE, from_statuses=(NURTURE,), actions=(enrol("L3"),), again_after_days=180),
    Rule(
        "welcome",
        Section.NURTURE,
        from_statuses=(OPEN,),
        when=when('"site" in person.sources'),
        actions=(Action(ActionKind.TAG, source="newsletter", options={"tag": "new"}),),
    ),
    Rule(
        "customers",
        Section.NURTURE,
        target=Target.CONTACT,
        when=when('count_touches("webinar", 90) >= 1'),
        actions=(enrol("L4"),),
    ),
    Rule(
        "invite",
        Section.NURTURE,
        from_statuses=(WORKING,),
        when=when('not any_touch("webinar", 120) and days_since(person.first_at) > 14'),
        actions=(enrol("L5"),),
    ),
    Rule(
        "first_touch",
        Section.SLA,
        from_statuses=(OPEN,),
        within_minutes=240,
        when=when("score >= 20"),
        actions=(task("Overdue: first call"), Action(ActionKind.OWNER, options={"to": "queue:Hot Leads"})),
    ),
    Rule(
        "next_step",
        Section.SLA,
        from_statuses=(WORKING,),
        within_minutes=14 * 24 * 60,
        when=when("activity.open_tasks == 0"),
        actions=(task("Overdue: next step"),),
    ),
    Rule("hand_over", Section.SLA, from_statuses=(QUALIFIED,), within_minutes=2 * 24 * 60, actions=(task("Overdue: hand over"),)),
    Rule(
        "answer",
        Section.SLA,
        target=Target.CONTACT,
        clock="arrival",
        within_minutes=60,
        when=when('any_touch("form", 2)'),
        actions=(task("Answer"),),
    ),
)


def full_policy(**changes: Any) -> Policy:
    """A whole cycle: 25 rules, 5 criteria, 10 scoring rules."""
    fields: dict[str, Any] = {
        "name": "full", "digest": "full", "time_zone": "Europe/Berlin", "fields": PolicyFields(hold_until="Syncd_Hold_Until__c"),
        "limits": {ActionKind.ENROL: when('lead.Country != "FR" or is_known(lead.DOI_At__c)'), ActionKind.TASK: when("not lead.DoNotCall")},
        "programs": (program(),), "standards": STANDARDS, "rules": RULES,
    }  # fmt: skip
    return Policy(**fields | changes)


def small_policy(*rules: Rule, **changes: Any) -> Policy:
    """The stock program and standards with these rules only."""
    return full_policy(**{"rules": rules, "limits": {}} | changes)


def ago(**span: float) -> datetime:
    """An instant before NOW."""
    return NOW - timedelta(**span)


def touch(channel: str, at: datetime, **more: Any) -> TouchFact:
    return TouchFact(channel, at, **more)


def history(*changes: tuple[str, datetime] | tuple[str, datetime, bool]) -> tuple[StatusChange, ...]:
    return tuple(StatusChange(*change) for change in changes)


def lead(status: str = OPEN, *changes: Any, fields: dict[str, Any] | None = None, **more: Any) -> Standing:
    """An open lead that has been in its status for 20 days, set by syncd, unless `changes` say otherwise."""
    seen = history(*changes) or history((status, ago(days=20)))
    created_at = more.pop("created_at", ago(days=200))
    held = {"Status": status, "Company": "Acme GmbH"} | (fields or {})
    return Standing("Lead", "00Q000000000001AAA", held, statuses=seen, created_at=created_at, **more)


def contact(fields: dict[str, Any] | None = None, **more: Any) -> Standing:
    more = {"created_at": ago(days=200)} | more
    return Standing("Contact", "003000000000001AAA", {"LastName": "Ng"} | (fields or {}), **more)


def facts(standing: Standing | None = None, now: datetime = NOW, **more: Any) -> Facts:
    return Facts("p1", now, now.astimezone(BERLIN).date().isoformat(), standing=standing, **more)


def at(known: Facts, now: datetime) -> Facts:
    """The same facts at another instant."""
    return msgspec.structs.replace(known, now=now, day=now.astimezone(BERLIN).date().isoformat())


def answer(verdict: Verdict, rule_id: str) -> str:
    """What came of a rule: `fired`, `observed`, or the word that says why it was blocked."""
    found: list[Asked] = [one for one in verdict.asked if one.rule_id == rule_id]
    assert len(found) == 1, (rule_id, found)
    return found[0].blocked or found[0].outcome
