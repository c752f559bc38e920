"""The part of `syncd check --live` about conversions and opportunities: rights, owners, the fields of a deal. Reads only.

Whether statuses, stages, record types and currencies are there is said with the policy's lines (syncd.policy.check_org).
Sources: SOAP API Developer Guide, convertLead(): Convert Leads, edit on Lead, create and edit on Account, Contact and Opportunity; Salesforce
Help 000385358, Setup and display of converted Lead status values: where leads have record types, those of the default record type of the
user who converts count (said of the page; of the API unverified, so it is a warning).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from syncd.errors import AuthError, BudgetExhausted, ConfigError, ContractError, SalesforceUnavailableError
from syncd.model import OrgSchema
from syncd.salesforce.check_external_id import external_id_problems
from syncd.salesforce.client import SalesforceOrg
from syncd.salesforce.finding import Finding, Severity

_UNHEARD = (SalesforceUnavailableError, AuthError, BudgetExhausted)
_PERMISSION = "PermissionsConvertLeads"
_MADE = ("Account", "Contact", "Opportunity")
GIVEN_FIELDS = ("Name", "StageName", "CloseDate", "AccountId")
"""Fields of an opportunity that syncd fills whatever the rule says."""
_LINKS = ("ContactId",)
"""May be given on create only, and makes the contact role (Object Reference v62.0, Opportunity, ContactId)."""


@dataclass(frozen=True, slots=True)
class DealUse:
    """One opportunity rule: its place for messages, and the fields that it fills besides those of every opportunity."""

    place: str
    record_type: str = ""
    fields: tuple[str, ...] = ()


def conversion_findings(
    org: SalesforceOrg, schema: OrgSchema, places: Sequence[str], converted: Sequence[str] = ()
) -> Iterator[Finding]:
    """What keeps leads from being converted; nothing at all, and no call, unless `places` ask for it.

    One call, and one more where the integration user has a record type of its own for leads.

    Args:
        org: The org as configured.
        schema: What it has.
        places: Where the policy asks for conversions, for messages.
        converted: Converted statuses that it sets.
    """
    if not places:
        return
    at = f" (asked for in {', '.join(places)})"
    problems = [*_permission(org, at), *_objects(schema, at), *_status(org, schema, at, converted)]
    yield from problems or [Finding(Severity.OK, "conversion", "Leads can be converted.")]
    yield Finding(
        Severity.OK,
        "duplicate rules",
        "Conversions keep to them (allowSave is off): a lead whose contact or account looks like another one goes to review.",
    )


def _permission(org: SalesforceOrg, at: str) -> Iterator[Finding]:
    advice = "Give its permission set the app permission Convert Leads."
    try:
        may = org.may(_PERMISSION)
    except _UNHEARD as error:
        yield Finding(Severity.ERROR, "Convert Leads", error.message, error.advice)
        return
    if may is None:
        message = f"Salesforce does not say whether the integration user may convert leads{at}."
        yield Finding(Severity.WARNING, "Convert Leads", message, advice)
    elif not may:
        yield Finding(Severity.ERROR, "Convert Leads", f"The integration user may not convert leads{at}.", advice)


def _objects(schema: OrgSchema, at: str) -> Iterator[Finding]:
    for name in _MADE:
        described = schema.objects.get(name)
        advice = f"Give its permission set read, create and edit on {name}: a conversion needs them even where it makes none."
        if described is None:
            yield Finding(Severity.ERROR, name, f"The integration user may not see {name}{at}.", advice)
        elif not (described.is_createable and described.is_updateable):
            what = "create" if not described.is_createable else "edit"
            yield Finding(Severity.ERROR, name, f"The integration user may not {what} {name} records{at}.", advice)
    if not schema.objects["Lead"].is_updateable:
        advice = "Give its permission set edit on Lead."
        yield Finding(Severity.ERROR, "Lead", f"The integration user may not edit leads{at}.", advice)


def _status(org: SalesforceOrg, schema: OrgSchema, at: str, converted: Sequence[str]) -> Iterator[Finding]:
    known = [status for status, is_converted in schema.lead_statuses.items() if is_converted]
    if not known:
        message = f"No lead status of the org means converted{at}."
        yield Finding(Severity.ERROR, "Lead.Status", message, "Tick Converted on one value of Lead Status in Setup.")
        return
    default = schema.default_record_types.get("Lead", "")
    if not default or default not in schema.record_types.get("Lead", {}):
        return
    try:
        offered = org.statuses_of_record_type(schema.record_types["Lead"][default])
    except _UNHEARD as error:
        yield Finding(Severity.ERROR, f"record type {default}", error.message, error.advice)
        return
    for status in dict.fromkeys(converted if offered is not None else ()):
        if status in known and status not in (offered or ()):
            message = (
                f'"{status}" is not in the lead process of the record type "{default}", the default of the integration user{at}.'
            )
            advice = (
                "Add it to that lead process, or make another record type the user's default: conversions to it may be refused."
            )
            yield Finding(Severity.WARNING, "Lead.Status", message, advice)


def members_findings(org: SalesforceOrg, queues: Sequence[str]) -> Iterator[Finding]:
    """Whether each queue has members who can own what a conversion makes, as a queue cannot. Two calls each."""
    for name in dict.fromkeys(queues):
        subject = f"queue {name}"
        try:
            members = org.queue_members(org.owner_id("queue", name))
        except (ConfigError, ContractError, *_UNHEARD) as error:
            yield Finding(Severity.ERROR, subject, error.message, error.advice)
            continue
        if members:
            yield Finding(Severity.OK, subject, f"{len(members)} active members take turns as owners of what is converted.")
        else:
            message = "It has no active user among its members, so nobody can be given what is converted."
            yield Finding(
                Severity.ERROR,
                subject,
                message,
                "Add users or public groups to it under Setup, Queues; members by role are not seen.",
            )


def deal_findings(schema: OrgSchema, external_id_field: str | None, deals: Sequence[DealUse]) -> Iterator[Finding]:
    """What keeps opportunities from being made: rights, the external id, fields, record types. No call.

    Args:
        schema: What the org has.
        external_id_field: `salesforce.external_id_field`.
        deals: The policy's opportunity rules.
    """
    if not deals:
        return
    at = f" (asked for in {', '.join(one.place for one in deals)})"
    described = schema.objects.get("Opportunity")
    if described is None or not (described.is_createable and described.is_updateable):
        what = "see opportunities" if described is None else "create and edit opportunities"
        advice = "Give its permission set read, create and edit on Opportunity (permission set Syncd_Policy)."
        yield Finding(Severity.ERROR, "Opportunity", f"The integration user may not {what}{at}.", advice)
        return
    problems = list(_deal_id(schema, external_id_field, at))
    for one in deals:
        problems += _deal(schema, one, external_id_field or "")
    yield from problems or [Finding(Severity.OK, "Opportunity", "Opportunities can be made.")]


def _deal_id(schema: OrgSchema, name: str | None, at: str) -> Iterator[Finding]:
    """Without an external id of its own an opportunity could be made twice."""
    if name is None:
        message = f"salesforce.external_id_field is null: no opportunity is made{at}."
        yield Finding(
            Severity.ERROR, "Opportunity", message, "Name a unique external-id text field that Lead and Opportunity both have."
        )
        return
    subject = f"Opportunity.{name}"
    field = schema.objects["Opportunity"].fields.get(name)
    if field is None:
        message = f"Opportunity has no field {name} that the integration user may see{at}."
        advice = f"Deploy deploy/salesforce (field {subject}), or create it (Text, 64 characters, External ID, Unique), and grant edit on it."
        yield Finding(Severity.ERROR, subject, message, advice)
        return
    yield from external_id_problems(subject, field, "one person could get two opportunities")


def _deal(schema: OrgSchema, deal: DealUse, external_id_field: str) -> Iterator[Finding]:
    described, at = schema.objects["Opportunity"], f" ({deal.place})"
    if deal.record_type and deal.record_type in schema.closed_record_types.get("Opportunity", ()):
        message = f"The integration user may not use it{at}."
        advice = "Assign the record type to its permission set (Record Type Assignments)."
        yield Finding(Severity.ERROR, f"record type {deal.record_type}", message, advice)
    filled = [*GIVEN_FIELDS, *deal.fields, *(["RecordTypeId"] if deal.record_type else [])]
    for name in dict.fromkeys(filled):
        field = described.fields.get(name)
        # Those that come with a conversion are set afterwards (syncd.plan.opportunities).
        if field is None or not (field.is_createable and field.is_updateable):
            message = f"may not be written by the integration user{at}."
            yield Finding(Severity.ERROR, f"Opportunity.{name}", message, f"Give its permission set edit on Opportunity.{name}.")
    for name in described.required:
        if name not in {*filled, *_LINKS, external_id_field}:
            message = f"must be filled in every opportunity, and the rule does not{at}."
            advice = "Give it a value under fields: of the rule, or a default in Setup."
            yield Finding(Severity.ERROR, f"Opportunity.{name}", message, advice)
