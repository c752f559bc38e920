"""The newsletter's editors at work: they change, archive and delete members between two pages of the crawl that reads them.

Counts what that would cost whoever pages by offset: when somebody in front leaves the list, the rest moves up, and the next
offset jumps over as many.
"""

from __future__ import annotations

import threading

from syncd.sandbox import AUDIENCE, SandboxMailchimp

_PAGE = 1_000
_EDITED, _ARCHIVED, _DELETED = 12, 5, 3
"""Per page, among those who have been read."""


class Newsroom:
    """Works between pages while it is `open`; safe for threads.

    Attributes:
        pages: Pages of members that were asked for, of all audiences.
        jumped: Addresses an offset would have passed over.
        edited: Address to the company that was typed in meanwhile.
        archived_count, deleted_count: How many were put away, and erased.
    """

    def __init__(self, mailchimp: SandboxMailchimp, spared: set[str]) -> None:
        """Begin to work; nobody in `spared` (addresses in lower case) is touched."""
        self._spared = spared
        self._lock = threading.Lock()
        self._edges = 0
        self.pages = 0
        self.jumped: set[str] = set()
        self.edited: dict[str, str] = {}
        self.archived_count = self.deleted_count = 0
        mailchimp.between_pages(self._between)

    def _between(self, mailchimp: SandboxMailchimp, list_id: str, offset: int) -> None:
        del offset
        with self._lock, mailchimp.lock:
            self.pages += 1
            if list_id != AUDIENCE:
                return
            members = _in_order(mailchimp)
            before = list(members)
            edge = (self._edges + 1) * _PAGE
            if edge >= len(before):
                return
            self._edges += 1
            self._work(mailchimp, dict(list(members.items())[: edge - _PAGE // 2]))
            after = set(list(_in_order(mailchimp))[:edge])
            # Behind the edge before, in front of it now: the next offset begins behind them.
            self.jumped |= {address for address in before[edge:] if address in after}

    def _work(self, mailchimp: SandboxMailchimp, read: dict[str, str]) -> None:
        """Three kinds of work on members who were read already (address to status), spread over them."""
        wanted = [address for address in read if address not in self._spared and address not in self.edited]
        chosen = wanted[:: max(1, len(wanted) // (_EDITED + _ARCHIVED + _DELETED))]
        for number, address in enumerate(chosen[: _EDITED + _ARCHIVED + _DELETED]):
            if number < _EDITED:
                company = f"Moved Ltd {len(self.edited) + 1}"
                mailchimp.put(AUDIENCE, address, status=read[address], merge_fields={"COMPANY": company})
                self.edited[address] = company
            elif number < _EDITED + _ARCHIVED:
                mailchimp.archive(AUDIENCE, address)
                self.archived_count += 1
            else:
                mailchimp.delete_permanently(AUDIENCE, address)
                self.deleted_count += 1


def _in_order(mailchimp: SandboxMailchimp) -> dict[str, str]:
    """Address to status of the first audience, as the API lists its members by their last change."""
    listed = [one for one in mailchimp.audience(AUDIENCE) if one.status != "archived"]
    return {one.email.lower(): one.status for one in sorted(listed, key=lambda one: (one.changed, one.row))}
