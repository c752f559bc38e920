from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
import responses

from syncd.clock import FixedClock
from syncd.errors import AuthError, ConfigError, RateLimitedError, SourceUnavailableError
from syncd.http import error_class, make_session, nothing_sent, retry_after_seconds, retrying

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@responses.activate
def test_every_call_has_a_time_out_unless_it_names_its_own() -> None:
    responses.get("https://example.com/", body="ok")
    session = make_session(connect_timeout=3, read_timeout=7)
    session.get("https://example.com/")
    session.get("https://example.com/", timeout=1)
    assert [call.request.req_kwargs["timeout"] for call in responses.calls] == [(3, 7), 1]  # type: ignore[attr-defined]


@responses.activate
def test_a_redirect_is_not_followed() -> None:
    responses.get("https://example.com/", status=302, headers={"Location": "https://example.org/"})
    assert make_session().get("https://example.com/").status_code == 302


@responses.activate
def test_a_netrc_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine example.com login someone password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    responses.get("https://example.com/", body="ok")
    make_session().get("https://example.com/")
    assert "Authorization" not in responses.calls[0].request.headers


def test_plain_http_can_be_refused() -> None:
    with pytest.raises(requests.exceptions.InvalidSchema) as caught:
        make_session(https_only=True).get("http://example.com/")
    assert nothing_sent(caught.value)


def test_a_refused_connection_sent_nothing() -> None:
    with pytest.raises(requests.ConnectionError) as caught:
        make_session(connect_timeout=2).get("https://127.0.0.1:1/")
    assert nothing_sent(caught.value)


@pytest.mark.parametrize(
    "error", [requests.ReadTimeout(), requests.ConnectionError("reset"), requests.exceptions.ChunkedEncodingError()]
)
def test_what_broke_later_may_have_been_carried_out(error: Exception) -> None:
    assert not nothing_sent(error)


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_certificate_file_that_cannot_be_used_is_configuration(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match="ca_file"):
        make_session(ca_file=str(path))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17.0),
        ("0", 0.0),
        (" 3 ", 3.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("99999", 600.0),
        ("2026-03-01T12:00:45Z", 45.0),
        ("2026-03-01T13:00:45+01:00", 45.0),
        ("2026-03-01T11:59:00Z", 0.0),
        ("2026-03-01T12:00:45", None),
        ("2026-03-01", None),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_the_wish_to_wait_is_read_as_seconds_or_date(value: str, seconds: float | None) -> None:
    assert retry_after_seconds({"Retry-After": value}, NOW) == seconds


def test_without_the_header_there_is_no_wish() -> None:
    assert retry_after_seconds({}, NOW) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, None), (401, AuthError), (429, RateLimitedError), (500, SourceUnavailableError), (599, SourceUnavailableError)],
)
def test_a_status_means_an_error(status: int, expected: type[Exception] | None) -> None:
    assert error_class(status) is expected


def test_a_vendor_adds_its_own_rows() -> None:
    assert error_class(403, {403: RateLimitedError}) is RateLimitedError


def test_tries_end_after_their_number() -> None:
    clock = FixedClock(NOW)
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise SourceUnavailableError("away")

    with pytest.raises(SourceUnavailableError):
        retrying(clock, retry_on=(SourceUnavailableError,), attempts=4, chance=random.Random(1))(fail)
    assert len(calls) == 4
    assert 3.5 <= clock.monotonic() <= 7.0


def test_tries_end_before_their_time_is_over() -> None:
    clock = FixedClock(NOW)

    def fail() -> None:
        raise RateLimitedError("slow", retry_after_seconds=40)

    with pytest.raises(RateLimitedError):
        retrying(clock, retry_on=(RateLimitedError,), attempts=9, total_seconds=100)(fail)
    assert clock.monotonic() == 80


def test_what_is_not_named_is_not_tried_again() -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise AuthError("no")

    with pytest.raises(AuthError):
        retrying(FixedClock(NOW), retry_on=(SourceUnavailableError,))(fail)
    assert len(calls) == 1
