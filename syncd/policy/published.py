"""The standards as one page for reps: what it says. Pure; `published_html` and `published_markdown` lay it out.

The same policy and day give the same page. Nothing here is about a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import msgspec

from syncd.errors import ConfigError
from syncd.policy.model import ActionKind, Enforcement, IllegalDo, Mover, Program, Rule, Section, Status
from syncd.policy.policy import Policy
from syncd.policy.published_rules import (
    WATCHES,
    Entry,
    converting,
    deadline_of,
    deleting,
    moving,
    of_status,
    opening,
    sending,
    within,
)
from syncd.policy.wording import amount, days, listed
from syncd.policy.words import in_words


class Move(msgspec.Struct, frozen=True):
    """An allowed move, and who may make it."""

    before: str
    after: str
    by: Mover


class StatusPart(msgspec.Struct, frozen=True):
    """One status: its `marks` (a new lead starts here ...), what is asked of a rep, and where it may go.

    Attributes:
        deadlines: What must happen within which time, in words.
        by_reps, by_syncd: Statuses that they may move a lead to.
        rules: What syncd does with leads in it.
    """

    name: str
    meaning: str
    next_action: str
    marks: tuple[str, ...]
    deadlines: tuple[Entry, ...]
    by_reps: tuple[str, ...]
    by_syncd: tuple[str, ...]
    rules: tuple[Entry, ...]


class ProgramPart(msgspec.Struct, frozen=True):
    """One program: for whom it is, its statuses and moves, and what becomes of those that it does not know."""

    name: str
    applies_to: str
    statuses: tuple[StatusPart, ...]
    moves: tuple[Move, ...]
    illegal: str


class Chapter(msgspec.Struct, frozen=True):
    """Rules of one kind, under a heading with a sentence that says what they have in common."""

    title: str
    lead: str
    entries: tuple[Entry, ...]


class CriterionPart(msgspec.Struct, frozen=True):
    """One criterion; `met` and `unmet` are conditions in words, "" where there is none."""

    name: str
    meaning: str
    met: str
    unmet: str


class Page(msgspec.Struct, frozen=True):
    """Everything that the page says, in its order.

    Attributes:
        facts: What holds for the whole: time zone, currency, what a rep can do.
        qualified: When somebody is qualified, in words; "" if nobody is.
        scoring: Points, and what they are given for.
        watching: Ids of the rules that only watch.
    """

    title: str
    version: str
    day: str
    facts: tuple[str, ...]
    programs: tuple[ProgramPart, ...]
    criteria: tuple[CriterionPart, ...]
    qualified: str
    scoring: tuple[tuple[str, str], ...]
    chapters: tuple[Chapter, ...]
    consent: tuple[str, ...]
    watching: tuple[str, ...]


def published(policy: Policy, day: date) -> Page:
    """The page of a policy as of a day.

    Raises:
        ConfigError: The policy has no programs, so there are no standards to show.
    """
    if not policy.programs:
        raise ConfigError("The policy has no programs, so there are no standards to publish.", advice="See mappings/policies/.")
    standards = policy.standards
    return Page(
        title=policy.name or "Lead standards",
        version=policy.digest[:8],
        day=day.isoformat(),
        facts=tuple(_facts(policy)),
        programs=tuple(_program(policy, program, place) for place, program in enumerate(policy.programs)),
        criteria=tuple(
            CriterionPart(
                one.name.replace("_", " "),
                one.meaning,
                in_words(one.met) if one.met is not None else "",
                in_words(one.unmet) if one.unmet is not None else "",
            )
            for one in standards.criteria
        ),
        qualified=in_words(standards.qualified) if standards.qualified is not None else "",
        scoring=tuple(_scoring(policy)),
        chapters=tuple(_chapters(policy)),
        consent=tuple(_consent(policy)),
        watching=tuple(rule.rule_id for rule in policy.rules if rule.enforcement is Enforcement.OBSERVE),
    )


def _facts(policy: Policy) -> Iterator[str]:
    if policy.rules and all(rule.enforcement is Enforcement.OBSERVE for rule in policy.rules):
        yield "All rules only watch for now: syncd moves no lead and does nothing else by them."
    names = policy.fields
    shown = [
        f"{said} ({name})"
        for said, name in (
            ("what comes next", names.next_action),
            ("why", names.reason),
            ("the score", names.score),
            ("the version of these standards", names.policy),
        )
        if name
    ]
    if shown:
        yield f"syncd writes to the lead: {listed(shown)}."
    if names.hold_until:
        yield f"To keep a lead as it is, write a day into {names.hold_until}: until that day is over no rule touches the lead."
    yield "A status that you set yourself is moved only by rules that say so, and only when something newer has come since."
    if policy.min_days_in_status:
        yield f"What syncd has moved it does not move back within {days(policy.min_days_in_status)}."
    yield f"A day begins at midnight in {policy.time_zone}."
    if policy.currency:
        yield f"Amounts of money are in {policy.currency}."


def _program(policy: Policy, program: Program, place: int) -> ProgramPart:
    if program.applies_to is not None:
        applies_to = f"For leads of whom this holds: {in_words(program.applies_to)}."
    else:
        applies_to = "For everybody else." if place else "For every lead."
    if program.record_type:
        applies_to += f" Record type: {program.record_type}."
    return ProgramPart(
        name=program.name,
        applies_to=applies_to,
        statuses=tuple(_status(policy, program, one) for one in program.statuses.values()),
        moves=tuple(Move(one.from_status, one.to_status, one.by) for one in program.transitions),
        illegal=_illegal(program),
    )


def _status(policy: Policy, program: Program, status: Status) -> StatusPart:
    marks = [
        said
        for said, holds in (
            ("new leads start here", status.is_entry),
            ("unqualified", status.is_unqualified),
            ("converted", status.is_converted),
            ("the end", status.is_terminal and not status.is_converted),
        )
        if holds
    ]

    def reached(by: Mover) -> tuple[str, ...]:
        return tuple(one for one in program.statuses if program.may_move(status.name, one, by))

    here = [rule for rule in policy.rules if rule.program in ("", program.name)]
    return StatusPart(
        name=status.name,
        meaning=status.meaning,
        next_action=status.next_action,
        marks=tuple(marks),
        deadlines=tuple(deadline_of(rule) for rule in here if rule.section is Section.SLA and status.name in rule.from_statuses),
        by_reps=reached(Mover.REP),
        by_syncd=reached(Mover.SYNCD),
        rules=tuple(of_status(rule) for rule in here if _is_about(rule, status)),
    )


def _is_about(rule: Rule, status: Status) -> bool:
    """Whether a rule is worth a line at its status: those that are asked everywhere stand in their chapter only."""
    return rule.section is not Section.SLA and status.name in rule.from_statuses


def _illegal(program: Program) -> str:
    wrong = "A status that is not listed here, and a move that is not allowed to reps, is "
    if program.illegal is IllegalDo.REVERT:
        return f"{wrong}put back to the status before."
    if program.illegal is IllegalDo.MAP:
        pairs = [f"“{old}” becomes “{new}”" for old, new in program.illegal_map.items()]
        return f"Statuses of before are replaced: {listed(pairs)}. Any other {wrong[2:]}reported."
    return f"{wrong}reported."


def _scoring(policy: Policy) -> Iterator[tuple[str, str]]:
    for one in policy.standards.scoring:
        points = f"{one.points:+,}"
        if one.when is not None:
            yield points, in_words(one.when)
            continue
        said = f"each touch on {one.channel}"
        if one.halves_after_days is not None:
            said += f"; halves every {days(one.halves_after_days)}"
        if one.at_most is not None:
            said += f"; at most {amount(one.at_most)} together"
        yield points, said


_HEADINGS = {
    Section.STATUS: ("What moves a lead", "The first of these that holds counts."),
    Section.REVIVE: ("What brings a lead back", "Asked before everything else: whoever shows real intent again is called first."),
    Section.RECYCLE: (
        "What becomes of the unqualified",
        "Nobody hangs: each reason has a path of its own, without work for you.",
    ),
    Section.ARCHIVE: ("What is put away", "Never while there is an open task or an event to come."),
    Section.DELETE: (
        "What is deleted in the end",
        "Never without a verified export, nor while there is an open task or an event to come.",
    ),
    Section.CONVERT: ("What becomes account and contact", "Never without a real company name."),
    Section.OPPORTUNITY: ("What becomes an opportunity", "Only very strong intent."),
    Section.NURTURE: ("What is sent to those who wait", ""),
    Section.SLA: ("What must be done in time", "What happens when it is not."),
}


def _chapters(policy: Policy) -> Iterator[Chapter]:
    tellers = {
        Section.DELETE: deleting,
        Section.CONVERT: converting,
        Section.OPPORTUNITY: opening,
        Section.NURTURE: sending,
        Section.SLA: within,
    }
    for section, (title, lead) in _HEADINGS.items():
        tell = tellers.get(section, moving)
        entries = tuple(tell(rule) for rule in policy.rules if rule.section is section)
        if entries:
            yield Chapter(title, lead, entries)


_ACTIONS = {
    "task": "A task is made",
    "owner": "The owner is changed",
    "flag": "A field is set",
    "enrol": "Somebody is put on a mailing list",
    "tag": "Somebody is tagged",
    "trigger": "A journey is started",
    "opt_out": "Somebody is unsubscribed",
    "send": "Something is sent",
    "register": "Somebody is registered for a webinar",
    "conversion": "An advertising platform is told",
}


def _consent(policy: Policy) -> Iterator[str]:
    yield "Whoever has opted out of e-mail is never put on a list, tagged or sent a journey, whatever a rule says."
    if any(one.kind is ActionKind.REGISTER for rule in policy.rules for one in rule.actions):
        yield "Nobody is registered for a webinar who has not asked for it themselves, who was registered before, or who has opted out of e-mail."
    if any(one.kind is ActionKind.CONVERSION for rule in policy.rules for one in rule.actions):
        yield "No advertising platform is told of them either."
    for kind, limit in policy.limits.items():
        yield f"{_ACTIONS[kind]} only if {in_words(limit)}."
    if policy.allow_clear:
        yield "An opt-out is cleared only by a newer, explicit opt-in for the same purpose."
    else:
        yield "An opt-out is never cleared."


__all__ = ["WATCHES", "Chapter", "CriterionPart", "Entry", "Move", "Page", "ProgramPart", "StatusPart", "published"]
