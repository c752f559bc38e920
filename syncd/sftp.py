"""A connection to an SFTP server whose key is pinned, and how it is configured: for sources that read there and exports that write.

paramiko 5.1; imported only when somebody asks for a connection. Neither the agent nor the known hosts of the user count.
"""

from __future__ import annotations

import base64
import binascii
import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from syncd.errors import AuthError, SourceUnavailableError, SyncdError
from syncd.model.secret import Secret

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


_HOST_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]{40,}={0,2})")


class SftpServer(BaseModel):
    """What `sftp:` says of a server, wherever it stands; a section adds its folder."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    host: str = Field(description="Name or address of the server.", examples=["files.example.com"])
    port: int = Field(default=22, ge=1, le=65_535, description="Its port.")
    user: str = Field(description="Who logs in.", examples=["syncd"])
    key: Secret | None = Field(
        default=None,
        description="Private key (text of the file); better than a password.",
        examples=[{"file": "/run/credentials/sftp_key"}],
    )
    passphrase: Secret | None = Field(
        default=None, description="Of the key, if it has one.", examples=[{"env": "SFTP_PASSPHRASE"}]
    )
    password: Secret | None = Field(
        default=None, description="Where the server takes no key.", examples=[{"env": "SFTP_PASSWORD"}]
    )
    host_key: list[str] = Field(
        description="Keys of the server, as `ssh-keyscan HOST` prints them; compare them with what its administrator says. No other server is trusted.",
        examples=[["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXFPq5tmOLH3vCWmKXuWZgCTDZLpmK1Y1IqBGbqMGQa"]],
    )

    @field_validator("host_key", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("host_key")
    @classmethod
    def _are_keys(cls, value: list[str]) -> list[str]:
        found = []
        for one in value:
            match = _HOST_KEY.search(one)
            try:
                blob = base64.b64decode(match[2], validate=True) if match else b""
            except binascii.Error:
                blob = b""
            # The blob begins with the length and the name of its own kind (RFC 4253, 6.6).
            if match is None or blob[4 : 4 + len(match[1])] != match[1].encode():
                raise ValueError("a key is written as ssh-keyscan prints it, such as ssh-ed25519 AAAA...")
            found.append(f"{match[1]} {match[2]}")
        if not found:
            raise ValueError("it names the key of the server; ssh-keyscan prints it")
        return found

    @model_validator(mode="after")
    def _can_log_in(self) -> SftpServer:
        if self.key is None and self.password is None:
            raise ValueError("it needs key or password")
        return self


@contextmanager
def connected(options: SftpServer) -> Iterator[Any]:
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


def _log_in(client: Any, options: SftpServer) -> None:
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

    def __init__(self, options: SftpServer) -> None:
        self._known = options.host_key

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        """Refuse a key that is not pinned."""
        del client, hostname
        if f"{key.get_name()} {key.get_base64()}" not in self._known:
            raise _OtherKeyError


def _not_pinned(options: SftpServer) -> list[str]:
    """The kinds of keys that are not asked of the server: it may have one of each, and shows one."""
    pinned = {line.partition(" ")[0] for line in options.host_key}
    return [algorithm for algorithm, kind in _KINDS.items() if kind not in pinned]


def _other_key(options: SftpServer, error: Exception) -> AuthError:
    return AuthError(
        f"{options.host} shows another key than sftp.host_key says.",
        advice="Do not trust it before its administrator has confirmed the new key; then correct sftp.host_key.",
        detail=type(error).__name__,
    )


def _not_reached(options: SftpServer, error: Exception) -> SourceUnavailableError:
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
