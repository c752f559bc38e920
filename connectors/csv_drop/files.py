"""Looking at a file before it is read: is it complete, is it text, which encoding, which delimiter. Belongs to csv_drop."""

from __future__ import annotations

import codecs
import csv
import errno
import fcntl
import hashlib
import io
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

_CHUNK = 1 << 17
_SAMPLE = 1 << 18
_DELIMITERS = (",", ";", "\t", "|")
ZIP = b"PK\x03\x04"
"""What a workbook begins with, as any ZIP file does."""
_MAGIC = {
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls), or one with a password; save it as XLSX without a password",
    b"\x1f\x8b": "a gzip file",
}
_SAMPLE_ROWS = 60
_MIN_WAIT = 0.2
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1a")


class NotText(Exception):  # noqa: N818 - a finding, not a fault
    """The file is no delimited text; the message says what it seems to be."""


@dataclass(frozen=True)
class Dialect:
    """How to read a file. `is_certain` is False when the encoding is the configured fallback."""

    encoding: str = "utf-8"
    delimiter: str = ","
    terminator: bytes = b"\n"
    is_certain: bool = True


@dataclass(frozen=True)
class Drop:
    """A file as it was looked at; `digest` is the beginning (128 bits) of the SHA-256 of its whole content."""

    path: Path
    size: int
    mtime_ns: int
    digest: str
    dialect: Dialect = field(default_factory=Dialect)
    is_workbook: bool = False

    def is_unchanged(self) -> bool:
        """Whether the file is still the one that was looked at."""
        stat = self.path.stat()
        return (stat.st_size, stat.st_mtime_ns) == (self.size, self.mtime_ns)


def ready_in(path: Path, until: datetime, settle_seconds: float) -> float:
    """Seconds until the file may count as complete; 0 if it does now.

    Complete: a marker `NAME.done` beside it, or quiet for `settle_seconds` and not open for writing anywhere. A time in the
    future (a wrong clock, a copied stamp) says nothing, so only the second half counts.
    """
    if path.with_name(path.name + ".done").exists():
        return 0.0
    age = until.timestamp() - path.stat().st_mtime
    wait = settle_seconds - age if 0 <= age < settle_seconds else 0.0
    if wait <= 0 and _is_open_for_writing(path):
        wait = max(settle_seconds, 1.0)
    return max(wait, _MIN_WAIT) if wait > 0 else 0.0


def _is_open_for_writing(path: Path) -> bool:
    """Ask the kernel (Linux): a read lease is refused while somebody has the file open for writing (fcntl(2), F_SETLEASE)."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        # A writer that opens the file during our lease would send SIGIO; the lease lasts microseconds, and SIGURG is harmless.
        fcntl.fcntl(handle, getattr(fcntl, "F_SETSIG", 10), signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
    finally:
        os.close(handle)
    return False


def look_at(path: Path, delimiter: str | None, encoding: str | None, fallback: str) -> Drop:
    """Read a file once, in constant memory: digest, encoding, line ends, delimiter.

    Raises:
        NotText: Binary content; what begins like a ZIP file may be a workbook and is looked into elsewhere.
        OSError: It cannot be read.
    """
    stat = path.stat()
    digest = hashlib.sha256()
    scan = _Scan()
    sample = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            scan.feed(chunk)
            if len(sample) < _SAMPLE:
                sample += chunk[: _SAMPLE - len(sample)]
    scan.close()
    if sample.startswith(ZIP):
        return Drop(path, stat.st_size, stat.st_mtime_ns, digest.hexdigest()[:32], is_workbook=True)
    for magic, what in _MAGIC.items():
        if sample.startswith(magic):
            raise NotText(f"{path.name} is {what}; it is not delimited text.")
    found, is_certain = _encoding(sample, scan, encoding, fallback)
    if not found.startswith("utf-16") and scan.controls > max(10, stat.st_size // 50):
        raise NotText(f"{path.name} is binary, not delimited text.")
    terminator = b"\n" if scan.has_newline or found.startswith("utf-16") else b"\r"
    text = sample.decode(found, "replace")
    dialect = Dialect(found, delimiter or _delimiter(text), terminator, is_certain)
    return Drop(path, stat.st_size, stat.st_mtime_ns, digest.hexdigest()[:32], dialect)


class _Scan:
    """Counts what tells encodings and line ends apart, chunk by chunk."""

    def __init__(self) -> None:
        self.nuls = 0
        self.controls = 0
        self.has_newline = False
        self.good_lines = 0
        self.bad_lines = 0
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        self.nuls += chunk.count(b"\x00")
        self.controls += len(chunk) - len(chunk.translate(None, _CONTROLS))
        self.has_newline = self.has_newline or b"\n" in chunk
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()[-_CHUNK:]
        for line in lines:
            self._line(line)

    def close(self) -> None:
        self._line(self._rest)

    def _line(self, line: bytes) -> None:
        if line.isascii():
            return
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            self.bad_lines += 1
        else:
            self.good_lines += 1


def _encoding(sample: bytes, scan: _Scan, wanted: str | None, fallback: str) -> tuple[str, bool]:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", True
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig", True
    if wanted:
        return wanted, True
    half = max(len(sample) // 2, 1)
    if scan.nuls and sample[1::2].count(0) > 0.6 * half:
        return "utf-16-le", True
    if scan.nuls and sample[0::2].count(0) > 0.6 * half:
        return "utf-16-be", True
    # A few broken lines in a file that is otherwise UTF-8 are rejects; a file of broken lines is another encoding.
    if scan.bad_lines == 0 or scan.good_lines > scan.bad_lines:
        return "utf-8", True
    return fallback, False


def _delimiter(text: str) -> str:
    """The candidate that splits most sample rows into the same number (at least two) of cells."""
    best, best_score = ",", (0.0, 0)
    for candidate in _DELIMITERS:
        counts: Counter[int] = Counter()
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=candidate):
                if any(row):
                    counts[len(row)] += 1
                if sum(counts.values()) >= _SAMPLE_ROWS:
                    break
        except csv.Error:
            continue
        if not counts:
            continue
        columns, rows = counts.most_common(1)[0]
        score = (rows / sum(counts.values()), columns) if columns > 1 else (0.0, 0)
        if score[0] >= 0.5 and (score[1] > best_score[1] if score[0] >= best_score[0] - 0.2 else False):
            best, best_score = candidate, score
    return best
