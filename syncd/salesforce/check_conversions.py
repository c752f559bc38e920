"""The part of `syncd check --live` that looks at conversions: the rights they need, and a status to convert to. Reads only.

Source: SOAP API Developer Guide, convertLead(): Convert Leads, edit on Lead, create and edit on Account, Contact and Opportunity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncd.errors import AuthError, BudgetExhausted, SalesforceUnavailableError
from syncd.model import OrgSchema
from syncd.salesforce.client import SalesforceOrg
from syncd.salesforce.finding import Finding, Severity

_PERMISSION = "PermissionsConvertLeads"
_MADE = ("Account", "Contact", "Opportunity")


def conversion_findings(org: SalesforceOrg, schema: OrgSchema, places: Sequence[str]) -> Iterator[Finding]:
    """What keeps leads from being converted; nothing at all, and no call, unless `places` ask for it. One call."""
    if not places:
        return
    at = f" (asked for in {', '.join(places)})"
    problems = [*_permission(org, at), *_objects(schema, at), *_status(schema, at)]
    yield from problems or [Finding(Severity.OK, "conversion", "Leads can be converted.")]


def _permission(org: SalesforceOrg, at: str) -> Iterator[Finding]:
    advice = "Give its permission set the app permission Convert Leads."
    try:
        may = org.may(_PERMISSION)
    except (SalesforceUnavailableError, AuthError, BudgetExhausted) as error:
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


def _status(schema: OrgSchema, at: str) -> Iterator[Finding]:
    if not any(schema.lead_statuses.values()):
        yield Finding(
            Severity.ERROR,
            "Lead.Status",
            f"No lead status of the org means converted{at}.",
            "Tick Converted on one value of Lead Status in Setup.",
        )
