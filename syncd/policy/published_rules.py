"""Rules in plain words, for the page of the standards. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from syncd.expressions.tree import Logic
from syncd.policy.model import Action, ActionKind, Enforcement, Rule, Section, Target
from syncd.policy.wording import days, field_name, listed
from syncd.policy.words import in_words

WATCHES = "only watches"

_HOUR, _DAY = 60, 24 * 60


class Entry(msgspec.Struct, frozen=True):
    """One rule in words.

    Attributes:
        text: When it does what.
        details: Further sentences.
        reason: What the rep is told; "" if nothing.
        marks: WATCHES, the only program it is for.
    """

    rule_id: str
    text: str
    details: tuple[str, ...] = ()
    reason: str = ""
    marks: tuple[str, ...] = ()


def moving(rule: Rule) -> Entry:
    """A rule that moves a status or puts a lead away."""
    where = listed([f"“{one}”" for one in rule.from_statuses], "or") or "any status"
    conditions = _conditions(rule)
    if rule.section is Section.RECYCLE:
        text = f"In {where}{f', if {conditions}' if conditions else ''}: {'; '.join(_recycled(rule))}."
        return _entry(rule, text, [*_overriding(rule)])
    target = f" to “{_target(rule)}”" if _target(rule) else ", put away"
    text = f"From {where}{target}{f', when {conditions}' if conditions else ''}."
    return _entry(rule, text, [*_means(rule), *_owner_of(rule), *_done(rule), *_overriding(rule)])


def converting(rule: Rule) -> Entry:
    """A rule that converts."""
    found = rule.converting
    where = listed([f"“{one}”" for one in rule.from_statuses], "or") or "any status"
    text = f"From {where}{_when_of(rule)}: the lead becomes account and contact"
    if found is None:
        return _entry(rule, f"{text}.", _done(rule))
    ways = {"domain": "its e-mail domain", "alias": "the list of other names", "name": "its exact name"}
    owners = {"account": "the owner of the account", "lead": "the owner of the lead"}
    details = [
        f"An account that exists is found by {listed([ways.get(one, one) for one in found.match], 'or')}; else a new one is made.",
        f"It belongs to {owners.get(found.owner) or _named(found.owner)}.",
    ]
    if found.opportunity:
        details.append(f"An opportunity is made with it if the rule {found.opportunity} says so.")
    return _entry(rule, f"{text}; its status is then “{found.status}”.", [*details, *_done(rule)])


def deleting(rule: Rule) -> Entry:
    """A rule that deletes what another one has archived."""
    silent = f"{days(rule.after_days or 0)} after anybody last did anything to it"
    text = f"A lead that {rule.of_rule} has archived, {silent}{_when_of(rule, 'if')}."
    return _entry(rule, text, ["Never if you have edited it since; it waits in Salesforce's recycle bin for 15 days."])


def opening(rule: Rule) -> Entry:
    """A rule that makes an opportunity."""
    found = rule.opening
    who = "Together with a conversion" if rule.target is Target.LEAD else "For somebody who is a contact already"
    details = []
    if found is not None:
        made = f"Name: {in_words(found.name)}. Stage: {found.stage}. Close date: in {days(found.close_in_days)}."
        if found.amount is not None:
            made += f" Amount: {in_words(found.amount)}{f' ({found.currency})' if found.currency else ''}."
        details = [made, f"None is made while the {found.one_open_per} has an open one."]
    return _entry(rule, f"{who}{_when_of(rule)}.", [*details, *_done(rule)])


def sending(rule: Rule) -> Entry:
    """A rule that has something sent to those who wait."""
    if rule.from_statuses:
        start = f"On entering {listed([f'“{one}”' for one in rule.from_statuses], 'or')}"
        once = "once for each stay there"
    else:
        start = "For somebody who is a contact already" if rule.target is Target.CONTACT else "For everybody"
        once = "once"
    often = once if rule.again_after_days is None else f"again after {days(rule.again_after_days)} at the earliest"
    return _entry(rule, f"{start}{_when_of(rule)}: {'; '.join(_actions(rule))}. It is done {often}.", [])


def within(rule: Rule) -> Entry:
    """A deadline."""
    if rule.clock == "arrival":
        start = "something new has arrived"
    else:
        start = f"a lead has entered {listed([f'“{one}”' for one in rule.from_statuses], 'or') or 'its status'}"
    text = f"Within {span_of(rule.within_minutes)} after {start}{_when_of(rule, 'if')}."
    actions = _actions(rule)
    return _entry(rule, text, [f"If not: {'; '.join(actions)}."] if actions else [])


def deadline_of(rule: Rule) -> Entry:
    """A deadline at its status."""
    since = " of its arrival" if rule.clock == "arrival" else ""
    actions = _actions(rule)
    marks = (WATCHES,) if rule.enforcement is Enforcement.OBSERVE else ()
    details = (f"If not: {'; '.join(actions)}.",) if actions else ()
    return Entry(rule.rule_id, f"Within {span_of(rule.within_minutes)}{since}{_when_of(rule, 'if')}.", details, marks=marks)


def of_status(rule: Rule) -> Entry:
    """A rule as one line at a status that it is asked in: where it leads and why, in the company's words where it has some."""
    conditions = _conditions(rule)
    why = rule.reason.rstrip(".") or (f"when {conditions}" if conditions else "")
    marks = (WATCHES,) if rule.enforcement is Enforcement.OBSERVE else ()
    if rule.section is Section.CONVERT:
        text = "Converted to account and contact"
    elif rule.section in (Section.NURTURE, Section.RECYCLE):
        text, why = "; ".join(_recycled(rule)) + (f", if {conditions}" if conditions else ""), ""
    else:
        text = f"Moved to “{_target(rule)}”" if _target(rule) else "Put away"
    return Entry(rule.rule_id, f"{text[:1].upper()}{text[1:]}{f': {why}' if why else ''}.", marks=marks)


def span_of(minutes: int) -> str:
    """`4 hours`, `2 days`, `90 minutes`."""
    if minutes % _DAY == 0:
        return days(minutes // _DAY)
    number, unit = (minutes // _HOUR, "hour") if minutes % _HOUR == 0 else (minutes, "minute")
    return f"1 {unit}" if number == 1 else f"{number:,} {unit}s"


def _entry(rule: Rule, text: str, details: list[str] | Iterator[str]) -> Entry:
    marks = [WATCHES] if rule.enforcement is Enforcement.OBSERVE else []
    if rule.program:
        marks.append(f"only program {rule.program}")
    return Entry(rule.rule_id, text, tuple(details), rule.reason, tuple(marks))


def _conditions(rule: Rule) -> str:
    """Everything that must hold; what is an `or` stands in brackets beside others."""
    found = [*_intents(rule), *([] if rule.when is None else [in_words(rule.when)]), *_silences(rule)]
    is_alone = len(found) == 1
    either = rule.when is not None and isinstance(rule.when.term, Logic) and rule.when.term.op == "or"
    if either and not is_alone and rule.when is not None:
        found[len(_intents(rule))] = f"({in_words(rule.when)})"
    if rule.intent and rule.intent_criteria and not is_alone:
        found[0] = f"({found[0]})"
    return listed(found)


def _when_of(rule: Rule, word: str = "when") -> str:
    return f", {word} {in_words(rule.when)}" if rule.when is not None else ""


def _target(rule: Rule) -> str:
    return (rule.means.status if rule.means is not None else "") or rule.to_status


def _intents(rule: Rule) -> list[str]:
    """What revives, one of them at least."""
    found = [f"there is a new touch on {listed(rule.intent, 'or')}"] if rule.intent else []
    if rule.intent_criteria:
        named = listed([one.replace("_", " ") for one in rule.intent_criteria], "or")
        found.append(f"{named} is met by something newer than the status")
    return [listed(found, "or")] if found else []


def _silences(rule: Rule) -> list[str]:
    found = []
    if rule.inactive_days:
        found.append(
            f"nobody has done anything for {days(rule.inactive_days)} (no touch, task, event, edit, new owner or status)"
        )
    if rule.hold_days:
        found.append(f"it has been so for {days(rule.hold_days)}")
    if rule.unedited_days:
        found.append(f"no person has edited the lead for {days(rule.unedited_days)}")
    return found


def _recycled(rule: Rule) -> list[str]:
    found = _actions(rule)
    if rule.to_status:
        found.append(f"after {days(rule.after_days or 0)} in the status it moves to “{rule.to_status}”")
    return found


def _means(rule: Rule) -> list[str]:
    means = rule.means
    if means is None:
        return []
    found = [f"{field_name(means.flag)} is ticked."] if means.flag else []
    if means.owner:
        kept = f"; the previous owner is kept in {field_name(means.previous_owner_field)}" if means.previous_owner_field else ""
        found.append(f"The lead goes to {_named(means.owner)}{kept}.")
    return found


def _owner_of(rule: Rule) -> list[str]:
    if not rule.owner:
        return []
    return [f"The lead goes to {_named(rule.owner)}{', if they are still active' if rule.owner == 'previous' else ''}."]


def _done(rule: Rule) -> list[str]:
    actions = _actions(rule)
    return [f"Besides: {'; '.join(actions)}."] if actions else []


def _overriding(rule: Rule) -> list[str]:
    return ["Also if you have set the status yourself, when something newer has come."] if rule.overrides_rep else []


def _named(owner: str) -> str:
    kind, _, name = owner.partition(":")
    words = {"previous": "the previous owner", "account": "the owner of the account", "lead": "the owner of the lead"}
    return words.get(owner) or (f"the queue “{name}”" if kind == "queue" else f"{name}")


def _actions(rule: Rule) -> list[str]:
    return [_action(one) for one in rule.actions]


def _action(action: Action) -> str:
    options, source = action.options, action.source
    if action.kind is ActionKind.TASK:
        due = (
            ""
            if action.due_in_days is None
            else ", due the same day"
            if action.due_in_days == 0
            else f", due in {days(action.due_in_days)}"
        )
        urgent = f", priority {options['priority']}" if options.get("priority", "Normal") != "Normal" else ""
        return f"a task “{options.get('subject', '')}”{due}{urgent}"
    if action.kind is ActionKind.OWNER:
        return f"it goes to {_named(options.get('to', ''))}"
    if action.kind is ActionKind.FLAG:
        value = options.get("value", "true")
        named = field_name(options.get("field", ""))
        return f"{named} is ticked" if value == "true" else f"{named} is set to {value}"
    if action.kind is ActionKind.CONVERSION:
        leave = "" if "needs_consent" in options else ", of those who have agreed to that"
        return f"{source} is told: {options.get('event', '')}{leave}"
    rest = {
        name: value
        for name, value in options.items()
        if name not in ("audience", "tag", "journey", "step", "automation", "webinar", "asked")
    }
    more = f" ({', '.join(f'{name} {value}' for name, value in rest.items())})" if rest else ""
    begins = f"automation {options['automation']}" if "automation" in options else f"journey {options.get('journey', '')}"
    said = {
        ActionKind.ENROL: f"they are put on the list {options.get('audience', '')} of {source}",
        ActionKind.TAG: f"they are tagged “{options.get('tag', '')}” in {source}",
        ActionKind.TRIGGER: f"{begins} of {source} begins",
        ActionKind.OPT_OUT: f"they are unsubscribed in {source}",
        ActionKind.SEND: f"{source} is told",
        ActionKind.REGISTER: f"whoever asked for it is registered for the webinar {options.get('webinar', '')} of {source}",
    }[action.kind]
    return " ".join(said.split()) + more


__all__ = [
    "WATCHES",
    "Entry",
    "converting",
    "deadline_of",
    "deleting",
    "moving",
    "of_status",
    "opening",
    "sending",
    "span_of",
    "within",
]
