"""What the demo tells: two messy files, people already in the org, a kill -9, a rep's edit, a newer file, the sums."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.live import Live
from rich.table import Table
from rich.text import Text

from syncd.cli.demo.stage import Stage, set_stage, wait_until
from syncd.cli.output import NOTE_WORDS, Output

_KILL_AFTER = 120
"""Leads in the org at which the first pass is killed: in the middle of the first file."""

_REP_TITLE = "Chief Buyer (met at the booth)"


def run_demo(output: Output, keep: Path | None = None) -> int:
    """Play the demo; gives 0 when every promise held, 1 when one did not."""
    started = time.monotonic()
    stage = set_stage((keep or Path("demo-run")).resolve())
    try:
        story = Story(stage, output)
        story.play()
        story.seconds = time.monotonic() - started
        story.sum_up()
        return 0 if all(held for _, held in story.promises) else 1
    finally:
        stage.server.stop()


class Story:
    """The acts, and what was counted in them."""

    def __init__(self, stage: Stage, output: Output) -> None:
        """Nothing has happened yet."""
        self._stage = stage
        self._output = output
        self._runs: list[dict[str, Any]] = []
        self.promises: list[tuple[str, bool]] = []
        self.seconds = 0.0

    def play(self) -> None:
        """All acts in order."""
        before = len(self._stage.leads())
        self._say(f"A sandbox org over HTTPS at {self._stage.server.url} with {before} leads in it already.")
        self._stage.drop("trade_show.csv")
        self._stage.drop("trade_show_scanner2.csv", scanner=2)
        self._say("Two badge scanners' exports are dropped: UTF-8 with semicolons, and Windows-1252 with German headers.")
        killed_at = self._kill_in_the_middle(before)
        self._say(f"kill -9 at {killed_at - before} new leads. Nothing was saved politely. Starting again ...")
        self._runs.append(self._watch("the second start carries on", before))
        self._promise_no_doubles()
        edited = self._rep_edits()
        self._newer_file(edited)
        self._runs.append(self._watch("a newer file, after a rep's edit", before))
        self._promise_edit(edited)
        self._runs.append(self._watch("a pass without news", before))
        wrote = sum(count for name, count in self._runs[-1]["operations"].items() if name != "unchanged")
        self.promises.append(("a pass without news writes nothing", wrote == 0))
        self._promise_no_doubles()

    def _kill_in_the_middle(self, before: int) -> int:
        org = self._stage.org
        org.faults.add_latency(0.05)
        process = self._stage.syncd("run", "--once", "--json")
        with self._live() as live:

            def tick() -> None:
                live.update(self._picture("first pass", before))

            wait_until(lambda: len(self._stage.leads()) >= before + _KILL_AFTER, process, tick)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            tick()
        org.faults.clear()
        return len(self._stage.leads())

    def _watch(self, title: str, before: int) -> dict[str, Any]:
        process = self._stage.syncd("run", "--once", "--json")
        with self._live() as live:
            wait_until(lambda: False, process, lambda: live.update(self._picture(title, before)))
            live.update(self._picture(title, before))
        summary: dict[str, Any] = self._stage.result(process)
        return summary

    def _live(self) -> Live:
        return Live(console=self._output.err, refresh_per_second=12, transient=not self._output.err.is_terminal)

    def _picture(self, title: str, before: int) -> Table:
        leads = self._stage.leads()
        table = Table.grid(padding=(0, 2))
        bar = "#" * ((len(leads) - before) // 10)
        table.add_row(
            Text(f"{title:<34}"),
            Text(f"{len(leads) - before:>4} new leads", "bold"),
            Text(bar, "green"),
            Text(f"{self._stage.org.api_calls} API calls", "dim"),
        )
        return table

    def _rep_edits(self) -> dict[str, Any]:
        chosen = next(
            row
            for row in sorted(self._stage.leads(), key=lambda row: str(row["Id"]))
            if row.get("Syncd_Id__c") and row.get("Email") and row.get("FirstName")
        )
        self._stage.org.edit(chosen["Id"], {"Title": _REP_TITLE}, user="rep1")
        self._say("A rep corrects the job title of one lead in Salesforce.")
        return chosen

    def _newer_file(self, edited: dict[str, Any]) -> None:
        """A newer export: the edited lead with another title, and one more phone number and one new person."""
        rows = [
            "First name;Last name;E-mail;Phone;Company;Job title;Country;Scanned at;Budget;Marketing consent;Notes",
            f"{edited['FirstName']};{edited['LastName']};{edited['Email']};+49 30 5550100;{edited['Company']};Intern;Germany;2026-11-16T09:00:00+01:00;;yes;",
            "Grace;Hopper;grace.hopper@example.org;+1 202 555 0143;Navy Yard;Rear Admiral;USA;2026-11-16T09:05:00+01:00;;yes;asked for demo",
        ]
        self._stage.drop("trade_show_day2.csv", "\n".join(rows) + "\n")
        self._say("A newer file says something else about the same person, and brings a new one.")

    def _promise_edit(self, edited: dict[str, Any]) -> None:
        now = next(row for row in self._stage.leads() if row["Id"] == edited["Id"])
        self.promises.append(("the rep's edit survived the newer file", now.get("Title") == _REP_TITLE))
        self.promises.append(
            (
                "the rest of the newer file arrived",
                any(row.get("Email") == "grace.hopper@example.org" for row in self._stage.leads()),
            )
        )

    def _promise_no_doubles(self) -> None:
        mails = Counter(str(row["Email"]).lower() for row in self._stage.leads() if row.get("Email") and row.get("Syncd_Id__c"))
        personal = {mail: count for mail, count in mails.items() if count > 1 and not mail.startswith(("info@", "sales@"))}
        people = Counter(str(row["Syncd_Id__c"]) for row in self._stage.leads() if row.get("Syncd_Id__c"))
        is_clean = not personal and not any(count > 1 for count in people.values())
        name = "one person, one lead (after kill -9)"
        self.promises = [one for one in self.promises if one[0] != name] + [(name, is_clean)]

    def sum_up(self) -> None:
        """The summary, and what to try next."""
        out = self._output
        if out.as_json:
            out.json({"runs": self._runs, "promises": dict(self.promises), "seconds": round(self.seconds, 1)})
            return
        out.line()
        totals = self._stage.result(self._stage.syncd("status", "--json"))["sources"]
        columns = ("records", "applied", "unchanged", "skipped", "dead", "review")
        rows = [
            (name, one["totals"]["pulled"], *(one["totals"][column] for column in columns[1:]))
            for name, one in sorted(totals.items())
        ]
        out.table("What the files held", ("source", *columns), rows, numbers=columns)
        letters = self._stage.result(self._stage.syncd("deadletter", "list", "--json"))
        for reason, count in Counter(letter["reason"] for letter in letters).most_common():
            out.line(f"  refused: {count} {reason.replace('_', ' ')}", "dim")
        out.line()
        ours = self._stage.org.integration_user_id
        created = sum(1 for row in self._stage.leads() if row["CreatedById"] == ours)
        known = sum(1 for row in self._stage.leads() if row["CreatedById"] != ours and row.get("Syncd_Id__c"))
        applied = sum(one["totals"]["applied"] for one in totals.values())
        out.line(f"{applied} usable scans became {created} new leads.", "bold")
        out.line(f"  {applied - created - known:>4} duplicates collapsed: second scans, and people on both scanners")
        out.line(f"  {known:>4} people the org had already: linked, blanks filled, nothing else touched")
        for reason in ("kept_persons_edit", "keep_filled", "person_is_contact"):
            count = sum(run["notes"].get(reason, 0) for run in self._runs)
            if count:
                out.line(f"  {count:>4} {NOTE_WORDS[reason]}")
        for run, title in zip(self._runs, ("after the kill", "the newer file", "no news"), strict=True):
            moved = ", ".join(f"{count} {name}" for name, count in run["operations"].items() if count)
            out.line(f"  {title:<16} {moved or 'nothing to do'}; {run['api_calls']} API calls")
        out.line()
        for text, held in self.promises:
            out.line(f"  {'kept  ' if held else 'BROKEN'}  {text}", "green" if held else "bold red")
        out.line()
        out.line(f"{self.seconds:.0f} seconds. Everything is in {self._stage.folder}. Try next:", "bold")
        where = f"syncd -c {self._stage.folder}/syncd.yaml"
        for command in ("deadletter list", "review list", "lead show grace.hopper@example.org"):
            out.line(f"  {where} {command}")

    def _say(self, text: str) -> None:
        self._output.say(text)
