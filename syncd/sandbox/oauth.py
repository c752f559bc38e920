"""Log-in: client credentials (and JWT bearer without checking the signature), as reference salesforce.md 2.1 tells."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from urllib.parse import parse_qs

from syncd.sandbox.message import Response
from syncd.sandbox.org import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg

_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def bearer(headers: dict[str, str]) -> str:
    """The token of a request."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token if kind in ("Bearer", "OAuth") else ""


def token(org: SandboxOrg, headers: dict[str, str], body: bytes) -> Response:
    """Answer a token request; log-ins are no API calls."""
    form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    grant = form.get("grant_type")
    if grant == "client_credentials":
        refusal = _check_client(headers, form)
    elif grant == _JWT:
        refusal = _check_assertion(form.get("assertion", ""))
    else:
        refusal = _refusal("unsupported_grant_type", "grant type not supported")
    if refusal is not None:
        return refusal
    with org.lock:
        made = f"{org.org_id[:15]}!AR{len(org.tokens):06d}{org.chance.getrandbits(64):016x}"
        org.tokens.add(made)
    answer: dict[str, Any] = {
        "access_token": made,
        "instance_url": f"https://{headers.get('host', '127.0.0.1')}",
        "id": f"https://login.salesforce.com/id/{org.org_id}/{org.integration_user_id}",
        "token_type": "Bearer",
        "issued_at": str(int(org.clock.now().timestamp() * 1000)),
        "signature": "sandbox",
        "scope": "api",
    }
    return Response(200, answer)


def _check_client(headers: dict[str, str], form: dict[str, str]) -> Response | None:
    key, secret = form.get("client_id", ""), form.get("client_secret", "")
    kind, _, encoded = headers.get("authorization", "").partition(" ")
    if kind == "Basic":
        try:
            key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return _refusal("invalid_client", "invalid client credentials", 401)
    if key != CONSUMER_KEY:
        return _refusal("invalid_client_id", "client identifier invalid")
    if secret != CONSUMER_SECRET:
        return _refusal("invalid_client", "invalid client credentials")
    return None


def _check_assertion(assertion: str) -> Response | None:
    """The claims are read, the signature is not checked: the sandbox has no certificate of yours."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))
        issuer = claims["iss"]
    except (IndexError, KeyError, TypeError, ValueError):
        return _refusal("invalid_grant", "invalid assertion")
    return None if issuer == CONSUMER_KEY else _refusal("invalid_client_id", "client identifier invalid")


def _refusal(error: str, description: str, status: int = 400) -> Response:
    return Response(status, {"error": error, "error_description": description})
