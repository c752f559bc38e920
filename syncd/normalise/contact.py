"""E-mail addresses, phones and domains. Pure; checked by email-validator, phonenumbers and the public suffix list, all offline."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from publicsuffixlist import PublicSuffixList

from syncd.normalise.remembered import remembered
from syncd.normalise.text import clean

_PLAIN_EMAIL = re.compile(r"[a-z0-9][a-z0-9_+-]*(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")
_JUNK_LOCALS = frozenset({"test", "asdf", "noemail", "nomail", "none", "na", "n/a", "xxx", "nobody", "unknown"})
_MANGLED = re.compile(r"^[+-]?\d+(?:[.,]\d+)?[eE]\+?\d+$")
_DOTTED = re.compile(r"^\d{1,3}(?:\.\d{1,3}){1,3}$")
_MAX_EMAIL, _MAX_PHONE = 254, 60
_PLAIN_PHONE = re.compile(r"\+?\(?\d[\d ().-]{6,18}\d")
_PUNCTUATION = str.maketrans("", "", " ().-")
_COUNTED = frozenset({"1234567890", "123456789", "12345678"})
"""Digits in a row: what people type to get past a form."""


class PhoneNumber(NamedTuple):
    """A phone: E.164 and its extension (`""` if none)."""

    e164: str
    extension: str


@remembered
def email_of(text: str) -> tuple[str, str]:
    """(address in lower case, `""`) or (`""`, reason): `invalid_email`, `junk_email`. No DNS is asked."""
    lowered = text
    # As a rule it is plain as it stands, and there is nothing to take off.
    if not _PLAIN_EMAIL.fullmatch(text) or len(text) > _MAX_EMAIL:
        value = clean(text).strip("<>,;. \"'").removeprefix("mailto:").strip()
        lowered = value.lower()
        if not _PLAIN_EMAIL.fullmatch(lowered) or len(lowered) > _MAX_EMAIL:
            try:
                checked = validate_email(value, check_deliverability=False, test_environment=True)
            except EmailNotValidError:
                return "", "invalid_email"
            lowered = checked.normalized.lower()
    local, _, domain = lowered.partition("@")
    # Reserved domains (example.com) are accepted: they cannot be reached, but they are what tests and demos use.
    if local in _JUNK_LOCALS or len(set(local + domain.partition(".")[0])) == 1:
        return "", "junk_email"
    return lowered, ""


_MAX_MADE = 8_000
_made: set[str] = set()
"""E.164 numbers that came out of `phone_of`: reading one again gives itself, and parsing is most of a lead's cost."""


@remembered
def phone_of(text: str, region: str | None) -> PhoneNumber | None:
    """A phone number, None if the text is none (words, `1.2.3`, `4.9E+11`, all the same digit)."""
    if text in _made:
        return PhoneNumber(text, "")
    plain = _plain_number(text, region)
    if plain:
        return _remembered(plain, "")
    value = clean(text)
    if not value or len(value) > _MAX_PHONE or _MANGLED.match(value) or _DOTTED.match(value):
        return None
    value = re.sub(r"\(0\)", "", value) if value.startswith(("+", "00")) else value
    if value.startswith("00") and not value.startswith("000"):
        value = "+" + value[2:].lstrip()
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number) or len(set(str(number.national_number))) == 1:
        return None
    if str(number.national_number) in _COUNTED:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return _remembered(e164, number.extension or "")


def _remembered(e164: str, extension: str) -> PhoneNumber:
    if len(_made) >= _MAX_MADE:
        _made.clear()
    _made.add(e164)
    return PhoneNumber(e164, extension)


def _plain_number(text: str, region: str | None) -> str:
    """The E.164 form of a number whose reading is beyond doubt, `""` for all others; a tenth of the library's time.

    That is one in international notation, or in the notation of a region without trunk prefix rules of its own (the NANP's
    ten digits), of a length that libphonenumber's metadata has for that country, with nothing that its national prefix
    rules might take away. A property test keeps it equal to the library.
    """
    if not text.isascii() or not _PLAIN_PHONE.fullmatch(text):
        return ""
    digits = text.translate(_PUNCTUATION)
    if digits[0] == "+":
        digits = digits[1:]
        code = next((one for one in (digits[:1], digits[:2], digits[:3]) if one in _calling_codes()), "")
    elif region in ("US", "CA") and len(digits) == 10:
        code, digits = "1", f"1{digits}"
    else:
        return ""
    lengths, prefix = _calling_codes().get(code, ((), None))
    national = digits[len(code) :]
    if len(national) not in lengths or national[0] == "0" or len(set(national)) == 1 or national in _COUNTED:
        return ""
    if prefix is not None and prefix.match(national):
        return ""
    return f"+{digits}"


@lru_cache(maxsize=1)
def _calling_codes() -> dict[str, tuple[tuple[int, ...], re.Pattern[str] | None]]:
    """Calling code -> lengths of its national numbers, and what its national prefix rules look for."""
    found: dict[str, tuple[tuple[int, ...], re.Pattern[str] | None]] = {}
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        # Codes shared by several countries have one numbering plan; 001 stands for services without a country.
        main = phonenumbers.PhoneMetadata.metadata_for_region(regions[0], None)
        if main is None:
            continue
        prefix = main.national_prefix_for_parsing
        lengths = main.general_desc.possible_length if main.general_desc is not None else ()
        found[str(code)] = (tuple(lengths), re.compile(prefix) if prefix else None)
    return found


def is_mangled_number(text: str) -> bool:
    """Whether a spreadsheet has destroyed the number (`4.9E+11`)."""
    return bool(_MANGLED.match(text.strip()))


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=True)


@remembered
def domain_of(text: str) -> str:
    """The registrable domain of an address, URL or host (`www.shop.example.co.uk` gives `example.co.uk`); `""` if there is none."""
    value = clean(text).lower()
    host = value.rpartition("@")[2] if "@" in value and "/" not in value.partition("@")[0] else value
    host = host.partition("://")[2] or host
    host = re.split(r"[/?#:\s]", host, maxsplit=1)[0].strip(".")
    if "." not in host or not re.fullmatch(r"[\w.-]+", host):
        return ""
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        return ""
    return str(_suffixes().privatesuffix(host) or "")


@remembered
def url_of(text: str) -> str:
    """A web address with scheme and lower-case host; `""` if it is none."""
    value = clean(text)
    if not value or re.search(r"\s", value):
        return ""
    if "://" not in value:
        value = f"https://{value}"
    try:
        parts = urlsplit(value)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    host = (parts.hostname or "").lower()
    if parts.scheme.lower() not in ("http", "https") or "." not in host or parts.username or not re.fullmatch(r"[\w.-]+", host):
        return ""
    path = parts.path if parts.path != "/" or parts.query else ""
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme.lower()}://{host}{port}{path}{query}{fragment}"
