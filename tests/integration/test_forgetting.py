"""What people see of forgetting: it happens at the end of a pass, changes no plan, and whoever asks for what is gone is told so."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from syncd import events, log
from syncd.app.desk import forgotten_before, runs_of
from syncd.app.leads import show_lead
from syncd.app.status import status
from syncd.clock import FixedClock
from syncd.errors import ConfigError
from syncd.run.upkeep import prune
from tests.world import World, row

DAY_SECONDS = 86_400


def remembering(world: World, days: int | None) -> World:
    """The world with so many days of memory."""
    text = (world.folder / "syncd.yaml").read_text()
    value = "null" if days is None else str(days)
    world.write("syncd.yaml", text.replace(f'"{world.store_url}"}}', f'"{world.store_url}", retention_days: {value}}}'))
    return world


@pytest.fixture
def old(make_world: Callable[..., World]) -> tuple[World, list[str]]:
    """Two leads made and twice changed a hundred days ago, and one pass of today; with the ids of all runs."""
    world = make_world()
    runs = []
    for title in ("one", "two", "three"):
        world.drop([row(n, title=title) for n in range(2)])
        runs.append(world.run().run_id)
        world.clock.advance(3_600)
    world.clock.advance(100 * DAY_SECONDS)
    world.drop([row(3)])
    runs.append(world.run().run_id)
    return world, runs


def test_who_asks_for_what_is_forgotten_is_told_so(old: tuple[World, list[str]]) -> None:
    world, runs = old
    house = world.open()
    try:
        with pytest.raises(ConfigError, match="kept no longer"):
            runs_of(house.store, runs[1])
        found, operations = runs_of(house.store, runs[-1])
        assert (len(operations), forgotten_before(house.store, found)) == (1, None)
        card = show_lead(house.store, row(0)["email"])
        assert [one["fields"][0]["after"] for one in card.operations if one["kind"] == "update"] == ["three"]
        assert card.forgotten_before is not None
        totals = status(house.store, ["booth"])["sources"]["booth"]["totals"]
        assert totals["pulled"] == totals["applied"] == 7
    finally:
        house.close()


def test_half_an_undo_is_refused(make_world: Callable[..., World]) -> None:
    """A run that began before, and ended after, the instant up to which something is gone."""
    world = make_world()
    world.drop([row(1)])
    first = world.run().run_id
    world.clock.advance(5 * DAY_SECONDS)
    world.drop([row(2)])
    house = world.open()
    try:
        list(house.store.prune(world.clock.now() - timedelta(days=10), 500))
        assert house.undo(first, is_preview=True).plan.operations
        run = house.store.run(first)
        assert run is not None
        assert run.finished_at is not None
        house.store.start_run("long", world.clock.now() - timedelta(days=5), [])
        list(house.store.prune(world.clock.now() - timedelta(days=1), 500))
        long = house.store.run("long")
        assert long is not None
        assert forgotten_before(house.store, long) is not None
        with pytest.raises(ConfigError, match="cannot be undone"):
            house.undo("long", is_preview=True)
    finally:
        house.close()


def test_no_plan_changes_when_everything_old_is_forgotten(make_world: Callable[..., World]) -> None:
    """The org keeps titles in a form of its own, a rep has edited, a lead was refused: none of it is written again."""
    world = remembering(make_world(), None)
    for title in ("one", "two", "two  ", "three"):
        world.drop([row(n, title=title) for n in range(4)])
        world.run()
        world.clock.advance(DAY_SECONDS)
    world.org.edit(world.lead(row(1)["email"])["Id"], {"Title": "rep"}, user="rep1")
    world.org.delete(world.lead(row(2)["email"])["Id"], user="rep1")
    world.run()
    world.clock.advance(200 * DAY_SECONDS)
    house = world.open()
    try:
        before = house.store.person_views([one for one, _ in _people(house.store)])
        assert sum(house.store.prune(world.clock.now(), 100)) > 10
        assert house.store.person_views([one.person_id for one in before]) == before
    finally:
        house.close()
    world.drop([row(n, title="three") for n in range(4)])
    assert world.plan() == []


def _people(store: Any) -> list[tuple[str, Any]]:
    return [(view.person_id, document) for view, document in store.export_persons()]


def test_null_keeps_everything_and_less_than_a_day_is_refused(make_world: Callable[..., World]) -> None:
    world = remembering(make_world(), None)
    world.drop([row(1)])
    first = world.run().run_id
    world.clock.advance(1_000 * DAY_SECONDS)
    world.run()
    house = world.open()
    try:
        assert house.store.run(first) is not None
        assert house.store.pruned_before() is None
    finally:
        house.close()
    world = remembering(make_world(), 0)
    with pytest.raises(ConfigError, match="retention_days"):
        world.open()


class _Slow(FixedClock):
    """Every look at it takes a second."""

    def monotonic(self) -> float:
        self.advance(1)
        return super().monotonic()


def test_forgetting_ends_when_its_time_is_over_and_goes_on_later(make_world: Callable[..., World], capsys: Any) -> None:
    world = remembering(make_world(), None)
    for number in range(3):
        world.drop([row(number * 200 + n) for n in range(200)])
        world.run()
        world.clock.advance(3_600)
    house = world.open()
    clock = _Slow(world.clock.now() + timedelta(days=30))
    try:
        first = prune(house.store, clock, log.get_log(), retention_days=1, budget_seconds=1.5)
        assert 0 < first <= 600
        rest = 0
        while found := prune(house.store, clock, log.get_log(), retention_days=1, budget_seconds=100):
            rest += found
        assert rest > 0
        assert house.store.check() == []
        assert house.store.stats()["totals"]["booth"]["applied"] == 600
    finally:
        house.close()
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines() if events.STORE_PRUNED in line]
    assert [one["count"] for one in told] == [first, rest], "silence where nothing went"


def test_status_tells_who_is_paused_and_when_a_source_was_last_read(make_world: Callable[..., World]) -> None:
    world = make_world()
    house = world.open()
    try:
        now = world.clock.now()
        known = status(house.store, ["booth"])["sources"]["booth"]
        assert (known["paused"], known["last_success_at"], known["last_status"]) == (False, None, "")
        house.store.note_start("booth", "r", now)
        house.store.note_end("booth", "r", now + timedelta(minutes=1), "ok", succeeded=True)
        house.store.set_paused("booth", True, now)
        known = status(house.store, ["booth"])["sources"]["booth"]
        assert (known["paused"], known["last_success_at"], known["last_status"]) == (True, now, "ok")
    finally:
        house.close()
