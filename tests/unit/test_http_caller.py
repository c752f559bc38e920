"""Calls to a source: retried, limited, judged, bounded, decoded, and silent about secrets."""

from __future__ import annotations

import gzip
import http.server
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import requests
import responses

from syncd.clock import FixedClock, SystemClock
from syncd.connector import Http, Secret
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http import Caller, Limiter, Reply, make_session
from syncd.http.caller import ATTEMPTS, TOTAL_SECONDS, place_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://api.example.com/v1/things/42"
KEY = "very-secret-key"


class Things(msgspec.Struct):
    """The shape of the tests."""

    things: list[msgspec.Raw]
    total: int


GOOD = b'{ "things" : [ {"a": 1.50, "b":"\xc3\xa9"} , {} ], "total": 2, "new": null }'


def caller(clock: FixedClock | None = None, **options: Any) -> Caller:
    return Caller(make_session(), clock or FixedClock(NOW), **options)


def get(one: Caller, **options: Any) -> Reply[Things]:
    return one.get(
        URL, Things, params={"token": KEY, "since": "2026-03-01T10:00:00+00:00"}, headers={"X-Key": Secret(KEY, "t")}, **options
    )


def refused(one: Caller, **options: Any) -> SyncdError:
    with pytest.raises(SyncdError) as caught:
        get(one, **options)
    return caught.value


# ---------------------------------------------------------------------- a good answer


@responses.activate
def test_a_good_answer_has_its_shape_its_own_bytes_and_the_vendors_clock() -> None:
    date = "Sun, 01 Mar 2026 11:59:30 GMT"
    responses.get(URL, body=GOOD, headers={"Date": date, "X-Page": "7"})
    reply = get(caller())
    assert [bytes(one) for one in reply.value.things] == [b'{"a": 1.50, "b":"\xc3\xa9"}', b"{}"]
    assert (reply.value.total, reply.body) == (2, GOOD)
    assert reply.headers["x-page"] == "7"
    assert reply.at == NOW - timedelta(seconds=30)
    assert reply.received_at == NOW


@responses.activate
def test_a_query_is_escaped_and_a_secret_header_is_sent() -> None:
    responses.get(URL, body=GOOD)
    get(caller())
    request = responses.calls[0].request
    assert "since=2026-03-01T10%3A00%3A00%2B00%3A00" in str(request.url)
    assert request.headers["X-Key"] == KEY
    assert request.headers["User-Agent"].startswith("syncd/")


@responses.activate
def test_without_a_date_there_is_no_clock() -> None:
    responses.get(URL, body=GOOD)
    assert get(caller()).at is None


def test_a_caller_is_what_a_connector_expects() -> None:
    lent: Http = caller()
    assert lent is not None


# ---------------------------------------------------------------------- trying again


@responses.activate
@pytest.mark.parametrize("status", [406, 408, 409, 425, 429, 500, 502, 503, 504, 599])
def test_a_temporary_status_is_tried_again(status: int) -> None:
    responses.get(URL, status=status)
    responses.get(URL, status=status)
    responses.get(URL, body=GOOD)
    clock = FixedClock(NOW)
    assert get(caller(clock)).value.total == 2
    assert 1.5 <= clock.monotonic() <= 3.0


@responses.activate
@pytest.mark.parametrize(
    ("wish", "waited"), [("17", 17.0), ("60", 60.0), ("Sun, 01 Mar 2026 12:00:45 GMT", 45.0)], ids=["seconds", "cap", "date"]
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_wish_is_waited_for(status: int, wish: str, waited: float) -> None:
    responses.get(URL, status=status, headers={"Retry-After": wish})
    responses.get(URL, body=GOOD)
    clock = FixedClock(NOW)
    get(caller(clock))
    assert clock.monotonic() == waited


@responses.activate
@pytest.mark.parametrize("wish", ["0", "Sun, 01 Mar 2026 11:00:00 GMT"])
def test_a_wish_of_no_time_is_no_reason_to_hammer(wish: str) -> None:
    responses.get(URL, status=429, headers={"Retry-After": wish})
    responses.get(URL, body=GOOD)
    clock = FixedClock(NOW)
    get(caller(clock))
    assert clock.monotonic() >= 0.5


@responses.activate
@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitedError), (503, SourceUnavailableError)], ids=["throttled", "unavailable"]
)
@pytest.mark.parametrize(("wish", "seconds"), [("3600", 3600.0), ("Sun, 01 Mar 2026 14:00:00 GMT", 7200.0)])
def test_a_wish_beyond_the_cap_is_not_waited_for_but_handed_on(
    status: int, kind: type[SyncdError], wish: str, seconds: float
) -> None:
    responses.get(URL, status=status, headers={"Retry-After": wish})
    clock = FixedClock(NOW)
    error = refused(caller(clock))
    assert isinstance(error, kind)
    assert error.retry_after_seconds == seconds  # type: ignore[attr-defined]
    assert clock.monotonic() == 0
    assert len(responses.calls) == 1


@responses.activate
def test_all_tries_together_are_bounded_in_number_and_time() -> None:
    responses.get(URL, status=503)
    clock = FixedClock(NOW)
    assert isinstance(refused(caller(clock)), SourceUnavailableError)
    assert len(responses.calls) == ATTEMPTS
    assert clock.monotonic() <= 31
    responses.replace(responses.GET, URL, status=429, headers={"Retry-After": "60"})
    before = clock.monotonic()
    refused(caller(clock))
    assert clock.monotonic() - before <= TOTAL_SECONDS


@responses.activate
@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthError), (403, AuthError), (404, ContractError), (400, ContractError), (302, ContractError)]
)
def test_a_lasting_refusal_is_not_tried_again(status: int, kind: type[SyncdError]) -> None:
    responses.get(URL, status=status, body=b"because", headers={"Location": "https://elsewhere.example.com/"})
    assert type(refused(caller())) is kind
    assert len(responses.calls) == 1


@responses.activate
def test_a_vendor_that_cannot_be_reached_is_not_asked_so_often_for_every_further_call() -> None:
    responses.get(URL, body=requests.ConnectionError("refused"))
    one = caller()
    refused(one)
    assert len(responses.calls) == ATTEMPTS
    refused(one)
    assert len(responses.calls) == ATTEMPTS + 1
    responses.replace(responses.GET, URL, body=GOOD)
    get(one)
    responses.replace(responses.GET, URL, status=503)
    refused(one)
    assert len(responses.calls) == 2 * ATTEMPTS + 2


# ---------------------------------------------------------------------- what an answer means


class Person(msgspec.Struct):
    """A listed person of the tests."""

    id: str
    age: int = 0


class People(msgspec.Struct):
    """A shape within which things can be odd."""

    people: list[Person]
    by_name: dict[str, int] = {}


@responses.activate
@pytest.mark.parametrize(
    ("body", "spot"),
    [
        (b'{"people": [{"id": "1"}, {"id": null}]}', ", at people[1].id."),
        (b'{"people": [{"age": 7}]}', ", at people[0].id."),
        (b'{"people": [7]}', ", at people[0]."),
        (b'{"people": 7}', ", at people."),
        (b"{}", ", at people."),
        (b"7", "promises. "),
        (b'{"people": [], "by_name": {"ada@example.com": "7"}}', ", at by_name[...]."),
    ],
)
def test_an_error_says_where_a_shape_was_another_one_and_no_value(body: bytes, spot: str) -> None:
    responses.get(URL, body=body)
    with pytest.raises(ContractError) as changed:
        caller().get(URL, People)
    assert spot in str(changed.value)
    assert "ada@" not in str(changed.value)


@responses.activate
def test_a_vendors_own_rows_go_before_the_table() -> None:
    responses.get(URL, status=404)
    mine = ContractError("There is no such thing.", advice="Choose another.")
    error = refused(caller(), rows={404: mine})
    assert type(error) is ContractError
    assert str(error) == "There is no such thing. Choose another."
    assert type(refused(caller(), rows={404: AuthError})) is AuthError


@responses.activate
def test_a_vendors_own_error_keeps_nothing_of_the_calls_it_was_raised_for() -> None:
    """A daemon whose token was revoked meets it for ever, in several threads and sources."""
    responses.get(URL, status=401)
    mine = RateLimitedError("Too much.", retry_after_seconds=7.0)
    first, second = (refused(caller(), rows={401: mine}) for _ in range(2))
    assert first is not second
    assert mine.__traceback__ is None
    assert len(traceback.extract_tb(first.__traceback__)) == len(traceback.extract_tb(second.__traceback__))
    assert isinstance(second, RateLimitedError)
    assert second.retry_after_seconds == 7.0


@responses.activate
@pytest.mark.parametrize(
    ("body", "kind", "calls"), [(b"<html>", RateLimitedError, ATTEMPTS), (b'{"title": "Forbidden"}', AuthError, 1)]
)
def test_a_body_may_decide_what_a_status_means(body: bytes, kind: type[SyncdError], calls: int) -> None:
    responses.get(URL, status=403, body=body)
    error = refused(caller(), rows={403: lambda found: AuthError if found.startswith(b"{") else RateLimitedError})
    assert type(error) is kind
    assert len(responses.calls) == calls


@responses.activate
def test_a_body_may_say_that_a_200_is_none() -> None:
    responses.get(URL, body=b'{"error": "expired"}')
    judge = lambda body: AuthError if b'"error"' in body else None  # noqa: E731 - one word for a row
    assert type(refused(caller(), rows={200: judge})) is AuthError
    responses.replace(responses.GET, URL, body=GOOD)
    assert get(caller(), rows={200: judge}).value.total == 2


# ---------------------------------------------------------------------- bodies


@responses.activate
@pytest.mark.parametrize(
    "body",
    [b"<html>Please wait</html>", GOOD[:-5], GOOD[: len(GOOD) // 2], b"", b"\xff\xfe", b'{"things": 1', b"[" * 100_000],
    ids=["html", "cut", "half", "empty", "binary", "cut after a wrong part", "deep"],
)
def test_what_is_no_whole_json_is_tried_again_and_then_an_error_that_carries_the_page(body: bytes) -> None:
    responses.get(URL, body=body)
    error = refused(caller())
    assert isinstance(error, SourceUnavailableError)
    assert error.page == body
    assert len(responses.calls) == ATTEMPTS
    responses.replace(responses.GET, URL, body=GOOD)
    assert get(caller()).value.total == 2


@responses.activate
@pytest.mark.parametrize("body", [b'{"things": {}, "total": 2}', b'{"things": []}', b"[]", b"null", b'"ada@example.com"'])
def test_json_of_another_shape_is_told_at_once_with_the_page(body: bytes) -> None:
    responses.get(URL, body=body)
    error = refused(caller())
    assert isinstance(error, ContractError)
    assert error.page == body
    assert "ada@" not in f"{error}{error!r}{error.detail}"
    assert len(responses.calls) == 1


@responses.activate
def test_a_body_beyond_the_limit_is_not_read_to_its_end() -> None:
    responses.get(URL, body=b"x" * 1_000_000)
    error = refused(caller(max_body_bytes=200_000))
    assert isinstance(error, ContractError)
    assert "200000 bytes" in str(error)
    assert len(error.page) < 500_000
    assert len(responses.calls) == 1


@responses.activate
def test_the_limit_counts_what_a_small_answer_unpacks_to() -> None:
    bomb = gzip.compress(b" " * 5_000_000)
    responses.get(URL, body=bomb, headers={"Content-Encoding": "gzip"})
    assert isinstance(refused(caller(max_body_bytes=1_000_000)), ContractError)


@contextmanager
def server(handle: Any) -> Iterator[str]:
    """A loopback server; `handle(handler)` answers a GET."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            handle(self)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, address: Any) -> None:
            """The client goes away on purpose."""

    with Server(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}/things"
        finally:
            listening.shutdown()
            thread.join()


def answer(handler: Any, body: bytes, length: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize("fault", ["torn", "reset"])
def test_an_answer_that_breaks_off_is_tried_again(fault: str) -> None:
    served: list[int] = []

    def handle(handler: Any) -> None:
        served.append(1)
        if len(served) < 3:
            if fault == "torn":
                answer(handler, GOOD[:10], length=len(GOOD))
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        answer(handler, GOOD)

    with server(handle) as url:
        one = caller()
        assert one.get(url, Things).value.total == 2
        one.close()
    assert len(served) == 3


def test_a_body_that_trickles_is_given_up() -> None:
    """Each byte comes in time; the whole never does."""
    clock = FixedClock(NOW)

    def handle(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(10):
            clock.advance(40)
            handler.wfile.write(b"1\r\n \r\n")
            handler.wfile.flush()
            time.sleep(0.01)  # noqa: TID251 - the other end of a socket
        handler.wfile.write(b"0\r\n\r\n")

    with server(handle) as url:
        one = Caller(make_session(), clock)
        with pytest.raises(SourceUnavailableError, match="longer"):
            one.get(url, Things)
        one.close()


# ---------------------------------------------------------------------- limits


@pytest.mark.parametrize("connections", [1, 3])
def test_no_more_calls_are_under_way_than_allowed(connections: int) -> None:
    lock, here, most = threading.Lock(), [0], [0]

    def handle(handler: Any) -> None:
        with lock:
            here[0] += 1
            most[0] = max(most[0], here[0])
        time.sleep(0.02)  # noqa: TID251 - the vendor at work
        with lock:
            here[0] -= 1
        answer(handler, GOOD)

    with server(handle) as url:
        one = Caller(make_session(pool_size=connections, pool_block=True), SystemClock(), connections=connections)
        threads = [threading.Thread(target=one.get, args=(url, Things)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one.close()
    assert most[0] == connections


def test_a_pause_before_a_retry_keeps_no_turn() -> None:
    """With one connection: while the first call waits to try again, a second one is let through."""
    paused, go_on, served = threading.Event(), threading.Event(), []

    class Waiting(FixedClock):
        def sleep(self, seconds: float) -> None:
            paused.set()
            assert go_on.wait(10)

    def handle(handler: Any) -> None:
        served.append(handler.path)
        if len(served) == 1:
            handler.send_error(503)
        else:
            answer(handler, GOOD)

    with server(handle) as url:
        one = Caller(make_session(), Waiting(NOW), connections=1)
        first = threading.Thread(target=one.get, args=(f"{url}/first", Things))
        first.start()
        assert paused.wait(10)
        one.get(f"{url}/second", Things)
        go_on.set()
        first.join()
        one.close()
    assert [path.rsplit("/", 1)[1] for path in served] == ["first", "second", "first"]


def test_calls_begin_no_faster_than_allowed() -> None:
    clock = FixedClock(NOW)
    limiter = Limiter(clock, connections=2, calls_per_second=4)
    begun = []
    for _ in range(5):
        with limiter.turn():
            begun.append(clock.monotonic())
    assert begun == [0, 0.25, 0.5, 0.75, 1.0]


@responses.activate
def test_a_cookie_is_not_kept() -> None:
    responses.get(URL, body=GOOD, headers={"Set-Cookie": "session=1; Path=/"})
    one = caller()
    get(one)
    get(one)
    assert "Cookie" not in responses.calls[1].request.headers


# ---------------------------------------------------------------------- silence


@responses.activate
@pytest.mark.parametrize(
    "answer_",
    [
        {"status": 401, "body": KEY},
        {"status": 404, "body": KEY},
        {"status": 429, "body": KEY, "headers": {"Retry-After": "9999"}},
        {"status": 503, "body": KEY},
        {"body": f"<html>{KEY}</html>"},
        {"body": f'{{"things": "{KEY}"}}'},
        {"body": requests.ConnectionError(f"Max retries exceeded with url: /v1/things?token={KEY}")},
        {"body": requests.exceptions.InvalidHeader(f"Invalid header value: {KEY!r}")},
    ],
    ids=["401", "404", "429", "503", "html", "shape", "connection", "header"],
)
def test_an_error_names_method_host_and_path_and_nothing_else(answer_: dict[str, Any]) -> None:
    responses.get(URL, **answer_)
    one = caller()
    error = refused(one)
    assert "GET api.example.com/v1/things/42" in str(error)
    chain: list[BaseException] = [error]
    while (further := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(further)
    shown = " ".join(f"{link} {link!r}" for link in chain) + error.detail + repr(one)
    assert KEY not in shown
    assert "token" not in shown
    assert "since" not in shown


def test_a_place_is_without_credentials_and_query() -> None:
    assert place_of("GET", "https://user:pass@api.example.com:8443/a/b?key=1#x") == "GET api.example.com:8443/a/b"


@responses.activate
def test_a_reply_shows_no_body() -> None:
    responses.get(URL, body=GOOD)
    assert "things" not in repr(get(caller()))


def test_a_secret_with_a_line_break_is_a_matter_of_credentials() -> None:
    one = caller()
    with pytest.raises(AuthError, match="cannot be sent") as caught:
        one.get(URL, Things, headers={"Authorization": Secret("abc\ndef", "t")})
    assert "abc" not in f"{caught.value!r}{caught.value.detail}{caught.value.__context__!r}"


# ---------------------------------------------------------------------- a body that tells the time


@responses.activate
def test_a_body_that_tells_the_time_is_made_for_each_try() -> None:
    """A signed assertion made before a long wait would be refused as stale."""
    clock = FixedClock(NOW)
    responses.post(URL, status=503, headers={"Retry-After": "40"})
    responses.post(URL, body=GOOD)
    caller(clock).post(URL, Things, lambda at: at.isoformat().encode())
    sent = [datetime.fromisoformat(call.request.body.decode()) for call in responses.calls]
    assert sent == [NOW, NOW + timedelta(seconds=40)]
