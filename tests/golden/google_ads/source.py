"""How golden cases of google_ads are read."""

from __future__ import annotations

from pathlib import Path

from connectors.google_ads import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """An account whose leads are in the file, which also gives out the token."""
    login = {"client_id": "golden", "client_secret": Secret("golden", "test"), "refresh_token": Secret("golden", "test")}
    return pull(CONNECTOR, {**login, "developer_token": Secret("golden", "test"), "customer_ids": ["1234567890"]}, path)
