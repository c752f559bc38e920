"""Questions to Google Sheets and Drive. Belongs to google_sheets."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import quote

import msgspec

from syncd.connector import Reply, Row, Session
from syncd.connector.google import login, rows
from syncd.errors import ContractError

if TYPE_CHECKING:
    from connectors.google_sheets import GoogleSheetsOptions

_SHEETS = "https://www.googleapis.com/auth/spreadsheets.readonly"
_DRIVE = "https://www.googleapis.com/auth/drive.metadata.readonly"
_ABOUT = "properties(timeZone),sheets(properties(sheetId,title,gridProperties(rowCount,columnCount)))"
_MOST_ROWS = 100_000_000
"""More is no count, and would be asked for without end. Google speaks of ten million cells a spreadsheet (not looked up), so this is ample."""


class _Grid(msgspec.Struct, rename="camel"):
    row_count: Annotated[int, msgspec.Meta(ge=0, le=_MOST_ROWS)] = 0
    column_count: int = 0


class _TabProperties(msgspec.Struct, rename="camel"):
    title: str
    sheet_id: int = 0
    grid_properties: _Grid = msgspec.field(default_factory=_Grid)


class _Sheet(msgspec.Struct):
    properties: _TabProperties


class _Book(msgspec.Struct):
    sheets: list[_Sheet]
    properties: dict[str, Any] = {}


class _Values(msgspec.Struct):
    """Of an empty range `values` is left out."""

    range: str
    values: list[list[Any]] = []


class _File(msgspec.Struct, rename="camel"):
    modified_time: str


class Tab(NamedTuple):
    """A tab: its number, which stays, its name, and how large its grid is (most of it may be empty)."""

    id: int
    title: str
    row_count: int
    column_count: int


class Book(NamedTuple):
    """What a spreadsheet says of itself."""

    tabs: tuple[Tab, ...]
    zone: str
    reply: Reply[Any]


class Api:
    """Asks about one spreadsheet."""

    def __init__(self, session: Session, options: GoogleSheetsOptions) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._options = options
        self._scopes = (_SHEETS, _DRIVE) if options.drive_check else (_SHEETS,)
        self._auth = login(session, options, *self._scopes)
        self._url = f"{options.base_url}/v4/spreadsheets/{options.spreadsheet}"

    def changed_at(self) -> str:
        """When the file was changed, as Drive writes it."""
        url = f"{self._options.drive_url}/files/{self._options.spreadsheet}"
        params = {"fields": "modifiedTime", "supportsAllDrives": "true"}
        known = self._rows("Google Drive API")
        return self._session.http.get(url, _File, params=params, auth=self._auth, rows=known).value.modified_time

    def book(self) -> Book:
        """The spreadsheet's tabs and zone."""
        known = self._rows("Google Sheets API")
        reply = self._session.http.get(self._url, _Book, params={"fields": _ABOUT}, auth=self._auth, rows=known)
        found = (one.properties for one in reply.value.sheets)
        tabs = tuple(
            Tab(one.sheet_id, one.title, one.grid_properties.row_count, one.grid_properties.column_count) for one in found
        )
        return Book(tabs, str(reply.value.properties.get("timeZone") or ""), reply)

    def tab(self, book: Book, wanted: str) -> Tab:
        """The tab that the options mean.

        Raises:
            ContractError: There is none: it was renamed or deleted.
        """
        for tab in book.tabs:
            if wanted in (tab.title, f"gid={tab.id}"):
                return tab
        titles = [tab.title for tab in book.tabs]
        close = difflib.get_close_matches(wanted, titles, 1, 0.6)
        known = ", ".join(f'"{tab.title}" (gid={tab.id})' for tab in book.tabs)
        raise ContractError(
            f'The spreadsheet has no tab "{wanted}": it was renamed or deleted. Its tabs: {known}.',
            advice=(f'Did you mean "{close[0]}"? ' if close else "")
            + "Correct tabs: in the source; gid=NUMBER outlives a new name.",
        )

    def rows(self, tab: Tab, first: int, last: int) -> tuple[list[list[Any]], datetime]:
        """The cells of rows `first` to `last` (from 1, both included) and when they came; what is empty at the end is left out."""
        title = tab.title.replace("'", "''")
        cells = f"'{title}'!A{first}:{letters(tab.column_count)}{last}"
        renamed = ContractError(
            f'Google Sheets could not read rows {first} to {last} of the tab "{tab.title}".',
            advice="It was renamed or made smaller meanwhile; it is read anew with the next run.",
        )
        params = {
            "majorDimension": "ROWS",
            "valueRenderOption": "UNFORMATTED_VALUE" if self._options.cells == "raw" else "FORMATTED_VALUE",
            "dateTimeRenderOption": "FORMATTED_STRING" if self._options.dates == "text" else "SERIAL_NUMBER",
        }
        known: dict[int, Row] = {**self._rows("Google Sheets API"), 400: renamed}
        url = f"{self._url}/values/{quote(cells, safe='')}"
        reply = self._session.http.get(url, _Values, params=params, auth=self._auth, rows=known)
        return reply.value.values, reply.received_at

    def _rows(self, api: str) -> Mapping[int, Row]:
        options = self._options
        missing = ContractError(
            f'Google has no spreadsheet "{options.spreadsheet}".',
            advice="Correct spreadsheet: in the source: the part of its address between /d/ and /edit.",
        )
        return rows(options, api, f"spreadsheet {options.spreadsheet}", *self._scopes, missing=missing)


def letters(number: int) -> str:
    """The name of column `number` (from 1): A, Z, AA. Pure."""
    name = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name or "A"
