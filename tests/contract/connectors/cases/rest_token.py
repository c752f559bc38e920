"""rest under the contract suite: a token in each page, access tokens that are fetched."""

from __future__ import annotations

from pathlib import Path

from syncd.connector import Secret
from syncd.sandbox.vendors.rest import REST_CLIENT_SECRET, REST_TOKEN
from tests.contract.connectors.cases.rest import SORTED, made
from tests.contract.connectors.cases.rest import WITHOUT_COUNT as KINDS
from tests.contract.connectors.kit import Case

__all__ = ["KINDS", "case"]

OAUTH2 = {
    "type": "oauth2",
    "grant": "client_credentials",
    "token_url": "https://rest.test/oauth/token",
    "client_id": "syncd",
    "client_secret": Secret(REST_CLIENT_SECRET, "test"),
}


def case(folder: Path) -> Case:
    """Pages by token, sorted."""
    paging = {"type": "token", "size": 7, "param": "cursor", "path": "meta.next_cursor"}
    options = {"paging": paging, "cursor": SORTED, "auth": OAUTH2}
    return made(folder, "token", options, is_ordered=True, secrets=(REST_CLIENT_SECRET, REST_TOKEN, "rest_access_1"))
