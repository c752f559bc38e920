"""Compiled expressions: what the rest of the house holds, calls and asks for reasons.

Pure. An `Expression` is immutable and may be called from many threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.document import Node
from syncd.errors import ConfigError, ConfigProblem
from syncd.expressions import reading, rules
from syncd.expressions.check import check
from syncd.expressions.form import parse_condition
from syncd.expressions.generate import generate
from syncd.expressions.kinds import Kind, Schema
from syncd.expressions.operators import pair
from syncd.expressions.parse import Parsed, at, parse
from syncd.expressions.tree import Choice, Compare, Literal, Logic, Not, Term, variables


@dataclass(frozen=True, slots=True)
class Clause:
    """Why one clause of a condition holds or not, for one set of values. Names variables, never shows their values.

    Attributes:
        text: The clause as written in the rule.
        result: Whether it holds; None if what it asks for is not known.
        why: `yes`, `no`, or `no, lead.Budget is empty`.
        line, column: Where the clause stands in the file, from 1.
    """

    text: str
    result: bool | None
    why: str
    line: int
    column: int

    def __str__(self) -> str:
        """`lead.Budget > 0: no, lead.Budget is empty`."""
        return f"{self.text}: {self.why}"


class Expression:
    """An expression that was checked and compiled.

    Attributes:
        text: As written; for the YAML form as it would be written.
        kind: Kind of the result.
        names: Dotted names of the variables it reads (`lead.Email`, `record.tags.0`), the clock's among them.
        term: The checked tree, for what is found out by reading it (`moments`).
        run: What calling it does, for those who call a million times.
    """

    __slots__ = ("_file", "kind", "names", "run", "term", "text")

    text: str
    kind: Kind
    names: frozenset[str]
    term: Term
    run: Callable[[Mapping[str, Any]], Any]

    def __init__(self, term: Term, kind: Kind, text: str, file: str) -> None:
        """Compile `term`, which the checker passed; use `compile_expression` or `compile_condition`."""
        self.text = text
        self.kind = kind
        self.names = frozenset(variable.name for variable in variables(term))
        self.term = term
        self._file = file
        self.run = generate(term, kind, file)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The result for nested `values`, such as `{"record": {...}, "lead": {"Email": ...}, "today": date}`.

        Never raises, whatever the values are. A BOOLEAN expression gives True or False; others may give None (unknown).
        """
        return self.run(values)

    def __repr__(self) -> str:
        """The text of the rule, no values."""
        return f"Expression({self.text!r})"

    def explain(self, values: Mapping[str, Any]) -> list[Clause]:
        """The clauses of a condition as they are written, each evaluated on its own; one clause for other expressions.

        Slow: clauses are compiled when they are asked for.
        """
        return [self._clause(clause, values) for clause in self._clauses(self.term, values)]

    def _clauses(self, term: Term, values: Mapping[str, Any]) -> list[Term]:
        """The parts that are facts: what stands between `and`, `or`, `not` and the branch that is taken of an `if`."""
        if isinstance(term, Logic):
            return [clause for part in term.parts for clause in self._clauses(part, values)]
        if isinstance(term, Not) and isinstance(term.part, Logic | Choice | Not):
            return self._clauses(term.part, values)
        if isinstance(term, Choice) and self.kind is Kind.BOOLEAN:
            taken = term.yes if generate(term.test, Kind.BOOLEAN, self._file)(values) else term.no
            return [*self._clauses(term.test, values), *self._clauses(taken, values)]
        return [term]

    def _clause(self, term: Term, values: Mapping[str, Any]) -> Clause:
        place = term.place
        if self.kind is not Kind.BOOLEAN:
            why = "known" if self(values) is not None else "not known" + _empty(term, values)
            return Clause(place.text, None, why, place.line, place.column)
        holds: bool | None = generate(term, Kind.BOOLEAN, self._file)(values)
        if holds:
            return Clause(place.text, True, "yes", place.line, place.column)
        reason = _empty(term, values)
        if reason and not isinstance(term, Compare | Not) and not rules.is_call(term):
            holds = None  # the variable itself is the clause, and it says nothing
        return Clause(place.text, holds, "no" + (reason or self._unlike(term, values)), place.line, place.column)

    def _unlike(self, term: Term, values: Mapping[str, Any]) -> str:
        """The reason when two known values have nothing in common, such as a word and a number."""
        if not isinstance(term, Compare):
            return ""
        operands = [generate(part, Kind.ANY, self._file)(values) for part in term.operands]
        for index, op in enumerate(term.ops):
            left, right = operands[index : index + 2]
            if op in ("in", "not in") or pair(left, right) is not None:
                continue
            for part, value in zip(term.operands[index : index + 2], (left, right), strict=True):
                if value is None:
                    return f", {part.place.text} is not known"
            return f", {term.operands[index].place.text} and {term.operands[index + 1].place.text} cannot be compared"
        return ""


Condition = Expression
"""An expression of kind BOOLEAN."""


def compile_expression(
    text: str, schema: Schema, *, file: str = "", line: int = 1, column: int = 1, expects: Kind | None = None
) -> Expression:
    """Check and compile one expression.

    Args:
        text: At most 2,000 characters; line breaks are allowed anywhere.
        schema: The variables it may name.
        file: Name to show in messages.
        line: Line of the first character in the file.
        column: Its column.
        expects: Kind that the result must have; ANY variables are read as that kind. None accepts every kind.

    Raises:
        ConfigError: Every problem found, with its place and a close match.
    """
    return _compiled(parse(text, file, at(text, line, column)), schema, expects, text)


def compile_condition(node: Node, schema: Schema) -> Expression:
    """Check and compile a condition from a document.

    Args:
        node: A text, true or false, or the YAML form: `all:`, `any:`, `not:`, `{field, op, value}`.
        schema: The variables it may name.

    Raises:
        ConfigError: Every problem found, with its place and a close match.
    """
    parsed = parse_condition(node)
    return _compiled(parsed, schema, Kind.BOOLEAN, node.scalar if isinstance(node.scalar, str) else "")


def _compiled(parsed: Parsed, schema: Schema, expects: Kind | None, text: str) -> Expression:
    place = parsed.place(parsed.root)
    try:
        term, problems = check(parsed, schema)
        if not problems and not _suits(term, expects):
            advice = "Compare it with something, or ask is_known(...)." if expects is Kind.BOOLEAN else ""
            wanted = "A condition" if expects is Kind.BOOLEAN else rules.a(expects or Kind.ANY).capitalize()
            message = f"{wanted} is needed here, and this is {rules.a(term.kind)}."
            problems.append(ConfigProblem(parsed.file, place.line, place.column, message, advice))
        if problems:
            raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        kind = expects if expects is not None and expects is not Kind.ANY else term.kind
        return Expression(term, kind, text or rules.written(term), parsed.file)
    except (RecursionError, MemoryError) as error:
        problem = ConfigProblem(parsed.file, place.line, place.column, "The expression is nested too deeply.")
        raise ConfigError([problem]) from error


def _suits(term: Term, expects: Kind | None) -> bool:
    if expects in (None, Kind.ANY, term.kind) or term.kind is Kind.ANY:
        return not (expects is Kind.BOOLEAN and rules.is_null(term))
    return False


def _empty(term: Term, values: Mapping[str, Any]) -> str:
    """`, a is empty` for the variables of `term` without a value, `""` if all have one."""
    names = {variable.name: variable.path for variable in variables(term) if not isinstance(term, Literal)}
    empty = [name for name, path in names.items() if not reading.is_known(reading.follow(values, path))]
    if not empty:
        return ""
    return f", {' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty"
