"""A model inside a requests session: no socket, the same answers and the same faults."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from syncd.sandbox.app import app_of
from syncd.sandbox.mailchimp.account import SandboxMailchimp
from syncd.sandbox.message import Request, Response, http_date
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.vendor import Vendor


class SandboxAdapter(BaseAdapter):
    """Mount on `https://` of a session to talk to an org or a vendor."""

    def __init__(self, model: SandboxOrg | SandboxMailchimp | Vendor) -> None:
        """Serve `model`."""
        super().__init__()
        self._app = app_of(model)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Answer, or fail as the network would."""
        del stream, timeout, verify, cert, proxies
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else bytes(body)
        headers = {str(name): str(value) for name, value in request.headers.items()}
        headers.setdefault("Host", str(request.url).split("/")[2])
        asked = Request.of(str(request.method), str(request.url), headers, raw)
        with self._app.serving(asked) as answer:
            if answer.delay_seconds:
                self._app.clock.sleep(answer.delay_seconds)
            return self._answered(request, answer)

    def _answered(self, request: requests.PreparedRequest, answer: Response) -> requests.Response:
        if answer.transport == "cut":
            raise requests.ConnectionError(ConnectionResetError(104, "Connection reset by peer"), request=request)
        if answer.transport == "late":
            raise requests.ReadTimeout("Read timed out.", request=request)
        if answer.transport == "torn":
            raise requests.exceptions.ChunkedEncodingError("Connection broken: IncompleteRead", request=request)
        payload = b"" if request.method == "HEAD" else answer.payload
        if answer.transport == "half":
            payload = payload[: len(payload) // 2]
        response = requests.Response()
        response.status_code = answer.status
        standard = {"Content-Type": "application/json;charset=UTF-8", "Date": http_date(self._app.clock.now())}
        response.headers.update({**standard, **answer.headers})
        response.url = str(request.url)
        response.request = request
        response.raw = HTTPResponse(
            body=io.BytesIO(payload), headers=dict(response.headers), status=answer.status, preload_content=False
        )
        response._content = payload  # noqa: SLF001 - what requests' own adapters do by reading the stream
        response.encoding = "utf-8"
        return response

    def close(self) -> None:
        """Nothing to close."""
