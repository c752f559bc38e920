"""The score of one person: points by condition and by touch, with what each rule gave. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from syncd.policy.compiled import ReadyPolicy
from syncd.policy.model import Facts, Points, ScoreRule
from syncd.policy.values import Values

_DAY = timedelta(days=1)


def score(policy: ReadyPolicy, facts: Facts, values: Values) -> tuple[int, tuple[Points, ...]]:
    """The sum and its parts, in file order; a rule that gave nothing is left out."""
    given = []
    total = 0
    channels = {touch.channel for touch in facts.touches}
    for rule, when in policy.scoring:
        if when is not None:
            points = rule.points * when.run(values)
        else:
            points = _for_touches(rule, facts) if rule.channel in channels else 0
        if points:
            given.append(Points(rule.rule_id, points))
            total += points
    return total, tuple(given)


def worth(points: int, halvings: int) -> int:
    """What is left of the points, cut to whole ones towards zero: 15, 7, 3, 1, 0."""
    return points >> halvings if points >= 0 else -(-points >> halvings)


def halving_moments(policy: ReadyPolicy, facts: Facts) -> Iterator[datetime]:
    """The instants, past and future, at which a touch loses points; in no order."""
    for rule, _ in policy.scoring:
        if not rule.channel or not rule.halves_after_days:
            continue
        step = timedelta(days=rule.halves_after_days)
        for touch in facts.touches:
            if touch.channel == rule.channel:
                try:
                    yield from (touch.at + step * count for count in range(1, abs(rule.points).bit_length() + 1))
                except OverflowError:  # beyond the calendar: never
                    continue


def _for_touches(rule: ScoreRule, facts: Facts) -> int:
    total = 0
    for touch in facts.touches:
        if touch.channel != rule.channel:
            continue
        if rule.halves_after_days:
            total += worth(rule.points, max((facts.now - touch.at) // _DAY // rule.halves_after_days, 0))
        else:
            total += rule.points
    if rule.at_most is None or abs(total) <= abs(rule.at_most):
        return total
    return abs(rule.at_most) if total > 0 else -abs(rule.at_most)
