"""How results look: tables and sentences for people, JSON for machines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from syncd.policy import Decided
    from syncd.run.one_pass import Summary


_WIDE = 200
"""Columns of tables that go into a file or a pipe."""


class Output:
    """One command's way to talk: `data` to stdout, `say` to stderr.

    With `as_json` data is one JSON document (or one per line for streams); otherwise it is laid out for people.
    """

    def __init__(self, *, as_json: bool = False, color: bool | None = None) -> None:
        """Colour follows the terminal unless told (`--no-color`, NO_COLOR)."""
        plain = color is False or bool(os.environ.get("NO_COLOR"))
        self.as_json = as_json
        width = None if sys.stdout.isatty() else _WIDE
        self.out = Console(no_color=plain, highlight=False, soft_wrap=not sys.stdout.isatty(), width=width)
        self.err = Console(stderr=True, no_color=plain, highlight=False, soft_wrap=not sys.stderr.isatty())

    def json(self, value: Any) -> None:
        """Print one JSON document on one line."""
        sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")
        sys.stdout.flush()

    def say(self, message: str, style: str = "") -> None:
        """A message for the person at the terminal (stderr)."""
        self.err.print(Text(message, style=style))

    def line(self, text: str = "", style: str = "") -> None:
        """One line of data for people."""
        self.out.print(Text(text, style=style))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = ()) -> None:
        """A table for people; `numbers` names the columns to right-align. An empty table says so."""
        table = Table(
            title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        for column in columns:
            table.add_column(column, justify="right" if column in numbers else "left", overflow="fold", header_style="dim")
        count = 0
        for row in rows:
            count += 1
            table.add_row(*(Text(shown(cell)) for cell in row))
        self.out.print(table if count else Text(f"{title}: none." if title else "None."))


def shown(value: Any) -> str:
    """A value as people read it: instants to the second, None as a dash, nested documents as JSON."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping | list | tuple):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return str(value)


def state_of(source: Mapping[str, Any]) -> str:
    """One word on a source of a status document: what matters most to whoever looks; how its last run ended, if nothing else."""
    return "paused" if source["paused"] else "lost" if source["lost"] else str(source["last_status"])


def show_ranges(output: Output, sources: Mapping[str, Any]) -> None:
    """Ranges that are read once more, of the sources of a status document; nothing if there are none."""
    rows = [
        (name, each["stream"], each["from"], each["until"], each["moved_at"])
        for name, one in sources.items()
        for each in one["backfills"]
    ]
    if rows:
        output.table("Ranges read once more (UTC)", ("source", "stream", "from", "until", "cursor moved"), rows)


def show_decided(output: Output, decided: Sequence[Decided]) -> None:
    """What rules have done about somebody, and what observed ones would have; nothing if there is nothing."""
    rows = [(one.at, one.rule_id, one.outcome, one.from_status, one.to_status, one.policy) for one in decided]
    if rows:
        output.table(
            "Decided (observed: it would have, and began to at that time)",
            ("at", "rule", "outcome", "from", "to", "policy"),
            rows,
        )


def show_policy(output: Output, found: Mapping[str, Any] | None) -> None:
    """The policy at work, of a status document; nothing before the first pass."""
    if found is None:
        return
    name = f"{found['name']} " if found["name"] else ""
    output.line(f"Policy: {name}{found['version']}, at work since {shown(found['since_at'])}.")
    if not found["is_settled"]:
        output.line("Not everybody was looked at under it yet.", "yellow")
    if not found["on_disk"]:
        output.line('The file on disk has a mistake; the version above goes on. "syncd policy check" says where.', "red")
    elif found["on_disk"] != found["version"]:
        output.line(f"The file on disk is another version, {found['on_disk']}: loaded with the next reload or pass.", "yellow")


NOTE_WORDS = {
    "kept_persons_edit": "fields kept because somebody edited them in Salesforce",
    "keep_filled": "fields left alone because Salesforce already has a value",
    "person_is_contact": "people who are Contacts already: only consent is written there, and what the policy does with contacts",
    "lead_unassigned": "new leads that nobody was assigned to",
    "held_by_guard": "creates held back by the guard",
    "skip_when": "records skipped by skip_when",
    "older_version": "late arrivals of an older version",
    "erased": "records of people who were erased",
    "no_external_id_field": "people not created because salesforce.external_id_field is null",
    "refused_before": "writes not repeated because Salesforce refused them before",
    "field_contested": "fields given up because somebody changes them back",
    "written_before": "fields that are written once only (if_blank, first)",
    "held": "fields left alone because an undo or a person holds them",
    "task_waits_for_owner": "tasks that wait until a person owns the lead: a queue or syncd's own user does",
    "no_task_external_id": "tasks not made because Task has no external id field that syncd may see (syncd check --live)",
    "no_email": "people whose actions wait for an e-mail address",
    "opted_out": "actions not carried out because the person has opted out",
    "opted_in_again": "people not opted out at a source because they have opted in there again, later and explicitly",
    "opt_out_storm": "opt-outs that wait because one user made many of them in an hour, see syncd review list",
    "opt_out_not_copied": "opt-outs not copied to the sources because a person has said so in a review",
    "not_needed": "opt-outs not copied to a source because nothing of them was left to copy",
    "not_news": "people for whom nothing is set off: back-fills, and what is older than start_from",
    "sandbox_org": "people for whom no source is asked: this is a sandbox org (allow_source_writes_from_sandbox)",
    "rule_gone": "actions not carried out because the policy states them no longer",
    "source_gone": "actions not carried out because their source is configured no longer",
    "ask_several_accounts": "leads not converted: several accounts fit, see syncd review list",
    "ask_several_contacts": "leads not converted: several contacts are the person, see syncd review list",
    "ask_contact_without_account": "leads not converted: the person is a contact without an account, see syncd review list",
    "ask_no_owner": "leads not converted: nobody active can be given them, see syncd review list",
    "waits_for_account": "leads that waited until a colleague's conversion had made their account",
    "opt_out_not_writable": "leads not converted: their opt-out cannot be written to the contact",
    "open_opportunity_exists": "leads converted without an opportunity, because one is open already",
    "deleted_by_person": "people somebody deleted in Salesforce: not created again",
    "deleted_after_retention": "people whose lead syncd deleted after retention: not created again without new intent",
    "needs_export": "leads due for deletion that wait for a verified export: syncd lead export --for-deletion FILE",
    "export_outdated": "leads not deleted because they have changed since they were exported: they need a new export",
    "restored_by_person": "leads not deleted because somebody took them out of the recycle bin",
    "may_not_delete": "leads not deleted because the integration user may not delete leads",
}
"""What the reasons of a summary mean; a reason that is not here is shown as its own word."""


def show_summary(output: Output, summary: Summary) -> None:
    """The end of a run for people."""
    words = {"ok": "green", "partial": "yellow", "failed": "red", "stopped": "red"}
    status = str(summary.status)
    output.line(
        f"Run {summary.run_id}: {status} in {summary.duration_seconds:.1f} s, {summary.api_calls} API calls", words[status]
    )
    if summary.sources:
        columns = ("source", "waited", "pulled", "applied", "unchanged", "skipped", "dead", "waiting", "review")
        output.table(
            "",
            columns,
            [
                (name, one.waiting_before, one.pulled, one.applied, one.unchanged, one.skipped, one.dead, one.waiting, one.review)
                for name, one in sorted(summary.sources.items())
            ],
            numbers=columns[1:],
        )
    moved = ", ".join(f"{count} {name}" for name, count in summary.operations.items() if count)
    output.line(f"Salesforce: {moved or 'nothing to write'}.")
    for reason, count in sorted(summary.notes.items()):
        if reason.startswith("value:"):
            output.line(f"  {count:>5}  values adapted or left out: {reason.removeprefix('value:').replace('_', ' ')}", "dim")
        else:
            output.line(f"  {count:>5}  {NOTE_WORDS.get(reason, reason.replace('_', ' '))}", "dim")
    for missed in summary.missed:
        output.say(f"Not reached: {missed}", "yellow")
    if summary.error:
        output.say(summary.error, "red")
    if any(one.dead for one in summary.sources.values()) or summary.operations.get("refused"):
        output.say('Dead letters wait: "syncd deadletter list".', "yellow")
    if any(one.review for one in summary.sources.values()):
        output.say('Questions wait for a person: "syncd review list".', "yellow")
