"""Rows of a delimited file, in constant memory, with the place to go on from after each. Belongs to csv_drop.

One unreadable row never takes its neighbours along: an opening quote that is never closed would swallow the rest of the file, so
after a bounded stretch the row is given up and reading goes on with the line after it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from connectors.csv_drop.files import Dialect, Drop

_CHUNK = 1 << 16
_MAX_LINE = 1 << 20
_MAX_ROW_BYTES = 1 << 20
_MAX_ROW_LINES = 1_000


class Row(NamedTuple):
    """A row: its number (the header is row 1), first physical line, cells, raw bytes, and where the next one begins."""

    number: int
    line: int
    cells: list[str]
    raw: bytes
    next_offset: int


class BadRow(NamedTuple):
    """A row that cannot be read, and why."""

    number: int
    line: int
    reason: str
    message: str
    raw: bytes
    next_offset: int


class _Line(NamedTuple):
    raw: bytes
    end: int
    is_cut: bool


class _Runaway(Exception):  # noqa: N818 - a signal inside this module
    """A row has gone on for too long to be one."""


def read_rows(drop: Drop, *, skip_to: tuple[int, int] | None, has_header: bool) -> Iterator[Row | BadRow]:
    """Yield rows. With `skip_to` (offset, row number) the header comes first and then the rows after that place."""
    with drop.path.open("rb") as file:
        reader = _Reader(file, drop.dialect)
        if skip_to is None:
            yield from reader.rows()
            return
        offset, number = skip_to
        if has_header:
            yield next(iter(reader.rows()))
        file.seek(0)
        again = _Reader(file, drop.dialect)
        again.go_to(offset, number)
        yield from again.rows()


class _Reader:
    def __init__(self, file: BinaryIO, dialect: Dialect) -> None:
        self._file = file
        self._dialect = dialect
        self._is_wide = dialect.encoding.startswith("utf-16")
        self._encoding = "utf-8" if self._is_wide or dialect.encoding == "utf-8-sig" else dialect.encoding
        self._lines = self._wide_lines(0) if self._is_wide else self._plain_lines(0)
        self._back: deque[_Line] = deque()
        self._taken: list[_Line] = []
        self._number = 0
        self._line = 0
        self._is_over = False

    def go_to(self, offset: int, number: int) -> None:
        """Start after row `number`, at `offset` as a row gave it."""
        self._number = number
        self._lines = self._wide_lines(offset) if self._is_wide else self._plain_lines(offset)

    def rows(self) -> Iterator[Row | BadRow]:
        while True:
            first = self._next_line()
            if first is None:
                return
            self._back.appendleft(first)
            self._number += 1
            yield self._row()

    def _row(self) -> Row | BadRow:
        self._taken = []
        line = self._line + 1
        try:
            cells = next(csv.reader(self._texts(), delimiter=self._dialect.delimiter), None)
        except UnicodeDecodeError:
            return self._bad(line, "bad_encoding", f"The row is not {self._dialect.encoding}")
        except csv.Error as error:
            long = "field larger" in str(error)
            return self._bad(
                line,
                "cell_too_long" if long else "bad_quotes",
                "A cell is too long" if long else "The quotes of the row do not match",
            )
        except _Runaway:
            return self._bad(line, "open_quote", "A quote is opened and never closed")
        raw = b"".join(one.raw for one in self._taken)
        if any(one.is_cut for one in self._taken):
            return self._bad(line, "cell_too_long", "The row is too long")
        if self._is_over and len(self._taken) > 1 and raw.count(b'"') % 2:
            return self._bad(line, "open_quote", "A quote is opened and never closed")
        if self._is_over and raw.count(b'"') % 2 and _ends_inside_quotes(raw, self._dialect.delimiter):
            return self._bad(line, "open_quote", "A quote is opened and never closed")
        self._line += len(self._taken)
        if b"\x00" in raw and not self._is_wide:
            return BadRow(self._number, line, "nul_byte", "The row holds a NUL byte", raw, self._taken[-1].end)
        return Row(self._number, line, cells or [], raw, self._taken[-1].end)

    def _bad(self, line: int, reason: str, message: str) -> BadRow:
        """Give up the first physical line only; the others are read again as rows of their own."""
        first, *others = self._taken
        self._back.extendleft(reversed(others))
        self._is_over = False
        self._line += 1
        return BadRow(self._number, line, reason, message, first.raw, first.end)

    def _texts(self) -> Iterator[str]:
        """Lines for the csv module, which asks for another one only while a quote is open."""
        size = 0
        while True:
            one = self._next_line()
            if one is None:
                self._is_over = True
                return
            self._taken.append(one)
            size += len(one.raw)
            if len(self._taken) > 1 and (size > _MAX_ROW_BYTES or len(self._taken) > _MAX_ROW_LINES):
                raise _Runaway
            yield one.raw.decode(self._encoding)

    def _next_line(self) -> _Line | None:
        return self._back.popleft() if self._back else next(self._lines, None)

    def _plain_lines(self, offset: int) -> Iterator[_Line]:
        """Physical lines with the byte offset after each; of a line beyond the limit only its beginning is kept."""
        self._file.seek(offset)
        if offset == 0 and self._dialect.encoding == "utf-8-sig":
            self._file.seek(3)
            offset = 3
        buffer, dropped = b"", 0
        while chunk := self._file.read(_CHUNK):
            buffer += chunk
            *lines, buffer = buffer.split(self._dialect.terminator)
            for line in lines:
                offset += len(line) + 1 + dropped
                yield _Line(line + self._dialect.terminator, offset, is_cut=dropped > 0)
                dropped = 0
            if len(buffer) > _MAX_LINE:
                dropped += len(buffer) - _CHUNK
                buffer = buffer[:_CHUNK]
        if buffer:
            yield _Line(buffer, offset + len(buffer) + dropped, is_cut=dropped > 0)

    def _wide_lines(self, skip: int) -> Iterator[_Line]:
        """Lines of UTF-16 as UTF-8; offsets are line numbers here."""
        import io

        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding=self._dialect.encoding, errors="replace", newline="\n")
        for number, line in enumerate(text, start=1):
            if number > skip:
                yield _Line(line.encode("utf-8", "replace"), number, is_cut=len(line) > _MAX_LINE)
        text.detach()


def _ends_inside_quotes(raw: bytes, delimiter: str) -> bool:
    """Whether the last cell begins with a quote that is not closed (a quote inside an unquoted cell is just a character)."""
    last = raw.rstrip(b"\r\n").rsplit(delimiter.encode(), 1)[-1].lstrip()
    return last.startswith(b'"') and not (len(last) > 1 and last.endswith(b'"'))
