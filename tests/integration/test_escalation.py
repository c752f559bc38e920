"""Rules that change the record itself: an owner, a flag, an archive that is nothing but a queue. Once, whatever a rep does afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.model import RunStatus
from tests.hot import tasks
from tests.integration.test_delivery import wrote
from tests.integration.test_standards import PROGRAM, later, ready
from tests.world import MAPPING, World, row

ARCHIVE = (
    'means: {status: Archived, flag: Syncd_Archived__c, owner: "queue:Archive", previous_owner_field: Syncd_Previous_Owner__c}'
)
ESCALATED = PROGRAM.replace(
    'do: [{task: {subject: "Overdue: first call"}}]',
    """do:
      - task: {subject: "Overdue: first call"}
      - owner: {to: "user:Rep3"}
      - flag: {field: Syncd_Archived__c, value: true}""",
)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world in which a broken promise costs the rep the lead."""
    return ready(make_world(mapping=MAPPING, policy=ESCALATED))


def held(world: World, number: int = 1) -> tuple[str, bool]:
    """Who owns a lead, and its flag."""
    lead = world.lead(f"person{number}@example.com")
    return next(name for name, sf_id in world.org.users.items() if sf_id == lead["OwnerId"]), lead["Syncd_Archived__c"]


def test_a_broken_promise_changes_owner_and_flag_in_one_write_with_a_task_for_the_new_owner(world: World) -> None:
    world.drop([row(1)])
    world.run()
    assert held(world) == ("rep1", False)
    summary = later(world, 1.1)
    assert (held(world), summary.status, summary.operations["updated"]) == (("rep3", True), RunStatus.OK, 1)
    assert [(one["Subject"], one["OwnerId"]) for one in tasks(world)] == [("Overdue: first call", world.org.users["rep3"])]
    assert [wrote(world.run()) for _ in range(3)] == [0, 0, 0]


def test_what_a_rep_takes_back_stays_theirs_for_this_stay_and_comes_again_in_the_next(world: World) -> None:
    world.drop([row(1)])
    world.run()
    later(world, 1.1)
    lead = world.lead("person1@example.com")["Id"]
    world.org.edit(lead, {"OwnerId": world.org.users["rep1"], "Syncd_Archived__c": False})
    for _ in range(10):
        later(world, 0.5)
    assert held(world) == ("rep1", False)
    world.org.edit(lead, {"Status": "Working - Contacted"})
    later(world, 1)
    world.org.edit(lead, {"Status": "Open - Not Contacted"})
    later(world, 0.5)
    assert held(world) == ("rep1", False)
    later(world, 1)
    assert (held(world), len(tasks(world))) == (("rep3", True), 2)


def test_an_owner_that_the_org_lacks_is_said_and_the_rest_is_done(make_world: Callable[..., World]) -> None:
    """Once the name is put right, the rule goes on where it was: one task, and then the owner."""
    world = ready(make_world(mapping=MAPPING, policy=ESCALATED.replace("user:Rep3", "queue:Nobody")))
    world.drop([row(1)])
    world.run()
    summary = later(world, 1.1)
    assert (held(world), summary.status, summary.notes["owner_not_in_org"] > 0) == (("rep1", True), RunStatus.PARTIAL, True)
    world.org.add_queue("Nobody")
    world.drop([row(1, phone="+1 415 555 0101")])
    later(world, 0.1)
    later(world, 0.1)
    assert world.lead("person1@example.com")["OwnerId"].startswith("00G")
    assert len(tasks(world)) == 1


def test_an_undo_gives_the_lead_back_and_it_stays(world: World) -> None:
    world.drop([row(1)])
    world.run()
    escalated = later(world, 1.1)
    house = world.open()
    try:
        house.undo(escalated.run_id).carry_out()
    finally:
        house.close()
    for _ in range(3):
        later(world, 0.1)
    assert held(world) == ("rep1", False)


def test_archiving_that_is_only_a_queue_is_done_once(make_world: Callable[..., World]) -> None:
    """No status and no flag tells of it: that the rule has fired does. A rep who takes the lead out keeps it."""
    alone = PROGRAM.replace(ARCHIVE, 'means: {owner: "queue:Archive", previous_owner_field: Syncd_Previous_Owner__c}')
    world = ready(make_world(mapping=MAPPING, policy=alone))
    world.drop([row(1, company="Nobody Inc")])
    world.run()
    owner = world.lead("person1@example.com")["OwnerId"]
    later(world, 2.5)
    later(world, 3.1)
    lead = world.lead("person1@example.com")
    assert (lead["OwnerId"][:3], lead["Syncd_Previous_Owner__c"], lead["Status"]) == ("00G", owner, "Open - Not Contacted")
    assert [wrote(later(world, 1)) for _ in range(3)] == [0, 0, 0]
    world.org.edit(lead["Id"], {"OwnerId": owner})
    for _ in range(10):
        later(world, 2)
    assert world.lead("person1@example.com")["OwnerId"] == owner


def test_a_move_and_an_escalation_are_one_write(make_world: Callable[..., World]) -> None:
    both = ESCALATED.replace(
        "rules:\n",
        'rules:\n  - {id: too_late, from: "Open - Not Contacted", to: Nurture, when: days_in_status >= 1, reason: Too late.}\n',
    )
    world = ready(make_world(mapping=MAPPING, policy=both))
    world.drop([row(1)])
    world.run()
    summary = later(world, 1.1)
    lead = world.lead("person1@example.com")
    assert (held(world), lead["Status"], summary.operations["updated"]) == (("rep3", True), "Nurture", 1)
