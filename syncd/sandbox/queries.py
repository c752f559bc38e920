"""Queries with pages, and records as the API shows them."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.soql import QueryError, parse
from syncd.sandbox.values import as_json

_pages: dict[tuple[int, str], tuple[list[dict[str, Any]], int]] = {}


def show_row(org: SandboxOrg, name: str, row: dict[str, Any], fields: list[str], base: str) -> dict[str, Any]:
    """A record with its attributes and the wanted fields."""
    shown: dict[str, Any] = {"attributes": {"type": name, "url": f"{base}/sobjects/{name}/{row['Id']}"}}
    for one in fields:
        if one not in org.hidden:
            shown[one] = as_json(row.get(one))
    return shown


def run_query(org: SandboxOrg, statement: str, locator: str, *, with_deleted: bool, base: str) -> dict[str, Any]:
    """The first page of a statement, or the page a locator names.

    Raises:
        QueryError: Not understood, or the locator is unknown.
    """
    root = base.rsplit("/", 1)[0]
    if locator:
        name, _, start = locator.rpartition("-")
        if (id(org), name) not in _pages:
            raise QueryError("invalid query locator", "INVALID_QUERY_LOCATOR")
        shown, total = _pages[id(org), name]
        return _page(shown, total, int(start), name, base, org.page_size)
    query = parse(statement)
    found = org.select(query, with_deleted=with_deleted)
    if query.is_count:
        return {"totalSize": len(found), "done": True, "records": []}
    # A cursor is a snapshot: what changes meanwhile does not move the pages.
    shown = [show_row(org, query.object, row, query.fields, root) for row in found]
    name = f"01g{len(_pages):015d}"
    if len(shown) > org.page_size:
        _pages[id(org), name] = (shown, len(shown))
    return _page(shown, len(shown), 0, name, base, org.page_size)


def _page(shown: list[dict[str, Any]], total: int, start: int, name: str, base: str, size: int) -> dict[str, Any]:
    end = start + size
    page: dict[str, Any] = {"totalSize": total, "done": end >= total, "records": shown[start:end]}
    if end < total:
        page["nextRecordsUrl"] = f"{base}/{name}-{end}"
    return page
