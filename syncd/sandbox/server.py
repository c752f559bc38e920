"""The org behind HTTPS on this machine: a certificate made at the start, keep-alive, faults on the wire, a page for people."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import trustme

from syncd.sandbox import control
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.rest import Request, Response, handle

_MAX_BODY = 60_000_000


class SandboxServer:
    """Serves `org` at `url`; `ca_file` is the authority to trust. A context manager."""

    def __init__(self, org: SandboxOrg, *, folder: Path, port: int = 0) -> None:
        """Make the certificate and bind to 127.0.0.1; `port` 0 takes any free one."""
        folder.mkdir(parents=True, exist_ok=True)
        self.org = org
        self.ca_file = (folder / "ca.pem").resolve()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._server = _Server(("127.0.0.1", port), org, context)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`https://127.0.0.1:PORT`."""
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve in the background."""
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the port."""
        self._server.shutdown()
        self._server.server_close()
        if self._thread is not None:
            self._thread.join(5)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], org: SandboxOrg, context: ssl.SSLContext) -> None:
        super().__init__(address, _Handler)
        self.org = org
        self.context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake belongs to the connection's own thread: a silent client must not hold up the others.
        request.settimeout(60)
        with self.context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # Answers are small and many: waiting for more to send would cost 40 ms each.
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_BODY:
            self.close_connection = True
            return
        body = self.rfile.read(length) if length else b""
        request = Request.of(self.command, self.path, dict(self.headers.items()), body)
        response = control.handle(self.server.org, request) if control.is_mine(request) else handle(self.server.org, request)
        self._send(response)

    def _send(self, response: Response) -> None:
        if response.delay_seconds:
            self.server.org.clock.sleep(response.delay_seconds)
        if response.transport in ("cut", "late"):
            if response.transport == "late":
                self.server.org.clock.sleep(response.delay_seconds or 2.0)
            self.close_connection = True
            return
        payload = response.payload
        self.send_response_only(response.status)
        headers = {"Content-Type": "application/json;charset=UTF-8", **response.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if response.transport == "half":
            self.wfile.write(payload[: len(payload) // 2])
            self.close_connection = True
        else:
            self.wfile.write(payload)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = _answer  # noqa: N815 - the names of http.server

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: they hold personal data."""
