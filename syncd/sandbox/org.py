"""One model of a Salesforce org: records, ids, stamps, rules, history. No HTTP here; see rest.py.

Deterministic for a seed and a clock. Behaves as the reference says (salesforce.md 5, 8, 9, 11), also where that is inconvenient.
"""

from __future__ import annotations

import bisect
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from syncd.clock import Clock, SystemClock
from syncd.sandbox.faults import FaultBox
from syncd.sandbox.schema import LEAD_STATUSES, Object, stock_objects
from syncd.sandbox.soql import Query, QueryError
from syncd.sandbox.values import CallRefusal, Refusal, check_shape, stored

CONSUMER_KEY = "sandbox-key"
CONSUMER_SECRET = "sandbox-secret"  # noqa: S105 - the sandbox's, public on purpose

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SYSTEM = frozenset(
    {"Id", "IsDeleted", "MasterRecordId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)

Rule = Callable[["SandboxOrg", dict[str, Any]], str | None]
Trigger = Callable[["SandboxOrg", dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Audit:
    """One write as the org's history shows it."""

    at: datetime
    user: str
    object: str
    sf_id: str
    action: str
    before: dict[str, Any]
    after: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def long_id(prefix: str, number: int) -> str:
    """The 18-character id of the `number`th record of a kind: 15 characters and the suffix that tells their case."""
    digits = ""
    for _ in range(9):
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    short = f"{prefix}5g0{digits}"[:15]
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << index for index, letter in enumerate(short[start : start + 5]) if letter.isupper())
        suffix += _SUFFIX[bits]
    return short + suffix


class SandboxOrg:
    """The org. Safe for threads; all state in memory."""

    def __init__(self, *, seed: int = 0, clock: Clock | None = None, daily_limit: int = 100_000) -> None:
        """An org with users, a queue and statuses, and no leads."""
        self.clock: Clock = clock or SystemClock()
        self.chance = random.Random(seed)
        self.lock = threading.RLock()
        self.objects: dict[str, Object] = stock_objects()
        self.faults = FaultBox(seed)
        self.daily_limit = daily_limit
        self.api_calls = 0
        self.hidden: set[str] = set()
        self.visibility_delay = timedelta(0)
        self.page_size = 2_000
        self.assignment_runs: Counter[str] = Counter()
        self.side_effects: Counter[str] = Counter()
        self.audit: list[Audit] = []
        self.rules: list[Rule] = []
        self.triggers: list[Trigger] = []
        self.duplicate_rule: Callable[[SandboxOrg, dict[str, Any]], list[str]] | None = None
        self.tokens: set[str] = set()
        self.late: list[tuple[datetime, Callable[[], Any]]] = []
        self._numbers: Counter[str] = Counter()
        self._rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in self.objects}
        self._unique: dict[tuple[str, str, str], str] = {}
        self._stamps: dict[str, list[tuple[datetime, str]]] = {name: [] for name in self.objects}
        self.org_id = long_id("00D", 1)
        self.integration_user_id = self._system_row(
            "User", Name="Integration", Username="integration@sandbox.example.com", IsActive=True
        )
        self.queue_id = self._system_row("Group", Name="Inbound Leads", DeveloperName="Inbound_Leads", Type="Queue")
        self._system_row("QueueSobject", QueueId=self.queue_id, SobjectType="Lead")
        self.users = {"integration": self.integration_user_id}
        for name in ("rep1", "rep2", "rep3"):
            self.users[name] = self._system_row("User", Name=name.title(), Username=f"{name}@sandbox.example.com", IsActive=True)
        self.users["gone"] = self._system_row("User", Name="Gone", Username="gone@sandbox.example.com", IsActive=False)
        self._rows["Organization"][self.org_id] = self._with_system(
            "Organization", {"Id": self.org_id, "Name": "Sandbox", "OrganizationType": "Developer Edition", "IsSandbox": False}
        )
        for order, (name, is_converted) in enumerate(LEAD_STATUSES.items()):
            self._system_row(
                "LeadStatus", ApiName=name, MasterLabel=name, IsConverted=is_converted, IsDefault=order == 0, SortOrder=order
            )

    # ------------------------------------------------------------------ reading

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Every record of an object, deleted ones too, as plain dicts (copies)."""
        with self.lock:
            return [dict(row) for row in self._rows[name].values()]

    def row(self, sf_id: str) -> dict[str, Any] | None:
        """One record by id of 15 or 18 characters; also a deleted one."""
        with self.lock:
            found = self._find(sf_id)
            return dict(found[1]) if found else None

    def _find(self, sf_id: str) -> tuple[str, dict[str, Any]] | None:
        for name, described in self.objects.items():
            if sf_id[:3] == described.prefix:
                row = self._rows[name].get(sf_id)
                if row is None and len(sf_id) == 15:
                    row = next((one for key, one in self._rows[name].items() if key[:15] == sf_id), None)
                return (name, row) if row is not None else None
        return None

    def by_external_id(self, name: str, field_name: str, value: str) -> dict[str, Any] | None:
        """The living record with a unique value."""
        found = self._unique.get((name, field_name, value.casefold()))
        return self._rows[name].get(found) if found else None

    def select(self, query: Query, *, with_deleted: bool) -> list[dict[str, Any]]:
        """Matching records, in the asked order, else in any (seeded).

        Raises:
            QueryError: An unknown object or field.
        """
        described = self.objects.get(query.object)
        if described is None:
            raise QueryError(f"sObject type '{query.object}' is not supported.", "INVALID_TYPE")
        for name in (*query.fields, *(name for name, _ in query.order)):
            if name not in described.fields or name in self.hidden:
                raise QueryError(f"No such column '{name}' on entity '{query.object}'.", "INVALID_FIELD")
        visible = self.clock.now() - self.visibility_delay
        found = [
            row
            for row in self._scan(query)
            if (with_deleted or not row["IsDeleted"])
            and (not self.visibility_delay or row["SystemModstamp"] <= visible)
            and query.where(row)
        ]
        if not query.order:
            self.chance.shuffle(found)
        for name, descending in reversed(query.order):
            found.sort(key=lambda row, name=name: _sortable(row.get(name)), reverse=descending)  # type: ignore[misc]
        end = None if query.limit is None else query.offset + query.limit
        return found[query.offset : end]

    def _scan(self, query: Query) -> Iterable[dict[str, Any]]:
        rows = self._rows[query.object]
        for name in ("Id", "Syncd_Id__c"):
            if name in query.equals:
                wanted = query.equals[name]
                return [row for row in rows.values() if str(row.get(name) or "").casefold() in wanted]
        if query.lower_stamp is not None and query.object in self._stamps:
            stamps = self._stamps[query.object]
            start = bisect.bisect_left(stamps, (query.lower_stamp, ""))
            return [rows[sf_id] for sf_id in dict.fromkeys(sf_id for _, sf_id in stamps[start:]) if sf_id in rows]
        return rows.values()

    # ------------------------------------------------------------------ people at work

    def create(self, name: str, values: dict[str, Any], *, user: str = "rep1") -> str:
        """A person types a record in; gives its id."""
        with self.lock:
            return self.save(name, None, values, user=self.users[user], headers={})

    def edit(self, sf_id: str, values: dict[str, Any], *, user: str = "rep1") -> None:
        """A person edits a record."""
        with self.lock:
            found = self._find(sf_id)
            if found is None:
                raise Refusal("NOT_FOUND", "no such record")
            self.save(found[0], found[1]["Id"], values, user=self.users[user], headers={"Sforce-Auto-Assign": "FALSE"})

    def delete(self, sf_id: str, *, user: str = "rep1") -> None:
        """A person deletes a record (recycle bin)."""
        with self.lock:
            self.remove(sf_id, user=self.users[user])

    def undelete(self, sf_id: str, *, user: str = "rep1") -> None:
        """A person takes a record out of the recycle bin."""
        with self.lock:
            found = self._find(sf_id)
            if found is None or not found[1]["IsDeleted"]:
                raise Refusal("UNDELETE_FAILED", "Entity is not in the recycle bin")
            name, row = found
            self._claim_unique(name, row, row["Id"])
            self._put(name, row["Id"], {**row, "IsDeleted": False}, self.users[user], "undelete", {})

    def purge(self, sf_id: str) -> None:
        """A record leaves the recycle bin for good."""
        with self.lock:
            found = self._find(sf_id)
            if found is not None:
                del self._rows[found[0]][found[1]["Id"]]

    def merge(self, master: str, victims: list[str], *, user: str = "rep1") -> None:
        """A person merges up to two records into `master`; blank fields of the master take the victims' values."""
        with self.lock:
            name, row = self._find(master) or ("", {})
            filled = dict(row)
            for victim in victims[:2]:
                _, loser = self._find(victim) or ("", {})
                for key, value in loser.items():
                    if key not in _SYSTEM and filled.get(key) in (None, "") and key != "Syncd_Id__c":
                        filled[key] = value
                self._release_unique(name, loser)
                self._put(
                    name, loser["Id"], {**loser, "IsDeleted": True, "MasterRecordId": row["Id"]}, self.users[user], "merge", {}
                )
            self._put(name, row["Id"], filled, self.users[user], "merge", {})

    def convert(self, sf_id: str, *, contact_id: str = "", user: str = "rep1") -> str:
        """A person converts a lead; gives the contact's id."""
        with self.lock:
            name, row = self._find(sf_id) or ("", {})
            if not contact_id:
                shared = ("FirstName", "LastName", "Email", "Phone", "MobilePhone", "Title", "HasOptedOutOfEmail", "DoNotCall")
                contact_id = self.save(
                    "Contact",
                    None,
                    {key: row[key] for key in shared if row.get(key) is not None},
                    user=self.users[user],
                    headers={},
                )
            status = next(status for status, converted in LEAD_STATUSES.items() if converted)
            changed = {
                **row,
                "IsConverted": True,
                "Status": status,
                "ConvertedContactId": contact_id,
                "ConvertedDate": self.clock.now().date(),
            }
            self._put(name, row["Id"], changed, self.users[user], "convert", {})
            return contact_id

    # ------------------------------------------------------------------ saving

    def save(self, name: str, sf_id: str | None, values: dict[str, Any], *, user: str, headers: dict[str, str]) -> str:
        """Create (`sf_id` None) or update one record with everything an org does on save; gives the id.

        Raises:
            CallRefusal: The whole call is refused.
            Refusal: This record is refused.
        """
        described = self.objects[name]
        check_shape(described, values, frozenset(self.hidden))
        old = self._old(name, sf_id)
        new = dict(old) if old else self._blank(described)
        for key, value in values.items():
            self._check_writable(described, key, is_new=old is None)
            new[key] = stored(described.fields[key], value)
        self._check_required(described, new)
        self._check_unique(name, new, sf_id)
        for rule in self.rules:
            message = rule(self, new)
            if message:
                raise Refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", message)
        self._check_duplicates(name, new, sf_id, headers)
        new["OwnerId"] = new.get("OwnerId") or user
        sf_id = sf_id or self._new_id(described)
        self._assign(name, sf_id, new, values, headers)
        for trigger in self.triggers:
            new.update(trigger(self, {**new, "Id": sf_id}))
        if name in ("Lead", "Contact"):
            new["Name"] = " ".join(str(part) for part in (new.get("FirstName"), new.get("LastName")) if part)
        self._put(name, sf_id, new, user, "update" if old else "create", headers)
        return sf_id

    def _old(self, name: str, sf_id: str | None) -> dict[str, Any] | None:
        if sf_id is None:
            return None
        old = self._rows[name].get(sf_id)
        if old is None:
            raise Refusal("NOT_FOUND", "The requested resource does not exist")
        if old["IsDeleted"]:
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
        if old.get("IsConverted"):
            raise Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        return old

    @staticmethod
    def _blank(described: Object) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for one in described.fields.values():
            row[one.name] = False if one.type == "boolean" else None
        if described.name == "Lead":
            row["Status"] = next(iter(LEAD_STATUSES))
        return row

    @staticmethod
    def _check_writable(described: Object, key: str, *, is_new: bool) -> None:
        one = described.fields[key]
        if not (one.createable if is_new else one.updateable):
            message = f"Unable to create/update fields: {key}. Please check the security settings of this field."
            raise Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", message, [key])

    @staticmethod
    def _check_required(described: Object, row: dict[str, Any]) -> None:
        missing = [
            one.name
            for one in described.fields.values()
            if not one.nillable and one.createable and not one.defaulted and row.get(one.name) is None
        ]
        if missing:
            raise Refusal("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)

    def _check_unique(self, name: str, row: dict[str, Any], sf_id: str | None) -> None:
        for one in self.objects[name].fields.values():
            value = row.get(one.name)
            if not one.unique or value is None:
                continue
            holder = self._unique.get((name, one.name, str(value).casefold()))
            if holder is not None and holder != sf_id:
                message = f"duplicate value found: {one.name} duplicates value on record with id: {holder}"
                raise Refusal("DUPLICATE_VALUE", message, [one.name])

    def _check_duplicates(self, name: str, row: dict[str, Any], sf_id: str | None, headers: dict[str, str]) -> None:
        if self.duplicate_rule is None or name != "Lead" or sf_id is not None:
            return
        matches = self.duplicate_rule(self, row)
        if not matches or "allowsave=true" in headers.get("Sforce-Duplicate-Rule-Header", "").lower():
            return
        records = [{"record": {"attributes": {"type": "Lead"}, "Id": one}, "matchConfidence": 100.0} for one in matches]
        result = {
            "allowSave": True,
            "duplicateRule": "Standard_Lead_Duplicate_Rule",
            "matchResults": [{"entityType": "Lead", "matchRecords": records}],
        }
        # The key is misspelt in the real API too.
        raise Refusal("DUPLICATES_DETECTED", "Use one of these records?", [], {"duplicateResut": result})

    def _assign(self, name: str, sf_id: str, row: dict[str, Any], values: dict[str, Any], headers: dict[str, str]) -> None:
        """Assignment rules run on create and update unless told not to (salesforce.md, fact 5)."""
        wanted = headers.get("Sforce-Auto-Assign", "TRUE").upper()
        if name != "Lead" or wanted == "FALSE" or "OwnerId" in values:
            return
        self.assignment_runs[sf_id] += 1
        self.side_effects[f"assignment mail {sf_id}"] += 1
        row["OwnerId"] = self.queue_id

    def remove(self, sf_id: str, *, user: str) -> None:
        """Delete one record softly.

        Raises:
            Refusal: There is none, or it is deleted already.
        """
        found = self._find(sf_id)
        if found is None:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        name, row = found
        if row["IsDeleted"]:
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
        self._release_unique(name, row)
        self._put(name, row["Id"], {**row, "IsDeleted": True}, user, "delete", {})

    def _put(self, name: str, sf_id: str, row: dict[str, Any], user: str, action: str, headers: dict[str, str]) -> None:
        old = self._rows[name].get(sf_id, {})
        now = self.clock.now().replace(microsecond=self.clock.now().microsecond // 1000 * 1000)
        new = {**row, "Id": sf_id, "LastModifiedById": user, "LastModifiedDate": now, "SystemModstamp": now}
        new.setdefault("IsDeleted", False)
        if not old:
            new |= {"CreatedById": user, "CreatedDate": now, "IsDeleted": False, "MasterRecordId": None}
        self._rows[name][sf_id] = new
        if not new["IsDeleted"]:
            self._release_unique(name, old)
            self._claim_unique(name, new, sf_id)
        bisect.insort(self._stamps[name], (now, sf_id))
        changed = {key for key in {*old, *new} - _SYSTEM if old.get(key) != new.get(key)} | (
            {"IsDeleted"} if action in ("delete", "undelete", "merge") else set()
        )
        self.audit.append(
            Audit(
                now,
                user,
                name,
                sf_id,
                action,
                {key: old.get(key) for key in changed},
                {key: new.get(key) for key in changed},
                headers,
            )
        )

    def _claim_unique(self, name: str, row: dict[str, Any], sf_id: str) -> None:
        for one in self.objects[name].fields.values():
            if one.unique and row.get(one.name) is not None:
                self._unique[name, one.name, str(row[one.name]).casefold()] = sf_id

    def _release_unique(self, name: str, row: dict[str, Any]) -> None:
        for one in self.objects[name].fields.values():
            key = (name, one.name, str(row.get(one.name)).casefold())
            if one.unique and row.get(one.name) is not None and self._unique.get(key) == row.get("Id"):
                del self._unique[key]

    def _new_id(self, described: Object) -> str:
        self._numbers[described.prefix] += 1
        return long_id(described.prefix, self._numbers[described.prefix])

    def _system_row(self, name: str, **values: Any) -> str:
        sf_id = self._new_id(self.objects[name])
        self._rows[name][sf_id] = self._with_system(name, {"Id": sf_id, **values})
        return sf_id

    def _with_system(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        now = self.clock.now()
        row = self._blank(self.objects[name])
        return {**row, "CreatedDate": now, "LastModifiedDate": now, "SystemModstamp": now, "IsDeleted": False, **values}

    def history(self, sf_id: str) -> Iterator[Audit]:
        """What happened to one record, oldest first."""
        return (one for one in self.audit if one.sf_id == sf_id)


def _sortable(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, ""
    if isinstance(value, bool):
        return 1, int(value)
    return 1, value.casefold() if isinstance(value, str) else value


__all__ = ["CONSUMER_KEY", "CONSUMER_SECRET", "Audit", "CallRefusal", "Refusal", "SandboxOrg", "long_id"]
