"""Sessions of `requests` without surprises: time-outs on everything, no .netrc, no redirects, no retries of their own."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from syncd.errors import ConfigError

Session = requests.Session
Response = requests.Response
TransportError = requests.RequestException
"""Whatever kept an answer from arriving or from being read."""

CONNECT_TIMEOUT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 120.0


class _Adapter(HTTPAdapter):
    """Injects time-outs where the caller gave none, and trusts what its context trusts."""

    def __init__(self, timeout: tuple[float, float], pool_size: int, context: ssl.SSLContext, *, waits: bool) -> None:
        self._timeout = timeout
        self._context = context
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0, pool_block=waits)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)  # type: ignore[no-untyped-call, unused-ignore]

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        contexts = {"ssl_context": self._context}
        if proxy.lower().startswith("https:"):
            contexts["proxy_ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **kwargs, **contexts)  # type: ignore[no-untyped-call, unused-ignore]

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002 - the signature of requests
        """Always. The context has the authorities: the library would read all of them again for each connection."""
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = conn.ca_cert_dir = None

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
        ConfigError: `ca_file`, or what REQUESTS_CA_BUNDLE names instead of the usual authorities, cannot be read or is no PEM file.
    """
    adapter = _Adapter((connect_timeout, read_timeout), pool_size, _tls_context(ca_file), waits=pool_block)
    session = _Session()
    session.mount("https://", adapter)
    if https_only:
        session.adapters.pop("http://", None)
    else:
        session.mount("http://", adapter)
    return session


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """What to trust: the usual authorities, or those the environment names instead as it does for `requests`, and one more."""
    named = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), "")
    usual = _Authorities.at(os.environ[named] if named else DEFAULT_CA_BUNDLE_PATH, named or "of certifi")
    return _context_of(usual, _Authorities.at(ca_file, "ca_file") if ca_file else None)


class _Authorities(NamedTuple):
    """A PEM file, or a folder of hashed ones, as it was when it was looked at; `named` is the setting that gives its path."""

    path: str
    named: str
    changed_at: int
    size: int

    @classmethod
    def at(cls, path: str, named: str) -> _Authorities:
        """Raises ConfigError if nothing is there."""
        try:
            seen = Path(path).stat()
        except (OSError, ValueError) as error:
            raise _unreadable(path, named, error) from error
        return cls(path, named, seen.st_mtime_ns, seen.st_size)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Raises ConfigError if it cannot be read."""
        is_folder = Path(self.path).is_dir()
        try:
            context.load_verify_locations(cafile=None if is_folder else self.path, capath=self.path if is_folder else None)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise _unreadable(self.path, self.named, error) from error


@lru_cache(maxsize=16)
def _context_of(usual: _Authorities, further: _Authorities | None) -> ssl.SSLContext:
    """One for all sessions that trust the same: reading the usual authorities takes 13 ms and 0.7 MB."""
    context = create_urllib3_context()
    usual.load_into(context)
    if further is not None:
        further.load_into(context)
    return context


def _unreadable(path: str, named: str, error: Exception) -> ConfigError:
    return ConfigError(
        f'The certificate file {named} "{path}" cannot be read: {getattr(error, "strerror", None) or "not a PEM file"}.',
        advice="Give the path of a PEM file with the certificate of the authority to trust.",
    )
