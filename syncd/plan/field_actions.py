"""Actions of rules on the record itself, Lead or Contact: `owner` and `flag` in one write, once for each occasion. Pure.

The outbox is the memory: a rule whose write is done has fired, and a person may take it back. Until then the rule is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from syncd.model import FieldSchema, ObjectSchema, OrgRecord, PersonView, Provenance, Value
from syncd.plan.canonical import same
from syncd.plan.fields import fitting
from syncd.plan.once import rule_name, rule_of
from syncd.policy import ActionKind, Policy, Section, Wanted

ON_RECORD = (ActionKind.OWNER, ActionKind.FLAG)
"""Kinds that are a write of the record's own fields."""
OWNER = "OwnerId"


class FieldActions(msgspec.Struct, frozen=True, gc=False):
    """Fields to write with their reasons, ids of rules that are done with, those that are not yet, and why fields stay."""

    fields: dict[str, Value] = {}
    why: dict[str, Provenance] = {}
    done: frozenset[str] = frozenset()
    unfinished: frozenset[str] = frozenset()
    notes: dict[str, str] = {}


def field_actions(
    policy: Policy,
    wanted: Sequence[Wanted],
    view: PersonView,
    record: OrgRecord,
    described: ObjectSchema,
    owner_of: Callable[[str], str],
) -> FieldActions:
    """What of `wanted` is to be written to `record`; `owner_of` gives the id of an owner as rules name one, "" where there is none."""
    asked = [one for one in wanted if one.kind in ON_RECORD]
    if asked and record.row.is_converted:
        # The mirror does not have their contact, and a converted lead takes no writes (reference salesforce.md 1, fact 8).
        return FieldActions(unfinished=frozenset(one.rule_id for one in asked), notes={"contact": "contact_not_seen"})
    held = {hold.field: hold.value for hold in view.holds}
    fields: dict[str, Value] = {}
    why: dict[str, Provenance] = {}
    notes: dict[str, str] = {}
    unfinished: set[str] = set()
    for one in asked:
        name, value, note = _wish(one, described, owner_of)
        field = described.fields.get(name)
        theirs = record.row.owner_id if name == OWNER else record.row.fields.get(name)
        is_known = field is not None and field.is_updateable
        if note or not is_known:
            notes[name] = note or "field_not_writable"
            if note != "owner_stays":
                unfinished.add(one.rule_id)
        elif _was_written(one, name, view, record) or same(value, theirs, field):
            continue
        elif name in held and same(value, held[name], field):
            notes[name] = "held"
        elif name not in fields:
            fields[name], why[name] = value, Provenance(line=one.line, rule=rule_name(policy, one.rule_id))
            unfinished.add(one.rule_id)
    done = frozenset(one.rule_id for one in asked) - unfinished
    return FieldActions(fields, why, done, frozenset(unfinished), notes)


def kept_of_old(policy: Policy, actions: Sequence[Wanted], notes: dict[str, str]) -> list[Wanted]:
    """What is done all the same of somebody of whom nothing is news: marks on the record, but for escalations (DESIGN 5.3)."""
    kept = []
    for one in actions:
        rule = policy.rule(one.rule_id)
        if one.kind in ON_RECORD and rule is not None and rule.section is not Section.SLA:
            kept.append(one)
        else:
            notes[f"action:{one.rule_id}"] = "not_news"
    return kept


def _wish(one: Wanted, described: ObjectSchema, owner_of: Callable[[str], str]) -> tuple[str, Value, str]:
    """The field, its value, and why there is none to be written."""
    if one.kind is ActionKind.FLAG:
        name = one.options["field"]
        value, note = fitting(_typed(one.options["value"], described.fields.get(name)), described.fields.get(name))
        return name, value, note if note == "not_in_picklist" else ""
    to = one.options["to"]
    owner_id = owner_of(to)
    if owner_id:
        return OWNER, owner_id, ""
    # The one before is gone, or there is no account: nothing to wait for. A name may still be put right.
    return OWNER, "", "owner_not_in_org" if ":" in to else "owner_stays"


def _typed(text: str, field: FieldSchema | None) -> Value:
    """The admin's word as a checkbox or a number wants it."""
    kind = field.type if field is not None else ""
    if kind == "boolean":
        return text.strip().lower() in ("true", "yes", "1")
    if kind in ("double", "currency", "percent", "int", "long"):
        try:
            return float(text) if "." in text else int(text)
        except ValueError:
            return text
    return text


def _was_written(one: Wanted, name: str, view: PersonView, record: OrgRecord) -> bool:
    """Whether the rule has written the field on this occasion."""
    since = datetime.fromisoformat(one.occasion) if one.occasion else None
    return any(
        move.sf_id == record.row.sf_id
        and rule_of({name: move.provenance[name]}) == one.rule_id
        and (since is None or (move.planned_at is not None and move.planned_at >= since))
        for move in view.moves
        if name in move.provenance
    )
