"""What mapping makes of a record: a typed lead and a touch, with problems as values."""

from __future__ import annotations

from enum import StrEnum

import msgspec

Value = str | int | float | bool | None
"""A JSON scalar in canonical form; instants `2026-01-31T09:30:00Z`, days `2026-01-31`, multipicklist `A;B`."""

NAME_GROUP = ("FirstName", "LastName")
ADDRESS_GROUP = ("Street", "City", "PostalCode", "State", "Country")
GROUPS: tuple[tuple[str, ...], ...] = (NAME_GROUP, ADDRESS_GROUP)
"""Fields that are one diff and survivorship unit: an edit in one member keeps the whole group (DESIGN 3.4)."""

OPT_OUT_FIELD = "HasOptedOutOfEmail"
CONSENT_FIELDS = (OPT_OUT_FIELD, "HasOptedOutOfFax", "DoNotCall")
"""Checkboxes where True withdraws consent. They never take part in ordinary field diffs (G6)."""


class Overwrite(StrEnum):
    """When a value may replace what the org holds (DESIGN 5.2)."""

    ALWAYS = "always"
    IF_UNCHANGED = "if_unchanged"
    IF_BLANK = "if_blank"
    FIRST = "first"
    NEVER = "never"


class FieldValue(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One mapped field of one record.

    Attributes:
        value: None only with `on_null: clear`; a field without a value is absent from `Lead.fields`.
        overwrite: The mode that the mapping line states.
        is_default: Filled by `default:`; counts on create only, never as evidence (DESIGN 3.4).
        line: Line of the mapping file that made it, for explanations.
    """

    value: Value
    overwrite: Overwrite = Overwrite.IF_UNCHANGED
    is_default: bool = False
    line: int = 0


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Something wrong with one record's field; never holds the record's value.

    `reason` is a constant word (`invalid_email`, `cut_to_length`, `unknown_picklist_value`).
    `is_fatal` makes the record a dead letter; otherwise the field has no value or an adapted one.
    """

    field: str
    reason: str
    message: str
    line: int = 0
    column: int = 0
    is_fatal: bool = False


class Touch(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One interaction on one channel. Texts may be empty; `at` is ISO UTC text or None."""

    channel: str = ""
    at: str | None = None
    campaign: str = ""
    source_url: str = ""
    utm: dict[str, str] = {}
    click_ids: dict[str, str] = {}
    consent: str = ""


class LeadTask(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the mapping asks of the owner because of one record (`task:`).

    Attributes:
        subject: At most 255 characters.
        due_in_days: Days in UTC from the record's time to the due day; None for a task without one.
        line: Line of the mapping file that asks, for explanations.
    """

    subject: str
    due_in_days: int | None = None
    priority: str = "Normal"
    status: str = "Not Started"
    description: str = ""
    line: int = 0


class Lead(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A record after mapping.

    Attributes:
        fields: Salesforce Lead field name to value; consent fields are among them.
        touch: The interaction the record stands for.
        problems: In mapping order; warnings and fatal ones.
        skipped: Why the record is left alone (`skip_when`), `""` if it is not. Consent is still honoured.
        may_create: Whether this source may create a Lead (`create:` of the mapping).
        task: What the owner is asked to do when the record is hot; None if nothing, and for a skipped or fatal record.
    """

    fields: dict[str, FieldValue]
    touch: Touch = Touch()
    problems: tuple[Problem, ...] = ()
    skipped: str = ""
    may_create: bool = True
    task: LeadTask | None = None

    def evidence(self, field: str) -> Value:
        """The value of `field` if a source really stated it, else None (defaults are no evidence)."""
        found = self.fields.get(field)
        return None if found is None or found.is_default else found.value

    @property
    def is_fatal(self) -> bool:
        """Whether a problem makes the record a dead letter."""
        return bool(self.problems) and any(problem.is_fatal for problem in self.problems)

    @property
    def opt_outs(self) -> tuple[str, ...]:
        """Consent fields that this record withdraws."""
        fields = self.fields
        return tuple([name for name in CONSENT_FIELDS if name in fields and fields[name].value is True])
