"""Signatures by Standard Webhooks 1.0.0 (standard-webhooks/standard-webhooks, spec/standard-webhooks.md, read 2026-11). Pure.

HMAC-SHA256 of `{id}.{timestamp}.{body}`, in base64, in a list of `v1,...`; other versions (`v1a` is ed25519) may stand beside it.
Whoever receives leads and whoever sends messages imports this.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_PREFIX = "whsec_"
_ID = re.compile(r"[!-\-/-~]{1,200}")
"""Printable ASCII without a dot, which would let one signature stand for two splits of the signed text."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_MOST_ITEMS = 20
"""Of a list of signatures; a sender that rotates its keys sends two."""


class Signed(NamedTuple):
    """What a request says of itself; nothing of it is true before `is_by` says so."""

    id: str
    timestamp: str
    signatures: tuple[bytes, ...]

    def is_by(self, keys: Sequence[bytes], body: bytes) -> bool:
        """Whether one of `keys` made one of the signatures. Takes as long whichever it was, or none."""
        found = False
        for key in keys:
            # Compared as text: base64 has several spellings of the same bytes, and only one of them was sent.
            expected = _signature(key, self.id, self.timestamp, body)
            for signature in self.signatures:
                found |= hmac.compare_digest(expected, signature)
        return found


def is_message_id(text: str) -> bool:
    """Whether a text can be the id of a message: 1 to 200 printable ASCII characters without a dot."""
    return _ID.fullmatch(text) is not None


def sign(keys: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of one attempt at `at` (aware), a signature by each of `keys`: two while they are rotated.

    Raises:
        ValueError: `message_id` holds a dot, or other than printable ASCII.
    """
    if not is_message_id(message_id):
        raise ValueError("the id of a message is printable ASCII without a dot")
    stamp = str(int(at.timestamp()))
    signatures = " ".join(f"v1,{_signature(key, message_id, stamp, body).decode()}" for key in keys)
    return {ID: message_id, TIMESTAMP: stamp, SIGNATURE: signatures}


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    signed = b"%b.%b.%b" % (message_id.encode("ascii"), timestamp.encode("ascii"), body)
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())


def key_of(secret: str) -> bytes:
    """The bytes of a secret: `whsec_` and base64, or any other text as it is.

    Raises:
        ValueError: No base64 behind `whsec_`.
    """
    if not secret.startswith(_PREFIX):
        return secret.encode("utf-8", "surrogatepass")
    text = secret.removeprefix(_PREFIX).strip()
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("whsec_ is not followed by base64") from error
    if not found:
        raise ValueError("whsec_ is not followed by base64")
    return found


def read_headers(headers: Mapping[str, str]) -> Signed | str:
    """The three headers, or the word of why they are refused: `missing_signature`, `bad_header`."""
    given = headers.get(SIGNATURE, "").strip()
    if not given:
        return "missing_signature"
    message_id, timestamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        return "bad_header"
    items = (item.partition(",") for item in given.split(" ")[:_MOST_ITEMS])
    return Signed(message_id, timestamp, tuple(text.encode("utf-8", "replace") for version, _, text in items if version == "v1"))
