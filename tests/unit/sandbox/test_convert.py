"""convertLead over SOAP: what a lead becomes, and each reason why it is refused alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from syncd.clock import FixedClock
from syncd.sandbox import Field, SandboxOrg
from syncd.sandbox.ids import long_id
from syncd.sandbox.org import Refusal
from tests.unit.sandbox import soap_client
from tests.unit.sandbox.conftest import Api, codes
from tests.unit.sandbox.soap_client import ALLOW_SAVE, CALL_OPTIONS, TRUNCATE, lead_convert


def token(api: Api) -> str:
    return str(api.session.headers["Authorization"]).removeprefix("Bearer ")


def convert(api: Api, *leads: dict[str, str], headers: str = "") -> list[dict[str, Any]]:
    body = soap_client.envelope(token(api), "".join(lead_convert(**one) for one in leads), headers=headers)
    return soap_client.results(soap_client.post(api.session, "https://org.test", body))


def add_lead(org: SandboxOrg, **fields: Any) -> str:
    return org.create("Lead", {"LastName": "Roe", "Company": "Acme", **fields})


def held(org: SandboxOrg, sf_id: str) -> dict[str, Any]:
    row = org.row(sf_id)
    assert row is not None
    return row


def records(org: SandboxOrg) -> dict[str, int]:
    names = ("Account", "Contact", "Opportunity", "OpportunityContactRole")
    return {name: len(org.rows(name)) for name in names if org.rows(name)}


def test_a_lead_becomes_an_account_a_contact_and_an_opportunity(api: Api, org: SandboxOrg) -> None:
    lead = add_lead(
        org, FirstName="Ada", Email="ada@example.com", Phone="1", Website="https://acme.example", Industry="Technology",
        NumberOfEmployees=7, LeadSource="Web", City="Bonn", HasOptedOutOfEmail=True,
    )  # fmt: skip
    wish = {"leadId": lead, "doNotCreateOpportunity": "false", "opportunityName": "Acme & Co <inbound>"}
    (made,) = convert(api, wish, headers=CALL_OPTIONS)
    assert (made["success"], made["leadId"], made["relatedPersonAccountId"]) == (True, lead, "")
    account, contact = held(org, made["accountId"]), held(org, made["contactId"])
    opportunity = held(org, made["opportunityId"])
    assert (account["Name"], account["Phone"], account["BillingCity"], account["Industry"]) == ("Acme", "1", "Bonn", "Technology")
    assert (account["NumberOfEmployees"], account["AccountSource"]) == (7, "Web")
    assert (contact["Name"], contact["AccountId"], contact["MailingCity"]) == ("Ada Roe", account["Id"], "Bonn")
    assert (contact["Email"], contact["HasOptedOutOfEmail"], contact["LeadSource"]) == ("ada@example.com", True, "Web")
    assert (opportunity["Name"], opportunity["AccountId"]) == ("Acme & Co <inbound>", account["Id"])
    assert (opportunity["StageName"], opportunity["CloseDate"]) == ("Prospecting", date(2026, 3, 31))
    assert {row["OwnerId"] for row in (account, contact, opportunity)} == {org.users["rep1"]}, "the owner of the lead"
    (role,) = org.rows("OpportunityContactRole")
    assert (role["OpportunityId"], role["ContactId"], role["IsPrimary"]) == (opportunity["Id"], contact["Id"], True)
    row = held(org, lead)
    assert (row["IsConverted"], row["Status"], row["ConvertedDate"]) == (True, "Closed - Converted", date(2026, 3, 1))
    ids = (row["ConvertedAccountId"], row["ConvertedContactId"], row["ConvertedOpportunityId"])
    assert ids == (account["Id"], contact["Id"], opportunity["Id"])
    entry = list(org.history(lead))[-1]
    assert (entry.action, entry.user, entry.headers) == (
        "convert", org.integration_user_id, {"Sforce-Call-Options": "client=syncd"},
    )  # fmt: skip


def test_without_an_opportunity_none_is_made_and_without_a_name_it_is_the_companys(api: Api, org: SandboxOrg) -> None:
    first, second = add_lead(org, Company="One"), add_lead(org, Company="Two")
    plain, named = convert(api, {"leadId": first}, {"leadId": second, "doNotCreateOpportunity": "false"})
    assert (plain["opportunityId"], held(org, first)["ConvertedOpportunityId"]) == ("", None)
    assert held(org, named["opportunityId"])["Name"] == "Two"


def test_results_come_in_order_and_one_refusal_spares_the_others(api: Api, org: SandboxOrg) -> None:
    first, second, third, gone = (add_lead(org, Company=f"c{n}") for n in range(4))
    org.delete(gone)
    contact = org.create("Contact", {"LastName": "x"})
    answers = convert(
        api,
        {"leadId": first},
        {"leadId": second, "convertedStatus": "Working - Contacted"},
        {"leadId": gone},
        {"leadId": contact},
        {"leadId": long_id("00Q", 999)},
        {"leadId": "nonsense"},
        {"leadId": ""},
        {"leadId": third[:15]},
        {"leadId": first},
        {"leadId": second, "convertedStatus": "Nowhere"},
    )
    assert [one["code"] for one in answers] == [
        "ok", "INVALID_STATUS", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "INVALID_CROSS_REFERENCE_KEY",
        "MALFORMED_ID", "MALFORMED_ID", "ok", "CANNOT_UPDATE_CONVERTED_LEAD", "INVALID_STATUS",
    ]  # fmt: skip
    assert [one["leadId"] for one in answers if one["success"]] == [first, third]
    assert all(not one["leadId"] and not one["accountId"] for one in answers if not one["success"])
    assert not held(org, second)["IsConverted"]


def test_a_converted_lead_is_read_only_and_cannot_be_converted_again(api: Api, org: SandboxOrg) -> None:
    lead = add_lead(org)
    convert(api, {"leadId": lead})
    before = records(org)
    (again,) = convert(api, {"leadId": lead})
    assert (again["code"], records(org)) == ("CANNOT_UPDATE_CONVERTED_LEAD", before)
    body = {"records": [{"attributes": {"type": "Lead"}, "Id": lead, "Title": "x"}]}
    assert codes(api.json("PATCH", "composite/sobjects", json=body)) == ["CANNOT_UPDATE_CONVERTED_LEAD"]


def test_any_status_of_converted_leads_will_do_and_the_org_knows_which(api: Api, org: SandboxOrg) -> None:
    org.admin.add_status("Won over", is_converted=True)
    org.admin.delete_status("Closed - Converted")
    lead = add_lead(org)
    assert [one["code"] for one in convert(api, {"leadId": lead})] == ["INVALID_STATUS"]
    assert [one["code"] for one in convert(api, {"leadId": lead, "convertedStatus": "Won over"})] == ["ok"]
    assert held(org, lead)["Status"] == "Won over"


def test_a_contact_is_taken_only_with_the_account_it_has(api: Api, org: SandboxOrg) -> None:
    mine, other = (org.create("Account", {"Name": name}) for name in ("Mine", "Other"))
    contact = org.create("Contact", {"LastName": "Known", "AccountId": mine})
    loose = org.create("Contact", {"LastName": "Loose"})
    lead = add_lead(org)
    wishes = (
        {"contactId": contact},
        {"contactId": contact, "accountId": other},
        {"contactId": loose, "accountId": mine},
        {"contactId": mine, "accountId": mine},
        {"contactId": contact, "accountId": contact},
        {"contactId": contact, "accountId": mine},
    )
    answers = [convert(api, {"leadId": lead, **one})[0]["code"] for one in wishes]
    assert answers == [
        "REQUIRED_FIELD_MISSING", *["INVALID_CROSS_REFERENCE_KEY"] * 4, "ok",
    ]  # fmt: skip
    assert records(org) == {"Account": 2, "Contact": 2}


def test_merging_fills_only_empty_fields(api: Api, org: SandboxOrg) -> None:
    account = org.create("Account", {"Name": "Kept", "Phone": "kept"})
    contact = org.create("Contact", {"LastName": "Kept", "AccountId": account, "Title": "kept", "LeadSource": "Other"})
    lead = add_lead(org, Title="new", Phone="new", Website="https://new.example", LeadSource="Web", HasOptedOutOfEmail=True)
    (made,) = convert(api, {"leadId": lead, "accountId": account, "contactId": contact, "ownerId": org.users["rep3"]})
    assert (made["accountId"], made["contactId"]) == (account, contact)
    row, company = held(org, contact), held(org, account)
    assert (row["LastName"], row["Title"], row["Phone"], row["LeadSource"]) == ("Kept", "kept", "new", "Other")
    assert (company["Name"], company["Phone"], company["Website"]) == ("Kept", "kept", "https://new.example")
    assert not row["HasOptedOutOfEmail"], "an opt-out of the lead does not reach an existing contact"
    assert {row["OwnerId"], company["OwnerId"]} == {org.users["rep1"]}, "owners of existing records stay"


@pytest.mark.parametrize(("switch", "expected"), [("true", "Web"), ("false", "Other")])
def test_the_lead_source_is_overwritten_only_when_asked(api: Api, org: SandboxOrg, switch: str, expected: str) -> None:
    account = org.create("Account", {"Name": "a"})
    contact = org.create("Contact", {"LastName": "c", "AccountId": account, "LeadSource": "Other"})
    lead = add_lead(org, LeadSource="Web")
    convert(api, {"leadId": lead, "accountId": account, "contactId": contact, "overwriteLeadSource": switch})
    assert held(org, contact)["LeadSource"] == expected


def test_a_queues_lead_needs_a_user_who_is_there_and_active(api: Api, org: SandboxOrg) -> None:
    lead = add_lead(org, OwnerId=org.queue_id)
    owners = ("", org.queue_id, org.users["gone"], long_id("005", 99), lead, org.users["rep2"])
    answers = [convert(api, {"leadId": lead, **({"ownerId": one} if one else {})})[0] for one in owners]
    assert [one["code"] for one in answers] == [
        "INVALID_OWNER", "INVALID_CROSS_REFERENCE_KEY", "INACTIVE_OWNER_OR_USER", "INVALID_CROSS_REFERENCE_KEY",
        "INVALID_CROSS_REFERENCE_KEY", "ok",
    ]  # fmt: skip
    assert {held(org, answers[-1][key])["OwnerId"] for key in ("accountId", "contactId")} == {org.users["rep2"]}


def test_a_lead_of_somebody_who_left_needs_an_owner_too(api: Api, org: SandboxOrg) -> None:
    lead = add_lead(org)
    org.admin.set_user_active("rep1", is_active=False)
    assert convert(api, {"leadId": lead})[0]["code"] == "INACTIVE_OWNER_OR_USER"
    assert records(org) == {}
    assert convert(api, {"leadId": lead, "ownerId": org.users["rep2"]})[0]["code"] == "ok"


@pytest.mark.parametrize("name", ["Account", "Contact"])
@pytest.mark.parametrize(
    ("action", "headers", "expected"),
    [
        ("alert", "", "DUPLICATES_DETECTED"),
        ("alert", ALLOW_SAVE, "ok"),
        ("alert", ALLOW_SAVE.replace("true", "false"), "DUPLICATES_DETECTED"),
        ("block", ALLOW_SAVE, "DUPLICATES_DETECTED"),
        ("allow", "", "ok"),
    ],
)
def test_duplicate_rules_of_the_targets_hold(
    api: Api, org: SandboxOrg, name: str, action: str, headers: str, expected: str
) -> None:
    known = org.create(name, {"Name": "Acme"} if name == "Account" else {"LastName": "Roe"})
    org.duplicate_rules[name] = lambda org, row: [known]
    org.duplicate_action = action
    before = records(org)
    lead = add_lead(org)
    (answer,) = convert(api, {"leadId": lead}, headers=headers)
    assert answer["code"] == expected
    if expected == "ok":
        return
    assert (records(org), held(org, lead)["IsConverted"]) == (before, False), "nothing stays behind"
    raw = soap_client.post(
        api.session, "https://org.test", soap_client.envelope(token(api), lead_convert(leadId=lead), headers=headers)
    )
    assert 'xsi:type="DuplicateError"' in raw.text
    assert f"<sf:Id>{known}</sf:Id>" in raw.text


def test_one_object_can_be_spared_the_duplicate_check(api: Api, org: SandboxOrg) -> None:
    known = org.create("Account", {"Name": "Acme"})
    org.duplicate_rules["Account"] = lambda org, row: [known]
    lead = add_lead(org)
    assert convert(api, {"leadId": lead, "bypassContactDedupeCheck": "true"})[0]["code"] == "DUPLICATES_DETECTED"
    assert convert(api, {"leadId": lead, "bypassAccountDedupeCheck": "true"})[0]["code"] == "ok"


@pytest.mark.parametrize("name", ["Account", "Contact", "Opportunity"])
def test_a_validation_rule_fails_its_lead_alone_and_takes_back_what_was_made(api: Api, org: SandboxOrg, name: str) -> None:
    org.rules_of[name] = [lambda org, row: "not this one" if "Bad" in (row["Name"] or "") else None]
    good, bad = add_lead(org, Company="Good"), add_lead(org, Company="Bad", LastName="Bad")
    task = org.create("Task", {"WhoId": bad, "Subject": "Call"})
    org.side_effects.clear()
    answers = convert(
        api,
        *(
            {"leadId": one, "doNotCreateOpportunity": "false", "sendNotificationEmail": "true"}
            for one in (bad, good)
        ),
    )  # fmt: skip
    assert [one["code"] for one in answers] == ["FIELD_CUSTOM_VALIDATION_EXCEPTION", "ok"]
    assert answers[0]["message"] == "not this one"
    assert records(org) == {"Account": 1, "Contact": 1, "Opportunity": 1, "OpportunityContactRole": 1}
    assert (held(org, bad)["IsConverted"], held(org, task)["WhoId"]) == (False, bad)
    assert [one.action for one in org.history(bad)] == ["create"]
    assert set(org.side_effects) == {f"conversion mail {good}"}


def test_a_required_field_of_a_target_is_named(api: Api, org: SandboxOrg) -> None:
    org.add_field("Contact", Field("Segment__c", nillable=False))
    lead = add_lead(org)
    (answer,) = convert(api, {"leadId": lead})
    assert (answer["code"], answer["fields"]) == ("REQUIRED_FIELD_MISSING", ["Segment__c"])
    assert records(org) == {}


def test_an_account_needs_a_name_unless_there_is_one(api: Api, org: SandboxOrg) -> None:
    org.objects["Lead"].fields["Company"].nillable = True
    lead = org.create("Lead", {"LastName": "Roe"})
    account = org.create("Account", {"Name": "Known"})
    (answer,) = convert(api, {"leadId": lead})
    assert (answer["code"], answer["fields"]) == ("REQUIRED_FIELD_MISSING", ["Name"])
    assert convert(api, {"leadId": lead, "accountId": account})[0]["accountId"] == account


def test_custom_fields_go_where_the_admin_mapped_them(api: Api, org: SandboxOrg) -> None:
    org.add_field("Lead", Field("Need__c"))
    org.add_field("Lead", Field("Unmapped__c"))
    for name in ("Contact", "Opportunity"):
        org.add_field(name, Field("Need__c", length=10))
    org.admin.map_lead_field("Need__c", "Contact.Need__c", "Opportunity.Need__c")
    with pytest.raises(KeyError):
        org.admin.map_lead_field("Need__c", "Contact.Nowhere__c")
    short, long = add_lead(org, Need__c="pumps", Unmapped__c="x"), add_lead(org, Need__c="many more pumps")
    (made,) = convert(api, {"leadId": short, "doNotCreateOpportunity": "false"})
    assert {held(org, made[key])["Need__c"] for key in ("contactId", "opportunityId")} == {"pumps"}
    assert convert(api, {"leadId": long})[0]["code"] == "STRING_TOO_LONG"
    (cut,) = convert(api, {"leadId": long}, headers=TRUNCATE)
    assert held(org, cut["contactId"])["Need__c"] == "many more", "cut, then trimmed"


def test_what_the_user_may_not_see_is_carried_over_all_the_same(api: Api, org: SandboxOrg) -> None:
    lead = add_lead(org, HasOptedOutOfEmail=True)
    org.hidden.add("HasOptedOutOfEmail")
    (made,) = convert(api, {"leadId": lead})
    assert held(org, made["contactId"])["HasOptedOutOfEmail"]


def test_an_existing_opportunity_is_joined_with_a_role(api: Api, org: SandboxOrg) -> None:
    account, other = (org.create("Account", {"Name": name}) for name in ("Mine", "Other"))
    first = org.create("Contact", {"LastName": "First", "AccountId": account})
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-06-30"}
    mine = org.create("Opportunity", {**deal, "AccountId": account, "ContactId": first})
    elsewhere = org.create("Opportunity", {**deal, "AccountId": other})
    lead = add_lead(org)
    base = {"leadId": lead, "accountId": account, "doNotCreateOpportunity": "false"}
    refused = [
        {**base, "opportunityId": elsewhere},
        {**base, "opportunityId": account},
        {**base, "opportunityId": mine, "opportunityName": "Two"},
        {**base, "opportunityId": mine, "doNotCreateOpportunity": "true"},
        {**base, "opportunityName": "Two", "doNotCreateOpportunity": "true"},
    ]
    assert [convert(api, one)[0]["code"] for one in refused] == [
        *["INVALID_CROSS_REFERENCE_KEY"] * 2, *["FIELD_INTEGRITY_EXCEPTION"] * 3,
    ]  # fmt: skip
    (made,) = convert(api, {**base, "opportunityId": mine})
    assert made["opportunityId"] == mine
    roles = [(row["ContactId"], row["IsPrimary"]) for row in org.rows("OpportunityContactRole")]
    assert roles == [(first, True), (made["contactId"], False)]


def test_activities_move_to_the_contact_and_the_opportunity(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    lead, stranger = add_lead(org), add_lead(org)
    with org.as_user("rep1") as rep:
        done = rep.create("Task", {"WhoId": lead, "Subject": "Called"})
        rep.complete_task(done)
        waiting = rep.create("Task", {"WhoId": lead, "Subject": "Call"})
        meeting = rep.schedule_event(lead, "Demo", starts_at=datetime(2026, 3, 9, 10, tzinfo=UTC))
        gone = rep.create("Task", {"WhoId": lead, "Subject": "Deleted"})
        rep.delete(gone)
        foreign = rep.create("Task", {"WhoId": stranger, "Subject": "Other"})
    clock.advance(60)
    (made,) = convert(api, {"leadId": lead, "doNotCreateOpportunity": "false"})
    links = {(held(org, one)["WhoId"], held(org, one)["WhatId"]) for one in (done, waiting, meeting)}
    assert links == {(made["contactId"], made["opportunityId"])}
    assert held(org, gone)["WhoId"] == lead
    assert held(org, foreign)["WhoId"] == stranger
    assert held(org, waiting)["SystemModstamp"] == clock.now(), "a mirror sees that it moved"
    assert held(org, made["contactId"])["LastActivityDate"] == date(2026, 3, 9)
    assert held(org, lead)["LastActivityDate"] == date(2026, 3, 9), "the lead keeps the one it had"


def test_an_account_that_is_known_gets_the_new_contact(api: Api, org: SandboxOrg) -> None:
    account = org.create("Account", {"Name": "Known"})
    lead = add_lead(org)
    (made,) = convert(api, {"leadId": lead, "accountId": account[:15]})
    assert (made["accountId"], held(org, made["contactId"])["AccountId"]) == (account, account)
    org.delete(account)
    assert convert(api, {"leadId": add_lead(org), "accountId": account})[0]["code"] == "ENTITY_IS_DELETED"


def test_the_name_of_an_opportunity_has_120_characters(api: Api, org: SandboxOrg) -> None:
    lead = add_lead(org, Company="c" * 121)
    wish = {"leadId": lead, "doNotCreateOpportunity": "false"}
    assert convert(api, {**wish, "opportunityName": "n" * 121})[0]["code"] == "STRING_TOO_LONG"
    assert convert(api, wish)[0]["code"] == "STRING_TOO_LONG"
    assert records(org) == {}
    (made,) = convert(api, wish, headers=TRUNCATE)
    assert held(org, made["opportunityId"])["Name"] == "c" * 120


@pytest.mark.parametrize("action", ["alert", "block"])
def test_a_rep_converts_by_hand_and_may_save_what_a_rule_only_warns_of(org: SandboxOrg, action: str) -> None:
    account = org.create("Account", {"Name": "Acme"})
    org.duplicate_rules["Account"] = lambda org, row: [account]
    org.duplicate_action = action
    lead = add_lead(org)
    with org.as_user("rep2") as rep:
        if action == "block":
            with pytest.raises(Refusal):
                rep.convert(lead)
            assert records(org) == {"Account": 1}
            return
        contact = held(org, rep.convert(lead, owner_id=org.users["rep3"], opportunity_name="Deal"))
    assert (contact["OwnerId"], contact["CreatedById"]) == (org.users["rep3"], org.users["rep2"])
    assert [one.user for one in org.history(lead) if one.action == "convert"] == [org.users["rep2"]]


def test_a_rep_converts_into_the_account_that_the_contact_has(org: SandboxOrg) -> None:
    account = org.create("Account", {"Name": "Known"})
    contact = org.create("Contact", {"LastName": "Known", "AccountId": account})
    lead = add_lead(org)
    assert org.convert(lead, contact_id=contact) == contact
    assert held(org, lead)["ConvertedAccountId"] == account


def test_nobody_is_converted_without_the_permission(api: Api, org: SandboxOrg) -> None:
    org.admin.allow_converting(is_allowed=False)
    lead = add_lead(org)
    (made,) = convert(api, {"leadId": lead})
    assert (made["success"], made["code"]) == (False, "INSUFFICIENT_ACCESS")
    org.admin.allow_converting(is_allowed=True)
    (made,) = convert(api, {"leadId": lead})
    assert made["success"]
