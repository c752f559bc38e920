"""Deletions after retention under deaths: at every point of the pass that deletes and of the command that exports, and once more in the recovery.

None is deleted without an export that holds it as it is, none twice, none without its line in the ledger.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.machine import Death, Reaper, deaths, run_to_the_end
from tests.integration.test_retention import card, deleted, due, export, policy, ready
from tests.stores import store_url_for
from tests.world import MAPPING, World, row

NAMES = (1, 2, 3)


def prepared(folder: Path, engine: str, seed: int = 1) -> World:
    """Three leads that are due, of which a rep has taken one up since the export, and somebody new."""
    folder.mkdir()
    world = ready(World(folder, store_url=store_url_for(engine, folder), seed=seed, mapping=MAPPING, policy=policy()))
    due(world, *NAMES)
    return world


def exported(world: World) -> World:
    """All of them are in an export; then a rep edits the third."""
    assert export(world).count == len(NAMES)
    world.org.edit(world.lead("person3@example.com")["Id"], {"Industry": "Retail"}, user="rep2")
    world.drop([row(4)])
    return world


def finish(world: World, names: tuple[int, ...] = (1, 2)) -> None:
    """Passes until nothing moves; then what must be true."""
    for _ in range(3):
        world.run()
        world.clock.advance(60)
    gone = Counter(deleted(world))
    assert set(gone.values()) <= {1}, "deleted twice"
    files = [one.read_text(encoding="utf-8") for one in world.folder.glob("*.jsonl")]
    held = {line["sf_id"]: line["fields"] for text in files for line in map(json.loads, text.splitlines())}
    for sf_id in gone:
        assert held[sf_id]["Title"] == "Nobody", "deleted without an export"
    wanted = [f"person{number}@example.com" for number in names]
    rows = {str(one["Email"]): one for one in world.org.rows("Lead")}
    assert sorted(rows[mail]["Id"] for mail in wanted) == sorted(gone), "the wrong ones, or not all, were deleted"
    for mail in wanted:
        done = [one for one in card(world, mail).operations if one["kind"] == "expire" and one["state"] == "done"]
        assert len(done) == 1, "deleted without its line in the ledger"
    oracle.check(world, {str(one["Email"]) for one in world.leads()})


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int]]:
    """The points of the pass that deletes, from the first plan on: what comes before is tried elsewhere."""
    world = exported(prepared(tmp_path_factory.mktemp("points") / "w", "sqlite"))
    reaper = Reaper()
    world.run(wrap=reaper.wrap)
    assert reaper.passed["after:org.delete"] == 1
    found = {point for point in reaper.passed if point.partition(":")[2] not in _ELSEWHERE}
    return sorted({(point, number) for point in found for number in {1, reaper.passed[point]}})


_ELSEWHERE = (
    "store.acquire_lease", "store.put_setting", "store.start_run", "store.put_page", "store.close_page_letters", "store.note_start",
    "store.prune", "store.bind_org", "store.commit_resolved", "org.create", "org.schema", "org.changes", "store.set_mirror_cursor",
)  # fmt: skip
"""Points that no deletion has to do with."""


@pytest.mark.timeout(900)
def test_a_death_at_every_point_deletes_nobody_twice_or_without_an_export(
    points: list[tuple[str, int]], engine: str, tmp_path: Path
) -> None:
    """The points around the deletion are among them."""
    assert {("before:org.delete", 1), ("after:org.delete", 1), ("after:store.mark_exported", 1)} <= set(points)
    for index, point, again in deaths(points, engine):
        world = exported(prepared(tmp_path / f"w{index}", engine, seed=index))
        run_to_the_end(world, point, again)
        finish(world)


@pytest.mark.parametrize(
    "point", ["before:org.retrieve", "after:org.retrieve", "before:store.put_export", "after:store.put_export"]
)
def test_a_death_of_the_command_leaves_an_export_that_counts_or_none(point: str, engine: str, tmp_path: Path) -> None:
    """It is asked for again under another name, and only what the store knows of deletes anybody."""
    world = prepared(tmp_path / "w", engine)
    reaper = Reaper((point, 1))
    house = world.open(reaper.wrap)
    with pytest.raises(Death):
        house.export_for_deletion(world.folder / "export.jsonl")
    house.close()
    is_known = point == "after:store.put_export"
    assert world.run().operations.get("deleted", 0) == (len(NAMES) if is_known else 0)
    if not is_known:
        assert export(world, "again.jsonl").count == len(NAMES)
    finish(world, NAMES)
