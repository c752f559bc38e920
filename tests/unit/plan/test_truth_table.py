"""The whole truth table of DESIGN 5.2, cell by cell."""

from __future__ import annotations

import pytest

from syncd.model import FieldSchema, Overwrite
from syncd.plan import NO_BASE, canonical, decide_field

TEXT = FieldSchema("Title", "string", length=80)
BOX = FieldSchema("Flag__c", "boolean")

#            org blank     org filled    theirs=base   theirs differs  theirs=ours
#            no base       no base                     from base       (no base)
TABLE = {
    "always": ("write", "write", "write", "write", "adopt"),
    "if_unchanged": ("write", "keep", "write", "conflict", "adopt"),
    "if_blank": ("write", "keep", "keep", "keep", "none"),
    "first": ("write", "keep", "keep", "keep", "none"),
    "never": ("keep", "keep", "keep", "keep", "none"),
}
SITUATIONS = {
    "org blank, no base": (None, NO_BASE),
    "org filled, no base": ("theirs", NO_BASE),
    "theirs = base": ("old", "old"),
    "theirs differs from base": ("theirs", "old"),
    "theirs = ours": ("ours", NO_BASE),
}
CELLS = [(mode, situation, expected) for mode, row in TABLE.items() for situation, expected in zip(SITUATIONS, row, strict=True)]


@pytest.mark.parametrize(("mode", "situation", "expected"), CELLS)
def test_a_cell_of_the_table(mode: str, situation: str, expected: str) -> None:
    theirs, base = SITUATIONS[situation]
    assert decide_field(Overwrite(mode), "ours", theirs, base, TEXT).verdict == expected


def test_clearing_is_an_edit() -> None:
    assert decide_field(Overwrite.IF_UNCHANGED, "ours", None, "old", TEXT).verdict == "conflict"


def test_an_unticked_box_counts_as_blank() -> None:
    assert decide_field(Overwrite.IF_BLANK, True, False, NO_BASE, BOX).verdict == "write"
    assert decide_field(Overwrite.IF_BLANK, True, None, NO_BASE, BOX).verdict == "write"


@pytest.mark.parametrize(
    ("left", "right", "field"),
    [
        (" a ", "a", TEXT),
        ("", None, TEXT),
        (None, False, BOX),
        (1250.004, 1250, FieldSchema("Amount", "currency", scale=2)),
        ("7", 7.0, FieldSchema("Count", "int")),
        ("2026-11-14T16:09:00+01:00", "2026-11-14T15:09:00.000+0000", FieldSchema("At", "datetime")),
        ("b; a", "a;b", FieldSchema("Many", "multipicklist")),
        ("one\r\ntwo", "one\ntwo", FieldSchema("Text", "textarea")),
    ],
)
def test_values_are_compared_as_the_org_keeps_them(left: object, right: object, field: FieldSchema) -> None:
    assert canonical(left, field) == canonical(right, field)  # type: ignore[arg-type]


def test_different_values_stay_different() -> None:
    assert canonical("a", TEXT) != canonical("A", TEXT)
    assert canonical(1.25, FieldSchema("Amount", "currency", scale=2)) != canonical(
        1.26, FieldSchema("Amount", "currency", scale=2)
    )
