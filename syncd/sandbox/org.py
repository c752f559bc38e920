"""One model of a Salesforce org: records, ids, stamps, rules, history. No HTTP here; see rest.py.

Deterministic for a seed and a clock. Behaves as the reference says (salesforce.md 5, 8, 9, 11), also where that is inconvenient.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from syncd.clock import Clock, SystemClock
from syncd.sandbox import derived, people, reading, saving
from syncd.sandbox.admin import Admin
from syncd.sandbox.faults import FaultBox
from syncd.sandbox.ids import canonical, long_id
from syncd.sandbox.later import Later
from syncd.sandbox.objects import LEAD_STATUSES, STAGES, stock_objects
from syncd.sandbox.schema import Field, Object
from syncd.sandbox.soql import Query
from syncd.sandbox.table import Row, Table
from syncd.sandbox.values import CallRefusal, Refusal

CONSUMER_KEY = "sandbox-key"
CONSUMER_SECRET = "sandbox-secret"  # noqa: S105 - the sandbox's, public on purpose

_SYSTEM = frozenset(
    {"Id", "IsDeleted", "MasterRecordId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)
# People save without "assign using active rule"; programs get the rule unless they say no.
_BY_HAND = {"Sforce-Auto-Assign": "FALSE"}

Rule = Callable[["SandboxOrg", dict[str, Any]], str | None]
"""A validation rule: org and row to the message of a refusal, or None."""
Trigger = Callable[["SandboxOrg", dict[str, Any]], dict[str, Any]]
"""A trigger: org and row to the fields it changes."""
DuplicateRule = Callable[["SandboxOrg", dict[str, Any]], list[str]]
"""A duplicate rule: org and new row to the ids of the records it matches."""


@dataclass(frozen=True)
class Audit:
    """One write as the org's history shows it; `before` and `after` hold the changed fields.

    `at` is exact, unlike the stamps of records, which have the precision of a second: ages are measured by it.
    """

    at: datetime
    user: str
    object: str
    sf_id: str
    action: str  # create, update, delete, undelete, merge, convert, purge
    before: dict[str, Any]
    after: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


class SandboxOrg:
    """The org. Safe for threads; all state in memory.

    Attributes:
        objects: Describes by name; add fields with `add_field`.
        hidden: Fields that field-level security keeps from the integration user (say HasOptedOutOfEmail).
        rules, rules_of: Validation rules for every object, and by object. triggers: Edits after validation.
        duplicate_rule: Org and new lead to the ids of its matches; duplicate_rules: the same by object, for all but Lead.
        duplicate_action: allow, alert (overridable) or block.
        lead_mapping: Custom fields of Lead to the fields that a conversion copies them to (`Contact.X__c`); see `admin`.
        currencies: The ISO codes of an org with several currencies, the corporate one first.
        assignment_rule: Org and lead to the owner, None for none; without a rule the queue "Inbound Leads" takes all.
        visibility_delay: How long queries go on seeing what a commit replaced.
        assignment_runs: Lead id to how often the rule ran. side_effects: Name to how often it happened.
        audit: Every write, oldest first.
    """

    def __init__(self, *, seed: int = 0, clock: Clock | None = None, daily_limit: int = 100_000) -> None:
        """An org with users, a queue and statuses, and no leads."""
        self.clock: Clock = clock or SystemClock()
        self.chance = random.Random(seed)
        self.lock = threading.RLock()
        self.objects: dict[str, Object] = stock_objects()
        self.faults = FaultBox(seed)
        self.later = Later()
        self.daily_limit = daily_limit
        self.api_calls = 0
        self.hidden: set[str] = set()
        self.may_edit_converted = False
        self.visibility_delay = timedelta(0)
        self.page_size = 2_000
        self.assignment_rule: Callable[[SandboxOrg, dict[str, Any]], str | None] | None = None
        self.assignment_runs: Counter[str] = Counter()
        self.side_effects: Counter[str] = Counter()
        self.audit: list[Audit] = []
        self.rules: list[Rule] = []
        self.rules_of: dict[str, list[Rule]] = {}
        self.triggers: list[Trigger] = []
        self.duplicate_rule: DuplicateRule | None = None
        self.duplicate_rules: dict[str, DuplicateRule] = {}
        self.duplicate_action = "alert"
        self.lead_mapping: dict[str, list[str]] = {}
        self.currencies: list[str] = []
        self.tokens: set[str] = set()
        self.cursors: dict[str, tuple[list[dict[str, Any]], int]] = {}
        self.bulk_jobs: dict[str, dict[str, Any]] = {}
        self.numbers: Counter[str] = Counter()
        self._described: dict[str, tuple[str, datetime]] = {}
        self._journal: list[tuple[str, str, Row | None]] | None = None
        self._effects: list[tuple[Counter[str], str]] = []
        self._tables: dict[str, Table] = {name: Table(one) for name, one in self.objects.items()}
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
        for order, (name, is_converted) in enumerate(LEAD_STATUSES.items()):
            shown = {"ApiName": name, "MasterLabel": name, "IsDefault": order == 0, "SortOrder": order + 1}
            self.set_up("LeadStatus", IsConverted=is_converted, **shown)
        for order, (name, (probability, category)) in enumerate(STAGES.items()):
            shown = {"ApiName": name, "MasterLabel": name, "IsActive": True, "SortOrder": order + 1}
            ends = {"IsClosed": category != "Pipeline", "IsWon": category == "Closed"}
            self.set_up("OpportunityStage", DefaultProbability=probability, ForecastCategoryName=category, **shown, **ends)

    # ------------------------------------------------------------------ reading

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Every record of an object, deleted ones too, as plain dicts (copies)."""
        with self.lock:
            return [dict(row) for row in self._tables[name].rows.values()]

    def row(self, sf_id: str) -> dict[str, Any] | None:
        """One record by id of 15 or 18 characters; also a deleted one."""
        with self.lock:
            found = self.find(sf_id)
            return dict(found[1]) if found else None

    def find(self, sf_id: str) -> tuple[str, Row] | None:
        """Object and stored row of an id, also a deleted one; the row is not to be changed."""
        for form in (sf_id, canonical(sf_id) or ""):
            for name, described in self.objects.items():
                if form[:3] == described.prefix and (row := self._tables[name].rows.get(form)) is not None:
                    return name, row
        return None

    def table(self, name: str) -> Table:
        """The rows of an object, for the modules of the sandbox."""
        return self._tables[name]

    def by_external_id(self, name: str, field_name: str, value: str) -> dict[str, Any] | None:
        """The living record with a unique value."""
        with self.lock:
            holder = self._tables[name].holder(field_name, value)
            return self._tables[name].rows[holder] if holder else None

    def select(self, query: Query, *, with_deleted: bool) -> list[Row]:
        """Matching records; see `reading.select`."""
        return reading.select(self, query, with_deleted=with_deleted)

    def history(self, sf_id: str) -> Iterator[Audit]:
        """What happened to one record, oldest first."""
        with self.lock:
            return iter([one for one in self.audit if one.sf_id == sf_id])

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
            self.objects[object].fields[one.name] = one

    def add_queue(self, name: str) -> str:
        """A queue that takes leads; gives its id."""
        queue_id = self.set_up("Group", Name=name, DeveloperName=name.replace(" ", "_"), Type="Queue")
        self.set_up("QueueSobject", QueueId=queue_id, SobjectType="Lead")
        return queue_id

    def takes(self, queue_id: str, name: str) -> bool:
        """Whether a queue takes records of an object."""
        links = self._tables["QueueSobject"].rows.values()
        return any(row["QueueId"] == queue_id and row["SobjectType"] == name for row in links)

    def add_object(self, one: Object) -> None:
        """Give the org one more object."""
        self.objects[one.name] = one
        self._tables[one.name] = Table(one)

    def forget(self, name: str) -> None:
        """Drop every record of an object, as if there had never been one."""
        self._tables[name] = Table(self.objects[name])

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
    ) -> str:
        """Create (`sf_id` None) or update one record with everything an org does on save; gives the id. See `saving.save`."""
        return saving.save(self, name, sf_id, values, user=user, headers=headers, is_checked=is_checked)

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
        self.put(name, row["Id"], {**row, "IsDeleted": True}, user=user, action="delete", headers=headers or {})

    def put(self, name: str, sf_id: str, row: Row, *, user: str, action: str, headers: dict[str, str]) -> None:
        """Store a row with fresh stamps and write it into the history."""
        table = self._tables[name]
        old = table.rows.get(sf_id)
        now = self._second()
        new = {**row, "Id": sf_id, "LastModifiedById": user, "LastModifiedDate": now, "SystemModstamp": now}
        if old is None:
            new |= {"CreatedById": user, "CreatedDate": now, "IsDeleted": False, "MasterRecordId": None}
        self._store(name, old, new)
        before = old or {}
        after = {key: value for key, value in new.items() if before.get(key) != value and key not in _SYSTEM}
        if action in ("delete", "undelete", "merge"):
            after |= {key: new.get(key) for key in ("IsDeleted", "MasterRecordId")}
        was = {key: before.get(key) for key in after}
        self.audit.append(Audit(self.clock.now(), user, name, sf_id, action, was, after, headers))
        if name in derived.ACTIVITIES:
            derived.settle_last_activity(self, old, new)

    def note(self, name: str, sf_id: str, changes: Row) -> None:
        """A change by the org itself: SystemModstamp moves, when and by whom the record was edited does not; no history."""
        old = self._tables[name].rows[sf_id]
        self._store(name, old, {**old, **changes, "SystemModstamp": self._second()})

    def _store(self, name: str, old: Row | None, new: Row) -> None:
        if self._journal is not None:
            self._journal.append((name, new["Id"], old))
        self._tables[name].put(new, keep_older=self.visibility_delay > timedelta(0))

    @contextmanager
    def all_or_none(self) -> Iterator[Callable[[], None]]:
        """Writes inside can be taken back by calling what this gives: rows, history and side effects alike."""
        outer = self._journal
        mine: list[tuple[str, str, Row | None]] = []
        self._journal = mine
        kept = len(self.audit), len(self._effects)

        def take_back() -> None:
            for name, sf_id, old in reversed(mine):
                if old is None:
                    self._tables[name].drop(sf_id)
                else:
                    self._tables[name].put(old)
            mine.clear()
            del self.audit[kept[0] :]
            for counter, key in self._effects[kept[1] :]:
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]
            del self._effects[kept[1] :]

        try:
            yield take_back
        finally:
            self._journal = outer
            if outer is not None:
                outer += mine
            else:
                self._effects.clear()

    def happened(self, counter: Counter[str], key: str) -> None:
        """Count a run of the assignment rule or a side effect, such that it can be taken back."""
        counter[key] += 1
        if self._journal is not None:
            self._effects.append((counter, key))

    def new_id(self, name: str) -> str:
        """The next id of an object."""
        prefix = self.objects[name].prefix
        self.numbers[prefix] += 1
        return long_id(prefix, self.numbers[prefix])

    def _second(self) -> datetime:
        """Now, with the precision of the org's stamps."""
        return self.clock.now().replace(microsecond=0)

    def set_up(self, name: str, **values: Any) -> str:
        """A record that comes with the org or its set-up, without author or history; gives its id."""
        sf_id = str(values.get("Id") or self.new_id(name))
        now = self._second()
        stamps = {"CreatedDate": now, "LastModifiedDate": now, "SystemModstamp": now, "IsDeleted": False}
        self._tables[name].put({**self.objects[name].blank(), **stamps, **values, "Id": sf_id})
        return sf_id


__all__ = ["CONSUMER_KEY", "CONSUMER_SECRET", "Audit", "CallRefusal", "Refusal", "SandboxOrg", "long_id"]
