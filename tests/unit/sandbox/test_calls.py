"""Resources of the REST API one by one: log-in, describes, single records, collections, composite, bulk queries."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import pytest
import requests

from syncd.clock import FixedClock
from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg
from syncd.sandbox.message import Response
from tests.unit.sandbox.conftest import BASE, Api, codes, lead

TOKEN = "/services/oauth2/token"
MISSING = "00Q5g0000000099AAA"


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        ({"grant_type": "client_credentials"}, (CONSUMER_KEY, "wrong"), 400, "invalid_client"),
        ({"grant_type": "client_credentials"}, ("nobody", CONSUMER_SECRET), 400, "invalid_client_id"),
        ({"grant_type": "client_credentials"}, None, 400, "invalid_client_id"),
        ({"grant_type": "password"}, None, 400, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "x.y.z"}, None, 400, "invalid_grant"),
    ],
)
def test_a_wrong_login_is_told_as_oauth_tells_it(api: Api, form: dict[str, str], auth: Any, status: int, error: str) -> None:
    api.session.headers.pop("Authorization")
    answer = api.json("POST", TOKEN, status=status, data=form, auth=auth)
    assert answer["error"] == error
    assert answer["error_description"]


def test_broken_basic_credentials_are_refused(api: Api) -> None:
    answer = api.json(
        "POST", TOKEN, status=401, data={"grant_type": "client_credentials"}, headers={"Authorization": "Basic ???"}
    )
    assert answer["error"] == "invalid_client"


def test_a_login_names_org_and_user_and_is_no_api_call(api: Api, org: SandboxOrg) -> None:
    form = {"grant_type": "client_credentials", "client_id": CONSUMER_KEY, "client_secret": CONSUMER_SECRET}
    assert api.json("POST", TOKEN, data=form)["id"].endswith(f"/id/{org.org_id}/{org.integration_user_id}")
    claims = base64.urlsafe_b64encode(json.dumps({"iss": CONSUMER_KEY}).encode()).decode().rstrip("=")
    jwt = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": f"e30.{claims}.c2ln"}
    assert api.json("POST", TOKEN, data=jwt)["token_type"] == "Bearer"
    assert org.api_calls == 0


def test_versions_need_no_login_and_unknown_ones_are_missing(api: Api) -> None:
    api.session.headers.pop("Authorization")
    assert {"version": "62.0", "url": BASE, "label": "Sandbox"} in api.json("GET", "/services/data")
    api.log_in()
    assert api.call("GET", "/services/data/v12.0/limits").status_code == 404


def test_an_expired_session_is_a_list_with_its_code(api: Api, org: SandboxOrg) -> None:
    org.expire_tokens()
    answer = api.json("GET", "limits/", status=401)
    assert answer == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_every_answer_tells_the_usage_and_the_limit_stops_calls(api: Api, org: SandboxOrg) -> None:
    org.daily_limit = 2
    assert api.call("GET", "limits").headers["Sforce-Limit-Info"] == "api-usage=1/2"
    assert api.json("GET", "limits/")["DailyApiRequests"] == {"Max": 2, "Remaining": 0}
    assert api.json("GET", "limits/", status=403)[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_a_describe_is_sent_again_only_when_it_changed(api: Api, org: SandboxOrg) -> None:
    first = api.call("GET", "sobjects/Lead/describe")
    fields = {one["name"]: one for one in first.json()["fields"]}
    assert (fields["Syncd_Id__c"]["externalId"], fields["Syncd_Id__c"]["unique"]) == (True, True)
    assert (fields["Address"]["type"], fields["LastName"]["nillable"]) == ("address", False)
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    again = api.call("GET", "sobjects/Lead/describe", headers=since)
    assert (again.status_code, again.content) == (304, b"")
    org.hidden.add("DoNotCall")
    assert api.call("GET", "sobjects/Lead/describe", headers=since).status_code == 200


def test_single_records_from_create_to_delete(api: Api, org: SandboxOrg) -> None:
    made = api.json("POST", "sobjects/Lead", status=201, json={"LastName": "Roe", "Company": "c", "City": "Bonn"})
    path = f"sobjects/Lead/{made['id']}"
    assert api.call("PATCH", path, json={"Title": "t"}).status_code == 204
    assert api.json("GET", path, params={"fields": "Title,City"}) == {
        "attributes": {"type": "Lead", "url": f"{BASE}/{path}"},
        "Title": "t",
        "City": "Bonn",
    }
    assert api.json("GET", path)["Address"]["city"] == "Bonn"
    assert api.json("GET", path, status=400, params={"fields": "Nope"})[0]["errorCode"] == "INVALID_FIELD"
    assert api.call("PUT", path, json={}).status_code == 405
    assert api.json("PATCH", path, status=400, json={"Email": "x"})[0]["errorCode"] == "INVALID_EMAIL_ADDRESS"
    assert api.call("DELETE", path).status_code == 204
    assert api.json("DELETE", path, status=404)[0]["errorCode"] == "ENTITY_IS_DELETED"
    assert api.call("GET", path).status_code == 404
    assert api.call("GET", f"sobjects/Contact/{made['id']}").status_code == 404


def test_upsert_of_one_record_by_its_external_id(api: Api, org: SandboxOrg) -> None:
    path = "sobjects/Lead/Syncd_Id__c/a%2Fb"
    assert api.call("PATCH", f"{path}?updateOnly=true", json={"Title": "t"}).status_code == 404
    made = api.json("PATCH", path, status=201, json={"LastName": "Roe", "Company": "c"})
    again = api.json("PATCH", path, json={"Title": "t"})
    assert (made["created"], again["created"], again["id"]) == (True, False, made["id"])
    assert api.json("GET", path)["Syncd_Id__c"] == "a/b"
    assert api.json("PATCH", path, status=400, json={"Syncd_Id__c": "a/b"})[0]["errorCode"] == "INVALID_FIELD"
    assert api.json("PATCH", "sobjects/Lead/Title/x", status=404, json={})[0]["errorCode"] == "NOT_FOUND"


def test_several_matches_answer_300_and_write_nothing(api: Api, org: SandboxOrg) -> None:
    ids = {org.create("Lead", {"LastName": name, "Company": "c", "Email": "same@example.com"}) for name in "ab"}
    urls = api.json("PATCH", "sobjects/Lead/Email/same@example.com", status=300, json={"Title": "t"})
    assert {url.rsplit("/", 1)[1] for url in urls} == ids
    assert all(row["Title"] is None for row in org.rows("Lead"))


def test_collections_answer_in_order_and_tell_created_from_updated(api: Api) -> None:
    first = api.upsert(*({"Syncd_Id__c": str(n)} for n in range(200)))
    second = api.upsert(*({"Syncd_Id__c": str(n)} for n in reversed(range(200))))
    assert all(one["created"] for one in first)
    assert not any(one["created"] for one in second)
    assert [one["id"] for one in second] == [one["id"] for one in reversed(first)]
    ids = [one["id"] for one in first]
    wanted = {"ids": [*ids[:2], MISSING, ids[2][:15]], "fields": ["Syncd_Id__c"]}
    found = api.json("POST", "composite/sobjects/Lead", json=wanted)
    assert [one and one["Syncd_Id__c"] for one in found] == ["0", "1", None, "2"]
    listed = api.json("GET", "composite/sobjects/Lead", params={"ids": ",".join(ids[:2]), "fields": "Id"})
    assert [one["Id"] for one in listed] == ids[:2]
    gone = api.json("DELETE", "composite/sobjects", params={"ids": ",".join([ids[0], MISSING]), "allOrNone": "false"})
    assert codes(gone) == ["ok", "INVALID_CROSS_REFERENCE_KEY"]


def test_a_collection_delete_answers_each_record_and_puts_it_into_the_recycle_bin(api: Api, org: SandboxOrg) -> None:
    """What is gone already says so; with allOrNone nothing goes unless everything does."""
    first, second, third = (one["id"] for one in api.upsert(*({"Syncd_Id__c": str(n)} for n in range(3))))

    def delete(*ids: str, all_or_none: str = "false") -> list[str]:
        return codes(api.json("DELETE", "composite/sobjects", params={"ids": ",".join(ids), "allOrNone": all_or_none}))

    assert delete(first) == ["ok"]
    assert delete(first, second, all_or_none="true") == ["ENTITY_IS_DELETED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"]
    assert [(org.row(one) or {})["IsDeleted"] for one in (first, second)] == [True, False]
    assert delete(first, second[:15], second) == ["ENTITY_IS_DELETED", "ok", "ENTITY_IS_DELETED"]
    assert delete("nonsense") == ["MALFORMED_ID"]
    wanted = {"ids": [first, third], "fields": ["Id"]}
    assert [one and one["Id"] for one in api.json("POST", "composite/sobjects/Lead", json=wanted)] == [None, third]
    query = f"queryAll?q=SELECT+Id,IsDeleted+FROM+Lead+WHERE+Id+=+'{first}'"
    assert [one["IsDeleted"] for one in api.json("GET", query)["records"]] == [True]
    org.undelete(first)
    assert (org.row(first) or {})["IsDeleted"] is False


def test_without_the_right_to_delete_the_describe_and_every_answer_say_so(api: Api, org: SandboxOrg) -> None:
    (made,) = api.upsert({"Syncd_Id__c": "1"})
    org.objects["Lead"].is_deletable = False
    assert api.json("GET", "sobjects/Lead/describe")["deletable"] is False
    gone = api.json("DELETE", "composite/sobjects", params={"ids": made["id"], "allOrNone": "false"})
    assert codes(gone) == ["INSUFFICIENT_ACCESS_OR_READONLY"]
    assert api.call("DELETE", f"sobjects/Lead/{made['id']}").status_code in (400, 403)
    org.delete(made["id"], user="rep1")
    assert (org.row(made["id"]) or {})["IsDeleted"] is True


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PATCH", "composite/sobjects/Lead/Syncd_Id__c", {"records": [lead(Syncd_Id__c=str(n)) for n in range(201)]}, "EXCEEDED_ID_LIMIT"),
        ("POST", "composite/sobjects", {"records": [{"LastName": "x"}]}, "INVALID_INPUT"),
        ("POST", "composite/sobjects", {"records": [{"attributes": {"type": "Nope"}}]}, "INVALID_TYPE"),
        ("POST", "composite/sobjects", {"records": "all"}, "JSON_PARSER_ERROR"),
        ("POST", "composite/sobjects", {"records": [{"attributes": "Lead"}]}, "JSON_PARSER_ERROR"),
        (
            "POST",
            "composite/sobjects",
            {"records": [{"attributes": {"type": name}, "LastName": "x"} for name in ("Lead", "Contact") * 6]},
            "INVALID_INPUT",
        ),
        ("PATCH", "composite/sobjects/Lead/Syncd_Id__c", {"records": [lead(Id=MISSING, Syncd_Id__c="1")]}, "INVALID_FIELD"),
        ("PATCH", "composite/sobjects/Lead/Title", {"records": []}, "NOT_FOUND"),
        ("POST", "composite/sobjects/Lead", {"ids": [MISSING], "fields": ["Nope"]}, "INVALID_FIELD"),
        ("POST", "composite/sobjects/Lead", {"ids": [MISSING] * 2001, "fields": ["Id"]}, "EXCEEDED_ID_LIMIT"),
        ("POST", "composite", {"compositeRequest": [{}]}, "JSON_PARSER_ERROR"),
    ],
)  # fmt: skip
def test_a_malformed_call_is_refused_as_a_whole(
    api: Api, org: SandboxOrg, method: str, path: str, body: dict[str, Any], code: str
) -> None:
    answer = api.call(method, path, json=body)
    assert answer.status_code in (400, 404)
    assert answer.json()[0]["errorCode"] == code
    assert org.rows("Lead") == []


def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    assert api.json("POST", "composite", status=400, data=b"{half")[0]["errorCode"] == "JSON_PARSER_ERROR"


def test_all_or_none_takes_everything_back(api: Api, org: SandboxOrg) -> None:
    api.upsert({"Syncd_Id__c": "old", "Title": "before"})
    before = (org.rows("Lead"), len(org.audit), dict(org.assignment_runs), dict(org.side_effects))
    rows = ({"Syncd_Id__c": "old", "Title": "after"}, {"Syncd_Id__c": "new"}, {"Syncd_Id__c": "bad", "Email": "x"})
    answer = api.upsert(*rows, all_or_none=True)
    rolled_back = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert codes(answer) == [rolled_back, rolled_back, "INVALID_EMAIL_ADDRESS"]
    assert (org.rows("Lead"), len(org.audit), dict(org.assignment_runs), dict(org.side_effects)) == before
    assert codes(api.upsert(*rows)) == ["ok", "ok", "INVALID_EMAIL_ADDRESS"]


def composite(api: Api, *parts: dict[str, Any], all_or_none: bool = False) -> list[dict[str, Any]]:
    """Subrequests, each with a referenceId r0, r1 ..."""
    wanted = [{"referenceId": f"r{n}", **part, "url": f"{BASE}/{part['url']}"} for n, part in enumerate(parts)]
    body = {"allOrNone": all_or_none, "compositeRequest": wanted}
    answer: list[dict[str, Any]] = api.json("POST", "composite", json=body)["compositeResponse"]
    return answer


def test_composite_is_one_call_with_references(api: Api, org: SandboxOrg) -> None:
    made, read, broken, after = composite(
        api,
        {"method": "PATCH", "url": "sobjects/Lead/Syncd_Id__c/1", "body": {"LastName": 'Ro"e', "Company": "c"},
         "httpHeaders": {"Sforce-Auto-Assign": "FALSE"}},
        {"method": "GET", "url": "sobjects/Lead/@{r0.id}?fields=LastName"},
        {"method": "PATCH", "url": "sobjects/Lead/@{r0.id}", "body": {"Email": "x"}},
        {"method": "POST", "url": "sobjects/Contact", "body": {"LastName": "@{r1.LastName}", "Title": "@{r2.id}"}},
    )  # fmt: skip
    assert [one["httpStatusCode"] for one in (made, read, broken, after)] == [201, 200, 400, 400]
    assert (made["referenceId"], read["body"]["LastName"]) == ("r0", 'Ro"e')
    assert after["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert (org.api_calls, sum(org.assignment_runs.values())) == (1, 0)


def test_composite_all_or_none_takes_everything_back(api: Api, org: SandboxOrg) -> None:
    parts = [
        {"method": "POST", "url": "sobjects/Lead", "body": {"LastName": "Roe", "Company": "c"}},
        {"method": "PATCH", "url": "composite/sobjects/Lead/Syncd_Id__c", "body": {"records": [lead(Syncd_Id__c="1")]}},
        {"method": "POST", "url": "sobjects/Lead", "body": {}},
    ]
    answers = composite(api, *parts, all_or_none=True)
    assert [one["body"][0]["errorCode"] for one in answers] == [
        "PROCESSING_HALTED",
        "PROCESSING_HALTED",
        "REQUIRED_FIELD_MISSING",
    ]
    assert (org.rows("Lead"), org.audit) == ([], [])
    assert [one["httpStatusCode"] for one in composite(api, *parts)] == [201, 200, 400]


def test_composite_has_room_for_25_subrequests_and_5_queries(api: Api) -> None:
    query, describe = "query/?q=SELECT+Id+FROM+Lead", "sobjects/Lead/describe"
    for urls, status in (([describe] * 25, 200), ([describe] * 26, 400), ([query] * 5, 200), ([query] * 6, 400)):
        wanted = [{"method": "GET", "url": f"{BASE}/{url}", "referenceId": f"r{n}"} for n, url in enumerate(urls)]
        assert api.call("POST", "composite", json={"compositeRequest": wanted}).status_code == status


def bulk_job(api: Api, query: str, **options: Any) -> str:
    """A query job that was polled to its end."""
    job = api.json("POST", "jobs/query", json={"operation": "query", "query": query, **options})
    assert job["state"] == "UploadComplete"
    assert api.call("GET", f"jobs/query/{job['id']}/results").status_code == 400, "no results before the end"
    states = [api.json("GET", f"jobs/query/{job['id']}")["state"] for _ in range(3)]
    assert states[-1] == "JobComplete"
    return str(job["id"])


def test_bulk_results_come_as_csv_by_locator(api: Api, org: SandboxOrg) -> None:
    for number in range(5):
        org.create("Lead", {"LastName": f"n{number}", "Company": 'c, "and"\nmore', "Title": None})
    job = bulk_job(api, "SELECT LastName, Company, Title, IsDeleted, CreatedDate FROM Lead ORDER BY LastName")
    rows: list[list[str]] = []
    locator = ""
    while locator != "null":
        page = api.call("GET", f"jobs/query/{job}/results", params={"maxRecords": 2, "locator": locator})
        locator = page.headers["Sforce-Locator"]
        parsed = list(csv.reader(io.StringIO(page.text, newline="")))
        assert len(parsed) - 1 == int(page.headers["Sforce-NumberOfRecords"])
        rows += parsed[1:]
    assert [row[0] for row in rows] == [f"n{number}" for number in range(5)]
    assert rows[0][1:] == ['c, "and"\nmore', "", "false", "2026-03-01T09:00:00.000Z"]
    assert api.json("GET", f"jobs/query/{job}")["numberRecordsProcessed"] == 5
    assert api.call("DELETE", f"jobs/query/{job}").status_code == 204
    assert api.call("GET", f"jobs/query/{job}").status_code == 404


@pytest.mark.parametrize(
    "query", ["SELECT COUNT(Id) FROM Lead", "SELECT Id FROM Lead OFFSET 1", "SELECT Address FROM Lead", "nonsense"]
)
def test_bulk_refuses_what_it_cannot_export(api: Api, query: str) -> None:
    assert api.call("POST", "jobs/query", json={"operation": "query", "query": query}).status_code == 400


def test_a_bulk_job_can_be_aborted(api: Api) -> None:
    job = api.json("POST", "jobs/query", json={"operation": "query", "query": "SELECT Id FROM Lead"})["id"]
    assert api.json("PATCH", f"jobs/query/{job}", json={"state": "Aborted"})["state"] == "Aborted"
    assert api.json("GET", f"jobs/query/{job}")["state"] == "Aborted"


def test_calls_in_parallel_lose_and_double_nothing(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    import threading

    def work(number: int) -> None:
        client = Api(org)
        for round_ in range(5):
            client.upsert(*({"Syncd_Id__c": f"{n}", "Title": f"{number}-{round_}"} for n in range(20)))
        client.session.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(org.rows("Lead")) == 20
    assert org.api_calls == 20
    assert sum(one.action == "create" for one in org.audit) == 20


def test_two_orgs_of_one_seed_are_alike(clock: FixedClock) -> None:
    def story() -> list[Any]:
        org = SandboxOrg(seed=9, clock=clock)
        client = Api(org)
        client.upsert(*({"Syncd_Id__c": str(n)} for n in range(10)))
        org.faults.add("cut_before", "query", times=-1, probability=0.5)
        seen: list[Any] = []
        for _ in range(10):
            try:
                seen.append([row["Id"] for row in client.query("SELECT Id FROM Lead")])
            except requests.ConnectionError:
                seen.append("cut")
        return seen

    assert story() == story()


@pytest.mark.parametrize("text", ["\u00fc \u682a", "lone \ud800 surrogate", 'quoted "x"\n\u2028 end'])
def test_an_answer_carries_every_text_as_it_was_kept(api: Api, org: SandboxOrg, text: str) -> None:
    sf_id = org.create("Lead", {"LastName": text, "Company": "Acme"})
    shown = api.json("POST", "composite/sobjects/Lead", json={"ids": [sf_id], "fields": ["LastName"]})
    assert shown[0]["LastName"] == text


def test_a_number_beyond_64_bits_is_told_whole() -> None:
    assert json.loads(Response(200, {"number": 2**70}).payload) == {"number": 2**70}
