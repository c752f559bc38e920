"""Files of delimited text and workbooks dropped into a folder, here or on a server: badge scanners, exports, hand-made lists.

API: none; a folder of the local file system (RFC 4180 as people really write it, XLSX), or one by SFTP. Limits: `page_size_records`
per page, cells of 131,072 characters, workbooks of 256 MB unpacked. Oddities: files are read where they lie and never moved or changed; the same content is read once, under whatever
name; a row that cannot be read is a reject, never a reason to leave the others. See docs/connectors/csv_drop.md.
"""

from __future__ import annotations

import fnmatch
import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from connectors.csv_drop.files import Dialect, Drop, NotText, ready_in
from connectors.csv_drop.options import CsvDropOptions
from connectors.csv_drop.place import Place
from connectors.csv_drop.reading import KEPT_BYTES, Reader, described, looked_at, whole_file
from connectors.csv_drop.rows import BadRow, Row
from connectors.csv_drop.sftp import Fetched, fetch, listed
from syncd.connector import Health, Page, Record, Reject, Session
from syncd.errors import AuthError, SourceUnavailableError
from syncd.sftp import connected

_MOST_NAMED = 20
_IGNORED = ("*.tmp", "*.part", "*.filepart", "*.crdownload", "*.swp", ".*", "~$*", "*.done")


class CsvDrop:
    """The connector; has no state of its own."""

    name = "csv_drop"
    Options = CsvDropOptions
    settle_seconds = 5.0
    """A local file is written in seconds; raise settle_seconds where slow uploads arrive."""

    def check(self, session: Session, options: CsvDropOptions) -> Health:
        """List the folder and look into each file as `pull` would."""
        if options.sftp is not None:
            return _rehearsed(options)
        try:
            found = _listed(session.folder / options.folder, options)
        except (SourceUnavailableError, AuthError) as error:
            return Health(False, (str(error),))
        findings = [f"{len(found)} files in {options.folder}."]
        for path in found:
            try:
                findings.append(described(path, options))
            except NotText as error:
                findings.append(f"{path.name}: {error}")
            except OSError as error:
                return Health(False, (*findings, f"{path.name} cannot be read: {error.strerror}. Check its rights."))
        return Health(True, tuple(findings))

    def streams(self, options: CsvDropOptions) -> tuple[str, ...]:
        """One stream: rows."""
        del options
        return ("rows",)

    def pull(
        self, session: Session, options: CsvDropOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield the rows of files that are complete and new, oldest file first; see the contract."""
        del stream
        place = Place(cursor)
        recheck: float | None = None
        notices: list[str] = []
        is_whole = True
        fetched = _fetched(session, options, place, until)
        if fetched is not None:
            recheck, notices, is_whole = fetched.recheck_seconds, list(fetched.notices), fetched.is_whole
            if fetched.rejects:
                yield Page((), place.cursor(), fetched.rejects)
        paths = _listed(session.folder / options.folder, options)
        for path in paths:
            try:
                if place.is_known(path):
                    continue
                wait = 0.0 if fetched is not None else ready_in(path, until, session.settle_seconds)
                if wait > 0:
                    recheck = max(recheck or 0.0, wait)
                    notices.append(f"{path.name} is still being written.")
                    continue
                yield from self._read(session, options, path, place)
            except OSError as error:
                is_whole = False
                notices.append(f"{path.name} cannot be read: {error.strerror or type(error).__name__}.")
        if fetched is not None and fetched.error is not None:
            raise fetched.error
        is_whole = is_whole and recheck is None
        names = {path.name for path in paths} | (fetched.names if fetched is not None else frozenset())
        yield Page((), place.cursor(names), is_last=is_whole, recheck_seconds=recheck, notice=" ".join(notices))

    def cursor_at(self, options: CsvDropOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor that leaves out files older than `at`; see the contract."""
        del options, stream
        return Place({"since": at.timestamp()}).cursor()

    def _read(self, session: Session, options: CsvDropOptions, path: Path, place: Place) -> Iterator[Page]:
        try:
            drop = looked_at(path, options)
        except NotText as error:
            stat = path.stat()
            digest = hashlib.sha256(path.name.encode() + str(stat.st_size).encode()).hexdigest()
            yield self._whole_file(Drop(path, stat.st_size, stat.st_mtime_ns, digest, Dialect()), "not_text", str(error), place)
            return
        if place.has_content(drop):
            place.finish(drop)
            yield Page((), place.cursor(), notice=f"{path.name} was read before under this or another name.")
            return
        notice = "" if drop.dialect.is_certain else f"{path.name} is not UTF-8 and was read as {drop.dialect.encoding}."
        yield from self._rows(session, options, drop, place, notice)

    def _rows(self, session: Session, options: CsvDropOptions, drop: Drop, place: Place, notice: str) -> Iterator[Page]:
        header: list[str] = list(options.header)
        start = place.start_of(drop)
        records: list[Record] = []
        rejects: list[Reject] = []
        at = datetime.fromtimestamp(drop.mtime_ns / 1e9, UTC)
        reader = Reader(drop, options, start)
        for row in reader:
            if not header:
                header = [_column(cell) for cell in row.cells] if isinstance(row, Row) else []
                wrong = _wrong_header(header) if isinstance(row, Row) else "its first line cannot be read"
                if wrong:
                    yield self._whole_file(drop, "bad_header", f"{drop.path.name} is left out: {wrong}.", place)
                    return
                continue
            made = _made(drop, header, options.key, row, at)
            if isinstance(made, Record):
                records.append(made)
            elif made is not None:
                rejects.append(made)
            if len(records) + len(rejects) >= session.page_size_records:
                place.advance(drop, row)
                yield Page(tuple(records), place.cursor(), tuple(rejects), notice=notice)
                records, rejects, notice = [], [], ""
        if reader.wrong:
            rejects.append(whole_file(drop, "not_text", reader.wrong))
        if drop.is_unchanged():
            place.finish(drop)
        else:
            notice = f"{drop.path.name} changed while it was read; it is read again."
        if not header:
            notice = f"{drop.path.name} is empty."
        yield Page(tuple(records), place.cursor(), tuple(rejects), notice=notice)

    @staticmethod
    def _whole_file(drop: Drop, reason: str, message: str, place: Place) -> Page:
        place.finish(drop)
        return Page((), place.cursor(), (whole_file(drop, reason, message),))


def _fetched(session: Session, options: CsvDropOptions, place: Place, until: datetime) -> Fetched | None:
    """Copies of what is new on the server, None without one."""
    if options.sftp is None:
        return None
    copies = session.folder / options.folder
    return fetch(options.sftp, copies, place, until, session.settle_seconds, lambda name: _is_wanted(name, options))


def _rehearsed(options: CsvDropOptions) -> Health:
    """Log in to the server and list its folder, as `pull` would."""
    assert options.sftp is not None  # noqa: S101 - see check
    try:
        with connected(options.sftp) as client:
            files, _ = listed(client, options.sftp, lambda name: _is_wanted(name, options))
    except (SourceUnavailableError, AuthError) as error:
        return Health(False, (str(error),))
    known = f"{options.sftp.host} has the key of sftp.host_key and lets {options.sftp.user} in."
    sizes = [f"{one.name}: {one.size} bytes." for one in files[:_MOST_NAMED]]
    return Health(True, (known, f"{len(files)} files in {options.sftp.folder}.", *sizes))


def _listed(folder: Path, options: CsvDropOptions) -> list[Path]:
    """Files to consider, oldest first. Folders and links that lead out of the folder are left alone."""
    try:
        home = folder.resolve()
        entries = [entry for entry in folder.iterdir() if entry.is_file() and entry.resolve().is_relative_to(home)]
    except FileNotFoundError as error:
        raise SourceUnavailableError(
            f"The folder {options.folder} is not there.", advice="Make it, or correct folder: in syncd.yaml."
        ) from error
    except NotADirectoryError as error:
        raise SourceUnavailableError(f"{options.folder} is no folder.", advice="Correct folder: in syncd.yaml.") from error
    except PermissionError as error:
        raise AuthError(
            f"The folder {options.folder} may not be read.", advice="Give the user of syncd the right to read it."
        ) from error
    return sorted(
        (entry for entry in entries if _is_wanted(entry.name, options)), key=lambda entry: (entry.stat().st_mtime_ns, entry.name)
    )


def _is_wanted(name: str, options: CsvDropOptions) -> bool:
    small = name.lower()
    is_named = any(fnmatch.fnmatchcase(small, pattern.lower()) for pattern in options.pattern)
    return is_named and not any(fnmatch.fnmatchcase(small, pattern) for pattern in _IGNORED)


def _column(cell: str) -> str:
    return unicodedata.normalize("NFC", cell).strip()


def _wrong_header(header: list[str]) -> str:
    while header and not header[-1]:
        header.pop()
    if not header:
        return "its first line holds no column names"
    if "" in header:
        return f"column {header.index('') + 1} has no name"
    if len({name.casefold() for name in header}) != len(header):
        return "two columns have the same name"
    return ""


def _made(drop: Drop, header: list[str], key: list[str], row: Row | BadRow, at: datetime) -> Record | Reject | None:
    """A row as a record, a reject, or None for an empty line."""
    locator = f"{drop.path.name} row {row.number}"
    if isinstance(row, BadRow):
        return _reject(row.reason, f"{row.message} ({locator}, line {row.line}).", row.raw, locator)
    cells = list(row.cells)
    if not any(cell.strip() for cell in cells):
        return None
    while len(cells) > len(header) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(header):
        words = f"The row has {len(cells)} cells, the header has {len(header)} ({locator}, line {row.line})."
        return _reject("ragged_row", words, row.raw, locator)
    values = dict(zip(header, cells, strict=True))
    named = [values.get(column, "").strip().casefold() for column in key]
    identity = "\x1f".join(named if any(named) else [cell.strip() for cell in cells])
    prefix = "k" if any(named) else "r"
    digest = hashlib.blake2b(f"{prefix}\x1f{identity}".encode(), digest_size=16).hexdigest()
    return Record(f"{prefix}{digest}", msgspec.json.encode(values), at, row.number, locator)


def _reject(reason: str, message: str, raw: bytes, locator: str) -> Reject:
    digest = hashlib.blake2b(raw, digest_size=16).hexdigest()
    return Reject(f"{reason}:{digest}", reason, message, raw[:KEPT_BYTES], locator)


CONNECTOR = CsvDrop()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "CsvDrop", "CsvDropOptions"]
