"""Random lives of leads under a policy, in memory: sources send, reps work, days pass, verdicts are carried out.

`faults` judges every verdict by rules of its own, written from the promises (DESIGN, issue 5) and not from the program.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from syncd.policy import Policy, evaluate
from syncd.policy.model import FOR_MAILING, Facts, Mover, Section, Standing, StatusChange, TouchFact, Verdict
from tests.carrying import carry_out
from tests.policies import ARCHIVED, CONVERTED, NOW, OPEN, at, facts

CHANNELS = ("webinar", "demo", "email", "form", "reply", "bounce", "open", "webinar_attended")
INTENT = ("form", "demo", "reply", "webinar_attended")
STEPS = 26
LEADS_TO_MAIL = frozenset(FOR_MAILING)


@dataclass
class Life:
    """What happened to one lead: names of everything that occurred, and what was wrong."""

    happened: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    evaluations: int = 0


def live(policy: Policy, seed: int, saw: Callable[[Facts], None] | None = None) -> Life:
    """One life; the same seed gives the same one. `saw` is shown whatever is known whenever the policy is asked."""
    rng = random.Random(seed)
    life = Life()
    known = _born(rng)
    pace = rng.choice((2, 10, 60, 200))
    done: set[tuple[Any, ...]] = set()
    next_event = known.now
    life.happened.add(f"status {OPEN}")
    for _ in range(STEPS):
        known, look_at = _pass(policy, known, life, done, saw)
        if look_at is not None and look_at < next_event:
            known = at(known, look_at)
            continue
        known = at(known, max(next_event, known.now))
        known = _event(policy, known, rng, life)
        next_event = known.now + timedelta(days=rng.expovariate(1 / pace))
    return life


def _pass(
    policy: Policy, known: Facts, life: Life, done: set[tuple[Any, ...]], saw: Callable[[Facts], None] | None
) -> tuple[Facts, datetime | None]:
    """Evaluate and carry out until nothing moves any more."""
    for _ in range(4):
        if saw is not None:
            saw(known)
        verdict = evaluate(policy, known)
        life.evaluations += 1
        life.faults += faults(policy, known, verdict)
        for one in verdict.actions:
            mark = (one.rule_id, one.kind, one.line, str(one.options), one.occasion)
            if mark in done and one.occasion:
                life.faults.append(f"{one.rule_id} acted twice on one occasion")
            done.add(mark)
        before = known
        known = carry_out(known, verdict)
        _note(before, known, verdict, life)
        if verdict.converts:
            standing = known.standing
            known = msgspec.structs.replace(
                known, standing=Standing("Contact", "003000000000001AAA", standing.fields, created_at=known.now), open_tasks=0
            )
            return known, None
        if not verdict.to_status:
            return known, verdict.look_at
    life.faults.append("the status moved more than three times in one instant")
    return known, None


def _note(before: Facts, after: Facts, verdict: Verdict, life: Life) -> None:
    life.happened |= {f"rule {one.rule_id}" for one in verdict.asked if one.outcome == "fired"}
    if verdict.to_status:
        life.happened |= {f"move {verdict.from_status} > {verdict.to_status}", f"status {verdict.to_status}"}
        if verdict.to_status == ARCHIVED:
            life.happened.add("archived")
        if verdict.is_unarchived:
            life.happened.add("archived and revived")
        if verdict.rule_id == "came_back":
            life.happened.add("revived")
            if after.standing.status != OPEN or after.standing.statuses[:-1] != before.standing.statuses:
                life.faults.append("revive lost the history or led elsewhere")
    if verdict.converts:
        life.happened |= {f"converted by {verdict.converts}", f"move {verdict.from_status} > {CONVERTED}", f"status {CONVERTED}"}
    if verdict.opens:
        life.happened.add(f"opportunity {verdict.opens}")
    if any(one.blocked == "held" for one in verdict.asked):
        life.happened.add("held")


def _born(rng: random.Random) -> Facts:
    created_at = NOW + timedelta(seconds=rng.randrange(365 * 86_400))
    golden = {
        "Title": rng.choice(("Head of Sales", "VP Marketing", "Clerk", "student", "Chief of Staff")), "FirstName": "A",
        "Company": rng.choice(("Acme", "Globex", "Initech", "[not provided]")), "Country": rng.choice(("DE", "AT", "FR", "US")),
        "NumberOfEmployees": rng.choice((3, 8, 60, 700)), "Budget__c": rng.choice((None, 500, 5_000, 20_000, 200_000)),
        "Need__c": rng.choice((None, "None", "Speed")),
    }  # fmt: skip
    standing = Standing(
        "Lead", "00Q000000000001AAA", {"Status": OPEN}, statuses=(StatusChange(OPEN, created_at),), created_at=created_at
    )
    return facts(
        standing, now=created_at, golden=golden, first_at=created_at, news_at=created_at, sources=(rng.choice(("site", "booth")),)
    )


def _event(policy: Policy, known: Facts, rng: random.Random, life: Life) -> Facts:
    """Something that a source, a person or time does."""
    replace = msgspec.structs.replace
    sort = rng.choices(("touch", "learn", "rep", "tasks", "hold", "calendar", "opt_out"), (8, 2, 5, 3, 0.3, 0.3, 0.2))[0]
    if sort == "touch":
        is_news = rng.random() < 0.9
        touch = TouchFact(rng.choice(CHANNELS), known.now, rng.choice(("", "spring")), "site", is_news)
        return replace(known, touches=(*known.touches, touch), news_at=known.now if is_news else known.news_at)
    if sort == "learn":
        field_name, values = rng.choice(
            (("Budget__c", (500, 20_000, 200_000)), ("Need__c", ("None", "Speed")), ("NumberOfEmployees", (8, 60)))
        )
        return replace(known, golden=known.golden | {field_name: rng.choice(values)}, news_at=known.now)
    if sort == "tasks":
        return replace(known, open_tasks=0, last_activity_at=known.now)
    if sort == "calendar":
        return replace(known, next_event_at=known.now + timedelta(days=rng.randrange(1, 40)))
    if sort == "opt_out":
        return replace(known, has_opted_out=True)
    if sort == "hold":
        until = (known.now + timedelta(days=rng.randrange(1, 30))).date().isoformat()
        fields = known.standing.fields | {"Syncd_Hold_Until__c": until}
        return replace(known, standing=replace(known.standing, fields=fields, edited_at=known.now))
    return _rep_moves(policy, known, rng, life)


def _rep_moves(policy: Policy, known: Facts, rng: random.Random, life: Life) -> Facts:
    """A person moves the status within their rights; a contact they only edit."""
    standing = known.standing
    program = policy.programs[0]
    targets = [one for one in program.statuses if program.may_move(standing.status, one, Mover.REP) and one != CONVERTED]
    if standing.object != "Lead" or not targets:
        return msgspec.structs.replace(known, standing=msgspec.structs.replace(standing, edited_at=known.now))
    target = rng.choice(targets)
    life.happened |= {f"move {standing.status} > {target}", f"status {target}", "moved by a rep"}
    moved = msgspec.structs.replace(
        standing,
        fields=standing.fields | {"Status": target},
        statuses=(*standing.statuses, StatusChange(target, known.now, by_person=True)),
        edited_at=known.now,
    )
    return msgspec.structs.replace(known, standing=moved)


def faults(policy: Policy, known: Facts, verdict: Verdict) -> list[str]:
    """Every promise that the verdict breaks, in words."""
    found = []
    rule = {one.rule_id: one for one in policy.rules}.get(verdict.rule_id)
    if verdict.converts and not _is_qualified(known):
        found.append("converted without being qualified")
    if verdict.converts and (known.standing.status != "Qualified" or str(known.golden["Company"]).startswith("[")):
        found.append("converted from a wrong status or on a placeholder company")
    if verdict.opens and not (_has_touch(known, "demo", 30) and (known.golden["Budget__c"] or 0) >= 10_000):
        found.append("an opportunity outside its criteria")
    if known.has_opted_out and any(one.kind in LEADS_TO_MAIL for one in verdict.actions):
        found.append("somebody who has opted out would be mailed")
    is_idle = not (verdict.to_status or verdict.actions or verdict.converts or verdict.opens or verdict.starts)
    if str(known.standing.fields.get("Syncd_Hold_Until__c", "")) >= known.day and not is_idle:
        found.append("acted on a held record")
    if verdict.look_at is not None and verdict.look_at <= known.now:
        found.append("the next look lies in the past")
    if verdict.to_status and rule is not None:
        found += _wrong_move(policy, known, verdict, rule)
    return found


def _wrong_move(policy: Policy, known: Facts, verdict: Verdict, rule: Any) -> list[str]:
    found = []
    program, changes = policy.programs[0], known.standing.statuses
    if not program.may_move(known.standing.status, verdict.to_status, Mover.SYNCD):
        found.append("a transition that syncd may not take")
    if known.standing.status == ARCHIVED and rule.section is not Section.REVIVE:
        found.append("an archived lead moved without intent")
    evidence = max([touch.at for touch in known.touches] + [known.news_at])
    entered_at = changes[-1].at
    if changes[-1].by_person and not rule.overrides_rep:
        found.append("a rep's status was changed")
    if changes[-1].by_person and known.now == entered_at and evidence <= entered_at:
        found.append("a rep's status was changed at once, without anything new")
    if (
        len(changes) > 1
        and not changes[-1].by_person
        and changes[-2].status == verdict.to_status
        and known.now < entered_at + timedelta(days=7)
    ):
        found.append("moved back within the week")
    if rule.section is Section.REVIVE:
        is_asked = any(one.is_news and one.at > entered_at and one.channel in INTENT for one in known.touches)
        if not is_asked and not (known.news_at > entered_at and (known.golden["Budget__c"] or 0) >= 10_000):
            found.append("revived without intent")
    if rule.section is Section.ARCHIVE:
        signs = [entered_at, known.standing.created_at, *(touch.at for touch in known.touches)]
        signs += [one for one in (known.last_activity_at, known.standing.edited_at) if one is not None]
        if known.now < max(signs) + timedelta(days=rule.inactive_days):
            found.append("archived without silence")
        if known.open_tasks or (known.next_event_at is not None and known.next_event_at > known.now):
            found.append("archived with open work")
        if rule.hold_days and known.waiting.get(rule.rule_id, NOW + timedelta(days=9_999)) > known.now:
            found.append("archived before its hold period was over")
    return found


def _is_qualified(known: Facts) -> bool:
    """Need, authority and budget, told apart from the program's own reading."""
    has_need = _has_touch(known, "demo", 180) or known.golden["Need__c"] == "Speed"
    has_authority = re.search(r"\b(head|vp|chief|director)\b", str(known.golden["Title"]).lower()) is not None
    return has_need and has_authority and (known.golden["Budget__c"] or 0) >= 10_000


def _has_touch(known: Facts, channel: str, days: int) -> bool:
    return any(one.channel == channel and known.now - one.at < timedelta(days=days + 1) for one in known.touches)


def count(lives: list[Life]) -> Counter[str]:
    """In how many lives each thing occurred."""
    return Counter(name for life in lives for name in life.happened)
