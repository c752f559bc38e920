"""Values in words: fields, numbers, days, and what expressions give. Pure; what has no words is quoted as it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from syncd.expressions.kinds import TIMES
from syncd.expressions.tree import Arithmetic, Call, Literal, Negate, Term, Variable

_VALUES = {
    "person.sources": "the sources they came from",
    "person.first_at": "the first time we heard of them",
    "person.last_touch_at": "the last touch",
    "person.edited_at": "the last edit by a person",
    "person.last_channel": "the channel of the last touch",
    "person.campaign": "the last campaign",
    "activity.open_tasks": "the number of open tasks",
    "activity.next_event_at": "the next event",
    "activity.last_at": "the last task or event",
    "activity.open_opportunities": "the number of open opportunities",
    "status": "the status",
    "status_at": "the entry into the status",
    "days_in_status": "the number of days in the status",
    "now": "now",
    "today": "today",
    "score": "the score",
}


def listed(parts: Sequence[str], word: str = "and") -> str:
    """`a, b and c`."""
    return f" {word} ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def field_name(api_name: str) -> str:
    """`NumberOfEmployees` and `Number_Of_Employees__c` as `Number of employees`; abbreviations stay as they are."""
    plain = re.sub(r"__(c|pc|r)$", "", api_name).replace("_", " ")
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain).split()
    return " ".join(part if place == 0 or part.isupper() else part[:1].lower() + part[1:] for place, part in enumerate(parts))


def amount(number: float) -> str:
    """A number with its thousands apart."""
    return f"{number:,}" if isinstance(number, int) or not float(number).is_integer() else f"{int(number):,}"


def days(number: int) -> str:
    """`1 day`, `30 days`."""
    return "1 day" if number == 1 else f"{number:,} days"


def value_in_words(term: Term) -> str:
    """What a term gives, as a noun."""
    match term:
        case Literal():
            return _literal(term.value)
        case Variable():
            return _variable(term)
        case Arithmetic():
            if term.op in "+-" and is_time(term.left) and isinstance(term.right, Literal) and isinstance(term.right.value, int):
                return f"{value_in_words(term.left)} {'plus' if term.op == '+' else 'minus'} {days(term.right.value)}"
            return f"{value_in_words(term.left)} {term.op} {value_in_words(term.right)}"
        case Negate():
            return f"-{value_in_words(term.part)}"
        case Call(function="coalesce"):
            return listed([value_in_words(one) for one in term.arguments], "or else")
        case Call(function="lower" | "upper" | "trim" | "text" | "number"):
            return value_in_words(term.arguments[0])
        case Call(function="domain"):
            return f"the mail domain of {value_in_words(term.arguments[0])}"
        case Call(function="days_since"):
            return f"the number of days since {value_in_words(term.arguments[0])}"
        case Call(function="count_touches"):
            return f"the number of {touches(term, many=True)}"
        case _:
            return f"“{' '.join(term.place.text.split())}”"


def folded(term: Term) -> Term:
    """Without what only makes upper and lower case alike."""
    return folded(term.arguments[0]) if isinstance(term, Call) and term.function in ("lower", "upper", "trim") else term


def _variable(variable: Variable) -> str:
    if variable.name in _VALUES:
        return _VALUES[variable.name]
    group, *rest = (str(step) for step in variable.path)
    if group == "criteria":
        return criterion(variable)
    if not rest:
        return variable.name
    named = field_name(rest[-1])
    return {"account": f"{named} of the account", "org": f"{named} in Salesforce"}.get(group, named)


def _literal(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return amount(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return listed([_literal(one) for one in value], "or")
    return f"“{value}”"


def channel(call: Call) -> str:
    """The channel that is written in a call, "" for any."""
    first = call.arguments[0] if call.arguments else None
    return "" if first is None or (isinstance(first, Literal) and first.value is None) else plain(first)


def plain(term: Term) -> str:
    """A written word without its quotes."""
    return str(term.value) if isinstance(term, Literal) else value_in_words(term)


def touches(call: Call, *, many: bool) -> str:
    """`touch on demo in the last 30 days`."""
    named = channel(call)
    return ("touches" if many else "touch") + (f" on {named}" if named else "") + span(call)


def span(call: Call) -> str:
    """` in the last 30 days`; "" for ever."""
    asked = call.arguments[1] if len(call.arguments) > 1 else None
    if not isinstance(asked, Literal) or not isinstance(asked.value, int):
        return ""
    return " in the last day" if asked.value == 1 else f" in the last {days(asked.value)}"


def is_time(term: Term) -> bool:
    """Whether it is a day or an instant."""
    return term.kind in TIMES


def criterion(variable: Variable) -> str:
    """The name of a criterion as people say it."""
    return str(variable.path[-1]).replace("_", " ")
