"""What advertising platforms are told of a person's conversions: what is planned, each once, and what is taken back. Pure.

An operation of a conversion holds, besides what every action holds (`syncd.plan.source_actions`): `value.event`, `value.event_at`,
`value.deal` (the opportunity), `value.value` with `value.currency`, the click ids and `value.lead_id` by which the platform knows the
person, `value.not_before`, and of one that takes another back `value.retracts`, the id of that one.

What was told is known by its source, event and opportunity, whichever rule asked for it: the outbox is the memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from syncd.model import (
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
from syncd.plan.once import is_owed
from syncd.plan.proof import opted_in_at
from syncd.policy import ActionKind, ConversionEvent, Policy, Wanted

Key = tuple[str, str, str]
"""Source, event, and id of the opportunity, "" for none."""

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
            if key in self._tries or key in found:
                continue
            made = self._new(one, told_id(self._view.person_id, key, secret), now)
            if isinstance(made, str):
                notes[one.rule_id] = made
            else:
                found[key] = made
        for key, tries in self._tries.items():
            last = tries[-1]
            is_final = bool(last.code) and last.state is OperationState.SUPERSEDED
            if not is_final and is_owed(tries, self._refused, run_id) and not self.why_not(last):
                found[key] = self._again(last)
        for key, told in self._reversals(secret, now):
            found.setdefault(key, told)
        return list(found.values()), notes

    def why_not(self, one: Operation) -> str:
        """Why an action of the outbox is not to be carried out now: "" if it is, else a word, `not_so_now` of an opportunity."""
        _, event, deal_id = key_of(one)
        if event == RETRACTED:
            return "" if self._state(deal_id) is not DealState.WON else "not_so_now"
        if has_opted_out(self._view):
            return "opted_out"
        if one.fields.get("option.needs_consent") != "false" and self._proof(str(one.fields.get("option.consent") or "")) is None:
            return "no_consent"
        wanted = _DEAL_STATES.get(ConversionEvent(event))
        return "" if wanted is None or self._state(deal_id) is wanted else "not_so_now"

    def _state(self, deal_id: str) -> DealState | None:
        deal = self._deals.get(deal_id)
        return None if deal is None else deal.state

    def _proof(self, words: str) -> datetime | None:
        return opted_in_at(self._view, words)

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
        if event == ConversionEvent.CONVERTED and not any(record.row.is_converted for record in self._view.org_records):
            return "never_converted"
        at = min(_moment(one.occasion) or now, now)
        if now - at > timedelta(days=terms.max_age_days):
            return "too_old"
        known_as, came_at = self._known_as(one.source, terms, at)
        email = self._email if terms.takes_email and proof is not None else ""
        if not known_as and not email:
            return "no_identifier"
        values: dict[str, Value] = {"event": event, "event_at": at.isoformat(), **known_as, **self._worth(one)}
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
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
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
            last, deal, terms = tries[-1], self._deals.get(deal_id), self._terms.get(source)
            key = (source, RETRACTED, deal_id)
            if event != ConversionEvent.WON or last.state is not OperationState.DONE or key in self._tries:
                continue
            if terms is None or not terms.retracts or deal is None or deal.state is DealState.WON:
                continue
            told_at = max(_moment(str(last.fields["value.event_at"])) or now, last.finished_at or now)
            if now - told_at > timedelta(days=terms.retract_within_days):
                continue
            not_before = told_at + timedelta(seconds=terms.retract_after_seconds)
            values: dict[str, Value] = {
                "event": RETRACTED,
                "event_at": max(deal.at, told_at + timedelta(seconds=1)).isoformat(),
                "deal": deal_id,
                "retracts": last.own_id,
                "not_before": not_before.isoformat(),
            }
            found.append((key, Told(told_id(self._view.person_id, key, secret), None, values, again=last)))
        return found


def is_conversion(one: Operation) -> bool:
    """Whether an action at a source tells a platform of somebody."""
    return one.fields.get("action") == ActionKind.CONVERSION


def is_early(one: Operation, now: datetime) -> bool:
    """Whether a platform does not take it yet."""
    at = _moment(str(one.fields.get("value.not_before") or ""))
    return at is not None and now < at


def key_of(one: Operation) -> Key:
    """What a conversion of the outbox tells."""
    return one.source, str(one.fields.get("value.event") or ""), str(one.fields.get("value.deal") or "")


def told_id(person_id: str, key: Key, secret: bytes) -> str:
    """The id of what a platform is told: a keyed hash, 32 hex characters."""
    text = "\0".join((person_id, *key))
    return hashlib.blake2b(text.encode(), key=secret[:64], digest_size=16, person=b"syncd-feedback").hexdigest()


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
