"""Conversions and opportunities by the company's policy, on both stores, by whole passes: each once, into the right account, for the right owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from syncd.app.convert import Converted, ConvertWish
from syncd.errors import ConfigError
from syncd.model import OperationKind, RunStatus
from syncd.sandbox import SandboxOrg
from tests.hot import with_owner
from tests.integration.test_delivery import wrote
from tests.integration.test_races import Meanwhile
from tests.world import MAPPING, World, row

DAY = 86_400

POLICY = """\
version: 1
name: acme
currency: USD
programs:
  inbound:
    statuses:
      "Open - Not Contacted": {meaning: Arrived., next_action: Call them., entry: true}
      Qualified: {meaning: "Need, power, money.", next_action: Convert.}
      "Closed - Converted": {meaning: A customer to be., terminal: true}
    transitions:
      - {from: "Open - Not Contacted", to: Qualified}
      - {from: Qualified, to: "Closed - Converted"}
standards:
  criteria:
    power: {met: 'lead.Title in ["Boss", "Head"]'}
  qualified: criteria.power
rules:
  - {id: is_qualified, from: "Open - Not Contacted", to: Qualified, when: qualified, reason: They decide.}
convert:
  - id: ready
    from: Qualified
    when: qualified
    status: "Closed - Converted"
    owner: OWNER
    aliases: {acme deutschland: Acme GmbH}
    shared_domains: [agency.example]
    opportunity: strong_intent
    reason: Qualified.
opportunity:
  - id: strong_intent
    when: 'lead.Title == "Boss"'
    name: 'lead.Company + " - inbound"'
    stage: Prospecting
    close_in_days: 60
    amount: "5000"
    fields: {LeadSource: lead.LeadSource}
"""


def policy(owner: str = "account") -> str:
    return POLICY.replace("OWNER", owner)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world with the policy above; the assignment rule gives every lead to rep1."""
    return ready(make_world(mapping=MAPPING, policy=policy()))


def ready(world: World) -> World:
    world.org.admin.add_status("Qualified")
    return with_owner(world)


def account(org: SandboxOrg, name: str, **fields: Any) -> str:
    """An account that a rep has made."""
    return org.create("Account", {"Name": name, **fields}, user="rep2")


def living(world: World, name: str) -> list[dict[str, Any]]:
    return [one for one in world.org.rows(name) if not one["IsDeleted"]]


def test_a_qualified_lead_becomes_account_contact_and_opportunity_in_one_pass(world: World) -> None:
    world.drop([row(1, title="Boss"), row(2)])
    summary = world.run()
    assert (summary.status, summary.operations["converted"], summary.operations["opportunities"]) == (RunStatus.OK, 1, 1)
    lead = world.lead("person1@example.com")
    assert (lead["IsConverted"], lead["Status"]) == (True, "Closed - Converted")
    (made,), (contact,), (opened,) = living(world, "Account"), living(world, "Contact"), living(world, "Opportunity")
    assert (made["Name"], made["OwnerId"]) == ("Company 1", world.org.users["rep1"])
    assert (contact["Email"], contact["AccountId"]) == ("person1@example.com", made["Id"])
    assert opened["Id"] == lead["ConvertedOpportunityId"]
    assert (opened["Name"], opened["StageName"], opened["Amount"], str(opened["CloseDate"])) == (
        "Company 1 - inbound", "Prospecting", 5000, "2027-01-23",
    )  # fmt: skip
    assert opened["LeadSource"] == "Trade Show"
    assert world.lead("person2@example.com")["Status"] == "Open - Not Contacted"
    for _ in range(5):
        assert wrote(world.run()) == 0


def qualified(world: World, number: int = 1, **changes: str) -> dict[str, Any]:
    """A lead that the next pass qualifies and converts without an opportunity; gives it as it is afterwards."""
    world.drop([row(number, **{"title": "Head", **changes})])
    world.run()
    return world.lead(changes.get("email", f"person{number}@example.com"))


@pytest.mark.parametrize(
    ("found", "company", "email"),
    [
        ({"Name": "Anything", "Website": "https://www.acme.test/de"}, "Acme", "ada@acme.test"),
        ({"Name": "Acme GmbH"}, "Acme Deutschland", "ada@gmail.com"),
        ({"Name": "ACME, Gmbh."}, "acme gmbh", "ada@gmail.com"),
        ({"Name": "Müller & Söhne"}, "Mueller und Soehne", "ada@mueller.test"),
        ({"Name": "Müller & Söhne"}, "Mueller and Soehne", "ada@gmail.com"),
        ({"Name": "Gmail", "Website": "gmail.com"}, "Acme", "ada@gmail.com"),
        ({"Name": "Agency", "Website": "agency.example"}, "Acme", "ada@agency.example"),
    ],
    ids=["domain", "alias", "name", "another word", "digraphs", "free mail", "shared domain"],
)  # fmt: skip
def test_an_account_is_found_by_domain_alias_or_exact_name(
    world: World, found: dict[str, str], company: str, email: str, request: pytest.FixtureRequest
) -> None:
    """What everybody can have a mailbox at, and what the policy calls shared, says nothing; the account's owner gets the contact."""
    there = account(world.org, **{"name": found["Name"], **{k: v for k, v in found.items() if k != "Name"}})
    lead = qualified(world, company=company, email=email)
    joins = request.node.callspec.id.rpartition("-")[2] not in ("another word", "free mail", "shared domain")
    assert lead["IsConverted"]
    assert (lead["ConvertedAccountId"] == there) is joins
    assert len(living(world, "Account")) == (1 if joins else 2)
    (contact,) = living(world, "Contact")
    assert contact["OwnerId"] == world.org.users["rep2" if joins else "rep1"]


def test_colleagues_of_a_contact_join_its_account_and_a_new_one_is_made_once(world: World) -> None:
    """In one pass: the first of a company makes the account, the others, also with another spelling, wait for it and join."""
    rows = [row(n, title="Head", company=f"Globex {n}", email=f"p{n}@globex.test") for n in range(1, 6)]
    world.drop(rows)
    summary = world.run()
    assert (summary.status, summary.operations["converted"]) == (RunStatus.OK, 5)
    (made,) = living(world, "Account")
    assert {one["AccountId"] for one in living(world, "Contact")} == {made["Id"]}
    qualified(world, 9, company="Globex International", email="late@globex.test")
    assert len(living(world, "Account")) == 1


def test_of_several_accounts_one_is_taken_only_if_more_speaks_for_it(world: World) -> None:
    first, second = (account(world.org, f"Acme {n}", Website="acme.test") for n in (1, 2))
    lead = qualified(world, company="Acme", email="ada@acme.test")
    assert not lead["IsConverted"]
    house = world.open()
    (asked,) = house.store.reviews()
    house.close()
    assert (asked.kind, {one.subject_id for one in asked.candidates}) == ("conversion", {first, second})
    for _ in range(3):
        assert wrote(world.run()) == 0
    # An open opportunity is more than a name.
    world.org.create(
        "Opportunity", {"Name": "x", "StageName": "Prospecting", "CloseDate": "2027-01-01", "AccountId": second}, user="rep2"
    )
    world.org.edit(lead["Id"], {"City": "Berlin"})
    world.run()
    assert world.lead("ada@acme.test")["ConvertedAccountId"] == second


def test_a_contact_that_is_the_person_is_joined_with_its_own_account(world: World) -> None:
    other = account(world.org, "Acme", Website="acme.test")
    mine = account(world.org, "Elsewhere")
    contact = world.org.create("Contact", {"LastName": "Lastb", "FirstName": "Firstb", "AccountId": mine}, user="rep2")
    # Reached through the mailbox only, after the lead is there: who is a contact from the start gets no lead.
    world.drop([row(1, company="Acme", email="ada@acme.test")])
    world.run()
    world.org.edit(contact, {"Email": "ada@acme.test"}, user="rep2")
    world.org.edit(world.lead("ada@acme.test")["Id"], {"Title": "Head"})
    world.run()
    lead = world.lead("ada@acme.test")
    assert (lead["ConvertedContactId"], lead["ConvertedAccountId"]) == (contact, mine)
    assert other != mine
    assert len(living(world, "Contact")) == 1


def test_a_withdrawal_reaches_the_contact_before_the_conversion(world: World) -> None:
    there = account(world.org, "Acme")
    contact = world.org.create("Contact", {"LastName": "Lastb", "FirstName": "Firstb", "AccountId": there}, user="rep2")
    world.drop([row(1, company="Acme")])
    world.run()
    world.org.edit(contact, {"Email": "person1@example.com"}, user="rep2")
    lead = world.lead("person1@example.com")
    world.org.edit(lead["Id"], {"Title": "Head", "HasOptedOutOfEmail": True})
    world.run()
    assert world.lead("person1@example.com")["ConvertedContactId"] == contact
    assert world.org.find(contact)[1]["HasOptedOutOfEmail"] is True  # type: ignore[index]
    order = [
        one.action for one in world.org.audit if one.sf_id in (contact, lead["Id"]) and one.user == world.org.integration_user_id
    ]
    assert order.index("update", 1) < order.index("convert")


@pytest.mark.parametrize("owner", ["user:Rep2", "queue:Closers", "lead"])
def test_what_is_made_goes_to_a_named_user_the_members_of_a_queue_in_turn_or_the_leads_owner(
    make_world: Callable[..., World], owner: str
) -> None:
    world = ready(make_world(mapping=MAPPING, policy=policy(f'"{owner}"')))
    queue = world.org.add_queue("Closers")
    world.org.admin.set_members(queue, ["rep1", "rep2"])
    world.drop([row(n, title="Head", company=f"Company {n}", email=f"p{n}@c{n}.test") for n in range(1, 5)])
    world.run()
    owners = sorted(one["OwnerId"] for one in living(world, "Contact"))
    rep1, rep2 = world.org.users["rep1"], world.org.users["rep2"]
    assert owners == {"user:Rep2": [rep2] * 4, "queue:Closers": sorted([rep1, rep1, rep2, rep2]), "lead": [rep1] * 4}[owner]


def test_nobody_is_converted_for_syncds_own_user(world: World) -> None:
    """A lead that nobody was given has no owner for its account: a person is asked."""
    world.org.assignment_rule = lambda org, lead: org.integration_user_id
    lead = qualified(world)
    assert not lead["IsConverted"]
    house = world.open()
    assert [one.kind for one in house.store.reviews()] == ["conversion"]
    house.close()
    world.org.edit(lead["Id"], {"OwnerId": world.org.users["rep1"]})
    world.run()
    assert world.lead("person1@example.com")["IsConverted"]
    assert open_questions(world) == []


def open_questions(world: World) -> list[str]:
    house = world.open()
    try:
        return [one.kind for one in house.store.reviews()]
    finally:
        house.close()


def test_a_question_is_over_when_a_rep_has_converted_the_lead(world: World) -> None:
    world.org.assignment_rule = lambda org, lead: org.integration_user_id
    lead = qualified(world)
    assert open_questions(world) == ["conversion"]
    world.org.convert(lead["Id"], user="rep1")
    world.run()
    assert open_questions(world) == []


def asks(world: World, why: str) -> dict[str, Any]:
    """A qualified lead whose conversion is a question: nobody to give it to, or the org's own duplicate rule."""
    if why == "no owner":
        world.org.assignment_rule = lambda org, lead: org.integration_user_id
    else:
        there = account(world.org, "Somebody")
        world.org.duplicate_rules["Account"] = lambda _org, new: [there] if new["Name"] == "Company 1" else []
    lead = qualified(world)
    assert open_questions(world) == ["conversion"]
    return lead


@pytest.mark.parametrize("why", ["no owner", "duplicate rule"])
@pytest.mark.parametrize("becomes", ["deleted", "not qualified"])
def test_a_question_is_over_when_the_lead_is_not_to_be_converted_any_more(world: World, why: str, becomes: str) -> None:
    lead = asks(world, why)
    if becomes == "deleted":
        world.org.delete(lead["Id"], user="rep1")
    else:
        world.org.edit(lead["Id"], {"Status": "Working - Contacted", "Title": "Student"}, user="rep1")
    world.run()
    assert open_questions(world) == []
    for _ in range(2):
        assert wrote(world.run()) == 0
    if becomes == "not qualified":
        world.org.edit(lead["Id"], {"Status": "Qualified", "Title": "Head"}, user="rep1")
        world.run()
        assert open_questions(world) == ["conversion"], "asked anew"


def test_a_question_that_changes_is_the_one_that_is_asked(world: World) -> None:
    asks(world, "no owner")
    for n in (1, 2):
        account(world.org, f"Acme {n}", Website="company1.test")
    world.org.edit(world.lead("person1@example.com")["Id"], {"Email": "person1@company1.test"}, user="rep1")
    world.run()
    house = world.open()
    (asked,) = house.store.reviews()
    house.close()
    assert "2 accounts fit" in asked.reason


def test_a_question_is_over_though_the_answer_of_the_conversion_was_lost(world: World) -> None:
    world.org.assignment_rule = lambda org, lead: org.integration_user_id
    lead = qualified(world)
    world.org.edit(lead["Id"], {"OwnerId": world.org.users["rep1"]})
    world.org.faults.add("cut_after", path="/services/Soap")
    world.run()
    world.clock.advance(300)
    world.run()
    assert world.lead("person1@example.com")["IsConverted"]
    assert open_questions(world) == []


def test_a_placeholder_company_is_never_converted(world: World) -> None:
    assert not qualified(world, company="")["IsConverted"]


def test_a_duplicate_rule_asks_a_person_and_the_rule_stays_on(world: World) -> None:
    there = account(world.org, "Somebody")
    world.org.duplicate_rules["Account"] = lambda _org, new: [there] if new["Name"] == "Company 1" else []
    lead = qualified(world)
    assert not lead["IsConverted"]
    house = world.open()
    (asked,) = house.store.reviews()
    house.close()
    assert (asked.kind, [one.subject_id for one in asked.candidates]) == ("conversion", [there])
    for _ in range(3):
        assert wrote(world.run()) == 0


def test_refusals_are_one_notice_and_a_dead_letter_each_and_stop_nothing(world: World) -> None:
    world.org.rules_of["Contact"] = [lambda _org, new: "No contacts today" if new["LastName"] else None]
    world.drop([row(n, title="Head", company=f"C{n}", email=f"p{n}@c{n}.test") for n in range(1, 4)] + [row(8)])
    summary = world.run()
    assert (summary.status, summary.operations["refused"], summary.operations["created"]) == (RunStatus.PARTIAL, 3, 4)
    assert len([one for one in summary.missed if "convert" in one]) == 1
    house = world.open()
    letters = house.store.dead_letters()
    assert len(letters) == 3
    del world.org.rules_of["Contact"]
    house.store.replay_dead_letters([one.dead_letter_id for one in letters], world.clock.now())
    house.close()
    assert world.run().operations["converted"] == 3


@pytest.mark.parametrize("kind", ["cut_after", "cut_before", "html"])
def test_an_answer_that_is_lost_converts_nobody_twice(world: World, kind: str) -> None:
    world.org.faults.add(kind, path="/services/Soap")
    world.drop([row(n, title="Boss", company=f"C{n}", email=f"p{n}@c{n}.test") for n in range(1, 4)])
    for _ in range(3):
        world.run()
        world.clock.advance(60)
    assert [one["IsConverted"] for one in world.leads()] == [True] * 3
    assert [len(living(world, name)) for name in ("Account", "Contact", "Opportunity")] == [3, 3, 3]
    assert {one["Amount"] for one in living(world, "Opportunity")} == {5000}


def test_who_a_rep_has_converted_goes_on_as_the_contact(make_world: Callable[..., World]) -> None:
    """Rules for contacts see them; an opportunity of theirs is made once, with the contact's role, and never while one is open."""
    changed = (
        policy()
        .replace("  - id: strong_intent\n", "  - id: strong_intent\n    target: contact\n")
        .replace("    opportunity: strong_intent\n", "")
        .replace("'lead.Title == \"Boss\"'", "'any_touch(\"event\", 30)'")
    )
    world = ready(make_world(mapping=MAPPING, policy=changed))
    world.drop([row(1)])
    world.run()
    world.org.convert(world.lead("person1@example.com")["Id"])
    summary = world.run()
    assert (summary.status, summary.operations.get("opportunities")) == (RunStatus.OK, 1)
    (opened,), (contact,) = living(world, "Opportunity"), living(world, "Contact")
    assert (opened["AccountId"], opened["Name"]) == (contact["AccountId"], "Company 1 - inbound")
    assert [one["ContactId"] for one in living(world, "OpportunityContactRole")] == [contact["Id"]]
    for _ in range(3):
        world.clock.advance(DAY)
        assert wrote(world.run()) == 0
    # Not again for the same person, also when the first one is over.
    world.org.as_user("rep1").move_stage(opened["Id"], "Closed Lost")
    world.drop([row(1, city="Berlin")])
    world.run()
    assert len(living(world, "Opportunity")) == 1


def test_no_second_opportunity_while_one_is_open_on_the_account(world: World) -> None:
    there = account(world.org, "Company 1")
    fields = {"Name": "x", "StageName": "Prospecting", "CloseDate": "2027-01-01", "AccountId": there}
    world.org.create("Opportunity", fields, user="rep2")
    lead = qualified(world, title="Boss")
    assert (lead["IsConverted"], lead["ConvertedAccountId"], lead["ConvertedOpportunityId"]) == (True, there, None)
    assert len(living(world, "Opportunity")) == 1


def test_a_reps_change_of_the_new_opportunity_is_left_alone(world: World) -> None:
    """Its values are set once, and only while nobody has touched it."""
    world.org.faults.add("row_lock", rows='"Amount"', times=-1)
    world.drop([row(1, title="Boss")])
    world.run()
    (opened,) = living(world, "Opportunity")
    assert opened["Amount"] is None
    world.org.faults.clear()
    world.org.edit(opened["Id"], {"Amount": 1})
    world.run()
    assert living(world, "Opportunity")[0]["Amount"] == 1


def test_the_plan_shows_a_conversion_and_an_undo_says_that_it_stays(world: World) -> None:
    world.drop([row(1, title="Boss")])
    planned = [one for one in world.plan() if one.kind is OperationKind.CONVERT]
    assert [(one.fields["Status"], one.fields["Opportunity.Amount"]) for one in planned] == [("Closed - Converted", 5000)]
    assert [one.provenance["AccountId"].locator for one in planned] == ["a new account"]
    assert not living(world, "Account")
    run_id = world.run().run_id
    house = world.open()
    kept = {one.reason for one in house.undo(run_id).plan.kept}
    house.close()
    assert "conversion_stays" in kept


# ---------------------------------------------------------------- because a person says so


def by_hand(world: World, who: str, **wish: str) -> Converted:
    """`syncd lead convert`."""
    world.clock.advance(5)
    house = world.open()
    try:
        return house.convert_lead(who, ConvertWish(**wish))
    finally:
        house.close()


def test_a_person_answers_the_question_by_converting(world: World) -> None:
    """The account that they name is joined, the question is closed, and no pass does it again."""
    there = [account(world.org, f"Acme {n}", Website="acme.test") for n in (1, 2)]
    lead = qualified(world, company="Acme", email="ada@acme.test")
    with pytest.raises(ConfigError, match="2 accounts fit this lead"):
        by_hand(world, "ada@acme.test")
    found = by_hand(world, "ada@acme.test", account=there[1], opportunity="Acme - 20 seats", owner="Rep1")
    assert (found.lead_id, found.account_id) == (lead["Id"], there[1])
    (contact,), (opened,) = living(world, "Contact"), living(world, "Opportunity")
    assert (contact["Id"], contact["OwnerId"]) == (found.contact_id, world.org.users["rep1"])
    assert (opened["Id"], opened["Name"]) == (found.opportunity_id, "Acme - 20 seats")
    house = world.open()
    assert house.store.reviews() == []
    house.close()
    for _ in range(3):
        assert wrote(world.run()) == 0
    with pytest.raises(ConfigError, match="no open lead"):
        by_hand(world, "ada@acme.test")


def test_by_hand_only_who_is_named_whole_is_converted(make_world: Callable[..., World]) -> None:
    """It cannot be taken back, and a part of an address or name finds somebody else as easily."""
    world = with_owner(make_world(mapping=MAPPING))
    there = account(world.org, "Acme")
    world.drop([row(1, email="nada@example.com", first="Joann", last="Leeds")])
    world.run()
    for part in ("ada@example.com", "ann lee"):
        with pytest.raises(ConfigError, match="Nobody"):
            by_hand(world, part, account=there)
    assert by_hand(world, "joann leeds", account=there).account_id == there


def test_a_question_that_came_of_a_conversion_by_hand_stays_open_though_no_rule_converts(world: World) -> None:
    there = account(world.org, "Somebody")
    world.org.duplicate_rules["Account"] = lambda _org, new: [there] if new["Name"] == "Company 1" else []
    world.drop([row(1)])
    world.run()
    with pytest.raises(ConfigError, match="did not take it"):
        by_hand(world, "person1@example.com", account="new")
    assert open_questions(world) == ["conversion"]
    world.org.edit(world.lead("person1@example.com")["Id"], {"City": "Berlin"}, user="rep1")
    for _ in range(2):
        world.run()
    assert open_questions(world) == ["conversion"]


def test_by_hand_it_works_without_a_policy_and_consent_still_goes_first(make_world: Callable[..., World]) -> None:
    world = with_owner(make_world(mapping=MAPPING))
    there = account(world.org, "Acme")
    contact = world.org.create("Contact", {"LastName": "Lastb", "FirstName": "Firstb", "AccountId": there}, user="rep2")
    world.drop([row(1), row(2, company="")])
    world.run()
    world.org.edit(contact, {"Email": "person1@example.com"}, user="rep2")
    world.org.edit(world.lead("person1@example.com")["Id"], {"HasOptedOutOfEmail": True})
    world.run()
    with pytest.raises(ConfigError, match="knows no accounts"):
        by_hand(world, "person1@example.com")
    with pytest.raises(ConfigError, match="would make a second one"):
        by_hand(world, "person1@example.com", account="new")
    with pytest.raises(ConfigError, match="no account 0015"):
        by_hand(world, "person1@example.com", account="0015g00000ZZZZZAAA")
    found = by_hand(world, "person1@example.com", account=there)
    assert (found.contact_id, found.account_id) == (contact, there)
    assert world.org.find(contact)[1]["HasOptedOutOfEmail"] is True  # type: ignore[index]
    with pytest.raises(ConfigError, match="has no company"):
        by_hand(world, "person2@example.com", account="new")


def test_an_answer_lost_by_hand_is_looked_up(world: World) -> None:
    world.drop([row(1)])
    world.run()
    world.org.faults.add("cut_after", path="/services/Soap")
    found = by_hand(world, "person1@example.com")
    assert found.account_id == living(world, "Account")[0]["Id"]
    assert len([one for one in world.org.audit if one.action == "convert"]) == 1


def test_who_is_not_qualified_is_converted_only_if_a_person_insists(world: World) -> None:
    world.drop([row(1)])
    world.run()
    house = world.open()
    try:
        with pytest.raises(ConfigError, match="does not call this person qualified"):
            house.check_qualified("person1@example.com", is_forced=False)
        house.check_qualified("person1@example.com", is_forced=True)
    finally:
        house.close()


def test_who_is_converted_already_is_not_called_unqualified(world: World) -> None:
    world.drop([row(1)])
    world.run()
    by_hand(world, "person1@example.com", account="new")
    house = world.open()
    try:
        house.check_qualified("person1@example.com", is_forced=False)
    finally:
        house.close()
    with pytest.raises(ConfigError, match="no open lead"):
        by_hand(world, "person1@example.com", account="new")


def test_an_opt_out_that_the_org_does_not_take_along_follows(world: World) -> None:
    """An admin has mapped the checkbox nowhere: the contact that we made gets it at once, and a rep's later word about it stays."""
    made: list[str] = []

    def unmapped(_org: SandboxOrg, new: dict[str, Any]) -> dict[str, Any]:
        """The contact, as it is made."""
        if "MailingCity" not in new or made:
            return {}
        made.append("contact")
        return {"HasOptedOutOfEmail": False}

    world.drop([row(1)])
    world.run()
    world.org.triggers.append(unmapped)
    world.org.edit(world.lead("person1@example.com")["Id"], {"Title": "Head", "HasOptedOutOfEmail": True})
    world.run()
    (contact,) = living(world, "Contact")
    assert made
    assert contact["HasOptedOutOfEmail"] is True
    world.org.edit(contact["Id"], {"HasOptedOutOfEmail": False}, user="rep1")
    for _ in range(3):
        assert wrote(world.run()) == 0
    assert living(world, "Contact")[0]["HasOptedOutOfEmail"] is False


def test_what_the_mirror_learns_while_somebody_is_planned_is_not_forgotten(world: World) -> None:
    """It is read beside the planning: a plan of what was known before must not say that all is done."""
    world.drop([row(1, title="Intern")])
    world.run()
    lead_id = world.lead("person1@example.com")["Id"]
    other = world.open()

    def read_beside() -> None:
        world.org.edit(lead_id, {"Title": "Head"}, user="rep1")
        (known,) = other.store.org_records([("Lead", lead_id)])
        stamp = world.clock.now() + timedelta(seconds=1)
        learned = msgspec.structs.replace(known.row, fields={**known.row.fields, "Title": "Head"}, stamp=stamp)
        assert other.store.put_org_rows([learned], {}, world.clock.now()) == 1

    world.org.edit(lead_id, {"City": "Berlin"}, user="rep1")
    race = Meanwhile("store", "person_facts", read_beside)
    world.run(wrap=race.wrap)
    assert race.happened
    world.run()
    assert world.lead("person1@example.com")["IsConverted"]
    world.run()
    assert other.store.dirty_persons(9) == [], "and it ends: whoever was planned with all that is known is done with"
    other.close()
