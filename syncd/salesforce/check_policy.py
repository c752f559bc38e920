"""The part of `syncd check --live` that looks at what a policy needs: statuses, lead processes, and the rights to convert. Reads only.

Source of the rights: SOAP API Developer Guide, convertLead(): Convert Leads, edit on Lead, create and edit on Account, Contact and Opportunity.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from syncd.errors import AuthError, BudgetExhausted, SalesforceUnavailableError
from syncd.model import OrgSchema
from syncd.salesforce.client import SalesforceOrg
from syncd.salesforce.finding import Finding, Severity

_UNHEARD = (SalesforceUnavailableError, AuthError, BudgetExhausted)
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


def _status(schema: OrgSchema, at: str) -> Iterator[Finding]:
    if not any(schema.lead_statuses.values()):
        yield Finding(
            Severity.ERROR,
            "Lead.Status",
            f"No lead status of the org means converted{at}.",
            "Tick Converted on one value of Lead Status in Setup.",
        )


def status_findings(schema: OrgSchema, statuses: Sequence[str]) -> Iterator[Finding]:
    """Whether each status is one of the org's, and none that means converted."""
    for status in dict.fromkeys(statuses):
        if status not in schema.lead_statuses:
            yield Finding(
                Severity.ERROR,
                "Lead.Status",
                f'The org has no lead status "{status}".',
                f"Correct the policy, or add the status. Known: {', '.join(schema.lead_statuses)}.",
            )
        elif schema.lead_statuses[status]:
            yield Finding(
                Severity.ERROR,
                "Lead.Status",
                f'The lead status "{status}" means converted; writing it does not convert a lead.',
                "Use another status in the policy.",
            )


def process_findings(org: SalesforceOrg, schema: OrgSchema, processes: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Whether the lead process of each record type (by developer name) has the statuses. One call each.

    The API may store a status outside the process (reference salesforce.md 9.2, unverified), where no rep could choose it.
    """
    known = schema.record_types.get("Lead", {})
    for name, statuses in processes.items():
        subject = f"record type {name}"
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f' Did you mean "{close[0]}"?' if close else ""
            advice = f"Correct the policy. Known: {', '.join(known) or 'none'}."
            yield Finding(Severity.ERROR, subject, f'Lead has no active record type "{name}".{hint}', advice)
            continue
        try:
            process = org.statuses_of_record_type(known[name])
        except _UNHEARD as error:
            yield Finding(Severity.ERROR, subject, error.message, error.advice)
            continue
        yield from _process(subject, process, [status for status in statuses if status in schema.lead_statuses])


def _process(subject: str, process: Sequence[str] | None, statuses: Sequence[str]) -> Iterator[Finding]:
    if process is None:
        message = "Salesforce does not say which statuses its lead process has."
        yield Finding(Severity.WARNING, subject, message, "Compare them with the policy under Setup, Lead Processes.")
        return
    missing = [status for status in statuses if status not in process]
    for status in missing:
        advice = f"Add it under Setup, Lead Processes, or correct the policy. There: {', '.join(process)}."
        yield Finding(Severity.ERROR, subject, f'Its lead process has no status "{status}".', advice)
    if not missing:
        yield Finding(Severity.OK, subject, "Its lead process has all statuses of the policy.")
