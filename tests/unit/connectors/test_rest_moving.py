"""rest against lists that people edit between any two calls: whatever is there in the end has been given as it is in the end."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.rest import CONNECTOR, RestOptions
from syncd.errors import SourceUnavailableError
from tests.contract.connectors.cases.rest import SORTED, made
from tests.contract.connectors.kit import NOW, Case

ENDS = {
    "page": ["total", "pages", "has_more", "empty_page"],
    "offset": ["total", "has_more", "empty_page"],
    "token": ["missing_token", "has_more"],
    "link_body": [None],
}
SEEDS = range(40)


def described(chance: random.Random, style: str) -> tuple[dict[str, Any], bool]:
    """One of the ways to describe a service of this style, and whether it is sorted."""
    end = chance.choice(ENDS[style])
    paging: dict[str, Any] = {"type": style.removesuffix("_body"), "size": chance.choice([2, 3, 5, 7])}
    if end is not None:
        paging["end"] = end
    if end in ("total", "pages", "has_more"):
        paging["end_path"] = f"meta.{end}"
    paging |= {"token": {"param": "cursor", "path": "meta.next_cursor"}, "link_body": {"path": "meta.next"}}.get(style, {})
    is_sorted = style in ("page", "offset") or chance.random() < 0.5
    cursor: dict[str, Any] = {**SORTED} if is_sorted else {"since": "updated_since"}
    cursor["format"] = chance.choice(["iso", "unix", "%Y-%m-%d", "%Y-%m-%dT%H:%M"])
    if chance.random() < 0.3:
        cursor["until"] = "updated_before"
    return {"paging": paging, "cursor": cursor}, is_sorted


def pull(case: Case, cursor: Any, held: dict[str, Any], most: int | None) -> Any:
    """Pull up to `most` pages, note what came, and give the cursor after it."""
    options = RestOptions(**case.options)
    try:
        for number, page in enumerate(CONNECTOR.pull(case.session, options, "records", cursor, case.clock.now()), start=1):
            held |= {one.key: json.loads(one.payload) for one in page.records}
            cursor = json.loads(json.dumps(page.cursor))
            if number == most:
                break
    except SourceUnavailableError:
        pass  # it changes too fast just now; the next pull goes on
    return cursor


@pytest.mark.parametrize("style", list(ENDS))
def test_whatever_is_there_in_the_end_was_given_as_it_is(style: str, tmp_path: Path) -> None:
    for seed in SEEDS:
        chance = random.Random(f"{style}/{seed}")
        options, is_sorted = described(chance, style)
        case = made(tmp_path, style, options, is_ordered=is_sorted)
        assert case.vendor is not None
        model = case.vendor.model
        for number in range(chance.randint(0, 60)):
            model.put(
                f"p{number}@example.com", at=NOW - timedelta(seconds=chance.choice([chance.randint(100, 4000), 600, 600, 601]))
            )

        def edit(model: Any, _: str, chance: random.Random = chance, case: Case = case) -> None:
            for _turn in range(chance.choice([0, 0, 0, 1, 2])):
                ids = list(model.leads)
                what = chance.random()
                if ids and what < 0.6:
                    email = model.leads[chance.choice(ids)].fields["email"]
                    model.put(email, at=case.clock.now(), version=chance.random())
                elif ids and what < 0.8:
                    model.remove(chance.choice(ids))
                else:
                    model.put(f"new{chance.random()}@example.com", at=case.clock.now())

        held: dict[str, Any] = {}
        cursor: Any = None
        model.page_served = edit
        for _ in range(chance.randint(1, 4)):
            cursor = pull(case, cursor, held, chance.choice([None, None, 1, 2, 4]))
            case.clock.advance(chance.choice([5, 60, 4000]))
        model.page_served = None
        case.clock.advance(5000)
        pull(case, cursor, held, None)
        there = {one.id: one.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ") for one in model.leads.values()}
        assert {key: held.get(key, {}).get("updated_at") for key in there} == there, f"seed {seed}: {options}"
