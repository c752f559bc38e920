"""A world whose people come by lead forms of Google, Meta and LinkedIn, and whose policy tells the platforms what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from syncd.http import make_session
from syncd.model import Operation
from syncd.sandbox.adapter import SandboxAdapter
from syncd.sandbox.vendors.conversions import CONVERSION_ACTION, CONVERSION_RULE
from syncd.sandbox.vendors.google_ads import SandboxGoogleAds
from syncd.sandbox.vendors.linkedin import SandboxLinkedIn
from syncd.sandbox.vendors.meta import SandboxMeta
from tests.world import World

DAY, HOUR = 86_400, 3_600
MAPPINGS = Path(__file__).parents[1] / "mappings"
FORM = "456789012345"
AGREED = "40000000001"
"""The form below Google's ads, whose text asks for leave."""

POLICY = """\
version: 1
name: told
currency: EUR
programs:
  inbound:
    statuses:
      "Open - Not Contacted": {meaning: Arrived., next_action: Call them., entry: true}
      Qualified: {meaning: "Need, power, money.", next_action: Convert.}
      "Closed - Converted": {meaning: A customer to be., terminal: true}
    transitions:
      - {from: "Open - Not Contacted", to: Qualified}
      - {from: Qualified, to: ["Closed - Converted", "Open - Not Contacted"]}
nurture:
  - id: tell_qualified
    from: Qualified
    do: [TELL(qualified)]
  - id: tell_converted
    target: contact
    when: 'person.is_contact'
    do: [TELL(converted)]
  - id: tell_won
    target: contact
    when: 'person.is_contact'
    do: [TELL(won)]
"""
GOOGLE = f"{{conversion: {{source: google, event: EVENT, consent: '{AGREED}', conversion_action: {CONVERSION_ACTION}}}}}"
META = "{conversion: {source: meta, event: EVENT, consent: marketing_opt_in, event_name: Stage EVENT}}"
LINKEDIN = f"{{conversion: {{source: linkedin, event: EVENT, consent: '7', conversion: '{CONVERSION_RULE}'}}}}"


def telling(*platforms: str, policy: str = POLICY) -> str:
    """The policy that tells these platforms of every event."""
    for event in ("qualified", "converted", "won"):
        policy = policy.replace(f"[TELL({event})]", f"[{', '.join(one.replace('EVENT', event) for one in platforms)}]")
    return policy


@dataclass
class Platforms(World):
    """The three platforms; `more` are further keys of the configuration."""

    policy: str = field(default_factory=lambda: telling(GOOGLE))

    def __post_init__(self) -> None:
        """Open the accounts beside the org."""
        self.google = SandboxGoogleAds(seed=self.seed, clock=self.clock)
        self.meta = SandboxMeta(seed=self.seed, clock=self.clock)
        self.linkedin = SandboxLinkedIn(seed=self.seed, clock=self.clock)
        self.meta.add_form(FORM)
        made = {name: self.vendor(name).source(f"https://{name}.test") for name in ("google", "meta", "linkedin")}
        self.sources = "".join(
            f"  {name}: {yaml.safe_dump(one, default_flow_style=True, width=10_000)}" for name, one in made.items()
        )
        super().__post_init__()
        for name in ("google_ads", "meta", "linkedin"):
            text = (MAPPINGS / f"{name}.yaml").read_text(encoding="utf-8")
            self.write(f"mappings/{name}.yaml", text.partition("\ntests:")[0] + "\n")
        self.org.admin.add_status("Qualified")
        self.org.assignment_rule = lambda org, lead: org.users["rep1"]

    def vendor(self, name: str) -> Any:
        """One of the platforms."""
        return getattr(self, name)

    def source_sessions(self) -> Callable[[], Any]:
        """The way to the platforms."""

        def sessions() -> Any:
            session = make_session()
            for name in ("google", "meta", "linkedin"):
                session.mount(f"https://{name}.test", SandboxAdapter(self.vendor(name)))
            return session

        return sessions

    def fill_in(self, number: int, **changes: Any) -> None:
        """Somebody sends Google's form."""
        told = {
            "WORK_EMAIL": mail(number),
            "FIRST_NAME": "Ada",
            "LAST_NAME": f"Last{'abcdefghij'[number % 10]}",
            "COMPANY_NAME": "Engines",
        }
        self.google.submit(told, **{"gclid": f"Cj0-Ada_{number}", **changes})

    def settle(self, seconds: float = 600) -> None:
        """So long nothing happens; then a pass."""
        self.clock.advance(seconds)
        self.run()

    def edit(self, number: int, **fields: Any) -> None:
        """A rep edits the lead, and a pass sees it."""
        self.org.edit(self.lead(mail(number))["Id"], fields)
        self.settle()

    def convert(self, number: int) -> str:
        """A rep converts the lead; gives the contact."""
        lead = self.lead(mail(number))
        account = self.org.create("Account", {"Name": "Engines"}, user="rep1")
        contact = self.org.create(
            "Contact", {"LastName": lead["LastName"], "Email": mail(number), "AccountId": account}, user="rep1"
        )
        self.org.note("Lead", lead["Id"], {
            "IsConverted": True, "Status": "Closed - Converted", "ConvertedContactId": contact, "ConvertedAccountId": account,
        })  # fmt: skip
        self.settle()
        return contact

    def win(self, contact: str, amount: float | None = 1250.5) -> str:
        """A rep wins an opportunity with a contact, and a pass sees it; gives its id."""
        made = self.close(contact, amount)
        self.settle()
        return made

    def close(self, contact: str, amount: float | None = 1250.5) -> str:
        """The same before a pass."""
        deal = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": self.clock.now().date().isoformat(), "Amount": amount}
        return self.org.create("Opportunity", {**deal, "ContactId": contact}, user="rep1")

    def pause(self, *names: str) -> None:
        """Somebody pauses sources."""
        self._set_paused(names, is_paused=True)

    def resume(self, *names: str) -> None:
        """Somebody lets them go on."""
        self._set_paused(names, is_paused=False)

    def _set_paused(self, names: Sequence[str], *, is_paused: bool) -> None:
        house = self.open()
        house.set_paused(list(names), is_paused=is_paused)
        house.close()

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
        """Event, state and code of each conversion."""
        return [(str(one.fields["value.event"]), str(one.state), one.code) for one in self.actions()]

    def notes(self, number: int) -> dict[str, str]:
        """Why what is not done."""
        house = self.open()
        try:
            (view,) = [
                one
                for one, _ in house.store.export_persons()
                if any(mail(number) in str(row.row.fields) for row in one.org_records)
            ]
            return dict(house.store.person_views([view.person_id])[0].notes)
        finally:
            house.close()


def mail(number: int) -> str:
    """A person's address."""
    return f"person{number}@example.com"
