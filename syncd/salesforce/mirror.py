"""What changed in the org's objects since a stamp, deleted and merged records included (DESIGN 6, salesforce.md 11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from syncd.clock import Clock
from syncd.errors import ContractError
from syncd.http import http_date
from syncd.model import OrgRow
from syncd.ports import ChangedRows
from syncd.salesforce.bulk import bulk_rows
from syncd.salesforce.catalogue import Catalogue
from syncd.salesforce.connection import Connection
from syncd.salesforce.ids import quoted, select
from syncd.salesforce.queries import MAX_QUERY_SUBREQUESTS, QueryPage, composite, next_page, parse_page, query_path
from syncd.salesforce.rows import record_from_csv, row_reader, selected_fields, soql_instant

OVERLAP = timedelta(minutes=10)
"""A transaction may run for 10 minutes (API time-out) and becomes visible with the stamp of its beginning."""

_BULK_FROM_ROWS = 10_000

_ECHOED = ("Lead", "Contact")
"""Objects that syncd re-reads after it wrote them, so that its own writes need not come back here."""


class MirrorReader:
    """One mirror read; make a new one for each."""

    def __init__(self, connection: Connection, catalogue: Catalogue, clock: Clock, fields: Mapping[str, Sequence[str]]) -> None:
        """Args: `fields` = data fields by object."""
        self._connection = connection
        self._catalogue = catalogue
        self._clock = clock
        self._fields = fields
        self._newest: datetime | None = None

    def pages(self, since: Mapping[str, datetime | None]) -> Iterator[ChangedRows]:
        """Yield what changed since the stamp of each object (None: everything); the last page, without rows, says how far.

        The first pages of up to five objects come in one call. Leads and contacts that the integration user modified last are left out
        of later reads (they come back by the echo) unless they were deleted, or are contacts that it made: those come from conversions.
        A first fill of more than 10,000 rows is a Bulk query. `covered_until` is the newest stamp seen, never beyond the server's time
        at the first call; rows that become visible later with an older stamp are caught by the overlap of the next read.

        Raises:
            ContractError: A page cannot be read or the sums do not match: such a page is never the end of a list. Also when an object
                is asked for that the schema, once read, lacks.
            SalesforceUnavailableError, AuthError, BudgetExhausted: As Connection.read.
        """
        for name in self._fields:
            self._catalogue.check_visible(name)
        user_id = self._connection.token().user_id
        statements = {name: self._statement(name, since.get(name), user_id) for name in self._fields}
        paths = {name: query_path(soql, with_deleted=True) for name, soql in statements.items()}
        names = list(self._fields)
        server_at: datetime | None = None
        for start in range(0, len(names), MAX_QUERY_SUBREQUESTS):
            group = names[start : start + MAX_QUERY_SUBREQUESTS]
            parts, headers = composite(self._connection, {name: paths[name] for name in group})
            if server_at is None:  # what comes later than the first call may miss rows of the objects before
                server_at = http_date(headers.get("Date")) or self._clock.now()
            for name in group:
                first = parse_page(self._connection, parts[name].body)
                if since.get(name) is None and first.total > _BULK_FROM_ROWS:
                    yield from self._bulk(name, statements[name])
                else:
                    yield from self._rest(name, first, paths[name])
        server_at = server_at or self._clock.now()
        yield ChangedRows((), covered_until=min(self._newest or _oldest(since) or server_at, server_at))

    def _statement(self, name: str, since: datetime | None, user_id: str) -> str:
        wanted = selected_fields(name, self._fields[name], self._catalogue.external_id_of(name))
        if since is None:
            # Without order: sorting every row of a large org would run into the query's time limit.
            return select(wanted, name)
        where = f"SystemModstamp >= {soql_instant(since - OVERLAP)}"
        if name in _ECHOED:
            made_by_us = f" OR CreatedById = {quoted(user_id)}" if name == "Contact" else ""
            where += f" AND (LastModifiedById != {quoted(user_id)}{made_by_us} OR IsDeleted = true)"
        return f"{select(wanted, name, where)} ORDER BY SystemModstamp, Id"

    def _rest(self, name: str, first: QueryPage, path: str) -> Iterator[ChangedRows]:
        """The pages of one query; once more from the beginning when the org lost or found rows on the way."""
        page = first
        for attempt in (1, 2):
            count = 0
            while True:
                count += len(page.records)
                yield ChangedRows(self._rows(name, page.records))
                if page.next_path is None:
                    break
                page = next_page(self._connection, page.next_path)
            if count == page.total:
                return
            if attempt == 1:
                parts, _ = composite(self._connection, {name: path})
                page = parse_page(self._connection, parts[name].body)
        raise ContractError(f"Salesforce announced {page.total} rows of {name} and gave {count}, twice.")

    def _bulk(self, name: str, soql: str) -> Iterator[ChangedRows]:
        # CSV has no types: the describe must be known.
        schema = self._catalogue.schema().objects.get(name)
        for rows in bulk_rows(self._connection, self._clock, soql):
            yield ChangedRows(self._rows(name, [record_from_csv(row, schema) for row in rows]))

    def _rows(self, name: str, records: Sequence[Any]) -> tuple[OrgRow, ...]:
        external = self._catalogue.external_id_of(name)
        schema = self._catalogue.known(name)
        read = row_reader(name, self._fields[name], external, schema)
        rows = tuple(read(record) for record in records)
        for row in rows:
            self._newest = row.stamp if self._newest is None else max(self._newest, row.stamp)
        return rows


def _oldest(since: Mapping[str, datetime | None]) -> datetime | None:
    """The stamp to keep when nothing was seen; None when some object was read from its beginning."""
    stamps = [stamp for stamp in since.values() if stamp is not None]
    return min(stamps) if stamps and len(stamps) == len(since) else None
