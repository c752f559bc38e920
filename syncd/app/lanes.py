"""The slow lanes as people ask for them: a range of a source once more, and what a changed mapping has left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from syncd.connector import PullConnector
from syncd.document import suggest
from syncd.errors import ConfigError
from syncd.ports import Backfill, Store

_PREFIX = "backfill:"


class Range(msgspec.Struct, frozen=True):
    """A part of a stream that is read once more, both ends aware UTC; the second does not belong to it.

    `partition` names it in the store, `moved_at` is when its own cursor last moved, or was made.
    """

    source: str
    stream: str
    from_at: datetime
    until_at: datetime
    partition: str
    moved_at: datetime


class PlannedRange(msgspec.Struct, frozen=True):
    """A range and what would begin it; `backfill` is None when it is under way already."""

    range: Range
    backfill: Backfill | None = None


def range_document(one: Range) -> dict[str, Any]:
    """A range as `--json` prints it."""
    return {"source": one.source, "stream": one.stream, "from": one.from_at, "until": one.until_at, "moved_at": one.moved_at}


def instant_of(text: str, option: str) -> datetime:
    """A day (its beginning) or an instant as aware UTC, to the second; what names no zone is meant as UTC.

    Raises:
        ConfigError: It is neither; `option` is named.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or not text.strip()[:4].isdigit():
        raise ConfigError(
            f'{option} "{text}" is no day and no instant.',
            advice="Write 2026-01-31, or 2026-01-31T08:00 (UTC unless it says otherwise).",
        )
    found = found.replace(microsecond=0)
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError as error:
        raise ConfigError(f'{option} "{text}" is beyond the calendar.', advice="Name a day that a record can have.") from error


def plan_range(
    store: Store,
    source: str,
    connector: PullConnector,
    options: Any,
    *,
    stream: str,
    from_at: datetime,
    until_at: datetime | None,
    now: datetime,
) -> PlannedRange:
    """Judge a wish to read a range once more. Reads only; `start_range` writes it.

    The very same range that is under way goes on where it is. Without `until_at` the range ends now, or is the one under way
    that begins at the same instant.

    Args:
        store: Where ranges under way are kept.
        source: Its name.
        connector: Of the source.
        options: Of the connector.
        stream: `""` for the only one of the source.
        from_at: Aware UTC, to the second; belongs to the range.
        until_at: The same; does not belong to it.
        now: Aware UTC.

    Raises:
        ConfigError: The stream is not there, or the range is empty or not over.
    """
    chosen = _stream_of(source, connector.streams(options), stream)
    same = [one for one in ranges(store) if (one.source, one.stream, one.from_at) == (source, chosen, from_at)]
    if until_at is None and same:
        return PlannedRange(same[-1])
    until = now.replace(microsecond=0) if until_at is None else until_at
    _check(from_at, until, now)
    partition = f"{_PREFIX}{from_at.isoformat()}..{until.isoformat()}"
    known = next((one for one in same if one.partition == partition), None)
    if known is not None:
        return PlannedRange(known)
    made = Backfill(source, chosen, partition, connector.cursor_at(options, chosen, from_at))
    return PlannedRange(Range(source, chosen, from_at, until, partition, now), made)


def start_range(store: Store, planned: PlannedRange, now: datetime) -> None:
    """Have a range read with the next pass; one that is under way is left as it is. Writes the store."""
    if planned.backfill is not None:
        store.put_backfill(planned.backfill, now)


def _stream_of(source: str, known: Sequence[str], stream: str) -> str:
    names = ", ".join(known)
    if not stream and len(known) > 1:
        raise ConfigError(f'The source "{source}" has several streams: {names}.', advice="Choose one with --stream.")
    if stream and stream not in known:
        raise ConfigError(
            f'The source "{source}" has no stream "{stream}".', advice=suggest(stream, known) or f"It has: {names}."
        )
    return stream or known[0]


def _check(from_at: datetime, until_at: datetime, now: datetime) -> None:
    # A second of grace: what was rounded to the second must not lie in the future.
    for option, at in (("--from", from_at), ("--until", until_at)):
        if at > now + timedelta(seconds=1):
            raise ConfigError(f"{option} {at.isoformat()} lies in the future.", advice="Records of then are read by themselves.")
    if until_at <= from_at:
        raise ConfigError(
            f"The range from {from_at.isoformat()} until {until_at.isoformat()} is empty.",
            advice="--until is later than --from, and does not belong to the range itself; a day is its beginning.",
        )


def ranges(store: Store) -> list[Range]:
    """Ranges that are not read to their end yet, by source, stream and beginning. Reads only."""
    found = [
        Range(one.source, one.stream, *_ends(one.partition), one.partition, one.moved_at)
        for one in store.cursors()
        if one.partition.startswith(_PREFIX)
    ]
    return sorted(found, key=lambda one: (one.source, one.stream, one.from_at, one.until_at))


def _ends(partition: str) -> tuple[datetime, datetime]:
    begin, _, end = partition.removeprefix(_PREFIX).partition("..")
    return datetime.fromisoformat(begin), datetime.fromisoformat(end)


def stale_counts(store: Store, digests: Mapping[str, str | None]) -> dict[str, int | None]:
    """How many records of each source another mapping made than the one with this digest; None where the mapping is broken. Reads only."""
    return {source: None if digest is None else store.stale_count(source, digest) for source, digest in digests.items()}
