"""What admins change in the set-up of an org, also overnight: statuses, stages, users, queues, record types, currencies, mappings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncd.sandbox.objects import currency_type
from syncd.sandbox.schema import Field
from syncd.sandbox.table import Row, folded
from syncd.sandbox.values import Refusal

if TYPE_CHECKING:
    from syncd.sandbox.org import SandboxOrg

_WITH_CURRENCY = ("Lead", "Contact", "Account", "Opportunity", "OpportunityLineItem")


class Admin:
    """The org's set-up. Changes count as the org's own: they are not in the history of records."""

    def __init__(self, org: SandboxOrg) -> None:
        """Work on `org`."""
        self._org = org

    # ------------------------------------------------------------------ lead statuses and stages

    def add_status(self, name: str, *, is_converted: bool = False) -> None:
        """One more lead status, at the end of the list."""
        with self._org.lock:
            orders = [row["SortOrder"] for row in self._rows("LeadStatus")]
            shown = {"ApiName": name, "MasterLabel": name, "SortOrder": max(orders, default=0) + 1}
            self._org.set_up("LeadStatus", IsConverted=is_converted, IsDefault=not orders, **shown)
            align(self._org)

    def delete_status(self, name: str, *, moved_to: str = "") -> None:
        """A lead status is gone, from LeadStatus and the picklist; leads keep the value unless they are moved to another.

        Raises:
            Refusal: There is none of that name, or it is the default.
        """
        with self._org.lock:
            row = self._named("LeadStatus", "ApiName", name)
            if row["IsDefault"]:
                raise Refusal("DELETE_FAILED", "the default status cannot be deleted")
            if moved_to:
                target = self._named("LeadStatus", "ApiName", moved_to)
                for lead in [one for one in self._org.table("Lead").rows.values() if one["Status"] == row["ApiName"]]:
                    self._org.note("Lead", lead["Id"], {"Status": target["ApiName"]})
            self._org.table("LeadStatus").drop(row["Id"])
            align(self._org)

    def set_default_status(self, name: str) -> None:
        """New leads get another status."""
        with self._org.lock:
            chosen = self._named("LeadStatus", "ApiName", name)
            for row in self._rows("LeadStatus"):
                self._org.note("LeadStatus", row["Id"], {"IsDefault": row["Id"] == chosen["Id"]})
            align(self._org)

    def set_stage_active(self, name: str, *, is_active: bool) -> None:
        """An opportunity stage is offered no longer, or again."""
        with self._org.lock:
            self._org.note("OpportunityStage", self._named("OpportunityStage", "ApiName", name)["Id"], {"IsActive": is_active})
            align(self._org)

    # ------------------------------------------------------------------ users and queues

    def add_user(self, name: str) -> str:
        """One more person, active; gives the id, which is also in `org.users`."""
        mail = f"{name}@sandbox.example.com"
        told = {"Username": mail, "Email": mail, "UserType": "Standard", "IsActive": True}
        with self._org.lock:
            self._org.users[name] = self._org.set_up("User", Name=name.title(), **told)
            return self._org.users[name]

    def set_user_active(self, user: str, *, is_active: bool) -> None:
        """A person leaves, or comes back; what they own stays theirs."""
        with self._org.lock:
            self._org.note("User", self._org.users[user], {"IsActive": is_active})

    def rename_queue(self, queue_id: str, name: str) -> None:
        """A queue gets another name and developer name."""
        with self._org.lock:
            self._org.note("Group", queue_id, {"Name": name, "DeveloperName": name.replace(" ", "_")})

    def stop_queue(self, queue_id: str) -> None:
        """A queue takes no leads any more; those it has stay in it."""
        with self._org.lock:
            for row in self._rows("QueueSobject"):
                if row["QueueId"] == queue_id and row["SobjectType"] == "Lead":
                    self._org.table("QueueSobject").drop(row["Id"])

    def set_members(self, queue_id: str, users: list[str]) -> None:
        """Exactly these people, by their keys in `org.users`, are members of a queue."""
        with self._org.lock:
            for row in self._rows("GroupMember"):
                if row["GroupId"] == queue_id:
                    self._org.table("GroupMember").drop(row["Id"])
            for user in users:
                self._org.set_up("GroupMember", GroupId=queue_id, UserOrGroupId=self._org.users[user])

    def allow_converting(self, *, is_allowed: bool) -> None:
        """The integration user gets the permission Convert Leads, or loses it."""
        with self._org.lock:
            for row in self._rows("UserPermissionAccess"):
                self._org.note("UserPermissionAccess", row["Id"], {"PermissionsConvertLeads": is_allowed})

    # ------------------------------------------------------------------ record types, currencies, mapping

    def add_record_type(self, name: str, developer_name: str, *, label: str = "", process: Sequence[str] = ()) -> str:
        """A record type of an object; gives its id. `process`: the statuses, or stages, that it offers; none for all."""
        told = {"SobjectType": name, "DeveloperName": developer_name, "Name": label or developer_name, "IsActive": True}
        with self._org.lock:
            sf_id = self._org.set_up("RecordType", **told)
            self.set_process(sf_id, process)
            return sf_id

    def set_process(self, record_type_id: str, process: Sequence[str]) -> None:
        """A record type offers other statuses, or stages; none for all. Saves are not held to it, as in the org (unverified)."""
        with self._org.lock:
            self._org.processes.pop(record_type_id, None)
            if process:
                self._org.processes[record_type_id] = list(process)

    def allow_record_type(self, record_type_id: str, *, is_allowed: bool = True, is_default: bool = False) -> None:
        """The integration user may give a record type to records, or may not; and as its default. What it is saves only with its own id."""
        for ids, is_in in ((self._org.closed_record_types, not is_allowed), (self._org.default_record_types, is_default)):
            ids.add(record_type_id) if is_in else ids.discard(record_type_id)

    def use_currencies(self, corporate: str, *others: str) -> None:
        """Make it an org with several currencies: CurrencyType, and CurrencyIsoCode on records, by default the corporate one."""
        org = self._org
        with org.lock:
            org.currencies = [corporate, *others]
            org.add_object(currency_type())
            for number, code in enumerate(org.currencies):
                rate = {"IsoCode": code, "ConversionRate": 1.0 + number / 10, "DecimalPlaces": 2}
                org.set_up("CurrencyType", IsActive=True, IsCorporate=not number, **rate)
            for name in _WITH_CURRENCY:
                more = {"restricted": True, "picklist": tuple(org.currencies), "default": corporate, "defaulted": True}
                org.add_field(name, Field("CurrencyIsoCode", "picklist", 3, nillable=False, **more))  # type: ignore[arg-type]
                for row in self._rows(name):
                    org.note(name, row["Id"], {"CurrencyIsoCode": corporate})

    def map_lead_field(self, field: str, *targets: str) -> None:
        """Have conversions copy a custom field of Lead to others, named `Contact.X__c`.

        Raises:
            KeyError: There is no such field.
        """
        with self._org.lock:
            for target in (f"Lead.{field}", *targets):
                name, _, field_name = target.partition(".")
                self._org.objects[name].fields[field_name]
            self._org.lead_mapping[field] = list(targets)

    def _rows(self, name: str) -> list[Row]:
        return list(self._org.table(name).rows.values())

    def _named(self, name: str, field: str, value: str) -> Row:
        for row in self._rows(name):
            if folded(row[field]) == folded(value):
                return row
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", f"no {name} named {value}")


def align(org: SandboxOrg) -> None:
    """Make the picklists of Lead.Status and Opportunity.StageName what LeadStatus and OpportunityStage say."""
    statuses = sorted(org.table("LeadStatus").rows.values(), key=lambda row: row["SortOrder"])
    default = next((row["ApiName"] for row in statuses if row["IsDefault"]), None)
    org.objects["Lead"].change("Status", picklist=tuple(row["ApiName"] for row in statuses), default=default)
    stages = sorted(org.table("OpportunityStage").rows.values(), key=lambda row: row["SortOrder"])
    offered = tuple(row["ApiName"] for row in stages if row["IsActive"])
    org.objects["Opportunity"].change("StageName", picklist=offered, default=None)
