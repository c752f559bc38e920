"""rest under the contract suite: pages by offset, sorted, with a window that ends and a yes or no for more."""

from __future__ import annotations

from pathlib import Path

from syncd.connector import Secret
from syncd.sandbox.vendors.rest import REST_TOKEN
from tests.contract.connectors.cases.rest import KINDS as KINDS
from tests.contract.connectors.cases.rest import SORTED, made
from tests.contract.connectors.kit import Case


def case(folder: Path) -> Case:
    """Pages by offset; user and password."""
    paging = {"type": "offset", "size": 7, "end": "has_more", "end_path": "meta.has_more"}
    auth = {"type": "basic", "user": "syncd", "password": Secret(REST_TOKEN, "test")}
    cursor = {**SORTED, "until": "updated_before", "format": "unix"}
    return made(folder, "offset", {"paging": paging, "cursor": cursor, "auth": auth}, is_ordered=True)
