"""Keeping the store small: what is over is forgotten after `store.retention_days`, a little at a time."""

from __future__ import annotations

from datetime import timedelta

from syncd import events
from syncd.clock import Clock
from syncd.log import Log
from syncd.ports import Store

ROWS_PER_SLICE = 300
"""Rows of one transaction: 5 ms on SQLite (docs/adr/0016-retention.md), of the 20 ms that DESIGN 4 allows."""


def prune(store: Store, clock: Clock, log: Log, *, retention_days: int | None, budget_seconds: float) -> int:
    """Forget what ended more than `retention_days` ago (None: keep everything); gives how many rows went. Writes the store.

    Begins no slice once `budget_seconds` are over; the next call goes on. Logged only when something went.
    """
    if retention_days is None:
        return 0
    before = clock.now() - timedelta(days=retention_days)
    end = clock.monotonic() + budget_seconds
    removed = 0
    for count in store.prune(before, ROWS_PER_SLICE):
        removed += count
        if clock.monotonic() >= end:
            break
    if removed:
        log.info(events.STORE_PRUNED, count=removed)
    return removed
