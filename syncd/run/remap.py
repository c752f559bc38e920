"""Re-mapping: records that an older mapping made wait once more, in the slowest lane (DESIGN 3.4)."""

from __future__ import annotations

from syncd import events
from syncd.run.context import LEADS_PER_ROUND, PassContext


def put_stale(ctx: PassContext) -> int:
    """Let the next round of records whose mapping has changed wait; gives how many. Writes the store.

    Called when nothing else waits. What a re-mapping would change in the org is held until the pass is counted, and the guard
    judges it (`syncd.run.planning`): a mistake in a mapping must not rewrite the org by itself.
    """
    count = 0
    for name in sorted(ctx.sources):
        digest = ctx.sources[name].mapping.digest
        found = ctx.store.put_stale(ctx.run_id, name, digest, LEADS_PER_ROUND - count, ctx.clock.now())
        if found:
            ctx.log.info(events.RECORDS_REMAPPED, source=name, stage="map", count=found)
            ctx.count_note("remapped", found)
        count += found
        if count >= LEADS_PER_ROUND:
            break
    return count
