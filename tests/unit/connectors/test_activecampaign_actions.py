"""What ActiveCampaign is asked to do: who is written, who is left alone, in which order, and what can be told afterwards."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.activecampaign import CONNECTOR, ActiveCampaignOptions
from syncd.clock import FixedClock
from syncd.connector import (
    NOT_CARRIED_OUT,
    ActionOutcome,
    ActionState,
    OptOuts,
    Record,
    Secret,
    SourceAction,
    SourceActionKind,
    Wanted,
)
from syncd.errors import ContractError, SourceUnavailableError
from syncd.mapping import load_mapping
from syncd.plan.own_echo import OwnEcho
from syncd.sandbox.adapter import SandboxAdapter
from syncd.sandbox.vendors.activecampaign import ACTIVECAMPAIGN_KEY, SandboxActiveCampaign
from tests.contract.connectors.acting import Line, Odd, response, session_over
from tests.contract.connectors.kit import NOW

ADA = "Ada@Example.com"
MAPPING = Path(__file__).parents[3] / "mappings" / "activecampaign.yaml"
K = SourceActionKind
PROVEN = NOW - timedelta(days=3)


class Wire(SandboxAdapter):
    """The way to the account; keeps what was written. `before` is called with each write."""

    def __init__(self, model: SandboxActiveCampaign) -> None:
        super().__init__(model)
        self.written: list[tuple[str, str, Any]] = []
        self.before: Any = lambda path: None

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.method != "GET":
            path = str(request.url).partition("/api/3")[2]
            self.written.append((str(request.method), path, json.loads(request.body or b"null")))
            self.before(path)
        return super().send(request, *args, **kwargs)


class Account:
    """Two lists, two tags, an automation that takes anybody again."""

    def __init__(self) -> None:
        self.model = SandboxActiveCampaign(clock=FixedClock(NOW))
        self.model.per_second = 0.0
        self.wire = Wire(self.model)
        self.line = Line(self.wire)
        self.session = session_over(self.line)
        self.options = ActiveCampaignOptions(
            api_key=Secret(ACTIVECAMPAIGN_KEY, "test"), base_url="https://activecampaign.test", audiences=["list-1"]
        )

    def put(self, status: str = "", **told: Any) -> str:
        """Ada, with a status on list 1."""
        who = self.model.put("ada@example.com", at=NOW - timedelta(days=1), **told)
        if status:
            self.model.set_list(who, "1", status, at=NOW - timedelta(days=1))
        return who

    def act(self, one: SourceAction) -> ActionOutcome:
        return CONNECTOR.act(self.session, self.options, one)

    def look_up(self, one: SourceAction) -> ActionOutcome:
        return CONNECTOR.look_up(self.session, self.options, one)

    def status(self, list_id: str = "1") -> str | None:
        ada = self.model.find(ADA)
        return None if ada is None or list_id not in ada.lists else str(ada.lists[list_id]["status"])


@pytest.fixture
def account() -> Account:
    return Account()


def action(
    kind: SourceActionKind, consent_at: datetime | None = None, fields: dict[str, Any] | None = None, **given: str
) -> SourceAction:
    return SourceAction("act_1", kind, ADA, given, NOW, fields or {}, consent_at)


def enrol(consent_at: datetime | None = PROVEN, **fields: Any) -> SourceAction:
    return action(K.ENROL, consent_at, fields, status="subscribed")


# ---------------------------------------------------------------------- enrol


def test_somebody_new_with_proof_is_made_and_put_on_the_list(account: Account) -> None:
    assert account.act(enrol(firstName="Ada", phone=None, **{"2": 7})).state is ActionState.DONE
    assert account.wire.written == [
        ("POST", "/contact/sync", {"contact": {"email": ADA, "firstName": "Ada", "fieldValues": [{"field": "2", "value": "7"}]}}),
        ("POST", "/contactLists", {"contactList": {"list": "1", "contact": "1", "status": 1}}),
    ]


@pytest.mark.parametrize("is_known", [False, True])
def test_without_stored_proof_nobody_is_put_on_a_list_or_even_written(account: Account, is_known: bool) -> None:
    if is_known:
        account.put()
    assert account.act(enrol(None, firstName="X")) == ActionOutcome(ActionState.REFUSED, "no_proof")
    assert (account.wire.written, account.status()) == ([], None)


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        ("2", ActionState.REFUSED, "opted_out"),
        ("3", ActionState.REFUSED, "bounced"),
        ("9", ActionState.REFUSED, "unknown_status"),
        ("0", ActionState.UNCHANGED, "already_pending"),
        ("1", ActionState.UNCHANGED, "already_active"),
    ],
)
def test_a_status_is_never_raised(account: Account, status: str, state: ActionState, code: str) -> None:
    account.put(status)
    assert account.act(enrol()) == ActionOutcome(state, code)
    assert (account.wire.written, account.status()) == ([], status)


def test_who_left_is_not_even_brought_up_to_date(account: Account) -> None:
    account.put("2")
    account.act(enrol(firstName="X"))
    assert account.wire.written == []


def test_who_left_another_list_is_judged_by_the_list_that_is_meant(account: Account) -> None:
    account.model.set_list(account.put(), "2", "2")
    assert account.act(enrol()).state is ActionState.DONE
    assert (account.status("1"), account.status("2")) == ("1", "2")


def test_who_leaves_while_the_contact_is_written_stays_gone(account: Account) -> None:
    who = account.put()
    account.wire.before = lambda path: account.model.set_list(who, "1", "2") if path == "/contact/sync" else None
    assert account.act(enrol(firstName="New")) == ActionOutcome(ActionState.REFUSED, "opted_out")
    assert account.status() == "2"


def test_a_subscriber_gets_what_is_new_and_only_that(account: Account) -> None:
    who = account.put("1", firstName="Ada", lastName="L")
    account.model.set_value(who, "2", "Engines")
    assert account.act(enrol(firstName="Ada", lastName="Lovelace", **{"2": "Engines", "5": True})).state is ActionState.DONE
    ((_, path, body),) = account.wire.written
    assert (path, body) == (
        "/contact/sync",
        {"contact": {"email": ADA, "lastName": "Lovelace", "fieldValues": [{"field": "5", "value": "yes"}]}},
    )


def test_a_field_that_is_neither_known_nor_a_number_is_refused_before_anything_is_sent(account: Account) -> None:
    assert account.act(enrol(first_name="Ada")) == ActionOutcome(ActionState.REFUSED, "bad_field")
    assert account.model.calls == []


def test_an_address_that_is_refused_is_final(account: Account) -> None:
    one = SourceAction("act_1", K.ENROL, "nonsense", {"status": "subscribed"}, NOW, {}, PROVEN)
    outcome = account.act(one)
    assert (outcome.state, outcome.code) == (ActionState.REFUSED, "email_invalid")


def test_a_contact_that_may_not_have_arrived_is_no_unknown_outcome(account: Account) -> None:
    """It is found by its address and on no list: the whole action may be tried again."""
    account.line.troubles = ["lost"]
    with pytest.raises(SourceUnavailableError, match="may not have arrived"):
        account.act(enrol())
    assert account.status() is None
    assert account.act(enrol()).state is ActionState.DONE
    assert len(account.model.contacts) == 1


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        ("", ActionState.REFUSED, NOT_CARRIED_OUT),
        ("0", ActionState.REFUSED, NOT_CARRIED_OUT),
        ("1", ActionState.DONE, ""),
        ("2", ActionState.REFUSED, "opted_out"),
    ],
)
def test_what_became_of_an_enrolment_is_told_by_the_list(account: Account, status: str, state: ActionState, code: str) -> None:
    account.put(status)
    assert account.look_up(enrol()) == ActionOutcome(state, code)


@pytest.mark.parametrize("one", [enrol(), action(K.OPT_OUT)])
def test_our_own_change_comes_back_as_no_touch_and_its_evidence_as_no_news(account: Account, one: SourceAction) -> None:
    account.put("1" if one.kind is K.OPT_OUT else "")
    assert account.act(one).state is ActionState.DONE
    record = CONNECTOR.fetch(account.session, account.options, Wanted("1", b"{}"))
    assert isinstance(record, Record)
    mapping = load_mapping(MAPPING.read_text(encoding="utf-8"), "activecampaign.yaml", name="activecampaign")
    touch = mapping.map(record.payload, source="campaigns").touch
    sent_at = NOW - timedelta(seconds=1)
    at = datetime.fromisoformat(touch.at)
    assert "list-1" in touch.consent
    assert OwnEcho("campaigns", sent_at, NOW + timedelta(seconds=30)).made("campaigns", touch.channel, at, touch.consent)


# ---------------------------------------------------------------------- automations


def test_an_automation_is_begun_once_though_it_takes_anybody_again(account: Account) -> None:
    who = account.put("1")
    one = action(K.TRIGGER, automation="3")
    assert account.act(one).state is ActionState.DONE
    assert account.act(one) == ActionOutcome(ActionState.UNCHANGED, "already_in")
    account.model.contacts[who].automations[0]["status"] = "2"  # it has run to its end
    assert account.act(one) == ActionOutcome(ActionState.UNCHANGED, "already_in")
    assert account.model.entries == [(who, "3")]


@pytest.mark.parametrize("trouble", ["lost", "error", "page"])
def test_an_automation_whose_answer_was_lost_is_looked_up_and_never_begun_twice(account: Account, trouble: str) -> None:
    who = account.put("1")
    account.line.troubles = [trouble]
    one = action(K.TRIGGER, automation="3")
    assert account.act(one).state is ActionState.UNKNOWN
    assert account.look_up(one).state is ActionState.DONE
    assert account.act(one).state is ActionState.UNCHANGED
    assert account.model.entries == [(who, "3")]


def test_an_automation_that_is_not_listed_may_yet_begin_and_is_not_begun_again(account: Account) -> None:
    one = action(K.TRIGGER, automation="3")
    assert account.look_up(one) == ActionOutcome(ActionState.UNKNOWN, "not_listed")
    account.put("1")
    account.line.troubles = ["vanished"]
    assert account.act(one).state is ActionState.UNKNOWN
    assert account.look_up(one) == ActionOutcome(ActionState.UNKNOWN, "not_listed")
    assert account.model.entries == []


@pytest.mark.parametrize(("status", "code"), [("", "not_on_list"), ("0", "not_confirmed"), ("2", "opted_out"), ("3", "bounced")])
def test_an_automation_is_for_those_who_are_active_on_the_list(account: Account, status: str, code: str) -> None:
    account.put(status)
    assert account.act(action(K.TRIGGER, fields={"5": "x"}, automation="3")) == ActionOutcome(ActionState.REFUSED, code)
    assert account.wire.written == []


def test_the_fields_are_there_before_the_automation_begins_and_a_refusal_is_final(account: Account) -> None:
    account.put("1")
    assert account.act(action(K.TRIGGER, fields={"5": "x"}, automation="3")).state is ActionState.DONE
    assert [path for _, path, _ in account.wire.written] == ["/contact/sync", "/contactAutomations"]
    assert account.act(action(K.TRIGGER, automation="77")) == ActionOutcome(ActionState.REFUSED, "not_taken")


# ---------------------------------------------------------------------- tags and opt-outs


def test_a_tag_is_put_on_and_taken_off_by_the_id_of_its_link(account: Account) -> None:
    who = account.put()
    put_on, take_off = action(K.TAG, tag="20"), action(K.TAG, tag="20", remove="yes")
    assert account.act(take_off) == ActionOutcome(ActionState.UNCHANGED, "not_tagged")
    assert account.act(put_on).state is ActionState.DONE
    assert account.act(put_on) == ActionOutcome(ActionState.UNCHANGED, "already_tagged")
    assert account.act(take_off).state is ActionState.DONE
    assert [(method, path) for method, path, _ in account.wire.written] == [
        ("POST", "/contactTags"),
        ("DELETE", f"/contactTags/{who}920"),
    ]
    assert account.model.contacts[who].tags == {}
    assert account.look_up(put_on) == ActionOutcome(ActionState.REFUSED, NOT_CARRIED_OUT)
    assert account.look_up(take_off).state is ActionState.DONE


def test_a_tag_with_fields_brings_the_contact_up_to_date(account: Account) -> None:
    account.put()
    account.act(action(K.TAG, fields={"firstName": "Ada"}, tag="20"))
    assert [path for _, path, _ in account.wire.written] == ["/contact/sync", "/contactTags"]


def test_nobody_is_made_to_be_tagged(account: Account) -> None:
    assert account.act(action(K.TAG, fields={"firstName": "Ada"}, tag="20")) == ActionOutcome(
        ActionState.REFUSED, "no_such_contact"
    )
    account.put()
    assert account.act(action(K.TAG, tag="99")) == ActionOutcome(ActionState.REFUSED, "no_such_tag")
    assert len(account.model.contacts) == 1


def test_an_answer_of_200_that_says_that_nothing_was_done_is_a_refusal(account: Account) -> None:
    who = account.put()
    account.model.add_tag(who, "20")
    send = account.wire.send

    def refuse(request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        answer = send(request, *args, **kwargs)
        return response(request, 200, b'{"succeeded":0}') if request.method == "DELETE" else answer

    account.wire.send = refuse  # type: ignore[method-assign]
    assert account.act(action(K.TAG, tag="20", remove="yes")) == ActionOutcome(ActionState.REFUSED, "not_done")


@pytest.mark.parametrize("status", ["0", "1"])
def test_an_opt_out_takes_off_that_list_and_no_other(account: Account, status: str) -> None:
    account.model.set_list(account.put(status), "2", "1")
    assert account.act(action(K.OPT_OUT)).state is ActionState.DONE
    assert (account.status("1"), account.status("2")) == ("2", "1")
    assert account.look_up(action(K.OPT_OUT)).state is ActionState.DONE


@pytest.mark.parametrize(("status", "code"), [("", "not_on_list"), ("2", "already_unsubscribed"), ("3", "already_unsubscribed")])
def test_who_is_on_no_list_is_not_written_to_be_taken_off(account: Account, status: str, code: str) -> None:
    assert account.act(action(K.OPT_OUT)) == ActionOutcome(ActionState.UNCHANGED, "no_such_contact")
    account.put(status)
    assert account.act(action(K.OPT_OUT)) == ActionOutcome(ActionState.UNCHANGED, code)
    assert account.wire.written == []


@pytest.mark.parametrize("contact", [b"7", b'{"id": "1", "email": "\xff"}'])
def test_nothing_is_written_when_the_contact_cannot_be_read(account: Account, contact: bytes) -> None:
    """They may have left the list: who cannot be looked at is not written."""
    body = b'{"contacts": [' + contact + b'], "meta": {"total": "1"}}'
    account.line.system = Odd(account.wire, "/contacts?", body)
    with pytest.raises(ContractError) as changed:
        account.act(enrol())
    assert changed.value.page == body
    assert account.wire.written == []


# ---------------------------------------------------------------------- opt-outs that travel


def test_the_scope_of_the_account_is_every_list_also_those_that_the_source_does_not_act_on(account: Account) -> None:
    one = action(K.OPT_OUT, scope="account")
    assert account.act(one) == ActionOutcome(ActionState.UNCHANGED, "no_such_contact")
    who = account.put()
    assert account.act(one) == ActionOutcome(ActionState.UNCHANGED, "not_on_list")
    for list_id, status in (("1", "3"), ("2", "0")):
        account.model.set_list(who, list_id, status)
    assert account.look_up(one).code == NOT_CARRIED_OUT
    assert account.act(one).state is ActionState.DONE
    assert (account.status("1"), account.status("2")) == ("3", "2")
    assert [body["contactList"]["status"] for _, _, body in account.wire.written] == [2]
    assert account.act(one) == ActionOutcome(ActionState.UNCHANGED, "already_unsubscribed")
    assert account.look_up(one).state is ActionState.DONE


def test_one_list_that_gives_no_answer_stops_none_of_the_others_and_is_told(account: Account) -> None:
    """Done once more it only does what is missing."""
    account.model.set_list(account.put("1"), "2", "1")
    account.line.troubles = ["vanished", ""]
    one = action(K.OPT_OUT, scope="account")
    assert account.act(one).state is ActionState.UNKNOWN
    assert (account.status("1"), account.status("2")) == ("1", "2")
    assert account.look_up(one).code == NOT_CARRIED_OUT
    assert account.act(one).state is ActionState.DONE
    assert len(account.wire.written) == 2


@pytest.mark.parametrize(
    ("first", "second", "scope", "stops"),
    [
        ("1", "", OptOuts.LIST, [{"audience": "list-1"}]),
        ("0", "", OptOuts.LIST, [{"audience": "list-1"}]),
        ("", "1", OptOuts.LIST, []),
        ("2", "1", OptOuts.GLOBAL, [{"scope": "account"}]),
        ("1", "1", OptOuts.NONE, []),
        *((status, status, OptOuts.GLOBAL, []) for status in ("2", "3", "")),
    ],
)
def test_a_contact_says_what_ends_its_mail(
    account: Account, first: str, second: str, scope: OptOuts, stops: list[dict[str, str]]
) -> None:
    who = account.put(first)
    if second:
        account.model.set_list(who, "2", second)
    found = CONNECTOR.mail_stops(account.options, payload_of(account, who), scope)
    assert [(one.email, one.options) for one in found] == [("ada@example.com", one) for one in stops]
    assert all(CONNECTOR.check_action(account.options, K.OPT_OUT, one.options) == [] for one in found)
    assert "example" not in repr(found)


def test_a_contact_says_since_when_it_wants_the_mail_of_which_list(account: Account) -> None:
    """A yes to one list is none to another; whoever is asked to confirm has given none."""
    who = account.put("1")
    account.model.set_list(who, "2", "1", at=NOW - timedelta(hours=1))
    options = account.options.model_copy(update={"audiences": []})
    joined = {"list-1": NOW - timedelta(days=1), "list-2": NOW - timedelta(hours=1)}
    found = CONNECTOR.mail_stops(options, payload_of(account, who), OptOuts.LIST)
    assert {one.options["audience"]: one.opted_in_at for one in found} == joined
    (whole,) = CONNECTOR.mail_stops(options, payload_of(account, who), OptOuts.GLOBAL)
    assert whole.opted_in_at == joined["list-2"]
    account.model.set_list(who, "2", "0")
    found = CONNECTOR.mail_stops(options, payload_of(account, who), OptOuts.LIST)
    assert [one.opted_in_at for one in found] == [joined["list-1"], None]


def test_whoever_the_account_has_deleted_gets_no_mail(account: Account) -> None:
    assert CONNECTOR.mail_stops(account.options, payload_of(account, account.put("1", deleted="1")), OptOuts.GLOBAL) == []


def payload_of(account: Account, who: str) -> bytes:
    """As a pull stores the contact."""
    found = CONNECTOR.fetch(account.session, account.options, Wanted(who, b"{}"))
    assert isinstance(found, Record)
    return found.payload
