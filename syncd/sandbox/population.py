"""People who are in the sandbox before syncd comes: made up, always the same."""

from __future__ import annotations

from datetime import timedelta

from syncd.sandbox.mailchimp import SandboxMailchimp
from syncd.sandbox.org import SandboxOrg

AUDIENCE = "a1b2c3d4e5"
"""Id of the audience of `populate_mailchimp`."""
_STRANGERS = 30
_INTERESTS = {"9f1a2b3c4d": "Events", "8e2b3c4d5f": "Product news"}
_PERMISSIONS = {"4f3c2b1a09": "Send me the newsletter by e-mail"}
# Those whom the org knows as well, as they typed themselves in: status, address, name, company, phone, days since the last change.
_MEMBERS = (
    ("subscribed", "Ada.Lovelace@Example.com", "Ada", "Lovelace", "Analytical Engines", "020 7946 0001", 12),
    ("unsubscribed", "ALAN.TURING@EXAMPLE.COM", "alan", "turing", "", "", 3),
    ("subscribed", "Katherine.Johnson@Example.org", "Katherine", "JOHNSON", "Langley Research", "(202) 555-0101", 41),
    ("subscribed", "quentin.cerny@SocieteGeneral.example.org", "Quentin", "Cerny", "", "", 7),
    ("cleaned", "Ursula.Brown@blueoceanltd.example.com", "Ursula", "Brown", "Blue Ocean", "", 90),
    ("pending", "agus.andersson@AcmeInc.example.org", "Agus", "", "Acme", "", 1),
    ("subscribed", "Kofi.Quispe@NordicPumpsAB.example.org", "Kofi", "Quispe", "Nordic Pumps", "", 25),
    ("unsubscribed", "Grace.Murray@example.com", "Grace", "Murray Hopper", "", "", 5),
    ("archived", "mary.anning@example.org", "Mary", "Anning", "Lyme Fossils", "", 200),
)

_LEADS = (
    ("Ada", "Lovelace", "Analytical Engines Ltd", "ada.lovelace@example.com", "+44 20 7946 0001", "Countess"),
    ("Alan", "Turing", "Bletchley Park", "alan.turing@example.com", "+44 20 7946 0002", "Codebreaker"),
    ("Katherine", "Johnson", "Langley Research", "katherine.johnson@example.org", "+1 202 555 0101", "Mathematician"),
    # Some of the trade show's visitors were known before, as a rep typed them in.
    ("Quentin", "Černý", "Société Générale d'Outillage", "quentin.cerny@societegeneral.example.org", "", "Acheteur"),
    ("Ursula", "Brown", "Blue Ocean Ltd", "ursula.brown@blueoceanltd.example.com", "", ""),
    ("Agus", "Andersson", "Acme, Inc.", "agus.andersson@acmeinc.example.org", "", "Procurement"),
)


def populate(org: SandboxOrg, *, crowd: int = 0) -> None:
    """Fill an org with a few leads, a converted one with its contact, a contact, and `crowd` more leads of nobody in particular."""
    for first, last, company, email, phone, title in _LEADS:
        values = {"FirstName": first, "LastName": last, "Company": company, "Email": email, "Phone": phone, "Title": title}
        org.create("Lead", values, user="rep1")
    converted = org.create(
        "Lead",
        {
            "FirstName": "Kofi",
            "LastName": "Quispe",
            "Company": "Nordic Pumps AB",
            "Email": "kofi.quispe@nordicpumpsab.example.org",
        },
        user="rep2",
    )
    org.convert(converted, user="rep2")
    org.create("Contact", {"FirstName": "Grace", "LastName": "Murray", "Email": "grace.murray@example.com"}, user="rep2")
    for number in range(crowd):
        values = {"FirstName": "Visitor", "LastName": f"Number {number}", "Company": f"Company {number % 97}"}
        org.create("Lead", {**values, "Email": f"visitor{number}@crowd.example.org"}, user=f"rep{number % 3 + 1}")


def populate_mailchimp(mailchimp: SandboxMailchimp, *, empty: bool = False) -> None:
    """Add an audience of some 40 members: a few whom `populate` puts into the org, the others strangers; `empty`: of nobody."""
    mailchimp.add_audience(AUDIENCE, interests=_INTERESTS, permissions=_PERMISSIONS)
    if empty:
        return
    mailchimp.populate(AUDIENCE, _STRANGERS)
    now = mailchimp.clock.now()
    for status, email, first, last, company, phone, days in _MEMBERS:
        told = {"FNAME": first, "LNAME": last, "COMPANY": company, "PHONE": phone}
        mailchimp.put(
            AUDIENCE, email, status=status, merge_fields=told, tags=("newsletter",), at=now - timedelta(days=days, hours=days)
        )
