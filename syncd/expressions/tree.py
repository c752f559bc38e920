"""The checked tree of an expression: what the checker makes and what the generator and `explain` read.

Pure values. Every node knows its kind, its place in the file and the text it was written as.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from syncd.expressions.kinds import Kind, Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands in the file (from 1) and what is written there."""

    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What all nodes have."""

    kind: Kind
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Term):
    """A value written in the expression: text, number, bool, None, day, instant, or a tuple of these."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable(Term):
    """A declared name, or a path below an open one."""

    path: Path

    @property
    def name(self) -> str:
        """The path as it is shown to people."""
        return ".".join(str(step) for step in self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic(Term):
    """`and` (`op` = "and") or `or` over two or more parts."""

    op: str
    parts: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Term):
    """`not part`."""

    part: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Term):
    """`yes if test else no`."""

    test: Term
    yes: Term
    no: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Term):
    """A chain of comparisons: `operands[0] ops[0] operands[1] ops[1] ...`; ops may be `in` and `not in`."""

    ops: tuple[str, ...]
    operands: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(Term):
    """`left op right` with one of + - * /."""

    op: str
    left: Term
    right: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Negate(Term):
    """`-part`."""

    part: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Term):
    """A call of a listed function. `context` are the variables it needs besides its arguments, passed first.

    `compiled` stands for the first literal that was prepared at load (a pattern), else None.
    """

    function: str
    arguments: tuple[Term, ...]
    context: tuple[Term, ...] = ()
    compiled: Any = field(default=None, compare=False)


def children(term: Term) -> tuple[Term, ...]:
    """The nodes directly below `term`, in the order they are written."""
    match term:
        case Logic():
            return term.parts
        case Not() | Negate():
            return (term.part,)
        case Choice():
            return (term.yes, term.test, term.no)
        case Compare():
            return term.operands
        case Arithmetic():
            return (term.left, term.right)
        case Call():
            return (*term.context, *term.arguments)
        case _:
            return ()


def variables(term: Term) -> Iterator[Variable]:
    """Every variable in `term`, repeated as often as it is named."""
    if isinstance(term, Variable):
        yield term
    for child in children(term):
        yield from variables(child)
