"""The policies that ship with syncd are right, offline and against an org, and their tests cover every rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.policy import Policy, check_policy, load_policy, run_tests
from tests.unit.policy.orgs import sandbox_schema

FOLDER = Path(__file__).parents[3] / "mappings" / "policies"
STATUSES: dict[str, tuple[str, ...]] = {
    "default": (),
    "b2b_nurture": ("Qualified", "Nurture", "Unqualified", "Archived"),
    "event_team": ("Nurture",),
}
"""What each asks an admin to add to Salesforce's own lead statuses."""


def loaded(name: str, **more: Any) -> Policy:
    return load_policy((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml", **more)


def test_every_file_is_listed_here() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(STATUSES)


@pytest.mark.parametrize("name", STATUSES)
def test_it_loads_offline_without_a_warning_and_its_tests_hold(name: str) -> None:
    policy = loaded(name, sources={"newsletter": "mailchimp"})
    assert check_policy(policy) == []
    assert run_tests(policy) == []
    assert policy.name == name


@pytest.mark.parametrize("name", STATUSES)
def test_it_fits_the_org_with_the_statuses_that_it_asks_for(name: str) -> None:
    org = sandbox_schema(*STATUSES[name])
    assert check_policy(loaded(name, org=org), org) == []
    assert run_tests(loaded(name, org=org)) == []


@pytest.mark.parametrize("name", [name for name, statuses in STATUSES.items() if statuses])
def test_without_those_statuses_it_is_refused(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(name, org=sandbox_schema())
    assert {one.message for one in refused.value.problems} == {
        f'Salesforce has no lead status "{status}".' for status in STATUSES[name]
    }


@pytest.mark.parametrize("name", STATUSES)
def test_every_rule_does_something_in_a_test_of_the_file(name: str) -> None:
    policy = loaded(name)
    done: set[str] = set()
    for test in policy.tests:
        done |= {test.expect.get(key, "") for key in ("rule", "converts", "opens")}
        done |= {*test.expect.get("fired", ()), *test.expect.get("observed", ())}
    assert {rule.rule_id for rule in policy.rules} - done == set()


def test_the_default_does_nothing_that_was_not_done_before() -> None:
    """Every rule only watches, and a new lead gets the status that it got."""
    policy = loaded("default")
    assert {rule.enforcement.value for rule in policy.rules} == {"observe"}
    assert policy.programs[0].entry is not None
    before = (FOLDER.parent / "policy.yaml").read_text(encoding="utf-8")
    old = load_policy(before, "policy.yaml")
    assert (policy.programs[0].entry.name, policy.on_deleted, policy.allow_clear) == (
        old.status_on_create,
        old.on_deleted,
        old.allow_clear,
    )
