"""Opportunities and what hangs on them, read as they are now: for exports that must not rest on a mirror.

Nothing is left out silently: sums are checked, and deleted rows are told from those that nobody can see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from syncd.clock import Clock
from syncd.model import ObjectSchema, OrgRow
from syncd.salesforce.bulk import bulk_rows
from syncd.salesforce.connection import Connection
from syncd.salesforce.describe import parse_describe
from syncd.salesforce.ids import chunks_of_literals, quoted, select
from syncd.salesforce.queries import MAX_QUERY_SUBREQUESTS, composite, parse_page, query_path, records_of
from syncd.salesforce.rows import record_from_csv, row_reader

_BULK_FROM_ROWS = 10_000
_STATEMENT_CHARACTERS = 60_000
"""SOQL may have 100,000 characters."""
_SYSTEM = ("Id", "SystemModstamp", "IsDeleted")


class DealReader:
    """Reads any object by the fields that its describe has; make a new one for each export."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Nothing is sent yet."""
        self._connection = connection
        self._clock = clock
        self._schemas: dict[str, ObjectSchema] = {}

    def describe(self, names: Sequence[str]) -> dict[str, ObjectSchema]:
        """The objects among `names` (at most 25) that the integration user may see. One call.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As Connection.read.
        """
        parts, _ = composite(self._connection, {name: f"sobjects/{name}/describe" for name in names}, tolerate=True)
        self._schemas |= {name: parse_describe(name, part.body) for name, part in parts.items() if part.is_ok}
        return {name: self._schemas[name] for name in names if name in self._schemas}

    def won(self, fields: Sequence[str], since: date) -> Iterator[list[OrgRow]]:
        """Opportunities that are won and close on `since` or later, without deleted ones; more than 10,000 by a Bulk query.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As Connection.read.
        """
        soql = select(self._columns("Opportunity", fields), "Opportunity", f"IsWon = true AND CloseDate >= {since.isoformat()}")
        first = self._connection.read(query_path(soql), lambda answer: parse_page(self._connection, answer.body))
        if first.total > _BULK_FROM_ROWS:
            schema = self._schemas.get("Opportunity")
            for part in bulk_rows(self._connection, self._clock, soql):
                rows = self._rows("Opportunity", fields, [record_from_csv(row, schema) for row in part])
                yield [row for row in rows if not row.is_deleted]  # a query job gives them too
        else:
            yield self._rows("Opportunity", fields, list(records_of(self._connection, first)))

    def related(
        self, object: str, fields: Sequence[str], field: str, sf_ids: Sequence[str], *, with_deleted: bool = False
    ) -> Iterator[list[OrgRow]]:
        """Rows of which the reference `field` (or `Id`) is one of `sf_ids`; one call for some 14,000 ids, and one for each 2,000 rows.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As Connection.read.
        """
        head = select(self._columns(object, fields), object, f"{field} IN ()")
        chunks = chunks_of_literals(list(dict.fromkeys(sf_ids)), len(head), _STATEMENT_CHARACTERS, encoded=False)
        statements = [f"{head[:-1]}{','.join(quoted(sf_id) for sf_id in chunk)})" for chunk in chunks]
        for start in range(0, len(statements), MAX_QUERY_SUBREQUESTS):
            group = statements[start : start + MAX_QUERY_SUBREQUESTS]
            paths = {f"q{index}": query_path(soql, with_deleted=with_deleted) for index, soql in enumerate(group)}
            parts, _ = composite(self._connection, paths)
            for name in paths:
                page = parse_page(self._connection, parts[name].body)
                yield self._rows(object, fields, list(records_of(self._connection, page)))

    def _columns(self, object: str, fields: Sequence[str]) -> list[str]:
        """What to ask for: some objects lack system fields."""
        schema = self._schemas.get(object)
        system = [name for name in _SYSTEM if schema is None or name in schema.fields]
        return list(dict.fromkeys((*system, *fields)))

    def _rows(self, object: str, fields: Sequence[str], records: Sequence[Mapping[str, Any]]) -> list[OrgRow]:
        read = row_reader(object, fields, None, self._schemas.get(object))
        return [read(record) for record in records]
