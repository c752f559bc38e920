"""A hot lead and its task: a death at every point of their passes, and one more in the recovery, leaves exactly one task each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.machine import points_of, run_to_the_end, shared_out
from tests.hot import TASK, bring, tasks, with_owner
from tests.stores import store_url_for
from tests.world import MAPPING, World, row

EXPECTED = {f"person{n}@example.com" for n in (1, 2, 3, 4)}


def scenario(world: World, run: Callable[[], None]) -> None:
    """New hot leads; then a newer version of one that withdraws consent, and a hot record of a lead that was known."""
    with_owner(world)
    world.drop([row(4)])
    bring(world, [row(1), row(2)])
    run()
    bring(world, [row(1, title="newer", optout="yes"), row(3), row(4, title="now hot", email="person4@example.com")])
    run()


def finish(world: World) -> None:
    """Leads that a repeated create left with syncd's own user are taken over; then a quiet pass, and the oracle."""
    for lead in world.leads(OwnerId=world.org.integration_user_id):
        world.org.edit(lead["Id"], {"OwnerId": world.org.users["rep2"]}, user="rep2")
    world.run()
    quiet = world.run()
    written = {name: count for name, count in quiet.operations.items() if name != "unchanged"}
    assert set(written.values()) <= {0}, "a pass without news wrote something"
    oracle.check(world, EXPECTED)
    assert world.lead("person1@example.com")["HasOptedOutOfEmail"] is True
    assert Counter(one["WhoId"] for one in tasks(world)) == Counter(lead["Id"] for lead in world.leads())
    owners = {lead["Id"]: lead["OwnerId"] for lead in world.leads()}
    assert all(one["OwnerId"] == owners[one["WhoId"]] for one in tasks(world))
    assert len({one["Syncd_Id__c"] for one in world.org.rows("Task")}) == len(world.org.rows("Task"))


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """All points of the scenario."""
    folder = tmp_path_factory.mktemp("points")
    return sorted(set(points_of(lambda name: World(folder / name, mapping=MAPPING + TASK), scenario)))


@pytest.mark.timeout(900)
def test_a_death_at_every_point_leaves_one_task(points: list[tuple[str, int]], engine: str, tmp_path: Path) -> None:
    """The point of the task's own call is among them."""
    assert ("after:org.create", 2) in points
    for index in shared_out(points, engine):
        point = points[index]
        folder = tmp_path / f"w{index}"
        folder.mkdir()
        world = World(folder, store_url=store_url_for(engine, folder), seed=index, mapping=MAPPING + TASK)
        again = points[(index * 7 + 3) % len(points)]
        scenario(world, lambda world=world, point=point, again=again: run_to_the_end(world, point, again) and None)  # type: ignore[misc]
        finish(world)
