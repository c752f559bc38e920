"""How Google lets a program in, and what its answers mean: what the connectors for Google share. Not a connector.

A service account signs a JWT (RS256) and gets a token for an hour; a person's consent is a refresh token that gives the same
(reference, sources.md 3 and 6; Google Identity, "Using OAuth 2.0 for server to server applications"). Errors of its newer APIs are
`{"error": {"code", "message", "status", "details": [{"reason"}]}}`. Nothing here quotes a message of Google's: it may hold an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlencode

import msgspec
from pydantic import Field, model_validator

from syncd.connector.http import Auth, Row, Token
from syncd.connector.session import Options, Session
from syncd.connector.tools import BaseUrl, at_path
from syncd.errors import AuthError, RateLimitedError, SyncdError
from syncd.model.secret import Secret

_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE_SECONDS = 3_600
QUOTA_SECONDS = 30.0
"""A quota per minute is refilled within two waits of this."""
_QUOTA_REASONS = frozenset({"RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded"})

_WHY = {
    "invalid_grant": (
        "Of service_account: the key was deleted or its account disabled, subject is nobody, or the clock of this machine is minutes"
        " off. Of refresh_token: the consent was taken back or has ended (after 7 days while the consent screen is in testing)."
    ),
    "unauthorized_client": (
        "With subject, an administrator grants the service_account these very scopes: Admin console, Security, Access and data"
        " control, API controls, Domain-wide delegation. A refresh_token belongs to the client_id that asked for it."
    ),
    "invalid_client": "Check client_id and client_secret of the refresh_token: Cloud console, APIs and services, Credentials.",
    "invalid_scope": "A scope is not known to Google; check service_account and subject.",
}


class GoogleOptions(Options):
    """The options of whoever logs in at Google: a service account, or a person's consent."""

    service_account: Secret | None = Field(
        default=None,
        description="JSON key of a service account, the whole file; what is to be read is shared with its client_email.",
        examples=[{"env": "GOOGLE_SERVICE_ACCOUNT"}],
    )
    subject: str | None = Field(
        default=None,
        min_length=3,
        description="User of your Workspace whom the service account stands for (domain-wide delegation); nobody if not given.",
        examples=["leads@example.com"],
    )
    refresh_token: Secret | None = Field(
        default=None,
        description="Instead of service_account: a person's consent; with client_id and client_secret.",
        examples=[{"env": "GOOGLE_REFRESH_TOKEN"}],
    )
    client_id: str | None = Field(
        default=None,
        description="OAuth client that the consent was given to.",
        examples=["1234567890-abc.apps.googleusercontent.com"],
    )
    client_secret: Secret | None = Field(
        default=None, description="Secret of that OAuth client.", examples=[{"env": "GOOGLE_CLIENT_SECRET"}]
    )
    token_url: BaseUrl = Field(default="https://oauth2.googleapis.com/token", description="Where tokens are given out.")

    @model_validator(mode="after")
    def _has_a_login(self) -> Self:
        if self.service_account is None and not (self.refresh_token and self.client_id and self.client_secret):
            raise ValueError("give service_account, or refresh_token with client_id and client_secret")
        return self

    @property
    def login_option(self) -> str:
        """The option that a refused login is about; a service account goes first."""
        return "service_account" if self.service_account is not None else "refresh_token"


class _Key(msgspec.Struct):
    """What is needed of a service account's key file."""

    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = ""


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float = float(_LIFE_SECONDS)


def login(session: Session, options: GoogleOptions, *scopes: str) -> Auth:
    """The `auth` of calls to Google: a bearer token for these scopes, renewed once when it is refused."""

    def make(kept: Secret | None) -> Token:
        del kept  # Google gives the refresh token once, and no other in exchange.
        return _token(session, options, scopes)

    def headers(is_refused: bool) -> dict[str, str | Secret]:
        token = session.tokens.get(make, is_refused=is_refused)
        return {"Authorization": Secret(f"Bearer {token.reveal()}", options.login_option)}

    return headers


def _token(session: Session, options: GoogleOptions, scopes: tuple[str, ...]) -> Token:
    form: dict[str, str]
    if options.service_account is not None:
        key = _key_of(options.service_account)
        private = _private(key)

        def body(at: datetime) -> bytes:
            assertion = _assertion(key, private, options, scopes, at)
            return urlencode({"grant_type": _JWT_GRANT, "assertion": assertion}).encode()

    else:
        given = {"refresh_token": options.refresh_token, "client_secret": options.client_secret}
        form = {"grant_type": "refresh_token", "client_id": options.client_id or ""}
        form |= {name: secret.reveal() for name, secret in given.items() if secret is not None}

        def body(at: datetime) -> bytes:
            del at
            return urlencode(form).encode()

    def refused(answer: bytes) -> SyncdError:
        return _login_refused(options, scopes, answer)

    rows: dict[int, Row] = {400: refused, 401: refused, 403: refused}
    url, kind = options.token_url, "application/x-www-form-urlencoded"
    granted = session.http.post(url, _Granted, body, content_type=kind, rows=rows).value
    return Token(Secret(granted.access_token, options.login_option), granted.expires_in)


def _key_of(secret: Secret) -> _Key:
    try:
        return msgspec.json.decode(secret.reveal(), type=_Key)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    # Outside of the except clause: the cause could quote the key.
    raise AuthError(
        "service_account holds no key of a service account.",
        advice="Give the whole JSON file: Cloud console, IAM and admin, Service accounts, Keys, Add key, JSON.",
    )


def _private(key: _Key) -> Any:
    """The RSA key itself; reading it takes longer than signing."""
    from jwt.algorithms import RSAAlgorithm
    from jwt.exceptions import PyJWTError

    try:
        return RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(key.private_key)
    except (ValueError, TypeError, PyJWTError):
        pass
    raise AuthError(
        "The private_key in service_account is not a usable RSA key.", advice="Download a new key and give the whole file."
    )


def _assertion(key: _Key, private: Any, options: GoogleOptions, scopes: tuple[str, ...], at: datetime) -> str:
    import jwt

    now = int(at.timestamp())
    claims: dict[str, Any] = {
        "iss": key.client_email,
        "scope": " ".join(scopes),
        "aud": key.token_uri or options.token_url,
        "iat": now,
        "exp": now + _LIFE_SECONDS,
    }
    if options.subject is not None:
        claims["sub"] = options.subject
    return jwt.encode(claims, private, "RS256", {"kid": key.private_key_id} if key.private_key_id else None)


def _login_refused(options: GoogleOptions, scopes: tuple[str, ...], answer: bytes) -> SyncdError:
    code = error_of(answer)
    word = code if isinstance(code, str) and code in _WHY else ""
    why = _WHY.get(word, f"Check {options.login_option}.")
    wanted = f" Scopes: {' '.join(scopes)}." if word in ("unauthorized_client", "invalid_scope") else ""
    named = why if options.login_option in why else f"{why} ({options.login_option})"
    return AuthError(f"Google refuses the login{f' with {word}' if word else ''}.", advice=f"{named}{wanted}")


def reasons(answer: bytes) -> frozenset[str]:
    """The constant words of an error's `status` and of the `reason`s of its details, older and newer shape; empty if it is none."""
    error = error_of(answer)
    found = {at_path(error, "status")}
    for name in ("details", "errors"):
        members = at_path(error, name)
        found |= {at_path(one, "reason") for one in members if isinstance(one, dict)} if isinstance(members, list) else set()
    return frozenset(one for one in found if isinstance(one, str))


def rows(options: GoogleOptions, api: str, what: str, *scopes: str, missing: SyncdError) -> Mapping[int, Row]:
    """What statuses of Google's newer APIs mean: quotas, rights that are missing and who grants them, what is not there.

    Args:
        options: Name the login.
        api: As the Cloud console calls it: `Google Forms API`.
        what: What was asked for, as a sentence goes on: `form 1FAI`.
        scopes: Those that are needed.
        missing: The error for 404.
    """
    refused = AuthError(
        f"Google refuses the token for {what}.", advice=f"Check {options.login_option}; a new token did not help either."
    )

    def forbidden(answer: bytes) -> SyncdError:
        said = reasons(answer)
        if said & _QUOTA_REASONS:
            return _throttled(api)
        if "SERVICE_DISABLED" in said or "accessNotConfigured" in said:
            return AuthError(
                f"The {api} is not switched on in the project of the login.",
                advice=f"Cloud console, APIs and services, Library, {api}, Enable; it takes some minutes.",
            )
        if said & {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientPermissions"}:
            return AuthError(
                f"The login may not use the {api} for {what}.",
                advice=f"Give the consent (or the domain-wide delegation) anew with: {' '.join(scopes)}.",
            )
        return AuthError(
            f"Google lets the login not read {what}.",
            advice=f"Share it, with the right to view, with the account of {options.login_option} (client_email, or subject).",
        )

    return {401: refused, 403: forbidden, 404: missing, 429: lambda answer: _throttled(api)}  # noqa: ARG005 - a judge of the body


def _throttled(api: str) -> RateLimitedError:
    return RateLimitedError(
        f"The {api} says that its quota per minute is used up.",
        retry_after_seconds=QUOTA_SECONDS,
        advice="It is read again later; a larger poll_interval_seconds, or a quota of its own in the Cloud console, helps.",
    )


def error_of(answer: bytes) -> Any:
    """The member `error` of an answer, which may stand inside an array (streams); None without one."""
    try:
        found = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(found, list):
        found = next((one for one in found if isinstance(one, dict) and "error" in one), None)
    return at_path(found, "error")
