"""The models behind HTTP on this machine: keep-alive, faults on the wire; the org with a certificate made at the start."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import trustme

from syncd.sandbox.app import App, app_of
from syncd.sandbox.mailchimp.account import SandboxMailchimp
from syncd.sandbox.message import Request, Response, http_date
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.vendor import Vendor

_MAX_BODY = 60_000_000
_IDLE_SECONDS = 60
_HOLD_SECONDS = 2.0


class _Service:
    """A server on 127.0.0.1 in a thread of its own. A context manager."""

    def __init__(self, app: App, *, port: int, context: ssl.SSLContext | None = None) -> None:
        self._server = _Server(("127.0.0.1", port), app, context)
        self._scheme = "http" if context is None else "https"
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def crashes(self) -> list[str]:
        """Tracebacks of the sandbox's own defects; tests expect none."""
        return self._server.crashes

    def start(self) -> None:
        """Serve in the background."""
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, close the port and hang up on every client."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(5)
            self._thread = None
        self._server.server_close()
        self._server.hang_up()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


class SandboxServer(_Service):
    """Serves `org` at `url` over HTTPS; `ca_file` is the authority to trust. A context manager."""

    def __init__(self, org: SandboxOrg, *, folder: Path, port: int = 0) -> None:
        """Make the certificate and bind to 127.0.0.1; `port` 0 takes any free one."""
        folder.mkdir(parents=True, exist_ok=True)
        self.org = org
        self.ca_file = (folder / "ca.pem").resolve()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        super().__init__(app_of(org), port=port, context=context)


class MailchimpServer(_Service):
    """Serves `mailchimp` at `url` over plain HTTP. A context manager."""

    def __init__(self, mailchimp: SandboxMailchimp, *, port: int = 0) -> None:
        """Bind to 127.0.0.1; `port` 0 takes any free one."""
        self.mailchimp = mailchimp
        super().__init__(app_of(mailchimp), port=port)


class VendorServer(_Service):
    """Serves `vendor` at `url` over plain HTTP. A context manager."""

    def __init__(self, vendor: Vendor, *, port: int = 0) -> None:
        """Bind to 127.0.0.1; `port` 0 takes any free one."""
        self.vendor = vendor
        super().__init__(app_of(vendor), port=port)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], app: App, context: ssl.SSLContext | None) -> None:
        super().__init__(address, _Handler)
        self.app = app
        self.context = context
        self.crashes: list[str] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake belongs to the connection's own thread: a silent client must not hold up the others.
        request.settimeout(_IDLE_SECONDS)
        with contextlib.ExitStack() as stack:
            wire = request if self.context is None else stack.enter_context(self.context.wrap_socket(request, server_side=True))
            with self._lock:
                self._open.add(wire)
            try:
                super().finish_request(wire, client_address)
            finally:
                with self._lock:
                    self._open.discard(wire)

    def hang_up(self) -> None:
        with self._lock:
            for one in self._open:
                # The client may have closed its side in the meantime.
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # Answers are small and many: waiting for more to send would cost 40 ms each.
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        app = self.server.app
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(app.refused())
            return
        request = Request.of(self.command, self.path, dict(self.headers.items()), body)
        try:
            with app.serving(request) as response:
                self._wait(response)
        except Exception as error:  # noqa: BLE001 - a defect of the sandbox must look like one, not like a broken connection
            self.server.crashes.append(traceback.format_exc())
            response = app.failed(error)
        # The request is over before the client can know of it: its next one must not meet this one.
        self._send(response)

    def _body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        told = self.headers.get("Content-Length") or "0"
        if not told.isdigit() or int(told) > _MAX_BODY:
            return None
        return self.rfile.read(int(told))

    def _chunks(self) -> bytes | None:
        body = b""
        while len(body) <= _MAX_BODY:
            try:
                size = int(self.rfile.readline(100).split(b";")[0], 16)
            except ValueError:
                return None
            if not 0 <= size <= _MAX_BODY:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(100)
            if size == 0:
                return body
        return None

    def _wait(self, response: Response) -> None:
        app = self.server.app
        app.clock.sleep(response.delay_seconds)
        if response.transport == "late":
            app.clock.sleep(response.hold_seconds or _HOLD_SECONDS)
            # Nobody else may come: what is due is done even when this was the last request.
            app.settle()

    def _send(self, response: Response) -> None:
        if response.transport in ("cut", "late"):
            self.close_connection = True
            return
        payload = response.payload
        if response.transport == "half":
            payload = payload[: len(payload) // 2]
        self.send_response_only(response.status)
        standard = {"Content-Type": "application/json;charset=UTF-8", "Date": http_date(self.server.app.clock.now())}
        headers = {**standard, **response.headers}
        if response.status not in (204, 304):
            headers["Content-Length"] = str(len(payload))
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD" or response.status in (204, 304):
            return
        if response.transport == "torn":
            payload = payload[: len(payload) // 2]
            self.close_connection = True
        self.wfile.write(payload)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = _answer  # noqa: N815 - the names of http.server

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: they hold personal data."""
