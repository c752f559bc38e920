"""What the demo tells: two scanners and a newsletter, a list that moves while it is read, a kill -9, people at work, the sums."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.live import Live as Picture
from rich.text import Text

from syncd.cli.demo.channels import Channels, ChannelsAct
from syncd.cli.demo.live import Live, LiveAct
from syncd.cli.demo.newsroom import Newsroom
from syncd.cli.demo.people import KOFI, PRODUCT_NEWS, WALK_INS, Scan, scans, typed_in_twice
from syncd.cli.demo.promises import Evidence, Seen, judge, judge_live, mailbox
from syncd.cli.demo.stage import Stage, set_stage, wait_until
from syncd.cli.demo.standards import Standards, StandardsAct
from syncd.cli.demo.summary import Pass, Told, print_summary
from syncd.cli.output import Output
from syncd.errors import ConfigError
from syncd.sandbox import AUDIENCE

_KILL_AFTER_LEADS = 500
_KILL_AFTER_PAGES = 2
"""Both must be reached: some leads are in the org, and the crawl of the members is in the middle."""
_LEADS_PER_MARK = 320
_REP_EDIT = {"Title": "Chief Buyer (met at the booth)", "Company": "As printed on the card"}


def run_demo(output: Output, keep: Path | None = None) -> int:
    """Play the demo; gives 0 when every promise held, 1 when one did not."""
    started = time.monotonic()
    stage = set_stage((keep or Path("demo-run")).resolve())
    try:
        told = Story(stage, output).play()
        told.seconds = time.monotonic() - started
        print_summary(output, told)
        return 0 if all(promise.is_kept for promise in told.promises) else 1
    finally:
        stage.close()


class Story:
    """The acts, and what was seen in them."""

    def __init__(self, stage: Stage, output: Output) -> None:
        """Nothing has happened yet; what the reps and scanners know is left alone by the newsroom."""
        self._stage = stage
        self._output = output
        known = [*stage.rows("Lead"), *stage.rows("Contact")]
        self._before = {str(row["Id"]) for row in known}
        self._leads_before = stage.lead_count()
        spared = {str(row.get("Email") or "").lower() for row in known} | {scan.email.lower() for scan in scans()}
        self._newsroom = Newsroom(stage.mailchimp, spared)
        self._seen = Seen()
        self._passes: list[Pass] = []

    def play(self) -> Told:
        """All acts in order."""
        self._set_out()
        self._kill_in_the_middle()
        self._watch("second start")
        self._stage.mailchimp.between_pages(None)
        room = self._newsroom
        self._say(
            f"Meanwhile {len(room.edited)} members were edited, {room.archived_count} archived, {room.deleted_count} deleted;"
        )
        self._say(f"  {len(room.jumped)} others slid over the edge of a page.")
        self._people_at_work()
        self._watch("people at work")
        self._watch("without news")
        live = self._go_live()
        self._say(
            "Beside that, the same people come by every other channel, each vendor over HTTP; one webhook is lost on its way."
        )
        with self._live() as picture:
            channels = ChannelsAct(self._stage.folder / "channels", lambda: picture.update(self._picture("channels"))).play()
        self._say("Last, a company's lead standards (mappings/policies/b2b_nurture.yaml) at work on two leads for half a year.")
        return self._tell(live, channels, StandardsAct(self._stage.folder / "standards").play())

    # ------------------------------------------------------------------ acts

    def _set_out(self) -> None:
        stage = self._stage
        self._say(f"A sandbox org over HTTPS at {stage.server.url} knows {len(self._before)} leads and contacts.")
        self._say(f"A sandbox Mailchimp at {stage.newsletter.url} has two audiences:")
        for audience in stage.mailchimp.audiences.values():
            counts = {name: audience.count(name) for name in ("subscribed", "unsubscribed", "cleaned")}
            counts["others"] = len(audience) - sum(counts.values())
            self._say(f"  {audience.name}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
        stage.drop("trade_show.csv")
        stage.drop("trade_show_scanner2.csv", scanner=2)
        lines = ["First name;Last name;E-mail;Company", *(";".join(one) for one in WALK_INS)]
        stage.drop("walk_ins.csv", "\n".join(lines) + "\n", scanner=2)
        self._say("Two scanners' files and walk-ins are dropped; many of these people are the same.")

    def _kill_in_the_middle(self) -> None:
        stage = self._stage
        # As far away as real ones: so there is a middle to be killed in.
        stage.org.faults.add_latency(0.05)
        stage.mailchimp.faults.add_latency(0.5)
        process = stage.syncd("run", "--once", "--json")
        title = "first pass"

        def is_in_the_middle() -> bool:
            return self._new_leads() >= _KILL_AFTER_LEADS and self._newsroom.pages >= _KILL_AFTER_PAGES

        with self._live() as live:
            wait_until(is_in_the_middle, process, lambda: live.update(self._picture(title)))
            is_running = process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.communicate()
            live.update(self._picture(title))
        stage.org.faults.clear()
        stage.mailchimp.faults.clear()
        if not is_running:
            raise ConfigError("The first pass ended before it could be killed.", advice=f"See {stage.folder}/syncd.log.")
        self._say(
            f"kill -9 at {self._new_leads():,} new leads and {self._newsroom.pages} pages of members. Nothing was saved politely."
        )

    def _people_at_work(self) -> None:
        """A rep, the newsletter's readers and the booth: all of them say something about the same people."""
        stage, seen = self._stage, self._seen
        readers = {mailbox(one["email_address"]): one for one in stage.members() if one["status"] == "subscribed"}
        visitors = self._visitors(set(readers))
        buyer, bouncer, leavers = visitors[0], visitors[1], (typed_in_twice().email, KOFI)
        stage.org.edit(buyer["Id"], _REP_EDIT, user="rep1")
        seen.edited_id, seen.edit = str(buyer["Id"]), _REP_EDIT
        stage.mailchimp.put(*_membership(readers, buyer["Email"]), merge_fields={"COMPANY": "Another Company Inc."})
        rows = (
            "First name;Last name;E-mail;Phone;Company;Job title;Country;Scanned at;Budget;Marketing consent;Notes",
            f"{buyer['FirstName']};{buyer['LastName']};{buyer['Email']};+49 30 5550100;Old Ltd;Intern;Germany;2026-11-16T09:00:00+01:00;;yes;",
            "Grace;Hopper;grace.hopper@example.org;+1 202 555 0143;Navy Yard;Rear Admiral;USA;2026-11-16T09:05:00+01:00;;yes;",
        )
        stage.drop("trade_show_day2.csv", "\n".join(rows) + "\n")
        self._say("A rep corrects a lead's title and company; file and newsletter say otherwise.")
        for address in leavers:
            stage.mailchimp.unsubscribe(*_membership(readers, address))
        seen.left = {mailbox(address) for address in leavers}
        stage.mailchimp.clean(*_membership(readers, bouncer["Email"]))
        self._say("Two readers unsubscribe: a Contact, and one who is a Lead and a Contact.")
        self._say("Mail to a third one bounces.")

    def _go_live(self) -> Live:
        """The daemon fills in old members while a web site sends leads."""
        stage = self._stage
        known = next(
            row["Email"] for row in stage.leads() if row["Id"] not in self._before and row.get("Email") and row.get("FirstName")
        )
        self._say('Now as a daemon ("syncd run"): thousands of old members are imported into the newsletter and filled in,')
        self._say("  while a web site sends leads, signed. One is forged, one comes twice.")
        with self._live() as picture:
            live = LiveAct(stage, lambda: picture.update(self._picture("live"))).play(str(known))
            picture.update(self._picture("live"))
        return live

    def _visitors(self, readers: set[str]) -> list[dict[str, Any]]:
        """New leads who were scanned and read the newsletter, and may be mailed."""
        scanned = {mailbox(scan.email) for scan in scans() if scan.email}
        return [
            row
            for row in sorted(self._stage.leads(), key=lambda row: str(row["Id"]))
            if row["Id"] not in self._before
            and row.get("FirstName")
            and mailbox(str(row.get("Email") or "")) in readers & scanned
            and not row.get("HasOptedOutOfEmail")
        ]

    # ------------------------------------------------------------------ watching

    def _watch(self, title: str) -> None:
        stage = self._stage
        calls, vendor_calls, writes = stage.org.api_calls, stage.mailchimp.call_count, len(stage.org.audit)
        process = stage.syncd("run", "--once", "--json")
        with self._live() as live:
            wait_until(lambda: False, process, lambda: live.update(self._picture(title)), limit_seconds=120.0)
            live.update(self._picture(title))
        summary = stage.result(process)
        calls, vendor_calls = stage.org.api_calls - calls, stage.mailchimp.call_count - vendor_calls
        self._passes.append(Pass(title, summary, calls, vendor_calls, len(stage.org.audit) - writes))
        if not self._output.err.is_terminal:
            self._say(f"{title[0].upper()}{title[1:]}: {self._new_leads():,} new leads, {calls} calls to Salesforce.")

    def _live(self) -> Picture:
        return Picture(console=self._output.err, refresh_per_second=12, transient=not self._output.err.is_terminal)

    def _picture(self, title: str) -> Text:
        new = self._new_leads()
        line = Text(no_wrap=True, overflow="crop", end="")
        line.append(f"  {title:<15}")
        line.append(f"{new:>6,} new leads  ", "bold")
        line.append(f"{'#' * (new // _LEADS_PER_MARK):<8}", "green")
        line.append(f"  calls: {self._stage.org.api_calls} Salesforce, {self._stage.mailchimp.call_count} Mailchimp", "dim")
        return line

    def _new_leads(self) -> int:
        return self._stage.lead_count() - self._leads_before

    def _say(self, text: str) -> None:
        self._output.say(text)

    # ------------------------------------------------------------------ the end

    def _tell(self, live: Live, channels: Channels, standards: Standards) -> Told:
        stage, room, seen = self._stage, self._newsroom, self._seen
        ledger = stage.ledger()
        walk_ins = [Scan(first, last, email, company, False) for first, last, email, company in WALK_INS]
        evidence = Evidence(
            leads=stage.leads(),
            contacts=stage.rows("Contact"),
            members=stage.members(),
            scans=[(scan.email, scan.forbids) for scan in (*scans(), *walk_ins) if scan.email],
            sent={one.email for one in live.sent if one.status < 400},
            people=ledger.people,
            asked={one.person_id for one in ledger.reviews},
            ours=stage.org.integration_user_id,
        )
        seen.jumped, seen.edited = room.jumped, room.edited
        last = self._passes[-1]
        seen.quiet_writes, seen.quiet_calls = last.writes, last.vendor_calls
        return Told(
            folder=stage.folder,
            passes=self._passes,
            promises=[*judge(evidence, seen), *judge_live(evidence, live), *channels.promises, *standards.promises],
            live=live,
            channels=channels,
            standards=standards,
            ledger=ledger,
            before=self._before,
            records=[*stage.rows("Lead"), *stage.rows("Contact")],
            ours=stage.org.integration_user_id,
            both_audiences=_in_both(evidence.members),
            calls=(stage.org.api_calls, stage.mailchimp.call_count),
        )


def _membership(readers: dict[str, dict[str, Any]], address: str) -> tuple[str, str]:
    """Audience and spelling of a member."""
    one = readers[mailbox(address)]
    return str(one["list_id"]), str(one["email_address"])


def _in_both(members: Sequence[Mapping[str, Any]]) -> int:
    of = [{mailbox(one["email_address"]) for one in members if one["list_id"] == list_id} for list_id in (AUDIENCE, PRODUCT_NEWS)]
    return len(of[0] & of[1])
