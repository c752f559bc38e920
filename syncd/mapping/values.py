"""What one line of a mapping makes of the raw value that it has found: cleaned, translated, transformed, fitted. Pure."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Document
from typing import Any

import msgspec

from syncd.mapping.paths import getter_of
from syncd.mapping.rules import SENTENCES, FieldRule
from syncd.model import FieldSchema, Problem, Value
from syncd.normalise.places import country_code
from syncd.normalise.text import clean, one_line
from syncd.normalise.transforms import TRANSFORMS, Bad

_UNCUTTABLE = frozenset({"email", "phone", "url", "picklist", "multipicklist", "id", "reference"})
_MAX_TEXT = 131_072

Valued = Callable[[Any, Document[str, Any], list[Problem]], Value]
"""What a line makes of the raw value that it has found in a record."""


def valuing(rule: FieldRule, transform: str) -> Valued:
    """Raw values (never blank) cleaned, translated, transformed and fitted; what can be known of the line is worked out here, once."""
    kind, schema, translate = rule.kind, rule.schema, rule.translate
    is_translated = bool(translate) or rule.unknown == "reject"
    transformed = _transforming(rule, transform)
    is_free = schema is not None and kind == "text" and not _is_closed(schema)
    room = (schema.length if schema is not None else 0) or _MAX_TEXT

    def value_of(raw: Any, record: Document[str, Any], problems: list[Problem]) -> Value:
        if isinstance(raw, str):
            is_plain = len(raw) <= _MAX_TEXT and raw.isascii() and raw.isprintable()
            raw = raw.strip() if is_plain else _tidy(rule, raw, problems)
            if not raw:
                return None
        elif isinstance(raw, dict | list):
            problems.append(_note(rule, "invalid_text"))
            return None
        if is_translated:
            folded = one_line(str(raw)).casefold()
            if folded in translate:
                return translate[folded]
            if rule.unknown == "no_value":
                return None
            if rule.unknown == "reject" and translate:
                problems.append(_note(rule, "unknown_value", is_fatal=True))
                return None
        value = transformed(raw, record, problems)
        if value is None or schema is None or (is_free and type(value) is str and len(value) <= room):
            return value
        return _fit(rule, schema, kind, value, problems)

    return value_of


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


def _transforming(rule: FieldRule, name: str) -> Valued:
    if not name:
        is_textarea = rule.schema is not None and rule.schema.type == "textarea"
        return lambda raw, record, problems: raw if is_textarea or not isinstance(raw, str) else one_line(raw)  # noqa: ARG005
    apply, constant, region_path = TRANSFORMS[name], rule.args, rule.region_path
    region_of = None if region_path is None else getter_of(region_path)

    def transformed(raw: Any, record: Document[str, Any], problems: list[Problem]) -> Value:
        args = constant
        if region_of is not None:
            found = region_of(record)
            region = country_code(found) if isinstance(found, str) else ""
            args = args if region == args.region else msgspec.structs.replace(args, region=region)
        value = apply(raw, args)
        if isinstance(value, Bad):
            problems.append(_note(rule, value.reason))
            return None
        return value

    return transformed


def _is_closed(schema: FieldSchema) -> bool:
    """Whether the org takes only values of a list."""
    return schema.is_restricted and bool(schema.picklist) and schema.type == "picklist"


def _fit(rule: FieldRule, schema: FieldSchema, kind: str, value: Value, problems: list[Problem]) -> Value:
    """`value` as the field can hold it; what had to be cut or left out is noted, never silent."""
    if kind == "text" and not isinstance(value, str):
        value = "true" if value is True else "false" if value is False else str(value)
    if kind == "number" and (isinstance(value, str | bool) or _digits(value) > (schema.precision - schema.scale or 18)):
        problems.append(_note(rule, "number_out_of_range" if not isinstance(value, str | bool) else "invalid_number"))
        return None
    if not isinstance(value, str):
        return value
    if _is_closed(schema) and value not in schema.picklist:
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


def _note(rule: FieldRule, reason: str, *, is_fatal: bool = False) -> Problem:
    return problem_of(rule.name, reason, rule.line, rule.column, is_fatal=is_fatal)


def problem_of(name: str, reason: str, line: int, column: int, *, is_fatal: bool = False) -> Problem:
    """A problem with the sentence that goes with its reason."""
    return Problem(name, reason, SENTENCES[reason], line, column, is_fatal)
