"""Comparing a lead with candidates: what agrees, what clashes, what a person must decide. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from syncd.model import Candidate, Lead
from syncd.normalise.keys import email_key, is_role_mailbox, names_agree

MAX_SHARED = 50
"""A shared key with more holders than this says nothing about a person (a call centre, a hotel)."""


class ReviewWish(msgspec.Struct, frozen=True, gc=False):
    """A question for a person; candidates in a fixed order."""

    kind: str
    reason: str
    candidates: tuple[Candidate, ...]


class Names(msgspec.Struct, frozen=True, gc=False):
    """The names and the mailbox a lead states."""

    first: str = ""
    last: str = ""
    email: str = ""


def names_of(lead: Lead) -> Names:
    """What the lead says of itself; defaults are no evidence."""
    first, last, email = lead.evidence("FirstName"), lead.evidence("LastName"), lead.evidence("Email")
    return Names(str(first or ""), str(last or ""), str(email or ""))


def group(candidates: Iterable[Candidate]) -> list[tuple[Candidate, ...]]:
    """Candidates that are one human: the same person, or a converted lead with its contact. In a fixed order."""
    known = list(candidates)
    if not known:
        return []
    groups: dict[str, dict[tuple[str, str], Candidate]] = {}
    for one in sorted(known, key=lambda one: (one.kind, one.subject_id)):
        name = one.person_id or one.contact_id or one.subject_id
        # A contact that another candidate was converted into belongs to that candidate's group, and the other way round.
        home = next((key for key, members in groups.items() if key == name or _is_linked(one, members.values())), name)
        groups.setdefault(home, {})[one.kind, one.subject_id] = one
    return [tuple(members.values()) for _, members in sorted(groups.items())]


def _is_linked(one: Candidate, members: Iterable[Candidate]) -> bool:
    return any(
        (one.contact_id and one.contact_id == member.subject_id)
        or (member.contact_id and member.contact_id == one.subject_id)
        or (one.person_id and one.person_id == member.person_id)
        for member in members
    )


def clashes(names: Names, members: Iterable[Candidate]) -> bool:
    """Whether any name of one human contradicts the lead's."""
    return any(names_agree(names.first, names.last, one.first_name, one.last_name) == "clash" for one in members)


def strength(names: Names, members: Sequence[Candidate]) -> str:
    """What a shared key (phone, role mailbox) means beside the names: `strong`, `weak` or `none`.

    A phone counts only together with an agreeing last name. Different first names are colleagues or family. A missing first
    name, or two different personal mailboxes, is for a person to decide.
    """
    best = "none"
    for one in members:
        if not names.last or not one.last_name or names_agree("", names.last, "", one.last_name) != "agree":
            continue
        full = names_agree(names.first, names.last, one.first_name, one.last_name)
        if full == "clash":
            return "none"
        has_both_first = bool(names.first and one.first_name)
        best = "strong" if full == "agree" and has_both_first and not _other_mailbox(names.email, one.email) else "weak"
        if best == "weak":
            return best
    return best


def _other_mailbox(left: str, right: str) -> bool:
    """Whether both are personal mailboxes, and different ones."""
    if not left or not right or is_role_mailbox(left) or is_role_mailbox(right):
        return False
    return email_key(left) != email_key(right)


class Placement(msgspec.Struct, frozen=True, gc=False):
    """Where a person already is in the org: records to link, or a question."""

    org_links: tuple[tuple[str, str], ...] = ()
    review: ReviewWish | None = None


def place(leads: Sequence[Lead], candidates: Sequence[Candidate]) -> Placement | None:
    """Where the person behind `leads` stands among org records found by its keys; None if none of them is this person."""
    names = [names_of(lead) for lead in leads if not lead.skipped] or [Names()]
    fitting: list[tuple[Candidate, ...]] = []
    doubtful: list[tuple[Candidate, ...]] = []
    for members in group(candidates):
        mailboxes = {email_key(one.email) for one in members if one.email and not is_role_mailbox(one.email)}
        has_mailbox = any(one.email and email_key(one.email) in mailboxes for one in names)
        if has_mailbox:
            (doubtful if any(clashes(one, members) for one in names) else fitting).append(members)
            continue
        levels = {strength(one, members) for one in names}
        if "strong" in levels:
            fitting.append(members)
        elif "weak" in levels:
            doubtful.append(members)
    if len(fitting) == 1 and not doubtful:
        return Placement(org_links=links_of(fitting[0]))
    if not fitting and not doubtful:
        return None
    kind = "several_matches" if len(fitting) + len(doubtful) > 1 else "clashing_names"
    everyone = tuple(one for members in (*fitting, *doubtful) for one in members)
    return Placement(review=ReviewWish(kind, "Salesforce has records with the same keys.", everyone))


def links_of(members: Iterable[Candidate]) -> tuple[tuple[str, str], ...]:
    """(object, id) of the org records among `members`."""
    return tuple((one.kind, one.subject_id) for one in members if one.kind != "person")
