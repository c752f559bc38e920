"""`syncd run`: keeps an intake and an engine alive, tells them when to go, and replaces both when the configuration changes.

It does no work of its own and opens no store, so there is little that could stop it. The listening socket is its own: while an
intake is replaced, connections wait in the socket's queue and none is refused.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

from prometheus_client import multiprocess

from syncd import events
from syncd.config import Settings, load_settings
from syncd.daemon.child import Child
from syncd.daemon.files import FileWatch
from syncd.daemon.listening import listen
from syncd.daemon.notify import Notifier
from syncd.daemon.wire import ENGINE_DOWN, ENGINE_UP, EXIT_TAKEN
from syncd.errors import ConfigError, StoreError
from syncd.installed import connector_types
from syncd.log import Log, configure, get_log

_LOOK_SECONDS = 0.5
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0
_STEADY_SECONDS = 300.0
"""A process that has run for so long starts again without a pause."""
_EXIT_CONFIG = 2
_NAMES = ("intake", "engine")


def run_daemon(config: Path, *, debug: bool = False) -> int:
    """`syncd run`: gives the exit code.

    Raises:
        ConfigError: syncd.yaml is not right, or nothing can listen where it says.
        StoreError: Another syncd is at work on the store.
    """
    settings = load_settings(config, os.environ, connector_types())
    configure("debug" if debug else settings.log.level, json=settings.log.as_json)
    # Not resolved: a link may lead to another file tomorrow.
    return Supervisor(config.absolute(), settings, get_log(process="supervisor"), debug=debug).run()


class Supervisor:
    """Runs the daemon; `run` returns its exit code."""

    def __init__(self, config: Path, settings: Settings, log: Log, *, debug: bool = False) -> None:
        """Nothing is started; `settings` are those of `config` as they were found right."""
        self._config = config
        self._settings = settings
        self._log = log
        self._debug = debug
        self._files = FileWatch(config, settings, time.monotonic())
        self._notifier = Notifier(os.environ)
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, Child] = {}
        self._next: dict[str, Child] = {}
        self._began: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._attempts: dict[str, int] = dict.fromkeys(_NAMES, 0)
        self._again_at: dict[str, float] = {}
        self._signals = 0
        self._stop_by: float | None = None
        self._was_ready = self._is_reload_wanted = False
        self._code = 0
        self._fed_at = 0.0

    def run(self) -> int:
        """Until it is told to stop, or cannot start at all.

        Raises:
            StoreError: Another syncd is at work on the store. ConfigError: The address to listen at is taken.
        """
        self._listener = listen(self._settings.http.host, self._settings.http.port)
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK)
        self._metrics = Path(tempfile.mkdtemp(prefix="syncd-metrics-"))
        inside, outside = socket.socketpair()
        for end in (inside, outside):
            end.setblocking(False)
        before = signal.set_wakeup_fd(outside.fileno(), warn_on_full_buffer=False)
        handled = {number: signal.signal(number, self._note_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        self._selector.register(inside, selectors.EVENT_READ, None)
        try:
            for name in _NAMES:
                self._children[name] = self._start(name)
            while self._look(inside):
                pass
            return self._code
        finally:
            for child in (*self._children.values(), *self._next.values()):
                self._end(child)
            for number, handler in handled.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            self._listener.close()
            shutil.rmtree(self._metrics, ignore_errors=True)
            self._log.info(events.PROCESS_STOPPED)

    # ------------------------------------------------------------------ one look

    def _look(self, inside: socket.socket) -> bool:
        """Wait for news, and act on it; False when all is over."""
        for key, _ in self._selector.select(_LOOK_SECONDS):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    inside.recv(4_096)
            elif not key.data.read(time.monotonic()):
                self._selector.unregister(key.fileobj)
        now = time.monotonic()
        if self._signals:
            return self._drain(now)
        if not self._next:
            if self._files.look(now):
                self._log.info(events.CONFIG_CHANGED)
                self._is_reload_wanted = True
            if self._is_reload_wanted:
                self._begin_reload()
        self._look_at_next(now)
        for name in _NAMES:
            if not self._look_at(name, now):
                return False
        self._feed(now)
        return True

    def _look_at(self, name: str, now: float) -> bool:
        """Let a child go that is loaded, start one that has ended; False to give up."""
        child = self._children.get(name)
        if child is None:
            if now >= self._again_at[name]:
                self._children[name] = self._start(name)
            return True
        if child.exit_code is not None:
            return self._bury(name, child, now)
        if child.is_loaded and not child.is_going:
            child.go(now)
        if child.is_ready and name not in self._began:
            self._note_ready(name, now)
        if child.is_stalled(now):
            self._log.error(events.PROCESS_STALLED, process=name, duration_seconds=round(now - child.heard_at))
            child.kill()
        return True

    def _note_ready(self, name: str, now: float) -> None:
        self._began[name] = now
        self._log.info(events.PROCESS_READY, process=name, attempt=self._attempts[name])
        if "engine" in self._began and "intake" in self._children:
            self._children["intake"].tell(ENGINE_UP)
        if not self._was_ready and len(self._began) == len(_NAMES):
            self._was_ready = True
            host, port = self._listener.getsockname()[:2]
            self._notifier.say("READY=1", f"STATUS=listening at {host}:{port}")
            self._log.info(events.PROCESS_READY, count=port)

    def _bury(self, name: str, child: Child, now: float) -> bool:
        """A child has ended that should not have: start another one after a while, or give up if it never could start."""
        code = child.exit_code
        began = self._began.pop(name, None)
        self._end(child)
        del self._children[name]
        if not self._was_ready and code == _EXIT_CONFIG:
            self._code = _EXIT_CONFIG
            return False
        if not self._was_ready and code == EXIT_TAKEN:
            raise StoreError("Another syncd is working on this store.", advice="Stop it, or use the one that runs.")
        if began is not None and now - began > _STEADY_SECONDS:
            self._pauses.pop(name, None)
            self._attempts[name] = 0
        pause = self._pauses.get(name, 0.0 if began is not None else _FIRST_PAUSE_SECONDS)
        self._pauses[name] = min(max(pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        self._attempts[name] += 1
        self._again_at[name] = now + pause
        self._log.error(
            events.PROCESS_FAILED, process=name, code=str(code), attempt=self._attempts[name], retry_after_seconds=round(pause, 1)
        )
        if name == "engine" and "intake" in self._children:
            self._children["intake"].tell(ENGINE_DOWN)
        return True

    # ------------------------------------------------------------------ reload: all or nothing

    def _begin_reload(self) -> None:
        """Load the new configuration in two new processes beside the two at work, the engine first: it looks at all of it."""
        self._is_reload_wanted = False
        with contextlib.suppress(ConfigError):  # which the engine will tell
            self._files.follow(load_settings(self._config, os.environ, connector_types()))
        self._files.note_begun()
        self._notifier.say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")
        self._next = {"engine": self._start("engine")}

    def _look_at_next(self, now: float) -> None:
        if not self._next:
            return
        is_failed = any(child.exit_code is not None or child.is_stalled(now) for child in self._next.values())
        if is_failed:
            for child in self._next.values():
                self._end(child)
            self._next = {}
            self._notifier.say("READY=1", "STATUS=the new configuration was refused; the one before goes on")
            self._log.error(events.CONFIG_REFUSED, problem="The running configuration goes on.")
        elif all(child.is_loaded for child in self._next.values()):
            if "intake" not in self._next:
                self._next["intake"] = self._start("intake")
            else:
                self._files.note_taken()
                self._replace()

    def _replace(self) -> None:
        """The new intake goes before the old one ends; the new engine after it, as there is one at a time."""
        before, self._children, self._next = self._children, self._next, {}
        self._began.clear()
        self._pauses.clear()
        self._again_at.clear()
        self._children["intake"].go(time.monotonic())
        for name in ("engine", "intake"):
            if name in before:
                before[name].stop()
        self._wait_for(list(before.values()), self._settings.daemon.drain_seconds)
        self._children["engine"].go(time.monotonic())
        self._notifier.say("READY=1", "STATUS=reloaded")
        self._log.info(events.CONFIG_RELOADED)

    def _wait_for(self, children: list[Child], seconds: float) -> None:
        """Wait until these have drained; whoever has not by then is ended."""
        end = time.monotonic() + seconds
        while any(child.exit_code is None for child in children) and time.monotonic() < end:
            time.sleep(0.05)  # noqa: TID251 - the supervisor waits for other processes in real time
        for child in children:
            self._end(child)

    # ------------------------------------------------------------------ the end

    def _drain(self, now: float) -> bool:
        """After the first signal let both finish what is under way, after the second end them at once."""
        if self._stop_by is None:
            self._stop_by = now + self._settings.daemon.drain_seconds
            self._notifier.say("STOPPING=1")
            for child in (*self._children.values(), *self._next.values()):
                child.stop()
        running = [child for child in (*self._children.values(), *self._next.values()) if child.exit_code is None]
        if not running:
            return False
        if self._signals > 1 or now >= self._stop_by:
            for child in running:
                self._log.warning(events.PROCESS_STALLED, process=child.name, reason="not_drained")
                child.kill()
                self._code = 1
            return False
        return True

    # ------------------------------------------------------------------ small things

    def _start(self, name: str) -> Child:
        """Start a process of the configuration as it is now."""
        fd = self._wake if name == "intake" else self._woken
        fds = [fd, self._listener.fileno()] if name == "intake" else [fd]
        arguments = [f"syncd.daemon.{name}_process", str(self._config), *(str(one) for one in fds)]
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(self._metrics)}
        environment.pop("NOTIFY_SOCKET", None)
        child = Child(name, [*arguments, *(["--debug"] if self._debug else [])], fds, environment, time.monotonic())
        self._selector.register(child.state, selectors.EVENT_READ, child)
        self._log.info(events.PROCESS_STARTED, process=name, count=child.pid)
        return child

    def _end(self, child: Child) -> None:
        """Make sure that a process is gone, and forget it."""
        if child.exit_code is None:
            child.kill()
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.state)
        child.close()
        with contextlib.suppress(OSError):
            multiprocess.mark_process_dead(child.pid, path=str(self._metrics))  # type: ignore[no-untyped-call]

    def _feed(self, now: float) -> None:
        """Feed the service manager's watchdog while both processes move, or are being started again."""
        every = self._notifier.watchdog_seconds
        if every is not None and now - self._fed_at >= every:
            self._fed_at = now
            self._notifier.say("WATCHDOG=1")

    def _note_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            self._is_reload_wanted = True
        else:
            self._signals += 1
