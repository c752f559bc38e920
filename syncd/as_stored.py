"""Documents as stored: where a value comes from is written once per record, not once per field. Pure.

A person's ten fields usually come from one record; spelling that out ten times made half of the store's bytes. Whoever makes documents
beside the engine (`syncd.run.newcomers`) makes them as the store does, without the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from syncd.model import Assignment, Operation, Provenance, Value
from syncd.ports import GoldenValue


class _Origin(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The part of a provenance that fields of one record share."""

    source: str
    stream: str
    key: str
    locator: str
    mapping: str


class _Why(msgspec.Struct, frozen=True, gc=False, array_like=True, omit_defaults=True):
    """The part of a provenance that belongs to one field; `origin` counts in the list beside."""

    origin: int
    line: int = 0
    rule: str = ""


class _Golden(msgspec.Struct, frozen=True, gc=False):
    values: dict[str, Value] = {}
    why: dict[str, _Why] = {}
    origins: list[_Origin] = []
    defaults: list[str] = []


class OperationDocument(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What of an operation is never searched for."""

    fields: dict[str, Value]
    before: dict[str, Value]
    assignment: Assignment | None
    is_guarded: bool
    why: dict[str, _Why] = {}
    origins: list[_Origin] = []
    own_id: str = ""
    # As schema 0001 spelled it out; read, never written.
    former: dict[str, Provenance] = msgspec.field(default={}, name="provenance")

    @property
    def provenance(self) -> dict[str, Provenance]:
        """Why each field is written."""
        return _unpacked(self.why, self.origins) or self.former


_GOLDEN = msgspec.json.Decoder(_Golden)
_OPERATION = msgspec.json.Decoder(OperationDocument)
_ENCODE = msgspec.json.Encoder().encode


def dumps(value: Any) -> str:
    """A document as JSON text."""
    return _ENCODE(value).decode()


def golden_text(golden: Mapping[str, GoldenValue]) -> str:
    """A person's surviving values as stored."""
    why, origins = _packed((name, one.provenance) for name, one in golden.items())
    defaults = [name for name, one in golden.items() if one.is_default]
    return _ENCODE(_Golden({name: one.value for name, one in golden.items()}, why, origins, defaults)).decode()


def golden_document(text: str) -> dict[str, dict[str, Any]]:
    """The same for faces: field name to `value`, `is_default` and `provenance`."""
    found = _GOLDEN.decode(text)
    if not found.values and text != "{}":
        return _former(text)
    why = _unpacked(found.why, found.origins)
    return {
        name: {
            "value": value,
            "is_default": name in found.defaults,
            "provenance": msgspec.to_builtins(why[name]) if name in why else {},
        }
        for name, value in found.values.items()
    }


def golden_values(text: str) -> dict[str, Value]:
    """Only the values."""
    found = _GOLDEN.decode(text).values
    return found or {name: one.get("value") for name, one in _former(text).items()}


def _former(text: str) -> dict[str, dict[str, Any]]:
    """A golden document as schema 0001 spelled it out: field name to value and provenance; a new one without values is empty."""
    found: dict[str, Any] = msgspec.json.decode(text)
    return {} if "values" in found else found


def operation_text(
    fields: Mapping[str, Value],
    before: Mapping[str, Value],
    provenance: Mapping[str, Provenance],
    assignment: Assignment | None,
    *,
    is_guarded: bool,
    own_id: str = "",
) -> str:
    """An operation's document as stored."""
    why, origins = _packed(provenance.items())
    return _ENCODE(OperationDocument(dict(fields), dict(before), assignment, is_guarded, why, origins, own_id)).decode()


def document_text(one: Operation) -> str:
    """The document of an operation as stored."""
    return operation_text(one.fields, one.before, one.provenance, one.assignment, is_guarded=one.is_guarded, own_id=one.own_id)


def operation_document(text: str) -> OperationDocument:
    """An operation's document as a value."""
    return _OPERATION.decode(text)


def _packed(provenance: Iterable[tuple[str, Provenance]]) -> tuple[dict[str, _Why], list[_Origin]]:
    places: dict[tuple[str, str, str, str, str], int] = {}
    why: dict[str, _Why] = {}
    for name, one in provenance:
        origin = (one.source, one.stream, one.key, one.locator, one.mapping)
        why[name] = _Why(places.setdefault(origin, len(places)), one.line, one.rule)
    return why, [_Origin(*origin) for origin in places]


def _unpacked(why: Mapping[str, _Why], origins: list[_Origin]) -> dict[str, Provenance]:
    found = {}
    for name, one in why.items():
        origin = origins[one.origin]
        found[name] = Provenance(origin.source, origin.stream, origin.key, origin.locator, origin.mapping, one.line, one.rule)
    return found
