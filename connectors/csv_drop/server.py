"""A connection to an SFTP server whose key is pinned. Belongs to csv_drop.

paramiko 5.1; imported only when a source asks for it. Neither the agent nor the known hosts of the user count.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connectors.csv_drop.options import SftpOptions
from syncd.connector import Secret
from syncd.errors import AuthError, SourceUnavailableError, SyncdError

_CONNECT_SECONDS = 15.0
_SILENCE_SECONDS = 60.0
_KEEPALIVE_SECONDS = 15
_KINDS = {
    "ssh-ed25519": "ssh-ed25519",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
    "rsa-sha2-512": "ssh-rsa",
    "rsa-sha2-256": "ssh-rsa",
    "ssh-rsa": "ssh-rsa",
}
"""Algorithms by the kind of key that they sign with (RFC 8332, 3: one kind of RSA key, several algorithms)."""


@contextmanager
def connected(options: SftpOptions) -> Iterator[Any]:
    """A client whose server has one of the pinned keys.

    Raises:
        SourceUnavailableError: It is not reached.
        AuthError: Another key, or the login is refused.
    """
    import paramiko

    # It logs the host, and whatever the server says, by itself.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    client = paramiko.SSHClient()
    # No key is known to the library, so that it asks of each: it would hold only one of a kind, and two count while one is rotated.
    client.set_missing_host_key_policy(_Pinned(options))
    try:
        _log_in(client, options)
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(_KEEPALIVE_SECONDS)
        sftp = client.open_sftp()
        channel = sftp.get_channel()
        if channel is not None:
            channel.settimeout(_SILENCE_SECONDS)
        yield sftp
    finally:
        client.close()


def _log_in(client: Any, options: SftpOptions) -> None:
    import paramiko

    failure: SyncdError
    try:
        client.connect(
            options.host,
            options.port,
            options.user,
            password=None if options.password is None else options.password.reveal(),
            pkey=None if options.key is None else _private_key(options.key, options.passphrase),
            disabled_algorithms={"keys": _not_pinned(options)},
            allow_agent=False,
            look_for_keys=False,
            timeout=_CONNECT_SECONDS,
            banner_timeout=_CONNECT_SECONDS,
            auth_timeout=_CONNECT_SECONDS,
        )
        return
    except (_OtherKeyError, paramiko.IncompatiblePeer) as error:
        failure = _other_key(options, error)
    except paramiko.AuthenticationException as error:
        failure = AuthError(
            f"{options.host} refuses the login of {options.user}.",
            advice="Check sftp.user, and key or password.",
            detail=type(error).__name__,
        )
    except (paramiko.SSHException, OSError, EOFError) as error:
        failure = _not_reached(options, error)
    # Outside of the except clause: the cause's text may quote what the server said.
    raise failure


class _OtherKeyError(Exception):
    """The server's key is not pinned."""


class _Pinned:
    """What paramiko asks of a server's key, before anything is sent to it."""

    def __init__(self, options: SftpOptions) -> None:
        self._known = options.host_key

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        """Refuse a key that is not pinned."""
        del client, hostname
        if f"{key.get_name()} {key.get_base64()}" not in self._known:
            raise _OtherKeyError


def _not_pinned(options: SftpOptions) -> list[str]:
    """The kinds of keys that are not asked of the server: it may have one of each, and shows one."""
    pinned = {line.partition(" ")[0] for line in options.host_key}
    return [algorithm for algorithm, kind in _KINDS.items() if kind not in pinned]


def _other_key(options: SftpOptions, error: Exception) -> AuthError:
    return AuthError(
        f"{options.host} shows another key than sftp.host_key says.",
        advice="Do not trust it before its administrator has confirmed the new key; then correct sftp.host_key.",
        detail=type(error).__name__,
    )


def _not_reached(options: SftpOptions, error: Exception) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{options.host} could not be reached by SFTP at port {options.port}.",
        advice="Check the network, sftp.host and sftp.port; it is tried again with the next run.",
        detail=type(error).__name__,
    )


def _private_key(key: Secret, passphrase: Secret | None) -> Any:
    import paramiko

    words = None if passphrase is None else passphrase.reveal()
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(key.reveal() + "\n"), words)
        except (paramiko.SSHException, ValueError, TypeError, IndexError, UnicodeError):
            continue
    raise AuthError("sftp.key is no private key that can be read.", advice="Check its text, and sftp.passphrase.")


def transport_errors() -> tuple[type[Exception], ...]:
    """What says that a connection is no more."""
    import paramiko

    return (paramiko.SSHException, EOFError, TimeoutError, ConnectionError)
