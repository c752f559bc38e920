"""Customer journeys, events and the mails that go out: what the API sets off, and what tests look at afterwards.

A journey takes a contact as often as its step is triggered (sources.md 1: no idempotency key). Whether the vendor takes one who
is not subscribed it does not tell; here it does, and sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from syncd.sandbox.mailchimp.problem import invalid, invalid_fields, missing
from syncd.sandbox.message import Response

if TYPE_CHECKING:
    from syncd.sandbox.mailchimp.call import Call


@dataclass(frozen=True)
class Mail:
    """One mail that would have been sent.

    Attributes:
        kind: `confirmation` of a double opt-in, or `journey`.
        list_id: The audience. email: To whom. at: When.
        merge_fields: What its text could quote, as they were then.
        journey_id, step_id: Of a journey's, 0 otherwise.
    """

    kind: str
    list_id: str
    email: str
    at: datetime
    merge_fields: dict[str, Any] = field(default_factory=dict)
    journey_id: int = 0
    step_id: int = 0


@dataclass(frozen=True)
class Entry:
    """One trigger of a journey's step for a contact; whoever is triggered twice is there twice."""

    journey_id: int
    step_id: int
    list_id: str
    email: str
    at: datetime


@dataclass(frozen=True)
class Event:
    """Something that was reported of a member."""

    list_id: str
    email: str
    name: str
    properties: dict[str, str]
    at: datetime


class Marketing:
    """What an account sends out; its lock is the account's.

    Attributes:
        steps: Journey and step, of those that the API may trigger, to the audience.
        entries, events, mails: Oldest first.
    """

    def __init__(self) -> None:
        """No journeys, and nothing sent."""
        self.steps: dict[tuple[int, int], str] = {}
        self.entries: list[Entry] = []
        self.events: list[Event] = []
        self.mails: list[Mail] = []

    def add_journey(self, journey_id: int, list_id: str, *steps: int) -> None:
        """A journey of an audience with steps that begin by the API."""
        self.steps |= {(journey_id, step): list_id for step in steps}

    def confirm(self, list_id: str, email: str, at: datetime) -> None:
        """Send the mail of a double opt-in."""
        self.mails.append(Mail("confirmation", list_id, email, at))

    def mails_to(self, email: str, kind: str = "") -> list[Mail]:
        """Mails to one person, of one kind or of all."""
        return [one for one in self.mails if one.email.lower() == email.lower() and kind in ("", one.kind)]


def trigger(call: Call, journey: str, step: str) -> Response:
    """POST /customer-journeys/journeys/{id}/steps/{id}/actions/trigger."""
    marketing, clock = call.mailchimp.marketing, call.mailchimp.clock
    if not (journey.isdecimal() and step.isdecimal()) or (int(journey), int(step)) not in marketing.steps:
        raise missing()
    email = call.body.get("email_address")
    if not isinstance(email, str):
        raise invalid_fields(email_address="Schema describes string")
    list_id = marketing.steps[int(journey), int(step)]
    member = call.audience(list_id).find(email) if "@" in email else None
    if member is None or member.status == "archived":
        raise invalid("The contact is not in the audience of the journey.")
    at = clock.now()
    marketing.entries.append(Entry(int(journey), int(step), list_id, member.email, at))
    if member.status == "subscribed":
        marketing.mails.append(Mail("journey", list_id, member.email, at, dict(member.merge_fields), int(journey), int(step)))
    return Response(204)


def report(call: Call, list_id: str, reference: str) -> Response:
    """POST /lists/{id}/members/{reference}/events: a name of 2 to 30 characters, and properties."""
    _, member = call.member(list_id, reference)
    name, properties = call.body.get("name"), call.body.get("properties") or {}
    if not isinstance(name, str) or not 2 <= len(name) <= 30:
        raise invalid_fields(name="Length must be between 2 and 30")
    if not isinstance(properties, dict) or not all(isinstance(one, str) for one in properties.values()):
        raise invalid_fields(properties="Schema describes object of strings")
    if not call.body.get("is_syncing"):
        call.mailchimp.marketing.events.append(Event(list_id, member.email, name, properties, call.mailchimp.clock.now()))
    return Response(204)


def events(call: Call, list_id: str, reference: str) -> Response:
    """GET /lists/{id}/members/{reference}/events."""
    _, member = call.member(list_id, reference)
    found = [
        {"name": one.name, "properties": one.properties, "occurred_at": one.at.isoformat(timespec="seconds")}
        for one in call.mailchimp.marketing.events
        if (one.list_id, one.email) == (list_id, member.email)
    ]
    return call.collection("events", found)
