"""People who are in the sandbox before syncd comes: made up, always the same."""

from __future__ import annotations

from syncd.sandbox.org import SandboxOrg

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
