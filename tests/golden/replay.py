"""A vendor that answers from a file: `{"GET /path": [body, body ...]}`, each body once, the last one for ever.

A golden case of a connector that speaks HTTP is such a file, named in.json, with what the vendor really sends; `options` of the
connector stand beside in the folder's `source.py`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from syncd.clock import FixedClock
from syncd.connector import Page, PullConnector, Session
from syncd.http import Caller, TokenCache, make_session
from tests.contract.connectors.kit import NOW, Nowhere


class Replay(BaseAdapter):
    """Answers of a file."""

    def __init__(self, answers: Mapping[str, list[Any]]) -> None:
        """By method and path."""
        super().__init__()
        self._answers = {place: list(bodies) for place, bodies in answers.items()}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The next answer of this place, 404 for a place that is not in the file."""
        place = f"{request.method} {unquote(urlsplit(str(request.url)).path)}"
        bodies = self._answers.get(place)
        made = requests.Response()
        made.status_code, made.request, made.url = 200 if bodies else 404, request, str(request.url)
        body = json.dumps((bodies.pop(0) if len(bodies) > 1 else bodies[0]) if bodies else {}, ensure_ascii=False).encode()
        made.headers["Content-Type"] = "application/json"
        made.raw = HTTPResponse(body=io.BytesIO(body), headers=dict(made.headers), status=made.status_code, preload_content=False)
        return made

    def close(self) -> None:
        """Nothing to close."""


def pull(connector: PullConnector, options: Mapping[str, Any], path: Path, stream: str = "") -> list[Page]:
    """What the connector makes of the answers of a file."""
    session = make_session()
    session.mount("https://", Replay(json.loads(path.read_text(encoding="utf-8"))))
    clock = FixedClock(NOW)
    lent = Session(path.parent, page_size_records=1000, http=Caller(session, clock), tokens=TokenCache(clock, Nowhere()))
    typed = connector.Options(**options)
    return list(connector.pull(lent, typed, stream or connector.streams(typed)[0], None, NOW))
