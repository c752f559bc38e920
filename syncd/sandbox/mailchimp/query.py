"""The parameters of GET members, and the rows they mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from syncd.sandbox.mailchimp.audience import ORDERS, Audience
from syncd.sandbox.mailchimp.member import CODES, Member
from syncd.sandbox.mailchimp.problem import Problem, invalid, invalid_fields

_MAX_COUNT = 1_000
_DEFAULT_COUNT = 10
_MATCHES: dict[str, Callable[[list[bool]], bool]] = {"any": any, "all": all, "none": lambda found: not any(found)}


@dataclass(frozen=True)
class Choice:
    """Which members, in which order. Windows are whole seconds since 1970: at or after the first, before the second (None: open)."""

    status: str
    order: str
    changed: tuple[int, int | None]
    opted: tuple[int, int | None]
    left_from: int
    campaign_at: int
    interests: tuple[str, ...]
    interest_match: str
    unique_email_id: str
    vip_only: bool
    email_type: str

    @property
    def is_scan(self) -> bool:
        """Whether members must be looked at one by one."""
        return bool(self.interests or self.vip_only or self.email_type or self.left_from or self.campaign_at) or (
            self.opted != (0, None)
        )

    def holds(self, member: Member) -> bool:
        """Whether a member passes what needs a look."""
        low, high = self.opted
        return (
            (low <= member.opted and (high is None or member.opted < high))
            and (not self.vip_only or member.vip)
            and (not self.email_type or member.email_type == self.email_type)
            and member.left >= self.left_from
            and member.changed >= self.campaign_at
            and (not self.interests or _MATCHES[self.interest_match]([member.interests[name] for name in self.interests]))
        )


def paging(query: dict[str, str]) -> tuple[int, int]:
    """Offset and count of any collection.

    Raises:
        Problem: 400, one of them is no number that may be.
    """
    count = _number(query, "count", _DEFAULT_COUNT)
    if count > _MAX_COUNT:
        raise invalid_fields(count=f"Schema describes a maximum of {_MAX_COUNT}, {count} found instead")
    return _number(query, "offset", 0), count


def choice(audience: Audience, query: dict[str, str], *, inclusive: bool) -> Choice:
    """What a query means. A malformed instant is no bound at all: the whole audience comes, as from the vendor.

    Args:
        audience: The one that is asked.
        query: Parameters by name.
        inclusive: Whether equal instants lie within `since_` and `before_`.

    Raises:
        Problem: 400, a combination or a value that the vendor refuses.
    """
    status = query.get("status", "")
    _check("status", status, CODES)
    order = query.get("sort_field", "")
    _check("sort_field", order, ORDERS)
    _check("sort_dir", query.get("sort_dir", ""), ("", "ASC", "DESC"))
    _check("email_type", query.get("email_type", ""), ("", "html", "text"))
    if query.get("unsubscribed_since") and status != "unsubscribed":
        raise invalid("Status must be unsubscribed when using the unsubscribed_since filter.")
    if "since_last_campaign" in query and not status:
        raise invalid("Status is required when using since_last_campaign filter.")
    interests, match = _interests(audience, query)
    return Choice(
        status,
        order,
        _window(query, "last_changed", inclusive=inclusive),
        _window(query, "timestamp_opt", inclusive=inclusive),
        _bound(query.get("unsubscribed_since", ""), is_upper=False, inclusive=inclusive) or 0,
        audience.campaign_at + 1 if audience.campaign_at and query.get("since_last_campaign", "").lower() == "true" else 0,
        interests,
        match,
        query.get("unique_email_id", ""),
        query.get("vip_only", "").lower() == "true",
        query.get("email_type", ""),
    )


def select(audience: Audience, wanted: Choice, *, descending: bool, offset: int, count: int) -> tuple[int, list[int]]:
    """How many members there are, and the rows of one page of them."""
    if not (wanted.is_scan or wanted.unique_email_id):
        if wanted.order == "last_changed":
            index = audience.index(wanted.status, "last_changed")
            start, stop = index.between(*wanted.changed)
            return stop - start, _slice(index.rows, start, stop, descending=descending, offset=offset, count=count)
        if wanted.changed == (0, None):
            index = audience.index(wanted.status, wanted.order)
            return len(index), _slice(index.rows, 0, len(index), descending=descending, offset=offset, count=count)
    rows = audience.choice(wanted, lambda: _look(audience, wanted), wanted.order)
    page = _slice(lambda start, stop: rows[start:stop], 0, len(rows), descending=descending, offset=offset, count=count)
    return len(rows), page


def _look(audience: Audience, wanted: Choice) -> list[int]:
    """Rows, in no order, by looking at members; the instant of the last change narrows them first."""
    index = audience.index(wanted.status, "last_changed")
    rows = index.rows(*index.between(*wanted.changed))
    if wanted.unique_email_id:
        one = audience.by_unique_id(wanted.unique_email_id)
        rows = [one.row] if one is not None and one.row in set(rows) else []
    return [row for row in rows if wanted.holds(audience.member(row))] if wanted.is_scan else rows


def _slice(
    rows: Callable[[int, int], list[int]], start: int, stop: int, *, descending: bool, offset: int, count: int
) -> list[int]:
    """One page of the positions from `start` to `stop`."""
    if descending:
        last = max(stop - offset, start)
        return rows(max(last - count, start), last)[::-1]
    first = min(start + offset, stop)
    return rows(first, min(first + count, stop))


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise invalid_fields(**{name: "Schema describes integer, string found instead"})
    return int(text)


def _check(name: str, value: str, legal: Iterable[str]) -> None:
    choices = [one for one in legal if one]
    if value and value not in choices:
        raise invalid_fields(**{name: f"Value must be one of: {', '.join(choices)}"})


def _interests(audience: Audience, query: dict[str, str]) -> tuple[tuple[str, ...], str]:
    """Ids and match of the three parameters that come together or not at all."""
    names = ("interest_category_id", "interest_ids", "interest_match")
    given = [query.get(name, "") for name in names]
    if not any(given):
        return (), ""
    if not all(given):
        raise invalid("interest_category_id, interest_ids and interest_match must be used together.")
    category, ids, match = given[0], tuple(filter(None, given[1].split(","))), given[2]
    if category != audience.category_id or not set(ids) <= set(audience.interests):
        raise Problem(400, "Invalid Resource", "Invalid interest category or interest ID.")
    _check("interest_match", match, _MATCHES)
    return ids, match


def _window(query: dict[str, str], name: str, *, inclusive: bool) -> tuple[int, int | None]:
    low = _bound(query.get(f"since_{name}", ""), is_upper=False, inclusive=inclusive)
    return low or 0, _bound(query.get(f"before_{name}", ""), is_upper=True, inclusive=inclusive)


def _bound(text: str, *, is_upper: bool, inclusive: bool) -> int | None:
    """The first second inside a lower bound, or the first outside an upper one; None for what is no instant."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    # Stamps are whole seconds: after the bound means from the next one on.
    return max(math.floor(seconds) + 1 if is_upper == inclusive else math.ceil(seconds), 0)
