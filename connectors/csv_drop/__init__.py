"""Files of delimited text dropped into a folder: badge scanners, exports, hand-made lists.

API: none; a folder of the local file system (RFC 4180 as people really write it). Limits: `page_size_records` per page, cells of
131,072 characters. Oddities: files are read where they lie and never moved or changed; the same content is read once, under whatever
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
from pydantic import Field

from connectors.csv_drop.files import Dialect, Drop, NotText, look_at, ready_in
from connectors.csv_drop.rows import BadRow, Row, read_rows
from syncd.connector import Health, Options, Page, Record, Reject, Session
from syncd.errors import AuthError, SourceUnavailableError

_REMEMBERED_FILES = 2_000
"""Digests of files that were read completely; the oldest are forgotten first."""
_KEPT_BYTES = 65_536
_IGNORED = ("*.tmp", "*.part", "*.filepart", "*.crdownload", "*.swp", ".*", "~$*", "*.done")


class CsvDropOptions(Options):
    """Options of `type: csv_drop`."""

    folder: Path = Field(description="Folder to read; relative to syncd.yaml.", examples=["drop/"])
    pattern: list[str] = Field(default=["*.csv", "*.tsv", "*.txt"], description="Names to read; any case.", examples=[["*.csv"]])
    key: list[str] = Field(
        default=[],
        description="Columns that identify a row, so that a newer file changes it. Without it a row is identified by its content.",
        examples=[["E-mail"]],
    )
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="Detected if not given.", examples=[";"])
    encoding: str | None = Field(
        default=None, description="Detected if not given: UTF-8, UTF-16 with BOM, else encoding_fallback."
    )
    encoding_fallback: str = Field(default="cp1252", description="Read like this what is not UTF-8; reported each time.")
    header: list[str] = Field(default=[], description="Column names of files without a header row.", examples=[["email", "name"]])


class CsvDrop:
    """The connector; has no state of its own."""

    name = "csv_drop"
    Options = CsvDropOptions
    settle_seconds = 5.0
    """A local file is written in seconds; raise settle_seconds where slow uploads arrive."""

    def check(self, session: Session, options: CsvDropOptions) -> Health:
        """List the folder and look into each file as `pull` would."""
        try:
            found = _listed(session.folder / options.folder, options)
        except (SourceUnavailableError, AuthError) as error:
            return Health(False, (str(error),))
        findings = [f"{len(found)} files in {options.folder}."]
        for path in found:
            try:
                drop = look_at(path, options.delimiter, options.encoding, options.encoding_fallback)
                findings.append(
                    f"{path.name}: {drop.size} bytes, {drop.dialect.encoding}, columns split by {drop.dialect.delimiter!r}."
                )
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
        place = _Place(cursor)
        recheck: float | None = None
        notices: list[str] = []
        is_whole = True
        paths = _listed(session.folder / options.folder, options)
        for path in paths:
            try:
                if place.is_known(path):
                    continue
                wait = ready_in(path, until, session.settle_seconds)
                if wait > 0:
                    recheck = max(recheck or 0.0, wait)
                    notices.append(f"{path.name} is still being written.")
                    continue
                yield from self._read(session, options, path, place)
            except OSError as error:
                is_whole = False
                notices.append(f"{path.name} cannot be read: {error.strerror or type(error).__name__}.")
        is_whole = is_whole and recheck is None
        yield Page((), place.cursor(paths), is_last=is_whole, recheck_seconds=recheck, notice=" ".join(notices))

    def cursor_at(self, options: CsvDropOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor that leaves out files older than `at`; see the contract."""
        del options, stream
        return _Place({"since": at.timestamp()}).cursor()

    def _read(self, session: Session, options: CsvDropOptions, path: Path, place: _Place) -> Iterator[Page]:
        try:
            drop = look_at(path, options.delimiter, options.encoding, options.encoding_fallback)
        except NotText as error:
            stat = path.stat()
            digest = hashlib.sha256(path.name.encode() + str(stat.st_size).encode()).hexdigest()
            yield self._whole_file(
                path, Drop(path, stat.st_size, stat.st_mtime_ns, digest, Dialect()), "not_text", str(error), place
            )
            return
        if place.has_content(drop):
            place.finish(drop)
            yield Page((), place.cursor(), notice=f"{path.name} was read before under this or another name.")
            return
        notice = "" if drop.dialect.is_certain else f"{path.name} is not UTF-8 and was read as {drop.dialect.encoding}."
        yield from self._rows(session, options, drop, place, notice)

    def _rows(self, session: Session, options: CsvDropOptions, drop: Drop, place: _Place, notice: str) -> Iterator[Page]:
        header: list[str] = list(options.header)
        start = place.start_of(drop)
        records: list[Record] = []
        rejects: list[Reject] = []
        at = datetime.fromtimestamp(drop.mtime_ns / 1e9, UTC)
        for row in read_rows(drop, skip_to=start, has_header=not header):
            if not header:
                header = [_column(cell) for cell in row.cells] if isinstance(row, Row) else []
                wrong = _wrong_header(header) if isinstance(row, Row) else "its first line cannot be read"
                if wrong:
                    yield self._whole_file(drop.path, drop, "bad_header", f"{drop.path.name} is left out: {wrong}.", place)
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
        if drop.is_unchanged():
            place.finish(drop)
        else:
            notice = f"{drop.path.name} changed while it was read; it is read again."
        if not header:
            notice = f"{drop.path.name} is empty."
        yield Page(tuple(records), place.cursor(), tuple(rejects), notice=notice)

    @staticmethod
    def _whole_file(path: Path, drop: Drop, reason: str, message: str, place: _Place) -> Page:
        place.finish(drop)
        with path.open("rb") as file:
            payload = file.read(_KEPT_BYTES)
        reject = Reject(f"{drop.digest[:32]}:{reason}", reason, message, payload, path.name)
        return Page((), place.cursor(), (reject,))


class _Place:
    """The cursor: files read completely by content, and how far into the one being read."""

    def __init__(self, cursor: Mapping[str, Any] | None) -> None:
        self._done: dict[str, list[Any]] = dict((cursor or {}).get("done", {}))
        self._digests: dict[str, None] = dict.fromkeys((cursor or {}).get("digests", ()))
        self._open: dict[str, Any] = dict((cursor or {}).get("open", {}))
        self._since: float | None = (cursor or {}).get("since")

    def is_known(self, path: Path) -> bool:
        """Whether this very file was read to its end (same name, size and time), or is older than asked for: it is not opened."""
        stat = path.stat()
        if self._since is not None and stat.st_mtime_ns / 1e9 < self._since:
            return True
        return self._done.get(path.name) == [stat.st_size, stat.st_mtime_ns]

    def has_content(self, drop: Drop) -> bool:
        return drop.digest in self._digests

    def start_of(self, drop: Drop) -> tuple[int, int] | None:
        """(offset, row) to go on from, when the last pull stopped inside this content."""
        if self._open.get("digest") == drop.digest:
            return int(self._open["offset"]), int(self._open["row"])
        return None

    def advance(self, drop: Drop, row: Row | BadRow) -> None:
        self._open = {"digest": drop.digest, "offset": row.next_offset, "row": row.number}

    def finish(self, drop: Drop) -> None:
        self._done[drop.path.name] = [drop.size, drop.mtime_ns]
        self._digests.pop(drop.digest, None)
        self._digests[drop.digest] = None
        while len(self._digests) > _REMEMBERED_FILES:
            del self._digests[next(iter(self._digests))]
        self._open = {}

    def cursor(self, present: list[Path] | None = None) -> dict[str, Any]:
        """As JSON; with `present`, names of files that are gone are forgotten (their content is not)."""
        if present is not None:
            names = {path.name for path in present}
            self._done = {name: stamp for name, stamp in self._done.items() if name in names}
        found = {"done": dict(self._done), "digests": list(self._digests), "open": dict(self._open)}
        return found if self._since is None else {**found, "since": self._since}


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
    patterns = [pattern.lower() for pattern in options.pattern]
    wanted = [
        entry
        for entry in entries
        if any(fnmatch.fnmatchcase(entry.name.lower(), pattern) for pattern in patterns)
        and not any(fnmatch.fnmatchcase(entry.name.lower(), pattern) for pattern in _IGNORED)
    ]
    return sorted(wanted, key=lambda entry: (entry.stat().st_mtime_ns, entry.name))


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
    return Reject(f"{reason}:{digest}", reason, message, raw[:_KEPT_BYTES], locator)


CONNECTOR = CsvDrop()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "CsvDrop", "CsvDropOptions"]
