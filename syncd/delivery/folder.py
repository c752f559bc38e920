"""A folder of this machine as the place for finished files."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from syncd.errors import DeliveryError


class FolderDrop:
    """`syncd.ports.Drop` on a folder, which is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        """Nothing is touched yet."""
        self._folder = folder

    @property
    def place(self) -> str:
        """What to call it."""
        return str(self._folder)

    def holds(self, name: str) -> bool:
        """Whether a file of that name lies there.

        Raises:
            DeliveryError: Nobody can tell.
        """
        with self._errors():
            return (self._folder / name).exists()

    def put(self, name: str, content: bytes) -> None:
        """Write a file, in place of one of that name; durable, and under its name only once it is whole.

        Raises:
            DeliveryError: It could not be written.
        """
        part = self._folder / f".{name}.part"
        with self._errors():
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    os.fchmod(file.fileno(), 0o640)
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(self._folder / name)
            except OSError:
                with suppress(OSError):
                    part.unlink()
                raise
            handle = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DeliveryError(
                f"{self._folder} cannot be used: {error.strerror}.",
                advice="Correct xactly.folder, its rights or its disk; what was begun is finished by the next run.",
            ) from error


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock on a file of this machine, which is made; a process that dies gives it back.

    Raises:
        DeliveryError: Another process has it, or it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise DeliveryError(f"{path} cannot be made: {error.strerror}.", advice="Correct the rights of its folder.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DeliveryError("Another export is under way.", advice="Wait until it has ended.") from error
        yield
    finally:
        os.close(handle)
