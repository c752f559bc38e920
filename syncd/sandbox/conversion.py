"""Converting a lead into an account, a contact and perhaps an opportunity, as the org does it for people and programs alike.

Source: reference salesforce.md 9.3 (SOAP API Developer Guide, convertLead(); Apex Reference, LeadConvert class). All or nothing
for one lead. What an admin demands of the target objects (rules, required fields, duplicate rules) is `saving`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from syncd.sandbox import derived
from syncd.sandbox.ids import canonical
from syncd.sandbox.table import Row, folded
from syncd.sandbox.values import Refusal

if TYPE_CHECKING:
    from syncd.sandbox.org import SandboxOrg

_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")
_SAME_ON_CONTACT = (
    "FirstName", "LastName", "Salutation", "Email", "Phone", "MobilePhone", "Fax", "Title", "LeadSource", "Description",
    "HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall", "IndividualId",
)  # fmt: skip
_SAME_ON_ACCOUNT = ("Phone", "Fax", "Website", "Industry", "Rating", "AnnualRevenue", "NumberOfEmployees")
_MAPPING: dict[str, dict[str, str]] = {
    "Account": {
        "Company": "Name",
        "LeadSource": "AccountSource",
        "CompanyDunsNumber": "DunsNumber",
        **{name: name for name in _SAME_ON_ACCOUNT},
        **{name: f"Billing{name}" for name in _ADDRESS},
    },
    "Contact": {**{name: name for name in _SAME_ON_CONTACT}, **{name: f"Mailing{name}" for name in _ADDRESS}},
    "Opportunity": {"Company": "Name", "LeadSource": "LeadSource"},
}
"""Standard fields of Lead to those of the targets. Source: Salesforce Help, "Lead Conversion Field Mapping" (details unverified)."""


@dataclass(frozen=True)
class Conversion:
    """What is wished for one lead; "" for nothing.

    Attributes:
        status: API name of a status of converted leads.
        account_id, contact_id, opportunity_id: Living records to merge into; without them new ones are made.
        opportunity_name: Of a new opportunity; the company's name without one.
        has_opportunity: Whether there shall be an opportunity at all.
        overwrites_source: Whether the contact takes the lead's LeadSource even when it has one.
        owner_id: A user who gets what is made; else the lead's owner.
        unchecked: Objects whose duplicate rule shall only warn.
        is_truncated: Whether values that are too long for their target are cut instead of refused.
    """

    lead_id: str
    status: str
    account_id: str = ""
    contact_id: str = ""
    opportunity_id: str = ""
    opportunity_name: str = ""
    has_opportunity: bool = True
    overwrites_source: bool = False
    owner_id: str = ""
    sends_mail: bool = False
    unchecked: frozenset[str] = frozenset()
    is_truncated: bool = False


@dataclass(frozen=True)
class Converted:
    """What a lead became; `opportunity_id` is "" without one, and so is `account_id` of a contact without one."""

    lead_id: str
    account_id: str
    contact_id: str
    opportunity_id: str


def convert(org: SandboxOrg, wish: Conversion, *, user: str, headers: dict[str, str]) -> Converted:
    """Convert one lead; a refusal takes back everything that was made for it.

    Raises:
        Refusal: Not a living, unconverted lead; a wrong status, owner or target; or a target object refuses to be saved.
    """
    with org.all_or_none() as take_back:
        try:
            return _Case(org, wish, user, headers).convert()
        except Refusal:
            take_back()
            raise


class _Case:
    """One conversion under way."""

    def __init__(self, org: SandboxOrg, wish: Conversion, user: str, headers: dict[str, str]) -> None:
        self._org, self._wish, self._user, self._headers = org, wish, user, headers
        self._lead = _living(org, "Lead", wish.lead_id, "leadId")

    def convert(self) -> Converted:
        org, wish = self._org, self._wish
        status = self._status()
        self._check_opportunity()
        owner = self._owner()
        account_id = self._account(owner)
        contact_id = self._contact(account_id, owner)
        opportunity_id = self._opportunity(account_id, contact_id, owner) if wish.has_opportunity else ""
        changed = {
            **self._lead,
            "IsConverted": True,
            "Status": status,
            "ConvertedAccountId": account_id or None,
            "ConvertedContactId": contact_id,
            "ConvertedOpportunityId": opportunity_id or None,
            "ConvertedDate": org.clock.now().date(),
        }
        sf_id = self._lead["Id"]
        org.put("Lead", sf_id, changed, user=self._user, action="convert", headers=self._headers)
        about = opportunity_id or account_id
        derived.move_activities(org, sf_id, contact_id, about=about, user=self._user, headers=self._headers)
        if wish.sends_mail:
            org.happened(org.side_effects, f"conversion mail {sf_id}")
        return Converted(sf_id, account_id, contact_id, opportunity_id)

    def _status(self) -> str:
        if self._lead["IsConverted"]:
            raise Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        for row in self._org.table("LeadStatus").rows.values():
            if row["IsConverted"] and folded(row["ApiName"]) == folded(self._wish.status):
                return str(row["ApiName"])
        raise Refusal("INVALID_STATUS", f"invalid convertedStatus: {self._wish.status}", ["convertedStatus"])

    def _check_opportunity(self) -> None:
        """Source: SOAP API Developer Guide, convertLead(), opportunityName and opportunityId (the codes are unverified)."""
        wish = self._wish
        if wish.opportunity_id and wish.opportunity_name:
            raise Refusal(
                "FIELD_INTEGRITY_EXCEPTION", "opportunityName and opportunityId exclude each other", ["opportunityName"]
            )
        if not wish.has_opportunity and (wish.opportunity_id or wish.opportunity_name):
            message = "opportunityName and opportunityId must be blank when doNotCreateOpportunity is true"
            raise Refusal("FIELD_INTEGRITY_EXCEPTION", message, ["opportunityName"])

    def _owner(self) -> str:
        """Who gets what is made: never a queue, which cannot own accounts and contacts (the code for that is unverified)."""
        owner_id = self._wish.owner_id or self._lead["OwnerId"]
        found = self._org.find(owner_id)
        if self._wish.owner_id and (found is None or found[0] != "User"):
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "OwnerId: invalid cross reference id", ["OwnerId"])
        if found is None or found[0] != "User":
            message = "Converted objects can only be owned by users. If the lead is not owned by a user, you must specify a user"
            raise Refusal("INVALID_OWNER", message, ["OwnerId"])
        if self._wish.owner_id and not found[1]["IsActive"]:
            raise Refusal("INACTIVE_OWNER_OR_USER", "operation performed with inactive user as owner", ["OwnerId"])
        return str(found[1]["Id"])

    def _account(self, owner: str) -> str:
        if self._wish.account_id:
            row = _living(self._org, "Account", self._wish.account_id, "accountId")
            return self._fill("Account", row, {})
        if self._wish.contact_id:
            return ""
        return self._make("Account", {"OwnerId": owner})

    def _contact(self, account_id: str, owner: str) -> str:
        if not self._wish.contact_id:
            return self._make("Contact", {"AccountId": account_id or None, "OwnerId": owner})
        row = _living(self._org, "Contact", self._wish.contact_id, "contactId")
        if (row.get("AccountId") or "") != account_id:
            # Source: SOAP API Developer Guide, convertLead(), contactId (the code is unverified).
            message = "contactId: the contact must be associated with the specified accountId"
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", message, ["contactId"])
        source = self._lead.get("LeadSource")
        return self._fill("Contact", row, {"LeadSource": source} if self._wish.overwrites_source and source else {})

    def _opportunity(self, account_id: str, contact_id: str, owner: str) -> str:
        org = self._org
        if not self._wish.opportunity_id:
            named = {"Name": self._wish.opportunity_name} if self._wish.opportunity_name else {}
            fixed = {"StageName": _first_stage(org), "CloseDate": _quarter_end(org.clock.now().date()).isoformat()}
            links = {"AccountId": account_id or None, "ContactId": contact_id, "OwnerId": owner}
            return self._make("Opportunity", {**fixed, **links, **named})
        row = _living(org, "Opportunity", self._wish.opportunity_id, "opportunityId")
        if row.get("AccountId") not in (None, account_id):
            message = "opportunityId: the opportunity belongs to another account"
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", message, ["opportunityId"])
        roles = derived.roles(org, row["Id"])
        if all(one["ContactId"] != contact_id for one in roles):
            role = {"OpportunityId": row["Id"], "ContactId": contact_id, "IsPrimary": not any(one["IsPrimary"] for one in roles)}
            org.save("OpportunityContactRole", None, role, user=self._user, headers=self._headers, is_checked=True)
        return self._fill("Opportunity", row, {})

    def _make(self, name: str, values: dict[str, Any]) -> str:
        mapped = {key: value for key, value in self._mapped(name, is_new=True).items() if value is not None}
        headers = dict(self._headers)
        if name in self._wish.unchecked:
            headers["Sforce-Duplicate-Rule-Header"] = "allowSave=true"
        return self._org.save(name, None, {**mapped, **values}, user=self._user, headers=headers, is_checked=True)

    def _fill(self, name: str, row: Row, overwritten: dict[str, Any]) -> str:
        """Merge into a record: only its empty fields are filled. A checkbox is never empty."""
        wanted = self._mapped(name, is_new=False)
        blanks = {key: value for key, value in wanted.items() if value is not None and row.get(key) is None}
        changed = {key: value for key, value in {**blanks, **overwritten}.items() if row.get(key) != value}
        if changed:
            self._org.save(name, row["Id"], changed, user=self._user, headers=self._headers, is_checked=True)
        return str(row["Id"])

    def _mapped(self, name: str, *, is_new: bool) -> dict[str, Any]:
        """The lead's values under the names of a target object, as far as the org lets them be written."""
        pairs = list(_MAPPING[name].items())
        for source, targets in self._org.lead_mapping.items():
            pairs += [(source, target.partition(".")[2]) for target in targets if target.partition(".")[0] == name]
        found = {}
        for source, target in pairs:
            one = self._org.objects[name].fields.get(target)
            if one is not None and (one.createable if is_new else one.updateable):
                value = self._lead.get(source)
                found[target] = value[: one.length] if self._wish.is_truncated and isinstance(value, str) else value
        return found


def _living(org: SandboxOrg, name: str, sf_id: str, argument: str) -> Row:
    """The living record of an object that an argument names."""
    if canonical(sf_id) is None:
        raise Refusal("MALFORMED_ID", f"{argument}: bad id", [argument])
    found = org.find(sf_id)
    if found is None or found[0] != name:
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", f"{argument}: invalid cross reference id", [argument])
    if found[1]["IsDeleted"]:
        raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
    return found[1]


def _first_stage(org: SandboxOrg) -> str:
    """The stage that a conversion gives: the first open one (unverified)."""
    stages = [row for row in org.table("OpportunityStage").rows.values() if row["IsActive"] and not row["IsClosed"]]
    return str(min(stages, key=lambda row: row["SortOrder"])["ApiName"])


def _quarter_end(day: date) -> date:
    """The close date that a conversion gives: the last day of the quarter (unverified; of the calendar here, not the fiscal year)."""
    month = (day.month - 1) // 3 * 3 + 3
    return date(day.year, month, 31 if month in (3, 12) else 30)
