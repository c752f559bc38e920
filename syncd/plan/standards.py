"""From a verdict of the policy to writes: the status with what goes along, tasks, and when to look again. Pure.

A move of the status is one write with everything that belongs to it (reason, next action, flag, owner). It is decided anew until the
org shows it, so a write that never left loses nothing. Tasks have an external id of their own, made of person, rule and occasion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from syncd.errors import ConfigProblem
from syncd.model import OPEN_STATES, OperationState, OrgRecord, OrgSchema, PersonView, Provenance, Value
from syncd.plan.canonical import same
from syncd.plan.fields import fitting
from syncd.policy import ActionKind, Enforcement, Policy, Section, Target, Verdict, Wanted
from syncd.ports import DecisionRow

_USER = "005"
_TASK = "Task"
_PREFIX = "policy "
_ADVICE = "Give the rule enforcement: observe, or leave it out."


class StandardsSettings(msgspec.Struct, frozen=True, gc=False):
    """What carrying out needs of the org and the configuration.

    Attributes:
        external_id_field: Where a task's own id stands; None if nothing may be created.
        own_user_id: The integration user, whose tasks nobody sees.
        owners: `queue:NAME` or `user:NAME` to its id.
        active: Ids of users that are active, of those that were asked for.
        secret: Behind the external ids.
    """

    external_id_field: str | None = None
    own_user_id: str = ""
    owners: Mapping[str, str] = {}
    active: frozenset[str] = frozenset()
    secret: bytes = b""


class PolicyTask(msgspec.Struct, frozen=True, gc=False):
    """A task that a rule has made: its external id, its fields with their reason, how often it failed before."""

    external_id: str
    fields: dict[str, Value]
    provenance: dict[str, Provenance]
    attempt: int = 0


class Carried(msgspec.Struct, frozen=True, gc=False):
    """What of a verdict is written now.

    Attributes:
        fields: Of the record, all in one write; empty for none. `before` holds what the org has.
        is_backward: Whether the guard must count it.
        due: Dates of the person, as in PersonPlan.
        notes: Reason words for `lead show`.
    """

    fields: dict[str, Value] = {}
    before: dict[str, Value] = {}
    why: dict[str, Provenance] = {}
    is_backward: bool = False
    tasks: tuple[PolicyTask, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    due: dict[str, datetime] = {}
    notes: dict[str, str] = {}


def not_carried_out(policy: Policy) -> list[ConfigProblem]:
    """What the policy asks for that this version decides on, but does not do: refused, so that nobody relies on it."""
    found = []
    for rule in policy.rules:
        wrong = []
        if rule.enforcement is Enforcement.OBSERVE:
            continue
        if rule.section in (Section.CONVERT, Section.OPPORTUNITY):
            wrong.append((rule.line, f"{rule.section} rules are"))
        if rule.section is Section.ARCHIVE and rule.means is not None and not (rule.means.status or rule.means.flag):
            wrong.append((rule.line, "archiving by an owner alone is"))
        wrong += [(one.line or rule.line, f"{one.kind} actions are") for one in rule.actions if one.kind is not ActionKind.TASK]
        if any(one.kind is ActionKind.TASK and rule.target is not Target.LEAD for one in rule.actions):
            wrong.append((rule.line, "tasks about contacts are"))
        found += [
            ConfigProblem(policy.file, line, 1, f'Rule "{rule.rule_id}": {what} not carried out by this version.', _ADVICE)
            for line, what in wrong
        ]
    return found


def rule_name(policy: Policy, rule_id: str) -> str:
    """How provenance names a rule: `policy b2b_nurture 1a2b3c4d: came_back`."""
    return f"{_PREFIX}{policy.name or 'unnamed'} {policy.digest[:8]}: {rule_id}"


def rule_of(provenance: Mapping[str, Provenance]) -> str:
    """The id of the policy's rule behind a write; "" if another reason is behind it."""
    said = next((one.rule for one in provenance.values()), "")
    return said.partition(": ")[2] if said.startswith(_PREFIX) else ""


def fired_for_good(view: PersonView, fired: Mapping[str, datetime]) -> dict[str, datetime]:
    """`fired` without rules whose newest task never reached the org: they are asked again."""
    last: dict[str, OperationState] = {}
    for one in view.tasks:
        if rule_id := rule_of(one.provenance):
            last[rule_id] = one.state
    lost = (OperationState.SUPERSEDED, OperationState.FAILED)
    return {rule_id: at for rule_id, at in fired.items() if last.get(rule_id) not in lost}


def carry(
    policy: Policy,
    verdict: Verdict,
    view: PersonView,
    record: OrgRecord,
    schema: OrgSchema,
    settings: StandardsSettings,
    waiting: Mapping[str, datetime],
    now: datetime,
) -> Carried:
    """Turn the verdict about the person whose standing `record` is into writes; `waiting` are hold periods that run."""
    notes: dict[str, str] = {}
    owner_id = _owner_id(
        verdict.owner or (verdict.means.owner if verdict.means and not verdict.is_unarchived else ""), policy, record, settings
    )
    fields = _moved(policy, verdict, record, owner_id)
    fields = _writable(fields, record, view, schema, notes)
    if verdict.to_status and "Status" not in fields:
        # Without the status nothing that goes with it makes sense: refused before, held by an undo, or there already.
        fields = {}
    tasks, done = _tasks(policy, verdict, view, record, schema, settings, owner_id if fields else "", now, notes)
    due = {rule_id: at for rule_id, at in waiting.items() if rule_id not in verdict.stops} | verdict.starts
    if fields:
        due[""] = now
    elif verdict.look_at is not None:
        due[""] = verdict.look_at
    for one in verdict.asked:
        if one.outcome == "observed":
            notes[f"policy:{one.rule_id}"] = f"would:{one.rule_id}"
    why = Provenance(rule=rule_name(policy, verdict.rule_id))
    return Carried(
        fields=fields,
        before={name: record.row.owner_id if name == "OwnerId" else record.row.fields.get(name) for name in fields},
        why=dict.fromkeys(fields, why),
        is_backward=verdict.is_backward,
        tasks=tasks,
        decisions=tuple(_decision(policy, verdict, rule_id) for rule_id in done),
        due=due,
        notes=notes,
    )


def _moved(policy: Policy, verdict: Verdict, record: OrgRecord, owner_id: str) -> dict[str, Value]:
    """The fields of a move, by the policy's own names; empty when nothing moves."""
    if not verdict.rule_id or verdict.converts:
        return {}
    means, names = verdict.means, policy.fields
    found: dict[str, Value] = {}
    if verdict.to_status:
        found["Status"] = verdict.to_status
    if means is not None and means.flag:
        found[means.flag] = not verdict.is_unarchived
    if owner_id:
        found["OwnerId"] = owner_id
        if means is not None and means.previous_owner_field and not verdict.is_unarchived:
            found[means.previous_owner_field] = record.row.owner_id
    if not found:
        return {}
    named: dict[str, Value] = {
        names.next_action: verdict.next_action,
        names.reason: verdict.reason,
        names.policy: f"{policy.name} {policy.digest[:8]}".strip(),
        names.score: verdict.score,
    }
    found.update({name: value for name, value in named.items() if name})
    return found


def _owner_id(wanted: str, policy: Policy, record: OrgRecord, settings: StandardsSettings) -> str:
    """The id of the owner a rule asks for; "" when it stays, or when the one from before is gone."""
    if wanted == "previous":
        fields = dict.fromkeys(
            one.means.previous_owner_field for one in policy.rules if one.means and one.means.previous_owner_field
        )
        before = next((str(value) for name in fields if (value := record.row.fields.get(name))), "")
        return before if before in settings.active else ""
    return settings.owners.get(wanted, "")


def _writable(
    fields: dict[str, Value], record: OrgRecord, view: PersonView, schema: OrgSchema, notes: dict[str, str]
) -> dict[str, Value]:
    """Those of `fields` that fit, may be written, and differ from what the org holds."""
    described = schema.objects[record.row.object].fields
    held = {hold.field: hold.value for hold in view.holds}
    found: dict[str, Value] = {}
    for name, wanted in fields.items():
        field = described.get(name)
        value, note = fitting(wanted, field)
        theirs = record.row.owner_id if name == "OwnerId" else record.row.fields.get(name)
        if field is None or not field.is_updateable or note == "not_in_picklist":
            notes[name] = note or "field_not_writable"
        elif name in held and same(value, held[name], field):
            notes[name] = "held"
        elif not same(value, theirs, field):
            found[name] = value
    return found


def _tasks(
    policy: Policy,
    verdict: Verdict,
    view: PersonView,
    record: OrgRecord,
    schema: OrgSchema,
    settings: StandardsSettings,
    new_owner_id: str,
    now: datetime,
    notes: dict[str, str],
) -> tuple[tuple[PolicyTask, ...], list[str]]:
    """Tasks to be made, and the ids of the rules that are done with."""
    wanted = [one for one in verdict.actions if one.kind is ActionKind.TASK]
    if not wanted:
        return (), []
    described = schema.objects.get(_TASK)
    own = described.fields.get(settings.external_id_field or "") if described else None
    if described is None or own is None or not own.is_external_id:
        notes["task"] = "no_task_external_id"
        return (), []
    owner_id = new_owner_id if new_owner_id.startswith(_USER) else record.row.owner_id
    if not owner_id.startswith(_USER) or owner_id == settings.own_user_id:
        notes["task"] = "task_waits_for_owner"
        return (), []
    known = {one.external_id: one for one in view.tasks}
    made: list[PolicyTask] = []
    done: dict[str, None] = {}
    for number, one in enumerate(wanted):
        external_id = _task_id(view.person_id, one, number, settings.secret)
        before = known.get(external_id)
        is_over = before is not None and (
            before.state in (OperationState.DONE, OperationState.REFUSED) or before.state in OPEN_STATES
        )
        done[one.rule_id] = None
        if is_over:
            continue
        fields = _task_fields(one, record.row.sf_id, owner_id, now)
        fields = {
            name: fitting(value, described.fields.get(name))[0]
            for name, value in fields.items()
            if name in ("WhoId", "OwnerId") or ((field := described.fields.get(name)) is not None and field.is_createable)
        }
        why = Provenance(line=one.line, rule=rule_name(policy, one.rule_id))
        attempt = sum(1 for task in view.tasks if task.external_id == external_id and task.code)
        made.append(PolicyTask(external_id, fields, dict.fromkeys(fields, why), attempt))
    return tuple(made), list(done)


def _task_fields(one: Wanted, who_id: str, owner_id: str, now: datetime) -> dict[str, Value]:
    words: dict[str, Value] = {**one.options, **one.values}
    found: dict[str, Value] = {
        "Subject": words.get("subject") or "Follow up",
        "Status": words.get("status") or "Not Started",
        "Priority": words.get("priority") or "Normal",
        "WhoId": who_id,
        "OwnerId": owner_id,
    }
    if one.due_in_days is not None:
        found["ActivityDate"] = (now.astimezone(UTC).date() + timedelta(days=one.due_in_days)).isoformat()
    if words.get("description"):
        found["Description"] = words["description"]
    return found


def _task_id(person_id: str, one: Wanted, number: int, secret: bytes) -> str:
    """The external id of a task: the same however often it is decided."""
    text = "\0".join((person_id, one.rule_id, str(number), one.occasion))
    return hashlib.blake2b(text.encode(), key=secret[:64], digest_size=16, person=b"syncd-policy").hexdigest()


def _decision(policy: Policy, verdict: Verdict, rule_id: str) -> DecisionRow:
    rule = policy.rule(rule_id)
    return DecisionRow(
        rule_id,
        str(rule.section) if rule is not None else "",
        "fired",
        policy=f"{policy.name} {policy.digest[:8]}".strip(),
        from_status=verdict.from_status,
        to_status=verdict.to_status,
        document={
            "reason": rule.reason if rule is not None else "",
            "score": verdict.score,
            "criteria": {one.name: one.value for one in verdict.criteria},
            "actions": sorted({str(one.kind) for one in verdict.actions if one.rule_id == rule_id}),
        },
    )


__all__ = ["Carried", "PolicyTask", "StandardsSettings", "carry", "fired_for_good", "rule_name", "rule_of"]
