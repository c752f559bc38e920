"""Processes under observation: the sandbox's servers, and one program from its start to its end with CPU and memory of its tree."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 0.1
_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_CALL_SECONDS = 600.0


@dataclass(frozen=True)
class Ran:
    """One program that ended.

    Attributes:
        wall_seconds, cpu_seconds: From start to end, the interpreter's start-up included; CPU of the program and its children.
        rss, pss: Bytes, the highest sum over the tree in any sample; a page that two processes share counts twice in `rss`.
        hwm: Bytes, the highest peak of one process as the kernel noted it.
    """

    exit_code: int
    stdout: str
    wall_seconds: float
    cpu_seconds: float
    rss: int
    pss: int
    hwm: int


class Service:
    """The sandbox in a process of its own, empty at first; of the two faces that it has, a benchmark uses one. A context manager."""

    def __init__(self, folder: Path) -> None:
        """Start it; `folder` is its own and gets its files."""
        folder.mkdir()
        ready = folder / "ready.json"
        command = [sys.executable, "-m", "syncd.sandbox", "--empty", "--folder", str(folder), "--ready-file", str(ready)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._session = requests.Session()
        self._session.trust_env = False
        try:
            told = self._wait_for(ready)
        except BaseException:
            self.stop()
            raise
        self.org_url: str = told["org"]
        self.mailchimp_url: str = told["mailchimp"]
        self.ca_file: str = told["ca_file"]
        self._session.verify = self.ca_file

    def _wait_for(self, ready: Path) -> dict[str, Any]:
        end = time.monotonic() + _READY_SECONDS
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("The sandbox did not start.")
            time.sleep(0.02)  # noqa: TID251 - another process is watched in real time
        return dict(json.loads(ready.read_text(encoding="utf-8")))

    @property
    def cpu_seconds(self) -> float:
        """Used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def act(self, base: str, verb: str, **body: Any) -> dict[str, Any]:
        """A control call of the sandbox, never counted and never slow.

        Raises:
            requests.HTTPError: It was refused.
        """
        answer = self._session.post(f"{base}/sandbox/{verb}", json=body, timeout=_CALL_SECONDS)
        answer.raise_for_status()
        return dict(answer.json())

    def stop(self) -> None:
        """End the process, gently if it lets itself."""
        self._session.close()
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        """The running service."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


def run(command: Sequence[str], *, folder: Path, log: Path) -> Ran:
    """Run a program to its end, its stderr into `log`; it is killed when the benchmark is interrupted."""
    start = time.perf_counter()
    with log.open("ab") as stderr:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True)
    with _ended(process), _Sampler(process.pid) as sampler:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        stdout = process.stdout.read()
        # Not wait(): only wait4 tells what the process and its children have used.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    return Ran(process.returncode, stdout, wall, usage.ru_utime + usage.ru_stime, sampler.rss, sampler.pss, sampler.hwm)


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


class _Sampler:
    """Looks at the memory of a process and its children ten times a second, in a thread. A context manager."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.rss = self.pss = self.hwm = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            tree = _tree(self._pid)
            found = [_kilobytes(Path(f"/proc/{pid}/smaps_rollup")) for pid in tree]
            self.rss = max(self.rss, sum(one.get("Rss", 0) for one in found) * 1024)
            self.pss = max(self.pss, sum(one.get("Pss", 0) for one in found) * 1024)
            peaks = [_kilobytes(Path(f"/proc/{pid}/status")).get("VmHWM", 0) for pid in tree]
            self.hwm = max(self.hwm, max(peaks, default=0) * 1024)


def _tree(pid: int) -> list[int]:
    """A process and all below it; nothing when it is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    except OSError:
        # Ended, or a thread of it did, while it was looked at; the next sample is a tenth of a second away.
        return [pid]
    return [pid, *(below for child in children for below in _tree(child))]


def _kilobytes(path: Path) -> dict[str, int]:
    """Lines such as `Rss:  1604 kB` by name; empty when the process is gone."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    return {parts[0].rstrip(":"): int(parts[1]) for line in text.splitlines() if (parts := line.split())[2:] == ["kB"]}
