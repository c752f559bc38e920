"""One audience: its members in rows, found by address, hash or contact id, and ordered by instants. No rules, no HTTP."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime

from syncd.sandbox.mailchimp.crowd import CROWD_TAGS, Crowd
from syncd.sandbox.mailchimp.index import Index, key_of
from syncd.sandbox.mailchimp.member import ARCHIVED, CODES, STATUSES, Member, address_hash, address_key

_MASK = (1 << 64) - 1
_STIR = 0x9E3779B97F4A7C15
_UNSTIR = pow(_STIR, -1, 1 << 64)
_CHOICES_KEPT = 4

ORDERS: dict[str, Callable[[Member], int]] = {
    "": lambda _: 0,
    "last_changed": lambda member: member.changed,
    "timestamp_opt": lambda member: member.opted,
    "timestamp_signup": lambda member: member.signup,
}
"""What members can be sorted by; nothing is an order that only looks like chance."""


class Audience:
    """One list of an account; its lock is the account's.

    Attributes:
        interests: Id to name, all in one category. permissions: Id to text. tags: Name to id. required: Merge fields to be filled in.
        forgotten: Hashes of addresses that were deleted for good. campaign_at: When the last campaign was sent, in seconds.
        rendered: Members as JSON, by selection of fields and row; kept as long as they stand.
        templates: The JSON of a crowd's kinds, by selection and kind.
    """

    def __init__(
        self,
        list_id: str,
        name: str,
        *,
        number: int,
        created_at: int,
        merge_fields: tuple[str, ...],
        interests: dict[str, str],
        permissions: dict[str, str],
        required: frozenset[str],
    ) -> None:
        """Without members; `number` is the audience's own in its account."""
        self.list_id, self.name, self.number, self.created_at = list_id, name, number, created_at
        self.merge_fields, self.interests, self.permissions, self.required = merge_fields, interests, permissions, required
        self.category_id = address_hash(f"category {list_id}")[:10]
        self.tags: dict[str, int] = {}
        self.forgotten: set[str] = set()
        self.campaign_at = 0
        self.rendered: dict[object, dict[int, bytes]] = {}
        self.templates: dict[tuple[object, int], str] = {}
        self._salt = address_key(f"contacts {list_id}")
        self._changed = array("q")
        self._codes = bytearray()
        self._members: dict[int, Member] = {}
        self._rows: dict[int, int] = {}
        self._crowds: list[Crowd] = []
        self._indexes: dict[tuple[int, str], Index] = {}
        self._choices: dict[object, list[int]] = {}

    def __len__(self) -> int:
        """Members, archived ones too."""
        return len(self._rows)

    def __iter__(self) -> Iterator[Member]:
        """Every member, archived ones too, in the order in which they came."""
        return (self.member(row) for row in range(len(self._codes)) if self._codes[row])

    def count(self, status: str) -> int:
        """Members of one status."""
        return self._codes.count(CODES[status])

    # ------------------------------------------------------------------ reading

    def member(self, row: int) -> Member:
        """The member in a row that is not gone."""
        known = self._members.get(row)
        if known is not None:
            return known
        crowd, changed = self._crowd_of(row), self._changed[row]
        choices = list(self.interests), list(self.permissions)
        return crowd.member(row, self.contact_id(row), changed, crowd.kind(row), crowd.own(row, changed), *choices)

    def of_crowd(self, row: int) -> tuple[Crowd, int] | None:
        """The crowd of a member that nobody has edited, and its `last_changed`; None for the others."""
        return None if row in self._members else (self._crowd_of(row), self._changed[row])

    def _crowd_of(self, row: int) -> Crowd:
        return self._crowds[bisect_right(self._crowds, row, key=lambda one: one.first) - 1]

    def find(self, reference: str) -> Member | None:
        """By address, hash of an address or contact id."""
        if "@" in reference:
            row = self._rows.get(address_key(reference))
            return None if row is None else self.member(row)
        try:
            number = int(reference[:16], 16)
        except ValueError:
            return None
        row = self._rows.get(number)
        if row is not None and (found := self.member(row)).hash == reference.lower():
            return found
        row = ((number - self._salt) & _MASK) * _UNSTIR & _MASK
        is_one = row < len(self._codes) and self._codes[row] != 0 and self.contact_id(row) == reference.lower()
        return self.member(row) if is_one else None

    def by_unique_id(self, unique_email_id: str) -> Member | None:
        """The member with a `unique_email_id`."""
        try:
            prefix = int(unique_email_id[::-1], 16)
        except ValueError:
            return None
        found = (self.member(row) for key, row in self._rows.items() if key >> 24 == prefix)
        return next((one for one in found if one.unique_email_id == unique_email_id), None)

    def contact_id(self, row: int) -> str:
        """Of a row: 32 hex digits that stay when the address changes."""
        first = (row * _STIR + self._salt) & _MASK
        return f"{first:016x}{(first ^ first >> 29) * _STIR & _MASK:016x}"

    def index(self, status: str, order: str) -> Index:
        """Rows of one status, `""` for all but archived, in an order of ORDERS; made once, then kept up by every edit."""
        code = CODES[status]
        known = self._indexes.get((code, order))
        if known is None:
            codes = self._codes
            rows = (row for row in range(len(codes)) if (codes[row] == code if code else 0 < codes[row] < ARCHIVED))
            known = self._indexes[code, order] = Index(key_of(self._value(row, order), row) for row in rows)
        return known

    def choice(self, query: object, choose: Callable[[], list[int]], order: str) -> list[int]:
        """The rows that `choose` gives, in an order; the same query gives the same list until anything changes."""
        known = self._choices.get(query)
        if known is None:
            if len(self._choices) >= _CHOICES_KEPT:
                self._choices.clear()
            known = self._choices[query] = sorted(choose(), key=lambda row: key_of(self._value(row, order), row))
        return known

    def _value(self, row: int, order: str) -> int:
        if order == "last_changed":
            return self._changed[row]
        return ORDERS[order](self.member(row)) if order else 0

    # ------------------------------------------------------------------ writing

    def new_row(self) -> int:
        """The row of a member to come."""
        return len(self._codes)

    def tag_id(self, name: str) -> int:
        """The id of a tag, made when there is none."""
        return self.tags.setdefault(name, 1_000 * self.number + len(self.tags) + 1)

    def store(self, member: Member) -> None:
        """Take in a new member (in `new_row`) or an edited copy of one."""
        row = member.row
        self._choices.clear()
        if row == len(self._codes):
            self._codes.append(0)
            self._changed.append(0)
        else:
            before = self.member(row)
            self._leave(before)
            if before.email != member.email:
                del self._rows[address_key(before.email)]
        for name in member.tags:
            self.tag_id(name)
        self._members[row] = member
        self._rows[address_key(member.email)] = row
        self.forgotten.discard(member.hash)
        self._codes[row], self._changed[row] = CODES[member.status], member.changed
        for order, index in self._indexes_of(member):
            index.add(ORDERS[order](member), row)

    def drop(self, member: Member) -> None:
        """Forget a member for good."""
        self._choices.clear()
        self._leave(member)
        del self._rows[address_key(member.email)]
        self._members.pop(member.row, None)
        self._codes[member.row] = 0
        self.forgotten.add(member.hash)

    def populate(self, count: int, *, start: datetime, seconds: int, seed: int) -> None:
        """Add a crowd; see `Crowd`."""
        number = sum(one.count for one in self._crowds) + 1
        choices = [*self.interests, *self.permissions]
        first, begin = self.new_row(), int(start.timestamp())
        tags = list(self.merge_fields)
        crowd = Crowd(first, count, seed=seed, number=number, start=begin, seconds=seconds, tags=tags, choices=choices)
        for row, (key, changed, code) in enumerate(crowd.rows(), first):
            self._rows[key] = row
            self._changed.append(changed)
            self._codes.append(code)
        for name in CROWD_TAGS:
            self.tag_id(name)
        self._crowds.append(crowd)
        self._indexes.clear()
        self._choices.clear()
        # The first crawl should not pay for the order that every crawl asks for.
        self.index("", "last_changed")

    def _leave(self, member: Member) -> None:
        """Take a member out of every order, before it changes."""
        for order, index in self._indexes_of(member):
            index.remove(ORDERS[order](member), member.row)
        for pages in self.rendered.values():
            pages.pop(member.row, None)

    def _indexes_of(self, member: Member) -> Iterator[tuple[str, Index]]:
        codes = (CODES[member.status],) if member.status == STATUSES[ARCHIVED] else (CODES[member.status], 0)
        return ((order, index) for (code, order), index in self._indexes.items() if code in codes)
