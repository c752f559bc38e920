"""The form in which values are compared: two values are the same when the org would store the same (DESIGN 5.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from syncd.model import FieldSchema, Value

_NUMBERS = frozenset({"double", "currency", "percent", "int", "long"})
_MAX_DIGITS = 40


def canonical(value: Value, field: FieldSchema | None) -> Value:
    """`value` in comparison form by describe type: trimmed text, scale, UTC seconds, checkbox null = False, set of choices.

    Pure; unknown fields are compared as text, numbers or booleans by what they are. Canonical twice is canonical once.
    """
    kind = field.type if field else ""
    if kind == "boolean":
        return value is True or (isinstance(value, str) and value.strip().lower() == "true")
    if isinstance(value, str):
        value = value.replace("\r\n", "\n").strip()
    if value is None or value == "":
        return None
    if kind == "multipicklist":
        return ";".join(sorted({part.strip() for part in str(value).split(";")} - {""})) or None
    if kind == "datetime":
        return _instant(value)
    if kind in _NUMBERS or (not kind and isinstance(value, int | float) and not isinstance(value, bool)):
        return _number(value, field.scale if field and kind not in ("int", "long") else None if not field else 0)
    return value if not kind or isinstance(value, bool) else str(value)


def same(left: Value, right: Value, field: FieldSchema | None) -> bool:
    """Whether the org would not tell `left` from `right`."""
    if left is right or (left == right and type(left) is type(right)):
        return True
    return canonical(left, field) == canonical(right, field)


def is_blank(value: Value, field: FieldSchema | None) -> bool:
    """Whether a field holding `value` counts as empty; an unticked checkbox does."""
    return canonical(value, field) in (None, False)


def _instant(value: Value) -> Value:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    if at.tzinfo is None:
        return str(value)
    return at.astimezone(UTC).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: Value, scale: int | None) -> Value:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if not number.is_finite() or number.adjusted() > _MAX_DIGITS:
        return str(value)
    if scale is not None:
        number = number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    return int(number) if number == number.to_integral_value() else float(number)
