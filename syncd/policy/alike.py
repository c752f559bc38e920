"""Where two policies cannot decide differently: in a changed policy most statuses are as they were. Pure.

Two rules are alike when they say the same, wherever they stand in their files.
"""

from __future__ import annotations

from typing import Any

import msgspec

from syncd.expressions import Expression
from syncd.policy.compiled import ReadyPolicy, ready
from syncd.policy.evaluate import evaluate_ready
from syncd.policy.model import Facts, Target, Verdict
from syncd.policy.policy import Policy
from syncd.policy.turn import target_of
from syncd.policy.ways import Ways, asked_rules, ways_of

_BESIDE = frozenset({"line", "meaning", "next_action"})
"""What changes no decision."""


class Beside:
    """A second policy, asked about the same people as a first one."""

    def __init__(self, first: Policy, second: Policy) -> None:
        """Nobody was asked about yet."""
        self._first, self._second = ready(first), ready(second)
        self._has_one_frame = _frame(self._first) == _frame(self._second)
        self._programs = {
            one.program.name: (one, other)
            for one, other in zip(self._first.programs, self._second.programs, strict=False)
            if self._has_one_frame
        }
        self._alike: dict[tuple[str, Target | None, str], bool] = {}

    def verdict(self, first: Verdict, facts: Facts) -> Verdict:
        """What the second policy decides of `facts`, of which the first one has decided `first`; in brief, without when to look again.

        Where both decide alike it is `first` itself: of rules that are out of place, the answers of the first policy stand for
        those of the second one.
        """
        # What becomes of a hold period, or of somebody on hold, every rule of a program has a say in.
        is_told = self._has_one_frame and not facts.waiting and bool(first.asked) and first.asked[0].blocked != "held"
        if is_told and self._is_alike(first.program, target_of(facts), first.from_status):
            return first
        return evaluate_ready(self._second, facts, is_brief=True, looks=False)

    def _is_alike(self, program: str, target: Target | None, status: str) -> bool:
        key = program, target, status
        found = self._alike.get(key)
        if found is None:
            one, other = self._programs[program]
            mine, theirs = ways_of(self._first, one, target, status), ways_of(self._second, other, target, status)
            found = self._alike[key] = _asked(mine) == _asked(theirs)
        return found


def _frame(policy: ReadyPolicy) -> object:
    """Everything that decides besides the rules that are in place somewhere."""
    whole = policy.policy
    return _meaning(
        (
            (
                whole.time_zone,
                whole.min_days_in_status,
                whole.enforcement,
                whole.fields.hold_until,
                whole.standards,
                whole.limits,
            ),
            [(one.program, [rule.rule.means for rule in one.moving if rule.rule.means]) for one in policy.programs],
        )
    )


def _asked(ways: Ways) -> object:
    """What the rules in place say. One that both moves and acts counts twice, so that it is the same in both ways."""
    return _meaning([one.rule for one in asked_rules(ways)])


def _meaning(value: Any) -> object:
    """A value to compare with others of its kind: an expression by its words, everything else by its parts."""
    if isinstance(value, Expression):
        return value.text, value.kind
    if isinstance(value, msgspec.Struct):
        return [(name, _meaning(getattr(value, name))) for name in value.__struct_fields__ if name not in _BESIDE]
    if isinstance(value, dict):
        return [(name, _meaning(one)) for name, one in value.items()]
    if isinstance(value, list | tuple):
        return [_meaning(one) for one in value]
    return value
