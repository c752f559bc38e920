"""The company's standards at work: statuses, reasons, tasks, archives and revivals, on both stores, by whole passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from syncd.app.leads import show_lead
from syncd.model import OperationKind, RunStatus
from syncd.sandbox import SandboxOrg
from tests.hot import tasks, with_owner
from tests.integration.test_delivery import wrote
from tests.site import Site
from tests.world import MAPPING, World, row

DAY = 86_400

PROGRAM = """\
version: 1
name: acme
on_create: {status: Open - Not Contacted}
fields:
  next_action: Syncd_Next_Action__c
  reason: Syncd_Reason__c
  policy: Syncd_Policy__c
  score: Syncd_Score__c
  hold_until: Syncd_Hold_Until__c
programs:
  inbound:
    statuses:
      "Open - Not Contacted": {meaning: Arrived., next_action: Call them., entry: true}
      "Working - Contacted": {meaning: Spoken to., next_action: Find out what they need.}
      Nurture: {meaning: Not yet., next_action: The drip campaign runs.}
      Archived: {meaning: Not for us., terminal: true}
    transitions:
      - {from: "Open - Not Contacted", to: ["Working - Contacted", Nurture]}
      - {from: "Working - Contacted", to: ["Open - Not Contacted", Nurture]}
      - {from: [Nurture, Archived], to: "Open - Not Contacted"}
      - {from: any, to: Archived}
standards:
  criteria:
    fit: {met: 'lead.Company != "Nobody Inc"', unmet: 'lead.Company == "Nobody Inc"'}
  scoring:
    - {id: boss, points: 20, when: 'lead.Title == "Boss"'}
rules:
  - {id: cools_off, from: "Working - Contacted", to: Nurture, when: days_in_status >= 30, reason: Nothing came of it., overrides_rep: true}
  - {id: leads_with_a_boss, from: "Open - Not Contacted", to: "Working - Contacted", when: score >= 20, reason: "A boss, call at once."}
revive:
  - id: came_back
    from: [Nurture, Archived]
    on: [event]
    to: "Open - Not Contacted"
    owner: previous
    overrides_rep: true
    do: [{task: {subject: Call back, due_in_days: 1, priority: High}}]
    reason: They came back.
archive:
  - id: not_for_us
    from: "Open - Not Contacted"
    when: criteria.fit == false
    inactive_days: 2
    hold_days: 3
    means: {status: Archived, flag: Syncd_Archived__c, owner: "queue:Archive", previous_owner_field: Syncd_Previous_Owner__c}
    reason: Outside the profile.
sla:
  - id: first_call
    from: "Open - Not Contacted"
    within_days: 1
    when: criteria.fit
    do: [{task: {subject: "Overdue: first call"}}]
"""


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world with the policy above, in an org that has its statuses and a queue for archived leads."""
    return ready(make_world(mapping=MAPPING, policy=PROGRAM))


def ready_org(org: SandboxOrg) -> None:
    """The statuses and the queue that the policy names."""
    for name in ("Nurture", "Archived"):
        org.admin.add_status(name)
    org.add_queue("Archive")


def ready(world: World) -> World:
    ready_org(world.org)
    return with_owner(world)


def status_of(world: World, number: int = 1) -> str:
    return str(world.lead(f"person{number}@example.com")["Status"])


def later(world: World, days: float) -> Any:
    world.clock.advance(days * DAY)
    return world.run()


def test_a_rule_moves_the_status_and_says_why_in_the_pass_that_brings_the_lead(world: World) -> None:
    """Who is new enters by the program's entry; the rule moves on in the same pass, with what a rep needs to know."""
    world.drop([row(1, title="Boss"), row(2)])
    summary = world.run()
    assert (summary.status, status_of(world), status_of(world, 2)) == (
        RunStatus.OK,
        "Working - Contacted",
        "Open - Not Contacted",
    )
    lead = world.lead("person1@example.com")
    assert lead["Syncd_Reason__c"] == "A boss, call at once."
    assert lead["Syncd_Next_Action__c"] == "Find out what they need."
    assert (lead["Syncd_Policy__c"][:5], lead["Syncd_Score__c"]) == ("acme ", 20)
    for _ in range(5):
        assert wrote(world.run()) == 0


def test_a_pass_without_news_costs_three_calls_and_writes_nothing(world: World) -> None:
    world.drop([row(1, title="Boss")])
    world.run()
    quiet = world.run()
    assert (wrote(quiet), quiet.status) == (0, RunStatus.OK)
    # The schema, the queue that the policy names (once a process), and one look at Lead, Contact, Task, Event and User.
    assert quiet.api_calls == 3


def test_a_status_that_a_rep_set_survives_ten_passes(world: World) -> None:
    world.drop([row(1, title="Boss")])
    world.run()
    world.org.edit(world.lead("person1@example.com")["Id"], {"Status": "Open - Not Contacted"})
    for number in range(10):
        world.drop([row(1, title="Boss", phone=f"+1 415 555 01{number:02}")])
        later(world, 0.05)
    assert status_of(world) == "Open - Not Contacted"


def test_time_alone_moves_a_lead_when_its_day_has_come_and_not_before(world: World) -> None:
    """Nothing arrives, nobody edits; the rule says that it overrides a rep, and the days are newer than the rep's move."""
    world.drop([row(2)])
    world.run()
    world.org.edit(world.lead("person2@example.com")["Id"], {"Status": "Working - Contacted"})
    later(world, 1)
    later(world, 28)
    assert status_of(world, 2) == "Working - Contacted"
    later(world, 2)
    assert (status_of(world, 2), world.lead("person2@example.com")["Syncd_Reason__c"]) == ("Nurture", "Nothing came of it.")


def test_a_hold_of_a_rep_stops_every_rule_until_its_day(world: World) -> None:
    world.drop([row(2)])
    world.run()
    lead = world.lead("person2@example.com")["Id"]
    world.org.edit(lead, {"Status": "Working - Contacted", "Syncd_Hold_Until__c": "2027-01-31"})
    later(world, 40)
    assert status_of(world, 2) == "Working - Contacted"
    later(world, 40)
    assert status_of(world, 2) == "Nurture"


def test_who_is_not_for_us_is_archived_after_the_hold_and_comes_back_to_their_rep(world: World) -> None:
    """Status, flag and queue in one write, the owner before kept; a new touch brings all of it back, with one task."""
    world.drop([row(1, company="Nobody Inc")])
    world.run()
    owner = world.lead("person1@example.com")["OwnerId"]
    later(world, 2.5)
    assert status_of(world) == "Open - Not Contacted"
    later(world, 1)
    archived = world.lead("person1@example.com")
    assert (archived["Status"], archived["Syncd_Archived__c"], archived["Syncd_Previous_Owner__c"]) == ("Archived", True, owner)
    assert archived["OwnerId"].startswith("00G")
    later(world, 8)
    world.drop([row(1, company="Nobody Inc", title="Head")])
    world.run()
    back = world.lead("person1@example.com")
    assert (back["Status"], back["Syncd_Archived__c"], back["OwnerId"]) == ("Open - Not Contacted", False, owner)
    made = [one for one in tasks(world) if one["Subject"] == "Call back"]
    assert [(one["OwnerId"], one["WhoId"], one["Priority"]) for one in made] == [(owner, back["Id"], "High")]
    for _ in range(3):
        later(world, 0.1)
    assert len([one for one in tasks(world) if one["Subject"] == "Call back"]) == 1


def test_an_open_task_keeps_a_lead_from_the_archive(world: World) -> None:
    world.drop([row(1, company="Nobody Inc")])
    world.run()
    lead = world.lead("person1@example.com")
    world.org.create("Task", {"Subject": "Ring", "WhoId": lead["Id"], "OwnerId": lead["OwnerId"]})
    for _ in range(4):
        later(world, 2)
    assert status_of(world) == "Open - Not Contacted"


def test_a_broken_promise_makes_one_task_for_the_owner(world: World) -> None:
    world.drop([row(2)])
    world.run()
    assert tasks(world) == []
    for _ in range(3):
        later(world, 1.1)
    (task,) = tasks(world)
    assert (task["Subject"], task["OwnerId"]) == ("Overdue: first call", world.lead("person2@example.com")["OwnerId"])


def test_a_changed_policy_that_moves_too_many_is_stopped_until_somebody_agrees(world: World) -> None:
    """Thirty leads would go to nurture at once: held, said, and done with --force; the next pass is quiet again."""
    world.drop([row(number) for number in range(30)])
    world.run()
    world.write(
        "mappings/policy.yaml",
        PROGRAM.replace(
            "rules:\n", 'rules:\n  - {id: all_of_them, from: "Open - Not Contacted", to: Nurture, reason: So be it.}\n'
        ),
    )
    stopped = world.run()
    assert stopped.status is RunStatus.STOPPED
    assert len(world.leads(Status="Nurture")) == 0
    assert world.run().status is RunStatus.STOPPED
    assert world.run(force=True).status is RunStatus.OK
    assert len(world.leads(Status="Nurture")) == 30
    assert (wrote(world.run()), world.run().status) == (0, RunStatus.OK)


def test_a_rule_that_only_watches_writes_nothing_and_is_counted(make_world: Callable[..., World]) -> None:
    watching = PROGRAM.replace('call at once."}', 'call at once.", enforcement: observe}')
    assert watching != PROGRAM
    world = ready(make_world(mapping=MAPPING, policy=watching))
    world.drop([row(1, title="Boss")])
    summary = world.run()
    assert (status_of(world), summary.notes["would:leads_with_a_boss"] > 0) == ("Open - Not Contacted", True)


def observed(world: World, number: int = 1) -> list[tuple[str, str, str, str]]:
    """The log of one person, oldest first: what was observed and what fired."""
    house = world.open()
    try:
        card = show_lead(house.store, f"person{number}@example.com")
        told = house.explain_policy(f"person{number}@example.com").decided
    finally:
        house.close()
    assert told == card.decided
    return [(one.rule_id, one.outcome, one.from_status, one.to_status) for one in reversed(card.decided)]


@pytest.fixture
def watching(make_world: Callable[..., World]) -> World:
    """The rule about bosses, and the task that is overdue, only watch."""
    text = PROGRAM.replace('call at once."}', 'call at once.", enforcement: observe}')
    text = text.replace("    within_days: 1\n", "    within_days: 1\n    enforcement: observe\n")
    assert text.count("enforcement: observe") == 2
    return ready(make_world(mapping=MAPPING, policy=text))


BOSS = ("leads_with_a_boss", "observed", "Open - Not Contacted", "Working - Contacted")
OVERDUE = ("first_call", "observed", "Open - Not Contacted", "")


def test_what_a_watched_rule_would_have_done_is_logged_when_it_begins_to_hold(watching: World) -> None:
    """Not with every pass, whatever else happens to the person meanwhile; once more when it begins to hold once more."""
    watching.drop([row(1, title="Boss")])
    watching.run()
    assert observed(watching) == [BOSS]
    for number in range(4):
        watching.drop([row(1, title="Boss", phone=f"+1 415 555 01{number:02}")])
        later(watching, 0.01)
        later(watching, 0.01)
    assert observed(watching) == [BOSS]
    later(watching, 2)
    later(watching, 2)
    assert observed(watching) == [BOSS, OVERDUE]
    assert tasks(watching) == []
    watching.drop([row(1, title="Clerk")])
    later(watching, 0.01)
    later(watching, 0.01)
    watching.drop([row(1, title="Boss", phone="+1 415 555 0190")])
    later(watching, 0.01)
    later(watching, 0.01)
    assert observed(watching) == [BOSS, OVERDUE, BOSS]


def test_what_was_watched_is_done_when_it_is_enforced(watching: World) -> None:
    """It never counted as done; and a pass about it costs nothing: nobody is looked at for the log's sake."""
    watching.drop([row(1, title="Boss")])
    later(watching, 2)
    later(watching, 2)
    assert {name for name, *_ in observed(watching)} == {"leads_with_a_boss", "first_call"}
    house = watching.open()
    assert house.store.dirty_persons(1) == []
    house.close()
    text = (watching.folder / "mappings/policy.yaml").read_text(encoding="utf-8")
    watching.write("mappings/policy.yaml", text.replace("    enforcement: observe\n", ""))
    watching.run(force=True)
    later(watching, 0.01)
    assert [one["Subject"] for one in tasks(watching)] == ["Overdue: first call"]
    assert [one[:2] for one in observed(watching) if one[0] == "first_call"] == [
        ("first_call", "observed"),
        ("first_call", "fired"),
    ]


def test_the_log_of_watched_rules_names_the_version_and_holds_no_value(watching: World) -> None:
    watching.drop([row(1, title="Boss")])
    watching.run()
    house = watching.open()
    try:
        (made,) = house.store.decisions(rule_id="leads_with_a_boss")
        version = f"acme {house.policy().digest[:8]}"
    finally:
        house.close()
    assert (made.policy, made.section, made.document) == (
        version,
        "rules",
        {"score": 20, "criteria": {"fit": True}, "actions": []},
    )


def test_a_move_is_undone_with_the_run_and_not_made_again(world: World) -> None:
    world.drop([row(1)])
    world.run()
    world.drop([row(1, title="Boss")])
    moved = world.run()
    assert status_of(world) == "Working - Contacted"
    house = world.open()
    try:
        assert house.undo(moved.run_id).carry_out()["done"] >= 1
    finally:
        house.close()
    assert status_of(world) == "Open - Not Contacted"
    for _ in range(3):
        later(world, 0.1)
    assert status_of(world) == "Open - Not Contacted"


def test_who_writes_to_us_again_is_revived_by_the_hot_lane_at_once(make_world: Callable[..., World]) -> None:
    """The company wants to be first to call: status and task are in the org when the hot lane has moved the delivery on."""
    site = make_world(Site, policy=PROGRAM.replace("on: [event]", "on: [web]"))
    assert isinstance(site, Site)
    ready(site).run()
    site.send("ada@example.com")
    site.heat()
    site.run()
    lead = site.lead("ada@example.com")
    assert lead["Status"] == "Open - Not Contacted"
    site.org.edit(lead["Id"], {"Status": "Nurture"})
    later(site, 1)
    site.send("ada@example.com", phone="+49 30 901820")
    site.heat()
    lead = site.lead("ada@example.com")
    assert (lead["Status"], lead["Syncd_Reason__c"], lead["Phone"]) == ("Open - Not Contacted", "They came back.", "+4930901820")
    assert [one["Subject"] for one in tasks(site) if one["WhoId"] == lead["Id"]].count("Call back") == 1


def test_a_queue_or_status_that_goes_overnight_is_said_and_nothing_else_stops(world: World) -> None:
    """Who was to be archived stays as they are, without half a move; others are moved as before."""
    world.drop([row(1, company="Nobody Inc")])
    world.run()
    world.org.admin.delete_status("Nurture")
    world.org.admin.rename_queue(next(one["Id"] for one in world.org.rows("Group") if one["Name"] == "Archive"), "Attic")
    world.drop([row(2, title="Boss")])
    later(world, 4)
    summary = later(world, 4)
    assert summary.status is RunStatus.PARTIAL
    assert {one.split(",")[0] for one in summary.missed} == {
        'The policy names the lead status "Nurture"',
        "The policy names an owner that cannot be given leads",
    }
    lead = world.lead("person1@example.com")
    assert (lead["Status"], lead["Syncd_Archived__c"], lead["Syncd_Previous_Owner__c"]) == ("Open - Not Contacted", False, None)
    assert status_of(world, 2) == "Working - Contacted"


def test_what_goes_overnight_is_logged_once_and_so_is_its_return(world: World, capsys: Any) -> None:
    """Over passes and processes; a second thing that goes is told by itself."""

    def told() -> list[tuple[str, str]]:
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "hindered" in line]
        return [(one["event"], one["problem"]) for one in lines]

    world.drop([row(1)])
    world.run()
    assert told() == []
    world.org.admin.delete_status("Nurture")
    for _ in range(3):
        assert later(world, 0.1).status is RunStatus.PARTIAL
    assert told() == [("policy_hindered", "status:Nurture")]
    world.org.admin.delete_status("Archived")
    later(world, 0.1)
    later(world, 0.1)
    assert told() == [("policy_hindered", "status:Archived")]
    world.org.admin.add_status("Nurture")
    world.org.admin.add_status("Archived")
    assert later(world, 0.1).status is RunStatus.OK
    later(world, 0.1)
    assert told() == [("policy_unhindered", "status:Archived"), ("policy_unhindered", "status:Nurture")]


def test_a_user_who_is_named_by_address_and_is_gone_is_not_named_in_the_log(
    make_world: Callable[..., World], capsys: Any
) -> None:
    world = ready(make_world(mapping=MAPPING, policy=PROGRAM.replace("queue:Archive", "user:nobody@example.com")))
    world.drop([row(1)])
    summary = world.run()
    assert any("nobody@example.com" in one for one in summary.missed), "who asks is told"
    told = capsys.readouterr().err
    assert "nobody@example.com" not in told
    assert '"problem":"owner:user"' in told


def test_a_status_that_goes_under_the_running_daemon_moves_nobody_there_once_it_is_noticed(world: World) -> None:
    """One process, as the daemon: the schema is an hour old at most."""
    world.drop([row(2)])
    world.run()
    world.org.edit(world.lead("person2@example.com")["Id"], {"Status": "Working - Contacted"})
    house = world.open()
    try:
        assert house.run([])[0].status is RunStatus.OK
        world.org.admin.delete_status("Nurture")
        world.clock.advance(31 * DAY)
        for _ in range(3):
            summary = house.run([])[0]
            assert [one for one in summary.missed if '"Nurture"' in one]
            world.clock.advance(60)
        assert status_of(world, 2) == "Working - Contacted"
        world.org.admin.add_status("Nurture")
        world.clock.advance(4_000)
        world.drop([row(2, phone="+1 415 555 0199")])
        assert house.run([])[0].status is RunStatus.OK
        assert status_of(world, 2) == "Nurture"
    finally:
        house.close()


def test_a_move_that_the_org_refuses_is_a_dead_letter_and_not_tried_again(world: World) -> None:
    world.drop([row(1)])
    world.run()
    world.org.rules.append(lambda org, lead: "No boss here" if lead.get("Status") == "Working - Contacted" else None)
    world.drop([row(1, title="Boss")])
    world.run()
    calls = []
    for _ in range(3):
        summary = later(world, 0.1)
        calls.append((wrote(summary), summary.operations["refused"]))
    assert (status_of(world), calls) == ("Open - Not Contacted", [(0, 0)] * 3)


def test_a_new_lead_of_the_hot_lane_is_moved_in_the_same_step(make_world: Callable[..., World]) -> None:
    """Nobody has to wait for a sweep: created, read back, and moved on by its score."""
    site = make_world(Site, policy=PROGRAM)
    assert isinstance(site, Site)
    ready(site).run()
    site.send("ada@example.com", title="Boss")
    site.heat()
    assert site.lead("ada@example.com")["Status"] == "Working - Contacted"


def test_unqualified_leads_do_not_hang_recycle_moves_them_on_after_its_days(make_world: Callable[..., World]) -> None:
    again = (
        PROGRAM + "recycle:\n  - {id: once_more, from: Nurture, after_days: 20, to: Open - Not Contacted, overrides_rep: true}\n"
    )
    world = ready(make_world(mapping=MAPPING, policy=again))
    world.drop([row(1)])
    world.run()
    world.org.edit(world.lead("person1@example.com")["Id"], {"Status": "Nurture"})
    later(world, 1)
    later(world, 15)
    assert status_of(world) == "Nurture"
    later(world, 6)
    assert status_of(world) == "Open - Not Contacted"


def test_the_plan_shows_what_a_changed_policy_would_move_and_writes_nothing(world: World) -> None:
    world.drop([row(1), row(2)])
    world.run()
    world.write(
        "mappings/policy.yaml",
        PROGRAM.replace(
            "rules:\n", 'rules:\n  - {id: all_of_them, from: "Open - Not Contacted", to: Nurture, reason: So be it.}\n'
        ),
    )
    writes = len(world.org.audit)
    planned = [one for one in world.plan() if one.kind is OperationKind.STATUS]
    assert [(one.fields["Status"], one.before["Status"]) for one in planned] == [("Nurture", "Open - Not Contacted")] * 2
    assert len(world.org.audit) == writes


# ---------------------------------------------------------------- published


def publish(world: World) -> None:
    house = world.open()
    try:
        house.publish_policy(house.policy().digest)
    finally:
        house.close()


def test_a_published_policy_says_what_comes_next_at_leads_that_stand_still(world: World) -> None:
    """Once for each version: a rep's own words afterwards stay, a lead on hold is left alone, and a new version says it anew."""
    world.drop([row(1), row(2)])
    world.run()
    held = world.lead("person2@example.com")["Id"]
    world.org.edit(held, {"Syncd_Hold_Until__c": "2027-01-01"})
    assert world.lead("person1@example.com")["Syncd_Policy__c"] is None
    publish(world)
    world.run()
    lead = world.lead("person1@example.com")
    assert (lead["Syncd_Next_Action__c"], lead["Syncd_Policy__c"][:5], lead["Status"]) == (
        "Call them.",
        "acme ",
        "Open - Not Contacted",
    )
    assert world.lead("person2@example.com")["Syncd_Policy__c"] is None
    world.org.edit(lead["Id"], {"Syncd_Next_Action__c": "I call on Monday"})
    for _ in range(3):
        assert wrote(world.run()) == 0
    publish(world)
    assert wrote(world.run()) == 0
    world.write("mappings/policy.yaml", PROGRAM.replace("Call them.", "Call them twice."))
    world.run(force=True)
    assert world.lead("person1@example.com")["Syncd_Next_Action__c"] == "I call on Monday"
    publish(world)
    world.run()
    assert world.lead("person1@example.com")["Syncd_Next_Action__c"] == "Call them twice."
    assert wrote(world.run()) == 0


def test_explain_knows_what_is_no_news_as_the_passes_do(make_world: Callable[..., World]) -> None:
    """Records older than `start_from`, as it is now, revive nobody, and nobody is told that they would."""
    world = ready(
        make_world(mapping=MAPPING, policy=PROGRAM.replace("from: [Nurture, Archived]\n    on:", "from: [Archived]\n    on:"))
    )
    world.drop([row(1)])
    world.run()
    world.org.edit(world.lead("person1@example.com")["Id"], {"Status": "Nurture"})
    world.run()
    world.clock.advance(DAY)
    world.drop([row(1, title="Head")])
    world.run()
    assert status_of(world) == "Nurture"
    world.write("mappings/policy.yaml", PROGRAM)
    settings = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    outcomes = []
    for text in (settings, settings.replace("settle_seconds: 0", "settle_seconds: 0, start_from: 2027-06-01")):
        world.write("syncd.yaml", text)
        house = world.open()
        outcomes += [one.outcome for one in house.explain_policy("person1@example.com").rules if one.rule_id == "came_back"]
        house.close()
    assert outcomes == ["fired", "blocked"]
    assert later(world, 0.1).operations["updated"] == 0
    assert status_of(world) == "Nurture"
