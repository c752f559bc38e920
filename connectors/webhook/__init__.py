"""Leads that are sent to `POST /hooks/SOURCE`: signed by Standard Webhooks 1.0.0, or unsigned from the forms of your own pages.

A signed request is whatever holds a signature; with `forms:` the others are let in as form posts, and JSON by fetch from a page
of `origins`. The body is stored as it came and read later, by `parse`. See docs/connectors/webhook.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.webhook.content import FORMS, JSON, MULTIPART, Found, UnreadableError, media_type, read_form, read_json
from connectors.webhook.event_types import TYPES, problem_of
from connectors.webhook.origins import origin_of, redirect_to
from syncd.connector import Delivery, Health, HttpRequest, Options, Reception, Record, Reject, Session, Verdict
from syncd.connector.tools import Secrets, at_path, instant, key_of, revealed
from syncd.standard_webhooks import SIGNATURE, read_headers
from syncd.standard_webhooks import key_of as signing_key_of

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,80}")
_RETURN_FIELD = "retURL"
"""Where the forms of Salesforce's Web-to-Lead name the page that follows."""


class FormsOptions(BaseModel):
    """`forms:`: unsigned posts from HTML forms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origins: tuple[str, ...] = Field(
        default=(),
        description="Origins whose pages may post by fetch (CORS), and to which `retURL` may lead.",
        examples=[["https://www.acme.com"]],
    )
    honeypot: str | None = Field(
        default=None,
        description="Name of a field that people never see; a post that fills it is set aside.",
        examples=["website_2"],
    )
    redirect: str | None = Field(
        default=None, description="Where the browser goes after a post.", examples=["https://www.acme.com/thank-you"]
    )

    @field_validator("origins")
    @classmethod
    def _plain(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not origin_of(one) or one.count("/") != 2:
                raise ValueError(f'"{one}" is no origin such as https://www.acme.com (no path, no slash at its end)')
        return tuple(dict.fromkeys(origin_of(one) for one in value))

    @field_validator("redirect")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is not None and not origin_of(value):
            raise ValueError("it is a whole address such as https://www.acme.com/thank-you")
        return value


class WebhookOptions(Options):
    """Options of `type: webhook`."""

    secret: Secrets | None = Field(
        default=None,
        description="What requests are signed with: `whsec_` and base64, or any text; a list of two while it is rotated.",
        examples=[{"env": "SITE_HOOK_SECRET"}],
    )
    tolerance_seconds: int = Field(
        default=300, ge=1, le=86_400, description="How far the signed time may lie from this machine's, either way."
    )
    key: str | None = Field(
        default=None, description="Path of the value that names a record; the message's id if not given.", examples=["data.id"]
    )
    at: str | None = Field(
        default=None, description="Path of the instant of a record; the signed time if not given.", examples=["data.updated_at"]
    )
    max_bytes: int = Field(default=1_000_000, ge=1_000, le=10_000_000, description="Of a body.")
    per_second: float = Field(
        default=200.0, ge=0, le=100_000, description="Requests let in per second on average; 0 = any number."
    )
    burst: int = Field(default=1_000, ge=1, le=1_000_000, description="Requests that may come at once.")
    events: Literal["any", "standard"] = Field(
        default="any",
        description="`standard`: signed requests are events of the documented types, others are refused (422); `any`: whatever is JSON.",
    )
    forms: FormsOptions | None = Field(
        default=None, description="Let in unsigned posts of HTML forms; absent = refused.", examples=[{"honeypot": "website_2"}]
    )

    @field_validator("secret")
    @classmethod
    def _usable(cls, value: Secrets | None) -> Secrets | None:
        for one in revealed(value):
            signing_key_of(one)
        return value

    @model_validator(mode="after")
    def _lets_in(self) -> WebhookOptions:
        if self.secret is None and self.forms is None:
            raise ValueError(
                "nothing could be let in: give secret: {env: NAME} for signed requests, or forms: for the forms of your own pages"
            )
        return self

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What signatures are tried with."""
        return tuple(signing_key_of(one) for one in revealed(self.secret))


class Webhook:
    """The connector; has no state of its own."""

    name = "webhook"
    Options = WebhookOptions

    def check(self, session: Session, options: WebhookOptions) -> Health:
        """Say what is let in and what the sender must be told; nothing is asked, so that it is always right."""
        del session
        found = []
        if options.secret is not None:
            found.append(
                "Signed requests are let in. The sender signs by Standard Webhooks 1.0.0 (webhook-id, webhook-timestamp,"
                f" webhook-signature) with the secret of this source; its clock may be {options.tolerance_seconds} s off."
            )
            if len(options.keys) > 1:
                found.append("Two secrets are accepted. Take the old one out when the sender uses the new one.")
        if options.events == "standard":
            found.append(f"Signed requests are events of one of these types: {', '.join(TYPES)}.")
        if options.forms is not None:
            pages = ", ".join(options.forms.origins)
            found.append(f"Unsigned form posts are let in; by fetch from {pages or 'no page (see forms.origins)'}.")
            if options.forms.honeypot is None:
                found.append(
                    "There is no honeypot: expect spam. Add an invisible field to the form and name it in forms.honeypot."
                )
        found.append(f"Bodies are JSON or forms of {options.max_bytes} bytes at most; {_rate(options)}.")
        return Health(True, tuple(found))

    def streams(self, options: WebhookOptions) -> tuple[str, ...]:
        """One stream: whatever is sent."""
        del options
        return ("events",)

    def reception(self, options: WebhookOptions) -> Reception:
        """What the intake lets in."""
        return Reception(
            max_bytes=options.max_bytes,
            per_second=options.per_second,
            burst=options.burst,
            origins=options.forms.origins if options.forms is not None else (),
            content_types=(JSON, *FORMS),
        )

    def verify(self, request: HttpRequest, options: WebhookOptions, at: datetime) -> Verdict:
        """Judge a request; see the contract.

        Refused: `not_found`, `missing_signature`, `bad_header`, `bad_signature`, `stale_timestamp`, `bad_origin`, and with `events: standard`
        `not_an_event`, `unknown_event`, `incomplete_event`.
        """
        if request.tail:
            return Verdict(refusal="not_found", status=404)
        content_type = request.headers.get("content-type", "")
        # Of a multipart body the boundary is needed as it was sent; the delivery's own type is in lower case.
        kept = {"content-type": content_type[:1_000]} if media_type(content_type) == MULTIPART else {}
        if options.forms is not None and not (options.secret is not None and SIGNATURE in request.headers):
            return _judge_form(request, options.forms, media_type(content_type), kept)
        signed = read_headers(request.headers)
        if isinstance(signed, str):
            return Verdict(refusal=signed, status=401)
        if not signed.is_by(options.keys, request.body):
            return Verdict(refusal="bad_signature", status=401)
        # Only now: whoever cannot sign learns nothing about clocks, and a wrong clock can be told from a forgery.
        if abs(at.timestamp() - int(signed.timestamp)) > options.tolerance_seconds:
            return Verdict(refusal="stale_timestamp", status=401)
        wrong = problem_of(request.body) if options.events == "standard" else ""
        if wrong:
            return Verdict(refusal=wrong, status=422)
        return Verdict(delivery_id=signed.id, sent_at=datetime.fromtimestamp(int(signed.timestamp), UTC), kept=kept)

    def parse(self, delivery: Delivery, options: WebhookOptions) -> tuple[Record | Reject, ...]:
        """The records of a delivery; see the contract."""
        content_type = delivery.kept.get("content-type", delivery.content_type)
        locator = _locator(delivery)
        is_list = False
        try:
            if media_type(content_type) == JSON:
                found, is_list = read_json(delivery.body, content_type)
            else:
                form = read_form(delivery.body, content_type)
                found = [Found(msgspec.json.encode(form.fields), form.fields)]
                locator += f" ({form.file_count} files left out)" if form.file_count else ""
        except UnreadableError as error:
            return (Reject(_own_key(delivery, delivery.body), error.reason, str(error), delivery.body, locator),)
        return tuple(
            _record(delivery, options, one, number if is_list else None, locator) for number, one in enumerate(found, start=1)
        )


def _rate(options: WebhookOptions) -> str:
    if not options.per_second:
        return "any number of requests"
    return f"{options.per_second:g} requests per second on average, {options.burst} at once"


def _judge_form(request: HttpRequest, forms: FormsOptions, kind: str, kept: Mapping[str, str]) -> Verdict:
    """An unsigned request. A page that may not post by fetch may not post by form either, where pages are named."""
    origin = request.headers.get("origin", "")
    is_named = origin_of(origin) in forms.origins if origin else False
    if kind not in FORMS and not is_named:
        return Verdict(refusal="missing_signature", status=401)
    # A page that hides where it came from says "null", and a browser's form may say nothing.
    if forms.origins and origin not in ("", "null") and not is_named:
        return Verdict(refusal="bad_origin", status=403)
    redirect = ""
    # To follow a redirect is for a browser that shows the next page; a script's fetch would stumble over the other origin.
    if kind in FORMS and request.headers.get("sec-fetch-mode", "navigate") == "navigate":
        redirect = redirect_to(_wanted_page(request), forms.redirect or "", forms.origins)
    return Verdict(kept=kept, redirect=redirect)


def _wanted_page(request: HttpRequest) -> str:
    if _RETURN_FIELD.encode() not in request.body:
        return ""
    try:
        wanted = read_form(request.body, request.headers.get("content-type", "")).fields.get(_RETURN_FIELD, "")
    except UnreadableError:
        return ""
    return wanted if isinstance(wanted, str) else ""


def _record(delivery: Delivery, options: WebhookOptions, one: Found, number: int | None, locator: str) -> Record | Reject:
    is_signed = bool(delivery.delivery_id)
    suffix = "" if number is None else f"#{number}"
    own_key = _own_key(delivery, one.payload) + suffix
    if not isinstance(one.value, dict):
        return Reject(own_key, "not_an_object", "A member of the list is no object.", one.payload, locator + suffix)
    honeypot = options.forms.honeypot if options.forms is not None and not is_signed else None
    if honeypot is not None and one.value.get(honeypot) not in (None, "", []):
        # As JSON, so that it can be taken in after all.
        return Reject(own_key, "honeypot", "The field that people do not see is filled in.", one.payload, locator + suffix)
    key = own_key
    # Whoever may post without a signature may not name the record that it replaces, nor when it happened.
    if options.key is not None and is_signed:
        named = at_path(one.value, options.key)
        key = key_of(named)
        if not key:
            return Reject(own_key, "no_key", f"There is no usable key at {options.key}.", one.payload, locator + suffix)
    source_at = instant(at_path(one.value, options.at)) if options.at is not None and is_signed else None
    # What claims to be from the future would stay the newest for ever.
    source_at = min(source_at or delivery.sent_at or delivery.received_at, delivery.received_at)
    return Record(key, one.payload, source_at, number or 0, locator + suffix)


def _locator(delivery: Delivery) -> str:
    if not delivery.delivery_id:
        return "form"
    # A sender may have made its ids of addresses; those are nobody's business.
    return f"message {delivery.delivery_id}" if _PLAIN.fullmatch(delivery.delivery_id) else "message"


def _own_key(delivery: Delivery, content: bytes) -> str:
    """The message's id; of a form its content and the hour, so that a double click is one and the same person tomorrow is news."""
    if delivery.delivery_id:
        return delivery.delivery_id
    # What is no JSON counts as it came.
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = msgspec.json.encode(msgspec.json.decode(content), order="sorted")
    hour = f"{delivery.received_at.astimezone(UTC):%Y-%m-%dT%H}".encode()
    return hashlib.blake2b(hour + b"\n" + content, digest_size=16).hexdigest()


CONNECTOR = Webhook()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "Webhook", "WebhookOptions"]
