"""Record ids and SOQL text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from syncd.errors import ConfigError

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"})
"""SOQL and SOSL Reference, Quoted String Escape Sequences."""


def is_sf_id(text: object) -> bool:
    """Whether `text` has the shape of a record id (15 or 18 letters and digits)."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def to_18(sf_id: str) -> str:
    """The 18-character form of an id; anything that is no 15-character id comes back as it is.

    Each of the three added characters encodes which of five characters are upper case (reference/salesforce.md 3).
    """
    if len(sf_id) != 15 or not is_sf_id(sf_id):
        return sf_id
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(sf_id[start : start + 5]) if letter.isupper())
        suffix += _ALPHABET[bits]
    return sf_id + suffix


def is_api_name(name: str) -> bool:
    """Whether `name` can stand as an object or field name in SOQL and in a path."""
    return _NAME.fullmatch(name) is not None


def quoted(value: str) -> str:
    """`value` as a SOQL string literal."""
    return "'" + value.translate(_ESCAPES) + "'"


def select(fields: Iterable[str], object: str, where: str = "") -> str:
    """A statement; values in `where` must have gone through `quoted`.

    Raises:
        ConfigError: A name cannot be the API name of a field or object.
    """
    names = list(fields)
    for name in (*names, object):
        if not is_api_name(name):
            raise ConfigError(f'"{name}" cannot be the name of a Salesforce field or object.')
    statement = f"SELECT {', '.join(names)} FROM {object}"  # noqa: S608 - names were checked just above
    return f"{statement} WHERE {where}" if where else statement


def chunks_of_literals(values: list[str], head_length: int, limit: int, *, encoded: bool) -> list[list[str]]:
    """Split `values` so that a statement of `head_length` plus their literals stays within `limit`.

    Args:
        values: Texts for an IN list.
        head_length: Length of everything else in the statement.
        limit: Bytes of the URL when `encoded`, else characters of the statement.
        encoded: Count the percent-encoded form, as in a GET (16,384 bytes of URI and headers at most).
    """
    chunks: list[list[str]] = []
    room = 0
    for value in values:
        literal = quoted(value)
        size = len(quote(literal + ",", safe="")) if encoded else len(literal) + 1
        if not chunks or size > room:
            chunks.append([])
            room = limit - head_length
        chunks[-1].append(value)
        room -= size
    return chunks
