"""Google Sheets: rows of tabs, asked for (Sheets API v4, Drive API v3; "Usage limits", "spreadsheets.values.get", read 2026-08).

Limits: 300 reads per minute and project, 60 per minute and user; an answer is best under 2 MB and cut after 180 s. Oddities: a row has
neither an id nor a time, and moves when somebody sorts or inserts; empty cells at the end of a row, and rows at the end of a range, are
left out; a tab is known by its name, which people change, and by a number, which stays; numbers lose their zeros in front unless cells
are read as they are shown. Each pull reads whole tabs; rows that have not changed are not given again. Rows with the same key are given
in their order: the last one counts, and a withdrawal of consent in another one is not lost. See docs/connectors/google_sheets.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from connectors.google_sheets.api import Api, Book, Tab
from connectors.google_sheets.table import Groups, Table, blocks
from syncd.connector import Health, Limits, Page, Record, Session
from syncd.connector.google import GoogleOptions
from syncd.connector.tools import BaseUrl, Horizon, instant
from syncd.errors import ContractError, SourceUnavailableError, SyncdError

_BLOCK_ROWS = 10_000
_PAGE = 1_000


class GoogleSheetsOptions(GoogleOptions):
    """Options of `type: google_sheets`."""

    spreadsheet: str = Field(
        pattern=r"^[A-Za-z0-9_-]{20,100}$",
        description="Id of the spreadsheet: the long part of its address, between /d/ and /edit.",
        examples=["1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"],
    )
    tabs: list[Annotated[str, Field(coerce_numbers_to_str=True)]] = Field(
        min_length=1,
        description="Tabs to read: by name, or as gid=NUMBER (the end of the address), which a new name does not change.",
        examples=[["Leads", "gid=0"]],
    )
    key: list[str] = Field(
        default=[],
        description="Columns that identify a row, so that an edit changes it. Without it a row is identified by its content.",
        examples=[["E-mail"]],
    )
    header_row: int = Field(default=1, ge=1, description="Number of the row that holds the names of the columns.")
    cells: Literal["raw", "shown"] = Field(
        default="raw", description="Read numbers as they are, or every cell as it is shown (which keeps zeros in front)."
    )
    dates: Literal["text", "serial"] = Field(
        default="text", description="Read dates as they are shown, or as days since 1899-12-30; of raw cells only."
    )
    at_column: str | None = Field(
        default=None, description="Column that says when a row came to be; a row has no time without it.", examples=["Timestamp"]
    )
    at_format: str = Field(
        default="iso",
        description="How it is written: iso, serial, or codes of strptime. Of dates: serial it is serial.",
        examples=["%d/%m/%Y %H:%M:%S"],
    )
    at_zone: str | None = Field(
        default=None, description="Time zone of that column; the spreadsheet's own if not given.", examples=["Europe/Berlin"]
    )
    drive_check: bool = Field(
        default=False,
        description="Ask Google Drive first whether the file was changed, and read only then; formulas do not count as a change.",
    )
    base_url: BaseUrl = Field(default="https://sheets.googleapis.com", description="Root of the Sheets API, without the version.")
    drive_url: BaseUrl = Field(default="https://www.googleapis.com/drive/v3", description="Root of the Drive API.")

    @field_validator("tabs")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        for one in value:
            if not one.strip() or (one.startswith("gid=") and not re.fullmatch(r"gid=\d{1,12}", one)):
                raise ValueError(f'"{one}" is no tab: give its name, or gid=NUMBER')
        return list(dict.fromkeys(value))

    @field_validator("at_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f'"{value}" is no time zone, such as Europe/Berlin') from None
        return value


class GoogleSheets:
    """The connector; has no state of its own."""

    name = "google_sheets"
    Options = GoogleSheetsOptions
    page_size_records = _BLOCK_ROWS
    """Rows that one call asks for; pages are smaller."""
    limits = Limits(connections=2, calls_per_second=1.0, read_timeout_seconds=180.0)

    def check(self, session: Session, options: GoogleSheetsOptions) -> Health:
        """Read the first rows of each tab, and the time of the file where that is wanted, as `pull` would."""
        api, findings, is_ok = Api(session, options), list[str](), True
        try:
            if options.drive_check:
                api.changed_at()
                findings.append("Google Drive tells when the file was changed.")
            book = api.book()
        except SyncdError as error:
            return Health(False, (*findings, str(error)))
        for wanted in options.tabs:
            try:
                tab = api.tab(book, wanted)
                table = self._table(api, options, book, tab)
                names = ", ".join(f'"{name}"' for name in table.shown_names)
                findings.append(f'Tab "{tab.title}" (gid={tab.id}) was read. Its columns: {names or "none yet"}.')
            except SyncdError as error:
                is_ok = False
                findings.append(str(error))
        return Health(is_ok, tuple(findings))

    def streams(self, options: GoogleSheetsOptions) -> tuple[str, ...]:
        """One stream: rows of all chosen tabs."""
        del options
        return ("rows",)

    def cursor_at(self, options: GoogleSheetsOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor that leaves out rows whose `at_column` is older than `at`; rows without a time are given."""
        del options, stream
        return {"from": at.astimezone(UTC).isoformat(), "tabs": {}, "changed_at": ""}

    def pull(
        self, session: Session, options: GoogleSheetsOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield the rows that are new or changed, tab by tab; a tab that fails does not stop the others.

        What is odd about a tab is told once, in a pull that does not count as complete: rows with the key of another one,
        times that cannot be read, a tab that had rows and has none (nothing follows from that).
        """
        del stream
        place: dict[str, Any] = {"from": None, "tabs": {}, "changed_at": "", **(cursor or {})}
        tabs = dict(place["tabs"])
        api, horizon = Api(session, options), Horizon("Google Sheets", session, until)
        changed_at = api.changed_at() if options.drive_check else ""
        if changed_at and changed_at == place["changed_at"]:
            yield Page((), dict(cursor or {}), is_last=True)
            return
        book = api.book()
        horizon.see(book.reply)
        failed: list[SyncdError] = []
        notices: list[str] = []
        for wanted in options.tabs:
            try:
                tab = api.tab(book, wanted)
                groups = Groups(tabs.get(str(tab.id)))
                table = self._table(api, options, book, tab)
                for records in self._walk(api, session, options, tab, table, groups, instant(place["from"])):
                    yield Page(records, {**place, "tabs": dict(tabs)}, notice=horizon.told())
                notices.append(groups.news(tab.title, table.notice()))
                tabs[str(tab.id)] = groups.state()
            except (SourceUnavailableError, ContractError) as error:
                failed.append(error)
        said = " ".join(filter(None, notices))
        # Only when all tabs were read: what failed is asked for again, whether the file changes or not.
        done = {**place, "tabs": tabs, "changed_at": place["changed_at"] if failed else changed_at}
        yield Page((), done, is_last=not failed and not said, notice=said or horizon.told())
        for first in failed:
            raise first

    def _walk(
        self,
        api: Api,
        session: Session,
        options: GoogleSheetsOptions,
        tab: Tab,
        table: Table,
        groups: Groups,
        begin_at: datetime | None,
    ) -> Iterator[tuple[Record, ...]]:
        """Changed rows of a tab in pages."""
        for first, last in blocks(options.header_row, tab.row_count, max(1, min(session.page_size_records, _BLOCK_ROWS))):
            rows, received_at = api.rows(tab, first, last)
            fresh = groups.changed(table.records(rows, first, received_at, begin_at))
            while page := tuple(islice(fresh, _PAGE)):
                yield page

    @staticmethod
    def _table(api: Api, options: GoogleSheetsOptions, book: Book, tab: Tab) -> Table:
        row = options.header_row
        head = api.rows(tab, row, row)[0] if tab.row_count >= row else []
        at_format = "serial" if options.dates == "serial" and options.cells == "raw" else options.at_format
        zone = options.at_zone or book.zone
        return Table(tab, list(head[0]) if head else [], options.key, row, (options.at_column, at_format, zone))


CONNECTOR = GoogleSheets()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "GoogleSheets", "GoogleSheetsOptions"]
