"""What the org does with values on save: types, lengths, choices, and the rewriting that real orgs do (trim, round, empty to null)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from syncd.sandbox.schema import Field, Object

_EMAIL = re.compile(r"[^@\s<>,;:\"()\[\]]+@[^@\s<>,;:\"()\[\]]+\.[^@\s.<>,;:\"()\[\]]{2,}")
_MAX_MESSAGE = 60


@dataclass
class Refusal(Exception):  # noqa: N818 - the org's word
    """One record is refused; `fields` are named in the answer."""

    code: str
    message: str
    fields: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class CallRefusal(Exception):  # noqa: N818 - the org's word
    """The whole call is refused and nothing is written."""

    code: str
    message: str
    status: int = 400


def check_shape(described: Object, values: dict[str, Any], hidden: frozenset[str]) -> None:
    """Field names and JSON types; one wrong row fails the whole call, as in the org.

    Raises:
        CallRefusal: An unknown field, or a JSON type that the field cannot be read from.
    """
    for name, value in values.items():
        one = described.fields.get(name)
        if one is None or name in hidden:
            raise CallRefusal("INVALID_FIELD", f"No such column '{name}' on sobject of type {described.name}")
        if isinstance(value, dict | list):
            raise CallRefusal("JSON_PARSER_ERROR", f"Cannot deserialize instance of {one.type} from a JSON structure")
        is_wrong = (one.type == "boolean" and value is not None and not isinstance(value, bool)) or (
            one.type in ("int", "double", "currency") and isinstance(value, bool)
        )
        if is_wrong:
            raise CallRefusal("JSON_PARSER_ERROR", f"Cannot deserialize instance of {one.type} from the value given for {name}")


def stored(one: Field, value: Any) -> Any:
    """`value` as the org keeps it.

    Raises:
        Refusal: The value does not fit the field.
    """
    if one.type == "boolean":
        return bool(value)
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return None
    if one.type in ("int", "double", "currency"):
        return _number(one, value)
    if one.type == "datetime":
        return _instant(one, value)
    if one.type == "date":
        return _day(one, value)
    if not isinstance(value, str):
        value = str(value)
    if one.length and len(value) > one.length:
        raise Refusal("STRING_TOO_LONG", f"{one.name}: data value too large: (max length={one.length})", [one.name])
    if one.type == "email" and not _EMAIL.fullmatch(value):
        raise Refusal("INVALID_EMAIL_ADDRESS", f"{one.name}: invalid email address: {value[:_MAX_MESSAGE]}", [one.name])
    if one.restricted and value not in one.picklist:
        message = f"{one.name}: bad value for restricted picklist field: {value[:_MAX_MESSAGE]}"
        raise Refusal("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [one.name])
    return value


def _number(one: Field, value: Any) -> Any:
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{one.name}: value not of required type", [one.name]) from None
    if not number.is_finite() or (one.precision and abs(number) >= Decimal(10) ** (one.precision - one.scale)):
        raise Refusal("NUMBER_OUTSIDE_VALID_RANGE", f"{one.name}: value outside of valid range on numeric field", [one.name])
    rounded = number.quantize(Decimal(1).scaleb(-one.scale), rounding=ROUND_HALF_UP)
    return int(rounded) if one.type == "int" else float(rounded)


def _instant(one: Field, value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{one.name}: value not of required type", [one.name]) from None
    return found.astimezone(UTC).replace(microsecond=0)


def _day(one: Field, value: Any) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{one.name}: value not of required type", [one.name]) from None


def as_json(value: Any) -> Any:
    """A stored value as the API shows it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}+0000"
    if isinstance(value, date):
        return value.isoformat()
    return value
