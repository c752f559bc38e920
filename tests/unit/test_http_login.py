"""Calls that log in: new headers once for a 401, questions by POST, and queries that are sent as they are."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import requests
import responses

from syncd.clock import FixedClock
from syncd.connector import Secret
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http import Caller, make_session
from syncd.http.caller import ATTEMPTS

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://api.example.com/v1/leads"
LOGIN = "https://login.example.com/token"
KEY = "s3cret"
BODY = b'{"email":"ada@example.com"}'
Headers = Mapping[str, str | Secret]


class Found(msgspec.Struct):
    """The shape of the tests."""

    total: int


class Token(msgspec.Struct):
    """What the log-in gives."""

    access_token: str


def caller(clock: FixedClock | None = None, **options: Any) -> Caller:
    return Caller(make_session(), clock or FixedClock(NOW), **options)


class Login:
    """Logs in with the keys in their order; `asked` are the questions it was called with."""

    def __init__(self, *keys: str) -> None:
        self._keys = list(keys)
        self.asked: list[bool] = []

    def __call__(self, is_refused: bool) -> Headers:
        self.asked.append(is_refused)
        return {"Authorization": Secret(f"Bearer {self._keys.pop(0)}", "test")}


def sent() -> list[str | None]:
    """The log-ins of all calls to the API."""
    return [one.request.headers.get("Authorization") for one in responses.calls if str(one.request.url).startswith(URL)]


CALLS: dict[str, Callable[..., Any]] = {
    "get": lambda one, **options: one.get(URL, Found, **options).value.total,
    "post": lambda one, **options: one.post(URL, Found, BODY, **options).value.total,
    "send": lambda one, **options: msgspec.json.decode(one.send("POST", URL, BODY, **options).body)["total"],
}


@pytest.fixture(params=sorted(CALLS))
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Every way of calling."""
    return CALLS[request.param]


def answers(*statuses: int) -> None:
    for status in statuses:
        for method in (responses.GET, responses.POST):
            responses.add(method, URL, status=status, body=b'{"total": 7}')


# ---------------------------------------------------------------- logged in


@responses.activate
def test_a_call_carries_what_logs_it_in(call: Callable[..., Any]) -> None:
    answers(200)
    login = Login("one")
    assert call(caller(), auth=login, headers={"X-More": "1"}) == 7
    assert (login.asked, sent()) == ([False], ["Bearer one"])
    assert responses.calls[0].request.headers["X-More"] == "1"


@responses.activate
def test_a_refused_login_is_made_anew_once(call: Callable[..., Any]) -> None:
    answers(401, 200)
    clock, login = FixedClock(NOW), Login("one", "two")
    assert call(caller(clock), auth=login) == 7
    assert (login.asked, sent()) == ([False, True], ["Bearer one", "Bearer two"])
    assert clock.monotonic() == 0.0, "at once"


@responses.activate
def test_a_login_that_is_refused_twice_is_an_error(call: Callable[..., Any]) -> None:
    answers(401)
    login = Login("one", "two")
    with pytest.raises(AuthError) as caught:
        call(caller(), auth=login)
    assert (login.asked, len(sent())) == ([False, True], 2)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(vars(caught.value))
    assert "Bearer" not in shown


@responses.activate
def test_without_a_login_a_401_is_an_error_at_once(call: Callable[..., Any]) -> None:
    answers(401)
    with pytest.raises(AuthError):
        call(caller())
    assert len(sent()) == 1


@responses.activate
def test_a_try_after_a_throttle_asks_for_the_current_login(call: Callable[..., Any]) -> None:
    """It may have ended meanwhile."""
    answers(429, 200)
    login = Login("one", "two")
    assert call(caller(), auth=login) == 7
    assert (login.asked, sent()) == ([False, False], ["Bearer one", "Bearer two"])


@responses.activate
def test_logging_in_takes_no_turn_from_itself(call: Callable[..., Any]) -> None:
    """With one connection the call waits for its log-in outside of its turn."""
    answers(401, 200)
    responses.post(LOGIN, json={"access_token": "t"})
    one = caller(connections=1)
    assert call(one, auth=lambda _: {"Authorization": one.post(LOGIN, Token, b"").value.access_token}) == 7
    assert sent() == ["t", "t"]


@responses.activate
@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [(503, SourceUnavailableError, ATTEMPTS), (429, RateLimitedError, ATTEMPTS), (400, ContractError, 1), (403, AuthError, 1)],
)
@pytest.mark.parametrize("is_refused_first", [False, True], ids=["at first", "after a 401"])
def test_a_login_that_fails_says_so_and_nothing_was_sent(
    call: Callable[..., Any], status: int, kind: type[SyncdError], tries: int, is_refused_first: bool
) -> None:
    """It has had its own tries: those of the call are not added. What is sent once is surely not sent, or was answered by a 401."""
    answers(401)
    responses.post(LOGIN, status=status, json={"access_token": "s3cret"})
    one = caller()

    def login(is_refused: bool) -> Headers:
        if is_refused_first and not is_refused:
            return {"Authorization": "old"}
        return {"Authorization": one.post(LOGIN, Token, b"").value.access_token}

    with pytest.raises(kind) as caught:
        call(one, auth=login)
    assert type(caught.value) is kind
    assert "login.example.com" in str(caught.value)
    assert sum(str(made.request.url) == LOGIN for made in responses.calls) == tries
    assert len(sent()) == int(is_refused_first)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


# ---------------------------------------------------------------- questions by POST


@responses.activate
def test_a_question_by_post_is_tried_again_with_the_same_body() -> None:
    """A form as a token endpoint takes it."""
    responses.post(URL, status=503)
    responses.post(URL, body=b"{tor")
    responses.post(URL, json={"total": 7})
    form = b"grant_type=client_credentials&scope=a+b"
    reply = caller().post(URL, Found, form, content_type="application/x-www-form-urlencoded", params={"v": "1 2"})
    assert (reply.value.total, len(responses.calls)) == (7, 3)
    for made in responses.calls:
        assert (made.request.method, made.request.body, made.request.url) == ("POST", form, f"{URL}?v=1+2")
        assert made.request.headers["Content-Type"] == "application/x-www-form-urlencoded"


@responses.activate
def test_a_question_by_post_is_json_unless_it_says_otherwise_and_fails_as_any_other() -> None:
    responses.post(URL, json={"total": "many"})
    with pytest.raises(ContractError) as caught:
        caller().post(URL, Found, BODY)
    assert responses.calls[0].request.headers["Content-Type"] == "application/json"
    assert "ada" not in "".join(traceback.format_exception(caught.value))


# ---------------------------------------------------------------- queries as they are


@responses.activate
@pytest.mark.parametrize(
    "query",
    [
        "q=owner&owner=(value:urn%3Ali%3AsponsoredAccount%3A1)&ids=List(urn%3Ali%3Aa%3A1,urn%3Ali%3Aa%3A2)",
        "filtering=%5B%7B%22field%22:%22time_created%22,%22operator%22:%22GREATER_THAN%22,%22value%22:1%7D%5D",
        "fields=id,created_time&since=2026-03-01T10:00:00Z",
    ],
)
def test_a_query_of_a_vendors_own_kind_is_sent_as_it_is(query: str) -> None:
    """What LinkedIn's Rest.li and Meta's lists need: parentheses, colons and commas stay, and nothing is encoded twice."""
    responses.get(URL, json={"total": 7})
    assert caller().get(URL, Found, query=query).value.total == 7
    assert responses.calls[0].request.url == f"{URL}?{query}"


@responses.activate
@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503},
        {"status": 404},
        {"status": 429},
        {"body": b"{}"},
        {"body": b"{"},
        {"body": requests.ConnectionError(f"{URL}?token={KEY}")},
    ],
)
def test_a_query_is_in_no_error(answer: dict[str, Any]) -> None:
    responses.get(URL, **answer)
    with pytest.raises(SyncdError) as caught:
        caller().get(URL, Found, query=f"token={KEY}")
    error = caught.value
    assert KEY not in "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    assert "api.example.com/v1/leads" in str(error)
