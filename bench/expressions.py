"""How long one evaluation of a typical condition takes, and how much more that is than a plain Python function.

Run `python bench/expressions.py`. Floor: under a microsecond per evaluation (DESIGN 3.6).
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from syncd.expressions import Kind, Schema, compile_expression

SCHEMA = Schema(
    {"lead.Score": Kind.NUMBER, "lead.Budget__c": Kind.NUMBER, "lead.Country": Kind.TEXT, "lead.Email": Kind.TEXT},
    ("record",),
)
TEXT = 'lead.Score >= 60 and lead.Budget__c > 0 and lead.Country in ["ID", "SG", "MY"] and lead.Email != "ada@example.org"'
FLOOR_MICROSECONDS = 1.0
ROUNDS = 100_000


def plain(values: dict[str, Any]) -> bool:
    """The same condition as an admin who knows Python would write it, null-safe."""
    lead = values["lead"]
    score, budget, country, email = lead.get("Score"), lead.get("Budget__c"), lead.get("Country"), lead.get("Email")
    return (
        score is not None
        and score >= 60
        and budget is not None
        and budget > 0
        and country in {"ID", "SG", "MY"}
        and email is not None
        and email != "ada@example.org"
    )


def microseconds(function: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Per call, the best of five."""
    return min(timeit.repeat(function, number=rounds, repeat=5)) / rounds * 1e6


def main() -> int:
    """Print the figures; 1 if the floor is missed."""
    condition = compile_expression(TEXT, SCHEMA, expects=Kind.BOOLEAN)
    leads = {
        "all four hold": {"Score": 72.0, "Budget__c": 1000, "Country": "SG", "Email": "grace@example.com"},
        "first is null": {"Budget__c": 1000, "Country": "SG", "Email": "grace@example.com"},
        "all texts (CSV)": {"Score": "72", "Budget__c": "1000", "Country": "SG", "Email": "grace@example.com"},
    }
    worst = 0.0
    for name, lead in leads.items():
        values = {"lead": lead, "record": {}}
        ours = microseconds(lambda values=values: condition(values))
        if name == "all texts (CSV)":
            print(f"{name:16} {ours:.3f} us/eval (plain Python raises)")
            continue
        theirs = microseconds(lambda values=values: plain(values))
        worst = max(worst, ours)
        print(f"{name:16} {ours:.3f} us/eval, plain Python {theirs:.3f}, ratio {ours / theirs:.2f}")
    compiling = microseconds(lambda: compile_expression(TEXT, SCHEMA, expects=Kind.BOOLEAN), rounds=200)
    print(f"{'compile':16} {compiling:.0f} us")
    return int(worst > FLOOR_MICROSECONDS)


if __name__ == "__main__":
    raise SystemExit(main())
