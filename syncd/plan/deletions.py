"""From a verdict that deletes to the write, and what stands in its way; what an export of such a lead is compared by. Pure.

Nothing is deleted that a verified export does not hold exactly as it is. The operation holds in its fields the id of that export.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from syncd.model import CONSENT_FIELDS, OperationKind, OperationState, OrgRecord, OrgRow, OrgSchema, PersonView, Provenance, Value
from syncd.plan.facts import expired_ids
from syncd.plan.once import rule_name
from syncd.plan.standards import Carried, PolicyWrite
from syncd.policy import Policy, Verdict
from syncd.ports import ExportedLead

DELETION = "delete"
"""Where the notes of a plan tell why a lead that is due is not deleted."""
NEEDS_EXPORT, OUTDATED, MAY_NOT = "needs_export", "export_outdated", "may_not_delete"
_LEAD = "Lead"
_NO_VALUES = ("address", "location", "base64", "complexvalue", "json")
"""Types of a describe that hold no single value; addresses and places are exported by their parts."""


def carry_deletion(
    policy: Policy,
    verdict: Verdict,
    view: PersonView,
    record: OrgRecord,
    schema: OrgSchema,
    exported: ExportedLead | None,
    carried: Carried,
) -> Carried:
    """`carried` with the deletion that the verdict wants, or why there is none. `exported` is the lead in the newest export."""
    rule = policy.rule(verdict.deletes)
    if rule is None:
        return carried
    kept = why_kept(view, record)
    word = kept or ("" if may_delete(schema) else MAY_NOT) or why_not_exported(record.row, exported)
    if word or exported is None:
        # Who is kept for another reason than time does not wait for an export.
        due = {name: at for name, at in carried.due.items() if not kept or name != rule.rule_id}
        return msgspec.structs.replace(carried, notes={**carried.notes, DELETION: word}, due=due)
    why = Provenance(line=rule.line, rule=rule_name(policy, rule.rule_id))
    fields: dict[str, Value] = {"IsDeleted": True, "export": exported.export_id}
    write = PolicyWrite(
        kind=OperationKind.EXPIRE,
        object=_LEAD,
        sf_id=record.row.sf_id,
        fields=fields,
        before={"IsDeleted": False},
        provenance=dict.fromkeys(fields, why),
        is_guarded=True,
        attempt=_failures(view),
    )
    return msgspec.structs.replace(carried, writes=(*carried.writes, write))


def why_kept(view: PersonView, record: OrgRecord) -> str:
    """What forbids a deletion besides the policy and the org's rights, as a constant word; "" if nothing does."""
    if view.holds:
        return "held"
    if any(one.state is OperationState.DONE and one.sf_id == record.row.sf_id for one in view.expirations):
        # It was deleted once, and a person took it out of the recycle bin.
        return "restored_by_person"
    return ""


def may_delete(schema: OrgSchema) -> bool:
    """Whether the integration user may delete leads at all."""
    return _LEAD in schema.objects and schema.objects[_LEAD].is_deletable


def why_not_exported(row: OrgRow, exported: ExportedLead | None) -> str:
    """Whether a verified export holds the lead, as far as the mirror tells: a constant word, "" if one does."""
    if exported is None:
        return NEEDS_EXPORT
    return "" if exported.stamp == row.stamp else OUTDATED


def exported_fields(schema: OrgSchema) -> tuple[str, ...]:
    """Every field of Lead that syncd may read, sorted, but for those that other fields make up."""
    return tuple(sorted(name for name, field in schema.objects[_LEAD].fields.items() if field.type not in _NO_VALUES))


def exported_digest(row: OrgRow, schema: OrgSchema) -> str:
    """SHA-256 of what people and programs have put into a lead, and of its stamps; read with all of `exported_fields`.

    What the org works out by itself, as formulas do from one day to the next, is no content.
    """
    fields = schema.objects[_LEAD].fields
    content = {
        name: value
        for name, value in row.fields.items()
        if name in fields and (name == "LastModifiedDate" or fields[name].is_updateable or fields[name].is_createable)
    }
    whole = msgspec.json.encode([row.sf_id, row.stamp, content], order="sorted")
    return hashlib.sha256(whole).hexdigest()


def expired_at(view: PersonView, record: OrgRecord) -> datetime | None:
    """When syncd deleted this record after retention; None if it did not, or the record is there."""
    return record.row.stamp if record.row.is_deleted and record.row.sf_id in expired_ids(view) else None


def last_expired(view: PersonView) -> OrgRecord | None:
    """The record of the person's last deletion after retention, where that is the last that became of them; else None."""
    if any(not one.row.is_deleted for one in view.org_records):
        return None
    newest = max(view.org_records, key=lambda one: one.row.stamp, default=None)
    return newest if newest is not None and expired_at(view, newest) is not None else None


def kept_opt_outs(view: PersonView) -> dict[str, Provenance]:
    """Withdrawals of consent that a lead showed when syncd deleted it, by field: a deletion of ours makes nobody mailable."""
    found: dict[str, Provenance] = {}
    for record in view.org_records:
        if expired_at(view, record) is not None:
            why = Provenance(rule=f"opt-out of the deleted lead {record.row.sf_id}")
            found |= {name: why for name in CONSENT_FIELDS if record.row.fields.get(name) is True}
    return found


def _failures(view: PersonView) -> int:
    """Tries in a row that came to nothing for a passing reason."""
    tries: Sequence[OperationState] = [one.state for one in view.expirations if one.state is not OperationState.SUPERSEDED]
    return next((n for n, state in enumerate(reversed(tries)) if state is not OperationState.FAILED), len(tries))


__all__ = [
    "DELETION",
    "MAY_NOT",
    "NEEDS_EXPORT",
    "OUTDATED",
    "carry_deletion",
    "exported_digest",
    "exported_fields",
    "kept_opt_outs",
    "last_expired",
    "may_delete",
    "why_kept",
    "why_not_exported",
]
