"""One model of a Salesforce org: records, ids, stamps, rules, history. No HTTP here; see rest.py.

Deterministic for a seed and a clock. Behaves as the reference says (salesforce.md 5, 8, 9, 11), also where that is inconvenient.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from syncd.clock import Clock, SystemClock
from syncd.sandbox import derived, people, reading, saving
from syncd.sandbox.admin import Admin
from syncd.sandbox.faults import FaultBox
from syncd.sandbox.ids import canonical, long_id
from syncd.sandbox.later import Later
from syncd.sandbox.objects import LEAD_STATUSES, STAGES
from syncd.sandbox.records import Audit, Records
from syncd.sandbox.schema import Field
from syncd.sandbox.soql import Query
from syncd.sandbox.table import Row
from syncd.sandbox.values import CallRefusal, Refusal

CONSUMER_KEY = "sandbox-key"
CONSUMER_SECRET = "sandbox-secret"  # noqa: S105 - the sandbox's, public on purpose

# People save without "assign using active rule"; programs get the rule unless they say no.
_BY_HAND = {"Sforce-Auto-Assign": "FALSE"}

Rule = Callable[["SandboxOrg", dict[str, Any]], str | None]
"""A validation rule: org and row to the message of a refusal, or None."""
Trigger = Callable[["SandboxOrg", dict[str, Any]], dict[str, Any]]
"""A trigger: org and row to the fields it changes."""
DuplicateRule = Callable[["SandboxOrg", dict[str, Any]], list[str]]
"""A duplicate rule: org and new row to the ids of the records it matches."""


class SandboxOrg(Records):
    """The org. Safe for threads; all state in memory.

    Attributes:
        objects: Describes by name; add fields with `add_field`.
        hidden: Fields that field-level security keeps from the integration user (say HasOptedOutOfEmail).
        rules, rules_of: Validation rules for every object, and by object. triggers: Edits after validation.
        duplicate_rule: Org and new lead to the ids of its matches; duplicate_rules: the same by object, for all but Lead.
        duplicate_action: allow, alert (overridable) or block.
        lead_mapping: Custom fields of Lead to the fields that a conversion copies them to (`Contact.X__c`); see `admin`.
        processes: Record type id to the statuses, or stages, that it offers; without an entry all.
        closed_record_types, default_record_types: Ids of those that the integration user may give to no record, and of those that its
            new records are meant to have.
        currencies: The ISO codes of an org with several currencies, the corporate one first.
        assignment_rule: Org and lead to the owner, None for none; without a rule the queue "Inbound Leads" takes all.
        visibility_delay: How long queries go on seeing what a commit replaced.
        assignment_runs: Lead id to how often the rule ran. side_effects: Name to how often it happened.
        audit: Every write, oldest first.
    """

    def __init__(self, *, seed: int = 0, clock: Clock | None = None, daily_limit: int = 100_000) -> None:
        """An org with users, a queue and statuses, and no leads."""
        super().__init__(clock or SystemClock())
        self.chance = random.Random(seed)
        self.faults = FaultBox(seed)
        self.later = Later()
        self.daily_limit = daily_limit
        self.api_calls = 0
        self.hidden: set[str] = set()
        self.may_edit_converted = False
        self.page_size = 2_000
        self.assignment_rule: Callable[[SandboxOrg, dict[str, Any]], str | None] | None = None
        self.assignment_runs: Counter[str] = Counter()
        self.side_effects: Counter[str] = Counter()
        self.rules: list[Rule] = []
        self.rules_of: dict[str, list[Rule]] = {}
        self.triggers: list[Trigger] = []
        self.duplicate_rule: DuplicateRule | None = None
        self.duplicate_rules: dict[str, DuplicateRule] = {}
        self.duplicate_action = "alert"
        self.lead_mapping: dict[str, list[str]] = {}
        self.currencies: list[str] = []
        self.processes: dict[str, list[str]] = {}
        self.closed_record_types: set[str] = set()
        self.default_record_types: set[str] = set()
        self.tokens: set[str] = set()
        self.cursors: dict[str, tuple[list[dict[str, Any]], int]] = {}
        self.bulk_jobs: dict[str, dict[str, Any]] = {}
        self._described: dict[str, tuple[str, datetime]] = {}
        self.users: dict[str, str] = {}
        self._found()

    def _found(self) -> None:
        """What every org has from its first day."""
        self.org_id = long_id("00D", 1)
        for name in ("integration", "rep1", "rep2", "rep3", "gone"):
            mail = f"{name}@sandbox.example.com"
            told = {"Username": mail, "Email": mail, "UserType": "Standard", "IsActive": name != "gone"}
            self.users[name] = self.set_up("User", Name=name.title(), **told)
        self.integration_user_id = self.users["integration"]
        self.queue_id = self.add_queue("Inbound Leads")
        self.add_queue("Partner Leads")
        kind = {"Name": "Sandbox", "OrganizationType": "Developer Edition", "InstanceName": "LOCAL", "IsSandbox": False}
        self.set_up("Organization", Id=self.org_id, **kind)
        self.set_up("UserPermissionAccess", PermissionsConvertLeads=True)
        for name, is_validated in (("Revenue", True), ("Overlay", False)):
            self.set_up(
                "OpportunitySplitType", DeveloperName=name, MasterLabel=name, IsActive=True, IsTotalValidated=is_validated
            )
        for order, (name, is_converted) in enumerate(LEAD_STATUSES.items()):
            shown = {"ApiName": name, "MasterLabel": name, "IsDefault": order == 0, "SortOrder": order + 1}
            self.set_up("LeadStatus", IsConverted=is_converted, **shown)
        for order, (name, (probability, category)) in enumerate(STAGES.items()):
            shown = {"ApiName": name, "MasterLabel": name, "IsActive": True, "SortOrder": order + 1}
            ends = {"IsClosed": category != "Pipeline", "IsWon": category == "Closed"}
            self.set_up("OpportunityStage", DefaultProbability=probability, ForecastCategoryName=category, **shown, **ends)

    # ------------------------------------------------------------------ reading

    def select(self, query: Query, *, with_deleted: bool) -> list[Row]:
        """Matching records; see `reading.select`."""
        return reading.select(self, query, with_deleted=with_deleted)

    # ------------------------------------------------------------------ people at work

    def as_user(self, user: str) -> people.Person:
        """A handle on somebody of `users`.

        Raises:
            KeyError: There is no such user.
        """
        return people.Person(self, next(name for name in (user,) if self.users[name]))

    @property
    def admin(self) -> Admin:
        """A handle on the org's set-up: statuses, users, queues, record types, currencies."""
        return Admin(self)

    def create(self, name: str, values: dict[str, Any], *, user: str = "rep1") -> str:
        """A person types a record in; gives its id."""
        with self.lock:
            return self.save(name, None, values, user=self.users[user], headers=_BY_HAND)

    def edit(self, sf_id: str, values: dict[str, Any], *, user: str = "rep1") -> None:
        """A person edits a record."""
        with self.lock:
            found = self.find(sf_id)
            if found is None:
                raise Refusal("NOT_FOUND", "no such record")
            self.save(found[0], found[1]["Id"], values, user=self.users[user], headers=_BY_HAND)

    def delete(self, sf_id: str, *, user: str = "rep1") -> None:
        """A person deletes a record (recycle bin)."""
        with self.lock:
            self.remove(sf_id, user=self.users[user])

    def undelete(self, sf_id: str, *, user: str = "rep1") -> None:
        """A person takes a record out of the recycle bin."""
        with self.lock:
            people.undelete(self, sf_id, user=self.users[user])

    def purge(self, sf_id: str) -> None:
        """A record leaves the recycle bin for good, or the org altogether."""
        with self.lock:
            found = self.find(sf_id)
            if found is not None:
                self._tables[found[0]].drop(found[1]["Id"], self._second())
                self.audit.append(Audit(self.clock.now(), "", found[0], found[1]["Id"], "purge", {}, {}))

    def merge(self, master: str, victims: list[str], *, user: str = "rep1") -> None:
        """A person merges up to two records into `master`; blank fields of the master take the victims' values."""
        with self.lock:
            people.merge(self, master, victims, user=self.users[user])

    def convert(self, sf_id: str, *, user: str = "rep1", **options: str) -> str:
        """A person converts a lead; gives the contact's id. See `people.convert` for the options."""
        with self.lock:
            return people.convert(self, sf_id, user=self.users[user], **options)

    # ------------------------------------------------------------------ set-up and disturbance

    def add_field(self, object: str, one: Field) -> None:
        """Give an object a custom field."""
        with self.lock:
            self.objects[object].add(one)

    def add_queue(self, name: str) -> str:
        """A queue that takes leads; gives its id."""
        queue_id = self.set_up("Group", Name=name, DeveloperName=name.replace(" ", "_"), Type="Queue")
        self.set_up("QueueSobject", QueueId=queue_id, SobjectType="Lead")
        return queue_id

    def takes(self, queue_id: str, name: str) -> bool:
        """Whether a queue takes records of an object."""
        links = self._tables["QueueSobject"].rows.values()
        return any(row["QueueId"] == queue_id and row["SobjectType"] == name for row in links)

    def expire_tokens(self) -> None:
        """Every session dies; log in again."""
        with self.lock:
            self.tokens.clear()

    def settle(self) -> None:
        """Carry out now what was left for later (Kind.LATE)."""
        self.later.settle()

    def save_to(self, path: Path) -> None:
        """Write everything but rules, faults and sessions to a JSON file."""
        from syncd.sandbox.state import write

        write(self, path)

    @classmethod
    def load(cls, path: Path, *, seed: int = 0, clock: Clock | None = None) -> Self:
        """The org that `save_to` wrote.

        Raises:
            ConfigError: The file cannot be read.
        """
        from syncd.sandbox.state import read

        org = cls(seed=seed, clock=clock)
        read(org, path)
        return org

    def described_at(self, name: str, version: str) -> datetime:
        """When the describe of an object became what `version` tells, for If-Modified-Since."""
        known = self._described.get(name)
        if known is None or known[0] != version:
            # A change within one second must still look newer: HTTP dates know nothing smaller.
            earliest = known[1] + timedelta(seconds=1) if known else self._second()
            known = self._described[name] = (version, max(self._second(), earliest))
        return known[1]

    # ------------------------------------------------------------------ writing

    def save(
        self,
        name: str,
        sf_id: str | None,
        values: dict[str, Any],
        *,
        user: str,
        headers: dict[str, str],
        is_checked: bool = False,
        duties: saving.Duties | None = None,
    ) -> str:
        """Create (`sf_id` None) or update one record with everything an org does on save; gives the id. See `saving.save`."""
        return saving.save(self, name, sf_id, values, user=user, headers=headers, is_checked=is_checked, duties=duties)

    def stored(self, name: str, old: Row | None, new: Row) -> None:
        """An activity sets the last activity of what it hangs on."""
        if name in derived.ACTIVITIES:
            derived.settle_last_activity(self, old, new)

    def remove(self, sf_id: str, *, user: str, headers: dict[str, str] | None = None) -> None:
        """Delete one record softly.

        Raises:
            Refusal: There is none, or it is deleted already.
        """
        found = self.find(sf_id)
        if found is None:
            code = "INVALID_CROSS_REFERENCE_KEY" if canonical(sf_id) else "MALFORMED_ID"
            raise Refusal(code, "invalid cross reference id" if canonical(sf_id) else "malformed id")
        name, row = found
        if row["IsDeleted"]:
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
        if user == self.integration_user_id and not self.objects[name].is_deletable:
            raise Refusal("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        self.put(name, row["Id"], {**row, "IsDeleted": True}, user=user, action="delete", headers=headers or {})


__all__ = ["CONSUMER_KEY", "CONSUMER_SECRET", "Audit", "CallRefusal", "Refusal", "SandboxOrg", "long_id"]
