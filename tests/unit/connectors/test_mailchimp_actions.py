"""What Mailchimp is asked to do: who is written, who is left alone, in which order, and what can be told afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.mailchimp import CONNECTOR, MailchimpOptions
from syncd.clock import FixedClock
from syncd.connector import NOT_CARRIED_OUT, ActionOutcome, ActionState, OptOuts, Secret, SourceAction, SourceActionKind
from syncd.errors import SourceUnavailableError
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from syncd.sandbox.adapter import SandboxAdapter
from tests.contract.connectors.acting import Line, Odd, session_over

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ADA = "Ada@Example.com"
K = SourceActionKind


class Wire(SandboxAdapter):
    """The way to the account; keeps what was written."""

    def __init__(self, model: SandboxMailchimp) -> None:
        super().__init__(model)
        self.written: list[tuple[str, str, Any]] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.method != "GET":
            self.written.append((str(request.method), str(request.url).partition("/3.0")[2], json.loads(request.body or b"null")))
        return super().send(request, *args, **kwargs)


class Account:
    """A Mailchimp account with one audience and one journey."""

    def __init__(self, **options: Any) -> None:
        self.model = SandboxMailchimp(clock=FixedClock(NOW))
        self.model.add_audience("L1", merge_fields=("FNAME", "LINK"), interests={"i1": "News", "i2": "Events"}, **options)
        self.model.add_audience("L2")
        self.model.marketing.add_journey(7, "L1", 70)
        self.wire = Wire(self.model)
        self.line = Line(self.wire)
        self.session = session_over(self.line)
        self.options = MailchimpOptions(
            api_key=Secret(MAILCHIMP_KEY, "test"), base_url="https://mailchimp.test/3.0", audiences=["L1"]
        )

    def put(self, status: str = "subscribed", **more: Any) -> None:
        """Ada in a status, a day ago."""
        self.model.put("L1", "ada@example.com", at=NOW - timedelta(days=1), status=status, **more)
        self.model.marketing.mails.clear()

    def act(self, one: SourceAction) -> ActionOutcome:
        return CONNECTOR.act(self.session, self.options, one)

    def look_up(self, one: SourceAction) -> ActionOutcome:
        return CONNECTOR.look_up(self.session, self.options, one)

    @property
    def ada(self) -> dict[str, Any] | None:
        return next((one for one in self.model.members("L1") if one["email_address"].lower() == "ada@example.com"), None)


@pytest.fixture
def account() -> Account:
    return Account()


def action(
    kind: SourceActionKind, consent_at: datetime | None = None, fields: dict[str, Any] | None = None, **given: str
) -> SourceAction:
    return SourceAction("act_1", kind, ADA, given, NOW, fields or {}, consent_at)


# ---------------------------------------------------------------------- enrol


def test_somebody_new_is_asked_to_confirm(account: Account) -> None:
    one = action(K.ENROL, fields={"FNAME": "Ada", "LINK": None}, interests="i1, i2")
    assert account.act(one).state is ActionState.DONE
    assert account.wire.written == [
        (
            "PUT",
            "/lists/L1/members/3e3417d7ef77d5932a6734b916515ed5",
            {
                "email_address": ADA,
                "status_if_new": "pending",
                "merge_fields": {"FNAME": "Ada"},
                "interests": {"i1": True, "i2": True},
            },
        )
    ]
    assert [mail.kind for mail in account.model.marketing.mails] == ["confirmation"]


@pytest.mark.parametrize(
    ("given", "consent_at", "status"),
    [
        ({}, None, "pending"),
        ({"status": "pending"}, NOW, "pending"),
        ({"status": "subscribed"}, None, "pending"),
        ({"status": "subscribed"}, NOW - timedelta(days=3), "subscribed"),
    ],
)
def test_only_stored_proof_subscribes(account: Account, given: dict[str, str], consent_at: datetime | None, status: str) -> None:
    account.act(action(K.ENROL, consent_at, **given))
    assert account.ada is not None
    assert account.ada["status"] == status
    assert len(account.model.marketing.mails) == (status == "pending")
    if status == "subscribed":
        assert account.ada["timestamp_opt"] == "2026-11-21T09:00:00+00:00"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("unsubscribed", "opted_out"),
        ("cleaned", "cleaned"),
        ("archived", "archived"),
        ("transactional", "no_marketing_consent"),
    ],
)
@pytest.mark.parametrize("consent_at", [None, NOW])
def test_nobody_who_left_is_written_let_alone_subscribed(account: Account, status: str, code: str, consent_at: Any) -> None:
    account.put(status)
    before = account.model.members("L1")
    one = action(K.ENROL, consent_at, {"FNAME": "X"}, status="subscribed", interests="i1")
    assert account.act(one) == ActionOutcome(ActionState.REFUSED, code)
    assert account.look_up(one) == ActionOutcome(ActionState.REFUSED, code)
    assert (account.model.members("L1"), account.wire.written) == (before, [])


def test_who_is_asked_already_is_not_asked_again(account: Account) -> None:
    account.put("pending")
    assert account.act(action(K.ENROL, fields={"FNAME": "X"})) == ActionOutcome(ActionState.UNCHANGED, "already_pending")
    assert (account.wire.written, account.model.marketing.mails) == ([], [])


def test_a_subscriber_gets_what_is_new_and_keeps_their_status(account: Account) -> None:
    account.put(merge_fields={"FNAME": "Ada"}, interests={"i1": True})
    known = action(K.ENROL, fields={"FNAME": "Ada"}, interests="i1")
    assert account.act(known) == ActionOutcome(ActionState.UNCHANGED, "already_subscribed")
    assert account.act(action(K.ENROL, fields={"FNAME": "Ada"}, interests="i1,i2")).state is ActionState.DONE
    ((_, _, body),) = account.wire.written
    assert body == {"email_address": ADA, "status_if_new": "pending", "interests": {"i2": True}}
    assert account.ada is not None
    assert account.ada["status"] == "subscribed"
    assert account.model.marketing.mails == []


def test_who_leaves_between_our_look_and_our_write_stays_gone(account: Account) -> None:
    account.put(merge_fields={"FNAME": "Ada"})
    send = account.wire.send

    def leave_first(request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.method == "PUT":
            account.model.unsubscribe("L1", "ada@example.com")
        return send(request, *args, **kwargs)

    account.wire.send = leave_first  # type: ignore[method-assign]
    assert account.act(action(K.ENROL, interests="i1")) == ActionOutcome(ActionState.REFUSED, "opted_out")
    assert account.ada is not None
    assert account.ada["status"] == "unsubscribed"


def test_who_was_erased_and_an_address_that_looks_fake_are_refused_for_good(account: Account) -> None:
    account.put()
    account.model.delete_permanently("L1", "ada@example.com")
    outcome = account.act(action(K.ENROL))
    assert (outcome.state, outcome.code) == (ActionState.REFUSED, "erased_member")
    fake = SourceAction("act_2", K.ENROL, "x@fake.example.com", {}, NOW)
    outcome = account.act(fake)
    assert (outcome.state, outcome.code) == (ActionState.REFUSED, "invalid_resource")
    assert "looks fake" in outcome.message
    assert "x@fake" not in repr(outcome)


def test_a_member_in_compliance_state_is_final(account: Account) -> None:
    """The vendor knows of leavers whom it does not show, such as complaints under review."""
    account.put()
    account.model.unsubscribe("L1", "ada@example.com")
    send = account.wire.send

    def hide(request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.method == "GET":
            request.url = str(request.url).replace("3e3417", "000000")
        else:
            body = json.loads(request.body or b"null")
            request.body = json.dumps({**body, "status": "subscribed"}).encode()
        return send(request, *args, **kwargs)

    account.wire.send = hide  # type: ignore[method-assign]
    outcome = account.act(action(K.ENROL))
    assert (outcome.state, outcome.code) == (ActionState.REFUSED, "member_in_compliance_state")


def test_a_required_merge_field_that_is_missing_is_refused_and_nobody_is_mailed() -> None:
    account = Account(required=("FNAME",))
    assert account.act(action(K.ENROL)).code == "invalid_resource"
    assert account.model.marketing.mails == []
    assert account.act(action(K.ENROL, fields={"FNAME": "Ada"})).state is ActionState.DONE


def test_an_enrolment_that_never_came_can_be_told(account: Account) -> None:
    one = action(K.ENROL, interests="i1")
    assert account.look_up(one).code == NOT_CARRIED_OUT
    account.act(one)
    assert account.look_up(one).state is ActionState.DONE
    account.put(interests={"i1": True})
    assert account.look_up(one).state is ActionState.DONE, "confirmed in the meantime"
    account.model.put("L1", "ada@example.com", interests={"i1": False})
    assert account.look_up(one).code == NOT_CARRIED_OUT


# ---------------------------------------------------------------------- tag


def test_a_tag_is_put_on_and_taken_off(account: Account) -> None:
    account.put(tags=["old"])
    add, remove = action(K.TAG, tag="Nurture A"), action(K.TAG, tag="old", remove="yes")
    assert account.look_up(add).code == account.look_up(remove).code == NOT_CARRIED_OUT
    assert account.act(add).state is account.act(remove).state is ActionState.DONE
    assert account.look_up(add).state is account.look_up(remove).state is ActionState.DONE
    assert account.ada is not None
    assert [tag["name"] for tag in account.ada["tags"]] == ["Nurture A"]
    assert all(body["is_syncing"] is False for _, _, body in account.wire.written), "automations wait for the tag"


def test_a_tag_beyond_the_first_page_is_found(account: Account) -> None:
    account.put(tags=[f"t{number}" for number in range(70)])
    assert account.look_up(action(K.TAG, tag="t69")).state is ActionState.DONE


def test_nobody_is_tagged_who_is_not_there(account: Account) -> None:
    assert account.act(action(K.TAG, tag="x")) == ActionOutcome(ActionState.REFUSED, "no_such_member")
    assert account.look_up(action(K.TAG, tag="x")) == ActionOutcome(ActionState.REFUSED, "no_such_member")


# ---------------------------------------------------------------------- journeys

INVITATION = action(K.TRIGGER, fields={"LINK": "https://webinar.example.com/7"}, journey="7", step="70")


def test_an_invitation_carries_its_link(account: Account) -> None:
    account.put()
    assert account.act(INVITATION).state is ActionState.DONE
    assert [method for method, _, _ in account.wire.written] == ["PATCH", "POST"]
    (mail,) = account.model.marketing.mails
    assert (mail.journey_id, mail.step_id, mail.merge_fields["LINK"]) == (7, 70, "https://webinar.example.com/7")
    assert account.ada is not None
    assert account.ada["status"] == "subscribed"


def test_fields_that_are_there_are_not_written_again(account: Account) -> None:
    account.put(merge_fields={"LINK": "https://webinar.example.com/7"})
    account.act(INVITATION)
    assert [method for method, _, _ in account.wire.written] == ["POST"]


def test_required_fields_that_others_left_empty_do_not_hold_up_an_invitation() -> None:
    account = Account(required=("FNAME",))
    account.put()
    assert account.act(INVITATION).state is ActionState.DONE


@pytest.mark.parametrize("trouble", ["lost", "vanished", "error", "page"])
def test_fields_that_may_not_have_come_leave_the_journey_unbegun(account: Account, trouble: str) -> None:
    account.put()
    account.line.troubles = [trouble]
    with pytest.raises(SourceUnavailableError, match="journey was not begun"):
        account.act(INVITATION)
    assert account.model.marketing.entries == []
    assert account.act(INVITATION).state is ActionState.DONE
    assert len(account.model.marketing.entries) == 1


def test_a_link_without_a_place_in_the_audience_is_no_invitation(account: Account) -> None:
    """Mailchimp leaves unknown merge fields out without a word."""
    account.put()
    one = action(K.TRIGGER, fields={"URL": "https://webinar.example.com/7"}, journey="7", step="70")
    assert account.act(one) == ActionOutcome(ActionState.REFUSED, "no_such_merge_field")
    assert account.model.marketing.entries == []


@pytest.mark.parametrize(
    ("status", "code"),
    [("unsubscribed", "opted_out"), ("cleaned", "cleaned"), ("pending", "not_confirmed"), ("archived", "archived")],
)
def test_only_subscribers_are_invited(account: Account, status: str, code: str) -> None:
    account.put(status)
    assert account.act(INVITATION) == ActionOutcome(ActionState.REFUSED, code)
    assert (account.model.marketing.entries, account.wire.written) == ([], [])


def test_a_step_that_is_not_there_and_a_stranger_are_refused(account: Account) -> None:
    assert account.act(INVITATION).code == "no_such_member"
    account.put()
    assert account.act(action(K.TRIGGER, journey="7", step="71")).code == "no_such_step"


def test_of_a_lost_trigger_nobody_can_tell(account: Account) -> None:
    account.put()
    account.line.troubles = ["", "lost"]
    assert account.act(INVITATION).state is ActionState.UNKNOWN
    calls = account.model.call_count
    assert account.look_up(INVITATION).state is ActionState.UNKNOWN
    assert account.model.call_count == calls
    assert not CONNECTOR.repeats_safely


# ---------------------------------------------------------------------- opt-out


@pytest.mark.parametrize("status", ["subscribed", "pending"])
def test_who_opts_out_gets_no_more_mail(status: str) -> None:
    account = Account(required=("FNAME",))
    account.put(status)
    one = action(K.OPT_OUT)
    assert account.look_up(one).code == NOT_CARRIED_OUT
    assert account.act(one).state is ActionState.DONE
    assert account.ada is not None
    assert account.ada["status"] == "unsubscribed"
    assert account.look_up(one).state is ActionState.DONE
    assert account.act(one) == ActionOutcome(ActionState.UNCHANGED, "already_unsubscribed")
    assert [body for _, _, body in account.wire.written] == [{"status": "unsubscribed"}]


@pytest.mark.parametrize("status", ["unsubscribed", "cleaned", "archived", "transactional"])
def test_who_gets_none_already_is_left_alone(account: Account, status: str) -> None:
    account.put(status)
    before = account.model.members("L1")
    assert account.act(action(K.OPT_OUT)).state is ActionState.UNCHANGED
    assert account.model.members("L1") == before


def test_a_stranger_has_nothing_to_opt_out_of(account: Account) -> None:
    assert account.act(action(K.OPT_OUT)).state is account.look_up(action(K.OPT_OUT)).state is ActionState.UNCHANGED
    assert account.model.members("L1") == []


def test_the_scope_of_the_account_is_every_audience_also_those_that_the_source_does_not_use(account: Account) -> None:
    one = action(K.OPT_OUT, scope="account")
    assert account.act(one) == ActionOutcome(ActionState.UNCHANGED, "no_such_member")
    account.put("archived")
    account.model.put("L2", ADA)
    assert account.look_up(one).code == NOT_CARRIED_OUT
    assert account.act(one).state is ActionState.DONE
    assert [(method, path.partition("?")[0][:9]) for method, path, _ in account.wire.written] == [("PATCH", "/lists/L2")]
    assert account.act(one).state is ActionState.UNCHANGED
    assert account.look_up(one).state is ActionState.DONE


def test_one_audience_that_gives_no_answer_stops_none_of_the_others_and_is_told(account: Account) -> None:
    """Done once more it only does what is missing."""
    account.put()
    account.model.put("L2", ADA)
    account.line.troubles = ["vanished", ""]
    one = action(K.OPT_OUT, scope="account")
    assert account.act(one).state is ActionState.UNKNOWN
    assert [one["status"] for name in ("L1", "L2") for one in account.model.members(name)] == ["subscribed", "unsubscribed"]
    assert account.look_up(one).code == NOT_CARRIED_OUT
    assert account.act(one).state is ActionState.DONE
    assert len(account.wire.written) == 2


@pytest.mark.parametrize(
    ("changes", "scope", "stops"),
    [
        ({}, OptOuts.LIST, [{"audience": "L1"}]),
        ({"status": "pending"}, OptOuts.LIST, [{"audience": "L1"}]),
        ({"list_id": "L2"}, OptOuts.LIST, []),
        ({"list_id": "L2"}, OptOuts.GLOBAL, [{"scope": "account"}]),
        ({"list_id": None}, OptOuts.LIST, []),
        ({}, OptOuts.NONE, []),
        ({"email_address": ""}, OptOuts.GLOBAL, []),
        *(({"status": status}, OptOuts.GLOBAL, []) for status in ("unsubscribed", "cleaned", "archived", "transactional", None)),
    ],
)
def test_a_member_says_what_ends_its_mail(
    account: Account, changes: dict[str, Any], scope: OptOuts, stops: list[dict[str, str]]
) -> None:
    payload = json.dumps({"email_address": ADA, "status": "subscribed", "list_id": "L1", **changes}).encode()
    found = CONNECTOR.mail_stops(account.options, payload, scope)
    assert [(one.email, one.options) for one in found] == [("ada@example.com", one) for one in stops]
    assert all(CONNECTOR.check_action(account.options, K.OPT_OUT, one.options) == [] for one in found)
    assert "example" not in repr(found)


def test_what_is_no_member_has_no_mail(account: Account) -> None:
    for payload in (b"", b"[]", b'{"email_address": 7}', b"\xff"):
        assert CONNECTOR.mail_stops(account.options, payload, OptOuts.GLOBAL) == []


# ---------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (K.ENROL, {"audiense": "L1"}, 'Did you mean "audience"?'),
        (K.ENROL, {"audience": "L2"}, 'audience "L2"'),
        (K.ENROL, {"audience": "my list"}, "Audience ID"),
        (K.ENROL, {"status": "subscibed"}, 'Did you mean "subscribed"?'),
        (K.TAG, {"tag": "x" * 101}, "100 characters"),
        (K.TRIGGER, {"journey": "seven", "step": "70"}, "number in the address"),
        (K.SEND, {}, "It can: enrol, tag, trigger, opt_out."),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(
    account: Account, kind: SourceActionKind, given: dict[str, str], words: str
) -> None:
    assert words in " ".join(CONNECTOR.check_action(account.options, kind, given))


def test_the_audience_may_be_left_out_only_where_there_is_one(account: Account) -> None:
    several = account.options.model_copy(update={"audiences": []})
    assert CONNECTOR.check_action(account.options, K.OPT_OUT, {}) == []
    assert "exactly one" in CONNECTOR.check_action(several, K.OPT_OUT, {})[0]
    assert CONNECTOR.check_action(several, K.OPT_OUT, {"audience": "L2"}) == []


def test_what_became_of_an_action_whose_options_are_wrong_by_now_nobody_looks_up(account: Account) -> None:
    assert account.look_up(action(K.ENROL, audience="L2")) == ActionOutcome(ActionState.UNKNOWN, "bad_options")


@pytest.mark.parametrize("tag", [b"7", b'{"name": "\xff"}', b'{"name": 7}'])
def test_a_tag_that_cannot_be_read_tells_nothing(account: Account, tag: bytes) -> None:
    account.line.system = Odd(account.wire, "/tags", b'{"tags": [' + tag + b'], "total_items": 1}')
    assert account.look_up(action(K.TAG, tag="x")) == ActionOutcome(ActionState.UNKNOWN, "unreadable_tags")
