"""The process of the intake."""

import sys, threading, time
from pathlib import Path
from syncd.daemon.wire import *


def main(config, wake, listener, debug=False):
    line = Line()
    line.say(LOADED)
    if not line.wait_for_go():
        return 0
    stop = threading.Event()
    line.listen(lambda w: stop.set() if w == STOP else None)
    line.say(READY)
    while not stop.wait(1.0):
        line.say(BEAT)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
