"""One Eventbrite user: organizations, events and attendees, one per ticket (reference, sources.md 8.2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import COMMON_KINDS, Vendor, bearer, route
from syncd.sandbox.visitors import Visitor

EVENTBRITE_TOKEN = "SANDBOXEVENTBRITETOKEN7"  # noqa: S105 - public on purpose
EVENTBRITE_PATH = "sandbox-eventbrite-path-secret"
ORGANIZATION = "123456789012"
FAIR = "555000111"
"""Id of the event of `populate`."""
_PAGE = 50
_ERRORS = {
    Kind.EXPIRED: "INVALID_AUTH",
    Kind.FORBIDDEN: "NOT_AUTHORIZED",
    Kind.THROTTLED: "HIT_RATE_LIMIT",
    Kind.ERROR: "INTERNAL_ERROR",
    Kind.UNAVAILABLE: "EXPANSION_FAILED",
}


class SandboxEventbrite(Vendor):
    """The user. Attendees are listed newest first, so that a walk meets what changes meanwhile twice, or not at all.

    Attributes:
        page: Attendees on a page; fewer than 50 with many questions.
        goes_in_circles: The continuation is always the same.
        root: Of the addresses that webhooks name.
    """

    name = "Eventbrite"
    kinds = COMMON_KINDS | {Kind.EMPTY_PAGE}

    def __init__(self, **given: Any) -> None:
        """One organization without events."""
        super().__init__(**given)
        self.organizations: list[str] = [ORGANIZATION]
        self.events: dict[str, dict[str, Any]] = {}
        self.tickets: list[dict[str, Any]] = []
        self.page = _PAGE
        self.goes_in_circles = False
        self.root = "https://eventbrite.test/v3"

    def source(self, url: str) -> dict[str, Any]:
        """With the token, and the end of the webhook's address."""
        given = {"base_url": f"{url}/v3", "token": EVENTBRITE_TOKEN, "webhook_path_secret": EVENTBRITE_PATH}
        return {"type": "eventbrite", **given, "mapping": "eventbrite"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """A fair of yesterday evening: all bought a ticket, two of three came; one ticket is nobody's yet."""
        start = self.now() - timedelta(hours=20)
        self.add_event(FAIR, "Water pump fair", start)
        for number, one in enumerate(people):
            told = {"first_name": one.first, "last_name": one.last, "name": f"{one.first} {one.last}", "company": one.company}
            told |= {"job_title": one.title, "cell_phone": one.phone}
            ticket = self.buy(FAIR, one.email, at=min(one.at, start), addresses={"work": {"country": one.country}}, **told)
            if number % 3:
                self.change(ticket, at=start + timedelta(minutes=number), checked_in=True, status="Checked In")
        if people:
            self.buy(FAIR, "Info Requested", at=start, name="Info Requested")

    # ------------------------------------------------------------------ people at work

    def add_event(self, event_id: str, name: str, start: datetime, organization: str = ORGANIZATION) -> None:
        """An event."""
        with self.lock:
            when = {"utc": _text(start), "timezone": "Europe/Berlin", "local": _text(start)[:-1]}
            shown = {"id": event_id, "name": {"text": name, "html": name}, "organization_id": organization}
            more = {"url": f"https://www.eventbrite.com/e/{event_id}", "description": {"text": "x" * 200}, "status": "live"}
            self.events[event_id] = {**shown, "start": when, "end": when, **more}

    def buy(self, event_id: str, email: str | None, *, at: datetime | None = None, **profile: Any) -> str:
        """Somebody buys a ticket; gives its id. Without an address: `Info Requested`."""
        with self.lock:
            number = len(self.tickets) + 1
            stamp = _text(at or self.now())
            ticket = {
                "id": str(2_360_000_000 + number),
                "event_id": event_id,
                "order_id": str(1_680_000_000 + number),
                "created": stamp,
                "changed": stamp,
                "status": "Attending",
                "cancelled": False,
                "refunded": False,
                "checked_in": False,
                "ticket_class_id": "77",
                "ticket_class_name": "Standard",
                "affiliate": "oddtdteb",
                "profile": {"email": email, "gender": "", "birth_date": "1815-12-10", **profile},
                "answers": [],
                "barcodes": [{"barcode": hashlib.blake2b(str(number).encode(), digest_size=9).hexdigest()}],
                "costs": {"gross": {"display": "10.00 EUR"}},
            }
            self.tickets.append(ticket)
            return str(ticket["id"])

    def change(self, ticket: str, *, at: datetime | None = None, **news: Any) -> None:
        """Somebody checks in, is refunded, or says who they are (`profile`)."""
        with self.lock:
            found = self._ticket(ticket)
            assert found is not None  # noqa: S101 - a mistake of the caller
            found |= {"changed": _text(at or self.now()), **news}

    def webhook_body(self, ticket: str, action: str = "attendee.updated") -> bytes:
        """What is sent when a ticket changed."""
        found = self._ticket(ticket)
        address = f"{self.root}/events/{found['event_id'] if found else FAIR}/attendees/{ticket}/"
        config = {"action": action, "endpoint_url": "https://hooks.example.com/", "user_id": "1", "webhook_id": "2"}
        return json.dumps({"api_url": address, "config": config}).encode()

    def _ticket(self, ticket: str) -> dict[str, Any] | None:
        return next((one for one in self.tickets if one["id"] == ticket), None)

    # ------------------------------------------------------------------ the API

    def is_logged_in(self, request: Request) -> bool:
        """By the private token."""
        return bearer(request) == EVENTBRITE_TOKEN

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """`{status_code, error, error_description}`; a throttle does not say for how long."""
        code = _ERRORS.get(kind, "ERROR") if kind else "NOT_FOUND"
        return Response(status, {"status_code": status, "error": code, "error_description": message})

    def emptied(self, body: Any) -> Any:
        """No attendees, though there are some."""
        return {**body, "attendees": []} if isinstance(body, dict) and "attendees" in body else body

    @route("GET", "/v3/users/me/organizations")
    def mine(self, request: Request) -> Response:
        """The user's organizations."""
        return self._page(request, "organizations", [{"id": one, "name": f"Organization {one}"} for one in self.organizations])

    @route("GET", "/v3/organizations/*/attendees")
    def attendees(self, request: Request, organization: str) -> Response:
        """Attendees of all events of an organization, changed at `changed_since` or later."""
        if organization not in self.organizations:
            return self.missing()
        since = request.query.get("changed_since", "")
        found = [
            self._shown(request, one)
            for one in reversed(self.tickets)
            if self.events[one["event_id"]]["organization_id"] == organization and str(one["changed"]) >= since
        ]
        return self._page(request, "attendees", found)

    @route("GET", "/v3/events/*/attendees/*")
    def attendee(self, request: Request, event_id: str, ticket: str) -> Response:
        """One attendee."""
        found = self._ticket(ticket)
        return self.missing() if found is None or found["event_id"] != event_id else Response(200, self._shown(request, found))

    def _shown(self, request: Request, ticket: dict[str, Any]) -> dict[str, Any]:
        is_whole = request.query.get("expand") == "event"
        return {**ticket, "event": self.events[ticket["event_id"]]} if is_whole else ticket

    def _page(self, request: Request, name: str, found: Sequence[dict[str, Any]]) -> Response:
        token = request.query.get("continuation", "")
        start = int(token.removeprefix("c")) if token and not self.goes_in_circles else 0
        end = start + self.page
        paging: dict[str, Any] = {"object_count": len(found), "page_size": self.page, "has_more_items": end < len(found)}
        if paging["has_more_items"] or self.goes_in_circles:
            paging |= {"has_more_items": True, "continuation": "c1" if self.goes_in_circles else f"c{end}"}
        self.read_page(name)
        return Response(200, {"pagination": paging, name: found[start:end]})

    # ------------------------------------------------------------------ beside

    def do_buy(self, event_id: str, email: str, **profile: Any) -> dict[str, Any]:
        """Control call `buy`."""
        return {"id": self.buy(event_id, email, **profile)}

    def do_change(self, ticket: str, **news: Any) -> dict[str, Any]:
        """Control call `change`."""
        self.change(ticket, **news)
        return {}

    def state(self) -> dict[str, Any]:
        """Tickets by event."""
        return {"tickets": {key: sum(one["event_id"] == key for one in self.tickets) for key in self.events}}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Attendees."""
        return ("Event", "E-mail", "Name", "Status", "Changed"), (
            (
                self.events[one["event_id"]]["name"]["text"],
                one["profile"].get("email"),
                one["profile"].get("name"),
                one["status"],
                one["changed"],
            )
            for one in reversed(self.tickets)
        )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


SANDBOX = SandboxEventbrite
