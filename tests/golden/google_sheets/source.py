"""How golden cases of google_sheets are read."""

from __future__ import annotations

from pathlib import Path

from connectors.google_sheets import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"


def pages(path: Path) -> list[Page]:
    """A spreadsheet whose cells are in the file, which also gives out the token."""
    login = {"client_id": "golden", "client_secret": Secret("golden", "test"), "refresh_token": Secret("golden", "test")}
    asked = {"spreadsheet": "1GoldenSpreadsheet0123456789", "tabs": ["Leads"], "key": ["E-mail"]}
    return pull(CONNECTOR, {**login, **asked}, path)
