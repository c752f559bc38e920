"""The JSON Schema of a mapping file, for editors. Pure."""

from __future__ import annotations

from typing import Any

from syncd.mapping.fields import ARGUMENT_KEYS
from syncd.mapping.stock import STOCK_LEAD
from syncd.mapping.task import MOST_DAYS
from syncd.model import Overwrite
from syncd.normalise.transforms import LOCALES, TRANSFORMS


def mapping_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) that a mapping obeys; conditions and tests are only roughly described."""
    scalar = {"type": ["string", "number", "boolean", "null"]}
    path = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    arguments: dict[str, Any] = {
        "region": {"oneOf": [{"type": "string", "pattern": "^[A-Za-z]{2}$"}, {"type": "object", "required": ["from"]}]},
        "format": path,
        "zone": {"type": "string"},
        "locale": {"enum": list(LOCALES)},
        "style": {"enum": ["name", "iso2", "iso3"]},
        "separator": {"type": "string", "minLength": 1},
        "index": {"type": "integer"},
        "length": {"type": "integer", "minimum": 1},
    }
    line = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "from": path,
            "value": scalar,
            "as": {"enum": sorted(TRANSFORMS)},
            "translate": {"type": "object", "additionalProperties": scalar},
            "unknown": {"enum": ["keep", "no_value", "reject"]},
            "default": scalar,
            "overwrite": {"enum": [one.value for one in Overwrite]},
            "on_null": {"enum": ["keep", "clear"]},
            **{key: arguments[key] for key in ARGUMENT_KEYS},
        },
    }
    known = {name: {"$ref": "#/$defs/line"} for name in STOCK_LEAD.fields}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "syncd mapping",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "lead"],
        "properties": {
            "version": {"const": 1},
            "stream": {"type": "string"},
            "create": {"oneOf": [{"enum": ["always", "never"]}, {"type": "object", "required": ["when"]}]},
            "lead": {
                "type": "object",
                "properties": known,
                "patternProperties": {"__c$": {"$ref": "#/$defs/line"}},
                "additionalProperties": False,
            },
            "touch": {"type": "object"},
            "task": _task({"oneOf": [{"type": "string", "minLength": 1, "maxLength": 255}, {"$ref": "#/$defs/text"}]}),
            "skip_when": {"type": ["string", "boolean", "object"]},
            "overwrite": {"enum": [one.value for one in Overwrite]},
            "on_null": {"enum": ["keep", "clear"]},
            "tests": {"type": "array", "items": {"type": "object", "required": ["record"]}},
        },
        "$defs": {"line": line, "text": _text(line)},
    }


def _text(line: dict[str, Any]) -> dict[str, Any]:
    """A text beside the lead that is read from the record: a line without what is about overwriting."""
    properties = {key: one for key, one in line["properties"].items() if key not in ("value", "overwrite", "on_null")}
    return {
        **line,
        "required": ["from"],
        "properties": {**properties, "unknown": {"enum": ["keep", "no_value"]}},
    }


def _task(text: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["subject"],
        "properties": {
            "subject": text,
            "due_in_days": {"type": "integer", "minimum": 0, "maximum": MOST_DAYS},
            "priority": {"type": "string", "minLength": 1},
            "status": {"type": "string", "minLength": 1},
            "description": {"oneOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/text"}]},
            "when": {"type": ["string", "boolean", "object"]},
        },
    }
