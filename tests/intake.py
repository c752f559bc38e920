"""A running intake for tests: the real server on a real socket of this machine, with a real journal."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import requests

from connectors.webhook import CONNECTOR, WebhookOptions
from syncd import log
from syncd.clock import SystemClock
from syncd.connector import Secret
from syncd.intake import IntakeLimits, IntakeServer, Probes, Receiver
from syncd.metrics import REGISTRY
from syncd.model import Delivery
from syncd.store import open_journal

KEY = b"integration-key"
BODY = b'{"email": "ada@example.com"}'


def listening(port: int = 0) -> socket.socket:
    """A socket that listens on this machine."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", port))
    found.listen(128)
    return found


def signed(body: bytes = BODY, message_id: str = "msg_1", key: bytes = KEY, at: float | None = None) -> dict[str, str]:
    """The headers of a rightly signed request."""
    stamp = str(int(SystemClock().now().timestamp() if at is None else at))
    digest = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def source(name: str = "site", **options: Any) -> Receiver:
    """A webhook source that is signed with KEY."""
    return Receiver(name, CONNECTOR, WebhookOptions(secret=Secret(KEY.decode(), "test"), **options))


class Running:
    """An intake in a thread; stops at the end of the block. `lines` are what it logged."""

    def __init__(
        self,
        folder: Path,
        *receivers: Receiver,
        limits: IntakeLimits | None = None,
        probes: Probes | None = None,
        store_url: str = "",
    ) -> None:
        self.journal = open_journal(store_url or f"sqlite:///{folder / 'syncd.db'}")
        self._text = io.StringIO()
        log.configure("debug", json=True, stream=self._text)
        self._listening = listening()
        self.port: int = self._listening.getsockname()[1]
        self.wakes = 0
        self.server = IntakeServer(
            receivers or (source(),), self.journal, SystemClock(), log.get_log(), wake=self._wake, probes=probes, limits=limits
        )
        self._thread = threading.Thread(target=self.server.run, args=([self._listening],))

    def _wake(self) -> None:
        self.wakes += 1

    def __enter__(self) -> Self:
        self._thread.start()
        self.get("/healthz")  # the socket listens already: it waits until somebody answers
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self.journal.close()

    def stop(self) -> None:
        """Drain and wait for its end."""
        self.server.stop()
        self._thread.join()

    @property
    def is_over(self) -> bool:
        """Whether `run` has returned."""
        return not self._thread.is_alive()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._text.getvalue().splitlines()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url(path), timeout=30, **options)

    def send(self, body: bytes = BODY, path: str = "/hooks/site", headers: Any = None, **options: Any) -> requests.Response:
        """POST, rightly signed unless there are `headers`."""
        found = signed(body) if headers is None else headers
        return requests.post(self.url(path), data=body, headers=found, timeout=30, allow_redirects=False, **options)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, sent: bytes, *, end: bool = False) -> bytes:
        """What comes back on a connection of its own until it is closed; `end` closes our half after sending."""
        with self.connect() as connection:
            connection.sendall(sent)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return rest_of(connection)

    def stored(self) -> list[Delivery]:
        return self.journal.take(10_000)


def rest_of(connection: socket.socket) -> bytes:
    """Everything until the other end closes; what a reset cuts off does not count."""
    found = b""
    try:
        while part := connection.recv(65_536):
            found += part
    except ConnectionResetError:
        pass
    return found


def send_until_closed(connection: socket.socket, part: bytes) -> None:
    """Send the same over and over until the other end has had enough."""
    try:
        while True:
            connection.sendall(part)
    except OSError:
        return


def head(headers: dict[str, str], path: str = "/hooks/site", method: str = "POST") -> bytes:
    """A request's head, which asks for the connection to be closed."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "host: test",
        "connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def counted(source_name: str, outcome: str) -> float:
    """The counter of requests, over all tests of this process."""
    labels = {"source": source_name, "outcome": outcome}
    return REGISTRY.get_sample_value("syncd_webhook_requests_total", labels) or 0.0


def label_values(name: str) -> Sequence[str]:
    """Every value that a label of the counter has."""
    return sorted({sample.labels[name] for metric in REGISTRY.collect() for sample in metric.samples if name in sample.labels})
