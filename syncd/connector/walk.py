"""Reading a set that moves while it is read: every row once, in order of its last change, none passed over.

Offset paging alone loses rows: when one leaves the set (edited past the window's end, archived, deleted), those behind it move up
and the next offset jumps over them. So the walk goes on by key: the next page is asked for from one second before the last row
seen, at offset 0, and what was seen already is dropped. Only inside a run of equal seconds longer than a page is an offset used,
and there the next page must begin with a row that was seen; otherwise the walk steps back (docs/adr/0010-mailchimp-paging.md).

A list of many pages is asked for ahead, several at a time, by offsets that overlap. An offset is only a guess at where to look: a
page is taken if it begins before the last second that was given, so that nothing can lie between, or if within that second the
count is exact. Otherwise the walk asks by key, as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from syncd.connector.ahead import Ahead
from syncd.errors import ContractError, SourceUnavailableError
from syncd.model import Record, Reject

_MAX_DETOURS = 12
"""Steps back in a row without one new row; each doubles, so this is far more than the way back to the beginning."""

_AHEAD_FROM = 100
"""Rows of a page, from which on pages are asked for ahead: a twentieth of a smaller one is no overlap."""
_OVERLAP_AHEAD = 20
"""A twentieth of a page asked for ahead lies in the page before, so that a few rows that leave part no pages."""
_MAX_REFUSALS = 3
"""Pages in a row that did not go on where the walk stood: such a list is read by key alone."""


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

    def __init__(self, name: str, ask: Ask, since: int | None, end: int, page_size: int, at_once: int = 1) -> None:
        """`name` for messages; `since` None reads from the beginning; `end` is the last second of the window.

        With `at_once` above 1, `ask` is called by so many threads, and the set says its true number of rows.
        """
        self._name = name
        self._ask = ask
        self._since = since
        self._end = end
        self._page_size = page_size
        self._at_once = at_once if page_size >= _AHEAD_FROM else 1
        self._overlap = max(1, page_size // 10)
        self._offset = 0
        self._seen: dict[str, tuple[int, int]] = {}
        self._begin = since
        self._ahead: Ahead[Listing] | None = None
        self._refusals = 0
        self._place = 0
        self._run: tuple[int, int] | None = None

    def parts(self, narrowed: Callable[[Listing], int]) -> Iterator[Part]:
        """Yield parts up to the end of the window, which `narrowed` may bring forward when it has seen the first answer.

        Raises:
            SourceUnavailableError: The set changes faster than it can be read.
            ContractError: Rows out of order, or from before the window.
        """
        detours, is_first = 0, True
        while True:
            if (part := self._part_ahead()) is None:
                # A bound may be exclusive: ask for one second more and leave out what is beyond.
                before = self._end + 1
                listing = self._ask(self._since, before, self._offset)
                if is_first:
                    self._end = min(self._end, narrowed(listing))
                self._check(listing, self._since)
                if self._offset and self._is_astray(listing.rows):
                    detours += 1
                    if detours > _MAX_DETOURS:
                        raise SourceUnavailableError(
                            f"{self._name} changes faster than it can be read.", advice="It is read again with the next run."
                        )
                    self._offset = max(0, self._offset - self._page_size * 2 ** (detours - 1) // 2)
                    continue
                part = self._part(listing, self._offset)
                if is_first and not part.is_end:
                    self._look_ahead(listing, before)
                is_first = False
            detours = 0 if part.rows else detours
            yield part
            if part.is_end:
                return

    def _part(self, listing: Listing, offset: int) -> Part:
        """The new rows of an answer, and the step to the next question."""
        rows = [row for row in listing.rows if row.second <= self._end]
        fresh = self._fresh(rows)
        # The end is what the service states: its own count, or a row from beyond the window in an ascending list.
        if len(rows) < len(listing.rows) or offset + len(rows) >= listing.total:
            return Part(fresh, self._end, is_end=True)
        self._place = last = rows[-1].second
        floor = last - 1
        if self._since is None or floor > self._since:
            self._since, self._offset = floor, 0
            self._seen = {key: known for key, known in self._seen.items() if known[0] >= floor}
            self._remember(row for row in rows if row.second >= floor)
        else:
            self._offset = offset + len(rows) - self._overlap
            self._remember(iter(rows))
        return Part(fresh, floor, is_end=False)

    def _fresh(self, rows: Sequence[Row]) -> list[Row]:
        seen = self._seen
        fresh = []
        for row in rows:
            known = seen.get(row.made.key)
            if known is None or known[1] != hash(row.made.payload):
                fresh.append(row)
        return fresh

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

    # ------------------------------------------------------------------ pages asked for ahead

    def _look_ahead(self, first: Listing, before: int) -> None:
        """Ask for what follows the first page, in its own window, if that is more than one page."""
        if self._at_once > 1 and first.total > 2 * self._page_size:
            size, overlap = self._page_size, self._page_size // _OVERLAP_AHEAD
            # No more than are under way: with pages waiting as well, 4 % more would be read a second, for 15 MB.
            self._ahead = Ahead(partial(self._ask, self._begin, before), size=size, overlap=overlap, at_most=self._at_once)
            self._ahead.fill(first.total)
            self._note_run(first, 0)

    def _part_ahead(self) -> Part | None:
        """The part of the next page that was asked for ahead; None where there is none that goes on from here."""
        while self._ahead is not None and (found := self._ahead.first()) is not None:
            offset, listing = found
            self._check(listing, self._begin)
            if not listing.rows or listing.rows[-1].second < self._place:
                self._ahead.drop()  # all of it was given meanwhile, asked for by key
                continue
            if not self._goes_on(listing, offset):
                self._refusals += 1
                break
            self._refusals = 0
            self._ahead.drop()
            self._ahead.fill(listing.total)
            floor = self._since
            part = self._part(listing, offset)
            self._offset = 0
            self._note_run(listing, offset)
            if floor is not None:
                # Of the rows that it shares with the page before, only those of the last seconds are remembered.
                part = part._replace(rows=[row for row in part.rows if row.second >= floor or not row.is_dated])
            return part
        self._run = None
        if self._refusals >= _MAX_REFUSALS:
            self._ahead = None
        return None

    def _goes_on(self, listing: Listing, offset: int) -> bool:
        """Whether nothing can lie unseen between what was given and a page asked for ahead.

        Everything before the last second that was given has been given. A page that begins earlier therefore misses nothing, in
        whatever order the service sorts equal seconds. A page that begins within that second must begin with a row that was seen,
        the set must have kept its size, and the rows of the second that were seen must be as many as lie up to the page's last one.
        """
        dated = next((row for row in listing.rows if row.is_dated), None)
        if dated is not None and dated.second < self._place:
            return True
        first = listing.rows[0]
        known = self._seen.get(first.made.key)
        if self._run is None or first is not dated or known is None or not first.second == known[0] == self._place:
            return False
        rank, total = self._run
        here = [row.made.key for row in listing.rows if row.second == self._place]
        seen = {key for key, (second, _) in self._seen.items() if second == self._place}
        return listing.total == total and len(seen.union(here)) == offset - rank + len(here)

    def _note_run(self, listing: Listing, offset: int) -> None:
        """Where in the whole list the last second given so far begins, as far as the list was read ahead."""
        at = next(place for place, row in enumerate(listing.rows) if row.second == self._place)
        if at or not offset:
            self._run = offset + at, listing.total
        elif self._run is not None:
            self._run = self._run[0], listing.total

    def _check(self, listing: Listing, since: int | None) -> None:
        """That an answer to a question from `since` on keeps to the order and to the bound."""
        before = since
        for row in listing.rows:
            if not row.is_dated:
                continue
            if before is not None and row.second < before:
                if since is not None and row.second < since:
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
