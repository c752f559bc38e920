"""The newest second that was read, looked at once more with each pull: rows that carry it may appear late. Belongs to mailchimp.

The overlap counts back from the window's end, which in a quiet audience is long after the last change. So a pull goes back at
least to the newest second. Rows that are all as they were are left out by their common digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncd.connector.walk import Listing, Row


class Tail:
    """Rows of the newest second: how many there were, and a digest of all of them."""

    def __init__(self, state: Mapping[str, Any] | None) -> None:
        """From the cursor, None at the beginning."""
        given = state or {}
        self.second: int | None = given.get("second")
        self.count: int = given.get("count", 0)
        self.digest: str = given.get("digest", "")
        self._rows: dict[str, tuple[int, bytes]] = {}

    @property
    def since(self) -> int | None:
        """The bound to ask from, which may be exclusive, so that all of these rows are seen; None before the first."""
        return None if self.second is None else self.second - 1

    def is_all_of(self, listing: Listing) -> bool:
        """Whether a listing from `since` on, the last row first, holds as many rows as the tail, none of them newer."""
        rows = listing.rows
        return listing.total == self.count and bool(rows) and rows[0].is_dated and rows[0].second == self.second

    def news_of(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of a page that begins with the tail, without the tail where it is as it was."""
        newest = self.second
        if newest is None:
            return list(rows)
        again = [row for row in rows if row.second == newest]
        if _digest((row.made.key, _hash(row)) for row in again) != self.digest:
            return list(rows)
        return [row for row in rows if row.second > newest]

    def note(self, rows: Iterable[Row]) -> None:
        """Remember what was read, as far as it may become the tail."""
        read = {row.made.key: row for row in rows}
        before = {key: one for key, one in self._rows.items() if key not in read}
        newest = max([second for second, _ in before.values()] + [row.second for row in read.values()], default=0)
        self._rows = {key: one for key, one in before.items() if one[0] == newest}
        self._rows |= {key: (row.second, _hash(row)) for key, row in read.items() if row.second == newest}

    def state(self) -> dict[str, Any] | None:
        """For the cursor, at the end of a window; as before when nothing was read."""
        if self._rows:
            newest = max(second for second, _ in self._rows.values())
            digest = _digest((key, hashed) for key, (_, hashed) in self._rows.items())
            return {"second": newest, "count": len(self._rows), "digest": digest}
        return None if self.second is None else {"second": self.second, "count": self.count, "digest": self.digest}


def _hash(row: Row) -> bytes:
    return hashlib.blake2b(row.made.payload, digest_size=16).digest()


def _digest(rows: Iterable[tuple[str, bytes]]) -> str:
    whole = hashlib.blake2b(digest_size=16)
    for key, hashed in sorted(rows):
        whole.update(f"{len(key)}:{key}".encode() + hashed)
    return whole.hexdigest()
