"""How golden cases of activecampaign are read."""

from __future__ import annotations

from pathlib import Path

from connectors.activecampaign import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """An account whose answers are in the file."""
    return pull(CONNECTOR, {"api_key": Secret("golden", "test"), "base_url": "https://acme.api-us1.com"}, path)
