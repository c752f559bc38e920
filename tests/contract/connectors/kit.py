"""The parts that cases are made of: a way to a vendor that can be troubled, and what the suite must know of a connector."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from urllib3 import HTTPResponse

from syncd.clock import FixedClock
from syncd.connector import HttpRequest, Limits, PullConnector, PushConnector, Record, Session, Wanted
from syncd.http import Caller, TokenCache, make_session
from syncd.sandbox.adapter import SandboxAdapter

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class Line(SandboxAdapter):
    """The way to a sandbox; `distort` stands for what only a vendor's own mistake can make of an answer."""

    def __init__(self, model: Any) -> None:
        """Nothing is distorted."""
        super().__init__(model)
        self.distort: Callable[[requests.PreparedRequest, bytes], bytes] | None = None
        self.bend: Callable[[str], str] = str

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As asked, but for what is bent or distorted."""
        request.url = self.bend(str(request.url))
        answer = super().send(request, *args, **kwargs)
        if self.distort is not None and answer.status_code == 200:
            body = io.BytesIO(self.distort(request, answer.content))
            answer.raw = HTTPResponse(body=body, headers=dict(answer.headers), status=200, preload_content=False)
            answer._content, answer._content_consumed = False, False
        return answer


class Nowhere:
    """A keeper of refresh tokens without a store."""

    def __init__(self) -> None:
        """Nothing is kept."""
        self.refresh: Any = None

    def kept(self) -> Any:
        """What was kept last."""
        return self.refresh

    def keep(self, refresh: Any, expires_in_seconds: float | None) -> None:
        """In memory."""
        del expires_in_seconds
        self.refresh = refresh


def lent(
    model: Any, connector: Any, folder: Path, clock: FixedClock, *, limits: Limits | None = None, **given: Any
) -> tuple[Session, Line]:
    """A session as the house lends it, whose every call goes to `model`, and the line to trouble; `given` as in Session.

    `limits` are the connector's own unless they follow from its options.
    """
    session, line = make_session(), Line(model)
    session.mount("https://", line)
    limits = limits or getattr(connector, "limits", None)
    known = {} if limits is None else {"connections": limits.connections, "calls_per_second": limits.calls_per_second}
    caller = Caller(session, clock, **known)
    options: dict[str, Any] = {"page_size_records": 7, "overlap_seconds": 0.0, **given}
    return Session(folder, http=caller, tokens=TokenCache(clock, Nowhere()), **options), line


@dataclass
class Vendor:
    """The other end of a connector that speaks HTTP.

    Attributes:
        model: Of the sandbox.
        line: The way to it.
        path: Regular expression on the paths where records come from.
        secrets: What must never be seen.
        skip: How many calls to `path` a pull of 100 records surely makes before the one that a fault strikes; 0: there may be one only.
        secret_option: The option that an error about the login names.
        calls_when_refused: Calls of a pull whose login is refused; with tokens one more for a new one.
        other_shape: What a vendor might answer that has changed its API: whole JSON, of another shape.
        private: Words of queries that must not be in errors.
        spoil: Makes the vendor hold records with null for whatever is optional, unknown fields, 10 kB texts, all kinds of unicode,
            naive times; gives how many. None: not modelled.
        circle: Makes the vendor give the same page token again and again; None: it has none.
    """

    model: Any
    line: Line
    path: str
    secrets: tuple[str, ...]
    skip: int = 3
    secret_option: str = "api_key"
    calls_when_refused: int = 1
    other_shape: bytes = b'{"people": [], "count": 3}'
    private: tuple[str, ...] = ()
    spoil: Callable[[], int] | None = None
    circle: Callable[[], None] | None = None


@dataclass
class Case:
    """One stream of a connector under the suite.

    `fill(count)` makes the vendor hold that many records; `break_` makes it unreadable; `repeated` is how many records a pull that
    goes on from a cursor may give again. `stream`: the first one if empty. `is_ordered`: it is read in order of time, so that a walk
    that broke off goes on where it was; another one begins anew. Without `vendor`, `troubles` says how it gets lost: `away` and
    `refused`, each of which gives what mends it; and `secrets` what must never be seen.
    """

    connector: PullConnector
    options: dict[str, Any]
    fill: Callable[[int], None]
    break_: Callable[[], object]
    session: Session
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    vendor: Vendor | None = None
    repeated: int = 7
    stream: str = ""
    is_ordered: bool = True
    troubles: dict[str, Callable[[], Callable[[], object]]] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    @property
    def read(self) -> str:
        """The stream under the suite."""
        return self.stream or self.connector.streams(self.connector.Options(**self.options))[0]


@dataclass
class PushCase:
    """One connector that is sent to.

    Attributes:
        send: A request as the vendor would make it then, with whatever lets it in.
        body: One of its bodies, which gives `count` things of `kind`.
        secrets: What must never be seen.
        signed: The headers that a forger must get right; none where the secret is in the address or in the body.
        is_bound: Whether what lets a request in holds for this very body.
        is_dated: Whether a request tells its time, so that one from another day is refused.
        is_keyed: Whether a notification bears the key that its record will have; otherwise it names the record in another way.
        handshakes: Requests that are answered and not stored, each with the body of the answer.
        session: What `check` is lent; with a vendor for those that are asked as well.
    """

    connector: PushConnector
    options: dict[str, Any]
    send: Callable[[bytes, datetime], HttpRequest]
    body: bytes
    count: int
    secrets: tuple[str, ...]
    signed: tuple[str, ...] = ()
    is_bound: bool = True
    is_dated: bool = True
    kind: type[Record | Wanted] = Record
    is_keyed: bool = True
    handshakes: tuple[tuple[HttpRequest, bytes], ...] = ()
    session: Session = field(default_factory=lambda: Session(Path()))
