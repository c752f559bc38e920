"""What Mailchimp sends by itself: the same lead as a poll would give, sooner; a new address is no new person."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from syncd.connector import Delivery
from syncd.model import RunStatus
from syncd.sandbox.mailchimp.webhooks import MAILCHIMP_PATH, event_of, moved_of
from tests.newsletter import SHORT_MAPPING, Newsletter, check_sums, mail
from tests.world import World


@pytest.fixture
def news(make_world: Callable[..., World]) -> Newsletter:
    """An audience of two that was read, and sends what happens."""
    options = f"audiences: [L1], webhook_path_secret: {MAILCHIMP_PATH}"
    world: Any = make_world(Newsletter, has_booth=False, news_mapping=SHORT_MAPPING, options=options)
    world.put(1)
    world.put(2)
    world.settle()
    assert world.run().status is RunStatus.OK
    assert len(world.leads()) == 2
    return world  # type: ignore[no-any-return]


def send(news: Newsletter, *bodies: bytes) -> None:
    """Stored and answered, and moved on by the next pass: what happened just now it does not poll yet."""
    now = news.clock.now()
    kind = "application/x-www-form-urlencoded"
    with closing(news.open()) as house:
        house.journal.put([Delivery("newsletter", now, body, content_type=kind) for body in bodies])
    summary = news.run()
    assert summary.status is RunStatus.OK
    check_sums(summary)


def test_a_new_address_moves_the_lead_and_makes_no_second_one(news: Newsletter) -> None:
    """`profile` may come beside `upemail`; the poll afterwards finds nothing new."""
    (before,) = news.leads(Email=mail(1))
    news.mailchimp.change_email("L1", mail(1), "moved@example.com")
    send(news, moved_of(news.mailchimp, "L1", mail(1), "moved@example.com"), event_of(news.mailchimp, "L1", "moved@example.com"))
    (after,) = news.leads(Email="moved@example.com")
    assert (after["Id"], len(news.leads())) == (before["Id"], 2)
    writes = len(news.org.audit)
    news.settle()
    news.run()
    assert (len(news.leads()), len(news.org.audit)) == (2, writes)


@pytest.mark.parametrize("more", [{"action": "unsub", "reason": "manual"}, {"action": "unsub", "reason": "abuse"}])
def test_leaving_is_an_opt_out_at_once(news: Newsletter, more: dict[str, str]) -> None:
    news.mailchimp.unsubscribe("L1", mail(2))
    send(news, event_of(news.mailchimp, "L1", mail(2), "unsubscribe", **more))
    assert [one["HasOptedOutOfEmail"] for one in news.leads(Email=mail(2))] == [True]
    assert [one["HasOptedOutOfEmail"] for one in news.leads(Email=mail(1))] == [False]


def test_a_bounce_is_no_opt_out_and_somebody_new_is_a_lead(news: Newsletter) -> None:
    news.mailchimp.clean("L1", mail(2))
    news.put(3)
    send(
        news,
        event_of(news.mailchimp, "L1", mail(2), "cleaned", reason="hard"),
        event_of(news.mailchimp, "L1", mail(3), "subscribe"),
    )
    assert [one["HasOptedOutOfEmail"] for one in news.leads(Email=mail(2))] == [False]
    assert len(news.leads(Email=mail(3))) == 1
