"""What the numbers of `syncd report kpi` are: each with its definition, unit and source table. Values only."""

from __future__ import annotations

from datetime import datetime

import msgspec

A_PERSON = "(a person)"
NO_RULE = "(no rule)"
NO_SOURCE = "(no source)"
STILL_THERE = "(still there)"
ALL = "(all)"


class Meaning(msgspec.Struct, frozen=True):
    """What one kind of number means.

    Attributes:
        group: Under which heading it stands.
        labels: What tells its figures apart.
        unit: Of every figure.
        table: Tables of the store that it is counted from.
    """

    name: str
    group: str
    labels: tuple[str, ...]
    unit: str
    table: str
    definition: str


class Figure(msgspec.Struct, frozen=True):
    """One number; `labels` in the order of its meaning, `value` None where it cannot be told."""

    labels: tuple[str, ...]
    value: float | None


class Measure(msgspec.Struct, frozen=True):
    """The figures of one kind, with the period they are about.

    Attributes:
        since: None for a number that is as of `until`.
        until: None where there is no such instant: nothing was ever read.
        is_told: False where the number cannot be told at all; `note` says why.
        note: What is missing from it.
    """

    meaning: Meaning
    since: datetime | None
    until: datetime | None
    figures: tuple[Figure, ...] = ()
    is_told: bool = True
    note: str = ""


_FUNNEL, _STAGES, _SPEED, _SLA = "Funnel", "From stage to stage", "Speed to lead", "Overdue (SLA)"
_UNQUALIFIED, _ARCHIVE = "Unqualified", "Archived and revived"

STANDING = Meaning(
    "standing",
    _FUNNEL,
    ("status", "source"),
    "leads",
    "org_record, record",
    "Leads that stand in the status as of the last pass; neither converted nor deleted.",
)
ARRIVED = Meaning(
    "arrived",
    _FUNNEL,
    ("source",),
    "leads",
    "status_change, org_record",
    "Leads that were made in the org in the period, by whomever.",
)
ENTERED = Meaning(
    "entered",
    _FUNNEL,
    ("status", "source"),
    "times",
    "status_change",
    "Times that a lead entered the status in the period, the status it was made with among them. A lead counts each time.",
)
CONVERTED = Meaning(
    "converted",
    _FUNNEL,
    ("source",),
    "leads",
    "status_change, org_record",
    "Leads that the org has converted, whose converted status was first seen in the period.",
)
ARRIVED_CONVERTED = Meaning(
    "arrived_converted",
    _FUNNEL,
    ("source",),
    "%",
    "status_change, org_record",
    "Of the leads that arrived in the period, the share that was converted before its end.",
)
MOVED_ON = Meaning(
    "moved_on",
    _STAGES,
    ("status", "to"),
    "times",
    "status_change",
    "Of the times that a lead entered the status in the period: the next status it was seen in before the end of the period.",
)
CONVERSION_RATE = Meaning(
    "conversion_rate",
    _STAGES,
    ("status", "to"),
    "%",
    "status_change",
    "The same as a share of all times that a lead entered the status in the period; those of a status add up to 100.",
)
CLOCKS = Meaning(
    "speed_leads",
    _SPEED,
    ("source",),
    "times",
    "status_change, touch, person",
    "Times that a lead which a source knows entered the entry status of a program in the period. New leads of people who are known "
    "by back-fills only are left out.",
)
CONTACTED = Meaning(
    "speed_contacted",
    _SPEED,
    ("source",),
    "times",
    "status_change, related",
    "Of those, the times that were followed by a first contact before the end of the period and before the lead entered the entry "
    "status once more.",
)
SPEED_P50 = Meaning(
    "speed_p50",
    _SPEED,
    ("source",),
    "minutes",
    "status_change, touch, person, related",
    "Median of the minutes from arrival to first contact, of those that were contacted (nearest rank). Arrival: the newest touch up to the "
    "entry and, of a new lead, the moment syncd first heard of the person, whichever is later; of a lead that comes back, a touch "
    "counts only since it entered the status before. Without either, arrival is the entry. First contact: the next change of status "
    "that a person made, or the first completed task about the lead, whichever is earlier.",
)
SPEED_P95 = Meaning(
    "speed_p95",
    _SPEED,
    ("source",),
    "minutes",
    "status_change, touch, person, related",
    "95th percentile of the same minutes as in speed_p50: nineteen of twenty contacts came sooner, or as soon.",
)
SLA_BREACHES = Meaning(
    "sla_breaches",
    _SLA,
    ("rule",),
    "times",
    "decision, policy_day",
    "Times that the rule of section sla fired in the period: the time it gives was over.",
)
UNQUALIFIED = Meaning(
    "unqualified",
    _UNQUALIFIED,
    ("status", "reason"),
    "times",
    "status_change, operation",
    "Times that a lead entered a status marked unqualified in the period, by the rule that moved it; (a person) where a person did, "
    "(no rule) where a machine did without a rule of the policy.",
)
UNQUALIFIED_WENT = Meaning(
    "unqualified_went",
    _UNQUALIFIED,
    ("status", "path", "to"),
    "times",
    "status_change, operation",
    "Of those: by which section and rule, or by whom, they left the status before the end of the period, and where they went.",
)
RECYCLED = Meaning(
    "recycle_actions",
    _UNQUALIFIED,
    ("rule",),
    "times",
    "decision, policy_day",
    "Times that the rule of section recycle asked for its actions in the period (newsletter, invitation, task); what was then refused is "
    "among them.",
)
ARCHIVED = Meaning(
    "archived",
    _ARCHIVE,
    ("rule",),
    "times",
    "operation, status_change",
    "Times that the rule of section archive put a lead away in the period, by status, checkbox or owner; (a person): times that a "
    "person moved a lead into a status that those rules use.",
)
REVIVED = Meaning(
    "revived",
    _ARCHIVE,
    ("rule",),
    "times",
    "operation, status_change",
    "Times that the rule of section revive brought a lead back in the period; (a person): times that a person moved a lead from a "
    "status that those rules look at to one that they move to.",
)
DELETED = Meaning(
    "deleted",
    _ARCHIVE,
    ("rule",),
    "leads",
    "operation",
    "Leads that syncd deleted in the period because an archive rule says delete and a verified export held them, by that rule.",
)

MEANINGS = (
    STANDING, ARRIVED, ENTERED, CONVERTED, ARRIVED_CONVERTED, MOVED_ON, CONVERSION_RATE, CLOCKS, CONTACTED, SPEED_P50, SPEED_P95,
    SLA_BREACHES, UNQUALIFIED, UNQUALIFIED_WENT, RECYCLED, ARCHIVED, REVIVED, DELETED,
)  # fmt: skip
"""All of them, in the order in which they are shown."""
