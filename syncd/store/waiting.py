"""What waits in the inbox, and what is known of its records, as prepared statements. For inbox.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Integer, and_, bindparam, false, func, or_, select, text

from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.prepared import Prepared, given

_WAITS = text("inbox.state = 'waiting'")
WAITING_VERSIONS = Prepared(
    lambda connection: select(t.inbox.c.key, t.inbox.c.digest).where(
        and_(
            _WAITS,
            t.inbox.c.source == given("source"),
            t.inbox.c.stream == given("stream"),
            among(connection, t.inbox.c.key, given("keys")),
        )
    )
)
"""Key and digest of what waits of these keys of a stream."""
SETTLED_VERSIONS = Prepared(lambda connection: select(t.record.c.key, t.record.c.digest).where(_of_stream(connection)))
"""Key and digest of the latest stored version."""
KNOWN_RECORDS = Prepared(
    lambda connection: (
        select(
            t.record.c.key,
            t.record.c.digest,
            func.coalesce(t.person.c.person_id, ""),
            t.record.c.mapping_digest,
            t.record.c.source_at,
            t.record.c.position,
        )
        .outerjoin_from(t.record, t.person, t.record.c.person_number == t.person.c.number)
        .where(_of_stream(connection))
    )
)
"""The latest stored version: key, digest, person, digest of the mapping, time, position."""

PAYLOADS = Prepared(
    lambda connection: select(t.record.c.key, t.record.c.payload, t.record.c.is_compressed).where(_of_stream(connection))
)
"""Key, payload as stored, and whether it is compressed, of the latest stored version."""
WITHDRAWALS = Prepared(
    lambda connection: select(t.record.c.key, t.record.c.withdrawn_at).where(
        and_(_of_stream(connection), t.record.c.withdrawn_at.is_not(None))
    )
)
"""Key, and since when the record has stated a withdrawal; only of those that do."""


def by_stream(refs: Iterable[Sequence[str]]) -> dict[tuple[str, str], list[str]]:
    """Keys by source and stream, for the statements above: of several streams at once SQLite would read every record there is."""
    found: dict[tuple[str, str], list[str]] = {}
    for source, stream, key in refs:
        found.setdefault((source, stream), []).append(key)
    return found


def _of_stream(connection: Connection) -> Any:
    """Records of one stream by their keys."""
    c = t.record.c
    return and_(c.source == given("source"), c.stream == given("stream"), among(connection, c.key, given("keys")))


@cache
def waiting_rows(*, is_part: bool, sources_count: int | None, has_held: bool) -> Prepared:
    """What waits, in the order of the lanes; with `is_part` only of some lanes."""
    c = t.inbox.c

    def make(connection: Connection) -> Any:
        columns = (c.sequence, c.source, c.stream, c.key, c.payload, c.is_compressed, c.digest, c.source_at, c.received_at)
        statement = select(*columns, c.position, c.locator, c.lane, c.is_replay).where(_WAITS).order_by(c.lane, c.sequence)
        if is_part:
            statement = statement.where(c.lane.between(bindparam("first", type_=Integer), bindparam("last", type_=Integer)))
        if sources_count is not None:
            # A whole pass has most of what waits: written so that no index on the source is chosen, the order of the lanes comes from
            # theirs. The hot lane looks every second for a few rows of its own, beside any number that waits of others.
            names = [given(f"wanted_{number}") for number in range(sources_count)]
            of_sources = [(c.source if is_part else c.source + "") == one for one in names]
            statement = statement.where(or_(false(), *of_sources))
        if has_held:
            statement = statement.where(~among(connection, c.sequence, given("held")))
        return statement.limit(bindparam("most", type_=Integer))

    return Prepared(make)
