"""Expressions against a slow reference evaluator written from the documentation, and a fuzz of texts and values.

The reference shares nothing with the program: it walks Python's syntax tree with rules of its own.
"""

from __future__ import annotations

import ast
import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.document import Node
from syncd.errors import ConfigError
from syncd.expressions import FUNCTIONS, Kind, Schema, compile_condition, compile_expression

SCHEMA = Schema(
    {
        "lead.T": Kind.TEXT,
        "lead.N": Kind.NUMBER,
        "lead.B": Kind.BOOLEAN,
        "lead.D": Kind.DAY,
        "lead.I": Kind.INSTANT,
        "lead.L": Kind.LIST,
        "touches": Kind.LIST,
        "today": Kind.DAY,
        "now": Kind.INSTANT,
    },
    ("record",),
)
TODAY = date(2026, 1, 31)
NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)

# --- the reference -------------------------------------------------------------------------------------------------------


class Reference:
    """Evaluates one expression for one set of values, slowly and plainly."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def value(self, node: ast.expr) -> Any:
        return getattr(self, "on_" + type(node).__name__.lower())(node)

    def holds(self, node: ast.expr) -> bool:
        found = self.value(node)
        return found is True or (isinstance(found, str) and found.strip().lower() == "true")

    def on_constant(self, node: ast.Constant) -> Any:
        return node.value

    def on_name(self, node: ast.Name) -> Any:
        constants = {"true": True, "false": False, "null": None}
        return constants[node.id] if node.id in constants else typed(node.id, self.values.get(node.id))

    def on_attribute(self, node: ast.Attribute) -> Any:
        group = self.values.get(node.value.id)
        found = group.get(node.attr) if isinstance(group, dict) else None
        return typed(f"{node.value.id}.{node.attr}", found)

    def on_list(self, node: ast.List) -> Any:
        return [self.value(element) for element in node.elts]

    def on_unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return not self.holds(node.operand)
        number = as_number(self.value(node.operand))
        return None if number is None else finite(0 - number)

    def on_boolop(self, node: ast.BoolOp) -> bool:
        results = [self.holds(part) for part in node.values]
        return all(results) if isinstance(node.op, ast.And) else any(results)

    def on_ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.holds(node.test) else node.orelse)

    def on_compare(self, node: ast.Compare) -> bool:
        operands = [self.value(part) for part in (node.left, *node.comparators)]
        return all(compared(type(op).__name__, *operands[i : i + 2]) for i, op in enumerate(node.ops))

    def on_binop(self, node: ast.BinOp) -> Any:
        return calculated(type(node.op).__name__, self.value(node.left), self.value(node.right))

    def on_call(self, node: ast.Call) -> Any:
        arguments = [self.value(part) for part in node.args]
        match node.func.id:
            case "is_known":
                return known(arguments[0])
            case "coalesce":
                return next((a for a in arguments if known(a)), None)
            case "lower":
                return None if as_text(arguments[0]) is None else as_text(arguments[0]).lower()
            case "number":
                return as_number(arguments[0])
            case "text":
                return as_text(arguments[0])
            case "length":
                whole = arguments[0] if isinstance(arguments[0], list) else as_text(arguments[0])
                return None if whole is None else len(whole)
            case "contains":
                whole = arguments[0] if isinstance(arguments[0], list) else as_text(arguments[0])
                return whole is not None and compared("In", arguments[1], whole)
            case "starts_with":
                texts = [as_text(a) for a in arguments]
                return all(texts) and texts[0][: len(texts[1])] == texts[1]
            case "days_since":
                then = as_time(arguments[0])
                if then is None:
                    return None
                return math.floor((NOW - then) / timedelta(days=1)) if isinstance(then, datetime) else (TODAY - then).days
        raise AssertionError(node.func.id)


def typed(name: str, value: Any) -> Any:
    """A declared day, instant or list reads text as what it is."""
    kind = SCHEMA.variables.get(name)
    if kind is Kind.DAY:
        found = as_time(value)
        return found.date() if isinstance(found, datetime) else found
    if kind is Kind.INSTANT:
        found = as_time(value)
        return datetime(found.year, found.month, found.day, tzinfo=UTC) if type(found) is date else found
    if kind is Kind.LIST:
        if isinstance(value, str):
            return [part.strip() for part in value.split(";") if part.strip()]
        return value if isinstance(value, list) else None
    return value


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def as_number(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= 40 and re.fullmatch(r"\s*[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?\s*", value):
        value = float(value) if re.search("[.eE]", value) else int(value)
        return None if isinstance(value, float) and math.isinf(value) else value
    return value if type(value) in (int, float) and not is_nan(value) else None


def as_text(value: Any) -> Any:
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, str):
        return value
    number = as_number(value)
    if number is None or (isinstance(number, int) and abs(number) >= 10**4000):
        return None
    return str(int(number)) if isinstance(number, float) and abs(number) < 1e15 and number == int(number) else str(number)


def as_time(value: Any) -> Any:
    if isinstance(value, str):
        for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"):
            try:
                found = datetime.strptime(value, form)  # noqa: DTZ007 - days have no zone
            except ValueError:
                continue
            return found.date() if found.tzinfo is None else found.astimezone(UTC)
        return None
    return value if isinstance(value, date) else None


def known(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip() != ""
    if isinstance(value, list | dict):
        return bool(value)
    return isinstance(value, bool | date) or as_number(value) is not None


def compared(op: str, left: Any, right: Any) -> bool:
    if op in ("In", "NotIn"):
        if not isinstance(left, str | bool | date) and as_number(left) is None:
            return False
        if isinstance(right, list):
            return any(compared("Eq", left, element) for element in right) is (op == "In")
        if isinstance(right, str):
            return (as_text(left) not in (None, "") and as_text(left) in right) is (op == "In")
        return False
    if isinstance(left, str) is not isinstance(right, str):
        if isinstance(left, str):
            left = like(left, right)
        else:
            right = like(right, left)
    for sort in (str, bool, datetime, date, (int, float)):
        if isinstance(left, sort) and isinstance(right, sort):
            break
    else:
        return False
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if type(left) is date and isinstance(right, datetime):
        right = right.date()
    if type(right) is date and isinstance(left, datetime):
        left = left.date()
    if isinstance(left, bool) and op not in ("Eq", "NotEq"):
        return False
    if is_nan(left) or is_nan(right):
        return False
    return {
        "Eq": lambda: left == right,
        "NotEq": lambda: left != right,
        "Lt": lambda: left < right,
        "LtE": lambda: left <= right,
        "Gt": lambda: left > right,
        "GtE": lambda: left >= right,
    }[op]()


def like(text: str, other: Any) -> Any:
    """`text` read as the kind of `other`."""
    if isinstance(other, bool):
        return {"true": True, "false": False}.get(text.strip().lower())
    return as_time(text) if isinstance(other, date) else as_number(text)


def calculated(op: str, left: Any, right: Any) -> Any:
    if op == "Add" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if op == "Add" and isinstance(right, date) and not isinstance(left, date):
        left, right = right, left
    if isinstance(left, date) or (op == "Sub" and isinstance(right, date)):
        return calculated_time(op, left, right)
    x, y = as_number(left), as_number(right)
    if x is None or y is None or any(isinstance(n, int) and abs(n) >= 2**1024 for n in (x, y)):
        return None
    try:
        return finite({"Add": lambda: x + y, "Sub": lambda: x - y, "Mult": lambda: x * y, "Div": lambda: x / y}[op]())
    except ArithmeticError:
        return None


def calculated_time(op: str, left: Any, right: Any) -> Any:
    if op not in ("Add", "Sub"):
        return None
    start, end = as_time(left), as_time(right)
    if op == "Sub" and start is not None and end is not None:
        if isinstance(start, datetime) and isinstance(end, datetime):
            return (start - end).total_seconds() / 86400
        return (date(start.year, start.month, start.day) - date(end.year, end.month, end.day)).days
    days = as_number(right)
    if days is None or start is None:
        return None
    try:
        return start + timedelta(days=days if op == "Add" else -days)
    except (OverflowError, ValueError):
        return None


def finite(number: Any) -> Any:
    if isinstance(number, int):
        return number if abs(number) < 2**1024 else None
    return number if math.isfinite(number) else None


# --- random expressions and values ---------------------------------------------------------------------------------------

TEXTS = ["", " ", "a", "abc", "5", "-3.5", "1e3", "true", "False", "2026-01-31", "2026-01-31T23:30:00+07:00", "a;b", "ä"]
NUMBERS = [0, 1, -1, 5, 2.5, 1e308, -1e-9, 10**18]
DATES = ["2026-01-31", "2025-12-31T23:59:59Z"]


def quoted(text: str) -> str:
    return '"' + text + '"'


def written(strategy: st.SearchStrategy[Any], pattern: str, *others: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.tuples(strategy, *others).map(lambda parts: pattern.format(*parts))


def expressions() -> dict[Kind, st.SearchStrategy[str]]:
    """Texts that are well-typed by construction, per kind."""
    kinds: dict[Kind, Any] = {}
    free = st.sampled_from(["record.a", "record.b", "record.missing"])
    text = st.deferred(lambda: kinds[Kind.TEXT])
    number = st.deferred(lambda: kinds[Kind.NUMBER])
    boolean = st.deferred(lambda: kinds[Kind.BOOLEAN])
    time = st.deferred(lambda: kinds[Kind.DAY])
    order = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    whole_texts = st.lists(st.sampled_from(TEXTS).map(quoted), min_size=1, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
    whole_numbers = st.lists(st.sampled_from(NUMBERS[:5]).map(str), min_size=1, max_size=3).map(
        lambda parts: f"[{', '.join(parts)}]"
    )
    inside = st.sampled_from(["in", "not in"])
    kinds[Kind.TEXT] = st.one_of(
        st.just("lead.T"),
        st.sampled_from(TEXTS).map(quoted),
        written(text, "lower({})"),
        written(text, "({} + {})", text),
        written(number, "text({})"),
        written(text, "({} if {} else {})", boolean, text),
        written(text, "coalesce({}, {})", free | text),
    )
    kinds[Kind.NUMBER] = st.one_of(
        st.just("lead.N"),
        st.sampled_from(NUMBERS).map(lambda n: f"({n})"),
        written(number | free, "({} {} {})", st.sampled_from("+-*/"), number),
        written(number, "(-{})"),
        written(text | free, "number({})"),
        written(text | free | st.just("lead.L"), "length({})"),
        written(time | free, "days_since({})"),
        written(time, "({} - {})", time),
        written(number, "({} if {} else {})", boolean, number | st.just("null")),
    )
    kinds[Kind.DAY] = st.sampled_from(["lead.D", "lead.I", "today", "now"]) | written(
        st.sampled_from(["today", "lead.D"]), "({} + {})", number
    )
    kinds[Kind.BOOLEAN] = st.one_of(
        st.sampled_from(["lead.B", "true", "false", "record.a"]),
        written(number | free, "({} {} {})", order, number | free),
        written(text | free, "({} {} {})", order, text | free),
        written(time, "({} {} {})", order, time | free | st.sampled_from(DATES).map(quoted)),
        written(number, "({} {} {} {} {})", order, free | number, order, number),
        written(boolean, "({} {} {})", st.sampled_from(["and", "or"]), boolean),
        written(boolean, "(not {})"),
        written(text | free, "({} {} {})", inside, whole_texts | free | st.just("lead.L") | text),
        written(number | free, "({} {} {})", inside, whole_numbers | free),
        written(free | text | number, "is_known({})"),
        written(text | free | st.just("lead.L"), "contains({}, {})", text),
        written(text | free, "starts_with({}, {})", text | free),
        written(boolean, "({} == {})", boolean),
    )
    return kinds


EXPRESSIONS = expressions()
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.integers(-10, 10),
    st.floats(),
    st.sampled_from([10**400, -(10**5000)]),
    st.text(max_size=4),
)
RAW = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), SCALARS, max_size=2)
DATE_VALUES = st.sampled_from([None, *DATES, date(2026, 3, 1), date.max, datetime(2026, 1, 31, 1, tzinfo=UTC), "junk", 5])
VALUES = st.fixed_dictionaries(
    {
        "lead": st.fixed_dictionaries({"T": RAW, "N": RAW, "B": RAW, "D": DATE_VALUES, "I": DATE_VALUES, "L": RAW}),
        "record": st.fixed_dictionaries({"a": RAW, "b": RAW}),
        "today": st.just(TODAY),
        "now": st.just(NOW),
    }
)
PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
)


def same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and (left == right or (is_nan(left) and is_nan(right)))


@settings(PATIENT, max_examples=800)
@given(
    text=st.sampled_from([Kind.BOOLEAN, Kind.BOOLEAN, Kind.NUMBER, Kind.TEXT, Kind.DAY]).flatmap(EXPRESSIONS.__getitem__),
    values=VALUES,
)
@example(text="(lead.N != 1)", values={"lead": {"N": float("nan")}, "record": {}})
@example(text="(record.a not in [1, 5])", values={"lead": {}, "record": {"a": float("nan")}})
@example(text="(0 < record.a < 5)", values={"lead": {}, "record": {"a": "3"}})
def test_it_agrees_with_the_reference(text: str, values: dict[str, Any]) -> None:
    """Whatever is well-typed compiles, and gives what the documentation says."""
    try:
        expression = compile_expression(text, SCHEMA)
    except ConfigError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:  # random texts may be too large
        assert re.search("too large|characters", refusal), refusal
        return
    root = ast.parse(text, mode="eval").body
    expected = Reference(values).holds(root) if expression.kind is Kind.BOOLEAN else Reference(values).value(root)
    if expression.kind in (Kind.NUMBER, Kind.TEXT):
        expected = as_number(expected) if expression.kind is Kind.NUMBER else as_text(expected)
    if expression.kind in (Kind.DAY, Kind.INSTANT):
        found = as_time(expected)
        expected = found.date() if expression.kind is Kind.DAY and isinstance(found, datetime) else found
    assert same(expression(values), expected), (expression(values), expected)


WORDS = st.sampled_from(
    [
        *FUNCTIONS,
        "lead.T",
        "lead.N",
        "lead.B",
        "lead.D",
        "lead.I",
        "lead.L",
        "touches",
        "today",
        "now",
        "record.a",
        "record.b[0]",
        "record",
        'record["x y"].z',
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "**",
        "%",
        "null",
        "true",
        "None",
        "1",
        "2.5",
        "1e9",
        '"a"',
        '"2026-01-01"',
        '"(a|b)+"',
        "r'\\d'",
        "lambda",
        ":",
        "=",
        "for",
        "x",
        "f'{x}'",
        "#",
        "\n",
        "\\",
        "'",
        '"',
        "__class__",
        "é",
        "𝐚",
        "\t",
        ";",
        "{",
        "}",
        "@",
        ":=",
        "await",
        "\r",
        "\x0c",
        "0x1F",
        "0777",
        "1_0",
        "...",
    ]
)
ANY_TEXT = st.lists(WORDS, max_size=25).map(" ".join) | st.lists(WORDS, max_size=10).map("".join) | st.text(max_size=40)
NESTED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "channel", "at"]), inner, max_size=3),
    max_leaves=8,
)
ANY_VALUES = st.dictionaries(st.sampled_from(["lead", "record", "touches", "today", "now"]), NESTED, max_size=5)


@settings(PATIENT, max_examples=800)
@example(text="\r \r \r is_known", values={}, expects=None)
@given(text=ANY_TEXT, values=ANY_VALUES, expects=st.sampled_from([None, *Kind]))
def test_any_text_compiles_or_is_a_config_error_and_never_raises_on_any_values(
    text: str, values: Any, expects: Kind | None
) -> None:
    """No text gets another error out of the compiler, no values get any out of the compiled expression."""
    try:
        expression = compile_expression(text, SCHEMA, file="m.yaml", expects=expects)
    except ConfigError as error:
        problems = error.problems
    else:
        problems = ()
    if problems:
        assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)
        return
    result = expression(values)
    assert expects is not Kind.BOOLEAN or isinstance(result, bool)
    assert expression.explain(values)


CALLS = st.sampled_from(
    [
        "is_known({0})",
        "coalesce({0}, {1})",
        "lower({0})",
        "upper({0})",
        "trim({0})",
        "length({0})",
        "contains({0}, {1})",
        "any_of({0}, {1}, 'a')",
        "starts_with({0}, {1})",
        "ends_with({0}, {1})",
        "matches({0}, 'a+')",
        "domain({0})",
        "number({0})",
        "text({0})",
        "abs({0})",
        "round({0}, 2)",
        "round({0})",
        "min({0}, {1})",
        "max({0}, {1})",
        "count({0})",
        "days_since({0})",
        "any_touch({0}, {1})",
        "count_touches({0}, {1})",
        "{0} + {1}",
        "{0} - {1}",
        "{0} * {1}",
        "{0} / {1}",
        "-{0}",
        "{0} == {1}",
        "{0} < {1}",
        "{0} in {1}",
        "{0} not in {1}",
        "{0} != {1} != 5",
        "today + {0}",
        "now - {0}",
        "{0} - lead.I",
        "lead.D + {1}",
        "lead.L == 1 or {0}",
        "{0} if {1} else {0}",
        "not {0} and {1}",
        "touches[0].at < {0}",
    ]
)


@settings(PATIENT, max_examples=800)
@given(pattern=CALLS, values=ANY_VALUES, expects=st.sampled_from([None, Kind.BOOLEAN]))
def test_no_function_or_operator_raises_on_any_values(pattern: str, values: Any, expects: Kind | None) -> None:
    text = pattern.format("record.a", "record.b")
    try:
        expression = compile_expression(text, SCHEMA, expects=expects)
    except ConfigError:
        return
    expression(values)
    expression.explain(values)


@settings(PATIENT, max_examples=300)
@given(
    st.recursive(
        st.sampled_from(["lead.N > 1", "record.a", "lead.N", "nope ==", True, 5, None])
        | st.fixed_dictionaries(
            {},
            optional={
                "field": st.sampled_from(["lead.N", "lead.T", "record.a", "nope", "1 + 1", ""]),
                "op": st.sampled_from(["==", "in", "contains", "is_known", "is_unknown", "matches", "frob"]),
                "value": st.sampled_from([1, "a", "(", True, None, ["a"], [], {"a": 1}]),
                "extra": st.none(),
            },
        ),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["all", "any", "not"]), inner, max_size=2),
        max_leaves=8,
    ),
    ANY_VALUES,
)
def test_any_yaml_form_compiles_or_is_a_config_error(form: Any, values: Any) -> None:
    try:
        condition = compile_condition(node_of(form), SCHEMA)
    except ConfigError:
        return
    assert isinstance(condition(values), bool)
    assert condition.explain(values)


def node_of(value: Any) -> Node:
    kind = {dict: "mapping", list: "sequence"}.get(type(value), "scalar")
    node = Node(kind, "m.yaml", 1, 1)
    if kind == "mapping":
        node.entries = {key: node_of(child) for key, child in value.items()}
    elif kind == "sequence":
        node.items = [node_of(child) for child in value]
    else:
        node.scalar = value
    return node
