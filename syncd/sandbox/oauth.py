"""Log-in: client credentials (and JWT bearer without checking the signature), as reference salesforce.md 2.1 tells."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from syncd.sandbox.org import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg

if TYPE_CHECKING:
    from syncd.sandbox.rest import Response


def bearer(headers: dict[str, str]) -> str:
    """The token of a request."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token if kind in ("Bearer", "OAuth") else ""


def token(org: SandboxOrg, headers: dict[str, str], body: bytes) -> Response:
    """Answer a token request; log-ins are no API calls."""
    from syncd.sandbox.rest import Response

    form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    key, secret = form.get("client_id", ""), form.get("client_secret", "")
    kind, _, encoded = headers.get("authorization", "").partition(" ")
    if kind == "Basic":
        key, _, secret = base64.b64decode(encoded).decode().partition(":")
    grant = form.get("grant_type")
    if grant == "client_credentials":
        if (key, secret) != (CONSUMER_KEY, CONSUMER_SECRET):
            return Response(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
    elif grant != "urn:ietf:params:oauth:grant-type:jwt-bearer":
        return Response(400, {"error": "unsupported_grant_type", "error_description": "grant type not supported"})
    with org.lock:
        made = f"{org.org_id[:15]}!AR{len(org.tokens):06d}{org.chance.getrandbits(64):016x}"
        org.tokens.add(made)
    host = headers.get("host", "127.0.0.1")
    answer: dict[str, Any] = {
        "access_token": made,
        "instance_url": f"https://{host}",
        "id": f"https://login.salesforce.com/id/{org.org_id}/{org.integration_user_id}",
        "token_type": "Bearer",
        "issued_at": str(int(org.clock.now().timestamp() * 1000)),
        "signature": "sandbox",
    }
    return Response(200, answer)
