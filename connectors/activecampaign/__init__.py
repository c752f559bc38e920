"""ActiveCampaign: contacts with their custom fields, lists and tags, asked for and announced (API v3, read 2026-08; reference, sources.md 2).

Limits: 5 calls per second and account over all keys, else 429 with Retry-After; no daily quota. Oddities: every scalar is a text, also
`meta.total`; no order by time, so a walk goes by id and the cursor moves at its end; contacts that are active on no list are left out
unless `status=-1`; `include` works and is not documented; dates that are none are `0000-00-00`; webhooks are form-encoded, unsigned and
never repeated, so the secret stands at the end of their address, and a poll comes after them. See docs/connectors/activecampaign.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, field_validator

from connectors.activecampaign.actions import Actions
from connectors.activecampaign.api import PAGE, SIDES, Api, Contacts, GoneError, OneContact, number_of, sides_of
from connectors.activecampaign.asked import AUDIENCE, mail_stops, problems_of
from connectors.activecampaign.contacts import changed_at, contact_of
from syncd.connector import (
    ActionOutcome,
    ActionState,
    Delivery,
    Health,
    HttpRequest,
    Limits,
    MailStop,
    Options,
    OptOuts,
    Page,
    Reception,
    Record,
    Reject,
    Reply,
    Secret,
    Session,
    SourceAction,
    SourceActionKind,
    Verdict,
    Wanted,
)
from syncd.connector.tools import UNREADABLE, BaseUrl, Horizon, Secrets, form_of, instant, misplaced, revealed
from syncd.errors import SyncdError

_ROOT = "/api/3"
_NOISE = frozenset({"sent", "open", "click", "reply", "forward", "share", "subscriber_note"})
"""Events that change nothing of a contact."""
_OF_OTHERS = ("deal_", "sms_", "account_")
_MOST_NAMED = 50


class ActiveCampaignOptions(Options):
    """Options of `type: activecampaign`."""

    api_key: Secret = Field(description="Key of a user; has that user's rights.", examples=[{"env": "ACTIVECAMPAIGN_KEY"}])
    base_url: BaseUrl = Field(
        description="The URL at Settings, Developer; it need not hold the account's name.", examples=["https://acme.api-us1.com"]
    )
    audiences: list[str] = Field(
        default=[],
        description="Lists in which actions may happen: list- and their number; all of the account if empty. All contacts are read.",
        examples=[["list-7"]],
    )
    webhook_path_secret: Secrets | None = Field(
        default=None,
        description="What the address of the webhook ends in, `/hooks/SOURCE/SECRET`; a list of two while it is rotated. Without it nothing is let in.",
        examples=[{"env": "ACTIVECAMPAIGN_WEBHOOK_PATH"}],
    )

    @field_validator("base_url")
    @classmethod
    def _rooted(cls, value: str) -> str:
        return value if urlsplit(value).path.strip("/") else f"{value}{_ROOT}"

    @field_validator("audiences")
    @classmethod
    def _lists(cls, value: list[str]) -> list[str]:
        for one in value:
            if not AUDIENCE.fullmatch(one):
                raise ValueError(f'"{one}" is no list: it is list- and its number, such as list-7')
        return list(dict.fromkeys(value))


class _Named(msgspec.Struct):
    id: str | int
    title: str | None = None
    perstag: str | None = None
    name: str | None = None


class _Listing(msgspec.Struct):
    fields: list[_Named] = []
    lists: list[_Named] = []


class ActiveCampaign:
    """The connector; has no state of its own."""

    name = "activecampaign"
    Options = ActiveCampaignOptions
    page_size_records = PAGE
    repeats_safely = False
    limits = Limits(connections=4, calls_per_second=4.0, read_timeout_seconds=60.0)

    def check(self, session: Session, options: ActiveCampaignOptions) -> Health:
        """Read a contact as `pull` would, and tell the ids of custom fields and lists, which a mapping and a policy name."""
        api = Api(session, options)
        try:
            reply, _ = next(api.contacts(1, ""))
            findings = [f"The key is accepted; {reply.value.meta.total} contacts."]
            is_aside = any(getattr(reply.value, name) is None for name in SIDES)
            if reply.value.contacts and is_aside:
                findings.append("Fields, lists and tags are not given with a contact: up to three more calls are made for each.")
            for name in ("fields", "lists"):
                found = getattr(api.get(f"/{name}", _Listing, {"limit": str(PAGE)}).value, name)
                told = ", ".join(f"{one.id} {one.perstag or one.title or one.name or ''}" for one in found[:_MOST_NAMED])
                findings.append(f"{name.capitalize()}: {told or 'none'}.")
        except SyncdError as error:
            return Health(False, (str(error), *((error.advice,) if error.advice else ())))
        if options.webhook_path_secret is not None:
            findings.append("Webhooks are let in: Settings, Developer, Manage webhooks: subscribe, unsubscribe, update, tags.")
        return Health(True, tuple(findings))

    def streams(self, options: ActiveCampaignOptions) -> tuple[str, ...]:
        """One stream: all contacts of the account."""
        del options
        return ("contacts",)

    def cursor_at(self, options: ActiveCampaignOptions, stream: str, at: datetime) -> dict[str, Any]:
        """Whoever changed at `at` or later."""
        del options, stream
        return {"at": at.isoformat()}

    def pull(
        self, session: Session, options: ActiveCampaignOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield who changed, in order of ids. `at` of the cursor moves at the end of a walk, to the bound that was taken at its begin.

        A walk that broke off goes on beyond its last id, in the same window: who changes behind it does so after the bound. Without
        news the bound stays, what is asked for again costs the same call.
        """
        del stream
        api, horizon, given = Api(session, options), Horizon("ActiveCampaign", session, until), dict(cursor or {})
        at = instant(given.get("at"))
        since = "" if at is None else _text(at - timedelta(seconds=max(session.overlap_seconds, 1.0)))
        bound, is_news = instant(given.get("bound")), "bound" in given
        for reply, walk in api.contacts(min(session.page_size_records, PAGE), since, given.get("walk")):
            horizon.see(reply)
            bound = min(bound or horizon.end, horizon.end)
            records, rejects = _made(api, reply, bound)
            if records or rejects:
                is_news = True
                given = {**given, "bound": _text(bound), "walk": walk}
                yield Page(records, given, rejects, notice=horizon.told())
        end = {"at": _text(bound)} if is_news and bound is not None else given
        yield Page((), end, is_last=True, notice=horizon.told())

    def fetch(self, session: Session, options: ActiveCampaignOptions, wanted: Wanted) -> Record | Reject | None:
        """The contact that a webhook names, as `pull` gives it."""
        api = Api(session, options)
        try:
            reply: Reply[OneContact] = api.one(wanted.key)
            fields = _fields(reply.value.contact)
            return contact_of(fields, sides_of(api, reply.value, [wanted.key])(wanted.key), reply.received_at)
        except GoneError:
            return None

    def check_action(
        self, options: ActiveCampaignOptions, kind: SourceActionKind, action_options: Mapping[str, str]
    ) -> Sequence[str]:
        """What is wrong with an action as a policy states it; see the contract."""
        return problems_of(kind, action_options, options.audiences)

    def mail_stops(self, options: ActiveCampaignOptions, payload: bytes, scope: OptOuts) -> Sequence[MailStop]:
        """What ends the mail that comes of a contact; see the contract."""
        return mail_stops(payload, options.audiences, scope)

    def act(self, session: Session, options: ActiveCampaignOptions, action: SourceAction) -> ActionOutcome:
        """Carry out one action; see the contract and `actions`."""
        if problems_of(action.kind, action.options, options.audiences):
            return ActionOutcome(ActionState.REFUSED, "bad_options")
        return Actions(Api(session, options), options.audiences).act(action)

    def look_up(self, session: Session, options: ActiveCampaignOptions, action: SourceAction) -> ActionOutcome:
        """What became of an action whose answer was lost; see the contract."""
        if problems_of(action.kind, action.options, options.audiences):
            return ActionOutcome(ActionState.UNKNOWN, "bad_options")
        return Actions(Api(session, options), options.audiences).look_up(action)

    def reception(self, options: ActiveCampaignOptions) -> Reception | None:
        """Forms, if there is a secret to end their address."""
        if options.webhook_path_secret is None:
            return None
        return Reception(max_bytes=500_000, content_types=("application/x-www-form-urlencoded",))

    def verify(self, request: HttpRequest, options: ActiveCampaignOptions, at: datetime) -> Verdict:
        """By the end of the address, for there is no signature; what changes no contact is thanked for and not kept."""
        del at
        refused = misplaced(request, revealed(options.webhook_path_secret))
        if refused is not None:
            return refused
        kind = form_of(request.body).get("type", "")
        return Verdict(status=200, is_stored=kind not in _NOISE and not kind.startswith(_OF_OTHERS))

    def parse(self, delivery: Delivery, options: ActiveCampaignOptions) -> tuple[Record | Reject | Wanted, ...]:
        """The contact to be asked for: of its lists an event tells one, of its fields those that are filled in."""
        del options
        event = form_of(delivery.body)
        contact = event.get("contact[id]", "")
        if not (contact.isascii() and contact.isdigit() and 0 < len(contact) < 19):
            message = "The webhook names no contact."
            return (
                Reject(f"delivery-{delivery.sequence}", "no_contact", message, delivery.body, f"webhook {delivery.sequence}"),
            )
        contact = str(int(contact))
        told = {"id": contact, "type": event.get("type", ""), "initiated_from": event.get("initiated_from", "")}
        at = instant(event.get("date_time"))
        when = min(at, delivery.received_at) if at else None
        return (Wanted(contact, msgspec.json.encode(told), when, f"contact {contact}"),)


def _made(api: Api, reply: Reply[Contacts], bound: datetime) -> tuple[tuple[Record, ...], tuple[Reject, ...]]:
    """Records and rejects of a page; who changed after the bound is the next walk's."""
    whole = [(number_of(raw), _fields(raw)) for raw in reply.value.contacts]
    settled = [(number, fields) for number, fields in whole if (changed_at(fields) or bound) <= bound]
    sides = sides_of(api, reply.value, [str(number) for number, _ in settled if number])
    made: list[Record | Reject] = []
    for number, fields in settled:
        try:
            made.append(contact_of(fields, sides(str(number)) if number else dict.fromkeys(SIDES, ()), reply.received_at))
        except GoneError:
            continue  # deleted since
    return tuple(one for one in made if isinstance(one, Record)), tuple(one for one in made if isinstance(one, Reject))


def _fields(raw: msgspec.Raw) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except UNREADABLE:
        return {"unreadable": bytes(raw).decode("utf-8", "replace")}


def _text(at: datetime) -> str:
    """With an offset: a bare date is read in the account's zone."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


CONNECTOR = ActiveCampaign()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "ActiveCampaign", "ActiveCampaignOptions"]
