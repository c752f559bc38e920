"""Members of a page as records and rejects, their own bytes untouched. Belongs to mailchimp."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from syncd.connector import Record, Reject
from syncd.connector.tools import UNREADABLE
from syncd.connector.walk import Row

_WANTED = (
    "id contact_id unique_email_id email_address status merge_fields tags tags_count interests marketing_permissions "
    "timestamp_signup timestamp_opt last_changed source unsubscribe_reason language ip_opt list_id"
).split()
FIELDS = ",".join(["total_items", *(f"members.{name}" for name in _WANTED)])
"""Without `fields` each member drags a large `_links` along: the usual cause of the vendor's time-out after 120 s."""
MEMBER_FIELDS = ",".join(_WANTED)
"""The same of a single member."""


class MembersPage(msgspec.Struct):
    """GET /lists/{list_id}/members."""

    members: list[msgspec.Raw]
    total_items: int


class TagsPage(msgspec.Struct):
    """GET /lists/{list_id}/members/{id}/tags."""

    tags: list[msgspec.Raw]
    total_items: int


class _Member(msgspec.Struct):
    id: str | None = None
    contact_id: str | None = None
    last_changed: str | None = None
    tags_count: int | None = None
    tags: list[msgspec.Raw] | None = None


_MEMBER = msgspec.json.Decoder(_Member)


def hash_of(email: str) -> str:
    """The id of whoever has this address, in every audience."""
    return hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()


def row_of(member: bytes, list_id: str) -> Row:
    """A single member; as one of a page it would be the same."""
    return _row(member, list_id, 0)


def rows_of(page: MembersPage, list_id: str, since: int | None) -> list[Row]:
    """Every member of a page, in its order; what cannot be a record is a reject."""
    rows = []
    second = since or 0
    for raw in page.members:
        row = _row(bytes(raw), list_id, second)
        second = row.second
        rows.append(row)
    return rows


def _row(payload: bytes, list_id: str, second: int) -> Row:
    try:
        member = _MEMBER.decode(payload)
    except UNREADABLE:
        return _reject("unreadable_member", "A member does not have the shape that Mailchimp documents", payload, list_id, second)
    reference = member.id or member.contact_id
    key = member.contact_id or (f"{list_id}/{member.id}" if member.id else "")
    if not key or not reference:
        return _reject("no_id", "A member has neither contact_id nor id", payload, list_id, second)
    try:
        at = datetime.fromisoformat(member.last_changed or "")
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        return _reject("bad_last_changed", "The last_changed of a member is no instant", payload, list_id, second, key)
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    lacks = (member.tags_count or 0) > len(member.tags or ())
    record = Record(key, payload, at, 0, f"audience {list_id} member {key}")
    return Row(int(at.timestamp()), True, record, reference if lacks else "")


def _reject(reason: str, message: str, payload: bytes, list_id: str, second: int, key: str = "") -> Row:
    digest = hashlib.blake2b(payload, digest_size=16).hexdigest()
    locator = f"audience {list_id} member {key}" if key else f"audience {list_id}"
    return Row(second, False, Reject(f"{reason}:{digest}", reason, f"{message} ({locator}).", payload, locator))


def with_tags(payload: bytes, tags: Sequence[msgspec.Raw]) -> bytes:
    """The payload with another list of tags; everything else keeps its bytes."""
    try:
        fields = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return payload  # a name in it is no text: its mapping will say so
    fields["tags"] = msgspec.Raw(b"[" + b",".join(bytes(tag) for tag in tags) + b"]")
    return msgspec.json.encode(fields)
