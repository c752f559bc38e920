"""Every fault of the sandbox, on both stores: nothing lost, nothing doubled, and a pass that missed something never ends as ok."""

from __future__ import annotations

import pytest

from syncd.model import RunStatus
from syncd.sandbox import Kind
from tests.crash import oracle
from tests.world import World, row

WRITES = "composite/sobjects/Lead/Syncd_Id__c"
UPDATES = "composite/sobjects$"
EXPECTED = {f"person{n}@example.com" for n in range(1, 8)}

FAULTS = [
    ("unavailable on every call once", Kind.UNAVAILABLE, "/services/data", {"times": 3}),
    ("unavailable while writing", Kind.UNAVAILABLE, WRITES, {"times": 2}),
    ("throttled", Kind.THROTTLED, "/services/data", {"times": 2, "seconds": 1}),
    ("request limit while writing", Kind.LIMIT, WRITES, {"times": 1}),
    ("session expired while writing", Kind.EXPIRED, WRITES, {"times": 1}),
    ("session expired while reading", Kind.EXPIRED, "/services/data", {"times": 1}),
    ("error while creating", Kind.ERROR, WRITES, {"times": 1}),
    ("error while updating", Kind.ERROR, UPDATES, {"times": 1}),
    ("connection cut before the create", Kind.CUT_BEFORE, WRITES, {"times": 1}),
    ("answer lost after the create", Kind.CUT_AFTER, WRITES, {"times": 1}),
    ("answer lost after the update", Kind.CUT_AFTER, UPDATES, {"times": 1}),
    ("create done while we look for it", Kind.LATE, WRITES, {"times": 1, "seconds": 3}),
    ("create done after we repeated it", Kind.LATE, WRITES, {"times": 1, "seconds": 60}),
    ("update done while we look for it", Kind.LATE, UPDATES, {"times": 1, "seconds": 3}),
    ("update done after we repeated it", Kind.LATE, UPDATES, {"times": 1, "seconds": 60}),
    ("cut JSON after the create", Kind.CUT_BODY, WRITES, {"times": 1}),
    ("cut JSON while looking", Kind.CUT_BODY, "composite$", {"times": 1}),
    ("HTML after the create", Kind.HTML, WRITES, {"times": 1}),
    ("HTML while looking", Kind.HTML, "composite$", {"times": 1}),
    ("HTML 503", Kind.HTML_503, "/services/data", {"times": 2}),
    ("echo lost", Kind.CUT_AFTER, "composite/sobjects/Lead$", {"times": 1}),
    ("echo in HTML", Kind.HTML, "composite/sobjects/Lead$", {"times": 9}),
    ("rows locked", Kind.ROW_LOCK, "composite/sobjects", {"times": 2, "rows": "person3@|person4@"}),
    ("a poisonous row", Kind.POISON, WRITES, {"times": -1, "rows": "person7@"}),
    ("everything at random", Kind.CUT_AFTER, "/services/data", {"times": 8, "probability": 0.3}),
    ("the org is away for the whole pass", Kind.UNAVAILABLE, "/services/data", {"times": 60}),
]


@pytest.mark.parametrize(("name", "kind", "path", "options"), FAULTS, ids=[one[0] for one in FAULTS])
def test_a_fault_loses_and_doubles_nothing(world: World, name: str, kind: Kind, path: str, options: dict[str, object]) -> None:
    """One pass under the fault, then the fault is over: the org ends as if it had never been."""
    world.drop([row(n) for n in range(1, 7)])
    world.run()
    lead = world.lead("person1@example.com")
    world.org.edit(lead["Id"], {"Title": "set by a rep"})
    world.drop([row(1, title="from the file"), row(2, title="from the file"), row(7)])
    world.org.faults.add(kind, path, **options)
    hit = world.run()
    struck = world.org.faults.hits.get(kind, 0)
    world.org.faults.clear()
    assert struck > 0, f"the fault never struck: {name}"
    for _ in range(3):
        world.clock.advance(60)
        last = world.run()
    assert last.status is RunStatus.OK, last.missed
    oracle.check(world, EXPECTED, {lead["Id"]: {"Title": "set by a rep"}})
    assert world.lead("person2@example.com")["Title"] == "from the file"
    if hit.status is RunStatus.OK:
        assert world.lead("person7@example.com"), "a pass that missed something must not end as ok"


def test_a_pass_with_the_org_away_keeps_what_it_pulled_and_says_so(world: World) -> None:
    """Pulling goes on, the records wait, the exit code is not 0, and the next pass carries on by itself."""
    world.org.faults.add(Kind.UNAVAILABLE, "/services/data", times=-1)
    world.drop([row(1), row(2)])
    summary = world.run()
    assert summary.status is RunStatus.PARTIAL
    assert (summary.sources["booth"].pulled, summary.sources["booth"].waiting) == (2, 2)
    assert summary.exit_code == 3
    world.org.faults.clear()
    assert world.run().operations["created"] == 2


def test_one_bad_row_does_not_fail_its_neighbours(world: World) -> None:
    """A validation rule refuses one of many; it becomes a dead letter with the org's reason, the others are in."""
    world.org.rules.append(lambda org, lead: "not this one" if lead.get("Email") == "person5@example.com" else None)
    world.drop([row(n) for n in range(10)])
    summary = world.run()
    assert (summary.operations["created"], summary.operations["refused"]) == (9, 1)
    house = world.open()
    letters = house.store.dead_letters()
    house.close()
    assert [letter.reason for letter in letters] == ["FIELD_CUSTOM_VALIDATION_EXCEPTION"]
    world.org.rules.clear()
    house = world.open()
    house.store.replay_dead_letters([letters[0].dead_letter_id], world.clock.now())
    house.close()
    assert world.run().operations["created"] == 1


def test_a_poisonous_row_is_isolated(world: World) -> None:
    """A record whose presence fails the whole call is found by halving; it is tried in five passes, then set aside."""
    world.org.faults.add(Kind.POISON, WRITES, times=-1, rows="person7@")
    world.drop([row(n) for n in range(20)])
    states = []
    for _ in range(5):
        states.append(world.run().status)
        assert len(world.leads()) == 19
    assert set(states) == {RunStatus.PARTIAL}
    house = world.open()
    letters = house.store.dead_letters()
    house.close()
    assert [letter.reason for letter in letters] == ["UNKNOWN_EXCEPTION"]
    assert world.run().status is RunStatus.OK, "what was set aside does not repeat without end"


def test_a_refusal_that_hits_everything_is_configuration_and_nothing_is_set_aside(world: World) -> None:
    """Thousands of dead letters would help nobody: the records stay queued and the pass says why it stopped."""
    world.org.rules.append(lambda org, lead: "every lead needs a region")
    world.drop([row(n) for n in range(60)])
    summary = world.run()
    assert summary.status is RunStatus.PARTIAL
    house = world.open()
    letters = house.store.dead_letters()
    house.close()
    assert letters == []
    world.org.rules.clear()
    assert world.run().operations["created"] == 60


def test_a_duplicate_rule_of_the_org_is_asked_about_not_overridden(world: World) -> None:
    """The admins' rule stays on; a person links the lead or leaves it."""
    known = world.org.create("Lead", {"LastName": "Lastb", "FirstName": "Firstb", "Company": "C"})
    world.org.duplicate_rule = lambda org, lead: [known] if lead.get("Email") == "person1@example.com" else []
    world.drop([row(1, title="Engineer"), row(2)])
    summary = world.run()
    assert (summary.operations["created"], summary.operations["refused"]) == (1, 1)
    house = world.open()
    question = house.store.reviews()[0]
    assert question.kind == "duplicate_rule"
    house.store.accept_review(question.review_id, question.candidates[0], world.clock.now())
    house.close()
    world.run()
    held = world.org.row(known)
    assert held is not None
    assert (held["Title"], held["Email"]) == ("Engineer", "person1@example.com")


def test_stamps_that_become_visible_late_are_not_missed(world: World) -> None:
    """A commit may show with an older SystemModstamp; the overlap finds it all the same."""
    from datetime import timedelta

    world.drop([row(1)])
    world.run()
    world.org.visibility_delay = timedelta(seconds=120)
    world.org.edit(world.lead("person1@example.com")["Id"], {"Title": "late edit"})
    world.run()
    world.clock.advance(300)
    world.org.visibility_delay = timedelta(0)
    world.drop([row(1, title="from the file")])
    world.run()
    assert world.lead("person1@example.com")["Title"] == "late edit"
