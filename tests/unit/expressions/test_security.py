"""Escape attempts and attempts to use up the machine: all refused at load, none of them evaluated."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from syncd.errors import ConfigError
from syncd.expressions import Kind, Schema, compile_expression

ESCAPES = [
    "().__class__.__base__.__subclasses__()",
    "''.__class__",
    "'{0.__class__}'.format(record)",
    "'%s' % record.a",
    "f'{record.a}'",
    "f'{record.__class__}' == ''",
    "record.__class__",
    "record['__class__']",
    "record.a.__globals__",
    "lead.__dict__",
    "lead.Email.__class__ == 1",
    "lead.Email.upper()",
    "record.get('a')",
    "record.a.b('c')",
    "lower.__globals__",
    "lower(lower)",
    "__import__('os').system('id')",
    "__builtins__",
    "__builtins__['open']('x')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "getattr(record, 'a')",
    "globals()",
    "vars()",
    "type(record.a)",
    "print(1)",
    "input()",
    "breakpoint()",
    "k0(1)",
    "values",
    "g0.get",
    "t0",
    "evaluate(1)",
    "(lambda: 1)()",
    "[x for x in record.a]",
    "{x for x in record.a}",
    "{x: 1 for x in record.a}",
    "(x for x in record.a)",
    "(y := 1)",
    "{'a': 1}",
    "{1, 2}",
    "record[lead.Email]",
    "record[0:1]",
    "record[record.a]",
    "record[1.5]",
    "record[b'a']",
    "record[True]",
    "record[('a', 'b')]",
    "b'bytes'",
    "1j",
    "...",
    "*record.a",
    "lower(*['a'])",
    "lower(**record.a)",
    "lower(text='a')",
    "2 ** 3",
    "5 // 2",
    "5 % 2",
    "5 @ 2",
    "1 << 9999",
    "~1",
    "+record.a",
    "1 & 2",
    "1 | 2",
    "1 ^ 2",
    "yield 1",
    "(yield)",
    "await record.a",
    "import os",
    "record.a = 1",
    "record.a; record.b",
    "record.a\nrecord.b",
    "1) + (2",
    "1) if (2) else (3",
    "record.a)(record.b",
    "1, 2",
    "'a' * 1000000000",
    "1000000000 * 'a'",
    "[1] * 1000000000",
    "('a',) * 10",
    "lead.Email * lead.Score",
    "lead.Topics__c + lead.Topics__c",
    "[[1, 2], [3]]",
    "[record.a]",
    "'a' 'b' is 'ab'",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_an_escape_is_refused(problem, text):
    assert problem(text).line >= 1


BOMBS = {
    "long": "1" * 2001,
    "open parentheses": "(" * 1900,
    "parentheses": "(" * 900 + "1" + ")" * 900,
    "brackets": "[" * 900 + "]" * 900,
    "minus": "-" * 1900 + "1",
    "not": "not " * 480 + "true",
    "attributes": "record" + ".a" * 950,
    "subscripts": "record" + "[0]" * 600,
    "sum": "+".join("1" * 600),
    "or": " or ".join(["true"] * 240) + " or 1 > 2" * 100,
    "calls": "lower(" * 250 + "record.a" + ")" * 250,
    "if": "1 if true else " * 120 + "1",
    "number": "9" * 1999,
    "hexadecimal": "0x" + "f" * 1990,
    "float": "1e" + "9" * 100,
    "list": "record.a in [" + ",".join("1" * 900) + "]",
    "pattern": "matches(record.a, '((((((a{30}){30}){30}){30}){30}){30})')",
    "NUL": "record.a\0 == 1",
    "surrogate": "record.a == '\ud800'",
    "name": "x" * 1999,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_fast_and_small(name):
    schema = Schema({}, ("record",))
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(ConfigError):
            compile_expression(BOMBS[name], schema, file="m.yaml")
        assert time.perf_counter() - began < 2.0
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        " or ".join(f"record.a{n} == {n}" for n in range(90)),
        "+".join(["record.a"] * 90),
        "not " * 90 + "record.a",
        "-" * 90 + "1",
        "1" + " < 2" * 450,
        "lower(" * 90 + "record.a" + ")" * 90,
        "1 if record.a else " * 90 + "1",
        "(" * 90 + "record.a" + ")" * 90,
    ],
    ids=["or", "sum", "not", "minus", "chain", "calls", "if", "parentheses"],
)
def test_the_largest_allowed_expressions_compile_and_run(text):
    found = compile_expression(text, Schema({}, ("record",)))({"record": {"a": 1}})
    assert found is None or isinstance(found, bool | int | float | str)


def test_multiplying_grows_no_number_without_bound():
    schema = Schema({}, ("record",))
    square = "record.a"
    for _ in range(5):
        square = f"({square} * {square})"
    assert compile_expression(square, schema)({"record": {"a": 10**300}}) is None


def test_compiled_code_sees_no_builtins():
    """Even if something slipped through, there is nothing to call."""
    expression = compile_expression("record.a == 1", Schema({}, ("record",)))
    assert expression.run.__globals__["__builtins__"] == {}


def test_a_condition_leaves_its_values_alone():
    values = {"record": {"a": [3, 1], "b": {"c": 1}}, "touches": [{"channel": "web"}]}
    before = repr(values)
    schema = Schema({"touches": Kind.LIST}, ("record",))
    compile_expression("count(record.a) > 1 and record.b.c == 1 and any_touch('web') and contains(record.a, 3)", schema)(values)
    assert repr(values) == before
