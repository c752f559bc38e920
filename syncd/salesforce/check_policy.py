"""The part of `syncd check --live` that looks at what a policy needs: statuses, lead processes, record types. Reads only.

Conversions and opportunities: see check_conversion.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.errors import AuthError, BudgetExhausted, SalesforceUnavailableError
from syncd.model import OrgSchema
from syncd.salesforce.check_conversion import DealUse, conversion_findings, deal_findings, members_findings
from syncd.salesforce.client import SalesforceOrg
from syncd.salesforce.finding import Finding, Severity

_UNHEARD = (SalesforceUnavailableError, AuthError, BudgetExhausted)


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """What a policy does in the org, as far as a live check looks at it.

    Attributes:
        statuses: Lead statuses that it writes to new leads.
        processes: Developer name of a Lead record type, "" for none, to the statuses that leads of it may have.
        conversions: Where it asks for conversions, for messages.
        converted: Converted statuses that it sets.
        queues: Queues whose members get what conversions make.
        deals: Its opportunities.
        deletions: Where it deletes leads after retention.
        is_observed: Whether all conversions and opportunities are only watched: what they lack keeps nobody waiting.
    """

    statuses: tuple[str, ...] = ()
    processes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()
    converted: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    deals: tuple[DealUse, ...] = ()
    deletions: tuple[str, ...] = ()
    is_observed: bool = False


def policy_findings(org: SalesforceOrg, schema: OrgSchema, use: PolicyUse) -> Iterator[Finding]:
    """Everything that keeps the org from doing what the policy asks for, and what was looked at.

    One call for each record type, two for each queue of conversions, one or two for conversions.
    """
    yield from status_findings(schema, use.statuses)
    yield from process_findings(org, schema, use.processes)
    yield from _new_leads(schema, use)
    yield from _deletions(schema, use)
    found = [
        *conversion_findings(org, schema, use.conversions, use.converted),
        *members_findings(org, use.queues),
        *deal_findings(schema, org.settings.external_id_field, use.deals),
    ]
    for one in found:
        is_softened = use.is_observed and one.severity is Severity.ERROR
        yield Finding(Severity.WARNING, one.subject, one.message, one.advice) if is_softened else one


def _deletions(schema: OrgSchema, use: PolicyUse) -> Iterator[Finding]:
    """Whether the integration user may delete leads, where the policy wants it."""
    if not use.deletions:
        return
    if schema.objects["Lead"].is_deletable:
        yield Finding(Severity.OK, "deletion", "The integration user may delete leads.")
    else:
        message = f"The policy deletes leads after retention ({use.deletions[0]}), and the integration user may not delete any."
        yield Finding(
            Severity.ERROR,
            "deletion",
            message,
            "Assign Syncd_Undo, or another permission set with delete on Lead; or take delete: out.",
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
    Converted statuses are not looked for: which of them a conversion may set hangs on the record type of who converts, not of the lead
    (Salesforce Help 000385358, Setup and display of converted Lead status values; see check_conversion).
    Without a record type the master process counts, which is the whole list of statuses, so it costs no call.
    """
    known = schema.record_types.get("Lead", {})
    for name, statuses in processes.items():
        wanted = [status for status in statuses if schema.lead_statuses.get(status) is False]
        if not name:
            yield from _master(known, processes, statuses)
            continue
        subject = f"record type {name}"
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f' Did you mean "{close[0]}"?' if close else ""
            advice = f"Correct the policy. Known: {', '.join(known) or 'none'}."
            yield Finding(Severity.ERROR, subject, f'Lead has no active record type "{name}".{hint}', advice)
            continue
        if name in schema.closed_record_types.get("Lead", ()):
            message = "The integration user may not use it: no lead can be given it, and which statuses it has may stay unknown."
            yield Finding(
                Severity.WARNING, subject, message, "Assign the record type to its permission set (Record Type Assignments)."
            )
        try:
            process = org.statuses_of_record_type(known[name])
        except _UNHEARD as error:
            yield Finding(Severity.ERROR, subject, error.message, error.advice)
            continue
        yield from _process(subject, process, wanted)


def _master(known: Mapping[str, str], processes: Mapping[str, Sequence[str]], statuses: Sequence[str]) -> Iterator[Finding]:
    """Statuses of programs without a record type; whether the org has them is said with their lines."""
    others = [name for name in known if name not in processes]
    if statuses and others:
        yield Finding(
            Severity.WARNING,
            "lead processes",
            f"A program of the policy names no record type, and Lead has some ({', '.join(others[:5])}): their lead processes may lack its statuses.",
            "Write record_type: in the program, one program for each record type that syncd shall handle.",
        )


def _new_leads(schema: OrgSchema, use: PolicyUse) -> Iterator[Finding]:
    """Whether leads that syncd creates are of a record type that a program is for: they get the default of the integration user."""
    default = schema.default_record_types.get("Lead", "")
    named = [name for name in use.processes if name in schema.record_types.get("Lead", {})]
    if named and "" not in use.processes and default not in named:
        what = f'the record type "{default}", the default of the integration user' if default else "no record type"
        yield Finding(
            Severity.WARNING,
            "new leads",
            f"Leads that syncd creates get {what}, and no program of the policy names that.",
            f"Make {' or '.join(named)} the default record type for leads in the user's profile.",
        )


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
