"""The demo's act of many channels: the same people come by every vendor that syncd reads, and each stays one lead.

The ready-made policy `event_team` is in force: whom the team met and a rep has put aside is not forgotten.

Every vendor is served over real HTTP, the org over HTTPS, syncd runs as its users run it: one pass, then the daemon. Vendors send
what happens while it runs; one delivery is lost on its way, and one comes three times.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from syncd.cli.demo.promises import Promise, mailbox
from syncd.cli.demo.stage import Daemon, post, start, write_settings
from syncd.errors import ConfigError
from syncd.sandbox import (
    AUDIENCE,
    MAILCHIMP_KEY,
    MailchimpServer,
    SandboxMailchimp,
    SandboxOrg,
    SandboxServer,
    VendorServer,
    populate,
    populate_mailchimp,
)
from syncd.sandbox.vendors import all_vendors
from syncd.sandbox.vendors.typeform import CONTACT_FORM, SandboxTypeform
from syncd.sandbox.vendors.zoom import WEBINAR, SandboxZoom
from syncd.sandbox.visitors import visitors

_TAIL = "http: {port: 0}\nlog: {format: json}\n"
_POLICY = "mappings/policies/event_team.yaml"
_AGAIN, _ASIDE = "priya.raman@lotus.example.com", "omar.haddad@cedar.example.com"
"""Whom a rep has put into Nurture, and whose lead a rep has closed, between the first pass and the daemon."""
_QUICK = {"poll_interval_seconds": 2, "jitter_seconds": 0, "settle_seconds": 0, "overlap_seconds": 30}
"""The demo does not wait for minutes."""
_PATIENCE_SECONDS = 150.0
_JSON = {"Content-Type": "application/json"}


@dataclass
class Channels:
    """What the act has to tell: people and sources, of how many sources each lead is made, and what became of what was sent."""

    sources: list[str] = field(default_factory=list)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    people: int = 0
    met: Counter[int] = field(default_factory=Counter)
    steps: list[tuple[str, str]] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)


class ChannelsAct:
    """Plays it; `tick` is called all the while."""

    def __init__(self, folder: Path, tick: Callable[[], None]) -> None:
        """An org, every vendor with the same visitors, and a fresh configuration in `folder`."""
        self._folder = folder
        self._tick = tick
        self._told = Channels()
        self.org = SandboxOrg(seed=13)
        populate(self.org)
        self.org.admin.add_status("Nurture")
        self.org.add_queue("Event Leads")
        self.org.assignment_rule = lambda org, _lead: org.users["rep1"]
        self.newsletter = SandboxMailchimp(seed=13)
        populate_mailchimp(self.newsletter, empty=True)
        self._newsletter = MailchimpServer(self.newsletter)
        self._known = {mailbox(str(row["Email"])) for row in self._living() if row.get("Email")}
        self._visitors = visitors(datetime.now(UTC) - timedelta(minutes=5))  # noqa: TID251 - the demo lives in real time
        self._vendors = {name: made(seed=13) for name, made in all_vendors().items()}
        self._servers = {name: VendorServer(one) for name, one in self._vendors.items()}
        self._server = SandboxServer(self.org, folder=folder / "sandbox")
        self._late: list[tuple[str, str]] = []

    def play(self) -> Channels:
        """The whole act.

        Raises:
            ConfigError: syncd did not come up, or did not get done; its log says why.
        """
        servers = (self._server, self._newsletter, *self._servers.values())
        for one in servers:
            one.start()
        try:
            for vendor in self._vendors.values():
                vendor.populate(self._visitors)
            self._write()
            self._first_pass()
            self._reps_put_aside()
            self._live()
            self._look()
        finally:
            for one in servers:
                one.stop()
        return self._told

    # ------------------------------------------------------------------ the acts

    def _write(self) -> None:
        sources = {
            name: {**one.source(self._servers[name].url), **_QUICK, "poll_interval_seconds": self._interval(name)}
            for name, one in self._vendors.items()
        }
        self._told.sources = list(sources)
        lines = [f"  {name}: {json.dumps(given, ensure_ascii=False)}" for name, given in sources.items()]
        newsletter = {
            "type": "mailchimp",
            "base_url": f"{self._newsletter.url}/3.0",
            "api_key": MAILCHIMP_KEY,
            "audiences": [AUDIENCE],
            "mapping": "mailchimp",
            **_QUICK,
        }
        lines.append(f"  newsletter: {json.dumps(newsletter)}")
        write_settings(self._folder, self._server, _POLICY, "\n".join(["sources:", *lines, _TAIL]))

    @staticmethod
    def _interval(name: str) -> int:
        """The forms are asked often, to find what was lost; the others wait for what is sent."""
        return 3 if name == "typeform" else 600

    def _first_pass(self) -> None:
        done = start(self._folder, "run", "--once", "--json")
        out, _ = done.communicate(timeout=_PATIENCE_SECONDS)
        if done.returncode not in (0, 3):
            raise ConfigError(
                f"The pass over all channels ended with {done.returncode}.", advice=f"See {self._folder}/syncd.log."
            )
        summary = json.loads(out.strip().splitlines()[-1])
        records = sum(one["pulled"] for one in summary["sources"].values())
        self._say("one pass over all of them", f"{records} records, {summary['operations']['created']} new leads")

    def _reps_put_aside(self) -> None:
        """What reps do in the org, of two people whom the team has met."""
        for address, status in ((_AGAIN, "Nurture"), (_ASIDE, "Closed - Not Converted")):
            self.org.edit(self._lead(address)["Id"], {"Status": status}, user="rep1")
        self._say("a rep calls two of them: one does not buy now, one is not for us", "Nurture, Closed - Not Converted")

    def _live(self) -> None:
        """While the daemon runs: a form and a registration are sent, one of them three times, and one form's delivery is lost."""
        forms, webinars = self._vendors["typeform"], self._vendors["zoom"]
        assert isinstance(forms, SandboxTypeform)  # noqa: S101 - what the registry holds under these names
        assert isinstance(webinars, SandboxZoom)  # noqa: S101
        daemon = Daemon(self._folder, self._tick, _PATIENCE_SECONDS)
        try:
            port = daemon.port()
            forms.submit(CONTACT_FORM, {"email": "hedy.lamarr@example.org", "first_name": "Hedy", "last_name": "Lamarr"})
            body = forms.webhook_body(CONTACT_FORM, len(forms.forms[CONTACT_FORM]) - 1)
            answers = [post(port, "typeform", body, {**_JSON, "Typeform-Signature": forms.signature(body)}) for _ in range(3)]
            self._say("a form is sent, and twice again by an impatient sender", f"answered {answers}")
            who = webinars.register(
                WEBINAR, "HEDY.Lamarr@example.org", first_name="Hedy", last_name="Lamarr", org="Frequency Inc."
            )
            event = webinars.event(WEBINAR, who)
            stamp = datetime.now(UTC)  # noqa: TID251 - the demo lives in real time
            answers.append(post(port, "zoom", event, {**_JSON, **webinars.signed(event, stamp)}))
            self._say("she registers for a webinar: the event only names her, so she is asked for", f"answered [{answers[-1]}]")
            forms.submit(CONTACT_FORM, {"email": "emmy.noether@example.org", "first_name": "Emmy", "last_name": "Noether"})
            self._say("another form's delivery is lost on its way", "nothing was sent")
            forms.submit(CONTACT_FORM, {"email": _AGAIN, "first_name": "Priya", "last_name": "Raman"})
            self._late = [("hedy.lamarr@example.org", "Hedy"), ("emmy.noether@example.org", "Emmy")]
            daemon.until(self._has_arrived, "the late ones are in the org")
            daemon.until(self._is_back, "she who was nurtured is back with her rep")
            self._say("she whom a rep had put into Nurture fills in a form", "open again, with a task for her rep")
            daemon.until(self._is_invited, "he whom a rep had closed is asked whether he wants the newsletter")
            self._say("he whom a rep had closed is asked whether he wants the newsletter", "no rep's time")
        finally:
            daemon.stop()
        self._told.promises.append(
            Promise("what was sent was answered with 2xx, signed as each vendor signs", all(one < 300 for one in answers))
        )

    def _has_arrived(self) -> bool:
        there = {mailbox(str(row["Email"])): row for row in self._living() if row.get("Email")}
        hedy = there.get("hedy.lamarr@example.org")
        return hedy is not None and hedy.get("Company") == "Frequency Inc." and "emmy.noether@example.org" in there

    def _is_back(self) -> bool:
        lead = self._lead(_AGAIN)
        return lead["Status"] == "Open - Not Contacted" and bool(self._tasks(lead))

    def _is_invited(self) -> bool:
        return [one["status"] for one in self.newsletter.members(AUDIENCE) if one["email_address"] == _ASIDE] == ["pending"]

    # ------------------------------------------------------------------ what must be true

    def _look(self) -> None:
        from syncd.app.leads import export_leads
        from syncd.app.status import status
        from syncd.wiring import open_house

        with closing(open_house(self._folder / "syncd.yaml")) as house:
            people = list(export_leads(house.store))
            self._told.totals = {
                name: one["totals"] for name, one in status(house.store, house.settings.sources)["sources"].items()
            }
        rows = Counter(mailbox(str(row["Email"])) for row in self._living() if row.get("Email"))
        wanted = {mailbox(one.email) for one in self._visitors} | {address for address, _ in self._late}
        met = {address: self._sources_of(people, address) for address in wanted}
        self._told.people = len(wanted)
        self._told.met = Counter(len(sources) for sources in met.values())
        most = max(len(sources) for sources in met.values())
        ours = {mailbox(str(row["Email"])) for row in self._living() if row["CreatedById"] == self.org.integration_user_id}
        self._told.promises += [
            Promise(
                "whoever came, by whatever channel, is in the org once",
                bool(wanted) and all(rows[address] == 1 for address in wanted),
                f"{len(wanted)} people, {sum(one['pulled'] for one in self._told.totals.values())} records",
            ),
            Promise(
                "every channel was joined: somebody is known by all of them",
                most == len(self._told.sources) >= 2,
                f"{most} of {len(self._told.sources)} sources on one lead",
            ),
            Promise("nobody whom a rep had typed in was made again", bool(self._known & wanted) and not self._known & ours),
            Promise(
                "a lost webhook was found by the next poll, one that came three times is one lead",
                all(rows[address] == 1 for address, _ in self._late) and met["hedy.lamarr@example.org"] >= {"typeform", "zoom"},
            ),
            Promise(
                "whom we had met and put aside came back to her rep with one task; who was closed got an invitation, once",
                self._is_back() and len(self._tasks(self._lead(_AGAIN))) == 1 and self._is_invited() and self._is_left(),
            ),
        ]

    @staticmethod
    def _sources_of(people: list[dict[str, Any]], address: str) -> set[str]:
        return {
            source
            for person in people
            if any(kind == "email" and mailbox(str(value)) == address for kind, value in person["keys"])
            for source in person["sources"]
        }

    def _is_left(self) -> bool:
        """Whether he who was closed is as the rep left him, and nobody else was written to."""
        return self._lead(_ASIDE)["Status"] == "Closed - Not Converted" and len(self.newsletter.members(AUDIENCE)) == 1

    def _lead(self, address: str) -> dict[str, Any]:
        return next(row for row in self._living() if mailbox(str(row.get("Email"))) == address)

    def _tasks(self, lead: dict[str, Any]) -> list[dict[str, Any]]:
        return [row for row in self.org.rows("Task") if row["WhoId"] == lead["Id"] and row["OwnerId"] == lead["OwnerId"]]

    def _living(self) -> list[dict[str, Any]]:
        rows = [*self.org.rows("Lead"), *self.org.rows("Contact")]
        return [row for row in rows if not row.get("IsDeleted") and not row.get("IsConverted")]

    # ------------------------------------------------------------------ the machinery

    def _say(self, what: str, came: str) -> None:
        self._told.steps.append((what, came))


__all__ = ["Channels", "ChannelsAct"]
