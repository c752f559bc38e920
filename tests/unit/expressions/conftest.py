from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from syncd.errors import ConfigError, ConfigProblem
from syncd.expressions import Kind, Schema, compile_expression

SCHEMA = Schema(
    {
        "lead.Email": Kind.TEXT,
        "lead.Title": Kind.TEXT,
        "lead.Country": Kind.TEXT,
        "lead.Budget__c": Kind.NUMBER,
        "lead.Score": Kind.NUMBER,
        "lead.IsVip__c": Kind.BOOLEAN,
        "lead.CreatedDate": Kind.INSTANT,
        "lead.EventDate": Kind.DAY,
        "lead.Topics__c": Kind.LIST,
        "touches": Kind.LIST,
        "today": Kind.DAY,
        "now": Kind.INSTANT,
    },
    ("record",),
)

VALUES: dict[str, Any] = {
    "lead": {
        "Email": "Ada@Example.com",
        "Title": "Head of Sales",
        "Country": "ID",
        "Score": 72.0,
        "IsVip__c": True,
        "CreatedDate": "2026-01-01T23:00:00Z",
        "EventDate": "2026-03-01",
        "Topics__c": "Data; Sync",
    },
    "record": {
        "status": "active",
        "budget": "1250",
        "empty": "",
        "blank": "  ",
        "tags": ["vip", 7],
        "yes": "TRUE",
        "flag": True,
        "nan": float("nan"),
        "inf": float("inf"),
        "huge": 10**6000,
        "odd key": {"inner": [{"x": 1}]},
        "when": "2026-01-30T10:00:00+07:00",
    },
    "touches": [
        {"channel": "email", "at": "2025-06-01T08:00:00Z"},
        {"channel": "webinar", "at": "2026-01-10T15:00:00Z"},
        {"channel": "email"},
        "not a touch",
    ],
    "today": date(2026, 1, 31),
    "now": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
}


@pytest.fixture(name="schema")
def _schema() -> Schema:
    return SCHEMA


@pytest.fixture(name="values")
def _values() -> dict[str, Any]:
    return VALUES


@pytest.fixture(name="evaluate")
def _evaluate() -> Callable[..., Any]:
    """Text and values to the result."""

    def evaluate(text: str, values: Any = VALUES, expects: Kind | None = None) -> Any:
        return compile_expression(text, SCHEMA, file="m.yaml", expects=expects)(values)

    return evaluate


@pytest.fixture(name="problem")
def _problem() -> Callable[..., ConfigProblem]:
    """Text that must be refused to its first problem."""

    def problem(text: str, schema: Schema = SCHEMA, **options: Any) -> ConfigProblem:
        with pytest.raises(ConfigError) as caught:
            compile_expression(text, schema, file="m.yaml", **options)
        return caught.value.problems[0]

    return problem
