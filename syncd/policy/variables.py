"""The variables of a policy's conditions: their kinds, what they mean, and which place may not use which.

Pure. Lead, Contact and Account have the kinds of the org's describe; without an org Lead and Contact are the stock ones, fields
ending in `__c` and everything of Account are taken on trust (kind ANY).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from syncd.expressions import Expression, Kind, Schema
from syncd.expressions.tree import Call, Place, Term, Variable, children
from syncd.mapping.stock import KINDS, STOCK_LEAD
from syncd.model import ObjectSchema, OrgSchema

_CUSTOM = re.compile(r"\b(lead|org)\.([A-Za-z]\w*__c)\b", re.ASCII)
_KINDS = {**KINDS, "multipicklist": Kind.LIST}

SYSTEM: Mapping[str, Kind] = {
    "Id": Kind.TEXT, "Name": Kind.TEXT, "OwnerId": Kind.TEXT, "RecordTypeId": Kind.TEXT, "CreatedDate": Kind.INSTANT,
    "LastModifiedDate": Kind.INSTANT, "LastActivityDate": Kind.DAY, "EmailBouncedDate": Kind.INSTANT, "EmailBouncedReason": Kind.TEXT,
    "IsConverted": Kind.BOOLEAN, "ConvertedDate": Kind.DAY, "IsUnreadByOwner": Kind.BOOLEAN,
}  # fmt: skip
"""Fields of every Lead that no mapping writes (describe at v59.0; reference salesforce.md 9.1)."""

_CONTACT = ("AccountId", "Department", "MailingCity", "MailingCountry", "MailingPostalCode", "MailingState", "MailingStreet")

MEANINGS: Mapping[str, tuple[Kind, str]] = {
    "person.sources": (Kind.LIST, "names of the sources the person came from"),
    "person.is_contact": (Kind.BOOLEAN, "whether the person is a contact in the org (also after a conversion)"),
    "person.is_new": (Kind.BOOLEAN, "whether the person is not in the org yet"),
    "person.has_opted_out": (Kind.BOOLEAN, "whether the person has opted out of e-mail"),
    "person.first_at": (Kind.INSTANT, "when the person was first heard of"),
    "person.last_touch_at": (Kind.INSTANT, "the newest touch"),
    "person.edited_at": (Kind.INSTANT, "when a person last edited the record in the org"),
    "person.last_channel": (Kind.TEXT, "channel of the newest touch"),
    "person.campaign": (Kind.TEXT, "campaign of the newest touch that has one"),
    "activity.open_tasks": (Kind.NUMBER, "open tasks of the record"),
    "activity.next_event_at": (Kind.INSTANT, "the next event of the record"),
    "activity.last_at": (Kind.INSTANT, "the last task or event of the record"),
    "activity.open_opportunities": (Kind.NUMBER, "open opportunities of the contact or account"),
    "owner.is_active": (Kind.BOOLEAN, "whether the owner is an active user"),
    "owner.is_queue": (Kind.BOOLEAN, "whether a queue owns the record"),
    "status": (Kind.TEXT, "the lead's status in the org; empty for a contact"),
    "status_at": (Kind.INSTANT, "when the status was entered; of a record whose status nobody saw change, when it was made"),
    "days_in_status": (Kind.NUMBER, "whole days since then"),
    "now": (Kind.INSTANT, "the instant of the decision"),
    "today": (Kind.DAY, "its day in the policy's time zone"),
    "touches": (Kind.LIST, "only through `any_touch` and `count_touches`"),
    "score": (Kind.NUMBER, "points of `standards.scoring`"),
    "qualified": (Kind.BOOLEAN, "`standards.qualified`"),
}
"""Variables that every policy has, with their kinds."""

SCORING = ("score", "criteria", "qualified")
CRITERIA = ("qualified",)
"""What the conditions of scoring, and of criteria and `standards.qualified`, may not use: it is worked out after them."""

_WHY = {
    "score": "the score is worked out later",
    "criteria": "criteria are worked out later",
    "qualified": "whether somebody is qualified is worked out later",
}


class Variables:
    """What the conditions of one policy may name."""

    def __init__(self, text: str, org: OrgSchema | None, criteria: tuple[str, ...] = ()) -> None:
        """Take the kinds of `org`, or of the stock objects and of the custom fields that `text` (the whole file) names."""
        found = {name: kind for name, (kind, _) in MEANINGS.items()}
        found |= {f"criteria.{name}": Kind.BOOLEAN for name in criteria}
        open_prefixes: tuple[str, ...] = ()
        lead, contact, account = (org.objects.get(name) if org else None for name in ("Lead", "Contact", "Account"))
        leads = fields_of(lead) or {**fields_of(STOCK_LEAD), **SYSTEM}
        contacts = fields_of(contact) or {**leads, **dict.fromkeys(_CONTACT, Kind.TEXT)}
        found |= {f"lead.{name}": kind for name, kind in leads.items()}
        found |= {f"org.{name}": kind for name, kind in _joined(leads, contacts).items()}
        if account is None:
            open_prefixes = ("account",)
        found |= {f"account.{name}": kind for name, kind in fields_of(account).items()}
        if lead is None:
            for group, name in _CUSTOM.findall(text):
                found.setdefault(f"{group}.{name}", Kind.ANY)
        self.schema = Schema(found, open_prefixes)


def fields_of(described: ObjectSchema | None) -> dict[str, Kind]:
    """Field to kind; empty for an object that is not known."""
    return {} if described is None else {name: _KINDS.get(field.type, Kind.TEXT) for name, field in described.fields.items()}


def _joined(leads: Mapping[str, Kind], contacts: Mapping[str, Kind]) -> dict[str, Kind]:
    """Fields of either object; one that differs in kind has none."""
    both = {**contacts, **leads}
    return {name: kind if contacts.get(name, kind) is kind else Kind.ANY for name, kind in both.items()}


def misused(expression: Expression, forbidden: tuple[str, ...], later: tuple[str, ...] = ()) -> Iterator[tuple[Place, str]]:
    """Where `expression` names a variable that its place may not use, and why; `later` are criteria that stand below it."""
    for variable in named(expression.term):
        head = str(variable.path[0])
        if head == "touches":
            yield variable.place, 'Touches are asked for by any_touch("demo", 30) and count_touches("demo", 30) only.'
        elif head in forbidden:
            yield variable.place, f'"{variable.name}" cannot be used here: {_WHY[head]}.'
        elif head == "criteria" and str(variable.path[-1]) in later:
            yield variable.place, f'"{variable.name}" cannot be used here: it does not stand above this criterion.'


def named(term: Term) -> Iterator[Variable]:
    """The variables that are written in `term`; what a function needs besides its arguments is not."""
    if isinstance(term, Variable):
        yield term
    for child in term.arguments if isinstance(term, Call) else children(term):
        yield from named(child)
