"""Which rule moves the status, if any: illegal statuses, revive, rules, recycle, archive, in this order. Pure.

Only open leads have a status. The first rule that may fire moves it; later ones say what they would have done.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from syncd.policy.compiled import ReadyRule
from syncd.policy.model import ArchiveMeans, Asked, Enforcement, Facts, IllegalDo, Program, Section, StatusChange, Target
from syncd.policy.turn import NEVER, Turn, later
from syncd.policy.values import iso, last_change
from syncd.policy.ways import moves_nowhere


class Move(msgspec.Struct, frozen=True):
    """What moves the status. `rule` is None for an illegal status; `to_status` is "" when archiving is no status here."""

    rule_id: str
    to_status: str
    reason: str
    rule: ReadyRule | None = None
    occasion: str = ""


def move(turn: Turn) -> Move | None:
    """The move of this evaluation, with the answer of every moving rule noted."""
    moved = _illegal(turn)
    turn.stops += sorted(rule_id for rule_id in turn.facts.waiting if rule_id not in turn.program.rules)
    for one in turn.ways.moving:
        if isinstance(one, tuple):
            turn.asked += one
            continue
        word = _blocked(turn, one, is_free=moved is None)
        if word:
            turn.asked.append(one.blocked[word])
            continue
        turn.asked.append(one.fired)
        if one.rule.hold_days and one.is_enforced:
            turn.stops.append(one.rule.rule_id)
        if one.is_enforced and moved is None:
            moved = Move(one.rule.rule_id, one.to_status, one.rule.reason, one, _occasion(turn, one))
    return moved


def archived_by(turn: Turn) -> ArchiveMeans | None:
    """By what means the lead is archived at present; None if it is not."""
    fields = turn.facts.standing.fields if turn.facts.standing is not None else {}
    for one in turn.program.moving:
        means = one.rule.means
        if means is not None and (
            (means.status and means.status == turn.status) or (means.flag and fields.get(means.flag) is True)
        ):
            return means
    return None


def changed_by_person(turn: Turn) -> bool:
    """Whether a person set the present status; where the history lacks the present one, nobody of ours did."""
    change = last_change(turn.facts)
    return change is not None and (change.by_person or change.status != turn.status)


def _illegal(turn: Turn) -> Move | None:
    """Report what the program does not allow, and put it right if the policy says how."""
    program = turn.program.program
    if turn.target is not Target.LEAD or not turn.status:
        return None
    is_known = turn.status in program.statuses
    change = last_change(turn.facts)
    if is_known and (change is None or not change.by_person):  # the usual case: nobody can have done anything illegal
        return None
    before = _before(turn.facts, turn.status)
    if not is_known:
        rule_id, reason = "illegal_status", f'"{turn.status}" is no status of {program.name}.'
    elif _is_illegal_move(turn, before):
        rule_id, reason = "illegal_move", f'{program.name} lets nobody in the org move from "{before}" to "{turn.status}".'
    else:
        return None
    target = _put_right(program, turn.status, before)
    outcome = "fired" if turn.policy.policy.enforcement is Enforcement.ENFORCE else "observed"
    if program.illegal is not IllegalDo.REPORT and not target:
        turn.asked.append(Asked(rule_id, Section.ILLEGAL, "blocked", "not_allowed"))
        return None
    if target and _is_too_soon(turn, target):
        turn.asked.append(Asked(rule_id, Section.ILLEGAL, "blocked", "too_soon"))
        return None
    turn.asked.append(Asked(rule_id, Section.ILLEGAL, outcome))
    return Move(rule_id, target, reason, occasion=iso(turn.status_at)) if target and outcome == "fired" else None


def _is_illegal_move(turn: Turn, before: str) -> bool:
    """Whether a person made the last move and may not have; to leave a status that is itself illegal is never wrong."""
    change = last_change(turn.facts)
    if change is None or not change.by_person or change.status != turn.status or before == turn.status:
        return False
    return before in turn.program.program.statuses and (before, turn.status) not in turn.program.allowed_for_reps


def _put_right(program: Program, status: str, before: str) -> str:
    """The legal status to go to; "" if there is none or nothing is to be done."""
    found = {IllegalDo.REVERT: before, IllegalDo.MAP: program.illegal_map.get(status, "")}.get(program.illegal, "")
    known = program.statuses.get(found)
    return found if known is not None and not known.is_converted and found != status else ""


def _before(facts: Facts, status: str) -> str:
    """The status before the present one; "" if it was not seen."""
    changes = facts.standing.statuses if facts.standing is not None else ()
    if changes and changes[-1].status != status:
        return changes[-1].status
    return changes[-2].status if len(changes) > 1 else ""


def _blocked(turn: Turn, one: ReadyRule, *, is_free: bool) -> str:
    """Why the rule does not move the status; "" if it does."""
    rule = one.rule
    if turn.ways.is_whole and (word := moves_nowhere(one, turn.target, turn.status)):
        if turn.target is not Target.LEAD or word == "status":
            _stop(turn, one)
        return word
    if not turn.holds(one.when) or not _is_asked_for(turn, one):
        _stop(turn, one)
        return "condition"
    if not is_free:
        return "earlier_rule"
    if rule.section is Section.ARCHIVE and _was_archived(turn, one):
        _stop(turn, one)
        return "done_before"
    clocks = _clocks(turn, one)
    for at in clocks.values():
        turn.wait_for(at)
    return _guarded(turn, one, clocks)


def _guarded(turn: Turn, one: ReadyRule, clocks: dict[str, datetime]) -> str:
    """The guard that a rule whose condition holds runs into; "" if none."""
    rule, now = one.rule, turn.facts.now
    if one.to_status and not _is_allowed(turn, one):
        return "not_allowed"
    if changed_by_person(turn):
        if not rule.overrides_rep:
            return "rep_edit"
        at = turn.evidence_at(one.when, clocks.values())
        if at is None or (turn.status_at is not None and at <= turn.status_at):
            return "rep_edit"
    if one.to_status and _is_too_soon(turn, one.to_status):
        return "too_soon"
    if rule.section is Section.ARCHIVE and (word := archive_guard(turn, one)):
        return word
    return next((word for word, at in clocks.items() if at > now), "")


def _is_allowed(turn: Turn, one: ReadyRule) -> bool:
    """Whether the program lets syncd make the move; a terminal status is left only by revive."""
    present = turn.program.program.statuses.get(turn.status)
    if present is not None and present.is_terminal and one.rule.section is not Section.REVIVE:
        return False
    return (turn.status, one.to_status) in turn.program.allowed


def _is_too_soon(turn: Turn, target: str) -> bool:
    """Whether syncd itself left `target` within `min_days_in_status`, no person having moved the status since."""
    changes: tuple[StatusChange, ...] = turn.facts.standing.statuses if turn.facts.standing is not None else ()
    if not changes or changes[-1].status != turn.status:
        return False
    for before, after in zip(reversed(changes[:-1]), reversed(changes[1:]), strict=True):
        end = later(after.at, days=turn.policy.policy.min_days_in_status)
        if after.by_person:
            return False
        if before.status == target:
            turn.wait_for(end)
            return turn.facts.now < end
    return False


def _is_asked_for(turn: Turn, one: ReadyRule) -> bool:
    """For revive: whether there is intent, which came after the status was entered."""
    if one.rule.section is not Section.REVIVE:
        return True
    return _intent_at(turn, one) is not None


def _intent_at(turn: Turn, one: ReadyRule) -> datetime | None:
    """When the newest intent came: a news touch on a channel of the rule, or news by which a criterion is met."""
    facts, entered_at = turn.facts, turn.status_at
    if entered_at is None:
        return None
    rule = one.rule
    found = [touch.at for touch in facts.touches if touch.is_news and touch.channel in rule.intent and touch.at > entered_at]
    if (
        facts.news_at is not None
        and facts.news_at > entered_at
        and any(turn.values["criteria"].get(name) for name in rule.intent_criteria)
    ):
        found.append(facts.news_at)
    for at in found:
        turn.wait_for(at)  # a source whose clock is ahead
    return max((at for at in found if at <= facts.now), default=None)


def _clocks(turn: Turn, one: ReadyRule) -> dict[str, datetime]:
    """The rule's own clocks besides its condition, by the word that says that one is still running."""
    rule, entered_at = one.rule, turn.status_at
    if rule.section is Section.RECYCLE:
        if rule.after_days is None:
            return {}
        return {"waiting": later(entered_at, days=rule.after_days)} if entered_at is not None else {"waiting": NEVER}
    if rule.section is not Section.ARCHIVE:
        return {}
    clocks = {}
    if rule.inactive_days:
        silent_since = last_activity(turn)
        clocks["active"] = later(silent_since, days=rule.inactive_days) if silent_since is not None else NEVER
    if rule.hold_days:
        end = turn.facts.waiting.get(rule.rule_id)
        if end is None:
            end = later(turn.facts.now, days=rule.hold_days)
            turn.starts[rule.rule_id] = end
        clocks["waiting"] = end
    return clocks


def last_activity(turn: Turn) -> datetime | None:
    """The newest sign of life of anybody; None if nothing is known, and then nobody knows that it is silent."""
    facts, standing = turn.facts, turn.facts.standing
    found = [touch.at for touch in facts.touches]
    edges = (standing.edited_at, standing.created_at) if standing is not None else ()
    found += [at for at in (facts.last_activity_at, turn.status_at, *edges) if at is not None]
    return max(found, default=None)


def archive_guard(turn: Turn, one: ReadyRule) -> str:
    """What archiving never passes over, whatever the condition says."""
    facts, standing = turn.facts, turn.facts.standing
    if facts.open_tasks > 0:
        return "open_work"
    if facts.next_event_at is not None and facts.next_event_at > facts.now:
        turn.wait_for(facts.next_event_at)
        return "open_work"
    if one.rule.unedited_days and standing is not None and standing.edited_at is not None:
        end = later(standing.edited_at, days=one.rule.unedited_days)
        turn.wait_for(end)
        if end > facts.now:
            return "rep_edit"
    return ""


def _was_archived(turn: Turn, one: ReadyRule) -> bool:
    """Whether archiving that is no status was done already: the flag says so, else that the rule fired in this stay."""
    means = one.rule.means
    if means is None or means.status:
        return False
    if means.flag:
        return archived_by(turn) is not None
    fired_at = turn.facts.fired.get(one.rule.rule_id)
    return fired_at is not None and (turn.status_at is None or fired_at >= turn.status_at)


def _stop(turn: Turn, one: ReadyRule) -> None:
    """Forget a hold period whose condition holds no more."""
    if one.rule.rule_id in turn.facts.waiting:
        turn.stops.append(one.rule.rule_id)


def _occasion(turn: Turn, one: ReadyRule) -> str:
    """What makes the move's actions once: the touch that revives, else the stay in the status that ends."""
    return iso(_intent_at(turn, one) if one.rule.section is Section.REVIVE else turn.status_at)
