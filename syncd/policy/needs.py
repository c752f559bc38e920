"""What a policy reads and writes in the org: which fields and objects the mirror must hold for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from syncd.expressions import Expression
from syncd.policy.model import ActionKind, Rule, Section, Target
from syncd.policy.policy import Policy
from syncd.policy.variables import named

_GROUPS: dict[str, tuple[str, ...]] = {"lead": ("Lead", "Contact"), "org": ("Lead", "Contact"), "account": ("Account",)}
_OBJECTS = {
    "activity.open_tasks": ("Task",),
    "activity.next_event_at": ("Event",),
    "activity.last_at": ("Task", "Event"),
    "activity.open_opportunities": ("Opportunity",),
    "owner.is_active": ("User",),
}


class Needs(msgspec.Struct, frozen=True):
    """What the mirror must hold.

    Attributes:
        fields: Object (Lead, Contact, Account) to the fields that conditions read; `org.X` counts for Lead and Contact. As they are
            written: a field that only one of the two objects has is named for both.
        objects: Object to the first line that needs it, and who needs it (to begin a sentence with).
    """

    fields: dict[str, frozenset[str]]
    objects: dict[str, tuple[int, str]]


def needs(policy: Policy) -> Needs:
    """What the policy reads; empty without programs."""
    fields: dict[str, set[str]] = {"Lead": set(), "Contact": set(), "Account": set()}
    objects: dict[str, tuple[int, str]] = {}
    for line, expression in expressions_of(policy):
        for variable in named(expression.term):
            group = str(variable.path[0])
            for name in _GROUPS.get(group, ()):
                fields[name].add(str(variable.path[-1]))
            for name in ("Account",) if group == "account" else _OBJECTS.get(variable.name, ()):
                objects.setdefault(name, (line, f'"{variable.name}"'))
    for rule in policy.rules:
        for name in _of_rule(rule):
            objects.setdefault(name, (rule.line, f'The rule "{rule.rule_id}"'))
    if policy.fields.hold_until:
        for name in ("Lead", "Contact"):
            fields[name].add(policy.fields.hold_until)
    return Needs({name: frozenset(read) for name, read in fields.items() if read}, objects)


def written_fields(policy: Policy) -> dict[str, list[str]]:
    """Lead and Contact to the fields that the policy writes there, so that the mirror must show what is in them; sorted."""
    names = policy.fields
    leads = {names.next_action, names.reason, names.policy, names.score, names.hold_until}
    contacts: set[str] = set()
    for rule in policy.rules:
        if rule.means is not None:
            leads |= {rule.means.flag, rule.means.previous_owner_field}
        marked = {one.options["field"] for one in rule.actions if one.kind is ActionKind.FLAG}
        (leads if rule.target is Target.LEAD else contacts).update(marked)
    return {"Lead": sorted(leads - {""}), "Contact": sorted(contacts)}


def _of_rule(rule: Rule) -> Iterator[str]:
    if rule.section in (Section.ARCHIVE, Section.DELETE):
        yield from ("Task", "Event")  # never with an open task or a future event
    if rule.section is Section.CONVERT:
        yield from ("Contact", "Account")
    if rule.section is Section.OPPORTUNITY:
        yield "Opportunity"
    if any(action.kind is ActionKind.TASK for action in rule.actions):
        yield "Task"
    if any(action.is_of_deals for action in rule.actions):
        yield "Opportunity"
    owners = [rule.owner, *(action.options.get("to", "") for action in rule.actions if action.kind is ActionKind.OWNER)]
    if rule.converting is not None:
        owners.append(rule.converting.owner)
    if "account" in owners:
        yield "Account"
    if "previous" in owners:
        yield "User"


def expressions_of(policy: Policy) -> Iterator[tuple[int, Expression]]:
    """Every expression of the policy with its line, in the order of evaluation."""
    found: list[Expression | None] = [program.applies_to for program in policy.programs]
    found += [one.when for one in policy.standards.scoring]
    found += [side for one in policy.standards.criteria for side in (one.met, one.unmet)]
    found.append(policy.standards.qualified)
    for rule in policy.rules:
        found.append(rule.when)
        if rule.opening is not None:
            found += [rule.opening.name, rule.opening.amount, *rule.opening.fields.values()]
        found += [one for action in rule.actions for one in action.fields.values()]
    found += policy.limits.values()
    return ((one.term.place.line, one) for one in found if one is not None)
