"""Which kinds go together in comparisons and arithmetic, known before any value is there.

Pure. ANY goes with everything; it is sorted out at run time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from syncd.expressions.kinds import TIMES, Kind
from syncd.expressions.operators import pair
from syncd.expressions.reading import as_time
from syncd.expressions.tree import Call, Literal, Logic, Not, Place, Term

_ORDERINGS = frozenset({"<", "<=", ">", ">="})
_NUMERIC = frozenset({Kind.NUMBER, Kind.ANY})


class Refusing(Protocol):
    """Where problems are noted."""

    def refuse(self, place: Place, message: str, advice: str = "") -> Term:
        """Note a problem."""
        ...


def a(kind: Kind) -> str:
    """The kind with its article, for messages."""
    word = kind.value
    return word if kind in (Kind.BOOLEAN, Kind.ANY, Kind.TEXT) else f"{'an' if word[0] == 'i' else 'a'} {word}"


def is_null(term: Term) -> bool:
    """Whether `null` was written."""
    return isinstance(term, Literal) and term.value is None


def is_call(term: Term) -> bool:
    """Whether the term is a call."""
    return isinstance(term, Call)


def written(term: Term, inner: bool = False) -> str:
    """The term as text; what came from the YAML form is put together from its parts."""
    if not isinstance(term, Logic) or term.place.text:
        return f"not ({written(term.part)})" if isinstance(term, Not) and isinstance(term.part, Logic) else term.place.text
    text = f" {term.op} ".join(written(part, inner=True) for part in term.parts)
    return f"({text})" if inner else text


def shared(terms: Iterable[Term]) -> Kind | None:
    """The one kind of all terms: null fits any, ANY makes it ANY; None when two differ."""
    kinds = {term.kind for term in terms if not is_null(term)}
    if len(kinds) > 1 and Kind.ANY in kinds:
        return Kind.ANY if len(kinds) == 2 else None
    return kinds.pop() if len(kinds) == 1 else (None if kinds else Kind.ANY)


def aligned(left: Term, right: Term, op: str = "==") -> tuple[Term, Term]:
    """Both terms, a written text that holds a day or an instant read as one where the other side is a time."""
    if op in ("+", "*", "/"):
        return left, right
    if left.kind in TIMES:
        return left, timed(right)
    if right.kind in TIMES:
        return timed(left), right
    return left, right


def timed(term: Term) -> Term:
    """A written text as the time it holds; anything else as it is."""
    found = as_time(term.value) if isinstance(term, Literal) and term.kind is Kind.TEXT else None
    if found is None or not isinstance(term, Literal):
        return term
    return replace(term, kind=Kind.INSTANT if hasattr(found, "hour") else Kind.DAY, value=found)


def compared(checker: Refusing, op: str, left: Term, right: Term) -> tuple[Term, Term]:
    """Both terms as they are to be compared; a problem is noted if they cannot be."""
    for null, other in ((right, left), (left, right)):
        if is_null(null):
            asked = f"is_known({other.place.text})"
            advice = f"Write {asked}." if op in ("!=", "not in") else f"Write not {asked}."
            checker.refuse(null.place, "A comparison with null is always false.", advice)
            return left, right
    if op in ("in", "not in"):
        return _membership(checker, left, right)
    left, right = aligned(left, right)
    kinds = {left.kind, right.kind}
    if Kind.LIST in kinds:
        advice = "Write any_of(list, x, ...), contains(list, x), x in [...] or count(list)."
        checker.refuse(left.place, f'"{op}" does not compare lists.', advice)
    elif op in _ORDERINGS and Kind.BOOLEAN in kinds:
        checker.refuse(left.place, f'"{op}" does not work with true and false.', 'Write "==".')
    elif not comparable(left.kind, right.kind):
        message = f'"{op}" cannot compare {a(left.kind)} with {a(right.kind)}.'
        checker.refuse(left.place, message, _comparing_advice(left, right))
    return left, right


def comparable(left: Kind, right: Kind) -> bool:
    """Whether values of these kinds may be compared."""
    return left is right or Kind.ANY in (left, right) or {left, right} == TIMES


def calculated(op: str, left: Kind, right: Kind) -> Kind | None:
    """The kind of `left op right`, None if it makes no sense."""
    if left in _NUMERIC and right in _NUMERIC:
        return Kind.ANY if op in "+-" and left is right is Kind.ANY else Kind.NUMBER
    kinds = {left, right}
    if op == "+" and kinds <= {Kind.TEXT, Kind.ANY}:
        return Kind.TEXT
    if op == "-" and left in TIMES:
        return Kind.NUMBER if right in TIMES else left if right is Kind.NUMBER else Kind.ANY if right is Kind.ANY else None
    if op == "-" and left is Kind.ANY and right in TIMES:
        return Kind.NUMBER
    if op == "+" and kinds & TIMES and kinds & _NUMERIC:
        return next(iter(kinds & TIMES))
    return None


def _membership(checker: Refusing, left: Term, right: Term) -> tuple[Term, Term]:
    if left.kind is Kind.LIST:
        checker.refuse(left.place, "A list is not looked up in another.", "Write any_of(list, x, ...).")
    elif right.kind is Kind.TEXT and left.kind not in (Kind.TEXT, Kind.ANY):
        advice = 'Lists are written in square brackets: x in ["a", "b"].'
        checker.refuse(left.place, f"A text does not hold {a(left.kind)}.", advice)
    elif right.kind not in (Kind.LIST, Kind.TEXT, Kind.ANY):
        advice = 'Lists are written in square brackets: x in ["a", "b"].'
        checker.refuse(right.place, f'"in" needs a list, and this is {a(right.kind)}.', advice)
    elif isinstance(right, Literal) and isinstance(right.value, tuple):
        return left, _listed(checker, left, right)
    return left, right


def _listed(checker: Refusing, left: Term, right: Literal) -> Literal:
    """A written list whose elements can all be equal to `left`."""
    if not right.value:
        checker.refuse(right.place, "The list is empty, so nothing is in it.")
    values = tuple((as_time(value) or value) if left.kind in TIMES and isinstance(value, str) else value for value in right.value)
    samples = {Kind.NUMBER: 0, Kind.TEXT: "", Kind.BOOLEAN: True}
    for value in values:
        suits = pair(as_time("2026-01-01"), value) if left.kind in TIMES else left.kind is Kind.ANY or samples.get(left.kind)
        if left.kind in samples:
            kind = type(samples[left.kind])
            suits = isinstance(value, kind) if kind is not int else isinstance(value, int | float) and not isinstance(value, bool)
        if not suits:
            shown = f'"{value}"' if isinstance(value, str) else str(value).lower()
            checker.refuse(right.place, f"{shown} in the list can never equal {a(left.kind)}.")
            break
    return replace(right, value=values)


def _comparing_advice(left: Term, right: Term) -> str:
    kinds = {left.kind, right.kind}
    if kinds == {Kind.TEXT, Kind.NUMBER}:
        written = next((term for term in (left, right) if isinstance(term, Literal)), None)
        if written is not None and written.kind is Kind.NUMBER:
            return f'Write "{written.value}", or number(...) around the text.'
        return "Write number(...) around the text."
    if kinds & TIMES and Kind.TEXT in kinds:
        return 'Write a day as "2026-01-31", an instant as "2026-01-31T09:30:00Z".'
    if kinds & TIMES and Kind.NUMBER in kinds:
        return "Write days_since(...) to get a number of days."
    if Kind.BOOLEAN in kinds and Kind.TEXT in kinds:
        return "Write true or false without quotes."
    return ""
