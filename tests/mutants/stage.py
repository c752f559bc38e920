"""Runs named tests of a copy of the tree, each run in a process of its own that has the libraries loaded already.

To start an interpreter and to import pytest, SQLAlchemy and the rest takes longer than most of the tests that a break turns red. So one
process imports them once and forks for every run. What is in the copy is imported after the fork, and so as it is at that time.

    python stage.py    reads lines of JSON on stdin, [file, words], and answers each with [exit code, output]
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest

_MOST_SECONDS = 200
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
_OPTIONS = ("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


class Stage:
    """A copy of the tree in which breaks are made and tests run."""

    def __init__(self, tree: Path) -> None:
        """Start the process that waits for runs."""
        self.tree = tree
        self._times = itertools.count(1)
        self._process = subprocess.Popen(
            [sys.executable, __file__], cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def write(self, path: Path, text: str) -> None:
        """Change a file; what was compiled of it before counts no more, however fast one change follows another."""
        path.write_text(text, encoding="utf-8")
        at = 1_000_000_000 + next(self._times)
        os.utime(path, (at, at))

    def run(self, file: str, words: str) -> tuple[int, str]:
        """Run tests of a file, on SQLite; gives exit code and output."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        asked.write(json.dumps([file, words]) + "\n")
        asked.flush()
        code, output = json.loads(told.readline())
        return code, output

    def close(self) -> None:
        """End the process."""
        with self._process:
            self._process.terminate()


def main() -> None:
    """The process that waits for runs."""
    sys.path[0] = str(Path.cwd())
    for line in sys.stdin:
        file, words = json.loads(line)
        print(json.dumps(_forked(file, words)), flush=True)


def _forked(file: str, words: str) -> tuple[int, str]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as loaded:
        child = os.fork()
        if child == 0:
            _act(file, words, output, loaded)
        code = _ended(child)
        loaded.seek(0)
        for name in json.loads(loaded.read() or b"[]"):
            with suppress(ImportError):
                importlib.import_module(name)
        output.seek(0)
        return code, output.read().decode("utf-8", "replace")


def _act(file: str, words: str, output: IO[bytes], loaded: IO[bytes]) -> None:
    """Run the tests, and say which libraries they have loaded: they are there from the start next time. Does not return."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    code = 70
    try:
        before = set(sys.modules)
        code = int(pytest.main([file, *_OPTIONS, "-k", f"({words}) and not postgres"]))
        new = {name: module for name, module in sys.modules.items() if name not in before}
        loaded.write(json.dumps([name for name, module in new.items() if _is_library(module)]).encode())
        loaded.flush()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _is_library(module: Any) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(_LIBRARIES)


def _ended(child: int) -> int:
    """Wait for a run, and not for ever; gives its exit code."""
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(_MOST_SECONDS)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(0)
    return code


if __name__ == "__main__":
    main()
