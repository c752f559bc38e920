"""A folder of an SFTP server as the place for finished files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from syncd.errors import AuthError, DeliveryError, SourceUnavailableError
from syncd.sftp import SftpServer, connected, transport_errors

_ADVICE = "Correct xactly.sftp, or the rights of its user; what was begun is finished by the next run."


class SftpDrop:
    """`syncd.ports.Drop` on a server; each call has a connection of its own."""

    def __init__(self, server: SftpServer, folder: str) -> None:
        """Nothing is sent yet."""
        self._server = server
        self._folder = folder

    @property
    def place(self) -> str:
        """What to call it."""
        return f"sftp://{self._server.host}/{self._folder.lstrip('/')}"

    def holds(self, name: str) -> bool:
        """Whether a file of that name lies there.

        Raises:
            DeliveryError: Nobody can tell.
        """
        with self._client() as client:
            try:
                client.stat(self._at(name))
            except FileNotFoundError:
                # The folder itself must be seen, or nothing is known of what lies in it.
                client.stat(self._folder)
                return False
            return True

    def put(self, name: str, content: bytes) -> None:
        """Upload a file, in place of one of that name, and give it its name only once it is whole.

        Raises:
            DeliveryError: It could not be done, or nobody can tell whether it was.
        """
        part, target = self._at(f".{name}.part"), self._at(name)
        with self._client() as client:
            with client.open(part, "wb") as file:
                file.set_pipelined(True)
                file.write(content)
            size = client.stat(part).st_size
            if size != len(content):
                raise DeliveryError(f"{self.place} has {size} bytes of {name}, not {len(content)}.", advice=_ADVICE)
            try:
                client.posix_rename(part, target)
            except OSError:
                # Not every server has this extension of OpenSSH; the plain rename replaces nothing.
                with suppress(FileNotFoundError):
                    client.remove(target)
                client.rename(part, target)

    def _at(self, name: str) -> str:
        return posixpath.join(self._folder, name)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        failure: DeliveryError
        lost: tuple[type[Exception], ...] = (OSError, *transport_errors())
        try:
            with connected(self._server) as client:
                yield client
            return
        except (AuthError, SourceUnavailableError) as error:
            failure = DeliveryError(error.message, advice=error.advice.replace("sftp.", "xactly.sftp."), detail=error.detail)
        except lost as error:
            failure = DeliveryError(f"{self.place} cannot be used.", advice=_ADVICE, detail=type(error).__name__)
        # Outside of the except clause: the cause's text may quote what the server said.
        raise failure
