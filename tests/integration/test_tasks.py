"""A task for the owner of a hot lead: exactly one, for the right person, whatever is refused or lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from syncd.model import Candidate, Lane, RunStatus
from syncd.ports import Review
from syncd.sandbox import Kind
from tests.hot import TASK, bring, tasks, with_owner
from tests.integration.test_delivery import wrote
from tests.integration.test_races import Meanwhile
from tests.world import BOOTH, MAPPING, World, row

UPSERT = "composite/sobjects/Task/Syncd_Id__c"


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world whose mapping asks for tasks and whose rule gives every lead to a rep."""
    return with_owner(make_world(mapping=MAPPING + TASK))


def test_a_hot_record_makes_one_task_for_the_owner_in_the_same_pass(world: World) -> None:
    """Everything the mapping says, for whom the assignment rule chose; five passes later still one."""
    bring(world, [row(1, title="Please call"), row(2)])
    summary = world.run()
    assert (summary.status, summary.operations["created"], summary.operations["tasks"]) == (RunStatus.OK, 2, 2)
    lead = world.lead("person1@example.com")
    (task,) = [one for one in tasks(world) if one["WhoId"] == lead["Id"]]
    assert {name: task[name] for name in ("Subject", "Status", "Priority", "Description", "OwnerId")} == {
        "Subject": "New web lead: call back",
        "Status": "Not Started",
        "Priority": "High",
        "Description": "Please call",
        "OwnerId": world.org.users["rep1"],
    }
    assert task["ActivityDate"] == (world.clock.now() + timedelta(days=1)).date()
    assert len(task["Syncd_Id__c"]) == 32
    made = next(one for one in world.org.audit if one.object == "Task")
    assert made.headers["Sforce-Auto-Assign"] == "FALSE"
    for number in range(5):
        # A person looks after the lead, so that it is planned anew each time.
        world.org.edit(lead["Id"], {"Company": f"Company {number}"})
        quiet = world.run()
        assert (wrote(quiet), "tasks" in quiet.operations, quiet.api_calls) == (0, False, 2)
    assert len(tasks(world)) == 2


@pytest.mark.parametrize("lane", [Lane.INCREMENT, Lane.BACKFILL, Lane.REMAP])
def test_a_record_that_did_not_come_hot_makes_none(world: World, lane: Lane) -> None:
    bring(world, [row(1)], lane)
    world.run()
    assert tasks(world) == []


def test_two_hundred_tasks_go_in_one_call_of_their_own(world: World) -> None:
    """Beside the lead's calls: schema, look, create, echo, tasks."""
    bring(world, [row(n) for n in range(200)])
    summary = world.run()
    assert (summary.operations["created"], summary.operations["tasks"], summary.api_calls) == (200, 200, 5)


def test_a_mapping_without_tasks_costs_no_call_more(make_world: Callable[..., World]) -> None:
    world = with_owner(make_world())
    bring(world, [row(n) for n in range(200)])
    assert world.run().api_calls == 4
    assert tasks(world) == []


def test_conditions_skipped_records_and_start_from_make_none(make_world: Callable[..., World]) -> None:
    booth = BOOTH.replace("settle_seconds: 0", "settle_seconds: 0, start_from: 2026-11-24")
    world = with_owner(make_world(mapping=MAPPING + TASK, sources=booth))
    bring(world, [row(1, company="Nobody Inc"), row(2, skip="yes", optout="yes"), row(3)])
    bring(world, [row(4)], age=timedelta(days=1))
    world.run()
    assert [one["WhoId"] for one in tasks(world)] == [world.lead("person3@example.com")["Id"]]


def test_a_new_version_of_the_record_makes_no_second_task(world: World) -> None:
    bring(world, [row(1, title="first")])
    world.run()
    world.org.edit(tasks(world)[0]["Id"], {"Status": "Completed"})
    bring(world, [row(1, title="second")])
    world.run()
    assert [(one["Description"], one["Status"]) for one in tasks(world)] == [("first", "Completed")]
    assert world.lead("person1@example.com")["Title"] == "second"


def test_a_known_lead_gets_its_task_beside_its_update(world: World) -> None:
    """Whose lead it is already gets the task; no rule runs."""
    bring(world, [row(1)], Lane.INCREMENT)
    world.run()
    world.org.edit(world.lead("person1@example.com")["Id"], {"OwnerId": world.org.users["rep2"]}, user="rep2")
    bring(world, [row(1, title="Call me")])
    summary = world.run()
    assert (summary.operations["updated"], summary.operations["tasks"]) == (1, 1)
    assert tasks(world)[0]["OwnerId"] == world.org.users["rep2"]


def test_a_task_waits_until_a_person_takes_the_lead_from_the_queue(make_world: Callable[..., World]) -> None:
    """A queue does no tasks, and syncd's own user none either."""
    world = make_world(mapping=MAPPING + TASK)
    bring(world, [row(1)])
    summary = world.run()
    assert (tasks(world), summary.notes["task_waits_for_owner"], summary.status) == ([], 1, RunStatus.OK)
    assert "task_waits_for_owner" not in world.run().notes
    world.org.edit(world.lead("person1@example.com")["Id"], {"OwnerId": world.org.users["rep3"]}, user="rep3")
    assert world.run().operations["tasks"] == 1
    assert tasks(world)[0]["OwnerId"] == world.org.users["rep3"]
    for _ in range(3):
        world.run()
    assert len(tasks(world)) == 1


def test_a_lead_that_nobody_was_assigned_to_waits_too(world: World) -> None:
    world.org.assignment_rule = lambda org, lead: None
    bring(world, [row(1)])
    assert world.run().notes["task_waits_for_owner"] == 1
    assert tasks(world) == []


def test_a_contact_gets_the_task_where_there_is_no_open_lead(world: World) -> None:
    contact = world.org.create(
        "Contact", {"FirstName": "Firstb", "LastName": "Lastb", "Email": "person1@example.com"}, user="rep2"
    )
    lead = world.org.create("Lead", {"FirstName": "Firstc", "LastName": "Lastc", "Company": "C", "Email": "person2@example.com"})
    bring(world, [row(3)], Lane.INCREMENT)
    world.run()
    converted = [world.org.convert(lead), world.org.convert(world.lead("person3@example.com")["Id"], user="rep3")]
    bring(world, [row(1), row(2), row(3, title="again")])
    world.run()
    assert sorted(one["WhoId"] for one in tasks(world)) == sorted([contact, *converted])
    owners = {one["WhoId"]: one["OwnerId"] for one in tasks(world)}
    assert owners[converted[1]] == world.org.users["rep3"]


def test_a_person_in_review_gets_the_task_when_the_question_is_answered(world: World) -> None:
    for company in ("A", "B"):
        world.org.create("Lead", {"FirstName": "Firstb", "LastName": "Lastb", "Company": company, "Email": "person1@example.com"})
    bring(world, [row(1)])
    world.run()
    assert tasks(world) == []
    house = world.open()
    question = house.store.reviews()[0]
    chosen = question.candidates[0]
    house.store.accept_review(question.review_id, chosen, world.clock.now())
    house.close()
    world.run()
    assert [one["WhoId"] for one in tasks(world)] == [chosen.subject_id]


def test_two_people_found_to_be_one_keep_their_tasks_as_they_are(world: World) -> None:
    """A task is its record's: who takes the record over makes it no second time, and reopens nothing."""
    bring(world, [row(1), row(2)])
    world.run()
    for one in tasks(world):
        world.org.edit(one["Id"], {"Status": "Completed"})
    first, second = (str(lead["Syncd_Id__c"]) for lead in world.leads())
    house = world.open()
    asked = Review("merge", first, (Candidate("person", second, second),), "They are the same.")
    house.store.link_person(first, (), asked, world.clock.now())
    question = house.store.reviews()[0]
    house.store.accept_review(question.review_id, question.candidates[0], world.clock.now())
    house.close()
    world.run()
    assert [one["Status"] for one in tasks(world)] == ["Completed", "Completed"]


def test_a_lost_answer_makes_no_second_task(world: World) -> None:
    """The task is looked up by its own id before anything is repeated, and a repetition finds it."""
    world.org.faults.add(Kind.CUT_AFTER, UPSERT, times=1)
    bring(world, [row(1)])
    world.run()
    assert [one.action for one in world.org.audit if one.object == "Task"] == ["create"]
    world.org.edit(tasks(world)[0]["Id"], {"Status": "Completed"})
    for _ in range(3):
        world.run()
    assert [one["Status"] for one in tasks(world)] == ["Completed"]


def test_a_task_that_never_reached_the_org_is_made_later(world: World) -> None:
    world.org.faults.add(Kind.CUT_BEFORE, UPSERT, times=1)
    bring(world, [row(1)])
    for _ in range(3):
        world.run()
    assert len(tasks(world)) == 1


@pytest.mark.parametrize("act", ["delete", "convert"])
def test_a_lead_that_goes_away_before_its_task_is_looked_at_again(world: World, act: str) -> None:
    """Between the echo of the lead and the task a person deletes or converts the lead: no dead letter, the next pass knows."""

    def happen() -> None:
        getattr(world.org, act)(world.lead("person1@example.com")["Id"])

    race = Meanwhile("org", "retrieve", happen)
    bring(world, [row(1)])
    summary = world.run(wrap=race.wrap)
    assert race.happened
    assert (tasks(world), summary.operations["refused"]) == ([], 0)
    for _ in range(2):
        world.run()
    contacts = [one["Id"] for one in world.org.rows("Contact")]
    assert [one["WhoId"] for one in tasks(world)] == contacts
    house = world.open()
    assert house.store.dead_letters() == []
    house.close()


def test_a_task_under_way_holds_up_neither_consent_nor_fields(world: World) -> None:
    """Nobody knows what became of the task; the person's withdrawal goes out all the same."""
    world.org.faults.add(Kind.CUT_BEFORE, UPSERT, times=1)
    world.org.faults.add(Kind.UNAVAILABLE, "query", times=-1)
    bring(world, [row(1)])
    world.run()
    world.org.faults.clear()
    bring(world, [row(1, title="Newer", optout="yes")])
    world.run()
    lead = world.lead("person1@example.com")
    assert (lead["Title"], lead["HasOptedOutOfEmail"]) == ("Newer", True)
    assert len(tasks(world)) == 1


def refuse(world: World) -> None:
    """A validation rule lets no task through."""
    world.org.rules_of["Task"] = [lambda org, task: "tasks need a phone call type"]


def test_a_refused_task_is_a_dead_letter_and_the_lead_is_written(world: World) -> None:
    refuse(world)
    bring(world, [row(1)])
    summary = world.run()
    assert (summary.operations["created"], summary.operations["refused"], summary.status) == (1, 1, RunStatus.PARTIAL)
    bring(world, [row(1, title="Newer", optout="yes")])
    summary = world.run()
    lead = world.lead("person1@example.com")
    assert (lead["Title"], lead["HasOptedOutOfEmail"], summary.operations["refused"]) == ("Newer", True, 0)
    house = world.open()
    (letter,) = house.store.dead_letters()
    assert (letter.reason, letter.source, letter.key) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "booth", "person1@example.com")
    assert house.store.replay_dead_letters([letter.dead_letter_id], world.clock.now()) == 1
    house.close()
    world.org.rules_of.clear()
    assert world.run().operations["tasks"] == 1
    assert len(tasks(world)) == 1


def test_refused_tasks_never_stop_the_leads(world: World) -> None:
    """Thirty refusals look like configuration; leads, consent and fields go on, and the tasks are made when the rule is gone."""
    refuse(world)
    bring(world, [row(n) for n in range(30)])
    summary = world.run()
    assert summary.operations["created"] == 30
    bring(world, [row(n, title="Newer", optout="yes" if n < 10 else "") for n in range(30)])
    assert world.run().operations["updated"] == 40
    assert len(world.leads(HasOptedOutOfEmail=True, Title="Newer")) == 10
    world.org.rules_of.clear()
    world.run()
    assert len(tasks(world)) == 30


def test_a_task_that_fails_for_a_passing_reason_is_tried_once_a_pass(world: World) -> None:
    world.org.faults.add(Kind.ROW_LOCK, UPSERT, times=-1)
    bring(world, [row(1)])
    summary = world.run()
    assert (summary.operations["failed"], summary.operations["created"]) == (1, 1)
    assert world.run().operations["failed"] == 1
    bring(world, [row(1, title="Newer", optout="yes")])
    summary = world.run()
    lead = world.lead("person1@example.com")
    assert (lead["Title"], lead["HasOptedOutOfEmail"], summary.operations["failed"]) == ("Newer", True, 1)
    world.org.faults.clear()
    assert world.run().operations["tasks"] == 1
    assert len(tasks(world)) == 1


@pytest.mark.parametrize("missing", ["object", "field"])
def test_an_org_without_tasks_makes_none_and_says_so(world: World, missing: str) -> None:
    if missing == "object":
        del world.org.objects["Task"]
    else:
        del world.org.objects["Task"].fields["Syncd_Id__c"]
    bring(world, [row(1), row(2)])
    summary = world.run()
    assert (summary.status, summary.operations["created"], summary.notes["no_task_external_id"]) == (RunStatus.OK, 2, 2)
    assert summary.api_calls == 4
    quiet = world.run()
    assert ("no_task_external_id" in quiet.notes, quiet.api_calls) == (False, 2)
    house = world.open()
    findings = [one for one in house.check(live=True) if one["severity"] == "error"]
    house.close()
    assert len(findings) == 1
    assert "Task" in findings[0]["subject"]
    assert "mappings/csv.yaml line" in findings[0]["message"]


def test_a_live_check_of_an_org_that_takes_tasks_finds_nothing(world: World) -> None:
    house = world.open()
    findings = house.check(live=True)
    house.close()
    assert [one for one in findings if one["severity"] == "error"] == []
    assert any(one["subject"] == "Task.Syncd_Id__c" for one in findings)


def test_a_plan_shows_the_task_and_writes_nothing(world: World) -> None:
    bring(world, [row(1)])
    planned = {one.object: one for one in world.plan()}
    assert set(planned) == {"Lead", "Task"}
    assert planned["Task"].fields["Subject"] == "New web lead: call back"
    assert not {"WhoId", "OwnerId"} & set(planned["Task"].fields), "ids of a rehearsal are nobody's business"
    assert (world.org.rows("Task"), world.leads()) == ([], [])


def test_an_undo_deletes_the_task_and_no_pass_makes_it_again(world: World) -> None:
    bring(world, [row(1)])
    run_id = world.run().run_id
    house = world.open()
    undoing = house.undo(run_id)
    assert undoing.carry_out() == {"done": 2}
    house.close()
    assert (tasks(world), world.leads()) == ([], [])
    for _ in range(2):
        world.run()
    assert (tasks(world), world.leads()) == ([], [])


def test_an_undo_keeps_a_task_that_somebody_has_worked_on_and_its_lead(world: World) -> None:
    bring(world, [row(1), row(2)])
    run_id = world.run().run_id
    lead = world.lead("person1@example.com")
    (mine,) = [one for one in tasks(world) if one["WhoId"] == lead["Id"]]
    world.org.edit(mine["Id"], {"Status": "Completed"})
    house = world.open()
    undoing = house.undo(run_id)
    kept = {one.sf_id: one.reason for one in undoing.plan.kept}
    undoing.carry_out()
    house.close()
    assert kept == {mine["Id"]: "changed_since", lead["Id"]: "its_task_changed_since"}
    assert [one["Id"] for one in tasks(world)] == [mine["Id"]]
    assert [one["Id"] for one in world.leads()] == [lead["Id"]]
