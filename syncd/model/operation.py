"""Writes to the org as values that can be printed, counted, refused, stored and repeated."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from syncd.model.lead import Value


class OperationKind(StrEnum):
    """What a write does. Consent, fields and status travel apart (DESIGN 5.3).

    `delete` takes back what an undone run had created; `expire` deletes an archived lead after retention.
    """

    CONSENT = "consent"
    CREATE = "create"
    UPDATE = "update"
    STATUS = "status"
    RESTORE = "restore"
    DELETE = "delete"
    EXPIRE = "expire"
    TASK = "task"
    ACTION = "action"
    CONVERT = "convert"
    OPPORTUNITY = "opportunity"


CREATING = (OperationKind.CREATE, OperationKind.TASK, OperationKind.OPPORTUNITY)
"""Kinds that make a record: upserts by external id."""

DELETING = (OperationKind.DELETE, OperationKind.EXPIRE)
"""Kinds after which the record is in the recycle bin."""

ORG_KINDS = tuple(kind for kind in OperationKind if kind is not OperationKind.ACTION)
"""Kinds that the org carries out; an action is carried out by a source."""


class OperationState(StrEnum):
    """Where a write stands. See OPEN_STATES for those that block another one on the same target."""

    PLANNED = "planned"
    HELD = "held"
    SENT = "sent"
    UNKNOWN = "unknown"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    SUPERSEDED = "superseded"


OPEN_STATES = (OperationState.PLANNED, OperationState.HELD, OperationState.SENT, OperationState.UNKNOWN)
"""At most one operation per target (object, record or person) is in one of these; the store enforces it."""


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """Who gets a new lead: the org's rule (`Sforce-Auto-Assign`), or a fixed owner id."""

    use_rule: bool = True
    owner_id: str = ""


class Provenance(msgspec.Struct, frozen=True, gc=False):
    """Why one field is written: source record, mapping line and rule (G7)."""

    source: str = ""
    stream: str = ""
    key: str = ""
    locator: str = ""
    mapping: str = ""
    line: int = 0
    rule: str = ""


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One write.

    Attributes:
        operation_id: Unique, sortable by planning time.
        object: As the org names it; `source:NAME` for an action, whose `fields` `syncd.plan.source_actions` reads and writes.
        sf_id: `""` for a create, a task and an action; then `external_id` names it.
        fields: What is sent; None clears. The external id is added by the push stage. Of a conversion see `syncd.plan.conversions`.
        before: What the org held at planning time, same keys; empty for a create.
        provenance: Why, per field.
        is_guarded: Archives, clears, converts, moves back, unsubscribes or deletes: held until the pass is counted.
        own_id: External id value of what is written, where that is not the person: a task has its own (DESIGN 5.3).
        attempt: How often it was sent.
        code, message: The org's refusal, if any; never logged.
    """

    operation_id: str
    person_id: str
    object: str
    sf_id: str
    kind: OperationKind
    fields: dict[str, Value]
    before: dict[str, Value]
    provenance: dict[str, Provenance] = {}
    state: OperationState = OperationState.PLANNED
    is_guarded: bool = False
    assignment: Assignment | None = None
    source: str = ""
    run_id: str = ""
    attempt: int = 0
    code: str = ""
    message: str = ""
    planned_at: datetime | None = None
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    own_id: str = ""

    @property
    def external_id(self) -> str:
        """The external id value under which it creates."""
        return self.own_id or self.person_id

    @property
    def written(self) -> dict[str, Value]:
        """Those of `fields` that the record itself shows afterwards: of a conversion its status, the rest says how it is made; of a deletion nothing."""
        if self.kind is OperationKind.EXPIRE:
            return {}
        if self.kind is not OperationKind.CONVERT:
            return self.fields
        return {name: value for name, value in self.fields.items() if name == "Status"}

    @property
    def target(self) -> str:
        """What it writes to, for the rule of one open operation per target."""
        return f"{self.object}:{self.sf_id or 'new:' + self.external_id}"

    @property
    def is_beside(self) -> bool:
        """Whether it is no part of the person's record, and so holds up nothing: a task, or an action at a source."""
        return self.object == "Task" or self.kind is OperationKind.ACTION
