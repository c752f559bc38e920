"""`syncd report kpi` over whole passes, on both stores: what happened in the org is what is counted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from syncd.app.kpi import KpiReport
from syncd.errors import ConfigError
from tests.hot import tasks
from tests.integration.test_standards import PROGRAM, later, ready
from tests.world import MAPPING, World, row

OPEN, WORKING = "Open - Not Contacted", "Working - Contacted"
STANDARDS = (
    PROGRAM.replace("programs:\n", "time_zone: Europe/Berlin\nprograms:\n", 1)
    .replace("      Archived: {", "      Unqualified: {meaning: Not now., unqualified: true}\n      Archived: {")
    .replace("from: [Nurture, Archived], to:", "from: [Nurture, Unqualified, Archived], to:", 1)
    .replace('to: ["Open - Not Contacted", Nurture]}', 'to: ["Open - Not Contacted", Nurture, Unqualified]}')
    .replace("    from: [Nurture, Archived]\n", "    from: [Nurture, Unqualified, Archived]\n")
    + "recycle:\n  - {id: once_more, from: Unqualified, after_days: 20, to: Open - Not Contacted, overrides_rep: true}\n"
)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    made = ready(make_world(mapping=MAPPING, policy=STANDARDS))
    made.org.admin.add_status("Unqualified")
    return made


def kpi(world: World, since: str = "", until: str = "") -> KpiReport:
    with closing(world.open()) as house:
        return house.kpi(since, until)


def numbers(found: KpiReport, name: str) -> dict[Any, float | None]:
    (one,) = (measure for measure in found.measures if measure.meaning.name == name)
    assert one.is_told, one.note
    return {figure.labels[0] if len(figure.labels) == 1 else figure.labels: figure.value for figure in one.figures}


def lead(world: World, number: int) -> str:
    return str(world.lead(f"person{number}@example.com")["Id"])


def test_what_happened_to_leads_is_what_is_counted(world: World) -> None:
    """Six people: moved by a rule, called after an hour and given up, archived and revived, converted, and two left alone."""
    companies = {4: "Nobody Inc"}
    world.drop([row(n, title="Boss" if n == 1 else "", company=companies.get(n, "Acme")) for n in range(1, 7)])
    world.run()
    ids = {n: lead(world, n) for n in range(1, 7)}
    world.clock.advance(3600)
    world.org.edit(ids[2], {"Status": WORKING})
    world.clock.advance(3600)
    world.org.convert(ids[5])
    world.run()
    world.org.edit(ids[2], {"Status": "Unqualified"})
    later(world, 1.5)
    later(world, 4)
    world.drop([row(4, company="Nobody Inc", title="Head")])
    world.run()
    later(world, 20)
    later(world, 1)
    found = kpi(world)
    assert numbers(found, "standing") == {(OPEN, "booth"): 4, (WORKING, "booth"): 1}
    assert numbers(found, "arrived") == {"booth": 6}
    assert numbers(found, "entered") == {
        (OPEN, "booth"): 8,
        (WORKING, "booth"): 2,
        ("Unqualified", "booth"): 1,
        ("Archived", "booth"): 1,
        ("Closed - Converted", "booth"): 1,
    }
    assert (numbers(found, "converted"), numbers(found, "arrived_converted")) == ({"booth": 1}, {"booth": 16.7})
    assert numbers(found, "moved_on") == {
        (OPEN, "(still there)"): 4,
        (OPEN, WORKING): 2,
        (OPEN, "Archived"): 1,
        (OPEN, "Closed - Converted"): 1,
        (WORKING, "(still there)"): 1,
        (WORKING, "Unqualified"): 1,
        ("Unqualified", OPEN): 1,
        ("Archived", OPEN): 1,
        ("Closed - Converted", "(still there)"): 1,
    }
    assert numbers(found, "conversion_rate")[OPEN, WORKING] == 25
    assert numbers(found, "speed_leads") == {"(all)": 8, "booth": 8}
    assert numbers(found, "speed_contacted") == {"(all)": 2, "booth": 2}
    assert numbers(found, "speed_p50") == {"(all)": 60.0, "booth": 60.0}
    assert numbers(found, "speed_p95") == {"(all)": 120.0, "booth": 120.0}
    assert numbers(found, "sla_breaches") == {"first_call": 2}
    assert numbers(found, "unqualified") == {("Unqualified", "(a person)"): 1}
    assert numbers(found, "unqualified_went") == {("Unqualified", "recycle: once_more", OPEN): 1}
    assert numbers(found, "archived") == {"not_for_us": 1}
    assert numbers(found, "revived") == {"came_back": 1}
    assert found.time_zone == "Europe/Berlin"


def test_a_period_ends_before_its_last_day_in_the_time_zone_of_the_policy(world: World) -> None:
    """It begins when the day does in Berlin; what was before or is later does not count, and is not said to be nothing."""
    world.drop([row(2)])
    world.run()
    world.clock.advance(86_400)
    world.org.edit(lead(world, 2), {"Status": WORKING})
    world.run()
    later(world, 3)
    first, second = kpi(world, "2026-11-24", "2026-11-25"), kpi(world, "2026-11-25", "2026-11-26")
    assert str(first.until) == "2026-11-24 23:00:00+00:00"
    assert numbers(first, "entered") == {(OPEN, "booth"): 1}
    assert numbers(first, "moved_on") == {(OPEN, "(still there)"): 1}
    assert (numbers(first, "speed_contacted"), numbers(first, "speed_p50")) == (
        {"(all)": 0, "booth": 0},
        dict.fromkeys(("(all)", "booth")),
    )
    assert numbers(second, "entered") == {(WORKING, "booth"): 1}
    assert (numbers(second, "arrived"), numbers(second, "speed_leads")) == ({}, {})
    for since, until in (("2026-11-26", "2026-11-26"), ("2027-01-01", ""), ("x", ""), ("", "2026-02-30")):
        with pytest.raises(ConfigError):
            kpi(world, since, until)


def test_what_cannot_be_told_is_said_and_is_not_nothing(make_world: Callable[..., World]) -> None:
    """Without programs no change of status is noted; what was not noted from the beginning says so."""
    world = ready(make_world(mapping=MAPPING))
    world.org.admin.add_status("Unqualified")
    fresh = kpi(world)
    assert {one.is_told for one in fresh.measures} == {False}
    world.drop([row(2)])
    world.run()
    without = kpi(world)
    assert {one.meaning.name for one in without.measures if one.is_told} == {"standing"}
    assert all("no programs" in one.note for one in without.measures if not one.is_told)
    world.write("mappings/policy.yaml", STANDARDS)
    assert any("no pass has noted" in one.note for one in kpi(world).measures)
    later(world, 3)
    later(world, 1)
    noted = kpi(world, "2026-11-01")
    assert numbers(noted, "entered") == {}, "where a lead stood when it was first looked at is no entry"
    assert numbers(noted, "standing") == {(OPEN, "booth"): 1}
    assert all("noted since 2026-11-27" in one.note for one in noted.measures if one.meaning.group == "Funnel" and one.since)
    too_early = kpi(world, "2026-11-01", "2026-11-20")
    assert all("after the period" in one.note for one in too_early.measures if one.meaning.name != "standing")


def test_a_rule_that_only_watches_has_no_number(make_world: Callable[..., World]) -> None:
    watching = STANDARDS.replace("name: acme\n", "name: acme\nenforcement: observe\n")
    world = ready(make_world(mapping=MAPPING, policy=watching))
    world.org.admin.add_status("Unqualified")
    world.drop([row(2)])
    world.run()
    later(world, 2)
    found = kpi(world)
    for name, rule in (("sla_breaches", "first_call"), ("archived", "not_for_us"), ("revived", "came_back")):
        assert numbers(found, name) == {rule: None}
        assert any(f"only watch: {rule}" in one.note for one in found.measures if one.meaning.name == name)
    assert tasks(world) == []
