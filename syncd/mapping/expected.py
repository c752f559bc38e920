"""What a test of a mapping file expects, held against what its record gave. Pure."""

from __future__ import annotations

from collections.abc import Mapping as Document
from typing import Any

from syncd.model import Lead, LeadTask


def differences(lead: Lead, test: Document[str, Any]) -> list[str]:
    """What a test expected and did not get; the file's own values may be quoted."""
    wrong: list[str] = []
    for name, expected in test.get("lead", {}).items():
        found = lead.fields[name].value if name in lead.fields else None
        if found != expected:
            wrong.append(f"{name} is {found!r}, expected {expected!r}")
    for name, expected in test.get("touch", {}).items():
        found = getattr(lead.touch, name, None)
        if found != expected:
            wrong.append(f"touch.{name} is {found!r}, expected {expected!r}")
    if "task" in test:
        wrong += _task_differences(lead.task, test["task"])
    if "skipped" in test and bool(lead.skipped) != test["skipped"]:
        wrong.append(f"skipped is {bool(lead.skipped)}, expected {test['skipped']}")
    if "problems" in test:
        reasons = sorted(f"{problem.field}: {problem.reason}".removeprefix(": ") for problem in lead.problems)
        if reasons != sorted(test["problems"]):
            wrong.append(f"problems are {reasons}, expected {sorted(test['problems'])}")
    return wrong


def _task_differences(task: LeadTask | None, expected: Any) -> list[str]:
    """`expected` is true or false (is there a task?) or names some of its values; null is false."""
    if not isinstance(expected, dict):
        return [] if bool(expected) is (task is not None) else [f"task is {task is not None}, expected {bool(expected)}"]
    if task is None:
        return ["there is no task, expected one"]
    found = {name: getattr(task, name) for name in expected}
    return [f"task.{name} is {found[name]!r}, expected {value!r}" for name, value in expected.items() if found[name] != value]
