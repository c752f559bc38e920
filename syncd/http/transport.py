"""What a failure of the transport says about the request. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

_UNSENT = (
    requests.ConnectTimeout,
    requests.exceptions.ProxyError,  # raised while the tunnel is being opened
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
)


def nothing_sent(error: Exception) -> bool:
    """Whether a transport error surely came before the request left: refused, not found, no connection in time. Pure.

    Everything else (reset, time-out while reading, an answer cut off) may have reached the other side.
    """
    if isinstance(error, _UNSENT):
        return True
    for cause in _causes(error):
        if isinstance(cause, NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError | ConnectionRefusedError):
            return True
    return False


def is_untrusted_certificate(error: Exception) -> bool:
    """Whether the other side's certificate was refused. Pure."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def names_of(error: Exception) -> str:
    """The classes of an error and of its causes, for developers; never their texts, which quote addresses and headers. Pure."""
    return " < ".join(dict.fromkeys(type(cause).__name__ for cause in _causes(error)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: requests and urllib3 keep the cause in `reason` or among the arguments.

    Python's own chain is left out: it may hold an earlier, unrelated attempt.
    """
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.args, getattr(one, "reason", None)]
