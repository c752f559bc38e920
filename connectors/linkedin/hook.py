"""What LinkedIn sends: the challenge, signed notifications, and the leads that they name. Pure.

"Webhooks" (webhook-validation), read 2026-08. The challenge is repeated every two hours; three failures block the hook.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec

from connectors.linkedin.options import LinkedInOptions
from syncd.connector import ERASURE_ASKED, WITHDRAWN, Delivery, HttpRequest, Reject, Verdict, Wanted
from syncd.connector.tools import DIGEST_BYTES, UNREADABLE, instant, is_signed, key_of, revealed, unhexed

_PREFIX = "urn:li:leadGenFormResponse:"
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def verdict(request: HttpRequest, options: LinkedInOptions) -> Verdict:
    """Of a notification by `X-LI-Signature`: hexadecimal, over `hmacsha256=` and the raw body. A GET is the challenge."""
    if request.method == "GET":
        return _challenged(request.query, options)
    text = request.headers.get("x-li-signature", "")
    if not text:
        return Verdict(refusal="missing_signature", status=401)
    signature = unhexed(text)
    if len(signature) != DIGEST_BYTES:
        return Verdict(refusal="bad_header", status=401)
    if not is_signed(signature, b"hmacsha256=" + request.body, revealed(options.client_secret)):
        return Verdict(refusal="bad_signature", status=401)
    return Verdict(status=200)


def _challenged(query: Mapping[str, str], options: LinkedInOptions) -> Verdict:
    """The answer proves that we have the client secret. Only a UUID is signed: any other text might be a forged notification's."""
    code, secrets = query.get("challengeCode", ""), revealed(options.client_secret)
    if not secrets or not re.fullmatch(_UUID, code):
        return Verdict(refusal="bad_challenge", status=400)
    # While the secret is rotated the first one is the new one.
    answer = {
        "challengeCode": code,
        "challengeResponse": hmac.new(secrets[0].encode(), code.encode(), hashlib.sha256).hexdigest(),
    }
    return Verdict(status=200, is_stored=False, answer=msgspec.json.encode(answer), answer_type="application/json")


class _Notification(msgspec.Struct):
    """Only what is needed of one."""

    type: str = ""
    leadAction: str = ""  # noqa: N815 - LinkedIn's names
    leadGenFormResponse: str = ""  # noqa: N815
    owner: dict[str, str] = {}
    leadType: str = ""  # noqa: N815
    occurredAt: int | None = None  # noqa: N815


def announcements(delivery: Delivery, options: LinkedInOptions) -> tuple[Wanted | Reject, ...]:
    """The lead that a notification names. Of an owner or type that is not read: none. A withdrawn one is always set aside for a person."""
    locator = f"webhook {delivery.sequence}"
    try:
        found = msgspec.json.decode(delivery.body, type=_Notification)
    except UNREADABLE:
        found = _Notification()
    key = key_of(found.leadGenFormResponse.removeprefix(_PREFIX))
    if found.type != "LEAD_ACTION" or not key or found.leadAction not in ("CREATED", "DELETED"):
        own_key = f"delivery-{delivery.sequence}"
        return (Reject(own_key, "no_lead", "The webhook announces no lead.", delivery.body, locator),)
    if found.leadAction == "DELETED":
        message = (
            "LinkedIn says that the member has withdrawn this lead, and so asks for erasure. Erase the person in Salesforce, then here: "
            f'"syncd lead erase {delivery.source}:{key} --yes", which closes this dead letter. If nobody is found, drop it.'
        )
        return (Reject(f"{WITHDRAWN}{key}", ERASURE_ASKED, message, delivery.body, f"lead {key}"),)
    if not _is_ours(found, options):
        return ()
    at = instant(found.occurredAt / 1000) if found.occurredAt is not None else None
    return (Wanted(key, delivery.body, min(at, delivery.received_at) if at else None, f"lead {key}"),)


def _is_ours(found: _Notification, options: LinkedInOptions) -> bool:
    """Whether its owner and type are among those that are read; what it does not say is no reason against it."""
    owners = {value.removeprefix("urn:li:") for value in found.owner.values()}
    types = {spot.lead_type for spot in options.spots}
    return (not owners or bool(owners & set(options.owners))) and (not found.leadType or found.leadType in types)
