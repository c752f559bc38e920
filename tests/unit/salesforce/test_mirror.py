from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from syncd.errors import ContractError, SalesforceUnavailableError
from tests.unit.salesforce.conftest import composite_reply, field_of

FIELDS = {"Lead": ("City",), "Contact": ("City",)}
SINCE = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
SERVER_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NEXT = "/services/data/v62.0/query/01g000-2000"


def page(*records: dict[str, Any], total: int | None = None, following: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "totalSize": len(records) if total is None else total,
        "done": following is None,
        "records": list(records),
    }
    return body | ({"nextRecordsUrl": following} if following else {})


def read(org: Any, since: datetime | None = SINCE) -> tuple[list[Any], Any]:
    pages = list(org.changes(FIELDS, {"Lead": since, "Contact": since}))
    assert all(one.covered_until is None for one in pages[:-1])
    return [row for one in pages for row in one.rows], pages[-1].covered_until


@pytest.fixture
def answers(fake, parts, with_schema) -> dict[str, Any]:
    parts.update({"Lead": page(), "Contact": page()})
    return parts


def statements(request: requests.PreparedRequest) -> dict[str, str]:
    return {
        one["referenceId"]: parse_qs(urlsplit(one["url"]).query)["q"][0]
        for one in json.loads(request.body or "")["compositeRequest"]
    }


def test_a_look_at_both_objects_costs_one_call(org, fake, answers, make_row) -> None:
    answers["Lead"] = page(make_row(1), make_row(2, "2026-03-01T11:30:00.500+0000"))
    answers["Contact"] = page(make_row(3))
    rows, covered = read(org)
    assert [row.object for row in rows] == ["Lead", "Lead", "Contact"]
    assert covered == datetime(2026, 3, 1, 11, 30, 0, 500000, tzinfo=UTC)
    assert org.api_calls == 1


def test_later_reads_overlap_and_leave_out_own_writes_but_no_deletions(org, fake, answers) -> None:
    read(org)
    soql = statements(fake.calls[0])["Lead"]
    assert "SystemModstamp >= 2026-03-01T10:20:00Z" in soql
    assert "(LastModifiedById != '005000000000001AAA' OR IsDeleted = true)" in soql
    assert soql.endswith("ORDER BY SystemModstamp, Id")
    urls = [one["url"] for one in json.loads(fake.calls[0].body or "")["compositeRequest"]]
    assert all(url.startswith("/services/data/v62.0/queryAll/?q=") for url in urls)


def test_the_first_fill_reads_everything(org, fake, answers) -> None:
    _, covered = read(org, None)
    assert statements(fake.calls[0])["Lead"].endswith(
        "FROM Lead"
    )  # no bound, and no order that a large org could not sort in time
    assert covered == SERVER_AT


def test_what_only_leads_have_is_not_asked_of_contacts(org, fake, answers) -> None:
    org.schema()
    read(org)
    asked = statements(fake.calls[1])
    assert "ConvertedContactId" in asked["Lead"]
    assert "Syncd_Id__c" in asked["Lead"]
    assert "ConvertedContactId" not in asked["Contact"]
    assert "Syncd_Id__c" not in asked["Contact"]


def test_nothing_new_leaves_the_stamp_where_it_was(org, answers) -> None:
    assert read(org) == ([], SINCE)


def test_a_stamp_from_the_future_does_not_carry_the_cursor_along(org, answers, make_row) -> None:
    answers["Lead"] = page(make_row(1, "2026-03-01T12:30:00.000+0000"))
    assert read(org)[1] == SERVER_AT


def test_deleted_and_merged_rows_say_so(org, answers, make_row) -> None:
    answers["Lead"] = page(make_row(1, IsDeleted=True, MasterRecordId="00Q000000000002AAA"))
    (row,), _ = read(org)
    assert row.is_deleted
    assert row.merged_into == "00Q000000000002AAA"


def test_pages_are_followed_to_the_end(org, fake, answers, make_row) -> None:
    answers["Lead"] = page(make_row(1), total=2, following=NEXT)
    fake.on("GET", "query/01g000-2000", fake.json(page(make_row(2), total=2)))
    rows, _ = read(org)
    assert [row.sf_id for row in rows] == [make_row(1)["Id"], make_row(2)["Id"]]
    assert org.api_calls == 2


@pytest.mark.parametrize(
    "second",
    [
        {"totalSize": 2, "records": []},
        {"totalSize": 2, "done": True},
        {"totalSize": 2, "done": False, "records": []},
        {"totalSize": 2, "done": True, "records": [], "nextRecordsUrl": NEXT},
        {"totalSize": 2, "done": False, "records": [], "nextRecordsUrl": "https://example.com/elsewhere"},
        {"totalSize": 2, "done": True, "records": [{"Id": "00Q000000000002AAA"}]},
        [],
    ],
    ids=str,
)
def test_a_page_that_cannot_be_read_is_never_the_end(org, fake, answers, make_row, second) -> None:
    answers["Lead"] = page(make_row(1), total=2, following=NEXT)
    fake.on("GET", "query/01g000-2000", fake.json(second))
    with pytest.raises(ContractError):
        read(org)


def test_an_outage_between_pages_is_no_end(org, fake, answers, make_row) -> None:
    answers["Lead"] = page(make_row(1), total=2, following=NEXT)
    fake.on("GET", "query/01g000-2000", fake.text("<html>maintenance</html>", 503))
    with pytest.raises(SalesforceUnavailableError):
        read(org)


def test_rows_that_go_missing_on_the_way_start_the_list_again_once(org, fake, answers, make_row) -> None:
    answers["Lead"] = page(make_row(1), total=2, following=NEXT)
    fake.on(
        "GET",
        "query/01g000-2000",
        fake.json(page(total=2)),
        fake.json(page(make_row(2), total=2)),
    )
    rows, _ = read(org)
    assert {row.sf_id for row in rows} == {make_row(1)["Id"], make_row(2)["Id"]}


def test_rows_that_stay_missing_are_an_error(org, fake, answers, make_row) -> None:
    answers["Lead"] = page(make_row(1), total=3, following=NEXT)
    fake.on("GET", "query/01g000-2000", fake.json(page(make_row(2), total=3)))
    with pytest.raises(ContractError, match="3"):
        read(org)


HEAD = "Id,SystemModstamp,LastModifiedById,OwnerId,IsDeleted,MasterRecordId,Syncd_Id__c,IsConverted,ConvertedContactId,City"


def csv_rows(make_row: Any, *numbers: int) -> str:
    lines = [
        f'"{make_row(n)["Id"]}","2026-03-01T11:00:00.000Z","005000000000009AAA","005000000000009AAA","false","","p{n}","false","",'
        f'"Köln, am\nRhein ""{n}"""'
        for n in numbers
    ]
    return "\n".join([HEAD, *lines]) + "\n"


@pytest.fixture
def bulk(fake, answers, make_row) -> list[str]:
    """A first fill that is too large for REST; gives the paths that were called."""
    answers["Lead"] = page(make_row(1), total=10_001, following=NEXT)
    fake.on("POST", "jobs/query", fake.json({"id": "750000000000001AAA", "state": "UploadComplete"}))
    fake.on(
        "GET",
        "jobs/query/750000000000001AAA",
        fake.json({"state": "InProgress"}),
        fake.json({"state": "JobComplete", "numberRecordsProcessed": 3}),
    )
    return []


def results(fake: Any, text: str | bytes, locator: str | None, count: int) -> Any:
    headers = {"Content-Type": "text/csv; charset=UTF-8", "Sforce-NumberOfRecords": str(count)}
    if locator is not None:
        headers["Sforce-Locator"] = locator
    return 200, headers, text


RESULTS = "jobs/query/750000000000001AAA/results"


def test_a_large_first_fill_is_a_query_job(org, fake, bulk, make_row, clock) -> None:
    first, second = csv_rows(make_row, 1, 2).encode(), csv_rows(make_row, 3).encode()
    fake.on("GET", RESULTS, results(fake, first, "abc", 2), results(fake, second, "null", 1))
    before = clock.monotonic()
    rows, covered = read(org, None)
    assert [row.fields["City"] for row in rows] == [f'Köln, am\nRhein "{n}"' for n in (1, 2, 3)]
    assert [row.external_id for row in rows] == ["p1", "p2", "p3"]
    assert not rows[0].is_deleted
    assert rows[0].merged_into == ""
    assert covered == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert clock.monotonic() > before
    started = next(call for call in fake.calls if str(call.url).endswith("jobs/query"))
    assert json.loads(started.body or "")["operation"] == "queryAll"
    pages = [str(call.url) for call in fake.calls if "results" in str(call.url)]
    assert all("maxRecords=50000" in url for url in pages)
    assert "locator=abc" in pages[1]


@pytest.mark.parametrize(
    ("text", "locator", "count"),
    [
        ("", "null", 3),
        ("<html>", "null", 3),
        (HEAD + "\nshort\n", "null", 1),
        (HEAD + '\n"cut', "null", 1),
        (b"Id\n\xff\xfe\n", "null", 1),
        ("ok", None, 3),
        ("ok", "null", 4),
        ("two", "null", 2),
    ],
    ids=["empty", "html", "ragged", "cut", "encoding", "no locator", "page sum", "job sum"],
)
def test_a_result_page_that_cannot_be_trusted_is_never_the_end(org, fake, bulk, make_row, text, locator, count) -> None:
    text = {"ok": csv_rows(make_row, 1, 2, 3), "two": csv_rows(make_row, 1, 2)}.get(text, text)
    fake.on("GET", RESULTS, results(fake, text, locator, count))
    with pytest.raises(ContractError):
        read(org, None)


def test_a_failed_query_job_is_tried_with_the_next_pass(org, fake, bulk) -> None:
    fake.mock.remove("GET", "https://acme.my.salesforce.com/services/data/v62.0/jobs/query/750000000000001AAA")
    fake.on("GET", "jobs/query/750000000000001AAA", fake.json({"state": "Failed", "errorMessage": "boom"}))
    with pytest.raises(SalesforceUnavailableError) as caught:
        read(org, None)
    assert "Failed" in str(caught.value)


def test_a_large_increment_stays_with_pages(org, fake, bulk, make_row) -> None:
    fake.on("GET", "query/01g000-2000", fake.json(page(*[make_row(n) for n in range(2, 10_002)], total=10_001)))
    rows, _ = read(org)
    assert len(rows) == 10_001


OTHERS = ("Account", "Opportunity", "Task", "Event", "User")
ALL = {
    "Lead": ("City", "ConvertedAccountId", "RecordTypeId"),
    "Contact": ("City", "AccountId"),
    "Account": ("Name", "Website"),
    "Opportunity": ("StageName", "Amount", "AccountId", "CreatedDate", "LastActivityDate"),
    "Task": ("WhoId", "WhatId", "Status", "ActivityDate", "IsClosed"),
    "Event": ("WhoId", "StartDateTime"),
    "User": ("Username", "IsActive"),
}
PREFIXES = {"Account": "001", "Opportunity": "006", "Task": "00T", "Event": "00U", "User": "005"}


def other_row(name: str, number: int = 1, **fields: Any) -> dict[str, Any]:
    """A record of another object, with what it really has of system fields."""
    owned = {} if name == "User" else {"OwnerId": "005000000000009AAA", "IsDeleted": False}
    return {
        "attributes": {"type": name},
        "Id": f"{PREFIXES[name]}{number:012d}AAA",
        "SystemModstamp": "2026-03-01T11:00:00.000+0000",
        "LastModifiedById": "005000000000009AAA",
        **owned,
        **fields,
    }


@pytest.fixture
def wide(answers) -> dict[str, Any]:
    answers.update({name: page() for name in OTHERS})
    return answers


def read_all(org: Any, since: datetime | None = SINCE, names: tuple[str, ...] = tuple(ALL)) -> tuple[list[Any], Any]:
    pages = list(org.changes({name: ALL[name] for name in names}, dict.fromkeys(names, since)))
    return [row for one in pages for row in one.rows], pages[-1].covered_until


def test_seven_objects_are_read_in_two_calls_and_end_once(org, fake, wide, make_row) -> None:
    wide["Lead"] = page(make_row(1))
    for name in OTHERS:
        wide[name] = page(other_row(name))
    pages = list(org.changes(ALL, dict.fromkeys(ALL, SINCE)))
    assert [row.object for one in pages for row in one.rows] == ["Lead", *OTHERS]
    assert [one.covered_until is not None for one in pages] == [False] * (len(pages) - 1) + [True]
    assert [len(statements(call)) for call in fake.calls] == [5, 2]
    assert org.api_calls == 2


def test_only_the_wanted_fields_and_what_the_object_has_are_asked_for(org, fake, wide) -> None:
    read_all(org)
    asked = {name: soql for call in fake.calls for name, soql in statements(call).items()}
    assert asked["Account"].startswith(
        "SELECT Id, SystemModstamp, LastModifiedById, OwnerId, IsDeleted, MasterRecordId, Name, Website FROM"
    )
    assert asked["User"].startswith("SELECT Id, SystemModstamp, LastModifiedById, Username, IsActive FROM User")
    assert "MasterRecordId" not in asked["Opportunity"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_echoed_comes_back_even_if_we_wrote_it(org, fake, wide, name) -> None:
    """Accounts, contacts and opportunities of a conversion, and our own tasks, are seen by nobody else."""
    read_all(org, names=(name,))
    soql = statements(fake.calls[0])[name]
    assert "WHERE SystemModstamp >= 2026-03-01T10:20:00Z ORDER BY SystemModstamp, Id" in soql


def test_contacts_that_a_conversion_made_come_back(org, fake, wide) -> None:
    read_all(org, names=("Contact",))
    me = "'005000000000001AAA'"
    assert f"(LastModifiedById != {me} OR CreatedById = {me} OR IsDeleted = true)" in statements(fake.calls[0])["Contact"]


def test_values_of_other_objects_are_ordinary_fields(org, wide) -> None:
    row = other_row(
        "Opportunity", AccountId="001000000000001AAA", CreatedDate="2026-02-01T08:00:00.000+0000", Amount=5.5, StageName=None
    )
    wide["Opportunity"] = page(row)
    ((found,), _) = read_all(org, names=("Opportunity",))
    assert found.fields == {
        "StageName": None,
        "Amount": 5.5,
        "AccountId": "001000000000001AAA",
        "CreatedDate": "2026-02-01T08:00:00Z",
        "LastActivityDate": None,
    }
    assert (found.owner_id, found.external_id, found.is_deleted) == ("005000000000009AAA", "", False)


def test_a_user_is_never_deleted_and_owned_by_nobody(org, wide) -> None:
    wide["User"] = page(other_row("User", Username="rep@example.com", IsActive=False))
    ((found,), _) = read_all(org, names=("User",))
    assert (found.is_deleted, found.owner_id, found.fields["IsActive"]) == (False, "", False)


def test_deleted_and_merged_accounts_say_so(org, wide) -> None:
    wide["Account"] = page(other_row("Account", IsDeleted=True, MasterRecordId="001000000000002AAA"))
    ((found,), _) = read_all(org, names=("Account",))
    assert found.is_deleted
    assert found.merged_into == "001000000000002AAA"


@pytest.mark.parametrize(("announced", "is_complete"), [(2, True), (3, False)])
def test_pages_of_a_later_object_are_followed_and_counted(org, fake, wide, announced, is_complete) -> None:
    wide["User"] = page(other_row("User", 1), total=announced, following=NEXT)
    fake.on("GET", "query/01g000-2000", fake.json(page(other_row("User", 2), total=announced)))
    if is_complete:
        assert len(read_all(org)[0]) == 2
        return
    with pytest.raises(ContractError, match="3 rows of User"):
        read_all(org)


def test_the_stamp_reaches_as_far_as_the_first_call_saw(org, fake, wide) -> None:
    """Between the two calls a lead may have changed unseen: what the second one finds must not carry the cursor past it."""
    wide["User"] = page(other_row("User", SystemModstamp="2026-03-01T12:00:05.000+0000"))
    answer = composite_reply(fake, wide)

    def later(request: requests.PreparedRequest) -> Any:
        status, headers, body = answer(request)
        is_second = "User" in statements(request)
        return status, {**headers, "Date": "Sun, 01 Mar 2026 12:00:09 GMT" if is_second else headers["Date"]}, body

    fake.mock.remove("POST", "https://acme.my.salesforce.com/services/data/v62.0/composite")
    fake.on("POST", "composite", later)
    assert read_all(org)[1] == SERVER_AT


@pytest.mark.parametrize("name", ["Task", "User"])
def test_a_large_first_fill_of_any_object_is_a_query_job(org, fake, wide, name) -> None:
    wide["describeUser"] = {"fields": [field_of("Username"), field_of("IsActive", "boolean")]}
    wide["describeTask"]["fields"].append(field_of("IsClosed", "boolean"))
    wide[name] = page(other_row(name), total=10_001, following=NEXT)
    fake.on("POST", "jobs/query", fake.json({"id": "750000000000001AAA", "state": "UploadComplete"}))
    fake.on("GET", "jobs/query/750000000000001AAA", fake.json({"state": "JobComplete", "numberRecordsProcessed": 1}))
    cells = {**other_row(name), "IsActive": "false", "IsClosed": "true", "IsDeleted": "false"}
    columns = [one for one in statements_of(name) if one in cells]
    text = ",".join(columns) + "\n" + ",".join(f'"{cells[one]}"' for one in columns) + "\n"
    fake.on("GET", RESULTS, results(fake, text, "null", 1))
    ((found,), _) = read_all(org, None, (name,))
    assert found.fields["IsActive" if name == "User" else "IsClosed"] is (name == "Task")
    started = next(call for call in fake.calls if str(call.url).endswith("jobs/query"))
    assert json.loads(started.body or "")["query"].endswith(f"FROM {name}")


def statements_of(name: str) -> list[str]:
    return ["Id", "SystemModstamp", "LastModifiedById", "OwnerId", "IsDeleted", *ALL[name]]


def test_no_object_is_no_call(org, fake) -> None:
    (end,) = org.changes({}, {})
    assert end.rows == ()
    assert fake.calls == []


def test_another_object_is_retrieved_like_a_lead(org, fake) -> None:
    fake.on("POST", "composite/sobjects/Event", fake.json([other_row("Event", WhoId="00Q000000000001AAA"), None]))
    found = org.retrieve("Event", ["00U000000000001AAA", "00U000000000002AAA"], ["WhoId"])
    assert found["00U000000000001AAA"].fields == {"WhoId": "00Q000000000001AAA"}
    assert found["00U000000000002AAA"] is None
    assert json.loads(fake.calls[0].body or "")["fields"] == [
        "Id",
        "SystemModstamp",
        "LastModifiedById",
        "OwnerId",
        "IsDeleted",
        "WhoId",
    ]
