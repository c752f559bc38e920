"""deploy/salesforce grants what the program and the shipped mappings use, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from syncd.config import bundled_mappings
from syncd.config.settings import SalesforceSettings
from syncd.document import parse_document
from syncd.model import CONSENT_FIELDS, Conversion, FieldSchema, ObjectSchema, OrgSchema
from syncd.model.lead import ADDRESS_GROUP
from syncd.policy import Policy, load_policy
from syncd.run.mirror import mirrored_fields
from syncd.salesforce import DealUse, PolicyUse, Severity, policy_findings
from syncd.salesforce.check_conversion import GIVEN_FIELDS
from syncd.salesforce.describe import parse_describe
from syncd.salesforce.rows import selected_fields
from syncd.sandbox import SandboxOrg
from tests.world import World

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "deploy" / "salesforce"
SOURCE = PACKAGE / "force-app" / "main" / "default"
SETS = SOURCE / "permissionsets"
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
EXTERNAL_ID = SalesforceSettings.model_fields["external_id_field"].default

ALWAYS_ACCESSIBLE = {
    "Lead": {"FirstName", "LastName", "Company", "Status"},
    "Contact": {"FirstName", "LastName"},
    "Account": {"Name"},
    "Opportunity": {"Name", "StageName", "CloseDate"},
}
"""Fields without field-level security: required ones, and the parts of Name. A deployment that names one is refused ("You cannot
deploy to a required field"). Source: Metadata API Developer Guide, PermissionSet, fieldPermissions; and the profiles that seven public
projects retrieved from their orgs (compared 2026-11): none lists one of these."""

SYSTEM = {
    "Id", "OwnerId", "IsDeleted", "MasterRecordId", "SystemModstamp", "LastModifiedById", "IsConverted", "ConvertedContactId",
    "ConvertedAccountId", "ConvertedOpportunityId", "CreatedDate", "IsClosed", "IsWon", "CurrencyIsoCode", "RecordTypeId",
}  # fmt: skip
"""Fields that come with read on the object. Source: as above."""

ON_CREATE = {"Opportunity": {"ContactId"}}
"""Opportunity.ContactId makes the contact role; no public permission set names it, or OpportunityContactRole (searched 2026-11)."""

OBJECTS = {
    "Syncd": {
        "Account": {"allowRead"},  # without it no contact can be read: Salesforce refuses the deployment otherwise
        "Contact": {"allowRead", "allowEdit", "viewAllRecords"},
        "Lead": {"allowCreate", "allowRead", "allowEdit", "viewAllRecords"},
    },
    "Syncd_Policy": {
        # Convert Leads asks for all of these; View All, because an account or open opportunity that is not seen would be made once more.
        name: {"allowCreate", "allowRead", "allowEdit", "viewAllRecords"}
        for name in ("Account", "Contact", "Lead", "Opportunity")
    },
    "Syncd_Tasks": {},  # activities have no object permissions: EditTask below
    "Syncd_Undo": {"Lead": {"allowRead", "allowEdit", "allowDelete"}},  # delete needs edit, edit needs read
}
USERS = {
    "Syncd": {"ApiEnabled"},
    "Syncd_Policy": {"ActivitiesAccess", "ConvertLeads", "EditTask"},  # ConvertLeads depends on EditTask, and that on the first
    "Syncd_Tasks": {"ActivitiesAccess", "EditTask"},
    "Syncd_Undo": set(),
}
TASK_FIELDS = {"Task.Syncd_Id__c", "Task.ActivityDate", "Task.Description", "Task.WhoId"}
"""A completed task on a lead or contact; Subject, Status, Priority and OwnerId are always accessible."""

POLICY_FIELDS = {
    "Syncd_Archived__c": {"type": "Checkbox", "defaultValue": "false"},
    "Syncd_Hold_Until__c": {"type": "Date"},
    "Syncd_Next_Action__c": {"type": "Text", "length": "255"},
    "Syncd_Policy__c": {"type": "Text", "length": "80"},
    "Syncd_Previous_Owner__c": {"type": "Text", "length": "18"},
    "Syncd_Reason__c": {"type": "Text", "length": "255"},
    "Syncd_Score__c": {"type": "Number", "precision": "6", "scale": "1"},
}
"""What policies write to leads, but for the hold, which is the reps' own."""


def xml(path: Path) -> ET.Element:
    return ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file


def permission_set(name: str) -> ET.Element:
    return xml(SETS / f"{name}.permissionset-meta.xml")


def text(element: ET.Element, name: str) -> str:
    found = element.find(f"{NAMESPACE}{name}")
    assert found is not None, name
    return (found.text or "").strip()


def granted(name: str) -> tuple[set[str], set[str]]:
    """Fields that a permission set lets read, and of those the ones that it lets edit."""
    entries = permission_set(name).findall(f"{NAMESPACE}fieldPermissions")
    readable = [text(one, "field") for one in entries if text(one, "readable") == "true"]
    assert len(readable) == len(set(readable)) == len(entries)
    return set(readable), {text(one, "field") for one in entries if text(one, "editable") == "true"}


def mapped() -> set[str]:
    """Lead fields that any mapping which ships with syncd writes."""
    found: set[str] = set()
    for path in bundled_mappings().glob("*.yaml"):
        document = parse_document(path.read_text(encoding="utf-8"), path.name).plain()
        found |= set(document.get("lead", {}))
    assert "LastName" in found
    return found


def shipped_policies() -> list[Policy]:
    """The policies that ship with syncd."""
    files = sorted((bundled_mappings() / "policies").glob("*.yaml"))
    assert len(files) >= 3
    return [load_policy(path.read_text(encoding="utf-8"), path.name) for path in files]


class Everything(dict[str, FieldSchema]):
    """The fields of an object of which the user may see every one."""

    def __contains__(self, name: object) -> bool:
        return True


def read_fields(name: str) -> set[str]:
    """What the engine asks the org for, by its own code."""
    schema = OrgSchema({one: ObjectSchema(one, Everything()) for one in ("Lead", "Contact")})
    data = mirrored_fields(schema, mapped(), Policy())[name]
    return set(selected_fields(name, data, EXTERNAL_ID if name == "Lead" else None))


def written_fields(name: str) -> set[str]:
    """What operations may hold: fields of mappings and the external id on leads; consent on both."""
    return {*CONSENT_FIELDS, *(mapped() | {EXTERNAL_ID} if name == "Lead" else ())}


def secured(name: str, fields: set[str]) -> set[str]:
    """The same as field-level security names them: `Lead.Address` for all parts of the address."""
    left = fields - ALWAYS_ACCESSIBLE[name] - SYSTEM
    parts = dict.fromkeys(ADDRESS_GROUP, "Address") | {f"Billing{part}": "BillingAddress" for part in ADDRESS_GROUP}
    return {f"{name}.{parts.get(one, one)}" for one in left}


def test_every_file_is_well_formed_and_of_the_metadata_namespace() -> None:
    files = sorted(PACKAGE.rglob("*.xml"))
    assert len(files) == 15
    kinds = {".permissionset-meta.xml": "PermissionSet", ".field-meta.xml": "CustomField", "package.xml": "Package"}
    for path in files:
        (kind,) = (kind for end, kind in kinds.items() if path.name.endswith(end))
        assert xml(path).tag == f"{NAMESPACE}{kind}", path.name


def test_syncd_may_read_and_write_exactly_what_the_program_and_the_mappings_use() -> None:
    """After a new mapping line: grant its field in permissionsets/Syncd.permissionset-meta.xml."""
    readable, editable = granted("Syncd")
    written = {one for name in ("Lead", "Contact") for one in secured(name, written_fields(name))}
    read = {one for name in ("Lead", "Contact") for one in secured(name, read_fields(name))}
    assert editable == written
    assert readable == read | written


DEAL_FIELDS = {"Opportunity.AccountId", "Opportunity.Amount", f"Opportunity.{EXTERNAL_ID}"}
"""Of what an opportunity is made with: its name, stage and close date are required, and its owner comes with the object."""


def test_policies_may_write_all_their_fields_but_the_reps_hold() -> None:
    readable, editable = granted("Syncd_Policy")
    shown = {f"Lead.{name}" for name in POLICY_FIELDS if name != "Syncd_Hold_Until__c"}
    assert editable == shown | DEAL_FIELDS | {"Contact.AccountId"}
    read = {"Lead.Syncd_Hold_Until__c", "Account.BillingAddress", "Account.Website", "Contact.Title", "Lead.Rating"}
    assert readable - editable == read


def test_a_policy_may_read_what_the_mirror_reads_for_it() -> None:
    """After a new field in `syncd.run.mirror`: grant it in permissionsets/Syncd_Policy.permissionset-meta.xml."""
    objects = ("Lead", "Contact", "Account", "Opportunity", "Task", "Event", "User")
    described = SandboxOrg().objects
    schema = OrgSchema({one: parse_describe(one, described[one].describe()) for one in objects})
    readable = granted("Syncd")[0] | granted("Syncd_Policy")[0]
    for policy in shipped_policies():
        read = mirrored_fields(schema, mapped(), policy)
        assert set(read) >= {"Lead", "Contact", "Account", "Opportunity"} or policy.name != "b2b_nurture"
        for name in {"Lead", "Contact", "Account", "Opportunity"} & set(read):
            wanted = secured(name, set(read[name]) - ON_CREATE.get(name, set()))
            custom = {one for one in wanted if one.endswith("__c") and "Syncd_" not in one}  # the company's own
            assert wanted - custom <= readable, policy.name


def test_what_a_conversion_is_checked_for_is_granted() -> None:
    """What `check --live` asks of an opportunity's fields."""
    assert secured("Opportunity", {*GIVEN_FIELDS, "Amount", EXTERNAL_ID}) == DEAL_FIELDS


@pytest.mark.parametrize("name", POLICY_FIELDS)
def test_a_field_of_policies_is_the_same_in_the_package_and_in_the_sandbox(name: str) -> None:
    field = xml(SOURCE / "objects" / "Lead" / "fields" / f"{name}.field-meta.xml")
    assert {key: text(field, key) for key in POLICY_FIELDS[name]} == POLICY_FIELDS[name]
    assert len(text(field, "description")) <= 1000
    one = SandboxOrg().objects["Lead"].fields[name]
    kinds = {"Checkbox": "boolean", "Date": "date", "Text": "string", "Number": "double"}
    assert one.type == kinds[text(field, "type")]
    if one.type == "string":
        assert str(one.length) == text(field, "length")
    if one.type == "double":
        # The package counts the places before the point and behind it together, as a describe does.
        assert (str(one.precision), str(one.scale)) == (text(field, "precision"), text(field, "scale"))


def test_the_other_sets_grant_no_field_of_leads_or_contacts() -> None:
    assert granted("Syncd_Tasks") == (TASK_FIELDS, TASK_FIELDS)
    assert granted("Syncd_Undo") == (set(), set())


@pytest.mark.parametrize("name", OBJECTS)
def test_nothing_broader_is_granted(name: str) -> None:
    found = permission_set(name)
    objects = {
        text(one, "object"): {part.tag.removeprefix(NAMESPACE) for part in one if part.text == "true"}
        for one in found.findall(f"{NAMESPACE}objectPermissions")
    }
    users = {text(one, "name") for one in found.findall(f"{NAMESPACE}userPermissions") if text(one, "enabled") == "true"}
    assert objects == OBJECTS[name]
    assert users == USERS[name]
    known = {"description", "label", "hasActivationRequired", "fieldPermissions", "objectPermissions", "userPermissions"}
    assert {part.tag.removeprefix(NAMESPACE) for part in found} <= known


@pytest.mark.parametrize("name", OBJECTS)
def test_a_permission_set_says_what_it_is_for(name: str) -> None:
    """255 characters are what Salesforce takes."""
    assert 20 < len(text(permission_set(name), "description")) <= 255


@pytest.mark.parametrize("object_name", ["Lead", "Activity", "Opportunity"])
def test_the_external_id_is_one(object_name: str) -> None:
    field = xml(SOURCE / "objects" / object_name / "fields" / f"{EXTERNAL_ID}.field-meta.xml")
    expected = {
        "fullName": EXTERNAL_ID, "type": "Text", "length": "64", "externalId": "true", "unique": "true", "caseSensitive": "true",
        "required": "false",
    }  # fmt: skip
    assert {key: text(field, key) for key in expected} == expected
    assert len(text(field, "description")) <= 1000


def test_the_manifest_lists_exactly_what_is_there() -> None:
    manifest = xml(PACKAGE / "manifest" / "package.xml")
    listed = {
        (text(kind, "name"), member.text)
        for kind in manifest.findall(f"{NAMESPACE}types")
        for member in kind.findall(f"{NAMESPACE}members")
    }
    fields = {("CustomField", f"{path.parts[-3]}.{path.name.split('.')[0]}") for path in SOURCE.rglob("*.field-meta.xml")}
    sets = {("PermissionSet", path.name.split(".")[0]) for path in SOURCE.rglob("*.permissionset-meta.xml")}
    assert listed == fields | sets
    assert {name for _, name in sets} == set(OBJECTS)


def test_one_version_of_the_api_everywhere() -> None:
    project = json.loads((PACKAGE / "sfdx-project.json").read_text(encoding="utf-8"))
    version = SalesforceSettings.model_fields["api_version"].default
    assert project["sourceApiVersion"] == text(xml(PACKAGE / "manifest" / "package.xml"), "version") == version
    assert (PACKAGE / project["packageDirectories"][0]["path"]).is_dir()


def test_the_how_to_names_every_set_and_every_right() -> None:
    told = (ROOT / "docs" / "how-to" / "admin" / "prepare-your-org.md").read_text(encoding="utf-8")
    for name in OBJECTS:
        assert f"`{name}`" in told
    assert "syncd check --live" in told
    assert "sf project deploy start" in told


def restrict(world: World, name: str, *sets: str) -> None:
    """Let the integration user of a sandbox org see and edit only what the permission sets grant."""
    granted_by = [granted(one) for one in sets or ("Syncd",)]
    readable, editable = (set().union(*(one[index] for one in granted_by)) for index in (0, 1))
    described = world.org.objects[name]
    parts = {f"{name}.{part}": f"{name}.Address" for part in ADDRESS_GROUP}
    parts |= {f"{name}.Billing{part}": f"{name}.BillingAddress" for part in ADDRESS_GROUP}
    for field in list(described.fields.values()):
        if field.name in ALWAYS_ACCESSIBLE[name] | SYSTEM | ON_CREATE.get(name, set()):
            continue
        key = parts.get(f"{name}.{field.name}", f"{name}.{field.name}")
        if key not in readable:
            del described.fields[field.name]
        elif key not in editable:
            field.createable = field.updateable = False


CSV_MAPPING = (bundled_mappings() / "csv_drop.yaml").read_text(encoding="utf-8")


@pytest.fixture
def bound_world(tmp_path: Path) -> World:
    """The shipped mapping for files, an org with one contact, and an integration user with the rights of the package."""
    world = World(tmp_path, mapping=CSV_MAPPING)
    world.org.create("Contact", {"FirstName": "Kay", "LastName": "Connolly", "Email": "kay@example.com"})
    for name in ("Lead", "Contact"):
        restrict(world, name)
    return world


ROWS = """\
E-mail,First name,Last name,Company,Job title,Phone,Country,Notes
ada@example.com,Ada,Lovelace,Analytical,Countess,+1 415 555 0157,U.S.A.,Met at the booth
kay@example.com,Kay,Connolly,Acme,,,,Do not contact
"""


def test_check_finds_an_org_ready_that_grants_just_that(bound_world: World) -> None:
    house = bound_world.open()
    try:
        found = [one for one in house.check(live=True) if one["severity"] != "ok"]
    finally:
        house.close()
    # The stock picklist knows no trade shows: the admin's business, not a right.
    assert [one["subject"] for one in found] == ["Lead.LeadSource"]


def test_a_pass_needs_no_more_than_that(bound_world: World) -> None:
    """A new lead with all its fields, and an opt-out that reaches a contact."""
    bound_world.touch(bound_world.write("drop/booth.csv", ROWS))
    bound_world.clock.advance(60)
    summary = bound_world.run()
    assert summary.status == "ok"
    assert bound_world.lead("ada@example.com")["Title"] == "Countess"
    (kay,) = bound_world.org.rows("Contact")
    assert (kay["HasOptedOutOfEmail"], kay["DoNotCall"]) == (True, True)


def test_a_right_that_is_missing_is_noticed(bound_world: World) -> None:
    """Otherwise the two tests above would prove nothing."""
    del bound_world.org.objects["Contact"].fields["HasOptedOutOfEmail"]
    house = bound_world.open()
    try:
        found = {one["subject"] for one in house.check(live=True) if one["severity"] != "ok"}
    finally:
        house.close()
    assert "Contact.HasOptedOutOfEmail" in found


def test_a_conversion_and_an_opportunity_need_no_more_than_the_policy_set(tmp_path: Path) -> None:
    """The lead becomes an account and a contact, and an opportunity with its own id is made for them."""
    world = World(tmp_path, mapping=CSV_MAPPING)
    for name in ALWAYS_ACCESSIBLE:
        restrict(world, name, "Syncd", "Syncd_Policy")
    lead = world.org.create("Lead", {"LastName": "Lovelace", "Company": "Analytical", "OwnerId": world.org.users["rep1"]})
    house = world.open()
    try:
        org = house.salesforce
        use = PolicyUse(
            conversions=("policy.yaml line 1",), converted=("Closed - Converted",), deals=(DealUse("policy.yaml line 2"),)
        )
        found = [one for one in policy_findings(org, org.schema(), use) if one.severity is not Severity.OK]
        assert found == []
        (made,) = org.convert([Conversion(lead_id=lead, converted_status="Closed - Converted")])
        assert made.fault is None
        fields = {
            "Name": "Analytical - inbound", "StageName": "Prospecting", "CloseDate": "2027-01-31", "Amount": 10.0,
            "AccountId": made.account_id, "ContactId": made.contact_id,
        }  # fmt: skip
        (deal,) = org.create("Opportunity", [("occasion-1", fields)], None)
        assert deal.fault is None
    finally:
        house.close()
    (row,) = world.org.rows("Opportunity")
    assert (row["Syncd_Id__c"], row["AccountId"], len(world.org.rows("OpportunityContactRole"))) == (
        "occasion-1",
        made.account_id,
        1,
    )
