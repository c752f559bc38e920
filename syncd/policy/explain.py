"""Why the policy decided as it did for one person, for `policy explain`. Pure, and slow: clauses are compiled as they are shown.

Names variables and says whether they are known; never shows a value of the person.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from syncd.expressions import Expression
from syncd.policy.compiled import ready
from syncd.policy.criteria import evidence
from syncd.policy.evaluate import values_of
from syncd.policy.model import MOVING, Asked, Facts, Judged, Points, Rule, Section, Verdict
from syncd.policy.policy import Policy
from syncd.policy.values import Values


class Reason(msgspec.Struct, frozen=True):
    """One clause of a condition: its text as written, whether it holds (None: not known), and `yes` or `no, lead.X is empty`."""

    text: str
    holds: bool | None
    why: str
    line: int


class ExplainedRule(msgspec.Struct, frozen=True):
    """What came of one rule and the clauses of its condition; `to_status` is "" for one that moves nothing."""

    rule_id: str
    section: Section
    outcome: str
    blocked: str
    to_status: str = ""
    line: int = 0
    clauses: tuple[Reason, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """A move that the present status may still make: what stands in its way, and the clauses that do not hold."""

    rule_id: str
    to_status: str
    blocked: str
    missing: tuple[Reason, ...] = ()


class Decided(msgspec.Struct, frozen=True):
    """What the log keeps of one rule: that it `fired`, or was `observed` when it began to hold; `policy` is the version that said so."""

    at: datetime | None
    rule_id: str
    outcome: str
    from_status: str
    to_status: str
    policy: str


class Explanation(msgspec.Struct, frozen=True):
    """The verdict with its reasons.

    Attributes:
        decided: The log of this person, newest first; given by who reads the store.
        meaning, next_action: Of the present status, in the company's words.
        changes: What would change the status: the moving rules that are asked in it and did not fire.
        look_at: When the answer may change although nothing happens; None for never.
    """

    person_id: str
    program: str
    status: str
    meaning: str
    next_action: str
    rules: tuple[ExplainedRule, ...]
    criteria: tuple[Judged, ...]
    is_qualified: bool | None
    qualified: tuple[Reason, ...]
    score: int
    points: tuple[Points, ...]
    changes: tuple[Change, ...]
    look_at: datetime | None
    decided: tuple[Decided, ...] = ()


def explain(policy: Policy, facts: Facts, verdict: Verdict) -> Explanation:
    """The reasons of a verdict that `evaluate` gave for these facts."""
    values = values_of(policy, facts)
    program = next((one for one in policy.programs if one.name == verdict.program), None)
    status = program.statuses.get(verdict.from_status) if program is not None else None
    known = {rule.rule_id: rule for rule in policy.rules}
    rules = tuple(_rule(answer, known.get(answer.rule_id), values) for answer in verdict.asked)
    return Explanation(
        person_id=verdict.person_id,
        program=verdict.program,
        status=verdict.from_status,
        meaning=status.meaning if status is not None else "",
        next_action=status.next_action if status is not None else "",
        rules=rules,
        criteria=explain_verdict(policy, facts, verdict).criteria,
        is_qualified=verdict.is_qualified,
        qualified=_clauses(policy.standards.qualified, values) if program is not None else (),
        score=verdict.score,
        points=verdict.points,
        changes=tuple(_change(one) for one in rules if _may_still_move(one)),
        look_at=verdict.look_at,
    )


def explain_verdict(policy: Policy, facts: Facts, verdict: Verdict) -> Verdict:
    """The same verdict with the evidence of each criterion."""
    values = values_of(policy, facts)
    known = {one.criterion.name: one for one in ready(policy).criteria}
    judged = tuple(Judged(one.name, one.value, evidence(known[one.name], one.value, values)) for one in verdict.criteria)
    return msgspec.structs.replace(verdict, criteria=judged)


def _rule(answer: Asked, rule: Rule | None, values: Values) -> ExplainedRule:
    if rule is None:  # an illegal status or move
        return ExplainedRule(answer.rule_id, answer.section, answer.outcome, answer.blocked)
    to_status = (rule.means.status if rule.means is not None else "") or rule.to_status
    clauses = _clauses(rule.when, values)
    return ExplainedRule(answer.rule_id, answer.section, answer.outcome, answer.blocked, to_status, rule.line, clauses)


def _clauses(expression: Expression | None, values: Values) -> tuple[Reason, ...]:
    found = expression.explain(values) if expression is not None else []
    return tuple(Reason(clause.text, clause.result, clause.why, clause.line) for clause in found)


def _may_still_move(rule: ExplainedRule) -> bool:
    is_moving = rule.section in MOVING and bool(rule.to_status)
    return is_moving and rule.outcome == "blocked" and rule.blocked not in ("status", "no_target", "earlier_rule")


def _change(rule: ExplainedRule) -> Change:
    missing = tuple(clause for clause in rule.clauses if not clause.holds) if rule.blocked == "condition" else ()
    return Change(rule.rule_id, rule.to_status, rule.blocked, missing)
