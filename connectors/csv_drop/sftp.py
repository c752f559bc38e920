"""Files of a server by SFTP, copied into a local folder: listed, looked at, settled, then fetched whole. Belongs to csv_drop.

paramiko 5.1 (reference, sources.md 9.3); imported only when a source asks for it. The server's key is pinned, another one is never
accepted. Times have a grain of a second and are the server's clock; so a young file counts as complete only when it was seen unchanged
twice. A transfer that breaks off is begun anew. Nothing is changed on the server unless `move_to` says so.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from connectors.csv_drop.options import SftpOptions
from connectors.csv_drop.place import Place
from syncd.connector import Reject
from syncd.errors import AuthError, SourceUnavailableError, SyncdError
from syncd.sftp import connected, transport_errors

_CHUNK = 1 << 18
_LEAST_SETTLE_SECONDS = 30.0
_CLOCKS_SECONDS = 300.0
"""By how much the clocks may differ before a young file passes for an old one."""
_MOST_NAME_BYTES = 240


class Remote(NamedTuple):
    """A file as the server lists it."""

    name: str
    size: int
    mtime_ns: int


class Fetched(NamedTuple):
    """What came of looking at the server.

    Attributes:
        names: Of all files there that are wanted.
        rejects: Files that are never read.
        recheck_seconds: When some of them may be complete; None if all were.
        notices: Sentences for the operator.
        error: What ended it before its end; the copies that were made count.
        is_whole: Whether each file could be fetched, and moved where that is wanted.
    """

    names: frozenset[str]
    rejects: tuple[Reject, ...] = ()
    recheck_seconds: float | None = None
    notices: tuple[str, ...] = ()
    error: SyncdError | None = None
    is_whole: bool = True


def fetch(
    options: SftpOptions, copies: Path, place: Place, until: datetime, settle_seconds: float, is_wanted: Callable[[str], bool]
) -> Fetched:
    """Copy what is complete and was not read yet into the folder `copies`; remove copies and move files that were read.

    Raises:
        SourceUnavailableError: The server, or its folder, is not there.
        AuthError: The login is refused, the server's key is another one, or the folder may not be read.
    """
    settle = max(settle_seconds, _LEAST_SETTLE_SECONDS)
    try:
        copies.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AuthError(
            f"The folder {copies.name} for copies cannot be made: {error.strerror}.",
            advice="Correct folder: of the source, or its rights.",
        ) from error
    rejects: list[Reject] = []
    notices: list[str] = []
    failed: list[str] = []
    failures: tuple[type[Exception], ...] = (OSError, *transport_errors())
    recheck: float | None = None
    with connected(options) as client:
        files, marked = listed(client, options, is_wanted)
        names = frozenset(one.name for one in files)
        for one in files:
            copy = copies / one.name
            try:
                if place.is_done(*one):
                    _clear(client, options, one, copy, is_stored=place.was_stored(*one))
                elif one.size > options.max_file_bytes:
                    rejects.append(_too_large(one, options))
                    place.leave_out(*one)
                elif (wait := _wait(one, place, until, settle, is_marked=one.name in marked)) > 0:
                    recheck = max(recheck or 0.0, wait)
                    notices.append(f"{one.name} may still be being written.")
                elif not _is_copy(copy, one) and not _copied(client, options, one, copy):
                    recheck = max(recheck or 0.0, settle)
                    notices.append(f"{one.name} changed while it was fetched; it is fetched again.")
            except failures as error:
                if _is_lost(client, error):
                    return Fetched(names, tuple(rejects), recheck, tuple(notices), _broken_off(options, error))
                failed.append(f"{one.name} cannot be fetched or moved on the server: {type(error).__name__}.")
    _clean(copies, names, place)
    return Fetched(names, tuple(rejects), recheck, (*notices, *failed), is_whole=not failed)


def listed(client: Any, options: SftpOptions, is_wanted: Callable[[str], bool]) -> tuple[list[Remote], frozenset[str]]:
    """The wanted files of the folder, oldest first, and the names beside which `NAME.done` lies. Links and folders are left alone.

    Raises:
        SourceUnavailableError, AuthError: The folder is not there, or may not be read.
    """
    failures: tuple[type[Exception], ...] = (OSError, *transport_errors())
    try:
        entries = client.listdir_attr(options.folder)
    except PermissionError as error:
        raise AuthError(
            f'The folder "{options.folder}" of {options.host} may not be read.',
            advice=f"Give {options.user} the right to read it.",
        ) from error
    except UnicodeDecodeError as error:
        # paramiko gives up the whole list then.
        raise SourceUnavailableError(
            f'The folder "{options.folder}" of {options.host} holds a file whose name is not UTF-8.',
            advice="Rename it on the server.",
        ) from error
    except failures as error:
        raise SourceUnavailableError(
            f'The folder "{options.folder}" of {options.host} cannot be listed.',
            advice="Check sftp.folder; it is tried again with the next run.",
            detail=type(error).__name__,
        ) from error
    found = [
        Remote(one.filename, int(one.st_size), int(one.st_mtime) * 1_000_000_000)
        for one in entries
        if one.st_mode is not None
        and stat.S_ISREG(one.st_mode)
        and one.st_size is not None
        and one.st_mtime is not None
        and _is_safe(one.filename)
        and is_wanted(one.filename)
    ]
    names = [one.filename for one in entries if _is_safe(one.filename)]
    marked = frozenset(name.removesuffix(".done") for name in names if name.endswith(".done"))
    return sorted(found, key=lambda one: (one.mtime_ns, one.name)), marked


def _wait(one: Remote, place: Place, until: datetime, settle: float, *, is_marked: bool) -> float:
    """Seconds until a file may count as complete; 0 if it does now."""
    at = until.timestamp()
    if is_marked or at - one.mtime_ns / 1e9 > settle + _CLOCKS_SECONDS:
        return 0.0
    return max(0.0, place.quiet_since(*one, at) + settle - at)


def _is_copy(copy: Path, one: Remote) -> bool:
    try:
        there = copy.stat()
    except FileNotFoundError:
        return False
    return (there.st_size, there.st_mtime_ns) == (one.size, one.mtime_ns)


def _copied(client: Any, options: SftpOptions, one: Remote, copy: Path) -> bool:
    """Whether a file was copied whole, and was the same afterwards."""
    source = posixpath.join(options.folder, one.name)
    part = copy.with_name(f".{one.name}.part")
    count = 0
    with client.open(source, "rb") as far, part.open("wb") as near:
        part.chmod(0o600)
        _ask_ahead(far, one.size)
        while count <= one.size and (chunk := far.read(_CHUNK)):
            count += near.write(chunk)
        near.flush()
        os.fsync(near.fileno())
    now = client.stat(source)
    if (count, now.st_size, now.st_mtime) != (one.size, one.size, one.mtime_ns // 1_000_000_000):
        part.unlink()
        return False
    os.utime(part, ns=(one.mtime_ns, one.mtime_ns))
    part.replace(copy)
    return True


def _ask_ahead(far: Any, size: int) -> None:
    """Ask for the whole file at once; reading it takes the answers as they come."""
    send = far._prefetch_thread  # noqa: SLF001 - the library has no public way to see how its thread ends

    def ends_quietly(*args: Any) -> None:
        # The library sends in a thread of its own. What breaks there breaks reading, too, where it becomes an error with advice;
        # left alone, the thread would write its traceback among the logs.
        with suppress(*transport_errors(), OSError):
            send(*args)

    far._prefetch_thread = ends_quietly  # noqa: SLF001 - as above
    far.prefetch(size)


def _clear(client: Any, options: SftpOptions, one: Remote, copy: Path, *, is_stored: bool) -> None:
    """A file was read, and what it held is stored: its copy goes, and it is moved if that is wanted."""
    if not is_stored:
        return
    copy.unlink(missing_ok=True)
    if options.move_to is not None:
        target = posixpath.join(options.folder, options.move_to, one.name)
        client.posix_rename(posixpath.join(options.folder, one.name), target)


def _clean(copies: Path, names: frozenset[str], place: Place) -> None:
    """Copies of files that are no longer there go once what they held is stored."""
    for copy in copies.iterdir():
        if copy.is_file() and copy.name not in names:
            there = copy.stat()
            if place.was_stored(copy.name, there.st_size, there.st_mtime_ns):
                copy.unlink()


def _is_lost(client: Any, error: Exception) -> bool:
    """Whether it is the connection that failed, not the one file."""
    channel = client.get_channel()
    return isinstance(error, transport_errors()) or channel is None or channel.closed


def _broken_off(options: SftpOptions, error: Exception) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"The connection to {options.host} broke off.", advice="It is tried again with the next run.", detail=type(error).__name__
    )


def _too_large(one: Remote, options: SftpOptions) -> Reject:
    words = f"{one.name} has {one.size} bytes, more than sftp.max_file_bytes ({options.max_file_bytes}); it is not read."
    return Reject(f"too_large:{one.name}:{one.mtime_ns}", "too_large", words, b"{}", one.name)


def _is_safe(name: str) -> bool:
    """Whether a name of the server may be a name here."""
    return name.isprintable() and not any(one in name for one in "/\\") and len(name.encode()) <= _MOST_NAME_BYTES
