"""A usable subset of SOQL: SELECT fields FROM object WHERE ... ORDER BY ... LIMIT ... OFFSET, and COUNT().

Texts compare without case, null sorts first, datetimes compare as instants. What is not understood is MALFORMED_QUERY, as in the org.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<day>\d{4}-\d\d-\d\d)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<mark><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class QueryError(Exception):
    """The statement is not SOQL, or not the part of it that is known here; `code` is the org's."""

    def __init__(self, message: str, code: str = "MALFORMED_QUERY") -> None:
        """Keep message and code."""
        super().__init__(message)
        self.code = code


@dataclass
class Query:
    """A parsed statement. `lower_stamp` is a bound on SystemModstamp that every match obeys, for a quicker scan."""

    object: str
    fields: list[str]
    where: Test
    order: list[tuple[str, bool]]
    limit: int | None
    offset: int
    is_count: bool
    lower_stamp: datetime | None
    equals: dict[str, set[str]]


def parse(statement: str) -> Query:
    """Parse a statement.

    Raises:
        QueryError: It cannot be understood.
    """
    return _Parser(_tokens(statement)).query()


def _tokens(statement: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while statement[at:].strip():
        match = _TOKEN.match(statement, at)
        if match is None:
            raise QueryError(f"unexpected token near position {at}")
        found.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._lower: datetime | None = None
        self._equals: dict[str, set[str]] = {}
        self._depth = 0

    def query(self) -> Query:
        self._word("SELECT")
        fields, is_count = self._fields()
        self._word("FROM")
        name = self._take("word")
        where: Test = lambda row: True  # noqa: ARG005, E731 - no condition matches everything
        if self._is("WHERE"):
            where = self._either()
        order: list[tuple[str, bool]] = []
        if self._is("ORDER"):
            self._word("BY")
            order.append(self._sort())
            while self._mark(","):
                order.append(self._sort())
        limit = int(self._take("number")) if self._is("LIMIT") else None
        offset = int(self._take("number")) if self._is("OFFSET") else 0
        if self._at != len(self._tokens):
            raise QueryError(f"unexpected token: {self._tokens[self._at][1]}")
        return Query(name, fields, where, order, limit, offset, is_count, self._lower, self._equals)

    def _fields(self) -> tuple[list[str], bool]:
        if self._peek() == ("word", "COUNT") or (self._peek()[1] or "").upper() == "COUNT":
            self._take("word")
            self._expect("(")
            self._expect(")")
            return [], True
        fields = [self._take("word")]
        while self._mark(","):
            fields.append(self._take("word"))
        return fields, False

    def _sort(self) -> tuple[str, bool]:
        name = self._take("word")
        descending = self._is("DESC")
        if not descending:
            self._is("ASC")
        if self._is("NULLS"):
            self._take("word")
        return name, descending

    def _either(self) -> Test:
        self._depth += 1
        parts = [self._both()]
        while self._is("OR"):
            self._lower, self._equals = None, {}
            parts.append(self._both())
            self._lower, self._equals = None, {}
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _both(self) -> Test:
        parts = [self._one()]
        while self._is("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _one(self) -> Test:
        if self._is("NOT"):
            lower, equals = self._lower, dict(self._equals)
            inner = self._one()
            self._lower, self._equals = lower, equals
            return lambda row: not inner(row)
        if self._mark("("):
            inner = self._either()
            self._expect(")")
            return inner
        name = self._take("word")
        if self._is("NOT"):
            self._word("IN")
            values = self._list()
            return lambda row: _fold(row.get(name)) not in values
        if self._is("IN"):
            values = self._list()
            self._equals.setdefault(name, {str(value) for value in values})
            return lambda row: _fold(row.get(name)) in values
        if self._is("LIKE"):
            pattern = _like(str(self._value()))
            return lambda row: isinstance(row.get(name), str) and pattern.fullmatch(str(row[name])) is not None
        return self._comparison(name)

    def _comparison(self, name: str) -> Test:
        mark = self._take("mark")
        raw = self._value()
        value = _fold(raw)
        if mark in (">", ">=") and name == "SystemModstamp" and isinstance(value, datetime):
            self._lower = value
        if mark == "=" and isinstance(raw, str):
            self._equals.setdefault(name, {str(value)})
        tests: dict[str, Callable[[Any], bool]] = {
            "=": lambda one: one == value,
            "!=": lambda one: one != value,
            "<>": lambda one: one != value,
            "<": lambda one: one is not None and one < value,
            "<=": lambda one: one is not None and one <= value,
            ">": lambda one: one is not None and one > value,
            ">=": lambda one: one is not None and one >= value,
        }
        if mark not in tests:
            raise QueryError(f"unexpected token: {mark}")
        test = tests[mark]
        return lambda row: test(_fold(row.get(name)))

    def _list(self) -> set[Any]:
        self._expect("(")
        values = {_fold(self._value())}
        while self._mark(","):
            values.add(_fold(self._value()))
        self._expect(")")
        return values

    def _value(self) -> Any:
        kind, word = self._peek()
        self._at += 1
        if kind == "text":
            return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), word[1:-1])
        if kind == "instant":
            return datetime.fromisoformat(word).astimezone(UTC)
        if kind == "day":
            return date.fromisoformat(word)
        if kind == "number":
            return float(word) if "." in word else int(word)
        words = {"true": True, "false": False, "null": None}
        if kind == "word" and word.lower() in words:
            return words[word.lower()]
        raise QueryError(f"unexpected token: {word}")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, kind: str) -> str:
        found, word = self._peek()
        if found != kind:
            raise QueryError(f"unexpected token: {word or 'end of statement'}")
        self._at += 1
        return word

    def _is(self, keyword: str) -> bool:
        kind, word = self._peek()
        if kind == "word" and word.upper() == keyword:
            self._at += 1
            return True
        return False

    def _word(self, keyword: str) -> None:
        if not self._is(keyword):
            raise QueryError(f"expecting {keyword}, found: {self._peek()[1] or 'end of statement'}")

    def _mark(self, mark: str) -> bool:
        if self._peek() == ("mark", mark):
            self._at += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._mark(mark):
            raise QueryError(f"expecting {mark}, found: {self._peek()[1] or 'end of statement'}")


def _fold(value: Any) -> Any:
    if isinstance(value, str):
        # An id of 15 characters is the same as its form of 18; ids are compared by their first 15 elsewhere.
        return value.casefold()
    return value


def _like(pattern: str) -> re.Pattern[str]:
    parts = (".*" if letter == "%" else "." if letter == "_" else re.escape(letter) for letter in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
