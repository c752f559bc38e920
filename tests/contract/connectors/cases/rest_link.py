"""rest under the contract suite: the answer is the list, the header Link names the next page, newest first."""

from __future__ import annotations

from pathlib import Path

from syncd.connector import Secret
from syncd.sandbox.vendors.rest import REST_TOKEN
from tests.contract.connectors.cases.rest import WITHOUT_COUNT as KINDS
from tests.contract.connectors.cases.rest import made
from tests.contract.connectors.kit import Case

__all__ = ["KINDS", "case"]


def case(folder: Path) -> Case:
    """Pages by link; a key in a header of its own."""
    auth = {"type": "header", "name": "X-Api-Key", "value": Secret(REST_TOKEN, "test")}
    options = {"records": "", "paging": {"type": "link", "size": 7}, "cursor": {"since": "updated_since"}, "auth": auth}
    return made(folder, "link", options, is_ordered=False)
