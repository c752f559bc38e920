"""The hot lane: from the journal to the org at once, with the org asked directly, once each, whatever fails in between."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from syncd.model import Delivery, Lane, RunStatus
from syncd.run.context import Scope
from syncd.sandbox.faults import Kind
from tests.site import Site
from tests.world import World, row

Make = Callable[..., World]


@pytest.fixture
def site(make_world: Make) -> Site:
    """A site whose mirror is filled."""
    made = make_world(Site)
    assert isinstance(made, Site)
    made.filled()
    return made


def test_a_delivery_is_a_lead_and_leaves_the_journal(site: Site) -> None:
    site.send("ada@example.com", phone="+49 30 901820")
    summary = site.heat()
    assert summary.status is RunStatus.OK
    counts = summary.sources["site"]
    assert (counts.pulled, counts.applied, counts.waiting) == (1, 1, 0)
    lead = site.lead("ada@example.com")
    assert (lead["LastName"], lead["Phone"]) == ("Byron", "+4930901820")
    with closing(site.open()) as house:
        assert house.journal.backlog() == {}
        assert house.store.check() == []


def test_the_age_of_a_lead_counts_from_its_receipt(site: Site) -> None:
    ages: list[tuple[str, float]] = []
    site.send("ada@example.com")
    site.clock.advance(10)
    site.heat(arrived=lambda source, seconds: ages.append((source, seconds)))
    assert [source for source, _ in ages] == ["site"]
    assert ages[0][1] == pytest.approx(11.0)


def test_many_deliveries_share_their_calls(site: Site) -> None:
    for number in range(60):
        site.send(f"person{number}@example.com", last_name=f"Byron{chr(97 + number % 26)}")
    calls = site.org.api_calls
    site.heat()
    assert len(site.leads()) == 60
    # A schema, one look at the addresses, one create, one echo.
    assert site.org.api_calls - calls <= 5


def test_a_lead_that_a_rep_has_just_typed_in_is_found_in_the_org_itself(site: Site) -> None:
    """The mirror is as old as the last pass: the org is asked for the address before anything is created."""
    typed = site.org.create(
        "Lead", {"FirstName": "Ada", "LastName": "Byron", "Company": "E", "Email": "ada@example.com"}, user="rep1"
    )
    site.send("ada@example.com", phone="+49 30 901820")
    site.heat()
    assert site.lead("ada@example.com")["Id"] == typed
    assert site.lead("ada@example.com")["Phone"] == "+4930901820"


def test_a_contact_is_found_as_well_and_no_lead_is_made(site: Site) -> None:
    site.org.create("Contact", {"FirstName": "Ada", "LastName": "Byron", "Email": "ada@example.com"}, user="rep1")
    site.send("ada@example.com")
    site.heat()
    assert site.leads(Email="ada@example.com") == []


def test_a_repetition_costs_nothing_and_writes_nothing(site: Site) -> None:
    site.send("ada@example.com", name="msg_1")
    site.heat()
    writes = len(site.org.audit)
    site.send("ada@example.com", name="msg_1")
    summary = site.heat()
    assert (summary.sources["site"].unchanged, len(site.org.audit)) == (1, writes)


def test_what_cannot_be_read_is_set_aside_and_the_others_go_on(site: Site) -> None:
    with closing(site.open()) as house:
        now = site.clock.now()
        house.journal.put([Delivery("site", now, b"{not json", "msg_bad", now, "application/json")])
    site.send("ada@example.com")
    summary = site.heat()
    assert (summary.sources["site"].dead, summary.sources["site"].applied) == (1, 1)
    with closing(site.open()) as house:
        (letter,) = house.store.dead_letters()
        assert letter.source == "site"
        found = house.store.dead_letter(letter.dead_letter_id)
        assert found is not None
        assert found.payload == b"{not json"


def test_nothing_is_created_before_the_first_look_at_the_org(make_world: Make) -> None:
    site = make_world(Site)
    assert isinstance(site, Site)
    site.send("ada@example.com")
    summary = site.heat(steps=3)
    assert site.leads() == []
    assert summary.sources["site"].waiting == 1, "it is in the inbox and waits"
    site.filled()
    assert len(site.leads(Email="ada@example.com")) == 1, "a whole pass takes what a daemon has received along"


def test_an_org_that_is_down_keeps_everything_waiting(site: Site) -> None:
    site.send("ada@example.com")
    site.org.faults.add(Kind.UNAVAILABLE, "/services/data", times=-1)
    summary = site.heat(steps=3)
    assert summary.status in (RunStatus.PARTIAL, RunStatus.FAILED)
    assert summary.sources["site"].waiting == 1
    site.org.faults.clear()
    site.heat()
    assert len(site.leads(Email="ada@example.com")) == 1


def test_a_create_without_an_answer_is_looked_up_and_not_repeated(site: Site) -> None:
    site.send("ada@example.com")
    site.org.faults.add(Kind.CUT_AFTER, "composite/sobjects/Lead", method="PATCH")
    site.heat(steps=3)
    site.clock.advance(120)
    with closing(site.open()) as house:
        house.take_over()
        site.sweep(house)
    site.heat(steps=1)
    assert len(site.leads(Email="ada@example.com")) == 1
    with closing(site.open()) as house:
        assert house.store.check() == []


def test_an_opt_out_that_is_sent_reaches_every_record_of_the_person(site: Site) -> None:
    site.drop([row(1)])
    site.run()
    names = {"FirstName": "Firstb", "LastName": "Lastb", "Email": "person1@example.com"}
    contact = site.org.create("Contact", names, user="rep1")
    site.send("person1@example.com", emailOptOut="1", first_name="Firstb", last_name="Lastb")
    site.heat()
    assert site.lead("person1@example.com")["HasOptedOutOfEmail"] is True
    (found,) = [one for one in site.org.rows("Contact") if one["Id"] == contact]
    assert found["HasOptedOutOfEmail"] is True


def test_the_owner_gets_one_task(make_world: Make) -> None:
    site = make_world(Site, asks_for_task=True)
    assert isinstance(site, Site)
    site.filled()
    site.org.assignment_rule = lambda org, lead: org.users["rep1"]
    site.send("ada@example.com", name="msg_1")
    site.heat()
    site.send("ada@example.com", name="msg_1")
    site.heat()
    for _ in range(2):
        site.run()
    (task,) = [one for one in site.org.rows("Task") if not one.get("IsDeleted")]
    assert (task["WhoId"], task["OwnerId"]) == (site.lead("ada@example.com")["Id"], site.org.users["rep1"])


def test_sums_match_while_a_pass_over_another_source_is_under_way(site: Site) -> None:
    site.drop([row(number) for number in range(5)])
    site.send("ada@example.com")
    with closing(site.open()) as house:
        house.take_over()
        hot = house.hot_run(house.pushed_sources(), lambda source, seconds: None)
        live = house.run_lane(house.lane_context(("booth",), Lane.INCREMENT, Scope(reads_ranges=False, remaps=False)))
        while hot.step(house.pushed_sources()):
            pass
        ended = hot.end()
        assert house.store.check() == []
    assert (live.sources["booth"].applied, ended.sources["site"].applied) == (5, 1)
    assert "site" not in live.sources


def test_a_paused_source_stays_in_the_journal(site: Site) -> None:
    site.send("ada@example.com")
    with closing(site.open()) as house:
        house.take_over()
        run = house.hot_run(house.pushed_sources(), lambda source, seconds: None)
        assert not run.step([])
        run.end()
        assert house.journal.backlog()["site"].count == 1
    assert site.leads() == []


def test_a_form_that_fell_into_the_trap_for_robots_can_be_let_in(make_world: Make) -> None:
    site = make_world(Site)
    assert isinstance(site, Site)
    text = (site.folder / "syncd.yaml").read_text(encoding="utf-8")
    site.write("syncd.yaml", text.replace("mapping: webhook}", "mapping: webhook, forms: {honeypot: website_2}}"))
    site.filled()
    now = site.clock.now()
    body = b"first_name=Ada&last_name=Byron&email=ada%40example.com&company=E&website_2=x"
    with closing(site.open()) as house:
        house.journal.put([Delivery("site", now, body, content_type="application/x-www-form-urlencoded")])
    site.heat()
    assert site.leads() == []
    with closing(site.open()) as house:
        (letter,) = house.store.dead_letters()
        assert letter.reason == "honeypot"
        assert house.store.replay_dead_letters([letter.dead_letter_id], now) == 1
    site.heat()
    assert len(site.leads(Email="ada@example.com")) == 1


def test_who_sends_again_before_the_read_back_does_not_wait_for_it(site: Site) -> None:
    with closing(site.open()) as house:
        house.take_over()
        run = house.hot_run(house.pushed_sources(), lambda source, seconds: None)
        for phone in ("", "+49 30 901820"):
            site.send("ada@example.com", phone=phone)
            while run.step(house.pushed_sources()):
                pass
        assert site.lead("ada@example.com")["Phone"] == "+4930901820", "while the run is still open"
        run.end()
