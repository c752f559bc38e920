"""A member of an audience, and what follows from an address; no HTTP, no audience."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

STATUSES = ("", "subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived")
"""By code; code 0 is a row that is gone for good."""
CODES = {name: code for code, name in enumerate(STATUSES)}
ARCHIVED = CODES["archived"]
_DAY = 86_400
_TWO = [f"{number:02d}" for number in range(60)]


@dataclass(slots=True)
class Member:
    """One member. Never changed in place: `Audience.store` takes an edited copy. Instants are whole seconds since 1970, 0 for none.

    Attributes:
        row: Number in the audience, never used twice. interests, permissions: Id to yes or no, complete.
        tags: Name to when it was added. opted, signup: `timestamp_opt` and `timestamp_signup`.
        reason, left: Why, and since when, unsubscribed. is_barred: Left by own doing or bounced: no API call subscribes them again.
    """

    row: int
    email: str
    contact_id: str
    status: str
    changed: int
    merge_fields: dict[str, Any]
    interests: dict[str, bool]
    permissions: dict[str, bool]
    tags: dict[str, int] = field(default_factory=dict)
    opted: int = 0
    signup: int = 0
    ip_opt: str = ""
    ip_signup: str = ""
    source: str = ""
    language: str = ""
    vip: bool = False
    email_type: str = "html"
    reason: str = ""
    left: int = 0
    is_barred: bool = False

    @property
    def hash(self) -> str:
        """The `id` of the API: changes with the address, is the same in every audience."""
        return address_hash(self.email)

    @property
    def unique_email_id(self) -> str:
        """Identifies the address across all of Mailchimp."""
        return self.hash[9::-1]


def address_hash(email: str) -> str:
    """MD5 of the address in lower case, in hex."""
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def address_key(email: str) -> int:
    """The first 64 bits of `address_hash`, as a number."""
    return int.from_bytes(hashlib.md5(email.lower().encode(), usedforsecurity=False).digest()[:8], "big")


def shown(seconds: int) -> str:
    """An instant as the API writes it, `2026-02-28T09:10:11+00:00`; none is an empty text."""
    if not seconds:
        return ""
    day, second = divmod(seconds, _DAY)
    return f"{_date(day)}T{_TWO[second // 3600]}:{_TWO[second // 60 % 60]}:{_TWO[second % 60]}+00:00"


@lru_cache(maxsize=10_000)
def _date(day: int) -> str:
    # Instants are many, days are few.
    return datetime.fromtimestamp(day * _DAY, UTC).date().isoformat()
