"""Zoom webinars: who registered, and who really attended for how long (API v2 and webhooks, read 2026-08).

Limits: by category, second and day for the whole account; 429 with Retry-After in seconds or as an ISO date, sometimes without.
Oddities: tokens last an hour, and a newer one may end an older one; registrants have no since-filter and three lists by status; a
page token lasts 15 minutes; reports hold a row for each join and come up to half an hour late; uuids that begin with / or hold // are
encoded twice; refusals of single webinars ride on HTTP 400 and 404. `join_url` is a personal ticket and is never kept.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import Field

from connectors.zoom.actions import STATUSES, Actions, problems_of
from connectors.zoom.api import PAGE, Api, GoneError, Webinar
from connectors.zoom.people import add_absentee, add_join, hash_of, is_within, registrant_of
from syncd.connector import (
    ActionOutcome,
    ActionState,
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
    SourceAction,
    SourceActionKind,
    Verdict,
    Wanted,
)
from syncd.connector.tools import (
    UNREADABLE,
    BaseUrl,
    Horizon,
    Secrets,
    at_path,
    instant,
    is_signed,
    key_of,
    revealed,
    unhexed,
)
from syncd.errors import SyncdError

_REGISTRATIONS = tuple(f"webinar.registration_{word}" for word in ("created", "approved", "cancelled", "denied"))
_CHALLENGE = "endpoint.url_validation"
_TOLERANCE_SECONDS = 300
_REPORT_READY = timedelta(minutes=30)
_REPORT_FINAL = timedelta(days=1)
"""So long after its end a report is looked at again."""


class ZoomOptions(Options):
    """Options of `type: zoom`."""

    account_id: str = Field(description="Account id of the Server-to-Server OAuth app.", examples=["aBcDeF123"])
    client_id: str = Field(description="Client id of the app.", examples=["kLmNoP456"])
    client_secret: Secret = Field(description="Client secret of the app.", examples=[{"env": "ZOOM_CLIENT_SECRET"}])
    base_url: BaseUrl = Field(default="https://api.zoom.us/v2", description="Root of the API.")
    token_url: BaseUrl = Field(default="https://zoom.us/oauth/token", description="Where tokens come from.")
    webhook_secret: Secrets | None = Field(
        default=None,
        description="Secret token of the app's event subscription; a list of two while it is rotated. Without it nothing is let in.",
        examples=[{"env": "ZOOM_WEBHOOK_SECRET"}],
    )
    look_back_days: float = Field(
        default=30.0, gt=0, le=365, description="Webinars that began longer ago are not asked about any more."
    )


class Zoom:
    """The connector; has no state of its own."""

    name = "zoom"
    Options = ZoomOptions
    page_size_records = PAGE
    poll_interval_seconds = 900.0
    repeats_safely = False
    limits = Limits(connections=4, calls_per_second=5.0, read_timeout_seconds=60.0)

    def check(self, session: Session, options: ZoomOptions) -> Health:
        """Log in, then read a webinar's registrants, and a report, as `pull` would."""
        api = Api(session, options)
        findings = []
        try:
            found = api.webinars()
            findings.append(f"The app is let in; {len(found)} webinars were found.")
            for one in found[:1]:
                # The oldest: what cannot be read of it any more, or not yet, says nothing about the others.
                for name, path in (
                    ("registrants", f"/webinars/{one.key}/registrants"),
                    ("participants", f"{_report(one)}/participants"),
                ):
                    with suppress(GoneError):
                        next(api.pages(path, name, {}))
                        findings.append(f"{name.capitalize()} can be read.")
        except SyncdError as error:
            return Health(False, (*findings, str(error), *((error.advice,) if error.advice else ())))
        if options.webhook_secret is not None:
            findings.append(
                "Webhooks are let in: app, Feature, Event subscriptions: registration created, approved, cancelled, denied."
            )
        return Health(True, tuple(findings))

    def streams(self, options: ZoomOptions) -> tuple[str, ...]:
        """Who registered, and who attended."""
        del options
        return ("registrants", "participants")

    def cursor_at(self, options: ZoomOptions, stream: str, at: datetime) -> dict[str, Any]:
        """Whoever registered, or attended a webinar that ended, at `at` or later."""
        del options, stream
        return {"from": at.isoformat(), "read": {}}

    def pull(
        self, session: Session, options: ZoomOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield what is new of each webinar; one that cannot be read any more is left out, and said."""
        api, horizon = Api(session, options), Horizon("Zoom", session, until)
        since = instant((cursor or {}).get("from"))
        oldest = until - timedelta(days=options.look_back_days)
        webinars = [one for one in api.webinars(horizon) if (instant(one.start_time) or until) >= oldest]
        known: dict[str, Any] = dict((cursor or {}).get("read") or {})
        place: dict[str, Any] = {
            **(cursor or {}),
            "read": {one.place: known[one.place] for one in webinars if one.place in known},
        }
        read = self._registrants if stream == "registrants" else self._attendance
        gone = 0
        for one in webinars:
            try:
                for records, rejects, mark in read(api, one, place["read"].get(one.place), since, horizon):
                    place = {**place, "read": {**place["read"], one.place: mark}}
                    if records or rejects:
                        yield Page(records, place, rejects, notice=horizon.told())
            except GoneError:
                gone += 1
        notice = f"{gone} webinars cannot be read: too old, deleted, or not in the plan." if gone else horizon.told()
        yield Page((), place if place["read"] or cursor else {}, is_last=True, notice=notice)

    def fetch(self, session: Session, options: ZoomOptions, wanted: Wanted) -> Record | Reject | None:
        """The registrant that an event names."""
        api = Api(session, options)
        event = msgspec.json.decode(wanted.payload, type=dict[str, str])
        path = f"/webinars/{quote(event['webinar'], safe='')}"
        try:
            webinar = api.one(path, Webinar)
            found = api.one(f"{path}/registrants/{quote(event['registrant'], safe='')}", msgspec.Raw)
        except GoneError:
            return None
        return registrant_of(webinar.value, found.value, found.received_at)

    def check_action(self, options: ZoomOptions, kind: SourceActionKind, action_options: Mapping[str, str]) -> Sequence[str]:
        """What is wrong with an action as a policy states it; see the contract."""
        del options
        return problems_of(kind, action_options)

    def act(self, session: Session, options: ZoomOptions, action: SourceAction) -> ActionOutcome:
        """Register one person; see the contract and `actions`."""
        if problems_of(action.kind, action.options):
            return ActionOutcome(ActionState.REFUSED, "bad_options")
        return Actions(Api(session, options)).act(action)

    def look_up(self, session: Session, options: ZoomOptions, action: SourceAction) -> ActionOutcome:
        """What became of a registration whose answer was lost; see the contract."""
        if problems_of(action.kind, action.options):
            return ActionOutcome(ActionState.UNKNOWN, "bad_options")
        return Actions(Api(session, options)).look_up(action)

    def reception(self, options: ZoomOptions) -> Reception | None:
        """Signed events, if there is a secret to check them with."""
        return None if options.webhook_secret is None else Reception()

    def verify(self, request: HttpRequest, options: ZoomOptions, at: datetime) -> Verdict:
        """`x-zm-signature: v0=HEX` over `v0:{timestamp}:{body}`; a challenge is answered with the HMAC of its token."""
        stamp, signature = request.headers.get("x-zm-request-timestamp", ""), request.headers.get("x-zm-signature", "")
        if not stamp or not signature:
            return Verdict(refusal="missing_signature", status=401)
        secrets = revealed(options.webhook_secret)
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12 or not signature.startswith("v0="):
            return Verdict(refusal="bad_header", status=401)
        if not is_signed(unhexed(signature[3:]), b"v0:" + stamp.encode() + b":" + request.body, secrets):
            return Verdict(refusal="bad_signature", status=401)
        if abs(at.timestamp() - int(stamp)) > _TOLERANCE_SECONDS:
            return Verdict(refusal="stale_timestamp", status=401)
        event = _decoded(request.body)
        if event.get("event") == _CHALLENGE:
            plain = str(at_path(event, "payload.plainToken") or "")
            proof = hmac.new(secrets[0].encode(), plain.encode(), hashlib.sha256).hexdigest()
            answer = msgspec.json.encode({"plainToken": plain, "encryptedToken": proof})
            return Verdict(status=200, is_stored=False, answer=answer, answer_type="application/json")
        # Who joined and left stands in the report, which is read when the webinar is over.
        return Verdict(status=200, is_stored=event.get("event") in _REGISTRATIONS or not event)

    def parse(self, delivery: Delivery, options: ZoomOptions) -> tuple[Record | Reject | Wanted, ...]:
        """The registrant of an event, to be asked for: the event lacks when they registered."""
        del options
        event = _decoded(delivery.body)
        webinar, who = (key_of(at_path(event, f"payload.object.{path}")) for path in ("id", "registrant.id"))
        if not webinar or not who:
            own_key = f"delivery-{delivery.sequence}"
            return (Reject(own_key, "no_registrant", "The event names no webinar and registrant.", delivery.body, "webhook"),)
        payload = msgspec.json.encode({"webinar": webinar, "registrant": who, "event": str(event.get("event"))})
        stamp = event.get("event_ts")
        at = instant(stamp / 1000) if isinstance(stamp, int) and not isinstance(stamp, bool) else None
        return (Wanted(f"{webinar}/{who}", payload, min(at, delivery.received_at) if at else None, f"webinar {webinar}"),)

    # ------------------------------------------------------------------ streams

    @staticmethod
    def _registrants(
        api: Api, webinar: Webinar, mark: Any, since: datetime | None, horizon: Horizon
    ) -> Iterator[tuple[tuple[Record, ...], tuple[Reject, ...], Any]]:
        """The lists by status, page by page. The mark is a hash for each page: what has not changed is not given again."""
        old = list(mark or ())
        new: list[str] = []
        for status in STATUSES:
            for reply in api.pages(f"/webinars/{webinar.key}/registrants", "registrants", {"status": status}):
                made = [registrant_of(webinar, raw, reply.received_at) for raw in reply.value.registrants or ()]
                records = tuple(one for one in made if isinstance(one, Record) and is_within(one.source_at, since, horizon.end))
                rejects = tuple(one for one in made if isinstance(one, Reject))
                new.append(hash_of([one.payload for one in records], [one.payload for one in rejects]))
                is_same = old[len(new) - 1 : len(new)] == new[-1:]
                yield ((), (), [*new, *old[len(new) :]]) if is_same else (records, rejects, [*new, *old[len(new) :]])
        yield (), (), new

    @staticmethod
    def _attendance(
        api: Api, webinar: Webinar, mark: Any, since: datetime | None, horizon: Horizon
    ) -> Iterator[tuple[tuple[Record, ...], tuple[Reject, ...], Any]]:
        """Everybody's time in one webinar; the whole report is one page, for who joined twice stands in it twice."""
        ended = webinar.ended_at()
        if ended is None or ended > horizon.end - _REPORT_READY or (since and ended < since):
            return
        if mark is not None and mark[0] == "final":
            return
        rows: dict[str, dict[str, Any]] = {}
        rejects: list[Reject] = []
        for reply in api.pages(f"{_report(webinar)}/participants", "participants", {}):
            for raw in reply.value.participants or ():
                add_join(rows, rejects, webinar, raw)
        for reply in api.pages(f"/past_webinars/{_place(webinar)}/absentees", "registrants", {}):
            for raw in reply.value.registrants or ():
                add_absentee(rows, rejects, webinar, raw)
        records = tuple(
            Record(key, msgspec.json.encode(row), min(ended, horizon.end), 0, f"webinar {webinar.key}")
            for key, row in rows.items()
        )
        found = hash_of([one.payload for one in records], [one.payload for one in rejects])
        state = "final" if ended <= horizon.end - _REPORT_FINAL else "open"
        is_same = mark is not None and mark[1] == found
        yield ((), (), [state, found]) if is_same else (records, tuple(rejects), [state, found])


def _place(webinar: Webinar) -> str:
    """A webinar that is over, in addresses: by its uuid, which is encoded twice where a slash would be misread."""
    once = quote(webinar.place, safe="")
    return quote(once, safe="") if webinar.place.startswith("/") or "//" in webinar.place else once


def _report(webinar: Webinar) -> str:
    return f"/report/webinars/{_place(webinar)}"


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


CONNECTOR = Zoom()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "Zoom", "ZoomOptions"]
