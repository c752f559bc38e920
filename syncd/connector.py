"""The contract that every connector implements (STYLE 1a), and the session it is given.

A connector turns one system's API into records and cursors. It does not sleep, retry, log, keep state, read the
clock or translate fields; it sees its options, a session and a cursor, nothing else of syncd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec
from pydantic import BaseModel, ConfigDict

from syncd.errors import SyncdError
from syncd.model import NOT_CARRIED_OUT as NOT_CARRIED_OUT
from syncd.model import ActionOutcome as ActionOutcome
from syncd.model import ActionState as ActionState
from syncd.model import Delivery as Delivery
from syncd.model import Page as Page
from syncd.model import Record as Record
from syncd.model import Reject as Reject
from syncd.model import SourceAction as SourceAction
from syncd.model import SourceActionKind as SourceActionKind
from syncd.model.secret import Secret as Secret

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Row = type[SyncdError] | SyncdError | Callable[[bytes], type[SyncdError] | None]
"""What a status means to one vendor: a class, a ready error with its own sentence, or a judge of the body (None: the table)."""


class Options(BaseModel):
    """Base of a connector's own options; unknown keys are errors, values are frozen.

    Every field declares a description, a default (or none), and an example; a secret is a `Secret` (or `Secret | None`):
    syncd.yaml gives it as `{env: NAME}`, `{file: PATH}` or `{credential: NAME}`. One typed `Secret | tuple[Secret, ...]` may be
    a list of them, while a secret is rotated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Health(msgspec.Struct, frozen=True):
    """The answer of `check`: `ok`, and sentences for the operator (what was tried, what is wrong, what to do)."""

    ok: bool
    findings: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True):
    """What a vendor bears; a connector states its own as `limits`.

    Attributes:
        connections: Calls under way at once.
        calls_per_second: Calls begun per second; 0 where only `connections` counts.
        read_timeout_seconds: Longest silence while an answer is awaited.
    """

    connections: int = 4
    calls_per_second: float = 0.0
    read_timeout_seconds: float = 120.0


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
        headers: Mapping[str, str | Secret] | None = None,
        rows: Mapping[int, Row] | None = None,
        verify: Callable[[Any], None] | None = None,
    ) -> Reply[T]:
        """Ask for JSON of a declared shape, again while the fault is temporary.

        Args:
            url: Without a query.
            shape: What msgspec makes of the body; lists of `msgspec.Raw` keep their members' own bytes.
            params: The query.
            headers: May hold secrets.
            rows: The vendor's own meaning of statuses; goes before the common table.
            verify: Looks at the Reply; its SourceUnavailableError is tried again like any other, other errors leave at once.

        Raises:
            SourceUnavailableError: Not reached, 5xx, an answer that broke off or is no JSON, after all tries.
            RateLimitedError: Throttled after all tries, or at once when the wait that is asked for is too long for a run.
            AuthError: Refused.
            ContractError: JSON of another shape, a body beyond the limit, or a status that says so.
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

    def send(self, method: str, url: str, body: bytes, **options: Any) -> Answer | None:
        del method, url, body, options
        raise RuntimeError("This session was lent without HTTP.")


class Session(msgspec.Struct, frozen=True):
    """What the engine lends a connector for one pull.

    Attributes:
        folder: Directory of syncd.yaml, against which relative paths are meant.
        settle_seconds: How long something must have been quiet before it counts as complete.
        page_size_records: How many records a page may hold.
        overlap_seconds: How far behind its cursor a pull looks again.
        http: The way to the vendor.
    """

    folder: Path
    settle_seconds: float = 30.0
    page_size_records: int = 500
    overlap_seconds: float = 300.0
    http: Http = _NoHttp()


@runtime_checkable
class PullConnector(Protocol):
    """A connector that is asked for records.

    It may state `settle_seconds`, `page_size_records` and `limits` (a `Limits`) where the common values do not fit its vendor,
    and `brings_records = False` when it is only there to act: its stream is always at its end.
    """

    name: str
    Options: type[Options]

    def check(self, session: Session, options: Any) -> Health:
        """Rehearse the real call (same scope, same object), so that a green check means a working pull."""
        ...

    def streams(self, options: Any) -> Sequence[str]:
        """Names of the streams that these options ask for; never empty."""
        ...

    def pull(
        self, session: Session, options: Any, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield pages from `cursor` (None: from the beginning) up to `until`, each with the cursor after it.

        The cursor never passes `until` (the run's start). The last page of a complete walk has `is_last`; when there is
        nothing new, one empty page with `is_last` is yielded. Raises SourceUnavailableError, RateLimitedError, AuthError or
        ContractError; whatever was yielded before stays valid.
        """
        ...

    def cursor_at(self, options: Any, stream: str, at: datetime) -> dict[str, Any]:
        """The cursor of somebody who has read everything before `at` (aware): where a back-fill by date begins.

        A pull from it gives whatever the source dates at `at` or later, and possibly a little more.
        """
        ...


class HttpRequest(msgspec.Struct, frozen=True):
    """One request to a push source as it came.

    Attributes:
        method: `POST`, `GET` or `HEAD`; preflights never get here.
        headers: Name in lower case to value; of a name that came twice the first.
        query: Name to value of the query string; of a name that came twice the first.
        body: The raw bytes.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class Verdict(msgspec.Struct, frozen=True):
    """What a push connector says of a request before anything is stored.

    Attributes:
        refusal: `""` to store it; otherwise the constant word of why not (`bad_signature`), which is counted and answered.
        status: HTTP status of the answer: after the commit, or of the refusal.
        delivery_id: The sender's own id of the message, stable over its retries; `""` if it has none.
        sent_at: When the sender says it sent it (aware UTC), None if it does not say.
        kept: What `parse` needs of the headers (lower-case name to value); never a secret.
        redirect: Where a browser is sent after the commit (303); `""` for nowhere. Only ever an address that the options allow.
    """

    refusal: str = ""
    status: int = 202
    delivery_id: str = ""
    sent_at: datetime | None = None
    kept: Mapping[str, str] = {}
    redirect: str = ""


class Reception(msgspec.Struct, frozen=True):
    """What the intake must know of a push source to receive for it.

    Attributes:
        max_bytes: Of a body; more is refused (413).
        per_second: Requests per second that are let in on average, 0 for any number; `burst` may come at once.
        origins: Web origins (`https://www.acme.com`) whose pages may post with fetch (CORS); `*` for all.
        content_types: Media types in lower case that are let in; others are refused (415).
    """

    max_bytes: int = 1_000_000
    per_second: float = 0.0
    burst: int = 0
    origins: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ("application/json",)


@runtime_checkable
class PushConnector(Protocol):
    """A connector whose vendor sends by itself to `/hooks/SOURCE`. Everything here is pure; see STYLE 1a."""

    name: str
    Options: type[Options]

    def check(self, session: Session, options: Any) -> Health:
        """Say, offline, what is ready and what the sender must be told."""
        ...

    def streams(self, options: Any) -> Sequence[str]:
        """Names of the streams; never empty."""
        ...

    def reception(self, options: Any) -> Reception:
        """What the intake lets in for these options."""
        ...

    def verify(self, request: HttpRequest, options: Any, at: datetime) -> Verdict:
        """Judge a request by its signature; `at` (aware UTC) is our time. Compares secrets in constant time; never raises."""
        ...

    def parse(self, delivery: Delivery, options: Any) -> tuple[Record | Reject, ...]:
        """The records of a stored delivery; what cannot be one is a Reject (it becomes a dead letter). Never raises.

        The same delivery always gives the same keys: it may be parsed again after a crash.
        """
        ...


@runtime_checkable
class ActingConnector(Protocol):
    """A connector whose system can be asked to do something with a person; it is a pull or push connector as well.

    Its writes go through `session.http.send` once each: nothing here is repeated, because most of these systems know no
    idempotency key. `repeats_safely` says that this one does: the same `action_id` twice is carried out once.
    """

    name: str
    Options: type[Options]
    repeats_safely: bool

    def check_action(self, options: Any, kind: SourceActionKind, action_options: Mapping[str, str]) -> Sequence[str]:
        """Say, offline, what is wrong with an action as a policy states it; sentences, none when it is fine."""
        ...

    def act(self, session: Session, options: Any, action: SourceAction) -> ActionOutcome:
        """Carry out one action.

        Raises SourceUnavailableError, RateLimitedError, AuthError or ContractError only when nothing was carried out, so that the
        same action may be tried again; whatever may have been is the outcome UNKNOWN.
        """
        ...

    def look_up(self, session: Session, options: Any, action: SourceAction) -> ActionOutcome:
        """Say what became of an action whose answer was lost, when whatever was sent has had its time to arrive.

        DONE or UNCHANGED: it holds. REFUSED with the code NOT_CARRIED_OUT: it does not, it may be tried again; with another code:
        it never will. UNKNOWN: nobody can tell; only where `repeats_safely` may it be tried again. Reads only. Raises as `pull` does.
        """
        ...


Connector = PullConnector | PushConnector
"""What the `connectors` package and the entry points may hold."""
