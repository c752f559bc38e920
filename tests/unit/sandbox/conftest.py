"""An org at a fixed time, and a client that talks to it in process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from syncd.clock import FixedClock
from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg
from syncd.sandbox.adapter import SandboxAdapter

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BASE = "/services/data/v62.0"


class Api:
    """A logged-in client; `call` gives the response, `json` its body after a status check."""

    def __init__(self, org: SandboxOrg) -> None:
        self.session = requests.Session()
        self.session.mount("https://", SandboxAdapter(org))
        self.log_in()

    def log_in(self) -> None:
        answer = self.session.post(
            "https://org.test/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(CONSUMER_KEY, CONSUMER_SECRET),
            timeout=5,
        )
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"https://org.test{path if path.startswith('/') else f'{BASE}/{path}'}"
        return self.session.request(method, url, timeout=5, **options)

    def json(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        answer = self.call(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def query(self, statement: str, *, all_rows: bool = False) -> list[dict[str, Any]]:
        page = self.json("GET", "queryAll/" if all_rows else "query/", params={"q": statement})
        rows = list(page["records"])
        while not page["done"]:
            page = self.json("GET", page["nextRecordsUrl"])
            rows += page["records"]
        return rows

    def upsert(self, *records: dict[str, Any], status: int = 200, **options: Any) -> Any:
        body = {"allOrNone": options.pop("all_or_none", False), "records": [lead(**one) for one in records]}
        return self.json("PATCH", "composite/sobjects/Lead/Syncd_Id__c", status=status, json=body, **options)


def lead(**fields: Any) -> dict[str, Any]:
    """A record of a collection that the org takes as it is, unless `fields` spoil it."""
    return {"attributes": {"type": "Lead"}, "LastName": "Roe", "Company": "Acme", **fields}


def codes(answers: list[dict[str, Any]]) -> list[str]:
    """For each record its error code, or `ok`."""
    return [one["errors"][0]["statusCode"] if one["errors"] else "ok" for one in answers]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def org(clock: FixedClock) -> SandboxOrg:
    return SandboxOrg(seed=5, clock=clock)


@pytest.fixture
def api(org: SandboxOrg) -> Iterator[Api]:
    client = Api(org)
    yield client
    client.session.close()
