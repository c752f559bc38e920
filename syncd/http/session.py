"""Sessions of `requests` without surprises: time-outs on everything, no .netrc, no redirects, no retries of their own."""

from __future__ import annotations

import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from syncd.errors import ConfigError

Session = requests.Session
Response = requests.Response
TransportError = requests.RequestException
"""Whatever kept an answer from arriving or from being read."""

CONNECT_TIMEOUT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 120.0


class _Adapter(HTTPAdapter):
    """Injects time-outs where the caller gave none, and trusts one more authority."""

    def __init__(self, timeout: tuple[float, float], pool_size: int, context: ssl.SSLContext | None, *, waits: bool) -> None:
        self._timeout = timeout
        self._context = context
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0, pool_block=waits)

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
    pool_block: bool = False,
    https_only: bool = False,
) -> Session:
    """A session for one remote system.

    Args:
        connect_timeout: Seconds to wait for a connection, where a call names no time-out.
        read_timeout: Seconds to wait between two bytes of an answer.
        ca_file: PEM file of one more authority to trust, beside the usual ones.
        pool_size: Connections kept open.
        pool_block: Never open more than `pool_size` to one host: wait for a free one.
        https_only: Refuse plain HTTP (`requests.exceptions.InvalidSchema`).

    Raises:
        ConfigError: `ca_file` cannot be read or is no PEM file.
    """
    context = _tls_context(ca_file) if ca_file else None
    adapter = _Adapter((connect_timeout, read_timeout), pool_size, context, waits=pool_block)
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
