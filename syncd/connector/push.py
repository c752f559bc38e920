"""Connectors whose vendor sends by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import msgspec

from syncd.connector.session import Health, Options, Session
from syncd.model import Delivery, Record, Reject, Unwanted, Wanted


class HttpRequest(msgspec.Struct, frozen=True):
    """One request to a push source as it came.

    Attributes:
        method: `POST`, `GET` or `HEAD`; preflights never get here.
        tail: What follows `/hooks/SOURCE/` in the path, where some vendors can only be given a secret; `""` for nothing.
        headers: Name in lower case to value; of a name that came twice the first.
        query: Name to value of the query string; of a name that came twice the first.
        body: The raw bytes.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    tail: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """What a push connector says of a request before anything is stored.

    Attributes:
        refusal: `""` to store it; otherwise the constant word of why not (`bad_signature`), which is counted and answered.
        status: HTTP status of the answer: after the commit, or of the refusal.
        delivery_id: The sender's own id of the message, stable over its retries; `""` if it has none.
        sent_at: When the sender says it sent it (aware UTC), None if it does not say.
        kept: What `parse` needs of the headers (lower-case name to value); never a secret.
        redirect: Where a browser is sent after the commit (303); `""` for nowhere. Only ever an address that the options allow.
        is_stored: False for a handshake: nothing is kept, `answer` is all there is to it. What is no POST is never stored.
        answer: Body of the answer; empty: the intake's own.
        answer_type: Its media type.
    """

    refusal: str = ""
    status: int = 202
    delivery_id: str = ""
    sent_at: datetime | None = None
    kept: Mapping[str, str] = {}
    redirect: str = ""
    is_stored: bool = True
    answer: bytes = b""
    answer_type: str = "text/plain; charset=utf-8"


class Reception(msgspec.Struct, frozen=True):
    """What the intake must know of a push source to receive for it.

    Attributes:
        max_bytes: Of a body; more is refused (413).
        per_second: Requests per second that are let in on average, 0 for any number; `burst` may come at once.
        origins: Web origins (`https://www.acme.com`) whose pages may post with fetch (CORS); `*` for all.
        content_types: Media types in lower case that are let in; others are refused (415).
        methods: What is let in besides `POST`: `GET` and `HEAD` of handshakes; they have no body.
    """

    max_bytes: int = 1_000_000
    per_second: float = 0.0
    burst: int = 0
    origins: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ("application/json",)
    methods: tuple[str, ...] = ("POST",)


@runtime_checkable
class PushConnector(Protocol):
    """A connector whose vendor sends by itself to `/hooks/SOURCE`. Everything here is pure; see STYLE 1a.

    It may be a pull connector as well: then what was sent is found again by the next poll under the same key, which costs nothing,
    and what was lost on its way is found too. A connector with several streams says by `stream_of(delivery, options)` to which of
    them a delivery belongs; without it that is the first.
    """

    name: str
    Options: type[Options]

    def check(self, session: Session, options: Any) -> Health:
        """Say, offline, what is ready and what the sender must be told."""
        ...

    def streams(self, options: Any) -> Sequence[str]:
        """Names of the streams; never empty."""
        ...

    def reception(self, options: Any) -> Reception | None:
        """What the intake lets in for these options; None: nothing, these options only pull."""
        ...

    def verify(self, request: HttpRequest, options: Any, at: datetime) -> Verdict:
        """Judge a request by its signature; `at` (aware UTC) is our time. Compares secrets in constant time; never raises.

        Whoever has no use for a `tail` refuses one: `not_found`, 404.
        """
        ...

    def parse(self, delivery: Delivery, options: Any) -> tuple[Record | Reject | Wanted, ...]:
        """The records of a stored delivery; what cannot be one is a Reject (it becomes a dead letter). Never raises.

        A notification that only says that there is a record gives a Wanted; see FetchingConnector.

        The same delivery always gives the same keys: it may be parsed again after a crash.
        """
        ...


@runtime_checkable
class FetchingConnector(Protocol):
    """A push connector some of whose deliveries only say that there is a record: it is asked for, once that is stored."""

    name: str
    Options: type[Options]

    def fetch(self, session: Session, options: Any, wanted: Wanted) -> Record | Reject | Unwanted | None:
        """The record of a notification, under the key that `pull` would give it; None when the vendor has none (yet).

        Unwanted: the vendor has one that `pull` would leave out. It is forgotten; when it changes it is announced again.

        Where that is a 404, give `rows` a ContractError of your own for it, and catch that.

        Raises as `pull` does; it is tried again later, for a day.
        """
        ...
