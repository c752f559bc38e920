"""Conversions and opportunities under deaths: at every point of the passes that qualify, withdraw, convert and open, and once more in the recovery.

Nobody is converted twice, no account is made twice, every opportunity is there once with its values, and a withdrawal arrives first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.machine import deaths, points_of, run_to_the_end
from tests.hot import with_owner
from tests.integration.test_conversions import DAY, account, living, policy
from tests.stores import store_url_for
from tests.world import MAPPING, World, row

POLICY = (
    policy().replace(
        "opportunity:\n  - id: strong_intent\n",
        """opportunity:
  - id: asks_again
    target: contact
    when: 'any_touch("event", 3) and not any_touch("event", 1) and org.Department == "Buying"'
    name: '"Again"'
    stage: Prospecting
    close_in_days: 30
  - id: strong_intent
""",
    )
)  # fmt: skip


def scenario(world: World, run: Callable[[], None]) -> None:
    """Two colleagues, of whom one opens an opportunity; one who joins a contact that has to learn of a withdrawal; a contact's own opportunity."""
    world.org.admin.add_status("Qualified")
    with_owner(world)
    there = account(world.org, "Initech")
    known = world.org.create("Contact", {"LastName": "Laste", "FirstName": "Firste", "AccountId": there}, user="rep2")
    world.drop(
        [
            row(1, title="Boss", company="Globex", email="one@globex.test"),
            row(2, title="Head", company="Globex Ltd", email="two@globex.test"),
            row(4, company="Initech", email="four@initech.test"),
            row(5, company="Nobody"),
        ]
    )
    run()
    world.org.edit(known, {"Email": "four@initech.test"}, user="rep2")
    fourth = world.lead("four@initech.test")
    world.org.edit(fourth["Id"], {"HasOptedOutOfEmail": True, "Title": "Head"})
    run()
    world.org.edit(known, {"Department": "Buying"}, user="rep2")
    world.clock.advance(2.5 * DAY)
    run()


def finish(world: World) -> None:
    """Whoever a repeated create left with syncd's own user is taken over; then what must be true."""
    for lead in world.leads(OwnerId=world.org.integration_user_id):
        if not lead["IsConverted"]:
            world.org.edit(lead["Id"], {"OwnerId": world.org.users["rep2"]}, user="rep2")
    for _ in range(3):
        world.run()
        world.clock.advance(60)
    quiet = world.run()
    written = {name: count for name, count in quiet.operations.items() if name != "unchanged"}
    assert set(written.values()) <= {0}, "a pass without news wrote something"
    statuses = {str(lead["Email"]): lead["IsConverted"] for lead in world.leads()}
    assert statuses == {
        "one@globex.test": True, "two@globex.test": True, "four@initech.test": True, "person5@example.com": False,
    }  # fmt: skip
    conversions = Counter(one.sf_id for one in world.org.audit if one.action == "convert")
    assert set(conversions.values()) == {1}, "converted twice"
    assert sorted(one["Name"] for one in living(world, "Account")) in (["Globex", "Initech"], ["Globex Ltd", "Initech"])
    contacts: dict[str, Any] = {str(one["Email"]): one for one in living(world, "Contact")}
    assert len(living(world, "Contact")) == 3, "a contact was made twice"
    assert contacts["one@globex.test"]["AccountId"] == contacts["two@globex.test"]["AccountId"]
    assert contacts["four@initech.test"]["HasOptedOutOfEmail"] is True, "the withdrawal was lost"
    told = next(
        one for one in world.org.audit if one.sf_id == contacts["four@initech.test"]["Id"] and one.after.get("HasOptedOutOfEmail")
    )
    joined = next(
        one for one in world.org.audit if one.action == "convert" and one.sf_id == world.lead("four@initech.test")["Id"]
    )
    assert world.org.audit.index(told) < world.org.audit.index(joined), "the withdrawal came after the conversion"
    opened = {one["Name"]: one for one in living(world, "Opportunity")}
    assert (set(opened), len(living(world, "Opportunity"))) == ({"Globex - inbound", "Again"}, 2), (
        "an opportunity is missing, or is there twice"
    )
    assert opened["Globex - inbound"]["Amount"] == 5000
    assert opened["Again"]["AccountId"] == contacts["four@initech.test"]["AccountId"]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """All points of the scenario."""
    folder = tmp_path_factory.mktemp("points")
    return sorted(set(points_of(lambda name: World(folder / name, mapping=MAPPING, policy=POLICY), scenario)))


@pytest.mark.timeout(900)
def test_a_death_at_every_point_converts_nobody_twice(points: list[tuple[str, int]], engine: str, tmp_path: Path) -> None:
    """The points around the conversion and what it made are among them."""
    assert {("before:org.convert", 1), ("after:org.convert", 1), ("before:store.link_person", 1)} <= set(points)
    for index, point, again in deaths(points, engine):
        folder = tmp_path / f"w{index}"
        folder.mkdir()
        world = World(folder, store_url=store_url_for(engine, folder), seed=index, mapping=MAPPING, policy=POLICY)
        scenario(world, lambda world=world, point=point, again=again: run_to_the_end(world, point, again) and None)  # type: ignore[misc]
        finish(world)
