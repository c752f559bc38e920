"""The resources of an account, each answer checked for being whole. Belongs to mailchimp."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from connectors.mailchimp.members import FIELDS, MEMBER_FIELDS, MembersPage, TagsPage, rows_of, with_tags
from syncd.connector import Answer, Record, Reject, Reply, Secret, Session
from syncd.connector import Row as StatusRow
from syncd.connector.tools import UNREADABLE
from syncd.connector.walk import Ask, Listing, Row
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError

PAGE_SIZE = 1000
"""The vendor's maximum (client library 3.0.80 refuses more)."""

T = TypeVar("T")


class Ping(msgspec.Struct):
    """GET /ping."""

    health_status: str


class _Audience(msgspec.Struct):
    id: str


class _Audiences(msgspec.Struct):
    lists: list[_Audience]
    total_items: int


class _Problem(msgspec.Struct):
    title: str
    status: int


class MemberGoneError(ContractError):
    """There is no such member, or no more."""


class Api:
    """The account's resources."""

    def __init__(self, session: Session, root: str, key: Secret) -> None:
        """`root` without a slash at its end; the key goes as the password of Basic, the user's name is anything."""
        self._http = session.http
        self._root = root
        given = base64.b64encode(f"syncd:{key.reveal()}".encode()).decode()
        self._headers = {"Authorization": Secret(f"Basic {given}", key.origin)}

    def get(
        self,
        path: str,
        shape: type[T],
        params: Mapping[str, str] | None = None,
        rows: Mapping[int, StatusRow] | None = None,
        verify: Callable[[Reply[T]], None] | None = None,
    ) -> Reply[T]:
        """A resource; raises as `Http.get`."""
        meanings = {**_meanings(), **(rows or {})}
        return self._http.get(f"{self._root}{path}", shape, params=params, headers=self._headers, rows=meanings, verify=verify)

    def send(self, method: str, path: str, body: bytes, params: Mapping[str, str]) -> Answer | None:
        """Send JSON once; raises as `Http.send`."""
        url = f"{self._root}{path}"
        return self._http.send(method, url, body, params=params, headers=self._headers, rows=_meanings())

    def members(self, list_id: str, params: Mapping[str, str], count: int, offset: int) -> Reply[MembersPage]:
        """One page of an audience, whole."""
        missing = ContractError(
            f'Mailchimp has no audience "{list_id}".', advice='Correct audiences: in the source; "syncd source check" names them.'
        )
        order = {"fields": FIELDS, "sort_field": "last_changed", "sort_dir": "ASC"}
        verify = partial(_is_whole, list_id, count, offset, lambda page: len(page.members))
        return self.get(f"/lists/{quote(list_id, safe='')}/members", MembersPage, {**order, **params}, {404: missing}, verify)

    def member(self, list_id: str, member: str) -> bytes:
        """One member with what a page has of it; raises MemberGoneError."""
        path = f"/lists/{quote(list_id, safe='')}/members/{quote(member, safe='')}"
        rows = {404: MemberGoneError("There is no such member.")}
        return bytes(self.get(path, msgspec.Raw, {"fields": MEMBER_FIELDS}, rows).value)

    def newest(self, list_id: str, since: int, before: int) -> Listing:
        """How many members changed between two seconds, and the last one of them; one call, however many there are."""
        bounds = {"since_last_changed": text_of(since), "before_last_changed": text_of(before)}
        reply = self.members(list_id, {**bounds, "count": "1", "sort_dir": "DESC"}, 1, 0)
        rows = rows_of(reply.value, list_id, since)
        return Listing(rows, reply.value.total_items, reply.at, reply.received_at, reply.body)

    def asking(self, list_id: str, size: int, *, is_archive: bool) -> Ask:
        """The question that a walk repeats. No filter is sent empty: the service takes an empty one for a wrong one."""

        def ask(since: int | None, before: int, offset: int) -> Listing:
            params = {"count": str(size), "before_last_changed": text_of(before)}
            if since is not None:
                params["since_last_changed"] = text_of(since)
            if offset:
                params["offset"] = str(offset)
            if is_archive:
                params["status"] = "archived"
            reply = self.members(list_id, params, size, offset)
            rows = rows_of(reply.value, list_id, since)
            return Listing(rows, reply.value.total_items, reply.at, reply.received_at, reply.body)

        return ask

    def tags(self, list_id: str, member: str) -> list[msgspec.Raw]:
        """All tags of a member; raises MemberGoneError."""
        path = f"/lists/{quote(list_id, safe='')}/members/{quote(member, safe='')}/tags"
        found: list[msgspec.Raw] = []
        while True:
            params = {"count": str(PAGE_SIZE), **({"offset": str(len(found))} if found else {})}
            verify = partial(_is_whole, list_id, PAGE_SIZE, len(found), lambda page: len(page.tags))
            page = self.get(path, TagsPage, params, {404: MemberGoneError("The member is gone.")}, verify).value
            found += page.tags
            if len(found) >= page.total_items:
                return found


def audiences(api: Api) -> list[_Audience]:
    """All audiences of the account."""
    found: dict[str, _Audience] = {}
    offset = 0
    while True:
        params = {"fields": "lists.id,total_items", "count": str(PAGE_SIZE), **({"offset": str(offset)} if offset else {})}
        verify = partial(_is_whole, "", PAGE_SIZE, offset, lambda page: len(page.lists))
        page = api.get("/lists", _Audiences, params, verify=verify).value
        found |= {one.id: one for one in page.lists}
        offset += len(page.lists)
        if offset >= page.total_items:
            return list(found.values())


def _is_whole(list_id: str, count: int, offset: int, rows: Callable[[Any], int], reply: Reply[Any]) -> None:
    """A page shorter than asked for is the end only if the count says so; otherwise something went wrong on the way."""
    given = rows(reply.value)
    if given < count and offset + given < reply.value.total_items:
        raise SourceUnavailableError(
            f"Mailchimp gave {given} of {count} rows{f' of audience {list_id}' if list_id else ''} and counts more.",
            advice="It is tried again with the next run; the page is kept.",
            page=reply.body,
        )


def completed(api: Api, list_id: str, rows: list[Row]) -> tuple[list[Record], list[Reject]]:
    """Records and rejects of rows; records of members with more tags than a page holds get all of them."""
    records: list[Record] = []
    rejects: list[Reject] = []
    for row in rows:
        made = row.made
        if isinstance(made, Reject):
            rejects.append(made)
            continue
        if row.tags_of:
            with suppress(MemberGoneError):  # deleted since: the tags that the page held are as good as any
                made = msgspec.structs.replace(made, payload=with_tags(made.payload, api.tags(list_id, row.tags_of)))
        records.append(made)
    return records, rejects


def _meanings() -> dict[int, StatusRow]:
    return {401: _refused(), 403: _forbidden}


def _refused() -> AuthError:
    return AuthError(
        "Mailchimp refuses the API key.",
        advice="Check api_key, and that the data centre at its end (or in base_url) is the account's.",
    )


def _forbidden(body: bytes) -> type[SyncdError]:
    """A 403 with a problem in JSON comes from the API: a matter of rights. A bare one comes from the edge: a throttle."""
    try:
        msgspec.json.decode(body, type=_Problem)
    except UNREADABLE:
        return RateLimitedError
    return AuthError


def text_of(second: int) -> str:
    """`2026-03-01T10:00:00+00:00`: whole seconds, as the service reads them."""
    return datetime.fromtimestamp(second, UTC).isoformat()
