"""`check --live` of a policy against a whole org: lead processes, conversions, opportunities, and who gets what is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.errors import ConfigError
from tests.integration.test_standards import PROGRAM, ready
from tests.world import MAPPING, World

CONVERTS = """\
convert:
  - {id: ready, from: "Working - Contacted", when: qualified, status: Closed - Converted, owner: "queue:Closers", opportunity: big, enforcement: observe}
opportunity:
  - {id: big, when: score >= 20, name: lead.Company, stage: Prospecting, close_in_days: 30, enforcement: observe}
"""
POLICY = (
    PROGRAM.replace("    statuses:", "    record_type: Inbound\n    statuses:", 1)
    .replace("      Archived: {", '      "Closed - Converted": {meaning: Sold., terminal: true}\n      Archived: {', 1)
    .replace("      - {from: any,", '      - {from: "Working - Contacted", to: "Closed - Converted"}\n      - {from: any,', 1)
    .replace("  scoring:", "  qualified: criteria.fit\n  scoring:", 1)
) + CONVERTS
LIVE = ("Open - Not Contacted", "Working - Contacted", "Nurture", "Archived")


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """An org that has all that the policy asks for; leads of its record type are converted from their own process."""
    made = ready(make_world(mapping=MAPPING, policy=POLICY))
    inbound = made.org.admin.add_record_type("Lead", "Inbound", process=(*LIVE, "Closed - Converted"))
    made.org.admin.allow_record_type(inbound, is_default=True)
    closers = made.org.add_queue("Closers")
    made.org.admin.set_members(closers, ["rep1", "gone"])
    return made


def problems(world: World) -> list[tuple[str, str]]:
    house = world.open()
    try:
        found = house.check(live=True)
        told = house.check_policy(live=True)[1]
    finally:
        house.close()
    wrong = [(one["severity"], one["subject"]) for one in found if one["severity"] != "ok"]
    # The command about the policy alone says the same of the policy.
    mine = [(one["severity"], one["subject"]) for one in told]
    assert [one for one in mine if not one[1].startswith("policy line")] == [one for one in wrong if one in mine]
    return [one for one in wrong if one[1] != "Lead.LeadSource"]  # the stock picklist has no trade show


def test_an_org_that_fits_has_no_problems_and_converted_statuses_are_none(world: World) -> None:
    assert problems(world) == []


def test_a_status_that_the_lead_process_lost_is_an_error_that_names_it(world: World) -> None:
    (sf_id,) = [row["Id"] for row in world.org.rows("RecordType")]
    world.org.admin.set_process(sf_id, [one for one in (*LIVE, "Closed - Converted") if one != "Nurture"])
    assert problems(world) == [("error", "record type Inbound")]


def test_new_leads_of_another_record_type_than_the_programs_are_a_warning(world: World) -> None:
    """They get the default of the integration user; conversions look at that one, too."""
    other = world.org.admin.add_record_type("Lead", "Partners", process=LIVE)
    (inbound, _) = sorted(row["Id"] for row in world.org.rows("RecordType"))
    world.org.admin.allow_record_type(inbound)
    assert problems(world) == [("warning", "new leads")]
    world.org.admin.allow_record_type(other, is_default=True)
    assert problems(world) == [("warning", "new leads"), ("warning", "Lead.Status")]


def test_a_record_type_that_is_gone_or_closed_is_told(world: World) -> None:
    (sf_id,) = [row["Id"] for row in world.org.rows("RecordType")]
    world.org.admin.allow_record_type(sf_id, is_allowed=False, is_default=True)
    assert problems(world) == [("warning", "record type Inbound")]


def test_a_right_that_only_watched_rules_would_need_is_a_warning(world: World) -> None:
    world.org.admin.allow_converting(is_allowed=False)
    assert problems(world) == [("warning", "Convert Leads")]


def test_a_right_that_enforced_rules_need_is_an_error(world: World) -> None:
    world.org.admin.allow_converting(is_allowed=False)
    world.write("mappings/policy.yaml", POLICY.replace(", enforcement: observe", ""))
    assert problems(world) == [("error", "Convert Leads")]


def test_a_queue_without_an_active_member_can_own_nothing(world: World) -> None:
    world.org.admin.set_user_active("rep1", is_active=False)
    assert problems(world) == [("warning", "queue Closers")]


def test_an_opportunity_without_its_external_id_is_told(world: World) -> None:
    del world.org.objects["Opportunity"].fields["Syncd_Id__c"]
    assert problems(world) == [("warning", "Opportunity.Syncd_Id__c")]


def test_an_owner_of_a_rule_that_the_org_does_not_have_is_an_error(world: World) -> None:
    world.write("mappings/policy.yaml", POLICY.replace("queue:Archive", "queue:Attic"))
    house = world.open()
    try:
        wrong = [one["subject"] for one in house.check(live=True) if one["severity"] == "error"]
    finally:
        house.close()
    assert wrong == ["queue Attic"]


def test_a_stage_that_is_offered_no_longer_refuses_the_policy_with_its_line(world: World) -> None:
    world.org.admin.set_stage_active("Prospecting", is_active=False)
    house = world.open()
    try:
        with pytest.raises(ConfigError, match="Prospecting") as refused:
            house.check_policy(live=True)
    finally:
        house.close()
    assert refused.value.problems[0].line == POLICY.splitlines().index(CONVERTS.splitlines()[-1]) + 1
