"""Which source's value a field takes when several records of one person state it (DESIGN 5.2).

Newest by source time, never by arrival, so that a back-fill or a replay cannot roll back a webhook. Names and addresses
survive as one block. Defaults count only where nobody states anything. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from syncd.model import CONSENT_FIELDS, GROUPS, NAME_GROUP, FieldValue, Overwrite, PersonRecord, Provenance, Value


class GoldenField(msgspec.Struct, frozen=True, gc=False):
    """A field's surviving value with its reason."""

    value: Value
    overwrite: Overwrite
    is_default: bool
    source_at: datetime
    provenance: Provenance


class Consent(msgspec.Struct, frozen=True, gc=False):
    """The newest withdrawal and the newest explicit opt-in of one purpose; None if there was none."""

    withdrawn_at: datetime | None = None
    given_at: datetime | None = None
    withdrawn_by: Provenance = Provenance()
    given_by: Provenance = Provenance()


class Golden(msgspec.Struct, frozen=True, gc=False):
    """Surviving values by field, and consent by consent field."""

    fields: dict[str, GoldenField]
    consent: dict[str, Consent]
    may_create: bool = False
    newest_at: datetime | None = None


def golden(records: Sequence[PersonRecord]) -> Golden:
    """The surviving values of one person's records; the order of `records` does not matter."""
    if len(records) == 1:
        return _golden_of_one(records[0])
    newest_first = sorted(records, key=lambda record: (record.source_at, record.position, record.ref), reverse=True)
    useful = [record for record in newest_first if not record.lead.skipped]
    fields: dict[str, GoldenField] = {}
    grouped = {name: group for group in GROUPS for name in group}
    names = dict.fromkeys(name for record in useful for name in record.lead.fields if name not in CONSENT_FIELDS)
    winners = {group: _block_winner(useful, group) for group in GROUPS}
    for name in names:
        group = grouped.get(name)
        chosen = winners[group] if group else None
        found = _field(name, [chosen] if chosen else useful)
        if found is None and chosen:
            # The block has no such member: another record's default may still make a Lead creatable.
            found = _default(name, useful)
        if found is not None:
            fields[name] = found
    return Golden(
        fields,
        {name: consent for name in CONSENT_FIELDS if (consent := _consent(name, newest_first)) != Consent()},
        may_create=any(record.lead.may_create for record in useful),
        newest_at=newest_first[0].source_at if newest_first else None,
    )


def _golden_of_one(record: PersonRecord) -> Golden:
    """The same for the usual case, a single record: nothing competes."""
    lead = record.lead
    ordinary = {} if lead.skipped else lead.fields
    return Golden(
        {name: _golden(record, value) for name, value in ordinary.items() if name not in CONSENT_FIELDS},
        {name: consent for name in CONSENT_FIELDS if name in lead.fields and (consent := _consent(name, [record])) != Consent()},
        may_create=lead.may_create and not lead.skipped,
        newest_at=record.source_at,
    )


def _block_winner(records: Sequence[PersonRecord], group: tuple[str, ...]) -> PersonRecord | None:
    """The newest record that states the block: with its leading part (a last name; street, city or code) if any does."""
    leading = ("LastName",) if group is NAME_GROUP else group[:3]
    for wanted in (leading, group):
        for record in records:
            if any(record.lead.evidence(name) is not None for name in wanted):
                return record
    return None


def _field(name: str, newest_first: Sequence[PersonRecord]) -> GoldenField | None:
    stating = [record for record in newest_first if (value := record.lead.fields.get(name)) and not value.is_default]
    if stating:
        winner = stating[-1] if stating[0].lead.fields[name].overwrite is Overwrite.FIRST else stating[0]
        return _golden(winner, winner.lead.fields[name])
    return _default(name, newest_first)


def _default(name: str, newest_first: Sequence[PersonRecord]) -> GoldenField | None:
    for record in newest_first:
        value = record.lead.fields.get(name)
        if value is not None and value.is_default:
            return _golden(record, value)
    return None


def _golden(record: PersonRecord, value: FieldValue) -> GoldenField:
    return GoldenField(value.value, value.overwrite, value.is_default, record.source_at, provenance_of(record, value.line))


def provenance_of(record: PersonRecord, line: int = 0, rule: str = "") -> Provenance:
    """Why a value of `record` is written."""
    ref = record.ref
    return Provenance(ref.source, ref.stream, ref.key, record.locator, record.mapping, line, rule)


def _consent(name: str, newest_first: Sequence[PersonRecord]) -> Consent:
    """Newest withdrawal and opt-in; also of skipped and refused records (G6)."""
    found = Consent()
    for record in reversed(newest_first):
        value = record.lead.fields.get(name)
        if value is None or value.is_default or value.value is None:
            continue
        why = provenance_of(record, value.line, "consent")
        if value.value is True:
            found = msgspec.structs.replace(found, withdrawn_at=record.source_at, withdrawn_by=why)
        elif value.value is False:
            found = msgspec.structs.replace(found, given_at=record.source_at, given_by=why)
    return found
