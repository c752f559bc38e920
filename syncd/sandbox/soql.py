"""A usable subset of SOQL, parsed: SELECT fields or counts FROM one object, WHERE, GROUP BY, ORDER BY, LIMIT, OFFSET.

The grammar is the org's where it is strict: AND and OR do not mix without brackets. What is not understood is MALFORMED_QUERY.
Meaning (types, indexes, comparison) is in `conditions.py`. Source: SOQL and SOSL Reference, "Condition Expression Syntax" (release
216) and "ORDER BY" (release 224, null first by default), checked 2026-11-24; later releases were not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

_T = TypeVar("_T")
Literal = str | int | float | bool | datetime | date | None

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<day>\d{4}-\d\d-\d\d)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<mark><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\", "_": "\\_", "%": "\\%"}
_STATEMENT_CHARACTERS, _LITERAL_CHARACTERS = 100_000, 4_000
_KEYWORDS = frozenset({"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET"})
_AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "MIN", "MAX"})


class QueryError(Exception):
    """The statement is not SOQL, or not the part of it that is known here; `code` is the org's."""

    def __init__(self, message: str, code: str = "MALFORMED_QUERY") -> None:
        """Keep message and code."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Compare:
    """`field mark value`; mark is one of = != < <= > >=."""

    field: str
    mark: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Within:
    """`field [NOT] IN (values)`."""

    field: str
    values: tuple[Literal, ...]
    is_negated: bool


@dataclass(frozen=True, slots=True)
class Like:
    """`field LIKE pattern`; % any text, _ any letter, a backslash takes their meaning away."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Negation:
    """`NOT condition`."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions joined by AND (`is_all`) or OR."""

    parts: tuple[Condition, ...]
    is_all: bool


Condition = Compare | Within | Like | Negation | Joined


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`FUNCTION(field) alias`; `field` is empty for COUNT()."""

    function: str
    field: str
    alias: str


@dataclass(frozen=True, slots=True)
class Order:
    """One term of ORDER BY."""

    field: str
    is_descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    """A parsed statement; names as written, in any case."""

    object: str
    fields: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    where: Condition | None
    groups: tuple[str, ...]
    order: tuple[Order, ...]
    limit: int | None
    offset: int

    @property
    def is_count(self) -> bool:
        """Whether it is a plain SELECT COUNT()."""
        return len(self.aggregates) == 1 and not self.aggregates[0].field


def parse(statement: str) -> Query:
    """Parse a statement.

    Raises:
        QueryError: It cannot be understood.
    """
    if len(statement) > _STATEMENT_CHARACTERS:
        raise QueryError("SOQL statement is too long")
    return _Parser(_tokens(statement)).query()


def _tokens(statement: str) -> list[tuple[str, str]]:
    found, at, end = [], 0, len(statement.rstrip())
    while at < end:
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

    def query(self) -> Query:
        self._word("SELECT")
        fields, aggregates = self._columns()
        self._word("FROM")
        name = self._take("word")
        where = self._conditions() if self._is("WHERE") else None
        groups: tuple[str, ...] = ()
        if self._is("GROUP"):
            self._word("BY")
            groups = tuple(self._listed(lambda: self._take("word")))
        order: tuple[Order, ...] = ()
        if self._is("ORDER"):
            self._word("BY")
            order = tuple(self._listed(self._sort))
        limit = self._count() if self._is("LIMIT") else None
        offset = self._count() if self._is("OFFSET") else 0
        if self._at != len(self._tokens):
            raise QueryError(f"unexpected token: {self._tokens[self._at][1]}")
        if groups and not aggregates and not fields:
            raise QueryError("a grouped query must select something")
        return Query(name, tuple(fields), tuple(aggregates), where, groups, order, limit, offset)

    def _columns(self) -> tuple[list[str], list[Aggregate]]:
        fields: list[str] = []
        aggregates: list[Aggregate] = []

        def column() -> None:
            name = self._take("word")
            if name.upper() not in _AGGREGATES or self._peek() != ("mark", "("):
                fields.append(name)
                return
            self._expect("(")
            field = "" if self._peek() == ("mark", ")") else self._take("word")
            self._expect(")")
            kind, word = self._peek()
            is_alias = kind == "word" and word.upper() not in _KEYWORDS
            alias = self._take("word") if is_alias else f"expr{len(aggregates)}"
            aggregates.append(Aggregate(name.upper(), field, alias))

        self._listed(column)
        if any(not one.field for one in aggregates) and (fields or len(aggregates) > 1):
            raise QueryError("COUNT() stands alone; COUNT(field) goes with fields")
        return fields, aggregates

    def _listed(self, one: Callable[[], _T]) -> list[_T]:
        found = [one()]
        while self._mark(","):
            found.append(one())
        return found

    def _sort(self) -> Order:
        name = self._take("word")
        is_descending = self._is("DESC")
        if not is_descending:
            self._is("ASC")
        nulls_last = False
        if self._is("NULLS"):
            nulls_last = self._is("LAST")
            if not nulls_last:
                self._word("FIRST")
        return Order(name, is_descending, nulls_last)

    def _conditions(self) -> Condition:
        parts = [self._one()]
        joint = ""
        while self._peek()[0] == "word" and self._peek()[1].upper() in ("AND", "OR"):
            word = self._take("word").upper()
            if joint and word != joint:
                raise QueryError(f"unexpected token: {word}")
            joint = word
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), joint == "AND")

    def _one(self) -> Condition:
        if self._is("NOT"):
            return Negation(self._one())
        if self._mark("("):
            inner = self._conditions()
            self._expect(")")
            return inner
        name = self._take("word")
        if self._is("NOT"):
            self._word("IN")
            return Within(name, self._values(), is_negated=True)
        if self._is("IN"):
            return Within(name, self._values(), is_negated=False)
        if self._is("LIKE"):
            # The pattern keeps its escaped wildcards: conditions.py reads them.
            return Like(name, _text(self._take("text"), keep_wildcards=True))
        mark = self._take("mark")
        if mark not in ("=", "!=", "<>", "<", "<=", ">", ">="):
            raise QueryError(f"unexpected token: {mark}")
        return Compare(name, "!=" if mark == "<>" else mark, self._value())

    def _values(self) -> tuple[Literal, ...]:
        self._expect("(")
        values = tuple(self._listed(self._value))
        self._expect(")")
        return values

    def _value(self) -> Literal:
        kind, word = self._peek()
        self._at += 1
        if kind == "text":
            return _text(word, keep_wildcards=False)
        try:
            if kind == "instant":
                return datetime.fromisoformat(word).astimezone(UTC)
            if kind == "day":
                return date.fromisoformat(word)
        except ValueError:
            raise QueryError(f"invalid date: {word}") from None
        if kind == "number":
            return float(word) if "." in word else int(word)
        words: dict[str, bool | None] = {"true": True, "false": False, "null": None}
        if kind == "word" and word.lower() in words:
            return words[word.lower()]
        raise QueryError(f"unexpected token: {word or 'end of statement'}")

    def _count(self) -> int:
        word = self._take("number")
        if not word.isdigit():
            raise QueryError(f"unexpected token: {word}")
        return int(word)

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


def _text(quoted: str, *, keep_wildcards: bool) -> str:
    def plain(found: re.Match[str]) -> str:
        letter = found[1]
        if letter not in _ESCAPES:
            raise QueryError(f"Illegal character sequence '\\{letter}' in string literal")
        if letter in "_%":
            return _ESCAPES[letter] if keep_wildcards else letter
        return "\\\\" if letter == "\\" and keep_wildcards else _ESCAPES[letter]

    text = re.sub(r"\\(.)", plain, quoted[1:-1], flags=re.DOTALL)
    if len(text) > _LITERAL_CHARACTERS:
        raise QueryError("string literal is too long")
    return text
