"""A file of either kind: text or workbook. Belongs to csv_drop."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from connectors.csv_drop.files import Drop, NotText, look_at
from connectors.csv_drop.options import CsvDropOptions
from connectors.csv_drop.rows import BadRow, Row, read_rows
from connectors.csv_drop.sheets import look_into, read_sheet, sheet_names
from syncd.connector import Reject

KEPT_BYTES = 65_536
"""Of what is set aside."""


class Reader:
    """Rows of a file of either kind; `wrong` says, at the end, what kept a workbook from being read to its own."""

    def __init__(self, drop: Drop, options: CsvDropOptions, start: tuple[int, int] | None) -> None:
        """Rows after `start` (offset, row), None for all."""
        self._drop = drop
        self._options = options
        self._start = start
        self.wrong = ""

    def __iter__(self) -> Iterator[Row | BadRow]:
        """The header first, if there is one in the file."""
        header = self._options.header
        if not self._drop.is_workbook:
            yield from read_rows(self._drop, skip_to=self._start, has_header=not header)
            return
        done = 0 if self._start is None else self._start[1]
        try:
            yield from read_sheet(self._drop, self._options.sheet, skip_to=done, width=len(header))
        except NotText as error:
            self.wrong = str(error)


def looked_at(path: Path, options: CsvDropOptions) -> Drop:
    """Read a file once; see `look_at`, and `look_into` of a workbook.

    Raises:
        NotText: It is neither.
        OSError: It cannot be read.
    """
    drop = look_at(path, options.delimiter, options.encoding, options.encoding_fallback)
    if drop.is_workbook:
        look_into(path)
        if options.sheet is not None:
            # Another sheet is another content: a file that is touched after sheet: was corrected is read.
            whole = hashlib.sha256(f"{drop.digest} {options.sheet}".encode()).hexdigest()[:32]
            drop = replace(drop, digest=whole)
    return drop


def described(path: Path, options: CsvDropOptions) -> str:
    """What a check says of a file.

    Raises:
        NotText: It would not be read.
        OSError: It cannot be.
    """
    drop = looked_at(path, options)
    if not drop.is_workbook:
        return f"{path.name}: {drop.size} bytes, {drop.dialect.encoding}, columns split by {drop.dialect.delimiter!r}."
    names = sheet_names(path)
    if options.sheet is not None and options.sheet not in names:
        raise NotText(f'{path.name} has no sheet "{options.sheet}"; it has {", ".join(names)}.')
    return f"{path.name}: {drop.size} bytes, a workbook; sheets: {', '.join(names)}."


def whole_file(drop: Drop, reason: str, message: str) -> Reject:
    """A file as one reject."""
    with drop.path.open("rb") as file:
        payload = file.read(KEPT_BYTES)
    return Reject(f"{drop.digest[:32]}:{reason}", reason, message, payload, drop.path.name)
