"""An export to Xactly dies at every point, and its recovery too: each row is loaded once, by a consumer who takes files at any moment."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncd.app.xactly import deliver, export_again, finish
from syncd.clock import FixedClock
from syncd.delivery import FolderDrop
from syncd.errors import DeliveryError
from syncd.ports import XactlyBatch, XactlyRow
from syncd.store import SqlStore, open_store
from tests.crash.machine import Death, Reaper, deaths, points_of, run_to_the_end
from tests.world import START, World
from tests.xactly import TEMPLATE, Payroll

SMALL = TEMPLATE + "batch: {max_rows: 2}\n"


class Exporting(Payroll):
    """A company whose passes are exports."""

    def run(self, *names: str, force: bool = False, wrap: Callable[[Any, str], Any] | None = None) -> Any:
        """One export by a fresh process."""
        return self.report(force=force, wrap=wrap)


class Consumer:
    """Xactly: begins when a manifest is there, loads its files, and removes them, the manifest last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.batches: list[str] = []
        self.rows: list[dict[str, str]] = []

    def poll(self) -> None:
        for manifest in sorted(self._folder.glob("manifest_*.json")):
            told = json.loads(manifest.read_bytes())
            texts = {}
            for name, digest in told["sha256"].items():
                content = (self._folder / name).read_bytes()
                assert hashlib.sha256(content).hexdigest() == digest
                texts[name] = content.decode()
                (self._folder / name).unlink()
            manifest.unlink()
            self.batches.append(told["batch"])
            self.rows += csv.DictReader(io.StringIO(texts[f"orders_{told['batch']}.csv"], newline=""))

    def sums(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for row in self.rows:
            found[row["source_id"]] = found.get(row["source_id"], Decimal(0)) + Decimal(row["amount"])
        return {deal: total for deal, total in found.items() if total}


def changed(world: Payroll) -> dict[str, Decimal]:
    """A ledger with two deals, of which one changes and one is deleted, and a new one; gives what Xactly should hold."""
    first, second = world.deal(1000), world.deal(500)
    world.report()
    world.org.edit(first, {"Amount": 1100})
    world.org.delete(second)
    third = world.deal(70)
    return {first: Decimal(1100), third: Decimal(70)}


def scenario(world: World, run: Callable[[], None]) -> None:
    assert isinstance(world, Payroll)
    changed(world)
    run()


@pytest.mark.parametrize("takes", ["at_once", "at_the_end"])
def test_whatever_dies_each_row_is_loaded_once(tmp_path: Path, takes: str) -> None:
    def make(name: str) -> Exporting:
        (tmp_path / name).mkdir()
        return Exporting(tmp_path / name, template=SMALL)

    for number, first, second in deaths(points_of(make, scenario), "sqlite"):
        world = make(f"w{number}")
        wanted = changed(world)
        consumer = Consumer(world.out)
        consumer.poll()
        if takes == "at_once":
            with pytest.raises(Death):
                world.report(wrap=Reaper(first).wrap)
            consumer.poll()
            run_to_the_end(world, second)
        else:
            run_to_the_end(world, first, second)
        consumer.poll()
        codes = [(row["order_code"], row["item_code"]) for row in consumer.rows]
        assert len(codes) == len(set(codes)), first
        assert len(consumer.batches) == len(set(consumer.batches)), first
        assert consumer.sums() == wanted, first
        assert {one.state for one in _batches(world)} == {"done"}, first
        assert world.report().batches == (), first


def _batches(world: World) -> list[XactlyBatch]:
    house = world.open()
    try:
        return house.store.xactly_batches()
    finally:
        house.close()


# ---------------------------------------------------------------- the delivery alone: every two deaths

FILES = {"orders_b.csv": "o\r\n", "assignments_b.csv": "a\r\n", "manifest_b.json": "{}"}
BATCH = XactlyBatch("b", "2026-03", 1, START, 1, 1, files=FILES)
POINTS = [
    *((f"{side}:drop.put", number) for number in (1, 2, 3) for side in ("before", "after")),
    *((f"{side}:store.set_xactly_state", number) for number in (1, 2) for side in ("before", "after")),
]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A ledger with a batch whose delivery has not begun."""
    opened = open_store(f"sqlite:///{tmp_path / 'syncd.db'}", clock=FixedClock(START))
    opened.put_xactly_batch(BATCH, [XactlyRow("006A", "1", 1, "006A", b"d")])
    yield opened
    opened.close()


def test_two_deaths_in_a_delivery_are_one_delivery(store: SqlStore, tmp_path: Path) -> None:
    """Whether files are taken between the deaths or not."""
    for first in POINTS:
        for second in (None, *POINTS):
            for takes in (True, False):
                store.set_xactly_state("b", "writing")
                folder = tmp_path / "out"
                taken = 0
                for kill_at in (first, second, None):
                    reaper = Reaper(kill_at)
                    with contextlib.suppress(Death):
                        finish(reaper.wrap(store, "store"), reaper.wrap(FolderDrop(folder), "drop"))
                    if takes or kill_at is None:
                        taken += _taken(folder)
                assert taken == 1, (first, second, takes)
                assert store.xactly_batches()[0].state == "done"
                assert list(folder.iterdir()) == []


def _taken(folder: Path) -> int:
    """Take what is there if its manifest is; gives how many batches that were."""
    if not (folder / "manifest_b.json").exists():
        return 0
    for name, text in FILES.items():
        assert (folder / name).read_bytes().decode() == text
        (folder / name).unlink()
    return 1


def test_a_manifest_that_was_not_put_is_put_by_the_next_run(store: SqlStore, tmp_path: Path) -> None:
    """A folder that cannot be written breaks a delivery off as a death does."""
    folder = tmp_path / "out"
    drop = FolderDrop(folder)
    (folder / "manifest_b.json").mkdir(parents=True)
    with pytest.raises(DeliveryError, match="out cannot be used"):
        deliver(store, drop, BATCH)
    (folder / "manifest_b.json").rmdir()
    assert sorted(path.name for path in folder.iterdir()) == ["assignments_b.csv", "orders_b.csv"]
    assert finish(store, drop) == ("b",)
    assert {path.name: path.read_bytes().decode() for path in folder.iterdir()} == FILES
    assert finish(store, drop) == ()


def test_what_a_dead_process_left_half_written_is_in_nobodys_way(store: SqlStore, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / ".orders_b.csv.part").write_text("half of someth")
    finish(store, FolderDrop(folder))
    assert {path.name: path.read_bytes().decode() for path in folder.iterdir()} == FILES


def test_a_batch_is_put_again_as_it_was_when_it_was_asked_for(store: SqlStore, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    drop = FolderDrop(folder)
    finish(store, drop)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    _taken(folder)
    export_again(store, drop, "b")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
