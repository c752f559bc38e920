"""`task:` of a mapping: read and checked, then run. Pure."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Document
from typing import Any

from syncd.document import Node, Problems, suggest
from syncd.expressions import Expression
from syncd.mapping.fields import FieldReader
from syncd.mapping.rules import FieldRule, TaskRule
from syncd.model import FieldSchema, FieldValue, LeadTask, ObjectSchema, Problem

TASK_KEYS = ("subject", "due_in_days", "priority", "status", "description", "when")
TASK_VALUES = TASK_KEYS[:-1]
"""What a test may expect of a task."""

MOST_DAYS = 365
NO_SUBJECT = "Follow up"
"""The subject of a task whose record has nothing where its mapping looks: a task is not lost for want of words."""

_SUBJECT = FieldSchema("task.subject", "string", length=255)
_DESCRIPTION = FieldSchema("task.description", "textarea", length=32_000)
_PICKLISTS = {"priority": "Priority", "status": "Status"}


class TaskReader:
    """Reads `task:`; everything wrong goes to `problems`."""

    def __init__(self, problems: Problems, fields: FieldReader, task: ObjectSchema | None) -> None:
        """`task` is the org's describe, None without an org (or where the org shows no tasks: `check --live` says so)."""
        self._problems = problems
        self._fields = fields
        self._task = task

    def read(self, node: Node | None, condition: Callable[[Node | None], Expression | None]) -> TaskRule | None:
        """The rule, None if none is asked for or it is too wrong; `condition` compiles `when:`."""
        if node is None or (node.kind == "scalar" and node.scalar is None):
            return None
        if node.kind != "mapping":
            self._problems.add(node, 'task is a mapping, for example {subject: "Call back", due_in_days: 1}.')
            return None
        self._problems.unknown_keys(node, TASK_KEYS, "task")
        if "subject" not in node:
            self._problems.add(node, "A task needs subject:.", 'Write a text, or {from: PATH, default: "Call back"}.')
        subject = self._fields.read_text(_SUBJECT, node.get("subject"))
        description = self._fields.read_text(_DESCRIPTION, node.get("description"))
        when = condition(node.get("when"))
        words = {key: self._word(node.get(key), key) for key in _PICKLISTS}
        days = self._days(node.get("due_in_days"))
        defaults = {key: value for key, value in words.items() if value}
        return None if subject is None else TaskRule(node.line, subject, description, days, when=when, **defaults)

    def _days(self, node: Node | None) -> int | None:
        if node is None or (node.kind == "scalar" and node.scalar is None):
            return None
        days = node.scalar
        if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= MOST_DAYS:
            self._problems.add(node, f"due_in_days is a whole number from 0 to {MOST_DAYS}.")
            return None
        return days

    def _word(self, node: Node | None, key: str) -> str:
        """A text that the org's picklist knows, as far as it is at hand; `""` for what is not stated."""
        if node is None or (node.kind == "scalar" and node.scalar is None):
            return ""
        if node.kind != "scalar" or not isinstance(node.scalar, str) or not node.scalar.strip():
            self._problems.add(node, f"{key} is a text, for example {'High' if key == 'priority' else 'Not Started'}.")
            return ""
        field = self._task.fields.get(_PICKLISTS[key]) if self._task else None
        if field is not None and field.picklist and node.scalar not in field.picklist:
            message = f'Task.{_PICKLISTS[key]} of this org has no value "{node.scalar}".'
            self._problems.add(node, message, suggest(node.scalar, field.picklist))
        return node.scalar


Line = Callable[[Document[str, Any], list[Problem]], FieldValue | None]
"""The value that a line gives a record, None if it has none; problems are noted."""


class TaskLine:
    """`task:` at work: one record in, a task out."""

    def __init__(self, rule: TaskRule, compiled: Callable[[FieldRule], Line]) -> None:
        """`compiled` makes lines run."""
        self._rule = rule
        self._subject = compiled(rule.subject)
        self._description = None if rule.description is None else compiled(rule.description)

    def of(self, record: Document[str, Any], values: Document[str, Any], problems: list[Problem]) -> LeadTask | None:
        """The task of one record, None where `when:` does not hold; `values` are what conditions see."""
        rule = self._rule
        if rule.when is not None and rule.when(values) is not True:
            return None
        subject = self._subject(record, problems)
        description = None if self._description is None else self._description(record, problems)
        return LeadTask(
            subject=_text(subject) or NO_SUBJECT,
            due_in_days=rule.due_in_days,
            priority=rule.priority,
            status=rule.status,
            description=_text(description),
            line=rule.line,
        )


def _text(found: FieldValue | None) -> str:
    return "" if found is None or found.value is None else str(found.value)
