"""From a person and a decision to the shortest list of writes. Pure; one plan per person (DESIGN 5.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from syncd.model import (
    Assignment,
    Operation,
    OperationKind,
    OperationState,
    OrgRecord,
    OrgSchema,
    PersonRecord,
    PersonState,
    PersonView,
    Provenance,
    Value,
)
from syncd.plan.consent import ConsentWrite, consent_writes, is_withdrawn
from syncd.plan.deletions import kept_opt_outs, last_expired
from syncd.plan.facts import standing_record
from syncd.plan.fields import diff, fitting
from syncd.plan.observed import kept_notes
from syncd.plan.once import rule_of
from syncd.plan.opt_outs import OPT_OUT, OptOutSettings, copies
from syncd.plan.source_actions import ActionWrite
from syncd.plan.standards import ASKED, CONVERT, Carried
from syncd.plan.survivorship import Golden, golden, provenance_of
from syncd.plan.tasks import TASK, TaskSettings, TaskWrite, owed_tasks, wish_for_tasks
from syncd.policy import Decision
from syncd.ports import DeadLetter, GoldenValue, PersonPlan, Review

_BY_RULE = Assignment()
_REFUSED_BEFORE = "refused_before"


class PlanSettings(msgspec.Struct, frozen=True, gc=False):
    """What planning needs of the configuration. `assignments`: source name to who gets its new leads."""

    external_id_field: str | None = "Syncd_Id__c"
    assignments: Mapping[str, Assignment | None] = {}
    tasks: TaskSettings = TaskSettings()


def plan_person(
    view: PersonView,
    decision: Decision,
    schema: OrgSchema,
    settings: PlanSettings,
    *,
    make_id: Callable[[], str],
    at: datetime,
    run_id: str,
    carry_out: Callable[[OrgRecord | None], Carried] | None = None,
    opt_outs: OptOutSettings | None = None,
) -> PersonPlan:
    """Plan one person; empty operations when nothing is to be written.

    Consent comes first and alone: while a consent write is planned for a record, its other fields wait for the next plan. What the
    company's standards want comes last: `carry_out` is asked once nothing else is to be written to the record; None without programs.
    An opt-out travels to the sources besides, where `opt_outs` names any.
    """
    return _Planner(view, decision, schema, settings, make_id, at, run_id, carry_out, opt_outs).plan()


class _Planner:
    def __init__(
        self,
        view: PersonView,
        decision: Decision,
        schema: OrgSchema,
        settings: PlanSettings,
        make_id: Callable[[], str],
        at: datetime,
        run_id: str,
        carry_out: Callable[[OrgRecord | None], Carried] | None,
        opt_outs: OptOutSettings | None,
    ) -> None:
        self._carry_out = carry_out
        self._opt_outs = opt_outs
        self._carried: Carried | None = None
        self._view = view
        self._decision = decision
        self._schema = schema
        self._settings = settings
        self._make_id = make_id
        self._at = at
        self._run_id = run_id
        self._golden: Golden = golden(view.records)
        self._notes: dict[str, str] = {}
        self._operations: list[Operation] = []
        self._bases: list[tuple[str, str, dict[str, Value]]] = []
        self._dead_letter: DeadLetter | None = None
        self._review: Review | None = None
        self._open = {operation.target for operation in view.open_operations}

    def plan(self) -> PersonPlan:
        busy = self._plan_consent()
        stays_dirty = self._plan_copies() or bool(busy)
        if self._view.state is PersonState.ACTIVE:
            target = self._target()
            if target is not None:
                if ("Lead", target.row.sf_id) not in busy:
                    self._plan_update(target)
            elif not self._is_elsewhere():
                self._plan_create()
            stays_dirty = self._plan_tasks() or stays_dirty
            stays_dirty = self._plan_standards() or stays_dirty
        elif self._view.state is PersonState.REVIEW:
            self._notes["person"] = "waits_for_review"
        if self._carry_out is not None and self._carried is None:
            # What was asked before is not asked once more.
            self._notes.update(kept_notes(self._view.notes, CONVERT))
        return PersonPlan(
            person_id=self._view.person_id,
            operations=tuple(self._operations),
            golden=self._document(),
            notes=self._notes,
            bases=tuple(self._bases),
            stays_dirty=stays_dirty,
            dead_letter=self._dead_letter,
            review=self._review,
            settled=self._settled(),
            asked_again=("conversion",) if self._notes.get(CONVERT) == _REFUSED_BEFORE else (),
            decisions=self._carried.decisions if self._carried is not None else (),
            due=self._carried.due if self._carried is not None else None,
            marks=self._view.marks,
        )

    def _settled(self) -> tuple[str, ...]:
        """Kinds of questions of the policy that stand no longer: the lead is not to be converted any more, is gone, or another is asked."""
        if self._carry_out is not None and self._carried is None:
            return ()  # it was not asked this time
        asked, note = self._view.notes.get(CONVERT, ""), self._notes.get(CONVERT, "")
        was_refused = any(one.kind is OperationKind.CONVERT and rule_of(one.provenance) for one in self._view.refused_operations)
        is_over = (asked.startswith(ASKED) and note != asked) or (was_refused and note != _REFUSED_BEFORE)
        return ("conversion",) if is_over else ()

    def _plan_standards(self) -> bool:
        """What the policy wants of the record; gives whether it has to wait until what is under way is over."""
        if self._carry_out is None:
            return False
        record = standing_record(self._view.org_records)
        if any(not one.is_beside for one in (*self._operations, *self._view.open_operations)):
            if record is None:
                # A lead on its way to the org: looked at as soon as it is there.
                self._carried = Carried(due={"": self._at})
                return False
            return True
        self._carried = carried = self._carry_out(record)
        self._notes.update(carried.notes)
        if record is not None and carried.fields:
            row = record.row
            operation = self._operation(
                OperationKind.STATUS,
                row.object,
                row.sf_id,
                carried.fields,
                carried.before,
                carried.why,
                is_guarded=carried.is_backward,
            )
            before = len(self._operations)
            self._add(operation)
            if len(self._operations) > before:
                # What comes on entering the status is asked for as soon as it is there.
                self._carried = msgspec.structs.replace(carried, due={**carried.due, "": self._at})
        self._add_tasks(carried.tasks)
        self._add_tasks(carried.postponed, OperationState.SUPERSEDED)
        self._add_actions(carried.actions)
        for one in carried.writes:
            operation = self._operation(
                one.kind, one.object, one.sf_id, one.fields, one.before, one.provenance, is_guarded=one.is_guarded
            )
            self._add(msgspec.structs.replace(operation, own_id=one.own_id, attempt=one.attempt))
        self._review = self._review or carried.review
        return carried.waits

    def _document(self) -> dict[str, GoldenValue]:
        document = {name: GoldenValue(one.value, one.provenance, one.is_default) for name, one in self._golden.fields.items()}
        for name, one in self._golden.consent.items():
            withdrawn = is_withdrawn(one, allow_clear=self._decision.allow_clear)
            document[name] = GoldenValue(withdrawn, one.withdrawn_by)
        return document

    def _target(self) -> OrgRecord | None:
        """The Lead that is written: living, not converted, the survivor; of several the first by id, always the same one."""
        if not self._view.org_records:
            return None
        living = [
            record
            for record in self._view.org_records
            if record.row.object == "Lead" and not record.row.is_deleted and not record.row.is_converted
        ]
        return min(living, key=lambda record: (not record.is_survivor, record.row.sf_id), default=None)

    def _is_elsewhere(self) -> bool:
        """Whether the person is in the org as a Contact (or converted), or was deleted there; notes the reason."""
        if not self._view.org_records:
            return False
        living = [record for record in self._view.org_records if not record.row.is_deleted]
        if living:
            # Of what the sources say nothing but consent is written to Contacts.
            self._notes["person"] = "person_is_contact"
            return True
        deleted = [record for record in self._view.org_records if record.row.is_deleted]
        if not deleted:
            return False
        newest = max(deleted, key=lambda record: record.row.stamp)
        is_newer = self._golden.newest_at is not None and self._golden.newest_at > newest.row.stamp
        is_expired = last_expired(self._view) is not None
        if self._decision.is_wanted_again if is_expired else newest.deleted_by_us and is_newer:
            return False
        if newest.deleted_by_us and not is_expired:
            self._notes["create"] = "undone"
        elif not is_newer or self._decision.on_deleted == "skip":
            self._notes["create"] = "deleted_after_retention" if is_expired else "deleted_by_person"
        elif self._decision.on_deleted == "create":
            return False
        else:
            self._notes["create"] = "ask_on_deleted"
            by = "syncd deleted this lead after retention" if is_expired else "Somebody deleted this lead in Salesforce"
            reason = f"{by} ({newest.row.sf_id}); a source has sent it again since."
            self._review = Review("on_deleted", self._view.person_id, (), reason, run_id=self._run_id, at=self._at)
        return True

    def _plan_consent(self) -> set[tuple[str, str]]:
        """Consent operations; gives the records that must wait for them."""
        writes, notes = consent_writes(self._view, self._golden.consent, self._schema, allow_clear=self._decision.allow_clear)
        self._notes.update(notes)
        busy: set[tuple[str, str]] = set()
        for write in writes:
            row = write.record.row
            operation = self._consent_operation(write)
            if operation.target in self._open:
                busy.add((row.object, row.sf_id))
            elif self._was_refused(operation):
                self._notes["consent"] = _REFUSED_BEFORE
            else:
                self._operations.append(operation)
                busy.add((row.object, row.sf_id))
        return busy

    def _plan_copies(self) -> bool:
        """An opt-out that travels to the sources; gives whether they must be asked first what ends the mail there."""
        if self._opt_outs is None or not self._opt_outs.sources:
            return False
        found = copies(self._view, self._opt_outs, self._at, self._run_id)
        if found.word:
            self._notes[OPT_OUT] = found.word
        self._add_actions(found.writes, is_guarded=found.is_guarded)
        return found.waits

    def _consent_operation(self, write: ConsentWrite) -> Operation:
        row = write.record.row
        return self._operation(
            OperationKind.CONSENT,
            row.object,
            row.sf_id,
            write.fields,
            {name: row.fields.get(name) for name in write.fields},
            write.provenance,
            is_guarded=True,
        )

    def _plan_update(self, target: OrgRecord) -> None:
        lead = self._schema.objects["Lead"]
        found = diff(self._golden.fields, target, lead, self._view.holds)
        self._notes.update(found.notes)
        if found.adopted:
            self._bases.append(("Lead", target.row.sf_id, found.adopted))
        if not found.writes:
            return
        operation = self._operation(
            OperationKind.UPDATE,
            "Lead",
            target.row.sf_id,
            found.writes,
            {name: target.row.fields.get(name) for name in found.writes},
            {name: self._golden.fields[name].provenance for name in found.writes},
            is_guarded=any(value is None for value in found.writes.values()),
        )
        self._add(operation)

    def _plan_create(self) -> None:
        if not self._golden.may_create:
            self._notes["create"] = "source_may_not_create"
            return
        if all(one.is_default for one in self._golden.fields.values()):
            # Known only through an opt-out (or through nothing but defaults): stored, never created.
            self._notes["create"] = "nothing_but_consent"
            return
        if self._settings.external_id_field is None:
            self._notes["create"] = "no_external_id_field"
            return
        lead = self._schema.objects["Lead"]
        fields: dict[str, Value] = {}
        why: dict[str, Provenance] = {}
        for name, one in self._golden.fields.items():
            described = lead.fields.get(name)
            value, note = fitting(one.value, described)
            if described is None or not described.is_createable or note == "not_in_picklist":
                self._notes[name] = note or "field_not_writable"
            elif value is not None:
                fields[name], why[name] = value, one.provenance
        self._add_decided(fields, why)
        missing = [name for name in lead.required if fields.get(name) in (None, "")]
        if missing:
            self._notes["create"] = "missing_required"
            self._dead_letter = self._incomplete(sorted(missing))
            return
        source = _oldest(self._view.records).ref.source
        assignment = self._settings.assignments.get(source, _BY_RULE)
        if assignment is not None and assignment.owner_id:
            fields["OwnerId"] = assignment.owner_id
        operation = self._operation(OperationKind.CREATE, "Lead", "", fields, {}, why, assignment=assignment, source=source)
        self._add(operation)

    def _plan_tasks(self) -> bool:
        """What the owner is asked to do; gives whether some of it has to wait for what is under way."""
        owed = owed_tasks(self._view, self._settings.tasks)
        if not owed:
            return False
        is_moving = bool(self._operations) or any(not one.is_beside for one in self._view.open_operations)
        wish = wish_for_tasks(self._view, owed, self._schema, self._settings.tasks, is_moving=is_moving, run_id=self._run_id)
        if wish.note:
            self._notes["task"] = wish.note
        self._add_tasks(wish.writes)
        return wish.waits

    def _add_tasks(self, writes: Iterable[TaskWrite], state: OperationState = OperationState.PLANNED) -> None:
        for one in writes:
            operation = self._operation(OperationKind.TASK, TASK, "", one.fields, {}, one.provenance)
            self._operations.append(msgspec.structs.replace(operation, own_id=one.external_id, attempt=one.attempt, state=state))

    def _add_actions(self, writes: Iterable[ActionWrite], *, is_guarded: bool = False) -> None:
        for one in writes:
            operation = self._operation(
                OperationKind.ACTION, f"source:{one.source}", "", one.fields, {}, one.provenance, is_guarded=is_guarded
            )
            state = OperationState.SUPERSEDED if one.is_postponed else OperationState.PLANNED
            self._operations.append(msgspec.structs.replace(operation, own_id=one.action_id, source=one.source, state=state))

    def _incomplete(self, missing: list[str]) -> DeadLetter:
        """A lead that Salesforce would refuse for want of a field: set aside before any call."""
        newest = max(self._view.records, key=lambda record: (record.source_at, record.position, record.ref))
        return DeadLetter(
            kind="operation",
            stage="plan",
            reason="missing_required",
            message=f"A new Lead needs {', '.join(missing)}, and no source states it. Give the mapping a default: for it.",
            source=newest.ref.source,
            stream=newest.ref.stream,
            key=newest.ref.key,
            locator=newest.locator,
            person_id=self._view.person_id,
            run_id=self._run_id,
            at=self._at,
        )

    def _add_decided(self, fields: dict[str, Value], why: dict[str, Provenance]) -> None:
        """Status from the policy, and withdrawn consent, belong to the first write."""
        if self._decision.status_on_create and "Status" not in fields:
            fields["Status"] = self._decision.status_on_create
            why["Status"] = Provenance(rule=self._decision.rule)
        described = self._schema.objects["Lead"].fields
        for name, one in self._golden.consent.items():
            if is_withdrawn(one, allow_clear=self._decision.allow_clear) and name in described and described[name].is_createable:
                fields[name], why[name] = True, one.withdrawn_by
        for name, reason in kept_opt_outs(self._view).items():
            if name in described and described[name].is_createable and fields.get(name) is not True:
                fields[name], why[name] = True, reason

    def _operation(
        self,
        kind: OperationKind,
        object: str,
        sf_id: str,
        fields: dict[str, Value],
        before: dict[str, Value],
        why: dict[str, Provenance],
        *,
        is_guarded: bool = False,
        assignment: Assignment | None = None,
        source: str = "",
    ) -> Operation:
        return Operation(
            operation_id=self._make_id(),
            person_id=self._view.person_id,
            object=object,
            sf_id=sf_id,
            kind=kind,
            fields=fields,
            before=before,
            provenance=why,
            is_guarded=is_guarded,
            source=source or next((one.source for one in why.values() if one.source), ""),
            assignment=assignment,
            run_id=self._run_id,
            planned_at=self._at,
        )

    def _add(self, operation: Operation) -> None:
        if self._open and operation.target in self._open:
            self._notes["person"] = "waits_for_open_operation"
        elif self._was_refused(operation):
            self._notes[CONVERT if operation.kind is OperationKind.CONVERT else "person"] = _REFUSED_BEFORE
        else:
            self._operations.append(operation)

    def _was_refused(self, operation: Operation) -> bool:
        """The same write was refused and nobody has replayed it: it is not tried again by itself."""
        if not self._view.refused_operations:
            return False
        return any(
            one.target == operation.target and one.kind is operation.kind and one.fields == operation.fields
            for one in self._view.refused_operations
        )


def _oldest(records: Sequence[PersonRecord]) -> PersonRecord:
    if len(records) == 1:
        return records[0]
    return min(records, key=lambda record: (record.source_at, record.position, record.ref))


__all__ = ["PlanSettings", "plan_person", "provenance_of"]
