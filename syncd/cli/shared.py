"""What the commands share: global options, the house they open, and asking for a person's word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from syncd.cli.output import Output
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from syncd.wiring import House

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True)
class Globals:
    """Options before the command."""

    config: Path = Path("syncd.yaml")
    color: bool | None = None
    debug: bool = False

    def output(self, *, as_json: bool = False) -> Output:
        """The way to talk for one command."""
        return Output(as_json=as_json, color=self.color)


def globals_of(context: typer.Context) -> Globals:
    """The global options of a command's context."""
    found = context.find_object(Globals)
    return found if found is not None else Globals()


@contextmanager
def house(context: typer.Context) -> Iterator[House]:
    """Open the configured house for one command and close it again."""
    # The house is imported when a command needs it, so that `syncd --help` answers at once (reference stack.md 7).
    from syncd.wiring import open_house

    options = globals_of(context)
    opened = open_house(options.config, debug=options.debug)
    try:
        yield opened
    finally:
        opened.close()


def confirm(question: str, word: str, *, yes: bool) -> None:
    """Make sure that a person means it: `--yes`, or typing `word` at a terminal.

    Raises:
        ConfigError: There is no terminal to ask at and no `--yes`, or something else was typed.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} This needs a person's word.", advice='Add "--yes" if you mean it.')
    typed = typer.prompt(f'{question} Type "{word}" to go on', err=True, default="", show_default=False)
    if typed.strip() != word:
        raise ConfigError("Nothing was changed.", advice=f'To go on, type "{word}" or add "--yes".')
