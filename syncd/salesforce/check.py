"""`syncd check --live`: would this org take what the configuration means to write? Reads only; names the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncd.errors import AuthError, BudgetExhausted, ConfigError, ContractError, SalesforceUnavailableError
from syncd.model import CONSENT_FIELDS, FieldSchema, ObjectSchema, OrgIdentity, OrgSchema
from syncd.salesforce.check_external_id import external_id_problems
from syncd.salesforce.check_policy import PolicyUse, policy_findings
from syncd.salesforce.client import SalesforceOrg
from syncd.salesforce.finding import Finding, Severity

_TASK_FIELDS = ("WhoId", "OwnerId", "Subject", "Status", "Priority", "ActivityDate", "Description")
_BUSY_SHARE = 0.85

_TAKES: dict[str, frozenset[str]] = {
    "text": frozenset(
        {"string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox", "encryptedstring"}
    ),
    "number": frozenset({"int", "double", "currency", "percent", "long"}),
    "boolean": frozenset({"boolean"}),
    "date": frozenset({"date"}),
    "instant": frozenset({"datetime"}),
}
"""Kind of a mapped value to the describe types that store it unchanged (reference salesforce.md 4.1)."""


@dataclass(frozen=True, slots=True)
class FieldUse:
    """What the mappings do with one Lead field.

    Attributes:
        kind: `text`, `number`, `boolean`, `date`, `instant`, or `""` if it cannot be known.
        values: Texts that a mapping can write as they stand (`value:`, `translate:`, `default:`).
        longest: Characters that a mapping can write at most, 0 if it cannot be known.
        is_updated: Written on update too, not on create only.
        place: `mailchimp.yaml line 14`, for the message.
    """

    kind: str = ""
    values: tuple[str, ...] = ()
    longest: int = 0
    is_updated: bool = True
    place: str = ""


def live_findings(
    org: SalesforceOrg,
    mapped_fields: Mapping[str, FieldUse],
    *,
    expected_org_id: str | None = None,
    owners: Iterable[tuple[str, str]] = (),
    tasks: Sequence[str] = (),
    policy: PolicyUse | None = None,
) -> list[Finding]:
    """Look at credentials, org, rights, fields, picklists, statuses and owners.

    One or two calls, and one more for each owner; what the policy costs besides: see policy_findings.

    Args:
        org: The org as configured.
        mapped_fields: Lead field to its use.
        expected_org_id: `salesforce.expected_org_id`.
        owners: (`queue` or `user`, name) of the sources' assignments.
        tasks: Where mappings ask for tasks, for messages.
        policy: What the policy does in the org; None for nothing.

    Returns:
        Findings in the order of looking. When the org cannot be entered, just that.
    """
    try:
        schema = org.schema()
        identity = org.identity()
    except (SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError) as error:
        return [Finding(Severity.ERROR, "log-in", error.message, error.advice)]
    version = org.settings.api_version
    found = [Finding(Severity.OK, "log-in", f"{identity.instance_url} lets the integration user in, API version {version}.")]
    found += _org(org, identity, expected_org_id)
    lead = schema.objects["Lead"]
    found += _external_id(lead, org.settings.external_id_field)
    for name, use in mapped_fields.items():
        problems = list(_field(lead, name, use))
        found += problems or [Finding(Severity.OK, f"Lead.{name}", "can be written.")]
    found += _consent(schema, mapped_fields)
    found += _tasks(schema, org.settings.external_id_field, tasks)
    found += policy_findings(org, schema, policy or PolicyUse())
    for kind, name in owners:
        found.append(_owner(org, kind, name))
    return found


def _org(org: SalesforceOrg, identity: OrgIdentity, expected: str | None) -> Iterator[Finding]:
    kind = "sandbox" if identity.is_sandbox else "production"
    if expected and expected[:15] != identity.org_id[:15]:
        yield Finding(
            Severity.ERROR,
            "org",
            f"login_url leads to the org {identity.org_id} ({kind}), but expected_org_id is {expected}.",
            "Correct salesforce.login_url or salesforce.expected_org_id.",
        )
    else:
        yield Finding(Severity.OK, "org", f"{identity.org_id} ({kind}).")
    usage = org.api_usage
    if usage and usage[1]:
        is_busy = usage[0] >= _BUSY_SHARE * usage[1]
        yield Finding(
            Severity.WARNING if is_busy else Severity.OK,
            "API calls",
            f"The org has used {usage[0]} of {usage[1]} calls in the last 24 hours.",
            "See which integrations call most under Setup, Company Information." if is_busy else "",
        )


def _external_id(lead: ObjectSchema, name: str | None) -> Iterator[Finding]:
    if name is None:
        yield Finding(
            Severity.WARNING,
            "external_id_field",
            "salesforce.external_id_field is null: known leads are updated, but none is created.",
            'Run "syncd org setup" or create a unique external-id text field on Lead and name it.',
        )
        return
    subject = f"Lead.{name}"
    field = lead.fields.get(name)
    if field is None:
        yield Finding(
            Severity.ERROR,
            subject,
            f"Lead has no field {name} that the integration user may see.",
            f"Create it (Text, 80 characters, External ID, Unique), or give the permission set read and edit on {subject}.",
        )
        return
    problems = list(external_id_problems(subject, field, "one person could get two leads"))
    yield from problems or [Finding(Severity.OK, subject, "is a unique external id.")]


def _field(lead: ObjectSchema, name: str, use: FieldUse) -> Iterator[Finding]:
    """What is wrong with writing one mapped field; nothing if it is fine."""
    subject = f"Lead.{name}"
    at = f" ({use.place})" if use.place else ""
    field = lead.fields.get(name)
    if field is None:
        close = difflib.get_close_matches(name, list(lead.fields), n=1, cutoff=0.7)
        hint = f' Did you mean "{close[0]}"?' if close else ""
        yield Finding(
            Severity.ERROR,
            subject,
            f"Lead has no field {name} that the integration user may see{at}.{hint}",
            f"Correct the mapping, or give the permission set read and edit on {subject}.",
        )
        return
    if not field.is_createable or (use.is_updated and not field.is_updateable):
        what = "written" if not field.is_createable else "updated"
        yield Finding(
            Severity.ERROR,
            subject,
            f"may not be {what} by the integration user{at}.",
            f"Give the permission set read and edit on {subject}; a formula or system field must leave the mapping.",
        )
    if use.kind and field.type not in _TAKES.get(use.kind, frozenset({field.type})):
        yield Finding(
            Severity.ERROR,
            subject,
            f"has the type {field.type}, but the mapping gives {use.kind}{at}.",
            "Change the transform (as:) of the mapping, or map to another field.",
        )
    yield from _field_values(subject, field, use, at)


def _field_values(subject: str, field: FieldSchema, use: FieldUse, at: str) -> Iterator[Finding]:
    if field.picklist and field.type in ("picklist", "multipicklist"):
        parts = {part for value in use.values for part in (value.split(";") if field.type == "multipicklist" else [value])}
        for value in sorted(parts - set(field.picklist)):
            # Unrestricted picklists store any text, typing errors too (reference salesforce.md 1.9).
            severity = Severity.ERROR if field.is_restricted else Severity.WARNING
            close = difflib.get_close_matches(value, field.picklist, n=1, cutoff=0.6)
            hint = f' Did you mean "{close[0]}"?' if close else ""
            yield Finding(
                severity,
                subject,
                f'has no active picklist value "{value}"{at}.{hint}',
                f"Add the value in Setup, or correct the mapping. Known: {', '.join(field.picklist[:20])}.",
            )
    longest = max([use.longest, *(len(value) for value in use.values)])
    if field.length and longest > field.length:
        yield Finding(
            Severity.WARNING,
            subject,
            f"holds {field.length} characters; the mapping can give {longest}{at}.",
            "Longer values are cut and reported; shorten them in the mapping if that is not wanted.",
        )


def _consent(schema: OrgSchema, mapped: Mapping[str, FieldUse]) -> Iterator[Finding]:
    """An opt-out goes to Leads and Contacts (G6), so its fields must be visible on both."""
    for name in CONSENT_FIELDS:
        if name not in mapped and name != "HasOptedOutOfEmail":
            continue
        for owner in ("Lead", "Contact"):
            field = schema.objects[owner].fields.get(name)
            if owner == "Lead" and name in mapped:
                continue  # looked at as a mapped field
            if field is None or not field.is_updateable:
                yield Finding(
                    Severity.WARNING,
                    f"{owner}.{name}",
                    "is not visible to or not editable by the integration user: an opt-out cannot be written there.",
                    f"Give the permission set read and edit on {owner}.{name}.",
                )


def _tasks(schema: OrgSchema, name: str | None, places: Sequence[str]) -> Iterator[Finding]:
    """Whether tasks can be made where mappings ask for them."""
    if not places:
        return
    at = f" (asked for in {', '.join(places)})"
    task = schema.objects.get("Task")
    if task is None:
        advice = (
            "Give its permission set Edit Tasks and read and edit on the fields of Activity, or take task: out of the mapping."
        )
        yield Finding(Severity.ERROR, "Task", f"The integration user may not see tasks{at}.", advice)
        return
    if name is None:
        message = f"salesforce.external_id_field is null: no task is made{at}."
        yield Finding(Severity.ERROR, "Task", message, "Name a unique external-id text field that Lead and Activity both have.")
        return
    subject = f"Task.{name}"
    field = task.fields.get(name)
    if field is None:
        yield Finding(
            Severity.ERROR,
            subject,
            f"Task has no field {name} that the integration user may see: no task is made{at}.",
            f"Deploy deploy/salesforce (field Activity.{name}), or create it on Activity (Text, 64 characters, External ID, Unique), "
            f"and give the permission set read and edit on it.",
        )
        return
    problems = list(external_id_problems(subject, field, "one record could get two tasks"))
    for needed in _TASK_FIELDS:
        if needed not in task.fields or not task.fields[needed].is_createable:
            message = f"may not be written by the integration user{at}."
            problems.append(Finding(Severity.ERROR, f"Task.{needed}", message, f"Give the permission set edit on Task.{needed}."))
    yield from problems or [Finding(Severity.OK, subject, "is a unique external id: tasks can be made.")]


def _owner(org: SalesforceOrg, kind: str, name: str) -> Finding:
    subject = f"{kind} {name}"
    try:
        org.owner_id(kind, name)
    except (ConfigError, ContractError, SalesforceUnavailableError, AuthError, BudgetExhausted) as error:
        return Finding(Severity.ERROR, subject, error.message, error.advice)
    return Finding(Severity.OK, subject, "can own leads.")
