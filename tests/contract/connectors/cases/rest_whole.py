"""rest under the contract suite: nothing to ask by, the whole list by offset each time."""

from __future__ import annotations

from pathlib import Path

from tests.contract.connectors.cases.rest import KINDS as KINDS
from tests.contract.connectors.cases.rest import made
from tests.contract.connectors.kit import Case


def case(folder: Path) -> Case:
    """Pages by offset, without a cursor."""
    paging = {"type": "offset", "size": 7, "end": "total", "end_path": "meta.total"}
    return made(folder, "offset", {"paging": paging}, is_ordered=False)
