"""Calls to one source: limited, retried, judged, read within bounds and decoded into a declared shape.

What a connector is lent as `syncd.connector.Http`. Errors name the method, the host and the path; never the query, a header,
a key or the body (a raw page travels as the error's `page`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import msgspec
import requests
from tenacity import Retrying

from syncd import __version__
from syncd.clock import Clock
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http.answers import Answer as Answer
from syncd.http.answers import Reply as Reply
from syncd.http.answers import is_json, spot_in
from syncd.http.failures import Call, Received, lost, refusal
from syncd.http.failures import place_of as place_of
from syncd.http.limiter import Limiter
from syncd.http.retry import retrying
from syncd.http.session import Session, TransportError
from syncd.http.status import Row, http_date, judged
from syncd.http.transport import names_of, nothing_sent
from syncd.model.secret import Secret

T = TypeVar("T")
Auth = Callable[[bool], Mapping[str, str | Secret]]
"""See `syncd.connector.Auth`."""

ATTEMPTS = 6
"""Waits of 1, 2, 4, 8 and 16 s at most: half a minute of trouble passes unnoticed."""
MAX_WISH_SECONDS = 60.0
"""A longer Retry-After is not waited for: the source is left and comes back when it is due."""
TOTAL_SECONDS = 300.0
"""One call with all its tries; also how long one body may take to arrive."""
MAX_BODY_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 1 << 17
_KEPT_OF_A_FLOOD = 1 << 20


class _WrappedError(Exception):
    """Wraps a failure on its way out of the retries."""

    def __init__(self, failure: SyncdError) -> None:
        super().__init__()
        self.failure = failure


class _UnsentError(_WrappedError):
    """The failure of a request that surely never left: it may be sent again."""


class _LoginError(_WrappedError):
    """The failure of the call that logs in, which had tries of its own: tries of both would multiply."""


class Caller:
    """One source's way to its vendor. Safe for threads."""

    def __init__(
        self,
        session: Session,
        clock: Clock,
        *,
        connections: int = 4,
        calls_per_second: float = 0.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        chance: random.Random | None = None,
    ) -> None:
        """Nothing is sent yet. `session` is this caller's own: made with a pool of at least `connections`, which blocks."""
        self._session = session
        # Nothing to remember between calls; it also is what makes one session safe for several threads.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.update({"Accept": "application/json", "User-Agent": f"syncd/{__version__}"})
        self._clock = clock
        self._limiter = Limiter(clock, connections=connections, calls_per_second=calls_per_second)
        self._max_body_bytes = max_body_bytes
        self._chance = chance
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
        self._unanswered = 0

    def __repr__(self) -> str:
        """Without anything that was sent."""
        return "<Caller>"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(
        self,
        url: str,
        shape: type[T],
        *,
        params: Mapping[str, str] | None = None,
        query: str = "",
        headers: Mapping[str, str | Secret] | None = None,
        auth: Auth | None = None,
        rows: Mapping[int, Row] | None = None,
        verify: Callable[[Reply[T]], None] | None = None,
    ) -> Reply[T]:
        """Ask for JSON of a declared shape, again while the fault is temporary.

        Args:
            url: Without a query.
            shape: What msgspec makes of the body.
            params: The query; it is encoded.
            query: The query as it is sent, instead of `params`.
            headers: May hold secrets.
            auth: More headers; asked for others once when the vendor answers 401.
            rows: The vendor's own rows of the status table.
            verify: Looks at the reply; its SourceUnavailableError is tried again like any other.

        Raises:
            SourceUnavailableError: Not reached, 5xx, an answer that broke off or is no JSON (with the `page`), after all tries.
            RateLimitedError: Throttled after all tries, or at once when the wait asked for is longer than MAX_WISH_SECONDS.
            AuthError: Refused.
            ContractError: JSON of another shape (with the `page`), a body beyond the limit, or a status that says so.
        """
        whole = f"{url}?{query}" if query else url
        call = Call("GET", whole, params or {}, _revealed(headers), rows or {})
        return self._asked(call, shape, auth, verify)

    def post(
        self,
        url: str,
        shape: type[T],
        body: bytes | Callable[[datetime], bytes],
        *,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        auth: Auth | None = None,
        rows: Mapping[int, Row] | None = None,
        verify: Callable[[Reply[T]], None] | None = None,
    ) -> Reply[T]:
        """Ask by POST for what changes nothing (a query, a token), as `get` does; raises as it does. A function makes each try's body."""
        given = {"Content-Type": content_type, **_revealed(headers)}
        call = Call("POST", url, params or {}, given, rows or {}, body)
        return self._asked(call, shape, auth, verify)

    def send(
        self,
        method: str,
        url: str,
        body: bytes,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        auth: Auth | None = None,
        sign: Callable[[datetime], Mapping[str, str]] | None = None,
        rows: Mapping[int, Row] | None = None,
        reads_answer: bool = True,
    ) -> Answer | None:
        """Send JSON (or what a Content-Type in `headers` says) once, as `syncd.connector.Http.send` promises. None: it may have been carried out, nobody knows."""
        given = {"Content-Type": "application/json", **_revealed(headers)}
        call = Call(method, url, params or {}, given, rows or {}, body, is_sent_once=True, reads_answer=reads_answer)
        try:
            return self._attempts(_UnsentError, RateLimitedError)(self._once_sent, call, auth, sign)
        except _WrappedError as wrapped:
            failure = wrapped.failure
        raise failure

    def _asked(self, call: Call, shape: type[T], auth: Auth | None, verify: Callable[[Reply[T]], None] | None) -> Reply[T]:
        try:
            return self._attempts(SourceUnavailableError, RateLimitedError)(self._once, call, shape, auth, verify)
        except _WrappedError as wrapped:
            failure = wrapped.failure
        raise failure

    def _attempts(self, *retry_on: type[Exception]) -> Retrying:
        return retrying(
            self._clock,
            retry_on=retry_on,
            # A vendor that several calls in a row did not even reach gets one try for each further call.
            attempts=ATTEMPTS if self._unanswered < ATTEMPTS else 1,
            total_seconds=TOTAL_SECONDS,
            max_wish_seconds=MAX_WISH_SECONDS,
            chance=self._chance,
        )

    def _once(self, call: Call, shape: type[T], auth: Auth | None, verify: Callable[[Reply[T]], None] | None) -> Reply[T]:
        for given in _logins(auth):
            with self._limiter.turn():
                received = self._exchange(call._replace(headers={**call.headers, **given}))
            if received.status != 401:
                break
        now = self._clock.now()
        refused = judged(received.status, received.body, call.rows)
        if refused is not None:
            raise refusal(call, received, refused, now)
        at = http_date(received.headers.get("Date"))
        value = self._decoded(call, received.body, shape)
        reply = Reply(value, received.body, received.headers, at.astimezone(UTC) if at else None, now)
        if verify is not None:
            verify(reply)
        return reply

    def _once_sent(self, call: Call, auth: Auth | None, sign: Callable[[datetime], Mapping[str, str]] | None) -> Answer | None:
        for given in _logins(auth):
            with self._limiter.turn():
                signed = sign(self._clock.now()) if sign is not None else {}
                try:
                    received = self._exchange(call._replace(headers={**call.headers, **given, **signed}))
                except (SourceUnavailableError, ContractError):
                    return None  # it left, and what came back was lost, too slow or too much
            if received.status != 401:
                break
        refused = judged(received.status, received.body, call.rows)
        error = None if refused is None else refusal(call, received, refused, self._clock.now())
        if isinstance(error, SourceUnavailableError):
            return None
        if error is not None and not isinstance(error, ContractError):
            raise error
        return Answer(received.status, received.body, received.headers)

    def _exchange(self, call: Call) -> Received:
        """Send the request and read the answer to its end. Of what is sent once, _UnsentError says that it never left."""
        started = self._clock.monotonic()
        failure: Exception
        try:
            with self._session.request(
                call.method,
                call.url,
                params=call.params,
                headers=call.headers,
                data=call.body(self._clock.now()) if callable(call.body) else call.body,
                stream=True,
                allow_redirects=False,
            ) as answer:
                body = self._body(call, answer, started + TOTAL_SECONDS) if call.reads_answer else b""
                self._unanswered = 0
                return Received(answer.status_code, answer.headers, body)
        except requests.exceptions.InvalidHeader as error:
            failure = AuthError(
                f"The credentials for {call.place} hold characters that cannot be sent.",
                advice="Look for a line break or blanks in the secret.",
                detail=names_of(error),
            )
        except UnicodeError as error:
            failure = AuthError(
                f"The credentials for {call.place} hold characters that cannot be sent.",
                advice="Look for typographic characters in the secret.",
                detail=names_of(error),
            )
        except TransportError as error:
            self._unanswered += 1
            failure = lost(call, error)
            if call.is_sent_once and isinstance(failure, SourceUnavailableError) and nothing_sent(error):
                failure = _UnsentError(failure)
        # Outside of the except clause, so that the cause does not travel along: its text quotes the query and the headers.
        raise failure

    def _body(self, call: Call, answer: requests.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in answer.iter_content(_CHUNK_BYTES):
            size += len(part)
            parts.append(part)
            if size > self._max_body_bytes:
                raise ContractError(
                    f"{call.place} answered with more than {self._max_body_bytes} bytes.",
                    advice="Ask for less at a time.",
                    page=b"".join(parts)[:_KEPT_OF_A_FLOOD],
                )
            if self._clock.monotonic() > deadline:
                raise SourceUnavailableError(f"The answer of {call.place} took longer than {TOTAL_SECONDS:.0f} s to arrive.")
        return b"".join(parts)

    def _decoded(self, call: Call, body: bytes, shape: type[T]) -> T:
        decoder = self._decoders.get(shape)
        if decoder is None:
            decoder = self._decoders.setdefault(shape, msgspec.json.Decoder(shape))
        why = ""
        try:
            return decoder.decode(body)  # type: ignore[no-any-return]
        except msgspec.ValidationError as error:
            why = str(error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            why = ""
        if why and is_json(body):
            raise ContractError(
                f"{call.place} answered with JSON of another shape than its documentation promises{spot_in(why)}.",
                advice="The API may have changed; the page is kept.",
                detail=why,
                page=body,
            )
        raise SourceUnavailableError(
            f"{call.place} answered with a page that is not whole JSON.",
            advice="It is tried again with the next run; the page is kept.",
            page=body,
        )


def _logins(auth: Auth | None) -> Iterator[Mapping[str, str]]:
    """Headers to log in with, and others for the case that they are refused. Fetching them is a call of its own, with its own turn."""
    if auth is None:
        yield {}
        return
    for is_refused in (False, True):
        failure = None
        try:
            given = _revealed(auth(is_refused))
        except SyncdError as error:
            failure = error
        if failure is not None:
            raise _LoginError(failure)
        yield given


def _revealed(headers: Mapping[str, str | Secret] | None) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in (headers or {}).items()}
