"""Who is erased, and who is not: an erasure meets the one person that was named, loses nobody's opt-out, and keeps nobody else away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from syncd.app.leads import find_leads, show_lead
from syncd.errors import ConfigError
from tests.crash.machine import Death, Reaper
from tests.erasing import PERSON, held_in
from tests.integration.test_erasing import MAIL, OTHER, erase, known, look, person_of
from tests.world import BOOTH, World, row

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
