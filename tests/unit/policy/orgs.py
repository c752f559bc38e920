"""The sandbox org's schema as policies are checked against, with what an admin adds for them."""

from __future__ import annotations

from syncd.model import FieldSchema, ObjectSchema, OrgSchema
from syncd.salesforce.describe import parse_describe
from syncd.sandbox.org import SandboxOrg

_OBJECTS = ("Lead", "Contact", "Account", "Opportunity", "Task", "User")
_PACKAGE = {
    "Syncd_Next_Action__c": "string", "Syncd_Reason__c": "string", "Syncd_Policy__c": "string", "Syncd_Score__c": "double",
    "Syncd_Hold_Until__c": "date", "Syncd_Archived__c": "boolean", "Syncd_Previous_Owner__c": "string",
}  # fmt: skip
_EVENT = ObjectSchema("Event", {"Subject": FieldSchema("Subject", "string", length=255)})


def sandbox_schema(*statuses: str) -> OrgSchema:
    """The sandbox's own objects, the fields of deploy/salesforce, its lead statuses and `statuses` besides."""
    described = SandboxOrg().objects
    objects = {name: parse_describe(name, described[name].describe()) for name in _OBJECTS}
    lead = {name: FieldSchema(name, kind, length=255) for name, kind in _PACKAGE.items()} | objects["Lead"].fields
    objects |= {"Lead": ObjectSchema("Lead", lead), "Event": _EVENT}
    found = {name: name == "Closed - Converted" for name in (*lead["Status"].picklist, *statuses)}
    stages = {
        name: (name.startswith("Closed"), name == "Closed Won") for name in objects["Opportunity"].fields["StageName"].picklist
    }
    return OrgSchema(
        objects, found, opportunity_stages=stages, record_types={"Lead": {"Inbound": "012000000000001AAA"}, "Opportunity": {}}
    )
