"""`syncd source` and `syncd mapping`: where leads come from and what is made of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from syncd.cli.output import Output, show_ranges, shown, state_of
from syncd.cli.shared import Json, Yes, ask_daemon, confirm, globals_of, house, summary_of
from syncd.errors import ConfigError, StoreError
from syncd.model import Lead

Name = Annotated[str, typer.Argument(help="A source of syncd.yaml.", metavar="SOURCE")]
Names = Annotated[list[str] | None, typer.Argument(help="Sources; all of them if none is named.", metavar="[SOURCE]...")]

Chosen = Annotated[list[str], typer.Argument(help="Sources of syncd.yaml.", metavar="SOURCE...")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    _source(app)
    _mapping(app)


def _source(app: typer.Typer) -> None:
    source = typer.Typer(no_args_is_help=True, help="Configured sources.")
    app.add_typer(source, name="source")
    _list(source)
    _check_and_pull(source)
    _pause(source)
    _backfill(source)


def _list(source: typer.Typer) -> None:
    @source.command(
        name="list",
        help="""Sources with their type and mapping, what waits, what a changed mapping left stale, and ranges read once more.

Examples:
  syncd source list
  syncd source list --json
""",
    )
    def list_(context: typer.Context, as_json: Json = False) -> None:
        from syncd.app.status import status as read_status

        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            state = read_status(opened.store, opened.settings.sources)["sources"]
            stale = opened.stale_records()
            rows = [
                {
                    "source": name,
                    "type": one.type,
                    "mapping": one.mapping,
                    "waiting": state[name]["waiting"],
                    "wanted": state[name]["wanted"],
                    "stale": stale[name],
                    "backfills": state[name]["backfills"],
                    **{fact: state[name][fact] for fact in ("paused", "lost", "last_success_at", "last_status")},
                }
                for name, one in sorted(opened.settings.sources.items())
            ]
        if as_json:
            output.json(rows)
            return
        columns = ("source", "type", "mapping", "waiting", "to fetch", "stale", "last success", "last status")
        keys = ("source", "type", "mapping", "waiting", "wanted", "stale")
        cells = [(*(row[name] for name in keys), row["last_success_at"], state_of(row)) for row in rows]
        output.table("", columns, cells, numbers=columns[3:6])
        show_ranges(output, state)
        if any(stale.values()):
            output.say('Stale records are mapped anew in the slowest lane. Next: "syncd plan" shows what would change.')
        for name in [name for name, count in stale.items() if count is None]:
            output.say(f'The mapping of {name} cannot be used: "syncd mapping check" says why.', "yellow")


def _check_and_pull(source: typer.Typer) -> None:
    @source.command(
        help="Rehearse the real call of sources.\n\nExamples:\n  syncd source check\n  syncd source check booth --json\n"
    )
    def check(context: typer.Context, names: Names = None, as_json: Json = False) -> int:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = opened.check_sources(names or [])
        if as_json:
            output.json({name: {"ok": health.ok, "findings": health.findings} for name, health in found.items()})
        else:
            for name, health in found.items():
                output.line(f"{name}: {'ok' if health.ok else 'not ok'}", "green" if health.ok else "red")
                for finding in health.findings:
                    output.line(f"  {finding}")
        return 0 if all(health.ok for health in found.values()) else 1

    @source.command(
        help="""Pull into the inbox only; nothing is sent to Salesforce until the next pass.

Examples:
  syncd source pull booth
"""
    )
    def pull(context: typer.Context, names: Names = None, as_json: Json = False) -> int:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            try:
                summary = opened.pull(names or [])
            except StoreError as error:
                summary = summary_of(ask_daemon(opened, output, error, "pull", {"names": names or []}))
        if as_json:
            output.json(summary)
        else:
            for name, counts in sorted(summary.sources.items()):
                output.line(f"{name}: {counts.pulled} pulled, {counts.dead} dead, {counts.waiting} waiting")
            for missed in summary.missed:
                output.say(f"Not reached: {missed}", "yellow")
            output.say('Next: "syncd plan" or "syncd run --once".')
        return summary.exit_code


def _pause(source: typer.Typer) -> None:
    def set_paused(context: typer.Context, names: list[str], *, is_paused: bool, as_json: bool) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            changed = opened.set_paused(names, is_paused=is_paused)
        if as_json:
            output.json({name: {"paused": is_paused, "changed": name in changed} for name in names})
            return
        word = "paused" if is_paused else "resumed"
        for name in names:
            output.line(f"{name} is {word}." if name in changed else f"{name} was {word} already.")
        if is_paused:
            output.say('Nothing is lost: its cursor stays, webhooks are still received and stored. Next: "syncd source resume".')

    @source.command(
        help="""Leave sources alone: nothing is read, nothing of theirs is written, webhooks are still received and stored.

A running daemon knows within a second.

Examples:
  syncd source pause newsletter
"""
    )
    def pause(context: typer.Context, names: Chosen, as_json: Json = False) -> None:
        set_paused(context, names, is_paused=True, as_json=as_json)

    @source.command(help="Go on with sources that were paused, where they were.\n\nExamples:\n  syncd source resume newsletter\n")
    def resume(context: typer.Context, names: Chosen, as_json: Json = False) -> None:
        set_paused(context, names, is_paused=False, as_json=as_json)


def _backfill(source: typer.Typer) -> None:
    @source.command(
        help="""Read a range of a source once more, from a day or instant (UTC) on. Its live cursor stays where it is.

The range is read with the next pass, in the slow lane: whatever is news overtakes it, nobody is assigned by it.
A day is its beginning, so "--until 2026-02-01" ends with January. The same range again goes on where it is.

Examples:
  syncd source backfill newsletter --from 2026-01-01 --yes
  syncd source backfill newsletter --from 2026-01-01 --until 2026-02-01
  syncd source backfill booth --from 2026-01-05T08:00 --stream rows --yes --json
"""
    )
    def backfill(
        context: typer.Context,
        name: Name,
        start: Annotated[str, typer.Option("--from", help="Day or instant (UTC) from which on.", metavar="DATE")],
        end: Annotated[str, typer.Option("--until", help="Day or instant before which; now if not given.", metavar="DATE")] = "",
        stream: Annotated[str, typer.Option("--stream", help="Which stream; not needed where there is one.")] = "",
        yes: Yes = False,
        as_json: Json = False,
    ) -> None:
        from syncd.app.lanes import instant_of, range_document

        output = globals_of(context).output(as_json=as_json)
        from_at, until_at = instant_of(start, "--from"), instant_of(end, "--until") if end else None
        with house(context) as opened:
            planned = opened.plan_backfill(name, stream, from_at, until_at)
            found, is_new = planned.range, planned.backfill is not None
            ends = f"from {shown(found.from_at)} until {shown(found.until_at)} (UTC)"
            if is_new:
                confirm(f"{name} will be read once more, {ends}.", name, yes=yes)
            try:
                opened.start_backfill(planned)
            except StoreError as error:
                wish = {"source": name, "stream": stream, "from": from_at.isoformat(), "until": until_at and until_at.isoformat()}
                ask_daemon(opened, output, error, "backfill", wish)
        if as_json:
            output.json({**range_document(found), "state": "new" if is_new else "under_way"})
            return
        if is_new:
            output.line(f"{name} ({found.stream}) will be read once more, {ends}.", "bold")
        else:
            output.line(f"{name} ({found.stream}) {ends} is under way already and goes on where it is.", "bold")
        output.line(
            "It is read with the next pass, in the slow lane and without assignment rules; the live cursor stays where it is."
        )
        output.say(f'Next: "syncd run --once {name}"; "syncd status" shows the range until it is read.')


def _mapping(app: typer.Typer) -> None:
    mapping = typer.Typer(no_args_is_help=True, help="Mappings: check them, try them on a record.")
    app.add_typer(mapping, name="mapping")

    @mapping.command(
        help="""Check mappings and run the tests they hold; all of them if none is named.

Examples:
  syncd mapping check
  syncd mapping check csv_drop
"""
    )
    def check(
        context: typer.Context,
        names: Annotated[list[str] | None, typer.Argument(help="Mappings by name.", metavar="[MAPPING]...")] = None,
        as_json: Json = False,
    ) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            checked = opened.check_mappings(names or [])
        if as_json:
            output.json(checked)
        else:
            for one in checked:
                output.line(f"{one['mapping']}: ok, {one['fields']} fields, {one['tests']} tests passed")

    @mapping.command(
        name="try",
        help="""One sample record in, lead and touch out. The record is a JSON object in FILE, or on stdin with "-".

Examples:
  syncd mapping try csv_drop record.json
  echo '{"E-mail": "ADA@example.com"}' | syncd mapping try csv_drop -
""",
    )
    def try_(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="A mapping by name.", metavar="MAPPING")],
        file: Annotated[str, typer.Argument(help='A file with a JSON object; "-" for stdin.', metavar="FILE")] = "-",
        as_json: Json = False,
    ) -> int:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            lead = opened.mapping(name).map(_read(file), source=name)
        if as_json:
            output.json(_whole(lead))
        else:
            _show_lead(output, lead)
        return 1 if lead.is_fatal else 0


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error


def _whole(value: Any) -> Any:
    """A value as a document in which nothing is left out; the store's own form leaves out what is as usual."""
    if isinstance(value, msgspec.Struct):
        return {name: _whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, tuple) else value


def _show_lead(output: Output, lead: Lead) -> None:
    output.table(
        "Lead",
        ("field", "value", "overwrite", "line", ""),
        [(name, one.value, one.overwrite, one.line, "default" if one.is_default else "") for name, one in lead.fields.items()],
    )
    touch = {name: getattr(lead.touch, name) for name in lead.touch.__struct_fields__}
    output.line("Touch: " + (", ".join(f"{name} {shown(value)}" for name, value in touch.items() if value) or "none"))
    if lead.task is not None:
        task = {name: getattr(lead.task, name) for name in lead.task.__struct_fields__}
        output.line(
            "Task if it is hot: " + ", ".join(f"{name} {shown(value)}" for name, value in task.items() if value not in (None, ""))
        )
    if lead.skipped:
        output.line(f"Skipped: {lead.skipped}", "yellow")
    if not lead.may_create:
        output.line("This source may not create a Lead from it (create:).")
    for problem in lead.problems:
        output.line(f"Problem: {problem.field}: {problem.message} (line {problem.line})", "red" if problem.is_fatal else "yellow")
