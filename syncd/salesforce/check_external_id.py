"""Whether a field serves as the external id that makes a write happen once. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.model import FieldSchema
from syncd.salesforce.finding import Finding, Severity

_LENGTH = 32


def external_id_problems(subject: str, field: FieldSchema, risk: str) -> Iterator[Finding]:
    """What keeps the field `subject` (`Lead.Syncd_Id__c`) from that; `risk` says what could happen while it is not unique."""
    if not field.is_external_id:
        yield Finding(Severity.ERROR, subject, "is not an external id.", f"Tick External ID on {subject}.")
    if not field.is_unique:
        yield Finding(Severity.ERROR, subject, f"is not unique, so that {risk}.", f"Tick Unique on {subject}.")
    if field.type not in ("string", "textarea"):
        yield Finding(Severity.ERROR, subject, f"has the type {field.type}.", "Use a field of type Text.")
    elif 0 < field.length < _LENGTH:
        yield Finding(
            Severity.ERROR,
            subject,
            f"holds {field.length} characters; syncd needs {_LENGTH}.",
            f"Set the length of {subject} to {_LENGTH} or more.",
        )
    if not (field.is_createable and field.is_updateable):
        yield Finding(
            Severity.ERROR, subject, "may not be written by the integration user.", f"Give the permission set edit on {subject}."
        )
