"""The human behind leads, as planning and identity see them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from syncd.model.lead import Lead, Value
from syncd.model.operation import Operation
from syncd.model.org import OrgRecord
from syncd.model.record import Lane, RecordRef


class PersonState(StrEnum):
    """`active`; `review` waits for a person's decision; `merged` redirects; `erased` keeps only a tombstone."""

    ACTIVE = "active"
    REVIEW = "review"
    MERGED = "merged"
    ERASED = "erased"


class PersonRecord(msgspec.Struct, frozen=True, gc=False):
    """The latest version of one source record of a person, mapped. `lane`: a record of a back-fill is no news.

    `withdrawn_at` is the source's time of the first version since which it has stated an opt-out of e-mail without a break; None if the
    latest does not, or nobody noted it.
    """

    ref: RecordRef
    lead: Lead
    source_at: datetime
    position: int = 0
    locator: str = ""
    mapping: str = ""
    lane: Lane = Lane.INCREMENT
    withdrawn_at: datetime | None = None


class Hold(msgspec.Struct, frozen=True, gc=False):
    """A field value that a person or an undo told syncd to leave alone until a source sends another."""

    field: str
    value: Value
    reason: str = ""


class PersonView(msgspec.Struct, frozen=True, gc=False):
    """Everything planning needs of one person, read in one go.

    `open_operations` block a new plan for their target. `refused_operations` are refusals that nobody replayed
    yet: the same write is not tried again by itself. `candidates` are the org records a review is about:
    a withdrawal of consent goes to all of them (G6). `was_create_sent`: a create of this person went out before,
    whatever came of it, so a repetition leaves assignment off (DESIGN 5.3). `failures` counts its
    writes in state failed since the last one that was done: passing faults do not repeat without end. `tasks` are its operations
    of that kind, whatever became of them, oldest first; they count in none of the others but open and refused ones. `conversions` are those that convert
    a lead or write an opportunity, and `actions` those at sources, likewise. `moves` are its writes of kind status that are done, oldest first.
    `expirations` are its deletions after retention, whatever became of them.
    `notes` are the reasons of the last plan. `marks`: how often it was asked that the person be planned, when this was read.
    """

    person_id: str
    state: PersonState
    records: tuple[PersonRecord, ...] = ()
    org_records: tuple[OrgRecord, ...] = ()
    holds: tuple[Hold, ...] = ()
    open_operations: tuple[Operation, ...] = ()
    refused_operations: tuple[Operation, ...] = ()
    candidates: tuple[OrgRecord, ...] = ()
    was_create_sent: bool = False
    failures: int = 0
    tasks: tuple[Operation, ...] = ()
    actions: tuple[Operation, ...] = ()
    moves: tuple[Operation, ...] = ()
    conversions: tuple[Operation, ...] = ()
    expirations: tuple[Operation, ...] = ()
    notes: dict[str, str] = {}
    marks: int = 0


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """Somebody a lead might be: a person of ours or a record of the org.

    `kind` is `person`, `Lead` or `Contact`; `person_id` may be `""` for an org record nobody claimed yet.
    `person_key` of an org record is its external id value, which names the person after a lost store.
    """

    kind: str
    subject_id: str
    person_id: str = ""
    person_key: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    contact_id: str = ""
