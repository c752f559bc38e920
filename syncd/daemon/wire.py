"""How the supervisor and its processes talk: lines on pipes.

A child is started with its control on stdin and its state on stdout; logs go to stderr. It loads everything, says `loaded`, and
waits for `go`; so two of a new configuration can be made ready beside two that still work. When the control ends, the supervisor is
gone, and the child drains and ends, too.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TextIO

LOADED = "loaded"
READY = "ready"
BEAT = "beat"
GO = "go"
STOP = "stop"
ENGINE_UP = "engine up"
ENGINE_DOWN = "engine down"

EXIT_TAKEN = 75
"""Another engine has the store (EX_TEMPFAIL of sysexits.h)."""


class Line:
    """A child's end."""

    def __init__(self, control: TextIO | None = None, state: TextIO | None = None) -> None:
        """On stdin and stdout unless told; from now on nothing else may be printed there."""
        self._control = control or sys.stdin
        self._state = state or os.fdopen(os.dup(1), "w", buffering=1, encoding="ascii")
        self._lock = threading.Lock()
        if state is None:
            os.dup2(2, 1)

    def say(self, word: str) -> None:
        """Tell the supervisor; one that is gone will be noticed by the control."""
        try:
            with self._lock:
                self._state.write(word + "\n")
                self._state.flush()
        except (OSError, ValueError):
            return

    def wait_for_go(self) -> bool:
        """Wait until the supervisor says so; False when it wants us to end instead."""
        return self._control.readline().strip() == GO

    def listen(self, heard: Callable[[str], None]) -> None:
        """Call `heard` with each word from now on, in a thread; the end of the control is a `stop`."""

        def read() -> None:
            for line in self._control:
                heard(line.strip())
            heard(STOP)

        threading.Thread(target=read, name="control", daemon=True).start()
