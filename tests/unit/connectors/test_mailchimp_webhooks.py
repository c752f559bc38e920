"""What Mailchimp sends: the known answer of its signature, whom it lets in, whom an event names, and what is asked for then."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.mailchimp import CONNECTOR, MailchimpOptions
from syncd.clock import FixedClock
from syncd.connector import Delivery, HttpRequest, Record, Reject, Secret, Session, Unwanted, Wanted
from syncd.sandbox import SandboxMailchimp
from syncd.sandbox.mailchimp.webhooks import MAILCHIMP_PATH, MAILCHIMP_SECRET, body_of, event_of, moved_of, signed
from tests.contract.connectors.cases.mailchimp import OPTIONS
from tests.contract.connectors.kit import NOW, lent

STAMP = 1_772_359_200
AT = datetime.fromtimestamp(STAMP, UTC)
BODY = b"type=subscribe&fired_at=2026-03-01+10%3A00%3A00&data%5Bemail%5D=ada%40example.com"
PROOF = "f0103d95a0d895ff2991ee1a72213bff526678425c53c8dcfb9a06e89602ca76"
HASH = "3e3417d7ef77d5932a6734b916515ed5"


def options(**more: Any) -> MailchimpOptions:
    secrets = {name: Secret(value, "test") if isinstance(value, str) else value for name, value in more.items()}
    return MailchimpOptions(**{**OPTIONS, **secrets})


SIGNED = options(webhook_secret="mc-signing-secret")
BY_PATH = options(webhook_path_secret=MAILCHIMP_PATH, audiences=["L1"])


def judged(header: str | None, body: bytes = BODY, at: datetime = AT, given: MailchimpOptions = SIGNED, tail: str = "") -> Any:
    headers = {} if header is None else {"x-mailchimp-signature": header}
    return CONNECTOR.verify(HttpRequest("POST", headers, {}, body, tail), given, at)


def named(body: bytes) -> Any:
    (one,) = CONNECTOR.parse(Delivery("newsletter", NOW, body, sequence=3), BY_PATH)
    return one


# ---------------------------------------------------------------------- who is let in


def test_the_known_answer_of_the_signature() -> None:
    """Reference, sources.md 1."""
    good = f"t={STAMP},v1={PROOF}"
    assert (judged(good).refusal, judged(good).status, judged(good).is_stored) == ("", 200, True)
    assert judged(f"t={STAMP}, v1={'0' * 64}, v1={PROOF}").refusal == "", "one of several is enough"
    assert judged(good, at=AT + timedelta(seconds=300)).refusal == ""
    for header, word in (
        (None, "missing_signature"),
        ("", "missing_signature"),
        (f"t={STAMP},v1={PROOF[:-1]}7", "bad_signature"),
        (f"t={STAMP + 1},v1={PROOF}", "bad_signature"),
        (f"t={STAMP},v1=", "bad_header"),
        (f"t={STAMP},v1=xyz", "bad_header"),
        (f"v1={PROOF}", "bad_header"),
        (f"t=²,v1={PROOF}", "bad_header"),
        (f"t={'9' * 30},v1={PROOF}", "bad_header"),
        (PROOF, "bad_header"),
    ):
        assert (judged(header).refusal, judged(header).status) == (word, 401), header
    assert judged(good, body=BODY + b"&").refusal == "bad_signature"
    assert judged(good, at=AT + timedelta(seconds=301)).refusal == "stale_timestamp"
    assert judged(good, at=AT - timedelta(seconds=301)).refusal == "stale_timestamp"
    far = hmac.new(b"mc-signing-secret", b"9" * 12 + b"." + BODY, hashlib.sha256).hexdigest()
    assert judged(f"t={'9' * 12},v1={far}").refusal == "stale_timestamp"


def test_each_audience_has_a_secret_of_its_own_and_any_of_them_counts() -> None:
    several = options(webhook_secret=tuple(Secret(one, "test") for one in ("a", "mc-signing-secret", "c")))
    assert not judged(f"t={STAMP},v1={PROOF}", given=several).refusal
    assert judged(f"t={STAMP},v1={PROOF}", given=options(webhook_secret="other")).refusal == "bad_signature"
    with pytest.raises(ValidationError):
        options(webhook_secret=())


def test_saving_the_address_is_answered_by_whoever_lives_there() -> None:
    for method in ("GET", "HEAD"):
        for given, tail in ((SIGNED, ""), (BY_PATH, MAILCHIMP_PATH)):
            verdict = CONNECTOR.verify(HttpRequest(method, {}, {}, b"", tail), given, NOW)
            assert (verdict.refusal, verdict.status, verdict.is_stored, verdict.answer) == ("", 200, False, b"")
        for given, tail, word in ((SIGNED, "x", "not_found"), (BY_PATH, "", "unknown_source"), (BY_PATH, "x", "unknown_source")):
            verdict = CONNECTOR.verify(HttpRequest(method, {}, {}, b"", tail), given, NOW)
            assert (verdict.refusal, verdict.status) == (word, 404)


def test_with_both_secrets_both_are_asked_for() -> None:
    both = options(webhook_secret="mc-signing-secret", webhook_path_secret=MAILCHIMP_PATH)
    good = f"t={STAMP},v1={PROOF}"
    assert judged(good, given=both, tail=MAILCHIMP_PATH).refusal == ""
    assert judged(good, given=both).refusal == "unknown_source"
    assert judged(None, given=both, tail=MAILCHIMP_PATH).refusal == "missing_signature"


def test_without_a_signature_only_chosen_audiences_are_let_in() -> None:
    for audience, word in (("L1", ""), ("L2", "unknown_audience"), ("", "unknown_audience")):
        verdict = judged(
            None, body_of("profile", NOW, {}, list_id=audience, email="ada@example.com"), NOW, BY_PATH, MAILCHIMP_PATH
        )
        assert verdict.refusal == word
    with pytest.raises(ValidationError, match="needs audiences"):
        options(webhook_path_secret=MAILCHIMP_PATH)


def test_signed_events_of_other_audiences_and_of_campaigns_are_thanked_for_and_not_kept() -> None:
    """Mailchimp switches a webhook off that is refused for long."""
    given = options(webhook_secret=MAILCHIMP_SECRET, audiences=["L1"])
    for kind, audience, is_kept in (
        ("profile", "L1", True),
        ("cleaned", "L1", True),
        ("something_new", "L1", True),
        ("campaign", "L1", False),
        ("profile", "L2", False),
    ):
        body = body_of(kind, NOW, {}, list_id=audience, email="ada@example.com")
        verdict = judged(signed(body, NOW)["x-mailchimp-signature"], body, NOW, given)
        assert (verdict.refusal, verdict.status, verdict.is_stored) == ("", 200, is_kept), kind


def test_without_any_secret_nothing_is_let_in() -> None:
    assert CONNECTOR.reception(options()) is None
    assert CONNECTOR.verify(HttpRequest("GET", {}, {}, b""), options(), NOW).status == 404


# ---------------------------------------------------------------------- whom an event names


@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe", "profile", "cleaned", "something_new"])
def test_an_event_names_audience_and_hash_and_nothing_else_of_it_is_kept(kind: str) -> None:
    one = named(body_of(kind, NOW, {"data[merges][FNAME]": "Ada"}, list_id="L1", email=" ADA@example.com", id="not-the-hash"))
    assert isinstance(one, Wanted)
    assert (one.key, one.at, one.locator) == (f"L1/{HASH}", None, "audience L1")
    assert json.loads(one.payload) == {"list": "L1", "hash": HASH, "kind": kind}


def test_who_has_a_new_address_is_named_by_the_new_one() -> None:
    one = named(body_of("upemail", NOW, {}, list_id="L1", old_email="old@example.com", new_email="ada@example.com", new_id="x"))
    assert one.key == f"L1/{HASH}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"type=profile",
        b"type=profile&data[list_id]=L1",
        b"type=profile&data[email]=a@example.com",
        b"type=profile&data[list_id]=L1/../x&data[email]=a@example.com",
        b"type=upemail&data[list_id]=L1&data[email]=a@example.com",
        b'{"type": "profile"}',
        b"\xff\xfe",
    ],
)
def test_an_event_without_a_member_is_kept_as_it_came(body: bytes) -> None:
    one = named(body)
    assert isinstance(one, Reject)
    assert (one.key, one.reason, one.payload) == ("delivery-3", "no_member", body)


# ---------------------------------------------------------------------- what is asked for


class Audience:
    """An audience with its vendor."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(NOW)
        self.model = SandboxMailchimp(clock=self.clock)
        self.model.add_audience("L1", merge_fields=("FNAME",))
        self.session: Session = lent(self.model, CONNECTOR, folder, self.clock)[0]

    def pulled(self) -> Record:
        """The only member, by a poll."""
        walk = CONNECTOR.pull(self.session, BY_PATH, "members", None, self.clock.now() + timedelta(seconds=60))
        (one,) = [one for page in walk for one in page.records]
        return one

    def fetched(self, body: bytes) -> Any:
        """What an event brings."""
        return CONNECTOR.fetch(self.session, BY_PATH, named(body))


@pytest.fixture
def audience(tmp_path: Path) -> Audience:
    return Audience(tmp_path)


def test_a_member_with_many_tags_is_whole_either_way(audience: Audience) -> None:
    tags = [f"tag {number}" for number in range(120)]
    audience.model.put("L1", "ada@example.com", tags=tags, merge_fields={"FNAME": "Ada"}, at=NOW - timedelta(minutes=5))
    found, pulled = audience.fetched(event_of(audience.model, "L1", "ada@example.com")), audience.pulled()
    assert len(json.loads(found.payload)["tags"]) == 120
    assert (found.key, json.loads(found.payload), found.source_at) == (pulled.key, json.loads(pulled.payload), pulled.source_at)


def test_a_new_address_is_the_same_record(audience: Audience) -> None:
    contact = audience.model.put("L1", "old@example.com", at=NOW - timedelta(minutes=9))
    assert audience.pulled().key == contact
    audience.model.change_email("L1", "old@example.com", "ada@example.com", at=NOW - timedelta(minutes=5))
    found = audience.fetched(moved_of(audience.model, "L1", "old@example.com", "ada@example.com"))
    assert (found.key, json.loads(found.payload)["email_address"]) == (contact, "ada@example.com")
    assert audience.pulled().key == contact


def test_who_was_taken_out_is_archived_or_gone_and_who_is_not_there_may_still_come(audience: Audience) -> None:
    audience.model.put("L1", "ada@example.com", at=NOW - timedelta(minutes=9))
    deleted = event_of(audience.model, "L1", "ada@example.com", "unsubscribe", action="delete")
    audience.model.archive("L1", "ada@example.com")
    assert json.loads(audience.fetched(deleted).payload)["status"] == "archived"
    audience.model.delete_permanently("L1", "ada@example.com")
    assert audience.fetched(deleted) == Unwanted("deleted")
    assert audience.fetched(body_of("subscribe", NOW, {}, list_id="L1", email="ada@example.com")) is None
