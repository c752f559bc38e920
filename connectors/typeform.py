"""Typeform: responses to forms, asked for and sent (Responses and Webhooks API, read 2026-08; reference by vendor clients).

Limits: 2 requests per second and token; pages of up to 1000. Oddities: `since` and `until` include, to the second; newest come first
unless sorted; `after` takes a response token, cannot be combined with `sort`, and goes on in the order of submission; a fresh response
may be listed minutes late; the webhook's signature is base64, not hex. What an answer means is the mapping's business: it names the
question by its `ref`. See docs/connectors/typeform.md.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import Field, field_validator

from syncd.connector import (
    Delivery,
    Health,
    HttpRequest,
    Limits,
    Options,
    Page,
    Reception,
    Record,
    Reject,
    Reply,
    Row,
    Secret,
    Session,
    Verdict,
)
from syncd.connector.tools import UNREADABLE, BaseUrl, Edge, Horizon, Secrets, instant, is_signed, json_of, revealed
from syncd.errors import AuthError, ContractError, SourceUnavailableError, SyncdError

_PAGE = 1000
_FORMS_PAGE = 200
_KEPT = ("form_id", "token", "landed_at", "submitted_at", "hidden", "calculated", "answers")
"""What both ways have of a response; the form's definition and the browser are left out."""
_SIGNATURE = "typeform-signature"
_REFUSED = AuthError(
    "Typeform refuses the token.",
    advice="Check token: (Account, Personal tokens; scopes forms:read and responses:read), and base_url for an account in the EU.",
)


class _Form(msgspec.Struct):
    id: str


class _Forms(msgspec.Struct):
    items: list[_Form]
    page_count: int


class _Responses(msgspec.Struct):
    items: list[msgspec.Raw]
    total_items: int


class _Dated(msgspec.Struct):
    """Only what the walk needs of a response."""

    token: str = ""
    submitted_at: str | None = None


class TypeformOptions(Options):
    """Options of `type: typeform`."""

    token: Secret = Field(
        description="Personal token with the scopes forms:read and responses:read.", examples=[{"env": "TYPEFORM_TOKEN"}]
    )
    base_url: BaseUrl = Field(
        default="https://api.typeform.com",
        description="Root of the API; of an account in the EU `https://api.eu.typeform.com`.",
    )
    forms: list[str] = Field(
        default=[],
        description="Ids of the forms to read (the end of their address); all of the account if empty.",
        examples=[["a1B2c3"]],
    )
    webhook_secret: Secrets | None = Field(
        default=None,
        description="What webhooks are signed with; a list of two while it is rotated. Without it nothing is let in, only asked for.",
        examples=[{"env": "TYPEFORM_WEBHOOK_SECRET"}],
    )

    @field_validator("forms")
    @classmethod
    def _ids(cls, value: list[str]) -> list[str]:
        for one in value:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one):
                raise ValueError(f'"{one}" is no id of a form (the end of its address, form.typeform.com/to/ID)')
        return list(dict.fromkeys(value))


class Typeform:
    """The connector; has no state of its own."""

    name = "typeform"
    Options = TypeformOptions
    page_size_records = _PAGE
    overlap_seconds = 1_800.0
    """A fresh response may be missing from the list for minutes."""
    limits = Limits(connections=2, calls_per_second=2.0, read_timeout_seconds=60.0)

    def check(self, session: Session, options: TypeformOptions) -> Health:
        """Read the forms and one response of each, as `pull` would."""
        findings: list[str] = []
        try:
            known = self._known_forms(session, options)
            findings.append("The token is accepted.")
        except SyncdError as error:
            return Health(False, (*findings, str(error)))
        is_ok = True
        for form in options.forms or known:
            try:
                reply = self._responses(session, options, form, {"page_size": "1"})
                findings.append(f"Form {form} was read: {reply.value.total_items} responses.")
            except SyncdError as error:
                is_ok = False
                findings.append(str(error))
        if not is_ok or not known:
            findings.append(f"Forms of the account: {', '.join(known) or 'none'}.")
        if options.webhook_secret is not None:
            findings.append("Webhooks are let in: Connect, Webhooks in the form, with the secret of webhook_secret.")
        return Health(is_ok, tuple(findings))

    def streams(self, options: TypeformOptions) -> tuple[str, ...]:
        """One stream: responses to all chosen forms."""
        del options
        return ("responses",)

    def cursor_at(self, options: TypeformOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor from which every form is read from `at` on."""
        del options, stream
        return {"from": at.isoformat(), "forms": {}}

    def pull(
        self, session: Session, options: TypeformOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield responses in order of submission, form by form; a form that fails does not stop the others."""
        del stream
        place: dict[str, Any] = {"from": None, "forms": {}, **(cursor or {})}
        edges = dict(place["forms"])
        forms = options.forms or self._known_forms(session, options)
        horizon = Horizon("Typeform", session, until)
        failed: list[SyncdError] = []
        for number, form in enumerate(forms, start=1):
            edge = Edge(edges.get(form) or {"at": place["from"]})
            try:
                for records, rejects, is_end in self._walk(session, options, form, edge, horizon):
                    edges[form] = edge.state()
                    is_last = is_end and number == len(forms) and not failed
                    if records or rejects or is_last:
                        yield Page(records, {**place, "forms": dict(edges)}, rejects, is_last=is_last, notice=horizon.told())
            except (SourceUnavailableError, ContractError) as error:
                failed.append(error)
        if not forms:
            yield Page((), dict(cursor or {}), is_last=True, notice="The account has no forms.")
        for first in failed:
            raise first

    def reception(self, options: TypeformOptions) -> Reception | None:
        """Signed webhooks, if there is a secret to check them with."""
        return None if options.webhook_secret is None else Reception(max_bytes=2_000_000)

    def verify(self, request: HttpRequest, options: TypeformOptions, at: datetime) -> Verdict:
        """`Typeform-Signature: sha256=BASE64` over the raw body. It tells no time: a replay is found by the response's token."""
        del at
        kind, _, text = request.headers.get(_SIGNATURE, "").partition("=")
        if not text:
            return Verdict(refusal="missing_signature", status=401)
        try:
            signature = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return Verdict(refusal="bad_header", status=401)
        if kind != "sha256" or not is_signed(signature, request.body, revealed(options.webhook_secret)):
            return Verdict(refusal="bad_signature", status=401)
        return Verdict(status=200)

    def parse(self, delivery: Delivery, options: TypeformOptions) -> tuple[Record | Reject, ...]:
        """The response of an event; a form that is not chosen is none of ours."""
        locator = f"webhook {delivery.sequence}"
        own_key = f"delivery-{delivery.sequence}"
        try:
            event = msgspec.json.decode(delivery.body, type=dict[str, msgspec.Raw])
            response = msgspec.json.decode(event["form_response"], type=dict[str, msgspec.Raw])
            form = msgspec.json.decode(response["form_id"], type=str)
        except (*UNREADABLE, KeyError):
            return (Reject(own_key, "no_response", "The webhook holds no form_response with a form_id.", delivery.body, locator),)
        if options.forms and form not in options.forms:
            return ()
        return (_made(form, response, delivery.received_at),)

    # ------------------------------------------------------------------ the API

    def _walk(
        self, session: Session, options: TypeformOptions, form: str, edge: Edge, horizon: Horizon
    ) -> Iterator[tuple[tuple[Record, ...], tuple[Reject, ...], bool]]:
        """The new responses of a form, page by page, and whether that was the end."""
        size = str(min(session.page_size_records, _PAGE))
        since = edge.since(session)
        params = {"page_size": size, "sort": "submitted_at,asc"}
        if since is not None:
            params["since"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        seen: set[str] = set()
        while True:
            reply = self._responses(session, options, form, params)
            horizon.see(reply)
            made = [(_dated(raw), _made_of(form, raw, reply.received_at)) for raw in reply.value.items]
            tokens = [dated.token for dated, _ in made]
            if tokens and (not tokens[-1] or tokens[-1] in seen):
                raise SourceUnavailableError(
                    f"Typeform gave a page of form {form} that does not go on from the one before.",
                    advice="It is tried again with the next run; the page is kept.",
                    page=reply.body,
                )
            seen.update(tokens)
            settled = [one for dated, one in made if (instant(dated.submitted_at, UTC) or horizon.end) <= horizon.end]
            is_end = not tokens or len(settled) < len(made)
            records = tuple(one for one in settled if isinstance(one, Record) and edge.is_news(one))
            yield records, tuple(one for one in settled if isinstance(one, Reject)), is_end
            if is_end:
                return
            params = {"page_size": size, "after": tokens[-1]}

    def _responses(self, session: Session, options: TypeformOptions, form: str, params: dict[str, str]) -> Reply[_Responses]:
        def is_whole(reply: Reply[_Responses]) -> None:
            if not reply.value.items and reply.value.total_items > 0:
                raise SourceUnavailableError(
                    f"Typeform gave no responses of form {form} and counts {reply.value.total_items}.",
                    advice="It is tried again with the next run; the page is kept.",
                    page=reply.body,
                )

        missing = ContractError(
            f'Typeform has no form "{form}".', advice='Correct forms: in the source; "syncd source check" names them.'
        )
        url = f"{options.base_url}/forms/{quote(form, safe='')}/responses"
        rows: dict[int, Row] = {401: _REFUSED, 404: missing, 499: SourceUnavailableError}
        return session.http.get(url, _Responses, params=params, headers=_login(options), rows=rows, verify=is_whole)

    @staticmethod
    def _known_forms(session: Session, options: TypeformOptions) -> list[str]:
        found: set[str] = set()
        page = 1
        while True:
            params = {"page": str(page), "page_size": str(_FORMS_PAGE)}
            reply = session.http.get(
                f"{options.base_url}/forms", _Forms, params=params, headers=_login(options), rows={401: _REFUSED}
            )
            known = len(found)
            found |= {one.id for one in reply.value.items}
            if len(found) == known and page < reply.value.page_count:
                raise ContractError(
                    f"Typeform gave no more forms on page {page} of {reply.value.page_count}.",
                    advice="The API may have changed; the page is kept.",
                    page=reply.body,
                )
            page += 1
            if page > reply.value.page_count:
                return sorted(found)


def _login(options: TypeformOptions) -> dict[str, str | Secret]:
    return {"Authorization": Secret(f"Bearer {options.token.reveal()}", options.token.origin)}


def _dated(raw: msgspec.Raw) -> _Dated:
    try:
        return msgspec.json.decode(raw, type=_Dated)
    except UNREADABLE:
        return _Dated()


def _made_of(form: str, raw: msgspec.Raw, received_at: datetime) -> Record | Reject:
    try:
        response = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return Reject("", "not_an_object", "A response is no object.", bytes(raw), f"form {form}")
    return _made(form, response, received_at)


def _made(form: str, response: dict[str, msgspec.Raw], received_at: datetime) -> Record | Reject:
    """One response as a record; its time is what Typeform says, and never in the future."""
    payload = json_of({**response, "form_id": form}, _KEPT)
    dated = _dated(msgspec.Raw(payload))
    if not dated.token:
        return Reject("", "no_token", "A response has no token.", payload, f"form {form}")
    at = instant(dated.submitted_at, UTC)
    return Record(dated.token, payload, min(at, received_at) if at else None, 0, f"form {form}")


CONNECTOR = Typeform()
"""What `wiring` uses."""
