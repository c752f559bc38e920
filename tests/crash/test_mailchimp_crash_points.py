"""Every named point of a pass over two audiences and a drop folder is a place to die at, and another one in the recovery."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.machine import points_of, run_to_the_end, shared_out
from tests.newsletter import EDITED, SHORT_MAPPING, WITH_TITLE, Newsletter, mail
from tests.stores import store_url_for
from tests.world import START, World, row

CHAOS = bool(os.environ.get("SYNCD_CHAOS"))
REP_COMPANY = "set by a rep"
OPTIONS = {"audiences": ("L1", "L2"), "page_size": 4, "news_mapping": SHORT_MAPPING}


def scenario(world: World, run: Callable[[], None]) -> None:
    """People in either audience, in both, in a file too; then all that can become of a member, another mapping and a back-fill."""
    assert isinstance(world, Newsletter)
    for number in range(1, 8):
        world.put(number, tags=("newsletter",))
    for number in range(5, 11):
        world.put(number, list_id="L2", status="pending" if number == 10 else "subscribed")
    world.put(8, list_id="L2", merge_fields={"TITLE": "from the newsletter"})
    world.put(11, status="cleaned")
    world.drop([row(1, title="from the file"), row(12)])
    run()
    world.org.edit(world.lead(mail(2))["Id"], {"Company": REP_COMPANY}, user="rep1")
    for number in (2, 3):
        world.put(number, merge_fields={"COMPANY": f"{EDITED} {number}"})
    world.mailchimp.unsubscribe("L1", mail(4))
    world.mailchimp.unsubscribe("L2", mail(5))
    world.mailchimp.clean("L1", mail(6))
    world.mailchimp.archive("L1", mail(7))
    world.mailchimp.change_email("L2", mail(9), mail(90))
    world.put(13, list_id="L2")
    world.drop([row(6, title="from the file"), row(13)])
    world.put(14, at=START - timedelta(hours=2))
    world.settle()
    world.write("mappings/mailchimp.yaml", WITH_TITLE)
    world.ask_for(START - timedelta(hours=3), START - timedelta(hours=1))
    run()


EXPECTED = {mail(number) for number in (1, 2, 3, 4, 5, 6, 7, 8, 90, 12, 13, 14)}


def finish(world: Newsletter) -> None:
    """One quiet pass, then the oracle."""
    quiet = world.run()
    written = {name: count for name, count in quiet.operations.items() if name != "unchanged"}
    assert set(written.values()) <= {0}, "a pass without news wrote something"
    oracle.check(world, EXPECTED, {world.lead(mail(2))["Id"]: {"Company": REP_COMPANY}})
    assert {str(lead["Email"]) for lead in world.leads()} == EXPECTED, "invented"
    assert world.lead(mail(3))["Company"] == f"{EDITED} 3"
    assert {one for one in EXPECTED if world.lead(one)["HasOptedOutOfEmail"]} == {mail(4), mail(5)}
    assert [world.lead(mail(number))["Title"] for number in (1, 6, 8)] == ["from the file"] * 2 + ["from the newsletter"]
    assert world.lead(mail(14))["Id"] not in world.org.assignment_runs, "a back-fill is no news"


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """All points of the scenario; the test below fails if it passes too few."""
    folder = tmp_path_factory.mktemp("points")
    return sorted(set(points_of(lambda name: _world(folder, name), scenario)))


def _world(parent: Path, name: str, **options: object) -> Newsletter:
    folder = parent / name
    folder.mkdir(exist_ok=True)  # where its store was put
    return Newsletter(folder, **OPTIONS, **options)  # type: ignore[arg-type]


@pytest.mark.timeout(900)
def test_a_death_at_every_point_loses_and_doubles_nobody(points: list[tuple[str, int]], engine: str, tmp_path: Path) -> None:
    """Die after each call in turn, and before another one in the recovery; the org and the ledger end as if nothing had happened.

    Between two calls nothing durable happens, so a death after one is a death before the next: half of the points tell all. Of
    outcomes that are stored over and over the first three will do, but for SYNCD_CHAOS.
    """
    chosen = {point for point in points if CHAOS or point[1] <= 3 or point[0].endswith("put_page")}
    after = [point for point in points if point[0].startswith("after:") and point in chosen]
    before = [point for point in points if point[0].startswith("before:")]
    assert len({name for name, _ in after}) >= 15
    assert ("after:store.put_page", 6) in after, "several pages, so that a death can part them"
    for index in range(len(after)) if engine == "sqlite" else shared_out(after, engine):
        point = after[index]
        world = _world(tmp_path, f"w{index}", store_url=store_url_for(engine, tmp_path / f"w{index}"), seed=index)
        again = before[(index * 7 + 3) % len(before)]
        scenario(world, lambda world=world, point=point, again=again: run_to_the_end(world, point, again) and None)  # type: ignore[misc]
        finish(world)
