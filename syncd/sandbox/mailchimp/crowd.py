"""Many plausible members, made from their number when somebody looks: a million take a few bytes each.

Everybody is of one of KINDS kinds (status, choices, tags ...) and has some things of their own (address, name, instants ...): whoever
shows many of them needs to work out each kind once.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from syncd.sandbox.mailchimp.member import CODES, STATUSES, Member, address_key

_FIRST = tuple(
    "Ada Agus Alan Amara Anaïs Bjørn Carlos Chiara Chloé Daniel Dmitri Elif Emma Fatima Femi Freya Grace Hana Hugo Ines Ivan Jana "
    "José Karin Kofi Léa Liam Linh Lucia Łukasz Mai Marta Mateo Mei Miguel Mira Noah Nora Olga Omar Paula Pavel Priya Quentin "
    "Rafael Renée Rosa Sara Sofía Søren Tarek Thandi Tomáš Ursula Viktor Wanjiru Wei Yara Yusuf Zoë Zuzana Åsa Émile Özlem".split()
)
_LAST = tuple(
    "Adeyemi Andersson Bauer Brown Černý Costa Dubois Eriksson Ferrari Fischer García Haddad Hansen Hoffmann Ito Jansen Johnson "
    "Kamau Kim Kovács Kowalski Kumar Larsen Lefèvre Lopez Mbeki Meyer Moreau Müller Murray Nguyen Nielsen Novák Nyström O'Neill "
    "Okafor Oliveira Osei Papadopoulos Patel Pereira Petrov Quispe Rossi Santos Schmidt Silva Singh Smith Sørensen Suzuki Svensson "
    "Tanaka Taylor Thomas Turing Vargas Virtanen Weber Williams Yamamoto Yılmaz Zhang Żuk".split()
)
_COMPANIES = (
    *(f"{name} {kind}" for name in ("Acme", "Nordic Pumps", "Blue Ocean", "Langley") for kind in ("Ltd", "GmbH", "AB", "S.A.")),
    *("", "", "", "Smith & Sons, Inc.", "Société Générale d'Outillage", "Pumpen-Müller", '"Quoted" Foods', "n/a"),
    *("Analytical Engines Ltd", "Bletchley Park", "Langley Research", "株式会社サンプル", "self", "-", "Initech", "Umbrella Co"),
)
_DOMAINS = ("crowd.example.com", "crowd.example.org", "mail.example.net", "post.example.com")
_SOURCES = ("Hosted Signup Form", "Import", "API - Generic", "Embed Form")
_LANGUAGES = ("en", "", "de", "fr", "en", "sv", "es", "")
_TAGS = ((), (), ("newsletter",), ("webinar",), ("newsletter", "trade show"), (), ("customer",), ())
_SHARES = {"subscribed": 200, "unsubscribed": 26, "cleaned": 10, "pending": 7, "transactional": 5, "archived": 8}  # of 256
_CODE = bytes(code for name, share in _SHARES.items() for code in [CODES[name]] * share)
_STROKES = str.maketrans("øłı", "oli")  # what Unicode does not take apart
_MASK = (1 << 64) - 1
_MONTH = 30 * 86_400

KINDS = 1_024
CROWD_TAGS = sorted({name for names in _TAGS for name in names})
"""What members of a crowd may be tagged with."""


class Own(NamedTuple):
    """What is a member's own; instants in seconds since 1970."""

    email: str
    first: str
    last: str
    company: str
    phone: str
    opted: int
    signup: int


def _plain(name: str) -> str:
    """A name as it stands in an address."""
    letters = unicodedata.normalize("NFKD", name.lower().translate(_STROKES))
    return "".join(letter for letter in letters if letter.isascii() and letter.isalpha())


_FIRST_PLAIN, _LAST_PLAIN = tuple(map(_plain, _FIRST)), tuple(map(_plain, _LAST))
_COMPANIES_QUOTED = tuple(json.dumps(name, ensure_ascii=False)[1:-1] for name in _COMPANIES)


def _stir(number: int) -> int:
    """64 bits that look like chance."""
    number = number * 0x9E3779B97F4A7C15 & _MASK
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    return number ^ number >> 31


class Crowd:
    """`count` members from row `first` on. Pure: the same seed and number give the same person, in every audience."""

    def __init__(
        self, first: int, count: int, *, seed: int, number: int, start: int, seconds: int, tags: list[str], choices: list[str]
    ) -> None:
        """`number`: of the first person. `tags`: merge fields. `choices`: ids of interests and permissions alike."""
        self.first, self.count = first, count
        # Of the first row, so that a row is added to it.
        self._number, self._seed = number - first, seed << 40
        self._start, self._seconds = start, max(seconds, 1)
        # Imports touch many members in one second: a third of all shares the second of a thousand others.
        self._imports = max(count // 3_000, 1)
        self._blank: dict[str, Any] = dict.fromkeys(tags, "")
        self._choices = [{name: bool(bits >> place % 4 & 1) for place, name in enumerate(choices)} for bits in range(16)]

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """For each member the key of the address, `last_changed` and the code of the status."""
        codes = [_CODE[_stir(kind) & 255] for kind in range(KINDS)]
        for row in range(self.first, self.first + self.count):
            bits = self._bits(row)
            yield address_key(self._email(row, bits)), self._changed(bits), codes[bits % KINDS]

    def kind(self, row: int) -> int:
        """Below KINDS."""
        return self._bits(row) % KINDS

    def own(self, row: int, changed: int, *, is_quoted: bool = False) -> Own:
        """What is a member's own; `is_quoted` for texts as they stand between quotes in JSON."""
        bits = self._bits(row)
        company = (_COMPANIES_QUOTED if is_quoted else _COMPANIES)[bits >> 22 & 31]
        opted = changed - (bits >> 29) % _MONTH
        phone = f"+44 20 {7_000_000 + (self._number + row) % 1_000_000}"
        return Own(self._email(row, bits), _FIRST[bits >> 10 & 63], _LAST[bits >> 16 & 63], company, phone, opted, opted - 60)

    def member(
        self, row: int, contact_id: str, changed: int, kind: int, own: Own, interests: list[str], permissions: list[str]
    ) -> Member:
        """A member of a kind with what is its own."""
        bits = _stir(kind)
        status, source = STATUSES[_CODE[bits & 255]], _SOURCES[bits >> 18 & 3]
        told = {"FNAME": own.first, "LNAME": own.last, "COMPANY": own.company, "PHONE": own.phone}
        # Not everybody tells everything.
        told |= {"FNAME": ""} if not bits >> 8 & 15 else {}
        told |= {"PHONE": ""} if not bits >> 12 & 3 else {}
        chosen = self._choices[bits >> 14 & 15]
        is_form, has_left = source.endswith("Form"), status == "unsubscribed"
        return Member(
            row,
            own.email,
            contact_id,
            status,
            changed,
            self._blank | {tag: value for tag, value in told.items() if tag in self._blank},
            {name: chosen[name] for name in interests},
            {name: chosen[name] for name in permissions},
            dict.fromkeys(_TAGS[bits >> 20 & 7], own.opted),
            opted=0 if status == "pending" else own.opted,
            signup=own.signup if is_form else 0,
            ip_opt=f"198.51.100.{bits >> 23 & 127}",
            ip_signup=f"198.51.100.{bits >> 23 & 127}" if is_form else "",
            source=source,
            language=_LANGUAGES[bits >> 30 & 7],
            vip=not bits >> 33 & 127,
            reason="Too many mails" if has_left and bits >> 40 & 1 else "",
            left=changed if has_left else 0,
            is_barred=has_left or status == "cleaned",
        )

    def _bits(self, row: int) -> int:
        return _stir(self._seed + self._number + row)

    def _email(self, row: int, bits: int) -> str:
        first, last = _FIRST_PLAIN[bits >> 10 & 63], _LAST_PLAIN[bits >> 16 & 63]
        return f"{first}.{last}.{self._number + row}@{_DOMAINS[bits >> 58 & 3]}"

    def _changed(self, bits: int) -> int:
        spread = _stir(bits % self._imports + self._seed) if bits % 3 == 0 else bits >> 16
        return self._start + spread % self._seconds
