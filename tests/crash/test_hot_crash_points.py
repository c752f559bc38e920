"""The hot lane at every crash point: a delivery that was answered is one lead, and one task, whenever the process dies."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.machine import Death, Reaper, shared_out
from tests.site import Site
from tests.stores import store_url_for
from tests.world import row


def make(folder: Path, engine: str, name: str) -> Site:
    """A site with a known lead, a stranger, a repetition and an opt-out on their way."""
    home = folder / name
    home.mkdir()
    site = Site(home, store_url=store_url_for(engine, home), asks_for_task=True)
    site.org.assignment_rule = lambda org, lead: org.users["rep1"]
    site.drop([row(1)])
    site.run()
    site.send("ada@example.com", name="msg_1")
    site.send("ada@example.com", name="msg_1")
    site.send("person1@example.com", first_name="Firstb", last_name="Lastb", phone="+49 30 901820")
    site.send("bob@example.com", last_name="Bobson", emailOptOut="1")
    return site


def points(folder: Path, engine: str) -> list[tuple[str, int]]:
    """What the hot lane passes when nothing dies."""
    site, reaper = make(folder, engine, "rehearsal"), Reaper()
    site.heat(wrap=reaper.wrap)
    return [(point, number) for point, count in sorted(reaper.passed.items()) for number in range(1, count + 1)]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_death_at_any_point_loses_and_doubles_nobody(tmp_path: Path, engine: str) -> None:
    every = points(tmp_path, engine)
    assert len(every) > 20
    assert {"before:journal.remove", "after:store.put_page", "before:org.create", "after:org.create"} <= {
        point for point, _ in every
    }
    for place, kill_at in ((index, every[index]) for index in shared_out(every, engine)):
        site = make(tmp_path, engine, f"w{place}")
        reaper = Reaper(kill_at)
        try:
            site.heat(wrap=reaper.wrap)
        except Death:
            pass
        else:
            pytest.fail(f"{kill_at} was not passed")
        site.clock.advance(60)
        site.heat()
        site.run()
        site.heat()
        emails = sorted(str(one["Email"]) for one in site.leads())
        assert emails == ["ada@example.com", "bob@example.com", "person1@example.com"], kill_at
        assert site.lead("bob@example.com")["HasOptedOutOfEmail"] is True, kill_at
        assert site.lead("person1@example.com")["Phone"], kill_at
        tasks = sorted(str(one["WhoId"]) for one in site.org.rows("Task") if not one.get("IsDeleted"))
        assert tasks == sorted({str(one["Id"]) for one in site.leads() if str(one["OwnerId"]) == site.org.users["rep1"]}), kill_at
        oracle.check(site, {"ada@example.com", "bob@example.com", "person1@example.com"})
        with closing(site.open()) as house:
            assert house.journal.backlog() == {}, kill_at
