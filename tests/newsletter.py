"""A world whose leads come from Mailchimp, and the oracle that compares its population with the org.

The account lives in process and shares the world's clock; what reads it is the real connector with the real HTTP layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.mailchimp import Mailchimp
from syncd.http import make_session
from syncd.ports import Backfill
from syncd.run.one_pass import Summary
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from syncd.sandbox.adapter import SandboxAdapter
from syncd.wiring import House
from tests.crash import oracle
from tests.world import BOOTH, World

STOCK_MAPPING = (Path(__file__).parents[1] / "mappings" / "mailchimp.yaml").read_text(encoding="utf-8")
UNTESTED_MAPPING = STOCK_MAPPING.partition("tests:")[0]
"""To be changed in a test: its own tests pin what it says."""
SHORT_MAPPING = """\
version: 1
stream: members
create: always
lead:
  Email:      {from: email_address, as: email}
  FirstName:  {from: merge_fields.FNAME, as: name}
  LastName:   {from: merge_fields.LNAME, as: name, default: "[not provided]"}
  Company:    {from: merge_fields.COMPANY, default: "[not provided]"}
  LeadSource: {value: Mailchimp, overwrite: first}
  HasOptedOutOfEmail: {from: status, translate: {unsubscribed: true}, unknown: no_value}
touch: {channel: email}
skip_when: 'record.status in ("pending", "cleaned", "archived")'
overwrite: if_unchanged
"""
"""Says the same of these people as the shipped one, and is read in a tenth of the time: for tests that start many processes."""
WITH_TITLE = SHORT_MAPPING.replace("  LeadSource:", "  Title: {from: merge_fields.TITLE}\n  LeadSource:")
"""With one more line, which makes what the short one made stale."""
IMPORTABLE = frozenset({"subscribed", "transactional", "unsubscribed"})
"""Statuses that make a lead by the shipped mapping."""
EDITED = "Edited"
"""How companies of edited members begin."""
MEMBERS = "/members$"
"""Where pages of members come from, for faults."""

SOURCE = '  newsletter: {{type: mailchimp, api_key: "{key}", base_url: "{url}", mapping: mailchimp{options}}}\n'


@dataclass
class Newsletter(World):
    """A world with a `newsletter` besides, or with `has_booth` False instead of, the drop folder.

    `options` are more keys of the source as YAML (`start_from: now`), `tags` the merge fields of its `audiences`, `page_size` how many
    members a page holds instead of the 1,000 that the connector asks for.
    """

    audiences: tuple[str, ...] = ("L1",)
    options: str = ""
    news_mapping: str = STOCK_MAPPING
    has_booth: bool = True
    tags: tuple[str, ...] = ("FNAME", "LNAME", "COMPANY", "PHONE", "TITLE")
    page_size: int = 0

    def __post_init__(self) -> None:
        """Open the account beside the org."""
        options = f", {self.options}" if self.options else ""
        source = SOURCE.format(key=MAILCHIMP_KEY, url="https://mailchimp.test/3.0", options=options)
        self.sources = (BOOTH if self.has_booth else "") + source
        super().__post_init__()
        self.write("mappings/mailchimp.yaml", self.news_mapping)
        self.mailchimp = SandboxMailchimp(seed=self.seed, clock=self.clock)
        for list_id in self.audiences:
            self.mailchimp.add_audience(list_id, merge_fields=self.tags)

    def source_sessions(self) -> Callable[[], Any]:
        """The way to the account: a requests session without a socket."""

        def sessions() -> Any:
            session = make_session()
            session.mount("https://", SandboxAdapter(self.mailchimp))
            return session

        return sessions

    def open(self, wrap: Callable[[Any, str], Any] | None = None) -> House:
        """A fresh process, whose pages are as small as this world's."""
        house = super().open(wrap)
        if self.page_size:
            house._types["mailchimp"] = type("SmallPages", (Mailchimp,), {"page_size_records": self.page_size})()  # type: ignore[index]
        return house

    def put(self, number: int, *, list_id: str = "L1", at: datetime | None = None, **changes: Any) -> str:
        """Member `number` fills in the form; who says nothing else is the person of `row(number)`, but for the company."""
        fields = {"FNAME": f"First{letters(number)}", "LNAME": f"Last{letters(number)}", **changes.pop("merge_fields", {})}
        return self.mailchimp.put(list_id, mail(number), merge_fields=fields, at=at, **changes)

    def ask_for(self, since: datetime, until: datetime) -> str:
        """A back-fill as the command asks for it; gives its partition."""
        partition = f"backfill:{since.isoformat()}..{until.isoformat()}"
        house = self.open()
        try:
            connector, options, _ = house.connector_of(house.settings.sources["newsletter"])
            cursor = connector.cursor_at(options, "members", since)
            assert house.store.put_backfill(Backfill("newsletter", "members", partition, cursor), self.clock.now())
        finally:
            house.close()
        return partition

    def settle(self) -> None:
        """Let enough time pass that what was done belongs to the window of the next pass."""
        self.clock.advance(60)

    def people(self, list_id: str = "L1", *statuses: str) -> list[dict[str, Any]]:
        """Members as the API shows them, of these statuses or of all."""
        return [one for one in self.mailchimp.members(list_id) if not statuses or one["status"] in statuses]

    def member_calls(self, since: int = 0) -> list[dict[str, str]]:
        """Queries of the calls for members, from call number `since` on."""
        return [one.query for one in self.mailchimp.calls[since:] if one.path.endswith("/members")]


def mail(number: int) -> str:
    """The address of person `number`."""
    return f"person{number}@example.com"


def letters(number: int) -> str:
    """A number as letters, for names."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def lost(world: Newsletter) -> set[str]:
    """Addresses of importable members who are not in the org, or not in their latest version."""
    leads = {str(lead["Email"]): lead for lead in world.leads()}
    missing = set()
    for list_id in world.audiences:
        for member in world.people(list_id, *IMPORTABLE):
            address, told = member["email_address"].lower(), member["merge_fields"]
            lead = leads.get(address)
            if lead is None or not _is_latest(lead, member["status"], told):
                missing.add(address)
    return missing


def _is_latest(lead: dict[str, Any], status: str, told: dict[str, str]) -> bool:
    wanted = {"FirstName": told["FNAME"] or None, "LastName": told["LNAME"] or "[not provided]"}
    if told["COMPANY"].startswith(EDITED):
        wanted["Company"] = told["COMPANY"]
    is_opted_out = status != "unsubscribed" or lead["HasOptedOutOfEmail"] is True
    return is_opted_out and all(lead[name] == value for name, value in wanted.items())


def check_population(world: Newsletter, left: Iterable[str] = ()) -> None:
    """0 lost, 0 doubled, 0 invented: the org holds the importable members, each once and as they are now, and nobody else.

    Args:
        world: After a pass that was whole.
        left: Addresses that were importable once, are not any more, and stay leads all the same.
    """
    assert lost(world) == set(), "lost, or not in the latest version"
    members = {one["email_address"].lower() for list_id in world.audiences for one in world.people(list_id, *IMPORTABLE)}
    leads = Counter(str(lead["Email"]) for lead in world.leads())
    assert {address for address, count in leads.items() if count > 1} == set(), "doubled"
    assert set(leads) == members | set(left), "lost or invented"
    oracle.check(world, members)


def check_sums(summary: Summary) -> None:
    """Every record ended or waits (G2), and a pass that missed something says so."""
    for counts in summary.sources.values():
        ended = counts.applied + counts.unchanged + counts.skipped + counts.dead + counts.waiting
        assert counts.waiting_before + counts.pulled == ended, "the sums do not match"
    if summary.missed or any(counts.waiting for counts in summary.sources.values()):
        assert summary.exit_code != 0, "a pass that missed something ended as ok"
