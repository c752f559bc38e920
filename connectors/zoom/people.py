"""Registrants and attendance as records; `join_url` is a personal ticket and is never kept. Belongs to zoom. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from connectors.zoom.api import Webinar
from syncd.connector import Record, Reject
from syncd.connector.tools import UNREADABLE, instant, key_of

_NEVER_KEPT = ("join_url",)


def registrant_of(webinar: Webinar, raw: msgspec.Raw, received_at: datetime) -> Record | Reject:
    """A registrant with what is known of the webinar; the key holds both ids."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        who = key_of(msgspec.json.decode(fields.get("id", msgspec.Raw(b"null"))))
        created = msgspec.json.decode(fields.get("create_time", msgspec.Raw(b"null")))
    except UNREADABLE:
        return Reject("", "odd_registrant", "A registrant is no object, or cannot be read.", bytes(raw), f"webinar {webinar.key}")
    kept = {name: value for name, value in sorted(fields.items()) if name not in _NEVER_KEPT}
    payload = msgspec.json.encode({**kept, "webinar": webinar.about})
    if not who:
        return Reject("", "no_id", "A registrant has no id.", payload, f"webinar {webinar.key}")
    at = instant(created)
    return Record(f"{webinar.key}/{who}", payload, min(at, received_at) if at else None, 0, f"webinar {webinar.key}")


def add_join(rows: dict[str, dict[str, Any]], rejects: list[Reject], webinar: Webinar, raw: msgspec.Raw) -> None:
    """Add one join to whoever made it; guests without an address are nobody's lead."""
    row = _row(rejects, webinar, raw, "participant")
    if row is None:
        return
    email = str(row.get("user_email") or "").strip().lower()
    who = key_of(row.get("registrant_id")) or email
    if not who or not email:
        return
    fresh = {"attended": True, "user_email": email, "name": row.get("name"), "registrant_id": row.get("registrant_id")}
    held = rows.setdefault(f"{webinar.place}/{who}", {**fresh, "joins": 0, "duration": 0, "webinar": webinar.about})
    seconds = row.get("duration")
    held["joins"] += 1
    held["duration"] += seconds if isinstance(seconds, int | float) and not isinstance(seconds, bool) else 0
    for name, better in (("join_time", min), ("leave_time", max)):
        times = [one for one in (held.get(name), row.get(name)) if isinstance(one, str) and one]
        held[name] = better(times) if times else None


def add_absentee(rows: dict[str, dict[str, Any]], rejects: list[Reject], webinar: Webinar, raw: msgspec.Raw) -> None:
    """Add somebody who registered and did not come."""
    row = _row(rejects, webinar, raw, "absentee")
    if row is None:
        return
    email, who = str(row.get("email") or "").strip().lower(), key_of(row.get("id"))
    if email and who:
        name = " ".join(str(row[one]) for one in ("first_name", "last_name") if row.get(one))
        made = {
            "attended": False,
            "user_email": email,
            "name": name,
            "registrant_id": who,
            "joins": 0,
            "duration": 0,
            "webinar": webinar.about,
        }
        rows.setdefault(f"{webinar.place}/{who}", made)


def _row(rejects: list[Reject], webinar: Webinar, raw: msgspec.Raw, what: str) -> dict[str, Any] | None:
    """A row of a report; what is none is added to the rejects."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except UNREADABLE:
        message = f"A row of the {what}s is no object, or cannot be read."
        rejects.append(Reject("", f"odd_{what}", message, bytes(raw), f"webinar {webinar.key}"))
        return None


def is_within(at: datetime | None, since: datetime | None, end: datetime) -> bool:
    """Whether an instant lies in the window; what has none always does."""
    return at is None or (at <= end and (since is None or at >= since))


def hash_of(*payloads: Iterable[bytes]) -> str:
    """A short hash of all of them, in order."""
    made = hashlib.blake2b(digest_size=8)
    for some in payloads:
        for one in some:
            made.update(hashlib.blake2b(one, digest_size=8).digest())
    return made.hexdigest()
