"""What advertising platforms are told of a person's conversions: what is planned, each once, and what is taken back. Pure.

An operation of a conversion holds, besides what every action holds (`syncd.plan.source_actions`): `value.event`, `value.event_at`,
`value.deal` (the opportunity), `value.value` with `value.currency`, the click ids and `value.lead_id` by which the platform knows the
person, `value.not_before` and `value.not_after` (between them the platform takes it), and of one that takes another back
`value.retracts`, the id of that one, with `value.is_in_doubt` if nobody knows whether that one ever arrived.

What was told is known by its source, event and opportunity, whichever rule asked for it: the outbox is the memory.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from syncd.model import (
    ANSWER_LOST,
    OPEN_STATES,
    RETRACTED,
    ConversionTerms,
    Deal,
    DealState,
    Operation,
    OperationState,
    OrgRecord,
    PersonView,
    Value,
)
from syncd.plan.facts import has_opted_out
from syncd.plan.once import is_owed, rule_of
from syncd.plan.proof import opted_in_at
from syncd.policy import ActionKind, ConversionEvent, Policy, Wanted

Key = tuple[str, str, str]
"""Source, event, and id of the opportunity, "" for none."""

_MARGIN = timedelta(hours=1)
"""So long before a platform takes something no longer it is not sent any more: the call takes time, and clocks differ."""
_DROPPED = ("rule_gone", "source_gone")
"""Ends of what never left because of the policy or the configuration alone: another rule may tell it."""
_DEAL_STATES = {ConversionEvent.WON: DealState.WON, ConversionEvent.LOST: DealState.LOST}


class Told(msgspec.Struct, frozen=True, gc=False):
    """A conversion to be stored: its `values` without prefix, and `again`, the try before."""

    action_id: str
    wanted: Wanted | None
    values: dict[str, Value]
    email: str = ""
    consent_at: datetime | None = None
    again: Operation | None = None


class Feedback:
    """The conversions of one person."""

    def __init__(
        self, policy: Policy, view: PersonView, record: OrgRecord, deals: Sequence[Deal], terms: Mapping[str, ConversionTerms]
    ) -> None:
        """`terms` are what the sources that take conversions ask for, by source."""
        self._policy = policy
        self._view = view
        self._email = str(record.row.fields.get("Email") or "")
        self._deals = {one.sf_id: one for one in deals}
        self._terms = terms
        self._refused = {one.operation_id for one in view.refused_operations}
        self._tries: dict[Key, list[Operation]] = {}
        for one in view.actions:
            if is_conversion(one):
                self._tries.setdefault(key_of(one), []).append(one)

    def told(self, wanted: Sequence[Wanted], secret: bytes, now: datetime, run_id: str) -> tuple[list[Told], dict[str, str]]:
        """What is to be stored now, and why something is not (rule id to a word)."""
        found: dict[Key, Told] = {}
        notes: dict[str, str] = {}
        for one in wanted:
            key = (one.source, one.options.get("event", ""), one.deal.sf_id if one.deal is not None else "")
            tries = self._tries.get(key, ())
            if key in found or (tries and not self._was_dropped(tries)):
                if any(each.state in OPEN_STATES and self._is_orphaned(each) for each in tries):
                    notes[one.rule_id] = "waiting"  # it ends with its rule, and then this one tells it
                continue
            made = self._new(one, told_id(self._view.person_id, key, secret), now)
            if isinstance(made, str):
                notes[one.rule_id] = made
            else:
                found[key] = made
        for key, tries in self._tries.items():
            last = tries[-1]
            is_final = (bool(last.code) and last.state is OperationState.SUPERSEDED) or self._is_taken_back(key)
            if key in found or is_final or not is_owed(tries, self._refused, run_id):
                continue
            word = self.why_not(last, now)
            if not word:
                found[key] = self._again(last)
            elif word == "too_old":
                notes.setdefault(rule_of(last.provenance), word)
        for key, told in self._reversals(secret, now):
            found.setdefault(key, told)
        return list(found.values()), notes

    def why_not(self, one: Operation, now: datetime) -> str:
        """Why an action of the outbox is not to be carried out now: "" if it is, else a word, `not_so_now` of an opportunity."""
        _, event, deal_id = key_of(one)
        not_after = _moment(str(one.fields.get("value.not_after") or ""))
        if not_after is not None and now > not_after:
            return "too_old"
        if event == RETRACTED:
            return "" if self._state(deal_id) is not DealState.WON else "not_so_now"
        if has_opted_out(self._view):
            return "opted_out"
        if one.fields.get("option.needs_consent") != "false" and self._proof(str(one.fields.get("option.consent") or "")) is None:
            return "no_consent"
        wanted = _DEAL_STATES.get(ConversionEvent(event))
        return "" if wanted is None or self._state(deal_id) is wanted else "not_so_now"

    def _was_dropped(self, tries: Sequence[Operation]) -> bool:
        """Whether it never left, and no rule tells it any more (a rule that has got another name is another rule)."""
        is_ended = all(one.state is OperationState.SUPERSEDED for one in tries)
        code = tries[-1].code
        return is_ended and (code in _DROPPED or (not code and self._is_orphaned(tries[-1])))

    def _is_taken_back(self, key: Key) -> bool:
        source, event, deal_id = key
        taken_back = self._tries.get((source, RETRACTED, deal_id), ())
        return event == ConversionEvent.WON and any(one.state is OperationState.DONE for one in taken_back)

    def _is_orphaned(self, one: Operation) -> bool:
        """Whether its rule is no more."""
        return self._policy.rule(rule_of(one.provenance)) is None

    def _state(self, deal_id: str) -> DealState | None:
        deal = self._deals.get(deal_id)
        return None if deal is None else deal.state

    def _proof(self, words: str) -> datetime | None:
        return opted_in_at(self._view, words, number_is_part=True)

    def _new(self, one: Wanted, action_id: str, now: datetime) -> Told | str:
        """The conversion, or a word that says why there is none."""
        terms = self._terms.get(one.source)
        if terms is None:
            return "source_gone"
        if has_opted_out(self._view):
            return "opted_out"
        proof = self._proof(one.options.get("consent", ""))
        if proof is None and one.options.get("needs_consent") != "false":
            return "no_consent"
        event = one.options["event"]
        happened_at = _moment(one.occasion)
        if event == ConversionEvent.CONVERTED:
            # The rule may be younger. A converted lead is locked: its last change is the conversion.
            happened_at = max((one.row.stamp for one in self._view.org_records if one.row.is_converted), default=None)
            if happened_at is None:
                return "never_converted"
        at = min(happened_at or now, now)
        not_after = at + timedelta(days=terms.max_age_days) - _MARGIN
        if now > not_after:
            return "too_old"
        known_as, came_at = self._known_as(one.source, terms, at)
        taken_until = _taken_until(came_at, terms)
        is_too_late = taken_until is not None and now > taken_until
        if is_too_late:
            known_as = {}
        email = self._email if terms.takes_email and proof is not None else ""
        if not known_as and not email:
            return "click_too_old" if is_too_late else "no_identifier"
        if taken_until is not None and not email:
            not_after = min(not_after, taken_until)
        values: dict[str, Value] = {"event": event, "event_at": at.isoformat(), **known_as, **self._worth(one)}
        values["not_after"] = not_after.isoformat()
        if one.deal is not None:
            values["deal"] = one.deal.sf_id
        if came_at is not None and terms.after_click_seconds:
            values["not_before"] = (came_at + timedelta(seconds=terms.after_click_seconds)).isoformat()
        return Told(action_id, one, values, email, proof)

    def _known_as(self, source: str, terms: ConversionTerms, at: datetime) -> tuple[dict[str, Value], datetime | None]:
        """What the platform knows the person by, of the newest that was there before; and since when."""
        for record in sorted(self._view.records, key=lambda record: record.source_at, reverse=True):
            touch = record.lead.touch
            came_at = _moment(touch.at or "") or record.source_at
            if came_at > at:
                continue
            found: dict[str, Value] = {name: touch.click_ids[name] for name in terms.click_ids if touch.click_ids.get(name)}
            if terms.knows_leads and record.ref.source == source:
                found["lead_id"] = record.ref.key
            if found:
                return found, came_at
        return {}, None

    def _worth(self, one: Wanted) -> dict[str, Value]:
        """The value with its currency; nothing without either."""
        currency = one.options.get("currency") or self._policy.currency
        value: Any = one.values.get("value")
        if value is None and one.deal is not None and one.options["event"] == ConversionEvent.WON:
            value, currency = one.deal.amount, one.deal.currency or currency
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
        return {"value": value, "currency": currency} if is_number and currency else {}

    def _again(self, last: Operation) -> Told:
        """The same once more, to the person as they are now."""
        fields = last.fields
        values = {name.removeprefix("value."): value for name, value in fields.items() if name.startswith("value.")}
        if values["event"] == RETRACTED:
            return Told(last.own_id, None, values, again=last)
        proof = self._proof(str(fields.get("option.consent") or ""))
        email = self._email if fields.get("email") and proof is not None else ""
        return Told(last.own_id, None, values, email, proof, last)

    def _reversals(self, secret: bytes, now: datetime) -> list[tuple[Key, Told]]:
        """What was told as won, and is so no longer: taken back where the platform takes it back."""
        found = []
        for (source, event, deal_id), tries in self._tries.items():
            last = next((one for one in reversed(tries) if _may_stand(one)), None)
            deal, terms, key = self._deals.get(deal_id), self._terms.get(source), (source, RETRACTED, deal_id)
            if event != ConversionEvent.WON or last is None or key in self._tries:
                continue
            if terms is None or not terms.retracts or deal is None or deal.state is DealState.WON:
                continue
            happened_at = _moment(str(last.fields["value.event_at"])) or now
            told_at = max(happened_at, last.finished_at or now)
            not_before = told_at + timedelta(seconds=terms.retract_after_seconds)
            not_after = happened_at + timedelta(days=terms.retract_within_days)
            if max(now, not_before) > not_after:
                continue
            values: dict[str, Value] = {
                "event": RETRACTED,
                "event_at": max(deal.at, told_at + timedelta(seconds=1)).isoformat(),
                "deal": deal_id,
                "retracts": last.own_id,
                "not_before": not_before.isoformat(),
                "not_after": not_after.isoformat(),
            }
            if last.state is not OperationState.DONE:
                values["is_in_doubt"] = True
            found.append((key, Told(told_id(self._view.person_id, key, secret), None, values, again=last)))
        return found


def is_conversion(one: Operation) -> bool:
    """Whether an action at a source tells a platform of somebody."""
    return one.fields.get("action") == ActionKind.CONVERSION


def _may_stand(one: Operation) -> bool:
    """Whether a platform may hold it: it was told, or an answer was lost."""
    was_given_up = one.state in (OperationState.SUPERSEDED, OperationState.REFUSED)
    return one.state is OperationState.DONE or (was_given_up and ANSWER_LOST in (one.code, one.message))


def is_early(one: Operation, now: datetime) -> bool:
    """Whether a platform does not take it yet."""
    at = _moment(str(one.fields.get("value.not_before") or ""))
    return at is not None and now < at


def key_of(one: Operation) -> Key:
    """What a conversion of the outbox tells."""
    return one.source, str(one.fields.get("value.event") or ""), str(one.fields.get("value.deal") or "")


def told_id(person_id: str, key: Key, secret: bytes) -> str:
    """The id of what a platform is told: a keyed hash, 32 hex characters.

    Of an opportunity it is the same for whoever is its primary contact: a platform that knows ids counts it once.
    """
    text = "\0".join(("" if key[2] else person_id, *key))
    return hashlib.blake2b(text.encode(), key=secret[:64], digest_size=16, person=b"syncd-feedback").hexdigest()


def _taken_until(came_at: datetime | None, terms: ConversionTerms) -> datetime | None:
    """Until when a platform takes what it knows somebody by."""
    return None if came_at is None else came_at + timedelta(days=terms.max_click_age_days) - _MARGIN


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
