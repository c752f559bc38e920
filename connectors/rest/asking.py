"""Calls to the service as it is described: parameters in their place, logins, what a status means. Belongs to rest."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import msgspec

from connectors.rest.options import RestOptions
from connectors.rest.reading import Answer, answer_of
from connectors.rest.sections import BasicAuth, BearerAuth, HeaderAuth, OAuth2Auth
from syncd.connector import Auth, Reply, Row, Secret, Session, Token
from syncd.connector.tools import Horizon
from syncd.errors import AuthError, ContractError, RateLimitedError

Fields = Mapping[str, Any]
"""Parameters of cursor and paging, by name."""
Verify = Callable[[Answer], None]


class _TokenAnswer(msgspec.Struct):
    """Everything may be missing: what came is never kept as a page, it may hold a token."""

    access_token: Any = None
    expires_in: Any = None
    refresh_token: Any = None


class Api:
    """The service during one pull."""

    def __init__(self, session: Session, options: RestOptions, until: datetime) -> None:
        """Nothing is asked yet; `until` is the run's start."""
        self.name = urlsplit(options.base_url).hostname or ""
        self._session = session
        self._options = options
        self.horizon = Horizon(self.name, session, until)
        self.url = f"{options.base_url}{options.path}"

    def ask(self, fields: Fields, *, link: str = "", verify: Verify | None = None) -> Answer:
        """One page.

        Args:
            fields: Parameters of cursor and paging.
            link: Address of the page as the service gave it, instead of them.
            verify: Looks at the answer; its SourceUnavailableError is tried again.

        Raises:
            SourceUnavailableError, RateLimitedError, AuthError, ContractError: As `Http.get`.
        """
        kept: list[Answer] = []

        def read(reply: Reply[msgspec.Raw]) -> None:
            answer = answer_of(self.name, self._options, reply)
            self.horizon.see(reply)
            if verify is not None:
                verify(answer)
            kept.append(answer)

        options, http = self._options, self._session.http
        in_body = options.parameters_in == "body" and not link
        params = urlencode([*_texts(options.params), *_texts({} if in_body else fields)])
        url, query = self._linked(link) if link else (self.url, params)
        given: dict[str, Any] = {"headers": self._headers(), "auth": self._auth(), "rows": self._rows(), "verify": read}
        if options.method == "GET":
            http.get(url, msgspec.Raw, query=query, **given)
        else:
            body = _with_fields(options.body or {}, fields if in_body else {})
            http.post(url, msgspec.Raw, msgspec.json.encode(body), params=dict(parse_qsl(query, keep_blank_values=True)), **given)
        return kept[-1]

    def _linked(self, link: str) -> tuple[str, str]:
        """Address and query of a link.

        Raises:
            ContractError: It leads to another host: the login must not go there.
        """
        whole = urlsplit(urljoin(self.url, link))
        own = urlsplit(self.url)
        if (whole.scheme, whole.netloc) != (own.scheme, own.netloc):
            raise ContractError(
                f"{self.name} links to its next page on another host or without https.",
                advice="It is not followed, the login must not go there. Correct base_url, or page by number or token.",
            )
        return f"{whole.scheme}://{whole.netloc}{whole.path}", whole.query

    def _headers(self) -> dict[str, str | Secret]:
        found: dict[str, str | Secret] = dict(self._options.headers)
        auth = self._options.auth
        if isinstance(auth, BearerAuth):
            found["Authorization"] = Secret(f"Bearer {auth.token.reveal()}", auth.token.origin)
        elif isinstance(auth, HeaderAuth):
            found[auth.name] = Secret(auth.prefix + auth.value.reveal(), auth.value.origin)
        elif isinstance(auth, BasicAuth):
            found["Authorization"] = _basic(auth.user, auth.password)
        return found

    def _auth(self) -> Auth | None:
        auth = self._options.auth
        if not isinstance(auth, OAuth2Auth):
            return None

        def log_in(is_refused: bool) -> Mapping[str, str | Secret]:
            token = self._session.tokens.get(lambda kept: self._token(auth, kept), is_refused=is_refused)
            return {"Authorization": Secret(f"Bearer {token.reveal()}", token.origin)}

        return log_in

    def _token(self, auth: OAuth2Auth, kept: Secret | None) -> Token:
        form: dict[str, str] = {"grant_type": auth.grant}
        if auth.scope:
            form["scope"] = auth.scope
        if auth.grant == "refresh_token" and auth.refresh_token is not None:
            form["refresh_token"] = (kept or auth.refresh_token).reveal()
        headers: dict[str, str | Secret] = {}
        if auth.client_in == "header":
            headers["Authorization"] = _basic(auth.client_id, auth.client_secret)
        else:
            form |= {"client_id": auth.client_id, "client_secret": auth.client_secret.reveal()}
        place = urlsplit(auth.token_url).hostname
        refused = AuthError(
            f"{place} gives no access token.",
            advice="Check auth: of the source (client_id, client_secret, refresh_token, scope, and client_in).",
        )
        reply = self._session.http.post(
            auth.token_url,
            _TokenAnswer,
            urlencode(form).encode(),
            content_type="application/x-www-form-urlencoded",
            headers=headers,
            rows={400: refused, 401: refused},
        )
        given = reply.value
        if not isinstance(given.access_token, str) or not given.access_token:
            raise refused
        seconds = str(given.expires_in)
        return Token(
            Secret(given.access_token, f"token of {place}"),
            float(seconds) if seconds.replace(".", "", 1).isdigit() else None,
            Secret(given.refresh_token, f"token of {place}") if isinstance(given.refresh_token, str) else None,
        )

    def _rows(self) -> dict[int, Row]:
        refused = AuthError(
            f"{self.name} refuses the login.", advice="Check auth: of the source, and whether the key still holds."
        )
        missing = ContractError(
            f"{self.name} has nothing at {urlsplit(self.url).path}.", advice="Correct base_url: or path: in the source."
        )
        found: dict[int, Row] = {401: refused, 404: missing}
        return found | dict.fromkeys(self._options.throttle, RateLimitedError)


def _basic(user: str, password: Secret) -> Secret:
    return Secret(f"Basic {base64.b64encode(f'{user}:{password.reveal()}'.encode()).decode()}", password.origin)


def _texts(fields: Fields) -> list[tuple[str, str]]:
    return [(name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in fields.items()]


def _with_fields(body: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """A body with fields set at their paths."""
    made: dict[str, Any] = copy.deepcopy(dict(body))
    for path, value in fields.items():
        *parents, last = path.split(".")
        place = made
        for name in parents:
            below = place.get(name)
            place[name] = below = below if isinstance(below, dict) else {}
            place = below
        place[last] = value
    return made
