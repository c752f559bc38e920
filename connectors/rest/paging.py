"""From page to page as the description says, up to the end that it names; a page is never the end by itself. Belongs to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from connectors.rest.asking import Api
from connectors.rest.ends import AGAIN, is_last, link_of, token_of, verifying
from connectors.rest.options import RestOptions
from connectors.rest.reading import Answer, Found
from connectors.rest.sections import LinkPaging, NoPaging, OffsetPaging, PagePaging, TokenPaging
from connectors.rest.window import Grain
from syncd.connector import Reply
from syncd.connector.tools import check_not_repeated
from syncd.connector.walk import Listing, Part, Row, Walk
from syncd.errors import ContractError, SourceUnavailableError

_MOST_EMPTY_PAGES = 50
"""In a row, of a service that filters what it has paged: longer, and it has lost its way."""
_MOST_DETOURS = 12
_PAGES_SEEN = 30
"""How many pages back a list is remembered while it is read."""


class Turned(NamedTuple):
    """A page that was read, and whether it was the last."""

    answer: Answer
    is_end: bool


def turned(api: Api, options: RestOptions, fields: dict[str, Any]) -> Iterator[Turned]:
    """Every page in the order that the service gives; `fields` are the parameters beside those of paging.

    Raises:
        SourceUnavailableError: Pages that go in a circle, or an empty one before the end.
    """
    paging = options.paging
    own: dict[str, Any] = {} if isinstance(paging, NoPaging) else _sized(paging)
    seen: set[str] = set()
    count = empty = number = 0
    link, last_keys = "", [""]
    if isinstance(paging, PagePaging):
        own[paging.param] = paging.first
    while True:
        answer = api.ask({**fields, **own}, link=link, verify=verifying(api.name, options, count, number + 1))
        number += 1
        count += len(answer.rows)
        is_end = is_last(options, answer, count, number)
        yield Turned(answer, is_end)
        if is_end:
            return
        empty = 0 if answer.rows else empty + 1
        keys = [row.made.key for row in answer.rows]
        if empty > _MOST_EMPTY_PAGES or (keys and keys == last_keys):
            raise _circle(api, answer.reply)
        last_keys = keys
        if isinstance(paging, PagePaging):
            own[paging.param] = paging.first + number
        elif isinstance(paging, TokenPaging):
            token = own[paging.param] = token_of(api.name, paging, answer)
            check_not_repeated(api.name, seen, str(token), answer.reply)
        elif isinstance(paging, LinkPaging):
            link = link_of(paging, answer) or ""
            check_not_repeated(api.name, seen, link, answer.reply)


def counted(
    api: Api, options: RestOptions, fields: Callable[[int | None, int], dict[str, Any]], since: int | None, end: int, grain: Grain
) -> Iterator[Part]:
    """Pages by number or offset of a sorted set that moves, none passed over: see `Walk`.

    Args:
        api: The service.
        options: With paging by page or offset, and a sorted cursor.
        fields: Parameters beside those of paging, for a window of units.
        since: First unit, None from the beginning.
        end: Last unit.
        grain: Units of time.
    """
    paging = options.paging
    assert isinstance(paging, PagePaging | OffsetPaging)  # noqa: S101 - others are turned
    read = _by_number if isinstance(paging, PagePaging) else _by_offset

    def ask(begin: int | None, before: int, offset: int) -> Listing:
        rows, is_end, reply = read(api, options, fields(begin, before) | _sized(paging), offset)
        made: list[Row] = []
        second = begin or 0
        for one in rows:
            second = grain.unit(one.at) if one.at is not None else second
            made.append(Row(second, one.at is not None, one.made))
        return Listing(made, offset + len(rows) + (not is_end), reply.at, reply.received_at, reply.body)

    walk = Walk(api.name, ask, since, end, paging.size)
    yield from walk.parts(lambda _: grain.unit(api.horizon.end))


def overlapping(api: Api, options: RestOptions) -> Iterator[tuple[list[Found], bool]]:
    """The new rows of each page by offset of a whole list that moves, and whether they were the last.

    Each page begins with rows of the one before. One that does not has moved up: it is stepped back until it does.

    Raises:
        SourceUnavailableError: The list changes faster than it can be read.
    """
    paging = options.paging
    assert isinstance(paging, OffsetPaging)  # noqa: S101 - others are turned
    seen: dict[str, int] = {}
    last_keys: list[str] = []
    offset = detours = 0
    while True:
        rows, is_end, reply = _by_offset(api, options, _sized(paging), offset)
        keys = [row.made.key for row in rows]
        if keys and keys == last_keys and not detours:
            raise _circle(api, reply)
        last_keys = keys
        if offset and (not rows or rows[0].made.key not in seen):
            detours += 1
            if detours > _MOST_DETOURS:
                raise _too_fast(api)
            offset = max(0, offset - paging.size * 2 ** (detours - 1) // 2)
            continue
        fresh = [row for row in rows if seen.get(row.made.key) != hash(row.made.payload)]
        detours = 0 if fresh else detours
        yield fresh, is_end
        if is_end:
            return
        seen |= {row.made.key: hash(row.made.payload) for row in rows}
        for key in list(seen)[: max(0, len(seen) - paging.size * _PAGES_SEEN)]:
            del seen[key]
        offset += len(rows) - max(1, paging.size // 10)


_Read = tuple[list[Found], bool, Reply[Any]]
"""Rows from an offset on, whether they are the last, and the answer."""


def _by_offset(api: Api, options: RestOptions, given: dict[str, Any], offset: int) -> _Read:
    paging = options.paging
    assert isinstance(paging, OffsetPaging)  # noqa: S101 - see counted
    rows: list[Found] = []
    while True:
        at = offset + len(rows)
        answer = api.ask({**given, paging.param: at}, verify=verifying(api.name, options, at, 0))
        rows += answer.rows
        is_end = is_last(options, answer, at + len(answer.rows), 0)
        # A walk that goes on needs more rows than it reads again.
        needed = paging.size if paging.end == "empty_page" else paging.size // 10 + 2
        if is_end or len(rows) >= needed:
            return rows, is_end, answer.reply


def _by_number(api: Api, options: RestOptions, given: dict[str, Any], offset: int) -> _Read:
    """What an offset would give, of a service that knows only numbers.

    A page that is gone on to is read before the one in front of it, which is read again: what left meanwhile is then seen twice,
    not passed over.
    """
    paging = options.paging
    assert isinstance(paging, PagePaging)  # noqa: S101 - see counted
    size = paging.size

    def page(number: int) -> tuple[Answer, bool]:
        answer = api.ask(
            {**given, paging.param: paging.first + number}, verify=verifying(api.name, options, number * size, number + 1)
        )
        return answer, is_last(options, answer, number * size + len(answer.rows), number + 1)

    number, skip = divmod(offset, size)
    last = number + (offset > 0)
    answer, is_end = page(last)
    rows = list(answer.rows)
    if rows and not is_end and len(rows) != size:
        if paging.end != "empty_page" or page(last + 1)[0].rows:
            raise _other_size(api, answer, size)
        is_end = True
    if last > number:
        front = page(number)[0]
        keys = [one.made.key for one in front.rows]
        if rows and keys == [one.made.key for one in rows]:
            raise _circle(api, front.reply)
        is_short = bool(rows) and len(keys) != size
        rows = [one for one in rows if one.made.key not in keys]
        # So much has left that the pages no longer meet.
        if is_short or (rows and front.rows and _is_later(front.rows[-1], rows[0])):
            raise _too_fast(api)
        rows = [*front.rows[skip:], *rows]
    return rows, is_end, answer.reply


def _is_later(one: Found, other: Found) -> bool:
    return one.at is not None and other.at is not None and one.at > other.at


def _sized(paging: Any) -> dict[str, Any]:
    return {} if paging.size_param is None else {paging.size_param: paging.size}


def _too_fast(api: Api) -> SourceUnavailableError:
    return SourceUnavailableError(f"{api.name} changes faster than it can be read.", advice="It is read again with the next run.")


def _circle(api: Api, reply: Reply[Any]) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{api.name} gave the same page twice.",
        advice=f"Correct the parameters of paging: if it does so again. {AGAIN}",
        page=reply.body,
    )


def _other_size(api: Api, answer: Answer, size: int) -> ContractError:
    return ContractError(
        f"{api.name} gave {len(answer.rows)} records in a page where {size} were expected, and says that there are more.",
        advice=f"Set paging.size (and size_param) to what the service gives, at most {len(answer.rows)} it seems.",
        page=answer.reply.body,
    )
