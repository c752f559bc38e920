"""The JSON Schema of policy.yaml, for editors, made from the same keys as the readers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.policy import keys
from syncd.policy.keys import Key
from syncd.policy.model import MIN_DELETE_DAYS, ActionKind, Section
from syncd.policy.read_sections import MAX_MINUTES
from syncd.policy.reading import MAX_DAYS, MAX_LONG_TEXT_CHARACTERS

_CONDITION = {"type": ["string", "boolean", "object"]}
_NAMES = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}

SHAPES: Mapping[str, dict[str, Any]] = {
    "version": {"const": 1},
    "text": {"type": "string", "maxLength": MAX_LONG_TEXT_CHARACTERS},
    "id": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,59}$"},
    "field": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,79}$"},
    "day": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "flag": {"type": "boolean"},
    "ternary": {"type": ["boolean", "null"]},
    "scalar": {"type": ["string", "number", "boolean"]},
    "days": {"type": "integer", "minimum": 0, "maximum": MAX_DAYS},
    "minutes": {"type": "integer", "minimum": 1, "maximum": MAX_MINUTES},
    "count": {"type": "integer", "minimum": 0},
    "points": {"type": "integer"},
    "condition": _CONDITION,
    "expression": {"type": "string"},
    "names": _NAMES,
    "mapping": {"type": "object"},
    "list": {"type": "array"},
    "actions": {"type": "array", "items": {"$ref": "#/$defs/action"}},
    "enforcement": {"enum": ["observe", "enforce"]},
    "on_deleted": {"enum": ["skip", "review", "create"]},
    "mover": {"enum": ["syncd", "rep", "both"]},
    "target": {"enum": ["lead", "contact"]},
    "event": {"enum": ["qualified", "converted", "won", "lost"]},
    "clock": {"enum": ["status", "arrival"]},
    "one_open_per": {"enum": ["account", "contact"]},
    "object": {"enum": ["Lead", "Contact"]},
    "set_by": {"enum": ["syncd", "rep"]},
    "illegal": {"oneOf": [{"enum": ["report", "revert"]}, {"type": "object", "required": ["map"]}]},
}
"""What a value may be, by the shape that a key names."""


def policy_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) that a policy obeys; conditions are only roughly described."""
    top = _object(keys.TOP)
    properties = top["properties"]
    properties["fields"] = _object(keys.FIELDS)
    properties["on_create"] = {"type": "object", "additionalProperties": False, "properties": {"status": SHAPES["text"]}}
    properties["consent"] = _object(keys.CONSENT)
    properties["consent"]["properties"]["actions"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {kind.value: _CONDITION for kind in ActionKind},
    }
    properties["programs"] = {"type": "object", "additionalProperties": _program()}
    properties["standards"] = _standards()
    for section in keys.SECTIONS:
        properties[section] = {"type": "array", "items": _rule(section)}
    properties["tests"] = {"type": "array", "items": _test()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "syncd policy",
        **top,
        "$defs": {"action": {"oneOf": [_action(kind) for kind in ActionKind]}},
    }


def _object(known: tuple[Key, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key.name for key in known if key.is_required],
        "properties": {key.name: {**SHAPES[key.shape], "description": key.meaning} for key in known},
    }


def _program() -> dict[str, Any]:
    found = _object(keys.PROGRAM)
    status = _object(keys.STATUS)
    found["properties"]["statuses"] = {"type": "object", "additionalProperties": {"oneOf": [status, {"type": "null"}]}}
    found["properties"]["transitions"] = {"type": "array", "items": _object(keys.TRANSITION)}
    return found


def _standards() -> dict[str, Any]:
    found = _object(keys.STANDARDS)
    found["properties"]["criteria"] = {"type": "object", "additionalProperties": _object(keys.CRITERION)}
    found["properties"]["scoring"] = {"type": "array", "items": _object(keys.SCORING)}
    return found


def _rule(section: str) -> dict[str, Any]:
    found = _object((*keys.RULE, *keys.SECTIONS[section]))
    if section == Section.ARCHIVE.value:
        found["properties"]["means"] = _object(keys.MEANS)
        found["properties"]["delete"] = _object(keys.DELETE)
        found["properties"]["delete"]["properties"]["after_days"]["minimum"] = MIN_DELETE_DAYS
    return found


def _test() -> dict[str, Any]:
    found = _object(keys.TEST)
    found["properties"]["given"] = _object(keys.GIVEN)
    found["properties"]["expect"] = _object(keys.EXPECT)
    return found


def _action(kind: ActionKind) -> dict[str, Any]:
    asked = (
        _object(keys.ACTIONS[kind.value])
        if kind.value in keys.ACTIONS
        else {
            **_object(keys.CONVERSION if kind is ActionKind.CONVERSION else keys.SOURCE_ACTION),
            "additionalProperties": True,
        }
    )
    return {"type": "object", "additionalProperties": False, "required": [kind.value], "properties": {kind.value: asked}}
