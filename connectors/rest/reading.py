"""What an answer holds: records at their path, keys, times, what says that there is more. Pure. Belongs to rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from connectors.rest.options import RestOptions, UpdatedAt, zone_of
from syncd.connector import Record, Reject, Reply
from syncd.connector.tools import UNREADABLE, at_path, instant, key_of
from syncd.errors import ContractError

_MOST_KEY_CHARACTERS = 120
_FUTURE = timedelta(days=1)
"""A time further ahead is a mistake of whoever wrote it, and counts as none: the record would wait for it."""


class Found(NamedTuple):
    """One row: as a record or reject, when it changed last (None: it does not say), and its content (None: no object)."""

    made: Record | Reject
    at: datetime | None
    content: dict[str, Any] | None


class Answer(NamedTuple):
    """One page as it was read."""

    rows: Sequence[Found]
    reply: Reply[msgspec.Raw]

    def value_at(self, path: str | None) -> Any:
        """What stands at a path of the answer; None where it leads nowhere.

        Raises:
            ContractError: It is there, and holds what is no text or no number that can be.
        """
        raw = None if path is None else _raw_at(self.reply.value, path)
        try:
            return None if raw is None else msgspec.json.decode(raw)
        except UNREADABLE:
            pass
        raise ContractError(
            f"What stands at {path} of an answer cannot be read.",
            advice="The API may have changed; the page is kept.",
            page=self.reply.body,
        )


def answer_of(name: str, options: RestOptions, reply: Reply[msgspec.Raw]) -> Answer:
    """The rows of an answer.

    Args:
        name: Of the service, for messages.
        options: The description.
        reply: JSON of any shape.

    Raises:
        ContractError: There is no list at `records`.
    """
    raw = _raw_at(reply.value, options.records)
    try:
        rows = msgspec.json.decode(raw, type=list[msgspec.Raw] | None) if raw is not None else None
    except UNREADABLE:
        raw = rows = None
    if raw is None:
        place = f'at records: "{options.records}"' if options.records else "(records is empty: the answer should be the list)"
        raise ContractError(
            f"{name} gave no list of records {place}.",
            advice='Correct records: in the source; "syncd source check" shows what the answer holds. The page is kept.',
            page=reply.body,
        )
    return Answer([_found(options, one, reply.received_at) for one in rows or ()], reply)


def names_in(reply: Reply[msgspec.Raw]) -> list[str]:
    """Names at the top of an answer, for somebody who looks for the records; `[]` for what is no object."""
    try:
        return sorted(msgspec.json.decode(reply.value, type=dict[str, msgspec.Raw]))
    except UNREADABLE:
        return []


def time_of(value: Any, described: UpdatedAt) -> datetime | None:
    """A time as aware UTC; None of what is none, or has no offset and no zone is described."""
    zone = zone_of(described.zone)
    if described.format == "iso":
        return instant(value, zone) if isinstance(value, str) else None
    if described.format in ("unix", "unix_ms"):
        number = _number(value)
        return None if number is None else instant(number / (1000 if described.format == "unix_ms" else 1))
    try:
        found = datetime.strptime(str(value).strip(), described.format)  # noqa: DTZ007 - the zone is added below
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _found(options: RestOptions, raw: msgspec.Raw, received_at: datetime) -> Found:
    payload = bytes(raw)
    try:
        content = msgspec.json.decode(raw, type=dict[str, Any])
    except UNREADABLE:
        return Found(_reject("not_an_object", "A record is no JSON object.", payload, options), None, None)
    at = None if options.updated_at is None else time_of(at_path(content, options.updated_at.path), options.updated_at)
    at = None if at is not None and at > received_at + _FUTURE else at
    if options.leave_out:
        known = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        payload = msgspec.json.encode({name: one for name, one in known.items() if name not in options.leave_out})
    paths = [options.key] if isinstance(options.key, str) else options.key
    parts = [key_of(at_path(content, path)) for path in paths]
    if not all(parts):
        words = f"A record has no usable value at key: {', '.join(path for path, part in zip(paths, parts, strict=True) if not part)}."
        return Found(_reject("no_key", words, payload, options), at, content)
    key = _joined(parts)
    return Found(Record(key, payload, min(at, received_at) if at else None, 0, f"{options.path} {key}"), at, content)


def _joined(parts: Sequence[str]) -> str:
    """One key of several parts; what could be an address, or is long, as its hash: keys stand in logs."""
    text = "/".join(part.replace("/", "//") for part in parts) if len(parts) > 1 else parts[0]
    if "@" in text or len(text) > _MOST_KEY_CHARACTERS:
        return f"h{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"
    return text


def _reject(reason: str, message: str, payload: bytes, options: RestOptions) -> Reject:
    digest = hashlib.blake2b(payload, digest_size=16).hexdigest()
    return Reject(f"{reason}:{digest}", reason, message, payload, options.path)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _raw_at(raw: msgspec.Raw, path: str) -> msgspec.Raw | None:
    """A slice of an answer, without making anything else of it; a key of that very name goes before a path."""
    found: msgspec.Raw | None = raw
    for steps in ([path], path.split(".")) if path else ([],):
        found = raw
        for step in steps:
            found = None if found is None else dict(_members(found)).get(step)
        if found is not None:
            break
    return found


def _members(raw: msgspec.Raw) -> Iterator[tuple[str, msgspec.Raw]]:
    try:
        yield from msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items()
    except UNREADABLE:
        return
