"""A policy made ready: what can be worked out once for everybody. Pure.

The terms of all conditions that read the clock are numbered; a condition holds its own as bits of one integer,
so that a pass collects with one `|` what it has to ask for the next look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from syncd.expressions import Expression
from syncd.expressions.moments import Step, steps
from syncd.policy.model import (
    MOVING,
    ActionKind,
    Asked,
    Criterion,
    Judged,
    Mover,
    Program,
    Rule,
    ScoreRule,
    Section,
    Target,
)
from syncd.policy.needs import expressions_of
from syncd.policy.policy import Policy
from syncd.policy.values import Named, named_in

BLOCKED = (
    "condition", "status", "not_allowed", "rep_edit", "held", "too_soon", "waiting", "done_before", "consent", "earlier_rule",
    "no_target", "open_work", "active",
)  # fmt: skip
_KEPT = 16
"""Policies kept ready: the running one, a simulated one, and those of tests."""


class Condition(msgspec.Struct, frozen=True):
    """An expression with the clocked terms it reads.

    Attributes:
        run: What calling the expression does.
        own: Bits of its own terms.
        all: Its own and those of the criteria, of `qualified` and of the score that it names.
        reads_score: By itself or through a criterion or `qualified`.
    """

    call: Expression
    run: Callable[[Mapping[str, Any]], Any]
    own: int = 0
    all: int = 0
    reads_score: bool = False


class ReadyRule(msgspec.Struct, frozen=True):
    """A rule with its condition, and the answers it can give, made once.

    `from_statuses` None stands for all. `to_status` is also the status that archiving means.
    """

    rule: Rule
    when: Condition | None
    from_statuses: frozenset[str] | None
    to_status: str
    is_enforced: bool
    fired: Asked
    blocked: dict[str, Asked]


class ReadyProgram(msgspec.Struct, frozen=True):
    """A program with the rules that are asked in it: those that move, and by section those that come afterwards.

    Attributes:
        named: Statuses that rules name; all others are alike to them.
        ways: What is asked of whom (`syncd.policy.ways`), filled as they come.
    """

    program: Program
    applies_to: Condition | None
    moving: tuple[ReadyRule, ...]
    later: dict[Section, tuple[ReadyRule, ...]]
    rules: dict[str, ReadyRule]
    allowed: frozenset[tuple[str, str]]
    allowed_for_reps: frozenset[tuple[str, str]]
    named: frozenset[str]
    ways: dict[tuple[Target | None, str], Any]


class ReadyCriterion(msgspec.Struct, frozen=True):
    """A criterion with its conditions, and what becomes of it, made once."""

    criterion: Criterion
    met: Condition | None
    unmet: Condition | None
    judged: dict[bool | None, Judged]


class ReadyPolicy(msgspec.Struct, frozen=True):
    """A policy made ready.

    Attributes:
        clocked: The numbered terms; `score_bits` those that scoring reads.
        always: What everybody whom a program is for is asked, the criteria and `qualified`, as one condition; not to be called.
        named: Which variables anything reads.
    """

    policy: Policy
    zone: tzinfo
    clocked: tuple[Step, ...]
    programs: tuple[ReadyProgram, ...]
    criteria: tuple[ReadyCriterion, ...]
    scoring: tuple[tuple[ScoreRule, Condition | None], ...]
    qualified: Condition | None
    limits: dict[ActionKind, Condition]
    score_bits: int
    always: Condition | None
    named: Named


_ready: dict[int, ReadyPolicy] = {}


def ready(policy: Policy) -> ReadyPolicy:
    """The policy made ready, the same one for the same object. Kept by identity: two policies may share a digest by mistake."""
    found = _ready.get(id(policy))
    if found is not None and found.policy is policy:
        return found
    if len(_ready) >= _KEPT:
        _ready.clear()
    _ready[id(policy)] = found = _Maker(policy).make()  # it holds the policy, so the id stays its own
    return found


class _Maker:
    """Collects the clocked terms while it goes through the policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._numbers: dict[Step, int] = {}
        self._named: dict[str, Condition] = {}  # criteria and `qualified`, by the variable that stands for them
        self._score_bits = 0

    def make(self) -> ReadyPolicy:
        policy, standards = self._policy, self._policy.standards
        scoring = tuple((one, self._condition(one.when)) for one in standards.scoring)
        for _, when in scoring:
            self._score_bits |= when.all if when is not None else 0
        criteria = tuple(self._criterion(one) for one in standards.criteria)
        qualified = self._condition(standards.qualified)
        if qualified is not None:
            self._named["qualified"] = qualified
        limits = {kind: found for kind, limit in policy.limits.items() if (found := self._condition(limit)) is not None}
        programs = tuple(self._program(one) for one in policy.programs)
        judging = [one for criterion in criteria for one in (criterion.met, criterion.unmet) if one is not None]
        return ReadyPolicy(
            policy=policy,
            zone=ZoneInfo(policy.time_zone),
            clocked=tuple(self._numbers),
            programs=programs,
            criteria=criteria,
            scoring=scoring,
            qualified=qualified,
            limits=limits,
            score_bits=self._score_bits,
            always=_together([*judging, *([qualified] if qualified is not None else [])]),
            named=named_in(name for _, expression in expressions_of(policy) for name in expression.names),
        )

    def _condition(self, expression: Expression | None) -> Condition | None:
        if expression is None:
            return None
        own = 0
        for step in steps(expression):
            own |= 1 << self._numbers.setdefault(step, len(self._numbers))
        named = [found for name in expression.names if (found := self._named.get(name)) is not None]
        reads_score = "score" in expression.names or any(one.reads_score for one in named)
        return Condition(
            expression,
            expression.run,
            own,
            own | _union(one.all for one in named) | (self._score_bits * reads_score),
            reads_score,
        )

    def _criterion(self, criterion: Criterion) -> ReadyCriterion:
        judged = {value: Judged(criterion.name, value) for value in (True, False, None)}
        made = ReadyCriterion(criterion, self._condition(criterion.met), self._condition(criterion.unmet), judged)
        both = _together([one for one in (made.met, made.unmet) if one is not None])
        if both is not None:
            self._named[f"criteria.{criterion.name}"] = both
        return made

    def _program(self, program: Program) -> ReadyProgram:
        rules = [self._rule(rule) for rule in self._policy.rules if rule.program in ("", program.name)]
        later: dict[Section, tuple[ReadyRule, ...]] = {
            section: tuple(one for one in rules if one.rule.section is section) for section in Section if section not in MOVING
        }
        later[Section.RECYCLE] = tuple(one for one in rules if one.rule.section is Section.RECYCLE)
        return ReadyProgram(
            program=program,
            applies_to=self._condition(program.applies_to),
            moving=tuple(sorted((one for one in rules if _may_move(one)), key=lambda one: MOVING.index(one.rule.section))),
            later=later,
            rules={one.rule.rule_id: one for one in rules},
            allowed=_pairs(program, Mover.SYNCD),
            allowed_for_reps=_pairs(program, Mover.REP),
            named=frozenset(
                {*program.statuses, *(name for one in rules for name in (*(one.from_statuses or ()), one.to_status))} - {""}
            ),
            ways={},
        )

    def _rule(self, rule: Rule) -> ReadyRule:
        is_enforced = rule.enforcement == "enforce"
        return ReadyRule(
            rule=rule,
            when=self._condition(rule.when),
            from_statuses=frozenset(rule.from_statuses) or None,
            to_status=(rule.means.status if rule.means is not None else "") or rule.to_status,
            is_enforced=is_enforced,
            fired=Asked(rule.rule_id, rule.section, "fired" if is_enforced else "observed"),
            blocked={word: Asked(rule.rule_id, rule.section, "blocked", word) for word in BLOCKED},
        )


def _may_move(ready_rule: ReadyRule) -> bool:
    """A recycle rule without a status to move to only does something."""
    rule = ready_rule.rule
    return rule.section in MOVING and (rule.section is not Section.RECYCLE or bool(rule.to_status))


def _pairs(program: Program, mover: Mover) -> frozenset[tuple[str, str]]:
    return frozenset((one.from_status, one.to_status) for one in program.transitions if one.by in (mover, Mover.BOTH))


def _together(conditions: Sequence[Condition]) -> Condition | None:
    """What all of them read, as one condition that stands for them; None for none."""
    if not conditions:
        return None
    bits = _union(one.all for one in conditions)
    return Condition(conditions[0].call, conditions[0].run, bits, bits, any(one.reads_score for one in conditions))


def _union(bits: Iterable[int]) -> int:
    found = 0
    for one in bits:
        found |= one
    return found
