"""Registrants and attendance as records; `join_url` is a personal ticket and is never kept. Belongs to zoom. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from connectors.zoom.api import Webinar
from syncd.connector import Record, Reject
from syncd.connector.tools import instant, key_of

_NEVER_KEPT = ("join_url",)


def registrant_of(webinar: Webinar, raw: msgspec.Raw, received_at: datetime) -> Record | Reject:
    """A registrant with what is known of the webinar; the key holds both ids."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        who = key_of(msgspec.json.decode(fields.get("id", msgspec.Raw(b"null"))))
        created = msgspec.json.decode(fields.get("create_time", msgspec.Raw(b"null")))
    except msgspec.ValidationError:
        return Reject("", "odd_registrant", "A registrant is no object.", bytes(raw), f"webinar {webinar.key}")
    kept = {name: value for name, value in sorted(fields.items()) if name not in _NEVER_KEPT}
    about = {"id": webinar.key, "topic": webinar.topic, "start_time": webinar.start_time}
    payload = msgspec.json.encode({**kept, "webinar": about})
    if not who:
        return Reject("", "no_id", "A registrant has no id.", payload, f"webinar {webinar.key}")
    at = instant(created)
    return Record(f"{webinar.key}/{who}", payload, min(at, received_at) if at else None, 0, f"webinar {webinar.key}")


def add_join(rows: dict[str, dict[str, Any]], rejects: list[Reject], webinar: Webinar, raw: msgspec.Raw) -> None:
    """Add one join to whoever made it; guests without an address are nobody's lead."""
    try:
        row = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.ValidationError:
        rejects.append(Reject("", "odd_participant", "A participant is no object.", bytes(raw), f"webinar {webinar.key}"))
        return
    email = str(row.get("user_email") or "").strip().lower()
    who = key_of(row.get("registrant_id")) or email
    if not who or not email:
        return
    about = {"id": webinar.key, "topic": webinar.topic, "start_time": webinar.start_time}
    fresh = {"attended": True, "user_email": email, "name": row.get("name"), "registrant_id": row.get("registrant_id")}
    held = rows.setdefault(f"{webinar.uuid or webinar.key}/{who}", {**fresh, "joins": 0, "duration": 0, "webinar": about})
    seconds = row.get("duration")
    held["joins"] += 1
    held["duration"] += seconds if isinstance(seconds, int | float) and not isinstance(seconds, bool) else 0
    for name, better in (("join_time", min), ("leave_time", max)):
        times = [one for one in (held.get(name), row.get(name)) if isinstance(one, str) and one]
        held[name] = better(times) if times else None


def add_absentee(rows: dict[str, dict[str, Any]], webinar: Webinar, raw: msgspec.Raw) -> None:
    """Add somebody who registered and did not come."""
    row = msgspec.json.decode(raw, type=dict[str, Any])
    email, who = str(row.get("email") or "").strip().lower(), key_of(row.get("id"))
    if email and who:
        about = {"id": webinar.key, "topic": webinar.topic, "start_time": webinar.start_time}
        name = " ".join(str(row[one]) for one in ("first_name", "last_name") if row.get(one))
        made = {
            "attended": False,
            "user_email": email,
            "name": name,
            "registrant_id": who,
            "joins": 0,
            "duration": 0,
            "webinar": about,
        }
        rows.setdefault(f"{webinar.uuid or webinar.key}/{who}", made)


def place_of(webinar: Webinar) -> str:
    """Under what the cursor keeps a webinar: its uuid, of which each occurrence of a series has one."""
    return webinar.uuid or webinar.key


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
