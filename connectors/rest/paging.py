"""From page to page as the description says, up to the end that it names; a page is never the end by itself. Belongs to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from connectors.rest.asking import Api
from connectors.rest.options import RestOptions
from connectors.rest.reading import Answer, Found
from connectors.rest.sections import LinkPaging, NoPaging, OffsetPaging, PagePaging, TokenPaging
from connectors.rest.window import Grain
from syncd.connector import Reply
from syncd.connector.tools import at_path, check_not_repeated
from syncd.connector.walk import Listing, Part, Row, Walk
from syncd.errors import ContractError, SourceUnavailableError

_MOST_EMPTY_PAGES = 50
"""In a row, of a service that filters what it has paged: longer, and it has lost its way."""
_MOST_DETOURS = 12
_PAGES_SEEN = 30
"""How many pages back a list is remembered while it is read."""
_AGAIN = "It is tried again with the next run; the page is kept."


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
        answer = api.ask({**fields, **own}, link=link, verify=_verifying(api, options, count, number + 1))
        number += 1
        count += len(answer.rows)
        is_end = _is_end(options, answer, count, number)
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
            token = own[paging.param] = _token(api, paging, answer)
            check_not_repeated(api.name, seen, str(token), answer.reply)
        elif isinstance(paging, LinkPaging):
            link = _link(paging, answer) or ""
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
                raise SourceUnavailableError(
                    f"{api.name} changes faster than it can be read.", advice="It is read again with the next run."
                )
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
        answer = api.ask({**given, paging.param: at}, verify=_verifying(api, options, at, 0))
        rows += answer.rows
        is_end = _is_end(options, answer, at + len(answer.rows), 0)
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
            {**given, paging.param: paging.first + number}, verify=_verifying(api, options, number * size, number + 1)
        )
        return answer, _is_end(options, answer, number * size + len(answer.rows), number + 1)

    number, skip = divmod(offset, size)
    last = number + (offset > 0)
    answer, is_end = page(last)
    rows = list(answer.rows)
    if rows and not is_end and len(rows) != size:
        if paging.end != "empty_page" or page(last + 1)[0].rows:
            raise _other_size(api, answer, size)
        is_end = True
    if last > number:
        front, _ = page(number)
        if rows and [one.made.key for one in front.rows] == [one.made.key for one in rows]:
            raise _circle(api, front.reply)
        if rows and len(front.rows) != size:
            raise _other_size(api, front, size)
        rows = [*front.rows[skip:], *rows]
    return rows, is_end, answer.reply


def _sized(paging: Any) -> dict[str, Any]:
    return {} if paging.size_param is None else {paging.size_param: paging.size}


def _is_end(options: RestOptions, answer: Answer, count: int, number: int) -> bool:
    """Whether a page is the last, by what the description says is the end.

    Args:
        options: The description.
        answer: The page.
        count: Records up to and with this page.
        number: Of the page, from 1.
    """
    paging = options.paging
    if isinstance(paging, NoPaging):
        return True
    if isinstance(paging, LinkPaging):
        return not _link(paging, answer)
    if paging.end == "short_page":
        return len(answer.rows) < paging.size
    if paging.end == "empty_page":
        return not answer.rows
    if paging.end == "missing_token":
        return answer.value_at(paging.path) in (None, "")
    said = _said(options, answer)
    if paging.end == "has_more":
        return said is False
    return bool((count if paging.end == "total" else number) >= said)


def _said(options: RestOptions, answer: Answer) -> Any:
    """What stands at end_path: a count, or whether there is more.

    Raises:
        ContractError: Something else does.
    """
    paging = options.paging
    path = getattr(paging, "end_path", None)
    said = answer.value_at(path)
    wants_bool = getattr(paging, "end", "") == "has_more"
    if isinstance(said, str) and said.isascii() and said.isdigit() and not wants_bool:
        said = int(said)
    if not isinstance(said, bool if wants_bool else int) or (isinstance(said, bool) and not wants_bool):
        raise ContractError(
            f"An answer has no {'yes or no' if wants_bool else 'count'} at end_path: {path}.",
            advice="Correct paging: in the source; the page is kept.",
            page=answer.reply.body,
        )
    return said


def _verifying(api: Api, options: RestOptions, before: int, number: int) -> Callable[[Answer], None]:
    """Looks at page `number` before it counts: an empty one while the service counts more than `before` records is no page."""
    end = getattr(options.paging, "end", "")

    def verify(answer: Answer) -> None:
        if answer.rows or end not in ("total", "pages", "has_more") or isinstance(options.paging, TokenPaging):
            return
        said = _said(options, answer)
        if said is True if end == "has_more" else said > before if end == "total" else said >= number:
            raise SourceUnavailableError(
                f"{api.name} gave a page without records and says that there are more.", advice=_AGAIN, page=answer.reply.body
            )

    return verify


def _token(api: Api, paging: TokenPaging, answer: Answer) -> str | int:
    if paging.last_record is not None:
        content = next((row.content for row in reversed(answer.rows) if row.content is not None), None)
        found = at_path(content, paging.last_record)
        place = f"last_record: {paging.last_record}"
    else:
        found, place = answer.value_at(paging.path), f"path: {paging.path}"
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise SourceUnavailableError(
            f"{api.name} says that there are more records and gives no token at {place}.", advice=_AGAIN, page=answer.reply.body
        )
    return found


def _link(paging: LinkPaging, answer: Answer) -> str | None:
    if paging.path is not None:
        found = answer.value_at(paging.path)
        if found is not None and not isinstance(found, str):
            raise ContractError(
                f"An answer has no address at path: {paging.path}.",
                advice="Correct paging: in the source.",
                page=answer.reply.body,
            )
        return found or None
    return next_of(answer.reply.headers.get("Link", ""))


def next_of(header: str) -> str | None:
    """The address of `rel=next` in a header `Link` (RFC 8288, 3), None without one. Pure."""
    rest = header
    while "<" in rest:
        address, _, rest = rest.partition("<")[2].partition(">")
        # Up to the next address: a comma may also stand in a parameter's quotes.
        parameters = rest.partition("<")[0]
        for one in parameters.rstrip(", ").split(";"):
            name, _, value = one.strip().partition("=")
            if name.strip().lower() == "rel" and "next" in value.strip(' ",').lower().split():
                return address.strip()
    return None


def _circle(api: Api, reply: Reply[Any]) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{api.name} gave the same page twice.",
        advice=f"Correct the parameters of paging: if it does so again. {_AGAIN}",
        page=reply.body,
    )


def _other_size(api: Api, answer: Answer, size: int) -> ContractError:
    return ContractError(
        f"{api.name} gave {len(answer.rows)} records in a page where {size} were expected, and says that there are more.",
        advice=f"Set paging.size (and size_param) to what the service gives, at most {len(answer.rows)} it seems.",
        page=answer.reply.body,
    )
