"""`syncd policy publish`: the standards as one page for reps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from syncd.cli.shared import Json, ask_daemon, globals_of, house
from syncd.errors import ConfigError, StoreError

To = Annotated[str, typer.Option("--to", help="The file to write: .html or .md.", metavar="FILE")]


def register(policy: typer.Typer) -> None:
    """Add the command to `syncd policy`."""

    @policy.command(
        help="""The standards as one page for reps: statuses, what comes next, who may move what, criteria, score, rules in plain words.

HTML is one file that needs nothing else and can be read on a phone and printed; without --to the page is printed as Markdown.
syncd remembers which version was published, so that leads come to say the same. --dry-run only makes the page.

Examples:
  syncd policy publish --to standards.html
  syncd policy publish > standards.md
  syncd policy publish --dry-run --to draft.html
"""
    )
    def publish(
        context: typer.Context,
        to: To = "",
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Make the page; remember nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found, page = opened.policy(), opened.policy_page(to)
            with _replacing(Path(to) if to else None, page):
                if not dry_run:
                    try:
                        opened.publish_policy(found.digest)
                    except StoreError as error:
                        ask_daemon(opened, output, error, "publish", {"digest": found.digest})
        said = {"policy": found.name, "digest": found.digest, "published": not dry_run, "to": to}
        if as_json:
            output.json(said if to else {**said, "page": page})
        elif not to:
            sys.stdout.write(page)
        else:
            output.line(f"{to} holds version {found.digest[:8]} of the standards.", "bold")
        if not dry_run:
            output.say(f"Version {found.digest[:8]} is published.")


@contextmanager
def _replacing(path: Path | None, page: str) -> Iterator[None]:
    """Replace the file as a whole once everything else went well: who reads it meanwhile sees the old page or the new one."""
    if path is None:
        yield
        return
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(page, encoding="utf-8")
        yield
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", advice="Check the folder and its rights.") from error
    finally:
        beside.unlink(missing_ok=True)
