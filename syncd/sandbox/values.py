"""What the org does with values on save: types, lengths, choices, and the rewriting that real orgs do (trim, round, empty to null)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from syncd.sandbox.ids import canonical
from syncd.sandbox.schema import Field, Object

_EMAIL = re.compile(r"[^@\s<>,;:\"()\[\]]+@[^@\s<>,;:\"()\[\]]+\.[^@\s.<>,;:\"()\[\]]{2,}")
_NUMBERS = ("int", "double", "currency", "percent")
_SHAPES = {
    "date": re.compile(r"\d{4}-\d\d-\d\d(Z|[+-]\d\d:?\d\d)?"),
    "datetime": re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"),
}
_NO_TEXTS = frozenset({"boolean", *_NUMBERS, *_SHAPES})
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


def check_shape(described: Object, values: dict[str, Any], hidden: Collection[str], *, beside: Collection[str] = ()) -> None:
    """Field names and JSON types; one wrong row fails the whole call, as in the org. `beside`: Names that are no fields.

    Raises:
        CallRefusal: An unknown field, or a JSON type that the field cannot be read from.
    """
    for name, value in values.items():
        if name in beside:
            continue
        one = described.fields.get(name) or described.find(name)
        if one is None or one.name in hidden:
            raise CallRefusal("INVALID_FIELD", f"No such column '{name}' on sobject of type {described.name}")
        if value is not None and not _is_readable(one.type, value):
            shape = type(value).__name__
            raise CallRefusal("JSON_PARSER_ERROR", f"Cannot deserialize instance of {one.type} from {shape} given for {name}")


def _is_readable(kind: str, value: Any) -> bool:
    """Whether the JSON parser of the org can make a value of a field's type out of `value`; it reads before any rule runs.

    Dates that are no dates, a datetime without its T, a whole timestamp for a date and a text for a number are refused with
    JSON_PARSER_ERROR in answers that clients recorded (issues restforce#897, qore#3908, mautic#3048; checked 2026-11-24). That a
    number for a text is refused too is the harsher guess (unverified).
    """
    if kind not in _NO_TEXTS:
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in _NUMBERS:
        return (isinstance(value, int | float) and not isinstance(value, bool)) or (isinstance(value, str) and _is_number(value))
    if not isinstance(value, str):
        return False
    text = value.strip()
    if not text:
        return True
    if not _SHAPES[kind].fullmatch(text):
        return False
    try:
        date.fromisoformat(text[:10])
        datetime.fromisoformat(text if kind == "datetime" else text[:10])
    except ValueError:
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        return not text.strip() or Decimal(text.strip()).is_finite()
    except ArithmeticError:
        return False


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
    if one.type not in _NO_TEXTS:
        return _text(one, str(value))
    if one.type in _NUMBERS:
        return _number(one, value)
    if one.type == "datetime":
        return _instant(one, value)
    return _day(one, value)


def _text(one: Field, value: str) -> str:
    if one.type in ("id", "reference"):
        sf_id = canonical(value)
        if sf_id is None:
            raise Refusal("MALFORMED_ID", f"{one.name}: id value of incorrect type: {value[:_MAX_MESSAGE]}", [one.name])
        return sf_id
    if one.length and len(value) > one.length:
        message = f"{one.name}: data value too large: {value[:_MAX_MESSAGE]} (max length={one.length})"
        raise Refusal("STRING_TOO_LONG", message, [one.name])
    if one.type == "email" and not _EMAIL.fullmatch(value):
        raise Refusal("INVALID_EMAIL_ADDRESS", f"{one.name}: invalid email address: {value[:_MAX_MESSAGE]}", [one.name])
    if one.restricted and value not in one.picklist:
        if one.name == "CurrencyIsoCode":
            raise Refusal("INVALID_CURRENCY_ISO", f"{one.name}: invalid currency iso code: {value[:_MAX_MESSAGE]}", [one.name])
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
    # Without an offset the org takes UTC; seconds are its precision.
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _day(one: Field, value: Any) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise Refusal("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{one.name}: value not of required type", [one.name]) from None


def as_json(value: Any) -> Any:
    """A stored value as the API shows it; instants have the precision of a second."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()[:19] + ".000+0000"
    if isinstance(value, date):
        return value.isoformat()
    return value
