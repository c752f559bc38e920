"""The whole pipeline on both stores: what arrives, what is left alone, what is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from syncd.model import RunStatus
from tests.world import World, row

WRITES = ("created", "updated", "converted", "archived", "refused", "failed")


def wrote(summary: object) -> int:
    """How many writes a summary counts."""
    return sum(summary.operations[name] for name in WRITES)  # type: ignore[attr-defined]


def test_new_leads_arrive_once_with_status_and_external_id(world: World) -> None:
    """A dropped file becomes leads; the same content again changes nothing."""
    world.drop([row(1), row(2), row(1)])
    first = world.run()
    assert first.status is RunStatus.OK
    assert first.sources["booth"].pulled == 3
    assert (first.sources["booth"].applied, first.sources["booth"].unchanged) == (2, 1)
    assert first.operations["created"] == 2
    lead = world.lead("person1@example.com")
    assert lead["Status"] == "Open - Not Contacted"
    assert len(lead["Syncd_Id__c"]) == 32
    world.drop([row(1), row(2), row(1)], name="again.csv")
    assert wrote(world.run()) == 0


def test_one_thousand_new_leads_cost_at_most_eight_calls(world: World) -> None:
    """Everything included: schema, one look at the org, five creates, the echo."""
    world.drop([row(n) for n in range(1000)])
    summary = world.run()
    assert summary.operations["created"] == 1000
    assert summary.api_calls <= 8


def test_a_pass_without_news_costs_two_calls_and_writes_nothing(world: World) -> None:
    """The schema and one look at the org."""
    world.drop([row(1)])
    world.run()
    quiet = world.run()
    assert (quiet.status, quiet.api_calls, wrote(quiet)) == (RunStatus.OK, 2, 0)


def test_a_reps_edit_survives_and_the_other_fields_arrive(world: World) -> None:
    """The field that a person changed stays; its neighbours follow the source."""
    world.drop([row(1, title="Engineer")])
    world.run()
    world.org.edit(world.lead("person1@example.com")["Id"], {"Title": "Director"})
    world.drop([row(1, title="Manager", phone="+1 415 555 0101")])
    summary = world.run()
    lead = world.lead("person1@example.com")
    assert (lead["Title"], lead["Phone"]) == ("Director", "+14155550101")
    assert summary.notes["kept_persons_edit"] == 1


def test_a_cleared_field_is_an_edit(world: World) -> None:
    """Blank is a value: a person who empties a field does not want it back."""
    world.drop([row(1, title="Engineer")])
    world.run()
    world.org.edit(world.lead("person1@example.com")["Id"], {"Title": None})
    world.drop([row(1, title="Manager")])
    world.run()
    assert world.lead("person1@example.com")["Title"] is None


def test_what_the_org_makes_of_a_value_is_not_taken_for_an_edit(world: World) -> None:
    """A trigger rewrites our value; the next value of the source still goes through."""
    world.org.triggers.append(lambda org, lead: {"City": str(lead["City"]).upper()} if lead.get("City") else {})
    world.drop([row(1, city="Berlin")])
    world.run()
    assert world.lead("person1@example.com")["City"] == "BERLIN"
    assert wrote(world.run()) == 0
    world.org.edit(world.lead("person1@example.com")["Id"], {"Company": "Something else changed"})
    assert wrote(world.run()) == 0, "the value is ours in the form that the org keeps"
    world.drop([row(1, city="Bonn")])
    world.run()
    assert world.lead("person1@example.com")["City"] == "BONN"


def test_somebody_in_the_org_already_is_found_not_created(world: World) -> None:
    """A lead that a rep typed in is linked by its mailbox; blank fields are filled, filled ones kept."""
    known = world.org.create(
        "Lead", {"LastName": "Lastb", "FirstName": "Firstb", "Company": "Old Co", "Email": "Person1@Example.com"}
    )
    world.drop([row(1, title="Engineer")])
    summary = world.run()
    assert summary.operations["created"] == 0
    lead = world.org.row(known)
    assert lead is not None
    assert (lead["Company"], lead["Title"]) == ("Old Co", "Engineer")
    assert lead["Syncd_Id__c"]


def test_a_contact_gets_consent_and_nothing_else(world: World) -> None:
    """Nothing but consent is written to a Contact; no Lead is made beside it."""
    contact = world.org.create("Contact", {"FirstName": "Firstb", "LastName": "Lastb", "Email": "person1@example.com"})
    world.drop([row(1, title="Engineer", optout="yes")])
    summary = world.run()
    held = world.org.row(contact)
    assert held is not None
    assert (held["HasOptedOutOfEmail"], held["Title"]) == (True, None)
    assert world.leads() == []
    assert summary.notes["person_is_contact"] >= 1


def test_a_converted_lead_is_followed_to_its_contact(world: World) -> None:
    """The lead is locked; the opt-out goes to the contact it became."""
    lead = world.org.create("Lead", {"FirstName": "Firstb", "LastName": "Lastb", "Company": "C", "Email": "person1@example.com"})
    contact = world.org.convert(lead)
    world.drop([row(1, optout="yes")])
    world.run()
    held = world.org.row(contact)
    assert held is not None
    assert held["HasOptedOutOfEmail"] is True
    assert len(world.leads()) == 1


def test_several_matches_are_asked_about_and_an_opt_out_reaches_them_all(world: World) -> None:
    """Two leads with one mailbox: neither is picked silently, both are opted out."""
    for company in ("A", "B"):
        world.org.create("Lead", {"FirstName": "Firstb", "LastName": "Lastb", "Company": company, "Email": "person1@example.com"})
    world.drop([row(1, title="Engineer", optout="yes")])
    summary = world.run()
    assert summary.sources["booth"].review == 1
    assert [lead["HasOptedOutOfEmail"] for lead in world.leads()] == [True, True]
    assert [lead["Title"] for lead in world.leads()] == [None, None]
    house = world.open()
    question = house.store.reviews()[0]
    assert (question.kind, len(question.candidates)) == ("several_matches", 2)
    chosen = question.candidates[1]
    house.store.accept_review(question.review_id, chosen, world.clock.now())
    house.close()
    world.run()
    titles = {lead["Id"]: lead["Title"] for lead in world.leads()}
    assert titles[chosen.subject_id] == "Engineer"
    assert sorted(str(title) for title in titles.values()) == ["Engineer", "None"]


def test_two_names_on_one_mailbox_are_asked_about(world: World) -> None:
    """A couple sharing a mailbox is two people; who is who is not guessed."""
    world.drop([row(1), row(1, first="Somebody", last="Else")])
    summary = world.run()
    assert (summary.operations["created"], summary.sources["booth"].review) == (1, 1)


def test_colleagues_at_one_switchboard_stay_two_people(world: World) -> None:
    """A phone counts only together with an agreeing name."""
    phone = "+1 415 555 0199"
    world.drop([row(1, phone=phone), row(2, phone=phone), row(3, phone=phone, email="")])
    assert world.run().operations["created"] == 3


def test_an_opt_out_goes_alone_even_when_the_rest_is_refused(world: World) -> None:
    """A validation rule on the other fields does not hold up the withdrawal."""
    world.drop([row(1)])
    world.run()
    world.org.rules.append(lambda org, lead: "no such city" if lead.get("City") == "Atlantis" else None)
    world.drop([row(1, city="Atlantis", optout="yes")])
    summary = world.run()
    lead = world.lead("person1@example.com")
    assert (lead["HasOptedOutOfEmail"], lead["City"]) == (True, None)
    assert summary.operations["refused"] == 1
    assert summary.status is RunStatus.PARTIAL
    assert wrote(world.run()) == 0, "a refused write is not repeated by itself"
    world.org.edit(lead["Id"], {"Company": "Somebody looked at it"})
    assert wrote(world.run()) == 0, "nor when something else about the lead changes"


def test_a_skipped_record_still_withdraws_consent(world: World) -> None:
    """`skip_when` never swallows an opt-out."""
    world.drop([row(1)])
    world.run()
    world.drop([row(1, title="Ignored", skip="yes", optout="yes")])
    world.run()
    lead = world.lead("person1@example.com")
    assert (lead["HasOptedOutOfEmail"], lead["Title"]) == (True, None)


def test_somebody_known_only_through_an_opt_out_is_never_created(world: World) -> None:
    """Stored, so that the withdrawal holds when the person comes again; but no lead is made of it."""
    world.drop([row(1, skip="yes", optout="yes")])
    assert world.run().operations["created"] == 0
    world.drop([row(1)])
    world.run()
    assert world.lead("person1@example.com")["HasOptedOutOfEmail"] is True


def test_a_lead_that_a_person_deleted_stays_deleted(world: World) -> None:
    """Neither the same records nor newer ones bring it back, unless the policy says so."""
    world.drop([row(1)])
    world.run()
    world.org.delete(world.lead("person1@example.com")["Id"])
    world.run()
    world.drop([row(1, title="Newer")])
    summary = world.run()
    assert world.leads(Email="person1@example.com") == []
    assert summary.notes["deleted_by_person"] == 1


def test_on_deleted_create_brings_back_newer_intent(make_world: Callable[..., World]) -> None:
    """The company asked for it in its policy."""
    world = make_world(policy="version: 1\non_deleted: create\n")
    world.drop([row(1)])
    world.run()
    world.org.delete(world.lead("person1@example.com")["Id"])
    world.run()
    assert world.leads(Email="person1@example.com") == []
    world.drop([row(1, title="Newer")])
    world.run()
    assert world.lead("person1@example.com")["Title"] == "Newer"


def test_a_merge_in_the_org_is_followed(world: World) -> None:
    """The loser's person goes on with the survivor, and no third lead is made."""
    world.drop([row(1)])
    world.run()
    other = world.org.create("Lead", {"FirstName": "Firstb", "LastName": "Lastb", "Company": "C"})
    world.org.merge(other, [world.lead("person1@example.com")["Id"]])
    world.run()
    world.drop([row(1, title="After the merge")])
    summary = world.run()
    assert summary.operations["created"] == 0
    assert world.leads(Id=other)[0]["Title"] == "After the merge"


def test_a_store_lost_and_rebuilt_finds_its_leads_again(make_world: Callable[..., World], tmp_path: object) -> None:
    """The external id names the person, so an empty store makes no second lead."""
    del tmp_path
    world = make_world(extra_settings="person_key: a fixed key for this test\n")
    world.drop([row(1), row(2)])
    world.run()
    fresh = make_world(extra_settings="person_key: a fixed key for this test\n", clock=world.clock)
    fresh.org = world.org
    fresh.drop([row(1), row(2)])
    summary = fresh.run()
    assert summary.operations["created"] == 0
    assert len(world.leads()) == 2


def test_bad_rows_are_dead_letters_and_the_rest_goes_through(world: World) -> None:
    """Each with its reason and place; a run with dead letters is partial."""
    path = world.drop([row(1)])
    path.write_text(path.read_text() + "only,three,cells\n" + '"","","","Nameless Inc","","","","","",""\n', encoding="utf-8")
    world.touch(path)
    summary = world.run()
    counts = summary.sources["booth"]
    assert (counts.pulled, counts.applied, counts.dead) == (3, 1, 2)
    assert summary.status is RunStatus.PARTIAL
    house = world.open()
    letters = house.store.dead_letters()
    house.close()
    assert {letter.reason for letter in letters} == {"ragged_row", "no_identity"}
    assert all("row" in letter.locator for letter in letters)


def test_a_back_fill_cannot_roll_back_a_newer_value(world: World) -> None:
    """Survivorship goes by source time, never by arrival."""
    world.drop([row(1, title="Newest")])
    world.run()
    old = world.drop([row(1, title="Oldest")])
    import os

    os.utime(old, (world.clock.now().timestamp() - 90_000,) * 2)
    world.run()
    assert world.lead("person1@example.com")["Title"] == "Newest"


def test_the_wrong_org_stops_before_anything_is_written(world: World) -> None:
    """A store belongs to the org of its first run."""
    world.drop([row(1)])
    world.run()
    world.org.org_id = "00D5g0000000009EAA"
    world.drop([row(2)])
    summary = world.run()
    assert summary.status is RunStatus.STOPPED
    assert world.leads(Email="person2@example.com") == []


def test_the_guard_holds_a_mass_opt_out_until_forced(world: World) -> None:
    """More than the allowed share of opt-outs in one pass looks like a mistake at the source."""
    world.drop([row(n) for n in range(60)])
    world.run()
    world.drop([row(n, optout="yes") for n in range(30)])
    stopped = world.run()
    assert stopped.status is RunStatus.STOPPED
    assert sum(lead["HasOptedOutOfEmail"] for lead in world.leads()) == 0
    world.run(force=True)
    assert sum(lead["HasOptedOutOfEmail"] for lead in world.leads()) == 30


def test_the_guard_caps_creates(make_world: Callable[..., World]) -> None:
    """A file that is far larger than ever is not simply poured into the org."""
    world = make_world(extra_settings="guard: {max_creates_per_pass: 10}\n")
    world.drop([row(n) for n in range(25)])
    assert world.run().status is RunStatus.STOPPED
    assert len(world.leads()) <= 10
    assert world.run(force=True).status is RunStatus.OK
    assert len(world.leads()) == 25


def test_assignment_runs_once_for_a_new_lead_and_never_on_update(world: World) -> None:
    """Auto-assign is on for the create and off for everything else."""
    world.drop([row(1)])
    world.run()
    lead = world.lead("person1@example.com")
    assert lead["OwnerId"] == world.org.queue_id
    world.org.edit(lead["Id"], {"OwnerId": world.org.users["rep2"]})
    world.drop([row(1, title="Newer")])
    world.run()
    assert world.lead("person1@example.com")["OwnerId"] == world.org.users["rep2"]
    assert set(world.org.assignment_runs.values()) == {1}


def test_without_an_external_id_field_syncd_updates_but_never_creates(make_world: Callable[..., World]) -> None:
    """Creates are refused with the reason."""
    world = make_world()
    text = (world.folder / "syncd.yaml").read_text()
    world.write("syncd.yaml", text.replace("salesforce:\n", "salesforce:\n  external_id_field: null\n"))
    known = world.org.create("Lead", {"FirstName": "Firstb", "LastName": "Lastb", "Company": "C", "Email": "person1@example.com"})
    world.drop([row(1, title="Engineer"), row(2)])
    summary = world.run()
    held = world.org.row(known)
    assert held is not None
    assert held["Title"] == "Engineer"
    assert summary.operations["created"] == 0
    assert summary.notes["no_external_id_field"] == 1


def test_an_edit_in_an_address_keeps_the_whole_address(world: World) -> None:
    """Somebody corrected the city: the street is not changed under it."""
    world.drop([row(1, street="Old Street 1", city="Berlin")])
    world.run()
    world.org.edit(world.lead("person1@example.com")["Id"], {"City": "Potsdam"})
    world.drop([row(1, street="New Street 2", city="Berlin", title="Engineer")])
    world.run()
    lead = world.lead("person1@example.com")
    assert (lead["Street"], lead["City"], lead["Title"]) == ("Old Street 1", "Potsdam", "Engineer")


def test_two_scans_of_one_person_in_one_file_are_one_lead(world: World) -> None:
    """The second row of a batch finds the person that the first one made."""
    world.drop([row(1), row(1, title="Engineer"), row(1, email="PERSON1@Example.com", city="Bonn")])
    summary = world.run()
    assert summary.operations["created"] == 1
    lead = world.lead("person1@example.com")
    assert (lead["Title"], lead["City"]) == ("Engineer", "Bonn")


def test_a_plan_shows_what_the_pass_then_does_and_writes_nothing(world: World) -> None:
    """The plan is the pass on a copy: same operations, no trace."""
    world.drop([row(1), row(2, optout="yes")])
    planned = world.plan()
    assert [str(one.kind) for one in planned] == ["create", "create"]
    assert world.leads() == []
    summary = world.run()
    assert summary.operations["created"] == len(planned)
    assert world.plan() == []


def test_an_undo_puts_back_what_nobody_has_changed_since(world: World) -> None:
    """Restored fields stay restored until the source says something else; edits made since are kept."""
    world.drop([row(1, title="Engineer", city="Berlin")])
    world.run()
    world.drop([row(1, title="Manager", city="Bonn")])
    second = world.run()
    lead = world.lead("person1@example.com")
    world.org.edit(lead["Id"], {"City": "Paris"})
    house = world.open()
    undoing = house.undo(second.run_id)
    assert [kept.reason for kept in undoing.plan.kept] == ["changed_since"]
    assert undoing.carry_out() == {"done": 1}
    house.close()
    lead = world.lead("person1@example.com")
    assert (lead["Title"], lead["City"]) == ("Engineer", "Paris")
    world.run()
    assert world.lead("person1@example.com")["Title"] == "Engineer"
    world.drop([row(1, title="Director", city="Bonn")])
    world.run()
    assert world.lead("person1@example.com")["Title"] == "Director"


def test_an_undone_create_is_deleted_unless_somebody_touched_it(world: World) -> None:
    """And it does not come back by the same records."""
    world.drop([row(1), row(2)])
    first = world.run()
    world.org.edit(world.lead("person2@example.com")["Id"], {"Title": "Touched"})
    house = world.open()
    undoing = house.undo(first.run_id)
    undoing.carry_out()
    house.close()
    assert [lead["Email"] for lead in world.leads()] == ["person2@example.com"]
    world.run()
    assert len(world.leads()) == 1


def test_a_dead_letter_replayed_after_the_mapping_is_mended_arrives(world: World) -> None:
    """Nothing is lost by being wrong at first."""
    world.write(
        "mappings/csv.yaml",
        world.mapping.replace('translate: {"yes": true}, unknown: no_value', 'translate: {"yes": true}, unknown: reject'),
    )
    world.drop([row(1, optout="perhaps")])
    assert world.run().sources["booth"].dead == 1
    world.write("mappings/csv.yaml", world.mapping)
    house = world.open()
    ids = [letter.dead_letter_id for letter in house.store.dead_letters()]
    assert house.store.replay_dead_letters(ids, world.clock.now()) == 1
    house.close()
    world.run()
    assert world.lead("person1@example.com")["HasOptedOutOfEmail"] is False


def test_a_field_that_is_rewritten_against_us_is_given_up_and_reported_once(
    make_world: Callable[..., World], capsys: Any
) -> None:
    """Another tool sets the title back after every write; syncd stops after the third."""
    world = make_world()
    world.write("mappings/csv.yaml", world.mapping.replace("{from: title}", "{from: title, overwrite: always}"))
    world.drop([row(1, title="Ours")])
    world.run()
    sf_id = world.lead("person1@example.com")["Id"]
    written = []
    for number in range(6):
        world.org.edit(sf_id, {"Title": f"theirs {number}"})
        written.append(wrote(world.run()))
    assert written == [1, 1, 0, 0, 0, 0]
    assert world.lead("person1@example.com")["Title"] == "theirs 5"
    assert capsys.readouterr().err.count("field_contested") == 1
    world.drop([row(1, title="A new value of the source")])
    world.run()
    assert world.lead("person1@example.com")["Title"] == "A new value of the source"


def test_who_comes_twice_in_a_round_is_planned_and_created_once(world: World) -> None:
    """The second scan lies in a later batch than the first: still one create, with what both said, and no update after it."""
    first = [row(n) for n in range(250)]
    world.drop([*first, row(1, title="from the second scan", optout="yes")])
    creates = Counter(one.person_id for one in world.plan())
    assert (len(creates), set(creates.values())) == (250, {1})
    summary = world.run()
    assert (summary.operations["created"], summary.operations["updated"]) == (250, 0)
    lead = world.lead("person1@example.com")
    assert (lead["Title"], lead["HasOptedOutOfEmail"]) == ("from the second scan", True)
