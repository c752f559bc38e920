"""What people do in the org besides typing: deleting, restoring, merging and converting; and a handle on one of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self

from syncd.sandbox import conversion, derived
from syncd.sandbox.conversion import Conversion
from syncd.sandbox.table import Row
from syncd.sandbox.values import Refusal

if TYPE_CHECKING:
    from syncd.sandbox.org import SandboxOrg

_VICTIMS = 2
_NOT_MERGED = frozenset(
    {"Id", "IsDeleted", "MasterRecordId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)
_BY_HAND = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}


class Person:
    """Somebody at work in the org; every act is stamped with the person's user id. Also a context manager, for reading ease."""

    def __init__(self, org: SandboxOrg, user: str) -> None:
        """`user` is a key of `org.users`."""
        self._org, self._user = org, user

    def __enter__(self) -> Self:
        """The person."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def create(self, name: str, values: dict[str, Any]) -> str:
        """Type a record in; gives its id."""
        return self._org.create(name, values, user=self._user)

    def edit(self, sf_id: str, values: dict[str, Any]) -> None:
        """Change fields of a record."""
        self._org.edit(sf_id, values, user=self._user)

    def delete(self, sf_id: str) -> None:
        """Put a record into the recycle bin."""
        self._org.delete(sf_id, user=self._user)

    def undelete(self, sf_id: str) -> None:
        """Take a record out of the recycle bin."""
        self._org.undelete(sf_id, user=self._user)

    def merge(self, master: str, victims: list[str]) -> None:
        """Merge up to two records into `master`."""
        self._org.merge(master, victims, user=self._user)

    def convert(self, sf_id: str, **options: str) -> str:
        """Convert a lead; gives the contact's id."""
        return self._org.convert(sf_id, user=self._user, **options)

    def complete_task(self, sf_id: str, *, on: date | None = None) -> None:
        """Tick a task off; its due date becomes `on`, or today when it had none."""
        row = self._org.row(sf_id) or {}
        day = on or row.get("ActivityDate") or self._org.clock.now().date()
        self.edit(sf_id, {"Status": "Completed", "ActivityDate": day.isoformat()})

    def schedule_event(self, who_id: str, subject: str, *, starts_at: datetime, minutes: int = 30) -> str:
        """Put a meeting with a lead or contact into the calendar; gives its id."""
        times = {"StartDateTime": starts_at.isoformat(), "DurationInMinutes": minutes}
        return self.create("Event", {"WhoId": who_id, "Subject": subject, **times})

    def move_stage(self, sf_id: str, stage: str) -> None:
        """Move an opportunity on, or back."""
        self.edit(sf_id, {"StageName": stage})

    def hold(self, sf_id: str, until: date | None) -> None:
        """Ask syncd to leave a lead alone until a day; None takes it back."""
        self.edit(sf_id, {"Syncd_Hold_Until__c": until.isoformat() if until else None})


def undelete(org: SandboxOrg, sf_id: str, *, user: str) -> None:
    """Take a record out of the recycle bin.

    Raises:
        Refusal: It is not there, it was merged, or a living record holds one of its unique values now.
    """
    found = org.find(sf_id)
    if found is None or not found[1]["IsDeleted"]:
        raise Refusal("UNDELETE_FAILED", "Entity is not in the recycle bin")
    name, row = found
    for one in org.objects[name].fields.values():
        holder = org.table(name).holder(one.name, row[one.name]) if one.unique and row.get(one.name) is not None else None
        if holder is not None:
            message = f"duplicate value found: {one.name} duplicates value on record with id: {holder}"
            raise Refusal("DUPLICATE_VALUE", message, [one.name])
    org.put(name, row["Id"], {**row, "IsDeleted": False, "MasterRecordId": None}, user=user, action="undelete", headers={})


def merge(org: SandboxOrg, master: str, victims: list[str], *, user: str) -> None:
    """Merge up to two records into `master`; its blank fields take the victims' values, which go to the recycle bin.

    Raises:
        Refusal: A record is missing, deleted, converted or of another object, or there are too many.
    """
    if not 1 <= len(victims) <= _VICTIMS:
        raise Refusal("INVALID_NUMBER_FOR_MERGE", "one or two records can be merged into a master")
    name, row = _living(org, master)
    losers = [_living(org, victim) for victim in victims]
    if any(other != name or loser["Id"] == row["Id"] for other, loser in losers) or len({one["Id"] for _, one in losers}) < len(
        losers
    ):
        raise Refusal("MERGE_FAILED", "records to merge must be different ones of one object")
    filled = dict(row)
    for _, loser in losers:
        for key, value in loser.items():
            one = org.objects[name].fields.get(key)
            if key not in _NOT_MERGED and filled.get(key) in (None, "") and one is not None and not one.unique:
                filled[key] = value
            if isinstance(value, bool) and key.startswith(("HasOptedOut", "DoNotCall")):
                # A person merging two records keeps the stricter wish.
                filled[key] = filled.get(key) or value
        org.put(
            name, loser["Id"], {**loser, "IsDeleted": True, "MasterRecordId": row["Id"]}, user=user, action="merge", headers={}
        )
    org.put(name, row["Id"], filled, user=user, action="merge", headers={})
    for _, loser in losers:
        derived.move_activities(org, loser["Id"], row["Id"], user=user)


def convert(
    org: SandboxOrg,
    sf_id: str,
    *,
    user: str,
    contact_id: str = "",
    account_id: str = "",
    opportunity_name: str = "",
    opportunity_id: str = "",
    status: str = "",
    owner_id: str = "",
) -> str:
    """Convert a lead in the org's own dialogue (see `conversion.convert`); gives the contact's id.

    The dialogue proposes the account of the contact, the first converted status and the person at work as owner, makes an
    opportunity only with a name, and lets a person save what a duplicate rule merely warns of.

    Raises:
        Refusal: Not a living, unconverted lead, or what `conversion.convert` refuses.
    """
    name, _ = _living(org, sf_id)
    if name != "Lead":
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", "only leads can be converted")
    if contact_id and not account_id:
        account_id = _living(org, contact_id)[1].get("AccountId") or ""
    wish = Conversion(
        lead_id=sf_id,
        status=status or next(row["ApiName"] for row in org.rows("LeadStatus") if row["IsConverted"]),
        account_id=account_id,
        contact_id=contact_id,
        opportunity_id=opportunity_id,
        opportunity_name=opportunity_name,
        has_opportunity=bool(opportunity_name or opportunity_id),
        owner_id=owner_id or user,
    )
    return conversion.convert(org, wish, user=user, headers=_BY_HAND).contact_id


def _living(org: SandboxOrg, sf_id: str) -> tuple[str, Row]:
    found = org.find(sf_id)
    if found is None:
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if found[1]["IsDeleted"]:
        raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
    if found[1].get("IsConverted"):
        raise Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    return found
