"""The actions of the shipped policies are such as their sources can carry out."""

from __future__ import annotations

from datetime import date

import pytest

from connectors.activecampaign import CONNECTOR as ACTIVECAMPAIGN
from connectors.activecampaign import ActiveCampaignOptions
from connectors.csv_drop import CONNECTOR as CSV_DROP
from connectors.mailchimp import CONNECTOR as MAILCHIMP
from connectors.mailchimp import MailchimpOptions
from syncd.app.publish import render
from syncd.app.stated_actions import action_problems
from syncd.connector import Secret
from syncd.policy import load_policy
from tests.unit.policy.test_ready_made import FOLDER, STATUSES, loaded

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


def test_a_policy_may_state_what_activecampaign_can_do() -> None:
    """The example of its page, fields by their number among it; the name of a list is its proof's, whole."""
    account = ActiveCampaignOptions(api_key=Secret("k", "test"), base_url="https://acme.api-us1.com", audiences=["list-7"])
    event_team = (FOLDER / "event_team.yaml").read_text(encoding="utf-8")
    for stated, wrong in (
        (
            'enrol: {source: newsletter, audience: list-7, status: subscribed, fields: {firstName: lead.FirstName, "2": lead.Company}}',
            "",
        ),
        ('tag: {source: newsletter, tag: "20"}', ""),
        ('trigger: {source: newsletter, automation: "3"}', ""),
        ("enrol: {source: newsletter, audience: list-7}", "needs status"),
        ("enrol: {source: newsletter, audience: list-70, status: subscribed}", "may not use this list"),
    ):
        text = event_team.replace("tag: {source: newsletter, audience: a1b2c3d4e5, tag: next event}", stated)
        assert stated in text
        found = list(action_problems(load_policy(text, "p.yaml"), {"newsletter": (ACTIVECAMPAIGN, account)}))
        told = [one.message for one in found if "next_event" in one.message]
        assert [wrong in one for one in told] == ([True] if wrong else [])


def test_the_page_for_reps_names_an_automation_by_its_number() -> None:
    event_team = (FOLDER / "event_team.yaml").read_text(encoding="utf-8")
    stated = 'trigger: {source: campaigns, audience: list-7, automation: "3"}'
    text = event_team.replace("tag: {source: newsletter, audience: a1b2c3d4e5, tag: next event}", stated)
    assert "utomation 3 of campaigns begins" in render(load_policy(text, "p.yaml"), date(2026, 5, 1), "")
