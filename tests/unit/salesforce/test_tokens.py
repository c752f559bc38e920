from __future__ import annotations

import base64
import json
import threading
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from syncd.errors import AuthError, ConfigError, SalesforceUnavailableError
from syncd.http import make_session
from syncd.salesforce import ClientCredentials, JwtBearer, OrgSettings
from syncd.salesforce.tokens import TokenProvider

ORIGIN = "https://acme.my.salesforce.com"


@pytest.fixture
def tokens(fake, settings, clock) -> TokenProvider:
    return TokenProvider(settings, make_session(https_only=True), clock)


def test_client_credentials_go_in_the_basic_header_and_never_in_the_form(fake, tokens) -> None:
    seen: list[requests.PreparedRequest] = []
    fake.on_login(lambda request: seen.append(request) or fake.json(grant()))
    token = tokens.token()
    assert token.access_token == "abc"
    assert token.org_id == "00D000000000001EAA"
    assert token.user_id == "005000000000001AAA"
    assert base64.b64decode(seen[0].headers["Authorization"].removeprefix("Basic ")) == b"key:top-secret"
    assert parse_qs(str(seen[0].body)) == {"grant_type": ["client_credentials"]}


def grant(**changes: Any) -> dict[str, Any]:
    return {
        "access_token": "abc",
        "instance_url": ORIGIN,
        "id": "https://login.salesforce.com/id/00D000000000001/005000000000001AAA",
        **changes,
    }


def test_a_jwt_names_key_user_and_the_own_domain(fake, clock) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    seen: list[str] = []
    fake.on_login(lambda request: seen.append(str(request.body)) or fake.json(grant()))
    settings = OrgSettings(ORIGIN, JwtBearer("sync@example.com", "key", pem))
    TokenProvider(settings, make_session(), clock).token()
    form = parse_qs(seen[0])
    claims = jwt.decode(
        form["assertion"][0],
        key.public_key(),
        algorithms=["RS256"],
        audience=ORIGIN,
        options={"verify_exp": False},
    )
    assert claims["iss"] == "key"
    assert claims["sub"] == "sync@example.com"
    assert claims["exp"] == int(clock.now().timestamp()) + 180


def test_a_private_key_that_is_none_is_an_auth_error_without_its_text(fake, clock) -> None:
    settings = OrgSettings(ORIGIN, JwtBearer("sync@example.com", "key", "hush-hush"))
    with pytest.raises(AuthError) as caught:
        TokenProvider(settings, make_session(), clock).token()
    assert "hush" not in f"{caught.value!r} {caught.value} {caught.value.detail}"


def test_eight_threads_log_in_once(fake, tokens) -> None:
    fake.on_login(lambda _: fake.json(grant()))
    found: list[str] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.append(tokens.token().access_token)

    run_in_threads(ask)
    assert found == ["abc"] * 8
    assert fake.logins == 1


def test_eight_threads_that_meet_one_expiry_log_in_once(fake, tokens) -> None:
    stale = tokens.token()
    barrier = threading.Barrier(8)
    generations: list[int] = []

    def renew() -> None:
        barrier.wait()
        generations.append(tokens.renew(stale).generation)

    run_in_threads(renew)
    assert generations == [2] * 8
    assert fake.logins == 2


def run_in_threads(work: Any) -> None:
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_token_is_renewed_at_three_quarters_of_its_life(fake, tokens, clock) -> None:
    tokens.token()
    clock.advance(5399)
    tokens.token()
    assert fake.logins == 1
    clock.advance(2)
    tokens.token()
    assert fake.logins == 2


def test_an_org_that_ends_each_session_at_once_is_not_stormed(fake, tokens, clock) -> None:
    token = tokens.token()
    for _ in range(6):
        token = tokens.renew(token)
    assert fake.logins == 7
    assert clock.monotonic() >= 20


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("invalid_client", "consumer_secret"),
        ("invalid_client_id", "consumer_key"),
        ("invalid_grant", "Run-As"),
        ("unsupported_grant_type", "flow"),
        ("inactive_user", "user"),
        ("app_not_found", "My Domain"),
        ("something_else", "External Client App"),
    ],
)
def test_a_refused_log_in_says_what_to_check_and_is_not_tried_again(fake, tokens, code, word) -> None:
    fake.on_login(lambda _: fake.json({"error": code, "error_description": "no"}, 400))
    for _ in range(3):
        with pytest.raises(AuthError) as caught:
            tokens.token()
        assert code in str(caught.value)
        assert word in caught.value.advice
        assert "top-secret" not in f"{caught.value!r}{caught.value}{caught.value.detail}"
    assert fake.logins == 1


def test_a_refusal_without_description_is_understood(fake, tokens) -> None:
    fake.on_login(lambda _: fake.json({"error": "invalid_client"}, 401))
    with pytest.raises(AuthError):
        tokens.token()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_log_in_that_is_temporarily_impossible_is_tried_again(fake, tokens, status) -> None:
    answers = iter([fake.text("<html>", status), fake.text("<html>", status), fake.json(grant())])
    fake.on_login(lambda _: next(answers))
    assert tokens.token().access_token == "abc"


def test_a_log_in_page_instead_of_a_token_is_unavailable(fake, tokens) -> None:
    fake.on_login(lambda _: fake.text("<html>hotel wifi</html>"))
    with pytest.raises(SalesforceUnavailableError):
        tokens.token()


@pytest.mark.parametrize(
    "changes",
    [{"access_token": ""}, {"instance_url": "http://acme.my.salesforce.com"}, {"id": "nonsense"}, {"instance_url": None}],
)
def test_a_token_that_cannot_be_used_safely_is_refused(fake, tokens, changes) -> None:
    fake.on_login(lambda _: fake.json(grant(**changes)))
    with pytest.raises(SalesforceUnavailableError):
        tokens.token()


def test_secrets_are_in_no_repr(settings, tokens) -> None:
    assert "top-secret" not in repr(settings)
    assert "hush" not in repr(JwtBearer("sync@example.com", "key", "hush"))
    assert "token-1" not in repr(tokens.token())


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com",
        "acme.my.salesforce.com",
        "https://acme.my.salesforce.com/services",
        "https://u:p@acme.com",
    ],
)
def test_a_log_in_address_must_be_a_plain_https_origin(url) -> None:
    with pytest.raises(ConfigError):
        OrgSettings(url, ClientCredentials("k", "s"))


@pytest.mark.parametrize("version", ["v62.0", "62,0", "latest", "50.0"])
def test_an_api_version_is_a_number_of_today(version) -> None:
    with pytest.raises(ConfigError):
        OrgSettings(ORIGIN, ClientCredentials("k", "s"), api_version=version)


def test_the_token_request_is_no_api_call(org, fake) -> None:
    fake.on("POST", "composite/sobjects/Lead", fake.json([None]))
    org.retrieve("Lead", ["00Q000000000001AAA"], ["City"])
    assert org.api_calls == 1
    assert json.dumps(fake.logins) == "1"
