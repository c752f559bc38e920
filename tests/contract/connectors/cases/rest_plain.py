"""rest under the contract suite: the whole list in one answer."""

from __future__ import annotations

from pathlib import Path

from tests.contract.connectors.cases.rest import WITHOUT_COUNT as KINDS
from tests.contract.connectors.cases.rest import made
from tests.contract.connectors.kit import Case

__all__ = ["KINDS", "case"]


def case(folder: Path) -> Case:
    """No pages, no cursor."""
    return made(folder, "none", {}, is_ordered=False, skip=0, circle=None)
