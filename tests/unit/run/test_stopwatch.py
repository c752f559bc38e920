"""Where the time goes: the inner stage counts, over all threads."""

from __future__ import annotations

import threading

import pytest

from syncd.clock import FixedClock
from syncd.run.stopwatch import Stopwatch


class Ticking(FixedClock):
    """A clock whose threads use a second of CPU each time they are asked."""

    def __init__(self) -> None:
        self._used = threading.local()

    def thread_seconds(self) -> float:
        self._used.seconds = getattr(self._used, "seconds", 0.0) + 1.0
        return float(self._used.seconds)


def test_an_inner_stage_is_not_counted_twice() -> None:
    watch = Stopwatch(Ticking())
    with watch.stage("outer"), watch.stage("inner"):
        pass
    assert watch.seconds == {"inner": 1.0, "outer": 2.0}


def test_a_stage_that_fails_is_counted_all_the_same() -> None:
    watch = Stopwatch(Ticking())
    with pytest.raises(ValueError, match="x"), watch.stage("one"):
        raise ValueError("x")
    assert watch.seconds == {"one": 1.0}


def test_threads_add_up() -> None:
    watch = Stopwatch(Ticking())

    def work() -> None:
        with watch.stage("one"):
            pass

    threads = [threading.Thread(target=work) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert watch.seconds == {"one": 5.0}
