"""What people do in the org besides typing: deleting, restoring, merging and converting; and a handle on one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from syncd.sandbox.schema import LEAD_STATUSES
from syncd.sandbox.table import Row
from syncd.sandbox.values import Refusal

if TYPE_CHECKING:
    from syncd.sandbox.org import SandboxOrg

_VICTIMS = 2
_NOT_MERGED = frozenset(
    {"Id", "IsDeleted", "MasterRecordId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)
_TO_CONTACT = (
    "FirstName", "LastName", "Salutation", "Email", "Phone", "MobilePhone", "Fax", "Title", "LeadSource", "Description",
    "HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall",
)  # fmt: skip
_WITHOUT_RULE = {"Sforce-Auto-Assign": "FALSE"}
_CLOSES_IN = timedelta(days=90)


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


def convert(
    org: SandboxOrg, sf_id: str, *, contact_id: str, account_id: str, opportunity_name: str, status: str, user: str
) -> str:
    """Convert a lead as the org does (salesforce.md 9.3); gives the contact's id.

    Without ids a contact, and an account named after the company, are made; an existing contact gets its blank fields filled.
    An opportunity only with a name.

    Raises:
        Refusal: Not a living, unconverted lead, or `status` is none of a converted lead.
    """
    name, row = _living(org, sf_id)
    if name != "Lead":
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", "only leads can be converted")
    status = status or next(one for one, is_converted in LEAD_STATUSES.items() if is_converted)
    if not LEAD_STATUSES.get(status):
        raise Refusal("INVALID_STATUS", "invalid convertedStatus")
    if contact_id:
        contact_id, account_id = _fill_contact(org, row, contact_id, account_id, user)
    else:
        account_id = account_id or org.save("Account", None, {"Name": row["Company"]}, user=user, headers={})
        values = {key: row[key] for key in _TO_CONTACT if row.get(key) is not None and key not in org.hidden}
        contact_id = org.save("Contact", None, {**values, "AccountId": account_id}, user=user, headers={})
    opportunity_id = None
    if opportunity_name:
        closes_on = (org.clock.now() + _CLOSES_IN).date().isoformat()
        values = {"Name": opportunity_name, "AccountId": account_id or None, "StageName": "Prospecting", "CloseDate": closes_on}
        opportunity_id = org.save("Opportunity", None, values, user=user, headers={})
    changed = {
        **row,
        "IsConverted": True,
        "Status": status,
        "ConvertedContactId": contact_id,
        "ConvertedAccountId": account_id or None,
        "ConvertedOpportunityId": opportunity_id,
        "ConvertedDate": org.clock.now().date(),
    }
    org.put(name, row["Id"], changed, user=user, action="convert", headers={})
    return contact_id


def _fill_contact(org: SandboxOrg, lead: Row, contact_id: str, account_id: str, user: str) -> tuple[str, str]:
    name, contact = _living(org, contact_id)
    if name != "Contact":
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    blanks = {
        key: lead[key]
        for key in _TO_CONTACT
        if contact.get(key) is None and lead.get(key) is not None and key not in org.hidden
    }  # fmt: skip
    if blanks:
        org.save(name, contact["Id"], blanks, user=user, headers=_WITHOUT_RULE)
    return contact["Id"], account_id or contact.get("AccountId") or ""


def _living(org: SandboxOrg, sf_id: str) -> tuple[str, Row]:
    found = org.find(sf_id)
    if found is None:
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if found[1]["IsDeleted"]:
        raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
    if found[1].get("IsConverted"):
        raise Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    return found
