"""What Mailchimp sends when a member changes: who may send it, and whom it is about. Belongs to mailchimp. Pure.

Form-encoded with bracket keys (`type`, `fired_at`, `data[...]`); only subscribe and unsubscribe are documented in full, so nothing is taken
of an event but whom it names: audience and address (sources.md 1, "Webhooks", read 2026-08). `fired_at` has no zone and is not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from connectors.mailchimp.members import hash_of
from connectors.mailchimp.options import MailchimpOptions
from syncd.connector import Delivery, HttpRequest, Reject, Verdict, Wanted
from syncd.connector.tools import form_of, is_signed, misplaced, revealed, unhexed

FORM = "application/x-www-form-urlencoded"
_SIGNATURE = "x-mailchimp-signature"
_TOLERANCE_SECONDS = 300
_AUDIENCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_ABOUT_MEMBERS = ("campaign",)
_DELETED = "delete"


class Named(msgspec.Struct):
    """Whom an event is about; `kind` is its type, with `delete` of a member who was taken out of the audience."""

    list: str
    hash: str
    kind: str = ""

    @property
    def is_deleted(self) -> bool:
        """Whether nobody may be there any more."""
        return self.kind == _DELETED


def verdict_of(request: HttpRequest, options: MailchimpOptions, at: datetime) -> Verdict:
    """By the end of the address, by the signature, or by both, whatever is configured; see the contract.

    Mailchimp asks by GET whether anybody is there when the address is saved. Without a signature only events of the chosen audiences are
    let in; of other audiences, and of campaigns, signed ones are thanked for and not kept.
    """
    if options.webhook_path_secret is not None:
        refused = misplaced(request, revealed(options.webhook_path_secret))
    else:
        refused = Verdict(refusal="not_found", status=404) if request.tail or options.webhook_secret is None else None
    if refused is not None:
        return refused
    if request.method != "POST":
        return Verdict(status=200, is_stored=False)
    event = form_of(request.body)
    is_ours = not options.audiences or event.get("data[list_id]") in options.audiences
    if options.webhook_secret is not None:
        refused = _unsigned(request, revealed(options.webhook_secret), at)
        # What is ours and cannot be read is kept as it came.
        is_ours = is_ours or "data[list_id]" not in event
    elif not is_ours:
        refused = Verdict(refusal="unknown_audience", status=404)
    return refused or Verdict(status=200, is_stored=is_ours and event.get("type") not in _NOT_ABOUT_MEMBERS)


def named_by(delivery: Delivery) -> tuple[Reject | Wanted, ...]:
    """The member of an event, by audience and hash of the address: the key of its record nobody knows before it is asked for.

    Who changes their address is asked for by the new one; the record's key is that of the old one, so that it is the same lead.
    """
    event = form_of(delivery.body)
    kind, audience = event.get("type", ""), event.get("data[list_id]", "")
    address = event.get("data[new_email]" if kind == "upemail" else "data[email]", "")
    if not _AUDIENCE.fullmatch(audience) or "@" not in address:
        locator = f"webhook {delivery.sequence}"
        return (Reject(f"delivery-{delivery.sequence}", "no_member", "The webhook names no member.", delivery.body, locator),)
    if kind == "unsubscribe" and event.get("data[action]") == _DELETED:
        kind = _DELETED
    named = Named(audience, hash_of(address), kind)
    return (Wanted(f"{audience}/{named.hash}", msgspec.json.encode(named), None, f"audience {audience}"),)


def _unsigned(request: HttpRequest, secrets: Iterable[str], at: datetime) -> Verdict | None:
    """The refusal of a request whose `X-Mailchimp-Signature: t=SECONDS,v1=HEX` is not that of its body; None where it is."""
    header = request.headers.get(_SIGNATURE, "")
    if not header:
        return Verdict(refusal="missing_signature", status=401)
    parts: Sequence[tuple[str, str, str]] = [one.strip().partition("=") for one in header.split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    signatures = [unhexed(value) for name, _, value in parts if name == "v1"]
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or not any(signatures):
        return Verdict(refusal="bad_header", status=401)
    text, known = stamp.encode() + b"." + request.body, tuple(secrets)
    if not any([is_signed(one, text, known) for one in signatures]):  # noqa: C419 - all are compared
        return Verdict(refusal="bad_signature", status=401)
    if abs(at.timestamp() - int(stamp)) > _TOLERANCE_SECONDS:
        return Verdict(refusal="stale_timestamp", status=401)
    return None
