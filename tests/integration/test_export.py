"""What `lead export` says of a person's place in the org."""

from __future__ import annotations

from contextlib import closing

from syncd.app.leads import export_leads
from tests.world import World, row


def test_who_was_converted_is_exported_as_the_contact(world: World) -> None:
    """The lead of before the conversion is locked; the person is the contact (DESIGN 1: converted Lead -> its Contact)."""
    told = row(1)
    known = {"FirstName": told["first"], "LastName": told["last"], "Company": told["company"], "Email": told["email"]}
    contact = world.org.convert(world.org.create("Lead", known))
    world.drop([told])
    world.run()
    with closing(world.open()) as house:
        [person] = export_leads(house.store)
    assert (person["sf_object"], person["sf_id"]) == ("Contact", contact)
