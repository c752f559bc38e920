"""One person and the company's standards to one verdict. Pure: the same policy and facts give the same verdict.

The order is fixed: program, score, criteria, hold, illegal statuses, moves of the status (`moving`), conversion and opportunity,
deletion after retention (`deleting`), then what is done on the present status (`doing`). Nothing here depends on the order of touches or sources.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from syncd.expressions.moments import begin
from syncd.expressions.reading import as_day
from syncd.policy.compiled import ReadyPolicy, ReadyProgram, ReadyRule, ready
from syncd.policy.criteria import judge, judge_needed
from syncd.policy.deleting import delete
from syncd.policy.doing import act, convert
from syncd.policy.model import ArchiveMeans, Facts, Judged, Points, Section, Verdict
from syncd.policy.moving import Move, archived_by, move
from syncd.policy.policy import Policy
from syncd.policy.score import score
from syncd.policy.turn import Turn
from syncd.policy.values import Values, build_values
from syncd.policy.ways import all_ways, ways_of


def evaluate(policy: Policy, facts: Facts) -> Verdict:
    """What the policy wants for one person now, and when to look again.

    The verdict of somebody whom no program is for holds nothing but that next look.
    """
    return evaluate_ready(ready(policy), facts)


def evaluate_ready(
    policy: ReadyPolicy, facts: Facts, *, is_whole: bool = False, is_brief: bool = False, looks: bool = True
) -> Verdict:
    """The same of a policy that was made ready.

    Args:
        policy: As `ready` gives it.
        facts: The person.
        is_whole: Ask also the rules that are out of place, and work everything out: it gives the same, slowly.
        is_brief: Leave out the criteria, the score and whether they are qualified; what the rules ask of them they get.
        looks: Whether to tell when to look again.
    """
    turn = Turn(policy, facts, build_values(facts) if is_whole else build_values(facts, policy.named))
    chosen = _program(turn)
    if chosen is None:
        return Verdict(facts.person_id, look_at=turn.look_at() if looks else None)
    turn.program = chosen
    # Where a hold period runs, also a rule that is out of place has a say: it ends it.
    is_whole = is_whole or bool(facts.waiting)
    turn.ways = all_ways(policy, chosen) if is_whole else ways_of(policy, chosen, turn.target, turn.status)
    standards = _brief_standards(turn) if is_brief else _standards(turn)
    return _verdict(turn, standards, looks=looks)


class _Judged(NamedTuple):
    """What the standards say of the person; empty in brief."""

    criteria: tuple[Judged, ...] = ()
    is_qualified: bool | None = None
    score: int = 0
    points: tuple[Points, ...] = ()


def _standards(turn: Turn) -> _Judged:
    points, given = score(turn.policy, turn.facts, turn.values)
    turn.values["score"] = points
    criteria, is_qualified = judge(turn.policy, turn.values)
    return _Judged(criteria, is_qualified, points, given)


def _brief_standards(turn: Turn) -> _Judged:
    """Only what the rules in place ask for, and only for them."""
    turn.values["score"] = score(turn.policy, turn.facts, turn.values)[0] if turn.ways.reads_score else 0
    judge_needed(turn.policy, turn.ways, turn.values)
    return _Judged()


def _verdict(turn: Turn, standards: _Judged, *, looks: bool) -> Verdict:
    """Ask the rules, unless a hold is on."""
    moved: Move | None = None
    converting: ReadyRule | None = None
    opens, deletes, actions = "", "", []
    keeps: dict[str, datetime] = {}
    if _is_held(turn):
        turn.asked = [one.blocked["held"] for one in turn.program.rules.values()]
    else:
        if turn.policy.always is not None:
            turn.note(turn.policy.always)
        moved = move(turn)
        converting, opens = convert(turn, moved)
        deletes, keeps = delete(turn, is_free=moved is None and converting is None)
        actions = act(turn, moved)
    firing = moved.rule if moved is not None else converting
    to_status = moved.to_status if moved is not None else ""
    stands = turn.program.program.statuses.get(to_status or turn.status)
    return Verdict(
        person_id=turn.facts.person_id,
        program=turn.program.program.name,
        rule_id=moved.rule_id if moved is not None else converting.rule.rule_id if converting is not None else "",
        reason=moved.reason if moved is not None else converting.rule.reason if converting is not None else "",
        from_status=turn.status,
        to_status=to_status,
        is_backward=moved is not None and _is_backward(turn, moved),
        next_action=stands.next_action if stands is not None else "",
        owner=firing.rule.owner if moved is not None and firing is not None else "",
        means=_means(turn, moved),
        is_unarchived=moved is not None and _is_revive(moved) and archived_by(turn) is not None,
        converts=converting.rule.rule_id if converting is not None else "",
        opens=opens,
        deletes=deletes,
        keeps=keeps,
        actions=tuple(actions),
        asked=tuple(turn.asked),
        criteria=standards.criteria,
        score=standards.score,
        points=standards.points,
        is_qualified=standards.is_qualified,
        starts=turn.starts,
        stops=tuple(turn.stops),
        look_at=turn.look_at() if looks else None,
    )


def values_of(policy: Policy, facts: Facts) -> Values:
    """The values of all variables, standards included, for expressions that are worked out later (an opportunity's fields)."""
    made = ready(policy)
    values = build_values(facts)
    values["score"] = score(made, facts, values)[0]
    judge(made, values)
    return values


def _program(turn: Turn) -> ReadyProgram | None:
    """The first program that applies."""
    for one in turn.policy.programs:
        if one.applies_to is None or turn.holds(one.applies_to):
            return one
    return None


def _is_held(turn: Turn) -> bool:
    """Whether a rep's hold is on, which ends with the day that they wrote."""
    field, standing = turn.policy.policy.fields.hold_until, turn.facts.standing
    day = as_day(standing.fields.get(field)) if field and standing is not None else None
    if day is None or day < turn.values["today"]:
        return False
    with suppress(OverflowError):  # the end of the calendar: never
        turn.wait_for(begin(day, 1, turn.policy.zone))
    return True


def _is_backward(turn: Turn, moved: Move) -> bool:
    """Whether the new status lies before the present one, or the move archives."""
    if moved.rule is not None and moved.rule.rule.section is Section.ARCHIVE:
        return True
    statuses = turn.program.program.statuses
    before, after = statuses.get(turn.status), statuses.get(moved.to_status)
    return before is not None and after is not None and after.place < before.place


def _is_revive(moved: Move) -> bool:
    return moved.rule is not None and moved.rule.rule.section is Section.REVIVE


def _means(turn: Turn, moved: Move | None) -> ArchiveMeans | None:
    """How to archive, or what a revive has to take back."""
    if moved is None or moved.rule is None:
        return None
    return archived_by(turn) if _is_revive(moved) else moved.rule.rule.means
