"""The command tree: every command of DESIGN 3.2 that this version has, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import Abort, Exit, TyperException

from syncd import __version__
from syncd.cli import daily, desk, leads, policy, report, setup, sources
from syncd.cli.shared import Globals

app = typer.Typer(
    name="syncd",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Brings every lead, from every channel, into Salesforce: once, with the right status, never over a person's own edit.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"syncd {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="SYNCD_CONFIG", help="The configuration file.", show_default=True)
    ] = Path("syncd.yaml"),
    no_color: Annotated[bool, typer.Option("--no-color", help="Plain text (NO_COLOR does the same).")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug events.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Keep what all commands share."""
    del version
    context.obj = Globals(config=config, color=False if no_color else None, debug=debug)


daily.register(app)
setup.register(app)
sources.register(app)
leads.register(app)
desk.register(app)
policy.register(app)
report.register(app)


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line; SyncdError and KeyboardInterrupt leave as they are, usage errors give 2."""
    command = typer.main.get_command(app)
    try:
        result = command.main(args=list(arguments), prog_name="syncd", standalone_mode=False)
    except Exit as left:
        return left.exit_code
    except Abort:
        return 130
    except TyperException as wrong:
        wrong.show()  # type: ignore[attr-defined]  # only usage errors get here, and they have it
        return wrong.exit_code
    return result if isinstance(result, int) else 0
