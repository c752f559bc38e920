"""The resources of a user: lists to their end, and what statuses mean. Belongs to eventbrite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Protocol
from urllib.parse import quote

import msgspec

from syncd.connector import Reply, Row, Secret, Session
from syncd.connector.tools import Horizon, check_not_repeated
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError

_QUOTA_SECONDS = 30.0
_REFUSED = AuthError(
    "Eventbrite refuses the token.", advice="Check token: (Account settings, Developer links, API keys, the private token)."
)
_FORBIDDEN = AuthError(
    "Eventbrite does not let this token read that.",
    advice="The user of the token needs the right to manage the attendees of the organization (Organization settings, Roles).",
)
_THROTTLED = RateLimitedError(
    "Eventbrite says that the calls of this hour are used up.",
    retry_after_seconds=_QUOTA_SECONDS,
    advice="It is read again later; another program that uses the same token has a share in its calls.",
)


class _Paging(msgspec.Struct):
    has_more_items: bool
    object_count: int | None = None
    continuation: str | None = None


class Organization(msgspec.Struct):
    """An organization of the user."""

    id: str


class Listed(msgspec.Struct):
    """A page of any list; which one is asked for holds the items."""

    pagination: _Paging
    attendees: list[msgspec.Raw] | None = None
    organizations: list[Organization] | None = None


class Account(Protocol):
    """What of the options a login and an address need."""

    token: Secret
    base_url: str


class GoneError(ContractError):
    """There is no such attendee."""


def pages(session: Session, options: Account, path: str, name: str, params: Mapping[str, str]) -> Iterator[Reply[Listed]]:
    """A list to the end that the service states."""
    missing = ContractError(
        f"Eventbrite has no {path.rpartition(f'/{name}')[0].strip('/') or name}.",
        advice='Correct organizations: in the source; "syncd source check" names them.',
    )
    asked, seen, count = dict(params), set[str](), 0
    while True:
        reply = session.http.get(
            f"{options.base_url}{path}",
            Listed,
            params=asked,
            headers=login(options),
            rows=rows(missing),
            verify=partial(_is_whole, name, count),
        )
        yield reply
        count += len(getattr(reply.value, name))
        paging = reply.value.pagination
        if not paging.has_more_items:
            return
        check_not_repeated("Eventbrite", seen, paging.continuation or "", reply)
        asked = {**params, "continuation": paging.continuation or ""}


def _is_whole(name: str, count: int, reply: Reply[Listed]) -> None:
    """A page holds what was asked for; an empty one is the end only when nothing is missing of what Eventbrite counts."""
    found, paging = getattr(reply.value, name), reply.value.pagination
    if found is None or (paging.has_more_items and not paging.continuation):
        raise ContractError(
            f"Eventbrite gave a page without {name}, or without the way to the next.",
            advice="The API may have changed; the page is kept.",
            page=reply.body,
        )
    if not found and (paging.has_more_items or count < (paging.object_count or 0)):
        raise SourceUnavailableError(
            f"Eventbrite gave no {name} and counts more.",
            advice="It is tried again with the next run; the page is kept.",
            page=reply.body,
        )


def organizations(session: Session, options: Account, horizon: Horizon | None = None) -> list[str]:
    """Ids of the user's organizations."""
    found: list[str] = []
    for reply in pages(session, options, "/users/me/organizations/", "organizations", {}):
        if horizon is not None:
            horizon.see(reply)
        found += [one.id for one in reply.value.organizations or ()]
    return list(dict.fromkeys(found))


def attendees_of(organization: str) -> str:
    """The path of the attendees of all events of an organization."""
    return f"/organizations/{quote(organization, safe='')}/attendees/"


def login(options: Account) -> dict[str, str | Secret]:
    """The header that every call bears."""
    return {"Authorization": Secret(f"Bearer {options.token.reveal()}", options.token.origin)}


def rows(missing: ContractError) -> dict[int, Row]:
    """What statuses mean; `missing` is for 404."""
    return {401: _REFUSED, 403: _FORBIDDEN, 404: missing, 429: _THROTTLED}
