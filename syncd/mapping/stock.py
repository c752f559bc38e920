"""The stock fields of Lead, for checking a mapping without an org (reference salesforce.md 9.1, describe at v59.0)."""

from __future__ import annotations

from syncd.expressions import Kind
from syncd.model import FieldSchema, ObjectSchema, OrgSchema

_TEXT = {
    "LastName": 80, "FirstName": 40, "Salutation": 40, "Title": 128, "Company": 255, "Street": 255, "City": 40, "State": 80,
    "PostalCode": 20, "Country": 80, "Description": 32_000, "CompanyDunsNumber": 9, "Jigsaw": 20, "StateCode": 10, "CountryCode": 10,
    "MiddleName": 40, "Suffix": 40,
}  # fmt: skip
_PICKLISTS = ("LeadSource", "Status", "Industry", "Rating")
_PHONES = ("Phone", "MobilePhone", "Fax")

KINDS = {
    "boolean": Kind.BOOLEAN,
    "int": Kind.NUMBER,
    "double": Kind.NUMBER,
    "currency": Kind.NUMBER,
    "percent": Kind.NUMBER,
    "date": Kind.DAY,
    "datetime": Kind.INSTANT,
}
"""Kinds of the types of a describe; all others are text."""


def _stock() -> dict[str, FieldSchema]:
    fields = {name: FieldSchema(name, "string", length=length) for name, length in _TEXT.items()}
    fields["Description"] = FieldSchema("Description", "textarea", length=32_000)
    fields["Street"] = FieldSchema("Street", "textarea", length=255)
    fields |= {name: FieldSchema(name, "picklist", length=255) for name in _PICKLISTS}
    fields |= {name: FieldSchema(name, "phone", length=40) for name in _PHONES}
    fields["Email"] = FieldSchema("Email", "email", length=80)
    fields["Website"] = FieldSchema("Website", "url", length=255)
    fields["AnnualRevenue"] = FieldSchema("AnnualRevenue", "currency", precision=18)
    fields["NumberOfEmployees"] = FieldSchema("NumberOfEmployees", "int", precision=8)
    fields |= {name: FieldSchema(name, "boolean") for name in ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall")}
    return fields


STOCK_LEAD = ObjectSchema("Lead", _stock())
"""Lead as every org has it; custom fields (`__c`) are not known here and are taken on trust."""


def lead_schema(org: OrgSchema | None) -> ObjectSchema:
    """Lead as the org describes it, or the stock one."""
    return org.objects.get("Lead", STOCK_LEAD) if org is not None else STOCK_LEAD
