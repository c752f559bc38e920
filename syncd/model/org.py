"""What is known of the Salesforce org: its schema, its records, and its answers to writes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from syncd.model.lead import Value


class FieldSchema(msgspec.Struct, frozen=True, gc=False):
    """One field of a describe (REST `sobjects/X/describe`, API 62.0). `length` in characters, 0 if none."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    is_createable: bool = True
    is_updateable: bool = True
    is_nillable: bool = True
    is_defaulted: bool = False
    is_unique: bool = False
    is_external_id: bool = False
    is_id_lookup: bool = False
    is_restricted: bool = False
    picklist: tuple[str, ...] = ()

    @property
    def is_required(self) -> bool:
        """Required on create: writable, not nillable and without a default of the org."""
        return self.is_createable and not self.is_nillable and not self.is_defaulted


class ObjectSchema(msgspec.Struct, frozen=True, gc=False):
    """The fields of one object that the integration user may see, by API name; whether it may create, edit and delete records."""

    name: str
    fields: dict[str, FieldSchema]
    required: tuple[str, ...] = ()
    """Fields without which nothing can be created; worked out from `fields`."""
    is_createable: bool = True
    is_updateable: bool = True
    is_deletable: bool = True

    def __post_init__(self) -> None:
        """Work out what is asked for every new lead."""
        needed = tuple(name for name, field in self.fields.items() if field.is_required)
        msgspec.structs.force_setattr(self, "required", needed)


class OrgIdentity(msgspec.Struct, frozen=True, gc=False):
    """Whose org this is. Ids have 18 characters."""

    org_id: str
    user_id: str
    instance_url: str
    is_sandbox: bool = False


class OrgSchema(msgspec.Struct, frozen=True, gc=False):
    """What the org has, as far as the integration user may see it.

    Attributes:
        objects: By name. Lead and Contact always; Account, Opportunity, Task, Event, User and Campaign only where visible.
        lead_statuses: By API name, in order; whether it is a converted one.
        default_status: The status that the org gives to a new lead, "" if it does not say.
        opportunity_stages: Active ones by API name, in order; (is closed, is won).
        record_types: Object to developer name to id, of the active ones without the master; {} for an object without any.
        closed_record_types: Object to those of them with which the integration user may create nothing.
        default_record_types: Object to the one that its records get by themselves; left out where that is the master.
        is_multi_currency: Amounts name their currency.
        currencies: ISO codes of the active ones; () unless `is_multi_currency`.
    """

    objects: dict[str, ObjectSchema]
    lead_statuses: dict[str, bool] = {}
    default_status: str = ""
    opportunity_stages: dict[str, tuple[bool, bool]] = {}
    record_types: dict[str, dict[str, str]] = {}
    closed_record_types: dict[str, frozenset[str]] = {}
    default_record_types: dict[str, str] = {}
    is_multi_currency: bool = False
    currencies: tuple[str, ...] = ()


class OrgRow(msgspec.Struct, frozen=True, gc=False):
    """One record as the org returned it just now.

    `fields` holds the queried data fields only; system fields have attributes of their own.
    """

    object: str
    sf_id: str
    fields: dict[str, Value]
    stamp: datetime
    modified_by: str = ""
    owner_id: str = ""
    external_id: str = ""
    is_deleted: bool = False
    merged_into: str = ""
    is_converted: bool = False
    contact_id: str = ""


FIRST_LOOK = "first_look"
"""Stands for who made an opt-out that was there when the mirror was filled: nobody knows."""


class OptOutHold(StrEnum):
    """Whether an opt-out that somebody made in the org travels to the sources (see `syncd.run.storms`).

    `new`: nobody has counted it yet. `calm`: it may go. `held`: one user made too many in an hour, a person is asked. `let`: that person
    has agreed. `kept`: that person has not, it never goes.
    """

    NEW = "new"
    CALM = "calm"
    HELD = "held"
    LET = "let"
    KEPT = "kept"


class OrgRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of the mirror: the org's row, the person it belongs to, and base per field (DESIGN 5.1).

    `person_id` is `""` while nobody knows whose it is. `is_survivor` is False for a second record of a
    person that is linked and left alone. `deleted_by_us` tells an undo from a person's deletion. `sent` holds what syncd last wrote
    per field (base is what the org made of it), `repeats` how often in a row it wrote that same value. `other_by` changed the record last before its last change by somebody else,
    at `other_at` (None: nobody is known); a person stays there though several machines come after. `opted_out_by` had changed the record last when the mirror first saw its opt-out of e-mail
    (FIRST_LOOK: it was there when the mirror was filled), at `opted_out_at` (None: it shows none), and `opt_out_hold` says what has become of it ("" without one).
    """

    row: OrgRow
    person_id: str = ""
    base: dict[str, Value] = {}
    is_survivor: bool = True
    deleted_by_us: bool = False
    sent: dict[str, Value] = {}
    repeats: dict[str, int] = {}
    other_by: str = ""
    other_at: datetime | None = None
    opted_out_at: datetime | None = None
    opted_out_by: str = ""
    opt_out_hold: str = ""


class Recovery(StrEnum):
    """What to do about a fault of the org (reference: salesforce.md 8.2)."""

    RETRY = "retry"
    RETRY_ALONE = "retry_alone"
    RETRY_SMALLER = "retry_smaller"
    PAUSE = "pause"
    CONFIG = "config"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    RERESOLVE = "reresolve"
    UNKNOWN = "unknown"


class OrgFault(msgspec.Struct, frozen=True, gc=False):
    """A refusal normalised from any of the API's shapes.

    `message` may hold record values (admins' validation texts): store it, show it to an operator who
    asks for that record, never log it. `matches` are ids of a duplicate-rule answer.
    """

    code: str
    message: str
    fields: tuple[str, ...] = ()
    recovery: Recovery = Recovery.REFUSED
    matches: tuple[str, ...] = ()


class RowOutcome(msgspec.Struct, frozen=True, gc=False):
    """The answer for one row of a write, in request order: an id, or a fault."""

    sf_id: str = ""
    is_created: bool = False
    fault: OrgFault | None = None
