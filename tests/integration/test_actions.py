"""Actions over real HTTP: the sandbox's Mailchimp, and a receiver of signed messages on this machine."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.mailchimp import CONNECTOR as MAILCHIMP
from connectors.mailchimp import MailchimpOptions
from connectors.webhook_out import CONNECTOR as WEBHOOK_OUT
from connectors.webhook_out import WebhookOutOptions
from syncd.clock import FixedClock
from syncd.connector import ActionState, Secret, Session, SourceAction, SourceActionKind
from syncd.errors import SourceUnavailableError
from syncd.http import Caller, make_session
from syncd.sandbox import MAILCHIMP_KEY, MailchimpServer, SandboxMailchimp
from syncd.standard_webhooks import key_of, read_headers
from tests.world import BOOTH, World, row

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SECRET = "whsec_aW50ZWdyYXRpb24td2ViaG9vay1vdXQta2V5"
K = SourceActionKind


def session(clock: FixedClock) -> Iterator[Session]:
    made = make_session(read_timeout=5.0)
    yield Session(Path(), overlap_seconds=300.0, settle_seconds=30.0, http=Caller(made, clock))
    made.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def lent(clock: FixedClock) -> Iterator[Session]:
    yield from session(clock)


@pytest.fixture
def model(clock: FixedClock) -> SandboxMailchimp:
    made = SandboxMailchimp(clock=clock)
    made.add_audience("L1", merge_fields=("FNAME", "LINK"))
    made.marketing.add_journey(7, "L1", 70)
    return made


@pytest.fixture
def options(model: SandboxMailchimp) -> Iterator[MailchimpOptions]:
    with MailchimpServer(model) as server:
        yield MailchimpOptions(api_key=Secret(MAILCHIMP_KEY, "test"), base_url=f"{server.url}/3.0", audiences=["L1"])
        assert server.crashes == []


def action(
    kind: SourceActionKind, email: str = "ada@example.com", fields: Any = None, consent_at: Any = None, **given: str
) -> SourceAction:
    return SourceAction("act_1", kind, email, given, NOW, fields or {}, consent_at)


def test_one_person_goes_the_whole_way_and_our_echo_comes_back(
    lent: Session, clock: FixedClock, model: SandboxMailchimp, options: MailchimpOptions
) -> None:
    steps = [
        action(K.ENROL, consent_at=NOW - timedelta(days=1), fields={"FNAME": "Ada"}, status="subscribed"),
        action(K.TAG, tag="Nurture A"),
        action(K.TRIGGER, fields={"LINK": "https://webinar.example.com/7"}, journey="7", step="70"),
        action(K.OPT_OUT),
    ]
    for one in steps:
        clock.advance(60)
        assert MAILCHIMP.act(lent, options, one).state is ActionState.DONE
    (mail,) = model.marketing.mails
    assert (mail.kind, mail.merge_fields["LINK"]) == ("journey", "https://webinar.example.com/7")
    clock.advance(600)
    pages = list(MAILCHIMP.pull(lent, options, "members", {"audiences": {}, "from": NOW.isoformat()}, clock.now()))
    (record,) = [record for page in pages for record in page.records]
    echo = json.loads(record.payload)
    assert (echo["status"], echo["merge_fields"]["FNAME"], echo["last_changed"]) == (
        "unsubscribed",
        "Ada",
        "2026-11-24T09:04:00+00:00",
    )


@pytest.mark.parametrize("kind", ["cut_after", "cut_stream", "html", "error"])
def test_an_enrolment_whose_answer_is_lost_is_looked_up_and_mails_once(
    lent: Session, model: SandboxMailchimp, options: MailchimpOptions, kind: str
) -> None:
    model.faults.add(kind, method="PUT")
    one = action(K.ENROL)
    assert MAILCHIMP.act(lent, options, one).state is ActionState.UNKNOWN
    found = MAILCHIMP.look_up(lent, options, one)
    if kind == "error":  # nothing was done, as it turns out
        assert found.code == "not_carried_out"
        assert MAILCHIMP.act(lent, options, one).state is ActionState.DONE
    else:
        assert found.state is ActionState.DONE
    assert len(model.marketing.mails) == 1


def test_a_trigger_whose_answer_is_lost_is_never_repeated(
    lent: Session, model: SandboxMailchimp, options: MailchimpOptions
) -> None:
    model.put("L1", "ada@example.com")
    model.faults.add("cut_after", "/trigger$")
    assert MAILCHIMP.act(lent, options, action(K.TRIGGER, journey="7", step="70")).state is ActionState.UNKNOWN
    assert len(model.marketing.entries) == 1
    assert [one.method for one in model.calls].count("POST") == 1


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes each signed message once; answers as `answers` says: a status, or 0 for hanging up when it was taken."""

    protocol_version = "HTTP/1.1"
    messages: dict[str, Any]
    answers: list[int]
    refused: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = read_headers({name.lower(): value for name, value in self.headers.items()})
        if isinstance(signed, str) or not signed.is_by([key_of(SECRET)], body):
            self.refused.append(str(signed))
            status = 401
        else:
            self.messages.setdefault(signed.id, json.loads(body))
            status = self.answers.pop(0) if self.answers else 204
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def receiver() -> Iterator[tuple[type[Receiver], str]]:
    kind = type("One", (Receiver,), {"messages": {}, "answers": [], "refused": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield kind, f"http://127.0.0.1:{server.server_address[1]}/syncd"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_message_arrives_once_however_often_it_is_sent(
    lent: Session, clock: FixedClock, receiver: tuple[type[Receiver], str]
) -> None:
    kind, url = receiver
    options = WebhookOutOptions(url=url, secret=(Secret("whsec_bmV3LWtleQ==", "test"), Secret(SECRET, "test")))
    one = action(K.SEND, fields={"score": 7}, type="lead.qualified")
    kind.answers[:] = [0, 502, 204]
    states = []
    for _ in range(3):
        states.append(WEBHOOK_OUT.act(lent, options, one).state)
        clock.advance(900)
    assert states == [ActionState.UNKNOWN, ActionState.UNKNOWN, ActionState.DONE]
    assert kind.messages == {
        "act_1": {
            "type": "lead.qualified",
            "timestamp": "2026-11-24T09:00:00Z",
            "data": {"email": "ada@example.com", "score": 7},
        }
    }
    assert kind.refused == []


def test_a_receiver_that_is_not_there_was_sent_nothing(lent: Session, receiver: tuple[type[Receiver], str]) -> None:
    """A closed port: the connection cannot be made, so the message waits and nothing is unknown."""
    kind, url = receiver
    port = url.split(":")[2].split("/")[0]
    options = WebhookOutOptions(url=url.replace(port, "1"), secret=Secret(SECRET, "test"))
    with pytest.raises(SourceUnavailableError):
        WEBHOOK_OUT.act(lent, options, action(K.SEND, type="lead.qualified"))
    assert kind.messages == {}


def test_a_source_that_only_acts_is_a_source_like_any_other(make_world: Callable[..., World]) -> None:
    """Pass after pass it brings nothing, holds up nobody, and is at its end; the daemon asks it once a day."""
    name = "events"
    world = make_world(
        sources=BOOTH
        + f'  {name}: {{type: webhook_out, url: "https://hooks.test/x", secret: "{SECRET}", mapping: webhook_out}}\n'
    )
    world.write("mappings/webhook_out.yaml", (Path(__file__).parents[2] / "mappings" / "webhook_out.yaml").read_text("utf-8"))
    world.drop([row(number) for number in range(3)])
    for pulled in (3, 0):
        summary = world.run()
        assert summary.status == "ok"
        assert summary.sources["booth"].pulled == pulled
        assert (summary.sources[name].pulled, summary.sources[name].waiting) == (0, 0)
    assert len(world.leads()) == 3
    house = world.open()
    try:
        assert house.check_sources([name])[name].ok
        assert house.plans()[name].interval_seconds == 86_400
    finally:
        house.close()
