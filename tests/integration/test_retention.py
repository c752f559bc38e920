"""Deletion after retention on both stores, by whole passes: never without a verified export, once, and nobody comes back by the same records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.app.exports import MANIFEST, Exported
from syncd.app.leads import show_lead
from syncd.errors import ConfigError
from syncd.model import OperationKind, OperationState, RunStatus
from syncd.plan import GUARD_FLOOR
from syncd.sandbox import Kind
from syncd.sandbox.schema import Field
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
    world.run(force=len(numbers) >= GUARD_FLOOR)
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


def due(world: World, *numbers: int, **changes: str) -> list[dict[str, Any]]:
    """Archived leads whose time has come, as a pass has seen them."""
    found = archived(world, *numbers, **changes)
    world.clock.advance(90 * DAY)
    world.run()
    return found


def why(world: World, text: str = "person1@example.com", rule: str = "outside_delete") -> str:
    """Why the rule does nothing, by `policy explain`."""
    house = world.open()
    try:
        return next(one.blocked or one.outcome for one in house.explain_policy(text).rules if one.rule_id == rule)
    finally:
        house.close()


def test_the_export_holds_exactly_what_is_due_with_every_field(world: World) -> None:
    lead, _ = archived(world, 1, 2)
    world.drop([row(3, title="Somebody")])
    world.org.edit(world.lead("person2@example.com")["Id"], {"Industry": "Retail"})
    world.clock.advance(90 * DAY)
    world.run()
    found = export(world)
    (only,) = lines(found)
    assert (only["sf_id"], only["rule"], found.left_out) == (lead["Id"], "outside_delete", 0)
    described = world.org.objects["Lead"].describe()["fields"]
    assert set(only["fields"]) == {one["name"] for one in described if one["type"] not in ("address", "location")}
    assert (only["fields"]["Title"], only["fields"]["Company"]) == ("Nobody", "Company 1")
    manifest = json.loads(Path(found.file + MANIFEST).read_text(encoding="utf-8"))
    assert (manifest["count"], manifest["sha256"], manifest["org_id"]) == (1, found.sha256, world.org.org_id)
    assert hashlib.sha256(Path(found.file).read_bytes()).hexdigest() == found.sha256
    assert {Path(one).stat().st_mode & 0o777 for one in (found.file, found.manifest)} == {0o600}
    assert sorted(one.name for one in world.folder.iterdir() if "export" in one.name) == [
        "export.jsonl",
        "export.jsonl" + MANIFEST,
    ]


def test_an_export_is_never_overwritten_and_none_is_made_of_nothing(world: World) -> None:
    archived(world)
    assert (export(world).count, (world.folder / "export.jsonl").exists()) == (0, False)
    world.clock.advance(90 * DAY)
    world.run()
    assert export(world).count == 1
    with pytest.raises(ConfigError, match="is there already"):
        export(world)
    with pytest.raises(ConfigError, match="cannot be written"):
        export(world, "no/such/folder.jsonl")


def test_a_policy_that_deletes_nothing_has_nothing_to_export(make_world: Callable[..., World]) -> None:
    world = ready(make_world(mapping=MAPPING, policy=policy("")))
    due(world)
    with pytest.raises(ConfigError, match="deletes no leads"):
        export(world)
    assert (deleted(world), "needs_export" in world.run().notes) == ([], False)


def test_a_rule_that_only_watches_says_so_and_deletes_nothing(make_world: Callable[..., World]) -> None:
    world = ready(make_world(mapping=MAPPING, policy=policy("delete: {after_days: 90, enforcement: observe}")))
    due(world)
    assert card(world).notes["observed:outside_delete"] == "would:outside_delete"
    assert [one.outcome for one in card(world).decided if one.rule_id == "outside_delete"] == ["observed"]
    with pytest.raises(ConfigError, match="deletes no leads"):
        export(world)
    assert deleted(world) == []


def closed(world: World, sf_id: str) -> None:
    """A rep makes a task and ends it."""
    task = world.org.create("Task", {"Subject": "x", "WhoId": sf_id}, user="rep2")
    world.org.as_user("rep2").complete_task(task)


CHANGES: dict[str, tuple[Callable[[World, str], object], str]] = {
    "edited": (lambda world, sf_id: world.org.edit(sf_id, {"Industry": "Retail"}, user="rep2"), "rep_edit"),
    "taken up": (lambda world, sf_id: world.org.edit(sf_id, {"Status": "Open - Not Contacted"}, user="rep2"), ""),
    "held": (lambda world, sf_id: world.org.as_user("rep1").hold(sf_id, world.clock.now().date()), "held"),
    "a task": (lambda world, sf_id: world.org.create("Task", {"Subject": "x", "WhoId": sf_id}, user="rep2"), "open_work"),
    "an event": (
        lambda world, sf_id: world.org.as_user("rep2").schedule_event(
            sf_id, "Call", starts_at=world.clock.now() + timedelta(days=2)
        ),
        "open_work",
    ),
    "a task that is over": (closed, "waiting"),
    "converted": (lambda world, sf_id: world.org.convert(sf_id, user="rep2"), "no_target"),
    "nothing": (lambda world, sf_id: None, ""),
}
"""What people do to a lead that is due, and why it is not deleted then; "" where that is no matter of this rule."""


def change_all(world: World, leads: list[dict[str, Any]]) -> None:
    for (act, _), lead in zip(CHANGES.values(), leads, strict=True):
        act(world, lead["Id"])


def check_spared(world: World, leads: list[dict[str, Any]]) -> None:
    """Only the lead to which nobody did anything is deleted, and the others say why they are not."""
    for _ in range(3):
        world.run()
        world.clock.advance(60)
    by_change = dict(zip(CHANGES, leads, strict=True))
    assert deleted(world) == [by_change["nothing"]["Id"]]
    said = {change: why(world, str(by_change[change]["Email"])) for change, (_, word) in CHANGES.items() if word}
    assert said == {change: word for change, (_, word) in CHANGES.items() if word}


def test_what_happens_between_export_and_deletion_stops_it(world: World) -> None:
    """Everything that forbids archiving forbids deleting, and so does every sign of life."""
    leads = due(world, *range(1, len(CHANGES) + 1))
    assert export(world).count == len(CHANGES)
    change_all(world, leads)
    check_spared(world, leads)


def test_what_happens_while_the_guard_counts_stops_it(world: World) -> None:
    """The deletions are planned and held already: the last look sees it all the same."""
    leads = due(world, *range(1, len(CHANGES) + 1))
    export(world)
    held: list[int] = []

    class Meddling:
        """The store, with people at work in the org as soon as the deletions are counted."""

        def __init__(self, port: Any) -> None:
            self._port = port

        def __getattr__(self, name: str) -> Any:
            if name == "held_persons" and not held and (waiting := self._port.operations((OperationState.HELD,), 100)):
                held.append(len(waiting))
                change_all(world, leads)
            return getattr(self._port, name)

    world.run(wrap=lambda port, name: Meddling(port) if name == "store" else port)
    assert held == [len(CHANGES)]
    check_spared(world, leads)


def test_a_new_touch_stops_it(world: World) -> None:
    """Here it even revives."""
    due(world)
    export(world)
    world.drop([row(1, title="Somebody")])
    world.run()
    assert (deleted(world), world.lead("person1@example.com")["Status"]) == ([], "Open - Not Contacted")


def test_a_persons_edit_is_not_hidden_by_our_own_write(make_world: Callable[..., World]) -> None:
    """A consent write of ours makes us the last modifier; the rep's edit before it still counts."""
    world = ready(make_world(mapping=MAPPING, policy=policy(channel="form")))
    (lead,) = archived(world)
    world.clock.advance(DAY)
    world.org.edit(lead["Id"], {"Industry": "Retail"}, user="rep2")
    world.drop([row(1, title="Nobody", optout="yes")])
    world.run()
    assert (world.org.row(lead["Id"]) or {})["LastModifiedById"] == world.org.integration_user_id
    world.clock.advance(400 * DAY)
    world.run()
    assert (why(world), export(world).count) == ("rep_edit", 0)


def test_what_the_org_itself_changed_since_needs_a_new_export(world: World) -> None:
    (lead,) = due(world)
    export(world)
    world.org.note("Lead", lead["Id"], {"Industry": "Energy"})
    summary = world.run()
    assert (deleted(world), card(world).notes["delete"], summary.notes["needs_export"]) == ([], "export_outdated", 1)
    assert export(world, "again.jsonl").count == 1
    assert world.run().operations["deleted"] == 1


def test_a_field_that_was_added_since_needs_a_new_export(world: World) -> None:
    """The stamp is the same, what is in the lead is not."""
    due(world)
    export(world)
    world.org.add_field("Lead", Field("Added__c", length=20))
    summary = world.run()
    assert (deleted(world), card(world).notes["delete"], summary.notes["needs_export"]) == ([], "needs_export", 1)
    export(world, "again.jsonl")
    assert world.run().operations["deleted"] == 1


def test_a_lead_that_changed_since_the_last_pass_is_left_out_of_the_export(world: World) -> None:
    lead, _ = due(world, 1, 2)
    world.org.note("Lead", lead["Id"], {"Industry": "Energy"})
    found = export(world)
    assert ([one["sf_id"] == lead["Id"] for one in lines(found)], found.left_out) == ([False], 1)


@pytest.mark.parametrize("by", ["rep", "another rule", "a policy of before"])
def test_what_this_rule_did_not_archive_it_does_not_delete(world: World, by: str) -> None:
    if by == "rep":
        world.drop([row(1)])
        world.run()
        world.org.edit(world.lead("person1@example.com")["Id"], {"Status": "Archived"})
    else:
        (lead,) = archived(world)
        renamed = policy().replace("id: outside", "id: other")
        more = policy() + '  - {id: other, from: "Open - Not Contacted", inactive_days: 5, means: {status: Archived}}\n'
        world.write("mappings/policy.yaml", renamed if by == "a policy of before" else more)
        if by == "another rule":
            world.org.edit(lead["Id"], {"Title": "Somebody", "Status": "Open - Not Contacted"}, user="rep1")
            world.clock.advance(20 * DAY)
            world.run()
            world.org.edit(lead["Id"], {"Title": "Nobody"}, user="rep1")
    world.clock.advance(400 * DAY)
    world.run()
    house = world.open()
    rules = {one.rule_id: one.blocked for one in house.explain_policy("person1@example.com").rules}
    house.close()
    assert {word for name, word in rules.items() if name.endswith("_delete")} == {"status"}
    assert export(world).count == 0


@pytest.mark.parametrize("kind", [Kind.CUT_AFTER, Kind.CUT_BEFORE, Kind.HTML, Kind.LATE, "late by far"])
def test_a_lost_answer_deletes_nothing_twice_and_is_not_taken_for_a_persons_deletion(world: World, kind: Kind | str) -> None:
    (lead,) = due(world)
    export(world)
    seconds = 60 if kind == "late by far" else 3
    world.org.faults.add(Kind.LATE if kind == "late by far" else kind, "composite/sobjects$", method="DELETE", seconds=seconds)
    world.run()
    assert world.org.faults.hits
    for _ in range(4):
        world.clock.advance(120)
        world.org.settle()
        world.run()
    assert deleted(world) == [lead["Id"]]
    world.drop([row(1, title="Boss", company="New Co")])
    world.run()
    assert world.lead("person1@example.com")["Company"] == "New Co", "intent after our own deletion brings a new lead"


def test_a_lead_that_somebody_deleted_meanwhile_is_theirs(world: World) -> None:
    (lead,) = due(world)
    export(world)
    world.org.delete(lead["Id"], user="rep2")
    for _ in range(2):
        world.run()
    assert deleted(world) == []
    world.drop([row(1, title="Boss")])
    world.run()
    assert (world.leads(), card(world).notes["create"]) == ([], "deleted_by_person")


def test_the_guard_stops_too_many_and_force_lets_them_go(world: World) -> None:
    due(world, *range(1, 26))
    assert export(world).count == 25
    stopped = world.run()
    assert (stopped.status, stopped.exit_code, deleted(world)) == (RunStatus.STOPPED, 4, [])
    assert world.run().status is RunStatus.STOPPED, "it waits for a person"
    done = world.run(force=True)
    assert (done.operations["deleted"], len(set(deleted(world))), len(deleted(world))) == (25, 25, 25)


def test_a_plan_shows_the_deletion_and_an_undo_says_where_the_lead_is(world: World) -> None:
    (lead,) = due(world)
    export(world)
    assert [(one.kind, one.sf_id) for one in world.plan()] == [(OperationKind.EXPIRE, lead["Id"])]
    assert deleted(world) == []
    run_id = world.run().run_id
    house = world.open()
    try:
        undoing = house.undo(run_id)
        assert [one.reason for one in undoing.plan.kept] == ["in_recycle_bin_15_days"]
        assert undoing.carry_out() == {}
    finally:
        house.close()


def test_what_a_person_took_out_of_the_recycle_bin_stays(world: World) -> None:
    (lead,) = due(world)
    export(world)
    world.run()
    world.org.undelete(lead["Id"], user="rep2")
    world.run()
    world.clock.advance(400 * DAY)
    world.run()
    assert (export(world, "again.jsonl").count, len(world.leads())) == (0, 1)


def test_the_same_records_and_a_profile_change_do_not_bring_the_lead_back(make_world: Callable[..., World]) -> None:
    """Only what a rule of section revive listens to does, here a channel that no record has."""
    world = ready(make_world(mapping=MAPPING, policy=policy(channel="form")))
    due(world)
    export(world)
    world.run()
    world.drop([row(1, title="Nobody")])
    world.run()
    world.drop([row(1, title="Boss", company="New Co")])
    assert (wrote(world.run()), world.leads(), card(world).notes["create"]) == (0, [], "deleted_after_retention")


def test_new_intent_brings_a_new_lead_for_a_rep_and_an_opt_out_stays_known(world: World) -> None:
    """Also an opt-out that only the deleted lead knew of."""
    (lead,) = archived(world)
    world.org.note("Lead", lead["Id"], {"HasOptedOutOfEmail": True})
    world.run()
    world.clock.advance(90 * DAY)
    world.run()
    export(world)
    world.run()
    assert world.leads() == []
    runs = dict(world.org.assignment_runs)
    world.drop([row(1, title="Boss")])
    summary = world.run()
    assert summary.operations["created"] == 1
    new = world.lead("person1@example.com")
    assert (new["Id"] != lead["Id"], new["HasOptedOutOfEmail"], new["Status"]) == (True, True, "Open - Not Contacted")
    assert new["OwnerId"] == world.org.users["rep1"]
    assert sum(world.org.assignment_runs.values()) == sum(runs.values()) + 1
    assert new["Syncd_Id__c"] == lead["Syncd_Id__c"]


def test_without_the_right_to_delete_nothing_is_tried(world: World) -> None:
    world.org.objects["Lead"].is_deletable = False
    due(world)
    assert (card(world).notes["delete"], world.run().notes) == ("may_not_delete", {"may_not_delete": 1})
    with pytest.raises(ConfigError, match="may not delete"):
        export(world)
    assert deleted(world) == []


def test_a_right_that_is_taken_away_stops_nothing_else(world: World) -> None:
    """The describe of an hour ago still says that it may: the refusal is set aside, everybody else is written."""
    due(world)
    export(world)
    world.drop([row(2)])
    house = world.open()
    house.salesforce.schema()
    world.org.objects["Lead"].is_deletable = False
    try:
        summary, _ = house.run([])
    finally:
        house.close()
    assert (summary.status, summary.operations["created"], summary.operations.get("deleted", 0)) == (RunStatus.PARTIAL, 1, 0)
    assert any("delete some leads" in one for one in summary.missed)


def test_an_undo_of_anything_on_the_lead_holds_it(world: World) -> None:
    """Who took something back wants to look at it."""
    world.drop([row(1)])
    world.run()
    world.drop([row(1, title="Nobody", phone="+1 415 555 0199")])
    changed = world.run()
    house = world.open()
    house.undo(changed.run_id).carry_out()
    house.close()
    for _ in range(3):
        world.clock.advance(100 * DAY)
        last = world.run()
    assert (export(world).count, deleted(world), "needs_export" in last.notes) == (0, [], False)


def test_the_report_counts_what_was_deleted(world: World) -> None:
    due(world)
    export(world)
    world.run()
    world.clock.advance(60)
    house = world.open()
    try:
        (found,) = [one for one in house.kpi("", "").measures if one.meaning.name == "deleted"]
    finally:
        house.close()
    assert {one.labels: one.value for one in found.figures} == {("outside_delete",): 1}
