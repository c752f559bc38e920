"""What the API of the sandbox's Mailchimp writes, and whom it protects."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.unit.sandbox.mailchimp_client import LIST, MEMBERS, Client

ADA = f"{MEMBERS}/ada@example.com"


@pytest.fixture
def client() -> Any:
    made = Client()
    yield made
    made.session.close()


def upsert(client: Client, *, status: int = 200, path: str = ADA, **body: Any) -> Any:
    return client.json("PUT", path, status=status, json={"email_address": "ada@example.com", **body})


def test_an_upsert_makes_an_unknown_member_and_edits_a_known_one(client: Client) -> None:
    made = upsert(client, status_if_new="pending", merge_fields={"FNAME": "Ada"}, language="de")
    assert (made["status"], made["source"], made["timestamp_opt"]) == ("pending", "API - Generic", "")
    client.clock.advance(60)
    edited = upsert(client, status_if_new="subscribed", merge_fields={"LNAME": "L"}, interests={"i2": True})
    assert (edited["contact_id"], edited["status"], edited["language"]) == (made["contact_id"], "pending", "de")
    assert (edited["merge_fields"]["FNAME"], edited["merge_fields"]["LNAME"]) == ("Ada", "L")
    assert edited["interests"]["i2"]
    assert edited["last_changed"] == "2026-03-01T09:01:00+00:00"
    assert client.page(since_last_changed="2026-03-01T09:00:30+00:00")["total_items"] == 1


def test_an_unknown_member_needs_status_if_new(client: Client) -> None:
    refused = client.json("PUT", ADA, status=400, json={"email_address": "ada@example.com", "status": "subscribed"})
    assert refused["errors"][0]["field"] == "status_if_new"
    assert client.mailchimp.members(LIST) == []


def test_nobody_who_left_is_subscribed_again(client: Client) -> None:
    client.put("ada@example.com")
    client.mailchimp.unsubscribe(LIST, "ada@example.com")
    before = client.mailchimp.members(LIST)
    refused = client.json("PUT", ADA, status=400, json={"email_address": "ada@example.com", "status": "subscribed", "vip": True})
    assert refused["title"] == "Member In Compliance State"
    assert client.json("PATCH", ADA, status=400, json={"status": "subscribed"})["title"] == "Member In Compliance State"
    assert client.mailchimp.members(LIST) == before
    assert client.json("PATCH", ADA, json={"status": "pending"})["status"] == "pending"
    client.json("PATCH", ADA, status=400, json={"status": "subscribed"})
    client.put("ada@example.com", status="subscribed")
    client.json("PATCH", ADA, json={"status": "unsubscribed"})
    assert client.json("PATCH", ADA, json={"status": "subscribed"})["status"] == "subscribed", (
        "left by an admin, not by themselves"
    )


def test_bounced_and_archived_leavers_stay_barred(client: Client) -> None:
    client.put("bounced@example.com")
    client.mailchimp.clean(LIST, "bounced@example.com")
    client.put("left@example.com")
    client.mailchimp.unsubscribe(LIST, "left@example.com")
    client.mailchimp.archive(LIST, "left@example.com")
    for email in ("bounced@example.com", "left@example.com"):
        refused = client.json("PATCH", f"{MEMBERS}/{email}", status=400, json={"status": "subscribed"})
        assert refused["title"] == "Member In Compliance State"


def test_an_upsert_can_change_the_address_but_not_to_a_taken_one(client: Client) -> None:
    contact = client.put("ada@example.com")
    client.put("taken@example.com")
    assert client.json("PUT", ADA, status=400, json={"email_address": "taken@example.com"})["title"] == "Member Exists"
    moved = client.json("PUT", ADA, json={"email_address": "ada@example.org"})
    assert (moved["contact_id"], moved["email_address"]) == (contact, "ada@example.org")
    refused = client.json("PUT", ADA, status=400, json={"email_address": "ada@example.org", "status_if_new": "subscribed"})
    assert refused["title"] == "Member Exists", "the hash in the path is of another address"


def test_create_refuses_who_is_there_and_brings_back_who_was_archived(client: Client) -> None:
    body = {"email_address": "ada@example.com", "status": "subscribed", "tags": ["a", "b"]}
    made = client.json("POST", MEMBERS, json=body)
    assert [tag["name"] for tag in made["tags"]] == ["a", "b"]
    assert client.json("POST", MEMBERS, status=400, json=body)["title"] == "Member Exists"
    client.mailchimp.archive(LIST, "ada@example.com")
    back = client.json("POST", MEMBERS, json=body)
    assert (back["contact_id"], back["status"]) == (made["contact_id"], "subscribed")


def test_who_was_erased_can_only_come_back_by_the_form(client: Client) -> None:
    contact = client.put("ada@example.com")
    assert client.call("POST", f"{ADA}/actions/delete-permanent").status_code == 204
    client.json("GET", ADA, status=404)
    body = {"email_address": "Ada@example.com", "status": "subscribed", "status_if_new": "subscribed"}
    for method, path in (("POST", MEMBERS), ("PUT", ADA)):
        assert client.json(method, path, status=400, json=body)["title"] == "Forgotten Email Not Subscribed"
    assert client.put("ada@example.com") != contact


def test_delete_archives_whom_it_may(client: Client) -> None:
    client.put("ada@example.com")
    client.clock.advance(5)
    answer = client.call("DELETE", ADA)
    assert (answer.status_code, answer.content) == (204, b"")
    shown = client.member("ada@example.com")
    assert (shown["status"], shown["last_changed"]) == ("archived", "2026-03-01T09:00:05+00:00")
    assert client.json("DELETE", ADA, status=405)["title"] == "Method Not Allowed"
    client.put("b@example.com", status="cleaned")
    client.json("DELETE", f"{MEMBERS}/b@example.com", status=405)
    client.json("DELETE", f"{MEMBERS}/nobody@example.com", status=404)


def test_tags_are_added_and_taken_away(client: Client) -> None:
    client.put("ada@example.com", tags=["a", "b"])
    client.clock.advance(60)
    wanted = [{"name": "b", "status": "inactive"}, {"name": "c", "status": "active"}, {"name": "z", "status": "inactive"}]
    assert client.call("POST", f"{ADA}/tags", json={"tags": wanted}).status_code == 204
    shown = client.member("ada@example.com")
    assert ([tag["name"] for tag in shown["tags"]], shown["last_changed"]) == (["a", "c"], "2026-03-01T09:01:00+00:00")
    client.json("POST", f"{ADA}/tags", status=400, json={"tags": [{"name": "d", "status": "on"}]})
    client.json("POST", f"{ADA}/tags", status=400, json={"tags": ["d"]})
    client.json("POST", f"{MEMBERS}/nobody@example.com/tags", status=404, json={"tags": []})


def test_tags_may_leave_last_changed_alone(client: Client) -> None:
    """Whether they do the vendor does not tell."""
    client.put("ada@example.com")
    client.mailchimp.tags_touch = False
    client.clock.advance(60)
    client.call("POST", f"{ADA}/tags", json={"tags": [{"name": "a", "status": "active"}]})
    shown = client.member("ada@example.com")
    assert (shown["tags_count"], shown["last_changed"]) == (1, "2026-03-01T09:00:00+00:00")


def test_a_batch_is_always_200_with_errors_inside(client: Client) -> None:
    client.put("known@example.com")
    members = [
        {"email_address": "new@example.com", "status": "subscribed", "tags": ["x"]},
        {"email_address": "known@example.com", "status": "subscribed"},
        {"email_address": "nonsense", "status": "subscribed"},
        {"email_address": "other@example.com", "status": "odd"},
    ]
    answer = client.json("POST", f"lists/{LIST}", json={"members": members})
    assert (answer["total_created"], answer["total_updated"], answer["error_count"]) == (1, 0, 3)
    assert [one["error_code"] for one in answer["errors"]] == ["ERROR_CONTACT_EXISTS", "ERROR_GENERIC", "ERROR_GENERIC"]
    assert answer["new_members"][0]["tags"][0]["name"] == "x"
    again = client.json("POST", f"lists/{LIST}", json={"members": members[:2], "update_existing": True})
    assert (again["total_updated"], again["error_count"]) == (2, 0)
    client.json("POST", f"lists/{LIST}", status=400, json={"members": members * 126})


def test_a_batch_replaces_tags_only_when_asked(client: Client) -> None:
    client.put("a@example.com", tags=["old"])
    member = {"email_address": "a@example.com", "tags": ["new"]}
    for sync, expected in ((False, ["old", "new"]), (True, ["new"])):
        body = {"members": [member], "update_existing": True, "sync_tags": sync}
        answer = client.json("POST", f"lists/{LIST}", json=body)
        assert [tag["name"] for tag in answer["updated_members"][0]["tags"]] == expected


def test_a_batch_says_nothing_of_those_it_may_not_subscribe(client: Client) -> None:
    client.put("a@example.com")
    client.mailchimp.unsubscribe(LIST, "a@example.com")
    members = [{"email_address": "a@example.com", "status": "subscribed"}]
    answer = client.json("POST", f"lists/{LIST}", json={"members": members, "update_existing": True})
    assert (answer["error_count"], answer["updated_members"][0]["status"]) == (0, "unsubscribed")


@pytest.mark.parametrize(
    "body",
    [
        {"email_address": "no address"},
        {"email_address": None},
        {"email_address": "ada@example.com", "status_if_new": "archived"},
        {"email_address": "ada@example.com", "status_if_new": "subscribed", "merge_fields": "x"},
        {"email_address": "ada@example.com", "status_if_new": "subscribed", "merge_fields": {"FNAME": ["a"]}},
        {"email_address": "ada@example.com", "status_if_new": "subscribed", "interests": {"nope": True}},
        {"email_address": "ada@example.com", "status_if_new": "subscribed", "marketing_permissions": [{"id": 1}]},
        {"email_address": "ada@example.com", "status_if_new": "subscribed", "vip": "yes"},
        {"email_address": "ada@example.com", "status_if_new": "subscribed", "timestamp_opt": "soon"},
    ],
)
def test_values_that_may_not_be_write_nothing(client: Client, body: dict[str, Any]) -> None:
    assert client.json("PUT", ADA, status=400, json=body)["title"] == "Invalid Resource"
    assert client.mailchimp.members(LIST) == []


@pytest.mark.parametrize("raw", [b"{", b"[]", b""])
def test_a_body_must_be_an_object(client: Client, raw: bytes) -> None:
    assert client.json("PUT", ADA, status=400, data=raw)["status"] == 400
    assert client.mailchimp.members(LIST) == []


def test_fields_that_an_audience_does_not_have_are_left_out_in_silence(client: Client) -> None:
    made = upsert(client, status_if_new="subscribed", merge_fields={"NOPE": "x", "COMPANY": None, "PHONE": 5})
    assert made["merge_fields"] == {"FNAME": "", "LNAME": "", "COMPANY": "", "PHONE": 5}


def test_permissions_are_set_by_id(client: Client) -> None:
    made = upsert(client, status_if_new="subscribed", marketing_permissions=[{"marketing_permission_id": "p2", "enabled": True}])
    assert [one["enabled"] for one in made["marketing_permissions"]] == [False, True]


def test_people_cannot_do_what_makes_no_sense(client: Client) -> None:
    client.put("a@example.com")
    client.put("b@example.com")
    with pytest.raises(ValueError, match="status"):
        client.put("a@example.com", status="gone")
    with pytest.raises(ValueError, match="no 'colour'"):
        client.put("a@example.com", colour="red")
    with pytest.raises(ValueError, match="member already"):
        client.mailchimp.change_email(LIST, "a@example.com", "B@example.com")
    with pytest.raises(KeyError):
        client.mailchimp.archive(LIST, "nobody@example.com")
    with pytest.raises(ValueError, match="already"):
        client.mailchimp.add_audience(LIST)


# ---------------------------------------------------------------------- what goes out

TRIGGER = "journeys/7/steps/70/actions/trigger"


def trigger(client: Client, email: str = "ada@example.com", path: str = TRIGGER, status: int = 204) -> Any:
    answer = client.call("POST", f"customer-journeys/{path}", json={"email_address": email})
    assert answer.status_code == status, answer.text
    return answer


def test_each_time_that_somebody_is_set_to_pending_they_are_asked_to_confirm(client: Client) -> None:
    upsert(client, status_if_new="pending")
    upsert(client, status_if_new="pending", language="de")
    sent = client.mailchimp.marketing.mails
    assert [(mail.kind, mail.list_id, mail.email) for mail in sent] == [("confirmation", LIST, "ada@example.com")]
    client.json("PATCH", ADA, json={"status": "pending"})
    assert len(client.mailchimp.marketing.mails_to("ADA@example.com", "confirmation")) == 2
    client.put("bob@example.com", status="pending")
    client.put("bob@example.com", status="pending")
    assert len(client.mailchimp.marketing.mails_to("bob@example.com")) == 1
    client.put("eve@example.com")
    assert client.mailchimp.marketing.mails_to("eve@example.com") == []


def test_a_step_triggered_twice_counts_twice_and_quotes_the_fields_of_then(client: Client) -> None:
    client.mailchimp.marketing.add_journey(7, LIST, 70, 71)
    client.put("ada@example.com", merge_fields={"FNAME": "Ada"})
    trigger(client)
    client.put("ada@example.com", merge_fields={"FNAME": "Countess"})
    trigger(client)
    found = client.mailchimp.marketing
    assert [(one.journey_id, one.step_id, one.email) for one in found.entries] == [(7, 70, "ada@example.com")] * 2
    assert [mail.merge_fields["FNAME"] for mail in found.mails] == ["Ada", "Countess"]


def test_a_journey_mails_only_subscribers_and_takes_only_members(client: Client) -> None:
    client.mailchimp.marketing.add_journey(7, LIST, 70)
    client.put("left@example.com")
    client.mailchimp.unsubscribe(LIST, "left@example.com")
    trigger(client, "left@example.com")
    assert (len(client.mailchimp.marketing.entries), client.mailchimp.marketing.mails) == (1, [])
    trigger(client, "nobody@example.com", status=400)
    client.put("gone@example.com", status="archived")
    trigger(client, "gone@example.com", status=400)
    client.json("POST", f"customer-journeys/{TRIGGER}", status=400, json={})
    for path in (
        "journeys/7/steps/71/actions/trigger",
        "journeys/8/steps/70/actions/trigger",
        "journeys/x/steps/y/actions/trigger",
    ):
        trigger(client, "left@example.com", path, status=404)


def test_events_are_kept_and_their_names_checked(client: Client) -> None:
    client.put("ada@example.com")
    assert client.call("POST", f"{ADA}/events", json={"name": "trial_started", "properties": {"plan": "pro"}}).status_code == 204
    assert client.call("POST", f"{ADA}/events", json={"name": "import", "is_syncing": True}).status_code == 204
    (event,) = client.json("GET", f"{ADA}/events")["events"]
    assert (event["name"], event["properties"]) == ("trial_started", {"plan": "pro"})
    for body in ({"name": "x"}, {"name": "x" * 31}, {}, {"name": "trial", "properties": {"plan": 1}}):
        client.json("POST", f"{ADA}/events", status=400, json=body)
    client.json("POST", f"{MEMBERS}/nobody@example.com/events", status=404, json={"name": "trial"})


def test_required_merge_fields_are_required_unless_asked_not_to_be() -> None:
    client = Client(required=("FNAME",))
    refused = upsert(client, status=400, status_if_new="pending")
    assert (refused["errors"][0]["field"], client.mailchimp.members(LIST)) == ("FNAME", [])
    assert client.mailchimp.marketing.mails == []
    upsert(client, path=f"{ADA}?skip_merge_validation=true", status_if_new="subscribed")
    client.json("PATCH", ADA, status=400, json={"language": "de"})
    client.json("PATCH", f"{ADA}?skip_merge_validation=true", json={"language": "de"})
    upsert(client, merge_fields={"FNAME": "Ada"})
    assert [one["required"] for one in client.json("GET", f"lists/{LIST}/merge-fields")["merge_fields"]] == [
        True,
        False,
        False,
        False,
    ]
    client.session.close()


def test_an_address_that_looks_fake_is_not_taken(client: Client) -> None:
    for email in ("x@fake.example.com", "x@nowhere.invalid"):
        refused = client.json("POST", MEMBERS, status=400, json={"email_address": email, "status": "subscribed"})
        assert "looks fake" in refused["detail"]


def test_an_archived_member_is_not_brought_back_by_an_upsert(client: Client) -> None:
    client.put("ada@example.com")
    client.mailchimp.archive(LIST, "ada@example.com")
    assert upsert(client, status_if_new="subscribed")["status"] == "archived"


@pytest.mark.parametrize("kind", ["cut_after", "late"])
def test_what_was_triggered_may_be_done_although_no_answer_came(client: Client, kind: str) -> None:
    client.mailchimp.marketing.add_journey(7, LIST, 70)
    client.put("ada@example.com")
    client.mailchimp.faults.add(kind, "/trigger$", method="POST")
    with pytest.raises(requests.RequestException):
        trigger(client)
    client.mailchimp.later.settle()
    assert len(client.mailchimp.marketing.entries) == 1


def test_the_control_tells_what_went_out(client: Client) -> None:
    def control(verb: str, body: Any = None) -> Any:
        return client.session.post(f"https://us1.api.mailchimp.com/sandbox/{verb}", json=body, timeout=5).json()

    assert control("journey", {"journey_id": 7, "list_id": LIST, "steps": [70]}) == {"ok": True}
    client.put("ada@example.com")
    trigger(client)
    upsert(client, path=f"{MEMBERS}/bob@example.com", email_address="bob@example.com", status_if_new="pending")
    told = control("marketing")
    assert [one["email"] for one in told["entries"]] == ["ada@example.com"]
    assert [one["kind"] for one in told["mails"]] == ["journey", "confirmation"]
    assert told["mails"][0]["at"] == "2026-03-01T09:00:00+00:00"
    assert told["events"] == []
