"""How long one evaluation of a full policy takes for one person, and how much more that is than what cannot be saved.

Run `python bench/policy.py`. The floor builds the values and calls every condition once. Aim: under 150 microseconds.
"""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from syncd.policy import evaluate
from syncd.policy.values import build_values
from tests import policies

AIM_MICROSECONDS = 150.0
ROUNDS = 1_000
CHANNELS = ("webinar", "demo", "email", "form", "email", "reply", "webinar", "email", "bounce", "email")


def microseconds(run: Callable[[], object]) -> float:
    """CPU time of one call, the best of five."""
    return min(timeit.repeat(run, number=ROUNDS, repeat=5, timer=time.process_time)) / ROUNDS * 1e6


def main() -> int:
    """Measure, print the figures; 1 if the aim is missed."""
    policy = policies.full_policy()
    touches = tuple(policies.touch(channel, policies.ago(days=9 * place + 3)) for place, channel in enumerate(CHANNELS))
    golden = {"Title": "Head of Sales", "Country": "DE", "NumberOfEmployees": 120, "Budget__c": 5000, "FirstName": "Ada"}
    everywhere = [
        policies.facts(policies.lead(status), golden=golden, touches=touches, sources=("site",), news_at=policies.ago(days=3))
        for status in policies.LIVE
    ]

    def once() -> object:
        return [evaluate(policy, known) for known in everywhere]

    standards = policy.standards
    conditions = [rule.when for rule in (*policy.rules, *standards.scoring)] + [standards.qualified]
    conditions += [one for criterion in standards.criteria for one in (criterion.met, criterion.unmet)]
    called = [condition for condition in conditions if condition is not None]

    def floor() -> object:
        values = build_values(everywhere[0])
        values["score"] = 10
        return [condition(values) for condition in called]

    spent, least = microseconds(once) / len(everywhere), microseconds(floor)
    print(
        f"{len(policy.rules)} rules, {len(standards.criteria)} criteria, {len(standards.scoring)} scoring rules, {len(touches)} touches"
    )
    print(
        f"evaluate {spent:.1f} us, floor {least:.1f} us ({len(called)} conditions), ratio {spent / least:.2f}; aim {AIM_MICROSECONDS:.0f} us"
    )
    return int(spent > AIM_MICROSECONDS)


if __name__ == "__main__":
    sys.exit(main())
