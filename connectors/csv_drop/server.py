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
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    name = options.host if options.port == 22 else f"[{options.host}]:{options.port}"
    for line in options.host_key:
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {line}")
        if entry is not None and entry.key is not None:
            client.get_host_keys().add(name, entry.key.get_name(), entry.key)
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
            allow_agent=False,
            look_for_keys=False,
            timeout=_CONNECT_SECONDS,
            banner_timeout=_CONNECT_SECONDS,
            auth_timeout=_CONNECT_SECONDS,
        )
        return
    except paramiko.BadHostKeyException as error:
        failure = _other_key(options, error)
    except paramiko.AuthenticationException as error:
        failure = AuthError(
            f"{options.host} refuses the login of {options.user}.",
            advice="Check sftp.user, and key or password.",
            detail=type(error).__name__,
        )
    except paramiko.SSHException as error:
        is_unknown = (
            "known_hosts" in str(error) or "host key" in str(error).lower() or isinstance(error, paramiko.IncompatiblePeer)
        )
        failure = _other_key(options, error) if is_unknown else _not_reached(options, error)
    except (OSError, EOFError) as error:
        failure = _not_reached(options, error)
    # Outside of the except clause: the cause's text may quote what the server said.
    raise failure


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
