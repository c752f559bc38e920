"""What the org computes by itself: names, closed and won, times of events, the last activity, primary contact roles."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from syncd.sandbox.table import Row, folded
from syncd.sandbox.values import Refusal

if TYPE_CHECKING:
    from syncd.sandbox.org import SandboxOrg

ACTIVITIES = ("Task", "Event")
_LINKS = ("WhoId", "WhatId")


def complete(org: SandboxOrg, name: str, new: Row, old: Row | None, given: Collection[str]) -> None:
    """Fill the computed fields of a row that is about to be saved; `given` are the fields that the caller sets.

    Raises:
        Refusal: An event without a start or an end, or one that ends before it starts.
    """
    if name in ("Lead", "Contact"):
        new["Name"] = " ".join(str(part) for part in (new.get("FirstName"), new.get("LastName")) if part)
    elif name == "Opportunity":
        _complete_opportunity(org, new, old, given)
    elif name == "Task":
        new["IsClosed"] = new.get("Status") == "Completed"
    elif name == "Event":
        _complete_event(new, given)


def _complete_opportunity(org: SandboxOrg, new: Row, old: Row | None, given: Collection[str]) -> None:
    """The stage decides, and a stage that the org does not know is open. Source: Object Reference v62.0, Opportunity, StageName."""
    stage = stage_of(org, new.get("StageName"))
    new["IsClosed"] = bool(stage and stage["IsClosed"])
    new["IsWon"] = bool(stage and stage["IsWon"])
    if stage is None:
        return
    new["ForecastCategoryName"] = stage["ForecastCategoryName"]
    has_moved = old is None or old.get("StageName") != new["StageName"]
    if has_moved and "Probability" not in given:
        new["Probability"] = stage["DefaultProbability"]


def stage_of(org: SandboxOrg, stage_name: object) -> Row | None:
    """The row of OpportunityStage with an API name, in any case."""
    wanted = folded(stage_name)
    return next((row for row in org.table("OpportunityStage").rows.values() if folded(row["ApiName"]) == wanted), None)


def _complete_event(new: Row, given: Collection[str]) -> None:
    """Start, end and duration agree, and a moved start keeps the duration; the day is the start's in UTC. Source: Object Reference v62.0, Event."""
    start, end = _times(new, given)
    missing = [key for key, value in (("StartDateTime", start), ("EndDateTime", end)) if value is None]
    if start is None or end is None:
        raise Refusal("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
    if end < start:
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", "End date must be on or after start date", ["EndDateTime"])
    new |= {"StartDateTime": start, "ActivityDateTime": start, "EndDateTime": end, "ActivityDate": start.date()}
    new["DurationInMinutes"] = int((end - start).total_seconds() // 60)


def _times(new: Row, given: Collection[str]) -> tuple[datetime | None, datetime | None]:
    minutes = new.get("DurationInMinutes")
    if new.get("IsAllDayEvent") and new.get("ActivityDate"):
        midnight = datetime.combine(new["ActivityDate"], time(), UTC)
        return midnight, midnight + timedelta(minutes=minutes or 24 * 60)
    is_other_name = "ActivityDateTime" in given and "StartDateTime" not in given
    start: datetime | None = new.get("ActivityDateTime" if is_other_name else "StartDateTime")
    end: datetime | None = new.get("EndDateTime") if "EndDateTime" in given else None
    if start is not None and end is None and minutes is not None:
        end = start + timedelta(minutes=minutes)
    return start, end


def after_save(org: SandboxOrg, name: str, sf_id: str, row: Row, *, is_new: bool, user: str) -> None:
    """What follows from a saved row in others: the primary contact role of an opportunity, and the opportunity's contact."""
    if name == "Opportunity" and is_new and row.get("ContactId"):
        role = {"OpportunityId": sf_id, "ContactId": row["ContactId"], "IsPrimary": True}
        org.save("OpportunityContactRole", None, role, user=user, headers={}, is_checked=True)
    elif name == "OpportunityContactRole" and row["IsPrimary"]:
        for other in roles(org, row["OpportunityId"]):
            if other["IsPrimary"] and other["Id"] != sf_id:
                org.note(name, other["Id"], {"IsPrimary": False})
        if org.table("Opportunity").rows[row["OpportunityId"]].get("ContactId") != row["ContactId"]:
            org.note("Opportunity", row["OpportunityId"], {"ContactId": row["ContactId"]})


def roles(org: SandboxOrg, opportunity_id: str) -> list[Row]:
    """The living contact roles of an opportunity."""
    rows = org.table("OpportunityContactRole").rows.values()
    return [row for row in rows if row["OpportunityId"] == opportunity_id and not row["IsDeleted"]]


def settle_last_activity(org: SandboxOrg, *versions: Row | None) -> None:
    """The records that an activity hangs on, or hung on, get their LastActivityDate.

    The latest due date of closed tasks and the latest day of events, future ones too. Source: Salesforce Help 000385365 (2026-04).
    A change of it moves SystemModstamp and not LastModifiedDate. Source: Salesforce Help 000387261 (2024-07). A converted lead keeps
    the one it had (unverified), and so does an account whose contact or opportunity the activity is about (simpler than the org).
    """
    ids = dict.fromkeys(row[key] for row in versions if row is not None for key in _LINKS if row.get(key))
    for sf_id in ids:
        found = org.find(sf_id)
        if found is None or "LastActivityDate" not in found[1] or found[1].get("IsConverted"):
            continue
        days = [row["ActivityDate"] for row in activities(org, sf_id) if row.get("IsClosed", True) and row["ActivityDate"]]
        latest = max(days, default=None)
        if latest != found[1]["LastActivityDate"]:
            org.note(found[0], sf_id, {"LastActivityDate": latest})


def activities(org: SandboxOrg, sf_id: str) -> list[Row]:
    """The living tasks and events of a lead, contact, account or opportunity, tasks first. Events have no IsClosed."""
    return [
        row
        for name in ACTIVITIES
        for key in _LINKS
        for row in org.table(name).with_value(key, [folded(sf_id)])
        if row[key] == sf_id and not row["IsDeleted"]
    ]


def move_activities(
    org: SandboxOrg, who_id: str, to: str, *, about: str = "", user: str, headers: dict[str, str] | None = None
) -> None:
    """Open and closed activities of a lead or contact go to another; those about nothing yet are then about `about`.

    Source: reference salesforce.md 9.3 for conversions (unverified in detail); Salesforce Help, "Merge Duplicate Leads", for merges.
    """
    for row in activities(org, who_id):
        moved = {**row, "WhoId": to, "WhatId": row["WhatId"] or about or None}
        name = "Task" if row["Id"].startswith(org.objects["Task"].prefix) else "Event"
        org.put(name, row["Id"], moved, user=user, action="update", headers=headers or {})
