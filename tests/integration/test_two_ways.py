"""Sources that are polled and that send by themselves: one lead for each record, whichever way it came, however late."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.webhook import Webhook
from syncd.connector import Delivery, Page, Record, Unwanted, Wanted
from syncd.model import Lane, RunStatus
from syncd.run.context import Scope
from syncd.run.fetch import CALLS_PER_SOURCE, Fetcher
from syncd.run.hot import waiting_of
from syncd.works import is_received
from tests.adforms import PATIENCE_SECONDS, AdForms, Ads, AdVendor
from tests.world import World

Make = Callable[..., World]
DAY_SECONDS = 86_400.0


@pytest.fixture
def ads(make_world: Make) -> Ads:
    """A vendor of whom everything is known so far."""
    return filled(make_world(Ads))


def filled(world: World) -> Ads:
    assert isinstance(world, Ads)
    world.run()
    for vendor in world.vendors.values():
        vendor.calls.clear()
    return world


@contextmanager
def gate(vendor: AdVendor, path: str) -> Iterator[threading.Event]:
    """Answers to `path` wait until the event is set, or the block ends."""
    vendor.asked.clear()
    vendor.gates[path] = opened = threading.Event()
    try:
        yield opened
    finally:
        del vendor.gates[path]
        opened.set()


def titles(ads: Ads) -> list[str]:
    return sorted(str(one.get("Title") or "") for one in ads.leads())


# ---------------------------------------------------------------- one lead, whichever way


def test_a_notification_becomes_the_lead_that_it_names(ads: Ads) -> None:
    ads.announce(ads.vendor.fill("ada@example.com"))
    summary = ads.heat()
    assert summary.status is RunStatus.OK
    assert (summary.sources["ads"].pulled, summary.sources["ads"].applied) == (1, 1)
    assert ads.lead("ada@example.com")["LastName"] == "Byron"
    assert (ads.vendor.calls, ads.wanted()) == ({"/leads/1": 1}, {})
    with closing(ads.open()) as house:
        assert house.journal.backlog() == {}
        assert house.store.check() == []


def test_a_notification_that_is_repeated_costs_one_call_and_writes_nothing(ads: Ads) -> None:
    ads.announce(ads.vendor.fill("ada@example.com"))
    ads.heat()
    writes = len(ads.org.audit)
    ads.announce("1")
    summary = ads.heat()
    assert (summary.sources["ads"].unchanged, len(ads.org.audit), ads.vendor.calls["/leads/1"]) == (1, writes, 2)


def test_what_was_sent_whole_and_is_polled_later_is_one_record(ads: Ads) -> None:
    ads.vendor.fill("ada@example.com")
    ads.send(json.dumps({"lead": ads.vendor.leads["1"]}).encode())
    ads.heat()
    summary = ads.run("ads")
    assert (summary.status, summary.sources["ads"].pulled, summary.sources["ads"].applied) == (RunStatus.OK, 1, 1)
    assert [one["Email"] for one in ads.leads()] == ["ada@example.com"]


def test_a_poll_that_brings_it_first_makes_the_answer_old_news(ads: Ads) -> None:
    ads.announce(ads.vendor.fill("ada@example.com"))
    with closing(ads.open()) as house:
        house.pull(["ads"])
    ads.heat()
    ads.run()
    assert [one["Email"] for one in ads.leads()] == ["ada@example.com"]
    assert ads.wanted() == {}
    with closing(ads.open()) as house:
        assert house.store.check() == []


def test_a_notification_that_never_came_is_made_good_by_the_next_poll(ads: Ads) -> None:
    ads.vendor.fill("ada@example.com")
    ads.heat()
    assert ads.leads() == []
    ads.run()
    assert ads.lead("ada@example.com")["Company"] == "Engines"


def test_a_pass_asks_for_what_a_daemon_had_received(ads: Ads) -> None:
    ads.announce(ads.vendor.fill("ada@example.com"))
    summary = ads.run("ads")
    assert (summary.status, ads.vendor.calls["/leads/1"], ads.wanted()) == (RunStatus.OK, 1, {})
    assert len(ads.leads(Email="ada@example.com")) == 1


def test_a_pass_that_leaves_something_to_be_asked_for_says_so_and_is_not_ok(ads: Ads) -> None:
    ads.announce("77")
    summary = ads.run("ads")
    assert summary.status is RunStatus.PARTIAL
    assert summary.missed == ["ads: 1 announced records are still to be asked for"]
    with closing(ads.open()) as house:
        assert house.status()["sources"]["ads"]["wanted"] == 1


def test_what_is_sent_while_the_source_is_polled_does_not_wait_for_the_poll(ads: Ads) -> None:
    """The lanes of one engine: the poll has asked, and its answer is under way."""
    ads.vendor.fill("bob@example.com")
    with closing(ads.open()) as house, gate(ads.vendor, "/leads") as answer:
        house.take_over()
        live = house.lane_context(["ads"], Lane.INCREMENT, Scope(lanes=(Lane.INCREMENT, Lane.REMAP)))
        poll = threading.Thread(target=house.run_lane, args=(live,))
        poll.start()
        assert ads.vendor.asked.wait(PATIENCE_SECONDS)
        ads.vendor.fill("ada@example.com")
        house.journal.put([Delivery("ads", ads.clock.now(), b'{"id": "2"}')])
        fetcher = Fetcher()
        run = house.hot_run(["ads"], lambda source, seconds: None, fetcher)
        while run.step(["ads"]) or not fetcher.is_idle:
            fetcher.wait(PATIENCE_SECONDS)
        run.end()
        assert [one["Email"] for one in ads.leads()] == ["ada@example.com"], "the poll still waits"
        answer.set()
        poll.join(PATIENCE_SECONDS)
    assert sorted(str(one["Email"]) for one in ads.leads()) == ["ada@example.com", "bob@example.com"]
    ads.run()
    assert len(ads.leads()) == 2
    with closing(ads.open()) as house:
        assert house.store.check() == []


def test_an_answer_that_is_older_than_what_a_poll_brought_meanwhile_rolls_nothing_back(ads: Ads) -> None:
    fetcher = Fetcher()
    ads.announce(ads.vendor.fill("ada@example.com", title="Before"))
    with closing(ads.open()) as house, gate(ads.vendor, "/leads/1") as answer:
        house.take_over()
        run = house.hot_run(["ads"], lambda source, seconds: None, fetcher)
        run.step(["ads"])
        assert ads.vendor.asked.wait(PATIENCE_SECONDS)
        ads.clock.advance(1)
        ads.vendor.change("1", title="After")
        house.run_lane(house.lane_context(["ads"], Lane.INCREMENT, Scope(lanes=(Lane.INCREMENT, Lane.REMAP))))
        assert titles(ads) == ["After"]
        answer.set()
        while run.step(["ads"]) or not fetcher.is_idle:
            fetcher.wait(PATIENCE_SECONDS)
        run.end()
    ads.run()
    assert (titles(ads), ads.wanted()) == (["After"], {})


def test_a_flood_of_one_kind_of_source_keeps_the_other_waiting_for_no_more_than_its_turn(world: World) -> None:
    """What was sent to the source that is polled as well came first, and is taken first."""
    with closing(world.open()) as house:
        house.store.start_run("r1", world.clock.now(), ["booth", "site"])
        for number, name in enumerate(("booth", "site", "site", "site", "booth")):
            record = Record(str(number), b"{}")
            house.store.put_page("r1", name, "rows", Page((record,), {}), Lane.HOT, world.clock.now())
        (booth,) = house.lane_context(["booth"], Lane.HOT, Scope()).sources.values()
        site = replace(booth, name="site", connector=Webhook())
        rows = waiting_of(house.store, {"booth": booth, "site": site}, ["booth", "site"], 3)
    assert [(row.ref.source, row.ref.key) for row in rows] == [("booth", "0"), ("site", "1"), ("site", "2")]


# ---------------------------------------------------------------- not there, not reached, throttled


def test_what_is_not_there_yet_is_asked_for_again(ads: Ads) -> None:
    """Some vendors announce a record before their own API shows it."""
    number = ads.vendor.fill("ada@example.com")
    ads.vendor.hidden[number] = 2
    ads.announce(number)
    ads.heat()
    assert (ads.leads(), ads.wanted(), ads.vendor.calls["/leads/1"]) == ([], {"ads": 1}, 1)
    ads.heat()
    assert ads.vendor.calls["/leads/1"] == 1, "not before some seconds have passed"
    for seconds in (5, 15):
        ads.clock.advance(seconds)
        ads.heat()
    assert (len(ads.leads(Email="ada@example.com")), ads.wanted()) == (1, {})


def test_a_vendor_that_is_down_for_an_hour_loses_nothing_and_is_not_hammered(ads: Ads) -> None:
    fetcher = Fetcher()
    ads.vendor.refuses = (503, {"Retry-After": "0"})
    end = ads.clock.now() + timedelta(hours=1)
    while ads.clock.now() < end:
        ads.announce(ads.vendor.fill(f"person{len(ads.vendor.leads)}@example.com"))
        ads.heat(fetcher=fetcher)
        ads.clock.advance(200)
    count = len(ads.vendor.leads)
    assert (ads.leads(), ads.wanted()) == ([], {"ads": count})
    # One call with its six tries every five minutes in the end; what is announced meanwhile waits with the rest.
    assert ads.vendor.calls.total() <= 6 * 14
    ads.vendor.refuses = None
    ads.clock.advance(300)
    ads.heat(fetcher=fetcher)
    assert (len(ads.leads()), ads.wanted()) == (count, {})
    assert [one["event"] for one in ads.logged("source_")] == ["source_lost", "source_recovered"]


def test_a_token_that_is_revoked_for_days_sets_nothing_aside(ads: Ads) -> None:
    """The records are not to blame; once somebody has logged in again they are asked for."""
    ads.announce(ads.vendor.fill("ada@example.com"))
    ads.vendor.refuses = (401, {})
    for _ in range(3):
        ads.heat()
        ads.clock.advance(DAY_SECONDS)
    ads.vendor.refuses = None
    ads.vendor.hidden["1"] = 1
    ads.heat()
    assert ads.wanted() == {"ads": 1}, "one answer that it is not there is no reason to give up"
    ads.clock.advance(5)
    ads.heat()
    assert len(ads.leads(Email="ada@example.com")) == 1
    with closing(ads.open()) as house:
        assert house.store.dead_letters() == []


def test_a_vendor_that_asks_to_be_left_alone_is_by_every_way_until_its_time(ads: Ads) -> None:
    ads.announce(ads.vendor.fill("ada@example.com"))
    ads.vendor.refuses = (429, {"Retry-After": "1800"})
    ads.heat()
    ads.vendor.refuses = None
    ads.announce(ads.vendor.fill("bob@example.com"))
    ads.clock.advance(900)
    ads.heat()
    assert ads.run("ads").status is RunStatus.PARTIAL
    assert ads.vendor.calls == {"/leads/1": 1}
    ads.clock.advance(900)
    ads.heat()
    assert sorted(str(one["Email"]) for one in ads.leads()) == ["ada@example.com", "bob@example.com"]


def test_what_does_not_come_within_a_day_is_set_aside_with_its_notification_and_can_be_asked_for_again(ads: Ads) -> None:
    number = ads.vendor.fill("ada@example.com")
    ads.vendor.hidden[number] = 1_000
    ads.announce(number)
    ads.heat()
    while ads.wanted():
        ads.clock.advance(3_600)
        ads.heat()
    assert ads.vendor.calls["/leads/1"] <= 6 + 24, "hourly in the end"
    with closing(ads.open()) as house:
        (letter,) = house.store.dead_letters()
        found = house.store.dead_letter(letter.dead_letter_id)
        assert found is not None
        assert (found.reason, found.source, found.stream, found.key, found.payload) == (
            "not_there", "ads", "leads", "1", b'{"id": "1"}',
        )  # fmt: skip
        assert found.at == ads.clock.now(), "not when it was announced"
        assert house.store.check() == []
        ads.vendor.hidden.clear()
        assert house.store.replay_dead_letters([letter.dead_letter_id], ads.clock.now()) == 1
    ads.heat()
    assert len(ads.leads(Email="ada@example.com")) == 1


class Choosy(AdForms):
    """One that leaves out who has not said their address."""

    def fetch(self, session: Any, options: Any, wanted: Wanted) -> Any:
        found = super().fetch(session, options, wanted)
        return Unwanted("info_requested") if isinstance(found, Record) and b"Info Requested" in found.payload else found


def test_what_is_nothing_to_keep_yet_is_asked_for_once_and_again_only_when_it_is_announced_again(make_world: Make) -> None:
    """A ticket of which nobody has said who comes: no lead, nothing set aside, no call in vain."""
    ads = filled(make_world(Ads, connector=Choosy()))
    number = ads.vendor.fill("Info Requested")
    ads.announce(number)
    assert ads.heat().status is RunStatus.OK
    ads.clock.advance(2 * DAY_SECONDS)
    ads.heat()
    assert (ads.leads(), ads.wanted(), ads.vendor.calls["/leads/1"]) == ([], {}, 1)
    with closing(ads.open()) as house:
        assert house.store.dead_letters() == []
    ads.vendor.change(number, email="ada@example.com")
    ads.announce(number)
    ads.heat()
    assert len(ads.leads(Email="ada@example.com")) == 1


class Odd(AdForms):
    """Somebody else's connector with bugs in `fetch`."""

    def fetch(self, session: Any, options: Any, wanted: Wanted) -> Any:
        if wanted.key == "1":
            raise ZeroDivisionError(wanted.payload.decode())
        return {"id": 2} if wanted.key == "2" else super().fetch(session, options, wanted)


def test_a_bug_of_a_connector_stops_no_other_record(make_world: Make) -> None:
    ads = filled(make_world(Ads, connector=Odd()))
    for number in range(3):
        ads.announce(ads.vendor.fill(f"person{number}@example.com"), email=f"person{number}@example.com")
    ads.heat()
    assert [one["Email"] for one in ads.leads()] == ["person2@example.com"]
    while ads.wanted():
        ads.clock.advance(3_600)
        ads.heat()
    told = sorted(one["error_type"] for one in ads.logged("fetch_failed"))
    assert told == ["TypeError", "ZeroDivisionError"], "once each"
    assert "person0" not in ads.text.getvalue()
    with closing(ads.open()) as house:
        assert [one.reason for one in house.store.dead_letters()] == ["not_fetched", "not_fetched"]


# ---------------------------------------------------------------- while it is asked for


def test_what_is_announced_again_while_it_is_asked_for_is_asked_for_again(ads: Ads) -> None:
    """The answer that is under way may be older than the news."""
    fetcher = Fetcher()
    ads.announce(ads.vendor.fill("ada@example.com", title="Before"))
    with closing(ads.open()) as house, gate(ads.vendor, "/leads/1") as answer:
        house.take_over()
        run = house.hot_run(["ads"], lambda source, seconds: None, fetcher)
        run.step(["ads"])
        assert ads.vendor.asked.wait(PATIENCE_SECONDS)
        ads.clock.advance(1)
        ads.vendor.change("1", title="After")
        house.journal.put([Delivery("ads", ads.clock.now(), b'{"id": "1"}')])
        run.step(["ads"])
        assert ads.vendor.calls["/leads/1"] == 1, "not twice at once"
        answer.set()
        while run.step(["ads"]) or not fetcher.is_idle:
            fetcher.wait(PATIENCE_SECONDS)
        run.end()
    assert (ads.vendor.calls["/leads/1"], titles(ads), ads.wanted()) == (2, ["After"], {})


def test_a_vendor_that_hangs_holds_up_no_other(make_world: Make) -> None:
    ads = filled(make_world(Ads, has_other=True))
    for number in range(CALLS_PER_SOURCE + 2):
        ads.announce(ads.vendor.fill(f"person{number}@example.com", last=f"Byron{chr(97 + number)}"))
    ads.announce(ads.vendors["other"].fill("ada@example.com"), source="other")
    with closing(ads.open()) as house:
        house.take_over()
        fetcher, names = Fetcher(), ["ads", "other"]
        run = house.hot_run(names, lambda source, seconds: None, fetcher)
        answers = [threading.Event() for _ in range(CALLS_PER_SOURCE + 2)]
        ads.vendor.gates = {f"/leads/{number}": one for number, one in enumerate(answers, start=1)}
        run.step(names)
        while not ads.leads(Email="ada@example.com"):
            fetcher.wait(PATIENCE_SECONDS)
            run.step(names)
        assert len(ads.leads()) == 1
        assert not fetcher.is_idle
        for one in answers:
            one.set()
        while run.step(names) or not fetcher.is_idle:
            fetcher.wait(PATIENCE_SECONDS)
        run.end()
    assert len(ads.leads()) == CALLS_PER_SOURCE + 3
    assert ads.vendor.calls.total() == CALLS_PER_SOURCE + 2


def test_what_is_under_way_when_a_run_ends_is_the_next_runs_and_keeps_a_run_open(ads: Ads) -> None:
    fetcher = Fetcher()
    ads.announce(ads.vendor.fill("ada@example.com"))
    with closing(ads.open()) as house, gate(ads.vendor, "/leads/1") as answer:
        house.take_over()
        run = house.hot_run(["ads"], lambda source, seconds: None, fetcher)
        run.step(["ads"])
        ads.clock.advance(300)
        run.step(["ads"])
        assert run.busy_at == ads.clock.monotonic(), "an idle run is ended"
        run.end()
        run = house.hot_run(["ads"], lambda source, seconds: None, fetcher)
        run.step(["ads"])
        answer.set()
        while run.step(["ads"]) or not fetcher.is_idle:
            fetcher.wait(PATIENCE_SECONDS)
        run.end()
    assert (ads.vendor.calls["/leads/1"], len(ads.leads()), ads.wanted()) == (1, 1, {})


def test_what_was_under_way_when_a_process_died_is_asked_for_again(ads: Ads) -> None:
    ads.announce(ads.vendor.fill("ada@example.com"))
    with closing(ads.open()) as house, gate(ads.vendor, "/leads/1"):
        house.take_over()
        run = house.hot_run(["ads"], lambda source, seconds: None)
        run.step(["ads"])
        assert ads.vendor.asked.wait(PATIENCE_SECONDS)
        run.abandon()
    ads.heat()
    assert (ads.vendor.calls["/leads/1"], len(ads.leads()), ads.wanted()) == (2, 1, {})


# ---------------------------------------------------------------- paused, switched off, of another stream


def test_a_paused_source_is_not_asked_and_goes_on_afterwards(ads: Ads) -> None:
    with closing(ads.open()) as house:
        house.set_paused(["ads"], is_paused=True)
    ads.announce(ads.vendor.fill("ada@example.com"))
    ads.run()
    with closing(ads.open()) as house:
        house.store.put_wanted("ads", "leads", [Wanted("1", b"{}")], ads.clock.now())
        run = house.hot_run(["ads"], lambda source, seconds: None)
        assert not run.step([])
        run.end()
    assert ads.vendor.calls.total() == 0
    with closing(ads.open()) as house:
        house.set_paused(["ads"], is_paused=False)
    ads.heat()
    assert len(ads.leads(Email="ada@example.com")) == 1


def test_what_was_sent_before_a_source_only_pulls_goes_its_way(ads: Ads) -> None:
    ads.announce(ads.vendor.fill("ada@example.com"))
    ads.only_pull()
    with closing(ads.open()) as house:
        connector, options, _ = house.connector_of(house.settings.sources["ads"])
        assert not is_received(connector, options)
    ads.heat()
    assert (len(ads.leads(Email="ada@example.com")), ads.wanted()) == (1, {})


@pytest.mark.parametrize("body", [b'{"id": "1", "stream": "events"}', b"{not json"])
def test_a_delivery_of_no_known_stream_is_set_aside_and_never_taken_for_another_record(ads: Ads, body: bytes) -> None:
    ads.vendor.fill("ada@example.com")
    ads.send(body)
    ads.heat()
    assert (ads.vendor.calls.total(), ads.leads(), ads.wanted()) == (0, [], {})
    with closing(ads.open()) as house:
        (letter,) = house.store.dead_letters()
        found = house.store.dead_letter(letter.dead_letter_id)
        assert found is not None
        assert (found.payload, house.journal.backlog()) == (body, {})
