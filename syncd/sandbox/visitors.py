"""People who meet the company on many channels: the same few for every vendor, so that their traces must be joined."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple


class Visitor(NamedTuple):
    """Somebody as they type themselves in. `agrees` None: they were not asked, or did not answer."""

    first: str
    last: str
    email: str
    company: str
    phone: str
    title: str
    country: str
    agrees: bool | None
    at: datetime


# Whom the org and the audience of the sandbox know as well come first; each types a little differently.
_PEOPLE = (
    (
        "Ada",
        "Lovelace",
        "ada.lovelace@example.com",
        "Analytical Engines Ltd",
        "+44 20 7946 0001",
        "Countess",
        "United Kingdom",
        True,
    ),
    ("katherine", "JOHNSON", "Katherine.Johnson@example.org", "Langley Research", "+1 202 555 0101", "Mathematician", "US", None),
    ("Grace", "Murray", "grace.murray@EXAMPLE.com", "Langley Research", "", "Rear Admiral", "United States", False),
    ("Ursula", "Brown", "ursula.brown@blueoceanltd.example.com", "Blue Ocean Ltd", "", "Buyer", "IE", True),
    ("Mary", "Jackson", "mary.jackson@langley.example.org", "Langley Research", "+1 202 555 0102", "Engineer", "USA", True),
    (
        "Dorothy",
        "Vaughan",
        "dorothy.vaughan@langley.example.org",
        "Langley Research",
        "+1 202 555 0103",
        "Supervisor",
        "US",
        None,
    ),
    ("Wei", "Zhang", "wei.zhang@lantern.example.com", "Lantern Instruments", "", "Head of Lab", "China", True),
    ("Zoë", "Müller", "zoe.mueller@pumpen.example.com", "Pumpen-Müller GmbH", "+49 30 901820", "Einkauf", "Deutschland", False),
    ("José", "Quispe", "jose.quispe@andes.example.org", "Andes Minerals", "+51 1 5550100", "Geologist", "Peru", True),
    ("Søren", "Kjær", "soeren.kjaer@nordwind.example.com", "Nordwind A/S", "", "CTO", "Denmark", None),
    ("Priya", "Raman", "priya.raman@lotus.example.com", "Lotus Textiles", "+91 22 5550 0100", "Buyer", "India", True),
    ("Omar", "Haddad", "omar.haddad@cedar.example.com", "Cedar Foods", "", "Director", "Lebanon", None),
)


def visitors(end: datetime, *, hours: int = 48) -> list[Visitor]:
    """The people, each `at` some moment of the last `hours` before `end` (aware), in order."""
    step = timedelta(hours=hours) / (len(_PEOPLE) + 1)
    begin = end - timedelta(hours=hours)
    return [Visitor(*person, begin + step * number) for number, person in enumerate(_PEOPLE, start=1)]
