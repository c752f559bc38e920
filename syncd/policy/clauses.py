"""What can be told of conditions without any values: whether one is constant, and whether two can hold at once. Pure.

Cautious: what cannot be told is taken as possible.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.expressions import Expression
from syncd.expressions.tree import Compare, Literal, Logic, Not, Term, Variable, variables

MOVED = frozenset({"status", "status_at", "days_in_status"})
"""Variables that a move changes: what they say before it does not bind what comes after."""

_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def constant(expression: Expression) -> bool | None:
    """True or False for a condition that is always so, whatever the values are; None for one that depends on them."""
    return _constant(expression.term)


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
            if decides in parts or (not decides and _is_impossible(term)):
                return decides
            return None if None in parts else not decides
        case Compare(ops=(op,), operands=(Literal() as left, Literal() as right)):
            return _compared(op, left.value, right.value)
        case _:
            return None


def _is_impossible(term: Logic) -> bool:
    """Whether two parts of an `and` exclude each other."""
    parts = list(_parts(term))[:50]
    return any(_excludes(one, other) for index, one in enumerate(parts) for other in parts[index + 1 :])


def exclusive(one: Expression | None, other: Expression | None) -> bool:
    """Whether the two conditions can never hold for the same person, one after the other, with a move of status between."""
    if one is None or other is None:
        return False
    lefts, rights = ([part for part in _parts(term) if not _is_moved(part)][:50] for term in (one.term, other.term))
    return any(_excludes(left, right) for left in lefts for right in rights)


def _is_moved(term: Term) -> bool:
    return any(variable.name in MOVED for variable in variables(term))


def _parts(term: Term) -> Iterator[Term]:
    """What must hold, all of it, for the condition to hold."""
    if isinstance(term, Logic) and term.op == "and":
        for part in term.parts:
            yield from _parts(part)
    else:
        yield term


def _excludes(one: Term, other: Term) -> bool:
    if _denied(one) == _written(other) or _denied(other) == _written(one):
        return True
    left, right = _bound(one), _bound(other)
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
