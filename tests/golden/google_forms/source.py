"""How golden cases of google_forms are read."""

from __future__ import annotations

from pathlib import Path

from connectors.google_forms import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """A form whose questions and pages are in the file, which also gives out the token."""
    login = {"client_id": "golden", "client_secret": Secret("golden", "test"), "refresh_token": Secret("golden", "test")}
    return pull(CONNECTOR, {**login, "forms": ["1FormGolden"]}, path)
