"""Set-up and checks: init, check, store, org, demo, sandbox, help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncd.cli.shared import Json, globals_of, house
from syncd.errors import ConfigError, StoreError

Folder = Annotated[Path, typer.Argument(help="Where to write.", metavar="[DIR]")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    _setup(app)
    _playground(app)
    _store(app)


def _setup(app: typer.Typer) -> None:
    @app.command(
        help="""Write a commented syncd.yaml, mappings/ and a policy to edit. Never overwrites a file.

Examples:
  syncd init
  syncd init ~/leads
"""
    )
    def init(context: typer.Context, folder: Folder = Path(), as_json: Json = False) -> None:
        from syncd.config import write_template

        output = globals_of(context).output(as_json=as_json)
        written = write_template(folder)
        if as_json:
            output.json([str(path) for path in written])
            return
        for path in written:
            output.line(f"wrote {path}")
        if not written:
            output.line("Everything was there already; nothing was written.")
        where = "" if folder == Path() else f"cd {folder}; "
        output.say(f'Next: edit syncd.yaml, then "{where}syncd check". To try it without an org: "syncd sandbox".')

    @app.command(
        help="""Check configuration, mappings and policy; with --live also the org: credentials, rights, fields, picklists.

Examples:
  syncd check
  syncd check --live
  syncd check --show        every setting and where it came from
"""
    )
    def check(
        context: typer.Context,
        live: Annotated[bool, typer.Option("--live", help="Ask the org and the sources too.")] = False,
        show: Annotated[bool, typer.Option("--show", help="Print every setting; secrets as ***.")] = False,
        as_json: Json = False,
    ) -> int:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            rows = opened.shown_settings() if show else []
            findings = opened.check(live=live)
        is_wrong = any(one["severity"] == "error" for one in findings)
        if as_json:
            output.json({"ok": not is_wrong, "findings": findings, "settings": rows})
        else:
            if rows:
                output.table("", ("setting", "value", "from"), rows)
            colors = {"ok": "green", "warning": "yellow", "error": "red"}
            for one in findings:
                advice = f" {one['advice']}" if one["advice"] else ""
                output.line(f"{one['severity']:>7}  {one['subject']}: {one['message']}{advice}", colors.get(one["severity"], ""))
            output.line("Not ready: mend what is marked as error." if is_wrong else "All good.", "red" if is_wrong else "green")
            if not is_wrong:
                output.say('Next: "syncd plan".' if live else 'Next: "syncd check --live", then "syncd plan".')
        return 1 if is_wrong and live else 2 if is_wrong else 0


def _playground(app: typer.Typer) -> None:
    @app.command(
        help="""The whole pipeline against a sandbox org and a sandbox Mailchimp over real HTTP(S), in under a minute.

Files of two scanners and two audiences hold many of the same people; the list moves while it is read, the first pass
is killed with SIGKILL, people go on working. At the end every promise is checked against what the org really holds.

Examples:
  syncd demo
  syncd demo --keep demo-run      use this folder; it is kept to look around in
"""
    )
    def demo(
        context: typer.Context,
        keep: Annotated[Path | None, typer.Option("--keep", help="Use and keep this folder.")] = None,
        as_json: Json = False,
    ) -> int:
        from syncd.cli.demo import run_demo

        return run_demo(globals_of(context).output(as_json=as_json), keep)

    @app.command(
        help="""A Salesforce org (HTTPS), a Mailchimp and every other vendor (HTTP) on 127.0.0.1 to try things on; nothing leaves the machine.

It prints what to put into syncd.yaml. Everything is in memory and gone when it stops.

Examples:
  syncd sandbox
  syncd sandbox --empty                             without the sample leads and members
  syncd sandbox --port 9443 --mailchimp-port 9480
"""
    )
    def sandbox(
        port: Annotated[int, typer.Option("--port", help="Of the org; 0 takes any free one.")] = 8443,
        mailchimp_port: Annotated[int, typer.Option("--mailchimp-port", help="Of Mailchimp; 0 takes any free one.")] = 8480,
        folder: Annotated[Path, typer.Option("--folder", help="For the certificate authority to trust.")] = Path("sandbox"),
        empty: Annotated[bool, typer.Option("--empty", help="Without the sample leads and members.")] = False,
    ) -> None:
        from syncd.sandbox.__main__ import run_sandbox

        run_sandbox(folder, port=port, mailchimp_port=mailchimp_port, empty=empty)

    @app.command(name="help", help="The page of an error code.\n\nExamples:\n  syncd help E500\n")
    def help_(context: typer.Context, code: Annotated[str, typer.Argument(help="For example E500.", metavar="CODE")]) -> None:
        from importlib.resources import files

        page = files("syncd").joinpath("pages", "errors", f"{code.strip().upper()}.md")
        if not code.strip().isalnum() or not page.is_file():
            raise ConfigError(f'There is no page for "{code}".', advice="Codes look like E500; docs/errors.md lists them.")
        globals_of(context).output().line(page.read_text(encoding="utf-8"))


def _store(app: typer.Typer) -> None:
    store = typer.Typer(no_args_is_help=True, help="The store: migrate, check.")
    app.add_typer(store, name="store")

    @store.command(help="Bring the store's schema up to this version.\n\nExamples:\n  syncd store migrate\n")
    def migrate(context: typer.Context, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            version = opened.store.migrate()
        if as_json:
            output.json({"schema": version})
        else:
            output.line(f"The store is at schema {version}.")

    @store.command(help="Check the store's integrity and sums.\n\nExamples:\n  syncd store check\n")
    def check(context: typer.Context, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            findings = opened.store.check()
        if as_json:
            output.json({"ok": not findings, "findings": findings})
        else:
            for finding in findings:
                output.line(finding, "red")
            output.line("The store is sound." if not findings else "")
        if findings:
            raise StoreError(
                "The store is not sound.", advice="Stop syncd and restore a backup, or ask for help with these findings."
            )
