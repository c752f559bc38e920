"""What a review of conversions doubted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.feedback import DAY, FORM, GOOGLE, HOUR, LINKEDIN, META, Platforms, mail, telling
from tests.integration.test_feedback import make as make
from tests.integration.test_feedback import qualified, told


def test_an_event_in_doubt_is_not_sent_again_when_its_source_was_away(make: Callable[..., Platforms]) -> None:
    world = make(telling(META))
    world.meta.submit(FORM, {"email": mail(1), "full_name": "Ada x"}, boxes={"marketing_opt_in": "1"})
    world.settle()
    world.settle()
    world.edit(1, Status="Qualified")
    contact = world.convert(1)
    world.meta.faults.add("cut_after", "/events$")
    world.win(contact)
    names = [one["event_name"] for one in world.meta.events]
    assert (world.states()[-1], names) == (("won", "unknown", ""), ["Stage qualified", "Stage converted", "Stage won"])
    path = world.folder / "syncd.yaml"
    text = path.read_text(encoding="utf-8")
    world.write("syncd.yaml", "".join(line for line in text.splitlines(keepends=True) if not line.startswith("  meta:")))
    world.write("mappings/policy.yaml", telling(GOOGLE))
    world.settle()
    world.write("syncd.yaml", text)
    world.write("mappings/policy.yaml", telling(META))
    for _ in range(3):
        world.settle(HOUR)
    assert [one["event_name"] for one in world.meta.events] == names


@pytest.mark.parametrize("change", ["renamed", "moved"])
def test_a_win_is_taken_back_though_its_rule_is_written_otherwise_now(make: Callable[..., Platforms], change: str) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    deal = world.win(world.convert(1))
    assert told(world)[-1] == (1250.5, "EUR", False)
    policy = telling(GOOGLE)
    if change == "renamed":
        policy = policy.replace("tell_won", "say_won")
    else:
        won = GOOGLE.replace("EVENT", "won")
        policy = policy.replace(f"do: [{won}]", "do:\n      - task: {subject: Thank them}\n      - " + won)
    assert policy != telling(GOOGLE)
    world.write("mappings/policy.yaml", policy)
    world.settle()
    lose(world, deal)
    assert told(world)[-1] == (1250.5, "EUR", True)


@pytest.mark.parametrize("error", [("internalError", "TRANSIENT_ERROR"), ("quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED")])
def test_a_row_that_google_refuses_for_a_passing_reason_is_told_later(
    make: Callable[..., Platforms], error: tuple[str, str]
) -> None:
    world = qualified(make())
    world.google.conversions.passing.append(error)
    for _ in range(4):
        world.settle(8 * HOUR)
    assert (told(world), world.states()) == ([(None, None, False)], [("qualified", "done", "")])


def test_the_version_of_a_form_is_no_box_that_was_ticked(make: Callable[..., Platforms]) -> None:
    """Nobody ticked anything; the policy asks for box 1, and the form is in its first version."""
    world = make(telling(LINKEDIN.replace("consent: '7'", "consent: '1'")))
    world.linkedin.submit({"email": mail(1), "first": "Ada", "last": "x", "company": "Engines"}, agrees=False)
    world.settle()
    world.settle()
    world.edit(1, Status="Qualified")
    world.settle(HOUR)
    assert (world.linkedin.events, world.notes(1)["action:tell_qualified"]) == ([], "no_consent")


def test_a_conversion_is_told_with_the_time_at_which_it_happened(make: Callable[..., Platforms]) -> None:
    """Though its rule is younger; Meta takes nothing of ten days ago, Google does."""
    full = telling(GOOGLE, META)
    world = make(full.partition("  - id: tell_converted")[0])
    world.meta.submit(FORM, {"email": mail(2), "full_name": "Grace Lastc"}, boxes={"marketing_opt_in": "1"})
    world = qualified(world)
    world.edit(2, Status="Qualified")
    world.settle(7 * HOUR)
    converted_at = world.clock.now()
    world.convert(1)
    world.convert(2)
    world.settle(10 * DAY)
    world.write("mappings/policy.yaml", full)
    for _ in range(3):
        world.settle(HOUR)
    assert [one["event_name"] for one in world.meta.events] == ["Stage qualified"]
    times = [datetime.fromisoformat(one.row["conversionDateTime"]) for one in world.google.conversions.told.values()]
    assert len(times) == 2
    assert abs(max(times) - converted_at).total_seconds() < 10


@pytest.mark.parametrize("contact", ["unknown", "none"])
@pytest.mark.parametrize("end", ["Closed Lost", "Prospecting", "deleted"])
def test_a_win_is_taken_back_though_the_deal_has_left_the_contact(make: Callable[..., Platforms], contact: str, end: str) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    deal = world.win(world.convert(1))
    assert told(world)[-1] == (1250.5, "EUR", False)
    leave(world, deal, contact)
    assert told(world)[-1] == (1250.5, "EUR", False), "the deal stands: nothing is wrong with what was told"
    if end == "deleted":
        world.org.delete(deal)
    else:
        world.org.edit(deal, {"StageName": end})
    for _ in range(3):
        world.settle(26 * HOUR)
    assert told(world)[-1] == (1250.5, "EUR", True)
    assert [event for event, _, _ in world.states()] == ["qualified", "converted", "won", "retracted"]


def test_a_win_is_taken_back_though_the_person_has_left_the_org(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    lead = world.lead(mail(1))["Id"]
    contact = world.convert(1)
    deal = world.win(contact)
    leave(world, deal, "none")
    for one in (contact, lead):
        world.org.delete(one)
    world.settle()
    lose(world, deal)
    assert told(world)[-1] == (1250.5, "EUR", True)
    assert {state for _, state, _ in world.states()} == {"done"}


def test_a_win_that_waits_is_not_told_of_whom_the_deal_has_left(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    contact = world.convert(1)
    world.pause("google")
    deal = world.win(contact)
    leave(world, deal, "unknown")
    world.resume("google")
    for _ in range(2):
        world.settle(HOUR)
    assert [one[0] for one in told(world)] == [None, None]
    assert world.states()[-1] == ("won", "superseded", "")


def test_a_deal_that_left_and_is_won_again_before_it_was_taken_back_stands_until_it_is_lost(
    make: Callable[..., Platforms],
) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    deal = world.win(world.convert(1))
    leave(world, deal, "none")
    for stage in ("Closed Lost", "Closed Won"):
        world.org.edit(deal, {"StageName": stage})
        world.settle(HOUR)
    for _ in range(2):
        world.settle(26 * HOUR)
    assert told(world)[-1] == (1250.5, "EUR", False)
    lose(world, deal)
    assert told(world)[-1] == (1250.5, "EUR", True)
    world.org.edit(deal, {"StageName": "Closed Won"})
    for _ in range(2):
        world.settle(26 * HOUR)
    assert [event for event, state, _ in world.states() if state == "done"].count("won") == 1, "it is not told once more"


def test_a_deal_that_two_were_told_of_is_taken_back_and_then_all_is_quiet(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    qualified(world, 2)
    world.settle(7 * HOUR)
    first, second = world.convert(1), world.convert(2)
    deal = world.win(first)
    world.org.note("Opportunity", deal, {"ContactId": second})
    world.settle(HOUR)
    lose(world, deal)
    assert [one for one in told(world) if one[0] is not None] == [(1250.5, "EUR", True)]
    ends = [state for event, state, _ in world.states() if event in ("won", "retracted")]
    assert ends == ["done"] * 4, "each of the two takes back what was told for them; Google says of the second that it knows"
    calls = len(world.google.calls), world.org.api_calls
    world.settle()
    quiet = len(world.google.calls) - calls[0], world.org.api_calls - calls[1]
    world.settle()
    assert (len(world.google.calls) - calls[0], world.org.api_calls - calls[1]) == (2 * quiet[0], 2 * quiet[1])


def test_a_deal_whose_contacts_are_merged_is_taken_back(make: Callable[..., Platforms]) -> None:
    """The survivor is a contact whom Google does not know."""
    world = qualified(make())
    world.settle(7 * HOUR)
    contact = world.convert(1)
    deal = world.win(contact)
    other = world.org.create("Contact", {"LastName": "Other", "Email": "other@example.com"}, user="rep1")
    world.org.merge(other, [contact])
    world.org.note("Opportunity", deal, {"ContactId": other})
    world.settle(HOUR)
    lose(world, deal)
    assert told(world)[-1] == (1250.5, "EUR", True)


def test_a_win_of_two_people_who_are_one_is_taken_back(make: Callable[..., Platforms]) -> None:
    """Their contacts are merged, and somebody says that they are one person; the opportunity has no contact by then."""
    world = qualified(make())
    qualified(world, 2)
    world.settle(7 * HOUR)
    first, second = world.convert(1), world.convert(2)
    deal = world.win(first)
    leave(world, deal, "none")
    world.org.merge(second, [first])
    world.settle()
    house = world.open()
    (review,) = house.store.reviews()
    house.store.accept_review(review.review_id, review.candidates[0], world.clock.now())
    house.close()
    world.settle()
    lose(world, deal)
    assert [one for one in told(world) if one[0] is not None] == [(1250.5, "EUR", True)]


@pytest.mark.parametrize("left", ["other_rules", "no_rules"])
def test_a_win_is_taken_back_though_nothing_is_told_any_more(make: Callable[..., Platforms], left: str) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    deal = world.win(world.convert(1))
    world.write("mappings/policy.yaml", telling(GOOGLE).partition("  - id: tell_won" if left == "other_rules" else "nurture:")[0])
    for _ in range(2):
        world.settle()
    lose(world, deal)
    assert told(world)[-1] == (1250.5, "EUR", True)


def test_opportunities_are_read_as_long_as_a_win_can_be_taken_back_and_no_longer(make: Callable[..., Platforms]) -> None:
    world = qualified(make())
    world.settle(7 * HOUR)
    contact = world.convert(1)
    silent = telling(GOOGLE).partition("  - id: tell_won")[0]
    world.write("mappings/policy.yaml", silent)
    deal = world.close(contact)
    assert not sees(world, deal, 10.0), "nothing was told as won"
    world.write("mappings/policy.yaml", telling(GOOGLE))
    world.settle()
    world.write("mappings/policy.yaml", silent)
    assert sees(world, deal, 20.0)
    world.clock.advance(52 * DAY)
    assert sees(world, deal, 30.0)
    world.clock.advance(DAY)
    assert not sees(world, deal, 40.0), "Google takes nothing back any more"


def lose(world: Platforms, deal: str) -> None:
    """The opportunity is lost after all, and Google takes things back a day later."""
    world.org.edit(deal, {"StageName": "Closed Lost"})
    for _ in range(3):
        world.settle(26 * HOUR)


def leave(world: Platforms, deal: str, contact: str) -> None:
    """The opportunity passes to a contact who never came by an ad, or to none."""
    other = None
    if contact == "unknown":
        other = world.org.create("Contact", {"LastName": "Other", "Email": "other@example.com"}, user="rep1")
    world.org.note("Opportunity", deal, {"ContactId": other})
    world.settle()


def sees(world: Platforms, deal: str, amount: float) -> bool:
    """Whether a pass learns of a change of the opportunity."""
    world.org.edit(deal, {"Amount": amount})
    world.settle()
    house = world.open()
    try:
        known = house.store.deals([deal])
        return deal in known and known[deal].amount == amount
    finally:
        house.close()
