"""The real intake on real sockets: stored before it is answered, and nobody gets in or in the way who should not."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import event

from connectors.webhook import CONNECTOR, WebhookOptions
from syncd.clock import SystemClock
from syncd.connector import Delivery, Health, HttpRequest, Options, Reception, Session, Verdict
from syncd.intake import IntakeLimits, IntakeServer, Probes, Receiver
from syncd.log import get_log
from syncd.store import DeliveryJournal, open_journal
from tests.intake import BODY, KEY, Running, counted, head, label_values, listening, rest_of, send_until_closed, signed, source

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
NOW = SystemClock().now


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Running]:
    """One source, signed; patience is short where a test waits for its end."""
    with Running(tmp_path, limits=IntakeLimits(head_seconds=0.4, body_seconds=0.4)) as running:
        yield running


@pytest.fixture
def form_intake(tmp_path: Path) -> Iterator[Running]:
    """One source that takes forms of one site."""
    forms = {"origins": ["https://www.acme.com"], "honeypot": "website_2"}
    with Running(tmp_path, source(forms=forms), source("own", forms={"redirect": "https://www.acme.com/done"})) as running:
        yield running


def error_of(answer: requests.Response) -> tuple[int, str]:
    found = answer.json()
    assert set(found) == {"error", "message"}
    assert found["message"].endswith(".")
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, found["error"]


# ---------------------------------------------------------------- stored, then answered


def test_a_signed_delivery_is_stored_when_it_is_answered(intake: Running) -> None:
    before = NOW()
    answer = intake.send(headers={**signed(), "content-type": "Application/JSON; Charset=UTF-8", "x-note": "dropped"})
    (stored,) = intake.stored()
    assert (answer.status_code, answer.json()) == (202, {"status": "stored", "id": "msg_1"})
    assert (stored.source, stored.body, stored.delivery_id, stored.kept) == ("site", BODY, "msg_1", {})
    assert stored.content_type == "application/json; charset=utf-8"
    assert stored.sent_at is not None
    assert before <= stored.received_at <= NOW()
    assert intake.wakes == 1


def test_the_body_is_stored_byte_by_byte(intake: Running) -> None:
    """Also one that is no JSON: it is looked at later, never here."""
    body = bytes(range(256)) * 4
    assert intake.send(body).status_code == 202
    assert intake.stored()[0].body == body


def test_a_replay_is_answered_alike_and_left_to_the_inbox(intake: Running) -> None:
    headers = signed()
    assert [intake.send(headers=headers).status_code for _ in range(2)] == [202, 202]
    assert [one.delivery_id for one in intake.stored()] == ["msg_1", "msg_1"]


def test_an_empty_body_may_be_signed(intake: Running) -> None:
    assert intake.send(b"", headers={**signed(b""), "content-length": "0"}).status_code == 202
    assert intake.stored()[0].body == b""


def test_a_chunked_body_is_taken(intake: Running) -> None:
    parts = [BODY[:7], BODY[7:]]
    answer = requests.post(intake.url("/hooks/site"), data=iter(parts), headers=signed(), timeout=30)
    assert answer.status_code == 202
    assert intake.stored()[0].body == BODY


def test_many_at_once_share_commits(tmp_path: Path) -> None:
    """While one commit waits for the file, whoever comes waits for the next one."""
    with Running(tmp_path) as intake, ThreadPoolExecutor(40) as pool:
        commits: list[int] = []
        event.listen(intake.journal.db.engine, "commit", lambda connection: commits.append(1))
        lock = locked(tmp_path)
        answers = [pool.submit(intake.send, headers=signed(message_id=f"msg_{number}")) for number in range(40)]
        while intake.get("/healthz").json()["waiting_count"] < 40:
            pass
        lock.close()
        assert [one.result().status_code for one in answers] == [202] * 40
        assert len(intake.stored()) == 40
        assert 1 <= intake.wakes <= 3
        assert len(commits) <= 4


def test_deliveries_to_a_journal_on_postgresql(store_url: str, tmp_path: Path) -> None:
    with Running(tmp_path, store_url=store_url) as intake:
        assert intake.send().status_code == 202
        assert len(intake.stored()) == 1


# ---------------------------------------------------------------- refused


REFUSED: list[tuple[str, Callable[[], dict[str, str]], tuple[int, str]]] = [
    ("unsigned", lambda: JSON, (401, "missing_signature")),
    ("forged", lambda: signed(key=b"other-key"), (401, "bad_signature")),
    ("another body", lambda: signed(b"{}"), (401, "bad_signature")),
    ("an old time", lambda: signed(at=NOW().timestamp() - 3_600), (401, "stale_timestamp")),
    ("a future time", lambda: signed(at=NOW().timestamp() + 3_600), (401, "stale_timestamp")),
    ("an id with dots", lambda: {**signed(), "webhook-id": "a.b"}, (401, "bad_header")),
    ("a huge id", lambda: {**signed(), "webhook-id": "x" * 5_000}, (401, "bad_header")),
    ("a time that is none", lambda: {**signed(), "webhook-timestamp": "1e9"}, (401, "bad_header")),
    ("text", lambda: {**signed(), "content-type": "text/plain"}, (415, "bad_type")),
    ("xml", lambda: {**signed(), "content-type": "application/xml"}, (415, "bad_type")),
    ("no type", lambda: {**signed(), "content-type": ""}, (415, "bad_type")),
    ("gzip", lambda: {**signed(), "content-encoding": "gzip"}, (415, "bad_encoding")),
    ("a form without signature", lambda: FORM, (401, "missing_signature")),
]


@pytest.mark.parametrize(("headers", "expected"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_what_is_not_let_in_is_told_why_and_leaves_nothing(
    intake: Running, headers: Callable[[], dict[str, str]], expected: tuple[int, str]
) -> None:
    before = counted("site", expected[1])
    answer = intake.send(headers=headers())
    assert error_of(answer) == expected
    assert counted("site", expected[1]) == before + 1
    assert intake.stored() == []
    assert intake.wakes == 0


def test_an_unknown_source_is_no_label_and_no_line(intake: Running) -> None:
    before = counted("-", "unknown_source")
    for name in ("nowhere", "%0a%7b%22event%22%3a1%7d", "site%2f", "a" * 3_000, "%F0%9F%98%80"):
        assert error_of(intake.send(path=f"/hooks/{name}"))[0] == 404
    assert counted("-", "unknown_source") >= before + 4
    intake.stop()
    assert {line["source"] for line in intake.logged("delivery_refused")} == {"-"}
    assert not any("nowhere" in value or "\n" in value for value in label_values("source"))


@pytest.mark.parametrize("path", ["/", "/hooks", "/hooks/", "/hooks/site/", "/hooks/site/more", "/docs", "//hooks/site"])
def test_other_paths_are_not_there_and_nobody_is_sent_on(intake: Running, path: str) -> None:
    assert error_of(intake.send(path=path))[0] == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_told_what_is_allowed(intake: Running, method: str) -> None:
    answer = requests.request(method, intake.url("/hooks/site"), timeout=30)
    assert answer.status_code == 405
    assert {one.strip() for one in answer.headers["allow"].split(",")} == {"POST", "OPTIONS"}


def test_nothing_of_a_request_is_in_an_answer_or_a_line(intake: Running) -> None:
    texts = ["s3cret-body", "s3cret-query", "s3cret-header"]
    answer = requests.post(
        intake.url("/hooks/site?token=s3cret-query"),
        data=b"s3cret-body",
        headers={**JSON, "authorization": "s3cret-header"},
        timeout=30,
    )
    intake.stop()
    shown = answer.text + str(dict(answer.headers)) + str(intake.lines)
    assert answer.status_code == 401
    assert not any(text in shown for text in texts)
    assert "127.0.0.1" not in str(intake.lines)
    assert KEY.decode() not in shown


class Broken:
    """Somebody else's connector with a bug."""

    name = "broken"
    Options = Options

    def check(self, session: Session, options: Any) -> Health:
        return Health(True)

    def streams(self, options: Any) -> tuple[str, ...]:
        return ("x",)

    def reception(self, options: Any) -> Reception:
        return Reception()

    def verify(self, request: HttpRequest, options: Any, at: datetime) -> Verdict:
        raise ZeroDivisionError(request.body.decode())

    def parse(self, delivery: Delivery, options: Any) -> tuple[Any, ...]:
        return ()


def test_a_bug_of_a_connector_stops_no_other_source(tmp_path: Path) -> None:
    with Running(tmp_path, source(), Receiver("bad", Broken(), None)) as intake:
        assert error_of(intake.send(path="/hooks/bad")) == (500, "internal_error")
        assert intake.send().status_code == 202
        (line,) = intake.logged("delivery_refused")
        assert (line["source"], line["reason"], line["error_type"]) == ("bad", "internal_error", "ZeroDivisionError")
        assert "ada" not in str(intake.lines)


# ---------------------------------------------------------------- sizes and broken requests


def test_too_large_a_body_is_refused_by_its_length_before_it_is_sent(intake: Running) -> None:
    answer = intake.raw(head({**signed(), "content-length": "1000001"}))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"too_large"' in answer


@pytest.mark.parametrize("length", ["9" * 19, "0" * 18 + "1000001"])
def test_odd_lengths_are_refused(intake: Running, length: str) -> None:
    assert intake.raw(head({**signed(), "content-length": length}))[9:12] in (b"400", b"413")


def test_the_sender_of_too_large_a_body_sees_why(intake: Running) -> None:
    assert error_of(intake.send(b"x" * 3_000_000)) == (413, "too_large")
    assert intake.send(b"x" * 1_000_000).status_code == 202


def test_too_large_a_chunked_body_is_refused_while_it_comes(intake: Running) -> None:
    with intake.connect() as connection:
        connection.sendall(head({**signed(), "transfer-encoding": "chunked"}))
        part = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        for _ in range(16):
            connection.sendall(part)
        assert rest_of(connection).startswith(b"HTTP/1.1 413 "), "no end of the body was sent"
    assert intake.stored() == []


def test_a_body_of_unknown_length_is_refused(intake: Running) -> None:
    assert intake.raw(head(signed())).startswith(b"HTTP/1.1 411 ")


def test_a_body_that_breaks_off_is_not_stored(intake: Running) -> None:
    before = counted("site", "broken_off")
    with intake.connect() as connection:
        connection.sendall(head({**signed(), "content-length": str(len(BODY))}) + BODY[:10])
        connection.shutdown(socket.SHUT_RDWR)
    while counted("site", "broken_off") == before:
        intake.get("/healthz")
    assert intake.stored() == []


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"POST /hooks/site HTTP/1.1\r\nhost: t\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /hooks/site HTTP/1.1\r\nhost: t\r\ncontent-length: -1\r\n\r\n",
        b"POST /hooks/site HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /hooks/site HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_turned_away(intake: Running, sent: bytes) -> None:
    answer = intake.raw(sent)
    assert answer == b"" or answer[9:10] == b"4"
    assert intake.stored() == []
    assert intake.send().status_code == 202


def test_whoever_waits_for_100_continue_is_told_before_he_sends(intake: Running) -> None:
    with intake.connect() as connection:
        connection.sendall(head({**signed(), "content-length": str(len(BODY)), "expect": "100-continue"}))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert rest_of(connection).startswith(b"HTTP/1.1 202 ")
    refused = head({"content-type": "text/xml", "content-length": "5", "expect": "100-continue"}).replace(
        b"connection: close\r\n", b""
    )
    answer = intake.raw(refused)
    assert answer.startswith(b"HTTP/1.1 415 "), "and the connection is closed, or this would wait"
    assert b"100 Continue" not in answer


# ---------------------------------------------------------------- the slow and the many


def test_slow_heads_are_closed_and_delay_nobody(intake: Running) -> None:
    slow = [intake.connect() for _ in range(50)]
    for number, connection in enumerate(slow):
        connection.sendall(b"POST /hooks/site HTTP/1.1\r\nhost: t\r\nx: "[: number + 1])
    assert [intake.send().status_code for _ in range(5)] == [202] * 5
    assert [rest_of(connection) for connection in slow] == [b""] * 50
    for connection in slow:
        connection.close()


def test_slow_bodies_are_given_up_and_delay_nobody(intake: Running) -> None:
    slow = [intake.connect() for _ in range(50)]
    for connection in slow:
        connection.sendall(head({**signed(), "content-length": str(len(BODY))}) + BODY[:5])
    assert [intake.send().status_code for _ in range(5)] == [202] * 5
    for connection in slow:
        answer = rest_of(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()
        connection.close()
    assert len(intake.stored()) == 5


def test_a_body_that_was_answered_early_may_not_go_on_for_ever(intake: Running) -> None:
    with intake.connect() as connection:
        keeps = head({**JSON, "transfer-encoding": "chunked", "content-encoding": "gzip"}).replace(b"connection: close\r\n", b"")
        connection.sendall(keeps)
        assert connection.recv(20).startswith(b"HTTP/1.1 415 ")
        send_until_closed(connection, b"400\r\n" + b"x" * 1_024 + b"\r\n")


def test_a_connection_that_asks_nothing_more_is_closed(intake: Running) -> None:
    with intake.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n")
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_too_large_a_head_is_closed(tmp_path: Path) -> None:
    with Running(tmp_path, limits=IntakeLimits(head_bytes=8_192, head_seconds=600)) as intake, intake.connect() as connection:
        connection.sendall(b"POST /hooks/site HTTP/1.1\r\n")
        send_until_closed(connection, b"x-filler: " + b"x" * 1_000 + b"\r\n")
        assert intake.send().status_code == 202


def test_pipelined_requests_are_all_answered(intake: Running) -> None:
    keeps = head({**signed(), "content-length": str(len(BODY))}).replace(b"connection: close\r\n", b"") + BODY
    last = head({**signed(), "content-length": str(len(BODY))}) + BODY
    assert intake.raw(keeps + keeps + last).count(b"HTTP/1.1 202 ") == 3
    assert len(intake.stored()) == 3


def test_whoever_holds_all_connections_takes_them_from_himself(tmp_path: Path) -> None:
    """More idle connections than there may be: those that ask are answered all the same, the oldest idle ones go."""
    with Running(tmp_path, limits=IntakeLimits(connections=10)) as intake:
        idle = [intake.connect() for _ in range(30)]
        assert [intake.send().status_code for _ in range(5)] == [202] * 5
        assert rest_of(idle[0]) == b""
        for connection in idle:
            connection.close()


def test_slow_bodies_on_all_connections_make_room(tmp_path: Path) -> None:
    """Each connection is busy with a body that never ends: the oldest of them go for those who ask."""
    with Running(tmp_path, limits=IntakeLimits(connections=10, body_seconds=600, drain_seconds=1)) as intake:
        slow = [intake.connect() for _ in range(10)]
        for connection in slow:
            connection.sendall(head({**signed(), "content-length": "100"}) + b"x")
        assert [intake.send().status_code for _ in range(3)] == [202] * 3
        assert rest_of(slow[0]).startswith(b"HTTP/1.1 408 ")
        for connection in slow:
            connection.close()


class Dying(DeliveryJournal):
    """A journal with a bug."""

    def put(self, deliveries: Any) -> None:
        raise ZeroDivisionError


def test_a_bug_while_storing_ends_the_process_and_leaves_nobody_waiting(tmp_path: Path) -> None:
    taken = listening()
    port = taken.getsockname()[1]
    journal = Dying(f"sqlite:///{tmp_path / 'syncd.db'}", SystemClock())
    server = IntakeServer([source()], journal, SystemClock(), get_log())
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.run, [taken])
        answer = requests.post(f"http://127.0.0.1:{port}/hooks/site", data=BODY, headers=signed(), timeout=30)
        assert error_of(answer) == (503, "not_stored")
        with pytest.raises(ZeroDivisionError):
            running.result(timeout=30)
    journal.close()


def test_bodies_that_take_all_the_room_are_given_up_oldest_first(tmp_path: Path) -> None:
    limits = IntakeLimits(reading_bytes=300_000)
    with Running(tmp_path, limits=limits) as intake:
        slow = [intake.connect() for _ in range(4)]
        for connection in slow:
            connection.sendall(head({**signed(), "content-length": "200000"}) + b"x" * 120_000)
        assert rest_of(slow[0]).startswith(b"HTTP/1.1 408 ")
        assert intake.send(b"x" * 100_000).status_code == 202
        for connection in slow:
            connection.close()


def test_a_flood_is_let_in_at_its_rate_and_is_its_sources_own(tmp_path: Path) -> None:
    with Running(tmp_path, source(per_second=0.01, burst=5), source("other")) as intake:
        answers = [intake.send() for _ in range(20)]
        assert [one.status_code for one in answers] == [202] * 5 + [429] * 15
        assert error_of(answers[-1]) == (429, "too_many_requests")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 100
        assert intake.send(path="/hooks/other").status_code == 202
        assert len(intake.stored()) == 6


def test_without_a_rate_everything_is_let_in(tmp_path: Path) -> None:
    with Running(tmp_path, source(per_second=0, burst=1)) as intake, requests.Session() as session:
        codes = [session.post(intake.url("/hooks/site"), data=BODY, headers=signed(), timeout=30).status_code for _ in range(50)]
        assert codes == [202] * 50


def test_a_flood_of_forgeries_is_no_flood_of_lines(intake: Running) -> None:
    before = counted("site", "bad_signature")
    with requests.Session() as session:
        for _ in range(120):
            session.post(intake.url("/hooks/site"), data=BODY, headers=signed(key=b"forged"), timeout=30)
    intake.stop()
    lines = intake.logged("delivery_refused")
    assert [line["count"] for line in lines] == [1, 119]
    assert {(line["source"], line["reason"], line["http_status"]) for line in lines} == {("site", "bad_signature", 401)}
    assert counted("site", "bad_signature") == before + 120


# ---------------------------------------------------------------- when it cannot be stored


def locked(folder: Path) -> sqlite3.Connection:
    """Somebody else holds the journal; closing the connection lets go."""
    other = sqlite3.connect(folder / "syncd.db-intake", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def limited(intake: Running, pragma: str) -> Callable[[], None]:
    """Every connection of the journal has `pragma` from now on; gives what ends it."""

    def limit(connection: Any, record: Any) -> None:
        connection.execute(f"PRAGMA {pragma}")

    event.listen(intake.journal.db.engine, "connect", limit)
    intake.journal.db.reopen()

    def lift() -> None:
        event.remove(intake.journal.db.engine, "connect", limit)
        intake.journal.db.reopen()

    return lift


@pytest.mark.parametrize("pragma", ["max_page_count = 8", "query_only = 1"])
def test_when_it_cannot_be_stored_nobody_is_told_that_it_was(tmp_path: Path, pragma: str) -> None:
    """A full disk, a file without rights: 503 for everybody, told once, and on again by itself."""
    with Running(tmp_path, limits=IntakeLimits(probe_seconds=30)) as intake:
        lift = limited(intake, pragma)
        body = b"x" * 100_000
        answers = [intake.send(body) for _ in range(3)]
        assert [error_of(one) for one in answers] == [(503, "not_stored")] * 3
        assert answers[0].headers["retry-after"] == "5"
        assert intake.get("/readyz").status_code == 503
        assert intake.get("/readyz").json()["why"] == ["Deliveries cannot be stored."]
        assert (intake.get("/healthz").status_code, intake.get("/healthz").json()["storing"]) == (200, False)
        assert len(intake.logged("intake_lost")) == 1
        assert intake.wakes == 0
        lift()
        assert intake.send(body).status_code == 202
        assert intake.get("/readyz").status_code == 200
        assert len(intake.logged("intake_recovered")) == 1
        assert [one.body for one in intake.stored()] == [body]


def test_it_finds_out_by_itself_that_it_can_store_again(tmp_path: Path) -> None:
    """A balancer that asks /readyz sends nobody meanwhile."""
    with Running(tmp_path, limits=IntakeLimits(probe_seconds=0.05)) as intake:
        lift = limited(intake, "query_only = 1")
        assert intake.send().status_code == 503
        assert intake.get("/readyz").status_code == 503
        lift()
        while intake.get("/readyz").status_code != 200:
            pass
        assert len(intake.logged("intake_lost")) == len(intake.logged("intake_recovered")) == 1


def test_a_locked_journal_is_waited_for_and_what_waits_is_bounded(tmp_path: Path) -> None:
    with Running(tmp_path, limits=IntakeLimits(waiting_count=2)) as intake, ThreadPoolExecutor(2) as pool:
        lock = locked(tmp_path)
        waiting = [pool.submit(intake.send) for _ in range(2)]
        while intake.get("/healthz").json()["waiting_count"] < 2:
            pass
        answer = intake.send()
        assert error_of(answer) == (503, "overloaded")
        assert answer.headers["retry-after"] == "5"
        lock.close()
        assert [one.result().status_code for one in waiting] == [202, 202]
        assert len(intake.stored()) == 2


def test_what_waits_is_bounded_in_bytes(tmp_path: Path) -> None:
    with Running(tmp_path, limits=IntakeLimits(waiting_bytes=150_000)) as intake, ThreadPoolExecutor(1) as pool:
        lock = locked(tmp_path)
        waiting = pool.submit(intake.send, b"x" * 100_000)
        while intake.get("/healthz").json()["waiting_bytes"] < 100_000:
            pass
        assert error_of(intake.send(b"x" * 100_000)) == (503, "overloaded")
        lock.close()
        assert waiting.result().status_code == 202


# ---------------------------------------------------------------- browsers


def test_a_page_of_an_allowed_origin_may_ask_and_post_and_read(form_intake: Running) -> None:
    url, origin = form_intake.url("/hooks/site"), {"origin": "https://www.acme.com"}
    asked = requests.options(
        url,
        headers={**origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type"},
        timeout=30,
    )
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "https://www.acme.com"
    assert asked.headers["access-control-allow-methods"] == "POST"
    assert asked.headers["access-control-allow-headers"] == "content-type"
    assert asked.headers["vary"] == "Origin"
    posted = requests.post(url, data=BODY, headers={**origin, **JSON, "sec-fetch-mode": "cors"}, timeout=30)
    assert (posted.status_code, posted.json()) == (202, {"status": "stored"})
    assert posted.headers["access-control-allow-origin"] == "https://www.acme.com"
    refused = requests.post(url, data=BODY, headers={**origin, "content-type": "text/plain"}, timeout=30)
    assert refused.headers["access-control-allow-origin"] == "https://www.acme.com", "also a refusal can be read"


@pytest.mark.parametrize("origin", ["https://evil.test", "https://www.acme.com.evil.test", "http://www.acme.com", "null", "*"])
def test_other_pages_may_not(form_intake: Running, origin: str) -> None:
    url = form_intake.url("/hooks/site")
    asked = requests.options(url, headers={"origin": origin, "access-control-request-method": "POST"}, timeout=30)
    posted = requests.post(url, data=BODY, headers={"origin": origin, **JSON}, timeout=30)
    for answer in (asked, posted):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert answer.headers["vary"] == "Origin"
    assert error_of(posted) == (401, "missing_signature")
    assert form_intake.stored() == []


def test_a_preflight_of_an_unknown_source_is_not_found(form_intake: Running) -> None:
    assert requests.options(form_intake.url("/hooks/nowhere"), timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("path", "wanted", "target"),
    [
        ("/hooks/site", "https://www.acme.com/thanks?x=1", "https://www.acme.com/thanks?x=1"),
        ("/hooks/site", "https://evil.test/", None),
        ("/hooks/site", "https://www.acme.com@evil.test/", None),
        ("/hooks/own", "https://www.acme.com/other", "https://www.acme.com/other"),
        ("/hooks/own", "//evil.test", "https://www.acme.com/done"),
        ("/hooks/own", "https://www.acme.com/\r\nset-cookie: a=b", "https://www.acme.com/done"),
        ("/hooks/own", "", "https://www.acme.com/done"),
    ],
)
def test_a_browser_is_sent_to_allowed_pages_only(form_intake: Running, path: str, wanted: str, target: str | None) -> None:
    answer = requests.post(
        form_intake.url(path),
        data={"email": "ada@example.com", "retURL": wanted},
        headers={"accept": "text/html,*/*"},
        allow_redirects=False,
        timeout=30,
    )
    assert (answer.status_code, answer.headers.get("location")) == ((303, target) if target else (200, None))
    assert "set-cookie" not in answer.headers
    if target is None:
        assert "Thank you" in answer.text
        assert "evil" not in answer.text
    assert len(form_intake.stored()) == 1


def test_a_form_with_a_file_is_stored_as_it_came(form_intake: Running) -> None:
    answer = requests.post(
        form_intake.url("/hooks/site"), data={"email": "ada@example.com"}, files={"cv": ("cv.pdf", b"%PDF")}, timeout=30
    )
    assert answer.status_code == 202
    (stored,) = form_intake.stored()
    assert b"%PDF" in stored.body
    (record,) = CONNECTOR.parse(stored, WebhookOptions(forms={}))
    assert record.payload == b'{"email":"ada@example.com"}'


def test_a_robot_is_answered_like_everybody_and_set_aside_later(form_intake: Running) -> None:
    answer = requests.post(form_intake.url("/hooks/site"), data={"email": "bot@example.com", "website_2": "x"}, timeout=30)
    assert answer.status_code == 202
    (reject,) = CONNECTOR.parse(form_intake.stored()[0], WebhookOptions(forms={"honeypot": "website_2"}))
    assert reject.reason == "honeypot"


# ---------------------------------------------------------------- questions


def test_it_tells_how_it_is(tmp_path: Path) -> None:
    why: list[str] = []
    probes = Probes(lambda: why, lambda: {"engine": "idle"}, lambda: b"syncd_of_both_processes 1\n")
    with Running(tmp_path, probes=probes) as intake:
        health = intake.get("/healthz").json()
        assert (health["status"], health["storing"], health["engine"], health["waiting_count"]) == ("ok", True, "idle", 0)
        assert intake.get("/readyz").json() == {"ready": True, "why": []}
        why.append("The engine does not run.")
        assert (intake.get("/readyz").status_code, intake.get("/readyz").json()["why"]) == (503, why)
        assert intake.get("/metrics").text == "syncd_of_both_processes 1\n"


def test_requests_are_counted_and_timed(intake: Running) -> None:
    before = counted("site", "stored")
    intake.send()
    text = intake.get("/metrics").text
    assert f'syncd_webhook_requests_total{{outcome="stored",source="site"}} {before + 1}' in text
    assert 'syncd_webhook_seconds_bucket{le="0.05",source="site"}' in text


# ---------------------------------------------------------------- its end


def test_what_is_under_way_is_finished_before_it_ends(tmp_path: Path) -> None:
    with Running(tmp_path) as intake, ThreadPoolExecutor(1) as pool:
        lock = locked(tmp_path)
        waiting = pool.submit(intake.send)
        while intake.get("/healthz").json()["waiting_count"] < 1:
            pass
        intake.server.stop()
        while True:  # until it takes no more connections
            try:
                intake.connect().close()
            except OSError:
                break
        assert not intake.is_over
        lock.close()
        assert waiting.result().status_code == 202
        intake.stop()
        assert len(intake.stored()) == 1


def test_the_drain_has_an_end(tmp_path: Path) -> None:
    """A request that does not come to its end is left."""
    with Running(tmp_path, limits=IntakeLimits(drain_seconds=1, body_seconds=600)) as intake, intake.connect() as connection:
        connection.sendall(head({**signed(), "content-length": "100"}) + b"x")
        intake.stop()
        assert intake.is_over


SERVER = """\
import signal, socket, sys
from connectors.webhook import CONNECTOR, WebhookOptions
from syncd import log
from syncd.clock import SystemClock
from syncd.connector import Secret
from syncd.intake import IntakeServer, Receiver
from syncd.store import open_journal

log.configure("info", json=True)
journal = open_journal(sys.argv[1])
listening = socket.socket(fileno=int(sys.argv[2]))
options = WebhookOptions(secret=Secret(sys.argv[3], "test"), per_second=0)
server = IntakeServer([Receiver("site", CONNECTOR, options)], journal, SystemClock(), log.get_log())
signal.signal(signal.SIGTERM, lambda *_: server.stop())
signal.signal(signal.SIGINT, signal.SIG_IGN)
server.run([listening])
journal.close()
print("drained", signal.getsignal(signal.SIGINT) == signal.SIG_IGN, flush=True)
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The intake in a process of its own, and its address."""
    taken = listening()
    url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    arguments = [sys.executable, "-c", SERVER, f"sqlite:///{tmp_path / 'syncd.db'}", str(taken.fileno()), KEY.decode()]
    made = subprocess.Popen(arguments, pass_fds=[taken.fileno()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    taken.close()
    assert requests.get(f"{url}/healthz", timeout=60).status_code == 200
    yield made, url
    made.kill()
    made.communicate()


def test_signals_are_its_callers_business(process: tuple[subprocess.Popen[str], str]) -> None:
    made, url = process
    made.send_signal(signal.SIGINT)
    assert requests.post(f"{url}/hooks/site", data=BODY, headers=signed(), timeout=30).status_code == 202
    made.send_signal(signal.SIGTERM)
    assert made.communicate(timeout=60) == ("drained True\n", ""), "and nothing of uvicorn is logged"
    assert made.returncode == 0


def test_what_was_answered_survives_a_kill(process: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    """kill -9 under load: every delivery that was answered 2xx is in the journal."""
    made, url = process
    answered: list[str] = []
    enough = threading.Event()

    def send(name: int) -> None:
        with requests.Session() as session:
            for number in range(100_000):
                message_id = f"m-{name}-{number}"
                try:
                    code = session.post(
                        f"{url}/hooks/site", data=BODY, headers=signed(message_id=message_id), timeout=30
                    ).status_code
                except requests.RequestException:
                    return
                assert code == 202
                answered.append(message_id)
                if len(answered) >= 200:
                    enough.set()

    with ThreadPoolExecutor(8) as pool:
        senders = [pool.submit(send, number) for number in range(8)]
        assert enough.wait(60)
        os.kill(made.pid, signal.SIGKILL)
        for sender in senders:
            sender.result()
    journal = open_journal(f"sqlite:///{tmp_path / 'syncd.db'}")
    stored = {one.delivery_id for one in journal.take(200_000)}
    journal.close()
    assert len(answered) >= 200
    assert set(answered) <= stored


def test_instants_are_utc(intake: Running) -> None:
    intake.send()
    assert intake.stored()[0].received_at.tzinfo == UTC
