"""One spreadsheet at Google: tabs, people who type, sort and rename, and Drive's word of when it changed (reference, sources.md 6).

Behaves as its API: empty cells and rows at the end are left out, an empty range has no `values`, a range that begins outside of the grid
or names no tab is refused, numbers come as numbers, dates in the spreadsheet's own zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import route
from syncd.sandbox.vendors.google import GoogleVendor
from syncd.sandbox.visitors import Visitor

SPREADSHEET = "1SandboxSpreadsheet0123456789abcdefghijklmnop"
_SHEETS = "https://www.googleapis.com/auth/spreadsheets.readonly"
_DRIVE = "https://www.googleapis.com/auth/drive.metadata.readonly"
_RANGE = re.compile(r"'((?:[^']|'')+)'!A(\d+):([A-Z]+)(\d+)")
LIST = "People met"
"""The tab of `populate`."""
_SPARE_ROWS = 10


@dataclass
class _Tab:
    """A tab; a `datetime` cell is a date of the spreadsheet's zone, without one."""

    id: int
    title: str
    rows: list[list[Any]] = field(default_factory=list)


class SandboxGoogleSheets(GoogleVendor):
    """The spreadsheet.

    Attributes:
        zone: Its time zone. is_shared: Whether whoever logs in may see it.
        changed_at: What Drive says.
    """

    name = "Google Sheets"

    def __init__(self, **given: Any) -> None:
        """A spreadsheet without tabs."""
        super().__init__(**given)
        self.tabs: list[_Tab] = []
        self.zone = "Europe/Berlin"
        self.is_shared = True
        self.changed_at = self.now()
        self._changes = 0

    def source(self, url: str) -> dict[str, Any]:
        """Of the tab that `populate` makes."""
        sheet = {"spreadsheet": SPREADSHEET, "tabs": [LIST], "key": ["Email"], "drive_url": f"{url}/drive/v3"}
        return {"type": "google_sheets", **self.consent(url), **sheet, "mapping": "google_sheets"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """Somebody keeps a list of whom they met."""
        self.add_tab(LIST, "Email", "First name", "Last name", "Company", "Phone", "Country")
        if people:
            self.write(LIST, *([one.email, one.first, one.last, one.company, one.phone, one.country] for one in people))

    # ------------------------------------------------------------------ people at work

    def add_tab(self, title: str, *header: str, id: int = 0) -> None:
        """A tab with a header row."""
        self.tabs.append(_Tab(id, title, [list(header)] if header else []))

    def tab(self, title: str) -> _Tab:
        """A tab by its name."""
        return next(one for one in self.tabs if one.title == title)

    def write(self, title: str, *rows: list[Any]) -> None:
        """Somebody adds rows at the end."""
        with self.lock:
            self.tab(title).rows.extend([list(row) for row in rows])
            self.touch()

    def touch(self) -> None:
        """Something was changed."""
        self._changes += 1
        self.changed_at = self.now()

    def write_odd(self, title: str) -> int:
        """Rows as no table should have them; gives how many."""
        odd: list[list[Any]] = [
            ["short@example.com"],
            ["long@example.com", "x" * 10_000, None, "", "beyond the header", 7.0, True],
            ["ünïcode-\u202e-😀@example.com", "=1+1", "#REF!"],
            [491701234567, 0.1, False],
            ["naive@example.com", "Naive", "2026-11-24T08:59:00"],
        ]
        self.write(title, [], ["", " "], *odd)
        return len(odd)

    # ------------------------------------------------------------------ the API

    @route("GET", "/drive/v3/files/*")
    def file(self, request: Request, file: str) -> Response:
        """When the file was changed."""
        if not self.may(request, _DRIVE):
            error = {"code": 403, "message": "Insufficient Permission", "errors": [{"reason": "insufficientPermissions"}]}
            return Response(403, {"error": error})
        if file != SPREADSHEET or not self.is_shared:
            return self.said(404, "File not found: .")
        at = self.changed_at.astimezone(UTC)
        return Response(200, {"modifiedTime": f"{at:%Y-%m-%dT%H:%M:%S}.{self._changes % 1000:03d}Z"})

    @route("GET", "/v4/spreadsheets/*")
    def spreadsheet(self, request: Request, spreadsheet: str) -> Response:
        """Tabs and zone."""
        refused = self._refused(request, spreadsheet)
        if refused is not None:
            return refused
        tabs = [
            {
                "properties": {
                    "sheetId": one.id,
                    "title": one.title,
                    "gridProperties": {"rowCount": len(one.rows) + _SPARE_ROWS, "columnCount": 26},
                }
            }
            for one in self.tabs
        ]
        return Response(200, {"properties": {"timeZone": self.zone}, "sheets": tabs})

    @route("GET", "/v4/spreadsheets/*/values/*")
    def values(self, request: Request, spreadsheet: str, cells: str) -> Response:
        """A range of cells."""
        refused = self._refused(request, spreadsheet)
        if refused is not None:
            return refused
        asked = _RANGE.fullmatch(cells)
        tab = next((one for one in self.tabs if asked is not None and one.title == asked[1].replace("''", "'")), None)
        if asked is None or tab is None:
            return self.said(400, f"Unable to parse range: {cells}")
        first, last = int(asked[2]), int(asked[4])
        if first > len(tab.rows) + _SPARE_ROWS:
            return self.said(
                400, f"Range ({cells}) exceeds grid limits. Max rows: {len(tab.rows) + _SPARE_ROWS}, max columns: 26"
            )
        self.read_page("values")
        is_shown = request.query.get("valueRenderOption", "FORMATTED_VALUE") == "FORMATTED_VALUE"
        is_text = is_shown or request.query.get("dateTimeRenderOption") == "FORMATTED_STRING"
        rows = [
            _trimmed([_shown(cell, is_shown=is_shown, is_text=is_text) for cell in row]) for row in tab.rows[first - 1 : last]
        ]
        rows = _trimmed(rows)
        answer: dict[str, Any] = {"range": cells, "majorDimension": "ROWS"}
        return Response(200, {**answer, "values": rows} if rows else answer)

    def _refused(self, request: Request, spreadsheet: str) -> Response | None:
        if not self.may(request, _SHEETS):
            return self.said(403, "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
        if spreadsheet != SPREADSHEET:
            return self.said(404, "Requested entity was not found.")
        return None if self.is_shared else self.said(403, "The caller does not have permission")

    # ------------------------------------------------------------------ beside

    def do_write(self, title: str, row: list[Any]) -> None:
        """Control call `write`."""
        self.write(title, row)

    def state(self) -> dict[str, Any]:
        """Rows by tab."""
        return {"rows": {one.title: len(one.rows) for one in self.tabs}}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """All rows of all tabs."""
        return ("Tab", "Row", "Cells"), (
            (tab.title, number, "; ".join(str(cell) for cell in row))
            for tab in self.tabs
            for number, row in enumerate(tab.rows, start=1)
        )


def _trimmed(cells: list[Any]) -> list[Any]:
    cells = list(cells)
    while cells and cells[-1] in ("", None, []):
        cells.pop()
    return cells


def _shown(cell: Any, *, is_shown: bool, is_text: bool) -> Any:
    if isinstance(cell, datetime):
        return cell.strftime("%d/%m/%Y %H:%M:%S") if is_text else (cell - datetime(1899, 12, 30)).total_seconds() / 86_400  # noqa: DTZ001
    if cell is None:
        return ""
    if is_shown and isinstance(cell, bool):
        return str(cell).upper()
    return str(cell) if is_shown else cell


SANDBOX = SandboxGoogleSheets
