"""How golden cases of rest are read: each folder is another service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors.rest import CONNECTOR
from syncd.connector import Page, Secret
from tests.golden.replay import pull

PATTERN = "*/in.json"
_SERVICES: dict[str, dict[str, Any]] = {
    "numbered": {
        "path": "/v1/leads",
        "records": "data.items",
        "key": "id",
        "updated_at": {"path": "updated_at"},
        "paging": {"type": "page", "size": 2, "end": "total", "end_path": "meta.total"},
    },
    "tokens": {
        "path": "/crm/v3/people",
        "records": "results",
        "key": ["portal.id", "id"],
        "updated_at": {"path": "updatedAt", "format": "unix_ms"},
        "paging": {"type": "token", "path": "paging.next.after", "param": "after", "end": "missing_token"},
    },
    "searched": {
        "path": "/api/anmeldungen",
        "method": "POST",
        "body": {"suche": {"status": "offen"}},
        "parameters_in": "body",
        "records": "",
        "key": "nr",
        "updated_at": {"path": "geaendert", "format": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin"},
    },
}


def pages(path: Path) -> list[Page]:
    """A service whose pages are in the file."""
    options = {"base_url": "https://rest.test", "auth": {"type": "bearer", "token": Secret("golden", "test")}}
    return pull(CONNECTOR, {**options, **_SERVICES[path.parent.name]}, path)
