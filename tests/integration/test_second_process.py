"""Long passes map in a second process; short ones and broken ones do not, and the leads are the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from syncd.model import RunStatus
from syncd.run import mapper
from tests.world import MAPPING, World, row


def processes_of_this_one() -> set[int]:
    """Second processes of the test process."""
    found = set()
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                parent = int((place / "stat").read_text().rpartition(") ")[2].split()[1])
                if parent == os.getpid() and "mapping_process" in (place / "cmdline").read_text():
                    found.add(int(place.name))
            except OSError:
                continue
    return found


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second process is worth its start after one batch."""
    monkeypatch.setattr(mapper, "WORTH_A_PROCESS", 200)


class Spy:
    """Watches which processes are there when a batch is stored, and may end them."""

    def __init__(self, *, kill: bool = False) -> None:
        self.seen: set[int] = set()
        self._kill = kill

    def wrap(self, port: Any, name: str) -> Any:
        return self._Store(port, self) if name == "store" else port

    class _Store:
        def __init__(self, port: Any, spy: Spy) -> None:
            self._port, self._spy = port, spy

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._port, name)
            if name == "commit_resolved":
                self._spy.look()
            return found

    def look(self) -> None:
        self.seen |= processes_of_this_one()
        if self._kill:
            for one in processes_of_this_one():
                os.kill(one, signal.SIGKILL)


COUNT = 1_000


def emails(world: World) -> list[str]:
    return sorted(str(lead["Email"]) for lead in world.leads())


def test_a_long_pass_maps_in_a_second_process_that_ends_with_it(soon: None, make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drop([row(n, phone="+1 415 555 0101" if n % 2 else "") for n in range(COUNT)])
    spy = Spy()
    summary = world.run(wrap=spy.wrap)
    assert spy.seen
    assert summary.status is RunStatus.OK
    assert summary.operations["created"] == COUNT
    assert emails(world) == sorted(row(n)["email"] for n in range(COUNT))
    assert sum(bool(lead["Phone"]) for lead in world.leads()) == COUNT / 2


def test_a_second_process_that_is_killed_costs_nothing_but_time(
    soon: None, make_world: Callable[..., World], capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world()
    world.drop([row(n) for n in range(COUNT)])
    spy = Spy(kill=True)
    summary = world.run(wrap=spy.wrap)
    assert spy.seen
    assert summary.status is RunStatus.OK
    assert emails(world) == sorted(row(n)["email"] for n in range(COUNT))
    assert capsys.readouterr().err.count("mapper_lost") == 1


def test_no_number_is_too_large_for_the_second_process(soon: None, make_world: Callable[..., World]) -> None:
    """What a short pass takes a long one takes too: the way between the processes has no limits of its own."""
    huge = "123456789012345678901234567890"
    world = make_world(
        mapping=MAPPING.replace("  Title:       {from: title}", "  Title: {from: title}\n  Huge__c: {from: title, as: number}")
    )
    world.drop([row(n, title=huge if n == 700 else "1") for n in range(COUNT)])
    spy = Spy()
    summary = world.run(wrap=spy.wrap)
    assert spy.seen
    assert sum(counts.waiting for counts in summary.sources.values()) == 0
    assert emails(world) == sorted(row(n)["email"] for n in range(COUNT))


def test_a_short_pass_starts_none(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.drop([row(n) for n in range(600)])
    spy = Spy()
    assert world.run(wrap=spy.wrap).operations["created"] == 600
    assert not spy.seen


def test_what_is_hot_is_not_held_up_by_what_is_mapped_ahead(soon: None, make_world: Callable[..., World]) -> None:
    """A record of a faster lane that comes in the middle is taken with the next batch, not after all of the slow ones."""
    from syncd.model import Lane, Lead, Page, Record
    from syncd.run.context import LEADS_PER_COMMIT

    world = make_world()
    house = world.open()
    try:
        store = house.store
        store.start_run("run", world.clock.now(), ["booth"])
        slow = tuple(Record(f"slow{n}", b'{"email": "a%d@example.com"}' % n) for n in range(1_000))
        store.put_page("run", "booth", "rows", Page(slow, {}), Lane.BACKFILL, world.clock.now())
        ctx: Any = house._context(store, house.org, house._sources(["booth"], live=False), force=False, progress=lambda *_: None)
        with mapper.Batches(ctx) as batches:
            first = batches.take()
            hot = (Record("hot", b'{"email": "hot@example.com"}'),)
            store.put_page("run", "booth", "rows", Page(hot, {}), Lane.HOT, world.clock.now())
            batches.take()  # was taken before the hot one came
            third = batches.take()
            assert third.rows[0].ref.key == "hot"
            assert msgspec.json.decode(third.mapped[0].lead, type=Lead).fields["Email"].value == "hot@example.com"
            held = {one.sequence for one in first.rows}
            assert len(held) == LEADS_PER_COMMIT
    finally:
        house.close()
