"""A checked mapping at work: one record in, one lead out. Never raises for a record, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Document
from typing import Any

import msgspec

from syncd.errors import ConfigProblem
from syncd.expressions import Expression
from syncd.mapping.expected import differences
from syncd.mapping.paths import Getter, getter_of, values_getter
from syncd.mapping.rules import FieldRule, Path, TaskRule, TouchRule
from syncd.mapping.task import Line, TaskLine
from syncd.mapping.values import problem_of, valuing
from syncd.model import FieldValue, Lead, Problem, Touch
from syncd.normalise.text import clean, one_line

_IDENTITY = ("Email", "LastName", "FirstName", "Phone", "MobilePhone")
_BY_KIND = {"number": "number", "boolean": "boolean", "date": "date", "instant": "instant"}


class Mapping:
    """A mapping that was loaded: immutable, safe for threads.

    Attributes:
        name: File name without its ending. file: As shown in messages. stream: The stream it is for.
        digest: Changes when the mapping would give other leads (or its normaliser's version).
        rules: The lines of `lead:`, by field. task_line: Where it asks for tasks, 0 if it asks for none. text: The file's text, `""` if more than that went into it.
    """

    def __init__(
        self,
        *,
        name: str,
        file: str,
        stream: str,
        digest: str,
        rules: Sequence[FieldRule],
        touch: TouchRule,
        skip_when: Expression | None,
        create: bool | Expression,
        task: TaskRule | None = None,
        tests: Sequence[tuple[int, Document[str, Any]]] = (),
        text: str = "",
    ) -> None:
        """Made by `load_mapping`."""
        self.name = name
        self.file = file
        self.stream = stream
        self.digest = digest
        self.text = text
        self.rules = {rule.name: rule for rule in rules}
        self._lines = [(rule.name, _compiled(rule)) for rule in self.rules.values()]
        self._touch = touch
        self._touch_at = None if touch.at is None else _compiled(touch.at)
        self._channel = _text_of(touch.channel)
        self._touch_texts = {
            "campaign": _text_at(touch.campaign_paths),
            "source_url": _text_at(touch.source_url),
            "consent": _text_at(touch.consent),
        }
        self._utm = {name: _text_of(found) for name, found in touch.utm.items()}
        self._click_ids = {name: _text_of(found) for name, found in touch.click_ids.items()}
        self._skip_when = skip_when
        self._create = create
        asked = [one for one in (skip_when, create, task.when if task is not None else None) if isinstance(one, Expression)]
        self._asks = bool(asked) or task is not None
        # Conditions ask for a few values; which fields the lead has got is put together only for those that read them.
        self._asks_lead = any(name.partition(".")[0] == "lead" for one in asked for name in one.names)
        self.task_line = 0 if task is None else task.line
        self._task = None if task is None else TaskLine(task, _compiled)
        self._tests = tuple(tests)

    @property
    def fields(self) -> tuple[str, ...]:
        """The Lead fields it may fill."""
        return tuple(self.rules)

    @property
    def test_count(self) -> int:
        """How many tests the file holds."""
        return len(self._tests)

    def map(self, payload: bytes, *, source: str = "") -> Lead:
        """The lead of one stored record; `payload` should be a JSON object in UTF-8."""
        try:
            record = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            record = None
        if not isinstance(record, dict):
            return Lead({}, problems=(problem_of("", "not_an_object", 0, 0, is_fatal=True),), may_create=False)
        return self.map_record(record, source=source)

    def map_record(self, record: Document[str, Any], *, source: str = "") -> Lead:
        """The lead of one record."""
        problems: list[Problem] = []
        fields: dict[str, FieldValue] = {}
        for name, line in self._lines:
            value = line(record, problems)
            if value is not None:
                fields[name] = value
        for name in _IDENTITY:
            found = fields.get(name)
            if found is not None and not found.is_default and found.value is not None:
                break
        else:
            problems.append(problem_of("", "no_identity", 0, 0, is_fatal=True))
        skipped, may_create = "", self._create is True
        task = None
        if self._asks:
            lead = {name: one.value for name, one in fields.items()} if self._asks_lead else {}
            values = {"record": record, "lead": lead, "source": source}
            skipped = "skip_when" if self._skip_when is not None and self._skip_when(values) is True else ""
            may_create = may_create or (not isinstance(self._create, bool) and self._create(values) is True)
            if self._task is not None and not skipped and not any(problem.is_fatal for problem in problems):
                task = self._task.of(record, values, problems)
        return Lead(fields, self._touched(record, source), tuple(problems), skipped, may_create, task)

    def _touched(self, record: Document[str, Any], source: str) -> Touch:
        rule = self._touch
        at = self._touch_at(record, []) if self._touch_at is not None else None
        texts = self._touch_texts
        return Touch(
            channel=self._channel(record),
            at=str(at.value) if at is not None and at.value is not None else None,
            campaign=source if rule.campaign_is_source else texts["campaign"](record) or rule.campaign,
            source_url=texts["source_url"](record),
            utm={name: value for name, text in self._utm.items() if (value := text(record))},
            click_ids={name: value for name, text in self._click_ids.items() if (value := text(record))},
            consent=texts["consent"](record),
        )

    def run_tests(self) -> list[ConfigProblem]:
        """Run the tests of the file; one problem for each that does not hold."""
        found: list[ConfigProblem] = []
        for line, test in self._tests:
            lead = self.map_record(test["record"], source=self.name)
            wrong = differences(lead, test)
            if wrong:
                found.append(ConfigProblem(self.file, line, 1, f"This test does not hold: {'; '.join(wrong)}."))
        return found


def _compiled(rule: FieldRule) -> Line:
    """What can be known of a line beforehand is worked out once: a mapping runs for every record."""
    fallback = None if rule.default is None else FieldValue(rule.default, rule.overwrite, is_default=True, line=rule.line)
    if not rule.paths:
        has_constant = rule.constant is not None and rule.constant != ""
        constant = FieldValue(rule.constant, rule.overwrite, line=rule.line) if has_constant else fallback
        return lambda record, problems: constant  # noqa: ARG005 - the shape of a line
    missing = FieldValue(None, rule.overwrite, line=rule.line) if rule.clears else fallback
    transform = rule.transform or _BY_KIND.get(rule.kind, "")
    raw_of = _joined(rule) if transform == "join" else _first_filled([getter_of(path) for path in rule.paths])
    value_of = valuing(rule, transform)
    overwrite, number = rule.overwrite, rule.line

    def line(record: Document[str, Any], problems: list[Problem]) -> FieldValue | None:
        raw = raw_of(record)
        if raw is None:
            return missing
        value = value_of(raw, record, problems)
        return fallback if value is None or value == "" else FieldValue(value, overwrite, line=number)

    return line


def _first_filled(getters: Sequence[Getter]) -> Getter:
    """The first value that is not blank, None if all are."""
    if len(getters) == 1:
        return _filled(getters[0])

    def first(record: Document[str, Any]) -> Any:
        for get in getters:
            value = get(record)
            if value is not None and (type(value) is not str or (value and not value.isspace())):
                return value
        return None

    return first


def _filled(get: Getter) -> Getter:
    """The value unless it is blank."""

    def filled(record: Document[str, Any]) -> Any:
        value = get(record)
        return None if type(value) is str and (not value or value.isspace()) else value

    return filled


def _joined(rule: FieldRule) -> Getter:
    """All values that are not blank in one text, None if there are none."""
    separator, values_of = rule.args.separator, values_getter(rule.paths)

    def joined(record: Document[str, Any]) -> Any:
        values = values_of(record)
        if not values:
            return None
        parts = (one_line(str(value)) for value in values if not _is_blank(value) and not isinstance(value, dict | list))
        return separator.join(part for part in parts if part) or None

    return joined


def _is_blank(raw: Any) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip())


def _text_of(found: Sequence[Path] | FieldRule | None) -> Callable[[Document[str, Any]], str]:
    """The text of a line, or of the first of some paths; `""` if there is none. What is wrong with it is no problem of the lead."""
    if not isinstance(found, FieldRule):
        return _text_at(found or ())
    line = _compiled(found)

    def text(record: Document[str, Any]) -> str:
        value = line(record, [])
        return "" if value is None else _short(value.value)

    return text


def _text_at(paths: Sequence[Path]) -> Callable[[Document[str, Any]], str]:
    """The first text at one of `paths` that is not empty, `""` if there is none."""
    getters = [getter_of(path) for path in paths]

    def text_at(record: Document[str, Any]) -> str:
        for get in getters:
            text = _short(get(record))
            if text:
                return text
        return ""

    return text_at


def _short(value: Any) -> str:
    """A click id, UTM value or consent text: kept exactly but for white space around it, at most 255 characters."""
    if value is None or isinstance(value, dict | list | bool):
        return ""
    return clean(str(value)[:10_000])[:255]
