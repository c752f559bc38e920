"""Describes of the sandbox's objects: the stock fields of Lead, Contact and Task and the little else that syncd reads.

Source: reference salesforce.md 9.1 and 10 (recorded describes at v59.0), checked 2026-11-24.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_WITHOUT_LENGTH = frozenset({"boolean", "double", "currency", "int", "datetime", "date", "address"})


@dataclass(slots=True)
class Field:
    """One field of a describe; `type` as Salesforce names it, `length` in characters."""

    name: str
    type: str = "string"
    length: int = 255
    precision: int = 0
    scale: int = 0
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    defaulted: bool = False
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    restricted: bool = False
    picklist: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()  # objects whose ids a reference may hold
    filterable: bool = True

    def describe(self) -> dict[str, Any]:
        """The field as `sobjects/X/describe` shows it."""
        return {
            "name": self.name,
            "label": self.name,
            "type": self.type,
            "length": self.length if self.type not in _WITHOUT_LENGTH else 0,
            "byteLength": self.length * 3 if self.type not in _WITHOUT_LENGTH else 0,
            "precision": self.precision,
            "scale": self.scale,
            "digits": self.precision if self.type == "int" else 0,
            "createable": self.createable,
            "updateable": self.updateable,
            "nillable": self.nillable,
            "defaultedOnCreate": self.defaulted,
            "unique": self.unique,
            "externalId": self.external_id,
            "idLookup": self.id_lookup or self.external_id,
            "caseSensitive": False,
            "calculated": False,
            "restrictedPicklist": self.restricted,
            "picklistValues": [
                {"value": value, "label": value, "active": True, "defaultValue": False, "validFor": None}
                for value in self.picklist
            ],
            "referenceTo": list(self.refers_to),
            "relationshipName": self.name.removesuffix("Id") if self.refers_to else None,
            "compoundFieldName": None,
            "encrypted": False,
            "permissionable": not self.defaulted,
            "filterable": self.filterable,
            "custom": self.name.endswith("__c"),
        }


def _system() -> list[Field]:
    return [
        Field("Id", "id", 18, nillable=False, defaulted=True, id_lookup=True, createable=False, updateable=False),
        Field("IsDeleted", "boolean", nillable=False, defaulted=True, createable=False, updateable=False),
        Field("MasterRecordId", "reference", 18, createable=False, updateable=False),
        Field("CreatedDate", "datetime", nillable=False, defaulted=True, createable=False, updateable=False),
        Field("CreatedById", "reference", 18, nillable=False, defaulted=True, createable=False, updateable=False),
        Field("LastModifiedDate", "datetime", nillable=False, defaulted=True, createable=False, updateable=False),
        Field("LastModifiedById", "reference", 18, nillable=False, defaulted=True, createable=False, updateable=False),
        Field("SystemModstamp", "datetime", nillable=False, defaulted=True, createable=False, updateable=False),
    ]


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
        Field("LeadSource", "picklist", 255, picklist=("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")),
        Field("OwnerId", "reference", 18, nillable=False, defaulted=True, refers_to=("Group", "User")),
        Field("HasOptedOutOfEmail", "boolean", nillable=False, defaulted=True),
        Field("HasOptedOutOfFax", "boolean", nillable=False, defaulted=True),
        Field("DoNotCall", "boolean", nillable=False, defaulted=True),
        Field("IndividualId", "reference", 18),
        Field("Jigsaw", length=20),
        Field("EmailBouncedReason", length=255, createable=False),
        Field("EmailBouncedDate", "datetime", createable=False),
        Field("LastActivityDate", "date", createable=False, updateable=False),
    ]


LEAD_STATUSES = {
    "Open - Not Contacted": False,
    "Working - Contacted": False,
    "Closed - Converted": True,
    "Closed - Not Converted": False,
}
"""API name to IsConverted; the first is the default."""

_DEFAULTS = {"Lead": {"Status": next(iter(LEAD_STATUSES))}, "Task": {"Status": "Not Started", "Priority": "Normal"}}
"""What an org puts into a new record."""

_INDUSTRIES = ("Agriculture", "Banking", "Consulting", "Education", "Manufacturing", "Technology", "Other")


def _lead() -> list[Field]:
    return [
        *_system(),
        *_person(),
        Field("Company", length=255, nillable=False),
        Field("Website", "url", 255),
        Field("Street", "textarea", 255),
        Field("City", length=40),
        Field("State", length=80),
        Field("PostalCode", length=20),
        Field("Country", length=80),
        Field("Address", "address", createable=False, updateable=False, filterable=False),
        Field("CompanyDunsNumber", length=9),
        Field("IsUnreadByOwner", "boolean", nillable=False, defaulted=True),
        Field("Status", "picklist", 255, nillable=False, defaulted=True, picklist=tuple(LEAD_STATUSES)),
        Field("Industry", "picklist", 255, picklist=_INDUSTRIES),
        Field("Rating", "picklist", 255, picklist=("Hot", "Warm", "Cold")),
        Field("AnnualRevenue", "currency", precision=18, scale=0),
        Field("NumberOfEmployees", "int", precision=8),
        Field("RecordTypeId", "reference", 18, refers_to=("RecordType",)),
        Field("IsConverted", "boolean", nillable=False, defaulted=True, updateable=False),
        Field("ConvertedDate", "date", createable=False, updateable=False),
        Field("ConvertedAccountId", "reference", 18, refers_to=("Account",), createable=False, updateable=False),
        Field("ConvertedContactId", "reference", 18, refers_to=("Contact",), createable=False, updateable=False),
        Field("ConvertedOpportunityId", "reference", 18, refers_to=("Opportunity",), createable=False, updateable=False),
        Field("Syncd_Id__c", length=64, unique=True, external_id=True),
    ]


def _contact() -> list[Field]:
    account = Field("AccountId", "reference", 18, refers_to=("Account",))
    return [*_system(), *_person(), account, Field("Department", length=80)]


def _task() -> list[Field]:
    """Source: reference salesforce.md 10; custom fields stand on Activity and show on Task. Tasks are never merged."""
    statuses = ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")
    return [
        *(one for one in _system() if one.name != "MasterRecordId"),
        Field("WhoId", "reference", 18, refers_to=("Contact", "Lead")),
        Field("WhatId", "reference", 18, refers_to=("Account", "Opportunity")),
        Field("Subject", "combobox", 255),
        Field("ActivityDate", "date"),
        Field("Status", "picklist", 255, nillable=False, defaulted=True, picklist=statuses),
        Field("Priority", "picklist", 255, nillable=False, defaulted=True, picklist=("High", "Normal", "Low")),
        Field("Description", "textarea", 32_000, filterable=False),
        Field("OwnerId", "reference", 18, nillable=False, defaulted=True, refers_to=("User",)),
        Field("Syncd_Id__c", length=64, unique=True, external_id=True),
    ]


def _owned(*fields: Field) -> list[Field]:
    return [*_system(), *fields, Field("OwnerId", "reference", 18, nillable=False, defaulted=True, refers_to=("User",))]


def _opportunity() -> list[Field]:
    return _owned(
        Field("Name", length=120, nillable=False),
        Field("AccountId", "reference", 18, refers_to=("Account",)),
        Field(
            "StageName", "picklist", 255, nillable=False, picklist=("Prospecting", "Qualification", "Closed Won", "Closed Lost")
        ),
        Field("CloseDate", "date", nillable=False),
        Field("Amount", "currency", precision=18, scale=2),
    )


def _plain(*names: str) -> list[Field]:
    return [*_system(), *(Field(name) for name in names)]


def _flags(fields: list[Field], *names: str) -> list[Field]:
    return [*fields, *(Field(name, "boolean", nillable=False, defaulted=True) for name in names)]


@dataclass
class Object:
    """One object: its key prefix (first three characters of its ids) and its fields by name."""

    name: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)
    _blank: dict[str, Any] = field(default_factory=dict, repr=False)

    def find(self, name: str) -> Field | None:
        """The field of a name in any case, as the API takes it."""
        found = self.fields.get(name)
        if found is None:
            folded = name.casefold()
            found = next((one for key, one in self.fields.items() if key.casefold() == folded), None)
        return found

    def blank(self) -> dict[str, Any]:
        """A record before anything is written into it: checkboxes off, the defaults of picklists, else null."""
        if len(self._blank) != len(self.fields):
            self._blank = {one.name: False if one.type == "boolean" else None for one in self.fields.values()}
            self._blank |= _DEFAULTS.get(self.name, {})
        return self._blank.copy()

    def describe(self, *, hidden: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The object as `sobjects/X/describe` shows it; hidden fields (field-level security) are missing."""
        return {
            "name": self.name,
            "label": self.name,
            "keyPrefix": self.prefix,
            "createable": True,
            "updateable": True,
            "deletable": True,
            "mergeable": True,
            "undeletable": True,
            "replicateable": True,
            "queryable": True,
            "custom": False,
            "fields": [one.describe() for one in self.fields.values() if one.name not in hidden],
            "recordTypeInfos": [
                {
                    "recordTypeId": "012000000000000AAA",
                    "developerName": "Master",
                    "name": "Master",
                    "active": True,
                    "available": True,
                    "defaultRecordTypeMapping": True,
                    "master": True,
                }
            ],
            "childRelationships": [],
        }


def stock_objects() -> dict[str, Object]:
    """Fresh copies of every object."""
    made = {
        "Lead": ("00Q", _lead()),
        "Contact": ("003", _contact()),
        "Account": ("001", _owned(Field("Name", length=255, nillable=False), Field("Website", "url", 255))),
        "Opportunity": ("006", _opportunity()),
        "Task": ("00T", _task()),
        "User": ("005", _flags(_plain("Name", "Username", "Email"), "IsActive")),
        "Group": ("00G", _plain("Name", "DeveloperName", "Type")),
        "QueueSobject": ("03g", [*_plain("SobjectType"), Field("QueueId", "reference", 18, refers_to=("Group",))]),
        "Organization": ("00D", _flags(_plain("Name", "OrganizationType", "InstanceName"), "IsSandbox")),
        "LeadStatus": (
            "01J",
            _flags([*_plain("ApiName", "MasterLabel"), Field("SortOrder", "int", precision=9)], "IsConverted", "IsDefault"),
        ),
        "RecordType": ("012", _flags(_plain("Name", "DeveloperName", "SobjectType"), "IsActive")),
    }
    return {name: Object(name, prefix, {one.name: one for one in fields}) for name, (prefix, fields) in made.items()}
