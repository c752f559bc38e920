"""How golden cases of typeform are read."""

from __future__ import annotations

from pathlib import Path

from connectors.typeform import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """A form whose pages are in the file."""
    return pull(CONNECTOR, {"token": Secret("golden", "test"), "forms": ["a1B2c3"]}, path)
