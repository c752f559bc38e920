"""Salesforce ids: 15 characters with case, or 18 with a suffix that tells the case (reference salesforce.md 3)."""

from __future__ import annotations

from functools import lru_cache

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHORT, _LONG, _CHUNK = 15, 18, 5


def long_id(prefix: str, number: int) -> str:
    """The 18-character id of the `number`th record of a kind; `prefix` is the object's three-character key prefix."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    short = f"{prefix}5g0{digits:0>9}"[:_SHORT]
    return short + _suffix(short)


def _suffix(short: str) -> str:
    return _letter(short[:_CHUNK]) + _letter(short[_CHUNK:-_CHUNK]) + _letter(short[-_CHUNK:])


@lru_cache(maxsize=4096)
def _letter(chunk: str) -> str:
    bits = 0
    for letter in reversed(chunk):
        bits = bits * 2 + letter.isupper()
    return _SUFFIX[bits]


def canonical(sf_id: str) -> str | None:
    """The 18-character form of an id of 15 or 18 characters, or None when it is no id.

    An id of 18 characters may come in any case: its suffix says which letters are capitals.
    """
    if not sf_id.isascii() or not sf_id.isalnum():
        return None
    if len(sf_id) == _SHORT:
        return sf_id + _suffix(sf_id)
    if len(sf_id) != _LONG:
        return None
    short = ""
    for chunk in range(3):
        bits = _SUFFIX.find(sf_id[_SHORT + chunk].upper())
        if bits < 0:
            return None
        for place, letter in enumerate(sf_id[chunk * _CHUNK : (chunk + 1) * _CHUNK]):
            short += letter.upper() if bits >> place & 1 else letter.lower()
    return short + sf_id[_SHORT:].upper()
