"""What is answered: short JSON with a constant word and what to do, a page for browsers, and the headers around both.

Nothing of a request is ever repeated in an answer but the sender's own message id, and a redirect that the options allow.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from syncd.intake.receiver import Receiver
from syncd.intake.refusals import RefusedError

_JSON = "application/json"
_SAFE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_ADVICE = {
    "unknown_source": "There is no such source here. Check the end of the address: /hooks/SOURCE.",
    "not_found": "There is nothing here. Deliveries go to /hooks/SOURCE.",
    "method_not_allowed": "Send it with POST.",
    "missing_signature": "Sign the request: webhook-id, webhook-timestamp and webhook-signature by Standard Webhooks 1.0.0.",
    "bad_header": "webhook-id is printable ASCII without dots, 200 characters at most; webhook-timestamp is whole Unix seconds.",
    "bad_signature": "No signature fits. Sign {id}.{timestamp}.{body} over the exact bytes that are sent, with this source's secret.",
    "stale_timestamp": "The signature fits, but its time is too far from ours. Set the clock, or sign each attempt anew.",
    "not_an_event": "Send {type, timestamp, data: {...}}.",
    "unknown_event": "This type of event is not taken here; docs/connectors/webhook.md lists those that are.",
    "incomplete_event": "data lacks what this type of event must hold; see docs/connectors/webhook.md.",
    "bad_origin": "Pages of this origin may not post here.",
    "too_large": "The body is too large for this source. Send less at once.",
    "length_required": "State Content-Length, or send the body chunked.",
    "bad_length": "Content-Length is no number.",
    "bad_type": "This source does not take this Content-Type.",
    "bad_encoding": "Send the body without Content-Encoding.",
    "slow_body": "The body did not come in time. Send it again.",
    "broken_off": "The body ended early. Send it again.",
    "too_many_requests": "Too many requests. Send it again after Retry-After seconds.",
    "overloaded": "Too much waits to be stored. Send it again after Retry-After seconds.",
    "not_stored": "It could not be stored. Send it again after Retry-After seconds.",
    "test_lead": "The test has arrived. It is counted and not kept.",
    "internal_error": "Something went wrong here. Send it again.",
}
_THANKS = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    b"<title>Thank you</title><p>Thank you. We have received your message.</p></html>"
)


def refused(error: RefusedError) -> Response:
    """The answer to a request that is not let in."""
    advice = _ADVICE.get(error.reason, "This request is not taken by this source.")
    return _json({"error": error.reason, "message": advice}, error.status, error.headers)


def stored(delivery_id: str, status: int) -> Response:
    """The answer to a program, after the commit."""
    return _json({"status": "stored", "id": delivery_id} if delivery_id else {"status": "stored"}, status)


def said(answer: bytes, media_type: str, status: int) -> Response:
    """What a connector says itself: the answer to a vendor's challenge."""
    return Response(answer, status, {**_SAFE, "content-type": media_type})


def thanks() -> Response:
    """The answer to a person whose form names no next page."""
    return Response(_THANKS, 200, {**_SAFE, "content-security-policy": "default-src 'none'"}, "text/html; charset=utf-8")


def redirected(target: str) -> Response:
    """Send a browser to the page that follows; 303, so that it asks for it with GET."""
    return Response(b"", 303, {**_SAFE, "location": target})


def preflight(receiver: Receiver, origin: str) -> Response:
    """Whether a page of `origin` may post by fetch; silence means no."""
    headers = {"allow": ", ".join((*receiver.reception.methods, "OPTIONS"))}
    if _is_allowed(receiver, origin):
        headers |= {
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "content-type",
            "access-control-max-age": "600",
        }
    return Response(b"", 204, headers)


def shared(response: Response, receiver: Receiver, origin: str) -> Response:
    """Let a page of an allowed origin read the answer, also a refusal."""
    if receiver.reception.origins:
        response.headers["vary"] = "Origin"
        if _is_allowed(receiver, origin):
            response.headers["access-control-allow-origin"] = origin
    return response


def document(facts: Mapping[str, object], status: int = 200) -> Response:
    """Any JSON object."""
    return _json(facts, status)


def _is_allowed(receiver: Receiver, origin: str) -> bool:
    return bool(origin) and (origin in receiver.reception.origins or "*" in receiver.reception.origins)


def _json(facts: Mapping[str, object], status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(facts), status, {**_SAFE, **(headers or {})}, _JSON)
