"""A second interpreter that answers one question at a time, over a pipe of its own.

`multiprocessing` would start a third one beside it, its resource tracker (12 MB), and two threads here that ask for the interpreter's lock.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

_CODE = (
    "import sys; from multiprocessing.connection import Connection; line = Connection(int(sys.argv[1])); "
    "sys.path[:] = line.recv(); from {module} import {name}; {name}(line)"
)


class LostProcessError(RuntimeError):
    """The process is gone, or failed; the text is the type of what it met, without what it was about."""


class SecondProcess:
    """It runs `serve` and is ended by `close`; when this process is gone, however it went, it ends by itself."""

    def __init__(self, serve: Callable[[Connection], None], *setting_up: Any) -> None:
        """Start it, with what it needs to set itself up; gives at once. `serve` is a function of a module, as `answer_all` is used.

        Raises:
            OSError: No process can be started.
            RuntimeError: No thread can be.
        """
        self._line, theirs = Pipe()
        code = _CODE.format(module=serve.__module__, name=serve.__qualname__)
        with theirs:
            # In a session of its own: a Ctrl-C at the terminal is for this process to judge.
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and names of our own
                [sys.executable, "-c", code, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="second-process")
        self._thread.submit(self._line.send, sys.path)
        self._thread.submit(self._line.send, setting_up)

    def ask(self, *question: Any) -> Future[bytes]:
        """Its answer, some time; a LostProcessError there if it is gone or failed."""
        return self._thread.submit(self._answer, question)

    def close(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.wait()
        self._thread.shutdown(cancel_futures=True)
        self._line.close()

    def _answer(self, question: tuple[Any, ...]) -> bytes:
        try:
            self._line.send(question)
            failed = self._line.recv_bytes()
            answer = self._line.recv_bytes()
        except (EOFError, OSError) as error:
            failed = type(error).__name__.encode()
        if failed:
            raise LostProcessError(failed.decode())
        return answer


def answer_all(line: Connection, set_up: Callable[..., Callable[..., bytes]]) -> None:
    """The other end: set up, then answer until nobody asks any more. What fails is told by its type, and the next question answered."""
    try:
        answer = set_up(*line.recv())
    except Exception as error:  # noqa: BLE001 - told with the first answer
        answer = partial(_raise, error)
    while True:
        try:
            question = line.recv()
        except (EOFError, OSError):
            return
        try:
            failed, given = b"", answer(*question)
        except Exception as error:  # noqa: BLE001 - the record itself is judged by who asked
            failed, given = type(error).__name__.encode(), b""
        try:
            line.send_bytes(failed)
            line.send_bytes(given)
        except OSError:
            return


def _raise(error: Exception, *_: Any) -> bytes:
    raise error
