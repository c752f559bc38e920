"""SOQL and composite reads: pages that are checked, lists that never overrun a URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from syncd.errors import ContractError
from syncd.salesforce.connection import Answer, Connection

MAX_QUERY_SUBREQUESTS = 5
"""Queries in one composite call (REST API Developer Guide, Composite)."""


class Part(NamedTuple):
    """The answer to one subrequest of a composite call."""

    status: int
    body: Any

    @property
    def is_ok(self) -> bool:
        """Whether it was carried out."""
        return 200 <= self.status < 300


class QueryPage(NamedTuple):
    """One page of a query; `next_path` is below the version, None on the last page."""

    records: list[Any]
    total: int
    next_path: str | None


def query_path(soql: str, *, with_deleted: bool = False) -> str:
    """Path and query of a GET for `soql`, below the version."""
    return f"{'queryAll' if with_deleted else 'query'}/?q={quote(soql, safe='')}"


def composite(
    connection: Connection, requests: Mapping[str, str], *, tolerate: bool = False
) -> tuple[dict[str, Part], Mapping[str, str]]:
    """Several reads in one call.

    Args:
        connection: The org.
        requests: Reference id to path below the version; at most 25, of them at most 5 queries.
        tolerate: Give refused parts back instead of raising; temporary faults are tried again all the same.

    Returns:
        Reference id to part, and the headers of the call.

    Raises:
        SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As Connection.read.
    """
    body = {
        "allOrNone": False,
        "collateSubrequests": False,
        "compositeRequest": [
            {"method": "GET", "url": connection.base_path + path, "referenceId": reference}
            for reference, path in requests.items()
        ],
    }

    def parse(answer: Answer) -> tuple[dict[str, Part], Mapping[str, str]]:
        listed = answer.body.get("compositeResponse") if isinstance(answer.body, Mapping) else None
        if not isinstance(listed, list):
            raise ContractError("Salesforce answered a composite call without compositeResponse.")
        parts = {
            one["referenceId"]: Part(one["httpStatusCode"], one.get("body"))
            for one in listed
            if isinstance(one, Mapping) and isinstance(one.get("httpStatusCode"), int) and isinstance(one.get("referenceId"), str)
        }
        if set(parts) != set(requests):
            raise ContractError("Salesforce answered a composite call with other parts than were asked for.")
        for part in parts.values():
            if not part.is_ok:
                connection.check_part(part.status, part.body, tolerate=tolerate)
        return parts, answer.headers

    return connection.read("composite", parse, method="POST", body=body)


def parse_page(connection: Connection, body: Any) -> QueryPage:
    """One page of a query.

    Raises:
        ContractError: The shape is wrong, or `done` and `nextRecordsUrl` disagree: no such page is ever the end of a list.
    """
    if not isinstance(body, Mapping):
        raise ContractError("Salesforce answered a query with something else than a page.")
    records, total, done, following = (body.get(name) for name in ("records", "totalSize", "done", "nextRecordsUrl"))
    if not isinstance(records, list) or not isinstance(total, int) or not isinstance(done, bool):
        raise ContractError("Salesforce answered a query without records, totalSize or done.")
    if done:
        if following:
            raise ContractError("Salesforce answered a query with a last page that names a next one.")
        return QueryPage(records, total, None)
    if not isinstance(following, str) or not following.startswith(connection.base_path):
        raise ContractError("Salesforce answered a query with an unfinished page that does not name the next one.")
    return QueryPage(records, total, following.removeprefix(connection.base_path))


def next_page(connection: Connection, path: str) -> QueryPage:
    """The page at `path`. Raises as Connection.read and parse_page."""
    return connection.read(path, lambda answer: parse_page(connection, answer.body))


def query(connection: Connection, soql: str) -> list[Any]:
    """All records of one short statement by GET.

    Raises:
        ContractError: Also when fewer or more records came than were announced.
    """
    first = connection.read(query_path(soql), lambda answer: parse_page(connection, answer.body))
    return list(records_of(connection, first))


def query_many(connection: Connection, statements: Sequence[str]) -> list[Any]:
    """All records of several statements, at most 5 a call, in the body so that their length does not matter."""
    records: list[Any] = []
    for start in range(0, len(statements), MAX_QUERY_SUBREQUESTS):
        group = statements[start : start + MAX_QUERY_SUBREQUESTS]
        parts, _ = composite(connection, {f"q{index}": query_path(soql) for index, soql in enumerate(group)})
        for index in range(len(group)):
            records += records_of(connection, parse_page(connection, parts[f"q{index}"].body))
    return records


def records_of(connection: Connection, page: QueryPage) -> Iterator[Any]:
    """The records of `page` and of the pages after it."""
    count = 0
    while True:
        count += len(page.records)
        yield from page.records
        if page.next_path is None:
            break
        page = next_page(connection, page.next_path)
    if count != page.total:
        raise ContractError(f"Salesforce announced {page.total} records for a query and gave {count}.")
