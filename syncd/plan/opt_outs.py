"""Opt-outs that travel back: what sources are asked for once somebody has opted out of e-mail elsewhere. Pure.

A copy is an action like those of a policy, with no rule behind it: its provenance is the withdrawal, its field `withdrawn_at` the instant
of the newest one that it is for. A place is an address at a source with the options that end its mail: each is asked once for each
withdrawal. Our own copy, coming back as a record that has opted out, is no withdrawal; nor is what syncd itself wrote to the org
because of one, unless nothing else is left of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

import msgspec

from syncd.model import (
    OPEN_STATES,
    OPT_OUT_FIELD,
    MailStop,
    Operation,
    OperationKind,
    OperationState,
    OptOutHold,
    OrgRecord,
    PersonRecord,
    PersonState,
    PersonView,
    Provenance,
    RecordRef,
    SourceActionKind,
    Value,
)
from syncd.plan.consent import is_withdrawn
from syncd.plan.facts import expired_ids, has_opted_out
from syncd.plan.once import is_owed, rule_of
from syncd.plan.own_echo import SETTLE, own_echoes
from syncd.plan.proof import explicit_opt_in
from syncd.plan.source_actions import ActionWrite, action_of, action_write
from syncd.plan.survivorship import golden, provenance_of

OPT_OUT = "opt_out"
"""Where the notes of a plan tell why an opt-out does not travel."""
OPTED_IN_AGAIN, STORM, NOT_COPIED = "opted_in_again", "opt_out_storm", "opt_out_not_copied"
_WITHDRAWN_AT = "withdrawn_at"
_HELD = {OptOutHold.HELD.value: STORM, OptOutHold.KEPT.value: NOT_COPIED}
_CONVERSION = timedelta(minutes=5)
"""So long after a conversion the contact that it made may still come to be in the mirror for the first time."""
_PLANNED_STATES = (PersonState.ACTIVE, PersonState.REVIEW)

Place = tuple[str, str, tuple[tuple[str, str], ...]]
"""Source, address, options."""


class OptOutSettings(msgspec.Struct, frozen=True, gc=False):
    """What copying needs of the configuration and the sources.

    Attributes:
        sources: Names of those that take opt-outs.
        stops: Of the records at these sources that somebody has asked about: what ends their mail.
        own_user_id: Who syncd is in the org.
        secret: Behind the ids of copies.
        allow_clear: Whether a newer explicit opt-in beats a withdrawal.
        may_act: Whether sources may be asked for anything at all: not from a sandbox org.
    """

    sources: AbstractSet[str] = frozenset()
    stops: Mapping[RecordRef, Sequence[MailStop]] = {}
    own_user_id: str = ""
    secret: bytes = b""
    allow_clear: bool = False
    may_act: bool = True


class Copies(msgspec.Struct, frozen=True, gc=False):
    """What is to be asked for now, and the word for why some is not. `waits`: nobody has looked at the person's records yet."""

    writes: tuple[ActionWrite, ...] = ()
    word: str = ""
    waits: bool = False
    is_guarded: bool = True


class Withdrawal(msgspec.Struct, frozen=True, gc=False):
    """One that is in force: since when, why, and whether a person has agreed that it travels."""

    at: datetime
    why: Provenance
    is_let: bool = False


def mailable(view: PersonView, sources: AbstractSet[str]) -> list[PersonRecord]:
    """Records of somebody who has opted out that may still bring mail: at a source that can end it.

    Also one that is withdrawn itself: it may have left one of several lists. Its connector knows.
    """
    if view.state not in _PLANNED_STATES or not any(one.ref.source in sources for one in view.records) or not has_opted_out(view):
        return []
    return [one for one in view.records if one.ref.source in sources]


def copies(view: PersonView, settings: OptOutSettings, now: datetime, run_id: str) -> Copies:
    """The copies that are due; what failed in the run `run_id` is left for the next one."""
    records = mailable(view, settings.sources)
    if not records:
        return Copies()
    if any(one.ref not in settings.stops for one in records):
        return Copies(waits=True)
    places: dict[Place, list[tuple[MailStop, PersonRecord]]] = {}
    for one in records:
        for stop in settings.stops[one.ref]:
            places.setdefault(_place(one.ref.source, stop.email, stop.options), []).append((stop, one))
    if not places:
        return Copies()
    if not settings.may_act:
        return Copies(word="sandbox_org")
    found, word = withdrawals(view, settings)
    if not found:
        return Copies(word=word)
    newest = max(found, key=lambda one: one.at)
    writes = []
    for place, told in sorted(places.items(), key=lambda item: item[0]):
        tries = [one for one in view.actions if is_copy(one) and place_of(one) == place]
        if _has_come_back(told, newest, tries):
            word = OPTED_IN_AGAIN
        elif not _is_covered(tries, newest, view):
            action_id = _id_of(place, newest, settings.secret)
            again = [one for one in tries if one.own_id == action_id]
            refused = {one.operation_id for one in view.refused_operations}
            if not again or is_owed(again, refused, run_id):
                writes.append(_write(action_id, place[0], told[0][0], newest, now))
    return Copies(tuple(writes), word, is_guarded=not all(one.is_let for one in found))


def withdrawals(view: PersonView, settings: OptOutSettings) -> tuple[list[Withdrawal], str]:
    """Withdrawals that travel; the word says why one does not."""
    consent = golden(view.records).consent.get(OPT_OUT_FIELD)
    is_beaten = consent is not None and not is_withdrawn(consent, allow_clear=settings.allow_clear)
    found: list[Withdrawal] = []
    ours: list[Withdrawal] = []
    word = ""
    for one in view.records:
        if OPT_OUT_FIELD in one.lead.opt_outs and not is_beaten:
            at = one.withdrawn_at or one.source_at
            if not _is_own_copy(view.actions, one.ref.source, at):
                found.append(Withdrawal(at, provenance_of(one, one.lead.fields[OPT_OUT_FIELD].line, "consent")))
    is_told = any(OPT_OUT_FIELD in one.base for one in view.org_records if not one.row.is_deleted)
    expired = expired_ids(view)
    for record in view.org_records:
        row = record.row
        is_kept = row.is_deleted and not is_told and (record.deleted_by_us or row.sf_id in expired)
        if row.fields.get(OPT_OUT_FIELD) is not True or (row.is_deleted and not is_kept):
            continue
        is_ours = bool(settings.own_user_id) and record.opted_out_by == settings.own_user_id
        # A store that was made before anybody noted who.
        is_ours |= not record.opted_out_by and record.base.get(OPT_OUT_FIELD) is True
        if record.opt_out_hold in _HELD:
            word = _HELD[record.opt_out_hold]
        elif _is_carried_over(record, view.org_records):
            continue
        elif is_ours or record.opt_out_hold != OptOutHold.NEW.value:
            why = Provenance(locator=f"{row.object} {row.sf_id}", rule="consent")
            made = Withdrawal(record.opted_out_at or row.stamp, why, record.opt_out_hold == OptOutHold.LET.value)
            (ours if is_ours else found).append(made)
    return found or ([] if is_beaten else ours), word


def _is_carried_over(record: OrgRecord, others: Sequence[OrgRecord]) -> bool:
    """Whether a contact is opted out because its lead was when it was converted, and that one does not travel."""
    at = record.opted_out_at
    return any(
        lead.row.is_converted
        and lead.row.contact_id == record.row.sf_id
        and (lead.opt_out_hold in _HELD or lead.opt_out_hold == OptOutHold.NEW.value)
        and lead.opted_out_at is not None
        and at is not None
        # A converted lead is locked: its last change is the conversion.
        and lead.opted_out_at <= at <= lead.row.stamp + _CONVERSION
        for lead in others
    )


def is_copy(operation: Operation) -> bool:
    """Whether an operation asks a source for an opt-out because of one elsewhere, and not because a policy says so."""
    return operation.kind is OperationKind.ACTION and _WITHDRAWN_AT in operation.fields and not rule_of(operation.provenance)


def why_not_copied(operation: Operation, view: PersonView, settings: OptOutSettings, now: datetime) -> str:
    """Why a copy that waits is not carried out: "" if it is, `waits`, else the word with which it ends. The last look before the write."""
    if view.state not in _PLANNED_STATES:
        return "person_gone"
    others = tuple(one for one in view.actions if one.operation_id != operation.operation_id)
    wanted = copies(msgspec.structs.replace(view, actions=others), settings, now, "")
    if wanted.waits:
        return "waits"
    here = place_of(operation)
    is_wanted = any(_place(one.source, str(one.fields["email"]), _options(one)) == here for one in wanted.writes)
    return "" if is_wanted else wanted.word or "not_needed"


def place_of(operation: Operation) -> Place:
    """Which mail a copy ends."""
    asked = action_of(operation)
    return _place(operation.source, asked.email, asked.options)


def _place(source: str, email: str, options: Mapping[str, str]) -> Place:
    return source, email, tuple(sorted(options.items()))


def _options(one: ActionWrite) -> dict[str, str]:
    return {name.removeprefix("option."): str(value) for name, value in one.fields.items() if name.startswith("option.")}


def _id_of(place: Place, newest: Withdrawal, secret: bytes) -> str:
    """Unique for a place and a withdrawal: a keyed hash, 32 hex characters. A merge of people changes none."""
    source, email, options = place
    text = "\0".join((source, email, *(f"{name}={value}" for name, value in options), newest.at.isoformat()))
    return hashlib.blake2b(text.encode(), key=secret[:64], digest_size=16, person=b"syncd-optout").hexdigest()


def _write(action_id: str, source: str, stop: MailStop, newest: Withdrawal, now: datetime) -> ActionWrite:
    fields: dict[str, Value] = {
        "action": SourceActionKind.OPT_OUT.value,
        "number": 0,
        "decided_at": now.isoformat(),
        "email": stop.email,
        _WITHDRAWN_AT: newest.at.isoformat(),
    }
    return action_write(action_id, source, fields, stop.options, newest.why)


def _has_come_back(told: Sequence[tuple[MailStop, PersonRecord]], newest: Withdrawal, tries: Sequence[Operation]) -> bool:
    """Whether the person has opted in there since, by evidence that is newer than every withdrawal and than our own copy."""
    said = [at for stop, one in told for at in (stop.opted_in_at, explicit_opt_in(one))]
    given_at = max((at for at in said if at is not None), default=None)
    sent = [one.sent_at for one in tries if one.state is OperationState.DONE and one.sent_at is not None]
    return given_at is not None and given_at > max([newest.at, *sent])


def _is_covered(tries: Sequence[Operation], newest: Withdrawal, view: PersonView) -> bool:
    """Whether one is under way, or was carried out or refused for this withdrawal or after it."""
    refused = {one.operation_id for one in view.refused_operations}
    for one in tries:
        if one.state in OPEN_STATES:
            return True
        if one.state is OperationState.DONE or one.operation_id in refused:
            withdrawn_at = datetime.fromisoformat(str(one.fields[_WITHDRAWN_AT]))
            is_later = one.state is OperationState.DONE and one.sent_at is not None and one.sent_at >= newest.at
            if withdrawn_at >= newest.at or is_later:
                return True
    return False


def _is_own_copy(actions: Sequence[Operation], source: str, at: datetime) -> bool:
    """Whether a record at a source has opted out because we asked for it."""
    asked = [one for one in actions if one.source == source and one.fields.get("action") == SourceActionKind.OPT_OUT.value]
    return any(echo.sent_at - SETTLE <= at <= echo.until for echo in own_echoes(asked))
