"""What came back from a source: a reply to a question, the answer to something that was sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

_PATH = re.compile(r" - at `\$([^`]*)`$")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


@dataclass(frozen=True)
class Reply(Generic[T]):
    """A usable answer.

    Attributes:
        value: The body in the declared shape; members declared as `msgspec.Raw` are slices of `body`.
        body: The bytes as they came (decompressed).
        headers: By name, any case.
        at: The vendor's `Date` (aware UTC), None without one.
        received_at: Our own clock when the answer was complete (aware UTC).
    """

    value: T = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    at: datetime | None
    received_at: datetime


@dataclass(frozen=True)
class Answer:
    """What the other side said to something that was sent once; any status that says that it was heard.

    Attributes:
        status: HTTP status.
        body: The bytes as they came (decompressed); empty when nobody wanted them.
        headers: By name, any case.
    """

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def is_json(body: bytes) -> bool:
    """Whether the body is JSON at all: a shape may seem wrong only because the rest was cut off."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def spot_in(why: str) -> str:
    """Where a shape was another one, of what msgspec says: ", at webinars[...].duration". Names of our own structs only, no values."""
    path, missing = _PATH.search(why), _MISSING.match(why)
    spot = f"{path[1] if path else ''}{f'.{missing[1]}' if missing else ''}"
    return f", at {spot.removeprefix('.')}" if spot else ""
