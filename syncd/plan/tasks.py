"""Tasks for owners: who is owed one, and what it says (DESIGN 5.3). Pure.

Owed is derived from durable state alone: a record that came hot and asks for a task, less what was made, is under way, or was
refused. So a death anywhere between the lead and its task loses none and makes no second one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from syncd.model import (
    OPEN_STATES,
    FieldSchema,
    Lane,
    LeadTask,
    OperationKind,
    OperationState,
    OrgRecord,
    OrgSchema,
    PersonRecord,
    PersonView,
    Provenance,
    RecordRef,
    Value,
)
from syncd.plan.fields import fitting
from syncd.plan.survivorship import provenance_of

TASK = "Task"
USER = "005"
"""What the ids of users begin with; a queue is a group."""
_OVER = (OperationState.FAILED, OperationState.SUPERSEDED)


class TaskSettings(msgspec.Struct, frozen=True, gc=False):
    """What tasks need of the configuration.

    Attributes:
        external_id_field: Where a task's own id stands, None if nothing may be created.
        own_user_id: The integration user: whoever's leads these are, nobody looks at its tasks.
        id_of: A record to the external id of its task.
        starts: Source to the instant before which nothing is news.
    """

    external_id_field: str | None = None
    own_user_id: str = ""
    id_of: Callable[[RecordRef], str] = lambda ref: task_id(ref, b"")
    starts: Mapping[str, datetime | None] = {}


class TaskWrite(msgspec.Struct, frozen=True, gc=False):
    """A task to be made: its external id, its fields with their reasons, and how often it failed before."""

    external_id: str
    fields: dict[str, Value]
    provenance: dict[str, Provenance]
    attempt: int = 0


class TaskWish(msgspec.Struct, frozen=True, gc=False):
    """What of the owed tasks can be made now. `waits` when more comes of it by planning again; `note` says why some are not made."""

    writes: tuple[TaskWrite, ...] = ()
    waits: bool = False
    note: str = ""


def task_id(ref: RecordRef, secret: bytes) -> str:
    """The external id of the task of one record: a keyed hash, 32 hex characters, the same for all its versions."""
    text = "\0".join(("task", *ref))
    return hashlib.blake2b(text.encode(), key=secret[:64], digest_size=16, person=b"syncd-task").hexdigest()


def asks_for_task(record: PersonRecord) -> bool:
    """Whether a record is hot and its mapping wants a task."""
    return record.lead.task is not None and record.lane <= Lane.POLICY


def owed_tasks(view: PersonView, settings: TaskSettings) -> dict[str, PersonRecord]:
    """External id of a task to the record that asks for it, oldest record first; without those made or under way."""
    found: dict[str, PersonRecord] = {}
    for record in view.records:
        if asks_for_task(record):
            start = settings.starts.get(record.ref.source)
            if start is None or record.source_at >= start:
                found[settings.id_of(record.ref)] = record
    if not found:
        return found
    over = {one.external_id for one in view.tasks if one.state is OperationState.DONE or one.state in OPEN_STATES}
    oldest = sorted(found.items(), key=lambda item: (item[1].source_at, item[1].position, item[1].ref))
    return {name: record for name, record in oldest if name not in over}


def wish_for_tasks(
    view: PersonView, owed: Mapping[str, PersonRecord], schema: OrgSchema, settings: TaskSettings, *, is_moving: bool, run_id: str
) -> TaskWish:
    """What of `owed` can be made now.

    Args:
        view: The person, active.
        owed: As `owed_tasks` gives it.
        schema: The org's.
        settings: The configuration's part.
        is_moving: Something of the person is planned or under way, so that it may stand in the org the next time.
        run_id: What failed in this run is left for the next one.
    """
    described = schema.objects.get(TASK)
    own = described.fields.get(settings.external_id_field or "") if described else None
    if described is None or own is None or not (own.is_external_id and own.is_createable):
        return TaskWish(note="no_task_external_id")
    target = _target(view)
    if target is None:
        return TaskWish(waits=is_moving)
    owner_id = target.row.owner_id
    if not owner_id.startswith(USER) or owner_id == settings.own_user_id:
        return TaskWish(note="task_waits_for_owner")
    refused = {one.external_id for one in view.refused_operations if one.kind is OperationKind.TASK}
    writes = []
    waits = False
    for external_id, record in owed.items():
        tries = [one for one in view.tasks if one.external_id == external_id and one.state in _OVER]
        if external_id in refused:
            continue
        if tries and tries[-1].run_id == run_id and tries[-1].code:
            waits = True
            continue
        fields = _fields(record, target, described.fields)
        task = record.lead.task
        why = provenance_of(record, task.line if task else 0, "task")
        attempt = sum(1 for one in tries if one.code)
        writes.append(TaskWrite(external_id, fields, dict.fromkeys(fields, why), attempt))
    return TaskWish(tuple(writes), waits, "refused_before" if refused & owed.keys() else "")


def _target(view: PersonView) -> OrgRecord | None:
    """Whom the task is about: the open Lead, else the Contact; of several the survivor, then the first by id."""
    living = [one for one in view.org_records if not one.row.is_deleted and not one.row.is_converted]
    if not living:
        # Converted: the lead is locked, and nobody has linked its contact yet.
        became = {one.row.contact_id for one in view.org_records if one.row.is_converted and not one.row.is_deleted}
        living = [one for one in view.candidates if one.row.sf_id in became and not one.row.is_deleted]
    return min(living, key=lambda one: (one.row.object != "Lead", not one.is_survivor, one.row.sf_id), default=None)


def _fields(record: PersonRecord, target: OrgRecord, described: Mapping[str, FieldSchema]) -> dict[str, Value]:
    task = record.lead.task or LeadTask("")
    wanted: dict[str, Value] = {
        "Subject": task.subject,
        "Status": task.status,
        "Priority": task.priority,
        "WhoId": target.row.sf_id,
        "OwnerId": target.row.owner_id,
    }
    if task.due_in_days is not None:
        wanted["ActivityDate"] = (record.source_at.astimezone(UTC).date() + timedelta(days=task.due_in_days)).isoformat()
    if task.description:
        wanted["Description"] = task.description
    # What may not be written is left out, but for the two that make it somebody's task: without them it must be refused.
    kept = {"WhoId", "OwnerId"}
    return {
        name: fitting(value, described.get(name))[0]
        for name, value in wanted.items()
        if name in kept or ((field := described.get(name)) is not None and field.is_createable)
    }


def contact_of(views: Sequence[PersonView]) -> dict[str, set[str]]:
    """Person id to the contacts that must be known before a task can be planned: those of converted leads, if nothing else is left."""
    return {
        view.person_id: {one.row.contact_id for one in view.org_records if one.row.contact_id and not one.row.is_deleted}
        for view in views
        if any(asks_for_task(record) for record in view.records)
        and all(one.row.is_deleted or one.row.is_converted for one in view.org_records)
    }
