"""A checked mapping at work: one record in, one lead out. Never raises for a record, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Document
from typing import Any

import msgspec

from syncd.errors import ConfigProblem
from syncd.expressions import Expression
from syncd.mapping.expected import differences
from syncd.mapping.paths import Getter, getter_of
from syncd.mapping.rules import SENTENCES, FieldRule, Path, TaskRule, TouchRule, find, find_all
from syncd.mapping.task import Line, TaskLine
from syncd.model import FieldSchema, FieldValue, Lead, Problem, Touch, Value
from syncd.normalise.places import country_code
from syncd.normalise.text import clean, one_line
from syncd.normalise.transforms import TRANSFORMS, Bad

_IDENTITY = ("Email", "LastName", "FirstName", "Phone", "MobilePhone")
_UNCUTTABLE = frozenset({"email", "phone", "url", "picklist", "multipicklist", "id", "reference"})
_BY_KIND = {"number": "number", "boolean": "boolean", "date": "date", "instant": "instant"}
_MAX_TEXT = 131_072


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
            return Lead({}, problems=(_problem("", "not_an_object", 0, 0, is_fatal=True),), may_create=False)
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
            problems.append(_problem("", "no_identity", 0, 0, is_fatal=True))
        skipped, may_create = "", self._create is True
        task = None
        if self._skip_when is not None or self._task is not None or not isinstance(self._create, bool):
            values = {"record": record, "lead": {name: one.value for name, one in fields.items()}, "source": source}
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
    cleared = FieldValue(None, rule.overwrite, line=rule.line) if rule.clears else None
    kind, overwrite, number = rule.kind, rule.overwrite, rule.line
    transform = rule.transform or _BY_KIND.get(kind, "")
    raw_of = _joined(rule) if transform == "join" else _first_filled([getter_of(path) for path in rule.paths])

    def line(record: Document[str, Any], problems: list[Problem]) -> FieldValue | None:
        raw = raw_of(record)
        if raw is None:
            return cleared or fallback
        value = _value(rule, kind, transform, raw, record, problems)
        return fallback if value is None or value == "" else FieldValue(value, overwrite, line=number)

    return line


def _first_filled(getters: Sequence[Getter]) -> Getter:
    """The first value that is not blank, None if all are."""

    def first(record: Document[str, Any]) -> Any:
        for get in getters:
            value = get(record)
            if value is not None and (type(value) is not str or (value and not value.isspace())):
                return value
        return None

    return first


def _joined(rule: FieldRule) -> Getter:
    """All values that are not blank in one text, None if there are none."""
    separator = rule.args.separator

    def joined(record: Document[str, Any]) -> Any:
        parts = (
            one_line(str(value))
            for path in rule.paths
            for value in find_all(record, path)
            if not _is_blank(value) and not isinstance(value, dict | list)
        )
        return separator.join(part for part in parts if part) or None

    return joined


def _is_blank(raw: Any) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip())


def _value(rule: FieldRule, kind: str, transform: str, raw: Any, record: Document[str, Any], problems: list[Problem]) -> Value:
    """`raw` (never blank) cleaned, translated, transformed and fitted."""
    if isinstance(raw, str):
        is_plain = len(raw) <= _MAX_TEXT and raw.isascii() and raw.isprintable()
        raw = raw.strip() if is_plain else _tidy(rule, raw, problems)
        if not raw:
            return None
    elif isinstance(raw, dict | list):
        problems.append(_note(rule, "invalid_text"))
        return None
    if rule.translate or rule.unknown == "reject":
        folded = one_line(str(raw)).casefold()
        if folded in rule.translate:
            return rule.translate[folded]
        if rule.unknown == "no_value":
            return None
        if rule.unknown == "reject" and rule.translate:
            problems.append(_note(rule, "unknown_value", is_fatal=True))
            return None
    value = _transformed(rule, transform, raw, record, problems)
    return value if value is None or rule.schema is None else _fit(rule, rule.schema, kind, value, problems)


def _tidy(rule: FieldRule, raw: str, problems: list[Problem]) -> str:
    if len(raw) > _MAX_TEXT:
        raw = raw[:_MAX_TEXT]
        problems.append(_note(rule, "cut_to_length"))
    if raw.isprintable():
        return clean(raw)
    # Trimming and NFC go without saying; a character that no field can hold is worth a word.
    if any((letter < "\x20" and letter not in "\t\n\r") or "\ud800" <= letter <= "\udfff" for letter in raw):
        problems.append(_note(rule, "cleaned"))
    return clean(raw)


def _transformed(rule: FieldRule, name: str, raw: Value, record: Document[str, Any], problems: list[Problem]) -> Value:
    if not name:
        is_long = not isinstance(raw, str) or (rule.schema is not None and rule.schema.type == "textarea")
        return raw if is_long else one_line(str(raw))
    args = rule.args
    if rule.region_path is not None:
        found = find(record, rule.region_path)
        args = msgspec.structs.replace(args, region=country_code(found) if isinstance(found, str) else "")
    value = TRANSFORMS[name](raw, args)
    if isinstance(value, Bad):
        problems.append(_note(rule, value.reason))
        return None
    return value


def _fit(rule: FieldRule, schema: FieldSchema, kind: str, value: Value, problems: list[Problem]) -> Value:
    """`value` as the field can hold it; what had to be cut or left out is noted, never silent."""
    if kind == "text" and not isinstance(value, str):
        value = "true" if value is True else "false" if value is False else str(value)
    if kind == "number" and (isinstance(value, str | bool) or _digits(value) > (schema.precision - schema.scale or 18)):
        problems.append(_note(rule, "number_out_of_range" if not isinstance(value, str | bool) else "invalid_number"))
        return None
    if not isinstance(value, str):
        return value
    if schema.is_restricted and schema.picklist and schema.type == "picklist" and value not in schema.picklist:
        problems.append(_note(rule, "not_in_picklist", is_fatal=rule.unknown == "reject"))
        return None
    if schema.length and len(value) > schema.length and kind == "text":
        if schema.type in _UNCUTTABLE:
            problems.append(_note(rule, "too_long"))
            return None
        problems.append(_note(rule, "cut_to_length"))
        return value[: schema.length].rstrip()
    return value


def _digits(value: Value) -> int:
    return len(str(abs(int(value)))) if isinstance(value, int | float) and abs(value) < 1e300 else 400


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


def _note(rule: FieldRule, reason: str, *, is_fatal: bool = False) -> Problem:
    return _problem(rule.name, reason, rule.line, rule.column, is_fatal=is_fatal)


def _problem(name: str, reason: str, line: int, column: int, *, is_fatal: bool = False) -> Problem:
    return Problem(name, reason, SENTENCES[reason], line, column, is_fatal)
