"""What is to be done besides moving the status: conversion, opportunity, nurture, recycle, SLAs, and their actions. Pure."""

from __future__ import annotations

from syncd.model import DealState
from syncd.policy.compiled import ReadyRule
from syncd.policy.model import WITH_LEAVE, Action, ConversionEvent, Section, Target, Wanted
from syncd.policy.moving import Move
from syncd.policy.turn import Turn, later
from syncd.policy.values import canonical, iso
from syncd.policy.ways import acts_on_nobody, converts_nobody, reaches

PLACEHOLDER_COMPANY = "[not provided]"
"""What a mapping fills in for a company that nobody named (DESIGN 3.4)."""


def convert(turn: Turn, moved: Move | None) -> tuple[ReadyRule | None, str]:
    """The rule that converts the lead and the one that makes an opportunity with it; None and "" where there is none."""
    chosen: ReadyRule | None = None
    opens = ""
    for one in turn.ways.converting:
        if isinstance(one, tuple):
            turn.asked += one
            continue
        word = _convert_blocked(turn, one, is_free=moved is None and chosen is None)
        turn.asked.append(one.blocked[word] if word else one.fired)
        if not word and one.is_enforced:
            chosen = one
    for one in turn.ways.opening:
        if isinstance(one, tuple):
            turn.asked += one
            continue
        word = _opening_blocked(turn, one, chosen, is_free=not opens)
        turn.asked.append(one.blocked[word] if word else one.fired)
        if not word and one.is_enforced:
            opens = one.rule.rule_id
    return chosen, opens


def act(turn: Turn, moved: Move | None) -> list[Wanted]:
    """The actions of the rule that moved the status, and of those that act on the present one."""
    wanted: list[Wanted] = []
    if moved is not None and moved.rule is not None and moved.rule.rule.section is not Section.RECYCLE:
        wanted += _wanted(turn, moved.rule, moved.occasion)
    for one in turn.ways.acting:
        if isinstance(one, tuple):
            turn.asked += one
        elif one.rule.section is Section.RECYCLE:
            _recycle(turn, one, moved, wanted)
        else:
            _act(turn, one, moved, wanted)
    return wanted


def _convert_blocked(turn: Turn, one: ReadyRule, *, is_free: bool) -> str:
    word = converts_nobody(one, turn.program, turn.target, turn.status)
    if word:
        return word
    if not turn.holds(one.when):
        return "condition"
    if not is_free:
        return "earlier_rule"
    converting = one.rule.converting
    target = converting.status if converting is not None else ""
    if target in turn.program.program.statuses and (turn.status, target) not in turn.program.allowed:
        return "not_allowed"
    company = str(turn.values["lead"].get("Company") or "").strip().lower()
    return "no_target" if company in ("", PLACEHOLDER_COMPANY) else ""


def _opening_blocked(turn: Turn, one: ReadyRule, converted_by: ReadyRule | None, *, is_free: bool) -> str:
    """Strict: an opportunity needs a condition of its own, and there is none of the contact or account yet."""
    rule = one.rule
    if rule.target is Target.LEAD:
        converting = converted_by.rule.converting if converted_by is not None else None
        if converting is None or converting.opportunity != rule.rule_id:
            return "no_target"
    elif not _is_target(turn, rule.target):
        return "no_target"
    if one.when is None or not turn.holds(one.when):
        return "condition"
    if not is_free:
        return "earlier_rule"
    is_done = turn.facts.open_opportunities > 0 or (rule.target is not Target.LEAD and rule.rule_id in turn.facts.fired)
    return "done_before" if is_done else ""


def _is_target(turn: Turn, target: Target) -> bool:
    """Whether there is what the rule is about."""
    return reaches(target, turn.target) and (target is not Target.ACCOUNT or bool(turn.facts.account))


def _act(turn: Turn, one: ReadyRule, moved: Move | None, wanted: list[Wanted]) -> bool:
    """Do what the rule says on the present status, unless something is against it; whether it fired."""
    word, occasion = _act_blocked(turn, one, moved)
    found = [] if word else _wanted(turn, one, occasion)
    # An opportunity is told of once for itself, however often the rule has fired.
    told = _of_deals(turn, one) if word in ("", "done_before") else []
    if not word and one.rule.actions and not found and not told:
        word = "no_target" if _waits_for_deals(turn, one) else "consent"
    turn.asked.append(one.blocked[word] if word else one.fired)
    if one.is_enforced:
        wanted += [*found, *told]
    return not word


def _recycle(turn: Turn, one: ReadyRule, moved: Move | None, wanted: list[Wanted]) -> None:
    """A rule that both acts and moves has one answer: that it fired if it did either, else why it does not move."""
    moving = next((answer for answer in turn.asked if answer.rule_id == one.rule.rule_id), None)
    is_own = moved is not None and moved.rule is one
    has_fired = _act(turn, one, None if is_own else moved, wanted)
    if moving is not None:
        turn.asked.remove(moving if has_fired else turn.asked[-1])


def _act_blocked(turn: Turn, one: ReadyRule, moved: Move | None) -> tuple[str, str]:
    """Why the rule does nothing ("" if it does), and what makes its actions once."""
    rule = one.rule
    word = acts_on_nobody(one, turn.target, turn.status)
    if word or not _is_target(turn, rule.target):
        return word or "no_target", ""
    if not turn.holds(one.when):
        return "condition", ""
    if rule.section is Section.SLA:
        return _overdue(turn, one)
    if moved is not None:
        return "earlier_rule", ""  # they leave the status: what comes on entering it comes too late
    return _again(turn, one)


def _again(turn: Turn, one: ReadyRule) -> tuple[str, str]:
    """Once per stay in the status, once ever without one, or again after some days."""
    fired_at, entered_at = turn.facts.fired.get(one.rule.rule_id), turn.status_at
    if fired_at is None or (entered_at is not None and fired_at < entered_at):
        return "", iso(entered_at)
    if not one.rule.again_after_days:  # "after 0 days" would be on every pass
        return "done_before", ""
    due_at = later(fired_at, days=one.rule.again_after_days)
    turn.wait_for(due_at)
    return ("done_before", "") if due_at > turn.facts.now else ("", iso(due_at))


def _overdue(turn: Turn, one: ReadyRule) -> tuple[str, str]:
    """A breach: the deadline has passed, and it was not answered in this stay (without a status: since the news)."""
    rule = one.rule
    start = turn.status_at if rule.clock == "status" else turn.facts.news_at
    if start is None:
        return "no_target", ""
    fired_at = turn.facts.fired.get(rule.rule_id)
    stay = turn.status_at or start
    if fired_at is not None and fired_at >= stay:
        return "done_before", ""
    deadline = later(start, minutes=rule.within_minutes)
    turn.wait_for(deadline)
    return ("waiting", "") if deadline > turn.facts.now else ("", iso(deadline))


def _wanted(turn: Turn, one: ReadyRule, occasion: str) -> list[Wanted]:
    """The rule's actions that consent allows, with their values worked out."""
    found = []
    for number, action in enumerate(one.rule.actions):
        if action.is_of_deals or not _is_allowed(turn, action):
            continue
        values = {name: canonical(expression(turn.values)) for name, expression in action.fields.items()}
        found.append(
            Wanted(
                rule_id=one.rule.rule_id, kind=action.kind, line=action.line, source=action.source, options=action.options,
                values=values, due_in_days=action.due_in_days, occasion=occasion, number=number,
            )
        )  # fmt: skip
    return found


def _is_allowed(turn: Turn, action: Action) -> bool:
    """Whether consent allows an action."""
    is_out = action.kind in WITH_LEAVE and turn.facts.has_opted_out
    return not is_out and turn.holds(turn.policy.limits.get(action.kind))


_TOLD = {ConversionEvent.WON: DealState.WON, ConversionEvent.LOST: DealState.LOST}


def _of_deals(turn: Turn, one: ReadyRule) -> list[Wanted]:
    """What the rule tells of opportunities: of each that stands so, also of those that it was told of before."""
    found = []
    for number, action in enumerate(one.rule.actions):
        if not action.is_of_deals:
            continue
        state = _TOLD[ConversionEvent(action.options["event"])]
        deals = [deal for deal in turn.facts.deals if deal.state is state]
        if not deals or not _is_allowed(turn, action):
            continue
        values = {name: canonical(expression(turn.values)) for name, expression in action.fields.items()}
        found += [
            Wanted(
                rule_id=one.rule.rule_id, kind=action.kind, line=action.line, source=action.source, options=action.options,
                values=values, occasion=iso(deal.at), number=number, deal=deal,
            )
            for deal in deals
        ]  # fmt: skip
    return found


def _waits_for_deals(turn: Turn, one: ReadyRule) -> bool:
    """Whether the rule does nothing but tell of opportunities, and there is none that stands so."""
    states = {deal.state for deal in turn.facts.deals}
    return all(
        action.is_of_deals and _TOLD[ConversionEvent(action.options["event"])] not in states for action in one.rule.actions
    )
