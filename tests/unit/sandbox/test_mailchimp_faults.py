"""Faults and limits of the sandbox's Mailchimp, in process and over HTTP alike; its page and its control calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from syncd.sandbox import Kind, MailchimpServer, SandboxMailchimp
from syncd.sandbox.adapter import SandboxAdapter
from tests.unit.sandbox.mailchimp_client import LIST, MEMBERS, Client

PROBLEM = "application/problem+json; charset=utf-8"


@pytest.fixture(params=["in process", "over HTTP"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    made = Client()
    made.put("ada@example.com")
    if request.param == "in process":
        yield made
    else:
        with MailchimpServer(made.mailchimp) as server:
            made.session.trust_env = False
            made.session.mount("https://", Redirect(server.url))
            yield made
            assert server.crashes == []
    made.session.close()


class Redirect(requests.adapters.HTTPAdapter):
    """Sends what is meant for the vendor to a server of ours."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.url = str(request.url).replace("https://us1.api.mailchimp.com", self.url)
        return super().send(request, *args, **options)


@pytest.mark.parametrize(
    ("kind", "status", "title"),
    [
        (Kind.THROTTLED, 429, "Too Many Requests"),
        (Kind.UNAVAILABLE, 503, "Service Unavailable"),
        (Kind.ERROR, 500, "Internal Server Error"),
        (Kind.EXPIRED, 401, "API Key Invalid"),
        (Kind.FORBIDDEN, 403, "Forbidden"),
    ],
)
def test_a_refused_call_is_a_problem_without_hints_and_does_nothing(client: Client, kind: Kind, status: int, title: str) -> None:
    client.mailchimp.faults.add(kind, "/members", seconds=9)
    answer = client.call("PATCH", f"{MEMBERS}/ada@example.com", json={"vip": True})
    assert (answer.status_code, answer.json()["title"], answer.headers["Content-Type"]) == (status, title, PROBLEM)
    assert not {name for name in answer.headers if "retry" in name.lower() or "limit" in name.lower()}
    assert not client.member("ada@example.com")["vip"]


@pytest.mark.parametrize(("kind", "status"), [(Kind.LIMIT, 403), (Kind.HTML_503, 503)])
def test_the_edge_knows_no_json(client: Client, kind: Kind, status: int) -> None:
    client.mailchimp.faults.add(kind)
    answer = client.call("GET", "ping")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    assert "Date" in answer.headers
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("kind", [Kind.HTML, Kind.CUT_BODY])
def test_a_broken_body_may_come_with_status_200(client: Client, kind: Kind) -> None:
    client.mailchimp.faults.add(kind, "members$")
    answer = client.call("GET", MEMBERS)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert client.page()["total_items"] == 1


@pytest.mark.parametrize(
    ("kind", "error", "is_done"),
    [
        (Kind.CUT_BEFORE, requests.ConnectionError, False),
        (Kind.CUT_AFTER, requests.ConnectionError, True),
        (Kind.CUT_STREAM, requests.exceptions.ChunkedEncodingError, True),
    ],
)
def test_a_broken_connection_tells_nothing_about_what_was_done(
    client: Client, kind: Kind, error: type[Exception], is_done: bool
) -> None:
    client.mailchimp.faults.add(kind, method="PATCH")
    with pytest.raises(error):
        client.call("PATCH", f"{MEMBERS}/ada@example.com", json={"vip": True})
    assert client.member("ada@example.com")["vip"] is is_done
    assert client.mailchimp.open_now == 0


def test_an_empty_page_keeps_its_total(client: Client) -> None:
    client.mailchimp.faults.add(Kind.EMPTY_PAGE, "members$", skip=1)
    pages = [client.page(fields="members.id,total_items") for _ in range(3)]
    assert [len(page["members"]) for page in pages] == [1, 0, 1]
    assert {page["total_items"] for page in pages} == {1}


def test_latency_passes_on_the_accounts_clock(client: Client) -> None:
    before = client.clock.monotonic()
    client.mailchimp.faults.add_latency(1.5)
    client.page()
    assert client.clock.monotonic() - before == 1.5


def test_faults_of_orgs_are_none_of_mailchimps(client: Client) -> None:
    with pytest.raises(ValueError, match="cannot strike"):
        client.mailchimp.faults.add(Kind.ROW_LOCK)


def test_a_late_answer_never_comes_but_its_work_does() -> None:
    client = Client()
    client.put("ada@example.com")
    client.mailchimp.faults.add(Kind.LATE, method="PATCH", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        client.call("PATCH", f"{MEMBERS}/ada@example.com", json={"vip": True})
    assert not client.member("ada@example.com")["vip"]
    client.clock.advance(31)
    assert client.member("ada@example.com")["vip"]
    client.session.close()


class Gate:
    """A clock on which whoever sleeps waits until the gate is opened."""

    def __init__(self, client: Client) -> None:
        self.now, self.monotonic = client.clock.now, client.clock.monotonic
        self.opened = threading.Event()

    def sleep(self, seconds: float) -> None:
        assert self.opened.wait(20)


def crowd_at(client: Client, gate: Gate, count: int) -> list[requests.Response]:
    """`count` requests that are all open at the same time."""
    client.mailchimp.clock = gate
    client.mailchimp.faults.add_latency(1)
    answers: list[requests.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(client.call("GET", "ping"))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for _ in range(2_000):
        if client.mailchimp.open_now == count:
            break
        gate.opened.wait(0.01)
    gate.opened.set()
    for thread in threads:
        thread.join(20)
    return answers


def test_ten_requests_at_a_time_are_the_limit() -> None:
    client = Client()
    answers = crowd_at(client, Gate(client), 13)
    assert sorted(one.status_code for one in answers) == [200] * 10 + [429] * 3
    assert next(one for one in answers if one.status_code == 429).json()["title"] == "Too Many Requests"
    assert (client.mailchimp.most_open, client.mailchimp.open_now) == (13, 0)
    assert client.call("GET", "ping").status_code == 200
    client.session.close()


def test_who_stays_below_the_limit_is_served_and_seen() -> None:
    client = Client()
    assert {one.status_code for one in crowd_at(client, Gate(client), 4)} == {200}
    assert client.mailchimp.most_open == 4
    client.session.close()


def test_a_request_is_over_before_its_answer_can_be_read() -> None:
    """Four connections are never seen as five, however fast the next request follows an answer."""
    client = Client()
    client.mailchimp.connections = 4
    statuses: list[int] = []

    def ask(url: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = client.session.auth
            statuses.extend(session.get(f"{url}/3.0/ping", timeout=10).status_code for _ in range(100))

    with MailchimpServer(client.mailchimp) as server:
        threads = [threading.Thread(target=ask, args=(server.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    client.session.close()
    assert statuses == [200] * 400
    assert client.mailchimp.most_open <= 4


# ---------------------------------------------------------------------- the page and the control calls


@pytest.fixture
def people() -> Iterator[requests.Session]:
    """A browser before the sandbox, without a key."""
    with MailchimpServer(SandboxMailchimp()) as server, requests.Session() as session:
        session.trust_env = False
        session.server = server  # type: ignore[attr-defined]
        yield session
        assert server.crashes == []


def control(session: Any, verb: str, *, status: int = 200, **body: Any) -> Any:
    answer = session.post(f"{session.server.url}/sandbox/{verb}", json=body, timeout=10)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_control_calls_do_what_people_do(people: Any) -> None:
    control(people, "audience", list_id="L1", name="Readers")
    for name in "abcde":
        made = control(people, "put", list_id="L1", email=f"{name}@example.com", at="2026-03-01T09:00:00+00:00", tags=["t"])
        assert len(made["contact_id"]) == 32
    control(people, "archive", list_id="L1", email="a@example.com")
    control(people, "unsubscribe", list_id="L1", email="b@example.com", reason="Enough")
    control(people, "clean", list_id="L1", email="c@example.com")
    control(people, "delete", list_id="L1", email="d@example.com")
    control(people, "change_email", list_id="L1", email="e@example.com", new_email="f@example.com")
    control(people, "populate", list_id="L1", count=10)
    mailchimp = people.server.mailchimp
    shown = {one["email_address"]: one for one in mailchimp.members("L1")}
    assert {name: shown[f"{name}@example.com"]["status"] for name in "abcf"} == {
        "a": "archived",
        "b": "unsubscribed",
        "c": "cleaned",
        "f": "subscribed",
    }
    assert "d@example.com" not in shown
    state = control(people, "state")
    assert (state["calls"], sum(state["members"]["L1"].values())) == (0, 14)


def test_faults_can_be_switched_on_and_off_from_outside(people: Any) -> None:
    control(people, "faults", kind="unavailable", path="/ping", times=-1)
    auth = ("u", people.server.mailchimp.api_key)
    assert people.get(f"{people.server.url}/3.0/ping", auth=auth, timeout=10).status_code == 503
    assert control(people, "state")["faults"] == {"unavailable": 1}
    control(people, "faults", clear=True)
    assert people.get(f"{people.server.url}/3.0/ping", auth=auth, timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("put", {"list_id": "none", "email": "a@example.com"}),
        ("nothing", {}),
        ("faults", {"kind": "odd"}),
        ("put", {"at": "soon"}),
    ],
)
def test_control_calls_that_make_no_sense_are_refused(people: Any, verb: str, body: dict[str, Any]) -> None:
    assert control(people, verb, status=400, **body)["error"] == "BAD_REQUEST"


def test_a_page_for_people_lists_audiences_and_members(people: Any) -> None:
    mailchimp = people.server.mailchimp
    assert "No audiences" in people.get(people.server.url, timeout=10).text
    mailchimp.add_audience("L1", "Readers & <friends>")
    mailchimp.put("L1", "ada@example.com", merge_fields={"FNAME": "<b>Ada"}, tags=["webinar"])
    mailchimp.populate("L1", 600)
    page = people.get(people.server.url, timeout=10)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Readers &amp; &lt;friends&gt; (L1)" in page.text
    assert "&lt;b&gt;Ada" in page.text
    assert page.text.count("<tr>") == 501
    assert mailchimp.call_count == 0


def test_both_models_go_through_the_same_adapter() -> None:
    """The page is there in process too, and asks for no key."""
    with requests.Session() as session:
        session.mount("https://", SandboxAdapter(SandboxMailchimp()))
        assert "Sandbox Mailchimp" in session.get("https://mailchimp.test/", timeout=5).text
        assert session.post("https://mailchimp.test/sandbox/state", timeout=5).json()["calls"] == 0


def test_a_body_without_an_end_is_refused(people: Any) -> None:
    answer = people.post(f"{people.server.url}/3.0/lists/{LIST}", headers={"Content-Length": "many"}, timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, PROBLEM)


def test_a_defect_of_the_sandbox_looks_like_one() -> None:
    client = Client()
    client.mailchimp.between_pages(lambda *_: 1 / 0)
    with MailchimpServer(client.mailchimp) as server:
        client.session.trust_env = False
        client.session.mount("https://", Redirect(server.url))
        assert client.call("GET", MEMBERS).json()["detail"] == "The sandbox itself failed: ZeroDivisionError"
        assert "ZeroDivisionError" in server.crashes[0]
    client.session.close()
