"""How golden cases of zoom are read: both streams."""

from __future__ import annotations

from pathlib import Path

from connectors.zoom import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """An account whose answers are in the file."""
    options = {"account_id": "a", "client_id": "c", "client_secret": Secret("golden", "test"), "look_back_days": 300}
    return [page for stream in ("registrants", "participants") for page in pull(CONNECTOR, options, path, stream)]
