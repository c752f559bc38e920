"""The one place for HTTP: sessions with time-outs, what a status means, how long to wait, and one retry policy.

Adapters that speak HTTP (salesforce/, connectors) get their sessions here and never import `requests` themselves.
Nothing here knows a vendor. Retries of the transport are off: only the caller knows what is safe to repeat.
"""

from __future__ import annotations

import random
import re
import ssl
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from syncd.clock import Clock
from syncd.errors import AuthError, ConfigError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError

Session = requests.Session
Response = requests.Response
TransportError = requests.RequestException
"""Whatever kept an answer from arriving or from being read."""

CONNECT_TIMEOUT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 120.0
MAX_RETRY_AFTER_SECONDS = 600.0
"""A longer wish than this is the next run's business."""

_UNSENT = (
    requests.ConnectTimeout,
    requests.exceptions.ProxyError,  # raised while the tunnel is being opened
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
)

STATUS_ERRORS: Mapping[int, type[SyncdError]] = MappingProxyType(
    {
        400: ContractError,
        401: AuthError,
        403: AuthError,
        404: ContractError,
        405: ContractError,
        406: SourceUnavailableError,  # seen from the edge of large vendors under load
        408: SourceUnavailableError,
        409: SourceUnavailableError,
        410: ContractError,
        414: ContractError,
        420: RateLimitedError,
        425: SourceUnavailableError,
        429: RateLimitedError,
        431: ContractError,
    }
)
"""What an answer without a better explanation in its body means; 5xx is SourceUnavailableError."""


def error_class(status: int, rows: Mapping[int, type[SyncdError]] | None = None) -> type[SyncdError] | None:
    """The error that a status stands for, None for 2xx. Pure.

    Args:
        status: HTTP status.
        rows: A vendor's own rows; they go before STATUS_ERRORS.
    """
    if rows and status in rows:
        return rows[status]
    if 200 <= status < 300:
        return None
    if status >= 500:
        return SourceUnavailableError
    return STATUS_ERRORS.get(status, ContractError)


class _Adapter(HTTPAdapter):
    """Injects time-outs where the caller gave none, and trusts one more authority."""

    def __init__(self, timeout: tuple[float, float], pool_size: int, context: ssl.SSLContext | None) -> None:
        self._timeout = timeout
        self._context = context
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)  # type: ignore[no-untyped-call, unused-ignore]

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **kwargs)  # type: ignore[no-untyped-call, unused-ignore]

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeout
        return super().send(request, *args, **kwargs)


class _Session(requests.Session):
    """A session without surprises: no .netrc, no redirects."""

    def __init__(self) -> None:
        super().__init__()
        # Any auth object keeps requests from looking into ~/.netrc while proxies of the environment stay in use.
        self.auth = _no_auth

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the signature of requests
        """None: an API that moves is configuration, and a credential must not follow it."""
        return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def make_session(
    *,
    connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
    read_timeout: float = READ_TIMEOUT_SECONDS,
    ca_file: str | None = None,
    pool_size: int = 8,
    https_only: bool = False,
) -> Session:
    """A session for one remote system.

    Args:
        connect_timeout: Seconds to wait for a connection, where a call names no time-out.
        read_timeout: Seconds to wait between two bytes of an answer.
        ca_file: PEM file of one more authority to trust, beside the usual ones.
        pool_size: Connections kept open.
        https_only: Refuse plain HTTP (`requests.exceptions.InvalidSchema`).

    Raises:
        ConfigError: `ca_file` cannot be read or is no PEM file.
    """
    adapter = _Adapter((connect_timeout, read_timeout), pool_size, _tls_context(ca_file) if ca_file else None)
    session = _Session()
    session.mount("https://", adapter)
    if https_only:
        session.adapters.pop("http://", None)
    else:
        session.mount("http://", adapter)
    return session


def _tls_context(ca_file: str) -> ssl.SSLContext:
    context = create_urllib3_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError(
            f'The certificate file ca_file "{ca_file}" cannot be read: {getattr(error, "strerror", None) or "not a PEM file"}.',
            advice="Give the path of a PEM file with the certificate of the authority to trust.",
        ) from error
    return context


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


def is_untrusted_certificate(error: Exception) -> bool:
    """Whether the other side's certificate was refused. Pure."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wish of a `Retry-After` header in seconds (0 to MAX_RETRY_AFTER_SECONDS), None without one. Pure.

    Takes seconds or an HTTP date (RFC 9110, 10.2.3); what is neither counts as absent.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", value):
        seconds = float(value)
    else:
        at = http_date(value)
        if at is None:
            return None
        seconds = (at - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def http_date(value: str | None) -> datetime | None:
    """The instant of a `Date`-like header, None when absent or not readable. Pure."""
    try:
        at = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, IndexError):
        return None
    return at if at.tzinfo else None


def retrying(
    clock: Clock,
    *,
    retry_on: tuple[type[BaseException], ...],
    never: tuple[type[BaseException], ...] = (),
    attempts: int = 4,
    total_seconds: float = 120.0,
    first_wait_seconds: float = 1.0,
    max_wait_seconds: float = 30.0,
    chance: random.Random | None = None,
) -> Retrying:
    """The one retry policy: call it with a function, or use it as an iterator of attempts; the last error leaves as it is.

    Waits grow twofold with jitter (between half and all of the step); an error's `retry_after_seconds` goes before.

    Args:
        clock: Tells the time and sleeps.
        retry_on: Classes worth another try.
        never: Subclasses of those that are not.
        attempts: Tries in all.
        total_seconds: Gives up when the next wait would pass this.
        first_wait_seconds: First step.
        max_wait_seconds: Longest step.
        chance: Source of jitter; seed it in tests.
    """
    started = clock.monotonic()
    chance = chance or random.Random()  # noqa: S311 - jitter

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wish: float | None = getattr(error, "retry_after_seconds", None)
        if wish is not None:
            return wish
        step = min(first_wait_seconds * 2.0 ** (state.attempt_number - 1), max_wait_seconds)
        return step * (0.5 + chance.random() / 2)

    def stop(state: RetryCallState) -> bool:
        spent = clock.monotonic() - started
        return state.attempt_number >= attempts or spent + state.upcoming_sleep > total_seconds

    condition = retry_if_exception_type(retry_on)
    return Retrying(
        sleep=clock.sleep,
        stop=stop,
        wait=wait,
        retry=lambda state: condition(state) and not _is_any(state, never),
        reraise=True,
    )


def _is_any(state: RetryCallState, classes: tuple[type[BaseException], ...]) -> bool:
    return state.outcome is not None and isinstance(state.outcome.exception(), classes)
