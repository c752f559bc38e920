"""Rows of a tab as records, and which of them are news. Pure. Belongs to google_sheets."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.google_sheets.api import Tab, letters
from syncd.connector import Record
from syncd.connector.tools import instant
from syncd.errors import ContractError

_GROUP_ROWS = 500
"""So many rows share one hash in the cursor: when one of them changes, all are given, and the inbox knows the others."""
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - day 0 of a sheet, in its own zone
_NO_VALUES = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#ERROR!", "Loading..."})
"""What a formula shows that has no value, or none yet."""
_PERSONAL = re.compile(r"@|\d{4}")


def blocks(header_row: int, row_count: int, size: int) -> list[tuple[int, int]]:
    """Row numbers of the first and last row of each block below the header; each begins at the same row each time."""
    return [(start, min(start + size - 1, row_count)) for start in range(header_row + 1, row_count + 1, size)]


class Table:
    """What the columns of a tab mean; rows with the same key are versions of one record, of which the last one counts."""

    def __init__(self, tab: Tab, head: list[Any], key: Sequence[str], header_row: int, at: tuple[str | None, str, str]) -> None:
        """From the cells of the header row; `at` is column, format and zone of the time.

        Raises:
            ContractError: Columns that are needed are not there, or two have the same name.
        """
        self._tab = tab
        self.names = [unicodedata.normalize("NFC", str(one)).strip() for one in head]
        while self.names and not self.names[-1]:
            self.names.pop()
        self._header_row = header_row
        self._key = list(key)
        self._at_column, self._at_format, zone = at
        self._zone = _zone(zone, tab) if self._at_column is not None else UTC
        self._keys: set[str] = set()
        self._doubles = self._undated = 0
        self._check()

    def _check(self) -> None:
        places: dict[str, int] = {}
        for place, name in enumerate(self.names, start=1):
            if name and name in places:
                raise ContractError(
                    f'Columns {letters(places[name])} and {letters(place)} of the tab "{self._tab.title}" have the same name.',
                    advice="Rename one of them; nothing of this tab is read before.",
                )
            places.setdefault(name, place)
        for wanted in (*self._key, self._at_column):
            if self.names and wanted is not None and wanted not in places:
                # The names of columns are not quoted: without a header they are somebody's row.
                raise ContractError(
                    f'Row {self._header_row} of the tab "{self._tab.title}" names no column "{wanted}".',
                    advice="Correct key:, at_column: or header_row: in the source, or the header.",
                )

    @property
    def shown_names(self) -> list[str]:
        """Names of the columns for people; what looks like a person's, because a header is missing, by its letter."""
        return [
            f"column {letters(place)}" if not name or _PERSONAL.search(name) else name
            for place, name in enumerate(self.names, start=1)
        ]

    def records(
        self, rows: Sequence[Sequence[Any]], first: int, received_at: datetime, begin_at: datetime | None
    ) -> list[Record | None]:
        """A record of each row of a block, None where there is nothing to be given; to be called from the top down.

        Raises:
            ContractError: There are rows, and no names of columns.
        """
        if any(_filled(row) for row in rows) and not self.names:
            raise ContractError(
                f'Row {self._header_row} of the tab "{self._tab.title}" holds no names of columns.',
                advice="Correct header_row: in the source.",
            )
        found: list[Record | None] = []
        for number, row in enumerate(rows, start=first):
            made = self._made(row, number, received_at) if _filled(row) else None
            if made is not None:
                self._doubles += made.key in self._keys
                self._keys.add(made.key)
            is_wanted = made is not None and (begin_at is None or made.source_at is None or made.source_at >= begin_at)
            found.append(made if is_wanted else None)
        return found

    def notice(self) -> str:
        """What is odd, or not understood, with its count."""
        said = []
        if self._doubles:
            said.append(f"{self._doubles} rows have the key of a row above them; the last one counts.")
        if self._undated:
            said.append(f'{self._undated} rows have no time in "{self._at_column}" that is written as at_format says.')
        return f'Tab "{self._tab.title}": {" ".join(said)}' if said else ""

    def _made(self, row: Sequence[Any], number: int, received_at: datetime) -> Record:
        cells = [_cell(one) for one in row]
        cells += [""] * (len(self.names) - len(cells))
        values: dict[str, Any] = {}
        for place, value in enumerate(cells, start=1):
            name = self.names[place - 1] if place <= len(self.names) else ""
            if name or value != "":
                # A column without a name goes by its letter.
                values[name or f"column {letters(place)}"] = value
        named = [_text(values.get(column, "")).strip().casefold() for column in self._key]
        is_named = any(named)
        # The columns' names belong to the content: a row is another one when somebody renames what it says.
        content = [f"{name}\x1e{_text(value).strip()}" for name, value in sorted(values.items()) if _text(value).strip()]
        prefix = "k" if is_named else "r"
        digest = hashlib.sha256("\x1f".join((prefix, *(named if is_named else content))).encode("utf-8", "surrogatepass"))
        at = self._instant(values)
        at = min(at, received_at) if at is not None else None
        locator = f"tab {self._tab.id} row {number}"
        return Record(f"{self._tab.id}-{prefix}{digest.hexdigest()[:40]}", msgspec.json.encode(values), at, 0, locator)

    def _instant(self, values: Mapping[str, Any]) -> datetime | None:
        if self._at_column is None:
            return None
        given = values.get(self._at_column, "")
        found = _read_time(given, self._at_format, self._zone)
        self._undated += found is None and given != ""
        return found


class Groups:
    """Which rows of a tab were given, a hash for every few hundred, and what was said of it.

    As a cursor: `{"groups": [hash], "rows": count, "said": sentence}`.
    """

    def __init__(self, state: Mapping[str, Any] | None) -> None:
        """From a cursor, or nothing was given."""
        given = state or {}
        self._known: list[str] = list(given.get("groups") or ())
        self._had = int(given.get("rows") or 0)
        self._said = str(given.get("said") or "")
        self._found: list[str] = []
        self._given: set[str] = set()
        self._count = 0

    def changed(self, records: Sequence[Record | None]) -> Iterator[Record]:
        """The records of those groups of a block that were not given as they are; a None keeps a row's place.

        Of other groups those whose key was given in this walk: an earlier row of that key must not become the last word.
        """
        known = set(self._known)
        for start in range(0, len(records), _GROUP_ROWS):
            group = [one for one in records[start : start + _GROUP_ROWS] if one is not None]
            if not group:
                continue
            digest = _digest(group)
            self._found.append(digest)
            self._count += len(group)
            fresh = [one for one in group if digest not in known or one.key in self._given]
            self._given.update(one.key for one in fresh)
            yield from fresh

    def news(self, title: str, notice: str) -> str:
        """What is to be said of the tab when the walk is over, and was not said before."""
        if self._had > 0 and not self._count:
            notice = f'Tab "{title}" is empty, and had {self._had} rows. Nothing is deleted; look into the spreadsheet.'
        before, self._said = self._said, notice
        return notice if notice != before else ""

    def state(self) -> dict[str, Any]:
        """As a cursor, when the walk is over. Of a tab that was emptied the hashes stay: its rows may come back."""
        return {"groups": self._found or self._known, "rows": self._count, "said": self._said}


def _digest(group: Iterable[Record]) -> str:
    found = hashlib.blake2b(digest_size=8)
    for one in group:
        found.update(one.key.encode() + b"\x1f" + one.payload + b"\x1e")
    return found.hexdigest()


def _cell(value: Any) -> Any:
    """A cell: text, number or yes and no; `""` for what is none."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if value is None or (isinstance(value, str) and value in _NO_VALUES):
        return ""
    return value


def _filled(row: Sequence[Any]) -> bool:
    return any(_text(_cell(one)).strip() for one in row)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _zone(name: str, tab: Tab) -> Any:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ContractError(
            f'The time zone of the spreadsheet is not known here, so that the times of the tab "{tab.title}" cannot be read.',
            advice="Set at_zone in the source, such as Europe/Berlin.",
        ) from None


def _read_time(value: Any, format: str, zone: Any) -> datetime | None:
    """A time as the column writes it; of two hours with the same name in autumn the earlier one."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (
                (_EPOCH + timedelta(seconds=round(value * 86_400))).replace(tzinfo=zone).astimezone(UTC)
                if format == "serial"
                else None
            )
        if not isinstance(value, str) or format == "serial":
            return None
        if format == "iso":
            return instant(value, zone)
        found = datetime.strptime(value.strip(), format)  # noqa: DTZ007 - the zone follows
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
