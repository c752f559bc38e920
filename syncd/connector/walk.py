"""Reading a set that moves while it is read: every row once, in order of its last change, none passed over.

Offset paging alone loses rows: when one leaves the set (edited past the window's end, archived, deleted), those behind it move up
and the next offset jumps over them. So the walk goes on by key: the next page is asked for from one second before the last row
seen, at offset 0, and what was seen already is dropped. Only inside a run of equal seconds longer than a page is an offset used,
and there the next page must begin with a row that was seen; otherwise the walk steps back (docs/adr/0010-mailchimp-paging.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from syncd.errors import ContractError, SourceUnavailableError
from syncd.model import Record, Reject

_MAX_DETOURS = 12
"""Steps back in a row without one new row; each doubles, so this is far more than the way back to the beginning."""


class Row(NamedTuple):
    """One row as a record or reject.

    Attributes:
        second: Of its last change, since 1970; of an undated one, that of the row before.
        is_dated: Whether the row itself said so.
        tags_of: Where to ask for what the page does not hold of it (an id in addresses), else `""`.
    """

    second: int
    is_dated: bool
    made: Record | Reject
    tags_of: str = ""


class Listing(NamedTuple):
    """One answer: `total` rows in the set that was asked for, of which these; `at` the vendor's clock, `body` the raw page."""

    rows: Sequence[Row]
    total: int
    at: datetime | None
    received_at: datetime
    body: bytes


class Part(NamedTuple):
    """Rows not given before. Everything up to and including the second `safe` has now been given; at the end, the whole window."""

    rows: list[Row]
    safe: int
    is_end: bool


Ask = Callable[[int | None, int, int], Listing]
"""(since, before, offset), both bounds seconds and possibly exclusive."""


class Walk:
    """One walk over one set; remembers the rows of the second at which it stands, not more."""

    def __init__(self, name: str, ask: Ask, since: int | None, end: int, page_size: int) -> None:
        """`name` for messages; `since` None reads from the beginning; `end` is the last second of the window."""
        self._name = name
        self._ask = ask
        self._since = since
        self._end = end
        self._page_size = page_size
        self._overlap = max(1, page_size // 10)
        self._offset = 0
        self._seen: dict[str, tuple[int, int]] = {}

    def parts(self, narrowed: Callable[[Listing], int]) -> Iterator[Part]:
        """Yield parts up to the end of the window, which `narrowed` may bring forward when it has seen the first answer.

        Raises:
            SourceUnavailableError: The set changes faster than it can be read.
            ContractError: Rows out of order, or from before the window.
        """
        detours, is_first = 0, True
        while True:
            # A bound may be exclusive: ask for one second more and leave out what is beyond.
            listing = self._ask(self._since, self._end + 1, self._offset)
            if is_first:
                self._end, is_first = min(self._end, narrowed(listing)), False
            self._check(listing)
            if self._offset and self._is_astray(listing.rows):
                detours += 1
                if detours > _MAX_DETOURS:
                    raise SourceUnavailableError(
                        f"{self._name} changes faster than it can be read.", advice="It is read again with the next run."
                    )
                self._offset = max(0, self._offset - self._page_size * 2 ** (detours - 1) // 2)
                continue
            part = self._part(listing)
            detours = 0 if part.rows else detours
            yield part
            if part.is_end:
                return

    def _part(self, listing: Listing) -> Part:
        """The new rows of an answer, and the step to the next question."""
        rows = [row for row in listing.rows if row.second <= self._end]
        seen = self._seen
        fresh = []
        for row in rows:
            known = seen.get(row.made.key)
            if known is None or known[1] != hash(row.made.payload):
                fresh.append(row)
        # The end is what the service states: its own count, or a row from beyond the window in an ascending list.
        if len(rows) < len(listing.rows) or self._offset + len(rows) >= listing.total:
            return Part(fresh, self._end, is_end=True)
        last = rows[-1].second
        floor = last - 1
        if self._since is None or floor > self._since:
            self._since, self._offset = floor, 0
            self._seen = {key: known for key, known in seen.items() if known[0] >= floor}
            self._remember(row for row in rows if row.second >= floor)
        else:
            self._offset += len(rows) - self._overlap
            self._remember(iter(rows))
        return Part(fresh, floor, is_end=False)

    def _remember(self, rows: Iterator[Row]) -> None:
        for row in rows:
            self._seen[row.made.key] = (row.second, hash(row.made.payload))

    def _is_astray(self, rows: Sequence[Row]) -> bool:
        """Whether rows may lie unseen before this page: it must begin with a seen one, where that was, and all before it must fit into the seen."""
        known = self._seen.get(rows[0].made.key) if rows else None
        if known is None or (rows[0].is_dated and rows[0].second != known[0]):
            return True
        again = sum(row.made.key in self._seen for row in rows)
        return len(self._seen) < self._offset + again

    def _check(self, listing: Listing) -> None:
        before = self._since
        for row in listing.rows:
            if not row.is_dated:
                continue
            if before is not None and row.second < before:
                if self._since is not None and row.second < self._since:
                    # A bound that a service cannot read may make it answer with everything (MailChimp.Net issue 525).
                    raise ContractError(
                        f"{self._name} gave a record from before the window that was asked for.",
                        advice="Nothing of the page is used. It may have changed how it reads the bound of the window.",
                        page=listing.body,
                    )
                raise ContractError(
                    f"{self._name} gave records out of the order that was asked for.",
                    advice="Nothing of the page is used. It may have changed how it sorts.",
                    page=listing.body,
                )
            before = row.second
