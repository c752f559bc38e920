"""The criteria of one person, each met, unmet or unknown, and whether they qualify. Pure."""

from __future__ import annotations

from syncd.policy.compiled import ReadyCriterion, ReadyPolicy
from syncd.policy.model import Judged
from syncd.policy.values import Values
from syncd.policy.ways import Ways


def judge(policy: ReadyPolicy, values: Values) -> tuple[tuple[Judged, ...], bool | None]:
    """Every criterion in file order, and whether the person is qualified (None where the policy does not say).

    Writes `criteria` and `qualified` into the values as it goes: a criterion may name those above it.
    """
    known: dict[str, bool | None] = {}
    values["criteria"] = known
    judged = []
    for one in policy.criteria:
        known[one.criterion.name] = found = _answer(one, values)
        judged.append(one.judged[found])
    values["qualified"] = is_qualified = policy.qualified.run(values) if policy.qualified is not None else None
    return tuple(judged), is_qualified


def judge_needed(policy: ReadyPolicy, ways: Ways, values: Values) -> None:
    """Write into the values only what the rules in place ask for."""
    known: dict[str, bool | None] = {}
    values["criteria"] = known
    for one in ways.criteria:
        known[one.criterion.name] = _answer(one, values)
    if ways.reads_qualified and policy.qualified is not None:
        values["qualified"] = policy.qualified.run(values)


def evidence(one: ReadyCriterion, value: bool | None, values: Values) -> tuple[str, ...]:
    """The clauses that say why, with their state and never with a value of the person. Slow."""
    asked = (one.met,) if value else (one.unmet,) if value is False else (one.met, one.unmet)
    return tuple(str(clause) for condition in asked if condition is not None for clause in condition.call.explain(values))


def _answer(one: ReadyCriterion, values: Values) -> bool | None:
    """Met wins over unmet; neither is unknown."""
    if one.met is not None and one.met.run(values):
        return True
    return False if one.unmet is not None and one.unmet.run(values) else None
