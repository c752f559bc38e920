"""Which person is this? One record at a time, against what is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from syncd.identity.keys import Key, LeadKeys, person_id_for
from syncd.identity.match import MAX_SHARED, Names, ReviewWish, clashes, group, links_of, names_of, strength
from syncd.model import Candidate, Lead, PersonState, RecordRef


class Resolution(msgspec.Struct, frozen=True, gc=False):
    """The answer for one record.

    `rule` names the evidence (`record`, `email`, `org_email`, `phone_and_name`, `new`, `review`).
    `claims` and `evidence` are the keys the person takes; `org_links` the org records that are this person's.
    """

    person_id: str
    is_new: bool
    rule: str
    state: PersonState = PersonState.ACTIVE
    claims: tuple[Key, ...] = ()
    evidence: tuple[Key, ...] = ()
    org_links: tuple[tuple[str, str], ...] = ()
    review: ReviewWish | None = None


class Facts:
    """What is known of the keys of one batch; learns as the batch is resolved, so that its records see each other."""

    def __init__(
        self,
        claims: Mapping[Key, str],
        candidates: Mapping[Key, Sequence[Candidate]],
        people: Mapping[str, Candidate] | None = None,
    ) -> None:
        """Take the look-ups of the batch: owner by claim, holders by key, and the owners' names."""
        self.claims: dict[Key, str] = dict(claims)
        self.candidates: dict[Key, list[Candidate]] = {key: list(found) for key, found in candidates.items()}
        self.people: dict[str, Candidate] = dict(people or {})

    def knows(self, keys: Iterable[Key]) -> bool:
        """Whether anybody has one of these keys."""
        return any(key in self.claims or self.candidates.get(key) for key in keys)

    def learn(self, lead: Lead, resolution: Resolution) -> None:
        """Remember what one record settled."""
        for key in resolution.claims:
            self.claims.setdefault(key, resolution.person_id)
        names = names_of(lead)
        known = self.people.get(resolution.person_id)
        if known is None or not known.last_name:
            known = Candidate("person", resolution.person_id, resolution.person_id, "", names.first, names.last, names.email)
            self.people[resolution.person_id] = known
        for key in resolution.evidence:
            holders = self.candidates.setdefault(key, [])
            if all(one.subject_id != resolution.person_id for one in holders):
                holders.append(known)
        if not resolution.org_links:
            return
        linked = set(resolution.org_links)
        for holders in self.candidates.values():
            for index, one in enumerate(holders):
                if (one.kind, one.subject_id) in linked and not one.person_id:
                    holders[index] = msgspec.structs.replace(one, person_id=resolution.person_id)


def resolve(ref: RecordRef, lead: Lead, keys: LeadKeys, facts: Facts, secret: bytes) -> Resolution:
    """Decide who the record is about. The record's own claim first, then mailbox, then the org, then shared keys."""
    names = names_of(lead)
    own = facts.claims.get(keys.claims[0])
    if own is not None:
        return _known_record(own, keys, facts)
    by_mailbox = _by_mailbox(names, keys, facts)
    if by_mailbox is not None:
        return _answer(ref, keys, secret, by_mailbox)
    return _answer(ref, keys, secret, _by_shared_keys(names, keys, facts))


class _Finding(msgspec.Struct, frozen=True, gc=False):
    """Whom the keys point to: a group of candidates that is this person, or a question, or nobody."""

    rule: str
    members: tuple[Candidate, ...] = ()
    review: ReviewWish | None = None


def _known_record(own: str, keys: LeadKeys, facts: Facts) -> Resolution:
    """A later version of a record: the same person whatever else changed; a key that is somebody else's is a question."""
    foreign = sorted({owner for key in keys.claims if (owner := facts.claims.get(key)) not in (None, own) and owner})
    review = None
    if foreign:
        people = tuple(facts.people.get(one, Candidate("person", one, one)) for one in foreign)
        review = ReviewWish("clashing_claims", "The record now carries a mailbox that belongs to somebody else.", people)
    mine = tuple(key for key in keys.claims if facts.claims.get(key) in (None, own))
    return Resolution(own, is_new=False, rule="record", claims=mine, evidence=keys.evidence, review=review)


def _by_mailbox(names: Names, keys: LeadKeys, facts: Facts) -> _Finding | None:
    mailbox = keys.email
    if mailbox is None:
        return None
    owner = facts.claims.get(mailbox)
    if owner is not None:
        person = facts.people.get(owner, Candidate("person", owner, owner))
        if clashes(names, (person,)):
            return _Finding("review", review=ReviewWish("clashing_names", "One mailbox, two different names.", (person,)))
        return _Finding("email", (person,))
    groups = group(one for one in facts.candidates.get(mailbox, ()) if one.kind != "person")
    if not groups:
        return None
    if len(groups) > 1:
        everyone = tuple(one for members in groups for one in members)
        reason = f"{len(groups)} records in Salesforce have this mailbox."
        return _Finding("review", review=ReviewWish("several_matches", reason, everyone))
    if clashes(names, groups[0]):
        wish = ReviewWish("clashing_names", "Salesforce knows this mailbox under another name.", groups[0])
        return _Finding("review", review=wish)
    return _Finding("org_email", groups[0])


def _by_shared_keys(names: Names, keys: LeadKeys, facts: Facts) -> _Finding:
    strong: list[tuple[Candidate, ...]] = []
    weak: list[tuple[Candidate, ...]] = []
    holders = {
        (one.kind, one.subject_id): one
        for key in keys.evidence
        if len(found := facts.candidates.get(key, ())) <= MAX_SHARED
        for one in found
    }
    for members in group(holders.values()):
        level = strength(names, members)
        if level == "strong":
            strong.append(members)
        elif level == "weak":
            weak.append(members)
    if len(strong) == 1:
        return _Finding("phone_and_name", strong[0])
    if strong or weak:
        everyone = tuple(one for members in (*strong, *weak) for one in members)
        kind = "several_matches" if strong else "weak_match"
        return _Finding("review", review=ReviewWish(kind, "A shared phone or mailbox and the last name agree.", everyone))
    return _Finding("new")


def _answer(ref: RecordRef, keys: LeadKeys, secret: bytes, finding: _Finding) -> Resolution:
    new_id = person_id_for(ref, secret)
    if finding.review is not None:
        # A provisional person: it keeps the record, takes no key that may be somebody else's, and is never created.
        own = keys.claims[:1]
        return Resolution(new_id, is_new=True, rule="review", state=PersonState.REVIEW, claims=own, review=finding.review)
    known = next((one.person_id for one in finding.members if one.person_id), "")
    # A lost store is rebuilt from the org: the external id names the person (DESIGN 4).
    rebuilt = next((one.person_key for one in finding.members if one.person_key), "")
    return Resolution(
        known or rebuilt or new_id,
        is_new=not known,
        rule=finding.rule,
        claims=keys.claims,
        evidence=keys.evidence,
        org_links=links_of(finding.members),
    )
