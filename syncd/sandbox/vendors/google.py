"""What Google's vendors have in common: the token endpoint, scopes, the shape of errors (reference, sources.md 6)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import Tokens, Vendor, bearer, route

GOOGLE_CLIENT_ID = "1234567890-sandbox.apps.googleusercontent.com"
GOOGLE_CLIENT_SECRET = "GOCSPX-sandbox-6c656164"  # noqa: S105 - public on purpose
GOOGLE_REFRESH_TOKEN = "1//sandbox-refresh-7274"  # noqa: S105 - public on purpose
GOOGLE_ROBOT = "leads-robot@sandbox.iam.example.com"
TOKEN_URI = "https://oauth2.example.com/token"  # noqa: S105 - an address
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE_SECONDS = 3_599
_STATUS_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


@cache
def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def service_account_key() -> str:
    """The JSON key file of the sandbox's service account; another one in each process."""
    pem = _private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {"type": "service_account", "client_email": GOOGLE_ROBOT, "private_key_id": "sandbox"}
    return json.dumps({**key, "private_key": pem.decode(), "token_uri": TOKEN_URI})


class GoogleVendor(Vendor):
    """One project at Google.

    Attributes:
        tokens: Given out so far. scopes: Which ones each may.
        delegated: Users that the service account may stand for.
        consented: Scopes that the refresh token was given for; None: all.
        is_revoked: The key was deleted, or the consent taken back.
    """

    def __init__(self, **given: Any) -> None:
        """Nobody has logged in."""
        super().__init__(**given)
        self.tokens = Tokens(self.clock, "ya29.sandbox-")
        self.scopes: dict[str, frozenset[str]] = {}
        self.delegated: set[str] = set()
        self.consented: frozenset[str] | None = None
        self.is_revoked = False

    @staticmethod
    def consent(url: str) -> dict[str, str]:
        """Options of a source that logs in by a person's consent, at this vendor served at `url`."""
        login = {"refresh_token": GOOGLE_REFRESH_TOKEN, "client_id": GOOGLE_CLIENT_ID, "client_secret": GOOGLE_CLIENT_SECRET}
        return {"base_url": url, "token_url": f"{url}/token", **login}

    def is_logged_in(self, request: Request) -> bool:
        """By an access token."""
        return self.tokens.is_good(bearer(request))

    def may(self, request: Request, *scopes: str) -> bool:
        """Whether the token has one of the scopes."""
        granted = self.scopes.get(bearer(request), frozenset())
        return "*" in granted or bool(granted & set(scopes))

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """`{"error": {...}}`."""
        reason = {Kind.THROTTLED: "RATE_LIMIT_EXCEEDED", Kind.EXPIRED: "ACCESS_TOKEN_EXPIRED"}.get(kind) if kind else None
        return self.said(status, message, reason or "")

    @staticmethod
    def said(status: int, message: str, reason: str = "") -> Response:
        """An error with a reason."""
        error: dict[str, Any] = {"code": status, "message": message, "status": _STATUS_WORDS.get(status, "UNKNOWN")}
        if reason:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
        return Response(status, {"error": error})

    @route("POST", "/token", is_open=True)
    def token(self, request: Request) -> Response:
        """An access token for an assertion, or for a refresh token."""
        form = {name: values[-1] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        grant = form.get("grant_type")
        granted = self._by_assertion(form) if grant == _JWT else self._by_consent(form)
        if isinstance(granted, str):
            status = 401 if granted in ("invalid_client", "unauthorized_client") else 400
            return Response(status, {"error": granted, "error_description": "Account of somebody@example.com"})
        token = self.tokens.issue(_LIFE_SECONDS)
        self.scopes[token] = granted
        return Response(200, {"access_token": token, "expires_in": _LIFE_SECONDS, "token_type": "Bearer"})

    def _by_consent(self, form: dict[str, str]) -> frozenset[str] | str:
        if (form.get("client_id"), form.get("client_secret")) != (GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET):
            return "invalid_client"
        if self.is_revoked or form.get("refresh_token") != GOOGLE_REFRESH_TOKEN:
            return "invalid_grant"
        return frozenset({"*"}) if self.consented is None else self.consented

    def _by_assertion(self, form: dict[str, str]) -> frozenset[str] | str:
        key = _private_key().public_key()
        try:
            # Its own times are judged by the vendor's clock, below.
            claims = jwt.decode(
                form.get("assertion", ""),
                key,
                algorithms=["RS256"],
                audience=TOKEN_URI,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return "invalid_grant"
        now = self.now().timestamp()
        is_timely = claims["iat"] - 300 <= now < claims["exp"] <= claims["iat"] + 3_600
        if self.is_revoked or claims["iss"] != GOOGLE_ROBOT or not is_timely:
            return "invalid_grant"
        if "sub" in claims and claims["sub"] not in self.delegated:
            return "unauthorized_client"
        return frozenset(str(claims["scope"]).split())
