"""The command line: output and exit codes, no decisions. Data goes to stdout, messages to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from syncd.errors import ConfigError, SyncdError


def main(argv: Sequence[str] | None = None) -> int:
    """Run `syncd` with `argv` (default: the process's arguments) and give the exit code.

    Every expected failure becomes a message of what happened, where and what to do; a traceback is shown for
    bugs, or with `--debug`.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    is_debug = "--debug" in arguments or bool(os.environ.get("SYNCD_DEBUG"))
    try:
        from syncd.cli.commands import invoke

        code = invoke(arguments)
    except SyncdError as error:
        if is_debug:
            raise
        _explain(error)
        code = error.exit_code
    except KeyboardInterrupt:
        print("syncd: interrupted; everything acknowledged is stored.", file=sys.stderr)  # noqa: T201
        code = 130
    except BrokenPipeError:
        # The reader of a pipe went away (`syncd lead export | head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    return code


def _explain(error: SyncdError) -> None:
    """Print an expected failure on stderr."""
    lines = [str(problem).removeprefix(": ") for problem in error.problems] if isinstance(error, ConfigError) else [str(error)]
    for line in lines:
        print(f"syncd: {line}", file=sys.stderr)  # noqa: T201
    print(f'       More: "syncd help {error.code}".', file=sys.stderr)  # noqa: T201
