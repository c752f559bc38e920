"""Consent that comes from Mailchimp: a withdrawal reaches everybody whom the address is, and nothing clears it (G6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncd.model import RunStatus
from tests.newsletter import UNTESTED_MAPPING, Newsletter, letters, mail
from tests.world import World, row

SKIPPED = 'record.status in ("pending", "cleaned", "archived")'
ALSO_UNSUBSCRIBED = 'record.status in ("pending", "cleaned", "archived", "unsubscribed")'


@pytest.fixture
def news(make_world: Callable[..., World]) -> Newsletter:
    """A newsletter by the shipped mapping, beside a drop folder."""
    world: Any = make_world(Newsletter, audiences=("L1", "L2"))
    return world  # type: ignore[no-any-return]


def passed(news: Newsletter) -> Any:
    """A pass that sees what was done until now."""
    news.settle()
    summary = news.run()
    assert summary.status is RunStatus.OK, (summary.missed, summary.error)
    return summary


def in_the_org(number: int) -> dict[str, str]:
    """The person as a rep types them in."""
    return {"FirstName": f"First{letters(number)}", "LastName": f"Last{letters(number)}", "Email": mail(number)}


def opted_out(news: Newsletter, *sf_ids: str) -> list[bool]:
    """What the records say of mail, in this order."""
    rows = [news.org.row(sf_id) for sf_id in sf_ids]
    return [bool(one and one["HasOptedOutOfEmail"]) for one in rows]


def test_who_unsubscribes_after_conversion_is_opted_out_on_the_contact(news: Newsletter) -> None:
    """Our own lead was converted by a rep: the lead is locked, the contact carries the withdrawal."""
    news.put(1)
    passed(news)
    ours = news.lead(mail(1))["Id"]
    became = news.org.convert(ours)
    passed(news)
    news.mailchimp.unsubscribe("L1", mail(1))
    passed(news)
    assert opted_out(news, became, ours) == [True, False]


def test_who_unsubscribes_is_opted_out_where_a_converted_lead_was_known_before(news: Newsletter) -> None:
    """The org had converted the person before Mailchimp told of them."""
    became = news.org.convert(news.org.create("Lead", {**in_the_org(1), "Company": "C"}))
    news.put(1)
    passed(news)
    news.mailchimp.unsubscribe("L1", mail(1))
    passed(news)
    assert opted_out(news, became) == [True]
    assert len(news.leads()) == 1, "no second lead beside the converted one"


@pytest.mark.parametrize("kind", ["Lead", "Contact"])
def test_who_unsubscribes_is_opted_out_on_records_that_others_made_meanwhile(news: Newsletter, kind: str) -> None:
    """A rep typed the person in once more, after our lead: every Lead and Contact with the mailbox hears of it."""
    news.put(1)
    passed(news)
    company = {"Company": "Elsewhere"} if kind == "Lead" else {}
    other = news.org.create(kind, {**in_the_org(1), **company})
    bystander = news.org.create(kind, {**in_the_org(2), **company})
    passed(news)
    news.mailchimp.unsubscribe("L1", mail(1))
    passed(news)
    assert opted_out(news, bystander) == [False]
    assert [bool(one["HasOptedOutOfEmail"]) for one in news.leads(Email=mail(1))] == [True] * (2 if kind == "Lead" else 1)
    assert opted_out(news, other) == [True]


def test_who_unsubscribes_is_opted_out_on_all_of_several_matches(news: Newsletter) -> None:
    """Two leads and a contact had the mailbox before: nobody knows which it is, so all of them hear of it."""
    ids = [news.org.create("Lead", {**in_the_org(1), "Company": company}) for company in ("A", "B")]
    ids.append(news.org.create("Contact", in_the_org(1)))
    news.put(1)
    passed(news)
    news.mailchimp.unsubscribe("L1", mail(1))
    passed(news)
    assert opted_out(news, *ids) == [True, True, True]


def test_who_was_never_a_lead_of_ours_is_opted_out_too(news: Newsletter) -> None:
    """The first thing that is heard of somebody is that they left; the org knows them as a contact and as a lead."""
    lead = news.org.create("Lead", {**in_the_org(1), "Company": "C"})
    contact = news.org.create("Contact", in_the_org(2))
    for number in (1, 2):
        news.put(number, status="unsubscribed")
    assert passed(news).operations["created"] == 0
    assert opted_out(news, lead, contact) == [True, True]


def test_a_bounce_is_no_withdrawal(news: Newsletter) -> None:
    """`cleaned` says that mail does not arrive, not that it is not wanted."""
    news.put(1)
    contact = news.org.create("Contact", in_the_org(2))
    news.put(2)
    passed(news)
    for number in (1, 2):
        news.mailchimp.clean("L1", mail(number))
    summary = passed(news)
    assert summary.sources["newsletter"].skipped == 2
    assert opted_out(news, news.lead(mail(1))["Id"], contact) == [False, False]


def test_subscribing_again_clears_nothing(news: Newsletter) -> None:
    """Neither a withdrawal that came from Mailchimp nor one that a person entered in the org."""
    for number in (1, 2):
        news.put(number)
    passed(news)
    news.mailchimp.unsubscribe("L1", mail(1))
    by_a_rep = news.lead(mail(2))["Id"]
    news.org.edit(by_a_rep, {"HasOptedOutOfEmail": True})
    passed(news)
    for number in (1, 2):
        news.put(number, status="subscribed", merge_fields={"COMPANY": "Came Back Ltd"})
    passed(news)
    assert [news.lead(mail(number))["Company"] for number in (1, 2)] == ["Came Back Ltd"] * 2, "the rest of the record arrives"
    assert opted_out(news, news.lead(mail(1))["Id"], by_a_rep) == [True, True]


@pytest.mark.parametrize("order", [("L1", "L2"), ("L2", "L1")])
def test_a_yes_in_one_audience_does_not_undo_a_no_in_another(news: Newsletter, order: tuple[str, str]) -> None:
    """Whichever of the two comes first."""
    news.put(1, list_id=order[0], status="unsubscribed")
    news.settle()
    news.put(1, list_id=order[1], status="subscribed")
    passed(news)
    assert opted_out(news, news.lead(mail(1))["Id"]) == [True]
    assert len(news.leads()) == 1


@pytest.mark.parametrize("rule", [SKIPPED, ALSO_UNSUBSCRIBED])
def test_who_unsubscribes_while_being_skipped_is_opted_out(make_world: Callable[..., World], rule: str) -> None:
    """Somebody who never confirmed makes no lead, but their no counts for the lead that they are by another source."""
    news: Any = make_world(Newsletter, news_mapping=UNTESTED_MAPPING.replace(SKIPPED, rule))
    assert rule in news.news_mapping
    news.put(1, status="pending", merge_fields={"COMPANY": "From The Newsletter"})
    news.drop([row(1)])
    first = passed(news)
    assert first.sources["newsletter"].skipped == 1
    lead = news.lead(mail(1))["Id"]
    assert opted_out(news, lead) == [False]
    news.mailchimp.unsubscribe("L1", mail(1))
    passed(news)
    assert opted_out(news, lead) == [True]
    assert len(news.leads()) == 1


def test_who_is_known_only_by_a_skipped_no_is_remembered_and_not_created(make_world: Callable[..., World]) -> None:
    """When the person comes by another source later, the lead is born with the opt-out."""
    news: Any = make_world(Newsletter, news_mapping=UNTESTED_MAPPING.replace(SKIPPED, ALSO_UNSUBSCRIBED))
    news.put(1, status="unsubscribed")
    assert passed(news).operations["created"] == 0
    news.drop([row(1)])
    passed(news)
    assert opted_out(news, news.lead(mail(1))["Id"]) == [True]


def test_an_archived_member_keeps_lead_and_consent_as_they_are(news: Newsletter) -> None:
    """Whom the account puts away: found by the daily look at the archive, and nothing about them changes."""
    for number in (1, 2):
        news.put(number)
    news.mailchimp.unsubscribe("L1", mail(2))
    passed(news)
    for number in (1, 2):
        news.mailchimp.archive("L1", mail(number))
    news.clock.advance(90_000)
    summary = passed(news)
    assert summary.sources["newsletter"].skipped == 2, "the archive was read"
    assert summary.operations["updated"] == 0
    assert opted_out(news, news.lead(mail(1))["Id"], news.lead(mail(2))["Id"]) == [False, True]
