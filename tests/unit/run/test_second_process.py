"""The second interpreter: it answers in turn, says what failed and nothing of the data, and never outlives who asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import pytest

from syncd.run import mapping_process
from syncd.run.second_process import LostProcessError, SecondProcess, answer_all

SECONDS = 20.0


def serve(line: Connection) -> None:
    """Doubles what it is sent; sleeps on demand."""
    answer_all(line, set_up)


def set_up(what: str) -> Callable[[bytes], bytes]:
    if what == "broken":
        raise ValueError("ann@example.com")
    return answer


def answer(question: bytes) -> bytes:
    if question == b"sleep":
        threading.Event().wait(60)
    if question == b"fail":
        raise KeyError("ann@example.com")
    if question == b"pid":
        return str(os.getpid()).encode()
    return question * 2


def is_there(pid: int) -> bool:
    """Whether a process runs, however shortly it is still in the table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def is_gone_soon(pid: int) -> bool:
    until = time.monotonic() + SECONDS
    while is_there(pid) and time.monotonic() < until:
        threading.Event().wait(0.02)
    return not is_there(pid)


@pytest.fixture
def second() -> Iterator[SecondProcess]:
    started = SecondProcess(serve, "well")
    yield started
    started.close()


def test_it_answers_one_after_the_other_whatever_the_size(second: SecondProcess) -> None:
    large = b"x" * 3_000_000  # more than any pipe holds
    asked = [second.ask(one) for one in (b"a", large, b"")]
    assert [one.result(SECONDS) for one in asked] == [b"aa", large * 2, b""]


def test_what_fails_is_told_by_its_type_and_the_next_is_answered(second: SecondProcess) -> None:
    failed, after = second.ask(b"fail"), second.ask(b"b")
    with pytest.raises(LostProcessError, match=r"^KeyError$"):
        failed.result(SECONDS)
    assert after.result(SECONDS) == b"bb"


def test_one_that_cannot_be_set_up_says_so_to_each_question() -> None:
    second = SecondProcess(serve, "broken")
    for _ in range(2):
        with pytest.raises(LostProcessError, match=r"^ValueError$"):
            second.ask(b"a").result(SECONDS)
    second.close()


def test_one_that_is_killed_is_lost_to_all_who_wait(second: SecondProcess) -> None:
    pid = int(second.ask(b"pid").result(SECONDS))
    asked = [second.ask(b"sleep"), second.ask(b"a" * 3_000_000)]
    os.kill(pid, signal.SIGKILL)
    for one in asked:
        with pytest.raises(LostProcessError, match=r"Error$"):
            one.result(SECONDS)


@pytest.mark.parametrize("stopped", [False, True], ids=["busy", "stopped"])
def test_to_close_it_ends_it_whatever_it_is_at(second: SecondProcess, stopped: bool) -> None:
    pid = int(second.ask(b"pid").result(SECONDS))
    asked = second.ask(b"sleep")
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    second.close()
    assert not is_there(pid)
    with pytest.raises(LostProcessError):
        asked.result(SECONDS)


def test_the_one_that_maps_outlives_a_stop_of_the_service_until_who_asked_is_done() -> None:
    """A service manager tells every process of a service to end."""
    mapping = SecondProcess(mapping_process.serve, [], None)
    nothing = ([], [], datetime(2026, 5, 20, tzinfo=UTC))
    assert msgspec.msgpack.decode(mapping.ask(*nothing).result(SECONDS)) == []
    pid = mapping._process.pid
    for one in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, one)
    assert msgspec.msgpack.decode(mapping.ask(*nothing).result(SECONDS)) == []
    mapping.close()
    assert not is_there(pid)


def test_it_ends_when_who_asked_is_killed_and_prints_nothing() -> None:
    code = (
        "import os, signal; from syncd.run.second_process import SecondProcess; from tests.unit.run import test_second_process as t; "
        "second = SecondProcess(t.serve, 'well'); print(second.ask(b'pid').result(20).decode(), flush=True); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert is_gone_soon(int(done.stdout))
    assert done.stderr == ""
