"""The end of the demo: what came of every record, what it cost, and which promises held."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.cli.demo.channels import Channels
from syncd.cli.demo.live import Live
from syncd.cli.demo.promises import Promise
from syncd.cli.demo.stage import Ledger
from syncd.cli.demo.standards import Standards
from syncd.cli.output import NOTE_WORDS, Output

_COLUMNS = ("pulled", "applied", "unchanged", "skipped", "dead", "review")
_WORDS = {"lead_unassigned": "were under way at the kill; a second try assigns nobody"}
_SCANNERS = {"badge_scanner", "second_scanner"}


@dataclass
class Pass:
    """One pass that came to its end; `calls` to Salesforce, `vendor_calls` to Mailchimp, `writes` to the org's history."""

    title: str
    summary: dict[str, Any]
    calls: int
    vendor_calls: int
    writes: int


@dataclass
class Told:
    """Everything the story has to tell at its end.

    `before` are ids of records that were in the org at the beginning, `records` its leads and contacts now, `ours` is the id of
    syncd's user there, `calls` are those to Salesforce and to Mailchimp.
    """

    folder: Path
    passes: list[Pass]
    promises: list[Promise]
    ledger: Ledger
    before: set[str]
    records: list[dict[str, Any]]
    ours: str
    both_audiences: int
    calls: tuple[int, int]
    live: Live
    channels: Channels
    standards: Standards
    seconds: float = 0.0


def print_summary(output: Output, told: Told) -> None:
    """The summary, and what to try next."""
    if output.as_json:
        output.json(_document(told))
        return
    output.line()
    rows = [(name, *(f"{totals.get(column, 0):,}" for column in _COLUMNS)) for name, totals in sorted(told.ledger.totals.items())]
    output.table("What came of the records, over all passes", ("source", *_COLUMNS), rows, numbers=_COLUMNS)
    for reason, count in Counter(letter.reason for letter in told.ledger.letters).most_common():
        output.line(f"  dead: {count} {reason.replace('_', ' ')}", "dim")
    output.line()
    _print_people(output, told)
    output.line()
    columns = ("created", "updated", "unchanged", "Salesforce", "Mailchimp", "seconds")
    passes = [
        (
            one.title,
            *(one.summary["operations"].get(name, 0) for name in columns[:3]),
            one.calls,
            one.vendor_calls,
            f"{one.summary['duration_seconds']:.1f}",
        )
        for one in told.passes
    ]
    output.table(
        "What the passes wrote, and their calls to Salesforce and Mailchimp", ("pass", *columns), passes, numbers=columns
    )
    output.line(f"  with the killed pass {told.calls[0]} calls to Salesforce and {told.calls[1]} to Mailchimp", "dim")
    output.line()
    _print_live(output, told.live)
    output.line()
    _print_channels(output, told.channels)
    output.line()
    steps = [(one.day, one.who, one.what, one.status) for one in told.standards.steps]
    output.table("The policy b2b_nurture at work, by a clock that runs ahead", ("day", "lead", "what happens", "status"), steps)
    output.line()
    for promise in told.promises:
        detail = f" ({promise.detail})" if promise.detail else ""
        mark, style = ("kept  ", "green") if promise.is_kept else ("BROKEN", "bold red")
        output.line(f"  {mark}  {promise.text}{detail}", style)
    output.line()
    output.line(f"{told.seconds:.0f} seconds. Everything is in {told.folder}. Try next:", "bold")
    where = f"syncd -c {told.folder}/syncd.yaml"
    for command in ("lead show grace.hopper@example.org", "review list", "deadletter list"):
        output.line(f"  {where} {command}")
    output.line(f"  syncd -c {told.folder}/standards/syncd.yaml policy explain bert@garage.example.com")


def _print_people(output: Output, told: Told) -> None:
    """How many people all these records are, and what was left alone."""
    came = [set(person["sources"]) for person in told.ledger.people]
    new = sum(row["CreatedById"] == told.ours for row in told.records)
    linked = {str(person["sf_id"]) for person in told.ledger.people} & told.before
    output.line(f"{len(came):,} people, {new:,} of them new leads. However often they came, each is one:", "bold")
    for count, text in (
        (sum(one >= _SCANNERS for one in came), "were on both scanners"),
        (sum("newsletter" in one and bool(one & _SCANNERS) for one in came), "were at the booth and read the newsletter"),
        (told.both_audiences, "are in both audiences"),
        (len(linked), "were known to the org before: linked, blanks filled, nothing else touched"),
    ):
        output.line(f"  {count:>5,} {text}")
    for reason in ("kept_persons_edit", "keep_filled", "person_is_contact", "lead_unassigned"):
        count = sum(one.summary["notes"].get(reason, 0) for one in told.passes)
        if count:
            output.line(f"  {count:>5,} {_WORDS.get(reason) or NOTE_WORDS[reason]}")
    if told.ledger.reviews:
        output.line(f"  {len(told.ledger.reviews):>5,} questions wait for a person; only opt-outs are written till then")


def _print_live(output: Output, live: Live) -> None:
    """Each request of the web site: how fast it was answered, and how old its lead was in the org."""
    columns = ("sent", "answer", "answered in", "in the org after", "leads filled in by then")
    rows = [
        (
            one.what,
            one.status,
            f"{one.answer_seconds * 1_000:.0f} ms",
            "-" if one.age_seconds is None else f"{one.age_seconds:.2f} s",
            f"{one.backfilled:,}",
        )
        for one in live.sent
    ]
    title = f"Leads that the web site sent while {live.backfilled:,} old members were filled in"
    output.table(title, columns, rows, numbers=columns[1:])


def _print_channels(output: Output, channels: Channels) -> None:
    """How the same few people came by many channels, and what was sent while the daemon ran."""
    rows = [(name, *(channels.totals[name].get(column, 0) for column in _COLUMNS)) for name in channels.sources]
    title = f"{channels.people} people by {len(channels.sources)} more channels, each of them one lead (policy event_team)"
    output.table(title, ("source", *_COLUMNS), rows, numbers=_COLUMNS)
    for count, number in sorted(channels.met.items(), reverse=True):
        output.line(f"  {number:>3} came by {count} of them", "dim")
    for what, came in channels.steps:
        output.line(f"  {what}: {came}", "dim")


def _document(told: Told) -> dict[str, Any]:
    return {
        "runs": [one.summary for one in told.passes],
        "sources": told.ledger.totals,
        "api_calls": {"salesforce": told.calls[0], "mailchimp": told.calls[1]},
        "hot": [
            {"what": one.what, "status": one.status, "answer_seconds": one.answer_seconds, "age_seconds": one.age_seconds}
            for one in told.live.sent
        ],
        "channels": {"people": told.channels.people, "sources": told.channels.totals},
        "standards": [{"day": one.day, "lead": one.who, "what": one.what, "status": one.status} for one in told.standards.steps],
        "promises": {promise.text: promise.is_kept for promise in told.promises},
        "seconds": round(told.seconds, 1),
    }
