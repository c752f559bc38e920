"""The small language of conditions (DESIGN 3.6): Python-like text or YAML lists, checked at load, compiled once.

Lives on the floor of the model: imports the ground only, does no I/O and does not know the time:
`now` and `today` are variables.

    kinds      what values are, and the schema of variables
    parse      text to Python's syntax tree, with places and limits       form       the YAML form to the same tree
    check      syntax tree to checked tree (rules, calls, functions)      tree       the checked tree
    generate   checked tree to a code object                              operators, reading, builtins   what the code calls
    expression what the rest of the house sees                            moments    when a result changes by the clock alone
    reference  the reference page
"""

from syncd.expressions.expression import Clause, Condition, Expression, compile_condition, compile_expression
from syncd.expressions.functions import FUNCTIONS
from syncd.expressions.kinds import Kind, Schema
from syncd.expressions.moments import clock_problem, moments

__all__ = [
    "FUNCTIONS", "Clause", "Condition", "Expression", "Kind", "Schema", "clock_problem", "compile_condition", "compile_expression",
    "moments",
]  # fmt: skip
