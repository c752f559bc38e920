"""What becomes of a record if nobody knows any of its keys: resolved, planned and written out before anybody has looked. Pure.

Most records of a first fill are such ones. The second process (`syncd.run.mapping_process`) makes them ready; the engine looks their
keys up and takes what is ready if nobody has them, and otherwise decides as always. Only the plainest end is made ready: a new person
with one create, or none. Whoever needs more (a question, a dead letter, a policy's programs, mail to be ended elsewhere) is left to
the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from syncd.as_stored import document_text, dumps, golden_text, operation_document
from syncd.identity import Facts, LeadKeys, Resolution, resolve
from syncd.model import (
    OPT_OUT_FIELD,
    Assignment,
    Lane,
    Lead,
    Operation,
    OperationKind,
    OperationState,
    OrgSchema,
    PersonRecord,
    PersonView,
    RecordRef,
)
from syncd.plan import PlanSettings, TaskSettings, is_old, mailable, plan_person, task_id
from syncd.policy import Policy, decide
from syncd.ports import Newcomer, PersonPlan


class Terms(msgspec.Struct, frozen=True):
    """What planning somebody new depends on, besides the record.

    Attributes:
        policy: Without programs: what it says of somebody new depends on little else.
        assignments, starts: Source to who gets its new leads, and to the instant before which nothing is news.
        takers: Sources that take opt-outs.
    """

    run_id: str
    secret: bytes
    schema: OrgSchema
    policy: Policy
    external_id_field: str | None
    own_user_id: str
    assignments: Mapping[str, Assignment | None] = {}
    starts: Mapping[str, datetime | None] = {}
    takers: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Without the key that ids of people are made with."""
        return f"Terms(run_id={self.run_id!r})"

    def settings(self) -> PlanSettings:
        """As the planner takes them."""
        tasks = TaskSettings(self.external_id_field, self.own_user_id, lambda ref: task_id(ref, self.secret), self.starts)
        return PlanSettings(self.external_id_field, self.assignments, tasks)


class Told(NamedTuple):
    """A waiting record without its payload, as the engine tells the second process of it."""

    source: str
    stream: str
    key: str
    source_at: datetime
    position: int
    locator: str
    lane: int

    @property
    def ref(self) -> RecordRef:
        """Which record."""
        return RecordRef(self.source, self.stream, self.key)


def newcomer(
    terms: Terms,
    settings: PlanSettings,
    told: Told,
    mapping: str,
    lead: Lead,
    keys: LeadKeys,
    make_id: Callable[[], str],
    at: datetime,
) -> Newcomer | None:
    """The record made ready for the case that nobody knows it; None where that takes more than a person and a create."""
    if lead.is_fatal or lead.skipped or told.lane == Lane.REMAP:
        return None
    ref = told.ref
    found = resolve(ref, lead, keys, Facts({}, {}), terms.secret)
    record = PersonRecord(ref, lead, told.source_at, told.position, told.locator, mapping, Lane(told.lane))
    view = PersonView(found.person_id, found.state, (record,))
    if not _is_plain(found, keys) or mailable(view, terms.takers):
        return None
    decision = decide(terms.policy, view)
    plan = plan_person(view, decision, terms.schema, settings, make_id=make_id, at=at, run_id=terms.run_id)
    if not _is_create_at_most(plan):
        return None
    create = next((unassigned_if_old(one, view, terms.starts) for one in plan.operations), None)
    touch = lead.touch
    return Newcomer(
        person_id=found.person_id,
        lead=dumps(lead),
        golden=golden_text(plan.golden),
        notes=dumps(plan.notes),
        touch=dumps(touch) if touch.channel or touch.at else "",
        touched_at=touch.at,
        withdraws=OPT_OUT_FIELD in lead.opt_outs,
        stays_dirty=plan.stays_dirty,
        operation_id=create.operation_id if create else "",
        document=document_text(create) if create else "",
        operation_source=create.source if create else "",
        problems=tuple([one.reason for one in lead.problems]),
        reasons=reasons_of(plan),
    )


def create_of(ready: Newcomer, run_id: str, at: datetime) -> Operation | None:
    """The create of a newcomer as planning made it; None where nothing is to be written."""
    if not ready.operation_id:
        return None
    document = operation_document(ready.document)
    return Operation(
        operation_id=ready.operation_id,
        person_id=ready.person_id,
        object="Lead",
        sf_id="",
        kind=OperationKind.CREATE,
        fields=document.fields,
        before=document.before,
        provenance=document.provenance,
        assignment=document.assignment,
        source=ready.operation_source,
        run_id=run_id,
        planned_at=at,
    )


def unassigned_if_old(operation: Operation, view: PersonView, starts: Mapping[str, datetime | None]) -> Operation:
    """A create of somebody of whom nothing is news, or who was sent before, leaves the org's assignment rules alone (DESIGN 5.3)."""
    by_rule = operation.kind is OperationKind.CREATE and operation.assignment is not None and operation.assignment.use_rule
    if by_rule and (view.was_create_sent or is_old(view, starts)):
        return msgspec.structs.replace(operation, assignment=Assignment(use_rule=False))
    return operation


def reasons_of(plan: PersonPlan) -> tuple[str, ...]:
    """What a plan adds to the sums of a pass."""
    return tuple(set(plan.notes.values()) - {"unchanged"})


def _is_plain(found: Resolution, keys: LeadKeys) -> bool:
    """Whether somebody new takes all keys of the record, and nothing else comes of it."""
    is_whole = found.claims == keys.claims and found.evidence == keys.evidence
    return found.is_new and found.rule == "new" and is_whole and not found.org_links and found.review is None


def _is_create_at_most(plan: PersonPlan) -> bool:
    """Whether a plan says no more than a newcomer holds."""
    plain = PersonPlan(plan.person_id, plan.operations, plan.golden, plan.notes, stays_dirty=plan.stays_dirty)
    is_create = [(one.kind, one.object, one.state, one.is_guarded, one.own_id) for one in plan.operations] in (
        [],
        [(OperationKind.CREATE, "Lead", OperationState.PLANNED, False, "")],
    )
    return plan == plain and is_create
