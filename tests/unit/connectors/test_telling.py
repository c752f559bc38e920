"""What the advertising platforms are sent, by known answers: hashes, times, values, ids."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from syncd.connector import ActionOutcome, ActionState, SourceAction
from syncd.connector.telling import address_hash, hashed
from tests.contract.connectors.cases import NOW
from tests.contract.connectors.telling import ACTING_CASES, CLICK, CONVERSION_ACTION, told

# printf test@example.com | sha256sum
KNOWN = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"


@pytest.mark.parametrize("address", ["test@example.com", "  Test@Example.com ", "TEST@EXAMPLE.COM\n", "test @example.com\u00a0"])
def test_an_address_is_hashed_in_small_letters_and_without_spaces(address: str) -> None:
    assert hashed(address) == KNOWN


def test_without_proof_there_is_no_hash() -> None:
    one = told("won", event="won")
    assert address_hash(msgspec.structs.replace(one, email="test@example.com")) == KNOWN
    assert address_hash(msgspec.structs.replace(one, consent_at=None)) == ""


def sent(name: str, one: SourceAction) -> tuple[ActionOutcome, list[object]]:
    """What came of an action, and everything that was done by it."""
    case = ACTING_CASES[name]()
    before = case.effects()
    outcome = case.connector.act(case.session, case.connector.Options(**case.options), one)
    return outcome, [row for row in case.effects() if row not in before]


def test_google_gets_the_click_as_it_came_and_nothing_of_the_person() -> None:
    case = ACTING_CASES["google_ads"]()
    outcome, (row,) = sent("google_ads", case.actions["won"])
    assert outcome == ActionOutcome(ActionState.DONE)
    assert row[1] == {  # type: ignore[index]
        "gclid": CLICK,
        "conversionAction": CONVERSION_ACTION,
        "conversionDateTime": "2026-11-24 07:00:00+00:00",
        "orderId": "act_won_1",
        "conversionValue": 1250.5,
        "currencyCode": "EUR",
        "consent": {"adUserData": "GRANTED"},
    }


def test_google_counts_an_order_once_and_takes_it_back_once() -> None:
    case = ACTING_CASES["google_ads"]()
    options = case.connector.Options(**case.options)
    for one in case.actions.values():
        assert case.connector.act(case.session, options, one) == ActionOutcome(ActionState.DONE)
        assert case.connector.act(case.session, options, one) == ActionOutcome(ActionState.UNCHANGED, "already_told")


@pytest.mark.parametrize(("is_in_doubt", "state"), [(True, ActionState.UNCHANGED), (False, ActionState.REFUSED)])
def test_what_google_does_not_find_need_not_be_taken_back_if_it_never_arrived(is_in_doubt: bool, state: ActionState) -> None:
    one = ACTING_CASES["google_ads"]().actions["retracted"]
    missing = msgspec.structs.replace(one, fields={**one.fields, "retracts": "never", "is_in_doubt": is_in_doubt})
    assert sent("google_ads", missing)[0].state is state


def test_google_is_sent_nothing_without_a_click() -> None:
    one = told("won", event="won", consent="box", conversion_action=CONVERSION_ACTION)
    assert sent("google_ads", one) == (ActionOutcome(ActionState.REFUSED, "no_gclid"), [])


def test_meta_gets_the_lead_and_the_hash_for_a_crm() -> None:
    case = ACTING_CASES["meta"]()
    _, rows = sent("meta", msgspec.structs.replace(case.actions["won"], email=" Test@example.com"))
    assert rows == [
        {
            "event_name": "Converted",
            "event_time": int(datetime(2026, 11, 24, 7, 0, tzinfo=UTC).timestamp()),
            "event_id": "act_won_1",
            "action_source": "system_generated",
            "user_data": {"lead_id": 321_000_000_007, "em": [KNOWN]},
            "custom_data": {"event_source": "crm", "lead_event_source": "Salesforce", "value": 1250.5, "currency": "EUR"},
        }
    ]


def test_linkedin_gets_the_click_and_the_hash_in_milliseconds() -> None:
    case = ACTING_CASES["linkedin"]()
    _, rows = sent("linkedin", msgspec.structs.replace(case.actions["won"], email="test@example.com"))
    ids = [
        {"idType": "SHA256_EMAIL", "idValue": KNOWN},
        {"idType": "LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", "idValue": "df5gf5-gh6t7"},
    ]
    assert rows == [
        {
            "conversion": "urn:lla:llaPartnerConversion:104012",
            "conversionHappenedAt": 1_795_503_600_000,
            "conversionValue": {"currencyCode": "EUR", "amount": "1250.5"},
            "user": {"userIds": ids},
            "eventId": "act_won_1",
        }
    ]


@pytest.mark.parametrize("name", ["meta", "linkedin"])
def test_who_did_not_agree_is_known_by_no_address(name: str) -> None:
    one = ACTING_CASES[name]().actions["won"]
    unproved = msgspec.structs.replace(
        one, consent_at=None, fields={k: v for k, v in one.fields.items() if k in ("event", "event_at")}
    )
    assert sent(name, unproved) == (ActionOutcome(ActionState.REFUSED, "no_identifier"), [])
    assert datetime.fromisoformat(str(one.fields["event_at"])) < NOW
