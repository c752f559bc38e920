"""The reference page of commands, made from their help: `python -m syncd.cli.reference > docs/reference/commands.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from syncd.cli.commands import app

_HEAD = """\
# Command reference

Made from the commands' own help; do not edit. Data goes to stdout, messages and logs to stderr; `--json` is for machines.

Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 partly done (dead letters, refusals, a stream that did not reach its end),
4 stopped by a guard, 130 interrupted.
"""


def commands() -> Iterator[tuple[str, str]]:
    """Every command with its help text, as `syncd --help` knows them."""
    yield from _walk("syncd", typer.main.get_command(app))


def _walk(name: str, command: Any) -> Iterator[tuple[str, str]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command.help or ""
        return
    for child, below in children.items():
        yield from _walk(f"{name} {child}", below)


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, text in commands():
        first, _, rest = text.partition("\n\n")
        parts.append(f"## {name}\n\n{first.strip()}\n" + (f"\n```text\n{rest.strip()}\n```\n" if rest.strip() else ""))
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
