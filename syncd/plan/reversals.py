"""Wins that a platform was told of, and takes back: until when, and what is taken back now. Pure.

Whom a win was told for takes it back, whoever is the opportunity's contact by then, and though no rule tells of wins any more: the
outbox says which opportunities to look at (`won_deals`), and dates of the person say for how long (`TOLD_WON`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from syncd.model import OPEN_STATES, RETRACTED, TOLD_WON, ConversionTerms, Deal, DealState, Operation, OperationState, Value
from syncd.plan.told import Key, Told, is_conversion, key_of, may_stand, moment, told_id
from syncd.policy import ConversionEvent

Tries = Mapping[Key, Sequence[Operation]]
"""Of each conversion its operations, oldest first."""


def won_deals(actions: Iterable[Operation]) -> set[str]:
    """Ids of the opportunities that platforms are, or were, told of as won."""
    keys = (key_of(one) for one in actions if is_conversion(one))
    return {deal_id for _, event, deal_id in keys if event == ConversionEvent.WON and deal_id}


def is_taken_back(tries: Tries, key: Key) -> bool:
    """Whether it was told, and is taken back."""
    source, event, deal_id = key
    taken_back = tries.get((source, RETRACTED, deal_id), ())
    return event == ConversionEvent.WON and any(one.state is OperationState.DONE for one in taken_back)


def reversals(
    tries: Tries, deals: Mapping[str, Deal], terms: Mapping[str, ConversionTerms], person_id: str, secret: bytes, now: datetime
) -> list[tuple[Key, Told]]:
    """What was told as won, and is so no longer: taken back where the platform takes it back. `deals` are those that were told, by id."""
    found = []
    for (source, event, deal_id), mine in tries.items():
        last = next((one for one in reversed(mine) if may_stand(one)), None)
        deal, its_terms, key = deals.get(deal_id), terms.get(source), (source, RETRACTED, deal_id)
        if event != ConversionEvent.WON or last is None or key in tries:
            continue
        if its_terms is None or not its_terms.retracts or deal is None or deal.state is DealState.WON:
            continue
        happened_at = moment(last.fields["value.event_at"]) or now
        told_at = max(happened_at, last.finished_at or now)
        not_before = told_at + timedelta(seconds=its_terms.retract_after_seconds)
        not_after = happened_at + timedelta(days=its_terms.retract_within_days)
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
        found.append((key, Told(told_id(person_id, key, secret), None, values, again=last)))
    return found


def dates_of(tries: Tries, told: Mapping[Key, Told], terms: Mapping[str, ConversionTerms], now: datetime) -> dict[str, datetime]:
    """Until when what is told as won can be taken back: of each opportunity, and of all of the person's."""
    wins = [
        (key, one.fields.get("value.event_at"))
        for key, mine in tries.items()
        if not is_taken_back(tries, key)
        for one in mine
        if one.state in OPEN_STATES or may_stand(one)
    ]
    wins += [(key, one.values["event_at"]) for key, one in told.items()]
    found: dict[str, datetime] = {}
    for (source, event, deal_id), event_at in wins:
        its_terms = terms.get(source)
        if event != ConversionEvent.WON or not deal_id or its_terms is None or not its_terms.retracts:
            continue
        until = (moment(event_at) or now) + timedelta(days=its_terms.retract_within_days)
        for name in (TOLD_WON, f"{TOLD_WON}:{deal_id}") if until > now else ():
            found[name] = max(until, found.get(name, until))
    return found
