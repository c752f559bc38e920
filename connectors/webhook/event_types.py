"""The event types that `events: standard` takes, and what each of them must say (reference, sources.md 9.2). Belongs to webhook. Pure.

A sender learns at once, by 422, that its event could never be used; fields that are not known are welcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from syncd.connector.tools import at_path

_WHO = ("email", "phone")
"""An event about nobody could not be kept for anybody: anonymous visits and mere handles are refused."""
TYPES: Mapping[str, Sequence[Sequence[str]]] = {
    "lead.created": (_WHO,),
    "lead.updated": (_WHO,),
    "form.submitted": (_WHO,),
    "lead_magnet.downloaded": (("email",), ("asset_id", "asset_title")),
    "referral.created": (("referee.email",), ("referrer.code", "referrer.email")),
    "web.interaction": (_WHO, ("event",)),
    "social.interaction": (_WHO, ("kind",)),
    "consent.granted": (_WHO, ("purpose",), ("evidence",)),
    "consent.revoked": (_WHO,),
}
"""By type what its `data` must hold: of each group at least one. Paths within `data`."""

UNKNOWN, INCOMPLETE, NO_EVENT = "unknown_event", "incomplete_event", "not_an_event"


def problem_of(body: bytes) -> str:
    """Why an event can be of no use, as a constant word; `""` if it can be. Never raises."""
    try:
        event = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_EVENT
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict) or not isinstance(event.get("type"), str):
        return NO_EVENT
    if event["type"] not in TYPES:
        return UNKNOWN
    return "" if all(_has_one(event["data"], group) for group in TYPES[event["type"]]) else INCOMPLETE


def _has_one(data: Mapping[str, Any], group: Sequence[str]) -> bool:
    """Whether one of the paths of a group holds something."""
    return any(at_path(data, path) not in (None, "", [], {}) for path in group)
