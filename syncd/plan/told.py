"""A conversion that a platform is told of, as it is planned and as the outbox holds it. Pure.

An operation of a conversion holds, besides what every action holds (`syncd.plan.source_actions`): `value.event`, `value.event_at`,
`value.deal` (the opportunity), `value.value` with `value.currency`, the click ids and `value.lead_id` by which the platform knows the
person, `value.not_before` and `value.not_after` (between them the platform takes it), and of one that takes another back
`value.retracts`, the id of that one, with `value.is_in_doubt` if nobody knows whether that one ever arrived.

What was told is known by its source, event and opportunity, whichever rule asked for it: the outbox is the memory.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from syncd.model import ANSWER_LOST, RETRACTED, Operation, OperationState, Value
from syncd.policy import ActionKind, Wanted

Key = tuple[str, str, str]
"""Source, event, and id of the opportunity, "" for none."""


class Told(msgspec.Struct, frozen=True, gc=False):
    """A conversion to be stored: its `values` without prefix, and `again`, the try before."""

    action_id: str
    wanted: Wanted | None
    values: dict[str, Value]
    email: str = ""
    consent_at: datetime | None = None
    again: Operation | None = None


def is_conversion(one: Operation) -> bool:
    """Whether an action at a source tells a platform of somebody."""
    return one.fields.get("action") == ActionKind.CONVERSION


def may_stand(one: Operation) -> bool:
    """Whether a platform may hold it: it was told, or an answer was lost."""
    was_given_up = one.state in (OperationState.SUPERSEDED, OperationState.REFUSED)
    return one.state is OperationState.DONE or (was_given_up and ANSWER_LOST in (one.code, one.message))


def is_early(one: Operation, now: datetime) -> bool:
    """Whether a platform does not take it yet."""
    at = moment(one.fields.get("value.not_before"))
    return at is not None and now < at


def key_of(one: Operation) -> Key:
    """What a conversion of the outbox tells."""
    return one.source, str(one.fields.get("value.event") or ""), str(one.fields.get("value.deal") or "")


def told_id(person_id: str, key: Key, secret: bytes) -> str:
    """The id of what a platform is told: a keyed hash, 32 hex characters.

    Of an opportunity it is the same for whoever is its primary contact: a platform that knows ids counts it once. Each takes back for
    themselves what they were told for, whoever else does.
    """
    is_shared = key[2] and key[1] != RETRACTED
    text = "\0".join(("" if is_shared else person_id, *key))
    return hashlib.blake2b(text.encode(), key=secret[:64], digest_size=16, person=b"syncd-feedback").hexdigest()


def moment(value: Value) -> datetime | None:
    """An instant as it is stored; None for none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) and value else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
