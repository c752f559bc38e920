"""Rules about contacts that change the record itself: an owner, a flag. Whoever was converted goes on by the company's standards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.model import RunStatus
from syncd.sandbox.schema import Field
from tests.hot import tasks, with_owner
from tests.integration.test_delivery import wrote
from tests.world import MAPPING, World, row

DAY = 86_400

POLICY = """\
version: 1
name: acme
fields: {hold_until: Syncd_Hold_Until__c}
programs:
  inbound:
    statuses:
      "Open - Not Contacted": {entry: true}
      Archived: {terminal: true}
    transitions:
      - {from: any, to: Archived}
archive:
  - id: never
    when: lead.Company == "Nobody Inc"
    means: {status: Archived, owner: "queue:Archive", previous_owner_field: Syncd_Previous_Owner__c}
nurture:
  - id: fans
    target: contact
    when: 'any_touch("event", 300)'
    do:
      - owner: {to: "user:Rep3"}
      - flag: {field: Fan__c}
      - flag: {field: Department, value: Fans}
      - task: {subject: Say hello}
"""
ARCHIVED_BY = "Syncd_Previous_Owner__c"


def ready(world: World) -> World:
    """An org with a flag and a hold on contacts, whose assignment rule gives every lead to rep1."""
    world.org.admin.add_status("Archived")
    world.org.add_queue("Archive")
    fields = world.org.objects["Contact"].fields
    fields["Fan__c"] = Field("Fan__c", "boolean", nillable=False)
    fields["Syncd_Hold_Until__c"] = Field("Syncd_Hold_Until__c", "date")
    return with_owner(world)


@pytest.fixture
def make(make_world: Callable[..., World]) -> Callable[[str], World]:
    """A world with a policy in which person 1 is a contact whom nobody has looked at yet."""

    def made(policy: str = POLICY, **edits: Any) -> World:
        world = ready(make_world(mapping=MAPPING, policy=policy))
        world.drop([row(1)])
        world.run()
        lead = world.lead("person1@example.com")["Id"]
        if edits:
            world.org.edit(lead, edits)
        world.org.convert(lead)
        return world

    return made


def contact(world: World) -> dict[str, Any]:
    (found,) = (one for one in world.org.rows("Contact") if not one["IsDeleted"])
    return found


def held(world: World) -> tuple[str, bool, str | None]:
    """Who owns the contact, and its marks."""
    found = contact(world)
    names = {sf_id: name for name, sf_id in world.org.users.items()}
    return names[found["OwnerId"]], found["Fan__c"], found["Department"]


def later(world: World, days: float) -> Any:
    world.clock.advance(days * DAY)
    return world.run()


def undo(world: World, run_id: str) -> None:
    house = world.open()
    try:
        house.undo(run_id).carry_out()
    finally:
        house.close()


MARKED = ("rep3", True, "Fans")
UNMARKED = ("rep1", False, None)


def test_who_was_converted_gets_owner_and_flags_in_one_write_once(make: Callable[..., World]) -> None:
    world = make()
    summary = world.run()
    assert (held(world), summary.status, summary.operations["updated"]) == (MARKED, RunStatus.OK, 1)
    assert [(one["WhoId"], one["OwnerId"]) for one in tasks(world)] == [(contact(world)["Id"], world.org.users["rep3"])]
    for _ in range(5):
        assert wrote(later(world, 0.5)) == 0


def test_what_a_rep_takes_back_stays_theirs_for_ten_passes(make: Callable[..., World]) -> None:
    world = make()
    world.run()
    mine = {"OwnerId": world.org.users["rep1"], "Fan__c": False, "Department": None}
    world.org.edit(contact(world)["Id"], mine)
    for number in range(10):
        world.drop([row(1, phone=f"+1 415 555 01{number:02}")])
        later(world, 0.5)
    assert held(world) == UNMARKED


def test_what_may_be_repeated_comes_again_after_its_days(make: Callable[..., World]) -> None:
    world = make(POLICY.replace("    target: contact\n", "    target: contact\n    again_after_days: 10\n"))
    world.run()
    world.org.edit(contact(world)["Id"], {"Fan__c": False})
    assert (wrote(later(world, 9)), held(world)[1]) == (0, False)
    later(world, 2)
    assert held(world)[1] is True


def test_an_undo_gives_the_contact_back_and_it_stays(make: Callable[..., World]) -> None:
    world = make()
    marked = world.run()
    undo(world, marked.run_id)
    assert held(world) == UNMARKED
    for _ in range(3):
        later(world, 0.5)
    assert held(world) == UNMARKED


def test_an_undo_leaves_what_somebody_has_changed_since(make: Callable[..., World]) -> None:
    world = make()
    marked = world.run()
    world.org.edit(contact(world)["Id"], {"Department": "Board", "OwnerId": world.org.users["rep2"]})
    undo(world, marked.run_id)
    assert held(world) == ("rep2", False, "Board")


def test_a_hold_on_the_contact_stops_the_rule_until_its_day(make: Callable[..., World]) -> None:
    world = make()
    until = (world.clock.now().date()).isoformat()
    world.org.edit(contact(world)["Id"], {"Syncd_Hold_Until__c": until})
    world.run()
    assert held(world) == UNMARKED
    later(world, 1)
    assert held(world) == MARKED


def test_a_rule_that_only_watches_marks_nobody(make: Callable[..., World]) -> None:
    world = make(POLICY.replace("    target: contact\n", "    target: contact\n    enforcement: observe\n"))
    summary = world.run()
    assert (held(world), summary.notes["would:fans"] > 0) == (UNMARKED, True)


def test_a_contact_that_never_was_a_lead_is_marked_too_and_a_lead_is_not(make_world: Callable[..., World]) -> None:
    world = ready(make_world(mapping=MAPPING, policy=POLICY))
    names = {"FirstName": "Firstb", "LastName": "Lastb", "Email": "person1@example.com"}
    world.org.create("Contact", names, user="rep1")
    world.drop([row(1), row(2)])
    world.run()
    world.run()
    assert held(world) == MARKED
    assert world.lead("person2@example.com")["OwnerId"] == world.org.users["rep1"]


def test_what_holds_already_is_not_written_and_is_done(make: Callable[..., World]) -> None:
    """The rule is over with it, so what a rep takes away afterwards stays away."""
    world = make(POLICY.replace("    do:\n", "    do: [{flag: {field: Fan__c}}]\n").partition("      - owner:")[0])
    world.org.edit(contact(world)["Id"], {"Fan__c": True})
    assert wrote(world.run()) == 0
    world.org.edit(contact(world)["Id"], {"Fan__c": False})
    later(world, 1)
    assert held(world) == UNMARKED


@pytest.mark.parametrize("kind", ["cut_after", "cut_before", "html"])
def test_an_answer_that_is_lost_marks_nobody_twice(make: Callable[..., World], kind: str) -> None:
    world = make()
    world.org.faults.add(kind, path="/composite/sobjects", method="PATCH")
    world.run()
    later(world, 0.1)
    later(world, 0.1)
    assert held(world) == MARKED
    world.org.edit(contact(world)["Id"], {"Fan__c": False})
    later(world, 1)
    assert (held(world)[1], len(tasks(world))) == (False, 1)


def test_what_the_org_makes_of_our_write_is_no_edit_of_a_person(make: Callable[..., World]) -> None:
    """The value that came back is base: an undo knows it for ours."""
    world = make(POLICY.replace("value: Fans", 'value: "  Fans "'))
    marked = world.run()
    assert held(world) == MARKED
    assert wrote(world.run()) == 0
    undo(world, marked.run_id)
    assert held(world) == UNMARKED


def test_the_owner_of_the_account_and_the_one_before_an_archive_get_contacts(make: Callable[..., World]) -> None:
    world = make(POLICY.replace('"user:Rep3"', "account"))
    account = contact(world)["AccountId"]
    world.org.edit(account, {"OwnerId": world.org.users["rep2"]})
    world.run()
    assert held(world)[0] == "rep2"


def test_previous_is_whom_an_archive_kept_on_the_lead(make: Callable[..., World]) -> None:
    text = POLICY.replace('"user:Rep3"', "previous")
    kept = make(text)
    kept.run()
    assert held(kept)[0] == "rep1", "nobody was before"
    world = make(text, **{ARCHIVED_BY: kept.org.users["rep2"]})
    world.run()
    assert held(world)[0] == "rep2"


def test_a_changed_policy_that_marks_too_many_contacts_waits_for_somebody_to_agree(make_world: Callable[..., World]) -> None:
    world = ready(make_world(mapping=MAPPING, policy=POLICY.partition("nurture:")[0]))
    world.drop([row(number) for number in range(30)])
    world.run()
    for one in world.leads():
        world.org.convert(one["Id"])
    world.run()
    world.write("mappings/policy.yaml", POLICY)
    assert world.run().status is RunStatus.STOPPED
    assert not any(one["Fan__c"] for one in world.org.rows("Contact"))
    assert world.run(force=True).status is RunStatus.OK
    assert sum(one["Fan__c"] for one in world.org.rows("Contact")) == 30
    assert (wrote(world.run()), world.run().status) == (0, RunStatus.OK)


def test_a_lead_whose_contact_is_gone_is_left_alone(make: Callable[..., World]) -> None:
    world = make()
    world.org.delete(contact(world)["Id"])
    summary = world.run()
    assert (summary.operations["updated"], summary.operations["refused"], summary.notes["contact_not_seen"] > 0) == (0, 0, True)
    assert world.lead("person1@example.com")["OwnerId"] == world.org.users["rep1"]


def test_a_contact_cannot_be_given_to_a_queue(make_world: Callable[..., World]) -> None:
    world = ready(make_world(mapping=MAPPING, policy=POLICY.replace("user:Rep3", "queue:Archive")))
    with pytest.raises(ConfigError, match="A contact cannot belong to a queue in Salesforce, only to a user"):
        world.run()
