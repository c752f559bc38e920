"""The resources of an account: contacts in order of their ids, and what belongs to each. Belongs to activecampaign."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from syncd.connector import Answer, Reply, Row, Secret, Session
from syncd.connector.tools import UNREADABLE
from syncd.errors import AuthError, ContractError, SourceUnavailableError

PAGE = 100
"""The vendor's maximum; 20 unless asked otherwise."""
SIDES = ("fieldValues", "contactLists", "contactTags")
"""What belongs to a contact and is no part of it: custom fields, memberships, tags."""
_REFUSED = AuthError(
    "ActiveCampaign refuses the key.",
    advice="Check api_key and base_url: both stand at Settings, Developer; the key has the rights of its user.",
)

T = TypeVar("T")


class _Meta(msgspec.Struct):
    total: int | str


class Sided(msgspec.Struct, kw_only=True):
    """What `include` adds to an answer; None where it was not heeded."""

    fieldValues: list[dict[str, Any] | None] | None = None  # noqa: N815 - the vendor's name
    contactLists: list[dict[str, Any] | None] | None = None  # noqa: N815
    contactTags: list[dict[str, Any] | None] | None = None  # noqa: N815


class Contacts(Sided):
    """GET /contacts."""

    contacts: list[msgspec.Raw]
    meta: _Meta


class OneContact(Sided):
    """GET /contacts/{id}."""

    contact: msgspec.Raw


class _Numbered(msgspec.Struct):
    id: int | str | None = None


class GoneError(ContractError):
    """There is no such contact."""


class Account(Protocol):
    """What of the options a login and an address need."""

    api_key: Secret
    base_url: str


class Api:
    """The account's resources."""

    def __init__(self, session: Session, options: Account) -> None:
        """Nothing is asked yet."""
        self._http = session.http
        self._root = options.base_url
        self._headers = {"Api-Token": options.api_key}

    def get(
        self,
        path: str,
        shape: type[T],
        params: Mapping[str, str] | None = None,
        rows: Mapping[int, Row] | None = None,
        verify: Callable[[Reply[T]], None] | None = None,
    ) -> Reply[T]:
        """A resource; raises as `Http.get`."""
        meanings = {**_meanings(), **(rows or {})}
        return self._http.get(f"{self._root}{path}", shape, params=params, headers=self._headers, rows=meanings, verify=verify)

    def send(self, method: str, path: str, body: bytes) -> Answer | None:
        """Send JSON once; raises as `Http.send`."""
        return self._http.send(method, f"{self._root}{path}", body, headers=self._headers, rows=_sent_meanings())

    def contacts(
        self, size: int, since: str, begun: Mapping[str, int] | None = None
    ) -> Iterator[tuple[Reply[Contacts], dict[str, int]]]:
        """Contacts that changed since, in order of their ids; with each page where the walk stands, which `begun` goes on from.

        Raises:
            ContractError: Out of order, so that going on would pass over somebody.
        """
        params = {"limit": str(size), "orders[id]": "ASC", "status": "-1", "include": ",".join(SIDES)}
        params |= {"filters[updated_after]": since} if since else {}
        walk = _Walk(size, begun or {})
        after = walk.beyond
        while True:
            beyond = {"id_greater": str(after)} if after else {}
            reply = self.get("/contacts", Contacts, {**params, **beyond}, verify=walk.check)
            is_end = walk.is_end(reply)
            ids = [one for one in map(number_of, reply.value.contacts) if one]
            if ids != sorted(set(ids)) or (ids and ids[0] <= after) or (not ids and not is_end):
                raise ContractError(
                    "ActiveCampaign gave contacts out of the order that was asked for.",
                    advice="Nothing of the page is used. It may have changed how it sorts, or what id_greater means.",
                    page=reply.body,
                )
            after = walk.beyond = ids[-1] if ids else after
            yield reply, walk.state()
            if is_end:
                return

    def one(self, contact: str) -> Reply[OneContact]:
        """One contact with what belongs to it; raises GoneError."""
        rows = {404: GoneError("There is no such contact.")}
        return self.get(f"/contacts/{quote(contact, safe='')}", OneContact, {"include": ",".join(SIDES)}, rows)

    def rows(self, contact: str, name: str) -> list[dict[str, Any]]:
        """All of one kind that belongs to a contact, by a call of its own; raises GoneError."""
        path = f"/contacts/{quote(contact, safe='')}/{name}"
        found: list[dict[str, Any]] = []
        while True:
            params = {"limit": str(PAGE), **({"offset": str(len(found))} if found else {})}
            reply = self.get(path, dict[str, msgspec.Raw], params, {404: GoneError("There is no such contact.")})
            page = _part(reply, name)
            found += page
            if len(page) < PAGE and len(found) < _count(reply):
                raise SourceUnavailableError(
                    f"ActiveCampaign gave {len(found)} {name} and counts more.",
                    advice="It is tried again with the next run; the page is kept.",
                    page=reply.body,
                )
            if len(page) < PAGE:
                return found


def _part(reply: Reply[dict[str, msgspec.Raw]], name: str) -> list[dict[str, Any]]:
    """The rows of an answer to what belongs to a contact."""
    try:
        return msgspec.json.decode(reply.value[name], type=list[dict[str, Any]])
    except (KeyError, *UNREADABLE):
        pass
    raise ContractError(
        f"ActiveCampaign answered without {name}.", advice="The API may have changed; the page is kept.", page=reply.body
    )


def _count(reply: Reply[dict[str, msgspec.Raw]]) -> int:
    """How many rows there are, 0 where the answer does not say."""
    try:
        return int(msgspec.json.decode(reply.value["meta"], type=_Meta).total)
    except (KeyError, ValueError, RecursionError):
        return 0


class _Walk:
    """Whether a page is whole, and the last.

    That `meta.total` (a text) counts what lies beyond `id_greater` is likely and not documented: where it stays what it was at the first
    page, it counts the whole window.
    """

    def __init__(self, size: int, begun: Mapping[str, int]) -> None:
        self._size = size
        self.beyond = begun.get("beyond", 0)
        self._first = begun.get("first")
        self._seen = begun.get("seen", 0)

    def state(self) -> dict[str, int]:
        """The last id that was seen, how many were, and how many there were at first."""
        return {"beyond": self.beyond, "seen": self._seen, "first": self._first or 0}

    def check(self, reply: Reply[Contacts]) -> None:
        """A page shorter than asked for is the end only if the count says so."""
        count = len(reply.value.contacts)
        if count < self._size and self._missing(reply) > count:
            raise SourceUnavailableError(
                f"ActiveCampaign gave {count} of {self._size} contacts and counts more.",
                advice="It is tried again with the next run; the page is kept.",
                page=reply.body,
            )

    def is_end(self, reply: Reply[Contacts]) -> bool:
        """Whether nothing is beyond this page, which is taken as seen."""
        count = len(reply.value.contacts)
        is_end = self._missing(reply) <= count
        self._first = _total(reply) if self._first is None else self._first
        self._seen += count
        return is_end

    def _missing(self, reply: Reply[Contacts]) -> int:
        total = _total(reply)
        is_of_window = self._first is not None and self._seen > 0 and total >= self._first
        return total - self._seen if is_of_window else total


def _total(reply: Reply[Contacts]) -> int:
    try:
        return int(reply.value.meta.total)
    except ValueError:
        raise ContractError(
            "ActiveCampaign gave contacts without their number.",
            advice="The API may have changed; the page is kept.",
            page=reply.body,
        ) from None


def number_of(raw: msgspec.Raw) -> int:
    """The id of a contact, 0 if it has none."""
    try:
        found = msgspec.json.decode(raw, type=_Numbered).id
    except UNREADABLE:
        return 0
    text = str(found)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def sides_of(api: Api, answer: Sided, contacts: list[str]) -> Callable[[str], dict[str, list[dict[str, Any]]]]:
    """Gives what belongs to a contact: of the answer, or asked for where the answer lacks it."""
    held: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in SIDES:
        rows = getattr(answer, name)
        if rows is None:
            continue
        held[name] = {one: [] for one in contacts}
        for row in rows:
            if row is not None and str(row.get("contact")) in held[name]:
                held[name][str(row["contact"])].append(row)
    return partial(_gathered, api, held)


def _gathered(api: Api, held: Mapping[str, Mapping[str, list[dict[str, Any]]]], contact: str) -> dict[str, list[dict[str, Any]]]:
    return {name: held[name][contact] if name in held else api.rows(contact, name) for name in SIDES}


def _meanings() -> dict[int, Row]:
    missing = ContractError(
        "ActiveCampaign has no API at this address.",
        advice="Check base_url: the URL at Settings, Developer, which need not hold the account's name.",
    )
    return {401: _REFUSED, 403: _REFUSED, 404: missing}


def _sent_meanings() -> dict[int, Row]:
    """A 403 with a message says what cannot be done to this contact; another one that the key may not."""
    return {401: _REFUSED, 403: _denied, 404: ContractError}


def _denied(body: bytes) -> type[ContractError] | AuthError:
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE:
        return _REFUSED
    return ContractError if "SubscriberSeries" in str(found.get("message", "")) else _REFUSED
