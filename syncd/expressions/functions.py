"""The closed list of functions, with their kinds, documentation and examples.

Pure. The reference page is made from this table, and a test runs every example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from syncd.expressions import builtins, reading
from syncd.expressions.kinds import TIMES, Kind

Kinds = frozenset[Kind]

_TEXT: Kinds = frozenset({Kind.TEXT})
_NUMBER: Kinds = frozenset({Kind.NUMBER})
_LIST: Kinds = frozenset({Kind.LIST})
_TIME: Kinds = TIMES | {Kind.TEXT}
_SCALAR: Kinds = frozenset(Kind) - {Kind.LIST}
_EVERY: Kinds = frozenset(Kind)
_TEXT_OR_LIST: Kinds = _TEXT | _LIST
_ORDERED: Kinds = _NUMBER | TIMES


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language.

    Attributes:
        name: As it is called.
        call: How a call is written, for people.
        summary: One sentence on what it gives, and what for null.
        example, gives: An expression over `EXAMPLE_VALUES` and what it evaluates to, both as text.
        takes: Kinds accepted by each parameter; ANY is accepted everywhere.
        result: Kind of the result; None means the kind that the arguments share.
        run: The implementation; gets the context first, then the arguments.
        required: How many parameters must be given.
        variadic: Whether the last parameter may be repeated.
        literal: Indexes of parameters that must be written as literals.
        context: Variables passed before the arguments, None for those that the schema lacks.
        needs_clock_from: From how many arguments on `now` or `today` must be in the schema; 0 means never.
    """

    name: str
    call: str
    summary: str
    example: str
    gives: str
    takes: tuple[Kinds, ...]
    result: Kind | None
    run: Callable[..., Any]
    required: int
    variadic: bool = False
    literal: frozenset[int] = frozenset()
    context: tuple[str, ...] = ()
    needs_clock_from: int = 0


_TABLE = (
    Function(
        "is_known", "is_known(x)", "Whether there is a value: false for null, blank text and an empty list.",
        "is_known(lead.Phone)", "false", (_EVERY,), Kind.BOOLEAN, reading.is_known, 1,
    ),
    Function(
        "coalesce", "coalesce(a, b, ...)", "The first value that is known, else null.",
        'coalesce(lead.Phone, lead.Title, "none")', '"Head of Sales"', (_EVERY,), None, builtins.coalesce, 2, variadic=True,
    ),
    Function(
        "lower", "lower(text)", "The text in lower case.",
        "lower(lead.Company)", '"acme gmbh"', (_TEXT,), Kind.TEXT, builtins.lower, 1,
    ),
    Function(
        "upper", "upper(text)", "The text in upper case.",
        "upper(lead.Company)", '"ACME GMBH"', (_TEXT,), Kind.TEXT, builtins.upper, 1,
    ),
    Function(
        "trim", "trim(text)", "The text without white space at its ends.",
        'trim("  Ada ")', '"Ada"', (_TEXT,), Kind.TEXT, builtins.trim, 1,
    ),
    Function(
        "length", "length(text or list)", "The number of characters or elements.",
        "length(lead.Company)", "9", (_TEXT_OR_LIST,), Kind.NUMBER, builtins.length, 1,
    ),
    Function(
        "contains", "contains(text or list, x)", "Whether the text has the part `x`, or the list the element `x`; case counts.",
        'contains(lower(lead.Title), "sales")', "true", (_TEXT_OR_LIST, _SCALAR), Kind.BOOLEAN, builtins.contains, 2,
    ),
    Function(
        "any_of", "any_of(text or list, x, ...)", "Whether `contains` is true for at least one `x`.",
        'any_of(record.tags, "vip", "partner")', "true", (_TEXT_OR_LIST, _SCALAR), Kind.BOOLEAN, builtins.any_of, 2,
        variadic=True,
    ),
    Function(
        "starts_with", "starts_with(text, start)", "Whether the text begins with `start`; case counts.",
        'starts_with(lead.Title, "Head")', "true", (_TEXT, _TEXT), Kind.BOOLEAN, builtins.starts_with, 2,
    ),
    Function(
        "ends_with", "ends_with(text, end)", "Whether the text ends with `end`; case counts.",
        'ends_with(lead.Email, "@example.com")', "true", (_TEXT, _TEXT), Kind.BOOLEAN, builtins.ends_with, 2,
    ),
    Function(
        "matches", 'matches(text, "pattern")',
        "Whether the RE2 pattern is found anywhere in the text; `^` and `$` pin it to the ends, `(?i)` ignores case.",
        r'matches(lead.Title, "(?i)\b(head|vp|chief)\b")', "true", (_TEXT, _TEXT), Kind.BOOLEAN, builtins.matches, 2,
        literal=frozenset({1}),
    ),
    Function(
        "domain", "domain(email)", "The part of an e-mail address after the @, in lower case; null if there is none.",
        "domain(lead.Email)", '"example.com"', (_TEXT,), Kind.TEXT, builtins.domain, 1,
    ),
    Function(
        "number", "number(x)", "The number that a text holds (`1250`, `-3.5`, `1e6`); null if it holds none.",
        "number(record.budget) * 2", "2500", (_TEXT | _NUMBER,), Kind.NUMBER, reading.as_number, 1,
    ),
    Function(
        "text", "text(x)", "The value as text: `12`, `true`, `2026-01-31`.",
        "text(lead.Score)", '"72"', (_SCALAR,), Kind.TEXT, reading.as_text, 1,
    ),
    Function(
        "abs", "abs(number)", "The number without its sign.",
        "abs(-3)", "3", (_NUMBER,), Kind.NUMBER, builtins.absolute, 1,
    ),
    Function(
        "round", "round(number, [digits])", "The number rounded half away from zero, to whole numbers or to `digits` places.",
        "round(2.5)", "3", (_NUMBER, _NUMBER), Kind.NUMBER, builtins.rounded, 1, literal=frozenset({1}),
    ),
    Function(
        "min", "min(a, b, ...)", "The smallest number or the earliest time; null if one of them is not known.",
        "min(lead.Score, 50)", "50", (_ORDERED,), None, builtins.minimum, 2, variadic=True,
    ),
    Function(
        "max", "max(a, b, ...)", "The largest number or the latest time; null if one of them is not known.",
        "max(lead.Score, 50)", "72", (_ORDERED,), None, builtins.maximum, 2, variadic=True,
    ),
    Function(
        "count", "count(list)", "The number of elements; null counts 0.",
        "count(record.tags)", "2", (_LIST,), Kind.NUMBER, builtins.count, 1,
    ),
    Function(
        "days_since", "days_since(day or instant)", "Whole days from then until `now` (or `today`); negative when it lies ahead.",
        "days_since(lead.CreatedDate)", "30", (_TIME,), Kind.NUMBER, builtins.days_since, 1,
        context=("now", "today"), needs_clock_from=1,
    ),
    Function(
        "any_touch", "any_touch([channel], [days])", "Whether there was a touch, on that channel, in the last `days`.",
        'any_touch("webinar", 90)', "true", (_TEXT, _NUMBER), Kind.BOOLEAN, builtins.any_touch, 0,
        context=("touches", "now", "today"), needs_clock_from=2,
    ),
    Function(
        "count_touches", "count_touches([channel], [days])", "How many touches there were, on that channel, in the last `days`.",
        'count_touches("email")', "2", (_TEXT, _NUMBER), Kind.NUMBER, builtins.count_touches, 0,
        context=("touches", "now", "today"), needs_clock_from=2,
    ),
)  # fmt: skip

FUNCTIONS: Mapping[str, Function] = MappingProxyType({function.name: function for function in _TABLE})
"""Every function that an expression may call, by name."""
