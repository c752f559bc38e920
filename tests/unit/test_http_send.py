"""What is sent to a source: once, and answered, surely not sent, or unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses

from syncd.clock import FixedClock
from syncd.connector import Http, Secret
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http import Answer, Caller, make_session
from syncd.http.caller import ATTEMPTS, place_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://api.example.com/v1/things/42"
KEY = "very-secret-key"
BODY = b'{"email":"ada@example.com"}'


def caller(clock: FixedClock | None = None, **options: Any) -> Caller:
    return Caller(make_session(), clock or FixedClock(NOW), **options)


def send(one: Http | None = None, method: str = "POST", **options: Any) -> Answer | None:
    made = one or caller()
    found = made.send(method, URL, BODY, params={"skip": "true"}, headers={"X-Key": Secret(KEY, "t")}, **options)
    assert found is None or isinstance(found, Answer)
    return found


@responses.activate
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_is_sent_arrives_as_it_is(method: str) -> None:
    responses.add(method, URL, status=200, body=b'{"ok": 1}', headers={"X-Page": "7"})
    answer = send(method=method)
    assert answer is not None
    assert (answer.status, answer.body, answer.headers["x-page"]) == (200, b'{"ok": 1}', "7")
    request = responses.calls[0].request
    assert (request.method, request.body, request.headers["X-Key"]) == (method, BODY, KEY)
    assert request.headers["Content-Type"] == "application/json"
    assert str(request.url).endswith("?skip=true")
    assert "ok" not in repr(answer)


@responses.activate
@pytest.mark.parametrize("status", [302, 400, 404, 405, 410, 413, 422])
def test_a_refusal_is_an_answer(status: int) -> None:
    responses.post(URL, status=status, body=b"why", headers={"Location": "https://elsewhere.example.com/"})
    answer = send()
    assert answer is not None
    assert (answer.status, answer.body) == (status, b"why")
    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504, 599])
def test_a_status_that_says_nothing_of_what_was_done_is_unknown_and_not_sent_again(status: int) -> None:
    responses.post(URL, status=status, headers={"Retry-After": "1"})
    assert send() is None
    assert len(responses.calls) == 1


@responses.activate
def test_a_vendors_own_row_makes_an_answer_of_it() -> None:
    responses.post(URL, status=409)
    answer = send(rows={409: ContractError})
    assert answer is not None
    assert answer.status == 409


LOST = [
    requests.ReadTimeout("Read timed out."),
    requests.ConnectionError(ConnectionResetError(104, "reset")),
    requests.exceptions.ChunkedEncodingError("broken"),
    requests.ConnectionError("('Connection aborted.', RemoteDisconnected())"),
]


@responses.activate
@pytest.mark.parametrize("error", LOST, ids=lambda one: type(one).__name__)
def test_an_answer_that_does_not_come_is_unknown_and_nothing_is_sent_again(error: Exception) -> None:
    responses.post(URL, body=error)
    assert send() is None
    assert len(responses.calls) == 1


@responses.activate
def test_an_answer_without_end_is_unknown_unless_nobody_wants_it() -> None:
    responses.post(URL, body=b"x" * 5_000_000)
    assert send(caller(max_body_bytes=1_000)) is None
    answer = send(caller(max_body_bytes=1_000), reads_answer=False)
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"")


@responses.activate
def test_what_never_left_is_sent_again() -> None:
    responses.post(URL, body=requests.ConnectTimeout("no connection"))
    responses.post(URL, body=requests.ConnectTimeout("no connection"))
    responses.post(URL, status=204)
    clock = FixedClock(NOW)
    answer = send(caller(clock))
    assert answer is not None
    assert answer.status == 204
    assert 1.5 <= clock.monotonic() <= 3.0


@responses.activate
def test_what_never_left_and_then_may_have_is_unknown() -> None:
    responses.post(URL, body=requests.ConnectTimeout("no connection"))
    responses.post(URL, body=requests.ReadTimeout("Read timed out."))
    responses.post(URL, status=204)
    assert send() is None
    assert len(responses.calls) == 2


@responses.activate
def test_a_vendor_that_is_not_there_is_an_error_and_nothing_was_sent() -> None:
    responses.post(URL, body=requests.ConnectTimeout("no connection"))
    with pytest.raises(SourceUnavailableError) as caught:
        send()
    assert len(responses.calls) == ATTEMPTS
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert KEY not in f"{caught.value} {caught.value!r} {caught.value.detail}"
    assert "?" not in str(caught.value)


@responses.activate
def test_a_throttle_is_waited_for_and_then_an_error_that_carries_the_wish() -> None:
    responses.post(URL, status=429, headers={"Retry-After": "17"})
    responses.post(URL, status=204)
    clock = FixedClock(NOW)
    assert send(caller(clock)) is not None
    assert clock.monotonic() == 17.0
    responses.reset()
    responses.post(URL, status=429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimitedError) as caught:
        send()
    assert caught.value.retry_after_seconds == 3600.0
    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_an_error_at_once(status: int) -> None:
    responses.post(URL, status=status)
    with pytest.raises(AuthError):
        send()
    assert len(responses.calls) == 1


@responses.activate
def test_each_try_is_signed_anew_at_our_time() -> None:
    responses.post(URL, status=429, headers={"Retry-After": "40"})
    responses.post(URL, status=204)
    send(sign=lambda at: {"X-At": str(int((at - NOW).total_seconds()))})
    assert [call.request.headers["X-At"] for call in responses.calls] == ["0", "40"]


@responses.activate
@pytest.mark.parametrize("error", LOST[:2], ids=lambda one: type(one).__name__)
def test_nothing_of_a_lost_request_is_given_away(error: Exception) -> None:
    """Unknown is no error: there is no text that could quote anything. A refusal's error quotes the place only."""
    responses.post(URL, body=error)
    assert send() is None
    responses.replace(responses.POST, URL, status=401, body=BODY)
    with pytest.raises(SyncdError) as caught:
        send()
    shown = f"{caught.value} {caught.value!r} {caught.value.detail}"
    assert "POST api.example.com/v1/things/42" in shown
    assert "ada@" not in shown
    assert KEY not in shown


def test_what_may_be_the_hash_of_an_address_is_not_named() -> None:
    """MD5 of an address tells whose it is to everybody who can guess it."""
    url = "https://api.example.com/3.0/lists/a1b2c3d4e5/members/3e3417d7ef77d5932a6734b916515ed5/tags"
    assert place_of("POST", url) == "POST api.example.com/3.0/lists/a1b2c3d4e5/members/*/tags"
