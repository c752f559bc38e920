"""Syntax trees to checked trees: what is allowed, which names exist, which kinds go together.

Pure. Everything that is not listed here is refused. All problems of an expression are found in one go.
"""

from __future__ import annotations

import ast
import math
from typing import Any

from syncd.document import suggest
from syncd.errors import ConfigProblem
from syncd.expressions import rules
from syncd.expressions.calls import check_call
from syncd.expressions.functions import FUNCTIONS
from syncd.expressions.kinds import Kind, Path, Schema
from syncd.expressions.parse import Parsed
from syncd.expressions.tree import Arithmetic, Choice, Compare, Literal, Logic, Negate, Not, Place, Term, Variable

MAX_INTEGER = 10**18
MAX_LIST_ELEMENTS = 200

_CONSTANTS = {"true": True, "false": False, "null": None}
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_REFUSED: dict[type[ast.AST], str] = {
    ast.Pow: "Powers (**)", ast.FloorDiv: "Whole-number division (//)", ast.Mod: "The operator %", ast.MatMult: "The operator @",
    ast.BitAnd: "The operator &", ast.BitOr: "The operator |", ast.BitXor: "The operator ^", ast.LShift: "The operator <<",
    ast.RShift: "The operator >>", ast.Invert: "The operator ~", ast.UAdd: "A plus sign before a value",
    ast.JoinedStr: 'Text with values inside (f"...")', ast.NamedExpr: "Naming a value (:=)", ast.Lambda: "Functions of one's own",
    ast.GeneratorExp: "Loops", ast.ListComp: "Loops", ast.SetComp: "Loops", ast.DictComp: "Loops", ast.Dict: "Curly brackets",
    ast.Set: "Curly brackets", ast.Starred: "Unpacking (*)", ast.Slice: "Slices ([a:b])", ast.Yield: "The word yield",
    ast.YieldFrom: "The word yield", ast.Await: "The word await",
}  # fmt: skip
_ADVICE: dict[type[ast.AST], str] = {
    ast.BitAnd: 'Write "and".', ast.BitOr: 'Write "or".', ast.Invert: 'Write "not".',
    ast.Dict: "Lists are written in square brackets.", ast.Set: "Lists are written in square brackets.",
}  # fmt: skip


def check(parsed: Parsed, schema: Schema) -> tuple[Term, list[ConfigProblem]]:
    """The checked tree, and everything wrong with it; the tree is of use only when the list is empty."""
    checker = Checker(parsed, schema)
    return checker.term(parsed.root), checker.problems


class Checker:
    """Walks one syntax tree. A part with a problem becomes a stand-in of kind ANY, so that it causes no second one.

    Attributes:
        schema: The declared variables.
        problems: What was found so far.
    """

    def __init__(self, parsed: Parsed, schema: Schema) -> None:
        """Start without problems."""
        self.schema = schema
        self.problems: list[ConfigProblem] = []
        self._parsed = parsed

    def refuse(self, place: Place, message: str, advice: str = "") -> Term:
        """Note a problem; the stand-in."""
        self.problems.append(ConfigProblem(self._parsed.file, place.line, place.column, message, advice))
        return Variable(kind=Kind.ANY, place=place, path=("",))

    def place(self, node: ast.AST) -> Place:
        """Where `node` stands."""
        return self._parsed.place(node)

    def term(self, node: ast.expr) -> Term:
        """The checked form of one expression of any allowed sort."""
        match node:
            case ast.Constant():
                return self._constant(node.value, self.place(node))
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._variable(node)
            case ast.BoolOp():
                parts = tuple(self.condition(part) for part in node.values)
                op = "and" if isinstance(node.op, ast.And) else "or"
                return Logic(kind=Kind.BOOLEAN, place=self.place(node), op=op, parts=parts)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.Compare():
                return self._compare(node)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.IfExp():
                return self._choice(node)
            case ast.List() | ast.Tuple():
                return self._list(node)
            case ast.Call():
                return check_call(self, node)
            case _:
                return self._unsupported(node, self.place(node))

    def condition(self, node: ast.expr) -> Term:
        """The checked form of a part that must be true or false."""
        found = self.term(node)
        if found.kind in (Kind.BOOLEAN, Kind.ANY):
            return found
        advice = "Compare it with something, or ask is_known(...)."
        return self.refuse(found.place, f"A condition is needed here, and this is {rules.a(found.kind)}.", advice)

    def _unsupported(self, node: ast.AST, place: Place) -> Term:
        what = _REFUSED.get(type(node), "This")
        return self.refuse(place, f"{what} cannot be used in an expression.", _ADVICE.get(type(node), ""))

    def _constant(self, value: Any, place: Place) -> Term:
        if value is None:
            return Literal(kind=Kind.ANY, place=place, value=None)
        if isinstance(value, bool):
            return Literal(kind=Kind.BOOLEAN, place=place, value=value)
        if isinstance(value, str):
            return Literal(kind=Kind.TEXT, place=place, value=value)
        if isinstance(value, int | float):
            if abs(value) > MAX_INTEGER if isinstance(value, int) else not math.isfinite(value):
                return self.refuse(place, "The number is too large.")
            return Literal(kind=Kind.NUMBER, place=place, value=value)
        return self.refuse(place, "Only text, numbers, true, false, null and lists of these can be written as values.")

    def _variable(self, node: ast.expr) -> Term:
        place = self.place(node)
        path = self._path(node)
        if path is None:
            return self.refuse(place, "Only a declared name has parts.", "Name a variable, a point and its part.")
        if len(path) == 1 and path[0] in _CONSTANTS and self.schema.kind_of(path) is None:
            return self._constant(_CONSTANTS[str(path[0])], place)
        if any(isinstance(step, str) and step.startswith("__") for step in path):
            return self.refuse(place, "Names that begin with two underscores cannot be used.")
        kind = self.schema.kind_of(path)
        variable = Variable(kind=kind or Kind.ANY, place=place, path=path)
        if kind is not None:
            return variable
        if self.schema.is_group(path):
            names = [name for name in self.schema.variables if name.startswith(f"{variable.name}.")]
            advice = f"For example {names[0]}." if names else f"For example {variable.name}.status."
            return self.refuse(place, f'"{variable.name}" has parts; name one of them.', advice)
        if variable.name in FUNCTIONS:
            return self.refuse(place, f'"{variable.name}" is a function.', f"Write {FUNCTIONS[variable.name].call}.")
        return self.refuse(place, f'There is no variable "{variable.name}".', self._closest(variable.name))

    def _closest(self, name: str) -> str:
        """Advice for a name that does not exist: its last part counts more than the prefix that people leave out."""
        names = [*self.schema.variables, *self.schema.open_prefixes]
        for known in names:
            if known.rpartition(".")[2].lower() == name.rpartition(".")[2].lower():
                return f'Did you mean "{known}"?'
        head, _, rest = name.partition(".")
        if rest and (found := suggest(head, self.schema.open_prefixes)).startswith("Did"):
            return found.replace('"?', f'.{rest}"?')
        return suggest(name, names)

    def _path(self, node: ast.expr) -> Path | None:
        """The steps of `a.b["c"][0]`; None when it does not start with a name or has other steps."""
        steps: list[str | int] = []
        while not isinstance(node, ast.Name):
            match node:
                case ast.Attribute():
                    steps.append(node.attr)
                    node = node.value
                case ast.Subscript(slice=ast.Constant(value=str() | int() as step)) if not isinstance(step, bool):
                    steps.append(step)
                    node = node.value
                case ast.Subscript(slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as step))):
                    steps.append(-step)
                    node = node.value
                case _:
                    return None
        return (node.id, *reversed(steps))

    def _unary(self, node: ast.UnaryOp) -> Term:
        place = self.place(node)
        if isinstance(node.op, ast.Not):
            return Not(kind=Kind.BOOLEAN, place=place, part=self.condition(node.operand))
        if not isinstance(node.op, ast.USub):
            return self._unsupported(node.op, place)
        part = self.term(node.operand)
        if part.kind not in (Kind.NUMBER, Kind.ANY):
            return self.refuse(place, f"A minus sign needs a number, and this is {rules.a(part.kind)}.")
        if isinstance(part, Literal) and part.value is not None:
            return Literal(kind=Kind.NUMBER, place=place, value=-part.value)
        return Negate(kind=Kind.NUMBER, place=place, part=part)

    def _choice(self, node: ast.IfExp) -> Term:
        test, yes, no = self.condition(node.test), self.term(node.body), self.term(node.orelse)
        kind = rules.shared((yes, no))
        if kind is None:
            message = f"One case gives {rules.a(yes.kind)}, the other {rules.a(no.kind)}."
            return self.refuse(self.place(node), message, "Both must be of one kind.")
        return Choice(kind=kind, place=self.place(node), test=test, yes=yes, no=no)

    def _list(self, node: ast.List | ast.Tuple) -> Term:
        place = self.place(node)
        if len(node.elts) > MAX_LIST_ELEMENTS:
            return self.refuse(place, f"The list has {len(node.elts)} elements; at most {MAX_LIST_ELEMENTS} are allowed.")
        before = len(self.problems)
        values = []
        for element in node.elts:
            found = self.term(element)
            if not isinstance(found, Literal) or isinstance(found.value, tuple) or found.value is None:
                if len(self.problems) == before:
                    self.refuse(found.place, "A list holds texts, numbers, true and false only.")
                continue
            values.append(found.value)
        if len(self.problems) > before:
            return Variable(kind=Kind.ANY, place=place, path=("",))
        return Literal(kind=Kind.LIST, place=place, value=tuple(values))

    def _compare(self, node: ast.Compare) -> Term:
        operands = [self.term(part) for part in (node.left, *node.comparators)]
        ops = []
        for index, op in enumerate(node.ops):
            word = _COMPARISONS.get(type(op), "")
            if not word:  # `is null` is answered below with what to write
                word = "!=" if isinstance(op, ast.IsNot) else "=="
                if not rules.is_null(operands[index + 1]):
                    self.refuse(self.place(node), '"is" cannot be used in an expression.', f'Write "{word}".')
            ops.append(word)
            before = len(self.problems)
            pair = rules.compared(self, word, operands[index], operands[index + 1])
            if len(self.problems) == before:
                operands[index], operands[index + 1] = pair
        return Compare(kind=Kind.BOOLEAN, place=self.place(node), ops=tuple(ops), operands=tuple(operands))

    def _arithmetic(self, node: ast.BinOp) -> Term:
        place = self.place(node)
        op = _ARITHMETIC.get(type(node.op))
        if op is None:
            return self._unsupported(node.op, place)
        known = len(self.problems)
        left, right = rules.aligned(self.term(node.left), self.term(node.right), op)
        if op == "-" and len(self.problems) > known and isinstance(node.right, ast.Name) and isinstance(left, Variable):
            self._advise_brackets(left, node.right.id)  # record.first-name
        kind = rules.calculated(op, left.kind, right.kind)
        if kind is not None:
            return Arithmetic(kind=kind, place=place, op=op, left=left, right=right)
        advice = "Text is joined with text; write text(...) or number(...)." if Kind.TEXT in (left.kind, right.kind) else ""
        if op in "*/" and Kind.TEXT in (left.kind, right.kind):
            advice = "Text cannot be repeated or divided; write number(...) if it holds a number."
        return self.refuse(place, f'"{op}" does not work with {rules.a(left.kind)} and {rules.a(right.kind)}.', advice)

    def _advise_brackets(self, left: Variable, word: str) -> None:
        """Replace the advice of the last problem when a hyphen in a key was read as a minus sign."""
        if left.kind is not Kind.ANY or not left.path[-1]:
            return
        last = self.problems.pop()
        group = ".".join(str(step) for step in left.path[:-1])
        advice = f'If the key has a hyphen, write {group}["{left.path[-1]}-{word}"].'
        self.problems.append(ConfigProblem(last.file, last.line, last.column, last.message, advice))
