"""The login at Google that its connectors share: assertions, consents, what is refused and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.clock import FixedClock
from syncd.connector import Secret, Session
from syncd.connector.google import GoogleOptions, login, reasons, rows
from syncd.errors import AuthError, ContractError, RateLimitedError
from syncd.sandbox.vendors.google import GoogleVendor, service_account_key
from tests.contract.connectors.kit import NOW, lent

SCOPE = "https://www.googleapis.com/auth/forms.body.readonly"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def vendor(clock: FixedClock) -> GoogleVendor:
    return GoogleVendor(clock=clock)


@pytest.fixture
def session(vendor: GoogleVendor, clock: FixedClock, tmp_path: Path) -> Session:
    return lent(vendor, None, tmp_path, clock)[0]


def robot(**more: Any) -> GoogleOptions:
    given = {"service_account": Secret(service_account_key(), "test"), "token_url": "https://login.test/token", **more}
    return GoogleOptions(**given)


def enter(session: Session, options: GoogleOptions, *, is_refused: bool = False) -> str:
    header = login(session, options, SCOPE)(is_refused)["Authorization"]
    assert isinstance(header, Secret)
    return header.reveal().removeprefix("Bearer ")


def test_a_service_account_signs_for_its_scopes_and_the_token_is_kept_for_an_hour(
    session: Session, vendor: GoogleVendor, clock: FixedClock
) -> None:
    first = enter(session, robot())
    assert vendor.scopes[first] == {SCOPE}
    assert enter(session, robot()) == first
    clock.advance(3_600)
    assert enter(session, robot()) != first
    assert vendor.tokens.count == 2


def test_whom_it_stands_for_must_be_granted(session: Session, vendor: GoogleVendor) -> None:
    with pytest.raises(AuthError, match=rf"unauthorized_client.*Domain-wide delegation.*{SCOPE}"):
        enter(session, robot(subject="leads@example.com"))
    vendor.delegated.add("leads@example.com")
    assert enter(session, robot(subject="leads@example.com"))


def test_a_clock_that_is_off_and_a_key_that_is_gone_are_told_with_what_to_look_at(session: Session, vendor: GoogleVendor) -> None:
    vendor.is_revoked = True
    with pytest.raises(AuthError, match=r"invalid_grant.*service_account.*clock of this machine"):
        enter(session, robot())


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"client_email": "a", "private_key": "hush-hush"}', "\ud800"])
def test_what_is_no_key_is_said_without_showing_it(session: Session, vendor: GoogleVendor, text: str) -> None:
    with pytest.raises(AuthError, match="service_account") as caught:
        enter(session, robot(service_account=Secret(text, "test")))
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "hush" not in shown
    assert vendor.call_count == 0


@pytest.mark.parametrize(
    ("reason", "kind", "word"),
    [
        ("RATE_LIMIT_EXCEEDED", RateLimitedError, "quota"),
        ("SERVICE_DISABLED", AuthError, "Library"),
        ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", AuthError, SCOPE),
        ("", AuthError, "Share it"),
    ],
)
def test_a_403_says_who_grants_what(vendor: GoogleVendor, reason: str, kind: type[Exception], word: str) -> None:
    answer = vendor.said(403, "The caller somebody@example.com does not have permission", reason).payload
    judge = rows(robot(), "Google Forms API", "form f", SCOPE, missing=ContractError("gone"))[403]
    error = judge(answer)  # type: ignore[operator]
    assert isinstance(error, kind)
    assert word in str(error)
    assert "@" not in str(error)


def test_the_older_shape_of_errors_is_read_as_well() -> None:
    assert "userRateLimitExceeded" in reasons(b'{"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded"}]}}')
    assert reasons(b"<html>") == reasons(b"[1]") == reasons(b'{"error": "invalid_grant"}') == frozenset()
