"""Rows of a workbook (XLSX) as text: dates as ISO, formulas as the values that were saved with them. Belongs to csv_drop.

openpyxl 3.1 in its read-only mode: rows come one by one, shared texts are in memory. It is imported only when a workbook lies there.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import msgspec

from connectors.csv_drop.files import Drop, NotText
from connectors.csv_drop.rows import Row

_MOST_BYTES = 256 * 1024 * 1024
"""Of a workbook when it is unpacked: Excel's largest sheets of people have a tenth of it."""
_MOST_TEXT_BYTES = 64 * 1024 * 1024
"""Of the table of shared texts, which is held in memory."""
_MOST_MEMBERS = 5_000
_HEAD = 4_096
_TEXTS = "xl/sharedStrings.xml"
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    OSError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
)
"""What openpyxl and zipfile raise of a workbook that is damaged or was written by something odd."""


def look_into(path: Path) -> None:
    """Look at the directory of a workbook, without unpacking it.

    Raises:
        NotText: It is none, is damaged, holds macros, or would be too large; the message says which.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = {one.filename for one in members}
            if "xl/workbook.xml" not in names:
                raise NotText(f"{path.name} is a ZIP file, not delimited text and no workbook.")
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise NotText(f"{path.name} holds macros; save it as XLSX without them.")
            size = sum(one.file_size for one in members)
            texts = sum(one.file_size for one in members if one.filename == _TEXTS)
            if len(members) > _MOST_MEMBERS or size > _MOST_BYTES or texts > _MOST_TEXT_BYTES:
                raise NotText(f"{path.name} would unpack to {size} bytes, more than is read of a workbook; save it as CSV.")
            for one in members:
                if one.filename.endswith((".xml", ".rels")):
                    with archive.open(one) as file:
                        # Entities of a document type could grow without end; Excel writes none.
                        if b"<!DOCTYPE" in file.read(_HEAD):
                            raise NotText(f"{path.name} declares a document type, which no workbook needs.")
    except _BROKEN as error:
        raise NotText(f"{path.name} is no whole workbook ({type(error).__name__}).") from error


def sheet_names(path: Path) -> list[str]:
    """Names of the sheets of a workbook.

    Raises:
        NotText: It cannot be read.
    """
    book = _opened(path)
    try:
        return list(book.sheetnames)
    finally:
        book.close()


def read_sheet(drop: Drop, sheet: str | None, *, skip_to: int, width: int) -> Iterator[Row]:
    """Yield rows of a workbook, the first one always, then those after row `skip_to`; each is as wide as the first, or `width`.

    Raises:
        NotText: It cannot be read, or has no such sheet. What was yielded before stays valid.
    """
    book = _opened(drop.path)
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise NotText(f'{drop.path.name} has no sheet "{sheet}".')
        page = book[sheet] if sheet is not None else next((one for one in book.worksheets), None)
        if page is None:
            raise NotText(f"{drop.path.name} has no sheet with cells.")
        # Some writers state a size that is not the sheet's.
        page.reset_dimensions()
        for number, cells in enumerate(page.iter_rows(), start=1):
            if 1 < number <= skip_to:
                continue
            texts = [_text(cell) for cell in cells]
            width = width or len(texts)
            texts += [""] * (width - len(texts))
            yield Row(number, number, texts, msgspec.json.encode(texts), number)
    except _BROKEN as error:
        raise NotText(f"{drop.path.name} breaks off or is damaged ({type(error).__name__}).") from error
    finally:
        book.close()


def _opened(path: Path) -> Any:
    import openpyxl

    # It warns of what it does not read anyway (styles, extensions).
    warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl(\.|$)")
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except _BROKEN as error:
        raise NotText(f"{path.name} is no whole workbook ({type(error).__name__}).") from error


def _text(cell: Any) -> str:
    """A cell as a person reads it, but for dates (ISO) and long numbers (all digits). An error of a formula is nothing."""
    value = cell.value
    if value is None or getattr(cell, "data_type", "") == "e":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Phone numbers come as 4.9E+11.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        is_day = value.time() == time(0) and not any(letter in str(cell.number_format).lower() for letter in "hs")
        return value.date().isoformat() if is_day else value.isoformat(timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
