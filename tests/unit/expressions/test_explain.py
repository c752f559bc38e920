"""Reasons, clause by clause, without a single record value."""

from __future__ import annotations

import pytest

from syncd.expressions import Kind, compile_expression


def why(text, schema, values, expects=Kind.BOOLEAN):
    return [str(clause) for clause in compile_expression(text, schema, expects=expects).explain(values)]


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("lead.Budget__c > 0", ["lead.Budget__c > 0: no, lead.Budget__c is empty"]),
        ("lead.Score > 0 and lead.Score > 90", ["lead.Score > 0: yes", "lead.Score > 90: no"]),
        (
            "lead.Score > 90 or (lead.IsVip__c and record.a)",
            ["lead.Score > 90: no", "lead.IsVip__c: yes", "record.a: no, record.a is empty"],
        ),
        ("not is_known(lead.Budget__c)", ["not is_known(lead.Budget__c): yes"]),
        ("is_known(lead.Budget__c)", ["is_known(lead.Budget__c): no, lead.Budget__c is empty"]),
        ("not (lead.Score > 90 or lead.IsVip__c)", ["lead.Score > 90: no", "lead.IsVip__c: yes"]),
        ("record.a > record.b", ["record.a > record.b: no, record.a and record.b are empty"]),
        ("record.status > 5", ["record.status > 5: no, record.status and 5 cannot be compared"]),
        ("record.status * 2 > 5", ["record.status * 2 > 5: no, record.status * 2 is not known"]),
        ("lead.Score > 1 if lead.IsVip__c else lead.Score > 90", ["lead.IsVip__c: yes", "lead.Score > 1: yes"]),
        ("lead.Score > 1 if record.a else lead.Score > 90", ["record.a: no, record.a is empty", "lead.Score > 90: no"]),
        ("lead.Country  in\n ['SG',\n 'MY']", ["lead.Country in ['SG', 'MY']: no"]),
        ("contains(record.empty, 'a')", ["contains(record.empty, 'a'): no, record.empty is empty"]),
        ("coalesce(record.a, 5) > 3", ["coalesce(record.a, 5) > 3: yes"]),
        ("true", ["true: yes"]),
    ],
)
def test_each_clause_says_why(schema, values, text, reasons):
    assert why(text, schema, values) == reasons


def test_other_expressions_say_whether_they_are_known(schema, values):
    assert why("lead.Score * 2", schema, values, None) == ["lead.Score * 2: known"]
    assert why("lead.Budget__c * 2", schema, values, None) == ["lead.Budget__c * 2: not known, lead.Budget__c is empty"]


def test_clauses_know_their_place_and_result(schema, values):
    expression = compile_expression("lead.Score > 1 and\n  record.a", schema, line=3, column=9, expects=Kind.BOOLEAN)
    first, second = expression.explain(values)
    assert (first.line, first.column, first.result) == (3, 9, True)
    assert (second.line, second.column, second.result) == (4, 3, None)


def test_no_record_value_is_shown(schema):
    """G9: an explanation quotes the rule and names variables, nothing else."""
    secret = "SECRET-9f1"
    values = {"lead": dict.fromkeys(("Email", "Title", "Score", "Country", "CreatedDate"), secret), "record": {"a": secret}}
    text = "lead.Email == 'x' and record.a > 5 and lead.Score > 3 and days_since(lead.CreatedDate) > 1 and record.a in ['x']"
    assert secret not in " ".join(why(text, schema, values))
