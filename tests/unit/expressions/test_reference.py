"""The reference page is the program's own, and its examples are true."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from syncd.expressions import FUNCTIONS, compile_expression
from syncd.expressions.generate import _COMPARISONS
from syncd.expressions.reference import EXAMPLE_SCHEMA, EXAMPLE_VALUES, OPERATORS, reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "expressions.md"
CONSTANTS = {"true": True, "false": False, "null": None}


def test_the_page_is_in_step():
    """Write it with `python -m syncd.expressions.reference > docs/reference/expressions.md`."""
    assert PAGE.read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize(
    ("example", "gives"),
    [(f.example, f.gives) for f in FUNCTIONS.values()] + [(example, gives) for _, _, example, gives in OPERATORS],
)
def test_every_example_gives_what_it_says(example, gives):
    expected = CONSTANTS[gives] if gives in CONSTANTS else ast.literal_eval(gives)
    result = compile_expression(example, EXAMPLE_SCHEMA)(EXAMPLE_VALUES)
    assert (result, type(result)) == (expected, type(expected))


def test_every_example_uses_its_function_or_operator():
    assert all(f"{name}(" in function.example for name, function in FUNCTIONS.items())
    assert all(word.split()[0].strip("[]") in example for word, _, example, _ in OPERATORS)


def test_every_comparison_is_documented():
    assert set(_COMPARISONS) <= {word for word, *_ in OPERATORS}
