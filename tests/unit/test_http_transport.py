"""What really happens on the wire, against a loopback server that misbehaves as told."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from syncd.http import TransportError, is_untrusted_certificate, make_session, nothing_sent

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\nConnection: close\r\n\r\nok"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@contextmanager
def server(authority: trustme.CA, respond: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """Answers one connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        raw, _ = listener.accept()
        raw.settimeout(10)
        try:
            with context.wrap_socket(raw, server_side=True) as connection:
                request = b""
                while not request.endswith(b"{}") and (part := connection.recv(65536)):
                    request += part
                respond(connection)
        except OSError:
            pass  # the client went away, as some tests want
        finally:
            raw.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}/"
    finally:
        thread.join(10)
        listener.close()


def reset(connection: ssl.SSLSocket) -> None:
    """Close with RST, as a machine that was switched off or a killed proxy does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_private_authority_is_trusted_when_it_is_named(authority: trustme.CA, ca_file: str) -> None:
    with server(authority, lambda connection: connection.sendall(GOOD)) as url, make_session(ca_file=ca_file) as session:
        assert session.post(url, json={}).text == "ok"


def test_an_unknown_authority_is_refused_before_anything_is_sent(authority: trustme.CA) -> None:
    respond = lambda connection: connection.sendall(GOOD)  # noqa: E731 - one word for the server
    with server(authority, respond) as url, make_session() as session, pytest.raises(TransportError) as caught:
        session.post(url, json={})
    assert nothing_sent(caught.value)
    assert is_untrusted_certificate(caught.value)


@pytest.mark.parametrize(
    "respond",
    [lambda connection: connection.sendall(CUT), reset, lambda connection: connection.close()],
    ids=["cut body", "reset", "closed"],
)
def test_an_answer_that_breaks_off_may_have_been_carried_out(
    authority: trustme.CA, ca_file: str, respond: Callable[[ssl.SSLSocket], None]
) -> None:
    with server(authority, respond) as url, make_session(ca_file=ca_file) as session, pytest.raises(TransportError) as caught:
        session.post(url, json={})
    assert not nothing_sent(caught.value)
    assert not is_untrusted_certificate(caught.value)


def test_a_server_that_never_answers_is_left_after_the_time_out(authority: trustme.CA, ca_file: str) -> None:
    done = threading.Event()
    with server(authority, lambda _: done.wait(10) and None) as url, make_session(ca_file=ca_file, read_timeout=0.2) as session:
        with pytest.raises(TransportError) as caught:
            session.post(url, json={})
        done.set()
    assert not nothing_sent(caught.value)
