"""What identity compares: mailboxes, phones and names in comparison form. Pure. The stored values are never these."""

from __future__ import annotations

import re
import unicodedata

from syncd.normalise.contact import phone_of
from syncd.normalise.remembered import remembered
from syncd.normalise.text import one_line

_GMAIL = frozenset({"gmail.com", "googlemail.com"})

_FREEMAIL = frozenset(
    """
    gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.de yahoo.fr outlook.com hotmail.com hotmail.co.uk live.com msn.com
    icloud.com me.com mac.com aol.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de mail.ru yandex.ru proton.me
    protonmail.com zoho.com qq.com 163.com 126.com orange.fr wanadoo.fr free.fr laposte.net libero.it virgilio.it wp.pl
    o2.pl onet.pl interia.pl seznam.cz naver.com daum.net rediffmail.com comcast.net verizon.net att.net sbcglobal.net
    """.split()
)

_ROLES = frozenset(
    """
    info information sales kontakt contact contacts contato contacto contatti kontakte biuro office hello hallo hola hi mail
    email e-mail post admin administrator administration webmaster postmaster hostmaster support help helpdesk service
    kundenservice customerservice team marketing press presse media pr hr jobs careers career karriere recruiting bewerbung
    billing invoice invoices accounting buchhaltung rechnung finance faktura einkauf purchasing procurement vertrieb ventas
    vendas verkauf verkoop reception empfang zentrale sekretariat secretary noreply no-reply donotreply abuse security
    privacy datenschutz gdpr legal newsletter events event booking reservations orders order bestellung shop store enquiries
    enquiry inquiries inquiry general all everyone staff board management it tech dev root feedback welcome redaktion
    sprzedaz obsluga zamowienia
    """.split()
)

_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[^/?#@]*@)?([^/?#:]*).*$", re.DOTALL)
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")

_JOINTS = str.maketrans(dict.fromkeys("-/,;:|+_", " ") | {"&": " and "})

_DIGRAPHS = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "å": "aa",
        "ø": "oe",
        "æ": "ae",
        "œ": "oe",
        "ß": "ss",
        "þ": "th",
        "ð": "d",
        "ł": "l",
        "đ": "d",
        "ı": "i",
    }
)
_SIMPLE = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ð": "d", "ł": "l", "đ": "d", "ı": "i"})


@remembered
def email_key(email: str) -> str:
    """A mailbox in comparison form: lower case, NFC, domain in punycode; dots and +tags ignored for Gmail only. `""` if it is none."""
    text = email.strip().casefold()
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    local, _, domain = text.rpartition("@")
    if not local or not domain:
        return ""
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            return ""
    if domain in _GMAIL:
        local, domain = local.partition("+")[0].replace(".", ""), "gmail.com"
    return f"{local}@{domain}" if local else ""


def is_role_mailbox(email: str) -> bool:
    """Whether a mailbox belongs to a function (`info@`, `kontakt@`), not to a person."""
    local = email.strip().casefold().rpartition("@")[0].partition("+")[0]
    return (
        local in _ROLES
        or ("." in local and local.replace(".", "") in _ROLES)
        or ("_" in local and local.replace("_", "-") in _ROLES)
    )


def is_freemail(domain: str) -> bool:
    """Whether anybody can have a mailbox at `domain`, so that it says nothing about a company."""
    return domain.strip().casefold() in _FREEMAIL


def domain_of(text: str) -> str:
    """The host of a mailbox or of a web address in comparison form (lower case, punycode, without `www.`); `""` if it is none."""
    text = unicodedata.normalize("NFC", text.strip().casefold())
    host = text.rpartition("@")[2] if "@" in text and "/" not in text else _HOST.sub(r"\1", text)
    host = host.strip(".").removeprefix("www.")
    try:
        host = host.encode("ascii" if host.isascii() else "idna").decode()
    except UnicodeError:
        return ""
    return host if _DOMAIN.fullmatch(host) else ""


@remembered
def company_key(text: str) -> frozenset[str]:
    """The foldings of a company's name: case, accents, spaces and punctuation do not count, every word and letter does."""
    plain = one_line(text).casefold()
    found = {
        " ".join(filter(None, (_letters(word) for word in plain.translate(table).translate(_JOINTS).split())))
        for table in (_DIGRAPHS, _SIMPLE)
    }
    return frozenset(found - {""})


def phone_key(text: str, region: str | None) -> str | None:
    """A phone in E.164 without its extension; None if it is none. Without a region only international notation counts."""
    found = phone_of(text, region)
    return found.e164 if found is not None else None


@remembered
def name_key(text: str) -> frozenset[str]:
    """The foldings of one name word or several: Müller, Mueller and Muller share one; other scripts keep themselves."""
    plain = one_line(text).casefold()
    if not plain:
        return frozenset()
    found = {_letters(plain.translate(_DIGRAPHS)), _letters(plain.translate(_SIMPLE)), _letters(plain)}
    return frozenset(found - {""}) or frozenset({plain})


def _letters(text: str) -> str:
    bare = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return "".join(one for one in bare if one.isalnum())


def names_agree(first_a: str, last_a: str, first_b: str, last_b: str) -> str:
    """`agree`, `clash` or `unknown` for two names; missing parts are no contradiction, initials and swapped order agree."""
    a, b = _parts(first_a, last_a), _parts(first_b, last_b)
    if not any(a) or not any(b):
        return "unknown"
    straight = _both(_part(a[0], b[0], initials=True), _part(a[1], b[1], initials=False))
    if straight == "clash" and all(a) and all(b):
        crossed = _both(_part(a[0], b[1], initials=False), _part(a[1], b[0], initials=False))
        return "agree" if crossed == "agree" else "clash"
    return straight


def _parts(first: str, last: str) -> tuple[str, str]:
    """First and last name; a full name in one field is taken apart at its last space."""
    first, last = one_line(first), one_line(last)
    if not first and " " in last:
        head, _, tail = last.rpartition(" ")
        return head, tail
    if not last and " " in first:
        head, _, tail = first.rpartition(" ")
        return head, tail
    return first, last


def _both(first: str, last: str) -> str:
    if "clash" in (first, last):
        return "clash"
    return "agree" if "agree" in (first, last) else "unknown"


def _part(a: str, b: str, *, initials: bool) -> str:
    if not a or not b:
        return "unknown"
    keys_a, keys_b = name_key(a), name_key(b)
    if keys_a & keys_b:
        return "agree"
    if initials:
        for left in keys_a:
            for right in keys_b:
                short, long = sorted((left, right), key=len)
                if len(short) == 1 and long.startswith(short):
                    return "agree"
        words_a, words_b = name_key(a.split(" ", maxsplit=1)[0]), name_key(b.split(" ", maxsplit=1)[0])
        if (" " in a or " " in b or "-" in a or "-" in b) and words_a & words_b:
            return "agree"
    return "clash"
