"""Actions at sources that the policy's rules ask for: what is planned, what is owed, and how an operation holds one. Pure.

An operation of kind `action` holds in its fields: `action` (what to do), `number` (its place in the rule), `email`, `decided_at`,
`consent_at`, and under `option.NAME` and `value.NAME` the admin's options and the values that go along. Those of conversions are in
`syncd.plan.told`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from syncd.model import (
    OPEN_STATES,
    RETRACTED,
    ConversionTerms,
    Deal,
    Operation,
    OperationState,
    OrgRecord,
    PersonView,
    Provenance,
    SourceAction,
    SourceActionKind,
    Value,
)
from syncd.plan.facts import has_opted_out
from syncd.plan.feedback import Feedback
from syncd.plan.once import is_owed, occasion_id, rule_name, rule_of
from syncd.plan.proof import opted_in_at
from syncd.plan.registering import NO_PROOF, asked_at, is_registration, why_not_registered
from syncd.plan.told import Told, is_conversion
from syncd.policy import FOR_MAILING, Action, ActionKind, Enforcement, Policy, Section, Wanted

AT_SOURCES = (
    ActionKind.ENROL,
    ActionKind.TAG,
    ActionKind.TRIGGER,
    ActionKind.OPT_OUT,
    ActionKind.SEND,
    ActionKind.REGISTER,
    ActionKind.CONVERSION,
)
"""Kinds that a source carries out."""

_OPTION, _VALUE = "option.", "value."
_ON_STATUS = (Section.NURTURE, Section.RECYCLE, Section.SLA)
_OF_PERSON = ("email", "consent_at")


class ActionWrite(msgspec.Struct, frozen=True, gc=False):
    """An action to be stored; `is_postponed` if it waits for an e-mail address."""

    action_id: str
    source: str
    fields: dict[str, Value]
    provenance: dict[str, Provenance]
    is_postponed: bool = False


class SourceActions(msgspec.Struct, frozen=True, gc=False):
    """What is to be stored now, the ids of rules that are done with, and why some is not done (`action:RULE` to a word).

    `due`: until when what was told can be taken back, as dates of the person.
    """

    writes: tuple[ActionWrite, ...] = ()
    rules: tuple[str, ...] = ()
    notes: dict[str, str] = {}
    due: dict[str, datetime] = {}


class AskingSources:
    """The actions of one person."""

    def __init__(self, policy: Policy, view: PersonView, record: OrgRecord, secret: bytes, run_id: str) -> None:
        """`record` is where the person stands in the org; what failed in the run `run_id` is left for the next one."""
        self._policy = policy
        self._view = view
        self._email = str(record.row.fields.get("Email") or "")
        self._status = str(record.row.fields.get("Status") or "")
        self._secret = secret
        self._run_id = run_id
        self._tries: dict[str, list[Operation]] = {}
        self._slots: dict[tuple[str, Value], list[Operation]] = {}
        for one in view.actions:
            if is_conversion(one):
                continue
            self._tries.setdefault(one.own_id, []).append(one)
            self._slots.setdefault(slot_of(one), []).append(one)

    def actions(self, wanted: Sequence[Wanted], now: datetime) -> SourceActions:
        """What of `wanted` and of what is owed is to be stored now; each once for its occasion."""
        writes: dict[tuple[str, Value], ActionWrite] = {}
        notes: dict[str, str] = {}
        for owed in self._owed_again():
            writes[owed] = self._again(self._slots[owed][-1])
        for one in wanted:
            slot = (one.rule_id, one.number)
            is_waiting = any(each.state in OPEN_STATES for each in self._slots.get(slot, ()))
            action_id = occasion_id(self._view.person_id, one, self._secret)
            if not is_waiting and action_id not in self._tries:
                writes[slot] = self._new(action_id, one, now)
        found = []
        is_out = has_opted_out(self._view)
        for (rule_id, _), write in writes.items():
            if is_out and write.fields["action"] in FOR_MAILING:
                notes[f"action:{rule_id}"] = "opted_out"
                continue
            word = self._why_not_registered(write) if is_registration(write.fields) and not write.is_postponed else ""
            if word:
                notes[f"action:{rule_id}"] = word
                continue
            if write.is_postponed:
                notes[f"action:{rule_id}"] = "no_email"
            if not write.is_postponed or write.action_id not in self._tries:
                found.append(write)
        # Who has not asked yet may do so later: the rule is asked again.
        rules = dict.fromkeys(one.rule_id for one in wanted if notes.get(f"action:{one.rule_id}") != NO_PROOF)
        return SourceActions(tuple(found), tuple(rules), notes)

    def _why_not_registered(self, write: ActionWrite) -> str:
        options = {name.removeprefix(_OPTION): str(text) for name, text in write.fields.items() if name.startswith(_OPTION)}
        return why_not_registered(self._view, write.source, self._email, options, write.action_id)

    def _owed_again(self) -> list[tuple[str, Value]]:
        """Places in rules whose action never got to its source; of each the newest occasion only."""
        refused = {one.operation_id for one in self._view.refused_operations}
        found = []
        for slot, operations in self._slots.items():
            last = operations[-1]
            rule, is_final = self._policy.rule(slot[0]), bool(last.code) and last.state is OperationState.SUPERSEDED
            if rule is None or is_final or not is_owed(self._tries[last.own_id], refused, self._run_id):
                continue
            is_past = rule.section in _ON_STATUS and bool(rule.from_statuses) and self._status not in rule.from_statuses
            if not is_past and stated_action(self._policy, last) is not None:
                found.append(slot)
        return found

    def _again(self, last: Operation) -> ActionWrite:
        action = stated_action(self._policy, last)
        options = dict(action.options) if action is not None else {}
        kept = {name: value for name, value in last.fields.items() if not name.startswith(_OPTION) and name not in _OF_PERSON}
        return self._write(last.own_id, last.source, kept, options, next(iter(last.provenance.values())))

    def _new(self, action_id: str, one: Wanted, now: datetime) -> ActionWrite:
        fields: dict[str, Value] = {
            "action": str(one.kind),
            "number": one.number,
            "decided_at": now.isoformat(),
            **{f"{_VALUE}{name}": value for name, value in one.values.items()},
        }
        why = Provenance(line=one.line, rule=rule_name(self._policy, one.rule_id))
        return self._write(action_id, one.source, fields, one.options, why)

    def _write(
        self, action_id: str, source: str, fields: dict[str, Value], options: Mapping[str, str], why: Provenance
    ) -> ActionWrite:
        """With the person as they are now; nothing but a message can do without an address."""
        if self._email:
            fields["email"] = self._email
        if fields["action"] == ActionKind.ENROL and options.get("status") == "subscribed":
            proof = opted_in_at(self._view, options.get("audience", ""))
            if proof is not None:
                fields["consent_at"] = proof.isoformat()
        if is_registration(fields):
            asked = asked_at(self._view, source, self._email, options)
            if asked is not None:
                fields["consent_at"] = asked.isoformat()
        is_postponed = not self._email and fields["action"] != ActionKind.SEND
        return action_write(action_id, source, fields, options, why, is_postponed=is_postponed)


def ask_sources(
    policy: Policy,
    actions: Sequence[Wanted],
    view: PersonView,
    record: OrgRecord | None,
    secret: bytes,
    now: datetime,
    run_id: str,
    *,
    may_act: bool,
    deals: Sequence[Deal] = (),
    won: Mapping[str, Deal] = {},
    terms: Mapping[str, ConversionTerms] = {},
) -> SourceActions:
    """The actions at sources among `actions`, and those that are owed; none where sources may not be asked (a sandbox org).

    Of somebody without a living `record` only what was told is taken back. `deals` are the person's opportunities, `won` those that a
    platform was told of as won, by id, and `terms` what sources that take conversions ask for, by source.
    """
    wanted = [one for one in actions if one.kind in AT_SOURCES]
    if not wanted and not view.actions:
        return SourceActions()
    if not may_act:
        return SourceActions(notes={f"action:{one.rule_id}": "sandbox_org" for one in wanted})
    to_do = [one for one in wanted if one.kind is not ActionKind.CONVERSION]
    asked = SourceActions()
    if record is not None:
        asked = AskingSources(policy, view, record, secret, run_id).actions(to_do, now)
    to_tell = [one for one in wanted if one.kind is ActionKind.CONVERSION]
    if not to_tell and not any(is_conversion(one) for one in view.actions):
        return asked
    feedback = Feedback(policy, view, record, deals, won, terms)
    told, reasons = feedback.told(to_tell, secret, now, run_id)
    writes = [write for one in told.values() if (write := _told_write(policy, one, now)) is not None]
    # A rule whose conversion cannot be told yet (no consent, nobody to match) is asked again.
    rules = [one.rule_id for one in to_tell if one.deal is None and one.rule_id not in reasons]
    rules += [one.wanted.rule_id for one in told.values() if one.wanted is not None]
    return SourceActions(
        (*asked.writes, *writes),
        tuple(dict.fromkeys((*asked.rules, *rules))),
        asked.notes | {f"action:{rule_id}": word for rule_id, word in reasons.items()},
        feedback.dates(told, now),
    )


def _told_write(policy: Policy, told: Told, now: datetime) -> ActionWrite | None:
    """A conversion as it is stored; None if its rule tells it no longer. What is taken back needs no rule, and keeps its options."""
    fields: dict[str, Value] = {"action": str(ActionKind.CONVERSION)}
    if told.wanted is not None:
        source, why = told.wanted.source, Provenance(line=told.wanted.line, rule=rule_name(policy, told.wanted.rule_id))
        fields |= {"number": told.wanted.number, "decided_at": now.isoformat()}
        options: Mapping[str, str] = told.wanted.options
    else:
        assert told.again is not None  # noqa: S101 - one of the two is there
        is_reversal = told.values["event"] == RETRACTED
        stated = stated_action(policy, told.again)
        if stated is None and not is_reversal:
            return None
        source, why = told.again.source, next(iter(told.again.provenance.values()))
        fields |= {"number": told.again.fields["number"], "decided_at": told.again.fields["decided_at"]}
        kept = {name.removeprefix(_OPTION): str(text) for name, text in told.again.fields.items() if name.startswith(_OPTION)}
        options = kept if is_reversal or stated is None else stated.options
    fields |= {f"{_OPTION}{name}": text for name, text in options.items()}
    fields |= {f"{_VALUE}{name}": value for name, value in told.values.items()}
    if told.email:
        fields["email"] = told.email
    if told.consent_at is not None:
        fields["consent_at"] = told.consent_at.isoformat()
    return ActionWrite(told.action_id, source, fields, dict.fromkeys(fields, why))


def action_write(
    action_id: str,
    source: str,
    fields: dict[str, Value],
    options: Mapping[str, str],
    why: Provenance,
    *,
    is_postponed: bool = False,
) -> ActionWrite:
    """An action as `action_of` reads it back."""
    fields = fields | {f"{_OPTION}{name}": text for name, text in options.items()}
    return ActionWrite(action_id, source, fields, dict.fromkeys(fields, why), is_postponed)


def slot_of(operation: Operation) -> tuple[str, Value]:
    """The rule behind an action, and its place in it."""
    return rule_of(operation.provenance), operation.fields.get("number")


def stated_action(policy: Policy, operation: Operation) -> Action | None:
    """The action as the policy states it now; None if it does so no longer, or only watches."""
    rule_id, number = slot_of(operation)
    rule = policy.rule(rule_id)
    if rule is None or rule.enforcement is not Enforcement.ENFORCE or not isinstance(number, int) or number >= len(rule.actions):
        return None
    found = rule.actions[number]
    return found if (str(found.kind), found.source) == (operation.fields.get("action"), operation.source) else None


def action_of(operation: Operation) -> SourceAction:
    """What the source is asked for."""
    fields = operation.fields
    consent_at = fields.get("consent_at")
    return SourceAction(
        action_id=operation.own_id,
        kind=SourceActionKind(str(fields["action"])),
        email=str(fields.get("email") or ""),
        options={name.removeprefix(_OPTION): str(value) for name, value in fields.items() if name.startswith(_OPTION)},
        decided_at=datetime.fromisoformat(str(fields["decided_at"])),
        fields={name.removeprefix(_VALUE): value for name, value in fields.items() if name.startswith(_VALUE)},
        consent_at=datetime.fromisoformat(str(consent_at)) if consent_at else None,
    )
