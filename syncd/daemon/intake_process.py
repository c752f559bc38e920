"""The process of the intake: what push sources need, and nothing of the pipeline (DESIGN 7)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from syncd import events, metrics
from syncd.clock import SystemClock
from syncd.config import Settings, load_settings, validate_options
from syncd.connector import PushConnector
from syncd.daemon.refusals import log_refused
from syncd.daemon.wire import BEAT, ENGINE_DOWN, ENGINE_UP, LOADED, READY, STOP, Line
from syncd.errors import ConfigError, StoreError
from syncd.installed import connector_types, load_connector
from syncd.intake.receiver import Probes, Receiver
from syncd.intake.server import IntakeServer
from syncd.log import configure, get_log
from syncd.store.deliveries import open_journal

_BEAT_SECONDS = 1.0


def main(config: Path, wake: int, listener: int, *, debug: bool = False) -> int:
    """Load, wait for the word, receive until told to stop; gives the exit code.

    Args:
        config: syncd.yaml.
        wake: File descriptor of the pipe that wakes the engine.
        listener: That of the listening socket.
        debug: Log every event.
    """
    line = Line()
    configure("debug" if debug else "info")
    log = get_log(process="intake")
    clock = SystemClock()
    try:
        settings = load_settings(config, os.environ, connector_types())
        configure("debug" if debug else settings.log.level, json=settings.log.as_json, counted=metrics.count_event)
        receivers = receivers_of(settings)
    except ConfigError as wrong:
        log_refused(log, wrong)
        return wrong.exit_code
    line.say(LOADED)
    if not line.wait_for_go():
        return 0
    try:
        journal = open_journal(settings.store_url, clock=clock)
    except StoreError as error:
        log.error(events.PROCESS_FAILED, error_type=type(error).__name__, reason=error.reason, code=error.code)
        return 1
    facts = {"engine": "starting"}
    with closing(journal):
        probes = Probes(facts=lambda: facts)
        server = IntakeServer(receivers, journal, clock, log, wake=_waker(wake), probes=probes)
        line.listen(lambda word: _hear(word, server, facts))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        threading.Thread(target=_beat, args=(line, server), name="beat", daemon=True).start()
        try:
            server.run([socket.socket(fileno=listener)])
        except StoreError as error:
            log.error(events.PROCESS_FAILED, error_type=type(error).__name__, reason=error.reason, code=error.code)
            return 1
    return 0


def receivers_of(settings: Settings) -> list[Receiver]:
    """The sources that send by themselves, with their options.

    Raises:
        ConfigError: Everything that is wrong with the options of one of them.
    """
    found = []
    for name, source in settings.sources.items():
        connector = load_connector(source.type)
        if isinstance(connector, PushConnector):
            allow = settings.allow_literal_secrets
            options = validate_options(source, connector.Options, os.environ, settings.folder, allow_literal=allow)
            if connector.reception(options) is not None:
                found.append(Receiver(name, connector, options))
    return found


def _waker(wake: int) -> Callable[[], None]:
    """Wakes the engine: a byte in its pipe. One that is full has woken it already."""

    def tell() -> None:
        with contextlib.suppress(OSError):
            os.write(wake, b".")

    return tell


def _hear(word: str, server: IntakeServer, facts: dict[str, str]) -> None:
    if word == STOP:
        server.stop()
    elif word in (ENGINE_UP, ENGINE_DOWN):
        facts["engine"] = "running" if word == ENGINE_UP else "restarting"


def _beat(line: Line, server: IntakeServer) -> None:
    """Ready once it answers; from then on it beats while its event loop moves."""
    pause = threading.Event()
    while not server.is_started:
        pause.wait(0.02)
    line.say(READY)
    while not pause.wait(_BEAT_SECONDS):
        if server.is_moving:
            line.say(BEAT)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), debug="--debug" in sys.argv[4:]))
