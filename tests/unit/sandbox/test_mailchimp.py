"""The sandbox's Mailchimp tells members as the vendor does: pages, filters, order, fields, and what it keeps to itself."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from syncd.sandbox import SandboxMailchimp
from syncd.sandbox.adapter import SandboxAdapter
from tests.unit.sandbox.mailchimp_client import LIST, MEMBERS, START, Client, at, md5


@pytest.fixture
def client() -> Any:
    made = Client()
    yield made
    made.session.close()


def test_a_member_is_shown_as_the_vendor_shows_it(client: Client) -> None:
    contact = client.put(
        "Ada@Example.com",
        merge_fields={"FNAME": "Ada", "LNAME": "L"},
        tags=["webinar"],
        interests={"i1": True},
        permissions={"p1": True},
        at=at(0.5),
    )
    shown = client.member("ada@example.com")
    assert shown["id"] == md5("ada@example.com")
    assert (shown["contact_id"], shown["email_address"], shown["full_name"]) == (contact, "Ada@Example.com", "Ada L")
    assert shown["merge_fields"] == {"FNAME": "Ada", "LNAME": "L", "COMPANY": "", "PHONE": ""}
    assert shown["interests"] == {"i1": True, "i2": False, "i3": False}
    assert shown["marketing_permissions"] == [
        {"marketing_permission_id": "p1", "text": "Email", "enabled": True},
        {"marketing_permission_id": "p2", "text": "Direct Mail", "enabled": False},
    ]
    assert shown["last_changed"] == shown["timestamp_opt"] == "2026-03-01T09:00:30+00:00"
    assert [tag["name"] for tag in shown["tags"]] == ["webinar"]
    assert (shown["status"], shown["tags_count"], shown["list_id"], shown["vip"]) == ("subscribed", 1, LIST, False)
    assert "unsubscribe_reason" not in shown
    assert len(shown["_links"]) == 10


def test_dates_that_are_not_are_empty_texts(client: Client) -> None:
    client.put("a@example.com", status="pending", timestamp_signup=None)
    shown = client.member("a@example.com")
    assert (shown["timestamp_opt"], shown["timestamp_signup"]) == ("", "")


def test_members_are_found_by_hash_address_and_contact_id(client: Client) -> None:
    contact = client.put("ada@example.com")
    hashed = md5("ada@example.com")
    assert {
        client.member(one)["contact_id"] for one in (hashed, hashed.upper(), "ADA@example.com", "ada%40example.com", contact)
    } == {contact}
    for unknown in ("nobody@example.com", "0" * 32, "no-such-thing", contact[:-1]):
        client.json("GET", f"{MEMBERS}/{unknown}", status=404)


def test_an_edit_and_another_address_keep_the_contact_id(client: Client) -> None:
    contact = client.put("ada@example.com")
    client.clock.advance(60)
    assert client.put("ada@example.com", merge_fields={"COMPANY": "Acme"}) == contact
    assert client.member("ada@example.com")["last_changed"] == "2026-03-01T09:01:00+00:00"
    client.mailchimp.change_email(LIST, "ada@example.com", "ada@example.org")
    moved = client.member(contact)
    assert (moved["email_address"], moved["merge_fields"]["COMPANY"]) == ("ada@example.org", "Acme")
    assert moved["id"] == md5("ada@example.org")
    client.json("GET", f"{MEMBERS}/ada@example.com", status=404)


def test_the_same_person_has_one_hash_but_two_contacts_in_two_audiences(client: Client) -> None:
    client.mailchimp.add_audience("L2")
    contacts = {client.put("a@example.com"), client.mailchimp.put("L2", "a@example.com")}
    shown = [client.mailchimp.members(one)[0] for one in (LIST, "L2")]
    assert len(contacts) == 2
    assert shown[0]["id"] == shown[1]["id"]
    assert shown[0]["unique_email_id"] == shown[1]["unique_email_id"]


# ---------------------------------------------------------------------- pages and order


def test_pages_add_up_to_the_whole(client: Client) -> None:
    for number in range(37):
        client.put(f"m{number}@example.com", at=at(number % 5))
    pages = [client.page(sort_field="last_changed", count=10, offset=offset) for offset in range(0, 50, 10)]
    assert [len(page["members"]) for page in pages] == [10, 10, 10, 7, 0]
    assert {page["total_items"] for page in pages} == {37}
    assert len({one["id"] for page in pages for one in page["members"]}) == 37
    stamps = [one["last_changed"] for page in pages for one in page["members"]]
    assert stamps == sorted(stamps)


def test_ten_members_come_when_nobody_says_how_many_and_a_thousand_at_most(client: Client) -> None:
    for number in range(12):
        client.put(f"m{number}@example.com")
    assert len(client.page()["members"]) == 10
    assert len(client.page(count=1000)["members"]) == 12
    assert client.page(count=0)["total_items"] == 12
    refused = client.json("GET", MEMBERS, status=400, params={"count": 1001})
    assert (refused["title"], refused["errors"][0]["field"]) == ("Invalid Resource", "count")


@pytest.mark.parametrize(
    "wrong", [{"count": "-1"}, {"offset": "x"}, {"status": "gone"}, {"sort_field": "email"}, {"sort_dir": "UP"}]
)
def test_parameters_that_may_not_be_are_refused(client: Client, wrong: dict[str, str]) -> None:
    assert client.json("GET", MEMBERS, status=400, params=wrong)["errors"][0]["field"] == next(iter(wrong))


def test_descending_is_ascending_backwards_also_over_pages(client: Client) -> None:
    for number in range(9):
        client.put(f"m{number}@example.com", at=at(number // 3))
    up = [email for offset in (0, 4, 8) for email in client.emails(sort_field="last_changed", count=4, offset=offset)]
    down = [
        email
        for offset in (0, 4, 8)
        for email in client.emails(sort_field="last_changed", sort_dir="DESC", count=4, offset=offset)
    ]
    assert down == up[::-1]


def test_equal_stamps_and_no_order_at_all_look_like_chance(client: Client) -> None:
    """The order says nothing about who came first, but one crawl of a still audience sees everybody."""
    made = [client.put(f"m{number}@example.com") for number in range(200)]
    for query in ({}, {"sort_field": "last_changed"}):
        found = client.crawl(**query, count=30)
        assert found != made
        assert sorted(found) == sorted(made)


@pytest.mark.parametrize(("order", "expected"), [("timestamp_opt", ["b", "c", "a"]), ("timestamp_signup", ["a", "c", "b"])])
def test_other_orders(client: Client, order: str, expected: list[str]) -> None:
    client.put("a@example.com", timestamp_opt=at(3), timestamp_signup=at(1))
    client.put("b@example.com", timestamp_opt=at(1), timestamp_signup=at(3))
    assert len(client.emails(sort_field=order)) == 2
    client.put("c@example.com", timestamp_opt=at(2), timestamp_signup=at(2))
    assert client.emails(sort_field=order) == [f"{name}@example.com" for name in expected]
    assert client.emails(sort_field=order, since_last_changed=at(-9).isoformat()) == [f"{name}@example.com" for name in expected]


# ---------------------------------------------------------------------- windows and filters


def stamped(client: Client) -> None:
    for minute in range(5):
        client.put(f"m{minute}@example.com", at=at(minute))


def iso(minutes: float) -> str:
    return at(minutes).isoformat()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"since_last_changed": iso(2)}, "34"),
        ({"before_last_changed": iso(2)}, "01"),
        ({"since_last_changed": iso(0), "before_last_changed": iso(3)}, "12"),
        ({"since_last_changed": "2026-03-01T10:01:30+01:00"}, "234"),
        ({"since_last_changed": "2026-03-01T09:01:30Z"}, "234"),
        ({"since_last_changed": iso(3), "before_last_changed": iso(1)}, ""),
        ({"since_timestamp_opt": iso(1), "before_timestamp_opt": iso(4)}, "23"),
    ],
)
def test_windows_leave_their_bounds_out(client: Client, query: dict[str, str], expected: str) -> None:
    stamped(client)
    for order in ({}, {"sort_field": "last_changed"}):
        page = client.page(**query, **order)
        assert sorted(one["email_address"][1] for one in page["members"]) == list(expected)
        assert page["total_items"] == len(expected)


def test_windows_may_hold_their_bounds_too(client: Client) -> None:
    """Which it is the vendor does not tell: a connector must bear either."""
    stamped(client)
    client.mailchimp.bounds_are_inclusive = True
    query = {"since_last_changed": iso(1), "before_last_changed": iso(3), "sort_field": "last_changed"}
    assert client.emails(**query) == [f"m{minute}@example.com" for minute in (1, 2, 3)]


@pytest.mark.parametrize("text", ["2026-03-01T09:03:00 00:00", "yesterday", "1772359200", ""])
def test_a_malformed_since_gives_the_whole_audience(client: Client, text: str) -> None:
    stamped(client)
    assert client.page(since_last_changed=text, sort_field="last_changed")["total_items"] == 5


def test_a_plus_that_was_not_escaped_gives_the_whole_audience(client: Client) -> None:
    stamped(client)
    assert client.json("GET", f"{MEMBERS}?since_last_changed=2026-03-01T09:03:00+00:00")["total_items"] == 5
    assert client.json("GET", f"{MEMBERS}?since_last_changed=2026-03-01T09:03:00%2B00:00")["total_items"] == 1


def test_archived_members_hide_until_they_are_asked_for(client: Client) -> None:
    stamped(client)
    client.mailchimp.archive(LIST, "m1@example.com")
    client.mailchimp.unsubscribe(LIST, "m2@example.com", "Too many mails")
    client.mailchimp.clean(LIST, "m3@example.com")
    assert sorted(client.emails()) == [f"m{minute}@example.com" for minute in (0, 2, 3, 4)]
    for status, minute in (("archived", 1), ("unsubscribed", 2), ("cleaned", 3)):
        page = client.page(status=status)
        assert [one["email_address"] for one in page["members"]] == [f"m{minute}@example.com"]
        assert page["total_items"] == 1
    assert client.member("m2@example.com")["unsubscribe_reason"] == "Too many mails"
    assert client.member("m1@example.com")["status"] == "archived"


def test_who_is_deleted_for_good_never_comes_again(client: Client) -> None:
    stamped(client)
    client.page(sort_field="last_changed")
    client.mailchimp.delete_permanently(LIST, "m1@example.com")
    assert len(client.emails()) == len(client.emails(sort_field="last_changed")) == 4
    assert client.page(status="archived")["total_items"] == 0
    assert len(client.mailchimp.members(LIST)) == 4
    client.json("GET", f"{MEMBERS}/m1@example.com", status=404)


def test_a_late_arrival_lies_in_the_past(client: Client) -> None:
    stamped(client)
    assert client.page(since_last_changed=iso(2))["total_items"] == 2
    client.mailchimp.put_late(LIST, "late@example.com", at=at(1))
    assert client.page(since_last_changed=iso(2))["total_items"] == 2
    assert client.member("late@example.com")["last_changed"] == iso(1)


def test_unsubscribed_since_needs_the_status(client: Client) -> None:
    stamped(client)
    client.mailchimp.unsubscribe(LIST, "m1@example.com", at=at(10))
    client.mailchimp.unsubscribe(LIST, "m2@example.com", at=at(20))
    assert client.emails(status="unsubscribed", unsubscribed_since=iso(15)) == ["m2@example.com"]
    client.json("GET", MEMBERS, status=400, params={"unsubscribed_since": iso(15)})
    client.json("GET", MEMBERS, status=400, params={"unsubscribed_since": iso(15), "status": "cleaned"})


def test_since_last_campaign_needs_a_status_even_when_it_is_false(client: Client) -> None:
    stamped(client)
    client.mailchimp.audience(LIST).campaign_at = int(at(3).timestamp())
    refused = client.json("GET", MEMBERS, status=400, params={"since_last_campaign": "False"})
    assert refused["detail"] == "Status is required when using since_last_campaign filter."
    assert client.emails(since_last_campaign="true", status="subscribed") == ["m4@example.com"]
    assert client.page(since_last_campaign="false", status="subscribed")["total_items"] == 5


@pytest.mark.parametrize(("match", "expected"), [("any", "abc"), ("all", "c"), ("none", "d")])
def test_interests_filter(client: Client, match: str, expected: str) -> None:
    for name, on in {"a": ["i1"], "b": ["i2"], "c": ["i1", "i2"], "d": ["i3"]}.items():
        client.put(f"{name}@example.com", interests=dict.fromkeys(on, True))
    category = client.json("GET", f"lists/{LIST}/interest-categories")["categories"][0]["id"]
    query = {"interest_category_id": category, "interest_ids": "i1,i2", "interest_match": match}
    assert sorted(client.emails(**query)) == [f"{name}@example.com" for name in expected]
    del query["interest_match"]
    client.json("GET", MEMBERS, status=400, params=query)


def test_other_filters(client: Client) -> None:
    client.put("a@example.com", vip=True)
    client.put("b@example.com", email_type="text")
    client.put("c@example.com", status="cleaned")
    unique = client.member("b@example.com")["unique_email_id"]
    assert client.emails(vip_only="true") == ["a@example.com"]
    assert client.page(vip_only="false")["total_items"] == 3
    assert client.emails(email_type="text") == client.emails(unique_email_id=unique) == ["b@example.com"]
    assert client.emails(unique_email_id="zz") == client.emails(unique_email_id=unique, status="cleaned") == []


@pytest.mark.parametrize(
    "query",
    [{"vip_only": "true"}, {"since_last_changed": iso(-1)}, {"sort_field": "timestamp_opt", "since_last_changed": iso(-1)}],
)
def test_filters_see_every_edit_at_once(client: Client, query: dict[str, str]) -> None:
    """What the sandbox has looked up once is looked up again after an edit."""
    expected = set()
    for name in "abc":
        client.put(f"{name}@example.com", vip=True)
        expected.add(f"{name}@example.com")
        assert set(client.emails(**query)) == expected
    client.mailchimp.delete_permanently(LIST, "b@example.com")
    assert set(client.emails(**query)) == expected - {"b@example.com"}


# ---------------------------------------------------------------------- fields


def test_fields_name_what_is_shown(client: Client) -> None:
    client.put("a@example.com", merge_fields={"FNAME": "A", "LNAME": "B"}, tags=["t"])
    page = client.page(fields="total_items,members.id,members.merge_fields.FNAME,members.tags.name,members.nothing,nothing")
    assert page == {
        "members": [{"id": md5("a@example.com"), "merge_fields": {"FNAME": "A"}, "tags": [{"name": "t"}]}],
        "total_items": 1,
    }


def test_excluded_fields_are_left_out(client: Client) -> None:
    client.put("a@example.com", merge_fields={"FNAME": "A"})
    page = client.page(exclude_fields="_links,members._links,members.merge_fields.PHONE,list_id")
    assert set(page) == {"members", "total_items"}
    assert "_links" not in page["members"][0]
    assert set(page["members"][0]["merge_fields"]) == {"FNAME", "LNAME", "COMPANY"}
    assert client.json("GET", f"{MEMBERS}/a@example.com", params={"fields": "status"}) == {"status": "subscribed"}


def test_an_edit_shows_whatever_was_shown_before(client: Client) -> None:
    """What the sandbox keeps rendered is forgotten with the edit."""
    client.put("a@example.com", merge_fields={"FNAME": "A"})
    for name in ("A", "B", "C"):
        client.put("a@example.com", merge_fields={"FNAME": name})
        for fields in ("members.merge_fields", "members.merge_fields.FNAME,total_items"):
            assert client.page(fields=fields)["members"][0]["merge_fields"]["FNAME"] == name


# ---------------------------------------------------------------------- tags, lists, the rest


def test_a_member_shows_fifty_tags_and_tells_how_many_there_are(client: Client) -> None:
    client.put("a@example.com", tags=[f"tag {number}" for number in range(73)])
    shown = client.member("a@example.com")
    assert (len(shown["tags"]), shown["tags_count"]) == (50, 73)
    pages = [client.json("GET", f"{MEMBERS}/a@example.com/tags", params={"count": 40, "offset": offset}) for offset in (0, 40)]
    assert {page["total_items"] for page in pages} == {73}
    names = [tag["name"] for page in pages for tag in page["tags"]]
    assert names == [f"tag {number}" for number in range(73)]
    assert pages[0]["tags"][0]["date_added"] == "2026-03-01T09:00:00+00:00"


def test_the_account_its_audiences_and_their_fields(client: Client) -> None:
    client.mailchimp.add_audience("L2", "Second", merge_fields=("FNAME", "ADDRESS"))
    client.put("a@example.com")
    client.put("b@example.com", status="unsubscribed")
    assert client.json("GET", "ping") == {"health_status": "Everything's Chimpy!"}
    assert client.json("GET", "")["total_subscribers"] == 1
    page = client.json("GET", "lists", params={"count": 1, "offset": 1, "fields": "lists.id,lists.name,total_items"})
    assert page == {"lists": [{"id": "L2", "name": "Second"}], "total_items": 2}
    stats = client.json("GET", f"lists/{LIST}", params={"include_total_contacts": "true"})["stats"]
    assert (stats["member_count"], stats["unsubscribe_count"], stats["total_contacts"]) == (1, 1, 2)
    assert [one["tag"] for one in client.json("GET", "lists/L2/merge-fields")["merge_fields"]] == ["FNAME", "ADDRESS"]
    category = client.json("GET", f"lists/{LIST}/interest-categories")["categories"][0]["id"]
    interests = client.json("GET", f"lists/{LIST}/interest-categories/{category}/interests", params={"count": 2})
    assert ([one["name"] for one in interests["interests"]], interests["total_items"]) == (["News", "Events"], 3)
    assert client.json("GET", "lists/L2/interest-categories")["total_items"] == 0


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "lists/none/members", 404), ("GET", "no/such", 404), ("PUT", "lists", 405)]
)
def test_what_is_not_there_is_a_problem(client: Client, method: str, path: str, status: int) -> None:
    answer = client.call(method, path)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, status)
    assert {"type", "title", "detail", "instance"} <= set(body)
    assert body["instance"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer {key}"}, 200),
        ({"Authorization": "OAuth {key}"}, 200),
        ({"Authorization": "Bearer {key}x"}, 401),
        ({"Authorization": "Bearer 5a6d626f782d6d61696c6368696d7000-us2"}, 401),
        ({"Authorization": "Basic !!"}, 401),
        ({}, 401),
    ],
)
def test_who_has_no_key_gets_nothing(client: Client, headers: dict[str, str], status: int) -> None:
    client.session.auth = None
    filled = {name: value.format(key=client.mailchimp.api_key) for name, value in headers.items()}
    answer = client.call("GET", "ping", headers=filled)
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["title"] == ("API Key Invalid" if headers else "API Key Missing")


def test_every_answer_tells_the_vendors_time(client: Client) -> None:
    client.clock.advance(90.7)
    for path in ("ping", "lists/none", MEMBERS):
        assert parsedate_to_datetime(client.call("GET", path).headers["Date"]) == START + timedelta(seconds=90)


def test_calls_are_kept_with_their_query(client: Client) -> None:
    client.page(count=3)
    client.call("GET", "no/such")
    assert client.mailchimp.call_count == 2
    first = client.mailchimp.calls[0]
    assert (first.method, first.path, first.query) == ("GET", f"/3.0/{MEMBERS}", {"count": "3"})
    assert (client.mailchimp.open_now, client.mailchimp.most_open) == (0, 1)


def test_a_key_of_ones_own(client: Client) -> None:
    own = SandboxMailchimp(api_key="0" * 32 + "-us9")
    with requests.Session() as session:
        session.mount("https://", SandboxAdapter(own))
        for key, status in ((own.api_key, 200), (client.mailchimp.api_key, 401)):
            assert session.get("https://us9.api.mailchimp.com/3.0/ping", auth=("u", key), timeout=5).status_code == status


# ---------------------------------------------------------------------- crowds


def test_a_crowd_is_found_paged_and_edited_like_anybody(client: Client) -> None:
    client.mailchimp.populate(LIST, 3_000, start=START - timedelta(days=10), seconds=86_400)
    oracle = client.mailchimp.members(LIST)
    assert len({one["id"] for one in oracle}) == len({one["contact_id"] for one in oracle}) == 3_000
    stamps = Counter(one["last_changed"] for one in oracle)
    assert max(stamps.values()) > 100, "imports share a second"
    assert min(stamps) >= "2026-02-19T09:00:00+00:00"
    assert max(stamps) < "2026-02-20T09:00:00+00:00"
    living = [one for one in oracle if one["status"] != "archived"]
    assert sorted(client.crawl(count=1000, sort_field="last_changed")) == sorted(one["contact_id"] for one in living)
    assert {one["status"] for one in oracle} == {"subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived"}
    one = next(one for one in oracle if one["status"] == "subscribed")
    assert client.member(one["id"])["contact_id"] == one["contact_id"]
    assert client.emails(unique_email_id=one["unique_email_id"]) == [one["email_address"]]
    client.put(one["email_address"], merge_fields={"COMPANY": "Edited"})
    after = client.member(one["contact_id"])
    assert after["merge_fields"] == {**one["merge_fields"], "COMPANY": "Edited"}
    assert after["timestamp_opt"] == one["timestamp_opt"]
    assert client.emails(since_last_changed=iso(-1)) == [one["email_address"]]
    assert client.page()["total_items"] == len(living)


def test_a_crowd_is_the_same_for_the_same_seed(client: Client) -> None:
    client.mailchimp.add_audience("L2")
    client.mailchimp.add_audience("L3")
    for list_id, seed in ((LIST, 1), ("L2", 1), ("L3", 2)):
        client.mailchimp.populate(list_id, 50, seed=seed)
    first, same, other = ([one["email_address"] for one in client.mailchimp.members(one)] for one in (LIST, "L2", "L3"))
    assert first == same
    assert first != other


def test_crowds_and_people_live_side_by_side(client: Client) -> None:
    client.put("a@example.com")
    client.mailchimp.populate(LIST, 20)
    client.put("b@example.com")
    client.mailchimp.populate(LIST, 20, seed=99)
    assert len(client.mailchimp.members(LIST)) == 42
    assert len({one["email_address"] for one in client.mailchimp.members(LIST)}) == 42


# ---------------------------------------------------------------------- between pages


def test_edits_between_two_pages_shift_the_offsets(client: Client) -> None:
    """A member of the first page that changes moves to the end, and the first of the second page is never seen."""
    stamped(client)
    served = []

    def edit(mailchimp: SandboxMailchimp, list_id: str, offset: int) -> None:
        served.append((list_id, offset))
        if offset == 0:
            mailchimp.put(list_id, "m0@example.com", at=at(9))

    client.mailchimp.between_pages(edit)
    pages = [client.emails(sort_field="last_changed", count=2, offset=offset) for offset in (0, 2, 4)]
    assert [[email[1] for email in page] for page in pages] == [["0", "1"], ["3", "4"], ["0"]]
    assert served == [(LIST, 0), (LIST, 2), (LIST, 4)]
    client.mailchimp.between_pages(None)
    client.page()
    assert len(served) == 3


def test_a_deletion_between_two_pages_loses_a_row_and_lowers_the_total(client: Client) -> None:
    stamped(client)
    client.mailchimp.between_pages(
        lambda mailchimp, list_id, offset: offset or mailchimp.delete_permanently(list_id, "m1@example.com")
    )
    pages = [client.page(sort_field="last_changed", count=2, offset=offset) for offset in (0, 2, 4)]
    assert [page["total_items"] for page in pages] == [5, 4, 4]
    assert [one["email_address"][1] for page in pages for one in page["members"]] == ["0", "1", "3", "4"]


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed", "pending"])
@pytest.mark.parametrize(
    "fields", ["", "members.email_address,members.merge_fields.COMPANY,members.last_changed,members._links", "members.full_name"]
)
def test_members_of_a_crowd_are_shown_the_same_one_by_one_and_in_pages(client: Client, fields: str, status: str) -> None:
    """Pages of a crowd come from templates, single members do not."""
    client.mailchimp.populate(LIST, 4_000)
    query = {"count": 300, "status": status, "sort_field": "last_changed"}
    own_fields = fields.replace("members.", "")
    contacts = [one["contact_id"] for one in client.page(**query, fields="members.contact_id")["members"]]
    alone = [client.json("GET", f"{MEMBERS}/{one}", params={"fields": own_fields}) for one in contacts]
    assert client.page(**query, fields=fields)["members"] == alone
    assert len(alone) > 50
