"""Who plays in the demo: members of two audiences, some of whom the org and the scanners know in another spelling; all made up."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from importlib.resources import files

import msgspec

from syncd.sandbox import AUDIENCE, SandboxMailchimp, SandboxOrg, populate, populate_mailchimp

PRODUCT_NEWS = "b7c8d9e0f1"
"""Id of the second audience; the first is `AUDIENCE`."""
KOFI = "kofi.quispe@nordicpumpsab.example.org"
"""A lead that was converted to a Contact before syncd came; was scanned, and reads the newsletter."""
FILES = {"trade_show.csv": ("utf-8-sig", ";"), "trade_show_scanner2.csv": ("cp1252", ",")}
"""The bundled exports: how they are written, and what splits their columns."""

WALK_INS = (
    ("Margaret", "Hamilton", "MargaretHamilton+booth@gmail.com", "Apollo Guidance"),
    ("Hedy", "Lamarr", "hedy.lamarr@gmail.com", "Spread Spectrum"),
)
"""Who came to the booth without a badge: Gmail, where dots and what follows a + mean nothing."""
_GMAIL_MEMBERS = (
    ("Margaret.Hamilton+news@GMAIL.com", "Margaret", "Hamilton"),
    ("h.edy.lamarr+newsletter@gmail.com", "Hedy", "Lamarr"),
)
_CROWD = 2_200
_OVERLAP = 260
_EVERY = 6
_STATUSES = ("subscribed",) * 7 + ("cleaned", "pending", "archived")


class Scan(msgspec.Struct, frozen=True):
    """A row of a scanner's file that can be read; `email` is "" where none was read that is one."""

    first: str
    last: str
    email: str
    company: str
    forbids: bool


def scans() -> list[Scan]:
    """Every readable row of the bundled files, in order."""
    found = []
    for name, (encoding, delimiter) in FILES.items():
        text = files("syncd").joinpath("demo_data", name).read_bytes().decode(encoding)
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
        head = rows[0]
        place = {word: column for column, word in enumerate(head)}
        mail, company = (place.get("E-mail", 2), place.get("Company", 4))
        for row in rows[1:]:
            if len(row) == len(head):
                address = row[mail].strip() if "@" in row[mail] else ""
                found.append(Scan(row[0], row[1], address, row[company], row[-1] == "DO NOT CONTACT"))
    return found


def fill_org(org: SandboxOrg) -> None:
    """People whom the reps know already: leads, a converted one, contacts, and one who was typed in twice."""
    populate(org)
    twice = typed_in_twice()
    names = {"FirstName": twice.first.title(), "LastName": twice.last.title(), "Email": twice.email.lower()}
    org.create("Lead", {**names, "Company": twice.company or "Unknown"}, user="rep1")
    org.create("Contact", names, user="rep2")
    told = {"FirstName": "Margaret", "LastName": "Hamilton", "Company": "Apollo Guidance", "Email": "margaret.hamilton@gmail.com"}
    org.create("Lead", told, user="rep2")


def fill_audiences(mailchimp: SandboxMailchimp) -> None:
    """Two audiences: strangers, people who are in both, and people whom the org or a scanner knows by another spelling."""
    populate_mailchimp(mailchimp)
    mailchimp.add_audience(PRODUCT_NEWS, "Product news")
    mailchimp.populate(AUDIENCE, _CROWD)
    # The same seed makes the same people: these are members twice.
    mailchimp.populate(PRODUCT_NEWS, _OVERLAP)
    now = mailchimp.clock.now()
    for number, scan in enumerate(_visitors()):
        at = now - timedelta(days=number + 1, minutes=number)
        names = {"FNAME": scan.first, "LNAME": scan.last}
        spelled = (scan.email.upper(), scan.email.title(), scan.email.lower())[number % 3]
        status = _STATUSES[number % len(_STATUSES)]
        mailchimp.put((AUDIENCE, PRODUCT_NEWS)[number % 2], spelled, status=status, merge_fields=names, at=at)
    for spelled, first, last in _GMAIL_MEMBERS:
        mailchimp.put(PRODUCT_NEWS, spelled, merge_fields={"FNAME": first, "LNAME": last}, at=now - timedelta(days=9))


def typed_in_twice() -> Scan:
    """A visitor whom the org has as a Lead and, by another rep, as a Contact: who of them is it?"""
    return _visitors()[2]


def _visitors() -> list[Scan]:
    """Every sixth of those who were scanned with a name and a mailbox of their own, each once."""
    known: dict[str, Scan] = {}
    for scan in scans():
        if scan.first and scan.last and scan.email and not scan.email.lower().startswith("info@"):
            known.setdefault(scan.email.lower(), scan)
    return list(known.values())[::_EVERY]
