"""What state syncd is in: sources, cursors, what waits, what needs a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from syncd.app.lanes import range_document, ranges
from syncd.ports import ScheduleRow, Store
from syncd.run.outage import why_lost


def status(store: Store, sources: Iterable[str]) -> dict[str, Any]:
    """One document: per source its cursors, ranges under way, sums of all runs, waiting records and schedule; what needs a person; the last runs.

    Reads only. `lost` says why a source cannot be read or asked, and what to do; "" if it can be.
    """
    stats = store.stats()
    back = ranges(store)
    under_way = {(one.source, one.partition) for one in back}
    cursors = [one for one in store.cursors() if (one.source, one.partition) not in under_way]
    waiting: dict[str, int] = stats.get("waiting", {})
    totals: dict[str, dict[str, int]] = stats.get("totals", {})
    runs = store.runs(5)
    schedules = store.schedules()
    wanted = store.wanted_counts()
    return {
        "sources": {
            name: {
                "waiting": waiting.get(name, 0),
                "wanted": wanted.get(name, 0),
                "lost": why_lost(store, name, is_asked=name in wanted),
                "totals": totals.get(name, {}),
                "streams": [
                    {"stream": one.stream, "partition": one.partition, "moved_at": one.moved_at}
                    for one in cursors
                    if one.source == name
                ],
                "backfills": [range_document(one) for one in back if one.source == name],
                **_schedule(schedules.get(name)),
            }
            for name in sorted({*sources, *waiting, *wanted})
        },
        "persons": stats.get("persons", 0),
        "dead_letters": stats.get("dead_letters", 0),
        "reviews": stats.get("reviews", 0),
        "open_operations": stats.get("open_operations", 0),
        "last_deletion_export": _export(store),
        "mirror": {name: store.mirror_cursor(name) for name in ("Lead", "Contact")},
        "runs": [
            {"run_id": one.run_id, "started_at": one.started_at, "finished_at": one.finished_at, "status": one.status}
            for one in runs
        ],
    }


def _export(store: Store) -> dict[str, Any] | None:
    """The last verified export of leads that were due for deletion; None if there was none."""
    found = store.exports(1)
    return {"export_id": found[0].export_id, "at": found[0].at, "count": found[0].count} if found else None


def _schedule(row: ScheduleRow | None) -> dict[str, Any]:
    """What the daemon remembers of a source; nothing for one that it has never read."""
    row = row or ScheduleRow("")
    return {
        "paused": row.is_paused,
        "last_success_at": row.succeeded_at,
        "last_ended_at": row.ended_at,
        "last_status": row.status,
    }
