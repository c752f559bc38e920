"""What a page says of the next one: whether there is more, and where it begins. Pure. Belongs to rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.rest.options import RestOptions
from connectors.rest.reading import Answer
from connectors.rest.sections import LinkPaging, NoPaging, TokenPaging
from syncd.connector.tools import at_path
from syncd.errors import ContractError, SourceUnavailableError

AGAIN = "It is tried again with the next run; the page is kept."


def is_last(options: RestOptions, answer: Answer, count: int, number: int) -> bool:
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
        return not link_of(paging, answer)
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


def verifying(name: str, options: RestOptions, before: int, number: int) -> Callable[[Answer], None]:
    """Looks at page `number` before it counts: an empty one while the service counts more than `before` records is no page."""
    end = getattr(options.paging, "end", "")

    def verify(answer: Answer) -> None:
        if answer.rows or end not in ("total", "pages", "has_more") or isinstance(options.paging, TokenPaging):
            return
        said = _said(options, answer)
        if said is True if end == "has_more" else said > before if end == "total" else said >= number:
            raise SourceUnavailableError(
                f"{name} gave a page without records and says that there are more.", advice=AGAIN, page=answer.reply.body
            )

    return verify


def token_of(name: str, paging: TokenPaging, answer: Answer) -> str | int:
    """The token for the next page, of a page that is not the last.

    Raises:
        SourceUnavailableError: There is none.
    """
    if paging.last_record is not None:
        content = next((row.content for row in reversed(answer.rows) if row.content is not None), None)
        found = at_path(content, paging.last_record)
        place = f"last_record: {paging.last_record}"
    else:
        found, place = answer.value_at(paging.path), f"path: {paging.path}"
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise SourceUnavailableError(
            f"{name} says that there are more records and gives no token at {place}.", advice=AGAIN, page=answer.reply.body
        )
    return found


def link_of(paging: LinkPaging, answer: Answer) -> str | None:
    """The address of the next page, None where there is none.

    Raises:
        ContractError: What stands at its path is no text.
    """
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
