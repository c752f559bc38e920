"""Every named point of a pass is a place to die at, once in the pass and once more in the recovery."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.machine import points_of, run_to_the_end, shared_out
from tests.stores import store_url_for
from tests.world import World, row

REP_TITLE = "set by a rep"


def scenario(world: World, run: Callable[[], None]) -> None:
    """New leads; a rep's edit; a newer file with changes, an opt-out, a bad row; a lead deleted and one merged by people."""
    world.drop([row(n) for n in range(1, 9)])
    run()
    leads = {lead["Email"]: lead["Id"] for lead in world.leads()}
    world.org.edit(leads["person1@example.com"], {"Title": REP_TITLE}, user="rep1")
    world.org.delete(leads["person2@example.com"], user="rep1")
    world.org.merge(leads["person3@example.com"], [leads["person4@example.com"]], user="rep1")
    newer = [row(n, title="from the file", phone="+1 415 555 0101") for n in (1, 3, 5)]
    world.drop([*newer, row(6, optout="yes"), row(9), {"email": "", "first": "", "last": "", "company": "x"}])
    run()


EXPECTED = {f"person{n}@example.com" for n in (1, 3, 5, 6, 7, 8, 9)}


def finish(world: World) -> None:
    """One quiet pass, then the oracle."""
    quiet = world.run()
    written = {name: count for name, count in quiet.operations.items() if name != "unchanged"}
    assert set(written.values()) <= {0}, "a pass without news wrote something"
    edited = world.lead("person1@example.com")
    oracle.check(world, EXPECTED, {edited["Id"]: {"Title": REP_TITLE}})
    assert world.lead("person6@example.com")["HasOptedOutOfEmail"] is True
    assert world.leads(Email="person2@example.com") == []


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """All points of the scenario; the test below fails if one of them is never reached."""
    folder = tmp_path_factory.mktemp("points")
    return sorted(set(points_of(lambda name: World(folder / name), scenario)))


@pytest.mark.timeout(900)
def test_a_death_at_every_point_loses_and_doubles_nothing(points: list[tuple[str, int]], engine: str, tmp_path: Path) -> None:
    """Die at each point in turn, and at another one in the recovery; the org and the ledger end as if nothing had happened."""
    assert len({name for name, _ in points}) >= 20
    survived = 0
    # The first scenario of all: on the store that most people use no point is left out.
    chosen = list(range(len(points))) if engine == "sqlite" else shared_out(points, engine)
    for index in chosen:
        point = points[index]
        folder = tmp_path / f"w{index}"
        folder.mkdir()
        world = World(folder, store_url=store_url_for(engine, folder), seed=index)
        again = points[(index * 7 + 3) % len(points)]
        scenario(world, lambda world=world, point=point, again=again: run_to_the_end(world, point, again) and None)  # type: ignore[misc]
        finish(world)
        survived += 1
    assert survived == len(chosen) >= len({name for name, _ in points})
