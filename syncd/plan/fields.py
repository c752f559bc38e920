"""The field-level diff of one person against one Lead. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from syncd.model import CONSENT_FIELDS, GROUPS, FieldSchema, Hold, ObjectSchema, OrgRecord, Overwrite, Value
from syncd.plan.canonical import same
from syncd.plan.survivorship import GoldenField
from syncd.plan.verdict import NO_BASE, FieldVerdict, Verdict, decide_field

MAX_REPEATS = 3
"""How often the same value is written against somebody who changes it back (DESIGN 5.1)."""


class Diff(msgspec.Struct, frozen=True, gc=False):
    """Fields to write, values to adopt as base without a write, and why the others stay."""

    writes: dict[str, Value]
    adopted: dict[str, Value]
    notes: dict[str, str]


def diff(golden: Mapping[str, GoldenField], record: OrgRecord, schema: ObjectSchema, holds: tuple[Hold, ...]) -> Diff:
    """What of `golden` may be written to `record`."""
    held = {hold.field: hold.value for hold in holds}
    verdicts: dict[str, FieldVerdict] = {}
    values: dict[str, Value] = {}
    for name, ours in golden.items():
        field = schema.fields.get(name)
        value, note = fitting(ours.value, field)
        values[name] = value
        if name in CONSENT_FIELDS or ours.is_default:
            continue
        if field is None or not field.is_updateable:
            verdicts[name] = FieldVerdict(Verdict.KEEP, "field_not_writable")
        elif note == "not_in_picklist":
            verdicts[name] = FieldVerdict(Verdict.KEEP, note)
        elif name in held and same(value, held[name], field):
            verdicts[name] = FieldVerdict(Verdict.KEEP, "held")
        elif value is None and not field.is_nillable:
            verdicts[name] = FieldVerdict(Verdict.KEEP, "required_not_cleared")
        else:
            verdicts[name] = _decided(name, ours.overwrite, value, record, field)
    _keep_groups(verdicts, golden, record, schema)
    return Diff(
        {name: values[name] for name, one in verdicts.items() if one.verdict is Verdict.WRITE},
        {name: record.row.fields.get(name) for name, one in verdicts.items() if one.verdict is Verdict.ADOPT},
        {name: one.reason for name, one in verdicts.items() if one.verdict in (Verdict.KEEP, Verdict.CONFLICT)},
    )


def _decided(name: str, mode: Overwrite, value: Value, record: OrgRecord, field: FieldSchema) -> FieldVerdict:
    base = record.base.get(name, NO_BASE)
    theirs = record.row.fields.get(name)
    is_ours_as_kept = name in record.sent and same(value, record.sent[name], field) and base is not NO_BASE
    if is_ours_as_kept and same(theirs, record.base[name], field):
        # The org keeps our value in a form of its own (a trigger, rounding); writing it again would change nothing.
        return FieldVerdict(Verdict.NONE, "unchanged")
    found = decide_field(mode, value, theirs, base, field)
    if found.verdict is Verdict.WRITE and is_ours_as_kept and record.repeats.get(name, 0) >= MAX_REPEATS:
        return FieldVerdict(Verdict.KEEP, "field_contested")
    return found


def _keep_groups(
    verdicts: dict[str, FieldVerdict], golden: Mapping[str, GoldenField], record: OrgRecord, schema: ObjectSchema
) -> None:
    """An edit in one member keeps the whole group, also a member that no source states (DESIGN 3.4)."""
    for group in GROUPS:
        edited = any(
            name in record.base and not same(record.row.fields.get(name), record.base[name], schema.fields.get(name))
            for name in group
        )
        kept = any(verdicts[name].verdict in (Verdict.KEEP, Verdict.CONFLICT) for name in group if name in verdicts)
        if not edited and not kept:
            continue
        for name in group:
            one = verdicts.get(name)
            if one and one.verdict is Verdict.WRITE and golden[name].overwrite is not Overwrite.ALWAYS:
                verdicts[name] = FieldVerdict(Verdict.KEEP, "kept_persons_edit" if edited else "keep_filled")


def fitting(value: Value, field: FieldSchema | None) -> tuple[Value, str]:
    """`value` as the org can take it, and a note when it had to change: `cut_to_length`, `not_in_picklist`."""
    if field is None or not isinstance(value, str):
        return value, ""
    if field.is_restricted and field.picklist and field.type == "picklist" and value not in field.picklist:
        return value, "not_in_picklist"
    if field.length and len(value) > field.length and field.type in ("string", "textarea"):
        return value[: field.length].rstrip(), "cut_to_length"
    return value, ""
