"""What a connector is lent to talk to its vendor: calls, and the tokens that they carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from syncd.errors import SyncdError
from syncd.model.secret import Secret

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Row = type[SyncdError] | SyncdError | Callable[[bytes], type[SyncdError] | SyncdError | None]
"""What a status means to one vendor: a class, a ready error with its own sentence, or a judge of the body (None: the table)."""

Auth = Callable[[bool], Mapping[str, str | Secret]]
"""Gives the headers that log a call in. True: the vendor refused (401) what was given last, new ones are needed."""


class Reply(Protocol[T_co]):
    """A usable answer of the vendor."""

    @property
    def value(self) -> T_co:
        """The body in the declared shape; what is declared as `msgspec.Raw` is a slice of `body`."""
        ...

    @property
    def body(self) -> bytes:
        """The bytes as they came."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, any case."""
        ...

    @property
    def at(self) -> datetime | None:
        """The vendor's `Date` (aware UTC), None without one."""
        ...

    @property
    def received_at(self) -> datetime:
        """Our own clock when the answer was complete (aware UTC)."""
        ...


class Answer(Protocol):
    """What the vendor said to something that was sent: any status that says that it was heard and what became of it."""

    @property
    def status(self) -> int:
        """HTTP status: 2xx, 3xx, or a 4xx that is a refusal."""
        ...

    @property
    def body(self) -> bytes:
        """The bytes as they came; empty when nobody wanted them."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, any case."""
        ...


class Http(Protocol):
    """The way to the vendor: limited, retried, time-limited; errors name no query, header or body."""

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
        verify: Callable[[Any], None] | None = None,
    ) -> Reply[T]:
        """Ask for JSON of a declared shape, again while the fault is temporary.

        Args:
            url: Without a query.
            shape: What msgspec makes of the body; lists of `msgspec.Raw` keep their members' own bytes.
            params: The query; it is encoded.
            query: The query as it is sent, for vendors whose encoding is their own; instead of `params`. Only what no URL may hold is escaped.
            headers: May hold secrets.
            auth: More headers; asked for others once when the vendor answers 401.
            rows: The vendor's own meaning of statuses; goes before the common table.
            verify: Looks at the Reply; its SourceUnavailableError is tried again like any other, other errors leave at once.

        Raises:
            SourceUnavailableError: Not reached, 5xx, an answer that broke off or is no JSON, after all tries.
            RateLimitedError: Throttled after all tries, or at once when the wait that is asked for is too long for a run.
            AuthError: Refused.
            ContractError: JSON of another shape, a body beyond the limit, or a status that says so.
        """
        ...

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
        verify: Callable[[Any], None] | None = None,
    ) -> Reply[T]:
        """Ask by POST for what changes nothing at the vendor (a query, a token): repeated like `get`, raises as it does.

        A `body` that tells the time (a signed assertion) is a function: it is made for each try, at our time (aware UTC).
        """
        ...

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
        """Send JSON once: nothing is repeated that may have reached the vendor. None: it may have been carried out, nobody knows.

        Tried again is only what surely never left (no connection) and what was throttled. A 5xx, another status that the table
        takes for temporary, and an answer that broke off say nothing about what was done: None.

        Args:
            method: `POST`, `PUT`, `PATCH` or `DELETE`.
            url: Without a query.
            body: JSON, as it is sent.
            params: The query.
            headers: May hold secrets.
            auth: More headers; asked for others once when the vendor answers 401, which says that nothing was done.
            sign: Gives more headers for each try, at our time (aware UTC).
            rows: The vendor's own meaning of statuses; ContractError for one that is an answer.
            reads_answer: Whether the answer's body is wanted; otherwise only its status is read.

        Raises:
            SourceUnavailableError: Not reached after all tries; nothing was sent.
            RateLimitedError: Throttled after all tries, or at once when the wait that is asked for is too long; nothing was done.
            AuthError: Refused; nothing was done.
        """
        ...


class _NoHttp:
    """Stands where no way out was lent."""

    def get(self, url: str, shape: type[T], **options: Any) -> Reply[T]:
        del url, shape, options
        raise RuntimeError("This session was lent without HTTP.")

    def post(self, url: str, shape: type[T], body: bytes | Callable[[datetime], bytes], **options: Any) -> Reply[T]:
        del url, shape, body, options
        raise RuntimeError("This session was lent without HTTP.")

    def send(self, method: str, url: str, body: bytes, **options: Any) -> Answer | None:
        del method, url, body, options
        raise RuntimeError("This session was lent without HTTP.")


class Token(msgspec.Struct, frozen=True):
    """What a vendor gave to log in with.

    Attributes:
        value: The access token.
        expires_in_seconds: How long it is good for; None: until it is refused.
        refresh: The refresh token that came with it, where the vendor gives a new one each time; it is kept over restarts.
        refresh_expires_in_seconds: How long that one is good for, where the vendor says so.
    """

    value: Secret
    expires_in_seconds: float | None = None
    refresh: Secret | None = None
    refresh_expires_in_seconds: float | None = None


class Tokens(Protocol):
    """Access tokens of one source, shared by everything in the process."""

    def get(self, make: Callable[[Secret | None], Token], *, is_refused: bool = False) -> Secret:
        """The current access token.

        `make` fetches one when there is none, when it has less than a minute left, or with `is_refused`; only one thread at a time
        does. It is given the refresh token that was kept last, None if the vendor never gave one in exchange for the configured one:
        the option that holds it is named `refresh_token`, and what was kept is forgotten when somebody configures another.
        Raises what `make` raises.
        """
        ...


class _NoTokens:
    """Stands where none can be kept."""

    def get(self, make: Callable[[Secret | None], Token], *, is_refused: bool = False) -> Secret:
        del is_refused
        return make(None).value


NO_HTTP = _NoHttp()
NO_TOKENS = _NoTokens()
