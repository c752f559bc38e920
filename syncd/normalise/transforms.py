"""The closed list of transforms that a mapping line may name with `as:` (DESIGN 3.4). Pure.

Each takes a cleaned JSON scalar and the line's arguments and gives a value, None for "no value", or `Bad` with a reason word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec

from syncd.normalise.contact import domain_of, email_of, is_mangled_number, phone_of, url_of
from syncd.normalise.moments import day_of, instant_of
from syncd.normalise.places import country_code, country_code_3, country_name, state_name
from syncd.normalise.remembered import remembered
from syncd.normalise.text import is_formula, one_line, person_name, plain_text

Value = str | int | float | bool | None


class Bad(NamedTuple):
    """No value, and why: a constant word (docs/reference/mapping.md lists them)."""

    reason: str


class Args(msgspec.Struct, frozen=True):
    """Arguments of a mapping line; only those of its transform count. `region` is an ISO country or `""`."""

    region: str = ""
    formats: tuple[str, ...] = ()
    zone: str = ""
    locale: str = "en"
    style: str = "name"
    separator: str = " "
    index: int = 0
    length: int = 0


Transform = Callable[[Value, Args], "Value | Bad"]

_TRUE = frozenset(
    """
    true yes y 1 x on ja j oui si sí sim tak ano igen evet da ya ✓ ✔ checked agreed opted-in
    """.split()
)
_FALSE = frozenset(
    """
    false no n 0 off nein non não nie ne nem hayır hayir net tidak nej nei unchecked declined opted-out
    """.split()
)
_NOTHING = frozenset(
    {
        "",
        "-",
        "--",
        "n/a",
        "na",
        "n.a.",
        "none",
        "null",
        "nil",
        "unknown",
        "not provided",
        "[not provided]",
        "k.a.",
        "keine angabe",
        "?",
        ".",
        "tbd",
        "xxx",
    }
)
_SEPARATORS = {
    "en": (".", ","),
    "de": (",", "."),
    "fr": (",", " "),
    "es": (",", "."),
    "it": (",", "."),
    "pl": (",", " "),
    "sv": (",", " "),
    "ch": (".", "'"),
    "pt": (",", "."),
    "nl": (",", "."),
    "id": (",", "."),
}
LOCALES = tuple(sorted(_SEPARATORS))
_CURRENCY = re.compile(
    r"^(?:[€$£¥₹]|EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|IDR|Rp\.?)?\s*(-?[\d.,'\s\u00a0\u202f]+?)\s*(?:[€$£¥₹%]|EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|IDR)?$",
    re.IGNORECASE,
)
_MAX_NUMBER = 40


def _text(value: Value) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value)


def _name(value: Value, _: Args) -> Value | Bad:
    return _person(_text(value))


@remembered
def _person(text: str) -> Value | Bad:
    """What is made of a name; the same ones come again and again."""
    text = one_line(text)
    if text.casefold() in _NOTHING:
        return None
    return Bad("formula") if is_formula(text) else person_name(text) or None


def _email(value: Value, _: Args) -> Value | Bad:
    text = one_line(_text(value))
    # What is nothing or a formula has no sign of an address, or does not begin like one.
    if "@" not in text or not text[0].isalnum():
        if text.casefold() in _NOTHING:
            return None
        if is_formula(text):
            return Bad("formula")
    address, reason = email_of(text)
    return address or Bad(reason)


def _phone(value: Value, args: Args) -> Value | Bad:
    text = one_line(_text(value))
    if text.casefold() in _NOTHING:
        return None
    if is_mangled_number(text):
        return Bad("mangled_number")
    if is_formula(text):
        return Bad("formula")
    found = phone_of(text, args.region or None)
    if found is None:
        return Bad("invalid_phone")
    return f"{found.e164} ext. {found.extension}" if found.extension else found.e164


def _company(value: Value, _: Args) -> Value | Bad:
    text = one_line(_text(value))
    if text.casefold() in _NOTHING:
        return None
    return Bad("formula") if is_formula(text) else text


def _number(value: Value, args: Args) -> Value | Bad:
    if isinstance(value, int | float):
        return int(value) if isinstance(value, bool) else value
    text = one_line(_text(value))
    if text.casefold() in _NOTHING:
        return None
    match = _CURRENCY.match(text)
    if match is None or len(text) > _MAX_NUMBER:
        return Bad("invalid_number")
    point, group = _SEPARATORS[args.locale]
    digits = re.sub(r"[\s\u00a0\u202f]", "", match[1]) if group == " " else match[1].strip()
    whole, _, fraction = digits.partition(point)
    if group != " " and group in whole:
        # Groups must be groups: 1.23 is not 123 in a locale where the point groups thousands.
        if not re.fullmatch(rf"-?\d{{1,3}}(?:{re.escape(group)}\d{{3}})+", whole):
            return Bad("invalid_number")
        whole = whole.replace(group, "")
    try:
        number = Decimal(f"{whole}.{fraction}" if fraction else whole)
    except InvalidOperation:
        return Bad("invalid_number")
    return int(number) if number == number.to_integral_value() else float(number)


def _boolean(value: Value, _: Args) -> Value | Bad:
    if isinstance(value, bool):
        return value
    text = one_line(_text(value)).casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return None if text in _NOTHING else Bad("invalid_boolean")


def _date(value: Value, args: Args) -> Value | Bad:
    text = one_line(_text(value))
    if text.casefold() in _NOTHING:
        return None
    return day_of(text, args.formats) or Bad("invalid_date")


def _instant(value: Value, args: Args) -> Value | Bad:
    text = one_line(_text(value))
    if text.casefold() in _NOTHING:
        return None
    return instant_of(text, args.formats, args.zone) or Bad("invalid_instant")


def _country(value: Value, args: Args) -> Value | Bad:
    text = one_line(_text(value))
    if text.casefold() in _NOTHING:
        return None
    code = country_code(text)
    if not code:
        return Bad("unknown_country")
    if args.style == "iso2":
        return code
    return country_name(code) if args.style == "name" else country_code_3(code)


def _state(value: Value, args: Args) -> Value | Bad:
    text = one_line(_text(value))
    return None if text.casefold() in _NOTHING else state_name(text, args.region)


def _url(value: Value, _: Args) -> Value | Bad:
    text = one_line(_text(value))
    if text.casefold() in _NOTHING:
        return None
    return url_of(text) or Bad("invalid_url")


def _domain(value: Value, _: Args) -> Value | Bad:
    text = one_line(_text(value))
    if text.casefold() in _NOTHING:
        return None
    return domain_of(text) or Bad("invalid_domain")


def _plain(value: Value, _: Args) -> Value | Bad:
    return plain_text(_text(value)) or None


def _split(value: Value, args: Args) -> Value | Bad:
    parts = [part.strip() for part in _text(value).split(args.separator)]
    return parts[args.index] or None if -len(parts) <= args.index < len(parts) else None


def _truncate(value: Value, args: Args) -> Value | Bad:
    text = _text(value).strip()
    return text[: args.length].rstrip() or None


TRANSFORMS: Mapping[str, Transform] = {
    "email": _email,
    "phone": _phone,
    "name": _name,
    "title": lambda value, _: one_line(_text(value)) or None,
    "lower": lambda value, _: one_line(_text(value)).lower() or None,
    "upper": lambda value, _: one_line(_text(value)).upper() or None,
    "trim": lambda value, _: one_line(_text(value)) or None,
    "date": _date,
    "instant": _instant,
    "number": _number,
    "boolean": _boolean,
    "country": _country,
    "state": _state,
    "url": _url,
    "domain": _domain,
    "company": _company,
    "text": _plain,
    "join": lambda value, _: one_line(_text(value)) or None,
    "split": _split,
    "truncate": _truncate,
}
"""Every transform by the name that a mapping uses."""

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "phone": ("region",),
    "state": ("region",),
    "date": ("format",),
    "instant": ("format", "zone"),
    "number": ("locale",),
    "country": ("style",),
    "join": ("separator",),
    "split": ("separator", "index"),
    "truncate": ("length",),
}
"""Which further keys a transform takes; all others take none."""

VERSION = 1
"""Raised when a transform gives other values than before: stored leads are mapped anew."""
