"""A world whose policy acts: a Mailchimp account with a journey, a program that takes signed messages, and standards that use both."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from syncd.http import make_session
from syncd.model import Operation
from syncd.sandbox import MAILCHIMP_KEY, SandboxOrg
from syncd.sandbox.adapter import SandboxAdapter
from syncd.standard_webhooks import key_of, read_headers
from tests.newsletter import SHORT_MAPPING, SOURCE, Newsletter, mail
from tests.world import BOOTH, World

SECRET = "whsec_aW50ZWdyYXRpb24td2ViaG9vay1vdXQta2V5"
EVENTS = f'  events: {{type: webhook_out, url: "https://hooks.test/x", secret: "{SECRET}", mapping: webhook_out}}\n'
NOTHING = "version: 1\nstream: nothing\ncreate: never\nlead: {Email: {from: email}}\n"

STANDARDS = """\
version: 1
name: acts
on_create: {status: Open - Not Contacted}
programs:
  inbound:
    statuses:
      "Open - Not Contacted": {meaning: Arrived., next_action: Call them., entry: true}
      "Working - Contacted": {meaning: Spoken to., next_action: Find out what they need.}
      Nurture: {meaning: Not yet., next_action: The drip campaign runs.}
      Parked: {meaning: "Nothing to do.", next_action: None.}
    transitions:
      - {from: "Open - Not Contacted", to: ["Working - Contacted", Nurture, Parked]}
      - {from: "Working - Contacted", to: [Nurture, Parked]}
      - {from: Nurture, to: ["Open - Not Contacted", Parked]}
      - {from: Parked, to: "Open - Not Contacted"}
rules:
  - {id: later_then, from: "Open - Not Contacted", to: Nurture, when: 'lead.Title == "Later"', reason: Not yet.}
revive:
  - {id: came_back, from: [Nurture], on: [event, email], to: "Open - Not Contacted", overrides_rep: true, reason: They came back.}
nurture:
  - id: drip
    from: Nurture
    do:
      - enrol: {source: newsletter, audience: L1, fields: {FNAME: lead.FirstName}}
      - tag: {source: newsletter, audience: L1, tag: drip}
      - trigger: {source: newsletter, audience: L1, journey: 7, step: 70}
      - send: {source: events, type: lead.nurtured, fields: {company: lead.Company}}
      - task: {subject: Read what they do}
"""
DRIP = STANDARDS[STANDARDS.index("nurture:") :]
BEFORE_DRIP = STANDARDS[: STANDARDS.index("nurture:")]


def doing(*actions: str, rule: str = "id: drip\n    from: Nurture") -> str:
    """The standards with one rule that does these things on entering Nurture."""
    lines = "".join(f"      - {one}\n" for one in actions)
    return f"{BEFORE_DRIP}nurture:\n  - {rule}\n    do:\n{lines}"


ENROL = "enrol: {source: newsletter, audience: L1, fields: {FNAME: lead.FirstName}}"
TAG = "tag: {source: newsletter, audience: L1, tag: drip}"
TRIGGER = "trigger: {source: newsletter, audience: L1, journey: 7, step: 70}"
SEND = "send: {source: events, type: lead.nurtured, fields: {company: lead.Company}}"
OPT_OUT = "opt_out: {source: newsletter, audience: L1}"


class Receiver(BaseAdapter):
    """Takes each signed message once. `answers`: statuses to come, 0 for hanging up when it was taken; `calls` counts requests."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        super().__init__()
        self.messages: dict[str, Any] = {}
        self.answers: list[int] = []
        self.calls = 0

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Verify and keep."""
        del stream, timeout, verify, cert, proxies
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        signed = read_headers({name.lower(): str(value) for name, value in request.headers.items()})
        assert not isinstance(signed, str), signed
        assert signed.is_by([key_of(SECRET)], body)
        self.calls += 1
        self.messages.setdefault(signed.id, json.loads(body))
        status = self.answers.pop(0) if self.answers else 204
        if not status:
            raise requests.ConnectionError(ConnectionResetError(104, "Connection reset by peer"), request=request)
        response = requests.Response()
        response.status_code, response.url, response.request = status, str(request.url), request
        response.raw = HTTPResponse(body=io.BytesIO(b""), status=status, preload_content=False)
        return response

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Acting(Newsletter):
    """A newsletter with the audience `L1` and the journey 7, a program at `events`, and the standards above."""

    policy: str = STANDARDS
    news_mapping: str = SHORT_MAPPING
    tags: tuple[str, ...] = ("FNAME", "LNAME", "COMPANY", "LINK")
    receiver: Receiver = field(default_factory=Receiver)

    def __post_init__(self) -> None:
        """Open everything."""
        super().__post_init__()
        options = f", {self.options}" if self.options else ""
        newsletter = SOURCE.format(key=MAILCHIMP_KEY, url="https://mailchimp.test/3.0", options=options)
        settings = (self.folder / "syncd.yaml").read_text(encoding="utf-8")
        self.write("syncd.yaml", settings.replace(BOOTH + newsletter, BOOTH + newsletter + EVENTS))
        self.write("mappings/webhook_out.yaml", NOTHING)
        self.mailchimp.marketing.add_journey(7, "L1", 70)
        for name in ("Nurture", "Parked"):
            self.org.admin.add_status(name)
        self.org.assignment_rule = _first_rep

    def source_sessions(self) -> Callable[[], Any]:
        """The way to the account and to the program."""

        def sessions() -> Any:
            session = make_session()
            session.mount("https://", SandboxAdapter(self.mailchimp))
            session.mount("https://hooks.test", self.receiver)
            return session

        return sessions

    def nurture(self, *numbers: int) -> None:
        """A rep moves leads to Nurture, a little later."""
        self.clock.advance(60)
        for number in numbers:
            self.org.edit(self.lead(mail(number))["Id"], {"Status": "Nurture"})
        self.clock.advance(60)

    def actions(self) -> list[Operation]:
        """Every action of everybody in the outbox, oldest first."""
        house = self.open()
        try:
            people = [view.person_id for view, _ in house.store.export_persons()]
            found = [one for person in people for one in house.store.operations_of(person)]
        finally:
            house.close()
        return sorted((one for one in found if one.object.startswith("source:")), key=lambda one: one.operation_id)

    def states(self) -> list[tuple[str, str, str]]:
        """Kind, state and code of each action."""
        return [(str(one.fields["action"]), str(one.state), one.code) for one in self.actions()]

    def member(self, number: int) -> dict[str, Any] | None:
        """The person as a member, None if they are none."""
        return next((one for one in self.people() if one["email_address"].lower() == mail(number)), None)

    def entries(self, number: int) -> int:
        """How often the journey was begun for a person."""
        return sum(one.email.lower() == mail(number) for one in self.mailchimp.marketing.entries)


def _first_rep(org: SandboxOrg, lead: dict[str, Any]) -> str:
    del lead
    return org.users["rep1"]


__all__ = ["Acting", "World", "doing"]
