"""The tests of a policy file held against what the policy decides. Pure."""

from __future__ import annotations

from typing import Any

from syncd.errors import ConfigProblem
from syncd.policy.evaluate import evaluate
from syncd.policy.model import Facts, Verdict, Wanted
from syncd.policy.policy import Policy


def run_tests(policy: Policy) -> list[ConfigProblem]:
    """Run the tests of the file; one problem for each that does not hold."""
    found = []
    for test in policy.tests:
        wrong = differences(evaluate(policy, test.facts), test.facts, test.expect)
        if wrong:
            found.append(ConfigProblem(policy.file, test.line, 1, f'The test "{test.name}" does not hold: {"; ".join(wrong)}.'))
    return found


def differences(verdict: Verdict, facts: Facts, expect: dict[str, Any]) -> list[str]:
    """What was expected and did not come; the file's own values may be quoted."""
    wrong: list[str] = []

    def compare(key: str, found: Any) -> None:
        if key in expect and (expect[key] if expect[key] is not None else _EMPTY.get(key)) != found:
            wrong.append(f"{key} is {_shown(found)}, expected {_shown(expect[key])}")

    if "status" in expect:
        present = facts.standing.status if facts.standing is not None else ""
        asked = expect["status"] or present
        found = verdict.to_status or present
        if found != asked:
            wrong.append(f"status is {_shown(found)}, expected {_shown(asked)}")
    compare("program", verdict.program)
    compare("rule", verdict.rule_id)
    compare("converts", verdict.converts)
    compare("opens", verdict.opens)
    compare("deletes", verdict.deletes)
    compare("owner", verdict.owner)
    compare("score", verdict.score)
    compare("qualified", verdict.is_qualified)
    judged = {one.name: one.value for one in verdict.criteria}
    for name, value in (expect.get("criteria") or {}).items():
        if judged.get(name) is not value:
            wrong.append(f"criteria.{name} is {_shown(judged.get(name))}, expected {_shown(value)}")
    outcomes = {one.rule_id: (one.outcome, one.blocked) for one in verdict.asked}
    for outcome in ("fired", "observed"):
        for rule in _listed(expect.get(outcome)):
            wrong += _came(rule, outcomes.get(rule, ("not asked", "")), (outcome, ""))
    for rule, word in (expect.get("blocked") or {}).items():
        wrong += _came(rule, outcomes.get(rule, ("not asked", "")), ("blocked", word))
    if "actions" in expect:
        wrong += _actions(list(verdict.actions), expect["actions"] or [])
    return wrong


_EMPTY = {"program": "", "rule": "", "converts": "", "opens": "", "deletes": "", "owner": "", "score": 0}


def _came(rule: str, found: tuple[str, str], asked: tuple[str, str]) -> list[str]:
    """`found` and `asked` are an outcome and why it was blocked; the reason alone tells a blocked rule."""
    is_right = found[1] == asked[1] if asked[1] else found[0] == asked[0]
    if is_right:
        return []
    return [f"{rule} is {found[1] or found[0]}, expected {asked[1] or asked[0]}"]


def _actions(found: list[Wanted], asked: list[Any]) -> list[str]:
    """Each expected action takes one that was found; what is left over on either side is wrong."""
    left = list(found)
    missing = []
    for one in asked:
        kind, values = next(iter(one.items())) if isinstance(one, dict) else (one, {})
        fits = next((action for action in left if action.kind.value == kind and _has(action, values)), None)
        if fits is None:
            missing.append(str(kind))
        else:
            left.remove(fits)
    wrong = [f"there is no action {kind} as expected" for kind in missing]
    return wrong + [f"there is an action {action.kind.value} of {action.rule_id} that is not expected" for action in left]


def _has(action: Wanted, values: dict[str, Any]) -> bool:
    """Whether the action has the values that are expected of it."""
    known: dict[str, Any] = {"rule": action.rule_id, "source": action.source, "due_in_days": action.due_in_days}
    known |= action.options
    return all(_text(known.get(key, action.values.get(key))) == _text(value) for key, value in values.items())


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _listed(value: Any) -> list[str]:
    return [] if value is None else list(value) if isinstance(value, list) else [str(value)]


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "unknown", True: "true", False: "false"}[value]
    return f'"{value}"' if isinstance(value, str) else str(value)
