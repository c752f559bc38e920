"""The company's standards under deaths: at every point of the passes that move, archive, revive and ask, and once more in the recovery.

A status is moved once and ends where the policy wants it, a task is made once, an owner comes back, nobody's word is overwritten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.machine import deaths, points_of, run_to_the_end
from tests.hot import tasks
from tests.integration.test_standards import DAY, PROGRAM, ready
from tests.stores import store_url_for
from tests.world import MAPPING, World, row

EXPECTED = {f"person{n}@example.com" for n in (1, 2, 3, 4)}


def scenario(world: World, run: Callable[[], None]) -> None:
    """Arrive and move; a rep's word; overdue; archived after the hold; revived by a touch."""
    ready(world)
    world.drop([row(1, title="Boss"), row(2), row(3, company="Nobody Inc"), row(4, title="Boss")])
    run()
    world.org.edit(world.lead("person4@example.com")["Id"], {"Status": "Open - Not Contacted"})
    world.clock.advance(2.5 * DAY)
    run()
    world.clock.advance(DAY)
    run()
    # Not before the seven days in which syncd takes nothing back that it did itself.
    world.clock.advance(8 * DAY)
    world.drop([row(3, company="Nobody Inc", title="Head")])
    run()


def finish(world: World) -> None:
    """Whoever a repeated create left with syncd's own user is taken over; days pass; then the oracle."""
    for lead in world.leads(OwnerId=world.org.integration_user_id):
        world.org.edit(lead["Id"], {"OwnerId": world.org.users["rep2"]}, user="rep2")
    world.run()
    world.clock.advance(1.5 * DAY)
    world.run()
    quiet = world.run()
    written = {name: count for name, count in quiet.operations.items() if name != "unchanged"}
    assert set(written.values()) <= {0}, "a pass without news wrote something"
    oracle.check(world, EXPECTED)
    statuses = {str(lead["Email"]): lead["Status"] for lead in world.leads()}
    assert statuses["person1@example.com"] == "Working - Contacted"
    assert statuses["person2@example.com"] == "Open - Not Contacted"
    assert statuses["person4@example.com"] == "Open - Not Contacted", "a rep's status was overwritten"
    assert (world.lead("person3@example.com")["Syncd_Archived__c"], statuses["person3@example.com"]) == (
        False,
        "Open - Not Contacted",
    )
    moves = Counter(
        (one.sf_id, one.after["Status"])
        for one in world.org.audit
        if one.object == "Lead" and one.action == "update" and "Status" in one.after and one.user == world.org.integration_user_id
    )
    assert set(moves.values()) == {1}, "a status was moved twice"
    made = Counter((one["WhoId"], one["Subject"]) for one in tasks(world))
    assert set(made.values()) == {1}, "a task was made twice"
    revived = world.lead("person3@example.com")
    assert made[revived["Id"], "Call back"] == 1
    assert made[world.lead("person2@example.com")["Id"], "Overdue: first call"] == 1
    assert revived["OwnerId"].startswith("005"), "the owner before came back"


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """All points of the scenario."""
    folder = tmp_path_factory.mktemp("points")
    return sorted(set(points_of(lambda name: World(folder / name, mapping=MAPPING, policy=PROGRAM), scenario)))


@pytest.mark.timeout(900)
def test_a_death_at_every_point_leaves_the_standards_kept(points: list[tuple[str, int]], engine: str, tmp_path: Path) -> None:
    """The points of the policy's own writes are among them."""
    assert {("after:store.mark_due", 1), ("before:store.commit_plans", 2), ("after:org.update", 1)} <= set(points)
    for index, point, again in deaths(points, engine):
        folder = tmp_path / f"w{index}"
        folder.mkdir()
        world = World(folder, store_url=store_url_for(engine, folder), seed=index, mapping=MAPPING, policy=PROGRAM)
        scenario(world, lambda world=world, point=point, again=again: run_to_the_end(world, point, again) and None)  # type: ignore[misc]
        finish(world)
