"""How golden cases of meta are read."""

from __future__ import annotations

from pathlib import Path

from connectors.meta import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """A form whose leads are in the file."""
    return pull(CONNECTOR, {"token": Secret("golden", "test"), "pages": ["1"], "forms": ["456"]}, path)
