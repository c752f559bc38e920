"""The resources of an account, its lists to their end, and the token. Belongs to zoom."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from syncd.connector import Answer, Reply, Row, Secret, Session, Token
from syncd.connector.tools import UNREADABLE, Horizon, check_not_repeated, instant
from syncd.errors import AuthError, ContractError, SourceUnavailableError, SyncdError

T = TypeVar("T")

PAGE = 300
_GONE = (3001, 12702, 200)
"""Codes that ride on 400 and 404: not found or expired, older than a year, no plan or right for this webinar."""
_REFUSED = AuthError(
    "Zoom refuses the credentials.",
    advice="Check account_id, client_id and client_secret (Marketplace, Manage, the Server-to-Server OAuth app, activated).",
)
_FORBIDDEN = AuthError(
    "Zoom does not let this app read that.",
    advice="Add the scopes webinar:read:admin, report:read:admin and user:read:admin to the app (Marketplace, Scopes).",
)

_NO_SCOPE = 4711
"""Code of a token without the scope that a call needs; rides on 400 [M]."""
_MAY_NOT_REGISTER = AuthError(
    "Zoom does not let this app register people.",
    advice="Add the scope webinar:write:admin, or webinar:write:registrant:admin, to the app (Marketplace, Scopes).",
)


class _Access(msgspec.Struct):
    access_token: str
    expires_in: float | None = 3600.0


class User(msgspec.Struct):
    """A user of the account."""

    id: str


class Webinar(msgspec.Struct):
    """A scheduled webinar, as far as the walk needs it; Zoom leaves out what nobody has filled in, or says null."""

    id: int | str
    uuid: str | None = None
    topic: str | None = None
    start_time: str | None = None
    duration: float | None = None
    """In minutes."""

    @property
    def key(self) -> str:
        """Its id as text: it may exceed 32 bits."""
        return str(self.id)

    @property
    def place(self) -> str:
        """Its uuid, of which each occurrence of a series has one; else its id."""
        return self.uuid or self.key

    @property
    def about(self) -> dict[str, str]:
        """What a record of it keeps."""
        return {"id": self.key, "topic": self.topic or "", "start_time": self.start_time or ""}

    def ended_at(self) -> datetime | None:
        """When it ends, None where it has no beginning."""
        begun = instant(self.start_time)
        try:
            return begun + timedelta(minutes=self.duration or 0.0) if begun else None
        except OverflowError:
            return None


class Listed(msgspec.Struct):
    """A page of any list; which one is asked for holds the items."""

    users: list[User] | None = None
    webinars: list[Webinar] | None = None
    registrants: list[msgspec.Raw] | None = None
    participants: list[msgspec.Raw] | None = None
    next_page_token: str | None = None
    total_records: int | None = None


class _Problem(msgspec.Struct):
    code: int = 0


class GoneError(ContractError):
    """This one webinar cannot be read (any more)."""


class Account(Protocol):
    """What of the options a login and an address need."""

    account_id: str
    client_id: str
    client_secret: Secret
    base_url: str
    token_url: str


class Api:
    """The account's resources."""

    def __init__(self, session: Session, options: Account) -> None:
        self._session = session
        self._options = options

    def webinars(self, horizon: Horizon | None = None) -> list[Webinar]:
        """All webinars of all users, each once."""
        found: dict[tuple[str, str], Webinar] = {}
        for users in self.pages("/users", "users", {}):
            if horizon is not None:
                horizon.see(users)
            for user in users.value.users or ():
                try:
                    for page in self.pages(f"/users/{quote(user.id, safe='')}/webinars", "webinars", {}):
                        found |= {(one.key, one.place): one for one in page.value.webinars or ()}
                except GoneError:
                    continue  # a user without a webinar plan
        return sorted(found.values(), key=lambda one: (one.start_time or "", one.key))

    def pages(self, path: str, name: str, params: Mapping[str, str]) -> Iterator[Reply[Listed]]:
        """A list to the end that the service states: an empty token."""
        size = str(min(self._session.page_size_records, PAGE))
        token, seen, count = "", set[str](), 0
        while True:
            params = {"page_size": size, **params, **({"next_page_token": token} if token else {})}
            reply = self.once(path, params, partial(_is_whole, name, count))
            yield reply
            count += len(getattr(reply.value, name))
            token = reply.value.next_page_token or ""
            if not token:
                return
            check_not_repeated("Zoom", seen, token, reply)

    def once(self, path: str, params: Mapping[str, str], verify: Callable[[Reply[Any]], None] | None = None) -> Reply[Listed]:
        """One page of a list."""
        return self.one(path, Listed, params, verify)

    def one(
        self,
        path: str,
        shape: type[T],
        params: Mapping[str, str] | None = None,
        verify: Callable[[Reply[Any]], None] | None = None,
    ) -> Reply[T]:
        """Any resource; raises GoneError for a webinar that cannot be read."""
        # A uuid is encoded already, some of them twice: the address goes as it is.
        query = urlencode(params or {})
        rows: dict[int, Row] = {400: _judged, 401: _REFUSED, 403: _FORBIDDEN, 404: _judged}
        url = f"{self._options.base_url}{path}"
        return self._session.http.get(url, shape, query=query, auth=self._login, rows=rows, verify=verify)

    def send(self, path: str, body: bytes, throttled: Callable[[bytes], type[SyncdError] | None]) -> Answer | None:
        """Send JSON once; `throttled` says which 429 is an answer. Raises as `Http.send`."""
        rows: dict[int, Row] = {400: _lacks_scope, 401: _REFUSED, 403: _MAY_NOT_REGISTER, 429: throttled}
        return self._session.http.send("POST", f"{self._options.base_url}{path}", body, auth=self._login, rows=rows)

    def _login(self, is_refused: bool) -> Mapping[str, str | Secret]:
        token = self._session.tokens.get(self._token, is_refused=is_refused)
        return {"Authorization": Secret(f"Bearer {token.reveal()}", token.origin)}

    def _token(self, kept: Secret | None) -> Token:
        del kept  # there are no refresh tokens
        given = self._options
        basic = base64.b64encode(f"{given.client_id}:{given.client_secret.reveal()}".encode()).decode()
        body = urlencode({"grant_type": "account_credentials", "account_id": given.account_id}).encode()
        reply = self._session.http.post(
            given.token_url,
            _Access,
            body,
            content_type="application/x-www-form-urlencoded",
            headers={"Authorization": Secret(f"Basic {basic}", given.client_secret.origin)},
            rows={400: _REFUSED, 401: _REFUSED},
        )
        return Token(Secret(reply.value.access_token, "zoom"), reply.value.expires_in)


def _is_whole(name: str, count: int, reply: Reply[Listed]) -> None:
    """A page holds what was asked for; an empty one is the end only when nothing is missing of what Zoom counts."""
    found = getattr(reply.value, name)
    if found is None:
        raise ContractError(
            f"Zoom gave a page without {name}.", advice="The API may have changed; the page is kept.", page=reply.body
        )
    if not found and (reply.value.next_page_token or count < (reply.value.total_records or 0)):
        raise SourceUnavailableError(
            f"Zoom gave no {name} and counts more.",
            advice="It is tried again with the next run; the page is kept.",
            page=reply.body,
        )


def _judged(body: bytes) -> type[SyncdError] | SyncdError | None:
    try:
        code = msgspec.json.decode(body, type=_Problem).code
    except UNREADABLE:
        return None
    return GoneError(f"Zoom says that a webinar cannot be read (code {code}).") if code in _GONE else None


def _lacks_scope(body: bytes) -> SyncdError | None:
    try:
        code = msgspec.json.decode(body, type=_Problem).code
    except UNREADABLE:
        return None
    return _MAY_NOT_REGISTER if code == _NO_SCOPE else None
