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
    world.org.edit(deal, {"StageName": "Closed Lost"})
    for _ in range(3):
        world.settle(26 * HOUR)
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
