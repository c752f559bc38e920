"""What a parsed statement means for one object: types checked, names found in any case, a test per row, and a way not to scan.

Texts compare without case, null sorts first, ids of 15 and 18 characters are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from syncd.sandbox.ids import canonical
from syncd.sandbox.schema import Field, Object
from syncd.sandbox.soql import Compare, Condition, Joined, Like, Literal, Negation, QueryError, Within

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_NUMBERS = frozenset({"int", "double", "currency", "percent"})
_IDS = frozenset({"id", "reference"})


@dataclass(frozen=True)
class Bound:
    """A condition bound to an object.

    Attributes:
        test: Whether a row matches.
        equals: Field to the values one of which every match holds (folded, or ids), for an index.
        newer_than: A lower bound on SystemModstamp of every match, or None.
    """

    test: Test
    equals: dict[str, frozenset[str]] = field(default_factory=dict)
    newer_than: datetime | None = None


def find_field(described: Object, name: str, hidden: Iterable[str]) -> Field:
    """The field of a name in any case.

    Raises:
        QueryError: There is none, or the user may not see it.
    """
    one = described.find(name)
    if one is None or one.name in hidden:
        raise QueryError(f"No such column '{name}' on entity '{described.name}'.", "INVALID_FIELD")
    return one


def bind(condition: Condition | None, described: Object, hidden: frozenset[str]) -> Bound:
    """Check a condition against an object and make it a test; None matches everything.

    Raises:
        QueryError: An unknown field, or a literal of the wrong type.
    """
    if condition is None:
        return Bound(lambda row: True)  # noqa: ARG005 - the shape of a test
    if isinstance(condition, Negation):
        inner = bind(condition.part, described, hidden).test
        return Bound(lambda row: not inner(row))
    if isinstance(condition, Joined):
        return _joined([bind(part, described, hidden) for part in condition.parts], is_all=condition.is_all)
    one = find_field(described, condition.field, hidden)
    if not one.filterable:
        raise QueryError(f"field '{one.name}' can not be filtered in a query call", "INVALID_FIELD")
    if isinstance(condition, Like):
        return _like(one, condition)
    if isinstance(condition, Within):
        return _within(one, condition)
    return _compare(one, condition)


def _joined(parts: list[Bound], *, is_all: bool) -> Bound:
    tests = [part.test for part in parts]
    if not is_all:
        return Bound(lambda row: any(test(row) for test in tests))
    equals: dict[str, frozenset[str]] = {}
    for part in parts:
        for name, values in part.equals.items():
            equals[name] = equals[name] & values if name in equals else values
    stamps = [part.newer_than for part in parts if part.newer_than is not None]
    return Bound(lambda row: all(test(row) for test in tests), equals, max(stamps) if stamps else None)


def _like(one: Field, condition: Like) -> Bound:
    if one.type in _NUMBERS or one.type in ("boolean", "date", "datetime", *_IDS):
        raise QueryError(f"invalid operator on {one.type} field", "INVALID_QUERY_FILTER_OPERATOR")
    name, parts = one.name, []
    for escaped, letter in re.findall(r"\\(.)|(.)", condition.pattern, re.DOTALL):
        parts.append(re.escape(escaped) if escaped else {"%": ".*", "_": "."}.get(letter, re.escape(letter)))
    pattern = re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
    return Bound(lambda row: isinstance(row.get(name), str) and pattern.fullmatch(row[name]) is not None)


def _within(one: Field, condition: Within) -> Bound:
    name = one.name
    values = frozenset(_literal(one, value) for value in condition.values)
    if condition.is_negated:
        return Bound(lambda row: fold(row.get(name)) not in values)
    texts = _index_values(one, values)
    return Bound(lambda row: fold(row.get(name)) in values, {name: texts} if texts is not None else {})


def _compare(one: Field, condition: Compare) -> Bound:
    name, mark = one.name, condition.mark
    value = _literal(one, condition.value)
    if mark == "=":
        texts = _index_values(one, (value,))
        return Bound(lambda row: fold(row.get(name)) == value, {name: texts} if texts is not None else {})
    if mark == "!=":
        return Bound(lambda row: fold(row.get(name)) != value)
    if one.type == "boolean" or value is None:
        raise QueryError(f"invalid operator on {one.type} field", "INVALID_QUERY_FILTER_OPERATOR")
    tests: dict[str, Callable[[Any], bool]] = {
        "<": lambda held: held < value,
        "<=": lambda held: held <= value,
        ">": lambda held: held > value,
        ">=": lambda held: held >= value,
    }
    test = tests[mark]
    newer_than = value if name == "SystemModstamp" and mark in (">", ">=") else None
    return Bound(lambda row: row.get(name) is not None and test(fold(row[name])), newer_than=newer_than)


def _index_values(one: Field, values: Iterable[Any]) -> frozenset[str] | None:
    """The values as an index holds them; None when null or something else than text is among them."""
    wanted = frozenset(values)
    if not all(isinstance(value, str) for value in wanted):
        return None
    # Ids fold for comparison but are kept with their case.
    return frozenset(str(canonical(value)) for value in wanted) if one.type == "id" else wanted


def _literal(one: Field, value: Literal) -> Any:
    """The literal as rows compare it.

    Raises:
        QueryError: It does not have the field's type.
    """
    if value is None:
        return None
    if one.type in _IDS:
        sf_id = canonical(value) if isinstance(value, str) else None
        if sf_id is None:
            raise QueryError(f"invalid ID field: {one.name}", "INVALID_QUERY_FILTER_OPERATOR")
        return sf_id.casefold()
    fits = {
        "boolean": isinstance(value, bool),
        "datetime": isinstance(value, datetime),
        "date": isinstance(value, date) and not isinstance(value, datetime),
    }.get(one.type)
    if fits is None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = is_number if one.type in _NUMBERS else isinstance(value, str)
    if not fits:
        message = f"value of filter criterion for field '{one.name}' must be of type {one.type}"
        raise QueryError(message, "INVALID_FIELD")
    return fold(value)


def fold(value: Any) -> Any:
    """A value as it is compared."""
    return value.casefold() if isinstance(value, str) else value


def sort_key(value: Any) -> Any:
    """A key that orders the values of one field; null comes first."""
    if value is None:
        return (0, 0)
    return (1, int(value) if isinstance(value, bool) else fold(value))
