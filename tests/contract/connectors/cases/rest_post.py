"""rest under the contract suite: a search by POST, everything in its body, newest first."""

from __future__ import annotations

from pathlib import Path

from tests.contract.connectors.cases.rest import WITHOUT_COUNT as KINDS
from tests.contract.connectors.cases.rest import made
from tests.contract.connectors.kit import Case

__all__ = ["KINDS", "case"]


def case(folder: Path) -> Case:
    """Pages by token in a body, out of order."""
    paging = {
        "type": "token",
        "size": 7,
        "size_param": "page.limit",
        "param": "page.after",
        "path": "meta.next_cursor",
        "end": "has_more",
        "end_path": "meta.has_more",
    }
    options = {
        "path": "/leads/search",
        "method": "POST",
        "parameters_in": "body",
        "body": {"filter": {"status": "open"}},
        "paging": paging,
        "cursor": {"since": "filter.since"},
    }
    return made(folder, "token", options, is_ordered=False)
