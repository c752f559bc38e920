"""Calls to one source: limited, retried, judged, read within bounds and decoded into a declared shape.

What a connector is lent as `syncd.connector.Http`. Errors name the method, the host and the path; never the query, a header,
a key or the body (a raw page travels as the error's `page`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests

from syncd import __version__
from syncd.clock import Clock
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http.limiter import Limiter
from syncd.http.retry import retrying
from syncd.http.session import Session, TransportError
from syncd.http.status import Row, http_date, judged, retry_after_seconds
from syncd.http.transport import is_untrusted_certificate, names_of
from syncd.model.secret import Secret

T = TypeVar("T")

ATTEMPTS = 6
"""Waits of 1, 2, 4, 8 and 16 s at most: half a minute of trouble passes unnoticed."""
MAX_WISH_SECONDS = 60.0
"""A longer Retry-After is not waited for: the source is left and comes back when it is due."""
TOTAL_SECONDS = 300.0
"""One call with all its tries; also how long one body may take to arrive."""
MAX_BODY_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 1 << 17
_KEPT_OF_A_FLOOD = 1 << 20


@dataclass(frozen=True)
class Reply(Generic[T]):
    """A usable answer.

    Attributes:
        value: The body in the declared shape; members declared as `msgspec.Raw` are slices of `body`.
        body: The bytes as they came (decompressed).
        headers: By name, any case.
        at: The vendor's `Date` (aware UTC), None without one.
        received_at: Our own clock when the answer was complete (aware UTC).
    """

    value: T = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    at: datetime | None
    received_at: datetime


class _Call(NamedTuple):
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    rows: Mapping[int, Row]
    place: str

    def __repr__(self) -> str:
        return f"<{self.place}>"


class _Received(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


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
        headers: Mapping[str, str | Secret] | None = None,
        rows: Mapping[int, Row] | None = None,
        verify: Callable[[Reply[T]], None] | None = None,
    ) -> Reply[T]:
        """Ask for JSON of a declared shape, again while the fault is temporary.

        Args:
            url: Without a query.
            shape: What msgspec makes of the body.
            params: The query.
            headers: May hold secrets.
            rows: The vendor's own rows of the status table.
            verify: Looks at the reply; its SourceUnavailableError is tried again like any other.

        Raises:
            SourceUnavailableError: Not reached, 5xx, an answer that broke off or is no JSON (with the `page`), after all tries.
            RateLimitedError: Throttled after all tries, or at once when the wait asked for is longer than MAX_WISH_SECONDS.
            AuthError: Refused.
            ContractError: JSON of another shape (with the `page`), a body beyond the limit, or a status that says so.
        """
        sent = {name: value.reveal() if isinstance(value, Secret) else value for name, value in (headers or {}).items()}
        call = _Call(url, params or {}, sent, rows or {}, place_of("GET", url))
        attempts = retrying(
            self._clock,
            retry_on=(SourceUnavailableError, RateLimitedError),
            # A vendor that several calls in a row did not even reach gets one try for each further call.
            attempts=ATTEMPTS if self._unanswered < ATTEMPTS else 1,
            total_seconds=TOTAL_SECONDS,
            max_wish_seconds=MAX_WISH_SECONDS,
            chance=self._chance,
        )
        return attempts(self._once, call, shape, verify)

    def _once(self, call: _Call, shape: type[T], verify: Callable[[Reply[T]], None] | None) -> Reply[T]:
        with self._limiter.turn():
            received = self._exchange(call)
        now = self._clock.now()
        refused = judged(received.status, received.body, call.rows)
        if refused is not None:
            raise _refusal(call, received, refused, now)
        at = http_date(received.headers.get("Date"))
        value = self._decoded(call, received.body, shape)
        reply = Reply(value, received.body, received.headers, at.astimezone(UTC) if at else None, now)
        if verify is not None:
            verify(reply)
        return reply

    def _exchange(self, call: _Call) -> _Received:
        """Send the request and read the answer to its end."""
        started = self._clock.monotonic()
        failure: SyncdError
        try:
            with self._session.get(
                call.url, params=call.params, headers=call.headers, stream=True, allow_redirects=False
            ) as answer:
                body = self._body(call, answer, started + TOTAL_SECONDS)
                self._unanswered = 0
                return _Received(answer.status_code, answer.headers, body)
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
            failure = _lost(call, error)
        # Outside of the except clause, so that the cause does not travel along: its text quotes the query and the headers.
        raise failure

    def _body(self, call: _Call, answer: requests.Response, deadline: float) -> bytes:
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

    def _decoded(self, call: _Call, body: bytes, shape: type[T]) -> T:
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
        if why and _is_json(body):
            raise ContractError(
                f"{call.place} answered with JSON of another shape than its documentation promises.",
                advice="The API may have changed; the page is kept.",
                detail=why,
                page=body,
            )
        raise SourceUnavailableError(
            f"{call.place} answered with a page that is not whole JSON.",
            advice="It is tried again with the next run; the page is kept.",
            page=body,
        )


def place_of(method: str, url: str) -> str:
    """`GET us21.api.mailchimp.com/3.0/ping`: what an error may say of a request. Pure."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{method} {parts.hostname or ''}{port}{parts.path}"


def _is_json(body: bytes) -> bool:
    """Whether the body is JSON at all: a shape may seem wrong only because the rest was cut off."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _lost(call: _Call, error: Exception) -> SyncdError:
    if is_untrusted_certificate(error):
        return AuthError(
            f"The certificate of {call.place} is not trusted.",
            advice="Name the PEM file of its authority with ca_file: in the source.",
            detail=names_of(error),
        )
    return SourceUnavailableError(
        f"{call.place} could not be reached, or its answer broke off.",
        advice="Check the network and base_url; it is tried again with the next run.",
        detail=names_of(error),
    )


def _refusal(call: _Call, received: _Received, refused: type[SyncdError] | SyncdError, now: datetime) -> SyncdError:
    if isinstance(refused, SyncdError):
        return refused
    said = f"{call.place} answered {received.status}."
    wish = retry_after_seconds(received.headers, now, float("inf"))
    if issubclass(refused, RateLimitedError):
        return refused(said, retry_after_seconds=wish, advice="It asks us to slow down; the source is read again later.")
    if issubclass(refused, SourceUnavailableError):
        return refused(said, retry_after_seconds=wish, advice="It is tried again with the next run.")
    if issubclass(refused, ContractError):
        return refused(said, advice="The address or the API may have changed; the answer is kept.", page=received.body)
    return refused(said, advice="Check the credentials of the source and what they allow.")
