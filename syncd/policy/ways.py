"""The rules of a program as they are asked of whoever stands in one status: most are out of place there, and their answers are made once. Pure.

What is out of place can be told by the target and the status alone; a rule that gets as far as its condition is asked each time.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from syncd.expressions import Expression
from syncd.policy.compiled import ReadyCriterion, ReadyPolicy, ReadyProgram, ReadyRule
from syncd.policy.model import Asked, Section, Target

_ELSEWHERE = "\0"
"""Stands for every status that no rule names."""

Asking = ReadyRule | tuple[Asked, ...]
"""A rule to be asked, or the answers of those that need not be."""


class Ways(msgspec.Struct, frozen=True):
    """Everything that is asked, in order: what moves, what converts and opens, what acts on the present status, and what deletes.

    Attributes:
        criteria: Those that any of it rests on; likewise the score and whether the person is qualified.
        is_whole: Whether rules that are out of place are among those to be asked.
    """

    moving: tuple[Asking, ...]
    converting: tuple[Asking, ...]
    opening: tuple[Asking, ...]
    acting: tuple[Asking, ...]
    deleting: tuple[ReadyRule, ...]
    criteria: tuple[ReadyCriterion, ...]
    reads_score: bool = True
    reads_qualified: bool = True
    is_whole: bool = True


def ways_of(policy: ReadyPolicy, program: ReadyProgram, target: Target | None, status: str) -> Ways:
    """What is asked of somebody who is `target` for rules, in `status`; made once and kept."""
    key = target, status if status in program.named or not status else _ELSEWHERE
    found = program.ways.get(key)
    if found is None:
        found = program.ways[key] = _made(policy, program, *key)
    return found


def all_ways(policy: ReadyPolicy, program: ReadyProgram) -> Ways:
    """The same with every rule to be asked: also a rule that is out of place ends a hold period."""
    later = program.later
    return Ways(
        program.moving,
        later[Section.CONVERT],
        later[Section.OPPORTUNITY],
        _acting(program),
        later[Section.DELETE],
        policy.criteria,
    )


def moves_nowhere(one: ReadyRule, target: Target | None, status: str) -> str:
    """Why the rule cannot move whoever this is, whatever is known of them; "" if it may."""
    rule = one.rule
    if target is not Target.LEAD or rule.target is not Target.LEAD:
        return "no_target"
    is_here = bool(status) and (one.from_statuses is None or status in one.from_statuses) and one.to_status != status
    return "" if is_here and (one.to_status or rule.means is not None) else "status"


def converts_nobody(one: ReadyRule, program: ReadyProgram, target: Target | None, status: str) -> str:
    """The same of a rule that converts."""
    if target is not Target.LEAD:
        return "no_target"
    is_here = status in program.program.statuses and (one.from_statuses is None or status in one.from_statuses)
    return "" if is_here else "status"


def reaches(wanted: Target, target: Target | None) -> bool:
    """Whether whoever is `target` may be what a rule is about; an account is reached through its contact."""
    return target is (Target.CONTACT if wanted is Target.ACCOUNT else wanted)


def acts_on_nobody(one: ReadyRule, target: Target | None, status: str) -> str:
    """The same of a rule that does something on the present status."""
    if not reaches(one.rule.target, target):
        return "no_target"
    return "status" if one.from_statuses is not None and status not in one.from_statuses else ""


def _acting(program: ReadyProgram) -> tuple[ReadyRule, ...]:
    later = program.later
    recycling = (one for one in later[Section.RECYCLE] if one.rule.actions)
    return (*later[Section.NURTURE], *recycling, *later[Section.SLA])


def _made(policy: ReadyPolicy, program: ReadyProgram, target: Target | None, status: str) -> Ways:
    # A rule that both moves and acts has one answer (`doing`): with its actions, if it is out of place for both.
    words = {one.rule.rule_id: acts_on_nobody(one, target, status) for one in _acting(program)}
    moving = [
        (one, word)
        for one in program.moving
        if not (word := moves_nowhere(one, target, status)) or words.get(one.rule.rule_id) != word
    ]
    moves = {one.rule.rule_id for one, _ in moving}
    ways = Ways(
        moving=_joined(moving),
        converting=_joined((one, converts_nobody(one, program, target, status)) for one in program.later[Section.CONVERT]),
        opening=_joined(
            # That of a lead comes with its conversion.
            (one, "" if one.rule.target is Target.LEAD or reaches(one.rule.target, target) else "no_target")
            for one in program.later[Section.OPPORTUNITY]
        ),
        acting=_joined((one, "" if one.rule.rule_id in moves else words[one.rule.rule_id]) for one in _acting(program)),
        # Whether the lead is away tells neither target nor status: these are asked each time.
        deleting=tuple(program.later[Section.DELETE]),
        criteria=(),
    )
    names = _read(policy, ways)
    criteria = tuple(one for one in policy.criteria if f"criteria.{one.criterion.name}" in names)
    return msgspec.structs.replace(
        ways, criteria=criteria, reads_score="score" in names, reads_qualified="qualified" in names, is_whole=False
    )


def asked_rules(ways: Ways) -> list[ReadyRule]:
    """The rules that are in place."""
    every = (*ways.moving, *ways.converting, *ways.opening, *ways.acting, *ways.deleting)
    return [one for one in every if isinstance(one, ReadyRule)]


def _read(policy: ReadyPolicy, ways: Ways) -> set[str]:
    """Every variable that the rules in place rest on, through criteria and `qualified` as well."""
    asked: list[Expression] = [limit.call for limit in policy.limits.values()]
    left: list[str] = []
    for one in asked_rules(ways):
        asked += [one.when.call] if one.when is not None else []
        asked += [expression for action in one.rule.actions for expression in action.fields.values()]
        left += [f"criteria.{name}" for name in one.rule.intent_criteria]
    behind = {f"criteria.{one.criterion.name}": (one.met, one.unmet) for one in policy.criteria} | {
        "qualified": (policy.qualified,)
    }
    left += [name for expression in asked for name in expression.names]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [other for one in behind.get(name, ()) if one is not None for other in one.call.names]
    return found


def _joined(asked: Iterable[tuple[ReadyRule, str]]) -> tuple[Asking, ...]:
    """Rules with the word that answers for them, if any; answers that follow each other in one."""
    found: list[Asking] = []
    for one, word in asked:
        if not word:
            found.append(one)
        elif found and isinstance(found[-1], tuple):
            found[-1] = (*found[-1], one.blocked[word])
        else:
            found.append((one.blocked[word],))
    return tuple(found)
