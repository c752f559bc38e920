"""The process of the engine."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from contextlib import closing
from pathlib import Path

from syncd import events
from syncd.daemon.engine import Engine
from syncd.daemon.refusals import log_refused
from syncd.daemon.wire import BEAT, EXIT_TAKEN, LOADED, READY, STOP, Line
from syncd.errors import ConfigError, StoreError, SyncdError
from syncd.log import configure, get_log
from syncd.wiring import open_house


def main(config: Path, wake: int, *, debug: bool = False) -> int:
    """Load, wait for the word, work until told to stop; gives the exit code.

    Args:
        config: syncd.yaml.
        wake: File descriptor of the pipe into which the intake writes after each commit.
        debug: Log every event.
    """
    line = Line()
    configure("debug" if debug else "info")
    log = get_log(process="engine")
    try:
        house = open_house(config, debug=debug)
    except ConfigError as wrong:
        log_refused(log, wrong)
        return wrong.exit_code
    with closing(house):
        try:
            house.check(live=False)
            house.freeze()
            line.say(LOADED)
            if not line.wait_for_go():
                return 0
            engine = Engine(house, log, lambda: line.say(BEAT), lambda: line.say(READY))
            line.listen(lambda word: engine.stop() if word == STOP else None)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: engine.stop())
            threading.Thread(target=_forward, args=(wake, engine), name="wake", daemon=True).start()
            engine.run()
        except ConfigError as wrong:
            log_refused(log, wrong)
            return wrong.exit_code
        except StoreError as error:
            log.error(events.PROCESS_FAILED, error_type=type(error).__name__, reason=error.reason, code=error.code)
            return EXIT_TAKEN if error.reason == "lease_taken" else 1
        except SyncdError as error:
            log.error(events.PROCESS_FAILED, error_type=type(error).__name__, code=error.code)
            return 1
    return 0


def _forward(wake: int, engine: Engine) -> None:
    """Each byte in the pipe is a delivery that was stored; many at once are one."""
    while True:
        select.select([wake], [], [])
        if not os.read(wake, 4096):
            return
        engine.wake()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), debug="--debug" in sys.argv[3:]))
