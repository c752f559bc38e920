"""10,000 random lead histories under a full policy: everything occurs, and no promise is broken (issue 5)."""

from __future__ import annotations

import msgspec
import pytest

from syncd.policy.model import Section
from tests import histories
from tests.policies import full_policy, when

HISTORIES = 10_000
SHARE = 0.01


@pytest.mark.slow
def test_ten_thousand_histories_keep_every_promise_and_reach_everything():
    policy = full_policy()
    lives = [histories.live(policy, seed) for seed in range(HISTORIES)]
    counts = histories.count(lives)
    print(f"{sum(life.evaluations for life in lives)} evaluations in {HISTORIES} histories")
    for name, number in sorted(counts.items()):
        print(f"{number:>6}  {name}")
    assert [fault for life in lives for fault in life.faults][:5] == []
    program = policy.programs[0]
    expected = {f"status {name}" for name in program.statuses}
    expected |= {f"move {one.from_status} > {one.to_status}" for one in program.transitions}
    expected |= {f"rule {rule.rule_id}" for rule in policy.rules}
    expected |= {f"converted by {rule.rule_id}" for rule in policy.rules if rule.section is Section.CONVERT}
    expected |= {f"opportunity {rule.rule_id}" for rule in policy.rules if rule.section is Section.OPPORTUNITY}
    expected |= {"archived", "revived", "archived and revived", "moved by a rep", "held"}
    assert {name: counts[name] for name in expected if counts[name] < HISTORIES * SHARE} == {}


def mutated(rule_id, **changes):
    policy = full_policy()
    rules = tuple(msgspec.structs.replace(rule, **changes) if rule.rule_id == rule_id else rule for rule in policy.rules)
    return msgspec.structs.replace(policy, rules=rules)


@pytest.mark.parametrize(
    ("rule_id", "changes", "fault"),
    [
        ("ready", {"when": when("score >= 40")}, "converted without being qualified"),
        ("upsell", {"when": when("criteria.budget")}, "an opportunity outside its criteria"),
        ("came_back", {"intent": ("open", "bounce")}, "revived without intent"),
    ],
)
def test_a_policy_that_breaks_a_promise_is_found_out(rule_id, changes, fault):
    """The judge of the histories reads the promises, not the policy; a rule without its condition turns it red."""
    policy = mutated(rule_id, **changes)
    assert fault in {found for seed in range(400) for found in histories.live(policy, seed).faults}
