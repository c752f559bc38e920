"""What comes out of a source: records, rejects and the pages that carry them."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec


class Lane(IntEnum):
    """How urgent a record is; lower goes first. BACKFILL and REMAP bring no news: no assignment, no tasks, no SLA clock."""

    HOT = 0
    POLICY = 1
    INCREMENT = 2
    BACKFILL = 3
    REMAP = 4


class RecordRef(NamedTuple):
    """The identity of a record: unique and stable for ever."""

    source: str
    stream: str
    key: str


class Record(msgspec.Struct, frozen=True, gc=False):
    """One item as the source sent it; never edited.

    Attributes:
        key: Unique within (source, stream), stable across pulls.
        payload: A JSON object, UTF-8, as untouched as the source allows.
        source_at: When the source says it last changed (aware UTC); None if it does not say.
        position: Order among records of equal `source_at` (row number of a file); 0 if there is none.
        locator: Where a person finds it, without personal data: `trade_show.csv row 12`.
    """

    key: str
    payload: bytes
    source_at: datetime | None = None
    position: int = 0
    locator: str = ""


class Reject(msgspec.Struct, frozen=True, gc=False):
    """One item of a page that cannot be a record; it becomes a dead letter of stage `extract`.

    `reason` is a constant word (`ragged_row`), `message` a sentence without record values,
    `payload` the raw bytes (any encoding) so that nothing is lost.
    """

    key: str
    reason: str
    message: str
    payload: bytes
    locator: str = ""


class Page(msgspec.Struct, frozen=True, gc=False):
    """What one extract call returned: records plus the next cursor.

    Attributes:
        records: In source order; may be empty.
        rejects: Items that cannot be records.
        cursor: Where to go on after this page; opaque JSON object owned by the connector.
        partition: Part of the stream that the cursor belongs to (an audience, a folder); `""` if undivided.
        is_last: The stream says that it has reached its end. Only ever set on the vendor's explicit end.
        recheck_seconds: Not at the end, but it would be no use to ask again earlier (a file is still being written).
        notice: One sentence for the operator, without personal data (`"big.csv is still being written"`).
    """

    records: tuple[Record, ...]
    cursor: dict[str, Any]
    rejects: tuple[Reject, ...] = ()
    partition: str = ""
    is_last: bool = False
    recheck_seconds: float | None = None
    notice: str = ""


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """A record that a source says is there, and that is still to be asked for.

    Attributes:
        key: Of the record, as a pull would give it; where the source does not tell that, another that names it. Unique within
            (source, stream): of what is announced twice the later counts.
        payload: What the source said of it: a JSON object, UTF-8.
        at: When the source says it happened (aware UTC); None if it does not say.
        locator: Where a person finds it, without personal data: `lead 321 of form 456`.
    """

    key: str
    payload: bytes
    at: datetime | None = None
    locator: str = ""


class Unwanted(msgspec.Struct, frozen=True, gc=False):
    """What a source announced and, when it is asked, turns out to be nothing to keep (yet); `reason` is a constant word."""

    reason: str


NOT_THERE = "not_there"
"""Reason of a Reject: a record that was announced, and that the source does not have."""
NOT_FETCHED = "not_fetched"
"""Reason of a Reject: a record that was announced, and that nobody could read."""
ERASURE_ASKED = "erasure_asked"
"""Reason of a Reject: its source says that the person behind a record asks to be forgotten. Its key is the record's, or `WITHDRAWN` and the record's."""
WITHDRAWN = "withdrawn-"
"""What the key of such a Reject begins with where the record itself may still come, so that the two are told apart."""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One request of a push source: verified, and stored before it was answered.

    Attributes:
        source: Its name.
        received_at: When it was complete (aware UTC).
        delivery_id: The sender's own id of the message, stable over its retries; `""` if it has none.
        sent_at: When the sender says it sent it (aware UTC), None if it does not say.
        content_type: As it was sent, in lower case, parameters included; `""` without one.
        kept: What the connector wanted of the headers.
        body: The raw bytes.
        sequence: Its place in the journal; 0 before it is stored.
    """

    source: str
    received_at: datetime
    body: bytes
    delivery_id: str = ""
    sent_at: datetime | None = None
    content_type: str = ""
    kept: dict[str, str] = {}
    sequence: int = 0
