"""Messages that go out: what is posted, how it is signed, what each answer means."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from pydantic import ValidationError

from connectors.webhook import CONNECTOR as WEBHOOK
from connectors.webhook import WebhookOptions
from connectors.webhook_out import CONNECTOR, WebhookOutOptions
from syncd.clock import FixedClock
from syncd.connector import ActionOutcome, ActionState, HttpRequest, Secret, Session, SourceAction, SourceActionKind
from syncd.errors import AuthError, RateLimitedError
from syncd.http import Caller, make_session
from syncd.standard_webhooks import key_of, sign

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
URL = "https://hooks.example.com/syncd"
SECRET = "whsec_c3luY2Qtc3RhbmRhcmQtd2ViaG9vay1rZXk="
OTHER = "whsec_YW5vdGhlci1zdGFuZGFyZC13ZWJob29rLWtleQ=="


def options(*secrets: str, url: str = URL) -> WebhookOutOptions:
    made = tuple(Secret(one, "test") for one in secrets or (SECRET,))
    return WebhookOutOptions(url=url, secret=made if len(made) > 1 else made[0])


def action(**changes: Any) -> SourceAction:
    given: dict[str, Any] = {
        "action_id": "msg_1",
        "kind": SourceActionKind.SEND,
        "email": "ada@example.com",
        "options": {"type": "lead.created"},
        "decided_at": NOW,
    }
    return SourceAction(**(given | changes))


def act(
    one: SourceAction | None = None, given: WebhookOutOptions | None = None, clock: FixedClock | None = None
) -> ActionOutcome:
    session = Session(Path(), http=Caller(make_session(), clock or FixedClock(NOW)))
    return CONNECTOR.act(session, given or options(), one or action())


def test_the_known_answer_of_the_standard() -> None:
    """sources.md 9.1: secret, id, timestamp and body to the signature."""
    body = b'{"type":"lead.created","timestamp":"2026-03-01T10:00:00Z","data":{"email":"ada@example.com"}}'
    at = datetime.fromtimestamp(1772359200, UTC)
    assert sign([key_of(SECRET)], "msg_1", at, body) == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1772359200",
        "webhook-signature": "v1,TfMF6Ny0CI6/RhAq9BL6RlAHLnnidPF2cgkzxA8DsAk=",
    }


@responses.activate
def test_a_message_is_the_known_answer_on_the_wire() -> None:
    responses.post(URL, status=204)
    assert act() == ActionOutcome(ActionState.DONE)
    request = responses.calls[0].request
    assert request.body == b'{"type":"lead.created","timestamp":"2026-03-01T10:00:00Z","data":{"email":"ada@example.com"}}'
    assert request.headers["webhook-signature"] == "v1,TfMF6Ny0CI6/RhAq9BL6RlAHLnnidPF2cgkzxA8DsAk="
    assert (request.headers["webhook-id"], request.headers["webhook-timestamp"]) == ("msg_1", "1772359200")
    assert request.headers["Content-Type"] == "application/json"


@responses.activate
@pytest.mark.parametrize("known", [SECRET, OTHER])
def test_while_a_secret_is_rotated_a_receiver_may_know_either(known: str) -> None:
    """Our own receiver lets in what goes out, with the old secret and with the new one."""
    responses.post(URL, status=200)
    act(given=options(SECRET, OTHER))
    request = responses.calls[0].request
    assert str(request.headers["webhook-signature"]).count("v1,") == 2
    received = HttpRequest(
        "POST", {name.lower(): str(value) for name, value in request.headers.items()}, {}, bytes(request.body or b"")
    )
    verdict = WEBHOOK.verify(received, WebhookOptions(secret=Secret(known, "test")), NOW + timedelta(seconds=20))
    assert (verdict.refusal, verdict.delivery_id) == ("", "msg_1")
    strangers = WEBHOOK.verify(received, WebhookOptions(secret=Secret("whsec_c3RyYW5nZXI=", "test")), NOW)
    assert strangers.refusal == "bad_signature"


@responses.activate
def test_a_repetition_has_the_same_id_and_body_and_a_time_of_its_own() -> None:
    responses.post(URL, status=500)
    responses.post(URL, status=204)
    one, clock = action(decided_at=datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))), FixedClock(NOW)
    assert act(one, clock=clock) == ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    assert CONNECTOR.look_up(Session(Path()), options(), one).state is ActionState.UNKNOWN
    assert CONNECTOR.repeats_safely
    clock.advance(3600)
    assert act(one, clock=clock).state is ActionState.DONE
    first, second = (call.request for call in responses.calls)
    assert first.body == second.body
    assert json.loads(bytes(first.body or b""))["timestamp"] == "2026-03-01T10:00:00Z"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3600
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@responses.activate
@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (200, ActionState.DONE, ""),
        (202, ActionState.DONE, ""),
        (301, ActionState.REFUSED, "status_301"),
        (307, ActionState.REFUSED, "status_307"),
        (400, ActionState.REFUSED, "status_400"),
        (403, ActionState.REFUSED, "status_403"),
        (404, ActionState.REFUSED, "status_404"),
        (409, ActionState.REFUSED, "status_409"),
        (410, ActionState.REFUSED, "gone"),
        (422, ActionState.REFUSED, "status_422"),
        (408, ActionState.UNKNOWN, "answer_lost"),
        (500, ActionState.UNKNOWN, "answer_lost"),
        (502, ActionState.UNKNOWN, "answer_lost"),
        (504, ActionState.UNKNOWN, "answer_lost"),
    ],
)
def test_what_an_answer_means(status: int, outcome: ActionState, code: str) -> None:
    """A redirect is not followed: the message would go where nobody allowed it."""
    responses.add(responses.POST, URL, status=status, body=b"x" * 3_000_000, headers={"Location": "https://evil.example.com/"})
    found = act()
    assert (found.state, found.code) == (outcome, code)
    assert len(responses.calls) == 1


@responses.activate
def test_a_receiver_that_refuses_the_signature_concerns_every_message() -> None:
    responses.post(URL, status=401)
    with pytest.raises(AuthError, match="signature"):
        act()


@responses.activate
def test_a_receiver_that_wants_a_pause_gets_it() -> None:
    responses.post(URL, status=429, headers={"Retry-After": "7200"})
    with pytest.raises(RateLimitedError) as caught:
        act()
    assert caught.value.retry_after_seconds == 7200


@responses.activate
def test_no_answer_is_unknown() -> None:
    responses.post(URL, body=requests.ReadTimeout("Read timed out."))
    assert act().state is ActionState.UNKNOWN


@responses.activate
def test_the_policys_own_fields_go_before_the_address() -> None:
    responses.post(URL, status=204)
    act(action(fields={"email": None, "score": 7, "is_hot": True}))
    act(action(email="", fields={"a": "é"}))
    assert [json.loads(bytes(call.request.body or b""))["data"] for call in responses.calls] == [
        {"email": None, "score": 7, "is_hot": True},
        {"a": "é"},
    ]


@pytest.mark.parametrize("changes", [{"action_id": "a.b"}, {"options": {}}, {"kind": SourceActionKind.TAG}])
def test_what_cannot_be_signed_or_is_no_message_is_refused(changes: dict[str, Any]) -> None:
    assert act(action(**changes)) == ActionOutcome(ActionState.REFUSED, "bad_options")


def test_a_message_too_large_for_receivers_is_refused() -> None:
    assert act(action(fields={"text": "x" * 20_001})).code == "too_large"


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/", "ftp://127.0.0.1/", "hooks.example.com", "https://a:b@example.com/", "https://example.com/#x"],
)
def test_nothing_goes_out_in_the_clear(url: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        options(url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/hook", "http://localhost/hook", "http://[::1]:80/hook", URL])
def test_this_machine_may_be_reached_without_tls(url: str) -> None:
    assert options(url=url).url == url


@pytest.mark.parametrize("secrets", [(), ("a", "b", "c"), ("whsec_%%%",)])
def test_a_secret_that_cannot_sign_is_a_mistake_of_configuration(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookOutOptions(url=URL, secret=tuple(Secret(one, "test") for one in secrets))
    assert "%%%" not in "".join(str(one["msg"]) for one in caught.value.errors())


def test_a_close_match_is_suggested() -> None:
    (missing, needed) = CONNECTOR.check_action(options(), SourceActionKind.SEND, {"tpye": "x"})[:2]
    assert 'Did you mean "type"?' in missing
    assert "needs type" in needed


def test_the_check_says_what_it_did_not_try() -> None:
    health = CONNECTOR.check(Session(Path()), options(SECRET, OTHER))
    assert health.ok
    assert any("Nothing was sent" in one for one in health.findings)
    assert any("both secrets" in one for one in health.findings)
