"""The part of an undo that concerns tasks and opportunities: nobody's record, so each is read as it is now. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.model import Operation, OperationKind, OrgRow
from syncd.plan import canonical
from syncd.run.context import IDS_PER_READ, OrgSession

CHANGED = "changed_since"
GONE = "gone"


MADE = {OperationKind.TASK: "Task", OperationKind.OPPORTUNITY: "Opportunity"}
"""Kinds that make what is nobody's record, and of which object."""


def made_kept(session: OrgSession, done: Sequence[Operation], machines: frozenset[str]) -> dict[str, str]:
    """Operation id of each task and opportunity that a run made to the reason why it must stay, `""` if it may be deleted."""
    found: dict[str, str] = {}
    for kind, object_name in MADE.items():
        made = [one for one in done if one.kind is kind and one.sf_id]
        known = session.schema.objects.get(object_name)
        names = tuple(sorted({name for one in made for name in one.fields if known is not None and name in known.fields}))
        rows: dict[str, OrgRow | None] = {}
        for start in range(0, len(made) if known is not None else 0, IDS_PER_READ):
            rows.update(session.org.retrieve(object_name, [one.sf_id for one in made[start : start + IDS_PER_READ]], names))
        found |= {one.operation_id: _why_kept(session, one, rows.get(one.sf_id), machines) for one in made}
    return found


def _why_kept(session: OrgSession, one: Operation, row: OrgRow | None, machines: frozenset[str]) -> str:
    if row is None or row.is_deleted:
        return GONE
    fields = session.schema.objects[one.object].fields
    held = {**row.fields, "OwnerId": row.owner_id}
    is_ours = row.modified_by in machines and all(
        canonical(held.get(name), fields.get(name)) == canonical(value, fields.get(name)) for name, value in one.fields.items()
    )
    return "" if is_ours else CHANGED


def leads_to_keep(done: Sequence[Operation], kept: dict[str, str]) -> set[str]:
    """Salesforce ids of those whose task somebody has worked on: to delete the lead would take that work along."""
    return {str(one.fields.get("WhoId")) for one in done if kept.get(one.operation_id) == CHANGED}
