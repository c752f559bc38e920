"""Golden pages: what reps read of the policies that ship with syncd, reviewed as text.

`python -m tests.golden.test_published` writes the pages that are missing; with `--force` it writes all of them anew.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

from syncd.app.publish import render
from tests.unit.policy.test_ready_made import STATUSES, loaded

FOLDER = Path(__file__).parent / "published"
CASES = [f"{name}.{ending}" for name in STATUSES for ending in ("md", "html")]


def page(case: str) -> str:
    """The page of a policy as of a day, by the ending of its name."""
    policy = loaded(case.partition(".")[0], sources={"newsletter": "mailchimp"})
    return render(policy, date(2026, 5, 1), case)


@pytest.mark.parametrize("case", CASES)
def test_a_page_is_as_it_was(case: str) -> None:
    """A change here is what reps will read: review it."""
    assert page(case) == (FOLDER / case).read_text(encoding="utf-8")


def test_every_page_belongs_to_a_policy() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(CASES)


if __name__ == "__main__":
    for one in CASES:
        target = FOLDER / one
        if not target.exists() or "--force" in sys.argv:
            target.write_text(page(one), encoding="utf-8")
