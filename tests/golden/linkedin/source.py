"""How golden cases of linkedin are read."""

from __future__ import annotations

from pathlib import Path

from connectors.linkedin import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """An ad account whose leads are in the file; of `page_leads` a company page: its event, its own leads, a product."""
    owner = "organization:5509810" if path.parent.name == "page_leads" else "sponsoredAccount:508123456"
    return pull(CONNECTOR, {"access_token": Secret("golden", "test"), "owners": [owner]}, path)
