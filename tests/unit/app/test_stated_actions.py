"""The actions of the shipped policies are such as their sources can carry out."""

from __future__ import annotations

import pytest

from connectors.csv_drop import CONNECTOR as CSV_DROP
from connectors.mailchimp import CONNECTOR as MAILCHIMP
from connectors.mailchimp import MailchimpOptions
from syncd.app.stated_actions import action_problems
from syncd.connector import Secret
from tests.unit.policy.test_ready_made import STATUSES, loaded

ACCOUNT = MailchimpOptions(api_key=Secret("key-us1", "test"))


@pytest.mark.parametrize("name", STATUSES)
def test_what_the_shipped_policies_state_mailchimp_can_do(name: str) -> None:
    assert list(action_problems(loaded(name), {"newsletter": (MAILCHIMP, ACCOUNT)})) == []


def test_a_source_without_known_options_is_not_judged_and_one_that_cannot_act_is_named() -> None:
    policy = loaded("event_team")
    assert list(action_problems(policy, {})) == []
    lines = [one.line for rule in policy.rules for one in rule.actions if one.source]
    found = list(action_problems(policy, {"newsletter": (CSV_DROP, None)}))
    assert [(one.line, one.message.partition(": ")[2]) for one in found] == [
        (line, 'the source "newsletter" (csv_drop) takes no actions.') for line in lines
    ]
