"""Access tokens: one log-in at a time, renewed before they expire, shared by all threads, never revoked.

A token of one user may be shared by other clients; revoking or logging out would end theirs too (reference
salesforce.md 2.4). Log-in by password does not exist here: SOAP login ends in Summer '27.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from syncd.clock import Clock
from syncd.errors import AuthError, SalesforceUnavailableError
from syncd.http import Session, TransportError, is_untrusted_certificate, retry_after_seconds, retrying
from syncd.salesforce.faults import BusyError
from syncd.salesforce.ids import is_sf_id, to_18
from syncd.salesforce.settings import ClientCredentials, JwtBearer, OrgSettings

_RENEW_AT_SHARE = 0.75
_LOGIN_WINDOW_SECONDS = 10.0
_LOGINS_PER_WINDOW = 3
"""Log-ins count against a rate limit (3,600 an hour and user, unverified): an org that ends sessions at once is not stormed."""
_ASSERTION_LIFE_SECONDS = 180
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

_ADVICE = {
    "invalid_client_id": (
        "Check consumer_key: it is the Consumer Key of the External Client App, and a new app takes up to 10 minutes to work."
    ),
    "invalid_client": (
        "Check consumer_key and consumer_secret against the External Client App; a rotated secret stops working at once."
    ),
    "invalid_grant": (
        "Check that the app is enabled for this flow, that its Run-As user (client credentials) or the JWT username is active "
        "and pre-authorised by a permission set, that login_url is the org's own My Domain, and that this clock is right."
    ),
    "unsupported_grant_type": "Enable the flow in the External Client App (Client Credentials Flow or JWT Bearer Flow).",
    "inactive_user": "Activate the integration user or choose another Run-As user in the app's policies.",
    "inactive_org": "The org is locked or suspended: ask Salesforce or the org's admin.",
    "app_not_found": (
        "Give the org's own My Domain as login_url; External Client Apps are not found through login or test.salesforce.com."
    ),
    "invalid_app_access": "Give the integration user access to the app: its permission set must be among the app's policies.",
    "unauthorized_client": "Allow this flow in the External Client App and pre-authorise the integration user.",
    "invalid_scope": "Give the app the OAuth scope api.",
}
"""OAuth error to what an admin checks (reference salesforce.md 2.1 and 2.2)."""
_TEMPORARY = frozenset({"server_error", "temporarily_unavailable", "unknown_error", "rate_limit_exceeded"})


@dataclass(frozen=True, slots=True)
class Token:
    """One access token. `generation` counts log-ins, so that two threads agree on which one expired."""

    access_token: str = field(repr=False)
    instance_url: str
    org_id: str
    user_id: str
    generation: int
    renew_at: float  # monotonic seconds


class TokenProvider:
    """Gives the current token; any number of threads may ask."""

    def __init__(self, settings: OrgSettings, session: Session, clock: Clock) -> None:
        """Nothing is sent before the first `token()`."""
        self._settings = settings
        self._session = session
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refusal: AuthError | None = None
        self._logins: deque[float] = deque(maxlen=_LOGINS_PER_WINDOW)

    def token(self) -> Token:
        """The current token, fresh for at least a quarter of its assumed life; logs in if there is none.

        Raises:
            AuthError: The org refused the credentials; remembered, so that nothing is tried again by itself.
            SalesforceUnavailableError: No answer, or a temporary one.
        """
        current = self._token
        if current is not None and self._clock.monotonic() < current.renew_at:
            return current
        with self._lock:
            current = self._token
            if current is not None and self._clock.monotonic() < current.renew_at:
                return current
            return self._log_in()

    def renew(self, stale: Token) -> Token:
        """The token to use after the org answered 401 to `stale`; logs in unless another thread already did.

        Raises:
            AuthError: As `token`.
            SalesforceUnavailableError: As `token`.
        """
        with self._lock:
            current = self._token
            if current is not None and current.generation != stale.generation:
                return current
            return self._log_in()

    def _log_in(self) -> Token:
        """Log in; the caller holds the lock."""
        if self._refusal is not None:
            raise AuthError(self._refusal.message, advice=self._refusal.advice)
        now = self._clock.monotonic()
        if len(self._logins) == _LOGINS_PER_WINDOW and now - self._logins[0] < _LOGIN_WINDOW_SECONDS:
            self._clock.sleep(_LOGIN_WINDOW_SECONDS - (now - self._logins[0]))
        attempts = retrying(self._clock, retry_on=(SalesforceUnavailableError,), attempts=3, total_seconds=60.0)
        try:
            answer: dict[str, Any] = attempts(self._request)
        except AuthError as error:
            self._refusal = error
            raise
        generation = self._token.generation + 1 if self._token else 1
        self._token = self._parse(answer, generation)
        self._logins.append(self._clock.monotonic())
        return self._token

    def _request(self) -> dict[str, Any]:
        """One token request; its fields are in reference salesforce.md 2.1."""
        url = f"{self._settings.origin}/services/oauth2/token"
        auth = self._settings.auth
        try:
            if isinstance(auth, ClientCredentials):
                form = {"grant_type": "client_credentials"}
                response = self._session.post(url, data=form, auth=(auth.consumer_key, auth.consumer_secret))
            else:
                form = {"grant_type": _JWT_GRANT, "assertion": self._assertion(auth)}
                response = self._session.post(url, data=form)
        except TransportError as error:
            raise self._unreachable(error) from error
        try:
            body = response.json()
        except ValueError:
            body = None
        if response.status_code == 200 and isinstance(body, dict):
            return body
        raise self._refused(response.status_code, body, retry_after_seconds(response.headers, self._clock.now()))

    def _assertion(self, auth: JwtBearer) -> str:
        import jwt

        claims = {
            "iss": auth.consumer_key,
            "sub": auth.username,
            # The My Domain is a legal audience for both kinds of app; login and test are not (salesforce.md 2.2).
            "aud": self._settings.origin,
            "exp": int(self._clock.now().timestamp()) + _ASSERTION_LIFE_SECONDS,
        }
        try:
            return jwt.encode(claims, auth.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise AuthError(
                "salesforce.auth.private_key is not a usable RSA private key.",
                advice="Give the PEM text of the key whose certificate the External Client App holds, without a passphrase.",
            ) from error

    def _unreachable(self, error: Exception) -> SalesforceUnavailableError:
        host = urlsplit(self._settings.login_url).netloc
        if is_untrusted_certificate(error):
            return SalesforceUnavailableError(
                f"The certificate of {host} is not trusted.",
                advice="If a proxy or the sandbox signs it, name its authority in salesforce.ca_file.",
                detail=type(error).__name__,
            )
        return SalesforceUnavailableError(
            f"The log-in at {host} could not be reached.",
            advice="Check salesforce.login_url and the network.",
            detail=type(error).__name__,
        )

    def _refused(self, status: int, body: Any, wish: float | None) -> AuthError | SalesforceUnavailableError:
        code = body.get("error") if isinstance(body, dict) else None
        description = str(body.get("error_description") or "") if isinstance(body, dict) else ""
        host = urlsplit(self._settings.login_url).netloc
        is_passing = code in _TEMPORARY or "rate exceeded" in description.lower()
        if not isinstance(code, str) or status >= 500 or status == 429 or is_passing:
            return BusyError(f"The log-in at {host} answered HTTP {status} without a usable reason.", retry_after_seconds=wish)
        return AuthError(
            f"Salesforce refused the log-in at {host} with {code}.",
            advice=_ADVICE.get(code, "Check the External Client App and the integration user."),
            detail=description,
        )

    def _parse(self, answer: dict[str, Any], generation: int) -> Token:
        token, instance, identity = (answer.get(name) for name in ("access_token", "instance_url", "id"))
        ids = str(identity or "").rstrip("/").split("/")[-2:]
        is_safe = isinstance(instance, str) and urlsplit(instance).scheme == "https" and bool(urlsplit(instance).hostname)
        if not (isinstance(token, str) and token and is_safe and len(ids) == 2 and all(is_sf_id(one) for one in ids)):
            raise SalesforceUnavailableError(
                "The log-in answered without a usable token, instance_url (https) or id.",
                advice="Check that salesforce.login_url leads to Salesforce and not to a proxy's page.",
            )
        renew_at = self._clock.monotonic() + self._settings.token_life_seconds * _RENEW_AT_SHARE
        return Token(token, str(instance), to_18(ids[0]), to_18(ids[1]), generation, renew_at)
