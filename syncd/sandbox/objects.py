"""The objects of a new org: the stock fields that syncd may read or write, and the custom ones of its package (deploy/salesforce).

Source: reference salesforce.md 9.1 and 10 (recorded describes at v59.0), checked 2026-11-24; of Account, Opportunity, Event and the
set-up objects the fields of the Object Reference v62.0 by these names, lengths of rarer ones unverified.
"""

from __future__ import annotations

from syncd.sandbox.deal_objects import EMPLOYEE_FIELDS, deal_parts
from syncd.sandbox.schema import Field, Object

LEAD_STATUSES = {
    "Open - Not Contacted": False,
    "Working - Contacted": False,
    "Closed - Converted": True,
    "Closed - Not Converted": False,
}
"""API name to IsConverted; the first is the default."""

STAGES = {
    "Prospecting": (10, "Pipeline"),
    "Qualification": (10, "Pipeline"),
    "Needs Analysis": (20, "Pipeline"),
    "Value Proposition": (50, "Pipeline"),
    "Id. Decision Makers": (60, "Pipeline"),
    "Perception Analysis": (70, "Pipeline"),
    "Proposal/Price Quote": (75, "Pipeline"),
    "Negotiation/Review": (90, "Pipeline"),
    "Closed Won": (100, "Closed"),
    "Closed Lost": (0, "Omitted"),
}
"""API name to probability in percent and forecast category. Names: reference salesforce.md 10; probabilities unverified."""

_INDUSTRIES = ("Agriculture", "Banking", "Consulting", "Education", "Manufacturing", "Technology", "Other")
_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
_TASK_STATUSES = ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")
_DEAL_TYPES = ("Existing Customer - Upgrade", "Existing Customer - Replacement", "Existing Customer - Downgrade", "New Customer")
_ACCOUNT_TYPES = ("Prospect", "Customer - Direct", "Customer - Channel", "Channel Partner / Reseller", "Other")


def _shown(name: str, kind: str, length: int = 255, **more: object) -> Field:
    """A field that the org fills itself."""
    return Field(name, kind, length, createable=False, updateable=False, **more)  # type: ignore[arg-type]


def _set(name: str, kind: str, length: int = 255, **more: object) -> Field:
    """A field that is never empty and has a default."""
    return Field(name, kind, length, nillable=False, defaulted=True, **more)  # type: ignore[arg-type]


def _flag(name: str) -> Field:
    return _set(name, "boolean")


def _computed_flag(name: str) -> Field:
    return _shown(name, "boolean", nillable=False, defaulted=True)


def _reference(name: str, *refers_to: str) -> Field:
    return Field(name, "reference", 18, refers_to=refers_to)


def _owner(*refers_to: str) -> Field:
    return _set("OwnerId", "reference", 18, refers_to=refers_to or ("User",))


def _external_id() -> Field:
    return Field("Syncd_Id__c", length=64, unique=True, external_id=True)


def _system(*, is_mergeable: bool = True) -> list[Field]:
    return [
        _shown("Id", "id", 18, nillable=False, defaulted=True, id_lookup=True),
        _computed_flag("IsDeleted"),
        *([_shown("MasterRecordId", "reference", 18)] if is_mergeable else ()),
        _shown("CreatedDate", "datetime", nillable=False, defaulted=True),
        _shown("CreatedById", "reference", 18, nillable=False, defaulted=True),
        _shown("LastModifiedDate", "datetime", nillable=False, defaulted=True),
        _shown("LastModifiedById", "reference", 18, nillable=False, defaulted=True),
        _shown("SystemModstamp", "datetime", nillable=False, defaulted=True),
    ]


def _address(prefix: str) -> list[Field]:
    lengths = {"City": 40, "State": 80, "PostalCode": 20, "Country": 80}
    parts = [Field(f"{prefix}{part}", length=length) for part, length in lengths.items()]
    return [Field(f"{prefix}Street", "textarea", 255), *parts]


def _person() -> list[Field]:
    return [
        Field("FirstName", length=40),
        Field("LastName", length=80, nillable=False),
        Field("Salutation", "picklist", 40, picklist=("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.")),
        Field("Name", length=121, createable=False, updateable=False),
        Field("Title", length=128),
        Field("Email", "email", 80, id_lookup=True),
        Field("Phone", "phone", 40),
        Field("MobilePhone", "phone", 40),
        Field("Fax", "phone", 40),
        Field("Description", "textarea", 32_000, filterable=False),
        Field("LeadSource", "picklist", 255, picklist=_SOURCES),
        _owner("Group", "User"),
        _flag("HasOptedOutOfEmail"),
        _flag("HasOptedOutOfFax"),
        _flag("DoNotCall"),
        Field("IndividualId", "reference", 18),
        Field("Jigsaw", length=20),
        Field("EmailBouncedReason", length=255, createable=False),
        Field("EmailBouncedDate", "datetime", createable=False),
        _shown("LastActivityDate", "date"),
    ]


def _company() -> list[Field]:
    return [
        Field("Website", "url", 255),
        Field("Industry", "picklist", 255, picklist=_INDUSTRIES),
        Field("Rating", "picklist", 255, picklist=("Hot", "Warm", "Cold")),
        Field("AnnualRevenue", "currency", precision=18, scale=0),
        Field("NumberOfEmployees", "int", precision=8),
        _reference("RecordTypeId", "RecordType"),
    ]


def _policy() -> list[Field]:
    """What policies write for reps to see, as the package deploys it."""
    return [
        Field("Syncd_Hold_Until__c", "date"),
        Field("Syncd_Next_Action__c", length=255),
        Field("Syncd_Reason__c", length=255),
        Field("Syncd_Policy__c", length=80),
        Field("Syncd_Score__c", "double", precision=6, scale=1),
        _flag("Syncd_Archived__c"),
        Field("Syncd_Previous_Owner__c", length=18),
    ]


def _lead() -> list[Field]:
    default, *_ = LEAD_STATUSES
    return [
        *_system(),
        *_person(),
        Field("Company", length=255, nillable=False),
        *_address(""),
        Field("Address", "address", createable=False, updateable=False, filterable=False),
        Field("CompanyDunsNumber", length=9),
        _flag("IsUnreadByOwner"),
        _set("Status", "picklist", picklist=tuple(LEAD_STATUSES), default=default),
        *_company(),
        Field("IsConverted", "boolean", nillable=False, defaulted=True, updateable=False),
        _shown("ConvertedDate", "date"),
        *(_shown(f"Converted{one}Id", "reference", 18, refers_to=(one,)) for one in ("Account", "Contact", "Opportunity")),
        _external_id(),
        *_policy(),
    ]


def _contact() -> list[Field]:
    account, manager = _reference("AccountId", "Account"), _reference("ReportsToId", "Contact")
    return [*_system(), *_person(), account, manager, Field("Department", length=80), *_address("Mailing")]


def _account() -> list[Field]:
    return [
        *_system(),
        Field("Name", length=255, nillable=False),
        Field("Type", "picklist", picklist=_ACCOUNT_TYPES),
        _reference("ParentId", "Account"),
        Field("Phone", "phone", 40),
        Field("Fax", "phone", 40),
        Field("AccountNumber", length=40),
        Field("AccountSource", "picklist", picklist=_SOURCES),
        Field("DunsNumber", length=9),
        Field("Description", "textarea", 32_000, filterable=False),
        *_company(),
        *_address("Billing"),
        *_address("Shipping"),
        _shown("LastActivityDate", "date"),
        _owner(),
    ]


def _opportunity() -> list[Field]:
    return [
        *_system(is_mergeable=False),
        Field("Name", length=120, nillable=False),
        _reference("AccountId", "Account"),
        # Create only: makes the primary contact role. Source: Object Reference v62.0, Opportunity, ContactId.
        Field("ContactId", "reference", 18, updateable=False, refers_to=("Contact",)),
        Field("StageName", "picklist", nillable=False, picklist=tuple(STAGES)),
        Field("CloseDate", "date", nillable=False),
        Field("Amount", "currency", precision=18, scale=2),
        Field("Probability", "percent", precision=3, scale=0),
        Field("Type", "picklist", picklist=_DEAL_TYPES),
        Field("LeadSource", "picklist", picklist=_SOURCES),
        Field("NextStep", length=255),
        Field("Description", "textarea", 32_000, filterable=False),
        _reference("RecordTypeId", "RecordType"),
        Field("CampaignId", "reference", 18),
        _computed_flag("IsClosed"),
        _computed_flag("IsWon"),
        _shown("ForecastCategoryName", "picklist"),
        _shown("LastActivityDate", "date"),
        _owner(),
        _external_id(),
    ]


def _role() -> list[Field]:
    """Which contacts have to do with an opportunity."""
    opportunity, contact = _reference("OpportunityId", "Opportunity"), _reference("ContactId", "Contact")
    opportunity.nillable = contact.nillable = opportunity.updateable = False
    return [*_system(is_mergeable=False), opportunity, contact, Field("Role", "picklist"), _flag("IsPrimary")]


def _activity() -> list[Field]:
    """Custom fields stand on Activity and could show on Task and Event alike; syncd marks tasks only."""
    return [
        *_system(is_mergeable=False),
        _reference("WhoId", "Contact", "Lead"),
        _reference("WhatId", "Account", "Opportunity"),
        Field("Subject", "combobox", 255),
        Field("ActivityDate", "date"),
        Field("Description", "textarea", 32_000, filterable=False),
        _owner(),
    ]


def _task() -> list[Field]:
    status, *_ = _TASK_STATUSES
    return [
        *_activity(),
        _set("Status", "picklist", picklist=_TASK_STATUSES, default=status),
        _set("Priority", "picklist", picklist=("High", "Normal", "Low"), default="Normal"),
        _computed_flag("IsClosed"),
        _external_id(),
    ]


def _event() -> list[Field]:
    return [
        *_activity(),
        Field("StartDateTime", "datetime"),
        Field("EndDateTime", "datetime"),
        Field("ActivityDateTime", "datetime"),
        Field("DurationInMinutes", "int", precision=8),
        _flag("IsAllDayEvent"),
        Field("Location", length=255),
    ]


def _plain(*names: str) -> list[Field]:
    return [*_system(), *(Field(name) for name in names)]


def _lead_status() -> list[Field]:
    return [*_plain("ApiName", "MasterLabel"), Field("SortOrder", "int", precision=9), _flag("IsConverted"), _flag("IsDefault")]


def _stage() -> list[Field]:
    numbers = [Field("SortOrder", "int", precision=9), Field("DefaultProbability", "percent", precision=3)]
    flags = [_flag(name) for name in ("IsActive", "IsClosed", "IsWon")]
    return [*_plain("ApiName", "MasterLabel", "ForecastCategoryName"), *numbers, *flags]


def currency_type() -> Object:
    """CurrencyType, which only an org with several currencies has. Source: Object Reference v62.0, CurrencyType."""
    rates = [Field("ConversionRate", "double", precision=18, scale=6), Field("DecimalPlaces", "int", precision=2)]
    fields = [*_plain("IsoCode"), *rates, _flag("IsActive"), _flag("IsCorporate")]
    return Object("CurrencyType", "01L", {one.name: one for one in fields}, is_writable=False)


def stock_objects() -> dict[str, Object]:
    """Fresh copies of every object."""
    made = {
        "Lead": ("00Q", _lead()),
        "Contact": ("003", _contact()),
        "Account": ("001", _account()),
        "Opportunity": ("006", _opportunity()),
        "OpportunityContactRole": ("00K", _role()),
        **{name: (prefix, [*_system(is_mergeable=False), *fields]) for name, (prefix, fields) in deal_parts().items()},
        "Task": ("00T", _task()),
        "Event": ("00U", _event()),
        "User": ("005", [*_plain("Name", "Username", "Email", "UserType", *EMPLOYEE_FIELDS), _flag("IsActive")]),
        "Group": ("00G", _plain("Name", "DeveloperName", "Type")),
        "GroupMember": ("011", [*_plain(), _reference("GroupId", "Group"), _reference("UserOrGroupId", "User", "Group")]),
        "QueueSobject": ("03g", [*_plain("SobjectType"), _reference("QueueId", "Group")]),
        "Organization": ("00D", [*_plain("Name", "OrganizationType", "InstanceName"), _flag("IsSandbox")]),
        "LeadStatus": ("01J", _lead_status()),
        "OpportunityStage": ("01J", _stage()),
        # One row, about the user who asks. Source: Object Reference, UserPermissionAccess (API 41.0); the prefix is unverified.
        "UserPermissionAccess": ("0Pv", [*_plain(), _flag("PermissionsConvertLeads")]),
        "RecordType": ("012", [*_plain("Name", "DeveloperName", "SobjectType"), _flag("IsActive")]),
    }
    read_only = ("LeadStatus", "OpportunitySplitType", "OpportunityStage", "Organization", "RecordType", "UserPermissionAccess")
    return {
        name: Object(name, prefix, {one.name: one for one in fields}, is_writable=name not in read_only)
        for name, (prefix, fields) in made.items()
    }
