"""Opt-outs that travel back under deaths: none is lost, none is sent twice, and what waits for a person waits through every restart.

A process dies at every point of the passes that copy, hold and let go, and once more in the recovery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from connectors.mailchimp.members import hash_of
from syncd.app.desk import accept_review
from tests.acting import Acting
from tests.conftest import store_url_for
from tests.crash import oracle
from tests.crash.machine import deaths, points_of, run_to_the_end
from tests.newsletter import mail
from tests.world import POLICY, World, row

STORM = (3, 4, 5)
EXPECTED = {mail(number) for number in (1, 2, *STORM)}


def made(folder: Path, **given: object) -> Acting:
    """Two audiences; more than two by one user are a storm."""
    world = Acting(folder, policy=POLICY, audiences=("L1", "L2"), options="audiences: [L1, L2]", **given)  # type: ignore[arg-type]
    text = (folder / "syncd.yaml").read_text(encoding="utf-8")
    guard = "guard: {max_opt_outs_per_user_per_hour: 2, max_changed_share: 1.0}\n"
    world.write("syncd.yaml", text.replace("version: 1\n", f"version: 1\n{guard}", 1))
    return world


def tick(world: Acting, *numbers: int) -> None:
    """A rep opts them out, a second apart."""
    for number in numbers:
        world.clock.advance(1)
        world.org.edit(world.lead(mail(number))["Id"], {"HasOptedOutOfEmail": True})


def scenario(world: World, run: Callable[[], None]) -> None:
    """One opted out by a rep and in two audiences, one by a form; then three at once, whom somebody lets go."""
    assert isinstance(world, Acting)
    for number in (1, 2, *STORM):
        world.put(number)
    world.put(1, list_id="L2")
    world.settle()
    run()
    for lead in world.leads(OwnerId=world.org.integration_user_id):  # of a create that was repeated
        world.org.edit(lead["Id"], {"OwnerId": world.org.users["rep2"]}, user="rep2")
    world.clock.advance(7_200)
    tick(world, 1)
    world.drop([row(2, optout="yes")])
    world.mailchimp.faults.add("cut_after", method="PATCH")
    run()
    world.clock.advance(7_200)
    tick(world, *STORM)
    run()
    assert not set(sent(world)) & {mail(number) for number in STORM}, "a storm went before anybody had looked"
    with closing(world.open()) as house:
        (review,) = house.store.reviews()
        assert (review.kind, house.store.held_opt_outs(review.key)) == ("opt_out_storm", 3)
        accept_review(house.store, review.review_id, None, is_new=False, at=world.clock.now())
    run()


def sent(world: Acting) -> Counter[str]:
    """How often a member was written, by address."""
    members = {one.path.rpartition("/")[2] for one in world.mailchimp.calls if one.method == "PATCH"}
    hashes = {hash_of(mail(number)): mail(number) for number in (1, 2, *STORM)}
    assert members <= hashes.keys()
    return Counter(hashes[one.path.rpartition("/")[2]] for one in world.mailchimp.calls if one.method == "PATCH")


def finish(world: Acting) -> None:
    """What is in doubt gets its time; then everybody has left everywhere, each written once, and a pass without news writes nothing."""
    for _ in range(3):
        world.clock.advance(150)
        world.run()
    before = (sent(world), len(world.org.audit))
    world.clock.advance(150)
    world.run()
    assert before == (sent(world), len(world.org.audit)), "it goes on"
    oracle.check(world, EXPECTED)
    members = [(one["email_address"], one["status"]) for name in ("L1", "L2") for one in world.people(name)]
    assert Counter(members) == {(mail(number), "unsubscribed"): 2 if number == 1 else 1 for number in (1, 2, *STORM)}, (
        "one was lost"
    )
    assert sent(world) == {mail(number): 2 if number == 1 else 1 for number in (1, 2, *STORM)}, "one was sent twice"
    assert all(lead["HasOptedOutOfEmail"] for lead in world.leads())
    with closing(world.open()) as house:
        assert house.store.reviews() == []


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """All points of the scenario."""
    folder = tmp_path_factory.mktemp("points")
    return sorted(set(points_of(lambda name: made(folder / name), scenario)))


@pytest.mark.timeout(1800)
def test_a_death_at_every_point_loses_no_opt_out_and_sends_none_twice(
    points: list[tuple[str, int]], engine: str, tmp_path: Path
) -> None:
    """Die after each call in turn, and before another one in the recovery: a death after one is a death before the next."""
    assert {("after:store.judge_opt_outs", 1), ("after:store.mark_sent", 2), ("after:store.commit_results", 2)} <= set(points)
    for index, point, again in deaths(points, engine):
        folder = tmp_path / f"w{index}"
        folder.mkdir()
        world = made(folder, store_url=store_url_for(engine, folder), seed=index)
        scenario(world, lambda world=world, point=point, again=again: run_to_the_end(world, point, again) and None)  # type: ignore[misc]
        finish(world)
