"""What is refused at load, where the finger points and what is advised."""

from __future__ import annotations

import pytest

from syncd.document import Node, parse_document
from syncd.errors import ConfigError
from syncd.expressions import FUNCTIONS, Kind, Schema, compile_condition, compile_expression


@pytest.mark.parametrize(
    ("text", "message", "advice"),
    [
        ("lead.Emial == 'a'", "lead.Emial", 'Did you mean "lead.Email"?'),
        ("Email == 'a'", "Email", 'Did you mean "lead.Email"?'),
        ("recrod.status == 'a'", "recrod.status", 'Did you mean "record.status"?'),
        ("loewr(lead.Email) == 'a'", "loewr", 'Did you mean "lower"?'),
        ("lower == 'a'", "is a function", "lower(text)"),
        ("lead == 'a'", "has parts", "lead.Email"),
        ("record == 'a'", "has parts", "record.status"),
        ("record.first-name == 'a'", "name", 'record["first-name"]'),
    ],
)
def test_an_unknown_name_gets_a_close_match(problem, text, message, advice):
    found = problem(text)
    assert message in found.message
    assert advice in found.advice


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("lead.Email > 5", 1),
        ("lead.Email == 5", 1),
        ("5 == lead.Email", 1),
        ("lead.Score > '5'", 1),
        ("lead.Score + 'a' > 1", 1),
        ("lead.Score + lead.Email > 1", 1),
        ("lead.Email * 3 == 'a'", 1),
        ("lead.Email - 1 == 'a'", 1),
        ("-lead.Email == 'a'", 1),
        ("lead.IsVip__c + 1 == 2", 1),
        ("lead.IsVip__c > true", 1),
        ("lead.IsVip__c == 'true'", 1),
        ("lead.Topics__c == 'a'", 1),
        ("lead.Topics__c in ['a']", 1),
        ("contains(lead.Score, 1)", 10),
        ("lower(lead.Score) == 'a'", 7),
        ("count(lead.Email) > 1", 7),
        ("today == 'soon'", 1),
        ("today > 5", 1),
        ("today + today == 1", 1),
        ("days_since('soon') > 1", 12),
        ("days_since(lead.Score) > 1", 12),
        ("lead.Score in ['a', 1]", 15),
        ("lead.Email in [1]", 15),
        ("today in ['soon']", 10),
        ("lead.Score in []", 15),
        ("lead.Score in lead.Email", 1),
        ("lead.Email in lead.Score", 15),
        ("true and lead.Email", 10),
        ("not lead.Score", 5),
        ("1 if lead.Email else 2", 6),
        ("1 if lead.IsVip__c else 'a'", 1),
        ("min(1, today) == 1", 1),
        ("coalesce(lead.Email, 1) == 'a'", 1),
        ("lead.Email == null", 15),
        ("lead.Email != None", 15),
        ("lead.Email is None", 15),
        ("lead.Score is 1", 1),
        ("lead.Score in [null]", 16),
        ("lead.Score in [lead.Budget__c]", 16),
        ("lead.Score in [[1]]", 16),
        ("lead.Email.x == 1", 1),
        ("matches(lead.Email, lead.Title)", 21),
        ("matches(lead.Email, '(')", 21),
        ("matches(lead.Email, '(?=a)')", 21),
        ("matches(lead.Email, r'(a)\\1')", 21),
        ("matches(lead.Email, '" + "a" * 501 + "')", 21),
        ("matches(lead.Email, '((a{99}){99}){99}')", 21),
        ("round(lead.Score, 11) == 1", 19),
        ("round(lead.Score, lead.Budget__c) == 1", 19),
        ("lower() == 'a'", 1),
        ("lower('a', 'b') == 'a'", 1),
        ("lower(text='a') == 'a'", 1),
        ("lower(*record.a) == 'a'", 1),
        ("10000000000000000000 > 1", 1),
        ("1e999 > 1", 1),
        ("(lead.Score > 1) and\n lead.Nope > 2", 2),
        ("'ä' == lead.Email and lead.Nope > 2", 23),
    ],
)
def test_wrong_kinds_are_refused_with_their_place(problem, text, column):
    found = problem(text)
    assert (found.file, found.line, found.column) == ("m.yaml", 1 + text.count("\n"), column)
    assert found.message.endswith(".")


@pytest.mark.parametrize("text", ["lead.Email", "5", "null", "today", "lead.Score + 1", "[1]", "lower(record.a)"])
def test_a_condition_must_be_one(problem, text):
    assert "condition is needed" in problem(text, expects=Kind.BOOLEAN).message


def test_the_expected_kind_is_checked(problem):
    assert problem("lead.Email", expects=Kind.NUMBER).message == "A number is needed here, and this is text."


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("lead.Email != null", "Write is_known(lead.Email)."),
        ("lead.Email == null", "Write not is_known(lead.Email)."),
        ("null == lead.Email", "Write not is_known(lead.Email)."),
        ("lead.Email is not None", "Write is_known(lead.Email)."),
        ("lead.Email == 5", 'Write "5"'),
        ("lead.Score is 1", 'Write "=="'),
        ("record.a && true", 'Write "and"'),
        ("record.a || true", 'Write "or"'),
        ("!record.a", 'Write "not"'),
        ("record.a = 1", 'Write "=="'),
        ("record.a <> 1", 'Write "!="'),
        ("record.from == 'a'", 'write ["from"]'),
        ("record.2nd == 'a'", 'Write ["2nd"]'),
        ("record.a & true", 'Write "and"'),
        ("lead.Score == (1, 2", ""),
    ],
)
def test_common_slips_get_advice(problem, text, advice):
    assert advice in problem(text).advice


def test_a_slip_is_not_seen_inside_text(problem):
    assert "&&" not in problem("record.a == '&&' and").advice


def test_all_problems_are_found_in_one_go(schema):
    with pytest.raises(ConfigError) as caught:
        compile_expression("lead.Nope > 1 and lower(lead.Score) == 'a' and nope(1)", schema, file="m.yaml", line=7, column=5)
    assert [(p.line, p.column) for p in caught.value.problems] == [(7, 5), (7, 29), (7, 52)]


@pytest.mark.parametrize(
    ("name", "call"), [("touches", "any_touch('web')"), ("now", "days_since(record.a) > 1"), ("now", "any_touch('web', 3)")]
)
def test_functions_of_time_and_touches_need_their_variables(problem, name, call):
    schema = Schema({"touches": Kind.LIST} if name == "now" else {"now": Kind.INSTANT}, ("record",))
    assert "cannot be used here" in problem(call, schema).message


def test_a_declared_name_may_be_a_group_of_lists_and_unknown_values():
    schema = Schema({"a.list": Kind.LIST, "a.free": Kind.ANY, "true": Kind.NUMBER})
    expression = compile_expression("a.list[0].x == a.free.y.z and true > 0", schema)
    assert expression({"a": {"list": [{"x": 1}], "free": {"y": {"z": 1}}}, "true": 1}) is True


def test_the_catalogue_of_functions_is_closed():
    with pytest.raises(TypeError):
        FUNCTIONS["eval"] = FUNCTIONS["lower"]  # type: ignore[index]


def condition(text: str) -> Node:
    node = parse_document(text, "m.yaml").get("when")
    assert node is not None
    return node


@pytest.mark.parametrize(
    "text",
    [
        "when: lead.Score > 1 and lead.Nope > 2\n",
        "when: 'lead.Country == ''ID'' and lead.Nope > 2'\n",
        'when: "lead.Country == \\"ID\\" and lead.Nope > 2"\n',
        "when: lead.Score > 1\n  and lead.Nope > 2\n",
        "when: >\n  lead.Score > 1\n\n  and\n    lead.Nope > 2\n",
        "when: |-\n    lead.Score > 1 and\n    lead.Nope > 2\n",
        "when: !!str lead.Score > 1 and lead.Nope > 2\n",
        "when:   \n   lead.Country == 'ID' and lead.Nope > 2\n",
    ],
)
def test_places_are_those_of_the_yaml_file(schema, text):
    """Quoted, folded, literal and plain multi-line text all point at the very letter."""
    with pytest.raises(ConfigError) as caught:
        compile_condition(condition(text), schema)
    (problem,) = caught.value.problems
    line = text.split("\n")[problem.line - 1]
    assert line[problem.column - 1 :].startswith("lead.Nope")


def test_a_syntax_error_points_into_the_yaml_file(schema):
    with pytest.raises(ConfigError) as caught:
        compile_condition(condition("when: >\n  lead.Score > 1\n  and lead.Country === 'ID'\n"), schema)
    assert caught.value.problems[0].line == 3
