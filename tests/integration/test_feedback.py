"""Conversions told to advertising platforms by whole passes: each once, with leave, and taken back where a deal is lost after all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.connector.telling import hashed
from syncd.sandbox.vendors.conversions import CONVERSION_ACTION
from tests.feedback import AGREED, DAY, FORM, GOOGLE, HOUR, LINKEDIN, META, Platforms, mail, telling


@pytest.fixture
def make(make_world: Callable[..., Any]) -> Callable[..., Platforms]:
    def made(policy: str = telling(GOOGLE), **options: Any) -> Platforms:
        world = make_world(Platforms, policy=policy, **options)
        assert isinstance(world, Platforms)
        return world

    return made


def qualified(world: Platforms, number: int = 1, **changes: Any) -> Platforms:
    """Somebody came by an ad, and a rep has qualified them."""
    world.fill_in(number, **changes)
    world.settle()
    world.settle()
    world.edit(number, Status="Qualified")
    return world


def told(world: Platforms) -> list[tuple[Any, ...]]:
    """What Google holds, oldest first: value, currency, and whether it was taken back."""
    rows = sorted(world.google.conversions.told.values(), key=lambda one: one.at)
    return [(one.row.get("conversionValue"), one.row.get("currencyCode"), one.retracted_at is not None) for one in rows]


def test_the_whole_way_of_a_lead_is_told_once_each_and_the_loss_takes_the_win_back(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    assert (world.states(), told(world)) == ([("qualified", "planned", "")], []), "a click of an hour ago is too young for Google"
    world.settle(7 * HOUR)
    assert told(world) == [(None, None, False)]
    (row,) = [one.row for one in world.google.conversions.told.values()]
    assert (row["gclid"], row["consent"], len(row["orderId"])) == ("Cj0-Ada_1", {"adUserData": "GRANTED"}, 32)
    contact = world.convert(1)
    deal = world.win(contact)
    assert told(world) == [(None, None, False), (None, None, False), (1250.5, "EUR", False)]
    for _ in range(5):
        world.settle(HOUR)
    assert [event for event, _, _ in world.states()] == ["qualified", "converted", "won"]
    world.org.edit(deal, {"StageName": "Closed Lost"})
    world.settle()
    assert world.states()[-1] == ("retracted", "planned", ""), "Google takes nothing back within a day"
    world.settle(26 * HOUR)
    assert told(world) == [(None, None, False), (None, None, False), (1250.5, "EUR", True)]
    for stage in ("Closed Won", "Closed Lost", "Prospecting"):
        world.org.edit(deal, {"StageName": stage})
        world.settle(DAY)
    assert [event for event, _, _ in world.states()] == ["qualified", "converted", "won", "retracted"]
    assert {state for _, state, _ in world.states()} == {"done"}
    assert [one.path.rpartition(":")[2] for one in world.google.calls if "upload" in one.path] == [
        "uploadClickConversions", "uploadClickConversions", "uploadClickConversions", "uploadConversionAdjustments",
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["Prospecting", "deleted"])
def test_a_deal_that_is_reopened_or_deleted_is_taken_back(make: Callable[..., Platforms], end: str) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    deal = world.win(world.convert(1))
    if end == "deleted":
        world.org.delete(deal)
    else:
        world.org.edit(deal, {"StageName": end})
    world.settle(2 * DAY)
    world.settle()
    assert [one[2] for one in told(world)] == [False, False, True]


def test_each_deal_is_told_and_one_that_is_lost_before_it_left_is_not(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    contact = world.convert(1)
    world.win(contact, 10.0)
    world.win(contact, 20.0)
    world.pause("google")
    third = world.win(contact, 30.0)
    world.org.edit(third, {"StageName": "Closed Lost"})
    world.settle()
    world.resume("google")
    world.settle()
    world.settle()
    assert [value for value, _, _ in told(world)] == [None, None, 10.0, 20.0]
    assert [state for event, state, _ in world.states() if event == "won"] == ["done", "done", "superseded"]


def test_nobody_is_told_of_who_has_opted_out_also_while_it_waits(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    world.org.edit(world.lead(mail(1))["Id"], {"HasOptedOutOfEmail": True})
    world.settle(8 * HOUR)
    world.fill_in(2)
    world.settle()
    world.settle()
    world.org.edit(world.lead(mail(2))["Id"], {"HasOptedOutOfEmail": True})
    world.edit(2, Status="Qualified")
    world.settle(8 * HOUR)
    assert (told(world), world.states()) == ([], [("qualified", "superseded", "opted_out")])


def test_without_the_stated_consent_nothing_is_told_unless_the_policy_says_so(make: Callable[..., Platforms]) -> None:
    other = telling(GOOGLE.replace(f"'{AGREED}'", "another_form"))
    world = qualified(make(other))
    world.settle(8 * HOUR)
    assert (told(world), world.states(), world.notes(1)["action:tell_qualified"]) == ([], [], "no_consent")
    world.write("mappings/policy.yaml", telling(GOOGLE.replace(f"consent: '{AGREED}'", "needs_consent: false")))
    world.settle()
    world.settle()
    assert told(world) == [(None, None, False)]
    (row,) = [one.row for one in world.google.conversions.told.values()]
    assert "consent" not in row


def test_consent_that_is_gone_before_it_leaves_stops_it(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    assert world.states() == [("qualified", "planned", "")]
    mapping = world.folder / "mappings/google_ads.yaml"
    text = mapping.read_text(encoding="utf-8")
    changed = text.replace("consent: {from: [form_id, form_name,", "consent: {from: [form_name,")
    assert changed != text
    world.write("mappings/google_ads.yaml", changed)
    for _ in range(3):
        world.settle(8 * HOUR)
    assert (told(world), world.states()) == ([], [("qualified", "superseded", "no_consent")])


def test_a_click_that_is_too_old_for_google_is_never_sent(make: Callable[..., Platforms]) -> None:
    world = make()
    world.fill_in(1)
    world.settle()
    world.clock.advance(91 * DAY)
    world.settle()
    world.edit(1, Status="Qualified")
    for _ in range(3):
        world.settle(8 * HOUR)
    assert (world.states(), world.notes(1)["action:tell_qualified"]) == ([], "click_too_old")
    assert not [one for one in world.google.calls if "upload" in one.path]


@pytest.mark.parametrize(("platform", "days"), [("google", 90), ("meta", 7)])
def test_what_waited_until_the_platform_takes_it_no_longer_ends_there(
    make: Callable[..., Platforms], platform: str, days: int
) -> None:
    world = make(telling({"google": GOOGLE, "meta": META}[platform]))
    if platform == "google":
        world.fill_in(1)
    else:
        world.meta.submit(FORM, {"email": mail(1), "full_name": "Ada x"}, boxes={"marketing_opt_in": "1"})
    world.settle()
    world.settle()
    world.pause(platform)
    world.edit(1, Status="Qualified")
    assert world.states() == [("qualified", "planned", "")]
    world.clock.advance(days * DAY)
    world.resume(platform)
    for _ in range(3):
        world.settle(HOUR)
    assert world.states() == [("qualified", "superseded", "too_old")]
    assert (told(world), world.meta.events) == ([], [])


def test_a_rule_that_gets_another_name_while_it_waits_loses_nothing(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    assert world.states() == [("qualified", "planned", "")]
    world.write("mappings/policy.yaml", telling(GOOGLE).replace("tell_qualified", "say_qualified"))
    for _ in range(4):
        world.settle(8 * HOUR)
    assert told(world) == [(None, None, False)]
    assert world.states() == [("qualified", "superseded", "rule_gone"), ("qualified", "done", "")]


def test_a_deal_that_passes_to_another_contact_counts_once_and_is_taken_back_once(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    qualified(world, 2)
    world.settle(7 * HOUR)
    first, second = world.convert(1), world.convert(2)
    deal = world.win(first)
    world.org.note("Opportunity", deal, {"ContactId": second})  # by its primary contact role, or as contacts were merged
    for _ in range(3):
        world.settle(HOUR)
    assert [one for one in told(world) if one[0] is not None] == [(1250.5, "EUR", False)]
    world.org.edit(deal, {"StageName": "Closed Lost"})
    world.settle(26 * HOUR)
    world.settle(26 * HOUR)
    assert [one for one in told(world) if one[0] is not None] == [(1250.5, "EUR", True)]


def test_a_loss_after_google_takes_nothing_back_is_no_dead_letter(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    deal = world.win(world.convert(1))
    world.clock.advance(54 * DAY)
    world.org.edit(deal, {"StageName": "Closed Lost"})
    for _ in range(3):
        world.settle(DAY)
    assert [event for event, _, _ in world.states()] == ["qualified", "converted", "won"]
    assert {state for _, state, _ in world.states()} == {"done"}


def test_who_came_without_a_click_is_not_told_of(make: Callable[..., Platforms]) -> None:
    world = qualified(make(), gclid="")
    world.settle(8 * HOUR)
    assert (world.states(), world.notes(1)["action:tell_qualified"]) == ([], "no_identifier")


def test_a_sandbox_org_tells_nothing(make: Callable[..., Platforms]) -> None:
    world = make()
    world.org.set_up("Organization", Id=world.org.org_id, IsSandbox=True)
    qualified(world)
    world.settle(8 * HOUR)
    assert (world.states(), told(world)) == ([], [])


@pytest.mark.parametrize("fault", ["cut_after", "error", "cut_before"])
def test_an_answer_that_is_lost_is_told_once(make: Callable[..., Platforms], fault: str) -> None:
    world = qualified(make())
    world.google.faults.add(fault, ":uploadClickConversions$")
    for _ in range(5):
        world.settle(8 * HOUR)
    assert (told(world), [state for _, state, _ in world.states()]) == ([(None, None, False)], ["done"])


@pytest.mark.parametrize("fault", ["cut_after", "cut_before"])
def test_a_win_in_doubt_that_is_lost_meanwhile_is_taken_back_if_it_arrived(make: Callable[..., Platforms], fault: str) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    contact = world.convert(1)
    world.settle(HOUR)
    world.google.faults.add(fault, ":uploadClickConversions$")
    deal = world.win(contact)
    assert world.states()[-1] == ("won", "planned", "answer_lost")
    world.org.edit(deal, {"StageName": "Closed Lost"})
    for _ in range(3):
        world.settle(DAY)
    wins = [one for one in told(world) if one[0] is not None]
    assert wins == ([(1250.5, "EUR", True)] if fault == "cut_after" else [])
    assert [state for event, state, _ in world.states() if event in ("won", "retracted")] == ["superseded", "done"]


def test_a_refusal_is_a_dead_letter_and_is_told_when_it_is_replayed(make: Callable[..., Platforms]) -> None:
    world = make()
    world.google.conversions.actions.clear()
    qualified(world)
    world.settle(8 * HOUR)
    assert world.states() == [("qualified", "refused", "no_conversion_action_found")]
    world.google.conversions.actions.add(CONVERSION_ACTION)
    house = world.open()
    (letter,) = house.store.dead_letters()
    house.store.replay_dead_letters([letter.dead_letter_id], world.clock.now())
    house.close()
    world.settle()
    assert told(world) == [(None, None, False)]


@pytest.mark.parametrize("platform", ["meta", "linkedin"])
def test_meta_and_linkedin_are_told_once_of_who_ticked_the_box_and_of_nobody_else(
    make: Callable[..., Platforms], platform: str
) -> None:
    world = make(telling({"meta": META, "linkedin": LINKEDIN}[platform]))
    for number, agrees in ((1, True), (2, False)):
        if platform == "meta":
            told_by = {"email": mail(number), "full_name": f"Ada {'xy'[number - 1]}", "company_name": "Engines"}
            world.meta.submit(FORM, told_by, boxes={"marketing_opt_in": "1" if agrees else ""})
        else:
            told_by = {"email": mail(number), "first": "Ada", "last": "xy"[number - 1], "company": "Engines"}
            world.linkedin.submit(told_by, agrees=agrees)
    world.settle()
    world.settle()
    world.edit(2, Status="Qualified")
    world.edit(1, Status="Qualified")
    world.win(world.convert(1))
    for _ in range(2):
        world.settle(HOUR)
    events = world.vendor(platform).events
    assert len(events) == 3
    assert [hashed(mail(1)) in str(one) for one in events] == [True] * 3
    assert "1250.5" in str(events[-1])
    assert world.notes(2)["action:tell_qualified"] == "no_consent"


@pytest.mark.parametrize("fault", ["cut_after", "error"])
def test_meta_is_told_once_at_most_and_a_person_is_asked(make: Callable[..., Platforms], fault: str) -> None:
    world = make(telling(META))
    world.meta.submit(FORM, {"email": mail(1), "full_name": "Ada x"}, boxes={"marketing_opt_in": "1"})
    world.settle()
    world.settle()
    world.meta.faults.add(fault, "/events$")
    world.edit(1, Status="Qualified")
    for _ in range(2):
        world.settle(HOUR)
    assert world.states() == [("qualified", "refused", "outcome_unknown")]
    assert len(world.meta.events) == (fault == "cut_after")
