"""Checked trees to code objects.

Pure. The code sees the values, the functions it was given and nothing else: no builtins, no imports, no attribute but
`__class__` and `get`, both written here and never taken from an expression. Comparisons with written values are inlined
for the classes where Python's own answer is ours (which cannot raise); all others go through `operators`, which never raises.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from syncd.expressions import operators, reading
from syncd.expressions.functions import FUNCTIONS
from syncd.expressions.kinds import Kind, Path
from syncd.expressions.tree import Arithmetic, Call, Choice, Compare, Literal, Logic, Negate, Not, Term, Variable

_COMPARISONS: dict[str, tuple[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    "==": (ast.Eq, operators.equal),
    "!=": (ast.NotEq, operators.unequal),
    "<": (ast.Lt, operators.less),
    "<=": (ast.LtE, operators.at_most),
    ">": (ast.Gt, operators.more),
    ">=": (ast.GtE, operators.at_least),
    "in": (ast.In, operators.member),
    "not in": (ast.NotIn, operators.not_member),
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ARITHMETIC = {"+": operators.add, "-": operators.subtract, "*": operators.multiply, "/": operators.divide}
_READERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.DAY: reading.as_day,
    Kind.INSTANT: reading.as_instant,
    Kind.LIST: reading.as_list,
}
_RESULTS: dict[Kind, Callable[[Any], Any]] = {
    **_READERS,
    Kind.TEXT: reading.as_text,
    Kind.NUMBER: reading.as_number,
    Kind.BOOLEAN: reading.truth,
}
_CLASSES: dict[str, type] = {"Text": str, "Integer": int, "Float": float, "Group": dict}


def generate(term: Term, result: Kind, file: str) -> Callable[[Mapping[str, Any]], Any]:
    """A function from values to the value of `term`, read as `result` (ANY leaves it as it is)."""
    return _Generator().function(term, result, file)


class _Generator:
    """Collects what one function needs: captured values, groups of variables, temporary names."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {"__builtins__": {}, **_CLASSES}
        self._captured: dict[int, str] = {}
        self._groups: dict[Path, str] = {}
        self._prelude: list[ast.stmt] = []
        self._temporaries = 0

    def function(self, term: Term, result: Kind, file: str) -> Callable[[Mapping[str, Any]], Any]:
        self._group(())
        if result is Kind.BOOLEAN:
            body = self._condition(term)
        else:
            body = self._term(term)
            if result in _RESULTS and not (isinstance(term, Variable) and term.kind is result and result in _READERS):
                body = self._call(_RESULTS[result], body)
        argument = ast.arguments(posonlyargs=[], args=[ast.arg("values")], kwonlyargs=[], kw_defaults=[], defaults=[])
        definition = ast.FunctionDef("evaluate", argument, [*self._prelude, ast.Return(body)], [], lineno=1, col_offset=0)
        if "type_params" in ast.FunctionDef._fields:  # Python 3.12 and later
            definition.type_params = []  # type: ignore[attr-defined,unused-ignore]
        module = ast.fix_missing_locations(ast.Module([definition], []))
        exec(compile(module, f"<condition of {file}>", "exec"), self._names)  # noqa: S102 - our own tree, see above
        evaluate: Callable[[Mapping[str, Any]], Any] = self._names["evaluate"]
        return evaluate

    def _term(self, term: Term) -> ast.expr:
        match term:
            case Literal():
                return self._literal(term.value)
            case Variable():
                return self._variable(term)
            case Choice():
                return ast.IfExp(self._condition(term.test), self._term(term.yes), self._term(term.no))
            case Arithmetic():
                return self._call(_ARITHMETIC[term.op], self._term(term.left), self._term(term.right))
            case Negate():
                return self._call(operators.negate, self._term(term.part))
            case Call():
                first = [] if term.compiled is None else [self._capture(term.compiled)]
                rest = term.arguments if term.compiled is None else term.arguments[:1]
                arguments = [self._term(part) for part in (*term.context, *rest)]
                return self._call(FUNCTIONS[term.function].run, *first, *arguments)
            case _:
                return self._condition(term)

    def _condition(self, term: Term) -> ast.expr:
        """Code that gives True or False, unknown counting as False."""
        match term:
            case Logic():
                op = ast.And() if term.op == "and" else ast.Or()
                return ast.BoolOp(op, [self._condition(part) for part in term.parts])
            case Not():
                return ast.UnaryOp(ast.Not(), self._condition(term.part))
            case Compare():
                return self._compare(term)
            case Choice():
                return ast.IfExp(self._condition(term.test), self._condition(term.yes), self._condition(term.no))
            case Literal(value=bool()):
                return self._term(term)
            case Call() if FUNCTIONS[term.function].result is Kind.BOOLEAN:
                return self._term(term)
            case _:
                return self._call(reading.truth, self._term(term))

    def _compare(self, term: Compare) -> ast.expr:
        """Every operand is computed once; the chain stops at the first pair that is false."""
        parts: list[ast.expr] = []
        left = self._operand(term.operands[0])
        for index, op in enumerate(term.ops):
            right_term = term.operands[index + 1]
            right = self._operand(right_term)
            parts.append(self._pair(op, term.operands[index], left, right_term, right))
            left = right
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)

    def _operand(self, term: Term) -> _Operand:
        if isinstance(term, Literal):
            literal = self._literal(term.value)
            return _Operand(literal, literal)
        name = f"t{self._temporaries}"
        self._temporaries += 1
        return _Operand(ast.NamedExpr(ast.Name(name, ast.Store()), self._term(term)), ast.Name(name, ast.Load()))

    def _pair(self, op: str, left_term: Term, left: _Operand, right_term: Term, right: _Operand) -> ast.expr:
        """One comparison: inlined when one side is written out and the other has the same class at run time."""
        compare, slow = _COMPARISONS[op]
        if isinstance(right_term, Literal) and not isinstance(left_term, Literal):
            operand, literal, value = left, right, right_term.value
        elif isinstance(left_term, Literal) and not isinstance(right_term, Literal) and op in _MIRRORED:
            operand, literal, value = right, left, left_term.value
            compare = _COMPARISONS[_MIRRORED[op]][0]
        else:
            return self._call(slow, left.take(), right.take())
        classes, constant = self._inlined(op, value, literal)
        if not classes:
            return self._call(slow, left.take(), right.take())
        test = self._is_class(operand, classes)
        fast = ast.Compare(operand.take(), [compare()], [constant])
        is_null = ast.Compare(operand.take(), [ast.Is()], [ast.Constant(None)])
        return ast.IfExp(test, fast, ast.IfExp(is_null, ast.Constant(value=False), self._call(slow, left.take(), right.take())))

    def _inlined(self, op: str, value: Any, literal: _Operand) -> tuple[tuple[str, ...], ast.expr]:
        """For which classes of the other side Python's own comparison with `value` gives our answer."""
        if isinstance(value, tuple):
            if all(isinstance(element, str) for element in value):
                return ("Text",), self._capture(frozenset(value))
            if all(isinstance(element, int) and not isinstance(element, bool) for element in value):
                return ("Integer",), self._capture(frozenset(value))
            return (), literal.take()
        if op in ("in", "not in") or isinstance(value, bool):
            return (), literal.take()
        if isinstance(value, str):
            return ("Text",), literal.take()
        if isinstance(value, int | float):  # a NaN is unequal to everything, which only matters for !=
            return (("Integer",) if op == "!=" else ("Float", "Integer")), literal.take()
        return (), literal.take()

    def _is_class(self, operand: _Operand, classes: tuple[str, ...]) -> ast.expr:
        tests: list[ast.expr] = []
        for name in classes:
            own = ast.Attribute(operand.take(), "__class__", ast.Load())
            tests.append(ast.Compare(own, [ast.Is()], [ast.Name(name, ast.Load())]))
        return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)

    def _variable(self, variable: Variable) -> ast.expr:
        path = variable.path
        if all(isinstance(step, str) for step in path):
            group = ast.Name(self._group(path[:-1]), ast.Load())
            found: ast.expr = ast.Call(ast.Attribute(group, "get", ast.Load()), [ast.Constant(path[-1])], [])
        else:
            found = self._call(reading.follow, ast.Name(self._group(()), ast.Load()), self._capture(path))
        reader = _READERS.get(variable.kind)
        return self._call(reader, found) if reader else found

    def _group(self, path: Path) -> str:
        """The local name of the object at `path`, fetched once at the start and certain to be a dict."""
        if path not in self._groups:
            if path:
                above = ast.Name(self._group(path[:-1]), ast.Load())
                found: ast.expr = ast.Call(ast.Attribute(above, "get", ast.Load()), [ast.Constant(path[-1])], [])
            else:
                found = ast.Name("values", ast.Load())
            name = f"g{len(self._groups)}"
            self._groups[path] = name
            self._prelude.append(ast.Assign([ast.Name(name, ast.Store())], found, lineno=1))
            is_dict = self._is_class(_Operand(ast.Name(name, ast.Load()), ast.Name(name, ast.Load())), ("Group",))
            read = self._call(reading.as_group, ast.Name(name, ast.Load()))
            assign = ast.Assign([ast.Name(name, ast.Store())], read, lineno=1)
            self._prelude.append(ast.If(ast.UnaryOp(ast.Not(), is_dict), [assign], []))
        return self._groups[path]

    def _literal(self, value: Any) -> ast.expr:
        return ast.Constant(value) if isinstance(value, str | int | float | bool | None) else self._capture(value)

    def _call(self, function: Callable[..., Any], *arguments: ast.expr) -> ast.expr:
        return ast.Call(self._capture(function), list(arguments), [])

    def _capture(self, value: Any) -> ast.expr:
        """A name for a value that the code uses."""
        if id(value) not in self._captured:
            self._captured[id(value)] = name = f"k{len(self._captured)}"
            self._names[name] = value  # keeps it alive, so that its id stays its own
        return ast.Name(self._captured[id(value)], ast.Load())


class _Operand:
    """An operand of a comparison: the code that computes and names it where it is used first, its name afterwards."""

    __slots__ = ("_first", "_next", "_taken")

    def __init__(self, first: ast.expr, then: ast.expr) -> None:
        self._first = first
        self._next = then
        self._taken = False

    def take(self) -> ast.expr:
        if self._taken:
            return self._next
        self._taken = True
        return self._first
