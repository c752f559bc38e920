"""Which variables the answers of a policy rest on, for telling what unknown values could have changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from syncd.expressions import Expression
from syncd.policy.model import WITH_LEAVE, Asked, Rule, Section
from syncd.policy.policy import Policy

NEWS = "news"
"""Stands for when the newest news came: no variable, but intent and evidence rest on it."""

_NOT_ASKED = ("no_target", "held")

Names = frozenset[str]


class Reads(msgspec.Struct, frozen=True):
    """What a policy reads.

    Attributes:
        names: Every variable, as conditions write it (`lead.Title`), but those that are worked out (`score`, `criteria.fit`, `qualified`).
        rules: Rule id to what its answer rests on, its guards among it.
        about_evidence: Rules that ask for something newer than a person's edit.
        applies: What choosing the program rests on.
    """

    names: Names
    rules: dict[str, Names]
    about_evidence: Names
    applies: Names

    def resting(self, unknown: Names) -> Resting:
        """The rules whose answers may rest on a variable of `unknown`; to be asked once for each such set and kept."""
        return Resting(
            program=bool(self.applies & unknown),
            rules=frozenset(rule_id for rule_id, names in self.rules.items() if names & unknown),
            by_status=frozenset(rule_id for rule_id, names in self.rules.items() if "status" in names & unknown),
            by_evidence=self.about_evidence if NEWS in unknown else frozenset(),
        )


class Resting(msgspec.Struct, frozen=True):
    """Ids of rules that may rest on unknown values: all, those that could not tell the status, and those about evidence."""

    program: bool
    rules: Names
    by_status: Names
    by_evidence: Names

    def of(self, answers: Iterable[Asked]) -> set[str]:
        """Ids of the rules whose answers do rest on them; "" where the choice of the program does.

        A rule that was not asked in this status, or not of this target, did not get as far as its condition.
        """
        found = {""} if self.program else set()
        rules, by_status, by_evidence = self.rules, self.by_status, self.by_evidence
        for one in answers:
            blocked = one.blocked
            if blocked == "status":
                names = by_status
            elif blocked in _NOT_ASKED:
                continue
            else:
                names = rules
            if one.rule_id in names or (blocked == "rep_edit" and one.rule_id in by_evidence):
                found.add(one.rule_id)
        return found


def reads_of(policy: Policy) -> Reads:
    """What the policy reads, through criteria and the score as well."""
    standards = policy.standards
    worked_out: dict[str, Names] = {"score": frozenset(), "qualified": frozenset()}
    for scored in standards.scoring:
        worked_out["score"] |= _names(scored.when, {})
    for criterion in standards.criteria:
        both = _names(criterion.met, worked_out) | _names(criterion.unmet, worked_out)
        worked_out[f"criteria.{criterion.name}"] = both
    worked_out["qualified"] = _names(standards.qualified, worked_out)
    limits = {kind: _names(limit, worked_out) for kind, limit in policy.limits.items()}
    rules = {}
    for rule in policy.rules:
        names = _names(rule.when, worked_out) | _guards(rule, worked_out)
        for action in rule.actions:
            names |= limits.get(action.kind, frozenset())
        rules[rule.rule_id] = names
    applies = frozenset(name for program in policy.programs for name in _names(program.applies_to, worked_out))
    hold = {f"org.{policy.fields.hold_until}"} if policy.fields.hold_until else set()
    every = [*worked_out.values(), *rules.values(), *limits.values(), applies, hold]
    return Reads(
        names=frozenset(name for names in every for name in names),
        rules=rules,
        about_evidence=frozenset(rule.rule_id for rule in policy.rules if rule.overrides_rep),
        applies=applies,
    )


def _names(expression: Expression | None, worked_out: dict[str, Names]) -> Names:
    found: set[str] = set()
    for name in expression.names if expression is not None else ():
        found |= worked_out.get(name, frozenset((name,)))
    return frozenset(found)


def _guards(rule: Rule, worked_out: dict[str, Names]) -> Names:
    """What besides its condition decides whether the rule does anything."""
    found = {"status"} if rule.from_statuses or rule.to_status else set()
    if rule.section is Section.RECYCLE and rule.after_days is not None:
        found.add("status_at")
    if rule.section is Section.REVIVE:
        found.add("status_at")
        for name in rule.intent_criteria:
            found |= {NEWS, *worked_out.get(f"criteria.{name}", ())}
    if rule.section is Section.ARCHIVE:
        found |= {"status", "activity.open_tasks", "activity.next_event_at"}
        found |= {"activity.last_at", "person.edited_at", "status_at"} if rule.inactive_days else set()
        found |= {"person.edited_at"} if rule.unedited_days else set()
        found |= {f"org.{rule.means.flag}"} if rule.means is not None and rule.means.flag else set()
    if rule.section is Section.DELETE:
        found |= {"status", "status_at", "activity.open_tasks", "activity.next_event_at", "activity.last_at", "person.edited_at"}
    if rule.section is Section.CONVERT:
        found.add("lead.Company")
    if rule.section is Section.OPPORTUNITY:
        found.add("activity.open_opportunities")
    if rule.section is Section.SLA:
        found.add("status_at" if rule.clock == "status" else NEWS)
    if any(action.kind in WITH_LEAVE for action in rule.actions):
        found.add("person.has_opted_out")
    return frozenset(found)
