"""Checking calls: which functions there are, what they take, and patterns that must be right before they run.

Pure.
"""

from __future__ import annotations

import ast
from typing import Any, Protocol

import re2

from syncd.document import suggest
from syncd.expressions import rules
from syncd.expressions.functions import FUNCTIONS, Function
from syncd.expressions.kinds import TIMES, Kind, Schema
from syncd.expressions.tree import Call, Literal, Place, Term, Variable

MAX_PATTERN_CHARACTERS = 500
_PATTERN_BYTES = 1 << 20
"""Memory of one compiled pattern; RE2 then refuses patterns that would need more."""

_MAX_DIGITS = 10


class Checking(Protocol):
    """What is needed of the checker."""

    schema: Schema

    def refuse(self, place: Place, message: str, advice: str = "") -> Term:
        """Note a problem."""
        ...

    def place(self, node: ast.AST) -> Place:
        """Where a node stands."""
        ...

    def term(self, node: ast.expr) -> Term:
        """The checked form of an expression."""
        ...


def check_call(checker: Checking, node: ast.Call) -> Term:
    """The checked form of a call, or a stand-in with the problem noted."""
    place = checker.place(node)
    if not isinstance(node.func, ast.Name):
        return checker.refuse(place, "Only the listed functions can be called.", suggest("", FUNCTIONS))
    function = FUNCTIONS.get(node.func.id)
    if function is None:
        return checker.refuse(place, f'There is no function "{node.func.id[:60]}".', suggest(node.func.id, FUNCTIONS))
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        return checker.refuse(place, "Arguments are given one by one, without names.", f"Write {function.call}.")
    arguments = [checker.term(argument) for argument in node.args]
    most = None if function.variadic else len(function.takes)
    if len(arguments) < function.required or (most is not None and len(arguments) > most):
        return checker.refuse(place, f"{function.name} is given {len(arguments)} values.", f"Write {function.call}.")
    if not _has_context(checker, function, place, len(arguments)):
        return Variable(kind=Kind.ANY, place=place, path=("",))
    arguments = [_argument(checker, function, index, argument) for index, argument in enumerate(arguments)]
    kind = function.result or rules.shared(arguments)
    if kind is None:
        return checker.refuse(place, f"The values given to {function.name} must be of one kind.", f"Write {function.call}.")
    compiled = _pattern(checker, arguments[1]) if function.name == "matches" else None
    context = tuple(_context(checker, name, place) for name in function.context)
    return Call(
        kind=kind, place=place, function=function.name, arguments=tuple(arguments), context=context, compiled=compiled
    )  # fmt: skip


def _argument(checker: Checking, function: Function, index: int, argument: Term) -> Term:
    """The argument as the function takes it; a problem is noted if it does not."""
    takes = function.takes[min(index, len(function.takes) - 1)]
    if index in function.literal and not (isinstance(argument, Literal) and argument.value is not None):
        checker.refuse(argument.place, f"{function.name} needs a value written out here.", f"Write {function.call}.")
        return argument
    if takes == TIMES | {Kind.TEXT} and argument.kind is Kind.TEXT:
        found = rules.timed(argument)
        if isinstance(found, Literal) and found.kind is Kind.TEXT:
            advice = 'Write a day as "2026-01-31", an instant as "2026-01-31T09:30:00Z".'
            checker.refuse(argument.place, "This text is no day.", advice)
        return found
    if argument.kind is not Kind.ANY and argument.kind not in takes:
        expected = " or ".join(sorted(rules.a(kind) for kind in takes if kind is not Kind.ANY))
        message = f"{function.name} takes {expected} here, and this is {rules.a(argument.kind)}."
        checker.refuse(argument.place, message, f"Write {function.call}.")
    elif function.name == "round" and index == 1 and not _is_digits(argument):
        checker.refuse(argument.place, f"round takes 0 to {_MAX_DIGITS} digits.")
    return argument


def _is_digits(argument: Term) -> bool:
    value = argument.value if isinstance(argument, Literal) else None
    return isinstance(value, int) and 0 <= value <= _MAX_DIGITS


def _has_context(checker: Checking, function: Function, place: Place, arguments: int) -> bool:
    """Whether the schema has the variables that the function needs besides its arguments."""
    message = f"{function.name} cannot be used here: nothing is known about"
    if "touches" in function.context and checker.schema.kind_of(("touches",)) is not Kind.LIST:
        checker.refuse(place, f"{message} touches.")
        return False
    needs_clock = 0 < function.needs_clock_from <= arguments
    if needs_clock and all(checker.schema.kind_of((name,)) not in TIMES for name in ("now", "today")):
        checker.refuse(place, f"{message} the current day.")
        return False
    return True


def _context(checker: Checking, name: str, place: Place) -> Term:
    kind = checker.schema.kind_of((name,))
    if kind is None:
        return Literal(kind=Kind.ANY, place=place, value=None)
    return Variable(kind=kind, place=place, path=(name,))


def _pattern(checker: Checking, argument: Term) -> Any:
    """The compiled RE2 pattern, None with the problem noted."""
    if not isinstance(argument, Literal) or not isinstance(argument.value, str):
        return None
    text = argument.value.replace("\b", r"\b")  # Python reads \b in text as a backspace; here it is the edge of a word
    if len(text) > MAX_PATTERN_CHARACTERS:
        checker.refuse(argument.place, f"The pattern has more than {MAX_PATTERN_CHARACTERS} characters.")
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_BYTES
    try:
        return re2.compile(text.encode("utf-8", "replace"), options)
    except re2.error as problem:
        reason = problem.args[0] if problem.args else ""
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        advice = "RE2 has no look-around and no back-references."
        checker.refuse(argument.place, f"The pattern is not valid for RE2: {shown}.", advice)
        return None
