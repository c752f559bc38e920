"""The reference page of the language, docs/reference/expressions.md, made from the tables that the checker uses.

Pure. `python -m syncd.expressions.reference > docs/reference/expressions.md` writes it.
A test keeps it in step and runs the examples.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from syncd.expressions.calls import MAX_PATTERN_CHARACTERS
from syncd.expressions.check import MAX_LIST_ELEMENTS
from syncd.expressions.form import OPS
from syncd.expressions.functions import FUNCTIONS
from syncd.expressions.kinds import Kind, Schema
from syncd.expressions.parse import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES

EXAMPLE_SCHEMA = Schema(
    {
        "lead.Email": Kind.TEXT,
        "lead.Company": Kind.TEXT,
        "lead.Title": Kind.TEXT,
        "lead.Phone": Kind.TEXT,
        "lead.Score": Kind.NUMBER,
        "lead.Budget__c": Kind.NUMBER,
        "lead.IsVip__c": Kind.BOOLEAN,
        "lead.CreatedDate": Kind.INSTANT,
        "touches": Kind.LIST,
        "today": Kind.DAY,
        "now": Kind.INSTANT,
    },
    ("record",),
)
"""The variables of the examples."""

EXAMPLE_VALUES: Mapping[str, Any] = MappingProxyType(
    {
        "lead": {
            "Email": "ada@example.com",
            "Company": "Acme GmbH",
            "Title": "Head of Sales",
            "Score": 72,
            "IsVip__c": True,
            "CreatedDate": "2026-01-01T08:00:00Z",
        },
        "record": {"status": "active", "budget": "1250", "tags": ["vip", "newsletter"], "first name": "Ada", "size": {"max": 50}},
        "touches": [
            {"channel": "email", "at": "2025-06-01T08:00:00Z"},
            {"channel": "webinar", "at": "2026-01-10T15:00:00Z"},
            {"channel": "email", "at": "2026-01-20T08:00:00Z"},
        ],
        "today": date(2026, 1, 31),
        "now": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    }
)
"""What they hold in the examples; `lead.Phone` and `lead.Budget__c` are empty."""

OPERATORS: tuple[tuple[str, str, str, str], ...] = (
    ("and", "Both hold. Null counts as false.", 'lead.Score >= 60 and record.status == "active"', "true"),
    ("or", "At least one holds. Null counts as false.", "lead.Budget__c > 0 or lead.Score > 70", "true"),
    ("not", "It does not hold. `not null` is true.", "not lead.IsVip__c", "false"),
    ("==", "Equal. Text compares letter by letter; case counts.", 'record.status == "active"', "true"),
    ("!=", "Both are known and differ.", 'record.status != "pending"', "true"),
    ("<", "Less, earlier, or before in the alphabet.", 'lead.CreatedDate < "2026-02-01"', "true"),
    ("<=", "Less or equal. Comparisons can be chained.", "50 <= lead.Score <= 100", "true"),
    (">", "More, later, or after.", "lead.Score > 72", "false"),
    (">=", "More or equal.", "record.budget >= 1000", "true"),
    ("in", "An element of a list, or a part of a text.", 'record.status in ["active", "cleaned"]', "true"),
    ("not in", "Known, and not in it.", 'record.status not in ["pending", "cleaned"]', "true"),
    ("+", "Sum; two texts are joined; a time some days later.", 'lower("A") + "b"', '"ab"'),
    ("-", "Difference; days between two times; a time some days earlier; the negative.", "today - lead.CreatedDate", "30"),
    ("*", "Product. Text is never repeated.", "lead.Score * 2", "144"),
    ("/", "Quotient. Division by zero gives null.", "lead.Score / 8", "9.0"),
    ("if else", "The first value if the condition holds, else the last.", '"hot" if lead.Score > 70 else "cold"', '"hot"'),
    ("[ ]", "A key that is no plain word, or an element of a list, from 0.", 'record["first name"] == "Ada"', "true"),
)  # fmt: skip
"""Every operator: how it is written, what it means, an example and what that gives."""

_HEAD = """# Conditions

<!-- Made by `python -m syncd.expressions.reference`; a test keeps it in step. Change the program, not this page. -->

A condition is a small text that is true or false for one lead:
`skip_when` and `create: {when: ...}` in a mapping, `when` and the criteria in the policy.

```yaml
skip_when: 'record.status == "pending"'
create:
  when: >
    lead.Score >= 60
    and lead.Country in ["ID", "SG"]
    and not ends_with(lead.Email, "@example.com")
```

`syncd check` refuses a condition with an unknown name, an unknown function or a wrong kind of value,
and says where it stands and what you may have meant.

## Values

| write | means |
|---|---|
| `"text"` or `'text'` | a text |
| `12`, `-3.5` | a number |
| `true`, `false` | a boolean; `True` and `False` are the same |
| `null` | no value; `None` is the same |
| `["a", "b"]` | a list of texts, numbers and booleans |
| `lead.Email`, `record.a.b` | a variable; which ones there are depends on where the condition stands |
| `record["odd key"]`, `record.tags[0]` | a key that is no plain word; the first element of a list |
| `"2026-01-31"`, `"2026-01-31T09:30:00Z"` | a day or an instant, where the other side is one |

Lead fields have the kind that Salesforce gives them.
Record values have no known kind: a text is read as a number, a day or a boolean when the other side is one,
so `record.budget > 1000` works with the text `1250` from a file.
Two record values that are both text compare as text: write `number(record.a) > number(record.b)`.
A day and an instant compare by their UTC days.
A declared multi-select field (`A;B`) is a list.

## No value

A value that is missing is *null*. It never stops anything:

- A comparison with it is false. `!=`, `in` and `not in` too: `lead.Budget__c != 5` is false when the budget is empty.
- Arithmetic with it gives null. So do a division by zero and a number out of range.
- `and` and `or` count it as false, and `not` makes that true: `not record.flag` holds when the flag is missing.
- Functions give null for it, or false where the answer is yes or no; `count` and `count_touches` give 0.
- `is_known(x)` asks for it. Blank text, an empty list and NaN are not known either.
  As values they stay what they are: `record.a == ""` holds for empty text and not for a missing value.
- `x == null` is refused: write `not is_known(x)`.

Two values that have nothing in common (the text `abc` and a number) compare as false, with `!=` too.
As a condition on its own only true holds, and the text `true`: write `record.count > 0`, not `record.count`.
"""

_FORM = """## The same as YAML

```yaml
when:
  all:
    - {field: lead.Score, op: ">=", value: 60}
    - any:
        - {field: lead.Country, op: in, value: [ID, SG]}
        - {field: 'record["odd key"]', op: is_known}
    - not: {field: lead.Email, op: ends_with, value: "@example.com"}
    - days_since(lead.CreatedDate) <= 30
```

`all`, `any` and `not` nest; a text may stand wherever a condition may.
"""


def reference() -> str:
    """The whole page as Markdown."""
    lines = [_HEAD, "## Operators", "", "| operator | holds or gives | example | gives |", "|---|---|---|---|"]
    lines += [f"| `{word}` | {what} | `{example}` | `{gives}` |" for word, what, example, gives in OPERATORS]
    lines += ["", "## Functions", "", "| call | gives | example | gives |", "|---|---|---|---|"]
    for function in FUNCTIONS.values():
        example = function.example.replace("|", "\\|")
        lines.append(f"| `{function.call}` | {function.summary} | `{example}` | `{function.gives}` |")
    lines += [
        "",
        "`days_since`, `any_touch` and `count_touches` can be used only where the day and the touches are known (the policy).",
        "Square brackets mark what may be left out; `any_touch(null, 30)` asks for any channel.",
        "A backslash in a pattern is written once.",
        "",
        "In the examples `lead.Score` is 72, `lead.Title` is `Head of Sales`, `lead.Company` is `Acme GmbH`,",
        "`lead.Email` is `ada@example.com`, `lead.CreatedDate` is 2026-01-01 08:00, `lead.IsVip__c` is true,",
        "`lead.Phone` and `lead.Budget__c` are empty, `today` is 2026-01-31;",
        "`record` holds `status` active, `budget` as the text 1250, `tags` vip and newsletter, and `first name` Ada.",
        "",
        _FORM,
        f"`op` is one of {', '.join(f'`{op}`' for op in OPS)}.",
        "",
        "## Limits",
        "",
        f"At most {MAX_CHARACTERS:,} characters and {MAX_NODES} parts, nested at most {MAX_DEPTH} deep;",
        f"lists of at most {MAX_LIST_ELEMENTS} elements, patterns of at most {MAX_PATTERN_CHARACTERS} characters.",
        "There are no powers, loops, assignments, own functions, attributes of values or keyword arguments.",
        "Patterns are RE2, without look-around and back-references; text beyond 100,000 characters never matches.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(reference())
