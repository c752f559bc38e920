"""The YAML form: `all:`, `any:`, `not:` and lists of field, op and value."""

from __future__ import annotations

import pytest

from syncd.document import Node, parse_document
from syncd.errors import ConfigError
from syncd.expressions import compile_condition, compile_expression
from syncd.expressions.form import OPS


def condition(text: str) -> Node:
    node = parse_document(f"when:\n{text}" if text.startswith(" ") else f"when: {text}", "m.yaml").get("when")
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("clause", "text"),
    [
        ("{field: lead.Country, op: ==, value: ID}", 'lead.Country == "ID"'),
        ("{field: lead.Country, op: '!=', value: ID}", 'lead.Country != "ID"'),
        ("{field: lead.Score, op: <, value: 72.5}", "lead.Score < 72.5"),
        ("{field: lead.Score, op: <=, value: 72}", "lead.Score <= 72"),
        ("{field: lead.Score, op: '>', value: -1}", "lead.Score > -1"),
        ("{field: lead.Score, op: '>=', value: 73}", "lead.Score >= 73"),
        ("{field: lead.Country, op: in, value: [ID, SG]}", 'lead.Country in ["ID", "SG"]'),
        ("{field: lead.Country, op: not_in, value: [ID, SG]}", 'lead.Country not in ["ID", "SG"]'),
        ("{field: lead.Title, op: contains, value: Sales}", 'contains(lead.Title, "Sales")'),
        ("{field: lead.Title, op: starts_with, value: Head}", 'starts_with(lead.Title, "Head")'),
        ("{field: lead.Title, op: ends_with, value: Head}", 'ends_with(lead.Title, "Head")'),
        (r"{field: lead.Title, op: matches, value: '\bsales\b'}", r'matches(lead.Title, "\\bsales\\b")'),
        ("{field: lead.Budget__c, op: is_known}", "is_known(lead.Budget__c)"),
        ("{field: lead.Budget__c, op: is_unknown}", "not is_known(lead.Budget__c)"),
        ("{field: lead.IsVip__c, op: ==, value: true}", "lead.IsVip__c == true"),
        ("{field: lead.CreatedDate, op: '>', value: 2025-12-31}", 'lead.CreatedDate > "2025-12-31"'),
        ("{field: 'record[\"odd key\"].inner[0].x', op: ==, value: 1}", 'record["odd key"].inner[0].x == 1'),
        ("{not: {field: lead.Score, op: '>', value: 1}}", "not lead.Score > 1"),
        ("{not: {any: [lead.Score > 1, lead.Score < 0]}}", "not (lead.Score > 1 or lead.Score < 0)"),
        ("{all: [lead.Score > 1, {any: [lead.IsVip__c, false]}, true]}", "lead.Score > 1 and (lead.IsVip__c or false) and true"),
        ("{all: [lead.Score > 1]}", "lead.Score > 1"),
        ("lead.Score > 1", "lead.Score > 1"),
        ("true", "true"),
        ("false", "false"),
    ],
)
def test_it_is_the_same_tree_as_the_text(schema, values, clause, text):
    form, written = compile_condition(condition(clause), schema), compile_expression(text, schema)
    assert form.text == text
    assert form(values) is written(values)
    assert form({}) is written({})
    assert form.names == written.names
    assert [str(c) for c in form.explain(values)] == [str(c) for c in written.explain(values)]


def test_every_op_is_tried_above():
    (parameters,) = (mark for mark in test_it_is_the_same_tree_as_the_text.pytestmark if mark.name == "parametrize")
    tried = {
        parse_document(f"when: {clause}", "").plain()["when"].get("op")
        for clause, _ in parameters.args[1]
        if "op:" in clause[:60]
    }
    assert tried >= set(OPS) - {None}


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "advice"),
    [
        ("{field: lead.Score, op: =>, value: 1}", 1, 31, 'no op "=>"', 'Did you mean ">="?'),
        ("{field: lead.Score, op: equals, value: 1}", 1, 31, 'no op "equals"', 'Did you mean "=="?'),
        ("{field: lead.Title, op: contain, value: a}", 1, 31, 'no op "contain"', 'Did you mean "contains"?'),
        ("{field: lead.Title, op: frob, value: a}", 1, 31, 'no op "frob"', "Known: "),
        ("{field: lead.Titel, op: ==, value: a}", 1, 15, "lead.Titel", 'Did you mean "lead.Title"?'),
        ("{field: lead.Score, op: ==, valeu: 1}", 1, 35, 'no key "valeu"', 'Did you mean "value"?'),
        ("{field: lead.Score, op: ==}", 1, 7, "needs a value", "value"),
        ("{field: lead.Score, op: is_known, value: 1}", 1, 41, "takes no value", "Remove"),
        ("{op: ==, value: 1}", 1, 7, "needs a field", "field"),
        ("{field: lead.Score, value: 1}", 1, 7, "needs an op", "Known"),
        ("{field: lead.Score + 1, op: ==, value: 1}", 1, 15, "name of a variable", "text"),
        ("{field: 5, op: ==, value: 1}", 1, 15, "name of a variable", ""),
        ("{field: lead.Score, op: ==, value: a}", 1, 15, "compare a number with text", ""),
        ("{field: lead.Score, op: ==, value: {a: 1}}", 1, 42, "The value must be", ""),
        ("{field: lead.Score, op: ==, value: null}", 1, 42, "comparison with null", "not is_known(lead.Score)"),
        ("{field: lead.Title, op: matches, value: '('}", 1, 47, "RE2", ""),
        ("{al: [true]}", 1, 8, 'no key "al"', 'Did you mean "all"?'),
        ("{all: [true], any: [true]}", 1, 7, "one of the keys", ""),
        ("{all: []}", 1, 13, "list of conditions", ""),
        ("{all: true}", 1, 13, "list of conditions", ""),
        ("{}", 1, 7, "A condition is", ""),
        ("[true]", 1, 7, "A list stands", "all:"),
        ("5", 1, 7, "number 5", ""),
        ("null", 1, 7, "nothing", ""),
        ("lead.Email", 1, 7, "condition is needed", ""),
        ("  all:\n    - lead.Score > 1\n    - lead.Nope > 1\n", 4, 7, "lead.Nope", ""),
        ("  all:\n    - lead.Score > 1\n    - any:\n      - {field: lead.Nope, op: is_known}\n", 5, 17, "lead.Nope", ""),
        ("  not:\n    lead.Score + 1\n", 3, 5, "condition is needed", ""),
    ],
)
def test_problems_have_their_place_and_advice(schema, text, line, column, message, advice):
    with pytest.raises(ConfigError) as caught:
        compile_condition(condition(text), schema)
    problem = caught.value.problems[0]
    assert message in problem.message
    assert advice in problem.advice
    assert (problem.line, problem.column) == (line, column)


def test_all_problems_of_the_form_are_found_in_one_go(schema):
    with pytest.raises(ConfigError) as caught:
        compile_condition(condition("{all: [{field: lead.Score, op: eq, value: 1}, lead.Score >, {fild: a}]}"), schema)
    assert len(caught.value.problems) >= 3


def test_the_form_is_bounded(schema):
    many = "{all: [" + ", ".join(["lead.Score > 1"] * 200) + "]}"
    with pytest.raises(ConfigError, match="too large"):
        compile_condition(condition(many), schema)
    with pytest.raises(ConfigError, match="at most 200"):
        compile_condition(condition(f"{{field: lead.Score, op: in, value: {list(range(201))}}}"), schema)


def test_a_condition_nested_beyond_all_reason_is_refused(schema):
    node = Node("scalar", "m.yaml", 1, 1)
    node.scalar = True
    for _ in range(5000):
        above = Node("mapping", "m.yaml", 1, 1)
        above.entries["not"] = node
        node = above
    with pytest.raises(ConfigError, match="too large"):
        compile_condition(node, schema)
