"""Five passes with random edits at both ends: base drift, frozen fields and returning undos show on the third (STYLE 7)."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.crash import oracle
from tests.world import World, row

PEOPLE = 12
SEEDS = range(40 if os.environ.get("SYNCD_CHAOS") else 4)
FIELDS = ("title", "city", "phone")
ORG_FIELDS = {"title": "Title", "city": "City", "phone": "Phone"}


@pytest.mark.parametrize("seed", SEEDS)
def test_edits_survive_and_sources_arrive_over_five_passes(make_world: Callable[..., World], seed: int) -> None:
    """A field that a person touched is theirs from then on; every other field holds the newest value of the sources."""
    chance = random.Random(seed)
    world = make_world(seed=seed)
    sources: dict[int, dict[str, str]] = {n: {} for n in range(PEOPLE)}
    edits: dict[int, dict[str, Any]] = {n: {} for n in range(PEOPLE)}
    world.drop([row(n) for n in range(PEOPLE)])
    world.run()
    for number in range(5):
        rows = []
        for n in chance.sample(range(PEOPLE), 6):
            for name in chance.sample(FIELDS, chance.randint(1, 2)):
                sources[n][name] = (
                    f"+1415555{chance.randint(1000, 9999)}" if name == "phone" else f"{name} {number} {chance.randint(0, 99)}"
                )
            rows.append(row(n, **sources[n]))
        for n in chance.sample(range(PEOPLE), 3):
            name = chance.choice(FIELDS)
            value = chance.choice([f"rep {number}", None]) if name != "phone" else f"+1212555{chance.randint(1000, 9999)}"
            lead = world.lead(f"person{n}@example.com")
            if lead[ORG_FIELDS[name]] != value:
                world.org.edit(lead["Id"], {ORG_FIELDS[name]: value})
                # An edit of a field that no source has stated yet leaves no base; blank is then no decision against it.
                edits[n][name] = value
        world.drop(rows)
        world.run()
        if chance.random() < 0.3:
            world.run()
    _compare(world, sources, edits)
    quiet = world.run()
    assert not any(count for name, count in quiet.operations.items() if name != "unchanged")
    oracle.check(world, {f"person{n}@example.com" for n in range(PEOPLE)})


def _compare(world: World, sources: dict[int, dict[str, str]], edits: dict[int, dict[str, Any]]) -> None:
    for n in range(PEOPLE):
        lead = world.lead(f"person{n}@example.com")
        for name, field in ORG_FIELDS.items():
            if name in edits[n] and edits[n][name] is not None:
                assert lead[field] == edits[n][name], f"an edit of {field} was overwritten"
            elif name in sources[n] and name not in edits[n]:
                assert lead[field] == sources[n][name], f"{field} did not arrive"
