"""What a source has announced at every crash point: received, wanted, asked for, stored; one lead whenever the process dies."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.adforms import Ads
from tests.crash import oracle
from tests.crash.machine import Death, Reaper, deaths
from tests.stores import store_url_for

WAY = (
    "store.put_wanted",
    "store.postpone_wanted",
    "store.end_wanted",
    "store.put_page",
    "journal.remove",
    "store.commit_resolved",
)
"""What is passed from the receipt to the person; what follows is the hot lane's own test."""
PEOPLE = {"ada@example.com", "bob@example.com"}


def make(folder: Path, engine: str, name: str) -> Ads:
    """Somebody who is announced twice and not there at first, and somebody who is sent whole."""
    home = folder / name
    home.mkdir()
    ads = Ads(home, store_url=store_url_for(engine, home))
    ads.run()
    number = ads.vendor.fill("ada@example.com")
    ads.vendor.hidden[number] = 1
    ads.announce(number)
    ads.announce(number)
    ads.vendor.fill("bob@example.com")
    ads.send(b'{"lead": {"id": "2", "email": "bob@example.com", "last": "Byron", "updated_at": "2026-11-24T09:00:06+00:00"}}')
    return ads


def move(ads: Ads, kill_at: tuple[str, int] | None) -> Reaper:
    """The hot lane until nothing is wanted, or its death; gives what it passed."""
    reaper = Reaper(kill_at)
    for _ in range(3):
        ads.heat(wrap=reaper.wrap)
        ads.clock.advance(5)
        if not ads.wanted():
            return reaper
    raise AssertionError("it is still wanted")


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_death_at_any_point_loses_and_doubles_nobody(tmp_path: Path, engine: str) -> None:
    passed = move(make(tmp_path, engine, "rehearsal"), None).passed
    assert {f"after:{one}" for one in WAY} <= set(passed)
    points = [
        (point, number)
        for point, count in sorted(passed.items())
        for number in range(1, count + 1)
        if point.partition(":")[2] in WAY
    ]
    died_again = 0
    for place, first, second in deaths(points, engine):
        ads = make(tmp_path, engine, f"w{place}")
        with pytest.raises(Death):
            move(ads, first)
        ads.clock.advance(60)
        try:
            move(ads, second)
        except Death:
            died_again += 1
        ads.clock.advance(60)
        move(ads, None)
        ads.sweep()
        # Before the poll, which would make good what was lost.
        assert sorted(str(one["Email"]) for one in ads.leads()) == sorted(PEOPLE), (first, second)
        ads.run()
        oracle.check(ads, PEOPLE)
        with closing(ads.open()) as house:
            assert (house.journal.backlog(), house.store.wanted_counts()) == ({}, {}), (first, second)
    assert died_again
