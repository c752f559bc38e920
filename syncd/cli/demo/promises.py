"""What must be true at the end of the demo, worked out from the org, the members of Mailchimp, the files and syncd's ledger.

Pure, and deliberately apart from the engine's own idea of a mailbox: a promise that asks the engine proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncd.cli.demo.live import Live

IMPORTABLE = frozenset({"subscribed", "transactional", "unsubscribed"})
"""Statuses that make a lead by the shipped mapping."""
_OPT_OUT = "HasOptedOutOfEmail"
_SHARED = ("info@", "sales@", "kontakt@")

Row = Mapping[str, Any]


@dataclass
class Evidence:
    """The state of the world.

    Attributes:
        leads, contacts: Living records of the org; converted leads are left out.
        members: Of every audience, as the API shows them.
        scans: Addresses of readable rows of the files, and whether the row says "do not contact".
        people: `syncd lead export`.
        sent: Addresses that the web site sent and that were let in.
        asked: Person ids about whom a question waits for a person.
        ours: The id of syncd's user in the org.
    """

    leads: Sequence[Row]
    contacts: Sequence[Row]
    members: Sequence[Row]
    scans: Sequence[tuple[str, bool]]
    people: Sequence[Row]
    asked: set[str]
    ours: str
    sent: set[str] = field(default_factory=set)
    by_mailbox: dict[str, list[Row]] = field(init=False)

    def __post_init__(self) -> None:
        """Look who has which mailbox."""
        self.by_mailbox = {}
        for row in (*self.leads, *self.contacts):
            if row.get("Email"):
                self.by_mailbox.setdefault(mailbox(str(row["Email"])), []).append(row)


def mailbox(address: str) -> str:
    """The mailbox behind an address: case means nothing, at Gmail neither dots nor what follows a +."""
    name, _, domain = address.strip().lower().rpartition("@")
    if domain in ("gmail.com", "googlemail.com"):
        return f"{name.partition('+')[0].replace('.', '')}@gmail.com"
    return f"{name}@{domain}"


def expected(evidence: Evidence) -> set[str]:
    """Mailboxes of everybody who must be in the org: importable members, and scans with a mailbox of their own."""
    members = {_of(one) for one in evidence.members if one["status"] in IMPORTABLE}
    sent = {mailbox(address) for address in evidence.sent}
    return members | sent | {mailbox(address) for address, _ in evidence.scans if not address.lower().startswith(_SHARED)}


def lost(evidence: Evidence) -> set[str]:
    """Whoever should be in the org and is not: by mailbox, and by the ledger for those without one.

    Whoever is the subject of an open question waits for its answer and is not lost.
    """
    asked = {value for one in evidence.people if one["person_id"] in evidence.asked for value in _mailboxes(one)}
    found = {address for address in expected(evidence) if address not in evidence.by_mailbox} - asked
    living = {row["Id"] for row in (*evidence.leads, *evidence.contacts)}
    for person in evidence.people:
        may_wait = person["person_id"] in evidence.asked or _was_skipped(person)
        if person["sf_id"] not in living and not may_wait:
            found.add(str(person["person_id"]))
    return found


def _was_skipped(person: Row) -> bool:
    """Known by records that make no lead only (an opt-out, a cleaned address)."""
    return not {"LastName", "Email"} & set(person["fields"])


def doubled(evidence: Evidence) -> set[str]:
    """Whoever syncd made a record for although there was one: by mailbox, and by syncd's own id."""
    found = set()
    for address, rows in evidence.by_mailbox.items():
        others = sorted(rows, key=lambda row: (str(row["CreatedDate"]), row["CreatedById"] == evidence.ours))[1:]
        if any(row["CreatedById"] == evidence.ours for row in others) and not address.startswith(_SHARED):
            found.add(address)
    ids = [str(row["Syncd_Id__c"]) for row in evidence.leads if row.get("Syncd_Id__c")]
    records = [str(one["sf_id"]) for one in evidence.people if one["sf_id"]]
    return found | _repeated(ids) | _repeated(records)


def opt_outs_missing(evidence: Evidence) -> set[str]:
    """Records of people who unsubscribed anywhere, or said so at the booth, that may still be mailed."""
    return {
        str(row["Id"])
        for address in _withdrawn(evidence)
        for row in evidence.by_mailbox.get(address, ())
        if row.get(_OPT_OUT) is not True
    }


def opt_outs_invented(evidence: Evidence) -> set[str]:
    """Records of people whose address is cleaned, and who never withdrew anything, that may not be mailed any more."""
    return {
        str(row["Id"])
        for address in _cleaned(evidence)
        for row in evidence.by_mailbox.get(address, ())
        if row.get(_OPT_OUT) is True
    }


def passed_over(evidence: Evidence, jumped: Iterable[str], edited: Mapping[str, str]) -> set[str]:
    """Members whom a moving list would have hidden from an offset, or whose edit came during the crawl, and who are not in the org as they are now."""
    importable = {_of(one) for one in evidence.members if one["status"] in IMPORTABLE}
    found = {address for address in jumped if mailbox(address) in importable and mailbox(address) not in evidence.by_mailbox}
    for address, company in edited.items():
        rows = evidence.by_mailbox.get(mailbox(address), ())
        if mailbox(address) in importable and not any(row.get("Company") == company for row in rows):
            found.add(address)
    return found


def _withdrawn(evidence: Evidence) -> set[str]:
    left = {_of(one) for one in evidence.members if one["status"] == "unsubscribed"}
    return left | {mailbox(address) for address, forbids in evidence.scans if forbids and not address.lower().startswith(_SHARED)}


def _cleaned(evidence: Evidence) -> set[str]:
    return {_of(one) for one in evidence.members if one["status"] == "cleaned"} - _withdrawn(evidence)


def _of(member: Row) -> str:
    return mailbox(str(member["email_address"]))


def _mailboxes(person: Row) -> set[str]:
    return {mailbox(str(value)) for kind, value in person["keys"] if kind == "email"}


def _repeated(values: list[str]) -> set[str]:
    seen: set[str] = set()
    return {value for value in values if value in seen or seen.add(value)}  # type: ignore[func-returns-value]


@dataclass
class Seen:
    """What happened in the story.

    Attributes:
        jumped: Addresses an offset would have passed over. edited: Address to the company typed in during the crawl.
        edited_id, edit: The record that a rep edited, and how.
        left: Mailboxes of those who unsubscribed afterwards.
        quiet_writes, quiet_calls: What the pass without news wrote, and its calls to Mailchimp.
    """

    jumped: set[str] = field(default_factory=set)
    edited: dict[str, str] = field(default_factory=dict)
    edited_id: str = ""
    edit: Mapping[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    quiet_writes: int = 0
    quiet_calls: int = 0


@dataclass(frozen=True)
class Promise:
    """One promise, and how it stands; `detail` says on how much that rests."""

    text: str
    is_kept: bool
    detail: str = ""


def judge(evidence: Evidence, seen: Seen) -> list[Promise]:
    """Every promise of the demo. One that rests on nothing (nobody moved, nobody left) counts as broken."""
    audiences = {one["list_id"] for one in evidence.members}
    edited = next((row for row in evidence.leads if row["Id"] == seen.edited_id), {})
    left = [row for address in seen.left for row in evidence.by_mailbox.get(address, ())]
    withdrawn, cleaned = _withdrawn(evidence), _cleaned(evidence)
    wanted = expected(evidence)
    arrived = "grace.hopper@example.org" in evidence.by_mailbox
    return [
        Promise(
            "nobody lost: whoever can be imported is in the org",
            bool(wanted) and not lost(evidence),
            f"{len(wanted):,} mailboxes",
        ),
        Promise("nobody doubled, despite kill -9 and other spellings", bool(evidence.by_mailbox) and not doubled(evidence)),
        Promise(
            "page shifts cost nobody",
            bool(seen.jumped and seen.edited) and not passed_over(evidence, seen.jumped, seen.edited),
            f"paging by offset would have lost {len(seen.jumped)}",
        ),
        Promise(
            "the rep's edit survived a newer file and the newsletter",
            bool(seen.edit) and all(edited.get(name) == value for name, value in seen.edit.items()) and arrived,
        ),
        Promise(
            "an unsubscribe reached all records of the person",
            len(left) > len(seen.left) > 0 and all(row.get(_OPT_OUT) is True for row in left),
            f"{len(seen.left)} people, {len(left)} records",
        ),
        Promise(
            "every other opt-out stands, too",
            bool(withdrawn - seen.left) and not opt_outs_missing(evidence),
            f"{len(withdrawn - seen.left)} people",
        ),
        Promise(
            "a bounced address is no opt-out",
            bool(cleaned & set(evidence.by_mailbox)) and not opt_outs_invented(evidence),
            f"{len(cleaned & set(evidence.by_mailbox))} people",
        ),
        Promise(
            "no news: no write, one call per audience",
            seen.quiet_writes == 0 and 0 < seen.quiet_calls <= len(audiences),
            f"{seen.quiet_writes} writes, {seen.quiet_calls} calls",
        ),
    ]


def judge_live(evidence: Evidence, live: Live) -> list[Promise]:
    """The promises of the daemon's act."""
    let_in = [one for one in live.sent if one.status < 400]
    refused = [one for one in live.sent if one.status >= 400]
    ages = [one.age_seconds for one in let_in if one.age_seconds is not None]
    new = [one for one in let_in if one.what == "a new lead"]
    overtaken = bool(new) and all(one.arrived_at and one.arrived_at < live.backfill_ended_at for one in new)
    return [
        Promise(
            "every webhook that was answered with 2xx is one lead",
            bool(let_in) and all(len(evidence.by_mailbox.get(mailbox(one.email), ())) == 1 for one in let_in),
            f"{len(let_in)} answers",
        ),
        Promise(
            "what was forged was refused, and is nowhere",
            len(refused) == 1 and refused[0].status == 401 and mailbox(refused[0].email) not in evidence.by_mailbox,
        ),
        Promise(
            "hot leads overtook the back-fill",
            len(ages) == len({one.email for one in let_in}) and live.backfilled > 0 and overtaken,
            f"the slowest was in the org after {max(ages, default=0.0):.1f} s, beside {live.backfilled:,} leads",
        ),
        Promise("the daemon finished its work and ended when it was told to", live.exit_code == 0),
    ]
