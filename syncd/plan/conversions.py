"""A lead's conversion: the account and contact it joins, who gets what is made, and what is asked of the org. Pure.

A conversion cannot be taken back, so nothing is guessed: what several records fit, and what nobody can be given, is a question for
a person. The operation's fields are `Status` (the converted one), `AccountId`, `ContactId` (`""` makes a new one), `OwnerId`,
`Account.Key:KIND` (what a new account will be found by), and `Opportunity.FIELD` of the opportunity that comes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from syncd.model import Candidate, Conversion, Operation, OrgRow, Value
from syncd.plan.tasks import USER
from syncd.policy.model import Converting

OPPORTUNITY_PREFIX = "Opportunity."
ACCOUNT_KEY_PREFIX = "Account.Key:"

_WORDS = {"contact": "is a contact there", "domain": "has its domain", "alias": "is named for it", "name": "has its name"}


class Prospects(msgspec.Struct, frozen=True, gc=False):
    """What the org has that a lead may join.

    Attributes:
        contacts: Living contacts who are the person: linked, or at the same personal mailbox with no clashing name.
        accounts: How it was found (`contact`, `domain`, `alias`, `name`) to the living accounts, by id.
        busy: Ids of accounts and contacts with an open opportunity.
        keys: (kind, value) pairs that an account made for this lead will be found by.
        founder: Person whose conversion, under way, makes such an account; "" for nobody.
    """

    contacts: tuple[OrgRow, ...] = ()
    accounts: Mapping[str, tuple[OrgRow, ...]] = {}
    busy: frozenset[str] = frozenset()
    keys: tuple[tuple[str, str], ...] = ()
    founder: str = ""


class Joined(msgspec.Struct, frozen=True, gc=False):
    """What a lead joins; "" and None for what is made anew. `evidence` says why it is this account."""

    account_id: str = ""
    account: OrgRow | None = None
    contact: OrgRow | None = None
    evidence: str = ""


class Question(msgspec.Struct, frozen=True, gc=False):
    """Why a person must decide, and between which records. `code` is a constant word."""

    code: str
    reason: str
    candidates: tuple[Candidate, ...] = ()


def join(converting: Converting, lead: OrgRow, met: Prospects) -> Joined | Question:
    """The account and contact that `lead` joins. The person's own contact says the account; else the methods in their order."""
    if met.contacts:
        return _by_contact(met)
    for method in converting.match:
        found = met.accounts.get(method, ())
        if found:
            chosen = _one_of(found, [met.accounts.get(other, ()) for other in converting.match if other != method], lead, met)
            if chosen is None:
                what = f"{len(found)} accounts fit this lead (each {_WORDS[method]})."
                return Question("several_accounts", f"{what} Choose one, or have a new one made.", _candidates(found))
            return Joined(chosen.sf_id, chosen, None, method)
    return Joined(evidence="new")


def _by_contact(met: Prospects) -> Joined | Question:
    if len(met.contacts) > 1:
        reason = f"{len(met.contacts)} contacts are this person. Merge them, or choose the account of one of them."
        return Question("several_contacts", reason, _candidates(met.contacts))
    contact = met.contacts[0]
    account_id = str(contact.fields.get("AccountId") or "")
    if not account_id:
        reason = f"The person is the contact {contact.sf_id}, which has no account to join."
        return Question("contact_without_account", reason, _candidates(met.contacts))
    account = next((one for one in met.accounts.get("contact", ()) if one.sf_id == account_id), None)
    return Joined(account_id, account, contact, "contact")


def _one_of(found: Sequence[OrgRow], others: Iterable[Sequence[OrgRow]], lead: OrgRow, met: Prospects) -> OrgRow | None:
    """The one account among several that more speaks for: another method, an open opportunity, the lead's owner, its country; else None."""
    left = list(found)
    country = str(lead.fields.get("Country") or "").casefold()
    tests: list[Callable[[OrgRow], bool]] = [lambda one, ids={row.sf_id for row in other}: one.sf_id in ids for other in others]  # type: ignore[misc]
    tests += [
        lambda one: one.sf_id in met.busy,
        lambda one: bool(lead.owner_id) and one.owner_id == lead.owner_id,
        lambda one: bool(country) and str(one.fields.get("BillingCountry") or "").casefold() == country,
    ]
    for fits in tests:
        if len(left) == 1:
            break
        left = [one for one in left if fits(one)] or left
    return left[0] if len(left) == 1 else None


def _candidates(rows: Sequence[OrgRow]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            row.object,
            row.sf_id,
            last_name=str(row.fields.get("Name") or row.fields.get("LastName") or ""),
            first_name=str(row.fields.get("FirstName") or ""),
            email=str(row.fields.get("Email") or ""),
        )
        for row in rows
    )


def owner_of(
    wanted: str, lead: OrgRow, joined: Joined, active: frozenset[str], named: Mapping[str, str], member: Callable[[str], str]
) -> str:
    """Id of the user who gets what a conversion makes; "" if there is none, and a person must be asked.

    Args:
        wanted: `account`, `lead`, `user:NAME` or `queue:NAME`.
        lead: As it is now.
        joined: The account, if there is one already.
        active: Ids of the active users that may be given anything: never the integration user.
        named: `user:NAME` to its id.
        member: `queue:NAME` to the id of the member whose turn it is, "" if it has none.
    """
    if wanted.startswith("queue:"):
        asked = [member(wanted)]
    elif wanted.startswith("user:"):
        asked = [named.get(wanted, "")]
    else:
        # An account that is made with the lead has no owner yet: the lead's goes on with it.
        asked = [joined.account.owner_id if wanted == "account" and joined.account is not None else "", lead.owner_id]
    return next((one for one in asked if one in active and one.startswith(USER)), "")


def conversion_fields(
    status: str, joined: Joined, owner_id: str, keys: Iterable[tuple[str, str]], opening: Mapping[str, Value]
) -> dict[str, Value]:
    """The fields of the operation; `opening` are those of the opportunity, empty for none."""
    fields: dict[str, Value] = {
        "Status": status,
        "AccountId": joined.account_id,
        "ContactId": joined.contact.sf_id if joined.contact is not None else "",
        "OwnerId": owner_id,
    }
    if not joined.account_id:
        for number, (kind, value) in enumerate(keys):
            fields[f"{ACCOUNT_KEY_PREFIX}{kind}:{number}"] = value
    return fields | {f"{OPPORTUNITY_PREFIX}{name}": value for name, value in opening.items()}


def account_keys_in(fields: Mapping[str, Value]) -> set[tuple[str, str]]:
    """What the account that a conversion of these fields makes will be found by; empty if it joins one."""
    return {
        (name.removeprefix(ACCOUNT_KEY_PREFIX).partition(":")[0], str(value))
        for name, value in fields.items()
        if name.startswith(ACCOUNT_KEY_PREFIX)
    }


def opening_of(operation: Operation) -> dict[str, Value]:
    """The fields of the opportunity that comes with a conversion; empty for none."""
    named = {name.removeprefix(OPPORTUNITY_PREFIX): value for name, value in operation.fields.items()}
    return {name: value for name, value in named.items() if OPPORTUNITY_PREFIX + name in operation.fields}


def request_of(operation: Operation) -> Conversion:
    """What is asked of the org."""
    said = {name: str(operation.fields.get(name) or "") for name in ("Status", "AccountId", "ContactId", "OwnerId")}
    return Conversion(
        lead_id=operation.sf_id,
        converted_status=said["Status"],
        account_id=said["AccountId"],
        contact_id=said["ContactId"],
        owner_id=said["OwnerId"],
        opportunity_name=str(opening_of(operation).get("Name") or ""),
    )


__all__ = [
    "Joined",
    "Prospects",
    "Question",
    "account_keys_in",
    "conversion_fields",
    "join",
    "opening_of",
    "owner_of",
    "request_of",
]
