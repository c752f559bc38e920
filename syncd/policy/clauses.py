"""What can be told of conditions without any values: whether one is constant, and whether two can hold at once. Pure.

Cautious: what cannot be told is taken as possible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from syncd.expressions import Expression
from syncd.expressions.tree import Compare, Literal, Logic, Not, Term, Variable, variables

MAX_CLAUSES = 12
"""Of a condition that are looked at."""

MOVED = frozenset({"status", "status_at", "days_in_status"})
"""Variables that a move changes: what they say before it does not bind what comes after."""

_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of an `and`: as it is written, what it denies, and what it asks of which variable or term; None if it does not."""

    written: str
    denied: str | None
    bound: tuple[str, str, object] | None


def constant(expression: Expression) -> bool | None:
    """True or False for a condition that is always so, whatever the values are; None for one that depends on them."""
    found = _constant(expression.term)
    if found is None:
        parts = [_clause(part) for part in _parts(expression.term)][:MAX_CLAUSES]
        if any(_excludes(one, other) for index, one in enumerate(parts) for other in parts[index + 1 :]):
            return False
    return found


def _constant(term: Term) -> bool | None:
    match term:
        case Literal(value=bool() as value):
            return value
        case Not():
            found = _constant(term.part)
            return None if found is None else not found
        case Logic():
            parts = [_constant(part) for part in term.parts]
            decides = term.op == "or"
            if decides in parts:
                return decides
            return None if None in parts else not decides
        case Compare(ops=(op,), operands=(Literal() as left, Literal() as right)):
            return _compared(op, left.value, right.value)
        case _:
            return None


def clauses_of(expression: Expression | None) -> tuple[Clause, ...]:
    """What must hold, all of it, before and after a move of status: without what reads the status itself."""
    if expression is None:
        return ()
    parts = (part for part in _parts(expression.term) if not any(one.name in MOVED for one in variables(part)))
    return tuple(_clause(part) for part in islice(parts, MAX_CLAUSES))


def exclusive(some: tuple[Clause, ...], others: tuple[Clause, ...]) -> bool:
    """Whether two conditions can never hold for the same person, one after the other, with a move of status between."""
    return any(_excludes(one, other) for one in some for other in others)


def _parts(term: Term) -> Iterator[Term]:
    """What must hold, all of it, for the condition to hold."""
    if isinstance(term, Logic) and term.op == "and":
        for part in term.parts:
            yield from _parts(part)
    else:
        yield term


def _clause(term: Term) -> Clause:
    return Clause(_written(term), _denied(term), _bound(term))


def _excludes(one: Clause, other: Clause) -> bool:
    if one.denied == other.written or other.denied == one.written:
        return True
    left, right = one.bound, other.bound
    if left is None or right is None or left[0] != right[0]:
        return False
    return _apart(left[1], left[2], right[1], right[2]) or _apart(right[1], right[2], left[1], left[2])


def _written(term: Term) -> str:
    return " ".join(term.place.text.split())


def _denied(term: Term) -> str | None:
    """What `not ...` denies, as it is written; None for anything else."""
    return _written(term.part) if isinstance(term, Not) else None


def _bound(term: Term) -> tuple[str, str, object] | None:
    """(what, op, written value) of a comparison with a value, or of a variable that must be true; None for anything else."""
    match term:
        case Variable():
            return term.name, "==", True
        case Not(part=Variable() as part):
            return part.name, "!=", True
        case Compare(ops=(op,), operands=(left, Literal() as right)):
            return _written(left), op, right.value
        case Compare(ops=(op,), operands=(Literal() as left, right)) if op in _MIRRORED:
            return _written(right), _MIRRORED[op], left.value
        case _:
            return None


def _apart(op: str, value: object, other_op: str, other: object) -> bool:
    """Whether `x op value` and `x other_op other` cannot both hold; asked both ways round."""
    if op == "==":
        return _compared(other_op, value, other) is False
    if op == "in" and isinstance(value, tuple):
        return all(_compared(other_op, one, other) is False for one in value)
    if not (_is_number(value) and _is_number(other)):
        return False
    if op not in ("<", "<=") or other_op not in (">", ">="):
        return False
    meets = op == "<=" and other_op == ">="
    return _compared("<" if meets else "<=", value, other) is True


def _compared(op: str, left: object, right: object) -> bool | None:
    """What a comparison of two written values gives; None where it cannot be told."""
    if op in ("in", "not in"):
        return (left in right) is (op == "in") if isinstance(right, tuple) else None
    if type(left) is not type(right) and not (_is_number(left) and _is_number(right)):
        return None
    if op in ("==", "!="):
        return (left == right) is (op == "==")
    if not _is_number(left) or not _is_number(right):
        return None
    difference = float(left) - float(right)  # type: ignore[arg-type]
    return {"<": difference < 0, "<=": difference <= 0, ">": difference > 0, ">=": difference >= 0}.get(op)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
