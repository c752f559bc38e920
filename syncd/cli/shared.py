"""What the commands share: global options, the house they open, and asking for a person's word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncd.cli.output import Output
from syncd.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from syncd.run.one_pass import Summary
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


def ask_daemon(opened: House, output: Output, error: StoreError, kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """The store is another's: have the daemon do it, and give its answer.

    Raises:
        StoreError: `error` as it was, if it is about something else; or nobody answers.
        RequestFailedError: The daemon said no.
    """
    from syncd.app.asking import ask, is_busy

    if not is_busy(error):
        raise error
    output.say("A daemon works on this store: asking it.")
    return ask(opened.store, opened.clock, kind, document, output.say)


def summary_of(answer: dict[str, Any]) -> Summary:
    """The summary in a daemon's answer."""
    import msgspec

    from syncd.run.one_pass import Summary

    return msgspec.convert(answer["summary"], Summary)


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
