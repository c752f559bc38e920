"""What advertising platforms are told of a person's conversions: what is planned, and each once. Pure.

How an operation holds one says `syncd.plan.told`; how a win is taken back `syncd.plan.reversals`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from syncd.model import (
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
from syncd.plan.reversals import dates_of, is_taken_back, reversals
from syncd.plan.told import Key, Told, is_conversion, key_of, moment, told_id
from syncd.policy import ConversionEvent, Policy, Wanted

_MARGIN = timedelta(hours=1)
"""So long before a platform takes something no longer it is not sent any more: the call takes time, and clocks differ."""
_DROPPED = ("rule_gone", "source_gone")
"""Ends of what never left because of the policy or the configuration alone: another rule may tell it."""
_DEAL_STATES = {ConversionEvent.WON: DealState.WON, ConversionEvent.LOST: DealState.LOST}


class Feedback:
    """The conversions of one person."""

    def __init__(
        self,
        policy: Policy,
        view: PersonView,
        record: OrgRecord | None,
        deals: Sequence[Deal],
        won: Mapping[str, Deal],
        terms: Mapping[str, ConversionTerms],
    ) -> None:
        """Of somebody without a living `record` things are only taken back.

        `deals` are the person's own, `won` those of `won_deals` by id, whoever has them now; `terms` are what the sources that take
        conversions ask for, by source.
        """
        self._policy = policy
        self._view = view
        self._email = "" if record is None else str(record.row.fields.get("Email") or "")
        self._is_gone = record is None
        self._deals = {one.sf_id: one.state for one in deals}
        self._won = won
        self._terms = terms
        self._refused = {one.operation_id for one in view.refused_operations}
        self._tries: dict[Key, list[Operation]] = {}
        for one in view.actions:
            if is_conversion(one):
                self._tries.setdefault(key_of(one), []).append(one)

    def told(self, wanted: Sequence[Wanted], secret: bytes, now: datetime, run_id: str) -> tuple[dict[Key, Told], dict[str, str]]:
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
            is_final = (bool(last.code) and last.state is OperationState.SUPERSEDED) or is_taken_back(self._tries, key)
            is_not_of_gone = self._is_gone and key[1] != RETRACTED
            if key in found or is_final or is_not_of_gone or not is_owed(tries, self._refused, run_id):
                continue
            word = self.why_not(last, now)
            if not word:
                found[key] = self._again(last)
            elif word == "too_old":
                notes.setdefault(rule_of(last.provenance), word)
        for key, told in reversals(self._tries, self._won, self._terms, self._view.person_id, secret, now):
            found.setdefault(key, told)
        return found, notes

    def dates(self, found: Mapping[Key, Told], now: datetime) -> dict[str, datetime]:
        """Until when what is told, `found` with it, can be taken back: dates of the person."""
        return dates_of(self._tries, found, self._terms, now)

    def why_not(self, one: Operation, now: datetime) -> str:
        """Why an action of the outbox is not to be carried out now: "" if it is, else a word, `not_so_now` of an opportunity."""
        _, event, deal_id = key_of(one)
        not_after = moment(one.fields.get("value.not_after"))
        if not_after is not None and now > not_after:
            return "too_old"
        if event == RETRACTED:
            deal = self._won.get(deal_id)
            return "not_so_now" if deal is not None and deal.state is DealState.WON else ""
        if has_opted_out(self._view):
            return "opted_out"
        if one.fields.get("option.needs_consent") != "false" and self._proof(str(one.fields.get("option.consent") or "")) is None:
            return "no_consent"
        wanted = _DEAL_STATES.get(ConversionEvent(event))
        return "" if wanted is None or self._deals.get(deal_id) is wanted else "not_so_now"

    def _was_dropped(self, tries: Sequence[Operation]) -> bool:
        """Whether it never left, and no rule tells it any more (a rule that has got another name is another rule)."""
        is_ended = all(one.state is OperationState.SUPERSEDED for one in tries)
        code = tries[-1].code
        return is_ended and (code in _DROPPED or (not code and self._is_orphaned(tries[-1])))

    def _is_orphaned(self, one: Operation) -> bool:
        """Whether its rule is no more."""
        return self._policy.rule(rule_of(one.provenance)) is None

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
        happened_at = moment(one.occasion)
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
            came_at = moment(touch.at or "") or record.source_at
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


def _taken_until(came_at: datetime | None, terms: ConversionTerms) -> datetime | None:
    """Until when a platform takes what it knows somebody by."""
    return None if came_at is None else came_at + timedelta(days=terms.max_click_age_days) - _MARGIN
