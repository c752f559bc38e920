"""The YAML form of conditions: `all:`, `any:`, `not:` and `{field, op, value}` as the syntax tree of the same text.

Pure. A text may stand wherever a mapping may.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from syncd.document import Node, Problems, suggest
from syncd.errors import ConfigError
from syncd.expressions.parse import MAX_DEPTH, MAX_NODES, Parsed, inside, parse
from syncd.expressions.tree import Place

_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "==": ast.Eq, "!=": ast.NotEq, "<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE, "in": ast.In, "not_in": ast.NotIn,
}  # fmt: skip
_CALLS = ("contains", "starts_with", "ends_with", "matches")
_KNOWN = ("is_known", "is_unknown")
OPS = (*_COMPARISONS, *_CALLS, *_KNOWN)
"""Every word that `op:` accepts."""

_MEANT = {
    "=>": ">=", "=<": "<=", "=": "==", "eq": "==", "equals": "==", "is": "==", "<>": "!=", "ne": "!=",
    "not_equals": "!=", "is_not": "!=",
    "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "not in": "not_in", "one_of": "in", "any_of": "in", "regex": "matches",
    "like": "contains", "exists": "is_known", "not_null": "is_known", "is_null": "is_unknown", "is_empty": "is_unknown",
    "is_blank": "is_unknown",
}  # fmt: skip


def parse_condition(node: Node) -> Parsed:
    """The syntax tree of a condition in any form.

    Args:
        node: A text, true or false, a mapping of one of the forms, nested as deep as the limits on expressions allow.

    Raises:
        ConfigError: With every problem of the form; a text in it reports the first of its own.
    """
    reader = _Reader(node)
    root = reader.read(node, 1)
    reader.problems.raise_if_any()
    return Parsed(root, reader.places, node.file)


class _Reader:
    """Builds one tree; a part with a problem becomes `true` and its problem is kept."""

    def __init__(self, top: Node) -> None:
        self.problems = Problems()
        self.places: dict[int, Place] = {}
        self._top = top
        self._seen = 0

    def read(self, node: Node, depth: int) -> ast.expr:
        self._seen += 1
        if self._seen > MAX_NODES or depth > MAX_DEPTH:
            self.problems.add(node, f"The condition is too large: at most {MAX_NODES} parts, nested at most {MAX_DEPTH} deep.")
            self.problems.raise_if_any()
        if node.kind == "scalar":
            return self._scalar(node)
        if node.kind == "sequence":
            return self._wrong(node, "A list stands where one condition is needed.", "Put it under all: or any:.")
        if "field" in node or "op" in node:
            return self._clause(node)
        found = [key for key in ("all", "any", "not") if key in node]
        if self._has_unknown(node, ("all", "any", "not", "field", "op", "value")):
            return self._true(node)
        if len(found) != 1 or len(node.entries) != 1:
            return self._wrong(node, "A condition is a text, or has one of the keys all, any, not, or has field, op and value.")
        part = node.entries[found[0]]
        if found[0] == "not":
            return self._placed(node, ast.UnaryOp(ast.Not(), self.read(part, depth + 1)))
        if part.kind != "sequence" or not part.items:
            return self._wrong(part, f'"{found[0]}" needs a list of conditions.')
        parts = [self.read(child, depth + 1) for child in part.items]
        joined = ast.BoolOp(ast.And() if found[0] == "all" else ast.Or(), parts)
        return parts[0] if len(parts) == 1 else self._placed(node, joined)

    def _scalar(self, node: Node) -> ast.expr:
        if isinstance(node.scalar, bool):
            return self._placed(node, ast.Constant(node.scalar))
        if not isinstance(node.scalar, str):
            shown = "nothing" if node.scalar is None else f"the number {node.scalar}"
            return self._wrong(node, f"A condition is needed here, and this is {shown}.")
        return self._text(node, node.scalar) or self._true(node)

    def _clause(self, node: Node) -> ast.expr:
        has_unknown = self._has_unknown(node, ("field", "op", "value"))
        field, op = self._field(node), self._op(node)
        if field is None or not op or has_unknown:
            return self._true(node)
        value = node.get("value")
        if op in _KNOWN:
            if value is not None:
                self.problems.add_key(node, "value", f'"{op}" takes no value.', "Remove it.")
            call = self._placed(node, ast.Call(self._name("is_known", node), [field], []))
            return call if op == "is_known" else self._placed(node, ast.UnaryOp(ast.Not(), call))
        if value is None:
            return self._wrong(node, f'"{op}" needs a value.', "Add value: ...")
        literal = self._value(value)
        if op in _CALLS:
            return self._placed(node, ast.Call(self._name(op, node), [field, literal], []))
        return self._placed(node, ast.Compare(field, [_COMPARISONS[op]()], [literal]))

    def _has_unknown(self, node: Node, legal: tuple[str, ...]) -> bool:
        """Whether a mapping has other keys than the `legal` ones; they are noted."""
        before = len(self.problems.found)
        self.problems.unknown_keys(node, legal, "A condition")
        return len(self.problems.found) > before

    def _field(self, node: Node) -> ast.expr | None:
        field = node.get("field")
        if field is None:
            self.problems.add(node, "A condition with op needs a field.", "Add field: ...")
            return None
        if not isinstance(field.scalar, str):
            self.problems.add(field, "The field must be the name of a variable.")
            return None
        found = self._text(field, field.scalar)
        if found is not None and not isinstance(found, ast.Name | ast.Attribute | ast.Subscript):
            self.problems.add(field, "The field must be the name of a variable.", "Write the whole condition as text instead.")
            return None
        return found

    def _op(self, node: Node) -> str:
        op = node.get("op")
        if op is None:
            self.problems.add(node, "A condition with field needs an op.", f"Known: {', '.join(OPS)}.")
            return ""
        word = str(op.scalar) if op.kind == "scalar" else ""
        if word in OPS:
            return word
        meant = _MEANT.get(word.lower())
        self.problems.add(op, f'There is no op "{word[:60]}".', f'Did you mean "{meant}"?' if meant else suggest(word, OPS))
        return ""

    def _value(self, node: Node) -> ast.expr:
        if node.kind == "sequence":
            return self._placed(node, ast.List([self._value(child) for child in node.items], ast.Load()))
        if node.kind == "mapping":
            return self._wrong(node, "The value must be a text, a number, true, false or a list of these.")
        self._seen += 1
        return self._placed(node, ast.Constant(node.scalar))

    def _text(self, node: Node, text: str) -> ast.expr | None:
        """The tree of a text; None with its problem noted."""
        try:
            parsed = parse(text, node.file, inside(node, text))
        except ConfigError as error:
            self.problems.found.extend(error.problems)
            return None
        self._seen += len(parsed.places())
        self.places.update(parsed.places())
        return parsed.root

    def _name(self, word: str, node: Node) -> ast.expr:
        return self._placed(node, ast.Name(word, ast.Load()))

    def _placed(self, node: Node, made: ast.expr) -> ast.expr:
        self.places[id(made)] = Place(node.line, node.column, "")
        if not isinstance(made, ast.BoolOp):
            self.places[id(made)] = Place(node.line, node.column, _written(made, lambda part: self.places[id(part)].text))
        return made

    def _wrong(self, node: Node, message: str, advice: str = "") -> ast.expr:
        self.problems.add(node, message, advice)
        return self._true(node)

    def _true(self, node: Node) -> ast.expr:
        return self._placed(node, ast.Constant(value=True))


def _written(made: ast.expr, text_of: Callable[[ast.expr], str]) -> str:
    """How a part of the form would be written as text."""
    match made:
        case ast.Constant(value=str() as value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case ast.Constant(value=value):
            return "null" if value is None else str(value).lower()
        case ast.Name():
            return made.id
        case ast.List():
            return f"[{', '.join(text_of(part) for part in made.elts)}]"
        case ast.UnaryOp():
            return f"not {text_of(made.operand)}"
        case ast.Call():
            return f"{text_of(made.func)}({', '.join(text_of(part) for part in made.args)})"
        case ast.Compare():
            words = {kind: word.replace("_", " ") for word, kind in _COMPARISONS.items()}
            return f"{text_of(made.left)} {words[type(made.ops[0])]} {text_of(made.comparators[0])}"
        case _:
            return ""
