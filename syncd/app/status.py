"""What state syncd is in: sources, cursors, what waits, what needs a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from syncd.app.lanes import range_document, ranges
from syncd.ports import Store


def status(store: Store, sources: Iterable[str]) -> dict[str, Any]:
    """One document: per source its cursors, ranges under way, sums of all runs and waiting records; what needs a person; the last runs.

    Reads only.
    """
    stats = store.stats()
    back = ranges(store)
    under_way = {(one.source, one.partition) for one in back}
    cursors = [one for one in store.cursors() if (one.source, one.partition) not in under_way]
    waiting: dict[str, int] = stats.get("waiting", {})
    totals: dict[str, dict[str, int]] = stats.get("totals", {})
    runs = store.runs(5)
    return {
        "sources": {
            name: {
                "waiting": waiting.get(name, 0),
                "totals": totals.get(name, {}),
                "streams": [
                    {"stream": one.stream, "partition": one.partition, "moved_at": one.moved_at}
                    for one in cursors
                    if one.source == name
                ],
                "backfills": [range_document(one) for one in back if one.source == name],
            }
            for name in sorted({*sources, *waiting})
        },
        "persons": stats.get("persons", 0),
        "dead_letters": stats.get("dead_letters", 0),
        "reviews": stats.get("reviews", 0),
        "open_operations": stats.get("open_operations", 0),
        "mirror": {name: store.mirror_cursor(name) for name in ("Lead", "Contact")},
        "runs": [
            {"run_id": one.run_id, "started_at": one.started_at, "finished_at": one.finished_at, "status": one.status}
            for one in runs
        ],
    }
