"""Consent: withdrawals go to every Lead and Contact of the person, first and alone (G6). Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from syncd.model import ObjectSchema, OrgRecord, OrgSchema, PersonView, Provenance, Value
from syncd.plan.survivorship import Consent


class ConsentWrite(msgspec.Struct, frozen=True, gc=False):
    """Checkboxes to set (or, allowed and proven, to clear) on one org record."""

    record: OrgRecord
    fields: dict[str, Value]
    provenance: dict[str, Provenance]


def consent_writes(
    view: PersonView, consent: Mapping[str, Consent], schema: OrgSchema, *, allow_clear: bool
) -> tuple[list[ConsentWrite], dict[str, str]]:
    """What consent demands of each org record of the person, and notes on what it does not demand."""
    writes: list[ConsentWrite] = []
    notes: dict[str, str] = {}
    if not view.org_records and not view.candidates:
        return writes, notes
    known = {(record.row.object, record.row.sf_id): record for record in (*view.candidates, *view.org_records)}
    for key in sorted(known):
        record = known[key]
        described = schema.objects.get(record.row.object)
        # A converted lead is locked (CANNOT_UPDATE_CONVERTED_LEAD); its Contact carries the consent.
        if described is None or record.row.is_deleted or record.row.is_converted:
            continue
        fields: dict[str, Value] = {}
        why: dict[str, Provenance] = {}
        for name, one in consent.items():
            wanted = _wanted(name, one, record, described, notes, allow_clear=allow_clear)
            if wanted is not None:
                fields[name] = wanted
                why[name] = one.withdrawn_by if wanted else one.given_by
        if fields:
            writes.append(ConsentWrite(record, fields, why))
    return writes, notes


def is_withdrawn(one: Consent, *, allow_clear: bool) -> bool:
    """Whether the sources' last word is a withdrawal; a newer opt-in counts only where the policy allows it."""
    if one.withdrawn_at is None:
        return False
    return not (allow_clear and one.given_at is not None and one.given_at > one.withdrawn_at)


def _wanted(
    name: str, one: Consent, record: OrgRecord, described: ObjectSchema, notes: dict[str, str], *, allow_clear: bool
) -> bool | None:
    """True to withdraw, False to clear, None to leave."""
    field = described.fields.get(name)
    if field is None or not field.is_updateable:
        notes[name] = "field_not_writable"
        return None
    theirs = record.row.fields.get(name) is True
    ours_was_true = record.base.get(name) is True
    if is_withdrawn(one, allow_clear=allow_clear):
        if theirs:
            return None
        if ours_was_true and one.withdrawn_at is not None and one.withdrawn_at <= record.row.stamp:
            # Somebody cleared it after we had set it: a newer decision than the withdrawal (G4).
            notes[name] = "kept_persons_edit"
            return None
        return True
    if theirs and ours_was_true and one.withdrawn_at is not None:
        return False
    return None
