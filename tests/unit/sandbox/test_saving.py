"""What the org does with a record that is saved: types, limits, rules, references, duplicates, assignment."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from syncd.clock import FixedClock
from syncd.sandbox import Field, SandboxOrg
from syncd.sandbox.org import CallRefusal, Refusal
from tests.unit.sandbox.conftest import Api, codes


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"LastName": None}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "   "}, "REQUIRED_FIELD_MISSING"),
        ({"Company": ""}, "REQUIRED_FIELD_MISSING"),
        ({"Title": "x" * 129}, "STRING_TOO_LONG"),
        ({"Email": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ({"Email": "a b@example.com"}, "INVALID_EMAIL_ADDRESS"),
        ({"Region__c": "West"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Name": "Roe"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"SystemModstamp": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"NumberOfEmployees": 123456789}, "NUMBER_OUTSIDE_VALID_RANGE"),
        ({"OwnerId": "nonsense"}, "MALFORMED_ID"),
        ({"OwnerId": "0055g0000000099AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"RecordTypeId": "00Q5g0000000099AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_a_bad_value_is_refused_and_its_neighbours_are_saved(
    api: Api, org: SandboxOrg, fields: dict[str, Any], code: str
) -> None:
    org.add_field("Lead", Field("Region__c", "picklist", restricted=True, picklist=("North", "South")))
    answer = api.upsert({"Syncd_Id__c": "1"}, {"Syncd_Id__c": "2", **fields}, {"Syncd_Id__c": "3"})
    assert codes(answer) == ["ok", code, "ok"]
    assert {row["Syncd_Id__c"] for row in org.rows("Lead")} == {"1", "3"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Nope__c": "x"}, "INVALID_FIELD"),
        ({"HasOptedOutOfEmail": "yes"}, "JSON_PARSER_ERROR"),
        ({"AnnualRevenue": "a lot"}, "JSON_PARSER_ERROR"),
        ({"AnnualRevenue": True}, "JSON_PARSER_ERROR"),
        ({"Title": 5}, "JSON_PARSER_ERROR"),
        ({"Title": ["a"]}, "JSON_PARSER_ERROR"),
        ({"Met_On__c": "31/01/2026"}, "JSON_PARSER_ERROR"),
        ({"Met_On__c": "2026-02-30"}, "JSON_PARSER_ERROR"),
        ({"Met_On__c": "2026-01-31T10:00:00.000000+02:00"}, "JSON_PARSER_ERROR"),
        ({"Met_At__c": "2026-01-31 10:00:00"}, "JSON_PARSER_ERROR"),
        ({"Met_At__c": "2026-01-31T25:00:00Z"}, "JSON_PARSER_ERROR"),
    ],
)
def test_what_the_parser_cannot_read_refuses_the_whole_call(api: Api, org: SandboxOrg, fields: dict[str, Any], code: str) -> None:
    org.add_field("Lead", Field("Met_On__c", "date"))
    org.add_field("Lead", Field("Met_At__c", "datetime"))
    answer = api.upsert({"Syncd_Id__c": "1"}, {"Syncd_Id__c": "2", **fields}, status=400)
    assert answer[0]["errorCode"] == code
    assert org.rows("Lead") == []


def test_the_message_of_a_long_value_names_the_limit(org: SandboxOrg) -> None:
    with pytest.raises(Refusal, match=r"\(max length=80\)"):
        org.create("Lead", {"LastName": "x" * 81, "Company": "c"})


def test_values_are_rewritten_on_save(org: SandboxOrg) -> None:
    org.add_field("Lead", Field("Score__c", "double", precision=6, scale=1))
    org.add_field("Lead", Field("Met_At__c", "datetime"))
    sf_id = org.create(
        "Lead",
        {
            "LastName": " Roe ", "Company": "c", "Title": "", "AnnualRevenue": "1000.5", "Score__c": 2.25,
            "HasOptedOutOfEmail": None, "Met_At__c": "2026-03-01T10:00:00.987+01:00",
        },
    )  # fmt: skip
    held = org.row(sf_id)
    assert held is not None
    assert (held["LastName"], held["Name"], held["Title"], held["AnnualRevenue"]) == ("Roe", "Roe", None, 1001.0)
    assert (held["Score__c"], held["HasOptedOutOfEmail"]) == (2.3, False)
    assert held["Met_At__c"].isoformat() == "2026-03-01T09:00:00+00:00"


def test_field_names_are_read_in_any_case(org: SandboxOrg) -> None:
    sf_id = org.create("Lead", {"lastname": "Roe", "COMPANY": "c"})
    held = org.row(sf_id)
    assert held is not None
    assert (held["LastName"], held["Company"]) == ("Roe", "c")


def test_a_trigger_edits_what_was_saved_and_a_rule_refuses(org: SandboxOrg) -> None:
    org.triggers.append(lambda org, row: {"City": str(row["City"]).upper()} if row.get("City") else {})
    org.rules.append(lambda org, row: "Region is needed" if row.get("Country") == "US" else None)
    held = org.row(org.create("Lead", {"LastName": "Roe", "Company": "c", "City": "Bonn"}))
    assert held is not None
    assert held["City"] == "BONN"
    with pytest.raises(Refusal, match="Region is needed"):
        org.create("Lead", {"LastName": "Roe", "Company": "c", "Country": "US"})


def test_a_unique_value_belongs_to_one_living_record(org: SandboxOrg) -> None:
    first = org.create("Lead", {"LastName": "A", "Company": "c", "Syncd_Id__c": "K"})
    with pytest.raises(Refusal) as refused:
        org.create("Lead", {"LastName": "B", "Company": "c", "Syncd_Id__c": "k"})
    assert refused.value.code == "DUPLICATE_VALUE"
    assert first in refused.value.message
    org.delete(first)
    second = org.create("Lead", {"LastName": "B", "Company": "c", "Syncd_Id__c": "k"})
    with pytest.raises(Refusal, match=second):
        org.undelete(first)


def test_the_same_external_id_twice_in_one_request_fails_the_second(api: Api) -> None:
    answer = api.upsert({"Syncd_Id__c": "same"}, {"Syncd_Id__c": "SAME "}, {"Syncd_Id__c": None})
    assert codes(answer) == ["ok", "DUPLICATE_VALUE", "MISSING_ARGUMENT"]


def test_a_converted_lead_is_locked(api: Api, org: SandboxOrg) -> None:
    sf_id = org.create("Lead", {"LastName": "Roe", "Company": "c"})
    org.convert(sf_id)
    answer = api.json(
        "PATCH", "composite/sobjects", json={"records": [{"attributes": {"type": "Lead"}, "Id": sf_id, "Title": "x"}]}
    )
    assert codes(answer) == ["CANNOT_UPDATE_CONVERTED_LEAD"]
    org.may_edit_converted = True
    assert api.call("PATCH", f"sobjects/Lead/{sf_id}", json={"Title": "x"}).status_code == 204


def test_deleted_and_purged_records_are_told_apart(api: Api, org: SandboxOrg) -> None:
    deleted, purged = (org.create("Lead", {"LastName": "x", "Company": "c"}) for _ in range(2))
    org.delete(deleted)
    org.purge(purged)
    records = [{"attributes": {"type": "Lead"}, "Id": one, "Title": "x"} for one in (deleted, purged, "bad id")]
    answer = api.json("PATCH", "composite/sobjects", json={"records": records})
    assert codes(answer) == ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID"]
    assert api.call("PATCH", f"sobjects/Lead/{deleted}", json={"Title": "x"}).status_code == 404


def test_an_inactive_user_cannot_own_and_a_queue_cannot_own_contacts(org: SandboxOrg) -> None:
    with pytest.raises(Refusal) as refused:
        org.create("Lead", {"LastName": "x", "Company": "c", "OwnerId": org.users["gone"]})
    assert refused.value.code == "INACTIVE_OWNER_OR_USER"
    with pytest.raises(Refusal):
        org.create("Contact", {"LastName": "x", "OwnerId": org.queue_id})


def test_the_assignment_rule_runs_on_create_and_update_unless_the_header_says_no(api: Api, org: SandboxOrg) -> None:
    (made,) = api.upsert({"Syncd_Id__c": "1"})
    rep = org.users["rep2"]
    off = {"Sforce-Auto-Assign": "FALSE"}
    held = org.row(made["id"])
    assert held is not None
    assert held["OwnerId"] == org.queue_id
    assert org.assignment_runs[made["id"]] == 1
    api.upsert({"Syncd_Id__c": "1", "OwnerId": rep}, headers=off)
    held = org.row(made["id"])
    assert held is not None
    assert (held["OwnerId"], org.assignment_runs[made["id"]]) == (rep, 1)
    api.upsert({"Syncd_Id__c": "1", "OwnerId": rep})
    held = org.row(made["id"])
    assert held is not None
    assert (held["OwnerId"], org.assignment_runs[made["id"]]) == (org.queue_id, 2), "the rule wins over the body"
    assert org.side_effects[f"assignment mail {made['id']}"] == 2


def test_people_keep_what_they_type_in(org: SandboxOrg) -> None:
    held = org.row(org.create("Lead", {"LastName": "x", "Company": "c"}, user="rep2"))
    assert held is not None
    assert held["OwnerId"] == org.users["rep2"]
    assert not org.assignment_runs


def test_a_rule_of_ones_own_assigns(api: Api, org: SandboxOrg) -> None:
    org.assignment_rule = lambda org, row: org.users["rep3"] if row.get("Country") == "DE" else None
    german, other = api.upsert({"Syncd_Id__c": "1", "Country": "DE"}, {"Syncd_Id__c": "2"})
    owners = [row["OwnerId"] for row in org.rows("Lead")]
    assert owners == [org.users["rep3"], org.integration_user_id]
    assert set(org.side_effects) == {f"assignment mail {german['id']}"}
    assert set(org.assignment_runs) == {german["id"], other["id"]}


@pytest.mark.parametrize(
    ("action", "allowed", "expected"),
    [
        ("alert", False, "DUPLICATES_DETECTED"),
        ("alert", True, "ok"),
        ("block", True, "DUPLICATES_DETECTED"),
        ("allow", False, "ok"),
    ],
)
def test_a_duplicate_rule_alerts_blocks_or_allows(api: Api, org: SandboxOrg, action: str, allowed: bool, expected: str) -> None:
    contact = org.create("Contact", {"LastName": "Known"})
    org.duplicate_rule = lambda org, row: [contact]
    org.duplicate_action = action
    headers = {"Sforce-Duplicate-Rule-Header": "allowSave = true; runAsCurrentUser=true"} if allowed else {}
    answer = api.upsert({"Syncd_Id__c": "1"}, headers=headers)
    assert codes(answer) == [expected]
    if expected != "ok":
        told = answer[0]["errors"][0]["duplicateResut"]
        assert told["allowSave"] is (action == "alert")
        assert told["matchResults"][0]["entityType"] == "Contact"
        assert told["matchResults"][0]["matchRecords"][0]["record"]["Id"] == contact


def test_stamps_say_who_and_when_to_the_second(org: SandboxOrg, clock: FixedClock) -> None:
    clock.advance(0.75)
    sf_id = org.create("Lead", {"LastName": "x", "Company": "c"}, user="rep1")
    clock.advance(90)
    org.edit(sf_id, {"Title": "y"}, user="rep2")
    held = org.row(sf_id)
    assert held is not None
    assert (held["CreatedById"], held["LastModifiedById"]) == (org.users["rep1"], org.users["rep2"])
    assert held["SystemModstamp"] - held["CreatedDate"] == timedelta(seconds=90)
    assert held["CreatedDate"].microsecond == 0


def test_the_history_tells_every_write_with_its_author(api: Api, org: SandboxOrg) -> None:
    (made,) = api.upsert({"Syncd_Id__c": "1"}, headers={"Sforce-Auto-Assign": "FALSE", "Sforce-Call-Options": "client=syncd/1.0"})
    org.edit(made["id"], {"Title": "CEO"}, user="rep1")
    org.delete(made["id"], user="rep2")
    org.purge(made["id"])
    created, edited, deleted, purged = org.history(made["id"])
    assert created.headers == {"Sforce-Auto-Assign": "FALSE", "Sforce-Call-Options": "client=syncd/1.0"}
    assert (edited.before, edited.after, edited.user) == ({"Title": None}, {"Title": "CEO"}, org.users["rep1"])
    assert (deleted.action, deleted.after["IsDeleted"], purged.action) == ("delete", True, "purge")


def test_the_history_is_exact_where_stamps_are_whole_seconds(api: Api, org: SandboxOrg, clock: FixedClock) -> None:
    clock.advance(0.75)
    (made,) = api.upsert({"Syncd_Id__c": "1"})
    (created,) = org.history(made["id"])
    held = org.row(made["id"])
    assert held is not None
    assert created.at - held["SystemModstamp"] == timedelta(seconds=0.75)


def test_an_unknown_object_field_is_refused_for_people_too(org: SandboxOrg) -> None:
    with pytest.raises(CallRefusal):
        org.create("Lead", {"Nope": 1})


def test_merging_keeps_the_master_and_points_the_losers_at_it(org: SandboxOrg) -> None:
    master = org.create("Lead", {"LastName": "M", "Company": "c", "Title": "mine"})
    first = org.create("Lead", {"LastName": "A", "Company": "c", "Phone": "1", "Title": "not mine", "Syncd_Id__c": "k"})
    second = org.create("Lead", {"LastName": "B", "Company": "c", "DoNotCall": True})
    org.merge(master, [first, second])
    kept, gone = org.row(master), org.row(first)
    assert kept is not None
    assert gone is not None
    assert (kept["Title"], kept["Phone"], kept["DoNotCall"], kept["Syncd_Id__c"]) == ("mine", "1", True, None)
    assert (gone["IsDeleted"], gone["MasterRecordId"]) == (True, master)
    assert org.by_external_id("Lead", "Syncd_Id__c", "k") is None
    for wrong in ([], [master], [first], [org.create("Contact", {"LastName": "C"})]):
        with pytest.raises(Refusal):
            org.merge(master, wrong)


def test_converting_makes_account_contact_and_opportunity(org: SandboxOrg, clock: FixedClock) -> None:
    sf_id = org.create("Lead", {"LastName": "L", "Company": "Acme", "Email": "l@example.com", "HasOptedOutOfEmail": True})
    contact_id = org.convert(sf_id, opportunity_name="Acme - inbound", user="rep2")
    row, contact = org.row(sf_id), org.row(contact_id)
    assert row is not None
    assert contact is not None
    assert (row["IsConverted"], row["Status"], row["ConvertedDate"]) == (True, "Closed - Converted", date(2026, 3, 1))
    assert (row["ConvertedContactId"], row["ConvertedAccountId"]) == (contact_id, contact["AccountId"])
    assert (contact["Email"], contact["HasOptedOutOfEmail"], contact["OwnerId"]) == ("l@example.com", True, org.users["rep2"])
    opportunity = org.row(row["ConvertedOpportunityId"])
    assert opportunity is not None
    assert opportunity["Name"] == "Acme - inbound"
    with pytest.raises(Refusal, match="converted"):
        org.convert(sf_id)


def test_converting_into_a_contact_fills_only_its_blanks(org: SandboxOrg) -> None:
    contact_id = org.create("Contact", {"LastName": "Kept", "Title": "kept"})
    sf_id = org.create("Lead", {"LastName": "L", "Company": "Acme", "Title": "new", "Phone": "1"})
    assert org.convert(sf_id, contact_id=contact_id) == contact_id
    contact = org.row(contact_id)
    assert contact is not None
    assert (contact["LastName"], contact["Title"], contact["Phone"]) == ("Kept", "kept", "1")
    assert org.rows("Account") == []


def test_somebody_at_work_has_a_handle(org: SandboxOrg) -> None:
    with org.as_user("rep3") as rep:
        sf_id = rep.create("Lead", {"LastName": "x", "Company": "c"})
        rep.edit(sf_id, {"Title": "t"})
        rep.delete(sf_id)
        rep.undelete(sf_id)
    assert {one.user for one in org.history(sf_id)} == {org.users["rep3"]}
    with pytest.raises(KeyError):
        org.as_user("nobody")


def test_ids_have_18_characters_with_a_prefix_and_both_forms_are_found(org: SandboxOrg) -> None:
    made = [org.create("Lead", {"LastName": "x", "Company": "c"}) for _ in range(70)]
    assert len({one[:15].casefold() for one in made}) < len({one[:15] for one in made}), "case alone tells some apart"
    assert len({one.casefold() for one in made}) == 70, "the suffix tells them apart all the same"
    for sf_id in made:
        assert (len(sf_id), sf_id[:3]) == (18, "00Q")
        for form in (sf_id, sf_id[:15], sf_id.lower(), sf_id.upper()):
            found = org.row(form)
            assert found is not None
            assert found["Id"] == sf_id
    assert org.row("00Q") is None


def test_a_unique_field_added_late_holds_from_then_on_and_until_it_is_no_longer_unique(api: Api, org: SandboxOrg) -> None:
    org.add_field("Lead", Field("Badge__c"))
    assert codes(api.upsert({"Syncd_Id__c": "1", "Badge__c": "A"}, {"Syncd_Id__c": "2", "Badge__c": "A"})) == ["ok", "ok"]
    org.add_field("Lead", Field("Badge__c", unique=True))
    assert codes(api.upsert({"Syncd_Id__c": "3", "Badge__c": "B"}, {"Syncd_Id__c": "4", "Badge__c": "b"})) == [
        "ok",
        "DUPLICATE_VALUE",
    ]
    org.add_field("Lead", Field("Badge__c"))
    assert codes(api.upsert({"Syncd_Id__c": "5", "Badge__c": "C"}, {"Syncd_Id__c": "6", "Badge__c": "C"})) == ["ok", "ok"]


def test_a_field_that_becomes_required_is_missed_in_the_next_call(api: Api, org: SandboxOrg) -> None:
    assert codes(api.upsert({"Syncd_Id__c": "1"})) == ["ok"]
    org.objects["Lead"].fields["Title"].nillable = False
    assert codes(api.upsert({"Syncd_Id__c": "2"}, {"Syncd_Id__c": "3", "Title": "Head"})) == ["REQUIRED_FIELD_MISSING", "ok"]
