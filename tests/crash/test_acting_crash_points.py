"""Actions at sources under deaths: none enrolled twice, a journey begun at most once, tasks and owners once, nobody who opted out reached.

A process dies at every point of the passes that decide and act, and once more in the recovery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acting import STANDARDS, Acting
from tests.crash import oracle
from tests.crash.machine import deaths, points_of, run_to_the_end
from tests.hot import tasks
from tests.newsletter import mail
from tests.stores import store_url_for
from tests.world import World, row

POLICY = STANDARDS + (
    'sla:\n  - {id: first_call, from: "Open - Not Contacted", within_days: 1, do: [{owner: {to: "user:Rep3"}}, {task: {subject: Overdue}}]}\n'
)
EXPECTED = {mail(number) for number in (1, 2, 3, 4)}


def scenario(world: World, run: Callable[[], None]) -> None:
    """A subscriber, somebody scanned and somebody opted out are nurtured; the fourth is forgotten by their rep."""
    assert isinstance(world, Acting)
    world.put(1)
    world.drop([row(2), row(3, optout="yes"), row(4)])
    run()
    world.nurture(1, 2, 3)
    # One answer is lost, and once the key is refused, so that what waits is tried again.
    world.mailchimp.faults.add("cut_after", method="PUT")
    world.mailchimp.faults.add("expired", "/tags$", method="POST")
    run()
    world.clock.advance(1.1 * 86_400)
    run()


def finish(world: Acting) -> None:
    """Whoever a repeated create left with syncd's own user is taken over; what is in doubt gets its time; then the oracle."""
    for lead in world.leads(OwnerId=world.org.integration_user_id):
        world.org.edit(lead["Id"], {"OwnerId": world.org.users["rep2"]}, user="rep2")
    for _ in range(3):
        world.run()
        world.clock.advance(150)
    sent = (world.receiver.calls, sum(one.method != "GET" for one in world.mailchimp.calls))
    quiet = world.run()
    written = {name: count for name, count in quiet.operations.items() if name != "unchanged"}
    assert set(written.values()) <= {0}, "a pass without news wrote something"
    assert sent == (world.receiver.calls, sum(one.method != "GET" for one in world.mailchimp.calls)), "it sent something"
    oracle.check(world, EXPECTED)
    marketing = world.mailchimp.marketing
    assert {one["email_address"].lower() for one in world.people()} == {mail(1), mail(2)}, (
        "enrolled against their word, or not at all"
    )
    assert Counter(one.email.lower() for one in marketing.mails if one.kind == "confirmation") == {mail(2): 1}, "enrolled twice"
    assert all([one["name"] for one in (world.member(number) or {})["tags"]] == ["drip"] for number in (1, 2))
    in_doubt = {one.person_id for one in world.actions() if one.code == "outcome_unknown" and one.fields["action"] == "trigger"}
    assert world.entries(2) == 0, "a journey for somebody who has not confirmed"
    assert world.entries(1) == 1 or (world.entries(1) == 0 and world.lead(mail(1))["Syncd_Id__c"] in in_doubt), (
        "a journey was begun twice"
    )
    addressed = Counter(one["data"]["email"] for one in world.receiver.messages.values())
    assert addressed == {mail(1): 1, mail(2): 1, mail(3): 1}, "a message came under two ids, or never"
    subjects = Counter((one["WhoId"], one["Subject"]) for one in tasks(world))
    assert subjects == Counter(
        {(world.lead(mail(number))["Id"], "Read what they do"): 1 for number in (1, 2, 3)}
        | {(world.lead(mail(4))["Id"], "Overdue"): 1}
    ), "a task was made twice, or never"
    assert world.lead(mail(4))["OwnerId"] == world.org.users["rep3"]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """All points of the scenario."""
    folder = tmp_path_factory.mktemp("points")
    return sorted(set(points_of(lambda name: Acting(folder / name, policy=POLICY), scenario)))


@pytest.mark.timeout(1800)
def test_a_death_at_every_point_does_nothing_twice(points: list[tuple[str, int]], engine: str, tmp_path: Path) -> None:
    """Die after each call in turn, and before another one in the recovery: a death after one is a death before the next."""
    assert {("after:store.mark_sent", 5), ("after:store.commit_results", 8), ("after:store.put_off", 1)} <= set(points)
    for index, point, again in deaths(points, engine):
        folder = tmp_path / f"w{index}"
        folder.mkdir()
        world = Acting(folder, store_url=store_url_for(engine, folder), seed=index, policy=POLICY)
        scenario(world, lambda world=world, point=point, again=again: run_to_the_end(world, point, again) and None)  # type: ignore[misc]
        finish(world)
