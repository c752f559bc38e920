"""SOQL as the org understands it, and what it refuses."""

# ruff: noqa: S608 - these statements go to the sandbox's own query language, not to a database
from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simple_salesforce import format_soql

from syncd.clock import FixedClock
from syncd.sandbox import SandboxOrg
from syncd.sandbox.soql import QueryError, parse
from tests.unit.sandbox.conftest import BASE, START, Api


@pytest.fixture
def people(org: SandboxOrg, clock: FixedClock) -> dict[str, str]:
    """Four leads, an hour apart; name to id."""
    made = {}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("Ada", {"Email": "Ada@example.com", "City": "Bonn", "AnnualRevenue": 100, "HasOptedOutOfEmail": True}),
        ("Ben", {"Email": "ben@example.com", "AnnualRevenue": 20}),
        ("Cyd", {"City": "Paris", "AnnualRevenue": 3, "Title": "50% owner"}),
        ("Dan", {"City": "bonn", "Title": "O'Neil \\ Sons"}),
    ]
    for name, fields in rows:
        clock.advance(3600)
        made[name] = org.create("Lead", {"LastName": name, "Company": "Acme", **fields})
    return made


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Email = 'ADA@example.com'", "Ada"),
        ("Email IN ('ben@EXAMPLE.com','x@example.com')", "Ben"),
        ("City = null", "Ben"),
        ("City != 'Bonn'", "Ben Cyd"),
        ("City NOT IN ('Bonn', null)", "Cyd"),
        ("NOT City = 'Bonn'", "Ben Cyd"),
        ("AnnualRevenue >= 20", "Ada Ben"),
        ("AnnualRevenue < 20.5", "Ben Cyd"),
        ("HasOptedOutOfEmail = true", "Ada"),
        ("Title LIKE '50\\% %'", "Cyd"),
        ("LastName LIKE '_a%'", "Dan"),
        ("Title = 'O\\'Neil \\\\ Sons'", "Dan"),
        ("(City = 'Bonn' OR AnnualRevenue = 3) AND Email = null", "Cyd Dan"),
        ("CreatedDate > 2026-03-01T11:00:00Z", "Cyd Dan"),
        ("SystemModstamp >= 2026-03-01T12:00:00+01:00 AND City = 'Bonn'", "Dan"),
        ("systemmodstamp <= 2026-03-01T11:00:00.000+0000 and lastname != 'Ada'", "Ben"),
    ],
)
def test_conditions_choose_as_the_org_does(api: Api, people: dict[str, str], where: str, expected: str) -> None:
    found = api.query(f"SELECT LastName FROM Lead WHERE {where} ORDER BY LastName")
    assert " ".join(row["LastName"] for row in found) == expected


def test_ids_of_15_and_18_characters_are_the_same(api: Api, people: dict[str, str]) -> None:
    short, shouted = people["Ada"][:15], people["Ben"].upper()
    found = api.query(f"SELECT Id FROM Lead WHERE Id IN ('{short}', '{shouted}')")
    assert {row["Id"] for row in found} == {people["Ada"], people["Ben"]}


def test_null_comes_first_in_both_directions_unless_told_otherwise(api: Api, people: dict[str, str]) -> None:
    def order(term: str) -> list[str]:
        return [row["LastName"] for row in api.query(f"SELECT LastName FROM Lead ORDER BY {term}, LastName")]

    assert order("AnnualRevenue") == ["Dan", "Cyd", "Ben", "Ada"]
    assert order("AnnualRevenue DESC") == ["Dan", "Ada", "Ben", "Cyd"]
    assert order("AnnualRevenue DESC NULLS LAST") == ["Ada", "Ben", "Cyd", "Dan"]
    assert order("AnnualRevenue NULLS LAST") == ["Cyd", "Ben", "Ada", "Dan"]


def test_limit_and_offset_cut_the_ordered_rows(api: Api, people: dict[str, str]) -> None:
    found = api.query("SELECT LastName FROM Lead ORDER BY LastName LIMIT 2 OFFSET 1")
    assert [row["LastName"] for row in found] == ["Ben", "Cyd"]


def test_counts_and_groups(api: Api, people: dict[str, str], org: SandboxOrg) -> None:
    assert api.json("GET", "query/", params={"q": "SELECT COUNT() FROM Lead"})["totalSize"] == 4
    grouped = api.query("SELECT City, COUNT(Id) n, MAX(AnnualRevenue) FROM Lead GROUP BY City")
    assert [(row["City"], row["n"], row["expr1"]) for row in grouped] == [(None, 1, 20), ("Bonn", 2, 100), ("Paris", 1, 3)]
    assert grouped[0]["attributes"] == {"type": "AggregateResult"}


def test_only_query_all_shows_deleted_rows(api: Api, people: dict[str, str], org: SandboxOrg) -> None:
    org.delete(people["Ada"])
    statement = "SELECT Id, IsDeleted FROM Lead WHERE LastName = 'Ada'"
    assert api.query(statement) == []
    assert [row["IsDeleted"] for row in api.query(statement, all_rows=True)] == [True]


def test_pages_are_a_snapshot_and_name_the_next_one(api: Api, org: SandboxOrg) -> None:
    org.page_size = 50
    for number in range(120):
        org.create("Lead", {"LastName": f"n{number:03d}", "Company": "c"})
    first = api.json("GET", "query/", params={"q": "SELECT LastName FROM Lead ORDER BY LastName"})
    assert (first["totalSize"], first["done"], len(first["records"])) == (120, False, 50)
    for row in org.rows("Lead"):
        org.delete(row["Id"])
    second = api.json("GET", first["nextRecordsUrl"])
    third = api.json("GET", second["nextRecordsUrl"])
    assert (third["done"], third["records"][-1]["LastName"]) == (True, "n119")
    lost = api.json("GET", "query/01g000000000000999-50", status=400)
    assert lost[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_the_batch_size_hint_makes_pages_smaller_not_larger(api: Api, org: SandboxOrg) -> None:
    for number in range(450):
        org.create("Lead", {"LastName": f"n{number}", "Company": "c"})

    def first_page(hint: int) -> int:
        headers = {"Sforce-Query-Options": f"batchSize={hint}"}
        page = api.json("GET", "query/", params={"q": "SELECT Id FROM Lead"}, headers=headers)
        return len(page["records"])

    assert (first_page(200), first_page(1), first_page(100_000)) == (200, 200, 450)


def test_rows_without_order_come_in_any_order_but_the_seed_repeats_it(clock: FixedClock) -> None:
    def names(seed: int) -> list[str]:
        org = SandboxOrg(seed=seed, clock=clock)
        for number in range(30):
            org.create("Lead", {"LastName": f"n{number:02d}", "Company": "c"})
        return [row["LastName"] for row in Api(org).query("SELECT LastName FROM Lead")]

    assert names(1) != sorted(names(1))
    assert names(1) == names(1) != names(2)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE City = 'a", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE City = 'a' AND Title = 'b' OR Title = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT -1", "MALFORMED_QUERY"),
        ("SELECT FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id, COUNT() FROM Lead", "MALFORMED_QUERY"),
        ("SELECT City FROM Lead WHERE City = '\\x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-13-45", "MALFORMED_QUERY"),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD"),
        ("SELECT Nope__c FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Nope__c = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Lead ORDER BY Nope__c", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE City = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE AnnualRevenue = '5'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM Lead WHERE Id = 'abc'", "INVALID_QUERY_FILTER_OPERATOR"),
    ],
)
def test_what_is_not_soql_is_refused_with_the_orgs_code(api: Api, statement: str, code: str) -> None:
    assert api.json("GET", "query/", status=400, params={"q": statement})[0]["errorCode"] == code


def test_hidden_fields_do_not_exist_for_the_user(api: Api, org: SandboxOrg) -> None:
    org.hidden.add("HasOptedOutOfEmail")
    names = {one["name"] for one in api.json("GET", "sobjects/Lead/describe")["fields"]}
    assert "HasOptedOutOfEmail" not in names
    refused = api.json("GET", "query/", status=400, params={"q": "SELECT Id FROM Lead WHERE HasOptedOutOfEmail = true"})
    assert refused[0]["errorCode"] == "INVALID_FIELD"


def test_commits_become_visible_late_and_readers_see_what_was_before(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    """An index must not betray the new value, nor lose the old one."""
    known = org.create("Lead", {"LastName": "Known", "Company": "c", "Email": "old@example.com"})
    org.visibility_delay = timedelta(seconds=60)
    clock.advance(600)
    org.edit(known, {"Email": "new@example.com"})
    org.create("Lead", {"LastName": "Fresh", "Company": "c"})

    def seen() -> list[tuple[str, str]]:
        rows = api.query("SELECT LastName, Email FROM Lead ORDER BY LastName")
        return [(row["LastName"], row["Email"]) for row in rows]

    def found(mail: str) -> int:
        return len(api.query(f"SELECT Id FROM Lead WHERE Email = '{mail}'"))

    assert seen() == [("Known", "old@example.com")]
    assert (found("old@example.com"), found("new@example.com")) == (1, 0)
    clock.advance(60)
    assert seen() == [("Fresh", None), ("Known", "new@example.com")]  # type: ignore[list-item]
    assert (found("old@example.com"), found("new@example.com")) == (0, 1)
    stamp = api.query("SELECT SystemModstamp FROM Lead WHERE LastName = 'Fresh'")[0]["SystemModstamp"]
    assert stamp == "2026-03-01T09:10:00.000+0000", "it shows with its own, older stamp"


def test_updated_and_deleted_since(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    kept = org.create("Lead", {"LastName": "Kept", "Company": "c"})
    gone, purged = (org.create("Lead", {"LastName": name, "Company": "c"}) for name in ("Gone", "Purged"))
    clock.advance(600)
    org.delete(gone)
    org.purge(purged)
    clock.advance(600)
    window = {"start": START.isoformat(), "end": (START + timedelta(minutes=15)).isoformat()}
    updated = api.json("GET", "sobjects/Lead/updated/", params=window)
    assert (updated["ids"], updated["latestDateCovered"]) == ([kept], "2026-03-01T09:15:00.000+0000")
    deleted = api.json("GET", "sobjects/Lead/deleted/", params=window)
    assert {one["id"] for one in deleted["deletedRecords"]} == {gone, purged}
    early = {**window, "start": (START - timedelta(days=40)).isoformat()}
    assert api.json("GET", "sobjects/Lead/updated/", params=early, status=400)[0]["errorCode"] == "INVALID_REPLICATION_DATE"


def test_a_get_that_is_too_long_is_refused_but_not_inside_composite(api: Api) -> None:
    values = ",".join(f"'somebody.with.a.long.name.{number}@example.com'" for number in range(500))
    statement = f"SELECT Id FROM Lead WHERE Email IN ({values})"
    assert api.call("GET", "query/", params={"q": statement}).status_code == 414
    url = f"{BASE}/query/?q={quote(statement)}"
    body = {"compositeRequest": [{"method": "GET", "url": url, "referenceId": "q"}]}
    assert api.json("POST", "composite", json=body)["compositeResponse"][0]["httpStatusCode"] == 200


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
def test_every_text_survives_escaping_and_parsing(text: str) -> None:
    """What simple-salesforce escapes, the parser reads back."""
    where = parse(format_soql("SELECT Id FROM Lead WHERE Title = {}", text)).where
    assert where is not None
    assert where.value == text  # type: ignore[union-attr]


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="SELECTFROMWHRUANDIid LeadCity='%_\\()<>!,0159.:TZ-", max_size=60))
def test_no_statement_breaks_the_parser(text: str) -> None:
    """Refused or understood, nothing else."""
    statement = None
    with contextlib.suppress(QueryError):
        statement = parse(f"SELECT Id FROM Lead WHERE {text}")
    assert statement is None or statement.where is not None
