"""Turns: one lane at a time, the more urgent first, nobody for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from syncd.clock import SystemClock
from syncd.model import Lane
from syncd.run import turns as module
from syncd.run.turns import Turn, Turns

_LONG = 10.0


class Table:
    """Lanes in threads that note when they have their turn."""

    def __init__(self) -> None:
        self.turns = Turns(SystemClock())
        self.order: list[str] = []
        self.threads: list[threading.Thread] = []

    def sit(self, name: str, lane: Lane, act: Callable[[Turn], None] | None = None) -> None:
        """Have a lane wait for a turn; returns when it waits."""
        before = len(self.turns._waiting)

        def work() -> None:
            with Turn(self.turns, lane) as turn:
                self.order.append(name)
                if act is not None:
                    act(turn)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.threads.append(thread)
        while thread.is_alive() and len(self.turns._waiting) == before and name not in self.order:
            pass

    def leave(self) -> None:
        """Wait until everybody had a turn."""
        for thread in self.threads:
            thread.join(_LONG)
            assert not thread.is_alive(), "somebody waits for ever"


def test_the_more_urgent_lane_goes_first() -> None:
    table = Table()
    with Turn(table.turns, Lane.INCREMENT):
        table.sit("slow", Lane.BACKFILL)
        table.sit("live", Lane.INCREMENT)
        table.sit("hot", Lane.HOT)
    table.leave()
    assert table.order == ["hot", "live", "slow"]


def test_whoever_has_waited_for_long_goes_before_the_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_SECONDS", 0.0)
    table = Table()
    with Turn(table.turns, Lane.INCREMENT):
        table.sit("slow", Lane.BACKFILL)
        table.sit("hot", Lane.HOT)
    table.leave()
    assert table.order == ["slow", "hot"]


def test_breathing_lets_the_more_urgent_go_and_comes_back() -> None:
    table = Table()
    with Turn(table.turns, Lane.BACKFILL) as turn:
        table.sit("hot", Lane.HOT)
        assert turn.breathe()
        table.order.append("slow again")
        assert not turn.breathe(), "nobody waits any more"
    table.leave()
    assert table.order == ["hot", "slow again"]


def test_the_less_urgent_are_not_let_in() -> None:
    table = Table()
    with Turn(table.turns, Lane.INCREMENT) as turn:
        table.sit("slow", Lane.BACKFILL)
        assert not turn.breathe()
        table.order.append("live")
    table.leave()
    assert table.order == ["live", "slow"]


def test_a_turn_that_is_lent_is_lent_to_hot_leads_only() -> None:
    table = Table()
    with Turn(table.turns, Lane.BACKFILL) as turn:
        table.sit("live", Lane.INCREMENT)
        with turn.aside(Lane.HOT):
            table.sit("hot", Lane.HOT)
            while "hot" not in table.order:
                pass
        table.order.append("slow again")
    table.leave()
    assert table.order == ["hot", "slow again", "live"]


def test_waiting_aside_gives_the_turn_to_anybody() -> None:
    table = Table()
    with Turn(table.turns, Lane.INCREMENT) as turn:
        table.sit("slow", Lane.BACKFILL)
        with turn.aside():
            while "slow" not in table.order:
                pass
        table.order.append("live again")
    table.leave()
    assert table.order == ["slow", "live again"]


def test_one_at_a_time_under_load() -> None:
    table, inside, worst = Table(), [0], [0]
    guard = threading.Lock()

    def act(turn: Turn) -> None:
        for _ in range(20):
            with guard:
                inside[0] += 1
                worst[0] = max(worst[0], inside[0])
            with guard:
                inside[0] -= 1
            turn.breathe()
            with turn.aside():
                pass
            turn.breathe(Lane.HOT)

    for number in range(3):
        for lane in (Lane.HOT, Lane.INCREMENT, Lane.BACKFILL):
            table.sit(f"{lane.name} {number}", lane, act)
    table.leave()
    assert worst == [1]
    assert len(table.order) == 9
