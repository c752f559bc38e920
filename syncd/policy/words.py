"""Conditions in words, for people who do not read expressions. Pure, and cautious: what has no words is quoted as it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from syncd.expressions import Expression, Kind
from syncd.expressions.tree import Call, Choice, Compare, Literal, Logic, Not, Term, Variable
from syncd.policy.wording import channel, criterion, days, folded, is_time, listed, span, touches, value_in_words

_NAMED = {
    "person.is_new": ("they are not in Salesforce yet", "they are in Salesforce already"),
    "person.is_contact": ("they are a contact", "they are no contact"),
    "person.has_opted_out": ("they have opted out of e-mail", "they have not opted out of e-mail"),
    "owner.is_active": ("the owner is an active user", "the owner is no active user"),
    "owner.is_queue": ("a queue owns the record", "no queue owns the record"),
    "qualified": ("they are qualified", "they are not qualified"),
}
"""Variables that are true or false: what they say, and what their contrary says."""

_OPS = {
    "==": "is", "!=": "is known, and not", ">": "is more than", ">=": "is at least", "<": "is less than", "<=": "is at most",
    "in": "is", "not in": "is known, and none of",
}  # fmt: skip
_TIMES = {">": "is after", ">=": "is not before", "<": "is before", "<=": "is not after"}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_WORD = r"[\w &/-]+"
_ALTERNATIVES = re.compile(
    rf"(?:\(\?i\))?(?:\\b(?:\((?P<words>{_WORD}(?:\|{_WORD})*)\)|(?P<word>{_WORD}))\\b|(?P<parts>{_WORD}(?:\|{_WORD})*))"
)
"""Patterns that say no more than which words, or parts of words, are looked for."""


def in_words(expression: Expression) -> str:
    """A condition, or any other expression, as a phrase without a full stop."""
    return _said(expression.term) if expression.kind is Kind.BOOLEAN else value_in_words(expression.term)


def _said(term: Term, *, holds: bool = True) -> str:
    """What a condition says, or its contrary."""
    match term:
        case Logic():
            # The contrary of "a and b" is "not a or not b".
            word = term.op if holds else {"and": "or", "or": "and"}[term.op]
            return _joined(_parts(term.parts, holds=holds, may_join=term.op == "or"), word)
        case Not():
            return _said(term.part, holds=not holds)
        case Literal(value=bool() as value):
            return "always" if value is holds else "never"
        case Variable():
            return _flag(term, holds=holds)
        case Compare():
            parts = [
                _compared(op, left, right, holds=holds)
                for op, left, right in zip(term.ops, term.operands, term.operands[1:], strict=False)
            ]
            return listed(parts, "and" if holds else "or")
        case Call():
            return _called(term, holds=holds)
        case Choice():
            test, yes, no = _said(term.test), _said(term.yes, holds=holds), _said(term.no, holds=holds)
            return f"if {test}: {yes}; else: {no}"
        case _:
            return _quoted(term, holds=holds)


def _parts(parts: Sequence[Term], *, holds: bool, may_join: bool) -> list[tuple[Term, str]]:
    """Each part with what it says; touches on several channels in one sentence where any of them is enough."""
    channels: dict[str, list[str]] = {}
    for part in parts:
        if may_join and isinstance(part, Call) and part.function == "any_touch" and channel(part):
            channels.setdefault(span(part), []).append(channel(part))
    found: list[tuple[Term, str]] = []
    for part in parts:
        if may_join and isinstance(part, Call) and part.function == "any_touch" and channel(part):
            together = channels.pop(span(part), [])
            found += [(part, _touched(part, together, holds=holds))] if together else []
        else:
            found.append((part, _said(part, holds=holds)))
    return found


def _joined(parts: Sequence[tuple[Term, str]], word: str) -> str:
    """Parts of an `and` or `or`; those that are of the other kind stand in brackets."""
    shown = [f"({said})" if isinstance(_bare(part), Logic | Choice) else said for part, said in parts]
    return f" {word} ".join(shown) if any("(" in one or "," in one for one in shown) else listed(shown, word)


def _bare(term: Term) -> Term:
    return _bare(term.part) if isinstance(term, Not) else term


def _quoted(term: Term, *, holds: bool) -> str:
    text = " ".join(term.place.text.split())
    return f"“{text}” holds" if holds else f"“{text}” does not hold"


def _flag(variable: Variable, *, holds: bool) -> str:
    if variable.name in _NAMED:
        return _NAMED[variable.name][0 if holds else 1]
    if variable.path[0] == "criteria":
        return f"{criterion(variable)} is met" if holds else f"{criterion(variable)} is not met"
    return f"{value_in_words(variable)} is ticked" if holds else f"{value_in_words(variable)} is not ticked"


def _compared(op: str, left: Term, right: Term, *, holds: bool) -> str:
    """One comparison. What is not known is neither so nor its contrary, so `not` is no other comparison."""
    if isinstance(left, Literal) and not isinstance(right, Literal) and op in _FLIPPED:
        op, left, right = _FLIPPED[op], right, left
    if not holds:
        return f"not ({_compared(op, left, right, holds=True)})"
    if op in ("in", "not in") and not isinstance(right, Literal):
        return _among(op, left, right)
    if isinstance(right, Literal) and isinstance(right.value, bool) and op in ("==", "!="):
        return _said_to_be(left, value=right.value is (op == "=="))
    counted = _counted(op, left, right)
    if counted:
        return counted
    verb = _TIMES.get(op) if is_time(left) or is_time(right) else None
    return f"{value_in_words(left)} {verb or _OPS[op]} {value_in_words(right)}"


def _said_to_be(left: Term, *, value: bool) -> str:
    """A comparison with true or false: `criteria.budget == false` is more than that budget is not met."""
    if isinstance(left, Variable) and left.path[0] == "criteria":
        return f"{criterion(left)} {'is met' if value else 'is certainly not met'}"
    if isinstance(left, Variable) and left.name not in _NAMED:
        return f"{value_in_words(left)} is {'ticked' if value else 'not ticked'}"
    return _said(left, holds=value)


def _among(op: str, left: Term, right: Term) -> str:
    if isinstance(right, Variable) and right.name == "person.sources" and isinstance(left, Literal):
        return f"they {'came' if op == 'in' else 'did not come'} from {left.value}"
    return f"{value_in_words(left)} is {'' if op == 'in' else 'not '}in {value_in_words(right)}"


def _counted(op: str, left: Term, right: Term) -> str:
    """Days and touches, counted; "" for anything else."""
    if not isinstance(right, Literal) or isinstance(right.value, bool) or not isinstance(right.value, int):
        return ""
    number = right.value
    words = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than", "==": "exactly"}
    if op not in words:
        return ""
    if isinstance(left, Variable) and left.name == "days_in_status":
        return f"they have been in the status for {words[op]} {days(number)}"
    if isinstance(left, Call) and left.function == "days_since":
        return f"{value_in_words(left.arguments[0])} was {words[op]} {days(number)} ago"
    if isinstance(left, Call) and left.function == "count_touches":
        return f"there {'was' if number == 1 else 'were'} {words[op]} {number:,} {touches(left, many=number != 1)}"
    return ""


def _called(call: Call, *, holds: bool) -> str:
    arguments = call.arguments
    if call.function == "any_touch":
        return _touched(call, [channel(call)] if channel(call) else [], holds=holds)
    if call.function == "is_known":
        return f"{value_in_words(arguments[0])} is {'known' if holds else 'empty'}"
    if call.function == "matches":
        return _matched(arguments[0], arguments[1], holds=holds)
    if call.function in ("contains", "any_of"):
        whole, parts = value_in_words(folded(arguments[0])), listed([value_in_words(one) for one in arguments[1:]], "or")
        return f"{whole} {'contains' if holds else 'does not contain'} {parts}"
    if call.function in ("starts_with", "ends_with"):
        verb = "begin" if call.function == "starts_with" else "end"
        said = f"{verb}s" if holds else f"does not {verb}"
        return f"{value_in_words(folded(arguments[0]))} {said} with {value_in_words(arguments[1])}"
    return _quoted(call, holds=holds)


def _matched(value: Term, pattern: Term, *, holds: bool) -> str:
    # Python reads \\b in a text as a backspace, and the expressions take that for the edge of a word.
    text = str(pattern.value).replace("\b", r"\b") if isinstance(pattern, Literal) else ""
    found = _ALTERNATIVES.fullmatch(text)
    if found is None:
        return f"{value_in_words(value)} {'matches' if holds else 'does not match'} the pattern “{text}”"
    words = (found["words"] or found["word"] or found["parts"]).split("|")
    whole = ("one of the words " if len(words) > 1 else "the word ") if not found["parts"] else ""
    return f"{value_in_words(value)} {'contains' if holds else 'does not contain'} {whole}{listed(words, 'or')}"


def _touched(call: Call, channels: Sequence[str], *, holds: bool) -> str:
    said = f"there was {'a' if holds else 'no'} touch"
    return said + (f" on {listed(channels, 'or')}" if channels else "") + span(call)


__all__ = ["in_words"]
