"""A changed policy tried on a whole world: what it says is what the passes then do, and nothing is written. On both stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from syncd.app.simulate import Job, Written, simulate
from syncd.errors import ConfigError
from syncd.simulations import Simulated
from syncd.store import open_reader, tables
from tests.integration.test_standards import DAY, PROGRAM, later, ready
from tests.world import MAPPING, START, World, row

CHANGED = PROGRAM.replace("days_in_status >= 30", "days_in_status >= 5").replace("name: acme", "name: acme_new")


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Thirty leads: a third have a boss and were moved at once, some are nobody's, four have opted out."""
    made = ready(make_world(mapping=MAPPING, policy=PROGRAM))
    titles = ("Boss", "Clerk", "Clerk")
    companies = ("Acme", "Acme", "Acme", "Acme", "Nobody Inc")
    made.drop([row(n, title=titles[n % 3], company=companies[n % 5], optout="yes" if n < 4 else "") for n in range(30)])
    made.run()
    made.write("changed.yaml", CHANGED)
    return made


def simulated(world: World, since: str | None = None, name: str = "changed.yaml") -> Simulated:
    house = world.open()
    try:
        return house.simulate_policy(world.folder / name, since)
    finally:
        house.close()


def statuses(world: World) -> dict[str, str]:
    return {str(lead["Id"]): str(lead["Status"]) for lead in world.leads()}


def content(world: World) -> dict[str, list[Any]]:
    """Every row of every table."""
    house = world.open()
    url = house.settings.store_url
    house.close()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = {table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables.metadata.sorted_tables}
    engine.dispose()
    return found


def test_what_it_says_of_today_is_what_the_next_pass_does(world: World) -> None:
    """The moves, who is moved, and that the guard stops it: more than a fifth."""
    world.clock.advance(6 * DAY)
    found = simulated(world)
    assert found.tally.people == 30
    archived = {("Open - Not Contacted", "Archived"): 4}
    assert found.tally.moves == {("Working - Contacted", "Nurture"): 10, **archived}
    assert (found.tally.moves_anyway, found.tally.moved_people) == (archived, 14)
    assert found.tally.unsure == 0
    before = statuses(world)
    world.write("mappings/policy.yaml", CHANGED)
    world.run(force=True)
    after = statuses(world)
    moved = Counter((before[sf_id], after[sf_id]) for sf_id in before if before[sf_id] != after[sf_id])
    assert moved == found.tally.moves
    samples = {one.sf_id for one in found.tally.rules["cools_off"].samples}
    assert len(samples) == 5
    assert samples < {sf_id for sf_id in before if before[sf_id] != after[sf_id]}


def test_the_policy_in_force_beside_itself_differs_in_nothing(world: World) -> None:
    world.clock.advance(40 * DAY)
    world.write("same.yaml", PROGRAM)
    found = simulated(world, name="same.yaml").tally
    assert found.moves == found.moves_anyway != {}
    assert found.sums["moves"] == found.sums_anyway["moves"] == 14
    assert found.moves_lost == {}
    assert found.actions == found.actions_anyway


def test_nothing_is_written_and_nothing_is_asked_of_the_org(world: World) -> None:
    """Neither by a look at today nor by a replay, while the store is another's."""
    world.clock.advance(6 * DAY)
    engine = world.open()
    engine.store.acquire_lease("engine", "another")
    try:
        before, calls = content(world), world.org.api_calls
        simulated(world)
        simulated(world, "2026-11-20")
        assert content(world) == before
        assert world.org.api_calls == calls
    finally:
        engine.close()


def test_a_replay_moves_on_the_day_and_leaves_out_what_syncd_did(world: World) -> None:
    """A lead whose fields nobody has touched since: it is known from its first day on. One that syncd moved is not."""
    later(world, 10)
    found = simulated(world, "2026-11-01").tally
    assert found.people == 30
    assert found.real_moves == {("Open - Not Contacted", "Working - Contacted"): 10, ("Open - Not Contacted", "Archived"): 4}
    assert found.moves["Open - Not Contacted", "Working - Contacted"] == 10
    assert found.unknown["lead.Company"] > 0
    assert set(found.days) >= {("2026-11-24", "rules")}


def test_two_processes_count_what_one_counts(world: World) -> None:
    world.clock.advance(6 * DAY)
    house = world.open()
    url = house.settings.store_url
    house.close()
    written = (Written("a.yaml", CHANGED, {"booth": "csv_drop"}), Written("b.yaml", PROGRAM, {"booth": "csv_drop"}))
    for since in (None, START.date()):
        job = Job(partial(open_reader, url), *written, since, world.clock.now(), frozenset(), frozenset(), {"booth": None})
        steps: list[int] = []
        alone, together = simulate(job), simulate(job, steps.append, alone=0)
        assert together == alone
        assert sum(steps) == alone.people == 30
        assert len(steps) > 2


def test_fields_that_the_mirror_lacks_are_named_and_unknown(world: World) -> None:
    world.clock.advance(6 * DAY)
    text = CHANGED.replace('lead.Title == "Boss"', 'lead.Title == "Boss" or lead.Rating == "Hot" or account.Industry == "Steel"')
    world.write("changed.yaml", text)
    found = simulated(world)
    assert found.unmirrored == ("Account", "Lead.Rating", "Contact.Rating")
    assert found.tally.unknown == {"lead.Rating": 30, "account.Industry": 30}
    # Of the score only this rule asks, and only of who is in its status.
    assert set(found.tally.rules) >= {"leads_with_a_boss"}
    assert found.tally.rules["leads_with_a_boss"].unsure == found.tally.unsure == 20


def test_marks_on_leads_and_contacts_are_simulated(world: World) -> None:
    world.clock.advance(6 * DAY)
    flag = "do: [{flag: {field: Syncd_Archived__c, value: 'true'}}]"
    nurture = f'nurture:\n  - {{id: welcome, from: "Open - Not Contacted", {flag}}}\n'
    world.write("changed.yaml", CHANGED + nurture)
    found = simulated(world)
    assert found.tally.actions["flag"] == 16, "of twenty four are archived instead"
    of_contacts = f"  - {{id: known, target: contact, when: person.is_contact, {flag}}}\n"
    world.write("changed.yaml", CHANGED + nurture + of_contacts)
    found = simulated(world)
    assert (found.tally.actions["flag"], [one for one in found.findings if one.subject == "known"]) == (16, [])


def test_a_file_in_another_encoding_says_which_one_is_wanted(world: World) -> None:
    Path(world.folder / "changed.yaml").write_bytes(CHANGED.encode("utf-16"))
    with pytest.raises(ConfigError, match="cannot be read") as refused:
        simulated(world)
    assert "UTF-8" in str(refused.value.problems[0].advice)


@pytest.mark.parametrize(
    ("text", "since", "told"),
    [
        (CHANGED.replace("days_in_status", "days_in_statsu"), None, r"changed\.yaml:28:69: There is no variable"),
        (
            CHANGED + "tests:\n  - {name: x, given: {status: Nurture}, expect: {status: Archived}}\n",
            None,
            r"changed\.yaml:54:1: The test",
        ),
        (None, None, "cannot be read"),
        (CHANGED, "yesterday", '--since "yesterday" is no day'),
        (CHANGED, "2026-12-24", "has not come yet"),
    ],
)
def test_bad_input_is_refused(world: World, text: str | None, since: str | None, told: str) -> None:
    if text is None:
        Path(world.folder / "changed.yaml").unlink()
    else:
        world.write("changed.yaml", text)
    with pytest.raises(ConfigError, match=told):
        simulated(world, since)
