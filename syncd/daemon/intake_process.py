"""The process of the intake."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from syncd.daemon.wire import BEAT, LOADED, READY, STOP, Line


def main(config: Path) -> int:
    """Speak to the supervisor; receives nothing yet."""
    del config
    line = Line()
    line.say(LOADED)
    if not line.wait_for_go():
        return 0
    stop = threading.Event()
    line.listen(lambda word: stop.set() if word == STOP else None)
    line.say(READY)
    while not stop.wait(1.0):
        line.say(BEAT)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
