"""An erasure under deaths: at every point of the command everything of the person is there, or nothing; asked for again, it ends."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from syncd.model import Lane, Page, PersonState, Record, RunStatus
from tests.crash import oracle
from tests.crash.machine import Death, Reaper
from tests.erasing import PERSON, held_in
from tests.stores import store_url_for
from tests.world import World, row

MAIL = PERSON["email"].lower()


def prepared(folder: Path, engine: str) -> tuple[World, str]:
    """Somebody who is gone from the org, with a version that waits; and somebody else."""
    folder.mkdir()
    world = World(folder, store_url=store_url_for(engine, folder))
    world.drop([PERSON, row(2)])
    world.run()
    (lead,) = [one for one in world.leads() if one["Email"] != row(2)["email"]]
    world.org.delete(lead["Id"])
    world.org.purge(lead["Id"])
    with closing(world.open()) as house:
        (person_id,) = house.store.find_persons([("email", MAIL)], "", 5)
        ref = house.store.person_views([person_id])[0].records[0].ref
        at = world.clock.now()
        record = Record(ref.key, json.dumps({**PERSON, "title": "Waits"}).encode(), at)
        house.store.start_run("intake", at, ["booth"])
        house.store.put_page("intake", ref.source, ref.stream, Page((record,), {}, partition="hooks"), Lane.HOT, at)
        house.store.finish_run("intake", at, RunStatus.OK, {})
    return world, person_id


def erase(world: World, person_id: str, reaper: Reaper) -> None:
    world.clock.advance(5)
    house = world.open(reaper.wrap)
    try:
        house.erase_lead(person_id, keep=False)
    finally:
        house.close()


def state_of(world: World, person_id: str) -> PersonState:
    with closing(world.open()) as house:
        return house.store.person_views([person_id])[0].state


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """Every point of the command."""
    world, person_id = prepared(tmp_path_factory.mktemp("points") / "w", "sqlite")
    reaper = Reaper()
    erase(world, person_id, reaper)
    return [(point, number) for point, count in sorted(reaper.passed.items()) for number in range(1, count + 1)]


@pytest.mark.timeout(900)
def test_a_death_at_every_point_leaves_all_of_a_person_or_nothing(
    points: list[tuple[str, int]], engine: str, tmp_path: Path
) -> None:
    named = {point for point, _ in points}
    assert {
        "before:store.erase_person",
        "after:store.erase_person",
        "after:store.start_run",
        "before:store.scrub",
        "after:journal.scrub",
    } <= named
    for index, point in enumerate(points):
        world, person_id = prepared(tmp_path / f"w{index}", engine)
        with pytest.raises(Death):
            erase(world, person_id, Reaper(point))
        places = {place for place in held_in(world) if not place.startswith("syncd.db")}
        if state_of(world, person_id) is PersonState.ERASED:
            assert places == set(), f"half of the person is left after {point}"
        else:
            assert {"record.payload", "person.golden", "claim.value", "inbox.payload"} <= places, f"half is gone after {point}"
        erase(world, person_id, Reaper())
        assert held_in(world) == set(), point
        world.drop([PERSON, row(3)], name="later.csv")
        world.run()
        oracle.check(world, {row(2)["email"], row(3)["email"]})
        assert len(world.leads()) == 2
