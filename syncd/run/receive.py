"""From the journal to the inbox: deliveries become records, and only then leave the journal (G1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from syncd import events
from syncd.connector import FetchingConnector, PushConnector
from syncd.model import Delivery, Lane, Page, Record, Reject, Wanted
from syncd.ports import Journal
from syncd.run.context import PassContext, Source
from syncd.run.erased import without_answered
from syncd.run.fetch import HOOK

_DELIVERIES_PER_STEP = 500

Part = Record | Reject | Wanted
"""What a delivery holds."""


def receive(ctx: PassContext, journal: Journal, names: Sequence[str]) -> int:
    """Move the oldest deliveries of these sources of the pass on; gives how many. Writes the store, then the journal.

    After a crash between the two they come again: the inbox knows them by their keys.
    """
    deliveries = journal.take(_DELIVERIES_PER_STEP, names) if names else []
    by_stream: dict[tuple[str, str], list[tuple[Delivery, tuple[Part, ...]]]] = {}
    for one in deliveries:
        stream, parts = _read(ctx.sources[one.source], one)
        by_stream.setdefault((one.source, stream), []).append((one, parts))
    for (name, stream), came in by_stream.items():
        source = ctx.sources[name]
        parsed = [part for _, parts in came for part in parts]
        records = tuple(one for one in parsed if isinstance(one, Record))
        rejects = tuple(one for one in parsed if isinstance(one, Reject))
        # The oldest speaks for all: an age is never told as less than it is.
        at = min(one.received_at for one, _ in came)
        page = without_answered(ctx, name, stream, Page(records, {}, rejects, partition="" if source.reader is None else HOOK))
        ctx.store.put_wanted(name, stream, [one for one in parsed if isinstance(one, Wanted)], at)
        ctx.store.put_page(ctx.run_id, name, stream, page, Lane.HOT, at, source.start_from)
        for reason, count in Counter(one.reason for one in page.rejects).items():
            ctx.log.warning(events.RECORD_DEAD_LETTERED, source=name, stage="extract", reason=reason, count=count)
    journal.remove([one.sequence for one in deliveries])
    return len(deliveries)


def _read(source: Source, delivery: Delivery) -> tuple[str, tuple[Part, ...]]:
    """To which stream a delivery belongs, and what is in it. Where nobody can tell, it is set aside: a key means nothing in another stream."""
    streams = source.connector.streams(source.options)
    say: Any = getattr(source.connector, "stream_of", None)
    if say is None:
        return streams[0], parse(source, delivery)
    try:
        said = str(say(delivery, source.options))
    except Exception:  # noqa: BLE001 - the record boundary of STYLE 4: a connector's bug must not stop the others
        return streams[0], (_set_aside(source, delivery),)
    if said in streams:
        return said, parse(source, delivery)
    message = f"The delivery belongs to no stream that {source.name} is configured for."
    return streams[0], (Reject(f"delivery-{delivery.sequence}", "unknown_stream", message, delivery.body),)


def parse(source: Source, delivery: Delivery) -> tuple[Part, ...]:
    """The records of a delivery; where the connector fails, the delivery as it came, set aside."""
    connector = source.connector
    assert isinstance(connector, PushConnector)  # noqa: S101 - only what sends by itself has deliveries
    known = (Record, Reject, Wanted) if isinstance(connector, FetchingConnector) else (Record, Reject)
    try:
        parts = connector.parse(delivery, source.options)
        if all(isinstance(one, known) for one in parts):
            return parts
    except Exception:  # noqa: BLE001, S110 - the record boundary of STYLE 4: a connector's bug must not stop the others
        pass
    return (_set_aside(source, delivery),)


def _set_aside(source: Source, delivery: Delivery) -> Reject:
    message = f"The connector of {source.name} failed on this delivery."
    return Reject(f"delivery-{delivery.sequence}", "parse_failed", message, delivery.body)
