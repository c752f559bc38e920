from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from syncd.errors import ContractError, SalesforceUnavailableError

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
