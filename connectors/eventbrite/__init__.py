"""Eventbrite: attendees of all events, one per ticket, asked for and announced (API v3, read 2026-08; reference, sources.md 8.2).

Limits: 1,000 calls per hour and token (unverified), so one every four seconds; 429 without Retry-After. Oddities: paths end in a slash; the
list of attendees is in no documented order; `changed_since` is UTC and includes; a ticket whose buyer has not said who comes bears
`Info Requested`, and comes again with a later `changed`; webhooks are thin and unsigned, so the secret stands at the end of their
address and only ids are taken from what they say. See docs/connectors/eventbrite.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import Field, field_validator

from connectors.eventbrite.api import GoneError, attendees_of, login, organizations, pages, rows
from connectors.eventbrite.attendees import attendee_of, fields, ids_of
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
    Secret,
    Session,
    Unwanted,
    Verdict,
    Wanted,
)
from syncd.connector.tools import BaseUrl, Horizon, Secrets, at_path, instant, misplaced, revealed
from syncd.errors import ContractError, SourceUnavailableError, SyncdError

_EXPAND = {"expand": "event"}
_TEXT = "%Y-%m-%dT%H:%M:%SZ"


class EventbriteOptions(Options):
    """Options of `type: eventbrite`."""

    token: Secret = Field(description="Private token of a user of the organization.", examples=[{"env": "EVENTBRITE_TOKEN"}])
    base_url: BaseUrl = Field(default="https://www.eventbriteapi.com/v3", description="Root of the API.")
    organizations: list[str] = Field(
        default=[],
        description="Ids of the organizations whose attendees are read; all of the user's if empty.",
        examples=[["123456789012"]],
    )
    webhook_path_secret: Secrets | None = Field(
        default=None,
        description="What the address of the webhook ends in, `/hooks/SOURCE/SECRET`; a list of two while it is rotated. Without it nothing is let in.",
        examples=[{"env": "EVENTBRITE_WEBHOOK_PATH"}],
    )

    @field_validator("organizations")
    @classmethod
    def _ids(cls, value: list[str]) -> list[str]:
        for one in value:
            if not re.fullmatch(r"[0-9]{1,20}", one):
                raise ValueError(f'"{one}" is no id of an organization (a number, in the address of its settings)')
        return list(dict.fromkeys(value))


class Eventbrite:
    """The connector; has no state of its own."""

    name = "eventbrite"
    Options = EventbriteOptions
    page_size_records = 50
    poll_interval_seconds = 900.0
    limits = Limits(connections=2, calls_per_second=0.25, read_timeout_seconds=60.0)

    def check(self, session: Session, options: EventbriteOptions) -> Health:
        """Read the organizations, and one page of attendees of each, as `pull` would."""
        findings: list[str] = []
        try:
            known = organizations(session, options)
            findings.append("The token is accepted.")
        except SyncdError as error:
            return Health(False, (str(error), *((error.advice,) if error.advice else ())))
        is_ok = True
        for one in options.organizations or known:
            try:
                next(pages(session, options, attendees_of(one), "attendees", _EXPAND))
                findings.append(f"Attendees of organization {one} can be read.")
            except SyncdError as error:
                is_ok = False
                findings += [str(error), *((error.advice,) if error.advice else ())]
        if not is_ok or not known:
            findings.append(f"Organizations of the user: {', '.join(known) or 'none'}.")
        if options.webhook_path_secret is not None:
            findings.append("Webhooks are let in: Account settings, Webhooks, actions attendee.updated and attendee.checked_in.")
        return Health(is_ok, tuple(findings))

    def streams(self, options: EventbriteOptions) -> tuple[str, ...]:
        """One stream: attendees of all events of the organizations."""
        del options
        return ("attendees",)

    def cursor_at(self, options: EventbriteOptions, stream: str, at: datetime) -> dict[str, Any]:
        """Whoever changed at `at` or later."""
        del options, stream
        return {"from": at.isoformat(), "organizations": {}}

    def pull(
        self, session: Session, options: EventbriteOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield who changed, organization by organization; the list is in no order, so its cursor moves when it was read to its end."""
        del stream
        place: dict[str, Any] = {"from": None, "organizations": {}, **(cursor or {})}
        horizon = Horizon("Eventbrite", session, until)
        chosen = options.organizations or organizations(session, options, horizon)
        failed: list[SyncdError] = []
        for one in chosen:
            try:
                for records, rejects, bound in self._walk(session, options, one, place, horizon):
                    if bound is not None:
                        place = {**place, "organizations": {**place["organizations"], one: bound}}
                    yield Page(records, place if cursor or place["organizations"] else {}, rejects, notice=horizon.told())
            except (SourceUnavailableError, ContractError) as error:
                failed.append(error)
        if not failed:
            notice = horizon.told() if chosen else "The user of the token is in no organization."
            yield Page((), place if cursor or place["organizations"] else {}, is_last=True, notice=notice)
        for first in failed:
            raise first

    def fetch(self, session: Session, options: EventbriteOptions, wanted: Wanted) -> Record | Reject | Unwanted | None:
        """The attendee that a webhook names, by its ids: the address that it gives is never called."""
        ids = msgspec.json.decode(wanted.payload, type=dict[str, str])
        url = f"{options.base_url}/events/{quote(ids['event'], safe='')}/attendees/{quote(ids['attendee'], safe='')}/"
        try:
            reply = session.http.get(url, msgspec.Raw, params=_EXPAND, headers=login(options), rows=rows(GoneError("Gone.")))
        except GoneError:
            return None
        whose = at_path(fields(reply.value), "event.organization_id")
        if options.organizations and whose is not None and str(whose) not in options.organizations:
            return Unwanted("other_organization")
        return attendee_of(reply.value, reply.received_at) or Unwanted("info_requested")

    def reception(self, options: EventbriteOptions) -> Reception | None:
        """Thin webhooks, if there is a secret to end their address."""
        return None if options.webhook_path_secret is None else Reception(max_bytes=100_000)

    def verify(self, request: HttpRequest, options: EventbriteOptions, at: datetime) -> Verdict:
        """By the end of the address, for there is no signature; what is about no attendee is thanked for and not kept."""
        del at
        refused = misplaced(request, revealed(options.webhook_path_secret))
        if refused is not None:
            return refused
        action = at_path(fields(request.body), "config.action")
        return Verdict(status=200, is_stored=not isinstance(action, str) or action.startswith("attendee."))

    def parse(self, delivery: Delivery, options: EventbriteOptions) -> tuple[Record | Reject | Wanted, ...]:
        """The attendee to be asked for, if the address is one of the API's own."""
        own_key, locator = f"delivery-{delivery.sequence}", f"webhook {delivery.sequence}"
        event = fields(delivery.body)
        address = event.get("api_url")
        if not isinstance(address, str):
            return (Reject(own_key, "no_address", "The webhook names no api_url.", delivery.body, locator),)
        ids = ids_of(address, options.base_url)
        if ids is None:
            message = "The api_url of the webhook is no attendee at the address of the API; it is not called."
            return (Reject(own_key, "foreign_address", message, delivery.body, locator),)
        payload = msgspec.json.encode({"event": ids[0], "attendee": ids[1], "action": str(at_path(event, "config.action") or "")})
        return (Wanted(ids[1], payload, None, f"event {ids[0]} attendee {ids[1]}"),)

    @staticmethod
    def _walk(
        session: Session, options: EventbriteOptions, organization: str, place: Mapping[str, Any], horizon: Horizon
    ) -> Iterator[tuple[tuple[Record, ...], tuple[Reject, ...], str | None]]:
        """Who changed in one organization, page by page; with the last one the bound up to which that is everybody.

        Where nobody changed the bound stays as it was: what is asked for again costs the same call.
        """
        since = instant(place["organizations"].get(organization) or place["from"])
        params = dict(_EXPAND)
        if since is not None:
            params["changed_since"] = (since - timedelta(seconds=session.overlap_seconds)).astimezone(UTC).strftime(_TEXT)
        is_news = False
        for reply in pages(session, options, attendees_of(organization), "attendees", params):
            horizon.see(reply)
            made = [attendee_of(raw, reply.received_at) for raw in reply.value.attendees or ()]
            records = tuple(one for one in made if isinstance(one, Record) and (one.source_at or horizon.end) <= horizon.end)
            rejects = tuple(one for one in made if isinstance(one, Reject))
            if records or rejects:
                is_news = True
                yield records, rejects, None
        if is_news:
            yield (), (), horizon.end.astimezone(UTC).strftime(_TEXT)


CONNECTOR = Eventbrite()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "Eventbrite", "EventbriteOptions"]
