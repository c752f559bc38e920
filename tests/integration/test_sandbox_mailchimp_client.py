"""The sandbox's Mailchimp is Mailchimp as far as the vendor's own client can tell: unmodified, apart from the host."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mailchimp_marketing import Client
from mailchimp_marketing.api_client import ApiClientError

from syncd.clock import FixedClock
from syncd.sandbox import MAILCHIMP_KEY, Kind, MailchimpServer, SandboxMailchimp

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ADA = hashlib.md5(b"ada@example.com", usedforsecurity=False).hexdigest()


@pytest.fixture
def mailchimp() -> SandboxMailchimp:
    """An account with two audiences."""
    made = SandboxMailchimp(seed=3, clock=FixedClock(START))
    made.add_audience("L1", "Readers", interests={"i1": "News"}, permissions={"p1": "Email"})
    made.add_audience("L2", "Customers")
    return made


@pytest.fixture
def server(mailchimp: SandboxMailchimp, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailchimpServer]:
    """The account over HTTP; the client makes its own sessions, which read proxies from the environment."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with MailchimpServer(mailchimp) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def client(server: MailchimpServer) -> Any:
    """The vendor's client."""
    return client_with(server, api_key=MAILCHIMP_KEY)


def client_with(server: MailchimpServer, **config: str) -> Any:
    made = Client()
    made.set_config(config)
    made.api_client.host = f"{server.url}/3.0"
    return made


def test_ping_with_a_key_and_with_a_token(server: MailchimpServer, client: Any) -> None:
    assert client.ping.get() == {"health_status": "Everything's Chimpy!"}
    assert client_with(server, access_token=MAILCHIMP_KEY).ping.get() == {"health_status": "Everything's Chimpy!"}


def test_lists(client: Any) -> None:
    page = client.lists.get_all_lists(fields=["lists.id", "lists.name", "total_items"], count=1)
    assert page == {"lists": [{"id": "L1", "name": "Readers"}], "total_items": 2}
    assert client.lists.get_list("L2")["name"] == "Customers"
    assert [one["tag"] for one in client.lists.get_list_merge_fields("L1")["merge_fields"]] == [
        "FNAME",
        "LNAME",
        "COMPANY",
        "PHONE",
    ]
    category = client.lists.get_list_interest_categories("L1")["categories"][0]["id"]
    assert client.lists.list_interest_category_interests("L1", category)["interests"][0]["id"] == "i1"
    assert client.root.get_root()["account_name"] == "Sandbox"


def test_members_by_pages_and_filters(client: Any, mailchimp: SandboxMailchimp) -> None:
    mailchimp.populate("L1", 2_345, start=START - timedelta(days=2), seconds=86_400, seed=1)
    mailchimp.put("L1", "ada@example.com", merge_fields={"FNAME": "Ada"}, interests={"i1": True})
    query: dict[str, Any] = {"sort_field": "last_changed", "sort_dir": "ASC", "count": 1_000}
    query["fields"] = ["total_items", "members.id", "members.last_changed"]
    pages = [client.lists.get_list_members_info("L1", offset=offset, **query) for offset in (0, 1_000, 2_000)]
    living = [one for one in mailchimp.members("L1") if one["status"] != "archived"]
    assert {page["total_items"] for page in pages} == {len(living)}
    found = [one for page in pages for one in page["members"]]
    assert sorted(one["id"] for one in found) == sorted(one["id"] for one in living)
    assert [one["last_changed"] for one in found] == sorted(one["last_changed"] for one in found)
    since = (START - timedelta(minutes=1)).isoformat()
    fresh = client.lists.get_list_members_info("L1", since_last_changed=since, status="subscribed")
    assert [one["id"] for one in fresh["members"]] == [ADA]
    assert client.lists.get_list_members_info("L1", status="archived", count=0)["total_items"] == 2_346 - len(living)


def test_one_member_from_beginning_to_end(client: Any, mailchimp: SandboxMailchimp) -> None:
    body = {"email_address": "ada@example.com", "status_if_new": "subscribed", "merge_fields": {"FNAME": "Ada"}}
    made = client.lists.set_list_member("L1", ADA, body)
    assert (made["id"], made["status"]) == (ADA, "subscribed")
    edited = client.lists.update_list_member("L1", ADA, {"merge_fields": {"LNAME": "L"}})
    assert (edited["contact_id"], edited["full_name"]) == (made["contact_id"], "Ada L")
    done = client.lists.update_list_member_tags("L1", ADA, {"tags": [{"name": "Nurture A", "status": "active"}]})
    assert done.status_code == 204
    assert [one["name"] for one in client.lists.get_list_member_tags("L1", ADA)["tags"]] == ["Nurture A"]
    assert client.lists.delete_list_member("L1", ADA).status_code == 204
    assert client.lists.get_list_member("L1", ADA)["status"] == "archived"
    client.lists.add_list_member("L1", {"email_address": "bob@example.com", "status": "pending"})
    client.lists.delete_list_member_permanent("L1", ADA)
    assert [one["email_address"] for one in mailchimp.members("L1")] == ["bob@example.com"]


def test_journeys_events_and_validation(client: Any, mailchimp: SandboxMailchimp) -> None:
    mailchimp.marketing.add_journey(7, "L1", 70)
    mailchimp.put("L1", "ada@example.com", merge_fields={"FNAME": "Ada"})
    assert client.customerJourneys.trigger(7, 70, {"email_address": "ada@example.com"}).status_code == 204
    assert client.customerJourneys.trigger(7, 70, {"email_address": "ada@example.com"}).status_code == 204
    assert [mail.merge_fields["FNAME"] for mail in mailchimp.marketing.mails_to("ada@example.com", "journey")] == ["Ada", "Ada"]
    with pytest.raises(ApiClientError) as unknown:
        client.customerJourneys.trigger(7, 71, {"email_address": "ada@example.com"})
    assert unknown.value.status_code == 404
    assert client.lists.create_list_member_event("L1", ADA, {"name": "trial_started"}).status_code == 204
    assert client.lists.get_list_member_events("L1", ADA)["events"][0]["name"] == "trial_started"
    mailchimp.add_audience("L3", required=("FNAME",))
    body = {"email_address": "ada@example.com", "status_if_new": "pending"}
    with pytest.raises(ApiClientError) as invalid:
        client.lists.set_list_member("L3", ADA, body)
    assert json.loads(invalid.value.text)["errors"][0]["field"] == "FNAME"
    assert client.lists.set_list_member("L3", ADA, body, skip_merge_validation=True)["status"] == "pending"
    assert (
        client.lists.update_list_member("L3", ADA, {"status": "unsubscribed"}, skip_merge_validation=True)["status"]
        == "unsubscribed"
    )


def test_a_batch(client: Any) -> None:
    members = [{"email_address": f"m{number}@example.com", "status": "subscribed"} for number in range(3)]
    answer = client.lists.batch_list_members(
        "L1", {"members": [*members, {"email_address": "nonsense"}], "update_existing": True}
    )
    assert (answer["total_created"], answer["error_count"]) == (3, 1)


def test_errors_are_problems(server: MailchimpServer, client: Any, mailchimp: SandboxMailchimp) -> None:
    """The client reads only application/json: a problem stays a text with it."""
    with pytest.raises(ApiClientError) as unknown:
        client.lists.get_list_member("L1", ADA)
    problem = json.loads(unknown.value.text)
    assert (unknown.value.status_code, problem["status"], problem["title"]) == (404, 404, "Resource Not Found")
    with pytest.raises(ApiClientError) as wrong:
        client_with(server, api_key=MAILCHIMP_KEY.replace("-us1", "-us2")).ping.get()
    assert (wrong.value.status_code, json.loads(wrong.value.text)["title"]) == (401, "API Key Invalid")
    mailchimp.faults.add(Kind.THROTTLED)
    with pytest.raises(ApiClientError) as throttled:
        client.ping.get()
    assert throttled.value.status_code == 429
