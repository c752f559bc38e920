"""The demo's last act: the ready-made policy `b2b_nurture` at work on two leads, by a clock that runs ahead.

The real pipeline over real HTTPS and HTTP, in this process: only the clock is given, for nobody wants to watch for half a year.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from syncd.cli.demo.promises import Promise
from syncd.cli.demo.stage import write_settings
from syncd.clock import FixedClock
from syncd.sandbox import (
    AUDIENCE,
    MAILCHIMP_KEY,
    MailchimpServer,
    SandboxMailchimp,
    SandboxOrg,
    SandboxServer,
)

_DAY = 86_400
_ADA, _BERT = "ada@analytical.example.com", "bert@garage.example.com"
_SOURCES = """\
sources:
  forms: {{type: csv_drop, folder: drop/forms, mapping: form, settle_seconds: 0}}
  demos: {{type: csv_drop, folder: drop/demos, mapping: demo, settle_seconds: 0}}
  newsletter:
    {{type: mailchimp, base_url: "{mailchimp_url}/3.0", api_key: {mailchimp_key}, audiences: [{audience}], mapping: mailchimp}}
http: {{port: 0}}
log: {{level: error, format: json}}
"""
_MAPPING = """\
version: 1
stream: rows
create: always
lead:
  Email: {{from: email, as: email}}
  FirstName: {{from: first, as: name}}
  LastName: {{from: last, as: name}}
  Company: {{from: company}}
  Title: {{from: title}}
  NumberOfEmployees: {{from: people, as: number, locale: en}}
  AnnualRevenue: {{from: turnover, as: number, locale: en}}
  LeadSource: {{value: Web, overwrite: first}}
touch: {{channel: {channel}}}
overwrite: if_unchanged
"""
_COLUMNS = "email,first,last,company,title,people,turnover"


@dataclass
class Step:
    """What happened on a day, and the status of the lead at its end."""

    day: int
    who: str
    what: str
    status: str


@dataclass
class Standards:
    """What the act has to tell."""

    steps: list[Step] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)


class StandardsAct:
    """Two leads in half a year: one goes the whole way, one is put away and comes back."""

    def __init__(self, folder: Path) -> None:
        """An org with the statuses of the policy, a newsletter with its journeys, and a fresh configuration in `folder`."""
        self._folder = folder
        self._clock = FixedClock(datetime.now(UTC) - timedelta(days=200))  # noqa: TID251 - the demo lives in real time
        self._began = self._clock.now()
        self.org = SandboxOrg(seed=11, clock=self._clock)
        for name in ("Qualified", "Nurture", "Unqualified", "Archived"):
            self.org.admin.add_status(name)
        self.org.add_queue("Archive")
        self.org.assignment_rule = lambda org, _lead: org.users["rep1"]
        self.mailchimp = SandboxMailchimp(seed=11, clock=self._clock)
        self.mailchimp.add_audience(AUDIENCE)
        self.mailchimp.marketing.add_journey(10, AUDIENCE, 1)
        self.mailchimp.marketing.add_journey(12, AUDIENCE, 3)
        for email, first in ((_ADA, "Ada"), (_BERT, "Bert")):
            self.mailchimp.put(AUDIENCE, email, merge_fields={"FNAME": first})
        self._server = SandboxServer(self.org, folder=folder / "sandbox")
        self._newsletter = MailchimpServer(self.mailchimp)
        self._told = Standards()

    def play(self) -> Standards:
        """The whole act."""
        self._server.start()
        self._newsletter.start()
        try:
            self._write()
            self._half_a_year()
        finally:
            self._server.stop()
            self._newsletter.stop()
        self._judge()
        return self._told

    def _half_a_year(self) -> None:
        self._drop("forms", f"{_ADA},Ada,Byron,Analytical Ltd,Head of Operations,120,", f"{_BERT},Bert,Moss,Garage,Student,3,")
        self._pass()
        self._tell(_ADA, "fills in a form; nobody has spoken to her")
        self._tell(_BERT, "fills in a form; has no say: invited to a webinar, costs no rep's time")
        self._on(1)
        self.org.edit(self._lead(_ADA)["Id"], {"Status": "Working - Contacted", "Rating": "Warm"}, user="rep1")
        self._pass()
        self._tell(_ADA, "a rep calls: not now")
        self._on(50)
        self._pass()
        self._tell(_ADA, "45 days of silence: the drip journey begins")
        self._on(70)
        self._drop("demos", f"{_ADA},Ada,Byron,Analytical Ltd,Head of Operations,120,5000000")
        self._pass()
        self._tell(_ADA, "asks for a demo: revived, qualified, converted, an opportunity, in one pass")
        for day in (112, 130):
            self._on(day)
            self._pass()
        self._tell(_BERT, "outside of the ideal customer profile, and silent: put away")
        self._on(150)
        self._drop("demos", f"{_BERT},Bert,Moss,Moss Robotics,Founder,40,")
        self._pass()
        self._tell(_BERT, "has founded a company and asks for a demo: back to his rep, with a task for today")

    # ------------------------------------------------------------------ the machinery

    def _write(self) -> None:
        sources = _SOURCES.format(mailchimp_url=self._newsletter.url, mailchimp_key=MAILCHIMP_KEY, audience=AUDIENCE)
        write_settings(self._folder, self._server, "mappings/policies/b2b_nurture.yaml", sources)
        for channel, name in (("form", "forms"), ("demo", "demos")):
            (self._folder / "drop" / name).mkdir(parents=True)
            (self._folder / "mappings" / f"{channel}.yaml").write_text(_MAPPING.format(channel=channel), encoding="utf-8")

    def _on(self, day: int) -> None:
        self._clock.advance(day * _DAY - (self._clock.now() - self._began).total_seconds())

    def _drop(self, source: str, *rows: str) -> None:
        path = self._folder / "drop" / source / f"day{self._day}.csv"
        path.write_text("\n".join([_COLUMNS, *rows]) + "\n", encoding="utf-8")
        stamp = self._clock.now().timestamp()
        os.utime(path, (stamp, stamp))
        self._clock.advance(60)

    def _pass(self) -> None:
        """One pass of a fresh process, as `syncd run --once` would be."""
        # Imported here, so that the first picture comes at once.
        from syncd.wiring import open_house

        self._clock.advance(60)
        with closing(open_house(self._folder / "syncd.yaml", clock=self._clock)) as house:
            house.run([])

    @property
    def _day(self) -> int:
        return int((self._clock.now() - self._began).total_seconds() // _DAY)

    def _lead(self, email: str) -> dict[str, Any]:
        return next(row for row in self.org.rows("Lead") if row["Email"] == email)

    def _tell(self, email: str, what: str) -> None:
        lead = self._lead(email)
        self._told.steps.append(Step(self._day, str(lead["FirstName"]), what, str(lead["Status"])))

    # ------------------------------------------------------------------ what must be true

    def _judge(self) -> None:
        ada, bert = self._lead(_ADA), self._lead(_BERT)
        way = [one.status for one in self._told.steps if one.who == "Ada"]
        whole = ["Open - Not Contacted", "Working - Contacted", "Nurture", "Closed - Converted"]
        (opened, *more) = [row for row in self.org.rows("Opportunity") if not row["IsDeleted"]] or [{}]
        drips = [one for one in self.mailchimp.marketing.entries if one.journey_id == 10]
        moves = [one.after.get("Status") for one in self.org.audit if one.sf_id == ada["Id"] and "Status" in one.after]
        is_whole = way == whole and moves[-3:] == ["Open - Not Contacted", "Qualified", "Closed - Converted"]
        is_won = ada["ConvertedOpportunityId"] == opened.get("Id") and not more and len(drips) == 1
        owners = self.org.users["rep1"] == bert["OwnerId"]
        tasks = [one for one in self.org.rows("Task") if one["WhoId"] == bert["Id"] and "came back" in str(one["Subject"])]
        was_away = any(one.after.get("Syncd_Archived__c") is True for one in self.org.audit if one.sf_id == bert["Id"])
        is_back = was_away and bert["Status"] == "Open - Not Contacted" and bert["Syncd_Archived__c"] is False and owners
        self._told.promises = [
            Promise("one lead went the whole way, and its opportunity is there once", is_whole and is_won, f"{len(moves)} moves"),
            Promise("one was archived and came back to its rep, with one task", is_back and len(tasks) == 1),
        ]


__all__ = ["Standards", "StandardsAct", "Step"]
