"""What Xactly must be told: the lines of today against those of the ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from syncd.ports import XactlyRow
from syncd.xactly.lines import Line, Refusal, digest_of, is_changed
from syncd.xactly.model import Template
from syncd.xactly.period import Period

Key = tuple[str, str, int]
"""Opportunity, line, version."""


class Change(msgspec.Struct, frozen=True):
    """One row to be written: a version of a line, or its reversal. The line's order code is the one of its first version."""

    line: Line
    version: int
    is_reversal: bool = False


class Group(msgspec.Struct, frozen=True):
    """All rows of one opportunity; they stay together where a batch has the room."""

    deal: str
    changes: tuple[Change, ...]


def differing(template: Template, lines: Sequence[Line], refusals: Sequence[Refusal], heads: Sequence[XactlyRow]) -> list[Key]:
    """The standing versions whose document must be looked at: what they say may not be so any more."""
    now = {(one.deal, one.part): digest_of(template, one) for one in lines}
    held = _Held(refusals)
    return [
        (one.deal, one.part, one.version)
        for one in heads
        if one.is_standing and now.get((one.deal, one.part)) != one.digest and not held.holds(one.deal, one.part)
    ]


def changes(
    template: Template,
    period: Period,
    lines: Sequence[Line],
    refusals: Sequence[Refusal],
    heads: Sequence[XactlyRow],
    documents: Mapping[Key, Line],
) -> tuple[list[Group], list[Refusal]]:
    """The rows to write, by opportunity, and refusals: those given, and of lines without an order code of their own.

    Args:
        template: The customer's.
        period: The open one; lines of later days wait.
        lines: Of every opportunity that is won.
        refusals: Of lines that cannot be exported: what the ledger holds of them stands until they are mended.
        heads: The latest version of each line.
        documents: Of the versions that `differing` names.
    """
    codes = {one.order_code: one.deal for one in heads}
    code_of = {one.deal: one.order_code for one in heads}
    known = {(one.deal, one.part): one for one in heads}
    refused = list(refusals)
    wanted: dict[str, dict[str, Line]] = {}
    for line in sorted(lines, key=lambda one: (one.on, one.deal, one.part)):
        # An order code is stable for ever, whatever becomes of the field that it came from.
        code = code_of.get(line.deal, line.order_code)
        if not code:
            refused.append(Refusal(line.deal, line.part, "no_order_code", f"{template.order_code} is blank."))
        elif codes.setdefault(code, line.deal) != line.deal:
            refused.append(Refusal(line.deal, "", "order_code_taken", f"{template.order_code} is the same as of {codes[code]}."))
        elif line.on <= period.last or _stands(template, line, known.get((line.deal, line.part)), documents):
            wanted.setdefault(line.deal, {})[line.part] = msgspec.structs.replace(line, order_code=code)
    held = _Held(refused)
    deals = dict.fromkeys([*wanted, *(one.deal for one in heads if one.is_standing)])
    parts: dict[str, list[str]] = {}
    for one in heads:
        parts.setdefault(one.deal, []).append(one.part)
    groups = []
    for deal in deals:
        mine = wanted.get(deal, {})
        found: list[Change] = []
        for part in dict.fromkeys([*parts.get(deal, ()), *mine]):
            if not held.holds(deal, part):
                found += _of_part(template, mine.get(part), known.get((deal, part)), documents)
        if found:
            groups.append(Group(deal, tuple(found)))
    return groups, refused


class _Held:
    """Lines that are left as they are, because what should be exported cannot be."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self._found = {(one.deal, one.part) for one in refusals}

    def holds(self, deal: str, part: str) -> bool:
        return (deal, "") in self._found or (deal, part) in self._found


def _stands(template: Template, line: Line, head: XactlyRow | None, documents: Mapping[Key, Line]) -> bool:
    """Whether the ledger holds a line as it is now."""
    if head is None or not head.is_standing:
        return False
    if head.digest == digest_of(template, line):
        return True
    return not is_changed(template, documents[head.deal, head.part, head.version], line)


def _of_part(template: Template, line: Line | None, head: XactlyRow | None, documents: Mapping[Key, Line]) -> Iterator[Change]:
    version = 0 if head is None else head.version
    if head is not None and head.is_standing:
        if line is not None and _stands(template, line, head, documents):
            return
        yield Change(documents[head.deal, head.part, head.version], version, is_reversal=True)
    if line is not None:
        yield Change(line, version + 1)
