"""One person and the company's standards to one verdict. Pure: the same policy and facts give the same verdict.

The order is fixed: program, score, criteria, hold, illegal statuses, moves of the status (`moving`), conversion and opportunity,
deletion after retention (`deleting`), then what is done on the present status (`doing`). Nothing here depends on the order of touches or sources.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from syncd.expressions.moments import begin
from syncd.expressions.reading import as_day
from syncd.policy.compiled import Condition, ReadyPolicy, ReadyProgram, ReadyRule, ready
from syncd.policy.criteria import judge
from syncd.policy.deleting import delete
from syncd.policy.doing import act, convert
from syncd.policy.model import ArchiveMeans, Facts, Section, Verdict
from syncd.policy.moving import Move, archived_by, move
from syncd.policy.policy import Policy
from syncd.policy.score import score
from syncd.policy.turn import Turn
from syncd.policy.values import Values, build_values


def evaluate(policy: Policy, facts: Facts) -> Verdict:
    """What the policy wants for one person now, and when to look again.

    The verdict of somebody whom no program is for holds nothing but that next look.
    """
    turn = Turn(ready(policy), facts, build_values(facts))
    chosen = _program(turn)
    if chosen is None:
        return Verdict(facts.person_id, look_at=turn.look_at())
    turn.program = chosen
    points, given = score(turn.policy, facts, turn.values)
    turn.values["score"] = points
    criteria, is_qualified = judge(turn.policy, turn.values)
    moved: Move | None = None
    converting: ReadyRule | None = None
    opens, deletes, actions = "", "", []
    keeps: dict[str, datetime] = {}
    if _is_held(turn):
        turn.asked = [one.blocked["held"] for one in chosen.rules.values()]
    else:
        for condition in _asked_always(turn.policy):
            turn.note(condition)
        moved = move(turn)
        converting, opens = convert(turn, moved)
        deletes, keeps = delete(turn, is_free=moved is None and converting is None)
        actions = act(turn, moved)
    firing = moved.rule if moved is not None else converting
    to_status = moved.to_status if moved is not None else ""
    stands = chosen.program.statuses.get(to_status or turn.status)
    return Verdict(
        person_id=facts.person_id,
        program=chosen.program.name,
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
        criteria=criteria,
        score=points,
        points=given,
        is_qualified=is_qualified,
        starts=turn.starts,
        stops=tuple(turn.stops),
        look_at=turn.look_at(),
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
    return next((one for one in turn.policy.programs if turn.holds(one.applies_to)), None)


def _is_held(turn: Turn) -> bool:
    """Whether a rep's hold is on, which ends with the day that they wrote."""
    field, standing = turn.policy.policy.fields.hold_until, turn.facts.standing
    day = as_day(standing.fields.get(field)) if field and standing is not None else None
    if day is None or day < turn.values["today"]:
        return False
    with suppress(OverflowError):  # the end of the calendar: never
        turn.wait_for(begin(day, 1, turn.policy.zone))
    return True


def _asked_always(policy: ReadyPolicy) -> list[Condition]:
    """The conditions of the criteria and of `qualified`, which everybody's verdict holds."""
    found = [condition for one in policy.criteria for condition in (one.met, one.unmet)]
    return [condition for condition in (*found, policy.qualified) if condition is not None]


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
