"""What the daemon's watch says: once when something is amiss, once when it is over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd import log
from syncd.clock import FixedClock
from syncd.daemon.agenda import Agenda
from syncd.daemon.watch import Watch
from syncd.kept_token import KeptToken
from syncd.model.secret import Secret
from syncd.schedule import Timetable
from tests.world import World


class SetClock(FixedClock):
    """A clock whose wall can be set while the machine goes on."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.off = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.off)


class Bench:
    """A watch over a house whose time is given."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock(datetime.fromisoformat("2026-11-25T09:00:00+00:00"))
        self.world = World(folder, clock=self.clock)
        self.house = self.world.open()
        self.due: list[str] = []
        plans = self.house.plans()
        self.agenda = Agenda()
        self.table = Timetable(plans, self.due.append, log.get_log())
        self.watch = Watch(self.house, self.agenda, self.table, plans, log.get_log())

    def pass_time(self, seconds: int) -> None:
        """Ticks for so long, as the engine gives them."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.watch.tick()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    with closing(made.house):
        yield made
        made.table.stop()


def said(capsys: Any, event: str) -> list[dict[str, Any]]:
    """Lines of an event."""
    return [
        one
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("{") and (one := json.loads(line))["event"] == event
    ]


def test_credentials_that_end_soon_are_told_once_and_their_renewal_too(tmp_path: Path, capsys: Any) -> None:
    """By the day that an admin has noted, by the certificate of a file, and by what the vendor said of the token it gave."""
    bench = Bench(tmp_path)
    log.configure("info", json=True, stream=sys.stderr, clock=bench.clock)
    keeper = KeptToken(lambda: bench.house.store, "booth", bench.clock)
    with closing(bench.house):
        bench.pass_time(60)
        assert said(capsys, "credentials_ending") == []
        keeper.keep(Secret("rt-1", "test"), 20 * 86_400.0)
        bench.pass_time(60)
        assert said(capsys, "credentials_ending") == []
        bench.clock.advance(7 * 86_400)
        bench.pass_time(120)
        (line,) = said(capsys, "credentials_ending")
        assert (line["source"], line["reason"], line["until"]) == ("booth", "credentials", "2026-12-15T09:01:00+00:00")
        assert "rt-1" not in json.dumps(line)
        keeper.keep(Secret("rt-2", "test"), 60 * 86_400.0)
        bench.pass_time(60)
        assert [one["source"] for one in said(capsys, "credentials_renewed")] == ["booth"]
        bench.table.stop()


@pytest.mark.parametrize("jump", [3_600.0, -3_600.0, -86_400.0 * 400])
def test_a_clock_that_was_set_begins_the_timetable_anew(bench: Bench, capsys: Any, jump: float) -> None:
    log.configure("info", json=True, stream=sys.stderr, clock=bench.clock)
    bench.pass_time(5)
    assert bench.due == []
    bench.clock.off += jump
    bench.pass_time(3)
    (line,) = said(capsys, "clock_jumped")
    assert line["duration_seconds"] == pytest.approx(jump, abs=1.5)
    assert bench.due == ["booth"], "whatever was worked out from the wrong time is due now"


def test_a_schedule_that_is_not_kept_is_said_once_and_so_is_its_recovery(bench: Bench, capsys: Any) -> None:
    log.configure("info", json=True, stream=sys.stderr, clock=bench.clock)
    bench.pass_time(3_000)
    assert len(said(capsys, "schedule_missed")) == 1
    bench.house.store.note_start("booth", "r1", bench.clock.now())
    bench.house.store.note_end("booth", "r1", bench.clock.now(), "ok", succeeded=True)
    bench.pass_time(120)
    assert len(said(capsys, "schedule_kept")) == 1


def test_a_paused_source_is_not_missed(bench: Bench, capsys: Any) -> None:
    log.configure("info", json=True, stream=sys.stderr, clock=bench.clock)
    bench.house.store.set_paused("booth", True, bench.clock.now())
    bench.pass_time(3_000)
    lines = capsys.readouterr().err
    assert "source_paused" in lines
    assert "schedule_missed" not in lines
    assert bench.agenda.paused == {"booth"}
