"""`query` and `queryAll` with their pages, and records as the API shows them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from syncd.sandbox import reading
from syncd.sandbox.call import Call
from syncd.sandbox.message import Response
from syncd.sandbox.soql import QueryError, parse
from syncd.sandbox.table import Row
from syncd.sandbox.values import as_json

_SMALLEST_PAGE, _OPEN_CURSORS = 200, 200
_ADDRESS = {"street": "Street", "city": "City", "state": "State", "postalCode": "PostalCode", "country": "Country"}


def show_row(name: str, row: Row, fields: list[str], base: str) -> dict[str, Any]:
    """A record with its attributes and the wanted fields."""
    shown: dict[str, Any] = {"attributes": {"type": name, "url": f"{base}/sobjects/{name}/{row['Id']}"}}
    for one in fields:
        value = row.get(one)
        shown[one] = as_json(value) if isinstance(value, date) else value
    if "Address" in shown:
        shown["Address"] = _address(row)
    return shown


def _address(row: Row) -> dict[str, Any] | None:
    parts = {key: row.get(name) for key, name in _ADDRESS.items()}
    return parts if any(value is not None for value in parts.values()) else None


def answer(call: Call, parts: list[str]) -> Response:
    """Answer `query/?q=`, `queryAll/?q=` and the pages that follow.

    Raises:
        QueryError: Not understood, or the locator is unknown.
        CallRefusal: Another verb than GET.
    """
    call.allow("GET", "HEAD")
    org = call.org
    base = f"{call.base}/{parts[0]}"
    if len(parts) > 1:
        name, _, start = parts[1].rpartition("-")
        if name not in org.cursors or not start.isdigit():
            raise QueryError("invalid query locator", "INVALID_QUERY_LOCATOR")
        shown, size = org.cursors[name]
        return Response(200, _page(shown, int(start), size, f"{base}/{name}"))
    query = parse(call.request.query.get("q", ""))
    with_deleted = parts[0] == "queryAll"
    if query.is_count:
        count = len(org.select(query, with_deleted=with_deleted))
        return Response(200, {"totalSize": count, "done": True, "records": []})
    if query.aggregates or query.groups:
        found = reading.grouped(org, query, with_deleted=with_deleted)
        rows = [
            {"attributes": {"type": "AggregateResult"}} | {key: as_json(value) for key, value in one.items()} for one in found
        ]
        return Response(200, {"totalSize": len(rows), "done": True, "records": rows})
    chosen = reading.columns(org, query)
    object_name = next(name for name in org.objects if name.casefold() == query.object.casefold())
    # A cursor is a snapshot: what changes meanwhile does not move the pages.
    shown = [show_row(object_name, row, chosen, call.base) for row in org.select(query, with_deleted=with_deleted)]
    org.numbers["cursor"] += 1
    name = f"01g{org.numbers['cursor']:015d}"
    size = _page_size(call)
    if len(shown) > size:
        org.cursors[name] = shown, size
        while len(org.cursors) > _OPEN_CURSORS:
            del org.cursors[next(iter(org.cursors))]
    return Response(200, _page(shown, 0, size, f"{base}/{name}"))


def _page_size(call: Call) -> int:
    """The org's page size, or the smaller one hinted at by `Sforce-Query-Options: batchSize=200..2000`."""
    hint = re.search(r"batchSize\s*=\s*(\d+)", call.request.headers.get("sforce-query-options", ""), re.IGNORECASE)
    return min(max(int(hint[1]), _SMALLEST_PAGE), call.org.page_size) if hint else call.org.page_size


def _page(shown: list[dict[str, Any]], start: int, size: int, url: str) -> dict[str, Any]:
    end = start + size
    page: dict[str, Any] = {"totalSize": len(shown), "done": end >= len(shown), "records": shown[start:end]}
    if end < len(shown):
        page["nextRecordsUrl"] = f"{url}-{end}"
    return page
