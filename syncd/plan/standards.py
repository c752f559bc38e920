"""From a verdict of the policy to writes: the status with what goes along, actions, and when to look again. Pure.

A move of the status is one write with everything that belongs to it (reason, next action, flag, owner). It is decided anew until the
org shows it, so a write that never left loses nothing. Tasks and actions at sources have an id of their own, made of person, rule and
occasion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from syncd.model import ConversionTerms, Deal, OperationKind, OrgRecord, OrgSchema, PersonView, Provenance, Value
from syncd.plan.canonical import same
from syncd.plan.field_actions import field_actions, kept_of_old
from syncd.plan.fields import fitting
from syncd.plan.observed import observed_decisions, observed_notes
from syncd.plan.once import PUBLISHED, rule_name
from syncd.plan.policy_tasks import Asking
from syncd.plan.source_actions import ActionWrite, ask_sources
from syncd.plan.tasks import TASK, TaskWrite
from syncd.policy import Policy, Section, Verdict
from syncd.ports import DecisionRow, Review

CONVERT = "convert"
"""Where the notes of a plan tell why somebody is not converted."""
ASKED = "ask_"
"""With what that note begins when a person is asked how; the code of the question follows."""


class StandardsSettings(msgspec.Struct, frozen=True, gc=False):
    """What carrying out needs of the org and the configuration.

    Attributes:
        external_id_field: Where a task's own id stands; None if nothing may be created.
        own_user_id: The integration user, whose tasks nobody sees.
        owners: `queue:NAME` or `user:NAME` to its id.
        active: Ids of users that are active, of those that were asked for.
        secret: Behind the external ids.
        is_published: Whether people can read the policy: then leads that stand in a status say what comes next, too.
        conversions: What sources that take conversions ask for, by source.
        may_act: Whether sources may be asked to do anything; not from a sandbox org, unless the configuration says so.
    """

    external_id_field: str | None = None
    own_user_id: str = ""
    owners: Mapping[str, str] = {}
    active: frozenset[str] = frozenset()
    secret: bytes = b""
    conversions: Mapping[str, ConversionTerms] = {}
    may_act: bool = True
    is_published: bool = False


class PolicyWrite(msgspec.Struct, frozen=True, gc=False):
    """One write of its own that a policy asks for; the attributes are those of `syncd.model.Operation`."""

    kind: OperationKind
    object: str
    sf_id: str
    fields: dict[str, Value]
    before: dict[str, Value]
    provenance: dict[str, Provenance]
    is_guarded: bool = False
    own_id: str = ""
    attempt: int = 0


class Carried(msgspec.Struct, frozen=True, gc=False):
    """What of a verdict is written now.

    Attributes:
        fields: Of the record, all in one write; empty for none. `before` holds what the org has.
        is_backward: Whether the guard must count it.
        writes: Conversions, and what goes with them.
        review: A question that must be answered first. `waits`: more comes of it once what is under way is over.
        postponed: Tasks that nobody can be given yet; kept, and made once the record has a user as its owner.
        actions: At sources; those that are postponed are kept until there is an e-mail address.
        due: Dates of the person, as in PersonPlan; once `fields` are on their way, "" is at once.
        notes: Reason words for `lead show`.
    """

    fields: dict[str, Value] = {}
    before: dict[str, Value] = {}
    why: dict[str, Provenance] = {}
    is_backward: bool = False
    tasks: tuple[TaskWrite, ...] = ()
    postponed: tuple[TaskWrite, ...] = ()
    actions: tuple[ActionWrite, ...] = ()
    writes: tuple[PolicyWrite, ...] = ()
    review: Review | None = None
    waits: bool = False
    decisions: tuple[DecisionRow, ...] = ()
    due: dict[str, datetime] = {}
    notes: dict[str, str] = {}


def carry(
    policy: Policy,
    verdict: Verdict,
    view: PersonView,
    record: OrgRecord,
    schema: OrgSchema,
    settings: StandardsSettings,
    waiting: Mapping[str, datetime],
    now: datetime,
    run_id: str,
    *,
    account_owner: str = "",
    deals: Sequence[Deal] = (),
    won: Mapping[str, Deal] = {},
    is_old: bool = False,
) -> Carried:
    """Turn the verdict about the person whose standing `record` is into writes.

    `waiting` are hold periods that run, `deals` the person's opportunities, `won` those that a platform was told of as won.
    `account_owner` is the active user who owns the account, "" without one. Of somebody `is_old` nothing is news: they get no tasks,
    no actions at sources and no escalation (DESIGN 5.3).
    """
    notes: dict[str, str] = {}

    def owner_of(wanted: str) -> str:
        return account_owner if wanted == "account" else _owner_id(wanted, policy, view, record, settings)

    fields = _written(policy, verdict, view, record, schema, owner_of, notes)
    behind = verdict.rule_id
    if not behind and settings.is_published:
        fields, behind = _published(policy, verdict, view, record, schema), PUBLISHED
    # What goes with a move comes with it or not at all.
    actions = [one for one in verdict.actions if fields or one.rule_id != verdict.rule_id]
    if is_old:
        actions = kept_of_old(policy, actions, notes)
    on_record = field_actions(policy, actions, view, record, schema.objects[record.row.object], owner_of)
    notes.update(on_record.notes)
    # The move goes before: what it writes is not written otherwise in the same breath.
    why = on_record.why | dict.fromkeys(fields, Provenance(rule=rule_name(policy, behind)))
    is_moving = bool(fields)
    fields = on_record.fields | fields
    owner_id = str(fields.get("OwnerId") or record.row.owner_id)
    asked = Asking(policy, view, schema.objects.get(TASK), settings.external_id_field, settings.secret, run_id)
    tasks = asked.tasks(actions, _who(record), "" if owner_id == settings.own_user_id else owner_id, now)
    if tasks.note:
        notes["task"] = tasks.note
    at_sources = ask_sources(
        policy,
        actions,
        view,
        record,
        settings.secret,
        now,
        run_id,
        may_act=settings.may_act,
        deals=deals,
        won=won,
        terms=settings.conversions,
    )
    notes.update(at_sources.notes)
    # The hold period of a move stays until the org shows the move: one that never left must not wait all over again.
    over = set(verdict.stops) - ({verdict.rule_id} if is_moving else set())
    over |= {one.rule_id for one in policy.rules if one.section is Section.DELETE}
    due = (
        {rule_id: at for rule_id, at in waiting.items() if rule_id not in over} | verdict.starts | verdict.keeps | at_sources.due
    )
    if verdict.look_at is not None:
        due[""] = verdict.look_at
    notes |= observed_notes(verdict)
    fired = {*tasks.rules, *at_sources.rules, *on_record.done, *_put_away(verdict, record, owner_of)} - on_record.unfinished
    decisions = [decision_of(policy, verdict, rule_id) for rule_id in sorted(fired)]
    decisions += observed_decisions(policy, verdict, view.notes, _version(policy))
    return Carried(
        fields=fields,
        before={name: record.row.owner_id if name == "OwnerId" else record.row.fields.get(name) for name in fields},
        why=why,
        is_backward=verdict.is_backward and is_moving,
        tasks=tasks.writes,
        postponed=tasks.postponed,
        actions=at_sources.writes,
        decisions=tuple(decisions),
        due=due,
        notes=notes,
    )


def _who(record: OrgRecord) -> str:
    """Whom a task is about: of a converted lead its contact."""
    return record.row.contact_id if record.row.is_converted and record.row.contact_id else record.row.sf_id


def _put_away(verdict: Verdict, record: OrgRecord, owner_of: Callable[[str], str]) -> tuple[str, ...]:
    """The rule that archived by an owner alone, once the org shows it: nothing but its having fired says so afterwards."""
    means = verdict.means
    if means is None or verdict.is_unarchived or means.status or means.flag or not means.owner:
        return ()
    return (verdict.rule_id,) if owner_of(means.owner) == record.row.owner_id else ()


def _written(
    policy: Policy,
    verdict: Verdict,
    view: PersonView,
    record: OrgRecord,
    schema: OrgSchema,
    owner_of: Callable[[str], str],
    notes: dict[str, str],
) -> dict[str, Value]:
    """The fields of the move as they are written; empty when there is none, or half of it could not be done."""
    if _put_away(verdict, record, owner_of):
        return {}
    wanted = verdict.owner or (verdict.means.owner if verdict.means and not verdict.is_unarchived else "")
    owner_id = owner_of(wanted)
    if ":" in wanted and not owner_id:
        notes["OwnerId"] = "owner_not_in_org"
        return {}
    if verdict.to_status and verdict.to_status not in schema.lead_statuses:
        notes["Status"] = "status_not_in_org"
        return {}
    fields = _writable(_moved(policy, verdict, record, owner_id), record, view, schema, notes)
    # Without the status nothing that goes with it makes sense: it is held by an undo, or may not be written.
    return {} if verdict.to_status and "Status" not in fields else fields


def _published(policy: Policy, verdict: Verdict, view: PersonView, record: OrgRecord, schema: OrgSchema) -> dict[str, Value]:
    """What a published policy says of the status in which a lead stands, once for each version: a rep may change it afterwards."""
    row, names = record.row, policy.fields
    is_open = row.object == "Lead" and not row.is_converted and bool(verdict.program and verdict.from_status)
    is_held = any(one.blocked == "held" for one in verdict.asked)
    if not names.policy or not is_open or is_held or row.fields.get(names.policy) == _version(policy):
        return {}
    wanted: dict[str, Value] = {names.policy: _version(policy)}
    if names.next_action:
        wanted[names.next_action] = verdict.next_action or None
    fields = _writable(wanted, record, view, schema, {})
    # Without the version nobody could tell that it was done.
    return fields if names.policy in fields else {}


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
        names.policy: _version(policy),
        names.score: verdict.score,
    }
    found.update({name: value for name, value in named.items() if name})
    return found


def _version(policy: Policy) -> str:
    """How a lead and the log name the policy."""
    return f"{policy.name} {policy.digest[:8]}".strip()


def _owner_id(wanted: str, policy: Policy, view: PersonView, record: OrgRecord, settings: StandardsSettings) -> str:
    """The id of the owner a rule asks for; "" when it stays, or when the one from before is gone.

    Of a contact, whom nobody archives, the one from before is what the lead kept that became it.
    """
    if wanted == "previous":
        fields = dict.fromkeys(
            one.means.previous_owner_field for one in policy.rules if one.means and one.means.previous_owner_field
        )
        rows = [record.row]
        if record.row.object == "Contact":
            rows += [one.row for one in view.org_records if one.row.is_converted]
        before = next((str(value) for row in rows for name in fields if (value := row.fields.get(name))), "")
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


def decision_of(policy: Policy, verdict: Verdict, rule_id: str) -> DecisionRow:
    """What the log keeps of a rule that was carried out."""
    rule = policy.rule(rule_id)
    return DecisionRow(
        rule_id,
        str(rule.section) if rule is not None else "",
        "fired",
        policy=_version(policy),
        from_status=verdict.from_status,
        to_status=verdict.to_status,
        document={
            "reason": rule.reason if rule is not None else "",
            "score": verdict.score,
            "criteria": {one.name: one.value for one in verdict.criteria},
            "actions": sorted({str(one.kind) for one in verdict.actions if one.rule_id == rule_id}),
        },
    )


__all__ = ["ASKED", "CONVERT", "Carried", "PolicyWrite", "StandardsSettings", "carry", "decision_of"]
