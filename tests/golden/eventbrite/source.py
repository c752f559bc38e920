"""How golden cases of eventbrite are read."""

from __future__ import annotations

from pathlib import Path

from connectors.eventbrite import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """A user whose answers are in the file."""
    return pull(CONNECTOR, {"token": Secret("golden", "test")}, path)
