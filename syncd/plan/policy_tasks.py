"""Tasks that the policy's rules ask for: each once, whatever dies on the way. Pure.

The outbox is the memory: a task that was planned and never reached the org, or that nobody could be given yet, stands there and is
planned again. Its external id is made of person, rule and occasion, so that none is made twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from syncd.model import ObjectSchema, Operation, PersonView, Provenance, Value
from syncd.plan.fields import fitting
from syncd.plan.once import is_owed, occasion_id, rule_name, rule_of
from syncd.plan.tasks import USER, TaskWrite
from syncd.policy import ActionKind, Policy, Wanted

_OF_RECORD = ("WhoId", "OwnerId")


class PolicyTasks(msgspec.Struct, frozen=True, gc=False):
    """What is to be made now, what has to wait for an owner, the ids of rules that are done with, and why some are not made."""

    writes: tuple[TaskWrite, ...] = ()
    postponed: tuple[TaskWrite, ...] = ()
    rules: tuple[str, ...] = ()
    note: str = ""


class Asking:
    """The tasks of one person."""

    def __init__(
        self,
        policy: Policy,
        view: PersonView,
        described: ObjectSchema | None,
        external_id_field: str | None,
        secret: bytes,
        run_id: str,
    ) -> None:
        """`described` is Task as the org shows it; what failed in the run `run_id` is left for the next one."""
        self._policy = policy
        self._view = view
        self._described = described
        self._secret = secret
        self._run_id = run_id
        own = described.fields.get(external_id_field or "") if described is not None else None
        self._can_be_made = own is not None and own.is_external_id and own.is_createable
        self._tries: dict[str, list[Operation]] = {}
        for one in view.tasks:
            self._tries.setdefault(one.external_id, []).append(one)

    def tasks(self, actions: Sequence[Wanted], who_id: str, owner_id: str, now: datetime) -> PolicyTasks:
        """Tasks about the record `who_id` for its owner ("" or a queue: nobody can be given one yet)."""
        wanted = [one for one in actions if one.kind is ActionKind.TASK]
        owed = self._owed_again() | self._new(wanted, now)
        if not owed and not wanted:
            return PolicyTasks()
        if not self._can_be_made:
            return PolicyTasks(note="no_task_external_id")
        rules = tuple(dict.fromkeys(one.rule_id for one in wanted))
        if not owner_id.startswith(USER):
            # In the outbox already, if it was owed before.
            new = tuple(one for name, one in owed.items() if name not in self._tries)
            return PolicyTasks(postponed=new, rules=rules, note="task_waits_for_owner" if owed else "")
        record: dict[str, Value] = {"WhoId": who_id, "OwnerId": owner_id}
        return PolicyTasks(tuple(_with(one, record) for one in owed.values()), rules=rules)

    def _new(self, wanted: Sequence[Wanted], now: datetime) -> dict[str, TaskWrite]:
        found = {}
        for one in wanted:
            external_id = occasion_id(self._view.person_id, one, self._secret)
            if external_id not in self._tries:
                why = Provenance(line=one.line, rule=rule_name(self._policy, one.rule_id))
                fields = self._writable(_fields(one, now))
                found[external_id] = TaskWrite(external_id, fields, dict.fromkeys((*fields, *_OF_RECORD), why))
        return found

    def _owed_again(self) -> dict[str, TaskWrite]:
        """Those that were planned and never reached the org, of rules that the policy still has."""
        found = {}
        refused = {one.operation_id for one in self._view.refused_operations}
        for external_id, tries in self._tries.items():
            last = tries[-1]
            if self._policy.rule(rule_of(last.provenance)) is None or not is_owed(tries, refused, self._run_id):
                continue
            fields = {name: value for name, value in last.fields.items() if name not in _OF_RECORD}
            found[external_id] = TaskWrite(external_id, fields, last.provenance, sum(1 for one in tries if one.code))
        return found

    def _writable(self, fields: Mapping[str, Value]) -> dict[str, Value]:
        described = self._described.fields if self._described is not None else {}
        return {
            name: fitting(value, field)[0]
            for name, value in fields.items()
            if (field := described.get(name)) is not None and field.is_createable
        }


def _with(one: TaskWrite, record: Mapping[str, Value]) -> TaskWrite:
    return msgspec.structs.replace(one, fields={**one.fields, **record})


def _fields(one: Wanted, now: datetime) -> dict[str, Value]:
    words: dict[str, Value] = {**one.options, **one.values}
    found: dict[str, Value] = {
        "Subject": words.get("subject") or "Follow up",
        "Status": words.get("status") or "Not Started",
        "Priority": words.get("priority") or "Normal",
    }
    if one.due_in_days is not None:
        found["ActivityDate"] = (now.astimezone(UTC).date() + timedelta(days=one.due_in_days)).isoformat()
    if words.get("description"):
        found["Description"] = words["description"]
    return found
