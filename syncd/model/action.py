"""What a policy has others do: conversions in the org, and actions at the sources that can take them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from syncd.model.org import OrgFault


class Conversion(msgspec.Struct, frozen=True, gc=False):
    """What is asked of one lead's conversion (SOAP `convertLead`, API 62.0). Ids have 18 characters, "" means none.

    Attributes:
        lead_id: The lead.
        converted_status: API name of a status with IsConverted.
        account_id: The account it joins; none makes a new one, named after Company.
        contact_id: The contact it becomes; only with the account_id that the contact has. None makes a new one.
        owner_id: The user who gets what is made; required where a queue owns the lead.
        opportunity_name: At most 120 characters; "" for no opportunity.
    """

    lead_id: str
    converted_status: str
    account_id: str = ""
    contact_id: str = ""
    owner_id: str = ""
    opportunity_name: str = ""


class ConversionOutcome(msgspec.Struct, frozen=True, gc=False):
    """The answer for one conversion, in request order: the ids of what it made or joined, or a fault."""

    lead_id: str
    account_id: str = ""
    contact_id: str = ""
    opportunity_id: str = ""
    fault: OrgFault | None = None


class SourceActionKind(StrEnum):
    """What a source that can take actions is asked to do with one person."""

    ENROL = "enrol"
    TAG = "tag"
    TRIGGER = "trigger"
    OPT_OUT = "opt_out"
    SEND = "send"
    REGISTER = "register"
    CONVERSION = "conversion"


RETRACTED = "retracted"
"""The event of a conversion that takes an earlier one back; its `retracts` is the id of that action."""

ANSWER_LOST = "answer_lost"
"""Code, or message, of an action of which nobody knows whether it arrived, and that its system would know by its id."""


TOLD_WON = ":won"
"""Name of a date of a person (no rule's id begins so): until when a platform takes back what it was told of as won. With `:ID` behind it
that of one opportunity, so that whoever was told of is found by it."""


class DealState(StrEnum):
    """What became of an opportunity."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    DELETED = "deleted"


class Deal(msgspec.Struct, frozen=True, gc=False):
    """An opportunity whose primary contact a person is.

    Attributes:
        at: When it came to this state, as far as the org tells: its last change, and not after the day it closed.
        amount, currency: None and "" where the org says nothing.
    """

    sf_id: str
    state: DealState
    at: datetime
    amount: float | None = None
    currency: str = ""


class ConversionTerms(msgspec.Struct, frozen=True, gc=False):
    """What a platform that takes conversions knows people by, and when it takes what.

    Attributes:
        click_ids: Names of its click ids, the best one first.
        knows_leads: By the id of a lead of its own, which is the key of the record that it brought.
        takes_email: By the hash of an e-mail address.
        max_age_days: What happened longer ago is not told.
        max_click_age_days: Nor is a click, or a lead of its own, used that is older.
        after_click_seconds: So long after the click nothing is taken.
        retracts: Whether a conversion can be taken back; not within `retract_after_seconds` after it was told, nor
            `retract_within_days` after it happened.
    """

    click_ids: tuple[str, ...] = ()
    knows_leads: bool = False
    takes_email: bool = False
    max_age_days: int = 90
    max_click_age_days: int = 90
    after_click_seconds: float = 0.0
    retracts: bool = False
    retract_after_seconds: float = 0.0
    retract_within_days: int = 0


class SourceAction(msgspec.Struct, frozen=True, gc=False):
    """One action at one source, stored before it is carried out.

    Attributes:
        action_id: Unique and stable over repetitions; an idempotency key where the source knows such a thing.
        kind: What to do; the source's own words for it are in `options`.
        email: Whom it is about; "" for `send` without one.
        options: The admin's options of this action, checked by the connector when the policy is loaded; its page lists them.
        decided_at: When the policy decided it (aware UTC); stable over repetitions.
        fields: Values that go along (merge fields, the body of what is sent): personal data, never logged. Of a conversion: `event`,
            `event_at`, `value` with `currency`, click ids by their names, `lead_id`, `retracts`.
        consent_at: When the person opted in to the very list, asked for the very event, or agreed to what a conversion needs, with stored proof
            (aware UTC); None without proof.
    """

    action_id: str
    kind: SourceActionKind
    email: str
    options: dict[str, str]
    decided_at: datetime
    fields: dict[str, str | int | float | bool | None] = {}
    consent_at: datetime | None = None

    def __repr__(self) -> str:
        """Without the person."""
        return f"<SourceAction {self.kind} {self.action_id}>"


class OptOuts(StrEnum):
    """How far an opt-out travels at a source: to the lists of the records that get mail, to all of the account, or not at all."""

    LIST = "list"
    GLOBAL = "global"
    NONE = "none"


class MailStop(msgspec.Struct, frozen=True, gc=False):
    """What an `opt_out` must say to end the mail that comes of one record: the address there, and the options of the action.

    `opted_in_at`: since when the vendor holds a yes to just this mail, where a record tells it; otherwise the mapping's evidence counts.
    """

    email: str
    options: dict[str, str] = {}
    opted_in_at: datetime | None = None

    def __repr__(self) -> str:
        """Without the person."""
        return f"<MailStop {self.options}>"


class ActionState(StrEnum):
    """What came of an action."""

    DONE = "done"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


NOT_CARRIED_OUT = "not_carried_out"
"""The code of a look-up that found nothing done: the action may be tried again."""


class ActionOutcome(msgspec.Struct, frozen=True, gc=False):
    """The answer to an action. `code` is a constant word (`member_in_compliance_state`); `message` may name the person: stored, never logged."""

    state: ActionState
    code: str = ""
    message: str = ""

    def __repr__(self) -> str:
        """Without the message."""
        return f"<ActionOutcome {self.state} {self.code}>"
