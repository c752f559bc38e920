"""`syncd report xactly`: closed-won opportunities and who is paid for them, as files for Xactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from syncd.cli.output import Output
from syncd.cli.shared import Json, globals_of, house
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from syncd.app.xactly import XactlyReport

_PARTLY = 3
_SHOWN = 50
"""Refusals at a terminal; --json has all of them."""
Period = Annotated[str, typer.Option("--period", help="The open period; the current month if it is left out.", metavar="YYYY-MM")]


def register(report: typer.Typer) -> None:
    """Add `xactly` to the `report` commands."""

    @report.command(
        help="""Closed-won opportunities and who is paid for them, as batches of files for Xactly. Each version of an opportunity is exported
once: what has changed since is reversed and exported anew in the open period, what was lost, reopened or deleted is reversed.

What cannot be exported (no employee id, shares that do not add up) is listed with its reason, exit code 3, and exported once it is
mended. A delivery that broke off is finished first. --again gives the files of a batch once more, byte for byte.

Examples:
  syncd report xactly --dry-run
  syncd report xactly
  syncd report xactly --period 2026-03 --json
  syncd report xactly --again syncd-closedwon-2026-03
"""
    )
    def xactly(
        context: typer.Context,
        period: Period = "",
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be exported; write nothing.")] = False,
        again: Annotated[str, typer.Option("--again", help="Give a batch once more.", metavar="BATCH")] = "",
        force: Annotated[bool, typer.Option("--force", help="Reverse more than the guard allows.")] = False,
        as_json: Json = False,
    ) -> int:
        output = globals_of(context).output(as_json=as_json)
        if again:
            if period or dry_run or force:
                raise ConfigError("--again goes alone.", advice="A batch is given again as it was, whatever is so today.")
            return _again(context, output, again)
        with house(context) as opened:
            found = opened.report_xactly(period, force=force, dry_run=dry_run)
        if output.as_json:
            output.json(_document(found))
        else:
            _show(output, found)
        return _PARTLY if found.refusals else 0


def _again(context: typer.Context, output: Output, name: str) -> int:
    with house(context) as opened:
        batch, place = opened.xactly_again(name)
    if output.as_json:
        output.json({"batch": batch.name, "place": place, "files": list(batch.files)})
    else:
        output.line(f"{batch.name}: {batch.rows} orders and {batch.assignments} assignments, once more in {place}.")
    return 0


def _document(found: XactlyReport) -> dict[str, Any]:
    return {
        "period": found.period,
        "place": found.place,
        "dry_run": found.is_rehearsal,
        "finished": list(found.finished),
        "batches": [msgspec.to_builtins(one) for one in found.batches],
        "refused": [msgspec.to_builtins(one) for one in found.refusals],
    }


def _show(output: Output, found: XactlyReport) -> None:
    for name in found.finished:
        output.line(f"{name}: its delivery had broken off; it is finished.")
    columns = ("batch", "orders", "of them reversals", "assignments", "amount")
    amounts = [", ".join(f"{total} {currency}" for currency, total in one.amount_totals.items()) for one in found.batches]
    rows = [
        (one.name, one.rows, one.reversals, one.assignments, amount) for one, amount in zip(found.batches, amounts, strict=True)
    ]
    if rows:
        output.table(
            "Would be exported" if found.is_rehearsal else f"Exported to {found.place}", columns, rows, numbers=columns[1:]
        )
    else:
        output.line(f"Period {found.period}: nothing new to export.")
    if found.refusals:
        shown = [(one.deal, one.part, one.reason, one.message) for one in found.refusals[:_SHOWN]]
        output.table("Not exported", ("opportunity", "line", "reason", "what is wrong"), shown)
        output.say(f"{len(found.refusals)} are left out until they are mended in Salesforce; then run this again.", "yellow")
