from __future__ import annotations

from typing import Any

import pytest

from syncd.salesforce import DealUse, FieldUse, Finding, OrgSettings, PolicyUse, SalesforceOrg, Severity, live_findings


def problems(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.severity, one.subject) for one in found if one.severity is not Severity.OK]


def field(parts: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in parts["describeLead"]["fields"] if one["name"] == name)
    return found


def test_a_fitting_org_has_no_problems_and_costs_one_call(org, with_schema) -> None:
    uses = {
        "City": FieldUse("text", longest=40),
        "LeadSource": FieldUse("text", ("Web",)),
        "Score__c": FieldUse("number"),
        "Met__c": FieldUse("instant"),
        "HasOptedOutOfEmail": FieldUse("boolean"),
    }
    found = live_findings(org, uses, expected_org_id="00D000000000001", policy=PolicyUse(statuses=("New",)))
    assert problems(found) == []
    assert {one.subject for one in found} >= {"log-in", "org", "API calls", "Lead.Syncd_Id__c", "Lead.City"}
    assert org.api_calls == 1


def test_refused_credentials_are_the_only_finding(org, fake) -> None:
    fake.on_login(lambda _: fake.json({"error": "invalid_client"}, 401))
    (one,) = live_findings(org, {})
    assert (one.severity, one.subject) == (Severity.ERROR, "log-in")
    assert "consumer_secret" in one.advice


def test_an_unreachable_org_is_the_only_finding(org, fake) -> None:
    fake.on_login(lambda _: fake.text("<html>", 503))
    (one,) = live_findings(org, {})
    assert one.severity is Severity.ERROR


def test_another_org_than_expected_is_an_error(org, with_schema) -> None:
    found = live_findings(org, {}, expected_org_id="00D000000000009EAA")
    assert problems(found) == [(Severity.ERROR, "org")]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"unique": False}, "Tick Unique"),
        ({"externalId": False}, "Tick External ID"),
        ({"length": 20}, "length"),
        ({"type": "double"}, "Text"),
        ({"createable": False}, "permission set edit"),
    ],
)
def test_an_external_id_that_does_not_serve_names_the_fix(org, with_schema, change, word) -> None:
    field(with_schema, "Syncd_Id__c").update(change)
    (one,) = [one for one in live_findings(org, {}) if one.severity is not Severity.OK]
    assert one.severity is Severity.ERROR
    assert word in one.advice


def test_a_missing_external_id_says_how_to_make_it(org, with_schema) -> None:
    with_schema["describeLead"]["fields"].remove(field(with_schema, "Syncd_Id__c"))
    (one,) = [one for one in live_findings(org, {}) if one.severity is not Severity.OK]
    assert "Create it" in one.advice


def test_no_external_id_means_update_only(fake, settings, clock, with_schema) -> None:
    bare = OrgSettings(settings.login_url, settings.auth, external_id_field=None)
    found = live_findings(SalesforceOrg(bare, clock), {})
    assert problems(found) == [(Severity.WARNING, "external_id_field")]


@pytest.mark.parametrize(
    ("name", "use", "severity", "word"),
    [
        ("Citi", FieldUse("text"), Severity.ERROR, "Did you mean"),
        ("Name", FieldUse("text"), Severity.ERROR, "read and edit on Lead.Name"),
        ("Score__c", FieldUse("text"), Severity.ERROR, "transform"),
        ("Rating", FieldUse("text", ("Hott",)), Severity.ERROR, 'Did you mean "Hot"'),
        ("LeadSource", FieldUse("text", ("Fax",)), Severity.WARNING, "Add the value"),
        ("City", FieldUse("text", longest=300), Severity.WARNING, "cut"),
    ],
)
def test_a_mapped_field_that_does_not_fit_is_named_with_its_fix(org, with_schema, name, use, severity, word) -> None:
    (one,) = [one for one in live_findings(org, {name: use}) if one.severity is not Severity.OK]
    assert (one.severity, one.subject) == (severity, f"Lead.{name}")
    assert word in f"{one.message} {one.advice}"


def test_a_field_for_create_only_need_not_be_updateable(org, with_schema) -> None:
    field(with_schema, "City")["updateable"] = False
    assert problems(live_findings(org, {"City": FieldUse("text", is_updated=False)})) == []
    org_again = live_findings(org, {"City": FieldUse("text", is_updated=True)})
    assert problems(org_again) == [(Severity.ERROR, "Lead.City")]


def test_an_opt_out_that_cannot_be_written_is_a_warning_on_each_object(org, with_schema) -> None:
    with_schema["describeContact"]["fields"].pop()
    with_schema["describeLead"]["fields"].remove(field(with_schema, "HasOptedOutOfEmail"))
    assert problems(live_findings(org, {})) == [
        (Severity.WARNING, "Lead.HasOptedOutOfEmail"),
        (Severity.WARNING, "Contact.HasOptedOutOfEmail"),
    ]


@pytest.mark.parametrize(("status", "is_fine"), [("New", True), ("Nwe", False), ("Converted", False)])
def test_statuses_of_the_policy_must_exist_and_not_mean_converted(org, with_schema, status, is_fine) -> None:
    assert (problems(live_findings(org, {}, policy=PolicyUse(statuses=(status,)))) == []) is is_fine


def test_tasks_are_looked_at_only_where_a_mapping_asks_for_them(org, with_schema) -> None:
    assert problems(live_findings(org, {}, tasks=["mappings/site.yaml line 20"])) == []
    with_schema["describeTask"] = (404, [{"errorCode": "NOT_FOUND", "message": "no"}])
    assert problems(live_findings(org, {})) == []


@pytest.mark.parametrize(
    ("spoil", "subject", "word"),
    [
        (lambda parts: parts.update(describeTask=(404, [])), "Task", "Edit Tasks"),
        (lambda parts: parts["describeTask"]["fields"].pop(), "Task.Syncd_Id__c", "Activity.Syncd_Id__c"),
        (lambda parts: parts["describeTask"]["fields"][-1].update(unique=False), "Task.Syncd_Id__c", "two tasks"),
        (lambda parts: parts["describeTask"]["fields"][-1].update(externalId=False), "Task.Syncd_Id__c", "Tick External ID"),
        (lambda parts: parts["describeTask"]["fields"][1].update(createable=False), "Task.WhoId", "permission set edit"),
    ],
)
def test_an_org_that_cannot_take_tasks_names_the_fix_and_who_asks(org, with_schema, spoil, subject, word) -> None:
    spoil(with_schema)
    (one,) = [one for one in live_findings(org, {}, tasks=["mappings/site.yaml line 20"]) if one.severity is not Severity.OK]
    assert (one.severity, one.subject) == (Severity.ERROR, subject)
    assert word in f"{one.message} {one.advice}"


def test_tasks_without_an_external_id_field_are_an_error(fake, settings, clock, with_schema) -> None:
    bare = OrgSettings(settings.login_url, settings.auth, external_id_field=None)
    found = live_findings(SalesforceOrg(bare, clock), {}, tasks=["mappings/site.yaml line 20"])
    assert problems(found) == [(Severity.WARNING, "external_id_field"), (Severity.ERROR, "Task")]


def test_an_owner_that_does_not_exist_is_found(org, fake, with_schema) -> None:
    fake.on("GET", "query/", fake.json({"totalSize": 0, "done": True, "records": []}))
    assert problems(live_findings(org, {}, owners=[("queue", "Inbound")])) == [(Severity.ERROR, "queue Inbound")]


def test_an_org_that_is_nearly_out_of_calls_is_a_warning(org, fake, with_schema) -> None:
    fake.usage = "api-usage=90/100"
    assert (Severity.WARNING, "API calls") in problems(live_findings(org, {}))


PLACES = ["mappings/policy.yaml line 40"]


@pytest.fixture
def convertible(fake, with_schema) -> dict[str, Any]:
    """An org in which everything that a conversion needs is there; `may` is the answer about Convert Leads."""
    for name in ("Account", "Contact", "Opportunity"):
        described = {
            "createable": True,
            "updateable": True,
            "fields": [{"name": "HasOptedOutOfEmail", "type": "boolean", "updateable": True}],
        }
        with_schema[f"describe{name}"] = described
    with_schema["may"] = [{"PermissionsConvertLeads": True}]
    answer = lambda _: fake.json({"totalSize": len(with_schema["may"]), "done": True, "records": with_schema["may"]})  # noqa: E731
    fake.on("GET", "query/", answer)
    return with_schema


def test_an_org_that_can_convert_says_so_in_one_call_more(org, convertible) -> None:
    found = live_findings(org, {}, policy=PolicyUse(conversions=tuple(PLACES)))
    assert problems(found) == []
    assert "conversion" in {one.subject for one in found}
    assert org.api_calls == 2


def test_conversions_are_looked_at_only_where_a_policy_asks_for_them(org, with_schema) -> None:
    """The user sees neither accounts nor opportunities, and nobody minds."""
    found = live_findings(org, {})
    assert problems(found) == []
    assert "conversion" not in {one.subject for one in found}
    assert org.api_calls == 1


@pytest.mark.parametrize(
    ("spoil", "severity", "subject", "word"),
    [
        (lambda parts: parts.update(may=[{"PermissionsConvertLeads": False}]), Severity.ERROR, "Convert Leads", "Convert Leads"),
        (lambda parts: parts.update(may=[]), Severity.WARNING, "Convert Leads", "does not say"),
        (lambda parts: parts.update(describeAccount=(404, [])), Severity.ERROR, "Account", "may not see"),
        (lambda parts: parts["describeOpportunity"].update(createable=False), Severity.ERROR, "Opportunity", "may not create"),
        (lambda parts: parts["describeContact"].update(updateable=False), Severity.ERROR, "Contact", "may not edit"),
        (lambda parts: parts["describeLead"].update(updateable=False), Severity.ERROR, "Lead", "edit on Lead"),
        (
            lambda parts: parts["statuses"]["records"][1].update(IsConverted=False),
            Severity.ERROR,
            "Lead.Status",
            "Tick Converted",
        ),
    ],
)
def test_what_keeps_leads_from_being_converted_is_named_with_its_fix(org, convertible, spoil, severity, subject, word) -> None:
    spoil(convertible)
    (one,) = [
        one for one in live_findings(org, {}, policy=PolicyUse(conversions=tuple(PLACES))) if one.severity is not Severity.OK
    ]
    assert (one.severity, one.subject) == (severity, subject)
    assert word in f"{one.message} {one.advice}"
    assert PLACES[0] in one.message
    assert one.advice


def test_an_org_that_goes_away_meanwhile_is_a_finding(org, fake, convertible) -> None:
    fake.mock.remove("GET", "https://acme.my.salesforce.com/services/data/v62.0/query/")
    fake.on("GET", "query/", fake.text("<html>maintenance</html>", 503))
    assert (Severity.ERROR, "Convert Leads") in problems(live_findings(org, {}, policy=PolicyUse(conversions=tuple(PLACES))))


@pytest.mark.parametrize(("deletable", "severity"), [(True, Severity.OK), (False, Severity.ERROR), (None, Severity.OK)])
def test_a_policy_that_deletes_leads_needs_the_right_to(org, fake, with_schema, deletable, severity) -> None:
    """By the describe; one that says nothing is believed to allow it."""
    if deletable is not None:
        with_schema["describeLead"]["deletable"] = deletable
    assert "deletion" not in {one.subject for one in live_findings(org, {}, policy=PolicyUse(statuses=("New",)))}
    found = live_findings(org, {}, policy=PolicyUse(deletions=("policy.yaml line 9",)))
    (one,) = [each for each in found if each.subject == "deletion"]
    assert (one.severity, "Syncd_Undo" in one.advice) == (severity, severity is Severity.ERROR)


RETAIL = {
    "defaultRecordTypeMapping": True,
    "recordTypeId": "0125f0000004CARAA2",
    "developerName": "Retail",
    "master": False,
    "active": True,
}
PICKLIST = "ui-api/object-info/Lead/picklist-values/0125f0000004CARAA2/Status"


@pytest.fixture
def with_process(fake, with_schema) -> dict[str, Any]:
    with_schema["describeLead"]["recordTypeInfos"] = [RETAIL]
    return with_schema


def test_a_lead_process_that_has_the_statuses_is_fine(org, fake, with_process) -> None:
    fake.on("GET", PICKLIST, fake.json({"values": [{"value": "New"}]}))
    found = live_findings(org, {}, policy=PolicyUse(processes={"Retail": ["New"]}))
    assert problems(found) == []
    assert "record type Retail" in {one.subject for one in found}
    assert org.api_calls == 2


@pytest.mark.parametrize(
    ("answer", "statuses", "severity", "word"),
    [
        ({"values": [{"value": "Old"}]}, ["New"], Severity.ERROR, 'no status "New"'),
        ({}, ["New"], Severity.WARNING, "does not say"),
    ],
)
def test_a_lead_process_that_lacks_a_status_is_named_with_its_fix(
    org, fake, with_process, answer, statuses, severity, word
) -> None:
    fake.on("GET", PICKLIST, fake.json(answer))
    (one,) = [
        one for one in live_findings(org, {}, policy=PolicyUse(processes={"Retail": statuses})) if one.severity is not Severity.OK
    ]
    assert (one.severity, one.subject) == (severity, "record type Retail")
    assert word in one.message
    assert "Lead Processes" in one.advice


def test_an_unknown_record_type_costs_no_call_and_has_a_close_match(org, with_process) -> None:
    (one,) = [
        one for one in live_findings(org, {}, policy=PolicyUse(processes={"Retial": ["New"]})) if one.severity is not Severity.OK
    ]
    assert one.severity is Severity.ERROR
    assert 'Did you mean "Retail"' in one.message
    assert org.api_calls == 1


def test_a_lead_process_that_cannot_be_asked_for_now_is_a_finding(org, fake, with_process) -> None:
    fake.on("GET", PICKLIST, fake.text("<html>", 503))
    assert problems(live_findings(org, {}, policy=PolicyUse(processes={"Retail": ["New"]}))) == [
        (Severity.ERROR, "record type Retail")
    ]


def test_converted_statuses_are_not_looked_for_in_a_lead_process(org, fake, with_process) -> None:
    """Which of them a conversion may set hangs on the record type of who converts."""
    fake.on("GET", PICKLIST, fake.json({"values": [{"value": "New"}]}))
    assert problems(live_findings(org, {}, policy=PolicyUse(processes={"Retail": ["New", "Converted"]}))) == []


def test_a_record_type_that_the_user_may_not_use_is_said(org, fake, with_process) -> None:
    with_process["describeLead"]["recordTypeInfos"] = [RETAIL | {"available": False}]
    fake.on("GET", PICKLIST, fake.json({"values": [{"value": "New"}]}))
    found = live_findings(org, {}, policy=PolicyUse(processes={"Retail": ["New"]}))
    assert problems(found) == [(Severity.WARNING, "record type Retail")]
    assert "Record Type Assignments" in next(one for one in found if one.severity is Severity.WARNING).advice


def test_a_program_without_a_record_type_among_record_types_is_a_warning_and_costs_no_call(org, with_process) -> None:
    found = live_findings(org, {}, policy=PolicyUse(processes={"": ["New"]}))
    assert problems(found) == [(Severity.WARNING, "lead processes")]
    assert org.api_calls == 1


def test_a_program_without_a_record_type_is_fine_in_an_org_without_any(org, with_schema) -> None:
    assert problems(live_findings(org, {}, policy=PolicyUse(processes={"": ["New"]}))) == []


def test_a_converted_status_that_the_users_own_process_lacks_is_a_warning(org, fake, convertible) -> None:
    convertible["describeLead"]["recordTypeInfos"] = [RETAIL | {"defaultRecordTypeMapping": True}]
    fake.on("GET", PICKLIST, fake.json({"values": [{"value": "New"}]}))
    use = PolicyUse(conversions=tuple(PLACES), converted=("Converted",))
    found = live_findings(org, {}, policy=use)
    assert problems(found) == [(Severity.WARNING, "Lead.Status")]
    assert (
        '"Retail", the default of the integration user' in next(one for one in found if one.severity is Severity.WARNING).message
    )


def test_conversions_that_are_only_watched_keep_nobody_waiting(org, convertible) -> None:
    convertible["may"] = [{"PermissionsConvertLeads": False}]
    use = PolicyUse(conversions=tuple(PLACES), is_observed=True)
    assert problems(live_findings(org, {}, policy=use)) == [(Severity.WARNING, "Convert Leads")]


DEAL = DealUse("policy.yaml line 50", "New_Business", ("Amount",))
GIVEN = ("Name", "StageName", "CloseDate", "AccountId", "Amount", "RecordTypeId")


@pytest.fixture
def dealing(convertible) -> dict[str, Any]:
    """An org in which opportunities can be made."""
    fields = [{"name": name, "type": "string", "createable": True, "updateable": True, "nillable": True} for name in GIVEN]
    unique = {"name": "Syncd_Id__c", "type": "string", "length": 64, "unique": True, "externalId": True}
    convertible["describeOpportunity"]["fields"] = [*fields, unique | {"createable": True, "updateable": True}]
    infos = [{"recordTypeId": "0125f0000004CARAA2", "developerName": "New_Business", "active": True, "available": True}]
    convertible["describeOpportunity"]["recordTypeInfos"] = infos
    return convertible


def deal_field(parts: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in parts["describeOpportunity"]["fields"] if one["name"] == name)


def test_an_org_that_takes_opportunities_says_so_without_a_further_call(org, dealing) -> None:
    found = live_findings(org, {}, policy=PolicyUse(deals=(DEAL,)))
    assert problems(found) == []
    assert "Opportunity" in {one.subject for one in found}
    assert org.api_calls == 1


@pytest.mark.parametrize(
    ("spoil", "subject", "word"),
    [
        (lambda parts: parts.update(describeOpportunity=(404, [])), "Opportunity", "may not see"),
        (lambda parts: parts["describeOpportunity"].update(createable=False), "Opportunity", "may not create and edit"),
        (lambda parts: parts["describeOpportunity"]["fields"].pop(), "Opportunity.Syncd_Id__c", "deploy/salesforce"),
        (lambda parts: deal_field(parts, "Syncd_Id__c").update(unique=False), "Opportunity.Syncd_Id__c", "two opportunities"),
        (lambda parts: deal_field(parts, "Amount").update(createable=False), "Opportunity.Amount", "edit on Opportunity.Amount"),
        (lambda parts: deal_field(parts, "StageName").update(updateable=False), "Opportunity.StageName", "edit on"),
        (
            lambda parts: parts["describeOpportunity"]["recordTypeInfos"][0].update(available=False),
            "record type New_Business",
            "Record Type Assignments",
        ),
        (
            lambda parts: parts["describeOpportunity"]["fields"].append(
                {"name": "Region__c", "type": "string", "createable": True, "nillable": False}
            ),
            "Opportunity.Region__c",
            "under fields:",
        ),
    ],
)
def test_what_keeps_opportunities_from_being_made_is_named_with_its_fix(org, dealing, spoil, subject, word) -> None:
    spoil(dealing)
    (one,) = [one for one in live_findings(org, {}, policy=PolicyUse(deals=(DEAL,))) if one.severity is not Severity.OK]
    assert (one.severity, one.subject) == (Severity.ERROR, subject)
    assert word in f"{one.message} {one.advice}"
    assert one.advice
    assert DEAL.place in one.message or subject == "Opportunity.Syncd_Id__c"


def test_opportunities_without_an_external_id_field_are_an_error(fake, settings, clock, dealing) -> None:
    bare = OrgSettings(settings.login_url, settings.auth, external_id_field=None)
    found = live_findings(SalesforceOrg(bare, clock), {}, policy=PolicyUse(deals=(DEAL,)))
    assert (Severity.ERROR, "Opportunity") in problems(found)
