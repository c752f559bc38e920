"""Conversions under deaths: each told, Google counts it once, Meta and LinkedIn at most once and a person is asked, what is lost is taken back.

Also where the opportunity has left the contact, and no rule tells of wins any more.

A process dies at every point of the passes that decide and tell, and once more in the recovery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import store_url_for
from tests.crash import oracle
from tests.crash.machine import deaths, points_of, run_to_the_end
from tests.feedback import DAY, FORM, GOOGLE, HOUR, META, Platforms, mail, telling
from tests.world import World

POLICY = telling(GOOGLE, META)
LEAD = {"email": mail(1), "full_name": "Ada Lastb", "company_name": "Engines"}


def scenario(world: World, run: Callable[[], None]) -> None:
    """One lead that both platforms know is qualified, converted, won and lost; one answer of Google's is lost on the way.

    Before it is lost the opportunity loses its contact, and the policy its rule.
    """
    assert isinstance(world, Platforms)
    world.fill_in(1)
    world.meta.submit(FORM, LEAD, boxes={"marketing_opt_in": "1"})
    world.settle()
    world.settle()
    world.org.edit(world.lead(mail(1))["Id"], {"Status": "Qualified"})
    world.clock.advance(8 * HOUR)
    world.google.faults.add("cut_after", ":uploadClickConversions$")
    run()
    deal = world.close(world.convert(1))
    world.clock.advance(HOUR)
    run()
    world.settle(HOUR)
    world.settle(HOUR)
    world.org.note("Opportunity", deal, {"ContactId": None})
    world.settle()
    world.write("mappings/policy.yaml", POLICY.partition("  - id: tell_won")[0])
    world.clock.advance(HOUR)
    run()
    world.org.edit(deal, {"StageName": "Closed Lost"})
    world.clock.advance(26 * HOUR)
    run()


def finish(world: Platforms) -> None:
    """What is in doubt gets its time; then nothing more is sent, and the oracle looks."""
    for _ in range(3):
        world.settle(HOUR)
    sent = sum("upload" in one.path for one in world.google.calls), len(world.meta.events)
    world.settle(DAY)
    assert sent == (sum("upload" in one.path for one in world.google.calls), len(world.meta.events)), "it told more without news"
    oracle.check(world, set())
    told = sorted(world.google.conversions.told.values(), key=lambda one: one.at)
    assert [(one.row.get("conversionValue"), one.retracted_at is not None) for one in told] == [
        (None, False), (None, False), (1250.5, True),
    ], "Google was told twice, or not at all"  # fmt: skip
    in_doubt = Counter(
        str(one.fields["value.event"]) for one in world.actions() if (one.source, one.code) == ("meta", "outcome_unknown")
    )
    events = Counter(str(one["event_name"]).removeprefix("Stage ") for one in world.meta.events)
    for event in ("qualified", "converted", "won"):
        assert events[event] == 1 or (events[event], in_doubt[event]) == (0, 1), f"Meta: {event} twice, or lost without a word"
    assert len({one["event_id"] for one in world.meta.events}) == len(world.meta.events)


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """All points of the scenario."""
    folder = tmp_path_factory.mktemp("points")
    return sorted(set(points_of(lambda name: Platforms(folder / name, policy=POLICY), scenario)))


@pytest.mark.timeout(1800)
def test_a_death_at_every_point_tells_nothing_twice(points: list[tuple[str, int]], engine: str, tmp_path: Path) -> None:
    """Die after each call in turn, and before another one in the recovery: a death after one is a death before the next."""
    assert {("after:store.mark_sent", 2), ("after:store.commit_results", 1), ("after:store.put_off", 1)} <= set(points)
    for index, point, again in deaths(points, engine):
        folder = tmp_path / f"w{index}"
        folder.mkdir()
        world = Platforms(folder, store_url=store_url_for(engine, folder), seed=index, policy=POLICY)
        scenario(world, lambda world=world, point=point, again=again: run_to_the_end(world, point, again) and None)  # type: ignore[misc]
        finish(world)
