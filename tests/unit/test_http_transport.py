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

from syncd.errors import ConfigError
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
def server(authority: trustme.CA, respond: Callable[[ssl.SSLSocket], None], *, is_proxy: bool = False) -> Iterator[str]:
    """Answers one connection; as a proxy, in the name of whatever host is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        raw, _ = listener.accept()
        raw.settimeout(10)
        try:
            if is_proxy:
                while not raw.recv(65536).endswith(b"\r\n\r\n"):
                    pass
                raw.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
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


def answer(connection: ssl.SSLSocket) -> None:
    connection.sendall(GOOD)


def reset(connection: ssl.SSLSocket) -> None:
    """Close with RST, as a machine that was switched off or a killed proxy does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_a_private_authority_is_trusted_when_it_is_named(authority: trustme.CA, ca_file: str) -> None:
    with server(authority, answer) as url, make_session(ca_file=ca_file) as session:
        assert session.post(url, json={}).text == "ok"


def test_an_unknown_authority_is_refused_before_anything_is_sent(authority: trustme.CA) -> None:
    with server(authority, answer) as url, make_session() as session, pytest.raises(TransportError) as caught:
        session.post(url, json={})
    assert nothing_sent(caught.value)
    assert is_untrusted_certificate(caught.value)


def test_what_one_session_trusts_no_other_does(authority: trustme.CA, ca_file: str) -> None:
    with make_session(ca_file=ca_file) as first, server(authority, answer) as url:
        assert first.post(url, json={}).text == "ok"
    with make_session() as session, server(authority, answer) as url, pytest.raises(TransportError) as caught:
        session.post(url, json={})
    assert is_untrusted_certificate(caught.value)


def test_a_certificate_for_another_host_is_refused(authority: trustme.CA, ca_file: str) -> None:
    with server(authority, answer) as url, make_session(ca_file=ca_file) as session, pytest.raises(TransportError) as caught:
        session.post(url.replace("localhost", "127.0.0.1"), json={})
    assert is_untrusted_certificate(caught.value)


def test_the_other_side_of_a_proxy_is_judged_as_without_one(
    authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for trusted in (ca_file, None):
        with server(authority, answer, is_proxy=True) as url, make_session(ca_file=trusted) as session:
            monkeypatch.setenv("HTTPS_PROXY", url.replace("https", "http"))
            if trusted:
                assert session.post("https://localhost/", json={}).text == "ok"
            else:
                with pytest.raises(TransportError) as caught:
                    session.post("https://localhost/", json={})
                assert is_untrusted_certificate(caught.value)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environment_names_the_authorities_as_for_any_program_with_requests(
    authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, ca_file)
    with server(authority, answer) as url, make_session() as session:
        assert session.post(url, json={}).text == "ok"
    other = trustme.CA()
    with server(other, answer) as url, make_session() as session, pytest.raises(TransportError) as caught:
        session.post(url, json={})
    assert is_untrusted_certificate(caught.value)


def test_authorities_are_not_read_again_for_each_connection(
    authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor looked for: an update of the library under a running daemon takes its file away for a moment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    with make_session() as session:
        Path(ca_file).unlink()
        for _ in range(2):
            with server(authority, answer) as url:
                assert session.post(url, json={}).text == "ok"


def test_a_file_of_authorities_that_is_replaced_is_read_again(authority: trustme.CA, ca_file: str) -> None:
    make_session(ca_file=ca_file).close()
    newer = trustme.CA(organization_name="Another one, with a longer name")
    newer.cert_pem.write_to_path(ca_file)
    with server(newer, answer) as url, make_session(ca_file=ca_file) as session:
        assert session.post(url, json={}).text == "ok"


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "no PEM"])
def test_authorities_that_cannot_be_read_are_told_by_the_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=f'ca_file "{path}" cannot be read'):
        make_session(ca_file=str(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with pytest.raises(ConfigError, match=f'REQUESTS_CA_BUNDLE "{path}" cannot be read'):
        make_session()


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
