"""Thirty days of a busy booth with five days of memory: nobody lost or doubled, all sums right, and a store that stops growing.

The oracle counts what it drops by itself. What must stay grows with people; what is over is bounded by what came lately.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from syncd.sandbox import Kind
from syncd.store import tables
from tests.crash import oracle
from tests.world import World, row

RETENTION_DAYS = 5
PASSES_A_DAY = 3
DAY_SECONDS = 86_400
DAYS = {"sqlite": 30, "postgres": 12}
"""The same world, shorter where each statement takes a way over a socket."""
EARLY = 10
"""The day that the last one is compared with: by then the memory is full."""


@dataclass
class Month:
    """The world outside, and what it knows of itself."""

    world: World
    chance: random.Random
    people: int = 0
    dropped: int = 0
    dead: int = 0
    writes: int = 0
    opted_out: set[int] = field(default_factory=set)
    titles: dict[int, str] = field(default_factory=dict)
    edits: dict[str, dict[str, object]] = field(default_factory=dict)
    came: list[tuple[datetime, int]] = field(default_factory=list)
    rows: list[dict[str, int]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def day(self, number: int) -> None:
        """Some passes with files between them, and an evening without."""
        for turn in range(PASSES_A_DAY):
            self.drop(number, turn)
            if self.chance.random() < 0.2:
                kind = self.chance.choice([Kind.UNAVAILABLE, Kind.CUT_AFTER, Kind.ERROR])
                self.world.org.faults.add(kind, "/composite/sobjects")
            self.run()
            if turn == 1:
                self.edit(number)
            self.world.clock.advance(3_600)
        self.world.org.faults.clear()
        self.world.clock.advance(DAY_SECONDS - PASSES_A_DAY * 3_600)

    def drop(self, day: int, turn: int) -> None:
        """New people, changes, the very same again, rows that nobody can use, and opt-outs."""
        rows = []
        for _ in range(4):
            rows.append(self.row(self.people))
            self.people += 1
        for n in self.chance.sample(range(self.people), min(3, self.people)):
            self.titles[n] = f"title {day}.{turn}.{n}"
            rows.append(self.row(n))
        rows += [self.row(n) for n in self.chance.sample(range(self.people), 2)]
        if turn == 0:
            self.opted_out.add(n := self.chance.randrange(self.people))
            rows.append(self.row(n))
            rows.append({"email": f"broken {day}", "first": "", "last": "", "company": "x"})
        rows = list({one["email"]: one for one in rows}.values())
        self.world.drop(rows)
        self.dropped += len(rows)
        self.came.append((self.world.clock.now(), len(rows)))

    def row(self, n: int) -> dict[str, str]:
        return row(n, title=self.titles.get(n, ""), optout="yes" if n in self.opted_out else "")

    def run(self) -> None:
        summary = self.world.run()
        self.writes += sum(count for name, count in summary.operations.items() if name != "unchanged")
        for counts in summary.sources.values():
            ended = counts.applied + counts.unchanged + counts.skipped + counts.dead + counts.waiting
            assert counts.waiting_before + counts.pulled == ended

    def edit(self, day: int) -> None:
        """A rep writes into a lead, and keeps what was written."""
        lead = self.chance.choice(self.world.leads())
        value = f"rep {day}"
        self.world.org.edit(lead["Id"], {"City": value}, user="rep1")
        self.edits[lead["Id"]] = {"City": value}

    def look(self) -> None:
        """Rows and bytes as they are now."""
        house = self.world.open()
        try:
            store: Any = house.store
            with store.db.read() as connection:
                self.rows.append(
                    {
                        table.name: int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)
                        for table in tables.metadata.sorted_tables
                    }
                )
            path = store.db.path
        finally:
            house.close()
        self.sizes.append(path.stat().st_size if path is not None else 0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_thirty_days_with_five_days_of_memory(engine: str, make_world: Callable[..., World]) -> None:
    world = make_world(seed=30)
    text = (world.folder / "syncd.yaml").read_text()
    world.write("syncd.yaml", text.replace(f'"{world.store_url}"}}', f'"{world.store_url}", retention_days: {RETENTION_DAYS}}}'))
    month = Month(world, random.Random(30))
    days = DAYS[engine]
    for number in range(days):
        month.day(number)
        if number + 1 in (EARLY, days):
            month.look()
    world.run()
    assert world.plan() == []
    for n, title in month.titles.items():
        assert world.lead(row(n)["email"])["Title"] == title
    for n in month.opted_out:
        assert world.lead(row(n)["email"])["HasOptedOutOfEmail"]
    oracle.check(world, {row(n)["email"] for n in range(month.people)}, month.edits)
    _sums_match(month)
    _what_is_over_is_bounded(month)


def _sums_match(month: Month) -> None:
    """Against what was dropped, and run by run for those that are left."""
    house = month.world.open()
    try:
        store = house.store
        totals = Counter(store.stats()["totals"]["booth"])
        assert totals["pulled"] == month.dropped
        assert totals["applied"] + totals["unchanged"] + totals["skipped"] + totals["dead"] == month.dropped
        assert totals["dead"] >= 1
        since = month.world.clock.now() - timedelta(days=RETENTION_DAYS)
        runs = store.runs(1_000)
        assert {one.started_at >= since - timedelta(days=1) for one in runs} == {True}
        assert len(runs) <= (RETENTION_DAYS + 1) * PASSES_A_DAY + 2
        for one in runs:
            for counts in store.source_counts(one.run_id).values():
                assert counts.waiting_before + counts.pulled == counts.applied + counts.unchanged + counts.skipped + counts.dead
        assert store.check() == []
    finally:
        house.close()


def _what_is_over_is_bounded(month: Month) -> None:
    """Rows by what came within the time of memory; of writes besides as many per person as there are fields with a last word."""
    last = month.rows[-1]
    lately = month.world.clock.now() - timedelta(days=RETENTION_DAYS + 1)
    came = sum(count for at, count in month.came if at >= lately)
    assert last["inbox"] <= came + last["dead_letter"]
    assert last["operation"] == last["operation_document"]
    assert last["operation"] <= came + 2 * last["person"]
    assert last["record"] >= month.people
    early, grown = month.rows[0], last["person"] / month.rows[0]["person"]
    assert [name for name in ("inbox", "run", "run_source") if last[name] > early[name] * 1.5] == []
    assert month.sizes[-1] <= month.sizes[0] * grown, f"{month.sizes} bytes for {grown:.1f} times the people"
