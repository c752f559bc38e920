"""What Zoom is asked to do: who is registered, with what, who is left alone, and what can be told afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import requests

from connectors.zoom import CONNECTOR, ZoomOptions
from syncd.clock import FixedClock
from syncd.connector import ActionOutcome, ActionState, SourceAction, SourceActionKind
from syncd.errors import AuthError, ContractError, RateLimitedError
from syncd.sandbox.adapter import SandboxAdapter
from syncd.sandbox.vendors.zoom import WEBINAR, SandboxZoom
from tests.contract.connectors.acting import Line, Odd, response, session_over
from tests.contract.connectors.cases.zoom import OPTIONS
from tests.contract.connectors.kit import NOW

ADA = "Ada@Example.com"
LISTS = f"/webinars/{WEBINAR}/registrants?"


class Answering(SandboxAdapter):
    """The way to the account; keeps what was sent. `answer`, if there is one, is given to a registration that Zoom does not see."""

    def __init__(self, model: SandboxZoom) -> None:
        super().__init__(model)
        self.sent: list[Any] = []
        self.answer: tuple[int, bytes] | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.method == "POST" and str(request.url).endswith("/registrants"):
            self.sent.append(json.loads(request.body or b"null"))
            if self.answer is not None:
                return response(request, *self.answer)
        return super().send(request, *args, **kwargs)


class Account:
    """A webinar in three days."""

    def __init__(self) -> None:
        self.clock = FixedClock(NOW)
        self.model = SandboxZoom(clock=self.clock)
        self.model.add_webinar(WEBINAR, "Pumps", NOW + timedelta(days=3))
        self.wire = Answering(self.model)
        self.line = Line(self.wire)
        self.session = session_over(self.line)
        self.options = ZoomOptions(**OPTIONS)

    def act(self, one: SourceAction) -> ActionOutcome:
        return CONNECTOR.act(self.session, self.options, one)

    def look_up(self, one: SourceAction) -> ActionOutcome:
        return CONNECTOR.look_up(self.session, self.options, one)


@pytest.fixture
def account() -> Account:
    return Account()


def register(fields: dict[str, Any] | None = None, webinar: str = WEBINAR) -> SourceAction:
    given = {"first_name": "Ada"} if fields is None else fields
    asked = NOW - timedelta(days=1)
    return SourceAction("act_1", SourceActionKind.REGISTER, ADA, {"webinar": webinar}, NOW, given, asked)


def refused(code: str, message: str = "") -> ActionOutcome:
    return ActionOutcome(ActionState.REFUSED, code, message)


def test_what_is_known_goes_along_and_own_questions_by_their_titles(account: Account) -> None:
    told = {"first_name": "Ada", "last_name": None, "org": "", "phone": "+4930901820", "How many pumps?": 7, "New here?": True}
    assert account.act(register(told)) == ActionOutcome(ActionState.DONE)
    assert account.wire.sent == [
        {
            "email": ADA,
            "first_name": "Ada",
            "phone": "+4930901820",
            "custom_questions": [{"title": "How many pumps?", "value": "7"}, {"title": "New here?", "value": "yes"}],
        }
    ]


@pytest.mark.parametrize("status", ["approved", "pending"])
def test_who_is_registered_already_is_not_sent(account: Account, status: str) -> None:
    account.model.register(WEBINAR, "ada@example.com", at=NOW - timedelta(days=1), status=status)
    assert account.act(register()) == ActionOutcome(ActionState.UNCHANGED, f"already_{status}")
    assert account.look_up(register()) == ActionOutcome(ActionState.DONE)
    assert account.wire.sent == []


def test_somebody_beyond_the_first_page_is_found(account: Account) -> None:
    for number in range(320):
        account.model.register(WEBINAR, f"person{number}@example.com", at=NOW)
    account.model.register(WEBINAR, "ada@example.com", at=NOW)
    assert account.act(register()).code == "already_approved"


def test_whom_the_host_turned_down_is_never_sent(account: Account) -> None:
    account.model.register(WEBINAR, "ada@example.com", at=NOW, status="denied")
    assert account.act(register()) == account.look_up(register()) == refused("denied")
    assert account.wire.sent == []


def test_who_waits_for_the_host_is_registered(account: Account) -> None:
    account.model.approves = False
    assert account.act(register()) == ActionOutcome(ActionState.DONE)
    assert account.look_up(register()) == ActionOutcome(ActionState.DONE)
    assert account.model.webinars[WEBINAR].registrants[0]["status"] == "pending"


def test_without_proof_or_a_first_name_nothing_is_sent(account: Account) -> None:
    assert account.act(msgspec.structs.replace(register(), consent_at=None)) == refused("no_proof")
    assert account.act(register({"first_name": None, "last_name": "L"})) == refused("no_first_name")
    assert (account.wire.sent, account.model.calls) == ([], [])


def test_a_webinar_that_is_not_there_or_over_is_a_refusal(account: Account) -> None:
    assert (
        account.act(register(webinar="123456789")) == account.look_up(register(webinar="123456789")) == refused("no_such_webinar")
    )
    account.clock.advance(10 * 86_400)
    assert account.act(register()).code == "webinar_over"


def test_a_registration_that_no_list_shows_stays_unknown(account: Account) -> None:
    """Nothing says how soon a list shows somebody."""
    assert account.look_up(register()) == ActionOutcome(ActionState.UNKNOWN, "not_seen")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, b'{"code": 300, "message": "Invalid user name."}', "bad_field"),
        (400, b'{"code": 3000, "message": "This webinar does not require registration."}', "no_registration"),
        (400, b'{"code": 3027, "message": "Host can not register."}', "is_host"),
        (404, b'{"code": 3001, "message": "Webinar does not exist."}', "no_such_webinar"),
        (400, b'{"code": 9, "message": "Something new."}', "status_400"),
        (422, b"<html>", "status_422"),
    ],
)
def test_a_refusal_has_a_constant_word(account: Account, status: int, body: bytes, code: str) -> None:
    account.wire.answer = (status, body)
    outcome = account.act(register())
    assert (outcome.state, outcome.code) == (ActionState.REFUSED, code)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"registrant_id": ""}', b'{"registrant_id": "\xff"}'])
def test_an_answer_that_names_no_registrant_says_nothing(account: Account, body: bytes) -> None:
    account.wire.answer = (200, body)
    assert account.act(register()) == ActionOutcome(ActionState.UNKNOWN, "answer_lost")


def test_a_fourth_time_in_a_day_is_an_answer_and_a_throttle_is_none(account: Account) -> None:
    account.model.sent[WEBINAR, ADA.lower(), NOW.date().isoformat()] = [NOW] * 3
    assert account.act(register()).code == "too_often"
    account.wire.answer = (429, b'{"code": 429, "message": "You have reached the maximum per-second rate limit for this API."}')
    with pytest.raises(RateLimitedError):
        account.act(register())


@pytest.mark.parametrize(("status", "body"), [(403, b"{}"), (400, b'{"code": 4711, "message": "does not contain scopes"}')])
def test_without_the_right_to_register_the_scope_is_named(account: Account, status: int, body: bytes) -> None:
    account.wire.answer = (status, body)
    with pytest.raises(AuthError) as lacking:
        account.act(register())
    assert "webinar:write:registrant:admin" in lacking.value.advice


@pytest.mark.parametrize("one", [b"7", b'{"email": 7}', b'{"email": "\xff"}'])
def test_nobody_is_registered_while_a_list_cannot_be_read(account: Account, one: bytes) -> None:
    body = b'{"registrants": [' + one + b'], "next_page_token": ""}'
    account.line.system = Odd(account.wire, LISTS, body)
    with pytest.raises(ContractError) as changed:
        account.act(register())
    assert changed.value.page == body
    assert account.wire.sent == []
