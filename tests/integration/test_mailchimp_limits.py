"""What a pass over Mailchimp costs: nothing without news, what changed with news, and never more calls at once than are borne."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from syncd.model import RunStatus
from syncd.sandbox import Kind
from syncd.store import tables
from tests.newsletter import EDITED, SHORT_MAPPING, Newsletter, check_population, lost, mail
from tests.world import BOOTH, World, row

READS = ("identity", "schema", "changes", "retrieve", "find_by_external_id")
WRITES = ("create", "update", "delete")


class Calls:
    """Counts the calls of the org by method; `wrap` for World.run."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def wrap(self, port: Any, name: str) -> Any:
        """The port itself, or the org watched."""
        return _Watched(port, self.made) if name == "org" else port

    @property
    def writes(self) -> list[str]:
        """Those that change something."""
        return [one for one in self.made if one in WRITES]


class _Watched:
    def __init__(self, port: Any, made: list[str]) -> None:
        self._port, self._made = port, made

    def __getattr__(self, name: str) -> Any:
        if name in (*READS, *WRITES):
            self._made.append(name)
        return getattr(self._port, name)


def make(make_world: Callable[..., World], members: int, audiences: tuple[str, ...] = ("L1",), **options: Any) -> Newsletter:
    """A newsletter whose members have been read and have kept still for longer than the overlap."""
    world: Any = make_world(Newsletter, has_booth=False, audiences=audiences, news_mapping=SHORT_MAPPING, **options)
    for list_id in audiences:
        world.mailchimp.populate(list_id, members, seed=len(list_id))
    world.settle()
    assert world.run().status is RunStatus.OK
    world.clock.advance(900)
    return world  # type: ignore[no-any-return]


def inbox_rows(world: Newsletter) -> int:
    """Rows that the inbox has ever got."""
    house = world.open()
    try:
        with house.store.db.read() as connection:  # type: ignore[attr-defined]
            return int(connection.execute(select(func.count()).select_from(tables.inbox)).scalar() or 0)
    finally:
        house.close()


@pytest.mark.parametrize(
    ("audiences", "options"), [(("L1",), ""), (("L1", "L2", "L3"), ""), (("L1", "L2"), "audiences: [L2, L1]")]
)
def test_a_pass_without_news_is_one_call_per_audience_and_no_write(
    make_world: Callable[..., World], audiences: tuple[str, ...], options: str
) -> None:
    """One call for each audience, two for the org's schema and its changes, and nothing else anywhere."""
    world = make(make_world, 40, audiences, options=options)
    rows, asked, written, calls = inbox_rows(world), world.mailchimp.call_count, len(world.org.audit), Calls()
    quiet = world.run(wrap=calls.wrap)
    assert (quiet.status, quiet.exit_code) == (RunStatus.OK, 0)
    paths = [one.path for one in world.mailchimp.calls[asked:]]
    assert sorted(paths) == [f"/3.0/lists/{list_id}/members" for list_id in sorted(audiences)]
    assert calls.writes == []
    assert (quiet.api_calls, len(world.org.audit)) == (2, written)
    assert set(quiet.operations.values()) == {0}
    counts = quiet.sources["newsletter"]
    assert (counts.pulled, counts.waiting_before, counts.waiting) == (0, 0, 0)
    assert inbox_rows(world) == rows


def test_what_the_overlap_brings_again_is_no_news(make_world: Callable[..., World]) -> None:
    """Members read a moment ago come once more, end as unchanged, and leave no row in the inbox."""
    world = make(make_world, 40)
    for number in range(10):
        world.put(number)
    world.settle()
    world.run()
    rows, calls = inbox_rows(world), Calls()
    again = world.run(wrap=calls.wrap)
    counts = again.sources["newsletter"]
    assert (again.status, counts.pulled, counts.unchanged) == (RunStatus.OK, 10, 10)
    assert (calls.writes, set(again.operations.values())) == ([], {0})
    assert inbox_rows(world) == rows


def test_a_value_taken_back_while_the_other_one_waits_is_news(make_world: Callable[..., World]) -> None:
    """What is known may not be dropped as unchanged when a newer version, not yet worked on, stands between."""
    world = make_world(sources=BOOTH.replace("mapping: csv", "mapping: csv, key: [email]"))
    world.drop([row(1, title="Engineer")])
    world.run()
    world.org.faults.add(Kind.UNAVAILABLE, "/services/data", times=-1)
    world.drop([row(1, title="Manager")])
    assert world.run().sources["booth"].waiting == 1
    world.drop([row(1, title="Engineer"), row(2)])
    assert world.run().sources["booth"].waiting == 3
    world.org.faults.clear()
    assert world.run().status is RunStatus.OK
    assert world.lead(mail(1))["Title"] == "Engineer"


def test_the_cost_of_a_pass_follows_what_changed_not_what_is_known(make_world: Callable[..., World], engine: str) -> None:
    """50 edits and 10 new members cost the same calls beside 200 known members and beside many."""
    many = 10_000 if engine == "sqlite" else 1_500  # PostgreSQL is here for its queries, not for the count
    costs = []
    for known in (200, many):
        world = make(make_world, known)
        for one in world.people("L1", "subscribed")[:50]:
            world.mailchimp.put("L1", one["email_address"], merge_fields={"COMPANY": EDITED})
        for number in range(10):
            world.put(number)
        world.settle()
        asked, rows, calls = world.mailchimp.call_count, inbox_rows(world), Calls()
        summary = world.run(wrap=calls.wrap)
        assert (summary.operations["created"], summary.operations["updated"]) == (10, 50)
        assert lost(world) == set()
        costs.append((world.mailchimp.call_count - asked, summary.api_calls, sorted(calls.made), inbox_rows(world) - rows))
    assert costs[0] == costs[1]
    assert costs[0][0] == 1


class Crowd:
    """Lets writes to the org pile up: each waits until `expected` are under way, and a moment for one more than is allowed."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.open_now = self.most_open = 0
        self._changed = threading.Condition()

    def wrap(self, port: Any, name: str) -> Any:
        """The port itself, or the org with writes that pile up."""
        return _Crowded(port, self) if name == "org" else port

    def write(self, call: Callable[[], Any]) -> Any:
        """A call that waits for company."""
        with self._changed:
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
            self._changed.notify_all()
            if self._changed.wait_for(lambda: self.most_open >= self.expected, timeout=10):
                self._changed.wait_for(lambda: self.most_open > self.expected, timeout=0.2)
        try:
            return call()
        finally:
            with self._changed:
                self.open_now -= 1


class _Crowded:
    def __init__(self, port: Any, crowd: Crowd) -> None:
        self._port, self._crowd = port, crowd

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in WRITES:
            return found
        return lambda *arguments, **options: self._crowd.write(lambda: found(*arguments, **options))


def test_four_writes_are_in_flight_at_the_org_and_never_a_fifth(make_world: Callable[..., World]) -> None:
    """Ten calls' worth of new leads while the org takes its time: four at once are what it is given."""
    world: Any = make_world(Newsletter, has_booth=False, news_mapping=SHORT_MAPPING)
    world.mailchimp.populate("L1", 2_200)
    world.settle()
    crowd = Crowd(expected=4)
    assert world.run(wrap=crowd.wrap).status is RunStatus.OK
    assert crowd.most_open == 4
    check_population(world)


def test_a_long_audience_is_asked_for_four_pages_at_a_time_and_no_page_twice(make_world: Callable[..., World]) -> None:
    """The pages that the overlap demands and no other, while the vendor takes its time."""
    world: Any = make_world(Newsletter, has_booth=False, page_size=100, options="reconcile_hours: 0")
    world.mailchimp.populate("L1", 3_000)
    world.settle()
    crowd = Crowd(expected=4)
    world.mailchimp.between_pages(lambda _, __, offset: crowd.write(lambda: None) if offset else None)
    assert world.run().status is RunStatus.OK
    listed = world.member_calls()
    assert (world.mailchimp.most_open, crowd.most_open) == (4, 4)
    assert len(listed) == len({str(sorted(one.items())) for one in listed})
    members = sum(one["status"] != "archived" for one in world.people("L1"))
    assert len(listed) <= members / 95 + 1


def test_mailchimp_never_sees_more_than_four_connections(make_world: Callable[..., World]) -> None:
    """Neither while several audiences are filled nor while calls are tried again."""
    world: Any = make_world(Newsletter, has_booth=False, audiences=("L1", "L2", "L3", "L4", "L5", "L6"), page_size=50)
    for list_id in world.audiences:
        world.mailchimp.populate(list_id, 100)
    world.mailchimp.faults.add("unavailable", times=-1, probability=0.2)
    world.mailchimp.faults.add("throttled", times=-1, probability=0.2)
    world.settle()
    world.run()
    assert 1 <= world.mailchimp.most_open <= 4
    assert world.mailchimp.open_now == 0
