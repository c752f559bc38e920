"""Hot records for worlds: what a push source leaves in the inbox, and the tasks that come of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from syncd.model import Lane, Page, Record
from tests.world import World

TASK = """\
task:
  subject: "New web lead: call back"
  due_in_days: 1
  priority: High
  description: {from: title}
  when: 'record.company != "Nobody Inc"'
"""


def with_owner(world: World, user: str = "rep1") -> World:
    """The assignment rule gives new leads to `user`."""
    world.org.assignment_rule = lambda org, lead: org.users[user]
    return world


def bring(world: World, rows: Iterable[Mapping[str, str]], lane: Lane = Lane.HOT, *, age: timedelta = timedelta(0)) -> None:
    """Have records wait in a lane, as a push source will."""
    world.clock.advance(60)
    at = world.clock.now()
    records = tuple(Record(one["email"], msgspec.json.encode(dict(one)), at - age) for one in rows)
    house = world.open()
    try:
        house.store.start_run(f"intake-{at:%H%M%S}", at, ["booth"])
        house.store.put_page(f"intake-{at:%H%M%S}", "booth", "rows", Page(records, {}, partition="hooks"), lane, at)
    finally:
        house.close()


def tasks(world: World) -> list[dict[str, Any]]:
    """Living tasks of the org."""
    return [one for one in world.org.rows("Task") if not one["IsDeleted"]]
