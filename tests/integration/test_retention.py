"""Deletion after retention on both stores, by whole passes: never without a verified export, once, and nobody comes back by the same records."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.app.exports import MANIFEST, Exported
from syncd.app.leads import show_lead
from syncd.errors import ConfigError
from syncd.model import OperationKind, OperationState, RunStatus
from tests.hot import with_owner
from tests.integration.test_delivery import wrote
from tests.world import MAPPING, World, row

DAY = 86_400

POLICY = """\
version: 1
name: acme
fields: {hold_until: Syncd_Hold_Until__c}
programs:
  inbound:
    statuses:
      "Open - Not Contacted": {meaning: Arrived., next_action: Call them., entry: true}
      Archived: {meaning: Not for us., terminal: true}
    transitions:
      - {from: "Open - Not Contacted", to: Archived}
      - {from: Archived, to: "Open - Not Contacted"}
revive:
  - {id: came_back, from: Archived, on: [CHANNEL], to: "Open - Not Contacted", overrides_rep: true, reason: Back.}
archive:
  - id: outside
    from: "Open - Not Contacted"
    when: 'lead.Title == "Nobody"'
    means: {status: Archived}
    reason: Outside.
    DELETE
"""


def policy(delete: str = "delete: {after_days: 90}", channel: str = "event") -> str:
    return POLICY.replace("DELETE", delete).replace("CHANNEL", channel)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world in which leads titled Nobody are archived, and deleted 90 days later."""
    return ready(make_world(mapping=MAPPING, policy=policy()))


def ready(world: World) -> World:
    world.org.admin.add_status("Archived")
    return with_owner(world)


def archived(world: World, *numbers: int, **changes: str) -> list[dict[str, Any]]:
    """Leads that a pass has put away."""
    world.drop([row(number, title="Nobody", **changes) for number in numbers or (1,)])
    world.run()
    found = world.leads(Status="Archived")
    assert len(found) == len(numbers or (1,))
    return found


def export(world: World, name: str = "export.jsonl") -> Exported:
    """What the command writes, in a process of its own."""
    house = world.open()
    try:
        return house.export_for_deletion(world.folder / name)
    finally:
        house.close()


def card(world: World, text: str = "person1@example.com") -> Any:
    house = world.open()
    try:
        return show_lead(house.store, text)
    finally:
        house.close()


def deleted(world: World) -> list[str]:
    """Ids that the integration user has deleted, as often as it did."""
    return [one.sf_id for one in world.org.audit if one.action == "delete" and one.user == world.org.integration_user_id]


def lines(found: Exported) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(found.file).read_text(encoding="utf-8").splitlines()]


def test_without_an_export_nothing_is_deleted_and_the_notice_says_what_to_do(world: World) -> None:
    archived(world)
    world.clock.advance(90 * DAY)
    summary = world.run()
    assert (summary.status, summary.notes["needs_export"], wrote(summary)) == (RunStatus.OK, 1, 0)
    assert card(world).notes["delete"] == "needs_export"
    assert world.run().notes["needs_export"] == 1, "the notice stays while somebody waits"
    assert deleted(world) == []


def test_what_is_due_and_exported_is_deleted_once_and_explained(world: World) -> None:
    (lead,) = archived(world)
    world.drop([row(2)])
    world.run()
    world.clock.advance(90 * DAY)
    world.run()
    found = export(world)
    assert (found.count, found.left_out) == (1, 0)
    summary = world.run()
    assert (summary.status, summary.operations["deleted"], "needs_export" in summary.notes) == (RunStatus.OK, 1, False)
    assert deleted(world) == [lead["Id"]]
    assert [one["Email"] for one in world.leads()] == ["person2@example.com"]
    told = card(world)
    (operation,) = [one for one in told.operations if one["kind"] == "expire"]
    assert operation["state"] == "done"
    said = {one["field"]: (one["after"], one["because"]["rule"].rpartition(" ")[2]) for one in operation["fields"]}
    assert said == {"IsDeleted": (True, "outside_delete"), "export": (found.export_id, "outside_delete")}
    for _ in range(4):
        world.clock.advance(DAY)
        assert wrote(world.run()) == 0
    assert len(deleted(world)) == 1
