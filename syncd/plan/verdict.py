"""The truth table of DESIGN 5.2: may our value replace what the org holds? Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from syncd.model import FieldSchema, Overwrite, Value
from syncd.plan.canonical import is_blank, same


class Verdict(StrEnum):
    """What becomes of one field."""

    WRITE = "write"
    KEEP = "keep"
    CONFLICT = "conflict"
    ADOPT = "adopt"
    NONE = "none"


class FieldVerdict(msgspec.Struct, frozen=True, gc=False):
    """A verdict with its reason word (see docs/explanation/delivery.md)."""

    verdict: Verdict
    reason: str


NO_BASE = object()
"""Stands for the base of a field that syncd never wrote; None is a value (blank)."""


def decide_field(mode: Overwrite, ours: Value, theirs: Value, base: object, field: FieldSchema | None) -> FieldVerdict:
    """Apply DESIGN 5.2 to one field of one org record.

    Args:
        mode: The overwrite mode of the mapping line that won.
        ours: The surviving value; None clears.
        theirs: What the org holds now.
        base: What the org returned after our last confirmed write, or NO_BASE.
        field: Its describe, for comparing.
    """
    has_base = base is not NO_BASE
    if same(ours, theirs, field):
        is_new = not has_base or not same(theirs, base, field)  # type: ignore[arg-type]
        if is_new and mode in (Overwrite.ALWAYS, Overwrite.IF_UNCHANGED):
            return FieldVerdict(Verdict.ADOPT, "unchanged")
        return FieldVerdict(Verdict.NONE, "unchanged")
    if mode is Overwrite.ALWAYS:
        return FieldVerdict(Verdict.WRITE, "always")
    if mode is Overwrite.NEVER:
        return FieldVerdict(Verdict.KEEP, "on_create_only")
    if not has_base:
        if is_blank(theirs, field):
            return FieldVerdict(Verdict.WRITE, "was_blank")
        return FieldVerdict(Verdict.KEEP, "keep_filled")
    if mode is not Overwrite.IF_UNCHANGED:
        return FieldVerdict(Verdict.KEEP, "written_before")
    if same(theirs, base, field):  # type: ignore[arg-type]
        return FieldVerdict(Verdict.WRITE, "source_changed")
    return FieldVerdict(Verdict.CONFLICT, "kept_persons_edit")
