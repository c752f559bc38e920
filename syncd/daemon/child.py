"""One process of the daemon as the supervisor sees it: started, loaded, at work, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

from syncd.daemon.wire import BEAT, GO, LOADED, READY, STOP

STALL_SECONDS = 120.0
"""Silence after which a process that was ready counts as hung; it beats every second while everything in it moves."""
LOAD_SECONDS = 120.0
"""How long a process may take from its start to `loaded`, and from `go` to `ready`."""


class Child:
    """A running process. `is_loaded`, `is_gone` and `is_ready` say how far it is."""

    def __init__(
        self, name: str, arguments: Sequence[str], fds: Sequence[int], environment: Mapping[str, str], now: float
    ) -> None:
        """Start it; it waits for `go` once it is loaded."""
        self.name = name
        self.is_loaded = self.is_ready = self.is_going = False
        self.heard_at = now
        self._rest = b""
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=fds,
            env=environment,
            # A Ctrl-C at the terminal is the supervisor's business: it drains.
            start_new_session=True,
        )
        os.set_blocking(self.state.fileno(), False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def state(self) -> IO[bytes]:
        """Where it says how it is."""
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        return self._process.stdout

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs."""
        return self._process.poll()

    def is_stalled(self, now: float) -> bool:
        """Whether it has said nothing for too long."""
        return now - self.heard_at > (STALL_SECONDS if self.is_ready else LOAD_SECONDS) and (self.is_going or not self.is_loaded)

    def read(self, now: float) -> bool:
        """Take what it has said; False when it will say nothing more."""
        try:
            came = os.read(self.state.fileno(), 65_536)
        except BlockingIOError:
            return True
        *lines, self._rest = (self._rest + came).split(b"\n")
        for line in lines:
            word = line.decode("ascii", "replace").strip()
            self.is_loaded = self.is_loaded or word == LOADED
            self.is_ready = self.is_ready or word == READY
            if word in (LOADED, READY, BEAT):
                self.heard_at = now
        return bool(came)

    def tell(self, word: str) -> None:
        """Say something to it; one that is gone does not hear."""
        with contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None  # noqa: S101 - asked for above
            self._process.stdin.write(word.encode() + b"\n")
            self._process.stdin.flush()

    def go(self, now: float) -> None:
        """Let it work."""
        self.is_going = True
        self.heard_at = now
        self.tell(GO)

    def stop(self) -> None:
        """Let it drain and end."""
        self.tell(STOP)

    def kill(self) -> None:
        """End it at once, with whatever it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Forget an ended process, and end what it has left behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
