"""Describes of the sandbox's objects: the stock fields of Lead and Contact and the little else that syncd reads.

Source: reference salesforce.md 9.1 and 10 (recorded describes at v59.0), checked 2026-11-24.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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

    def describe(self) -> dict[str, Any]:
        """The field as `sobjects/X/describe` shows it."""
        return {
            "name": self.name,
            "label": self.name,
            "type": self.type,
            "length": self.length if self.type not in ("boolean", "double", "currency", "int", "datetime", "date") else 0,
            "byteLength": self.length * 3,
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
            "referenceTo": [],
            "filterable": True,
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
        Field("Description", "textarea", 32_000),
        Field("LeadSource", "picklist", 255, picklist=("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")),
        Field("OwnerId", "reference", 18, nillable=False, defaulted=True),
        Field("HasOptedOutOfEmail", "boolean", nillable=False, defaulted=True),
        Field("HasOptedOutOfFax", "boolean", nillable=False, defaulted=True),
        Field("DoNotCall", "boolean", nillable=False, defaulted=True),
    ]


LEAD_STATUSES = {
    "Open - Not Contacted": False,
    "Working - Contacted": False,
    "Closed - Converted": True,
    "Closed - Not Converted": False,
}
"""API name to IsConverted; the first is the default."""

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
        Field("Status", "picklist", 255, nillable=False, defaulted=True, picklist=tuple(LEAD_STATUSES)),
        Field("Industry", "picklist", 255, picklist=_INDUSTRIES),
        Field("Rating", "picklist", 255, picklist=("Hot", "Warm", "Cold")),
        Field("AnnualRevenue", "currency", precision=18, scale=0),
        Field("NumberOfEmployees", "int", precision=8),
        Field("RecordTypeId", "reference", 18),
        Field("IsConverted", "boolean", nillable=False, defaulted=True, updateable=False),
        Field("ConvertedDate", "date", createable=False, updateable=False),
        Field("ConvertedAccountId", "reference", 18, createable=False, updateable=False),
        Field("ConvertedContactId", "reference", 18, createable=False, updateable=False),
        Field("ConvertedOpportunityId", "reference", 18, createable=False, updateable=False),
        Field("Syncd_Id__c", length=64, unique=True, external_id=True),
    ]


def _contact() -> list[Field]:
    return [*_system(), *_person(), Field("AccountId", "reference", 18), Field("Department", length=80)]


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
            "recordTypeInfos": [],
            "childRelationships": [],
        }


def stock_objects() -> dict[str, Object]:
    """Fresh copies of every object."""
    made = {
        "Lead": ("00Q", _lead()),
        "Contact": ("003", _contact()),
        "User": ("005", _flags(_plain("Name", "Username", "Email"), "IsActive")),
        "Group": ("00G", _plain("Name", "DeveloperName", "Type")),
        "QueueSobject": ("03g", _plain("QueueId", "SobjectType")),
        "Organization": ("00D", _flags(_plain("Name", "OrganizationType", "InstanceName"), "IsSandbox")),
        "LeadStatus": ("01J", _flags(_plain("ApiName", "MasterLabel", "SortOrder"), "IsConverted", "IsDefault")),
        "RecordType": ("012", _flags(_plain("Name", "DeveloperName", "SobjectType"), "IsActive")),
    }
    return {name: Object(name, prefix, {one.name: one for one in fields}) for name, (prefix, fields) in made.items()}
