"""From the journal to the inbox: deliveries become records, and only then leave the journal (G1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from syncd import events
from syncd.connector import PushConnector
from syncd.model import Delivery, Lane, Page, Record, Reject, Wanted
from syncd.ports import Journal
from syncd.run.context import PassContext, Source
from syncd.run.fetch import HOOK

_DELIVERIES_PER_STEP = 500


def receive(ctx: PassContext, journal: Journal, names: Sequence[str]) -> int:
    """Move the oldest deliveries of these sources of the pass on; gives how many. Writes the store, then the journal.

    After a crash between the two they come again: the inbox knows them by their keys.
    """
    deliveries = journal.take(_DELIVERIES_PER_STEP, names) if names else []
    by_stream: dict[tuple[str, str], list[Delivery]] = {}
    for one in deliveries:
        by_stream.setdefault((one.source, _stream_of(ctx.sources[one.source], one)), []).append(one)
    for (name, stream), came in by_stream.items():
        source = ctx.sources[name]
        parsed = [part for one in came for part in parse(source, one)]
        records = tuple(one for one in parsed if isinstance(one, Record))
        rejects = tuple(one for one in parsed if isinstance(one, Reject))
        # The oldest speaks for all: an age is never told as less than it is.
        at = min(one.received_at for one in came)
        page = Page(records, {}, rejects, partition="" if source.reader is None else HOOK)
        ctx.store.put_wanted(name, stream, [one for one in parsed if isinstance(one, Wanted)], at)
        ctx.store.put_page(ctx.run_id, name, stream, page, Lane.HOT, at, source.start_from)
        for reason, count in Counter(one.reason for one in rejects).items():
            ctx.log.warning(events.RECORD_DEAD_LETTERED, source=name, stage="extract", reason=reason, count=count)
    journal.remove([one.sequence for one in deliveries])
    return len(deliveries)


def _stream_of(source: Source, delivery: Delivery) -> str:
    """To which stream a delivery belongs: the first one where the connector does not say."""
    (first, *others) = source.connector.streams(source.options)
    say: Any = getattr(source.connector, "stream_of", None)
    if say is None or not others:
        return first
    try:
        said = str(say(delivery, source.options))
    except Exception:  # noqa: BLE001 - the record boundary of STYLE 4; `parse` will say what is wrong with it
        return first
    return said if said in others else first


def parse(source: Source, delivery: Delivery) -> tuple[Record | Reject | Wanted, ...]:
    """The records of a delivery; where the connector fails, the delivery as it came, set aside."""
    connector = source.connector
    assert isinstance(connector, PushConnector)  # noqa: S101 - only what sends by itself has deliveries
    try:
        return connector.parse(delivery, source.options)
    except Exception:  # noqa: BLE001 - the record boundary of STYLE 4: a connector's bug must not stop the others
        message = f"The connector of {source.name} failed on this delivery."
        return (Reject(f"delivery-{delivery.sequence}", "parse_failed", message, delivery.body),)
