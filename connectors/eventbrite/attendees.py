"""Attendees as records, and the ids in the address of a webhook. Belongs to eventbrite. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncd.connector import Record, Reject
from syncd.connector.tools import UNREADABLE, instant, json_of, key_of

_KEPT = (
    "id event_id order_id created changed status cancelled refunded checked_in ticket_class_id ticket_class_name affiliate profile "
    "answers event"
).split()
"""What is kept of an attendee: no costs, no barcodes, which are personal tickets."""
_KEPT_OF_EVENT = ("id", "name", "url", "start", "end")
_NEVER_KEPT = ("gender", "birth_date", "age")
_NOT_SAID_YET = "info requested"


def ids_of(address: str, base_url: str) -> tuple[str, str] | None:
    """Event and attendee of an address of this very API; None for any other address, whatever it looks like."""
    try:
        given, own = urlsplit(address), urlsplit(base_url)
    except ValueError:
        return None
    if (given.scheme, given.netloc) != (own.scheme, own.netloc) or given.query or given.fragment:
        return None
    found = re.fullmatch(re.escape(own.path) + r"/events/([0-9]{1,20})/attendees/([0-9]{1,20}(?:-[0-9]{1,9})?)/?", given.path)
    return (found[1], found[2]) if found else None


def fields(body: bytes | msgspec.Raw) -> dict[str, Any]:
    """An object, empty for what is none."""
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def attendee_of(raw: msgspec.Raw, received_at: datetime) -> Record | Reject | None:
    """One attendee as a record; None for a ticket of which nobody has said yet who comes."""
    attendee = fields(raw)
    if not attendee:
        return Reject("", "odd_attendee", "An attendee is no object.", bytes(raw), "attendees")
    profile, event = attendee.get("profile"), attendee.get("event")
    if isinstance(profile, dict):
        if str(profile.get("email") or "").strip().casefold() == _NOT_SAID_YET:
            return None
        attendee["profile"] = {name: value for name, value in profile.items() if name not in _NEVER_KEPT}
    if isinstance(event, dict):
        attendee["event"] = {name: event[name] for name in _KEPT_OF_EVENT if name in event}
    payload, key = json_of(attendee, _KEPT), key_of(attendee.get("id"))
    if not key:
        return Reject("", "no_id", "An attendee has no id.", payload, "attendees")
    at = instant(attendee.get("changed")) or instant(attendee.get("created"))
    where = f"event {key_of(attendee.get('event_id')) or 'unknown'} attendee {key}"
    return Record(key, payload, min(at, received_at) if at else None, 0, where)
