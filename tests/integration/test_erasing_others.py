"""Who is erased, and who is not: an erasure meets the one person that was named, loses nobody's opt-out, and keeps nobody else away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec
import pytest

from syncd.app.leads import find_leads, show_lead
from syncd.errors import ClaimConflictError, ConfigError
from syncd.model import PersonState
from syncd.ports import Belongings
from tests.acting import ENROL, Acting, doing
from tests.crash.machine import Death, Reaper
from tests.erasing import PERSON, held_in
from tests.integration.test_erasing import MAIL, OTHER, Busy, erase, known, look, person_of
from tests.world import BOOTH, MAPPING, World, row

__all__ = ["known"]


def theirs(world: World) -> dict[str, str]:
    """Her lead in the org."""
    (lead,) = [one for one in world.leads() if one["Email"] != OTHER["email"]]
    return lead


@pytest.mark.parametrize("who", ["rson2@example.com", "irstc Lastc", "Xanthopoulo", "Wayfinder"])
def test_a_part_of_an_address_or_name_is_nobody(known: World, who: str) -> None:
    """Of somebody else it is a part: an erasure cannot be undone, and with --yes nobody looks."""
    with pytest.raises(ConfigError, match="Nobody in this store"):
        erase(known, who, keep=True)


@pytest.mark.parametrize("who", ["Xanthopoulos", "quillabeth XANTHOPOULOS", "Zyzzyva Worksmith", PERSON["email"]])
def test_a_whole_name_company_or_address_is_somebody(known: World, who: str) -> None:
    assert look(known, who).person_id == person_of(known, MAIL)


@pytest.mark.parametrize("where", ["to be planned", "held", "waits"])
def test_an_opt_out_that_is_on_its_way_reaches_what_stays_in_the_org(known: World, where: str) -> None:
    """Nobody could write it later: the record is nobody's then (G6)."""
    known.drop([{**PERSON, "title": "Chief Wayfinder of old", "optout": "yes"}], name="out.csv")
    point = {"to be planned": "after:store.commit_resolved", "held": "after:store.commit_plans", "waits": "after:store.put_page"}[
        where
    ]
    with pytest.raises(Death):
        known.run(wrap=Reaper((point, 1)).wrap)
    assert theirs(known)["HasOptedOutOfEmail"] is not True
    with pytest.raises(ConfigError, match="opt-out") as refused:
        erase(known, MAIL, keep=True)
    assert "next pass" in str(refused.value)
    known.run()
    assert erase(known, MAIL, keep=True).is_done
    assert theirs(known)["HasOptedOutOfEmail"] is True


def test_an_address_that_only_the_org_knows_is_hers_too(known: World) -> None:
    """A rep has written it down; with it she would come back as somebody new."""
    known.org.edit(theirs(known)["Id"], {"Email": "Quilla@Newwork.example"})
    known.run()
    gone = theirs(known)["Id"]
    known.org.delete(gone)
    known.org.purge(gone)
    erase(known, MAIL)
    known.drop([{**PERSON, "email": "quilla@newwork.example"}], name="later.csv")
    assert known.run().notes["erased"] == 1
    assert held_in(known) == set()


def test_whoever_is_asked_about_is_not_taken_for_her(make_world: Callable[..., World]) -> None:
    """Somebody of another name has her mailbox in the org: to be told to erase him there, or to let go of him, would be wrong."""
    world = make_world()
    bob = world.org.create("Lead", {"Email": PERSON["email"], "FirstName": "Bob", "LastName": "Builder", "Company": "Sheds"})
    world.run()
    world.drop([PERSON, OTHER])
    world.run()
    for keep in (False, True):
        with pytest.raises(ConfigError, match=f"nobody has said who they are: Lead:{bob}"):
            erase(world, "Xanthopoulos", keep=keep)
    with closing(world.open()) as house:
        (review,) = house.store.reviews()
        house.store.accept_review(review.review_id, None, world.clock.now())
    done = erase(world, "Xanthopoulos")
    assert (done.is_done, done.in_salesforce) == (True, ())
    world.drop(
        [{**PERSON, "first": "Bob", "last": "Builder", "title": "Owner", "phone": "", "company": "Sheds", "street": ""}],
        name="bob.csv",
    )
    assert "erased" not in world.run().notes, "a mailbox of two people keeps neither away"
    with closing(world.open()) as house:
        (found,) = find_leads(house.store, bob)
        assert [one["sf_id"] for one in show_lead(house.store, found).org_records] == [bob]


def test_whoever_was_said_to_be_somebody_else_goes_on(make_world: Callable[..., World]) -> None:
    """Two people share a mailbox, and a person has said so: the erasure of one keeps away nothing of the other."""
    world = make_world(sources=BOOTH.replace("mapping:", "key: [last], mapping:"))
    bob = {**row(7), "email": PERSON["email"]}
    world.drop([PERSON, OTHER])
    world.run()
    world.drop([bob], name="bob.csv")
    world.run()
    with closing(world.open()) as house:
        (review,) = house.store.reviews()
        assert review.kind == "clashing_names"
        house.store.accept_review(review.review_id, None, world.clock.now())
    world.run()
    gone = next(one["Id"] for one in world.leads() if one["LastName"] == PERSON["last"])
    world.org.delete(gone)
    world.org.purge(gone)
    erase(world, "Xanthopoulos")
    world.drop([{**bob, "optout": "yes"}], name="bob.csv")
    assert "erased" not in world.run().notes
    (lead,) = world.leads(LastName=bob["last"])
    assert lead["HasOptedOutOfEmail"] is True


def test_somebody_of_whom_nobody_was_made_is_erased_by_the_address(make_world: Callable[..., World]) -> None:
    """Skipped, set aside, or waiting: syncd has them all the same, and would make somebody of them another day."""
    world = make_world(mapping=MAPPING.replace("unknown: no_value", "unknown: reject"))
    world.drop([{**PERSON, "skip": "yes"}, {**PERSON, "optout": "perhaps"}, OTHER])
    world.run()
    world.drop([{**PERSON, "title": "Third"}], name="third.csv")
    with pytest.raises(Death):
        world.run(wrap=Reaper(("after:store.put_page", 1)).wrap)
    assert {"record.payload", "dead_letter.payload", "inbox.payload"} <= held_in(world)
    found = look(world, PERSON["email"])
    assert (found.is_done, found.refusal, found.counts["people"], len(found.dead_letters)) == (False, "", 0, 1)
    assert (found.counts["records"], found.counts["inbox"]) == (1, 2)
    assert MAIL not in found.person_id, "a request of a daemon is kept: the address must not be in it"
    done = erase(world, found.person_id)
    assert (done.is_done, done.person_id) == (True, found.person_id)
    assert world.run().notes["erased"] == 1, "what waited"
    again = erase(world, found.person_id)
    assert (again.is_done, again.counts) == (True, {}), "as after the death of a daemon that had done it"
    assert held_in(world) == set()
    world.drop([PERSON, row(3)], name="later.csv")
    assert world.run().notes["erased"] == 1
    assert {one["Email"] for one in world.leads()} == {OTHER["email"], row(3)["email"]}
    with closing(world.open()) as house:
        assert house.store.check() == []
    with pytest.raises(ConfigError, match="Nobody in this store"):
        look(world, MAIL)


def test_an_address_in_the_org_alone_is_in_the_way_as_any_lead_is(make_world: Callable[..., World]) -> None:
    world = make_world()
    lead_id = world.org.create("Lead", {"Email": PERSON["email"], "LastName": PERSON["last"], "Company": "By hand"})
    world.drop([OTHER])
    world.run()
    with pytest.raises(ConfigError, match=f"still in Salesforce: Lead {lead_id}"):
        erase(world, MAIL)
    world.org.delete(lead_id)
    world.org.purge(lead_id)
    assert erase(world, MAIL).is_done
    assert held_in(world) == set()


@pytest.mark.parametrize("who", ["nobody@example.com", "info@zyzzyvas.example", "a" * 64])
def test_an_address_that_never_came_or_is_shared_is_nobodys(known: World, who: str) -> None:
    known.drop([{**row(8), "email": "info@zyzzyvas.example", "skip": "yes"}], name="shared.csv")
    known.run()
    with pytest.raises(ConfigError, match="Nobody in this store"):
        look(known, who)


def test_an_address_that_becomes_somebodys_meanwhile_is_looked_at_again(known: World) -> None:
    """It is their address then, and the person has more than what names it."""
    with closing(known.open()) as house:
        found = house.store.traces_of_mailbox(MAIL)
        assert (found.belongings.person_ids, found.belongings.mailboxes) == ((), ())
        stale = msgspec.structs.replace(found, belongings=Belongings((), (), (MAIL,)))
        with pytest.raises(ClaimConflictError):
            house.store.erase_person(stale, lambda key: "|".join(key), "run", known.clock.now())


def test_whoever_changes_all_the_time_is_no_error_of_the_store(known: World) -> None:
    """A daemon ends on an error of its store, and would begin with the same request again, for ever."""
    with pytest.raises(ConfigError, match="just now"):
        erase(known, MAIL, keep=True, wrap=lambda port, name: Busy(port, 4) if name == "store" else port)


def test_what_was_kept_and_is_gone_for_good_is_emptied_when_it_is_asked_again(make_world: Callable[..., World]) -> None:
    """Of what is erased for good the org says nothing; a contact has no external id by which it could be found again."""
    world = make_world()
    kept = world.org.create("Contact", {"Email": PERSON["email"], "FirstName": PERSON["first"], "LastName": PERSON["last"]})
    world.run()
    world.drop([PERSON, OTHER])
    world.run()
    person_id = erase(world, MAIL, keep=True).person_id
    world.org.delete(kept)
    world.org.purge(kept)
    world.run()
    assert "org_record.fields" in held_in(world)
    assert erase(world, person_id).is_done
    assert held_in(world) == set()


def test_an_opt_out_in_somebodys_own_record_counts_whatever_mailbox_it_names(make_world: Callable[..., World]) -> None:
    """Bob's row carries the mailbox of somebody erased now: it is not imported, and his wish is no less his (G6)."""
    world = make_world(sources=BOOTH.replace("mapping:", "key: [last], mapping:"))
    bob = row(7, title="Baker")
    world.drop([PERSON, bob])
    world.run()
    gone = next(one["Id"] for one in world.leads() if one["LastName"] == PERSON["last"])
    world.org.delete(gone)
    world.org.purge(gone)
    erase(world, MAIL)
    world.drop([{**bob, "email": PERSON["email"], "title": "Plumber", "optout": "yes"}], name="bob.csv")
    summary = world.run()
    assert (summary.notes["erased"], summary.sources["booth"].skipped) == (1, 1)
    (lead,) = world.leads()
    assert (lead["Email"], lead["Title"], lead["HasOptedOutOfEmail"]) == (bob["email"], "Baker", True)
    assert held_in(world) == set()
    world.write("mappings/csv.yaml", world.mapping.replace("Trade Show", "Fair"))
    world.run(force=True)
    (lead,) = world.leads()
    assert lead["HasOptedOutOfEmail"] is True, "what was there is mapped anew"
    with closing(world.open()) as house:
        assert (house.store.check(), house.store.dead_letters()) == ([], [])


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("Ada@Müller.example", "ada@xn--mller-kva.EXAMPLE"),
        ("a.d.a+x@googlemail.com", "ADA@gmail.com"),
        ("o'brien@zz.example", "O'Brien@ZZ.example"),
        ("jösé+news@zz.example", "JÖSÉ+News@zz.example"),
    ],
)
def test_another_spelling_is_the_same_address(make_world: Callable[..., World], first: str, again: str) -> None:
    """In what was kept of nobody, in WHO, and in what comes later."""
    world = make_world()
    world.drop([{**PERSON, "email": first}])
    world.run()
    world.drop([{**PERSON, "email": again, "skip": "yes"}], name="skipped.csv")
    world.run()
    (lead,) = world.leads()
    world.org.delete(lead["Id"])
    world.org.purge(lead["Id"])
    assert erase(world, again).unsure == 0
    assert held_in(world) == set()
    world.drop([{**PERSON, "email": again, "title": "Later"}], name="later.csv")
    assert world.run().notes["erased"] == 1


class ErasedMeanwhile:
    """A store whose people are erased just before an action of theirs is marked as sent: sources are asked without the turn."""

    def __init__(self, port: Any, person_id: str) -> None:
        self._port, self._person_id = port, person_id

    def __getattr__(self, name: str) -> Any:
        if name == "mark_sent" and self._port.person_views([self._person_id])[0].state is not PersonState.ERASED:
            traces = self._port.traces_of(self._person_id)
            self._port.erase_person(traces, lambda key: "|".join(key), "run", self._port.db.clock.now())
        return getattr(self._port, name)


def test_what_waited_for_a_source_is_not_told_of_somebody_erased_meanwhile(make_world: Callable[..., World]) -> None:
    """The pass has the enrolment in its hands already; it was planned by an earlier one, which nobody waits for."""
    world = make_world(Acting, policy=doing(ENROL))
    assert isinstance(world, Acting)
    with closing(world.open()) as house:
        house.set_paused(["newsletter"], is_paused=True)
    world.drop([row(1)])
    world.run()
    world.nurture(1)
    world.run()
    assert world.states() == [("enrol", "planned", "")]
    with closing(world.open()) as house:
        house.set_paused(["newsletter"], is_paused=False)
    person_id = person_of(world, row(1)["email"])
    world.run(wrap=lambda port, name: ErasedMeanwhile(port, person_id) if name == "store" else port)
    assert world.people() == []
    with closing(world.open()) as house:
        assert [str(one.state) for one in house.store.operations_of(person_id) if one.object == "source:newsletter"] == [
            "superseded"
        ]
        assert house.store.dead_letters() == []
