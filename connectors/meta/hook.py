"""What Meta sends: the handshake, signed deliveries, the leads that they announce, and whether the pages send at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

from connectors.meta.graph import Graph
from connectors.meta.options import MetaOptions
from syncd.connector import Delivery, HttpRequest, Reject, Verdict, Wanted
from syncd.connector.tools import DIGEST_BYTES, UNREADABLE, instant, is_one_of, is_signed, key_of, revealed, unhexed
from syncd.errors import SyncdError


class _Subscription(msgspec.Struct):
    subscribed_fields: list[str] = []


class _Subscriptions(msgspec.Struct):
    data: list[_Subscription]


def verdict(request: HttpRequest, options: MetaOptions) -> Verdict:
    """Of a delivery by its signature over the raw body, of a GET by the token that a person typed in at both ends."""
    if request.method == "GET":
        return _shaken(request.query, options)
    kind, _, text = request.headers.get("x-hub-signature-256", "").partition("=")
    if not text:
        return Verdict(refusal="missing_signature", status=401)
    signature = unhexed(text)
    if len(signature) != DIGEST_BYTES:
        return Verdict(refusal="bad_header", status=401)
    if kind != "sha256" or not is_signed(signature, request.body, revealed(options.app_secret)):
        return Verdict(refusal="bad_signature", status=401)
    return Verdict(status=200)


def announcements(delivery: Delivery, options: MetaOptions) -> tuple[Wanted | Reject, ...]:
    """The leads that a delivery names, of every entry and change, each once; other pages and forms are none of ours."""
    try:
        event = msgspec.json.decode(delivery.body, type=_Event)
    except UNREADABLE:
        event = _Event("")
    if event.object != "page":
        key, locator = f"delivery-{delivery.sequence}", f"webhook {delivery.sequence}"
        return (Reject(key, "no_leads", "The webhook holds no changes of a page.", delivery.body, locator),)
    found: dict[str, Wanted | Reject] = {}
    for change in [one for entry in event.entry for one in entry.changes if one.field == "leadgen"]:
        one = _announced(change, delivery, options)
        if one is not None:
            found.setdefault(one.key, one)
    return tuple(found.values())


class _Change(msgspec.Struct):
    field: str = ""
    value: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


class _Entry(msgspec.Struct):
    changes: list[_Change] = []


class _Event(msgspec.Struct):
    object: str
    entry: list[_Entry] = []


class _Named(msgspec.Struct):
    """What a change says of a lead; ids may be texts or numbers."""

    leadgen_id: str | int | None = None
    form_id: str | int | None = None
    page_id: str | int | None = None
    created_time: int | str | None = None


def _announced(change: _Change, delivery: Delivery, options: MetaOptions) -> Wanted | Reject | None:
    payload = bytes(change.value)
    try:
        named = msgspec.json.decode(payload, type=_Named)
    except UNREADABLE:
        named = _Named()
    key, form, page = key_of(named.leadgen_id), key_of(named.form_id), key_of(named.page_id)
    if not key:
        digest = hashlib.blake2b(payload, digest_size=8).hexdigest()
        return Reject(f"change-{digest}", "no_id", "A change names no lead.", payload, f"webhook {delivery.sequence}")
    if (page and page not in options.pages) or (options.forms and form and form not in options.forms):
        return None
    at = instant(named.created_time)
    return Wanted(key, payload, min(at, delivery.received_at) if at else None, f"lead {key} of form {form}")


def _shaken(query: Mapping[str, str], options: MetaOptions) -> Verdict:
    """The handshake: the challenge comes back as it is."""
    secret = options.verify_token.reveal() if options.verify_token else ""
    challenge = query.get("hub.challenge", "")
    if query.get("hub.mode") != "subscribe" or not re.fullmatch(r"[\x21-\x7e]{1,500}", challenge):
        return Verdict(refusal="bad_handshake", status=400)
    if not is_one_of(query.get("hub.verify_token"), (secret,)):
        return Verdict(refusal="bad_verify_token", status=403)
    return Verdict(status=200, is_stored=False, answer=challenge.encode())


def sending(graph: Graph, options: MetaOptions) -> tuple[str, ...]:
    """Whether the pages send their leads, which takes a step of its own for each of them."""
    if options.app_secret is None or options.verify_token is None:
        return ()
    found = []
    for page in options.pages:
        try:
            known = graph.get(f"{page}/subscribed_apps", _Subscriptions, {"fields": "subscribed_fields"}).value.data
        except SyncdError as error:
            found.append(
                f"Whether page {page} sends its leads could not be read (it takes pages_manage_metadata): {error.message}"
            )
            continue
        is_sending = any("leadgen" in one.subscribed_fields for one in known)
        found.append(
            f"Page {page} sends its leads."
            if is_sending
            else f"Page {page} does not send its leads: POST /{page}/subscribed_apps?subscribed_fields=leadgen with its token."
        )
    return tuple(found)
