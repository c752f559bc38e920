"""What is said of a call that failed: method, host and path; never the query, a header, a key or a body."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http.status import Row, retry_after_seconds
from syncd.http.transport import is_untrusted_certificate, names_of

_HASH = re.compile(r"(?<=/)[0-9a-f]{32,}(?=/|$)")


class Call(NamedTuple):
    """One request. `is_sent_once`: it does something, and is not repeated; `reads_answer`: whether the answer's body is wanted."""

    method: str
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    rows: Mapping[int, Row]
    body: bytes | Callable[[datetime], bytes] | None = None
    is_sent_once: bool = False
    reads_answer: bool = True

    @property
    def place(self) -> str:
        """What an error may say of it."""
        return place_of(self.method, self.url)

    def __repr__(self) -> str:
        """Only the place."""
        return f"<{self.place}>"


class Received(NamedTuple):
    """An answer that came to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def place_of(method: str, url: str) -> str:
    """`GET us21.api.mailchimp.com/3.0/ping`: what an error may say of a request; `*` for what may be the hash of an address. Pure."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{method} {parts.hostname or ''}{port}{_HASH.sub('*', parts.path)}"


def lost(call: Call, error: Exception) -> SyncdError:
    """The error for an answer that did not come."""
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


def refusal(call: Call, received: Received, refused: type[SyncdError] | SyncdError, now: datetime) -> SyncdError:
    """The error for an answer that `judged` found to be one."""
    if isinstance(refused, SyncdError):
        # A row may hold one error for ever; raised itself, it would gather the frames of every call, with what they hold.
        return copy.copy(refused)
    said = f"{call.place} answered {received.status}."
    wish = retry_after_seconds(received.headers, now, float("inf"))
    if issubclass(refused, RateLimitedError):
        return refused(said, retry_after_seconds=wish, advice="It asks us to slow down; the source is read again later.")
    if issubclass(refused, SourceUnavailableError):
        return refused(said, retry_after_seconds=wish, advice="It is tried again with the next run.")
    if issubclass(refused, ContractError):
        return refused(said, advice="The address or the API may have changed; the answer is kept.", page=received.body)
    return refused(said, advice="Check the credentials of the source and what they allow.")
