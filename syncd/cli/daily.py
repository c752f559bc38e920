"""The daily commands: run, plan, status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from syncd.cli.output import Output, show_policy, show_ranges, show_summary, shown, state_of
from syncd.cli.shared import Json, ask_daemon, globals_of, house, summary_of
from syncd.errors import ConfigError, StoreError
from syncd.model import Operation

if TYPE_CHECKING:
    from syncd.run.one_pass import Summary

Names = Annotated[list[str] | None, typer.Argument(help="Sources; all of them if none is named.", metavar="[SOURCE]...")]

_RUN_HELP = """The daemon: receives webhooks, reads sources when they are due, writes to Salesforce. With --once one pass, then it ends.

SIGTERM lets it finish what is under way, a second one ends it at once; SIGHUP loads the configuration anew, all of it or nothing.
While it runs, "syncd run --once" asks it for a pass.

Examples:
  syncd run                        the daemon, until it is told to stop
  syncd run --once                 every source
  syncd run --once booth --json    one source, the summary as JSON
  syncd run --once --dry-run       everything but the writes
  syncd run --once --force         also what the guard holds back

Exit codes: 0 ok, 1 failed, 2 configuration, 3 partly done, 4 stopped by a guard, 130 interrupted.
"""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    _run(app)
    _plan(app)
    _status(app)


def _run(app: typer.Typer) -> None:
    @app.command(help=_RUN_HELP)
    def run(
        context: typer.Context,
        names: Names = None,
        once: Annotated[bool, typer.Option("--once", help="One pass, then exit.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only; nothing is written anywhere.")] = False,
        force: Annotated[bool, typer.Option("--force", help="Carry out what the guard holds back.")] = False,
        as_json: Json = False,
    ) -> int:
        from syncd.cli.progress import progress_display

        output = globals_of(context).output(as_json=as_json)
        if not once:
            return _run_daemon(context, names, is_odd=dry_run or force or as_json)
        with house(context) as opened:
            try:
                with progress_display(output) as progress:
                    summary, _ = opened.run(names or [], dry_run=dry_run, force=force, progress=progress)
            except StoreError as error:
                answer = ask_daemon(opened, output, error, "run", {"names": names or [], "force": force})
                summary = summary_of(answer)
        if as_json:
            output.json(summary)
        else:
            if dry_run:
                output.line("Dry run: nothing was written.", "bold")
            show_summary(output, summary)
        return summary.exit_code


def _plan(app: typer.Typer) -> None:
    @app.command(
        help="""The field-level diff that the next pass would push; writes nothing.

Examples:
  syncd plan
  syncd plan booth --json
"""
    )
    def plan(context: typer.Context, names: Names = None, as_json: Json = False) -> int:
        from syncd.cli.progress import progress_display

        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened, progress_display(output) as progress:
            summary, operations = opened.run(names or [], dry_run=True, force=True, progress=progress)
        if as_json:
            output.json({"summary": summary, "operations": operations})
        else:
            _show_plan(output, summary, operations)
        return summary.exit_code


def _status(app: typer.Typer) -> None:
    @app.command(
        help="""Sources, their cursors and ranges under way, what waits, what needs a person, the last runs.

Examples:
  syncd status
  syncd status --json
"""
    )
    def status(context: typer.Context, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = opened.status()
        if as_json:
            output.json(found)
            return
        output.table(
            "Sources",
            ("source", "waiting", "to fetch", "stream", "cursor moved", "last success", "last status", "next"),
            [
                (
                    name,
                    one["waiting"] + one["received"],
                    one["wanted"],
                    f"{stream['stream']} ({stream['partition']})" if stream["partition"] else stream["stream"],
                    stream["moved_at"],
                    one["last_success_at"],
                    state_of(one),
                    one["next_at"],
                )
                for name, one in found["sources"].items()
                for stream in (one["streams"] or [{"stream": "", "partition": "", "moved_at": None}])
            ],
            numbers=("waiting", "to fetch"),
        )
        show_ranges(output, found["sources"])
        for name, one in found["sources"].items():
            if one["lost"]:
                output.line(f"{name} is lost: {one['lost']}")
            if one["notice"]:
                output.line(f"{name}: {one['notice']}")
            if one["credentials_end_at"] is not None and one["credentials_end_soon"]:
                output.line(f"The credentials of {name} end on {one['credentials_end_at']:%Y-%m-%d}.")
        output.line(
            f"People known: {found['persons']}. Open dead letters: {found['dead_letters']}. Open questions: {found['reviews']}."
        )
        show_policy(output, found["policy"])
        calls = found["api_calls"]
        if calls["day"]:
            output.line(
                f"Calls to Salesforce on {calls['day']} (UTC): {calls['ours']:,}; {calls['daily_share']:.0%} of the org's are allowed."
            )
        output.table(
            "Runs",
            ("run", "started", "finished", "status"),
            [(one["run_id"], one["started_at"], one["finished_at"], one["status"]) for one in found["runs"]],
        )


def _run_daemon(context: typer.Context, names: list[str] | None, *, is_odd: bool) -> int:
    from syncd.daemon.supervisor import run_daemon

    if names or is_odd:
        raise ConfigError(
            "The daemon takes no sources and no options.",
            advice='Add --once for one pass, or "syncd source pause" what is not wanted.',
        )
    options = globals_of(context)
    return run_daemon(options.config, debug=options.debug)


def _show_plan(output: Output, summary: Summary, operations: list[Operation]) -> None:
    for one in operations:
        where = f"{one.object} {one.sf_id}" if one.sf_id and one.before else f"{one.object} (new)"
        output.line(f"{one.kind} {where}  person {one.person_id[:12]}", "bold")
        for name, value in one.fields.items():
            why = one.provenance.get(name)
            because = "" if why is None else f"   <- {why.locator or why.rule or why.source}"
            because += f", {why.mapping} line {why.line}" if why and why.line else ""
            before = f"{shown(one.before.get(name))} -> " if one.before else ""
            output.line(f"    {name}: {before}{shown(value)}{because}")
    output.line()
    show_summary(output, summary)
    output.line("Nothing was written." + (' Next: "syncd run --once".' if operations else ""), "bold")
